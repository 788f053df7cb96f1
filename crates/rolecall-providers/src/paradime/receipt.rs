//! What the answers to mutations say, which is `ok` and nothing else: what became of it shows in the next read.

use std::collections::BTreeMap;

use super::super::{MutationResult, Verdict};
use super::account_type::find;
use super::wire::Acknowledgement;
use rolecall_graphql::{Answer, CallError, Effect, Redactor, Response};
use rolecall_model::{Action, Change, Entity, ManualStep, Rules};

/// How the vendor says no isn't documented: by errors, by `ok: false`, or by both. An empty list of errors beside
/// `ok: true` says nothing, although the vendor's Python SDK 6.9.0 takes it for a failure.
pub(super) fn receipt(
    mutation: &rolecall_model::Mutation,
    response: &Response,
    redactor: &Redactor,
) -> Result<MutationResult, CallError> {
    let answer = Answer::open(response, redactor)?;
    // By its own name alone: an answer to something else is none.
    let mut data: BTreeMap<String, Option<Acknowledgement>> = answer.data()?.unwrap_or_default();
    let payload = data.remove(&mutation.operation);
    let ok = payload.as_ref().and_then(Option::as_ref).and_then(|acknowledged| acknowledged.ok);
    match (ok, answer.errors.as_deref()) {
        (Some(true), None | Some([])) => Ok(MutationResult { id: None, secret: None, verdict: Verdict::Taken }),
        (Some(false), None | Some([])) => {
            Err(CallError::Refused("`ok` is false, and no reason is given".to_owned()))
        }
        (Some(false), Some(_)) => Err(answer.refusal()),
        (Some(true) | None, Some([_, ..])) => Err(answer.failure()),
        (None, errors) => Err(match (payload, errors) {
            (Some(None), _) => CallError::NullPayload(mutation.operation.clone()),
            (Some(Some(_)), _) => CallError::NullPayload("ok".to_owned()),
            (None, Some(_)) => CallError::EmptyErrors,
            (None, None) => CallError::NoData,
        }),
    }
}

/// What to do about a refusal.
pub(super) fn next_step(rules: &dyn Rules, change: &Change, error: &CallError) -> Option<String> {
    const CAPABILITY: &str = "the credential has the capability User management admin";
    match error {
        CallError::CredentialRefused(_) => {
            return Some(format!(
                "check that it is live, that {CAPABILITY}, and that the account has the Enterprise pack, which this API is part of"
            ));
        }
        CallError::Refused(_) | CallError::GraphQl(_) if error.effect() == Effect::None => {}
        _ => return None,
    }
    let mut steps = Vec::new();
    if change.action == Action::Disable {
        steps
            .push(format!("they may be disabled already: look {}", rules.manual_step(ManualStep::LookUpDisabled)));
    } else {
        if change.action == Action::Invite && change.before.is_some() {
            steps.push(format!("send the invitation again {}", rules.manual_step(ManualStep::HandleInvitation)));
        }
        steps.extend(why_not(rules, change));
    }
    steps.push(format!("see that {CAPABILITY}"));
    Some(steps.join("; "))
}

/// Why the platform may not do what it was asked for.
pub(super) fn why_not(rules: &dyn Rules, change: &Change) -> Vec<String> {
    if change.action == Action::Disable {
        let look = rules.manual_step(ManualStep::LookUpDisabled);
        return vec![format!("the list may show whoever is disabled, too: look {look}")];
    }
    let mut reasons = Vec::new();
    if change.action == Action::Invite && change.before.is_none() {
        reasons.push(format!("if they were disabled, enable them {}", rules.manual_step(ManualStep::EnableUser)));
    }
    let roles = change.after.as_ref().and_then(Entity::user).map(|user| &user.roles);
    if let Some(known) = roles.into_iter().flatten().find_map(find)
        && let Some(plan) = known.plan
    {
        reasons.push(format!("`{}` needs the {plan}", known.name));
    }
    reasons
}
