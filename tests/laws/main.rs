//! The laws, over generated worlds and files, for every provider. `PROPTEST_CASES=5000 cargo test --test laws`
//! tries more cases.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test fails by panicking")]

mod access;
mod bitpanda;
mod dated;
mod directory;
mod edit;
mod every_order;
mod fleet;
mod hive;
mod import;
mod keys;
mod lawful;
mod ledger;
mod offboard;
mod origin;
mod paradime;
mod people;
mod permission;
mod pull;
mod rapidapi;
mod rotation;
mod safety;
mod schema_changes;
#[path = "../support/mod.rs"]
mod support;
mod undo;
mod until;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use lawful::{FileBody, Lawful, LiveSecret};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngSeed, TestCaseError, TestRunner};
use rolecall_engine::apply::FinalState;
use rolecall_model::{
    Action, Address, Cause, Change, Completeness, DesiredUser, Effect, Entity, Guardrail, Hold, HoldClass,
    HoldReason, Kind, Live, Mutation, OrganizationPlan, Outcome, ProviderName, Quirk, RoleName, Scope, Seen, Site,
    Stage, TeamName, User,
};
use rolecall_plan::{Observation, PlanInput, in_effect, plan, renamed};
use rolecall_sandbox::digest;
use safety::Safety;
use support::rig::{Fate, Rig, desired, now};

type Law = Result<(), TestCaseError>;

/// The behaviour of a network.
#[derive(Clone, Debug)]
struct Network {
    /// The fates of the requests, in order.
    fates: Vec<Fate>,
    /// The delays of the requests in seconds, repeated cyclically.
    seconds: Vec<u64>,
    /// The number of requests in flight at once.
    parallelism: usize,
}

impl Network {
    fn over<P: Lawful>(&self, rig: &mut Rig<P>) {
        rig.wire.set_fates(&self.fates);
        rig.parallelism = Some(self.parallelism);
        let (seconds, sent) = (self.seconds.clone(), AtomicUsize::new(0));
        rig.wire.delay(Arc::new(move || {
            let place = sent.fetch_add(1, Ordering::Relaxed);
            Duration::from_secs(seconds.get(place % seconds.len().max(1)).copied().unwrap_or(0))
        }));
    }
}

fn network() -> impl Strategy<Value = Network> {
    let seconds = proptest::collection::vec(0..4_u64, 1..6);
    let over = |(fates, seconds, parallelism)| Network { fates, seconds, parallelism };
    (fates(), seconds, 1..5_usize).prop_map(over)
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        3 => Just(Fate::Fine),
        1 => Just(Fate::DropBefore),
        1 => Just(Fate::DropAfter),
        1 => Just(Fate::Refuse),
        1 => Just(Fate::Ignored(403, "")),
    ];
    proptest::collection::vec(fate, 0..8)
}

/// Returns the plan. `None` if there are findings, for example on ambiguous keys, or if a guardrail refuses it.
fn planned<P: Lawful>(rig: &Rig<P>) -> Option<OrganizationPlan> {
    rig.try_plan().ok().filter(|plan| plan.refusals.is_empty())
}

/// The number of cases of each law by default.
const CASES: u32 = 16;

/// Returns a configuration with few cases by default, so that the suite stays fast.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    // A change fails for what it changes, and not by chance. `PROPTEST_RNG_SEED` looks elsewhere, and so do more cases.
    let rng_seed = match ProptestConfig::default().rng_seed {
        RngSeed::Random if cases == CASES => RngSeed::Fixed(1),
        seed => seed,
    };
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

/// Returns a configuration with even fewer cases, for laws that need many runs in each case.
fn few() -> ProptestConfig {
    let config = config();
    ProptestConfig { cases: config.cases.div_ceil(8), ..config }
}

/// Law 1: planning changes nothing and sends no mutation. A compile-fail test shows that it can't.
fn reading_can_not_write<P: Lawful>(world: P::World, file: &FileBody) -> Law {
    let rig = P::rig(world, file);
    let before = rig.world().clone();
    let _ = rig.try_plan();
    prop_assert_eq!(&*rig.world(), &before);
    prop_assert!(rig.wire.mutations().is_empty());
    Ok(())
}

/// Law 2: apply, read and plan again gives no mutation. Only keys whose successor was just delivered may follow,
/// and after those nothing.
fn applying_converges<P: Lawful>(mut world: P::World, file: &FileBody) -> Law {
    P::remove_unknowable(&mut world);
    let mut rig = P::rig(world, file);
    let Some(first) = planned(&rig) else { return Ok(()) };
    let report = rig.apply_plan(&first).unwrap();
    prop_assert!(report.all_done(), "{:#?}", report);
    prop_assert!(
        !matches!(report.final_state, FinalState::OutOfSync(_) | FinalState::Unknown(_)),
        "{:?}",
        report.final_state
    );
    let second = rig.try_plan().unwrap();
    let only_superseded = |change: &Change| matches!(change.cause, Cause::Superseded { .. });
    prop_assert!(second.sealed.changes.iter().all(only_superseded), "{:#?}", second.sealed);
    rig.apply_plan(&second).unwrap();
    let third = rig.try_plan().unwrap();
    prop_assert!(third.sealed.mutations.is_empty(), "{:#?}", third.sealed);
    Ok(())
}

/// An entry that can't be planned holds itself, and everything else is planned as if it weren't there.
fn an_entry_with_an_error_stands_alone<P: Lawful>(world: P::World, file: &FileBody) -> Law {
    let Ok(without) = P::rig(world.clone(), file).try_plan() else { return Ok(()) };
    let mut with_error = file.clone();
    let (list, entry) = P::UNPLANNABLE;
    with_error.lists.iter_mut().find(|(name, _)| *name == list).unwrap().1.push(entry.to_owned());
    let plan = P::rig(world, &with_error).plan_without_errors();
    prop_assert_eq!(&plan.sealed.changes, &without.sealed.changes);
    // A list that is incomplete is another reason to hold the entry.
    let (own, others): (Vec<&Hold>, Vec<&Hold>) =
        plan.sealed.holds.iter().partition(|hold| hold.address.name.starts_with("broken"));
    prop_assert!(!own.is_empty());
    prop_assert_eq!(others, without.sealed.holds.iter().collect::<Vec<_>>());
    Ok(())
}

/// Law 3: the sealed part doesn't depend on the order of lists and pages or on the time of day.
fn the_same_world_and_file_give_the_same_seal<P: Lawful>(world: P::World, file: &FileBody, seed: u64) -> Law {
    let other = P::rig(P::shuffled(&world, seed), &file.shuffled(seed));
    let one = P::rig(world, file);
    let later: Timestamp = "2026-11-21T23:04:05Z".parse().unwrap();
    let caller = rolecall_engine::apply::sign_in(rolecall_providers::of(P::NAME), &P::secrets());
    let seal = |rig: &Rig<P>, now: Timestamp| {
        let input = PlanInput {
            desired: &rig.desired,
            live: &rig.read().unwrap(),
            facts: &rig.ledger.facts(),
            rules: rolecall_providers::rules(P::NAME),
            site: &Site::host("sandbox"),
            asserted: &BTreeSet::new(),
            only: None,
            approved: None,
            caller: Some(&caller),
            now,
        };
        plan(&input).map(|planned| planned.plan.seal).map_err(|findings| findings.len())
    };
    prop_assert_eq!(seal(&one, now()), seal(&other, later));
    Ok(())
}

/// Law 4: every update carries the full value. Afterwards the fields in the file have the file's values, and the
/// other fields are unchanged.
fn updates_carry_whole_values<P: Lawful>(world: P::World, file: &FileBody) -> Law {
    let mut rig = P::rig(world, file);
    let Some(plan) = planned(&rig) else { return Ok(()) };
    let read = rig.read().unwrap();
    let before = renamed(&rig.desired, &read);
    let report = rig.apply_plan(&plan).unwrap();
    let undone = report.steps.iter().filter(|step| matches!(step.outcome, Outcome::Failed | Outcome::Skipped));
    let undone: BTreeSet<&Address> = undone.map(|step| &step.address).collect();
    let read = rig.read().unwrap();
    let after = renamed(&rig.desired, &read);
    for request in rig.wire.mutations() {
        if let Err(why) = P::carries_whole_value(&request) {
            return Err(TestCaseError::fail(why));
        }
    }
    let changed: BTreeSet<&Address> = plan.sealed.changes.iter().map(|change| &change.address).collect();
    let held: BTreeSet<&Address> = plan.sealed.holds.iter().map(|hold| &hold.address).collect();
    for was in &before.users.items {
        let Some(is) = after.users.items.iter().find(|user| user.id == was.id) else {
            let gone = |action: Action| match action {
                Action::Disable => Rig::<P>::rules().has(Quirk::HidesDisabled),
                action => matches!(action, Action::Remove | Action::Delete),
            };
            let disabled = |change: &Change| {
                gone(change.action)
                    && change
                        .before
                        .as_ref()
                        .and_then(Entity::user)
                        .is_some_and(|user| user.id.as_ref() == Some(&was.id))
            };
            prop_assert!(plan.sealed.changes.iter().any(disabled), "{} is gone", was.email);
            continue;
        };
        prop_assert_eq!((&is.first_name, &is.last_name, &is.phone), (&was.first_name, &was.last_name, &was.phone));
        let address = Address::user(&was.email);
        if !changed.contains(&address) || undone.contains(&address) {
            // Except for deleted teams, which remove their members, and for fields that other changes affect.
            let mut was = was.entity();
            was.teams = was.teams.map(|teams| {
                let stays = |team: &TeamName| after.team(team).is_some();
                teams.into_iter().filter(|(team, _)| stays(team)).collect()
            });
            let everywhere = Rig::<P>::rules().is_admin(&after, &is.roles);
            let teams = if everywhere { None } else { is.teams.clone() };
            was.teams = was.teams.filter(|_| !everywhere);
            if !undone.contains(&address) {
                prop_assert_eq!(User { teams, ..is.entity() }, was);
            }
            continue;
        }
        let desired = rig.desired.users.iter().find(|entry| entry.email == was.email && !entry.absent);
        let Some(desired) = desired.filter(|_| !held.contains(&address)) else { continue };
        prop_assert_eq!(&is.roles, &desired_roles(desired, &after).unwrap_or_else(|| was.roles.clone()));
        if desired.resources.is_none() {
            prop_assert_eq!(&is.resources, &was.resources);
        }
    }
    for was in before.roles() {
        let address = Address::role(&was.name);
        let is = after.role(&was.name);
        let desired = rig.desired.roles.iter().find(|entry| entry.name == was.name && !entry.absent);
        match desired {
            // A list that is cut off may lose a role to another one.
            _ if is.is_none() && after.roles.as_ref().is_some_and(|list| list.completeness.is_incomplete()) => {}
            _ if !changed.contains(&address) => prop_assert_eq!(is, Some(was)),
            Some(desired) => {
                let is = is.unwrap();
                prop_assert_eq!(&is.description, desired.description.as_ref().unwrap_or(&was.description));
                if desired.permissions.is_none() {
                    prop_assert_eq!(&is.permissions, &was.permissions);
                }
            }
            None => prop_assert!(is.is_none()),
        }
    }
    Ok(())
}

/// Returns the roles that a file's entry asks for, by their names in a read.
fn desired_roles(desired: &DesiredUser, live: &Live) -> Option<BTreeSet<RoleName>> {
    let wanted = desired.roles.as_deref()?;
    let Some(assignable) = &live.assignable else { return Some(wanted.clone()) };
    let roles = &assignable.organization;
    let meant = roles.iter().filter(|role| match wanted.first() {
        Some(name) => role.name == *name || role.key == name.as_str(),
        None => role.default,
    });
    Some(meant.map(|role| role.name.clone()).collect())
}

/// Law 5: after every request, whatever its outcome, there are enough admins, rolecall keeps its own access, and
/// nobody loses access that they had at the start and keep at the end.
fn every_step_is_safe<P: Lawful>(world: &P::World, file: &FileBody, network: &Network) -> Law {
    every_step_is_safe_by::<P>(world, file, network, |_| {})
}

/// Checks law 5 with a plan that `twist` changes before it is sent.
fn every_step_is_safe_by<P: Lawful>(
    world: &P::World,
    file: &FileBody,
    network: &Network,
    twist: fn(&mut OrganizationPlan),
) -> Law {
    let mut rig = P::rig(world.clone(), file);
    let Some(mut plan) = planned(&rig) else { return Ok(()) };
    let breach = Arc::new(Safety::of::<P>(world, file, &plan)).watch(&rig);
    network.over(&mut rig);
    twist(&mut plan);
    rig.apply_plan(&plan).unwrap();
    let breach = breach.lock().unwrap().clone();
    prop_assert!(breach.is_none(), "{:?}\n{:#?}", breach, plan.sealed.mutations);
    Ok(())
}

/// Makes a wrong plan, which revokes before it grants and doesn't verify in between.
fn revoke_first(plan: &mut OrganizationPlan) {
    let mutations = &mut plan.sealed.mutations;
    mutations.sort_by_key(|mutation| std::cmp::Reverse(mutation.stage >= Stage::Narrow));
    let places: BTreeMap<String, String> =
        mutations.iter().enumerate().map(|(place, it)| (it.id.clone(), format!("m{}", place + 1))).collect();
    for mutation in mutations {
        mutation.id = places[&mutation.id].clone();
        mutation.after.clear();
        mutation.needs = mutation.needs.iter().map(|id| places[id].clone()).collect();
    }
}

/// Checks that the laws can fail: each of these wrong planners and clients is noticed within a number of tries.
fn flaws_are_noticed<P: Lawful>() {
    let mut runner = TestRunner::deterministic();
    let mut noticed = (false, false);
    for _ in 0..600 {
        let (world, file) = P::mixed().new_tree(&mut runner).unwrap().current();
        let network = network().new_tree(&mut runner).unwrap().current();
        noticed.0 = noticed.0 || every_step_is_safe_by::<P>(&world, &file, &network, revoke_first).is_err();
        let (world, file) = (P::worlds(false), P::files()).new_tree(&mut runner).unwrap().current();
        noticed.1 = noticed.1 || repeating_blindly::<P>(&world, &file).is_err();
        if noticed == (true, true) {
            return;
        }
    }
    panic!("who narrows first is noticed, who repeats blindly is noticed: {noticed:?}");
}

/// Checks that a client that repeats unanswered mutations is noticed.
fn repeating_blindly<P: Lawful>(world: &P::World, file: &FileBody) -> Law {
    let mut rig = P::rig(world.clone(), file);
    let Some(plan) = planned(&rig) else { return Ok(()) };
    rig.wire.set_fates(&vec![Fate::DropAfter; plan.sealed.mutations.len()]);
    rig.wire.repeat_blindly();
    rig.apply_plan(&plan).unwrap();
    nothing_doubled_or_lost(&rig, world)
}

/// Checks that nobody got more than one mail and that no key works whose secret is lost.
fn nothing_doubled_or_lost<P: Lawful>(rig: &Rig<P>, before: &P::World) -> Law {
    let mails = P::mails(&rig.world());
    let once: BTreeSet<&String> = mails.iter().collect();
    prop_assert_eq!(mails.len(), once.len(), "{:?}", &mails);
    let old: BTreeSet<String> = P::live_secrets(before).into_iter().map(|key| key.id).collect();
    for LiveSecret { id, file, digest: kept } in P::live_secrets(&rig.world()) {
        if !old.contains(&id) {
            let secret = rig.delivered(&file).unwrap_or_default();
            let secret = secret_part(&secret);
            prop_assert_eq!(&digest(&secret), &kept, "{} is live and its secret is lost", id);
        }
    }
    Ok(())
}

/// Returns the part of a key of which the platform stores the digest. Some keys also contain their id.
fn secret_part(key: &str) -> String {
    use base64::Engine as _;
    let inner =
        key.strip_prefix("hvo1/").and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
    let inner = inner.and_then(|bytes| String::from_utf8(bytes).ok());
    inner
        .and_then(|text| text.split_once(':').map(|(_, secret)| secret.to_owned()))
        .unwrap_or_else(|| key.to_owned())
}

/// Law 6: if the process dies anywhere, the next runs converge with one mail for each person and no working key
/// whose secret is lost.
fn dying_anywhere_loses_nothing<P: Lawful>(
    world: &P::World,
    file: &FileBody,
    network: &Network,
    at: usize,
    after: bool,
) -> Law {
    let mut rig = P::rig(world.clone(), file);
    let Some(plan) = planned(&rig) else { return Ok(()) };
    let mut fates = vec![Fate::Fine; at];
    fates.push(if after { Fate::KillAfter } else { Fate::KillBefore });
    Network { fates, ..network.clone() }.over(&mut rig);
    let _ = rig.apply_plan(&plan);
    rig.wire.set_fates(&[]);
    for _ in 0..3 {
        let Some(plan) = planned(&rig) else { return Ok(()) };
        rig.apply_plan(&plan).unwrap();
    }
    let last = rig.try_plan().unwrap();
    prop_assert!(last.sealed.mutations.is_empty(), "{:#?}", last.sealed);
    nothing_doubled_or_lost(&rig, world)
}

/// The state after a run, without ids and times.
#[derive(Debug, PartialEq)]
struct EndState {
    /// The access of users. Users who weren't there before have no name here, because their ids differ between
    /// runs.
    access: Vec<(String, BTreeSet<String>)>,
    people: BTreeSet<String>,
    mails: Vec<String>,
    /// The files of working keys, once for each such key.
    keys: Vec<String>,
}

/// Applies until nothing is left to do. Returns `None` if a guardrail now refuses the rest, which can happen
/// because there are more admins than before.
fn apply_until_done<P: Lawful>(rig: &mut Rig<P>, before: &P::World) -> Result<Option<EndState>, TestCaseError> {
    for _ in 0..4 {
        let plan = rig.try_plan().unwrap();
        if plan.sealed.mutations.is_empty() {
            break;
        }
        if plan.refusals.iter().any(|refusal| refusal.guardrail == Guardrail::MinAdmins) {
            return Ok(None);
        }
        prop_assert!(plan.refusals.is_empty(), "{:#?}", plan.refusals);
        rig.apply_plan(&plan).unwrap();
    }
    let last = rig.try_plan().unwrap();
    prop_assert!(last.sealed.mutations.is_empty(), "{:#?}", last.sealed);
    let world = rig.world();
    let mut mails = P::mails(&world);
    mails.sort();
    let known = P::access(before);
    let named = |(who, may): (String, _)| {
        let is_named = known.contains_key(&who) || who.contains('@');
        (if is_named { who } else { "somebody new".to_owned() }, may)
    };
    let mut access: Vec<_> = P::access(&world).into_iter().map(named).collect();
    access.sort();
    let mut keys: Vec<String> = P::live_secrets(&world).into_iter().map(|key| key.file).collect();
    keys.sort();
    Ok(Some(EndState { access, people: P::emails(&world), mails, keys }))
}

/// Law 6 in full: if the process stops before any request, or between its effect and its answer, the next runs end
/// as if it hadn't.
fn stopped_at_any_request_it_ends_the_same<P: Lawful>(
    world: &P::World,
    file: &FileBody,
    network: &Network,
) -> Law {
    let calm = |fates: Vec<Fate>| Network { fates, ..network.clone() };
    let mut whole = P::rig(world.clone(), file);
    calm(Vec::new()).over(&mut whole);
    let Some(plan) = planned(&whole) else { return Ok(()) };
    whole.apply_plan(&plan).unwrap();
    let requests = whole.wire.mutations().len();
    let Ok(Some(end)) = apply_until_done(&mut whole, world) else { return Ok(()) };
    for at in 0..requests {
        for fate in [Fate::KillBefore, Fate::KillAfter] {
            let mut rig = P::rig(world.clone(), file);
            let mut fates = vec![Fate::Fine; at];
            fates.push(fate);
            calm(fates).over(&mut rig);
            prop_assert!(rig.apply_plan(&plan).is_none(), "nothing died");
            rig.wire.set_fates(&[]);
            let Some(ended) = apply_until_done(&mut rig, world)? else { continue };
            nothing_doubled_or_lost(&rig, world)?;
            // Where the API doesn't list invitations, nobody can know whether the mail was sent. A person has to
            // decide.
            let unsure = |hold: &Hold| matches!(hold.reason, HoldReason::InvitationUnsure { .. });
            if rig.plan().sealed.holds.iter().any(unsure) {
                continue;
            }
            prop_assert_eq!(&ended, &end, "{:?} at {} of {:#?}", fate, at, &plan.sealed.mutations);
        }
    }
    Ok(())
}

/// Law 6 at every line of the ledger: an effect that isn't recorded is found by reading, and the next runs end as
/// if the process hadn't stopped.
fn stopped_before_any_line_of_the_ledger_it_ends_the_same<P: Lawful>(
    world: &P::World,
    file: &FileBody,
    network: &Network,
) -> Law {
    let calm = Network { fates: Vec::new(), ..network.clone() };
    let mut whole = P::rig(world.clone(), file);
    calm.over(&mut whole);
    let Some(plan) = planned(&whole) else { return Ok(()) };
    whole.apply_plan(&plan).unwrap();
    let Ok(Some(end)) = apply_until_done(&mut whole, world) else { return Ok(()) };
    for lines in 0.. {
        let mut rig = P::rig(world.clone(), file);
        calm.over(&mut rig);
        if !rig.apply_until_line(&plan, lines) {
            // The clock is also asked for the time of the next plan.
            prop_assert!(lines > plan.sealed.mutations.len());
            break;
        }
        go_on_with(&plan, &mut rig)?;
        let Some(ended) = apply_until_done(&mut rig, world)? else { continue };
        nothing_doubled_or_lost(&rig, world)?;
        let unsure = |hold: &Hold| matches!(hold.reason, HoldReason::InvitationUnsure { .. });
        if rig.plan().sealed.holds.iter().any(unsure) {
            continue;
        }
        prop_assert_eq!(&ended, &end, "before line {} of {:#?}", lines, &plan.sealed.mutations);
    }
    Ok(())
}

/// Law 16: an approved plan that was stopped anywhere goes on without a new approval.
fn go_on_with<P: Lawful>(approved: &OrganizationPlan, rig: &mut Rig<P>) -> Law {
    let approval = rig.resume(approved);
    prop_assert!(approval.stale.is_empty(), "{:#?} {:#?}", approval.stale, approved.sealed.mutations);
    Ok(())
}

/// Laws 5 and 6 with lost and refused answers: the next runs converge nevertheless.
fn failures_are_made_good_by_later_runs<P: Lawful>(
    world: &P::World,
    file: &FileBody,
    network: &Network,
    more: &[Fate],
) -> Law {
    let mut rig = P::rig(world.clone(), file);
    network.over(&mut rig);
    for run in 0..6 {
        let Some(plan) = planned(&rig) else { return Ok(()) };
        let report = rig.apply_plan(&plan).unwrap();
        let read = rig.read().unwrap();
        let live = renamed(&rig.desired, &read);
        for change in &plan.sealed.changes {
            let id =
                report.steps.iter().find(|step| step.address == change.address).and_then(|step| step.id.as_ref());
            // A user stays in a team whose deletion failed, which the report says of the team.
            let team_stays = report.not_done().iter().any(|address| address.kind == Kind::Team);
            let honest = report.not_done().contains(&&change.address)
                || change.address.kind == Kind::User && team_stays
                || matches!(report.final_state, FinalState::Unknown(_))
                || in_effect(change, id, &live) != Observation::NotInEffect;
            prop_assert!(honest, "reported as done: {change:#?} {report:#?}");
        }
        rig.wire.set_fates(if run == 0 { more } else { &[] });
    }
    let last = rig.try_plan().unwrap();
    prop_assert!(last.sealed.mutations.is_empty(), "{:#?}", last.sealed);
    nothing_doubled_or_lost(&rig, world)
}

/// Law 7: an incomplete list is never treated as complete. No change depends on it, and everybody who can't be
/// planned because of it is named.
fn a_broken_list_proves_nothing<P: Lawful>(mut world: P::World, file: &FileBody, how: u8) -> Law {
    P::break_users(&mut world, how);
    let there = P::emails(&world);
    let rig = P::rig(world, file);
    let live = rig.read().unwrap();
    let mut listed: BTreeSet<String> = live.users.items.iter().map(|user| user.email.key().to_owned()).collect();
    // A row that can't be read is listed, and the plan says so.
    listed.extend(live.unreadable.iter().map(|row| row.address.name.to_string()));
    if live.users.completeness == Completeness::Proven {
        prop_assert!(there.is_subset(&listed), "proven complete, and lacks {:?}", there.difference(&listed));
    }
    if !live.users.completeness.is_incomplete() {
        return Ok(());
    }
    let Ok(plan) = rig.try_plan() else { return Ok(()) };
    for change in &plan.sealed.changes {
        let is_user = matches!(change.entity(), Some(Entity::User(_)));
        let removal = change.cause == Cause::NotListed && change.action != Action::Cancel;
        let rests = change.action == Action::Invite || (is_user && removal);
        prop_assert!(!rests, "{:#?}", change);
    }
    for entry in &rig.desired.users {
        let seen = listed.contains(entry.email.key());
        let held = plan.sealed.holds.iter().any(|hold| {
            let stands = matches!(hold.reason, HoldReason::InvitationNotCancellable { .. })
                && !Rig::<P>::rules().has(Quirk::ChangesInvitations);
            let said = stands || matches!(hold.reason, HoldReason::Unreadable { .. });
            hold.address.name == entry.email.key() && said
        });
        let withdrawn = plan
            .sealed
            .changes
            .iter()
            .any(|change| change.action == Action::Cancel && change.address.name == entry.email.key());
        prop_assert!(seen || held || withdrawn, "{} is silently absent", entry.email);
    }
    Ok(())
}

/// Law 7: state that the API doesn't show is reported, and never treated as equal.
fn what_can_not_be_read_is_said<P: Lawful>(world: P::World, file: &FileBody) -> Law {
    let rig = P::rig(world, file);
    let Ok(plan) = rig.try_plan() else { return Ok(()) };
    for gap in P::GAPS.iter().chain(&["ledger"]) {
        prop_assert!(plan.gaps.iter().any(|said| said.what.contains(gap)), "{} isn't said", gap);
    }
    for change in &plan.sealed.changes {
        let (Some(Entity::User(before)), Some(Entity::User(after))) = (&change.before, &change.after) else {
            continue;
        };
        let back = before.enabled == Seen::Unreadable && after.enabled == Seen::Known(true);
        prop_assert_eq!(back, change.effects.contains(&Effect::MayReEnable));
    }
    Ok(())
}

/// Law 9: every change has its mutations, the provider has all of them, they can be ordered, and keys are never
/// updated in place.
fn only_what_the_provider_can_do_is_planned<P: Lawful>(world: P::World, file: &FileBody) -> Law {
    let rig = P::rig(world, file);
    let Ok(plan) = rig.try_plan() else { return Ok(()) };
    for change in &plan.sealed.changes {
        let is_part = |mutation: &&Mutation| mutation.changes().any(|address| *address == change.address);
        let calls: Vec<_> = plan.sealed.mutations.iter().filter(is_part).collect();
        let closing = calls.iter().filter(|call| !plan.is_first_step(call, &change.address));
        prop_assert_eq!(closing.count(), 1, "{:#?}", change);
        for call in calls {
            prop_assert!(rolecall_providers::of(P::NAME).document(&call.operation).is_some());
        }
        if let (Some(Entity::Key(after)), Some(Entity::Key(before))) = (&change.after, &change.before)
            && change.action != Action::Create
        {
            prop_assert_eq!((&before.roles, before.expires), (&after.roles, after.expires));
        }
    }
    for (index, mutation) in plan.sealed.mutations.iter().enumerate() {
        prop_assert_eq!(plan.mutation(&mutation.id), Some(mutation));
        let earlier: BTreeSet<&String> = plan.sealed.mutations[..index].iter().map(|m| &m.id).collect();
        let waits = mutation.after.iter().chain(&mutation.needs);
        prop_assert!(waits.into_iter().all(|id| earlier.contains(id)), "an order that can't be run");
        let awaited: BTreeSet<&Address> = mutation
            .after
            .iter()
            .chain(&mutation.needs)
            .filter_map(|id| plan.mutation(id))
            .map(|made| &made.change)
            .collect();
        prop_assert!(mutation.references().iter().all(|address| awaited.contains(address)), "an id from nowhere");
    }
    Ok(())
}

/// Somebody undoes by hand what an apply did. Everything that moves is said to have been as the file says at the end of that
/// run, except for what was open then, such as an invitation.
fn what_moves_after_a_run_was_so_then<P: Lawful>(mut world: P::World, file: &FileBody) -> Law {
    P::remove_unknowable(&mut world);
    let mut rig = P::rig(world.clone(), file);
    let Some(first) = planned(&rig) else { return Ok(()) };
    rig.apply_plan(&first).unwrap();
    let Ok(settled) = rig.try_plan() else { return Ok(()) };
    *rig.world() = world;
    let Ok(moved) = rig.try_plan() else { return Ok(()) };
    let is_proven = |plan: &OrganizationPlan| plan.completeness.values().all(|list| !list.is_incomplete());
    let is_unreadable = |hold: &Hold| matches!(hold.reason, HoldReason::UnreadableRow { .. });
    if !is_proven(&settled) || !is_proven(&moved) || settled.sealed.holds.iter().any(is_unreadable) {
        return Ok(());
    }
    let open_holds = settled.sealed.holds.iter().filter(|hold| hold.class != HoldClass::Ignored);
    let open: BTreeSet<&str> = open_holds
        .map(|hold| &hold.address)
        .chain(settled.sealed.changes.iter().map(|change| &change.address))
        .map(|address| address.name.as_str())
        .collect();
    for change in moved.differences().filter(|change| change.cause != Cause::NeededByAnother) {
        let is_known = moved.last_in_sync.contains_key(&change.address);
        prop_assert!(is_known || open.contains(change.address.name.as_str()), "{:#?}", change);
    }
    for (address, last) in &moved.last_in_sync {
        let differs =
            moved.change(address).is_some() || moved.sealed.holds.iter().any(|hold| hold.address == *address);
        prop_assert!(differs && last.run == "run-1", "{}", address);
        // Of what was open, only the values that the run wrote are known.
        let was_written = first.sealed.changes.iter().any(|change| change.address.name == address.name);
        prop_assert!(was_written || !open.contains(address.name.as_str()), "{}", address);
    }
    Ok(())
}

/// A saved plan reads back unchanged.
fn a_plan_survives_being_saved<P: Lawful>(world: P::World, file: &FileBody) -> Law {
    let rig = P::rig(world, file);
    let Ok(plan) = rig.try_plan() else { return Ok(()) };
    let saved: serde_json::Value = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    prop_assert!(rolecall_plan::verify(&saved).is_ok());
    // The seal is a hash over JSON with sorted keys, so that other programs can check it.
    let sorted = serde_json::to_string(&saved["sealed"]).unwrap();
    prop_assert_eq!(&plan.seal, &format!("sha256:{}", digest(&sorted)));
    let back: OrganizationPlan = serde_json::from_value(saved).unwrap();
    prop_assert_eq!(&back, &plan);
    Ok(())
}

/// Checks that the generated worlds produce the changes that the laws are about. Without changes a law would prove
/// nothing.
fn the_generated_worlds_have_something_to_do<P: Lawful>() {
    use proptest::strategy::ValueTree;
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let rare = |seen: &BTreeMap<String, usize>| {
        let wanted = ["plans", "refused", "findings", "relies"].iter().chain(P::BUSY);
        wanted.copied().find(|what| seen.get(*what).is_none_or(|count| *count < 3))
    };
    for tried in 0..400 {
        if tried >= 120 && rare(&seen).is_none() {
            break;
        }
        let world = P::worlds(false).new_tree(&mut runner).unwrap().current();
        let file = P::files().new_tree(&mut runner).unwrap().current();
        let _ = desired(&format!("{}{}", P::HEAD, file.body()));
        match P::rig(world, &file).try_plan() {
            Ok(plan) if plan.refusals.is_empty() => {
                *seen.entry("plans".to_owned()).or_default() += 1;
                for change in &plan.sealed.changes {
                    let action =
                        if change.renamed_from().is_some() { "rename" } else { &*change.action.to_string() };
                    *seen.entry(format!("{} {action}", change.address.kind.as_str())).or_default() += 1;
                }
                let relies = plan.sealed.mutations.iter().any(|mutation| !mutation.after.is_empty());
                *seen.entry("relies".to_owned()).or_default() += usize::from(relies);
            }
            Ok(_) => *seen.entry("refused".to_owned()).or_default() += 1,
            Err(findings) => {
                *seen.entry("findings".to_owned()).or_default() += 1;
                *seen.entry(format!("finding {}", findings[0].code)).or_default() += 1;
            }
        }
    }
    assert_eq!(rare(&seen), None, "{seen:#?}");
    assert!(seen["plans"] >= 30, "{seen:#?}");
}

/// Makes every law a test of this platform. The file with its worlds ends with this.
macro_rules! laws {
    ($platform:ident) => {
        mod laws {
            use super::$platform as P;
            use crate::*;

            proptest! {
                #![proptest_config(config())]

                #[test]
                fn reading_can_not_write(world in P::worlds(true), file in P::files()) {
                    crate::reading_can_not_write::<P>(world, &file)?;
                }

                #[test]
                fn applying_converges(world in P::worlds(true), file in P::files()) {
                    crate::applying_converges::<P>(world, &file)?;
                }

                #[test]
                fn an_entry_with_an_error_stands_alone(world in P::worlds(true), file in P::files()) {
                    crate::an_entry_with_an_error_stands_alone::<P>(world, &file)?;
                }

                #[test]
                fn the_same_world_and_file_give_the_same_seal(world in P::worlds(true), file in P::files(), seed in any::<u64>()) {
                    crate::the_same_world_and_file_give_the_same_seal::<P>(world, &file, seed)?;
                }

                #[test]
                fn updates_carry_whole_values(world in P::worlds(true), file in P::files()) {
                    crate::updates_carry_whole_values::<P>(world, &file)?;
                }

                #[test]
                fn every_step_is_safe((world, file) in P::mixed(), network in network()) {
                    crate::every_step_is_safe::<P>(&world, &file, &network)?;
                }

                #[test]
                fn dying_anywhere_loses_nothing(world in P::worlds(false), file in P::files(), network in network(), at in 0..8_usize, after in any::<bool>()) {
                    crate::dying_anywhere_loses_nothing::<P>(&world, &file, &network, at, after)?;
                }

                #[test]
                fn failures_are_made_good_by_later_runs(world in P::worlds(false), file in P::files(), network in network(), more in fates()) {
                    crate::failures_are_made_good_by_later_runs::<P>(&world, &file, &network, &more)?;
                }

                #[test]
                fn a_broken_list_proves_nothing(world in P::worlds(true), file in P::files(), how in any::<u8>()) {
                    crate::a_broken_list_proves_nothing::<P>(world, &file, how)?;
                }

                #[test]
                fn the_report_of_keys_says_what_the_plan_does(
                    world in P::worlds(true),
                    file in P::files(),
                    died in proptest::option::of((0..12_usize, any::<bool>())),
                    seed in any::<u64>(),
                ) {
                    keys::the_report_says_what_the_plan_does::<P>(world, &file, died, seed)?;
                }

                #[test]
                fn who_has_what_is_what_the_platform_says(world in P::worlds(true), file in P::files(), seed in any::<u64>()) {
                    access::who_has_what_is_what_the_platform_says::<P>(&world, &file, seed)?;
                }

                #[test]
                fn what_can_not_be_read_is_said(world in P::worlds(true), file in P::files()) {
                    crate::what_can_not_be_read_is_said::<P>(world, &file)?;
                }

                #[test]
                fn only_what_the_provider_can_do_is_planned(world in P::worlds(true), file in P::files()) {
                    crate::only_what_the_provider_can_do_is_planned::<P>(world, &file)?;
                }

                #[test]
                fn what_is_imported_is_in_sync(world in P::worlds(true), all in any::<bool>(), seed in any::<u64>()) {
                    let manage = if all { Scope::All } else { Scope::Listed };
                    import::what_is_imported_is_in_sync::<P>(&world, manage, seed)?;
                }

                #[test]
                fn an_incomplete_list_is_said_by_an_import(world in P::worlds(true), how in any::<u8>()) {
                    import::an_incomplete_list_is_said::<P>(world, how)?;
                }

                #[test]
                fn what_is_pulled_is_in_sync(world in P::worlds(true), file in P::files(), how in any::<(bool, bool)>()) {
                    pull::what_is_pulled_is_in_sync::<P>(world, &file, how)?;
                }

                #[test]
                fn nobody_is_gone_from_an_incomplete_list(world in P::worlds(true), file in P::files(), how in any::<u8>()) {
                    pull::nobody_is_gone_from_an_incomplete_list::<P>(world, &file, how)?;
                }

                #[test]
                fn a_plan_survives_being_saved(world in P::worlds(true), file in P::files()) {
                    crate::a_plan_survives_being_saved::<P>(world, &file)?;
                }
            }

            proptest! {
                #![proptest_config(few())]

                #[test]
                fn the_risk_is_that_of_the_table_and_of_the_json(world in P::worlds(true), file in P::files()) {
                    access::the_risk_is_that_of_the_table_and_of_the_json::<P>(world, &file)?;
                }

                #[test]
                fn what_moves_after_a_run_was_so_then(world in P::worlds(false), file in P::files()) {
                    crate::what_moves_after_a_run_was_so_then::<P>(world, &file)?;
                }

                #[test]
                fn what_changes_is_the_difference((world, file) in P::mixed()) {
                    access::what_changes_is_the_difference::<P>(world, &file)?;
                }

                #[test]
                fn the_origin_is_that_of_an_oracle(
                    world in P::worlds(false),
                    files in [P::files(), P::files(), P::files()],
                    chosen in proptest::collection::vec(any::<bool>(), 12),
                    (by_hand, asks) in any::<(bool, bool)>(),
                ) {
                    let [base, drift, other] = &files;
                    let taken = |takes: bool, range: std::ops::Range<usize>| -> Vec<bool> {
                        chosen[range].iter().map(|chosen| *chosen && takes).collect()
                    };
                    let (drifted, edited) = (taken(by_hand, 0..5), taken(asks, 5..12));
                    origin::the_origin_is_that_of_an_oracle::<P>(world, base, (drift, &drifted), (other, &edited))?;
                }

                #[test]
                fn stopped_at_any_request_it_ends_the_same((world, file) in P::mixed(), network in network()) {
                    crate::stopped_at_any_request_it_ends_the_same::<P>(&world, &file, &network)?;
                }

                #[test]
                fn stopped_before_any_line_of_the_ledger_it_ends_the_same((world, file) in P::mixed(), network in network()) {
                    crate::stopped_before_any_line_of_the_ledger_it_ends_the_same::<P>(&world, &file, &network)?;
                }
            }

            #[test]
            fn small_plans_are_safe_in_every_order() {
                every_order::small_plans_are_safe_in_every_order::<P>();
            }

            #[test]
            fn an_undo_file_restores_what_was() {
                undo::an_undo_file_restores_what_was::<P>();
            }

            #[test]
            fn flaws_are_noticed() {
                crate::flaws_are_noticed::<P>();
            }

            #[test]
            fn the_generated_worlds_have_something_to_do() {
                crate::the_generated_worlds_have_something_to_do::<P>();
            }
        }
    };
}
use laws;

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_people_file_changes_no_plan(worlds in import::worlds(), seed in any::<u64>()) {
        import::a_people_file_changes_no_plan(&worlds, seed)?;
    }

    /// No text makes the parser panic, and no text is accepted without being understood.
    #[test]
    fn any_text_gives_findings_or_a_file(text in "(?s).{0,400}", cut in 0..400_usize, provider in proptest::sample::select(ProviderName::ALL)) {
        use rolecall_config::{Source, check_source};
        let (file, findings) = check_source(&Source::inline("x.yaml", text.clone()), rolecall_providers::format);
        prop_assert!(file.is_some() || !findings.is_empty());
        let example = support::cli::example(&format!("{provider}.yaml"));
        let at = (0..=cut.min(example.len())).rev().find(|at| example.is_char_boundary(*at)).unwrap_or(0);
        let spliced = format!("{}{text}{}", &example[..at], &example[at..]);
        let (file, findings) = check_source(&Source::inline("x.yaml", spliced), rolecall_providers::format);
        prop_assert!(file.is_some() || !findings.is_empty());
    }
}
