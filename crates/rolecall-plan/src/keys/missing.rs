//! Finds the keys that a file asks for and that don't exist: the next apply creates them, or something blocks that.

use std::collections::BTreeSet;

use super::super::PlanInput;
use super::super::access::new_key;
use super::super::gate::Gate;
use super::mint::secret_target;
use super::status::{step, words};
use super::{KeyStage, KeyStatus, MadeBy, Skipped, StepKind};
use rolecall_model::{Action, Address, Change, DesiredKey, Hold, HoldClass, KeyName, Kind, RemoteId};

/// Returns the creation of a key with this name that replaces no live key.
pub(super) fn creation<'a>(gate: &'a Gate<'_>, name: &KeyName) -> Option<&'a Change> {
    let address = Address::key(name);
    let is_new = |change: &&Change| change.action == Action::Create && change.before.is_none();
    gate.changes.iter().filter(is_new).find(|change| change.address == address)
}

/// Returns the entries that no live key fulfils. A key that is disabled fulfils only an entry with its id. An orphan or an
/// expired key says itself that another one is created.
pub(super) fn missing<'a>(input: &'a PlanInput<'_>, gate: &'a Gate<'_>) -> impl Iterator<Item = KeyStatus> + 'a {
    let live = input.live;
    let pinned: BTreeSet<&RemoteId> = input.desired.keys.iter().filter_map(|entry| entry.id.as_ref()).collect();
    let is_missing = move |entry: &&DesiredKey| {
        let exists = live.keys().iter().filter(|key| key.name == entry.name).any(|key| match &entry.id {
            Some(id) => key.id == *id,
            None => key.enabled && !pinned.contains(&key.id),
        });
        let is_unreadable = match &entry.id {
            Some(id) => live.is_unreadable_id(Kind::Key, id),
            None => live.is_unreadable(&Address::key(&entry.name)),
        };
        !entry.absent && !exists && !is_unreadable
    };
    input.desired.keys.iter().filter(is_missing).map(move |entry| status(input, gate, entry))
}

fn status(input: &PlanInput<'_>, gate: &Gate<'_>, entry: &DesiredKey) -> KeyStatus {
    let change = creation(gate, &entry.name).filter(|_| entry.id.is_none());
    let address = Address::key(&entry.name).with_id(&entry.id);
    let is_of_entry = |hold: &&Hold| hold.address == address;
    let holds: Vec<&Hold> = gate.holds.iter().filter(is_of_entry).collect();
    let blocked = holds.iter().find(|hold| change.is_none() && hold.class == HoldClass::Blocked);
    let next = match (change, blocked) {
        (Some(change), _) => Some(step(StepKind::Create, None, change.is_leftover())),
        (None, Some(_)) => Some(step(StepKind::Unblock, None, false)),
        (None, None) => None,
    };
    let skipped = holds.iter().filter(|hold| Some(*hold) != blocked && hold.class != HoldClass::Ignored);
    let skipped = skipped.map(|hold| Skipped { class: hold.class, why: words(&hold.reason) }).collect();
    KeyStatus {
        name: entry.name.clone(),
        id: None,
        stage: blocked.map_or(KeyStage::Missing, |hold| KeyStage::Blocked { why: words(&hold.reason) }),
        made_by: MadeBy::Nobody,
        created: None,
        seen_since: None,
        age_seconds: None,
        next,
        delivered: None,
        deliver_to: entry.deliver.iter().map(|delivery| secret_target(delivery)).collect(),
        skipped,
        expiring: false,
        access: new_key(input, address, entry, change.and_then(|change| change.after.as_ref()?.key())).into(),
    }
}
