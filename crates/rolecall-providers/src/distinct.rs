//! Removes duplicates from lists whose rows should be different entities.

use rolecall_model::{LiveUser, RemoteId};

/// Returns the users sorted by their ids. A user who is listed twice with different values is left out, because nobody knows
/// which of them is true.
pub(super) fn distinct(users: impl IntoIterator<Item = LiveUser>) -> Vec<LiveUser> {
    let mut users: Vec<LiveUser> = users.into_iter().collect();
    users.sort_by(|one, other| one.id.cmp(&other.id));
    let differing = users.windows(2).filter(|pair| pair[0].id == pair[1].id && pair[0] != pair[1]);
    let differing: Vec<RemoteId> = differing.map(|pair| pair[0].id.clone()).collect();
    users.dedup_by(|one, other| one.id == other.id);
    users.retain(|user| differing.binary_search(&user.id).is_err());
    users
}
