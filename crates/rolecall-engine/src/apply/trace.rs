//! Spans of mutations. They have the id of a mutation in the plan, and never an address: that of a user has an e-mail address.

use tracing::Span;
use tracing::field::Empty;

use super::Step;
use rolecall_graphql::trace::number;
use rolecall_model::{Change, Mutation, Outcome};

/// Returns the span of a mutation that is about to be sent.
pub(super) fn mutation_span(mutation: &Mutation, change: &Change) -> Span {
    tracing::info_span!(
        "mutation",
        "otel.name" = format!("{} {}", change.action, change.address.kind.as_str()),
        "rolecall.mutation.id" = mutation.id,
        "rolecall.mutation.operation" = mutation.operation,
        "rolecall.mutation.kind" = change.address.kind.as_str(),
        "rolecall.mutation.action" = %change.action,
        "rolecall.mutation.stage" = format!("{:?}", mutation.stage).to_lowercase(),
        "rolecall.mutation.changes" = number(mutation.changes().count()),
        "rolecall.mutation.outcome" = Empty,
        "otel.status_code" = Empty,
    )
}

/// Adds to a span what became of its mutation. A later read may still settle an outcome that is unsure.
pub(super) fn ended(span: &Span, step: Option<&Step>) {
    // A batch that the platform refused as a whole has no steps: each of its mutations is sent by itself.
    let outcome = step.map_or(Outcome::Failed, |step| step.outcome);
    span.record("rolecall.mutation.outcome", tracing::field::display(outcome));
    if outcome != Outcome::Done {
        span.record("otel.status_code", "error");
    }
}
