//! The permissions of a token that changes need, and whether it has them: what a read shows, and what it hides.

use crate::permission::{Answered, Permission, Permitted, changes};
use rolecall_model::{Desired, Kind, Live};

pub(super) const MEMBER_MODIFY: &str = "member:modify";

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
        Permitted::No("the platform hides the invitations, which it does only for this reason".to_owned())
    } else {
        Permitted::Yes("the platform shows the invitations, for which it asks the same".to_owned())
    };
    let tokens = if live.keys.is_some() {
        Permitted::Yes("the platform shows the access tokens, for which it asks the same".to_owned())
    } else {
        Permitted::Unknown("the access tokens were not read".to_owned())
    };
    [(&MEMBERS, members), (&TOKENS, tokens)]
        .into_iter()
        .filter(|(permission, _)| (permission.is_needed)(desired))
        .collect()
}
