//! The GraphQL documents of the operations. A server or the public gateway allow 800 tokens, depth 20 and cost
//! 1000; a test makes sure that each document stays below.

use rolecall_graphql::{Joinable, Mutation, Query};

macro_rules! document {
    ($file:literal $(, $fragment:literal)*) => {
        concat!(include_str!(concat!("graphql/", $file)) $(, include_str!(concat!("graphql/fragments/", $fragment)))*)
    };
}

/// Asks for the features that only some releases have.
pub(super) const FEATURES: Query = Query::new("Features", document!("features.graphql"));

pub(super) const ORGANIZATION: Query = Query::new(
    "Organization",
    document!(
        "organization.graphql",
        "role.graphql",
        "held_role.graphql",
        "member.graphql",
        "invitation.graphql",
        "project.graphql",
        "access_token.graphql",
        "resources.graphql"
    ),
);

/// The same query for a server whose projects have no `type`.
pub(super) const ORGANIZATION_WITHOUT_TYPE: Query = Query::new(
    "Organization",
    document!(
        "organization.graphql",
        "role.graphql",
        "held_role.graphql",
        "member.graphql",
        "invitation.graphql",
        "project_without_type.graphql",
        "access_token.graphql",
        "resources.graphql"
    ),
);

pub(super) const MEMBERS_PAGE: Query = Query::new(
    "MembersPage",
    document!("members_page.graphql", "held_role.graphql", "member.graphql", "resources.graphql"),
);

pub(super) const INVITATIONS_PAGE: Query = Query::new(
    "InvitationsPage",
    document!("invitations_page.graphql", "held_role.graphql", "invitation.graphql"),
);

pub(super) const ACCESS_TOKENS_PAGE: Query = Query::new(
    "AccessTokensPage",
    document!("access_tokens_page.graphql", "access_token.graphql", "resources.graphql"),
);

/// All queries.
pub const QUERIES: &[Query] =
    &[FEATURES, ORGANIZATION, ORGANIZATION_WITHOUT_TYPE, MEMBERS_PAGE, INVITATIONS_PAGE, ACCESS_TOKENS_PAGE];

/// Declares a mutation that may be sent in a batch. If its answer is lost because another mutation failed, a read
/// shows whether it was done, and it can be sent again.
macro_rules! joinable {
    ($field:literal, $name:literal, $file:literal $(, $fragment:literal)*) => {
        (
            $field,
            Mutation::new($name, document!($file $(, $fragment)*)).joinable(Joinable {
                field: $field,
                input_type: concat!($name, "Input"),
                answer_fragment: concat!($name, "Answer"),
            }),
        )
    };
}

/// All mutations, by the names of their fields. A mutation that returns a secret or sends a mail must never be
/// repeated, so it is always sent by itself.
pub const MUTATIONS: &[(&str, Mutation)] = &[
    joinable!("assignMemberRole", "AssignMemberRole", "assign_member_role.graphql", "resources.graphql"),
    joinable!("createMemberRole", "CreateMemberRole", "create_member_role.graphql", "role.graphql"),
    (
        "createOrganizationAccessToken",
        Mutation::new("CreateOrganizationAccessToken", document!("create_organization_access_token.graphql")),
    ),
    joinable!("deleteAccessToken", "DeleteAccessToken", "delete_access_token.graphql"),
    joinable!("deleteMemberRole", "DeleteMemberRole", "delete_member_role.graphql"),
    joinable!(
        "deleteOrganizationAccessToken",
        "DeleteOrganizationAccessToken",
        "delete_organization_access_token.graphql"
    ),
    joinable!(
        "deleteOrganizationInvitation",
        "DeleteOrganizationInvitation",
        "delete_organization_invitation.graphql"
    ),
    (
        "inviteToOrganizationByEmail",
        Mutation::new("InviteToOrganizationByEmail", document!("invite_to_organization_by_email.graphql")),
    ),
    joinable!("updateMemberRole", "UpdateMemberRole", "update_member_role.graphql", "role.graphql"),
];
