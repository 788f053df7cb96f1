//! Spans of lists: how many pages and items each has, and whether it is complete. They never have an item.

use tracing::Span;
use tracing::field::Empty;

use rolecall_graphql::trace::number;
use rolecall_model::{Completeness, Listing};

/// Returns the span of a list that requests of its own read. [`record_list`] completes it.
pub(super) fn list_span(list: &'static str) -> Span {
    tracing::info_span!(
        "list",
        "otel.name" = format!("list {list}"),
        "rolecall.list" = list,
        "rolecall.list.pages" = Empty,
        "rolecall.list.items" = Empty,
        "rolecall.list.completeness" = Empty,
    )
}

/// Adds to the span of a list what was read.
pub(super) fn record_list(span: &Span, pages: usize, items: usize, completeness: &Completeness) {
    span.record("rolecall.list.pages", number(pages));
    span.record("rolecall.list.items", number(items));
    let complete = match completeness {
        Completeness::Proven => "complete",
        Completeness::Assumed { .. } => "assumed complete",
        Completeness::Broken { .. } => "incomplete",
    };
    span.record("rolecall.list.completeness", complete);
}

/// Makes the span of a list that came with the answer to another request.
pub(super) fn came_along<T>(list: &'static str, listing: &Listing<T>) {
    record_list(&list_span(list), 1, listing.items.len(), &listing.completeness);
}
