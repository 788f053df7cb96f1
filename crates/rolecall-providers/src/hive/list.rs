//! Lists that come in pages, and how whole they are.

use std::collections::BTreeSet;
use std::future::Future;

use super::ReadError;
use super::wire::{Page, WireMember};
use rolecall_model::Completeness;

/// A list as it was put together from its pages.
pub(super) struct Collected<T> {
    pub items: Vec<T>,
    /// The rows of each page.
    pub pages: Vec<usize>,
    /// The last page said that there is more, and nothing more came.
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
        // A cursor that comes again, or none, would go on for ever.
        if info.end_cursor.is_empty() || !seen.insert(info.end_cursor.clone()) {
            collected.endless = true;
            return Ok(collected);
        }
        page = next(info.end_cursor).await?;
    }
}

/// Why a list of members can't be all of them, if it can't.
///
/// Hive 8.1.2 orders them by user id and cuts pages by the time they joined: following its cursors repeats some and
/// skips others (measured; public history: graphql-hive/console #6996, #7284, #7299). Repetition shows at once. A
/// skip shows where every page is in order of ids and the pages together aren't.
pub(super) fn gap_in_members(collected: &Collected<WireMember>, owner: &str) -> Option<String> {
    let ids: Vec<&str> = collected.items.iter().map(|member| member.user.id.as_str()).collect();
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    if collected.endless {
        return Some("the platform says that there are more members, and doesn't give them".to_owned());
    }
    if distinct.len() < ids.len() {
        return Some(format!("its pages repeat {} members, so they skip others", ids.len() - distinct.len()));
    }
    if !distinct.contains(owner) {
        return Some("the owner isn't among the members".to_owned());
    }
    // Up or down: nobody documents the direction.
    let orders: [fn(&[&str]) -> bool; 2] = [|ids| ids.is_sorted(), |ids| ids.iter().rev().is_sorted()];
    let cut_by_another = |in_order: fn(&[&str]) -> bool| {
        let mut rest = ids.as_slice();
        let each = collected.pages.iter().all(|rows| {
            let (page, others) = rest.split_at((*rows).min(rest.len()));
            rest = others;
            in_order(page)
        });
        // Pages of one row are in any order.
        each && !in_order(&ids) && collected.pages.iter().any(|rows| *rows > 1)
    };
    orders
        .into_iter()
        .any(cut_by_another)
        .then(|| "its pages are each in another order than the whole, so they skip members".to_owned())
}

/// How whole a list is whose end was reached.
pub(super) fn whole(pages: usize) -> Completeness {
    if pages <= 1 {
        Completeness::Proven
    } else {
        Completeness::Assumed { why: format!("it came in {pages} pages, and the platform gives no count") }
    }
}
