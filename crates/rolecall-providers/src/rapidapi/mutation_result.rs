//! Reads the answers to mutations. Most are a Boolean that may be null, so the next read decides what became of
//! them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::{MutationResult, ReadError, Verdict};
use super::documents::SCHEMA;
use super::number::id_in;
use rolecall_graphql::{Answer, CallError, PossibleEffect, Redactor, Response};
use rolecall_model::{Action, Change, Entity, Kind};

pub(super) fn mutation_result(
    change: &Change,
    mutation: &rolecall_model::Mutation,
    response: &Response,
    redactor: &Redactor,
) -> Result<MutationResult, CallError> {
    let answer = Answer::open(response, redactor)?;
    if answer.errors.as_ref().is_some_and(|errors| !errors.is_empty()) {
        // A refused mutation comes with HTTP 200, as the vendor's own clients expect.
        return Err(answer.failure());
    }
    let data: Option<BTreeMap<String, Value>> = answer.data()?;
    let empty = if answer.errors.is_some() { CallError::EmptyErrors } else { CallError::NoData };
    let payload = data.ok_or(empty)?.remove(&mutation.operation);
    let taken = |id| Ok(MutationResult { id, secret: None, verdict: Verdict::Taken });
    match payload {
        // Some mutations have no documented type.
        Some(Value::Bool(true) | Value::Array(_) | Value::Number(_) | Value::String(_)) => taken(None),
        Some(Value::Object(fields)) => match (mutation.operation.as_str(), fields.get("status")) {
            ("updateUser", Some(Value::String(status))) => {
                let sent = mutation.variables.get("input").and_then(|input| input.get("status"));
                if sent.and_then(Value::as_str) == Some(status) {
                    taken(None)
                } else {
                    let why = format!("The platform answered with the status {}.", redactor.clean(status));
                    Ok(MutationResult { id: None, secret: None, verdict: Verdict::NotTaken(why) })
                }
            }
            ("createOrganization" | "updateOrganization", _) => Ok(organization_result(&fields, change)),
            ("updateUser", _) => Err(CallError::NullPayload("updateUser.status".to_owned())),
            _ => taken(fields.get("id").and_then(id_in)),
        },
        // None of these says whether the mutation was done.
        Some(Value::Null | Value::Bool(false)) | None => Err(CallError::NullPayload(mutation.operation.clone())),
    }
}

/// Reads the answer to the creation or the update of an organisation. The platform chooses the slug, and later
/// runs find the organisation by the slug in the file. If the two differ, the run stops.
fn organization_result(fields: &Map<String, Value>, change: &Change) -> MutationResult {
    let id = fields.get("id").and_then(id_in);
    let desired = change.after.as_ref().and_then(Entity::organization).and_then(|it| it.slug.as_deref());
    let slug = fields.get("slugifiedName").and_then(Value::as_str);
    let verdict = match (slug, desired) {
        (Some(slug), Some(desired)) if slug != desired => {
            let done = if change.before.is_some() { "renamed" } else { "created" };
            Verdict::Mismatch(format!(
                "The organisation was {done}, and its slug is {slug} instead of {desired}. Write `organization: {slug}` before the next run"
            ))
        }
        _ => Verdict::Taken,
    };
    MutationResult { id, secret: None, verdict }
}

/// Returns advice on a failed read.
pub(super) fn next_step_of_read(error: &ReadError) -> Option<&'static str> {
    let error = match error {
        ReadError::Call { error, .. } => error,
        ReadError::Missing { operation, .. } if *operation == SCHEMA.name => {
            return Some(
                "This hub is older than rolecall supports, which needs the API of August 2023 or later. Ask RapidAPI to update the hub.",
            );
        }
        _ => return None,
    };
    match error {
        // The gateway also answers HTTP 429 to requests without a key (observed).
        CallError::RateLimited { .. } => {
            Some("Wait a minute. If even the first request is answered like this, check the key.")
        }
        CallError::CredentialRefused(_) => Some(
            "Check that the keys are valid and that `host` is the one in the hub's sample code. The owner of the personal key has to be an administrator of the hub, and the owner of the identity key an admin of the organisation.",
        ),
        CallError::GraphQl(_) | CallError::Refused(_) => Some(
            "The platform's message says why. Check `endpoint` and `host`. Set `several_root_fields: true` only if the hub accepts several root fields.",
        ),
        _ => None,
    }
}

/// Returns advice on a failed mutation.
pub(super) fn next_step(change: &Change, error: &CallError) -> Option<String> {
    let creates_organization = change.action == Action::Create && change.address.kind == Kind::Organization;
    let next = match error {
        CallError::CredentialRefused(_) => {
            "Check that the key is valid and that its owner is an admin of the organisation. The documentation doesn't say whether changes need a team's key or a personal key. Try the other one with `changes_with`."
        }
        _ if creates_organization && error.effect() == PossibleEffect::Unknown => {
            "Check in the hub whether the organisation exists. If the next plan doesn't find it, rolecall creates it again only with `--assert organization`."
        }
        // Such answers are common here and don't mean that the API has changed.
        CallError::NullPayload(_) => {
            "The next read decides whether it was done. Run `rolecall drift` to see the current state."
        }
        _ => return None,
    };
    Some(next.to_owned())
}
