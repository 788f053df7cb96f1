//! Connections: lists in pages, with cursors.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::access::unexpected;
use super::super::key;
use super::super::world::Paging;
use crate::engine::FieldError;

/// The sort key of a row: its creation time and its id.
pub type SortKey = (Timestamp, String);

fn cursor((created_at, id): &SortKey) -> String {
    key::base64(&format!("{created_at}|{id}"))
}

fn parse_cursor(cursor: &str) -> Result<SortKey, FieldError> {
    let text = key::from_base64(cursor).ok_or_else(unexpected)?;
    let (created_at, id) = text.split_once('|').ok_or_else(unexpected)?;
    Ok((created_at.parse().map_err(|_| unexpected())?, id.to_owned()))
}

/// Returns a page of `rows`, newest first.
pub fn page<T>(
    mut rows: Vec<(SortKey, &T)>,
    limit: usize,
    after: Option<&str>,
    paging: Paging,
    show: impl Fn(&T) -> Value,
) -> Result<Value, FieldError> {
    rows.sort_by(|(one, _), (other, _)| match paging {
        Paging::Fixed => other.cmp(one),
        Paging::Broken => other.1.cmp(&one.1),
    });
    if let Some(after) = after {
        let after = parse_cursor(after)?;
        rows.retain(|(key, _)| *key < after);
    }
    let has_next = rows.len() > limit;
    rows.truncate(limit);
    let rows = rows.iter().map(|(key, row)| (cursor(key), show(row))).collect();
    Ok(connection(rows, has_next, after.is_some()))
}

/// Returns all rows on one page without cursors.
pub fn single_page(rows: impl Iterator<Item = Value>) -> Value {
    connection(rows.map(|row| (String::new(), row)).collect(), false, false)
}

fn connection(rows: Vec<(String, Value)>, has_next: bool, has_previous: bool) -> Value {
    let at = |row: Option<&(String, Value)>| row.map(|(cursor, _)| cursor.clone()).unwrap_or_default();
    let info = json!({
        "hasNextPage": has_next,
        "hasPreviousPage": has_previous,
        "startCursor": at(rows.first()),
        "endCursor": at(rows.last()),
    });
    let edges: Vec<Value> =
        rows.into_iter().map(|(cursor, node)| json!({ "cursor": cursor, "node": node })).collect();
    json!({ "edges": edges, "pageInfo": info })
}

/// Returns the page size for `first`, at most `most`. Zero and negative numbers give `most`. Members have a rule
/// of their own.
pub fn page_size(first: Option<i32>, most: usize) -> usize {
    first.and_then(|first| usize::try_from(first).ok()).filter(|first| *first > 0).map_or(most, |it| it.min(most))
}
