//! Who is there and not listed.

use super::super::PlanInput;
use super::super::draft::Draft;
use super::super::roles::RoleBook;
use super::address_of;
use super::present::{Leave, take_out};
use rolecall_model::{Cause, HoldReason, LiveUser, Scope, Standing};

pub(super) fn plan_unlisted(
    input: &PlanInput<'_>,
    user: &LiveUser,
    namesakes: bool,
    book: &mut RoleBook,
    draft: &mut Draft<'_>,
) {
    let address = address_of(user, namesakes);
    if user.standing == Standing::Owner {
        draft.hold(address, HoldReason::Owner { must_go: false });
        return;
    }
    if input.desired.manage.users == Scope::Listed {
        let privileged = book.is_privileged(input, &user.roles);
        draft.hold(address, HoldReason::Unmanaged { privileged });
        return;
    }
    if let Some(reason) = input.live.users.completeness.unreadable("users") {
        draft.hold(address, reason);
        return;
    }
    take_out(input, user, address, &Leave { cause: Cause::NotListed, wish: None }, book, draft);
}
