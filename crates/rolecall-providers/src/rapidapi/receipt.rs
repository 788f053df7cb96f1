//! What the answers to mutations say. Most are a Boolean that may be null; what became of them shows in the next read.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::{MutationResult, ReadError, Verdict};
use super::number::id_in;
use rolecall_graphql::{Answer, CallError, Effect, Redactor, Response};
use rolecall_model::{Action, Change, Entity, Kind};

pub(super) fn receipt(
    change: &Change,
    mutation: &rolecall_model::Mutation,
    response: &Response,
    redactor: &Redactor,
) -> Result<MutationResult, CallError> {
    let answer = Answer::open(response, redactor)?;
    if answer.errors.as_ref().is_some_and(|errors| !errors.is_empty()) {
        // A failure of the business kind comes with HTTP 200, as in the vendor's own clients.
        return Err(answer.failure());
    }
    let data: Option<BTreeMap<String, Value>> = answer.data()?;
    let empty = if answer.errors.is_some() { CallError::EmptyErrors } else { CallError::NoData };
    let payload = data.ok_or(empty)?.remove(&mutation.operation);
    let taken = |id| Ok(MutationResult { id, secret: None, verdict: Verdict::Taken });
    match payload {
        // Of some no type is declared.
        Some(Value::Bool(true) | Value::Array(_) | Value::Number(_) | Value::String(_)) => taken(None),
        Some(Value::Object(fields)) => match (mutation.operation.as_str(), fields.get("status")) {
            ("updateUser", Some(Value::String(status))) => {
                let sent = mutation.variables.get("input").and_then(|input| input.get("status"));
                if sent.and_then(Value::as_str) == Some(status) {
                    taken(None)
                } else {
                    let why = format!("the platform says that the status is {}", redactor.clean(status));
                    Ok(MutationResult { id: None, secret: None, verdict: Verdict::NotTaken(why) })
                }
            }
            ("createOrganization" | "updateOrganization", _) => Ok(made(&fields, change)),
            ("updateUser", _) => Err(CallError::NullPayload("updateUser.status".to_owned())),
            _ => taken(fields.get("id").and_then(id_in)),
        },
        // Neither says whether it was done.
        Some(Value::Null | Value::Bool(false)) | None => Err(CallError::NullPayload(mutation.operation.clone())),
    }
}

/// The platform derives the slug, by which the file will look for the organisation.
fn made(fields: &Map<String, Value>, change: &Change) -> MutationResult {
    let id = fields.get("id").and_then(id_in);
    let wished = change.after.as_ref().and_then(Entity::organization).and_then(|made| made.slug.as_deref());
    let slug = fields.get("slugifiedName").and_then(Value::as_str);
    let verdict = match (slug, wished) {
        (Some(slug), Some(wished)) if slug != wished => {
            let done = if change.before.is_some() { "renamed" } else { "made" };
            Verdict::Mismatch(format!(
                "the organisation was {done}, and its slug came out as {slug}, not {wished}: write `organization: {slug}` before the next run"
            ))
        }
        _ => Verdict::Taken,
    };
    MutationResult { id, secret: None, verdict }
}

/// What to do about a read that failed.
pub(super) fn next_step_of_read(error: &ReadError) -> Option<&'static str> {
    let ReadError::Call { error, .. } = error else { return None };
    match error {
        // The gateway was seen to say so to callers without a key.
        CallError::RateLimited { .. } => {
            Some("wait a minute; where it is so from the first call on, the key may be the cause")
        }
        CallError::CredentialRefused(_) => Some(
            "check that the keys are live and that `host` is what the hub's sample code has; that the personal key's owner administrates the hub, and the identity key's the organisation",
        ),
        CallError::GraphQl(_) | CallError::Refused(_) => Some(
            "the platform's words say why; check `endpoint` and `host`, and that `several_root_fields` is only true where the hub takes them",
        ),
        _ => None,
    }
}

/// What to do about a mutation that failed.
pub(super) fn next_step(change: &Change, error: &CallError) -> Option<String> {
    let makes_organization = change.action == Action::Create && change.address.kind == Kind::Organization;
    let next = match error {
        CallError::CredentialRefused(_) => {
            "see that the key is live and that its owner administrates the organisation; whether changes need a team's key or a person's isn't documented: `changes_with` in the file chooses"
        }
        _ if makes_organization && error.effect() == Effect::Unknown => {
            "look in the hub whether it is there; where the next plan doesn't find it, it isn't made again without `--assert organization`"
        }
        // That is what these answers are like.
        CallError::NullPayload(_) => "a read decides whether it was done; `rolecall drift` shows how things stand",
        _ => return None,
    };
    Some(next.to_owned())
}
