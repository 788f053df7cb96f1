//! Law 10: a file that was imported is in sync, is the same whatever the order of pages, and hides nobody.

use std::collections::BTreeSet;
use std::path::Path;

use rolecall_config::{
    Everybody, Imported, Roster, Source, check_source, everybody, include_people, load_text, reload,
};
use rolecall_engine::Import;
use rolecall_model::{Cause, Change, Email, Facts, HoldClass, HoldReason, Kind, Live, Scope, Site};

use rolecall_plan::Planned;

use super::lawful::Lawful;
use super::support::bitpanda::Custody;
use super::support::hive::Console;
use super::support::paradime::Workspace;
use super::support::rapidapi::Hub;
use super::support::rig::{Platform, Rig, now};
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

/// Two organisations of the platform that shows names, and one of each other.
pub type Worlds = (
    [<Custody as Platform>::World; 2],
    <Console as Platform>::World,
    <Workspace as Platform>::World,
    <Hub as Platform>::World,
);

pub fn worlds() -> impl Strategy<Value = Worlds> {
    let custody = || {
        let names = proptest::collection::vec((0..5_usize, 0..5_usize, 0..5_usize), 12);
        (Custody::worlds(true), names).prop_map(|(mut world, names)| {
            const NAMES: [Option<&str>; 5] = [None, Some(""), Some("U"), Some("3 \u{200b}"), Some("1: #2")];
            for (user, (first, last, phone)) in world.users.iter_mut().zip(names) {
                let name = |at: usize| NAMES[at].map(ToOwned::to_owned);
                (user.first_name, user.last_name, user.phone) = (name(first), name(last), name(phone));
            }
            world
        })
    };
    ([custody(), custody()], Console::worlds(true), Workspace::worlds(true), Hub::worlds(true))
}

/// An organisation as it was read, and its imported file.
type Read = (ProviderName, &'static str, (Live, Imported));

fn read((custody, console, workspace, hub): &Worlds) -> Vec<Read> {
    let [one, other] = custody;
    vec![
        (Custody::NAME, "one", imported::<Custody>(one.clone(), Scope::Listed)),
        (Custody::NAME, "other", imported::<Custody>(other.clone(), Scope::Listed)),
        (Console::NAME, "one", imported::<Console>(console.clone(), Scope::Listed)),
        (Workspace::NAME, "one", imported::<Workspace>(workspace.clone(), Scope::Listed)),
        (Hub::NAME, "one", imported::<Hub>(hub.clone(), Scope::Listed)),
    ]
}

fn people_of(read: &[Read]) -> Everybody {
    fn roster((provider, organization, (live, _)): &Read) -> Roster<'_> {
        Roster { organization, live, format: rolecall_providers::format(*provider) }
    }
    let rosters: Vec<Roster<'_>> = read.iter().map(roster).collect();
    everybody(&rosters, &BTreeSet::new())
}

/// A people file has each person once, whatever the order of files and pages. Every organisation's file that includes it
/// plans as it does without.
pub fn a_people_file_changes_no_plan(worlds: &Worlds, seed: u64) -> Law {
    let all = read(worlds);
    let people = people_of(&all);
    let ([one, other], console, workspace, hub) = worlds;
    let mut again = read(&(
        [Custody::shuffled(one, seed), Custody::shuffled(other, seed)],
        Console::shuffled(console, seed),
        Workspace::shuffled(workspace, seed),
        Hub::shuffled(hub, seed),
    ));
    again.reverse();
    prop_assert_eq!(&people.text, &people_of(&again).text);

    let live = all.iter().map(|(_, _, (live, _))| live);
    let members = live.clone().flat_map(|live| &live.users.items).map(|user| &user.email);
    let open = live.flat_map(Live::invitations).filter(|invitation| !invitation.expired);
    let emails: BTreeSet<&Email> = members.chain(open.map(|invitation| &invitation.email)).collect();
    let valid = emails.iter().copied().filter(|email| Email::parse(email.key()).is_ok());
    prop_assert_eq!(people.people.keys().collect::<Vec<_>>(), valid.collect::<Vec<_>>());
    prop_assert_eq!(people.text.matches("  - email: ").count(), people.people.len(), "{}", people.text);

    let texts: Vec<&str> = all.iter().map(|(_, _, (_, imported))| &*imported.text).collect();
    plans_alike::<Custody>(one, texts[0], &people)?;
    plans_alike::<Custody>(other, texts[1], &people)?;
    plans_alike::<Console>(console, texts[2], &people)?;
    plans_alike::<Workspace>(workspace, texts[3], &people)?;
    plans_alike::<Hub>(hub, texts[4], &people)
}

fn plans_alike<P: Lawful>(world: &P::World, text: &str, people: &Everybody) -> Law {
    let loaded = load_text("x.yaml", text, rolecall_providers::format);
    let included = include_people(&loaded, people, Path::new("people.yaml")).unwrap();
    prop_assert!(included.left.is_empty(), "{:?}\n{}", included.left, text);
    prop_assert_eq!(included.edited.len() + included.empty.len(), 1);
    let edited: Vec<_> = included.edited.into_iter().chain(included.people).collect();
    let after = reload(&loaded, &edited, now(), rolecall_providers::format);
    prop_assert!(after.findings.is_empty(), "{:#?}\n{}", after.findings, people.text);
    let mut rig: Rig<P> = Rig::new(world.clone(), "");
    let mut planned = |loaded: &rolecall_config::Loaded| {
        rig.desired = loaded.files[0].desired.clone().unwrap();
        let planned = rig.planned(&rig.read().unwrap(), &BTreeSet::new(), None).unwrap();
        (planned.findings, planned.plan.sealed.changes, planned.plan.sealed.holds)
    };
    prop_assert_eq!(planned(&after), planned(&loaded), "{}", people.text);
    Ok(())
}
