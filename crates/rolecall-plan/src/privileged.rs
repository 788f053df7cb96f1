//! Finds the privileged changes, which a reviewer should look at first.

use std::collections::{BTreeMap, BTreeSet};

use super::PlanInput;
use super::keys::is_privileged;
use super::roles::PlannedRoles;
use rolecall_model::{Action, Address, Change, Entity, Privilege};

/// Returns the changes that give or take privileged access, or change somebody who has it. `of_holders`: what the changes
/// do to the privileged access of everybody whose access changes. It counts for those who have no change of their own,
/// such as the holders of a role that becomes privileged.
pub(super) fn among(
    input: &PlanInput<'_>,
    changes: &[Change],
    planned_roles: &PlannedRoles,
    of_holders: BTreeMap<Address, Privilege>,
) -> BTreeMap<Address, Privilege> {
    let changed: BTreeSet<_> = changes.iter().filter_map(|change| change.address.holder()).collect();
    let follows =
        |(address, _): &(Address, Privilege)| address.holder().is_some_and(|holder| !changed.contains(&holder));
    let named = |change: &Change| Some((change.address.clone(), privilege(input, change, planned_roles)?));
    changes.iter().filter_map(named).chain(of_holders.into_iter().filter(follows)).collect()
}

/// Returns the effect of a change on privileged access. The roles of the old value count as they are before the
/// plan, and those of the new value as they are after it: a user who moves into a role that the same plan creates
/// had nothing of it before.
fn privilege(input: &PlanInput<'_>, change: &Change, planned_roles: &PlannedRoles) -> Option<Privilege> {
    // An invitation that is sent again gives its access anew.
    let before = change.before.as_ref().filter(|_| change.action != Action::Invite);
    let after = change.after.as_ref();
    let had = before.is_some_and(|entity| match entity {
        Entity::User(user) => planned_roles.is_privileged_before(input, &user.roles),
        other => can_give_access(input, other),
    });
    let has = after.is_some_and(|entity| match entity {
        Entity::User(user) => planned_roles.is_privileged_after(input, &user.roles),
        other => can_give_access(input, other),
    });
    match (had && before.is_some_and(Entity::works), has && after.is_some_and(Entity::works)) {
        (false, true) => Some(Privilege::Gains),
        (true, false) => Some(Privilege::Loses),
        (true, true) => Some(Privilege::Keeps),
        (false, false) => (had || has).then_some(Privilege::Keeps),
    }
}

fn can_give_access(input: &PlanInput<'_>, entity: &Entity) -> bool {
    match entity {
        Entity::Organization(_) => true,
        Entity::Team(_) | Entity::User(_) => false,
        Entity::Role(role) => input.rules.is_privileged(&role.permissions),
        Entity::Key(key) => is_privileged(input, key),
    }
}
