//! Finds the privileged changes, which a reviewer should look at first.

use std::collections::BTreeSet;

use super::PlanInput;
use super::keys::is_privileged;
use super::roles::PlannedRoles;
use rolecall_model::{Address, Change, Entity};

/// Returns the changes of users, roles and keys that can administrate before or after the change. A change of the
/// organisation is always one of them.
pub(super) fn among(input: &PlanInput<'_>, changes: &[Change], planned_roles: &PlannedRoles) -> BTreeSet<Address> {
    let is_privileged = |entity: &Entity| match entity {
        Entity::Organization(_) => true,
        Entity::Team(_) => false,
        Entity::Role(role) => input.rules.is_privileged(&role.permissions),
        Entity::User(user) => input.is_admin(&user.roles) || planned_roles.is_privileged(input, &user.roles),
        Entity::Key(key) => is_privileged(input, key),
    };
    let is_privileged_change = |change: &&Change| change.before.iter().chain(&change.after).any(is_privileged);
    changes.iter().filter(is_privileged_change).map(|change| change.address.clone()).collect()
}
