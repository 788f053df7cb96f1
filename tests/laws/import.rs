//! Law 10: a file that was imported is in sync, is the same whatever the order of pages, and hides nobody.

use std::collections::BTreeSet;

use rolecall_config::{Imported, Source, check_source};
use rolecall_engine::Import;
use rolecall_model::{Cause, Change, Facts, HoldClass, HoldReason, Kind, Live, Scope, Site};

use rolecall_plan::Planned;

use super::lawful::Lawful;
use super::support::rig::{Rig, now};
use super::*;

/// Imports an organisation.
fn imported<P: Lawful>(world: P::World, manage: Scope) -> (Live, Imported) {
    let mut rig: Rig<P> = Rig::new(world, "");
    rig.desired.reads = Kind::ALL.iter().copied().collect();
    let live = rig.read().unwrap();
    let caller = rolecall_providers::of(P::NAME).own_key(&P::secrets());
    let import = rolecall_engine::import(&Import {
        provider: P::NAME,
        head: P::HEAD,
        manage: Some(manage),
        kinds: &rolecall_config::kinds(rolecall_providers::format(P::NAME)).into_iter().collect(),
        live: &live,
        facts: &Facts::default(),
        site: &Site::host("sandbox"),
        own_key: caller.as_ref().or(rig.desired.own_key.as_deref()),
        now: now(),
    });
    (live, import)
}

/// A plan with the file has no change and no finding, whichever scope the file has. Another import is the same.
pub fn what_is_imported_is_in_sync<P: Lawful>(world: &P::World, manage: Scope, seed: u64) -> Law {
    let (live, Imported { text, incomplete, problems, .. }) = imported::<P>(world.clone(), manage);
    prop_assert!(problems.is_empty(), "{:#?}\n{}", problems, text);
    let (desired, findings) = check_source(&Source::inline("x.yaml", &*text), rolecall_providers::format);
    prop_assert!(findings.is_empty(), "{:#?}\n{}", findings, text);
    let desired = desired.unwrap();

    // The next run reads again, and only what the file mentions.
    let mut rig: Rig<P> = Rig::new(world.clone(), "");
    rig.desired = desired.clone();
    let planned = rig.planned(&rig.read().unwrap(), &BTreeSet::new(), None);
    prop_assert!(planned.is_ok(), "{:#?}\n{}", planned.err(), text);
    let Planned { plan, findings } = planned.unwrap();
    prop_assert!(findings.is_empty(), "{:#?}\n{}", findings, text);
    // A member's own invitation is a leftover, whatever the file says.
    let is_leftover = |change: &Change| change.cause == Cause::AlreadyMember;
    prop_assert!(plan.sealed.changes.iter().all(is_leftover), "{:#?}\n{}", plan.sealed.changes, text);
    for hold in plan.sealed.holds.iter().filter(|hold| hold.class == HoldClass::Blocked) {
        let needs_a_person = matches!(
            hold.reason,
            HoldReason::Unreadable { .. }
                | HoldReason::UnreadableRow { .. }
                | HoldReason::Suspended { .. }
                | HoldReason::Unapproved { .. }
                | HoldReason::MemberInvited { .. }
                | HoldReason::ManualStep { .. }
        );
        // Privileged access that no file can state needs attention.
        let unwritten = text.contains("can't be written") || text.contains("invitations. With an entry");
        prop_assert!(needs_a_person || unwritten, "{:#?}\n{}", hold, text);
    }

    for kind in Kind::ALL {
        let scope = match kind {
            Kind::Team => desired.manage.teams,
            Kind::Role => desired.manage.roles,
            Kind::User => desired.manage.users,
            Kind::Key => desired.manage.keys,
            Kind::Invitation | Kind::Organization => Scope::Listed,
        };
        let is_incomplete = incomplete.iter().any(|(of, _)| of == kind);
        prop_assert!(scope == Scope::Listed || manage == Scope::All && !is_incomplete, "{kind:?} {text}");
    }
    nobody_is_missing(&live, &text)?;
    let pinned = desired.users.iter().filter(|user| user.id.is_some());
    for user in pinned {
        let namesakes = live.users.items.iter().filter(|live| live.email == user.email);
        prop_assert!(namesakes.count() > 1, "{}", text);
    }

    let (_, again) = imported::<P>(P::shuffled(world, seed), manage);
    prop_assert_eq!(text, again.text);
    Ok(())
}

/// Everything that is live is in the file: as an entry, or in a comment.
fn nobody_is_missing(live: &Live, text: &str) -> Law {
    let people = live.users.items.iter().map(|user| user.email.as_str());
    let invited = live.invitations().iter().map(|invitation| invitation.email.as_str());
    let roles = live.roles().iter().map(|role| role.name.as_str());
    let teams = live.teams().iter().map(|team| team.name.as_str());
    let keys = live.keys().iter().map(|key| key.name.as_str());
    let lower = text.to_lowercase();
    let names: BTreeSet<&str> = people.chain(invited).chain(roles).chain(teams).chain(keys).collect();
    // A name with characters that don't show is escaped.
    for name in names.into_iter().filter(|name| name.chars().all(|c| c.is_ascii_graphic())) {
        prop_assert!(lower.contains(&name.to_lowercase()), "{name} is missing\n{text}");
    }
    Ok(())
}

/// An incomplete list is said, and the file manages only what it lists.
pub fn an_incomplete_list_is_said<P: Lawful>(mut world: P::World, how: u8) -> Law {
    P::break_users(&mut world, how);
    let (live, Imported { text, incomplete, .. }) = imported::<P>(world, Scope::All);
    let is_broken = live.hold_if_people_incomplete().is_some();
    prop_assert_eq!(is_broken, incomplete.iter().any(|(kind, _)| *kind == Kind::User));
    if is_broken {
        prop_assert!(text.starts_with("# Incomplete: ") && text.contains("  users: listed\n"), "{}", text);
    }
    Ok(())
}
