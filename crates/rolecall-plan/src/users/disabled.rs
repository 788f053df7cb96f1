//! Whom we disabled, where the platform's list doesn't say who is.
//!
//! It is documented to leave them out. Where it shows them all the same, only the ledger knows that they may not be
//! able to sign in: they are no admin to rely on, and no desired for them is fulfilled.

use super::super::PlanInput;
use rolecall_model::{DisableAnswer, Email, HoldReason, LiveUser, ManualStep, RemoteId, Seen, SentDisable};

/// Somebody who isn't listed, by our doing.
pub(super) fn disabled_and_unlisted<'a>(input: &PlanInput<'a>, email: &Email) -> Option<&'a SentDisable> {
    if !input.rules.hides_disabled() {
        return None;
    }
    input.facts.disables.values().filter(|sent| sent.email == *email).max_by_key(|sent| sent.at)
}

/// A disabling after which the user was never seen to be gone.
pub(crate) fn possibly_disabled<'a>(input: &PlanInput<'a>, user: &LiveUser) -> Option<&'a SentDisable> {
    if user.enabled != Seen::Known(true) || !input.rules.hides_disabled() {
        return None;
    }
    // Where others are known to have vanished, the list is believed, unless the platform had said that it was done.
    let doubtful = |sent: &&SentDisable| !input.facts.disabled_vanish || sent.answer == DisableAnswer::NotSeen;
    input.facts.disables.get(&user.id).filter(doubtful)
}

/// Why somebody who has to go isn't disabled once more. An answer that was lost is no reason.
pub(super) fn why_not_disabled_again(input: &PlanInput<'_>, user: &LiveUser) -> Option<HoldReason> {
    let sent = possibly_disabled(input, user)?;
    match sent.answer {
        DisableAnswer::Done | DisableAnswer::Lost => None,
        DisableAnswer::NotSeen | DisableAnswer::Refused => {
            let step = input.rules.manual_step(ManualStep::LookUpDisabled).to_owned();
            let refused = sent.answer == DisableAnswer::Refused;
            Some(HoldReason::StillListed { since: sent.at, refused, step })
        }
    }
}

/// Why somebody who is to stay isn't taken to be as wished.
pub(super) fn why_state_unknown(input: &PlanInput<'_>, user: &LiveUser) -> Option<HoldReason> {
    let sent = possibly_disabled(input, user)?;
    let step = input.rules.manual_step(ManualStep::LookUpDisabled).to_owned();
    Some(HoldReason::PerhapsDisabled { since: sent.at, step })
}

/// Why nobody who is listed has this id.
pub(super) fn why_not_listed(input: &PlanInput<'_>, id: &RemoteId) -> HoldReason {
    if let Some(reason) = input.live.users.completeness.unreadable("users") {
        return reason;
    }
    let step = input.rules.manual_step(ManualStep::EnableUser).to_owned();
    match input.facts.disables.get(id) {
        Some(sent) => HoldReason::Disabled { since: sent.at, step },
        None => HoldReason::NotListed { step },
    }
}
