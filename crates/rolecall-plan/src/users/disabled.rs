//! Handles users that rolecall disabled, on a platform whose list of users doesn't show who is disabled.
//!
//! That platform is documented to leave disabled users out of the list. If it still lists one, only the ledger
//! knows that they may not be able to sign in. Then they don't count as a usable admin, and they are never in
//! sync.

use super::super::PlanInput;
use rolecall_model::{DisableAnswer, Email, HoldReason, LiveUser, ManualStep, Quirk, RemoteId, Seen, SentDisable};

/// Returns when and how rolecall disabled a user who isn't listed, or `None` if it didn't.
pub(super) fn disabled_and_unlisted<'a>(input: &PlanInput<'a>, email: &Email) -> Option<&'a SentDisable> {
    if !input.rules.has(Quirk::HidesDisabled) {
        return None;
    }
    input.facts.disables.values().filter(|sent| sent.email == *email).max_by_key(|sent| sent.at)
}

/// Returns the request that may have disabled a user who is still listed, or `None` if they are known to be
/// enabled.
pub(crate) fn possibly_disabled<'a>(input: &PlanInput<'a>, user: &LiveUser) -> Option<&'a SentDisable> {
    if user.enabled != Seen::Known(true) || !input.rules.has(Quirk::HidesDisabled) {
        return None;
    }
    // If other users left the list once they were disabled, the list can be believed. But not if the platform
    // answered that it disabled this user and still lists them.
    let doubtful = |sent: &&SentDisable| !input.facts.list_omits_disabled || sent.answer == DisableAnswer::NotSeen;
    input.facts.disables.get(&user.id).filter(doubtful)
}

/// Returns why a user who must be removed isn't disabled again, or `None` if they are. They are if the answer was
/// lost.
pub(super) fn why_not_disabled_again(input: &PlanInput<'_>, user: &LiveUser) -> Option<HoldReason> {
    let sent = possibly_disabled(input, user)?;
    match sent.answer {
        DisableAnswer::Done | DisableAnswer::Lost => None,
        DisableAnswer::NotSeen | DisableAnswer::Refused => {
            let step = input.rules.manual_step(ManualStep::LookUpDisabled).to_owned();
            let refused = sent.answer == DisableAnswer::Refused;
            Some(HoldReason::DisableNotSeen { since: sent.at, refused, step })
        }
    }
}

/// Returns why a wanted user can't be called in sync: they may be disabled.
pub(super) fn why_state_unknown(input: &PlanInput<'_>, user: &LiveUser) -> Option<HoldReason> {
    let sent = possibly_disabled(input, user)?;
    let step = input.rules.manual_step(ManualStep::LookUpDisabled).to_owned();
    Some(HoldReason::MaybeDisabled { since: sent.at, step })
}

/// Returns the reason why no listed user has this id.
pub(super) fn why_not_listed(input: &PlanInput<'_>, id: &RemoteId) -> HoldReason {
    if let Some(reason) = input.live.users.completeness.hold_if_incomplete("users") {
        return reason;
    }
    let step = input.rules.manual_step(ManualStep::EnableUser).to_owned();
    match input.facts.disables.get(id) {
        Some(sent) => HoldReason::Disabled { since: sent.at, step },
        None => HoldReason::NotListed { step },
    }
}
