//! The permissions of a token that changes need, and whether it has them: what a read shows, and what it hides.

use crate::ReadError;
use crate::permission::{Answered, Permission, Permitted, changes};
use rolecall_model::{Desired, Kind, Live};

pub(super) const MEMBER_MODIFY: &str = "member:modify";
pub(super) const ACCESS_TOKEN_MODIFY: &str = "accessToken:modify";

/// A token can't be changed, so a missing permission needs a new one.
const MEMBERS: Permission = Permission {
    name: "the permission `member:modify`",
    operations: &[
        "assignMemberRole",
        "createMemberRole",
        "deleteMemberRole",
        "deleteOrganizationInvitation",
        "inviteToOrganizationByEmail",
        "updateMemberRole",
    ],
    is_needed: |desired| changes(desired, Kind::User) || changes(desired, Kind::Role),
    grant: "Create an access token with `member:modify` in the organisation's settings, under Access Tokens. A token can't be changed.",
};

const TOKENS: Permission = Permission {
    name: "the permission `accessToken:modify`",
    operations: &["createOrganizationAccessToken", "deleteAccessToken", "deleteOrganizationAccessToken"],
    is_needed: |desired| changes(desired, Kind::Key),
    grant: "Create an access token with `accessToken:modify` in the organisation's settings, under Access Tokens. A token can't be changed.",
};

pub(super) fn permissions(desired: &Desired, live: &Live) -> Vec<Answered> {
    let members = if live.lacks.contains(MEMBER_MODIFY) {
        Permitted::No("the platform hides the invitations, and it does so only without this permission".to_owned())
    } else {
        Permitted::Yes("the platform shows the invitations, and it does so only with this permission".to_owned())
    };
    let tokens = if live.lacks.contains(ACCESS_TOKEN_MODIFY) {
        Permitted::No(
            "the platform hides the access tokens, and it does so only without this permission".to_owned(),
        )
    } else if live.keys.is_some() {
        Permitted::Yes("the platform shows the access tokens, and it does so only with this permission".to_owned())
    } else {
        Permitted::Unknown("the access tokens were not read".to_owned())
    };
    [(&MEMBERS, members), (&TOKENS, tokens)]
        .into_iter()
        .filter(|(permission, _)| (permission.is_needed)(desired))
        .collect()
}

/// Returns advice on a read that the platform refused.
pub(super) fn next_step_of_read(error: &ReadError) -> Option<&'static str> {
    error.is_refused_credential().then_some(
        "Check that the token belongs to this organisation. It needs `organization:describe` and `member:describe`, and for `keys` also `accessToken:modify`. A token can't be changed, so create another one in the organisation's settings, under Access Tokens.",
    )
}
