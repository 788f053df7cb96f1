//! Checks a plan against the guardrails. A plan that breaks one is shown and never sent.

mod exceptions;
mod removals;

pub(super) use exceptions::apply_exceptions;

use std::collections::BTreeSet;

use super::PlanInput;
use super::admins::{self, Admins};
use super::roles::PlannedRoles;
use rolecall_model::{
    Action, Address, Cause, Change, DesiredUser, Email, Entity, Guardrail, KeyName, Kind, Quirk, Refusal,
    RoleName, Scope, Seen, User,
};

/// Returns the guardrails that a plan breaks, before any exception is applied.
pub(super) fn find_refusals(
    input: &PlanInput<'_>,
    changes: &[Change],
    admins: &Admins,
    planned_roles: &PlannedRoles,
) -> Vec<Refusal> {
    let mut refusals: Vec<Refusal> = removals::too_many_removals(input, changes, planned_roles).collect();
    refusals.extend(removals::directory(input, changes));
    refusals.extend(min_admins(input, admins));
    refusals.extend(admins_unknown(input, changes));
    refusals.extend(Kind::ALL.iter().filter_map(|kind| wrong_credential(input, changes, *kind)));
    refusals.extend(unproven_organization(input, changes));
    refusals.sort();
    refusals
}

/// Refuses invitations if nothing proves that this is the right organisation. On a platform whose answers don't
/// name the organisation, at least one listed user has to be a member of it.
fn unproven_organization(input: &PlanInput<'_>, changes: &[Change]) -> Option<Refusal> {
    let PlanInput { desired, live, rules, .. } = *input;
    // A user named in `own` is a member, or planning would have ended with a finding.
    if !rules.has(Quirk::OrganizationUnnamed) || desired.own_user.is_some() {
        return None;
    }
    let members: BTreeSet<&Email> = live.users.items.iter().map(|user| &user.email).collect();
    let is_member = |desired: &DesiredUser| !desired.absent && members.contains(&desired.email);
    let invites = changes.iter().filter(|change| change.action == Action::Invite);
    let invites: Vec<Address> = invites.map(|change| change.address.clone()).collect();
    if invites.is_empty() || desired.users.iter().any(is_member) {
        return None;
    }
    Some(Refusal::new(
        Guardrail::Organization,
        "This may be the wrong organisation: none of the listed users is an active member, and the platform's answers don't name the organisation. List a user who is a member, or name the credential's owner as `own: { user: … }`.".to_owned(),
        invites,
    ))
}

fn min_admins(input: &PlanInput<'_>, admins: &Admins) -> Option<Refusal> {
    if admins.after >= admins.floor || admins.lost.is_empty() {
        return None;
    }
    let required = admins::required(input);
    let uncertain: Vec<String> = admins.uncertain.iter().map(ToString::to_string).collect();
    let uncertain = match &uncertain[..] {
        [] => String::new(),
        names => format!(" Not counted, because rolecall may have disabled them: {}.", names.join(", ")),
    };
    let own = if admins::own_user_unknown(input) && admins.after == 0 {
        " The last admin can't be removed while rolecall's own user is unknown. Name it as `own`."
    } else {
        ""
    };
    let refusal = Refusal::new(
        Guardrail::MinAdmins,
        format!(
            "{} usable {} would be left, and the file requires at least {required}. {}{uncertain}{own}",
            admins.after,
            if admins.after == 1 { "admin" } else { "admins" },
            if input.live.invitations.is_some() {
                "Invited users count once they have accepted."
            } else {
                "An admin doesn't count if the file says that they are disabled or absent, or if they wait for an invitation that rolecall sent. If such a user has accepted, lower `min_admins` for this change."
            },
        ),
        admins.lost.iter().cloned().collect(),
    );
    Some(refusal.overridable_if(input.desired.guardrails.asked_admins.is_none_or(|asked| admins.after >= asked)))
}

/// Refuses every loss of access while the admins are unknown, because any user may be the last admin.
fn admins_unknown(input: &PlanInput<'_>, changes: &[Change]) -> Option<Refusal> {
    let why = input.live.admins_unsure.as_ref()?;
    let loses = |change: &&Change| {
        let before = change.before.as_ref().and_then(Entity::user).filter(|user| !user.invited && !user.outside);
        let after = change.after.as_ref().and_then(Entity::user);
        let keeps = |before: &User, after: &User| {
            let roles = after.roles == before.roles || input.is_admin(&after.roles);
            roles && !after.outside && after.enabled != Seen::Known(false)
        };
        before.is_some_and(|before| !after.is_some_and(|after| keeps(before, after)))
    };
    let addresses: Vec<Address> = changes.iter().filter(loses).map(|change| change.address.clone()).collect();
    (!addresses.is_empty()).then(|| {
        let message = format!("It isn't known how many admins would be left: {}.", why.trim_end_matches('.'));
        let overridable = input.desired.guardrails.asked_admins.is_none();
        Refusal::new(Guardrail::MinAdmins, message, addresses).overridable_if(overridable)
    })
}

/// Refuses removals by `manage: all` if no listed entity exists in the organisation. That looks like the wrong
/// organisation, or an empty list.
fn wrong_credential(input: &PlanInput<'_>, changes: &[Change], kind: Kind) -> Option<Refusal> {
    let PlanInput { desired, live, .. } = *input;
    let scope = match kind {
        // The organisation itself is never removed for not being listed, and invitations follow `manage: { users:
        // … }`.
        Kind::Organization | Kind::Invitation => return None,
        Kind::Team => desired.manage.teams,
        Kind::Role => desired.manage.roles,
        Kind::User => desired.manage.users,
        Kind::Key => desired.manage.keys,
    };
    let is_removal = |change: &&Change| {
        let removes =
            matches!(change.action, Action::Disable | Action::RemoveAccess | Action::Remove | Action::Delete);
        change.address.kind == kind && change.cause == Cause::NotListed && removes
    };
    let removed: Vec<Address> = changes.iter().filter(is_removal).map(|change| change.address.clone()).collect();
    if scope != Scope::All || removed.is_empty() {
        return None;
    }
    let (listed, found) = match kind {
        Kind::Organization | Kind::Invitation => return None,
        Kind::Team => {
            let listed = desired.teams.iter().filter(|desired| !desired.absent);
            (listed.clone().count(), listed.filter(|desired| live.team(&desired.name).is_some()).count())
        }
        Kind::Role => {
            let existing: BTreeSet<&RoleName> = live.roles().iter().map(|role| &role.name).collect();
            let listed = desired.roles.iter().filter(|desired| !desired.absent);
            (listed.clone().count(), listed.filter(|desired| existing.contains(&desired.name)).count())
        }
        Kind::User => {
            let existing: BTreeSet<&Email> = live.users.items.iter().map(|user| &user.email).collect();
            let listed = desired.users.iter().filter(|desired| !desired.absent);
            (listed.clone().count(), listed.filter(|desired| existing.contains(&desired.email)).count())
        }
        Kind::Key => {
            let existing: BTreeSet<&KeyName> = live.keys().iter().map(|key| &key.name).collect();
            let listed = desired.keys.iter().filter(|desired| !desired.absent);
            (listed.clone().count(), listed.filter(|desired| existing.contains(&desired.name)).count())
        }
    };
    if found > 0 {
        return None;
    }
    let what = format!("{}s", kind.as_str());
    let message = if listed == 0 {
        format!("`manage: {{ {what}: all }}` with no {what} listed would remove all {what}.")
    } else {
        format!(
            "None of the listed {what} ({listed}) exists. This looks like the wrong credential or the wrong file."
        )
    };
    Some(Refusal::new(Guardrail::Manage, message, removed))
}
