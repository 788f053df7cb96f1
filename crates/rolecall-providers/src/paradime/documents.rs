//! The GraphQL documents of the operations.

use rolecall_graphql::{Mutation, Query};

pub(super) const LIST_USERS: Query = Query::new("ListUsers", include_str!("graphql/list_users.graphql"));

/// All queries.
pub const QUERIES: &[Query] = &[LIST_USERS];

pub(super) const UPDATE_USER_ACCOUNT_TYPE: Mutation =
    Mutation::new("UpdateUserAccountType", include_str!("graphql/update_user_account_type.graphql"));

/// All mutations, by the names of their fields.
pub const MUTATIONS: &[(&str, Mutation)] = &[
    ("disableUser", Mutation::new("DisableUser", include_str!("graphql/disable_user.graphql"))),
    ("inviteUser", Mutation::new("InviteUser", include_str!("graphql/invite_user.graphql"))),
    ("updateUserAccountType", UPDATE_USER_ACCOUNT_TYPE),
];
