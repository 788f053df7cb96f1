//! Limits that hold whatever the file asks for. A plan that breaks one is shown and never sent.

mod exceptions;
mod removals;

pub(super) use exceptions::apply_exceptions;

use std::collections::BTreeSet;

use super::PlanInput;
use super::admins::{self, Admins};
use super::roles::PlannedRoles;
use rolecall_model::{
    Action, Address, Cause, Change, Code, DesiredUser, Email, Entity, Finding, Guardrail, KeyName, Kind, Refusal,
    RoleName, Scope, Seen, User,
};

/// A protected address that nobody has protects nobody: probably a typo.
pub(super) fn unmatched_protected(input: &PlanInput<'_>) -> Vec<Finding> {
    let PlanInput { desired, live, .. } = *input;
    if desired.guardrails.protected.is_empty() {
        return Vec::new();
    }
    let users = live.users.items.iter().map(|user| Address::user(&user.email).with_id(&user.id));
    let keys = live.keys().iter().map(|key| Address::key(&key.name).with_id(&key.id));
    let roles = live.roles().iter().map(|role| Address::role(&role.name));
    let teams = live.teams().iter().map(|team| Address::team(&team.name));
    let wished_teams = desired.teams.iter().map(|desired| Address::team(&desired.name));
    let itself = live.organization_entity.iter().map(|_| Address::organization());
    let teams = teams.chain(wished_teams).chain(itself);
    let invited = live.invitations().iter().map(|invitation| Address::user(&invitation.email));
    let wished = desired.users.iter().map(|desired| Address::user(&desired.email));
    let made = desired
        .roles
        .iter()
        .map(|desired| &desired.name)
        .chain(desired.containment_role.as_deref())
        .map(Address::role);
    let wished = wished.chain(made);
    let known: Vec<Address> = users.chain(keys).chain(roles).chain(teams).chain(invited).chain(wished).collect();
    let read = |kind: Kind| kind != Kind::Key || live.keys.is_some();
    let unknown = desired
        .guardrails
        .protected
        .iter()
        .filter(|(address, _)| read(address.kind()) && !known.iter().any(|known| address.covers(known)));
    unknown
        .map(|(address, place)| {
            Finding::warning(
                Code::UnmatchedAddress,
                place.clone(),
                format!("`{address}` is protected and nobody has that address"),
            )
            .hint("check its spelling; `rolecall drift` shows every address")
        })
        .collect()
}

pub(super) fn find_refusals(
    input: &PlanInput<'_>,
    changes: &[Change],
    admins: &Admins,
    planned_roles: &PlannedRoles,
) -> Vec<Refusal> {
    let mut refusals: Vec<Refusal> = removals::too_many_removals(input, changes, planned_roles).collect();
    refusals.extend(min_admins(input, admins));
    refusals.extend(admins_unknown(input, changes));
    refusals.extend(Kind::ALL.iter().filter_map(|kind| wrong_credential(input, changes, *kind)));
    refusals.extend(unproven_organization(input, changes));
    refusals.sort();
    refusals
}

/// Where no answer names the organisation, somebody who is listed has to be there before others are invited: it may be
/// another one.
fn unproven_organization(input: &PlanInput<'_>, changes: &[Change]) -> Option<Refusal> {
    let PlanInput { desired, live, rules, .. } = *input;
    // Whoever `own` names is there, or this isn't reached.
    if rules.names_organization() || desired.own_user.is_some() {
        return None;
    }
    let there: BTreeSet<&Email> = live.users.items.iter().map(|user| &user.email).collect();
    let is_there = |desired: &DesiredUser| !desired.absent && there.contains(&desired.email);
    let invites = changes.iter().filter(|change| change.action == Action::Invite);
    let invites: Vec<Address> = invites.map(|change| change.address.clone()).collect();
    if invites.is_empty() || desired.users.iter().any(is_there) {
        return None;
    }
    Some(Refusal {
        guardrail: Guardrail::Organization,
        message: "nobody who is listed is active there, and no answer names the organisation, so that this may be another one. List somebody who is there, or name the credential's owner as `own: { user: … }`".to_owned(),
        addresses: invites,
    })
}

fn min_admins(input: &PlanInput<'_>, admins: &Admins) -> Option<Refusal> {
    if admins.after >= admins.floor || admins.lost.is_empty() {
        return None;
    }
    let wanted = admins::required(input);
    let uncertain: Vec<String> = admins.uncertain.iter().map(ToString::to_string).collect();
    let uncertain = match &uncertain[..] {
        [] => String::new(),
        names => format!(". Not counted, since rolecall may have disabled them: {}", names.join(", ")),
    };
    let ours = if admins::own_user_unknown(input) && admins.after == 0 {
        ". Whatever the file wants, the last admin stays while it isn't known what rolecall calls with: name it as `own`"
    } else {
        ""
    };
    Some(Refusal {
        guardrail: Guardrail::MinAdmins,
        message: format!(
            "{} usable {} would be left, and the file wants at least {wanted}. {}{uncertain}{ours}",
            admins.after,
            if admins.after == 1 { "admin" } else { "admins" },
            if input.live.invitations.is_some() {
                "Whoever is invited counts once they have accepted"
            } else {
                "Usable is who is listed, declared enabled, an admin, and not waiting on an invitation that rolecall sent. If somebody who counts as waiting is known to have accepted, lower `min_admins` for this change"
            },
        ),
        addresses: admins.lost.iter().cloned().collect(),
    })
}

/// Nobody loses anything while it isn't known who administrates: they may be the last who does.
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
    (!addresses.is_empty()).then(|| Refusal {
        guardrail: Guardrail::MinAdmins,
        message: format!("how many admins would be left can't be known: {why}"),
        addresses,
    })
}

/// `manage: all` with nobody listed, or nobody of those listed there, looks like the wrong organisation.
fn wrong_credential(input: &PlanInput<'_>, changes: &[Change], kind: Kind) -> Option<Refusal> {
    let PlanInput { desired, live, .. } = *input;
    let scope = match kind {
        // The organisation is never deleted for not being listed, and an invitation proves no wrong organisation.
        Kind::Organization | Kind::Invitation => return None,
        Kind::Team => desired.manage.teams,
        Kind::Role => desired.manage.roles,
        Kind::User => desired.manage.users,
        Kind::Key => desired.manage.keys,
    };
    let is_removal = |change: &&Change| {
        let takes =
            matches!(change.action, Action::Disable | Action::RemoveAccess | Action::Remove | Action::Delete);
        change.address.kind == kind && change.cause == Cause::NotListed && takes
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
            let there: BTreeSet<&RoleName> = live.roles().iter().map(|role| &role.name).collect();
            let listed = desired.roles.iter().filter(|desired| !desired.absent);
            (listed.clone().count(), listed.filter(|desired| there.contains(&desired.name)).count())
        }
        Kind::User => {
            let there: BTreeSet<&Email> = live.users.items.iter().map(|user| &user.email).collect();
            let listed = desired.users.iter().filter(|desired| !desired.absent);
            (listed.clone().count(), listed.filter(|desired| there.contains(&desired.email)).count())
        }
        Kind::Key => {
            let there: BTreeSet<&KeyName> = live.keys().iter().map(|key| &key.name).collect();
            let listed = desired.keys.iter().filter(|desired| !desired.absent);
            (listed.clone().count(), listed.filter(|desired| there.contains(&desired.name)).count())
        }
    };
    if found > 0 {
        return None;
    }
    let what = format!("{}s", kind.as_str());
    let message = if listed == 0 {
        format!("`manage: {{ {what}: all }}` with no {what} listed would take every one of them away")
    } else {
        format!("none of the {listed} {what} listed is there, which looks like a wrong credential or file")
    };
    Some(Refusal { guardrail: Guardrail::Manage, message, addresses: removed })
}
