//! What the answers to mutations say. The server drops what it doesn't know without a word, so each answer is
//! compared with what was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::read::allowed;
use super::resources::from_wire;
use super::wire::{
    Assigned, CreatedRole, CreatedToken, Deleted, Invited, Payload, PayloadError, UpdatedRole, WireRole,
};
use super::{MutationResult, Verdict, token};
use rolecall_graphql::{CallError, Redactor, Response, parse};
use rolecall_model::{Action, Change, Entity, HoldReason, Permission, RemoteId, Resources};

pub(super) fn receipt(
    change: &Change,
    mutation: &rolecall_model::Mutation,
    response: &Response,
    redactor: &Redactor,
) -> Result<MutationResult, CallError> {
    let input = mutation.variables.get("input").unwrap_or(&Value::Null);
    match mutation.operation.as_str() {
        "createMemberRole" => match payload::<CreatedRole>(response, redactor)? {
            Ok(CreatedRole { created_member_role: role }) => {
                Ok(MutationResult { id: Some(RemoteId::seen(&*role.id)), ..taken(judge_role(input, role)) })
            }
            // Not among those that the list shows.
            Err(error) if error.says("already exists") => Ok(taken(Verdict::Held(HoldReason::RoleExistsUnlisted))),
            Err(error) => Err(error.into_refusal(redactor)),
        },
        "updateMemberRole" => match payload::<UpdatedRole>(response, redactor)? {
            Ok(UpdatedRole { updated_role }) => Ok(taken(judge_role(input, updated_role))),
            Err(error) => Err(error.into_refusal(redactor)),
        },
        "assignMemberRole" => match payload::<Assigned>(response, redactor)? {
            Ok(assigned) => Ok(taken(judge_assignment(change, input, assigned))),
            Err(error) if error.says("Provisioned users") => {
                let must_go = change.action == Action::RemoveAccess;
                Ok(taken(Verdict::Held(HoldReason::ExternallyManaged { must_go })))
            }
            Err(error) => Err(error.into_refusal(redactor)),
        },
        "inviteToOrganizationByEmail" => match payload::<Invited>(response, redactor) {
            Ok(Ok(Invited { created_organization_invitation: invitation })) => {
                let as_sent = Value::String(invitation.role.id) == input["memberRoleId"]
                    && Value::String(invitation.email) == input["email"];
                let other = || Verdict::NotTaken("the platform answered with another role or address".to_owned());
                Ok(taken(if as_sent { Verdict::Taken } else { other() }))
            }
            // A list that comes in pages can leave people out without a trace.
            Ok(Err(error)) if error.says("already a member") => {
                Ok(taken(Verdict::Held(HoldReason::MemberUnlisted)))
            }
            Ok(Err(error)) => Err(error.into_refusal(redactor)),
            Err(error) => Err(limited(error)),
        },
        "createOrganizationAccessToken" => match payload::<CreatedToken>(response, redactor)? {
            Ok(CreatedToken { private_access_key: secret }) => Ok(MutationResult {
                id: token::id_of(secret.expose_secret()),
                secret: Some(secret),
                verdict: Verdict::Taken,
            }),
            Err(error) => Err(error.into_refusal(redactor)),
        },
        "deleteMemberRole"
        | "deleteOrganizationInvitation"
        | "deleteAccessToken"
        | "deleteOrganizationAccessToken" => match payload::<Deleted>(response, redactor)? {
            Ok(Deleted {}) => Ok(taken(Verdict::Taken)),
            Err(error) => Err(error.into_refusal(redactor)),
        },
        other => {
            Err(CallError::Shape { path: other.to_owned(), expected: "an operation that is known".to_owned() })
        }
    }
}

fn taken(verdict: Verdict) -> MutationResult {
    MutationResult { id: None, secret: None, verdict }
}

/// The one field of the answer: done, or refused.
fn payload<T: DeserializeOwned>(
    response: &Response,
    redactor: &Redactor,
) -> Result<Result<T, PayloadError>, CallError> {
    let data: BTreeMap<String, Payload<T>> = parse(response, redactor).map_err(|error| match error {
        // Said of a missing permission and of an id that is gone, alike; neither is the way to the platform.
        CallError::CredentialRefused(why) => {
            CallError::Refused(format!("{why}, so a permission is missing, or what was named is gone"))
        }
        other => other,
    })?;
    match data.into_values().next() {
        Some(Payload { error: Some(error), ok: _ }) => Ok(Err(error)),
        Some(Payload { ok: Some(done), error: None }) => Ok(Ok(done)),
        Some(Payload { ok: None, error: None }) | None => Err(CallError::NoData),
    }
}

impl PayloadError {
    fn says(&self, words: &str) -> bool {
        self.message.contains(words)
    }

    fn into_refusal(self, redactor: &Redactor) -> CallError {
        let Self { message, input_errors, details } = self;
        let mut words = vec![message];
        for (field, why) in input_errors.into_iter().chain(details).flatten() {
            if let Some(why) = why.filter(|why| !words.contains(why)) {
                words.push(format!("{field}: {why}"));
            }
        }
        CallError::Refused(format!("\"{}\"", redactor.clean(&words.join(" "))))
    }
}

/// Too many invitations are told by words alone: directly there is no code, and behind the gateway one that says
/// nothing (measured on Hive 8.1.2). Refused calls count too, so that only the whole window helps.
fn limited(error: CallError) -> CallError {
    let by_rate = match &error {
        CallError::GraphQl(errors) => errors.iter().any(|error| error.message.contains("Exceeded rate limit")),
        _ => false,
    };
    let retry_after = Some(Duration::from_secs(6));
    if by_rate { CallError::RateLimited { retry_after } } else { error }
}

fn judge_role(input: &Value, role: WireRole) -> Verdict {
    let sent: BTreeSet<Permission> =
        serde_json::from_value(input["selectedPermissions"].clone()).unwrap_or_default();
    let stored = allowed(role.permissions);
    let dropped: Vec<&str> = sent.difference(&stored).map(Permission::as_str).collect();
    let added: Vec<&str> = stored.difference(&sent).map(Permission::as_str).collect();
    if !dropped.is_empty() {
        return Verdict::NotTaken(format!("the platform dropped {}", dropped.join(", ")));
    }
    if !added.is_empty() {
        return Verdict::NotTaken(format!("the platform added {}", added.join(", ")));
    }
    if input["name"] != *role.name || input["description"] != *role.description {
        return Verdict::NotTaken("the platform answered with another name or description".to_owned());
    }
    Verdict::Taken
}

fn judge_assignment(change: &Change, input: &Value, assigned: Assigned) -> Verdict {
    let Assigned { updated_member: member } = assigned;
    if input["memberRole"]["byId"] != *member.role.id {
        return Verdict::NotTaken("the platform answered with another role".to_owned());
    }
    let wanted = change.after.as_ref().and_then(Entity::user).and_then(|user| user.resources.as_ref());
    let (stored, none) = (from_wire(member.resource_assignment), Resources::none());
    let wanted = wanted.unwrap_or(&none);
    if *wanted == stored {
        return Verdict::Taken;
    }
    let (wanted, stored) = (wanted.paths(), stored.paths());
    let dropped: Vec<&str> = wanted.difference(&stored).map(String::as_str).collect();
    let added: Vec<&str> = stored.difference(&wanted).map(String::as_str).collect();
    let parts = [("dropped", dropped), ("added", added)].into_iter().filter(|(_, parts)| !parts.is_empty());
    let parts: Vec<String> = parts.map(|(what, parts)| format!("{what} {}", parts.join(", "))).collect();
    Verdict::NotTaken(format!("of the resources the platform {}", parts.join(" and ")))
}
