//! The only client that can write. Everything that plans has a [`Reader`](rolecall_graphql::Reader), which can't.

use secrecy::zeroize::Zeroize;
use serde_json::Value;
use tracing::{Instrument as _, Span};

use super::state::mints;
use super::{Apply, interrupt};
use crate::ledger::Hold;
use rolecall_graphql::{BatchPart, Budget, CallError, Request, Response, Ticket, TransportError, split_response};
use rolecall_graphql::{trace, write};
use rolecall_model::{Change, Mutation};
use rolecall_providers::MutationResult;

/// A mutation that is ready to be sent, with the ids that weren't known when it was planned.
pub(super) struct PreparedMutation<'a> {
    /// The index among the mutations of the plan.
    pub index: usize,
    pub mutation: Mutation,
    /// The first of the changes that it makes.
    pub change: &'a Change,
    pub span: Span,
}

pub(super) type Answer = Result<MutationResult, CallError>;

/// Sends these mutations in one document and returns an answer for each. A request is only repeated if it
/// certainly never ran: it was refused by a rate limit, or never left. `ticket` is for the operation's own rate
/// limit. Nothing is sent if `hold` says that the lock of the ledger is lost: another run may send then.
pub(super) async fn send(
    apply: &Apply<'_>,
    batch: &[PreparedMutation<'_>],
    ticket: Option<Ticket>,
    hold: Option<&Hold>,
) -> Vec<Answer> {
    // A request has one parent: its first mutation. It has links to the others.
    let parent = batch.first().map_or_else(Span::none, |first| first.span.clone());
    let answered = match request(apply, batch) {
        Ok(request) => send_with_retries(apply, batch, &request, ticket, hold).instrument(parent).await,
        Err(error) => Err(error),
    };
    answered.unwrap_or_else(|error| batch.iter().map(|_| Err(error.clone())).collect())
}

fn request(apply: &Apply<'_>, batch: &[PreparedMutation<'_>]) -> Result<Request, CallError> {
    let parts = parts(apply, batch)?;
    if let ([part], [prepared]) = (&*parts, batch) {
        let variables = prepared.mutation.variables.clone().into_iter().collect();
        return Ok(write::mutation(part.mutation, Value::Object(variables)));
    }
    let inputs =
        batch.iter().map(|prepared| prepared.mutation.variables.get("input").cloned().unwrap_or_default());
    let not_joinable = || TransportError::NotSent("one of these mutations can't be batched".to_owned());
    Ok(write::batch(&parts, inputs.collect()).ok_or_else(not_joinable)?)
}

fn parts<'a>(apply: &Apply<'_>, batch: &'a [PreparedMutation<'_>]) -> Result<Vec<BatchPart<'a>>, CallError> {
    let part = |prepared: &'a PreparedMutation<'_>| {
        let Mutation { id, operation, .. } = &prepared.mutation;
        let unknown = || TransportError::NotSent(format!("there is no operation {operation}"));
        Ok(BatchPart { alias: id, mutation: apply.provider.document(operation).ok_or_else(unknown)? })
    };
    batch.iter().map(part).collect()
}

/// Sends a request, and retries it while all of it certainly never ran. An interrupt ends every wait.
async fn send_with_retries(
    apply: &Apply<'_>,
    batch: &[PreparedMutation<'_>],
    request: &Request,
    mut ticket: Option<Ticket>,
    hold: Option<&Hold>,
) -> Result<Vec<Answer>, CallError> {
    let mut waits = apply.backoff.waits();
    let mut resends = 0;
    loop {
        let answered = attempt(apply, batch, (request, resends), ticket.take(), hold).await;
        let errors: Option<Vec<&CallError>> = match &answered {
            Ok(answers) => answers.iter().map(|answer| answer.as_ref().err()).collect(),
            Err(error) => Some(vec![error]),
        };
        let errors = errors.filter(|errors| errors.iter().all(|error| never_ran(apply, error)));
        let Some(error) = errors.and_then(|errors| errors.first().copied().cloned()) else { return answered };
        let Some(wait) = waits.before_retry(request.operation_name, &error) else { return Err(error) };
        // The transport reports its own waiting time.
        let waited = async { tokio::join!(tokio::time::sleep(wait), apply.transport.ready()) };
        if interrupt::unless_shutdown(apply, waited.instrument(trace::wait_span("retry"))).await.is_none() {
            return Err(error);
        }
        resends += 1;
    }
}

/// Returns whether a request with this error certainly never ran.
fn never_ran(apply: &Apply<'_>, error: &CallError) -> bool {
    match error {
        CallError::RateLimited { .. } => apply.provider.traffic().retries_rate_limited,
        CallError::Transport(TransportError::NotSent(_)) => true,
        _ => false,
    }
}

/// Sends a request once, after waiting for the rate limits. `resends` is the number of earlier attempts.
async fn attempt(
    apply: &Apply<'_>,
    batch: &[PreparedMutation<'_>],
    (request, resends): (&Request, usize),
    ticket: Option<Ticket>,
    hold: Option<&Hold>,
) -> Result<Vec<Answer>, CallError> {
    // An operation with a rate limit of its own is never batched, so the first mutation is the only one.
    let limited_by = batch.first().map(|first| &*first.mutation.operation);
    let limited_by = limited_by
        .and_then(|operation| Some((apply.quotas.budget(operation), apply.provider.traffic().quota(operation)?)));
    let ticket = match (&limited_by, ticket) {
        (Some((budget, quota)), None) => loop {
            match budget.take(*quota) {
                Ok(ticket) => break Some(ticket),
                Err(wait) => {
                    let waited = tokio::time::sleep(wait).instrument(trace::wait_span("rate-limit"));
                    interrupt::unless_shutdown(apply, waited).await.ok_or_else(interrupted)?;
                }
            }
        },
        (_, ticket) => ticket,
    };
    // Wait here for the time that the platform asks for, where an interrupt can still end it.
    interrupt::unless_shutdown(apply, apply.transport.ready()).await.ok_or_else(interrupted)?;
    let (span, answer) = if hold.is_none_or(Hold::is_held) {
        let others = batch.iter().skip(1).map(|prepared| &prepared.span);
        trace::send(&*apply.transport, request, resends, others).await
    } else {
        (Span::none(), Err(TransportError::NotSent("the lock of the ledger is lost".to_owned())))
    };
    if let (Some((budget, _)), Some(ticket)) = (&limited_by, ticket) {
        match answer {
            Err(TransportError::NotSent(_)) => budget.give_back(ticket),
            Ok(_) | Err(_) => budget.answered(ticket),
        }
    }
    let answers = read(apply, batch, request, answer)?;
    if let Some(error) = answers.iter().find_map(|answer| answer.as_ref().err()) {
        trace::failed(&span, error);
    }
    let limited = |answer: &Answer| matches!(answer, Err(CallError::RateLimited { .. }));
    if let Some((budget, quota)) = limited_by.filter(|_| answers.iter().any(limited)) {
        // Somebody else has used up the limit.
        budget.used_up(quota);
    }
    Ok(answers)
}

/// Returns the error of a request that was interrupted before it was sent. It counts as one that never ran.
fn interrupted() -> CallError {
    CallError::RateLimited { retry_after: None }
}

fn read(
    apply: &Apply<'_>,
    batch: &[PreparedMutation<'_>],
    request: &Request,
    answer: Result<Response, TransportError>,
) -> Result<Vec<Answer>, CallError> {
    let mut response = answer.map_err(|error| apply.redactor.clean_error(error))?;
    tracing::info!(operation = request.operation_name, status = response.status, "wrote");
    apply.redactor.clean_body(&mut response.body);
    let result = |prepared: &PreparedMutation<'_>, response: &Response| {
        // A new secret is in the answer, and an error beside it may repeat the secret.
        let redactor = mints(prepared.change).then(|| apply.redactor.with_strings_of(&response.body));
        let redactor = redactor.as_ref().unwrap_or(apply.redactor);
        apply.provider.mutation_result(prepared.change, &prepared.mutation, response, redactor)
    };
    let answers = match batch {
        [prepared] => vec![result(prepared, &response)],
        batch => {
            let parts = parts(apply, batch)?;
            let result_of = |(prepared, part): (_, Result<Response, CallError>)| result(prepared, &part?);
            batch.iter().zip(split_response(&parts, &response)).map(result_of).collect()
        }
    };
    // The body may contain a secret.
    response.body.zeroize();
    Ok(answers)
}
