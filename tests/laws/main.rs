//! The laws, over generated worlds and wishes, for every provider. `PROPTEST_CASES=5000 cargo test --test laws` looks
//! harder.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test fails by panicking")]

mod bitpanda;
mod every_order;
mod hive;
mod lawful;
mod paradime;
mod rapidapi;
mod safety;
#[path = "../support/mod.rs"]
mod support;
mod undo;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use lawful::{Lawful, LiveSecret, Wish};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{TestCaseError, TestRunner};
use rolecall_engine::apply::FinalState;
use rolecall_model::{
    Action, Address, Cause, Change, Completeness, DesiredUser, Effect, Entity, Guardrail, Hold, HoldReason, Live,
    Mutation, OrganizationPlan, Outcome, RoleName, Seen, Site, Stage, TeamName, User,
};
use rolecall_plan::{PlanInput, plan};
use rolecall_sandbox::digest;
use safety::Safety;
use support::rig::{Fate, Rig, desired, now};

type Law = Result<(), TestCaseError>;

/// What a network does to requests.
#[derive(Clone, Debug)]
struct Weather {
    /// What becomes of one after the other.
    fates: Vec<Fate>,
    /// How many seconds each takes, over and over.
    seconds: Vec<u64>,
    /// How many are under way at once.
    parallelism: usize,
}

impl Weather {
    fn over<P: Lawful>(&self, rig: &mut Rig<P>) {
        rig.wire.doom(&self.fates);
        rig.parallelism = Some(self.parallelism);
        let (seconds, sent) = (self.seconds.clone(), AtomicUsize::new(0));
        rig.wire.delay(Arc::new(move || {
            let place = sent.fetch_add(1, Ordering::Relaxed);
            Duration::from_secs(seconds.get(place % seconds.len().max(1)).copied().unwrap_or(0))
        }));
    }
}

fn weather() -> impl Strategy<Value = Weather> {
    let seconds = proptest::collection::vec(0..4_u64, 1..6);
    let over = |(fates, seconds, parallelism)| Weather { fates, seconds, parallelism };
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

/// The plan, where there is one: ambiguous keys and the like are findings, and refusals send nothing.
fn planned<P: Lawful>(rig: &Rig<P>) -> Option<OrganizationPlan> {
    rig.try_plan().ok().filter(|plan| plan.refusals.is_empty())
}

/// Cases are few by default, so that the suite stays quick.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// The same for a law that takes many runs a case.
fn few() -> ProptestConfig {
    let config = config();
    ProptestConfig { cases: config.cases.div_ceil(8), ..config }
}

/// Law 1: planning changes nothing, and asks for nothing that could. That it can't is a compile-fail test.
fn reading_can_not_write<P: Lawful>(world: P::World, wish: &Wish) -> Law {
    let rig = P::rig(world, wish);
    let before = rig.world().clone();
    let _ = rig.try_plan();
    prop_assert_eq!(&*rig.world(), &before);
    prop_assert!(rig.wire.mutations().is_empty());
    Ok(())
}

/// Law 2: apply, read, plan again: nothing, but for old keys whose successor has just been delivered, and after those
/// nothing at all.
fn applying_converges<P: Lawful>(mut world: P::World, wish: &Wish) -> Law {
    P::make_knowable(&mut world);
    let mut rig = P::rig(world, wish);
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

/// Law 3: the sealed part doesn't depend on the order of lists and pages, nor on the time of day.
fn the_same_world_and_wish_give_the_same_seal<P: Lawful>(world: P::World, wish: &Wish, seed: u64) -> Law {
    let other = P::rig(P::turned(&world, seed), &wish.turned(seed));
    let one = P::rig(world, wish);
    let later: Timestamp = "2026-11-21T23:04:05Z".parse().unwrap();
    let caller = rolecall_providers::of(P::NAME).own_key(&P::secrets());
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
            caller: caller.as_ref(),
            now,
        };
        plan(&input).map(|planned| planned.plan.seal).map_err(|findings| findings.len())
    };
    prop_assert_eq!(seal(&one, now()), seal(&other, later));
    Ok(())
}

/// Law 4: every update carries the whole value; what the file says is so afterwards, and what it doesn't say is as it
/// was.
fn updates_carry_whole_values<P: Lawful>(world: P::World, wish: &Wish) -> Law {
    let mut rig = P::rig(world, wish);
    let Some(plan) = planned(&rig) else { return Ok(()) };
    let before = rig.read().unwrap();
    let report = rig.apply_plan(&plan).unwrap();
    let undone = report.steps.iter().filter(|step| matches!(step.outcome, Outcome::Failed | Outcome::Skipped));
    let undone: BTreeSet<&Address> = undone.map(|step| &step.address).collect();
    let after = rig.read().unwrap();
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
                Action::Disable => Rig::<P>::rules().hides_disabled(),
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
            // But for teams that go with everybody in them, and for what others change about them.
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
        let wished = rig.desired.users.iter().find(|wish| wish.email == was.email && !wish.absent);
        let Some(wished) = wished.filter(|_| !held.contains(&address)) else { continue };
        prop_assert_eq!(&is.roles, &roles_meant(wished, &after).unwrap_or_else(|| was.roles.clone()));
        if wished.resources.is_none() {
            prop_assert_eq!(&is.resources, &was.resources);
        }
    }
    for was in before.roles() {
        let address = Address::role(&was.name);
        let is = after.role(&was.name);
        let wished = rig.desired.roles.iter().find(|wish| wish.name == was.name && !wish.absent);
        match wished {
            _ if !changed.contains(&address) => prop_assert_eq!(is, Some(was)),
            Some(wished) => {
                let is = is.unwrap();
                prop_assert_eq!(&is.description, wished.description.as_ref().unwrap_or(&was.description));
                if wished.permissions.is_none() {
                    prop_assert_eq!(&is.permissions, &was.permissions);
                }
            }
            None => prop_assert!(is.is_none()),
        }
    }
    Ok(())
}

/// The roles that a wish is for, by the names that reads have for them.
fn roles_meant(wish: &DesiredUser, live: &Live) -> Option<BTreeSet<RoleName>> {
    let wished = wish.roles.as_deref()?;
    let Some(assignable) = &live.assignable else { return Some(wished.clone()) };
    let roles = &assignable.organization;
    let meant = roles.iter().filter(|role| match wished.first() {
        Some(name) => role.name == *name || role.key == name.as_str(),
        None => role.default,
    });
    Some(meant.map(|role| role.name.clone()).collect())
}

/// Law 5: after every request, whatever becomes of it: enough admins, our own access, and no access interrupted that
/// live had and the finished plan gives.
fn every_step_is_safe<P: Lawful>(world: &P::World, wish: &Wish, weather: &Weather) -> Law {
    every_step_is_safe_by::<P>(world, wish, weather, |_| {})
}

/// `twist`: what becomes of the plan before it is sent.
fn every_step_is_safe_by<P: Lawful>(
    world: &P::World,
    wish: &Wish,
    weather: &Weather,
    twist: fn(&mut OrganizationPlan),
) -> Law {
    let mut rig = P::rig(world.clone(), wish);
    let Some(mut plan) = planned(&rig) else { return Ok(()) };
    let breach = Arc::new(Safety::of::<P>(world, wish, &plan)).watch(&rig);
    weather.over(&mut rig);
    twist(&mut plan);
    rig.apply_plan(&plan).unwrap();
    let breach = breach.lock().unwrap().clone();
    prop_assert!(breach.is_none(), "{:?}\n{:#?}", breach, plan.sealed.mutations);
    Ok(())
}

/// A planner that takes before it gives, and looks at nothing in between.
fn narrow_first(plan: &mut OrganizationPlan) {
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

/// Laws that couldn't be broken would prove nothing: each of these is noticed within so many tries.
fn flaws_are_noticed<P: Lawful>() {
    let mut runner = TestRunner::deterministic();
    let mut noticed = (false, false);
    for _ in 0..600 {
        let (world, wish) = P::turbulent().new_tree(&mut runner).unwrap().current();
        let weather = weather().new_tree(&mut runner).unwrap().current();
        noticed.0 = noticed.0 || every_step_is_safe_by::<P>(&world, &wish, &weather, narrow_first).is_err();
        let (world, wish) = (P::worlds(false), P::wishes()).new_tree(&mut runner).unwrap().current();
        noticed.1 = noticed.1 || repeating_blindly::<P>(&world, &wish).is_err();
        if noticed == (true, true) {
            return;
        }
    }
    panic!("who narrows first is noticed, who repeats blindly is noticed: {noticed:?}");
}

/// A client that sends again what wasn't answered.
fn repeating_blindly<P: Lawful>(world: &P::World, wish: &Wish) -> Law {
    let mut rig = P::rig(world.clone(), wish);
    let Some(plan) = planned(&rig) else { return Ok(()) };
    rig.wire.doom(&vec![Fate::DropAfter; plan.sealed.mutations.len()]);
    rig.wire.repeat_blindly();
    rig.apply_plan(&plan).unwrap();
    nothing_doubled_or_lost(&rig, world)
}

/// Whether everybody was mailed once at most, and no key lives whose secret is lost.
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

/// Of a key that carries its id, the part that the platform keeps a digest of.
fn secret_part(key: &str) -> String {
    use base64::Engine as _;
    let inner =
        key.strip_prefix("hvo1/").and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
    let inner = inner.and_then(|bytes| String::from_utf8(bytes).ok());
    inner
        .and_then(|text| text.split_once(':').map(|(_, secret)| secret.to_owned()))
        .unwrap_or_else(|| key.to_owned())
}

/// Law 6: die anywhere, and the next runs converge with one mail a person and no live key whose secret is lost.
fn dying_anywhere_loses_nothing<P: Lawful>(
    world: &P::World,
    wish: &Wish,
    weather: &Weather,
    at: usize,
    after: bool,
) -> Law {
    let mut rig = P::rig(world.clone(), wish);
    let Some(plan) = planned(&rig) else { return Ok(()) };
    let mut fates = vec![Fate::Fine; at];
    fates.push(if after { Fate::KillAfter } else { Fate::KillBefore });
    Weather { fates, ..weather.clone() }.over(&mut rig);
    let _ = rig.apply_plan(&plan);
    rig.wire.doom(&[]);
    for _ in 0..3 {
        let Some(plan) = planned(&rig) else { return Ok(()) };
        rig.apply_plan(&plan).unwrap();
    }
    let last = rig.try_plan().unwrap();
    prop_assert!(last.sealed.mutations.is_empty(), "{:#?}", last.sealed);
    nothing_doubled_or_lost(&rig, world)
}

/// What a run leaves behind, up to ids and times.
#[derive(Debug, PartialEq)]
struct End {
    /// Whoever wasn't there before is told by what they may do alone, as their id is another each time.
    access: Vec<(String, BTreeSet<String>)>,
    people: BTreeSet<String>,
    mails: Vec<String>,
    /// The files of keys that work, each as often as there are such keys.
    keys: Vec<String>,
}

/// Applies until there is nothing left to do. None: a guardrail stands in the way by now, as there are more admins to lose
/// than there were.
fn to_the_end<P: Lawful>(rig: &mut Rig<P>, before: &P::World) -> Result<Option<End>, TestCaseError> {
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
    Ok(Some(End { access, people: P::emails(&world), mails, keys }))
}

/// Law 6 in full: stopped before any request, or after it took effect and before its answer, the next runs end as if
/// nothing had happened.
fn stopped_at_any_request_it_ends_the_same<P: Lawful>(world: &P::World, wish: &Wish, weather: &Weather) -> Law {
    let calm = |fates: Vec<Fate>| Weather { fates, ..weather.clone() };
    let mut whole = P::rig(world.clone(), wish);
    calm(Vec::new()).over(&mut whole);
    let Some(plan) = planned(&whole) else { return Ok(()) };
    whole.apply_plan(&plan).unwrap();
    let requests = whole.wire.mutations().len();
    let Ok(Some(end)) = to_the_end(&mut whole, world) else { return Ok(()) };
    for at in 0..requests {
        for fate in [Fate::KillBefore, Fate::KillAfter] {
            let mut rig = P::rig(world.clone(), wish);
            let mut fates = vec![Fate::Fine; at];
            fates.push(fate);
            calm(fates).over(&mut rig);
            prop_assert!(rig.apply_plan(&plan).is_none(), "nothing died");
            rig.wire.doom(&[]);
            let Some(ended) = to_the_end(&mut rig, world)? else { continue };
            nothing_doubled_or_lost(&rig, world)?;
            // Whether a mail went out can't be known where nobody lists invitations: it is a person's to say.
            let unsure = |hold: &Hold| matches!(hold.reason, HoldReason::InvitationUnsure { .. });
            if rig.plan().sealed.holds.iter().any(unsure) {
                continue;
            }
            prop_assert_eq!(&ended, &end, "{:?} at {} of {:#?}", fate, at, &plan.sealed.mutations);
        }
    }
    Ok(())
}

/// Law 6 between an answer and the ledger, and at every other line of it: what was done and isn't written down is found
/// out, and the next runs end as if nothing had happened.
fn stopped_before_any_line_of_the_ledger_it_ends_the_same<P: Lawful>(
    world: &P::World,
    wish: &Wish,
    weather: &Weather,
) -> Law {
    let calm = Weather { fates: Vec::new(), ..weather.clone() };
    let mut whole = P::rig(world.clone(), wish);
    calm.over(&mut whole);
    let Some(plan) = planned(&whole) else { return Ok(()) };
    whole.apply_plan(&plan).unwrap();
    let Ok(Some(end)) = to_the_end(&mut whole, world) else { return Ok(()) };
    for lines in 0.. {
        let mut rig = P::rig(world.clone(), wish);
        calm.over(&mut rig);
        if !rig.apply_until_line(&plan, lines) {
            // It is asked for the time when it plans again, too.
            prop_assert!(lines > plan.sealed.mutations.len());
            break;
        }
        let Some(ended) = to_the_end(&mut rig, world)? else { continue };
        nothing_doubled_or_lost(&rig, world)?;
        let unsure = |hold: &Hold| matches!(hold.reason, HoldReason::InvitationUnsure { .. });
        if rig.plan().sealed.holds.iter().any(unsure) {
            continue;
        }
        prop_assert_eq!(&ended, &end, "before line {} of {:#?}", lines, &plan.sealed.mutations);
    }
    Ok(())
}

/// Laws 5 and 6 for answers that are lost or refused: the next runs converge all the same.
fn failures_are_made_good_by_later_runs<P: Lawful>(
    world: &P::World,
    wish: &Wish,
    weather: &Weather,
    more: &[Fate],
) -> Law {
    let mut rig = P::rig(world.clone(), wish);
    weather.over(&mut rig);
    for run in 0..6 {
        let Some(plan) = planned(&rig) else { return Ok(()) };
        let report = rig.apply_plan(&plan).unwrap();
        let honest = report.all_done()
            || !matches!(report.final_state, FinalState::InSync { .. })
            || report.steps.iter().any(|step| step.outcome != Outcome::Done);
        prop_assert!(honest);
        rig.wire.doom(if run == 0 { more } else { &[] });
    }
    let last = rig.try_plan().unwrap();
    prop_assert!(last.sealed.mutations.is_empty(), "{:#?}", last.sealed);
    nothing_doubled_or_lost(&rig, world)
}

/// Law 7: a list that isn't whole is never taken for one; nothing rests on a broken one, and everybody whom that keeps
/// from being planned is named.
fn a_broken_list_proves_nothing<P: Lawful>(mut world: P::World, wish: &Wish, how: u8) -> Law {
    P::break_users(&mut world, how);
    let there = P::emails(&world);
    let rig = P::rig(world, wish);
    let live = rig.read().unwrap();
    let listed: BTreeSet<String> = live.users.items.iter().map(|user| user.email.key().to_owned()).collect();
    if live.users.completeness == Completeness::Proven {
        prop_assert!(there.is_subset(&listed), "proven complete, and lacks {:?}", there.difference(&listed));
    }
    if !live.users.completeness.is_broken() {
        return Ok(());
    }
    let Ok(plan) = rig.try_plan() else { return Ok(()) };
    for change in &plan.sealed.changes {
        let is_user = matches!(change.entity(), Some(Entity::User(_)));
        let removal = change.cause == Cause::NotListed && change.action != Action::Cancel;
        let rests = change.action == Action::Invite || (is_user && removal);
        prop_assert!(!rests, "{:#?}", change);
    }
    for wish in &rig.desired.users {
        let seen = listed.contains(wish.email.key());
        let held = plan.sealed.holds.iter().any(|hold| {
            let stands = matches!(hold.reason, HoldReason::InvitationStands { .. })
                && !Rig::<P>::rules().changes_invitations();
            let said = stands || matches!(hold.reason, HoldReason::Unreadable { .. });
            hold.address.name == wish.email.key() && said
        });
        let withdrawn = plan
            .sealed
            .changes
            .iter()
            .any(|change| change.action == Action::Cancel && change.address.name == wish.email.key());
        prop_assert!(seen || held || withdrawn, "{} is silently absent", wish.email);
    }
    Ok(())
}

/// Law 7: what the API doesn't show is said, and never taken for equal.
fn what_can_not_be_read_is_said<P: Lawful>(world: P::World, wish: &Wish) -> Law {
    let rig = P::rig(world, wish);
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

/// Law 9: every change has its calls, and none that the provider doesn't know; an order that can be run; keys are never
/// changed in place.
fn only_what_the_provider_can_do_is_planned<P: Lawful>(world: P::World, wish: &Wish) -> Law {
    let rig = P::rig(world, wish);
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

/// A saved plan is read back as it was.
fn a_plan_survives_being_saved<P: Lawful>(world: P::World, wish: &Wish) -> Law {
    let rig = P::rig(world, wish);
    let Ok(plan) = rig.try_plan() else { return Ok(()) };
    let saved: serde_json::Value = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    prop_assert!(rolecall_plan::verify(&saved).is_ok());
    let back: OrganizationPlan = serde_json::from_value(saved).unwrap();
    prop_assert_eq!(&back, &plan);
    Ok(())
}

/// The generators reach what the laws are about. A law over worlds in which nothing happens says nothing.
fn the_generated_worlds_have_something_to_do<P: Lawful>() {
    use proptest::strategy::ValueTree;
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..200 {
        let world = P::worlds(false).new_tree(&mut runner).unwrap().current();
        let wish = P::wishes().new_tree(&mut runner).unwrap().current();
        let _ = desired(&format!("{}{}", P::HEAD, wish.body()));
        match P::rig(world, &wish).try_plan() {
            Ok(plan) if plan.refusals.is_empty() => {
                *seen.entry("plans".to_owned()).or_default() += 1;
                for change in &plan.sealed.changes {
                    *seen.entry(format!("{} {}", change.address.kind.as_str(), change.action)).or_default() += 1;
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
    for what in ["plans", "refused", "findings", "relies"].iter().chain(P::BUSY) {
        assert!(seen.get(*what).is_some_and(|count| *count >= 3), "{what}: {seen:#?}");
    }
    assert!(seen["plans"] >= 60, "{seen:#?}");
}

macro_rules! laws {
    ($module:ident, $platform:ty) => {
        mod $module {
            use super::*;
            type P = $platform;

            proptest! {
                #![proptest_config(config())]

                #[test]
                fn reading_can_not_write(world in P::worlds(true), wish in P::wishes()) {
                    super::reading_can_not_write::<P>(world, &wish)?;
                }

                #[test]
                fn applying_converges(world in P::worlds(true), wish in P::wishes()) {
                    super::applying_converges::<P>(world, &wish)?;
                }

                #[test]
                fn the_same_world_and_wish_give_the_same_seal(world in P::worlds(true), wish in P::wishes(), seed in any::<u64>()) {
                    super::the_same_world_and_wish_give_the_same_seal::<P>(world, &wish, seed)?;
                }

                #[test]
                fn updates_carry_whole_values(world in P::worlds(true), wish in P::wishes()) {
                    super::updates_carry_whole_values::<P>(world, &wish)?;
                }

                #[test]
                fn every_step_is_safe((world, wish) in P::turbulent(), weather in weather()) {
                    super::every_step_is_safe::<P>(&world, &wish, &weather)?;
                }

                #[test]
                fn dying_anywhere_loses_nothing(world in P::worlds(false), wish in P::wishes(), weather in weather(), at in 0..8_usize, after in any::<bool>()) {
                    super::dying_anywhere_loses_nothing::<P>(&world, &wish, &weather, at, after)?;
                }

                #[test]
                fn failures_are_made_good_by_later_runs(world in P::worlds(false), wish in P::wishes(), weather in weather(), more in fates()) {
                    super::failures_are_made_good_by_later_runs::<P>(&world, &wish, &weather, &more)?;
                }

                #[test]
                fn a_broken_list_proves_nothing(world in P::worlds(true), wish in P::wishes(), how in any::<u8>()) {
                    super::a_broken_list_proves_nothing::<P>(world, &wish, how)?;
                }

                #[test]
                fn what_can_not_be_read_is_said(world in P::worlds(true), wish in P::wishes()) {
                    super::what_can_not_be_read_is_said::<P>(world, &wish)?;
                }

                #[test]
                fn only_what_the_provider_can_do_is_planned(world in P::worlds(true), wish in P::wishes()) {
                    super::only_what_the_provider_can_do_is_planned::<P>(world, &wish)?;
                }

                #[test]
                fn a_plan_survives_being_saved(world in P::worlds(true), wish in P::wishes()) {
                    super::a_plan_survives_being_saved::<P>(world, &wish)?;
                }
            }

            proptest! {
                #![proptest_config(few())]

                #[test]
                fn stopped_at_any_request_it_ends_the_same((world, wish) in P::turbulent(), weather in weather()) {
                    super::stopped_at_any_request_it_ends_the_same::<P>(&world, &wish, &weather)?;
                }

                #[test]
                fn stopped_before_any_line_of_the_ledger_it_ends_the_same((world, wish) in P::turbulent(), weather in weather()) {
                    super::stopped_before_any_line_of_the_ledger_it_ends_the_same::<P>(&world, &wish, &weather)?;
                }
            }

            #[test]
            fn small_plans_are_safe_in_every_order() {
                every_order::small_plans_are_safe_in_every_order::<P>();
            }

            #[test]
            fn flaws_are_noticed() {
                super::flaws_are_noticed::<P>();
            }

            #[test]
            fn the_generated_worlds_have_something_to_do() {
                super::the_generated_worlds_have_something_to_do::<P>();
            }
        }
    };
}

laws!(bitpanda_laws, support::bitpanda::Custody);
laws!(hive_laws, support::hive::Console);
laws!(paradime_laws, support::paradime::Workspace);
laws!(rapidapi_laws, support::rapidapi::Hub);

proptest! {
    #![proptest_config(config())]

    /// No text makes reading a file panic, and none is accepted without being understood.
    #[test]
    fn any_text_gives_findings_or_a_wish(text in "(?s).{0,400}", cut in 0..400_usize, which in 0..4_usize) {
        use rolecall_config::{Source, check_source};
        let (wish, findings) = check_source(&Source::inline("x.yaml", text.clone()), rolecall_providers::rules);
        prop_assert!(wish.is_some() || !findings.is_empty());
        let example = support::cli::example(["bitpanda.yaml", "hive.yaml", "paradime.yaml", "rapidapi.yaml"][which]);
        let at = (0..=cut.min(example.len())).rev().find(|at| example.is_char_boundary(*at)).unwrap_or(0);
        let spliced = format!("{}{text}{}", &example[..at], &example[at..]);
        let (wish, findings) = check_source(&Source::inline("x.yaml", spliced), rolecall_providers::rules);
        prop_assert!(wish.is_some() || !findings.is_empty());
    }
}
