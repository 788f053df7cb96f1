//! The GraphQL documents of the operations.

use rolecall_graphql::{Mutation, Query};

pub(super) const LIST_USERS: Query = Query::new("ListUsers", include_str!("graphql/list_users.graphql"));

/// Asks for a page of the users. Only a server whose introspection has the arguments gets it.
pub const LIST_USERS_PAGE: Query = Query::new("ListUsersPage", include_str!("graphql/list_users_page.graphql"));

pub(super) const LIST_USERS_ARGUMENTS: Query =
    Query::new("ListUsersArguments", include_str!("graphql/list_users_arguments.graphql"));

pub(super) const LIST_API_KEYS: Query = Query::new("ListApiKeys", include_str!("graphql/list_api_keys.graphql"));

/// All queries whose fields the vendor's page shows. `ListUsersPage` isn't one of them: its arguments are sent
/// only to a server whose introspection has them.
pub const DOCUMENTED_QUERIES: &[Query] = &[LIST_USERS, LIST_USERS_ARGUMENTS, LIST_API_KEYS];

/// All mutations, by the names of their fields.
pub const MUTATIONS: &[(&str, Mutation)] = &[
    ("createOrgApiKey", Mutation::new("CreateOrgApiKey", include_str!("graphql/create_org_api_key.graphql"))),
    ("inviteUser", Mutation::new("InviteUser", include_str!("graphql/invite_user.graphql"))),
    ("updateOrgApiKey", Mutation::new("UpdateOrgApiKey", include_str!("graphql/update_org_api_key.graphql"))),
    ("updateUser", Mutation::new("UpdateUser", include_str!("graphql/update_user.graphql"))),
];

/// The type names in the documents that no page of the vendor confirms. They follow the convention of its older
/// operations, `<operation>Input` (trustvault-nodejs-sdk 3.1.1). If a server has other names, it refuses the
/// mutation before it runs. To correct a name, change it here and in the document; a test compares the two.
pub const GUESSED_TYPES: &[(&str, &str)] = &[
    ("createOrgApiKey", "CreateOrgApiKeyInput"),
    ("inviteUser", "InviteUserInput"),
    ("updateOrgApiKey", "UpdateOrgApiKeyInput"),
    ("updateUser", "UpdateUserInput"),
];
