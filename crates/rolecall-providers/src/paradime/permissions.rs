//! The capability that changes need, and whether the key has it. Reading needs less, and no answer names the capabilities
//! of a key. So a mutation that names nobody asks.

use serde_json::json;

use super::documents::UPDATE_USER_ACCOUNT_TYPE;
use crate::ReadError;
use crate::permission::{Answered, Permission, Permitted, changes};
use rolecall_graphql::{Probe, Reader};
use rolecall_model::{Desired, Kind};

const MANAGEMENT: Permission = Permission {
    name: "the capability User management admin",
    operations: &["disableUser", "inviteUser", "updateUserAccountType"],
    is_needed: |desired| changes(desired, Kind::User),
    grant: "Generate a key with the capability User management admin in the web app, under Account Settings > Workspace Settings > Generate API Keys.",
};

/// A uid has 64 hexadecimal digits in all examples of the documentation, so nobody has this one.
const NOBODY: &str = "rolecall-asks-whether-it-may-change-users";

pub(super) async fn permissions(reader: &Reader, desired: &Desired) -> Vec<Answered> {
    if !(MANAGEMENT.is_needed)(desired) {
        return Vec::new();
    }
    let variables = json!({ "uid": NOBODY, "accountType": "BUSINESS" });
    let answer = reader.probe(&Probe::new(UPDATE_USER_ACCOUNT_TYPE, variables)).await;
    vec![(&MANAGEMENT, Permitted::of_probe(&answer))]
}

/// Returns advice on a read that the platform refused.
pub(super) fn next_step_of_read(error: &ReadError) -> Option<&'static str> {
    error.is_refused_credential().then_some(
        "Check that the credential is one of this workspace, and that it has the capability User metadata viewer or User management admin. Keys are made in the web app, under Account Settings > Workspace Settings > Generate API Keys.",
    )
}
