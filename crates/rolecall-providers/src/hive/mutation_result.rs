//! Reads the answers to mutations. The server silently drops permissions and resources that it doesn't know, so
//! each answer is compared with the input.

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

pub(super) fn mutation_result(
    change: &Change,
    mutation: &rolecall_model::Mutation,
    response: &Response,
    redactor: &Redactor,
) -> Result<MutationResult, CallError> {
    let input = mutation.variables.get("input").unwrap_or(&Value::Null);
    match mutation.operation.as_str() {
        "createMemberRole" => match payload::<CreatedRole>(response, redactor)? {
            Ok(CreatedRole { created_member_role: role }) => {
                Ok(MutationResult { id: Some(RemoteId::seen(&*role.id)), ..result(judge_role(input, role)) })
            }
            // The list of roles is cut off at 50, and this role isn't in it.
            Err(error) if error.says("already exists") => {
                Ok(result(Verdict::Held(HoldReason::RoleExistsUnlisted)))
            }
            Err(error) => Err(error.into_refusal(redactor)),
        },
        "updateMemberRole" => match payload::<UpdatedRole>(response, redactor)? {
            Ok(UpdatedRole { updated_role }) => Ok(result(judge_role(input, updated_role))),
            Err(error) if change.renamed_from().is_some() && error.says("already exists") => {
                Ok(result(Verdict::Held(HoldReason::RoleExistsUnlisted)))
            }
            Err(error) => Err(error.into_refusal(redactor)),
        },
        "assignMemberRole" => match payload::<Assigned>(response, redactor)? {
            Ok(assigned) => Ok(result(judge_assignment(change, input, assigned))),
            Err(error) if error.says("Provisioned users") => {
                let must_be_removed = change.action == Action::RemoveAccess;
                Ok(result(Verdict::Held(externally_managed(must_be_removed))))
            }
            Err(error) => Err(error.into_refusal(redactor)),
        },
        "inviteToOrganizationByEmail" => match payload::<Invited>(response, redactor) {
            Ok(Ok(Invited { created_organization_invitation: invitation })) => {
                let is_as_sent = Value::String(invitation.role.id) == input["memberRoleId"]
                    && Value::String(invitation.email) == input["email"];
                let differs =
                    || Verdict::NotTaken("The platform answered with another role or address.".to_owned());
                Ok(result(if is_as_sent { Verdict::Taken } else { differs() }))
            }
            // The pages of the list of members may have skipped this one.
            Ok(Err(error)) if error.says("already a member") => Ok(result(Verdict::Held(member_unlisted()))),
            Ok(Err(error)) => Err(error.into_refusal(redactor)),
            Err(error) => Err(rate_limited(error)),
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
            Ok(Deleted {}) => Ok(result(Verdict::Taken)),
            Err(error) => Err(error.into_refusal(redactor)),
        },
        other => {
            Err(CallError::Shape { path: other.to_owned(), expected: "expected a known operation".to_owned() })
        }
    }
}

fn result(verdict: Verdict) -> MutationResult {
    MutationResult { id: None, secret: None, verdict }
}

/// Reads the payload of a mutation: its `ok`, or its `error`.
fn payload<T: DeserializeOwned>(
    response: &Response,
    redactor: &Redactor,
) -> Result<Result<T, PayloadError>, CallError> {
    let data: BTreeMap<String, Payload<T>> = parse(response, redactor).map_err(|error| match error {
        // The server says the same for a missing permission and for an unknown id. Other requests may still
        // succeed.
        CallError::CredentialRefused(why) => {
            CallError::Refused(format!("{why}: either a permission is missing, or the entity no longer exists"))
        }
        other => other,
    })?;
    match data.into_values().next() {
        Some(Payload { error: Some(error), ok: _ }) => Ok(Err(error)),
        Some(Payload { ok: Some(done), error: None }) => Ok(Ok(done)),
        Some(Payload { ok: None, error: None }) | None => Err(CallError::NoData),
    }
}

/// The most fields whose problems are shown.
const FIELDS: usize = 20;

impl PayloadError {
    fn says(&self, words: &str) -> bool {
        self.message.contains(words)
    }

    fn into_refusal(self, redactor: &Redactor) -> CallError {
        let Self { message, input_errors, details } = self;
        let mut words = vec![message];
        for (field, why) in input_errors.into_iter().chain(details).flatten().take(FIELDS) {
            if let Some(why) = why.filter(|why| !words.contains(why)) {
                words.push(format!("{field}: {why}"));
            }
        }
        CallError::Refused(format!("\"{}\"", redactor.clean(&words.join(" "))))
    }
}

/// Adds the wait to the rate limit on invitations. The server doesn't say how long to wait, and the gateway adds a
/// code of an internal error (measured on Hive 8.1.2). Refused invitations count, too, so only waiting for the whole
/// window helps.
fn rate_limited(error: CallError) -> CallError {
    let is_rate_limit = match &error {
        CallError::RateLimited { retry_after } => retry_after.is_none(),
        CallError::GraphQl(errors) => errors.iter().any(|error| error.message.contains("Exceeded rate limit")),
        _ => false,
    };
    let retry_after = Some(Duration::from_secs(6));
    if is_rate_limit { CallError::RateLimited { retry_after } } else { error }
}

/// Compares a stored role with the input.
fn judge_role(input: &Value, role: WireRole) -> Verdict {
    let sent: BTreeSet<Permission> =
        serde_json::from_value(input["selectedPermissions"].clone()).unwrap_or_default();
    let stored = allowed(role.permissions);
    let dropped: Vec<&str> = sent.difference(&stored).map(Permission::as_str).collect();
    let added: Vec<&str> = stored.difference(&sent).map(Permission::as_str).collect();
    if !dropped.is_empty() {
        return Verdict::NotTaken(format!("The platform dropped {}.", dropped.join(", ")));
    }
    if !added.is_empty() {
        return Verdict::NotTaken(format!("The platform added {}.", added.join(", ")));
    }
    if input["name"] != *role.name || input["description"] != *role.description {
        return Verdict::NotTaken("The platform answered with another name or description.".to_owned());
    }
    Verdict::Taken
}

/// Compares a stored assignment with the input and with the desired resources.
fn judge_assignment(change: &Change, input: &Value, assigned: Assigned) -> Verdict {
    let Assigned { updated_member: member } = assigned;
    if input["memberRole"]["byId"] != *member.role.id {
        return Verdict::NotTaken("The platform answered with another role.".to_owned());
    }
    let desired = change.after.as_ref().and_then(Entity::user).and_then(|user| user.resources.as_ref());
    let (stored, none) = (from_wire(member.resource_assignment), Resources::none());
    let desired = desired.unwrap_or(&none);
    if *desired == stored {
        return Verdict::Taken;
    }
    let (desired, stored) = (desired.paths(), stored.paths());
    let dropped: Vec<&str> = desired.difference(&stored).map(String::as_str).collect();
    let added: Vec<&str> = stored.difference(&desired).map(String::as_str).collect();
    let differences = [("dropped", dropped), ("added", added)].into_iter().filter(|(_, paths)| !paths.is_empty());
    let differences: Vec<String> =
        differences.map(|(verb, paths)| format!("{verb} the resources {}", paths.join(", "))).collect();
    Verdict::NotTaken(format!("The platform {}.", differences.join(" and ")))
}

/// Returns the reason why a user whom another system provisions stays as they are.
fn externally_managed(must_be_removed: bool) -> HoldReason {
    HoldReason::platform(
        "externally-managed",
        if must_be_removed {
            "The user must be removed, but another system provisions them (SCIM), and only that system can change them. Deactivate them in the identity provider."
        } else {
            "Another system provisions this user (SCIM), and only that system can change them. Change them there, or write in the file what they have. Use `--assert` to try again."
        },
    )
}

/// Returns the reason why somebody isn't invited whom Hive calls a member and doesn't list.
fn member_unlisted() -> HoldReason {
    HoldReason::platform(
        "member-unlisted",
        "Hive says that the user is already a member, but its list of members doesn't contain them. Look in the web app, and report the paging to the vendor.",
    )
}
