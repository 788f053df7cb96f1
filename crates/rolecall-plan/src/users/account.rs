//! Decides about the accounts of users, as opposed to their membership: what the status of an account allows, accounts
//! of users who aren't members, and users whom rolecall disabled and whose status the platform doesn't show.

use std::collections::BTreeSet;

use super::super::PlanInput;
use super::super::collection::deletion;
use super::super::decision::Decision;
use super::Situation;
use rolecall_model::{
    AccountStatus, Action, Address, Cause, Change, Code, DesiredUser, DisableAnswer, Email, Entity, Finding,
    HoldReason, LiveUser, ManualStep, Quirk, RemoteId, Seen, SentDisable, User,
};

/// Returns why a wanted user can't sign in, whatever is sent, or `None` if nothing is known to prevent it.
pub(super) fn why_unusable(input: &PlanInput<'_>, desired: &DesiredUser, user: &LiveUser) -> Option<HoldReason> {
    let step = |manual_step| input.rules.manual_step(manual_step).to_owned();
    match user.account_status {
        AccountStatus::Suspended => Some(HoldReason::Suspended { step: step(ManualStep::ReinstateUser) }),
        AccountStatus::Unapproved if desired.enabled == Some(true) => {
            Some(HoldReason::Unapproved { step: step(ManualStep::ApproveUser) })
        }
        AccountStatus::Unclear if desired.enabled == Some(true) => Some(HoldReason::ManualStep {
            field: "the status of the account".to_owned(),
            live: Some("unreadable".to_owned()),
            desired: "active".to_owned(),
            step: step(ManualStep::ApproveUser),
        }),
        AccountStatus::Ordinary
        | AccountStatus::Owner
        | AccountStatus::Shielded
        | AccountStatus::Unapproved
        | AccountStatus::Unclear => None,
    }
}

/// Returns why a user must not be changed as planned, or `None` if they can be.
pub(super) fn why_unchangeable(input: &PlanInput<'_>, user: &LiveUser, after: &User) -> Option<HoldReason> {
    match user.account_status {
        AccountStatus::Owner => return Some(HoldReason::Owner { must_be_removed: false }),
        AccountStatus::Shielded => return Some(HoldReason::MustNotBeChanged),
        AccountStatus::Ordinary
        | AccountStatus::Unapproved
        | AccountStatus::Suspended
        | AccountStatus::Unclear => {}
    }
    if after.enabled == user.enabled { None } else { why_kept(input, user, after.enabled, false) }
}

/// Returns why an account must not be enabled, disabled or deleted, or `None` if it can be.
pub(super) fn why_kept(
    input: &PlanInput<'_>,
    user: &LiveUser,
    enabled: Seen<bool>,
    deleted: bool,
) -> Option<HoldReason> {
    let disables = enabled == Seen::Known(false) && user.enabled != Seen::Known(false);
    (disables || deleted).then(|| only_admin_elsewhere(input, user)).flatten()
}

/// Returns a hold if other organisations would be left without an admin. `min_admins` protects this one. If the
/// platform doesn't show that, a person has to check, and confirm it with `--assert`.
fn only_admin_elsewhere(input: &PlanInput<'_>, user: &LiveUser) -> Option<HoldReason> {
    let Some(only_admin_of) = &user.only_admin_of else {
        return (!input.is_asserted(&Address::user(&user.email))).then_some(HoldReason::MaybeOnlyAdmin);
    };
    let this_organization = input.live.organization_id.as_ref().unwrap_or(&input.live.organization);
    let others: BTreeSet<&RemoteId> = only_admin_of.iter().filter(|other| *other != this_organization).collect();
    let organizations: Vec<RemoteId> = others.into_iter().cloned().collect();
    (!organizations.is_empty()).then_some(HoldReason::OnlyAdminElsewhere { organizations })
}

/// Returns the account that has to be enabled before its user is invited, or `None` if none has to be.
///
/// # Errors
///
/// Returns the id of the account and the reason if it can't be enabled.
pub(super) fn account_to_enable(
    input: &PlanInput<'_>,
    desired: &DesiredUser,
    now: &Situation<'_>,
) -> Result<Option<User>, (RemoteId, HoldReason)> {
    let disabled = now.non_member.filter(|user| user.enabled == Seen::Known(false));
    let Some(user) = disabled.filter(|_| desired.enabled == Some(true)) else { return Ok(None) };
    let before = User { outside: true, ..user.entity() };
    let after = User { enabled: Seen::Known(true), ..before.clone() };
    let reason = why_unusable(input, desired, user).or_else(|| why_unchangeable(input, user, &after));
    reason.map_or(Ok(Some(before)), |reason| Err((user.id.clone(), reason)))
}

/// Decides about the account of a user who isn't a member. An account that is enabled together with an invitation isn't
/// decided here.
pub(super) fn decide(input: &PlanInput<'_>, desired: &DesiredUser, now: &Situation<'_>) -> Option<Decision> {
    let Some(user) = now.non_member else {
        // The file wants an account deactivated that doesn't exist: its address may be misspelled.
        let wants_one = desired.absent && desired.enabled == Some(false) && input.rules.has(Quirk::SharedAccounts);
        let message =
            || format!("There is no account with the address {}, so none is deactivated.", desired.email);
        return (wants_one && now.invitations.is_empty()).then(|| {
            Decision::Finding(
                Finding::warning(Code::UnmatchedAddress, desired.place.clone(), message())
                    .hint("Check the spelling, or remove `status` if the account was deleted."),
            )
        });
    };
    let before = User { outside: true, ..user.entity() };
    let enabled = desired.enabled.map_or(before.enabled, Seen::Known);
    let is_invited = !now.invitations.open.is_empty();
    let enabled_with_invitation = enabled == Seen::Known(true) && !is_invited && !desired.absent;
    if !desired.deleted && (enabled == before.enabled || enabled_with_invitation) {
        return None;
    }
    // The address without an id belongs to the user's invitation.
    let address = Address::user(&desired.email).with_id(Some(&user.id).filter(|_| is_invited));
    let after = User { enabled, ..before.clone() };
    let protected = (user.account_status == AccountStatus::Shielded).then_some(HoldReason::MustNotBeChanged);
    let why_kept = || why_kept(input, user, enabled, desired.deleted);
    if let Some(reason) = why_unusable(input, desired, user).or(protected).or_else(why_kept) {
        return Some(Decision::Hold(address, reason));
    }
    let cause = if desired.absent { Cause::DeclaredAbsent } else { Cause::Declared };
    let change = if desired.deleted {
        deletion(input, address, Entity::User(before), cause)
    } else {
        let action = if enabled == Seen::Known(false) { Action::Disable } else { Action::Enable };
        let effects = input.rules.effects(input.live, Some(&before), &after);
        let (before, after) = (Some(Entity::User(before)), Some(Entity::User(after)));
        Change { address, action, before, after, cause, effects }
    };
    Some(Decision::change(change, Some(&desired.place)))
}

// ---- users whom rolecall disabled, on a platform that leaves disabled users out of its list. If it still lists one, only
// the ledger knows that they may not be able to sign in. They don't count as usable admins, and are never in sync.

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
