//! Lets roles stay that somebody got by hand, and that a file tolerates until a certain time.
//!
//! For example, a file gives Sam the role `Developer`, somebody made him `Admin` in an incident, and the file tolerates
//! `Admin` until Thursday. Until then Sam's entry counts as if it said `Admin`, and a hold tells so. Nobody gets a role
//! because it is tolerated: once Sam is `Developer` again, nothing is left to tolerate.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;

use rolecall_model::{
    Address, Desired, DesiredUser, Hold, HoldReason, Live, LiveUser, Placed, Quirk, RoleName, Rules, Scope,
    Tolerated,
};

/// Changes the desired state so that tolerated roles stay. Returns a hold for each user who has one.
pub(super) fn tolerate(
    desired: &mut Cow<'_, Desired>,
    live: &Live,
    rules: &dyn Rules,
    now: Timestamp,
) -> Vec<Hold> {
    let mut holds = Vec::new();
    if desired.tolerated.is_empty() {
        return holds;
    }
    let desired = desired.to_mut();
    for tolerated in std::mem::take(&mut desired.tolerated) {
        if !tolerated.until.is_past(now) {
            let users = live.users.items.iter().filter(|user| user.email == tolerated.email);
            let held = users.filter_map(|user| let_stay(desired, &tolerated, user, rules));
            let held: Vec<BTreeSet<RoleName>> = held.collect();
            for roles in held {
                let Tolerated { email, until, reason, .. } = &tolerated;
                let reason = HoldReason::Tolerated { roles, until: *until, reason: reason.clone() };
                holds.push(Hold::new(Address::user(email), reason));
            }
        }
        desired.tolerated.push(tolerated);
    }
    holds
}

/// Lets the tolerated roles of a user stay. Returns those that would go otherwise.
fn let_stay(
    desired: &mut Desired,
    tolerated: &Tolerated,
    user: &LiveUser,
    rules: &dyn Rules,
) -> Option<BTreeSet<RoleName>> {
    let held: BTreeSet<RoleName> = user.roles.intersection(&tolerated.roles).cloned().collect();
    if held.is_empty() {
        return None;
    }
    let of_it =
        |entry: &&mut DesiredUser| entry.email == user.email && entry.id.as_ref().is_none_or(|id| *id == user.id);
    let Some(entry) = desired.users.iter_mut().find(of_it) else {
        let roles = if desired.manage.users == Scope::All { held.clone() } else { user.roles.clone() };
        let named = DesiredUser::named(tolerated.place.clone(), user.email.clone());
        let roles = Some(Placed { value: roles, place: tolerated.place.clone() });
        desired.users.push(DesiredUser { roles, ..named });
        desired.users.sort_by(|a, b| (&a.email, &a.id).cmp(&(&b.email, &b.id)));
        return Some(held);
    };
    // Somebody who must be removed keeps nothing.
    if entry.absent || entry.deleted || entry.enabled == Some(false) {
        return None;
    }
    let keeps = || Placed { value: user.roles.clone(), place: tolerated.place.clone() };
    let Placed { value: roles, .. } = match &mut entry.roles {
        Some(roles) => roles,
        none => {
            *none = Some(keeps());
            return Some(held);
        }
    };
    if held.is_subset(roles) {
        return None;
    }
    if rules.has(Quirk::SeveralRoles) {
        roles.extend(held.iter().cloned());
    } else {
        // The one role came with its resources.
        roles.clone_from(&held);
        entry.resources = None;
    }
    Some(held)
}
