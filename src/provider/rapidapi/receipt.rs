//! What the answers to mutations say. Most are a Boolean that may be null; what became of them shows in the next read.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::{Receipt, Verdict};
use super::number::id_in;
use crate::graphql::{Answer, CallError, Redactor, Response};
use crate::model;

pub(super) fn receipt(
    mutation: &model::Mutation,
    response: &Response,
    redactor: &Redactor,
) -> Result<Receipt, CallError> {
    let answer = Answer::open(response, redactor)?;
    if answer.errors.as_ref().is_some_and(|errors| !errors.is_empty()) {
        // A failure of the business kind comes with HTTP 200, as in the vendor's own clients.
        return Err(answer.failure());
    }
    let data: Option<BTreeMap<String, Value>> = answer.data()?;
    let empty = if answer.errors.is_some() { CallError::EmptyErrors } else { CallError::NoData };
    let payload = data.ok_or(empty)?.remove(&mutation.operation);
    let taken = |id| Ok(Receipt { id, secret: None, verdict: Verdict::Taken });
    match payload {
        Some(Value::Bool(true)) => taken(None),
        Some(Value::Object(fields)) => match (mutation.operation.as_str(), fields.get("status")) {
            ("updateUser", Some(Value::String(status))) => {
                let sent = mutation.variables.get("input").and_then(|input| input.get("status"));
                if sent.and_then(Value::as_str) == Some(status) {
                    taken(None)
                } else {
                    let why = format!("the platform says that the status is {}", redactor.clean(status));
                    Ok(Receipt { id: None, secret: None, verdict: Verdict::NotTaken(why) })
                }
            }
            ("updateUser", _) => Err(CallError::NullPayload("updateUser.status".to_owned())),
            _ => taken(fields.get("id").and_then(id_in)),
        },
        // Of no declared type, and there.
        Some(Value::Array(_) | Value::Number(_) | Value::String(_)) => taken(None),
        // Neither says whether it was done.
        Some(Value::Null | Value::Bool(false)) | None => Err(CallError::NullPayload(mutation.operation.clone())),
    }
}

/// What to do about a refusal.
pub(super) fn next_step(error: &CallError) -> Option<String> {
    let CallError::CredentialRefused(_) = error else { return None };
    Some(
        "see that the key is live and that its owner administrates the organisation; whether changes need a team's key or a person's isn't documented: `changes_with` in the file chooses"
            .to_owned(),
    )
}
