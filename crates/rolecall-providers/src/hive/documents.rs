//! The operations, as documents. Each stays below the 800 tokens, depth 20 and cost 1000 that a server or the public
//! gateway allow; a test counts.

use rolecall_graphql::{Joinable, Mutation, Query};

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

/// One that may share a document with others: what is lost with the answer of another can be read, and be sent again.
macro_rules! joinable {
    ($field:literal, $name:literal, $file:literal $(, $fragment:literal)*) => {
        (
            $field,
            Mutation::new($name, document!($file $(, $fragment)*)).joinable(Joinable {
                field: $field,
                input: concat!($name, "Input"),
                answer: concat!($name, "Answer"),
            }),
        )
    };
}

/// Every mutation, under the name of its field. A secret and a mail can't be had twice: those go by themselves.
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

pub(super) fn mutation(operation: &str) -> Option<&'static Mutation> {
    MUTATIONS.iter().find(|(name, _)| *name == operation).map(|(_, document)| document)
}
