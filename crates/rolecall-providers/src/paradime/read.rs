//! Reads a workspace with one request.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::distinct::distinct;
use super::ReadError;
use super::documents::LIST_USERS;
use super::wire::{ListUsers, UserLists, WireInvitation, WireUser};
use rolecall_graphql::{CallError, Reader};
use rolecall_model::{
    Action, Completeness, Desired, Email, Gap, Kind, Listing, Live, LiveInvitation, LiveUser, RemoteId, RoleName,
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
    let users = users(active_users.ok_or_else(|| missing("listUsers.activeUsers"))?)?;
    let invitations = invitations(invited_users.ok_or_else(|| missing("listUsers.invitedUsers"))?)?;
    // No answer names the workspace, so the name in the file has to be trusted.
    let organization = desired.organization.value.clone();
    Ok(Live {
        invitations: Some(invitations),
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

fn users(wire: Vec<WireUser>) -> Result<Listing<LiveUser>, ReadError> {
    let rows = wire.len();
    let mut listed = Vec::new();
    for (index, WireUser { uid, email, account_type }) in wire.into_iter().enumerate() {
        let missing_field = |field: &str| missing(format!("listUsers.activeUsers[{index}].{field}"));
        let id = RemoteId::seen(non_empty(uid).ok_or_else(|| missing_field("uid"))?);
        let email = Email::seen(&non_empty(email).ok_or_else(|| missing_field("email"))?);
        let role = RoleName::seen(non_empty(account_type).ok_or_else(|| missing_field("accountType"))?);
        listed.push((id.clone(), LiveUser::of(id, email, BTreeSet::from([role]))));
    }
    let distinct_ids: BTreeSet<&RemoteId> = listed.iter().map(|(id, _)| id).collect();
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
    Ok(Listing { items: found.into_values().collect(), completeness })
}

fn invitations(wire: Vec<WireInvitation>) -> Result<Listing<LiveInvitation>, ReadError> {
    let mut items = Vec::new();
    for (index, WireInvitation { email, account_type, invite_status }) in wire.into_iter().enumerate() {
        let missing_field = |field: &str| missing(format!("listUsers.invitedUsers[{index}].{field}"));
        items.push(LiveInvitation {
            email: Email::seen(&non_empty(email).ok_or_else(|| missing_field("email"))?),
            role: RoleName::seen(non_empty(account_type).ok_or_else(|| missing_field("accountType"))?),
            created: None,
            teams: None,
            expired: invite_status.ok_or_else(|| missing_field("inviteStatus"))? == EXPIRED,
        });
    }
    // Invitations have no id, and the order of the list isn't documented.
    items.sort_by(|a, b| (a.email.as_str(), &a.role, a.expired).cmp(&(b.email.as_str(), &b.role, b.expired)));
    Ok(Listing { items, completeness: assumed() })
}

/// Treats an empty text as a missing one.
fn non_empty(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
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
