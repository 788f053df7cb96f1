//! Reading a workspace: one request, whatever its size.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::distinct::distinct;
use super::ReadError;
use super::documents::LIST_USERS;
use super::wire::{ListUsers, UserLists, WireInvitation, WireUser};
use rolecall_graphql::{CallError, Reader};
use rolecall_model::{
    Completeness, Desired, Email, Gap, Listing, Live, LiveInvitation, LiveUser, RemoteId, RoleName,
};

/// The one status that all of the vendor's pages and clients have. Any other means that it can be accepted.
const EXPIRED: &str = "EXPIRED";

pub(super) async fn read(reader: &Reader, desired: &Desired) -> Result<Live, ReadError> {
    let already = reader.requests();
    let answer: ListUsers = reader.query(&LIST_USERS, json!({})).await.map_err(failed)?;
    let UserLists { ok, active_users, invited_users } = answer.list_users.ok_or_else(|| missing("listUsers"))?;
    if ok != Some(true) {
        return Err(failed(CallError::Refused("`ok` isn't true, and no reason is given".to_owned())));
    }
    let users = users(active_users.ok_or_else(|| missing("listUsers.activeUsers"))?)?;
    let invitations = invitations(invited_users.ok_or_else(|| missing("listUsers.invitedUsers"))?)?;
    // No answer names the workspace, so that what the file says has to be believed.
    let organization = desired.organization.value.clone();
    Ok(Live {
        invitations: Some(invitations),
        gaps: gaps(desired),
        requests: reader.requests() - already,
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
        let lacks = |field: &str| missing(format!("listUsers.activeUsers[{index}].{field}"));
        let id = RemoteId::seen(some(uid).ok_or_else(|| lacks("uid"))?);
        let email = Email::seen(&some(email).ok_or_else(|| lacks("email"))?);
        let role = RoleName::seen(some(account_type).ok_or_else(|| lacks("accountType"))?);
        listed.push((id.clone(), LiveUser::of(id, email, BTreeSet::from([role]))));
    }
    let different: BTreeSet<&RemoteId> = listed.iter().map(|(id, _)| id).collect();
    let different = different.len();
    let found = distinct(listed);
    let completeness = if different == 0 {
        Completeness::Broken {
            why: "the platform lists nobody, and somebody must have made the credential".to_owned(),
        }
    } else if different < rows {
        Completeness::Broken {
            why: format!("the platform lists {rows} users and only {different} different ones"),
        }
    } else {
        assumed()
    };
    Ok(Listing { items: found.into_values().collect(), completeness })
}

fn invitations(wire: Vec<WireInvitation>) -> Result<Listing<LiveInvitation>, ReadError> {
    let mut items = Vec::new();
    for (index, WireInvitation { email, account_type, invite_status }) in wire.into_iter().enumerate() {
        let lacks = |field: &str| missing(format!("listUsers.invitedUsers[{index}].{field}"));
        items.push(LiveInvitation {
            email: Email::seen(&some(email).ok_or_else(|| lacks("email"))?),
            role: RoleName::seen(some(account_type).ok_or_else(|| lacks("accountType"))?),
            created: None,
            teams: None,
            expired: invite_status.ok_or_else(|| lacks("inviteStatus"))? == EXPIRED,
        });
    }
    // There is no id, and the order of the list isn't documented.
    items.sort_by(|a, b| (a.email.as_str(), &a.role, a.expired).cmp(&(b.email.as_str(), &b.role, b.expired)));
    Ok(Listing { items, completeness: assumed() })
}

/// An empty text says no more than none.
fn some(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

fn assumed() -> Completeness {
    Completeness::Assumed { why: "the API gives no count and has no pages".to_owned() }
}

/// What the API keeps from every reader.
fn gaps(desired: &Desired) -> Vec<Gap> {
    let gap = |what: &str, why: &str| Gap { what: what.to_owned(), why: why.to_owned() };
    let mut gaps = vec![
        gap(
            "who is disabled",
            "the API lists who is active or invited: whoever was disabled by another hand looks as if they had never been there",
        ),
        gap(
            "which workspace this is",
            "no answer names it: a company token reaches the one that `organization` names, a key or a workspace token the one that it was made in",
        ),
    ];
    if desired.own_user.is_none() {
        gaps.push(gap(
            "whose credential this is",
            "the API doesn't tell, nor whether it ends with the person: name them as `own: { user: … }`, and they keep what they have",
        ));
    }
    gaps
}
