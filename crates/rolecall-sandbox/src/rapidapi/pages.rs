//! Pages of lists: by cursor, and by offset.

use async_graphql::{Enum, InputObject, OutputType, SimpleObject};

use super::caller::ApiError;
use super::role::{EntityRole, Role};

/// The arguments of pages by cursor. Only `first` and `after` have an effect (docs.rapidapi.com, Pagination).
#[derive(InputObject, Default)]
pub struct PaginationInput {
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
}

/// The arguments of pages by offset. The sample asks for a thousand rows, ordered by id (docs.rapidapi.com, Users,
/// Teams and Roles).
#[derive(InputObject, Default)]
pub struct PagingArgs {
    pub offset: Option<i32>,
    pub limit: Option<i32>,
    pub order_by: Option<String>,
    pub order_direction: Option<OrderDirection>,
    pub search_term: Option<String>,
}

/// The direction, in lower and in upper case, as in the introspection of January 2023.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum OrderDirection {
    #[graphql(name = "desc")]
    SmallDesc,
    #[graphql(name = "asc")]
    SmallAsc,
    #[graphql(name = "DESC")]
    Desc,
    #[graphql(name = "ASC")]
    Asc,
}

impl OrderDirection {
    pub fn is_descending(self) -> bool {
        matches!(self, Self::SmallDesc | Self::Desc)
    }
}

#[derive(SimpleObject)]
pub struct PageInfo {
    has_next_page: bool,
    has_previous_page: bool,
    start_cursor: Option<String>,
    end_cursor: Option<String>,
}

/// Defines a connection. It has no `totalCount`.
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty) => {
        #[derive(SimpleObject)]
        pub struct $connection {
            nodes: Option<Vec<Option<$node>>>,
            edges: Option<Vec<Option<$edge>>>,
            page_info: Option<PageInfo>,
        }

        #[derive(SimpleObject)]
        struct $edge {
            node: Option<$node>,
            cursor: Option<String>,
        }

        impl From<Page<$node>> for $connection {
            fn from(Page { rows, page_info }: Page<$node>) -> Self {
                let edge =
                    |(id, node): &(u64, $node)| $edge { node: Some(node.clone()), cursor: Some(cursor(*id)) };
                let edges = rows.iter().map(|row| Some(edge(row))).collect();
                let nodes = rows.into_iter().map(|(_, node)| Some(node)).collect();
                Self { nodes: Some(nodes), edges: Some(edges), page_info: Some(page_info) }
            }
        }
    };
}

connection!(RoleConnection, RoleEdge, Role);
connection!(EntityRoleConnection, EntityRoleEdge, EntityRole);

/// The page size where the request gives none. The documentation doesn't say what it is.
const DEFAULT_PAGE_SIZE: usize = 20;

pub struct Page<T> {
    rows: Vec<(u64, T)>,
    page_info: PageInfo,
}

fn cursor(id: u64) -> String {
    format!("cursor:{id}")
}

/// Returns a page of `rows`, which come with their ids and in the order of the cursors.
pub fn page<T: OutputType>(
    rows: Vec<(u64, T)>,
    asked: Option<PaginationInput>,
    most: usize,
) -> Result<Page<T>, ApiError> {
    let PaginationInput { first, after, last: _, before: _ } = asked.unwrap_or_default();
    let start = match &after {
        None => 0,
        Some(after) => {
            let at = rows.iter().position(|(id, _)| cursor(*id) == *after);
            at.ok_or_else(|| ApiError::bad_input(format!("`{after}` is no cursor")))? + 1
        }
    };
    let size = page_size(first, most)?;
    let has_next_page = rows.len() > start + size;
    let rows: Vec<_> = rows.into_iter().skip(start).take(size).collect();
    let at = |row: Option<&(u64, T)>| row.map(|(id, _)| cursor(*id));
    let page_info = PageInfo {
        has_next_page,
        has_previous_page: start > 0,
        start_cursor: at(rows.first()),
        end_cursor: at(rows.last()),
    };
    Ok(Page { rows, page_info })
}

/// Returns the page size: the requested one, silently limited to `most`.
pub fn page_size(asked: Option<i32>, most: usize) -> Result<usize, ApiError> {
    let asked = asked.map_or(Ok(DEFAULT_PAGE_SIZE), usize::try_from);
    asked.map(|asked| asked.min(most)).map_err(|_| ApiError::bad_input("a page can't have less than no rows"))
}

/// Returns a page by offset.
pub fn offset_page<T>(
    rows: Vec<T>,
    offset: Option<i32>,
    asked: Option<i32>,
    most: usize,
) -> Result<Vec<T>, ApiError> {
    let offset =
        usize::try_from(offset.unwrap_or(0)).map_err(|_| ApiError::bad_input("an offset is 0 or more"))?;
    Ok(rows.into_iter().skip(offset).take(page_size(asked, most)?).collect())
}
