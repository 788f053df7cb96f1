//! Connections: lists in pages, with cursors.

use async_graphql::{OutputType, Result, SimpleObject};
use jiff::Timestamp;

use super::access::unexpected;
use super::key;
use super::nodes::{Member, MemberRole, OrganizationAccessToken, OrganizationInvitation, Project, Target};
use super::world::Paging;

#[derive(SimpleObject)]
pub struct PageInfo {
    has_next_page: bool,
    has_previous_page: bool,
    start_cursor: String,
    end_cursor: String,
}

macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty) => {
        #[derive(SimpleObject)]
        pub struct $connection {
            edges: Vec<$edge>,
            page_info: PageInfo,
        }

        #[derive(SimpleObject)]
        struct $edge {
            cursor: String,
            node: $node,
        }

        impl From<Page<$node>> for $connection {
            fn from(page: Page<$node>) -> Self {
                let Page { rows, page_info } = page;
                let edges = rows.into_iter().map(|(cursor, node)| $edge { cursor, node }).collect();
                Self { edges, page_info }
            }
        }
    };
}

connection!(MemberConnection, MemberEdge, Member);
connection!(OrganizationInvitationConnection, OrganizationInvitationEdge, OrganizationInvitation);
connection!(OrganizationAccessTokenConnection, OrganizationAccessTokenEdge, OrganizationAccessToken);
connection!(ProjectConnection, ProjectEdge, Project);
connection!(TargetConnection, TargetEdge, Target);

/// A connection of roles. It has neither cursors nor `pageInfo`, so roles beyond the first page can't be read.
#[derive(SimpleObject)]
pub struct MemberRoleConnection {
    edges: Vec<MemberRoleEdge>,
}

#[derive(SimpleObject)]
struct MemberRoleEdge {
    node: MemberRole,
}

impl MemberRoleConnection {
    pub fn of(roles: impl Iterator<Item = MemberRole>) -> Self {
        Self { edges: roles.map(|node| MemberRoleEdge { node }).collect() }
    }
}

pub struct Page<T> {
    rows: Vec<(String, T)>,
    page_info: PageInfo,
}

/// The sort key of a row: its creation time and its id.
pub type SortKey = (Timestamp, String);

fn cursor((created_at, id): &SortKey) -> String {
    key::base64(&format!("{created_at}|{id}"))
}

fn parse_cursor(cursor: &str) -> Result<SortKey> {
    let text = key::from_base64(cursor).ok_or_else(unexpected)?;
    let (created_at, id) = text.split_once('|').ok_or_else(unexpected)?;
    Ok((created_at.parse().map_err(|_| unexpected())?, id.to_owned()))
}

/// Returns a page of `rows`, newest first.
pub fn page<T: OutputType>(
    mut rows: Vec<(SortKey, T)>,
    limit: usize,
    after: Option<&str>,
    paging: Paging,
) -> Result<Page<T>> {
    rows.sort_by(|(one, _), (other, _)| match paging {
        Paging::Fixed => other.cmp(one),
        Paging::Broken => other.1.cmp(&one.1),
    });
    if let Some(after) = after {
        let after = parse_cursor(after)?;
        rows.retain(|(key, _)| *key < after);
    }
    let has_next_page = rows.len() > limit;
    rows.truncate(limit);
    let rows: Vec<_> = rows.into_iter().map(|(key, row)| (cursor(&key), row)).collect();
    let at = |row: Option<&(String, T)>| row.map(|(cursor, _)| cursor.clone()).unwrap_or_default();
    let page_info = PageInfo {
        has_next_page,
        has_previous_page: after.is_some(),
        start_cursor: at(rows.first()),
        end_cursor: at(rows.last()),
    };
    Ok(Page { rows, page_info })
}

/// Returns all rows on one page without cursors.
pub fn single_page<T: OutputType>(rows: impl Iterator<Item = T>) -> Page<T> {
    let page_info = PageInfo {
        has_next_page: false,
        has_previous_page: false,
        start_cursor: String::new(),
        end_cursor: String::new(),
    };
    Page { rows: rows.map(|row| (String::new(), row)).collect(), page_info }
}

/// Returns the page size for `first`, at most `most`. Zero and negative numbers give `most`. Members have a rule
/// of their own.
pub fn page_size(first: Option<i32>, most: usize) -> usize {
    first.and_then(|first| usize::try_from(first).ok()).filter(|first| *first > 0).map_or(most, |it| it.min(most))
}
