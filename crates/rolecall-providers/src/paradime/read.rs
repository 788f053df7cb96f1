//! Reads a workspace with one request.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::distinct::distinct;
use super::super::rows::{Fields, Mail, Text, separate};
use super::super::trace::came_along;
use super::documents::LIST_USERS;
use super::wire::{ListUsers, UserLists, WireInvitation, WireUser};
use super::{ReadError, account_type};
use rolecall_graphql::{CallError, Reader};
use rolecall_model::{
    Action, Completeness, Desired, Gap, Kind, Listing, Live, LiveInvitation, LiveUser, ReadOnly, RemoteId,
    RoleName,
};

/// The only status that all of the vendor's pages and clients have. An invitation with any other status can be
/// accepted.
const EXPIRED: &str = "EXPIRED";

pub(super) async fn read(reader: &Reader, desired: &Desired) -> Result<Live, ReadError> {
    let requests_before = reader.requests();
    let answer: ListUsers = reader.query(&LIST_USERS, json!({})).await.map_err(failed)?;
    let UserLists { ok, active_users, invited_users } = answer.list_users.ok_or_else(|| missing("listUsers"))?;
    if ok != Some(true) {
        return Err(failed(CallError::Refused("`ok` isn't true, and the platform gives no reason".to_owned())));
    }
    let mut unreadable = Vec::new();
    let active_users = active_users.ok_or_else(|| missing("listUsers.activeUsers"))?;
    let users = users(separate(active_users, &USERS, &mut unreadable));
    let is_new = |user: &&LiveUser| user.roles.iter().any(|role| account_type::find(role).is_none());
    let newer = users.items.iter().filter(is_new).map(|user| {
        let role = user.roles.first().map_or("", RoleName::as_str);
        ReadOnly::unknown_value(Kind::User, user.id.clone(), "role", role)
    });
    let read_only = newer.collect();
    let invited_users = invited_users.ok_or_else(|| missing("listUsers.invitedUsers"))?;
    let invitations = invitations(separate(invited_users, &INVITATIONS, &mut unreadable));
    came_along("users", &users);
    came_along("invitations", &invitations);
    // No answer names the workspace, so the name in the file has to be trusted.
    let organization = desired.organization.value.clone();
    Ok(Live {
        invitations: Some(invitations),
        unreadable,
        read_only,
        gaps: gaps(desired),
        requests: reader.requests() - requests_before,
        ..Live::of(organization, users)
    })
}

fn failed(error: CallError) -> ReadError {
    ReadError::Call { operation: LIST_USERS.name, error }
}

fn missing(field: impl Into<String>) -> ReadError {
    ReadError::Missing { operation: LIST_USERS.name, field: field.into() }
}

const USERS: Fields = Fields { kind: Kind::User, id: "/uid", name: "/email", roles: "/accountType" };

/// Invitations have no id.
const INVITATIONS: Fields = Fields { kind: Kind::Invitation, id: "/uid", name: "/email", roles: "/accountType" };

fn users(wire: Vec<WireUser>) -> Listing<LiveUser> {
    let rows = wire.len();
    let mut listed = Vec::new();
    for WireUser { uid: Text(id), email: Mail(email), account_type: Text(role) } in wire {
        listed.push(LiveUser::of(RemoteId::seen(id), email, BTreeSet::from([RoleName::seen(role)])));
    }
    let distinct_ids: BTreeSet<&RemoteId> = listed.iter().map(|user| &user.id).collect();
    let distinct_ids = distinct_ids.len();
    let found = distinct(listed);
    let completeness = if distinct_ids == 0 {
        Completeness::Broken {
            why: "the platform lists no user, although a user must have created the credential".to_owned(),
        }
    } else if distinct_ids < rows {
        Completeness::Broken {
            why: format!("the platform lists {rows} users, and only {distinct_ids} of them are different"),
        }
    } else {
        assumed()
    };
    Listing { items: found, completeness }
}

fn invitations(wire: Vec<WireInvitation>) -> Listing<LiveInvitation> {
    let invitation =
        |WireInvitation { email: Mail(email), account_type: Text(role), invite_status: Text(status) }| {
            LiveInvitation {
                email,
                role: RoleName::seen(role),
                created: None,
                teams: None,
                expired: status == EXPIRED,
            }
        };
    let mut items: Vec<LiveInvitation> = wire.into_iter().map(invitation).collect();
    // Invitations have no id, and the order of the list isn't documented.
    items.sort_by(|a, b| (a.email.as_str(), &a.role, a.expired).cmp(&(b.email.as_str(), &b.role, b.expired)));
    Listing { items, completeness: assumed() }
}

fn assumed() -> Completeness {
    Completeness::Assumed { why: "the API has no pages and doesn't say how many there are".to_owned() }
}

/// Returns everything that Paradime's API doesn't show.
fn gaps(desired: &Desired) -> Vec<Gap> {
    let mut gaps = vec![
        Gap::new(
            "disabled users",
            "The API lists only active and invited users. A user whom somebody else disabled looks as if they never existed.",
        )
        .permanent(&[(Kind::User, Action::Invite)]),
        Gap::new(
            "which workspace this is",
            "No answer names the workspace. A company token reaches the one that `organization` names; other credentials reach the one they were created in.",
        )
        .permanent(&[]),
    ];
    if desired.own_user.is_none() {
        gaps.push(Gap::new(
            "the owner of this credential",
            "The API doesn't tell whose it is, nor whether it ends with that user. Write `own: { user: EMAIL }`, and rolecall never takes what that user needs.",
        ));
    }
    gaps
}
