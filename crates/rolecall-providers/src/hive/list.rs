//! Follows lists with pages, and decides whether they are complete.

use std::collections::BTreeSet;
use std::future::Future;

use super::ReadError;
use super::wire::{Page, WireMember};
use rolecall_model::Completeness;

/// The rows of all pages of a list.
pub(super) struct Collected<T> {
    pub items: Vec<T>,
    /// The number of rows of each page.
    pub pages: Vec<usize>,
    /// The last page announced another one, and its cursor doesn't lead there.
    pub endless: bool,
}

/// Follows the cursors of a list from its first page.
pub(super) async fn follow<T, F>(
    first: Page<T>,
    mut next: impl FnMut(String) -> F,
) -> Result<Collected<T>, ReadError>
where
    F: Future<Output = Result<Page<T>, ReadError>>,
{
    let mut collected = Collected { items: Vec::new(), pages: Vec::new(), endless: false };
    let mut seen = BTreeSet::new();
    let mut page = first;
    loop {
        collected.pages.push(page.edges.len());
        collected.items.extend(page.edges.into_iter().map(|edge| edge.node));
        let info = page.page_info;
        if !info.has_next_page {
            return Ok(collected);
        }
        // A repeated or empty cursor would never end.
        if info.end_cursor.is_empty() || !seen.insert(info.end_cursor.clone()) {
            collected.endless = true;
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
    let ids: Vec<&str> = collected.items.iter().map(|member| member.user.id.as_str()).collect();
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    if collected.endless {
        return Some("the platform says that there are more members, but doesn't return them".to_owned());
    }
    if distinct.len() < ids.len() {
        return Some(format!("the pages repeat {} members, so they skip others", ids.len() - distinct.len()));
    }
    if !distinct.contains(owner) {
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
