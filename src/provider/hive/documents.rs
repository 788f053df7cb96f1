//! The operations, as documents. Each stays below the 800 tokens, depth 20 and cost 1000 that a server or the public
//! gateway allow; a test counts.

use crate::graphql::{Mutation, Query};

macro_rules! document {
    ($file:literal $(, $fragment:literal)*) => {
        concat!(include_str!(concat!("graphql/", $file)) $(, include_str!(concat!("graphql/fragments/", $fragment)))*)
    };
}

/// What this server has of what not every release has.
pub(super) const FEATURES: Query = Query::new("Features", document!("features.graphql"));

pub(super) const ORGANIZATION: Query = Query::new(
    "Organization",
    document!(
        "organization.graphql",
        "role.graphql",
        "member.graphql",
        "invitation.graphql",
        "project.graphql",
        "access_token.graphql",
        "resources.graphql"
    ),
);

/// The same for a server whose projects don't tell their type.
pub(super) const ORGANIZATION_WITHOUT_TYPE: Query = Query::new(
    "Organization",
    document!(
        "organization.graphql",
        "role.graphql",
        "member.graphql",
        "invitation.graphql",
        "project_without_type.graphql",
        "access_token.graphql",
        "resources.graphql"
    ),
);

pub(super) const MEMBERS_PAGE: Query = Query::new(
    "MembersPage",
    document!("members_page.graphql", "role.graphql", "member.graphql", "resources.graphql"),
);

pub(super) const INVITATIONS_PAGE: Query =
    Query::new("InvitationsPage", document!("invitations_page.graphql", "role.graphql", "invitation.graphql"));

pub(super) const ACCESS_TOKENS_PAGE: Query = Query::new(
    "AccessTokensPage",
    document!("access_tokens_page.graphql", "access_token.graphql", "resources.graphql"),
);

/// Every query.
pub const QUERIES: &[Query] =
    &[FEATURES, ORGANIZATION, ORGANIZATION_WITHOUT_TYPE, MEMBERS_PAGE, INVITATIONS_PAGE, ACCESS_TOKENS_PAGE];

/// Every mutation, under the name of its field.
pub const MUTATIONS: &[(&str, Mutation)] = &[
    (
        "assignMemberRole",
        Mutation::new("AssignMemberRole", document!("assign_member_role.graphql", "resources.graphql")),
    ),
    (
        "createMemberRole",
        Mutation::new("CreateMemberRole", document!("create_member_role.graphql", "role.graphql")),
    ),
    (
        "createOrganizationAccessToken",
        Mutation::new("CreateOrganizationAccessToken", document!("create_organization_access_token.graphql")),
    ),
    ("deleteAccessToken", Mutation::new("DeleteAccessToken", document!("delete_access_token.graphql"))),
    ("deleteMemberRole", Mutation::new("DeleteMemberRole", document!("delete_member_role.graphql"))),
    (
        "deleteOrganizationAccessToken",
        Mutation::new("DeleteOrganizationAccessToken", document!("delete_organization_access_token.graphql")),
    ),
    (
        "deleteOrganizationInvitation",
        Mutation::new("DeleteOrganizationInvitation", document!("delete_organization_invitation.graphql")),
    ),
    (
        "inviteToOrganizationByEmail",
        Mutation::new("InviteToOrganizationByEmail", document!("invite_to_organization_by_email.graphql")),
    ),
    (
        "updateMemberRole",
        Mutation::new("UpdateMemberRole", document!("update_member_role.graphql", "role.graphql")),
    ),
];

pub(super) fn mutation(operation: &str) -> Option<&'static Mutation> {
    MUTATIONS.iter().find(|(name, _)| *name == operation).map(|(_, document)| document)
}
