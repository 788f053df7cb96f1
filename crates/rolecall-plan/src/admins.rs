//! Who can administrate, before and after. An organisation without anybody can only be rescued by the vendor.

use std::collections::{BTreeMap, BTreeSet};

use super::PlanInput;
use super::users::possibly_disabled;
use rolecall_model::{AccountStatus, Address, Change, DesiredUser, Email, Entity, Invitation, Seen, User};

/// Usable admins, and which changes move their number.
pub(super) struct Admins {
    /// Counted generously: every live admin who isn't known to be off. This is what must not be lost.
    pub before: usize,
    /// Counted strictly. Where it can't be read who can sign in, that is who is listed, declared enabled, and not
    /// waiting on an invitation: nobody else is relied on.
    pub after: usize,
    pub gained: BTreeSet<Address>,
    pub lost: BTreeSet<Address>,
    /// Listed, and perhaps disabled by us: not counted.
    pub uncertain: BTreeSet<Address>,
    /// The fewest that may be left.
    pub floor: usize,
}

pub(super) fn count(input: &PlanInput<'_>, changes: &[Change]) -> Admins {
    let desired_users: BTreeMap<&Email, &DesiredUser> =
        input.desired.users.iter().map(|desired| (&desired.email, desired)).collect();
    let declared_on = |email: &Email| {
        desired_users.get(email).is_some_and(|desired| desired.enabled == Some(true) && !desired.absent)
    };
    let accepted = |email: &Email| input.facts.invitations.get(email).is_none_or(Invitation::accepted_if_live);
    let changed: BTreeMap<_, _> = changes
        .iter()
        .filter_map(|change| {
            let after = change.after.as_ref().and_then(Entity::user);
            let id = change.entity().and_then(Entity::user)?.id.as_ref()?;
            Some((id, (&change.address, after)))
        })
        .collect();
    let mut admins = Admins {
        before: 0,
        after: 0,
        gained: BTreeSet::new(),
        lost: BTreeSet::new(),
        uncertain: BTreeSet::new(),
        floor: 0,
    };
    for user in &input.live.users.items {
        let off = match user.enabled {
            Seen::Known(enabled) => !enabled,
            Seen::Unreadable => input.facts.enabled_sent.get(&user.id) == Some(&false),
        };
        let readable = matches!(user.enabled, Seen::Known(_));
        let uncertain = possibly_disabled(input, user).is_some();
        let known_on = readable && !uncertain;
        let reliable = known_on || (!readable && declared_on(&user.email) && accepted(&user.email));
        let owner = user.account_status == AccountStatus::Owner;
        let active = user.account_status.is_active();
        let usable = !off && active && (owner || input.is_admin(&user.roles));
        admins.before += usize::from(usable);
        if usable && uncertain {
            let namesakes = input.live.users.items.iter().filter(|other| other.email == user.email).count() > 1;
            let id = Some(&user.id).filter(|_| namesakes);
            admins.uncertain.insert(Address::user(&user.email).with_id(id));
        }
        let Some((address, after)) = changed.get(&user.id) else {
            admins.after += usize::from(usable && reliable);
            continue;
        };
        // Whoever is deleted is nobody any more.
        let nobody = User { outside: true, ..User::named(user.email.clone()) };
        let after = after.unwrap_or(&nobody);
        let User { roles, enabled, .. } = after;
        let on = *enabled == Seen::Known(true) && active && !after.outside;
        let usable_after = on && (owner || input.is_admin(roles));
        // Whoever only gets `enabled` back can't be seen to have it, so nobody is demoted in their favour.
        let visible = readable || usable || *roles != user.roles;
        admins.after += usize::from(usable_after && reliable && visible);
        if usable_after && reliable && visible && !usable {
            admins.gained.insert((*address).clone());
        }
        if usable && !usable_after {
            admins.lost.insert((*address).clone());
        }
    }
    admins.floor = required(input).min(admins.before);
    admins
}

/// The fewest admins that the file, or the platform, wants.
pub(super) fn required(input: &PlanInput<'_>) -> usize {
    input.desired.guardrails.min_admins.max(minimum(input))
}

/// Fewer than that no file can want: what the platform itself needs, and the last one where it isn't known whether what
/// we call with is theirs.
pub(super) fn minimum(input: &PlanInput<'_>) -> usize {
    input.rules.fewest_admins().max(usize::from(own_user_unknown(input)))
}

/// May anybody be whose credential we call with?
pub(super) fn own_user_unknown(input: &PlanInput<'_>) -> bool {
    let known = input.own_key().is_some() || input.desired.own_user.is_some() || input.live.caller.is_some();
    input.desired.guardrails.require_self && !known
}
