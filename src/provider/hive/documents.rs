//! The operations, as documents. Each stays below the 800 tokens, depth 20 and cost 1000 that a server or the public
//! gateway allow; a test counts.

use crate::graphql::{Mutation, Query};

macro_rules! document {
    ($file:literal $(, $fragment:literal)*) => {
        concat!(include_str!(concat!("graphql/", $file)) $(, include_str!(concat!("graphql/fragments/", $fragment)))*)
    };
}

/// What this server has of what not every release has.
pub(super) const FEATURES: Query = Query { name: "Features", text: document!("features.graphql") };

pub(super) const ORGANIZATION: Query = Query {
    name: "Organization",
    text: document!(
        "organization.graphql",
        "role.graphql",
        "member.graphql",
        "invitation.graphql",
        "project.graphql",
        "access_token.graphql",
        "resources.graphql"
    ),
};

/// The same for a server whose projects don't tell their type.
pub(super) const ORGANIZATION_WITHOUT_TYPE: Query = Query {
    name: "Organization",
    text: document!(
        "organization.graphql",
        "role.graphql",
        "member.graphql",
        "invitation.graphql",
        "project_without_type.graphql",
        "access_token.graphql",
        "resources.graphql"
    ),
};

pub(super) const MEMBERS_PAGE: Query = Query {
    name: "MembersPage",
    text: document!("members_page.graphql", "role.graphql", "member.graphql", "resources.graphql"),
};

pub(super) const INVITATIONS_PAGE: Query = Query {
    name: "InvitationsPage",
    text: document!("invitations_page.graphql", "role.graphql", "invitation.graphql"),
};

pub(super) const ACCESS_TOKENS_PAGE: Query = Query {
    name: "AccessTokensPage",
    text: document!("access_tokens_page.graphql", "access_token.graphql", "resources.graphql"),
};

/// Every query.
pub const QUERIES: &[Query] =
    &[FEATURES, ORGANIZATION, ORGANIZATION_WITHOUT_TYPE, MEMBERS_PAGE, INVITATIONS_PAGE, ACCESS_TOKENS_PAGE];

/// Every mutation, under the name of its field.
pub const MUTATIONS: &[(&str, Mutation)] = &[
    (
        "assignMemberRole",
        Mutation { name: "AssignMemberRole", text: document!("assign_member_role.graphql", "resources.graphql") },
    ),
    (
        "createMemberRole",
        Mutation { name: "CreateMemberRole", text: document!("create_member_role.graphql", "role.graphql") },
    ),
    (
        "createOrganizationAccessToken",
        Mutation {
            name: "CreateOrganizationAccessToken",
            text: document!("create_organization_access_token.graphql"),
        },
    ),
    ("deleteAccessToken", Mutation { name: "DeleteAccessToken", text: document!("delete_access_token.graphql") }),
    ("deleteMemberRole", Mutation { name: "DeleteMemberRole", text: document!("delete_member_role.graphql") }),
    (
        "deleteOrganizationAccessToken",
        Mutation {
            name: "DeleteOrganizationAccessToken",
            text: document!("delete_organization_access_token.graphql"),
        },
    ),
    (
        "deleteOrganizationInvitation",
        Mutation {
            name: "DeleteOrganizationInvitation",
            text: document!("delete_organization_invitation.graphql"),
        },
    ),
    (
        "inviteToOrganizationByEmail",
        Mutation {
            name: "InviteToOrganizationByEmail",
            text: document!("invite_to_organization_by_email.graphql"),
        },
    ),
    (
        "updateMemberRole",
        Mutation { name: "UpdateMemberRole", text: document!("update_member_role.graphql", "role.graphql") },
    ),
];

pub(super) fn mutation(operation: &str) -> Option<&'static Mutation> {
    MUTATIONS.iter().find(|(name, _)| *name == operation).map(|(_, document)| document)
}
