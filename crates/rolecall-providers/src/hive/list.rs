//! Follows lists with pages, and decides whether they are complete.

use std::collections::BTreeSet;
use std::future::Future;

use super::super::rows::{self, Cursors, Fields, Row, separate};
use super::ReadError;
use super::wire::{Edge, Page, WireMember};
use rolecall_model::{Completeness, UnreadableRow};

/// The rows of all pages of a list.
pub(super) struct Collected<T> {
    pub items: Vec<T>,
    /// The rows that can't be read.
    pub unread: Vec<UnreadableRow>,
    /// The number of rows of each page, without those that can't be read.
    pub pages: Vec<usize>,
    /// The reason why the list has no end, if it hasn't.
    pub endless: Option<&'static str>,
}

/// Separates the nodes of a list from the rows that can't be read.
pub(super) fn nodes<T>(
    edges: Vec<Row<Edge<T>>>,
    fields: &Fields,
    unread: &mut Vec<UnreadableRow>,
) -> impl Iterator<Item = T> {
    separate(edges, fields, unread).into_iter().map(|edge| edge.node)
}

/// Follows the cursors of a list from its first page.
pub(super) async fn follow<T, F>(
    first: Page<T>,
    fields: &Fields,
    mut next: impl FnMut(String) -> F,
) -> Result<Collected<T>, ReadError>
where
    F: Future<Output = Result<Page<T>, ReadError>>,
{
    let mut collected = Collected { items: Vec::new(), unread: Vec::new(), pages: Vec::new(), endless: None };
    let mut cursors = Cursors::default();
    let mut page = first;
    loop {
        let rows = page.edges.len();
        let before = collected.items.len();
        collected.items.extend(nodes(page.edges, fields, &mut collected.unread));
        collected.pages.push(collected.items.len() - before);
        let info = page.page_info;
        if !info.has_next_page {
            return Ok(collected);
        }
        if let Err(why) = cursors.follow(rows, &info.end_cursor) {
            collected.endless = Some(why);
            return Ok(collected);
        }
        page = next(info.end_cursor).await?;
    }
}

/// Returns why a list of members isn't complete, or nothing if there is no sign of that.
///
/// Hive 8.1.2 sorts members by user id and cuts pages by the time they joined, so its cursors repeat some members
/// and skip others (measured; public history: graphql-hive/console #6996, #7284, #7299). A repeated member shows
/// at once. A skipped one shows in the order of the ids: for example, the pages `[1, 4, 9]` and `[2, 7]` are each
/// sorted, and `[1, 4, 9, 2, 7]` isn't. A server that cut its pages by the id would not return `2` after `9`.
pub(super) fn gap_in_members(collected: &Collected<WireMember>, owner: &str) -> Option<String> {
    let ids: Vec<&str> = collected.items.iter().map(|member| member.user.id.0.as_str()).collect();
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    if let Some(why) = collected.endless {
        return Some(format!("the list has no end: {why}"));
    }
    if distinct.len() < ids.len() {
        return Some(format!("the pages repeat {} members, so they skip others", ids.len() - distinct.len()));
    }
    if !distinct.contains(owner) && !rows::ids(&collected.unread).iter().any(|id| id.as_str() == owner) {
        return Some("the list doesn't include the owner".to_owned());
    }
    // The direction isn't documented, so both are tried.
    let orders: [fn(&[&str]) -> bool; 2] = [|ids| ids.is_sorted(), |ids| ids.iter().rev().is_sorted()];
    let is_cut_by_another_key = |in_order: fn(&[&str]) -> bool| {
        let mut rest = ids.as_slice();
        let each_in_order = collected.pages.iter().all(|rows| {
            let (page, others) = rest.split_at((*rows).min(rest.len()));
            rest = others;
            in_order(page)
        });
        // A page of one row is in every order.
        each_in_order && !in_order(&ids) && collected.pages.iter().any(|rows| *rows > 1)
    };
    orders.into_iter().any(is_cut_by_another_key).then(|| {
        "the members are sorted within each page and not across the pages, so the pages skip some".to_owned()
    })
}

/// Returns the completeness of a list whose last page was reached.
pub(super) fn completeness_of(pages: usize) -> Completeness {
    if pages <= 1 {
        Completeness::Proven
    } else {
        Completeness::Assumed {
            why: format!("the list has {pages} pages, and the platform doesn't say how many rows there are"),
        }
    }
}
