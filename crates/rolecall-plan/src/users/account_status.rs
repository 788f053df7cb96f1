//! Decides what the status of a user's account at the platform allows: suspended and protected accounts, owners,
//! and users who are the only admin of another organisation.

use std::collections::BTreeSet;

use super::super::PlanInput;
use rolecall_model::{
    AccountStatus, Address, DesiredUser, HoldReason, LiveUser, ManualStep, RemoteId, Seen, User,
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
