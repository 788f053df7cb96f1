//! Reads the answers to mutations. An answer has only `ok`, so the next read decides what became of a mutation.
//!
//! For example, rolecall disables Jane, and the answer is HTTP 200 with `errors` and `disableUser: null`. That can
//! mean that the credential lacks a capability, or that Jane was disabled before, or that she is disabled now and
//! something failed afterwards. So the outcome follows the next list of users: if Jane is no longer in it, she is
//! disabled, although the platform refused. If she is, the mutation has failed. In the same way `ok: true` for a
//! user who is still listed afterwards is reported as "not taken". See
//! [`Quirk::ReadsDecide`](rolecall_model::Quirk::ReadsDecide).

use std::collections::BTreeMap;

use super::super::{MutationResult, Verdict};
use super::account_type::find;
use super::wire::Acknowledgement;
use rolecall_graphql::{Answer, CallError, PossibleEffect, Redactor, Response};
use rolecall_model::{Action, Change, Entity, ManualStep, Rules};

/// Reads the answer to a mutation.
///
/// The documentation doesn't say what a refusal looks like: errors, `ok: false`, or both. All of them count as
/// one. An empty list of errors next to `ok: true` is a success, although the vendor's Python SDK 6.9.0 takes it
/// for a failure.
pub(super) fn mutation_result(
    mutation: &rolecall_model::Mutation,
    response: &Response,
    redactor: &Redactor,
) -> Result<MutationResult, CallError> {
    let answer = Answer::open(response, redactor)?;
    // Only the payload under the operation's own name is an answer to it.
    let mut data: BTreeMap<String, Option<Acknowledgement>> = answer.data()?.unwrap_or_default();
    let payload = data.remove(&mutation.operation);
    let ok = payload.as_ref().and_then(Option::as_ref).and_then(|acknowledged| acknowledged.ok);
    match (ok, answer.errors.as_deref()) {
        (Some(true), None | Some([])) => Ok(MutationResult { id: None, secret: None, verdict: Verdict::Taken }),
        (Some(false), None | Some([])) => {
            Err(CallError::Refused("`ok` is false, and the platform gives no reason".to_owned()))
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

/// Returns advice on a mutation that the platform refused.
pub(super) fn next_step(rules: &dyn Rules, change: &Change, error: &CallError) -> Option<String> {
    const CAPABILITY: &str = "the credential has the capability User management admin";
    match error {
        CallError::CredentialRefused(_) => {
            return Some(format!(
                "Check that the credential is valid, that {CAPABILITY}, and that the account has the Enterprise pack. This API is part of it."
            ));
        }
        CallError::Refused(_) | CallError::GraphQl(_) if error.effect() == PossibleEffect::None => {}
        _ => return None,
    }
    let mut steps = Vec::new();
    if change.action == Action::Disable {
        let place = rules.manual_step(ManualStep::LookUpDisabled);
        steps.push(format!("The user may be disabled already. Look {place}"));
    } else {
        if change.action == Action::Invite && change.before.is_some() {
            let place = rules.manual_step(ManualStep::HandleInvitation);
            steps.push(format!("Send the invitation again {place}"));
        }
        steps.extend(likely_reasons(rules, change));
    }
    steps.push(format!("Check that {CAPABILITY}"));
    Some(format!("{}.", steps.join(". ")))
}

/// Returns the likely reasons why the platform doesn't make a change, each as a sentence without its period.
pub(super) fn likely_reasons(rules: &dyn Rules, change: &Change) -> Vec<String> {
    if change.action == Action::Disable {
        let place = rules.manual_step(ManualStep::LookUpDisabled);
        return vec![format!("The list may include disabled users. Look {place}")];
    }
    let mut reasons = Vec::new();
    if change.action == Action::Invite && change.before.is_none() {
        let place = rules.manual_step(ManualStep::EnableUser);
        reasons.push(format!("If the user is disabled, enable them {place}"));
    }
    let roles = change.after.as_ref().and_then(Entity::user).map(|user| &user.roles);
    if let Some(known) = roles.into_iter().flatten().find_map(find)
        && let Some(plan) = known.plan
    {
        reasons.push(format!("The role `{}` needs the {plan}", known.name));
    }
    reasons
}
