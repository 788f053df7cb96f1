//! What the answers to mutations say, which is `ok` and nothing else: what became of it shows in the next read.

use std::collections::BTreeMap;

use super::super::{Receipt, Verdict};
use super::account_type::find;
use super::wire::Acknowledgement;
use crate::graphql::{Answer, CallError, Redactor, Response};
use crate::model::{Action, Change, Chore, Entity, Rules};

/// How the vendor says no isn't documented: by errors, by `ok: false`, or by both. An empty list of errors beside
/// `ok: true` says nothing, although the vendor's Python SDK 6.9.0 takes it for a failure.
pub(super) fn receipt(response: &Response, redactor: &Redactor) -> Result<Receipt, CallError> {
    let answer = Answer::open(response, redactor)?;
    let payload: BTreeMap<String, Option<Acknowledgement>> = answer.data()?.unwrap_or_default();
    let field = payload.keys().next().cloned();
    let ok = payload.into_values().flatten().find_map(|acknowledged| acknowledged.ok);
    let errors = answer.errors.as_deref().unwrap_or_default();
    match (ok, errors) {
        (Some(true), []) => Ok(Receipt { id: None, secret: None, verdict: Verdict::Taken }),
        (Some(true), [_, ..]) => Err(CallError::Partial(errors.to_vec())),
        (Some(false), []) => Err(CallError::Refused("`ok` is false, and no reason is given".to_owned())),
        (Some(false), [_, ..]) => {
            let words: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Err(CallError::Refused(words.join("; ")))
        }
        (None, [_, ..]) => Err(answer.failure()),
        (None, []) => match (field, &answer.errors) {
            (Some(field), _) => Err(CallError::NullPayload(field)),
            (None, Some(_)) => Err(CallError::EmptyErrors),
            (None, None) => Err(CallError::NoData),
        },
    }
}

/// What to do about a refusal.
pub(super) fn next_step(rules: &dyn Rules, change: &Change, error: &CallError) -> Option<String> {
    if let CallError::CredentialRefused(_) = error {
        return Some("check that the credential is live and has the capability User management admin".to_owned());
    }
    if !matches!(error, CallError::Refused(_) | CallError::GraphQl(_)) {
        return None;
    }
    let enable = rules.by_hand(Chore::EnableUser);
    let mut steps = match change.action {
        Action::Invite if change.before.is_some() => {
            vec![format!("send the invitation again {}", rules.by_hand(Chore::HandleInvitation))]
        }
        Action::Invite => vec![format!("if they were disabled, let them in again {enable}")],
        Action::Disable => vec![format!("they may be disabled already: look {enable}")],
        _ => Vec::new(),
    };
    let roles = change.after.as_ref().and_then(Entity::user).map(|user| &user.roles);
    if let Some(known) = roles.into_iter().flatten().find_map(find)
        && let Some(plan) = known.plan
        && change.action != Action::Disable
    {
        steps.push(format!("`{}` needs the {plan}", known.name));
    }
    (!steps.is_empty()).then(|| steps.join("; "))
}
