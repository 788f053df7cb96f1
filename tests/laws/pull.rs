//! Law 10: what was pulled is in sync, and every other byte of the file stays.

use std::fmt::Write as _;

use rolecall_config::{Gone, Pull as Pulls, PullOptions, Pulled, load_text};
use rolecall_engine::Pull;
use rolecall_model::{Address, Cause, Change, Kind, Live, Site};

use super::lawful::{FileBody, Lawful};
use super::support::rig::{Rig, now};
use super::*;

/// Returns the file with an entry on each line, and comments.
fn text_of<P: Lawful>(file: &FileBody) -> String {
    let mut text = format!("{}{}\nguardrails: {{ min_admins: {} }} # it\n", P::HEAD, file.head, file.min_admins);
    for (name, entries) in &file.lists {
        if entries.is_empty() {
            let _ = writeln!(text, "{name}: [] # nobody");
            continue;
        }
        let _ = writeln!(text, "\n{name}: # of {name}");
        for (at, entry) in entries.iter().enumerate() {
            let _ = writeln!(text, "  - {entry} # {name} {at}");
        }
    }
    text
}

fn pulled<P: Lawful>(text: &str, live: &Live, rig: &Rig<P>, options: &PullOptions) -> Option<Pulled> {
    let caller = rolecall_engine::apply::sign_in(rolecall_providers::of(P::NAME), &P::secrets());
    let loaded = load_text("access.yaml", text, rolecall_providers::format);
    let input = Pull {
        provider: P::NAME,
        live,
        facts: &rig.ledger.facts(),
        site: &Site::host("sandbox"),
        caller: Some(&caller),
        now: now(),
        options,
    };
    rolecall_engine::pull(&input, &loaded.files[0], &[]).ok()?.pop().map(|file| file.pulled)
}

fn entry_of(change: &Change) -> Address {
    match change.address.kind {
        Kind::Invitation => Address { kind: Kind::User, id: None, ..change.address.clone() },
        _ => change.address.clone(),
    }
}

/// A plan with the pulled file doesn't change what was pulled. Another pull changes nothing. A difference that can't be
/// pulled is said, and lines of other entries stay as they are.
pub fn what_is_pulled_is_in_sync<P: Lawful>(
    world: P::World,
    file: &FileBody,
    (absent, unlisted): (bool, bool),
) -> Law {
    let mut rig: Rig<P> = P::rig(world, file);
    let text = text_of::<P>(file);
    let live = rig.read().unwrap();
    let options =
        PullOptions { gone: if absent { Gone::Absent } else { Gone::Remove }, unlisted, ..PullOptions::default() };
    let Some(Pulled { text: after, pulled: done, left }) = pulled(&text, &live, &rig, &options) else {
        return Ok(());
    };
    let Ok(before) = rig.planned(&live, &BTreeSet::new(), None) else { return Ok(()) };
    let is_drift = |change: &&Change| {
        !change.is_leftover() && !matches!(change.cause, Cause::NeededByAnother | Cause::AlreadyMember)
    };
    for change in before.plan.sealed.changes.iter().filter(is_drift) {
        let entry = entry_of(change);
        prop_assert!(done.contains_key(&entry) || left.contains_key(&entry), "{:#?}\n{}", change, text);
    }
    rig.desired = desired(&after);
    let planned = rig.planned(&live, &BTreeSet::new(), None);
    prop_assert!(planned.is_ok(), "{:#?}\n{}\n{}", planned.err(), text, after);
    for change in planned.unwrap().plan.sealed.changes.iter().filter(is_drift) {
        prop_assert!(!done.contains_key(&entry_of(change)), "{:#?}\n{}\n{}", change, text, after);
    }
    let again = pulled(&after, &live, &rig, &options).unwrap();
    prop_assert_eq!(&again.text, &after, "{:#?}", again.pulled);
    prop_assert!(again.pulled.is_empty());
    let lines: BTreeSet<&str> = after.lines().collect();
    for line in text.lines().filter(|line| !line.is_empty() && !lines.contains(line)) {
        let lower = line.to_lowercase();
        let is_pulled = |(address, pull): (&Address, &Pulls)| {
            *pull != Pulls::Added
                && (lower.contains(address.name.to_lowercase().as_str()) || address.kind == Kind::Organization)
        };
        let is_list = line.ends_with("# nobody") || line.contains("# of ");
        prop_assert!(is_list || done.iter().any(is_pulled), "{:?} is gone\n{}", line, after);
    }
    Ok(())
}

/// Nobody is removed from a file because an incomplete list doesn't show them.
pub fn nobody_is_gone_from_an_incomplete_list<P: Lawful>(mut world: P::World, file: &FileBody, how: u8) -> Law {
    P::break_users(&mut world, how);
    let rig: Rig<P> = P::rig(world, file);
    let live = rig.read().unwrap();
    let options = PullOptions { unlisted: true, ..PullOptions::default() };
    if live.hold_if_people_incomplete().is_none() {
        return Ok(());
    }
    let Some(Pulled { pulled: done, .. }) = pulled(&text_of::<P>(file), &live, &rig, &options) else {
        return Ok(());
    };
    for (address, pull) in done.iter().filter(|(address, _)| address.kind == Kind::User) {
        prop_assert!(*pull != Pulls::Gone, "{} is gone", address);
    }
    Ok(())
}
