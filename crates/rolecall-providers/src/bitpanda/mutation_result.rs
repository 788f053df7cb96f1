//! Reads the answers to mutations.

use std::collections::BTreeSet;

use super::super::{MutationResult, Verdict};
use super::wire::{CreateOrgApiKey, InviteUser, UpdateOrgApiKey, UpdateUser, WireUser};
use rolecall_graphql::{CallError, Redactor, Response, parse};
use rolecall_model::{Change, Entity, RemoteId, RoleName, User};

pub(super) fn mutation_result(
    change: &Change,
    mutation: &rolecall_model::Mutation,
    response: &Response,
    redactor: &Redactor,
) -> Result<MutationResult, CallError> {
    match mutation.operation.as_str() {
        "updateUser" => {
            let UpdateUser { update_user } = parse(response, redactor)?;
            Ok(MutationResult { id: None, secret: None, verdict: judge_update(change, &update_user) })
        }
        "inviteUser" => {
            let InviteUser { invite_user } = parse(response, redactor)?;
            Ok(MutationResult {
                id: invite_user.user_trust_id.map(RemoteId::seen),
                secret: None,
                verdict: Verdict::Taken,
            })
        }
        "createOrgApiKey" => {
            let CreateOrgApiKey { create_org_api_key: created } = parse(response, redactor)?;
            Ok(MutationResult {
                id: Some(RemoteId::seen(created.org_api_key_details.api_key_id)),
                secret: Some(created.org_api_key),
                verdict: Verdict::Taken,
            })
        }
        _ => {
            // The answer has only the id, so the read at the end decides.
            let UpdateOrgApiKey { update_org_api_key } = parse(response, redactor)?;
            Ok(MutationResult {
                id: Some(RemoteId::seen(update_org_api_key.api_key_id)),
                secret: None,
                verdict: Verdict::Taken,
            })
        }
    }
}

/// Compares the answer to an update with the values that were read before.
///
/// The input type isn't documented. If it has names and a phone number, an update that leaves them out may clear
/// them. For example, an update of Jane's roles answers without her phone number, which was read before: then the
/// verdict is [`Verdict::Lost`], and the run stops before it does the same to anybody else.
fn judge_update(change: &Change, answer: &WireUser) -> Verdict {
    let (Some(Entity::User(before)), Some(Entity::User(after))) = (&change.before, &change.after) else {
        return Verdict::Taken;
    };
    let User { first_name, last_name, phone, .. } = before;
    let kept = [
        ("first name", first_name, &answer.first_name),
        ("last name", last_name, &answer.last_name),
        ("phone", phone, &answer.phone_number),
    ];
    let is_empty = |value: &Option<String>| value.as_ref().is_none_or(String::is_empty);
    let lost: Vec<&str> =
        kept.iter().filter(|(_, was, now)| !is_empty(was) && is_empty(now)).map(|(name, _, _)| *name).collect();
    if !lost.is_empty() {
        return Verdict::Lost(format!("the update cleared the {}", lost.join(", ")));
    }
    let answered: BTreeSet<RoleName> = answer.roles.iter().flatten().cloned().map(RoleName::seen).collect();
    if answer.roles.is_some() && answered != after.roles {
        let roles: Vec<&str> = answered.iter().map(RoleName::as_str).collect();
        return Verdict::NotTaken(format!("The platform answered with the roles {}.", roles.join(", ")));
    }
    Verdict::Taken
}
