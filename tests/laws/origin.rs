//! Law 12: every change has an origin, and the same one as an oracle gives that knows the base, the files, live and the
//! ledger.
//!
//! The oracle doesn't plan. It knows how each situation came about: the base was applied, somebody else then changed some
//! entities, and a pull request edits some entries.

use std::fmt::Write as _;

use rolecall_config::{Source, Version, check_source, differences};
use rolecall_model::{DeletedBy, Desired, OriginKind};
use rolecall_plan::{compare_with_base, unasked};

use super::lawful::{FileBody, Lawful};
use super::support::rig::Rig;
use super::*;

/// Returns the name of the entity that an entry is about.
fn name(entry: &str) -> String {
    let field = ["email: ", "name: "].iter().filter_map(|field| Some((entry.find(field)?, field.len()))).min();
    let (at, length) = field.unwrap();
    let rest = &entry[at + length..];
    let end = rest.find([',', '}']).unwrap_or(rest.len());
    rest[..end].trim().trim_matches('"').to_lowercase()
}

/// Takes some entries of `other` into a file, by their names. `taken`: the entries to take, one for each name in turn.
/// Returns the names of those that differ.
fn edited(file: &FileBody, other: &FileBody, taken: &[bool]) -> (FileBody, BTreeSet<String>) {
    let mut result = file.clone();
    let mut names = BTreeSet::new();
    let mut turn = taken.iter().cycle();
    for (list, entries) in &mut result.lists {
        let others = other.lists.iter().find(|(name, _)| name == list).map(|(_, entries)| entries.clone());
        let mut others: BTreeMap<String, String> =
            others.unwrap_or_default().into_iter().map(|entry| (name(&entry), entry)).collect();
        let mut kept = Vec::new();
        for entry in entries.drain(..) {
            let replacement = others.remove(&name(&entry));
            if !turn.next().unwrap() || replacement.as_ref() == Some(&entry) {
                kept.push(entry);
                continue;
            }
            names.insert(name(&entry));
            kept.extend(replacement);
        }
        for (name, entry) in others {
            if *turn.next().unwrap() {
                names.insert(name);
                kept.push(entry);
            }
        }
        *entries = kept;
    }
    (result, names)
}

/// Returns the names of the rows in which two reads differ.
fn moved(before: &Live, after: &Live) -> BTreeSet<String> {
    fn rows(live: &Live) -> BTreeSet<(String, String)> {
        let users = live.users.items.iter().map(|row| (row.email.to_string(), format!("{row:?}")));
        let open = live.invitations.iter().flat_map(|list| &list.items);
        let open = open.map(|row| (row.email.to_string(), format!("{row:?}")));
        let roles = live.roles().iter().map(|row| (row.name.to_string(), format!("{row:?}")));
        let teams = live.teams().iter().map(|row| (row.name.to_string(), format!("{row:?}")));
        let keys = live.keys().iter().map(|row| (row.name.to_string(), format!("{row:?}")));
        let all = users.chain(open).chain(roles).chain(teams).chain(keys);
        all.map(|(name, row)| (name.to_lowercase(), row)).collect()
    }
    let (before, after) = (rows(before), rows(after));
    before.symmetric_difference(&after).map(|(name, _)| name.clone()).collect()
}

/// Returns the file as text, with an entry on each line.
fn lines<P: Lawful>(file: &FileBody) -> String {
    let mut text = format!("{}{}\nguardrails: {{ min_admins: {} }}\n", P::HEAD, file.head, file.min_admins);
    for (name, entries) in &file.lists {
        let _ = writeln!(text, "{name}:{}", if entries.is_empty() { " []" } else { "" });
        for entry in entries {
            let _ = writeln!(text, "  - {entry}");
        }
    }
    text
}

/// Checks a file. `None` if its entries contradict each other.
fn checked(text: &str) -> Option<Desired> {
    check_source(&Source::inline("access.yaml", text), rolecall_providers::format).0
}

/// The base is applied, somebody else applies `drift`, and a pull request takes entries of `other`.
pub fn the_origin_is_that_of_an_oracle<P: Lawful>(
    mut world: P::World,
    base: &FileBody,
    (drift, drifted): (&FileBody, &[bool]),
    (other, taken): (&FileBody, &[bool]),
) -> Law {
    P::remove_unknowable(&mut world);
    let mut rig: Rig<P> = P::rig(world, base);
    let Some(first) = planned(&rig) else { return Ok(()) };
    if !rig.apply_plan(&first).is_some_and(|report| report.all_done()) {
        return Ok(());
    }
    let as_wished = rig.read().unwrap();
    // Somebody else has no ledger in common with us.
    let by_hand = edited(base, drift, drifted).0;
    if checked(&lines::<P>(&by_hand)).is_none() {
        return Ok(());
    }
    let mut hand: Rig<P> = P::rig(rig.world().clone(), &by_hand);
    if let Some(plan) = planned(&hand) {
        hand.apply_plan(&plan);
    }
    let changed = hand.world().clone();
    *rig.world() = changed;
    let live = rig.read().unwrap();
    let moved = moved(&as_wished, &live);
    let (head, edited) = edited(base, other, taken);
    let (base_text, head_text) = (lines::<P>(base), lines::<P>(&head));
    let (Some(base), Some(head)) = (checked(&base_text), checked(&head_text)) else { return Ok(()) };
    rig.desired = base.clone();
    let Ok(base_plan) = rig.planned(&live, &BTreeSet::new(), None) else { return Ok(()) };
    rig.desired = head.clone();
    let Ok(planned) = rig.planned(&live, &BTreeSet::new(), None) else { return Ok(()) };
    let mut plan = planned.plan;
    let comparison = compare_with_base(&plan, Some(&base_plan.plan), "base");
    let source = |text: &str| Source::inline("access.yaml", text);
    let (base_source, head_source) = (source(&base_text), source(&head_text));
    let found = differences(
        Some(&Version { source: &base_source, included: Vec::new(), desired: &base }),
        &Version { source: &head_source, included: Vec::new(), desired: &head },
    );
    let situation =
        || format!("edited {edited:?}, moved {moved:?}\n{base_text}\n{head_text}\n{:#?}", plan.sealed.changes);
    for change in &plan.sealed.changes {
        let origin = &comparison.changes[&change.address];
        let name = change.address.name.as_str().to_lowercase();
        let (edited_here, moved_here) = (edited.contains(&name), moved.contains(&name));
        match origin.is {
            OriginKind::Asked => {
                prop_assert!(!edited.is_empty(), "nobody asked for {}: {}", change.address, situation());
                let asks = found.asking(change);
                prop_assert!(!asks.is_empty(), "no line asks for {}: {}", change.address, situation());
                for line in &asks {
                    let text = if line.added { &head_text } else { &base_text };
                    prop_assert_eq!(text.lines().nth(line.line - 1), Some(&*line.text), "{}", situation());
                }
                if edited_here {
                    let mentions = asks.iter().all(|line| line.text.to_lowercase().contains(&name));
                    prop_assert!(mentions, "{:?} {}", asks, situation());
                }
                prop_assert!(origin.drifted.is_empty() || !moved.is_empty(), "{:?} {}", origin, situation());
            }
            OriginKind::Drifted => {
                prop_assert!(!moved.is_empty(), "nobody moved {}: {}", change.address, situation());
            }
            OriginKind::StillToDo => prop_assert!(change.is_leftover()),
            OriginKind::Expired => prop_assert_eq!(&change.cause, &Cause::InvitationExpired),
            OriginKind::NeededByAnother => prop_assert_eq!(&change.cause, &Cause::NeededByAnother),
        }
        let by_itself = !change.is_leftover()
            && !matches!(change.cause, Cause::NeededByAnother | Cause::InvitationExpired)
            && change.address.kind != Kind::Organization;
        let (asked, drifted) = (origin.is == OriginKind::Asked, origin.is == OriginKind::Drifted);
        if by_itself && edited_here && !moved_here {
            // The entries of both say the same in other words, or a role or team of the entry was moved.
            prop_assert!(asked || !moved.is_empty(), "{} {}", change.address, situation());
        }
        if by_itself && moved_here && !edited_here {
            prop_assert!(drifted || !edited.is_empty(), "{} {}", change.address, situation());
        }
        if by_itself && (edited_here, moved_here) == (true, false) && moved.is_empty() {
            prop_assert!(asked, "{} {}", change.address, situation());
        }
    }
    let deleted: BTreeSet<String> =
        found.deletions.iter().map(|deletion| deletion.address.name.as_str().to_lowercase()).collect();
    prop_assert!(deleted.is_subset(&edited), "{:?} {}", found.deletions, situation());
    for deletion in &found.deletions {
        prop_assert!(matches!(deletion.by, DeletedBy::Entry | DeletedBy::Renamed { .. }), "{:?}", deletion);
    }
    let without_drift = moved.is_empty();
    plan.comparison = Some(rolecall_model::Comparison { deletions: found.deletions.clone(), ..comparison });
    let findings = unasked(&plan, &head);
    prop_assert!(findings.is_empty() || !without_drift, "{:?}", findings);
    Ok(())
}
