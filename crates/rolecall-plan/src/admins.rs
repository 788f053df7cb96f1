//! Counts the usable admins before and after a plan. Only the vendor can rescue an organisation that has none
//! left.
//!
//! Admins are counted twice, on the safe side each time, because it isn't always known who can sign in. The number
//! before the plan is an upper bound: every live admin who isn't known to be disabled. The number after the plan
//! is a lower bound: only admins who can be relied on. The API says that they can sign in, or else the file doesn't
//! say that they can't, and no invitation that rolecall sent them may be open.
//!
//! For example, Jane, Tom and Kim are admins on a platform that doesn't show who is enabled. The file declares Jane
//! enabled and Tom disabled, and doesn't list Kim. Before the plan there are three admins. Jane and Kim can be
//! relied on afterwards: the file says it of Jane, and leaves Kim alone.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

use super::PlanInput;
use super::users::possibly_disabled;
use rolecall_model::{AccountStatus, Address, Change, DesiredUser, Email, Entity, Index, Invitation, Seen, User};

/// The number of usable admins before and after a plan, and the changes that affect it.
pub(super) struct Admins {
    /// The upper bound: live admins who aren't known to be disabled.
    pub before: usize,
    /// The lower bound: admins after the plan who can be relied on. If the API doesn't show who can sign in, the
    /// file declares them enabled or doesn't list them, and they don't wait for an invitation that rolecall sent.
    pub after: usize,
    /// Users that the plan makes usable admins.
    pub gained: BTreeSet<Address>,
    /// Users that are no usable admins after the plan.
    pub lost: BTreeSet<Address>,
    /// Admins that rolecall may have disabled earlier, although the platform still lists them. They aren't
    /// counted.
    pub uncertain: BTreeSet<Address>,
    /// The number that must be left: what the file and the platform require, or all there were, if that is fewer.
    pub floor: usize,
}

/// Counts the usable admins before and after these changes.
pub(super) fn count(input: &PlanInput<'_>, changes: &[Change]) -> Admins {
    let desired_users: LazyCell<BTreeMap<&Email, &DesiredUser>, _> =
        LazyCell::new(|| input.desired.users.iter().map(|desired| (&desired.email, desired)).collect());
    // A user whom the file doesn't list stays as they are, so they count like one who is declared enabled.
    let may_sign_in = |email: &Email| {
        desired_users.get(email).is_none_or(|desired| desired.enabled == Some(true) && !desired.absent)
    };
    let accepted = |email: &Email| input.facts.invitations.get(email).is_none_or(Invitation::accepted_if_live);
    let changed: Vec<_> = changes
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
    let changed = Index::new(&changed, |(id, _)| *id);
    for user in &input.live.users.items {
        let known_disabled = match user.enabled {
            Seen::Known(enabled) => !enabled,
            Seen::Unreadable => input.facts.enabled_sent.get(&user.id) == Some(&false),
        };
        let readable = matches!(user.enabled, Seen::Known(_));
        let uncertain = possibly_disabled(input, user).is_some();
        let known_enabled = readable && !uncertain;
        let reliable = || known_enabled || (!readable && may_sign_in(&user.email) && accepted(&user.email));
        let owner = user.account_status == AccountStatus::Owner;
        let active = user.account_status.is_active();
        let usable = !known_disabled && active && (owner || input.is_admin(&user.roles));
        admins.before += usize::from(usable);
        if usable && uncertain {
            let namesakes = input.live.users_of(&user.email).nth(1).is_some();
            let id = Some(&user.id).filter(|_| namesakes);
            admins.uncertain.insert(Address::user(&user.email).with_id(id));
        }
        // The last change of a user is the one that counts.
        let Some((_, (address, after))) = changed.all(&user.id).last() else {
            admins.after += usize::from(usable && reliable());
            continue;
        };
        // A deleted user counts like one who left the organisation.
        let deleted = User { outside: true, ..User::named(user.email.clone()) };
        let after = after.unwrap_or(&deleted);
        let User { roles, enabled, .. } = after;
        let can_sign_in = *enabled == Seen::Known(true) && active && !after.outside;
        let usable_after = can_sign_in && (owner || input.is_admin(roles));
        // If a change only enables an account, no read can confirm it, so no other admin is demoted because of it.
        let visible = readable || usable || *roles != user.roles;
        let counts = usable_after && visible && reliable();
        admins.after += usize::from(counts);
        if counts && !usable {
            admins.gained.insert((*address).clone());
        }
        if usable && !usable_after {
            admins.lost.insert((*address).clone());
        }
    }
    admins.floor = required(input).min(admins.before);
    admins
}

/// Returns the number of admins that the file or the platform requires, whichever is higher.
pub(super) fn required(input: &PlanInput<'_>) -> usize {
    input.desired.guardrails.min_admins.max(minimum(input))
}

/// Returns the number of admins that no file and no exception can go below: what the platform itself requires, and
/// at least one if rolecall's own user isn't known, because the last admin may be that user.
pub(super) fn minimum(input: &PlanInput<'_>) -> usize {
    input.rules.capabilities().fewest_admins.max(usize::from(own_user_unknown(input)))
}

/// Returns whether rolecall's own user and key are unknown, so that any admin may be the one it signs in as. False
/// if the file sets `require_self: false`.
pub(super) fn own_user_unknown(input: &PlanInput<'_>) -> bool {
    let known = input.own_key().is_some() || input.desired.own_user.is_some() || input.live.caller.is_some();
    input.desired.guardrails.require_self && !known
}
