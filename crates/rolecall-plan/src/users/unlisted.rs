//! Plans members whom the file doesn't list.

use super::super::PlanInput;
use super::super::builder::PlanBuilder;
use super::super::roles::PlannedRoles;
use super::address_of;
use super::present::{Removal, remove_user};
use rolecall_model::{AccountStatus, Cause, HoldReason, Known, LiveUser, Scope};

pub(super) fn plan_unlisted(
    input: &PlanInput<'_>,
    user: &LiveUser,
    namesakes: bool,
    planned_roles: &mut PlannedRoles,
    builder: &mut PlanBuilder<'_>,
) {
    let address = address_of(user, namesakes);
    if user.account_status == AccountStatus::Owner {
        builder.hold(address, HoldReason::Owner { must_be_removed: false });
        return;
    }
    if input.desired.manage.users == Scope::Listed {
        let privileged = planned_roles.is_privileged(input, &user.roles);
        if input.is_own_user(&user.email, &user.id) {
            builder.hold(address, HoldReason::Unmanaged { privileged, known: Some(Known::Own) });
        } else {
            builder.hold_unmanaged(address, privileged);
        }
        return;
    }
    if let Some(reason) = input.live.users.completeness.hold_if_incomplete("users") {
        builder.hold(address, reason);
        return;
    }
    remove_user(input, user, address, &Removal { cause: Cause::NotListed, desired: None }, planned_roles, builder);
}
