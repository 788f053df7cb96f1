//! The one permission: a key does everything or nothing.

use crate::ReadError;
use crate::permission::{Answered, Permission, Permitted, changes};
use rolecall_model::{Desired, Kind};

const ADMIN: Permission = Permission {
    name: "the role `ADMIN`",
    operations: &["createOrgApiKey", "inviteUser", "updateOrgApiKey", "updateUser"],
    is_needed: |desired| changes(desired, Kind::User) || changes(desired, Kind::Key),
    grant: "Create a key with the role ADMIN in the web app. Each operation needs it, reading too.",
};

/// The vendor's page asks for `ADMIN` for every operation, without an exception for reads.
pub(super) fn permissions(desired: &Desired) -> Vec<Answered> {
    let read = Permitted::Yes("reading users needs it too, and worked".to_owned());
    (ADMIN.is_needed)(desired).then_some((&ADMIN, read)).into_iter().collect()
}

/// Returns advice on a read that the platform refused.
pub(super) fn next_step_of_read(error: &ReadError) -> Option<&'static str> {
    error.is_refused_credential().then_some(
        "Check that the key is one of this organisation, that it is enabled, and that it has the role ADMIN. Reading needs that role, too.",
    )
}
