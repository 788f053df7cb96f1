//! The laws, over generated worlds and wishes. `PROPTEST_CASES=5000 cargo test --test laws` looks harder.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::subsequence;
use rolecall::apply::Standing;
use rolecall::model::{
    Action, Cause, Change, Effect, Entity, HoldReason, OrganizationPlan, Outcome, ProviderName,
};
use rolecall::plan::{PlanInput, plan};
use rolecall::provider;
use rolecall::sandbox::bitpanda::{DuplicateInvite, Invitees, World};
use rolecall::sandbox::digest;
use support::rig::{Fate, HEAD, OWN_SECRET, Rig, desired, key, now, user, world};

const ROLES: &[&str] = &["ADMIN", "CLUSTER_OPS", "NEVER_HEARD_OF", "SIGNER"];
const PEOPLE: usize = 6;
const KEY_NAMES: &[&str] = &["backend", "ci", "reporting / 2024"];
const EXPIRIES: &[&str] = &["2030-01-01T00:00:00Z", "2031-06-30T12:30:00Z"];

fn roles() -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(ROLES, 0..=ROLES.len())
}

/// People and keys as another hand left them. Everybody is enabled and has accepted unless `shadows` is set.
fn worlds(shadows: bool) -> impl Strategy<Value = World> {
    let person = (any::<bool>(), roles(), any::<bool>(), any::<bool>());
    let keys = proptest::collection::vec((0..KEY_NAMES.len(), roles(), 0..EXPIRIES.len(), any::<bool>()), 0..4);
    let switches =
        (prop_oneof![Just(None), (1..4_usize).prop_map(Some)], any::<bool>(), any::<bool>(), any::<bool>());
    (proptest::collection::vec(person, PEOPLE), keys, switches).prop_map(move |(people, keys, switches)| {
        let mut world = world();
        for (index, (there, roles, enabled, accepted)) in people.into_iter().enumerate() {
            if there {
                let mut user = user(&format!("u{index}@x.example"), &roles);
                user.enabled = enabled || !shadows;
                user.accepted = accepted || !shadows;
                world.users.push(user);
            }
        }
        for (index, (name, roles, expires, enabled)) in keys.into_iter().enumerate() {
            let mut key = key(&format!("k{index}"), KEY_NAMES[name], &roles, &format!("live-{index}"));
            key.expires = EXPIRIES[expires].parse().unwrap();
            key.enabled = enabled;
            world.keys.push(key);
        }
        let (page_size, shown, millis, resent) = switches;
        world.switches.page_size = page_size;
        world.switches.invitees = if shown { Invitees::Shown } else { Invitees::Hidden };
        world.switches.expiry_millis = millis;
        world.switches.duplicate_invite = if resent { DuplicateInvite::Resent } else { DuplicateInvite::Refused };
        world
    })
}

/// One entry of a file, as a line of YAML.
#[derive(Clone, Debug)]
struct Wish {
    head: String,
    users: Vec<String>,
    keys: Vec<String>,
    min_admins: usize,
}

impl Wish {
    fn body(&self) -> String {
        let mut text = format!("{}\nguardrails: {{ min_admins: {} }}\n", self.head, self.min_admins);
        for (name, entries) in [("users", &self.users), ("keys", &self.keys)] {
            let _ = writeln!(text, "{name}: [{}]", entries.join(", "));
        }
        text
    }
}

fn user_wish(index: usize) -> impl Strategy<Value = Option<String>> {
    let listed = (proptest::option::of(roles()), any::<bool>()).prop_map(move |(roles, enabled)| {
        let roles = roles.map(|roles| format!(", roles: [{}]", roles.join(", "))).unwrap_or_default();
        let name = "first_name: First, last_name: Last";
        Some(format!("{{ email: U{index}@x.example, {name}, enabled: {enabled}{roles} }}"))
    });
    prop_oneof![
        1 => Just(None),
        1 => Just(Some(format!("{{ email: u{index}@x.example, absent: true }}"))),
        4 => listed,
    ]
}

fn key_wish(name: &'static str) -> impl Strategy<Value = Option<String>> {
    let listed = (roles(), 0..EXPIRIES.len()).prop_map(move |(roles, expires)| {
        let file = name.replace([' ', '/'], "-");
        Some(format!(
            "{{ name: {name}, roles: [{}], expires: {}, deliver: {{ file: {file} }} }}",
            roles.join(", "),
            EXPIRIES[expires]
        ))
    });
    prop_oneof![1 => Just(None), 1 => Just(Some(format!("{{ name: {name}, absent: true }}"))), 3 => listed]
}

fn wishes() -> impl Strategy<Value = Wish> {
    let users: Vec<_> = (0..PEOPLE).map(|index| user_wish(index).boxed()).collect();
    let keys: Vec<_> = KEY_NAMES.iter().map(|name| key_wish(name).boxed()).collect();
    let scope = || prop_oneof![Just("listed"), Just("all")];
    (users, keys, scope(), any::<bool>(), 0..3_usize).prop_map(|(users, keys, scope, reinvite, min_admins)| Wish {
        head: format!("manage: {{ users: {scope} }}\nreinvite_expired: {reinvite}"),
        users: users.into_iter().flatten().collect(),
        keys: keys.into_iter().flatten().collect(),
        min_admins,
    })
}

/// Small organisations in which admins change places: where a failure in the middle would leave nobody.
fn swaps() -> impl Strategy<Value = (World, Wish)> {
    let person = (any::<bool>(), any::<bool>());
    (proptest::collection::vec(person, 0..3), 1..3_usize).prop_map(|(others, min_admins)| {
        let people: Vec<(bool, bool)> = [(true, false), (false, true)].into_iter().chain(others).collect();
        let mut world = world();
        let mut users = Vec::new();
        for (index, (is_admin, shall_be)) in people.into_iter().enumerate() {
            let email = format!("u{index}@x.example");
            world.users.push(user(&email, if is_admin { &["ADMIN"] } else { &["SIGNER"] }));
            let role = if shall_be { "ADMIN" } else { "SIGNER" };
            users.push(format!("{{ email: {email}, roles: [{role}], enabled: true }}"));
        }
        (world, Wish { head: String::new(), users, keys: Vec::new(), min_admins })
    })
}

/// Anything, and often enough what law 5 is about.
fn turbulent() -> impl Strategy<Value = (World, Wish)> {
    prop_oneof![(worlds(false), wishes()), swaps()]
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        3 => Just(Fate::Fine),
        1 => Just(Fate::DropBefore),
        1 => Just(Fate::DropAfter),
        1 => Just(Fate::Refuse),
    ];
    proptest::collection::vec(fate, 0..8)
}

/// The plan, where there is one: ambiguous keys and the like are findings, and refusals send nothing.
fn planned(rig: &Rig) -> Option<OrganizationPlan> {
    rig.try_plan().ok().filter(|plan| plan.refusals.is_empty())
}

/// Cases are few by default, so that the suite stays quick.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(96);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    /// Law 1: planning changes nothing, and asks for nothing that could. That it can't is a compile-fail test.
    #[test]
    fn reading_can_not_write(world in worlds(true), wish in wishes()) {
        let rig = Rig::new(world, &wish.body());
        let before = rig.world().clone();
        let _ = rig.try_plan();
        prop_assert_eq!(&*rig.world(), &before);
        prop_assert!(rig.wire.mutations().is_empty());
    }

    /// Law 2: apply, read, plan again: nothing, but for old keys whose successor has just been delivered, and after
    /// those nothing at all.
    #[test]
    fn applying_converges(mut world in worlds(true), wish in wishes()) {
        // Whoever another hand invited and the list hides can't be told from a stranger: that invitation is refused.
        let hidden = world.switches.invitees == Invitees::Hidden;
        world.users.retain(|user| user.accepted || !hidden);
        let mut rig = Rig::new(world, &wish.body());
        let Some(first) = planned(&rig) else { return Ok(()) };
        let report = rig.apply_plan(&first).unwrap();
        prop_assert!(report.all_done(), "{report:#?}");
        let converged = matches!(report.standing, Standing::Converged { .. });
        prop_assert!(converged, "{:?}", report.standing);
        let second = rig.try_plan().unwrap();
        let only_superseded = |change: &Change| matches!(change.cause, Cause::Superseded { .. });
        prop_assert!(second.sealed.changes.iter().all(only_superseded), "{:#?}", second.sealed);
        rig.apply_plan(&second).unwrap();
        let third = rig.try_plan().unwrap();
        prop_assert!(third.sealed.mutations.is_empty(), "{:#?}", third.sealed);
    }

    /// Law 2, where every update waits for a second person: nothing is sent twice, and approving it converges.
    #[test]
    fn waiting_for_approval_is_not_a_reason_to_send_again(mut world in worlds(false), wish in wishes()) {
        world.switches.quorum = true;
        let mut rig = Rig::new(world, &wish.body());
        let Some(first) = planned(&rig) else { return Ok(()) };
        rig.apply_plan(&first).unwrap();
        let Some(second) = planned(&rig) else { return Ok(()) };
        let sent: BTreeSet<String> = first.sealed.mutations.iter().map(|m| format!("{:?}", m.variables)).collect();
        // What relied on something that is still waiting has not been sent at all.
        let skipped = |m: &rolecall::model::Mutation| first.sealed.mutations.iter().any(|f| f.variables == m.variables && !f.after.is_empty());
        for mutation in second.sealed.mutations.iter().filter(|m| m.operation == "updateUser" && !skipped(m)) {
            prop_assert!(!sent.contains(&format!("{:?}", mutation.variables)), "{mutation:#?}");
        }
    }

    /// Law 3: the sealed part doesn't depend on the order of lists and pages, nor on the time of day.
    #[test]
    fn the_same_world_and_wish_give_the_same_seal(
        world in worlds(true),
        wish in wishes(),
        seed in any::<u64>(),
        page in 1..5_usize,
    ) {
        let mut shuffled_world = world.clone();
        let mut shuffled = wish.clone();
        let turn = |length: usize| if length == 0 { 0 } else { usize::try_from(seed).unwrap_or(7) % length };
        let (users, keys) = (turn(world.users.len()), turn(world.keys.len()));
        shuffled_world.users.rotate_left(users);
        shuffled_world.users.reverse();
        shuffled_world.keys.rotate_left(keys);
        shuffled_world.switches.page_size = Some(page);
        let (users, keys) = (turn(shuffled.users.len()), turn(shuffled.keys.len()));
        shuffled.users.rotate_left(users);
        shuffled.keys.rotate_left(keys);
        shuffled.keys.reverse();
        let (one, other) = (Rig::new(world, &wish.body()), Rig::new(shuffled_world, &shuffled.body()));
        let later: Timestamp = "2027-03-01T03:04:05Z".parse().unwrap();
        let seal = |rig: &Rig, now: Timestamp| {
            let input = PlanInput {
                desired: &rig.desired,
                live: &rig.read().unwrap(),
                facts: &rig.ledger.facts(),
                rules: provider::rules(ProviderName::Bitpanda),
                host: "sandbox",
                asserted: &BTreeSet::new(),
                only: None,
                now,
            };
            plan(&input).map(|planned| planned.plan.seal).map_err(|findings| findings.len())
        };
        prop_assert_eq!(seal(&one, now()), seal(&other, later));
    }

    /// Law 4: every update carries the whole value, and what the file doesn't say stays as it was.
    #[test]
    fn updates_carry_whole_values(world in worlds(true), wish in wishes()) {
        let mut rig = Rig::new(world.clone(), &wish.body());
        let Some(plan) = planned(&rig) else { return Ok(()) };
        rig.apply_plan(&plan).unwrap();
        let wished: BTreeMap<_, _> = rig.desired.users.iter().map(|wish| (wish.email.key().to_owned(), wish)).collect();
        for request in rig.wire.mutations() {
            let Some(input) = request.variables.get("updateUserInput") else { continue };
            let fields: Vec<&str> = input.as_object().unwrap().keys().map(String::as_str).collect();
            prop_assert_eq!(fields, ["enabled", "roles", "userTrustId"]);
            let was = world.users.iter().find(|user| user.id == input["userTrustId"]).unwrap();
            let sent: BTreeSet<String> = serde_json::from_value(input["roles"].clone()).unwrap();
            let wish = wished.get(&was.email);
            let expected: BTreeSet<String> = match wish.and_then(|wish| wish.roles.as_ref()) {
                Some(roles) => roles.iter().map(ToString::to_string).collect(),
                None => was.roles.clone(),
            };
            prop_assert_eq!(&sent, &expected);
            let enabled = wish.is_some_and(|wish| wish.enabled == Some(true));
            prop_assert_eq!(&input["enabled"], enabled);
        }
        for was in &world.users {
            let is = rig.world().user(&was.email).unwrap().clone();
            prop_assert_eq!((&is.first_name, &is.last_name, &is.phone), (&was.first_name, &was.last_name, &was.phone));
        }
    }

    /// Law 5: after every request, whatever becomes of it: enough admins, our own access, and no access interrupted
    /// that the file and the platform both keep.
    #[test]
    fn every_step_is_safe((mut world, wish) in turbulent(), fates in fates(), quorum in any::<bool>()) {
        world.switches.quorum = quorum;
        let start = world.clone();
        let mut rig = Rig::new(world, &wish.body());
        let Some(plan) = planned(&rig) else { return Ok(()) };
        let floor = wish.min_admins.min(start.usable_admins());
        let kept: Vec<String> = rig.desired.keys.iter().filter(|wish| !wish.absent).map(|wish| wish.name.to_string()).collect();
        let had: BTreeSet<String> = start.keys.iter().filter(|key| key.enabled).map(|key| key.name.clone()).collect();
        let broken = Arc::new(Mutex::new(None));
        let found = Arc::clone(&broken);
        rig.wire.watch(Arc::new(move |world: &World| {
            let mut problem = None;
            if world.usable_admins() < floor {
                problem = Some(format!("{} admins of {floor}", world.usable_admins()));
            }
            if !world.admits(OWN_SECRET, now()) {
                problem = Some("locked out".to_owned());
            }
            for name in kept.iter().filter(|name| had.contains(*name)) {
                let before = start.keys.iter().filter(|key| key.enabled && key.name == *name);
                let works = before.clone().any(|old| world.keys.iter().any(|key| key.id == old.id && key.enabled));
                if !works {
                    problem = Some(format!("{name} was interrupted"));
                }
            }
            if let Some(problem) = problem {
                found.lock().unwrap().get_or_insert(problem);
            }
        }));
        rig.wire.doom(&fates);
        rig.apply_plan(&plan).unwrap();
        let problem = broken.lock().unwrap().clone();
        prop_assert!(problem.is_none(), "{problem:?}");
    }

    /// Law 6: die anywhere, and the next runs converge with one mail a person and no live key whose secret is lost.
    #[test]
    fn dying_anywhere_loses_nothing(world in worlds(false), wish in wishes(), at in 0..8_usize, after in any::<bool>()) {
        let mut rig = Rig::new(world.clone(), &wish.body());
        let Some(plan) = planned(&rig) else { return Ok(()) };
        let mut fates = vec![Fate::Fine; at];
        fates.push(if after { Fate::KillAfter } else { Fate::KillBefore });
        rig.wire.doom(&fates);
        let _ = rig.apply_plan(&plan);
        rig.wire.doom(&[]);
        for _ in 0..3 {
            let Ok(plan) = rig.try_plan() else { return Ok(()) };
            if !plan.refusals.is_empty() {
                return Ok(());
            }
            rig.apply_plan(&plan).unwrap();
        }
        let last = rig.try_plan().unwrap();
        prop_assert!(last.sealed.mutations.is_empty(), "{:#?}", last.sealed);
        let mails = rig.world().mails.clone();
        let once: BTreeSet<&String> = mails.iter().collect();
        prop_assert_eq!(mails.len(), once.len(), "{:?}", &mails);
        let before: BTreeSet<&String> = world.keys.iter().map(|key| &key.id).collect();
        for minted in rig.world().keys.iter().filter(|key| key.enabled && !before.contains(&key.id)) {
            let file = minted.name.replace([' ', '/'], "-");
            let secret = rig.delivered(&file).unwrap_or_default();
            prop_assert_eq!(&digest(&secret), &minted.digest, "{} is live and its secret is lost", minted.id);
        }
    }

    /// Laws 5 and 6 for answers that are lost or refused: the next runs converge all the same.
    #[test]
    fn failures_are_made_good_by_later_runs(world in worlds(false), wish in wishes(), fates in fates()) {
        let mut rig = Rig::new(world, &wish.body());
        rig.wire.doom(&fates);
        for _ in 0..5 {
            let Ok(plan) = rig.try_plan() else { return Ok(()) };
            if !plan.refusals.is_empty() {
                return Ok(());
            }
            let report = rig.apply_plan(&plan).unwrap();
            let honest = report.all_done() || !matches!(report.standing, Standing::Converged { .. })
                || report.steps.iter().any(|step| step.outcome != Outcome::Done);
            prop_assert!(honest);
            rig.wire.doom(&[]);
        }
        let last = rig.try_plan().unwrap();
        prop_assert!(last.sealed.mutations.is_empty(), "{:#?}", last.sealed);
        let mails = rig.world().mails.clone();
        let once: BTreeSet<&String> = mails.iter().collect();
        prop_assert_eq!(mails.len(), once.len(), "{:?}", &mails);
    }

    /// Law 7: nothing rests on a broken list, and everybody whom that keeps from being planned is named.
    #[test]
    fn a_broken_list_proves_nothing(mut world in worlds(true), wish in wishes(), off in prop_oneof![Just(-1_i64), Just(1)]) {
        world.switches.count_off_by = off;
        world.switches.page_size = None;
        let listed = world.users.iter().filter(|user| user.accepted || world.switches.invitees == Invitees::Shown).count();
        prop_assume!(i64::try_from(listed).unwrap() + off >= 0);
        let rig = Rig::new(world, &wish.body());
        let live = rig.read().unwrap();
        prop_assert!(live.users.completeness.is_broken());
        let Ok(plan) = rig.try_plan() else { return Ok(()) };
        for change in &plan.sealed.changes {
            let rests = change.action == Action::Invite || (change.cause == Cause::NotListed && matches!(change.after, Entity::User(_)));
            prop_assert!(!rests, "{change:#?}");
        }
        for wish in &rig.desired.users {
            let seen = live.users.items.iter().any(|user| user.email == wish.email);
            let held = plan.sealed.holds.iter().any(|hold| {
                hold.address.name == wish.email.key() && matches!(hold.reason, HoldReason::Unreadable { .. })
            });
            prop_assert!(seen || held, "{} is silently absent", wish.email);
        }
    }

    /// Law 7: what the API doesn't show is said, and never taken for equal.
    #[test]
    fn what_can_not_be_read_is_said(world in worlds(true), wish in wishes()) {
        let rig = Rig::new(world, &wish.body());
        let Ok(plan) = rig.try_plan() else { return Ok(()) };
        prop_assert!(plan.gaps.iter().any(|gap| gap.what.contains("`enabled`")));
        prop_assert!(plan.gaps.iter().any(|gap| gap.what.contains("ledger")));
        for change in &plan.sealed.changes {
            let (Some(Entity::User(before)), Entity::User(after)) = (&change.before, &change.after) else { continue };
            prop_assert_eq!(before.enabled, rolecall::model::Seen::Unreadable);
            let on = after.enabled == rolecall::model::Seen::Known(true);
            prop_assert_eq!(on, change.effects.contains(&Effect::MayReEnable));
        }
    }

    /// Law 9: every change has its calls, and none that the provider doesn't know; keys are never changed in place.
    #[test]
    fn only_what_the_provider_can_do_is_planned(world in worlds(true), wish in wishes()) {
        let rig = Rig::new(world.clone(), &wish.body());
        let Ok(plan) = rig.try_plan() else { return Ok(()) };
        for change in &plan.sealed.changes {
            let calls: Vec<_> = plan.sealed.mutations.iter().filter(|m| m.change == change.address).collect();
            prop_assert_eq!(calls.len(), 1, "{:#?}", change);
            prop_assert!(provider::of(ProviderName::Bitpanda).document(&calls[0].operation).is_some());
            if let (Entity::Key(after), Some(Entity::Key(before))) = (&change.after, &change.before)
                && change.action != Action::Create
            {
                prop_assert_eq!((&before.roles, before.expires), (&after.roles, after.expires));
            }
        }
        let ids: BTreeSet<&String> = plan.sealed.mutations.iter().map(|m| &m.id).collect();
        prop_assert_eq!(ids.len(), plan.sealed.mutations.len());
        for (index, mutation) in plan.sealed.mutations.iter().enumerate() {
            let earlier: BTreeSet<&String> = plan.sealed.mutations[..index].iter().map(|m| &m.id).collect();
            prop_assert!(mutation.after.iter().all(|id| earlier.contains(id)), "an order that can't be run");
        }
    }

    /// A saved plan is read back as it was, whatever the names in it.
    #[test]
    fn a_plan_survives_being_saved(world in worlds(true), wish in wishes(), name in "[ -~äß#%]{1,20}") {
        let mut world = world;
        world.keys.push(key("odd", name.trim(), &[], "odd"));
        let rig = Rig::new(world, &wish.body());
        let Ok(plan) = rig.try_plan() else { return Ok(()) };
        let saved: serde_json::Value = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
        prop_assert!(rolecall::plan::verify(&saved).is_ok());
        let back: OrganizationPlan = serde_json::from_value(saved).unwrap();
        prop_assert_eq!(&back, &plan);
    }

    /// No text makes reading a file panic, and none is accepted without being understood.
    #[test]
    fn any_text_gives_findings_or_a_wish(text in "(?s).{0,400}", cut in 0..400_usize) {
        let (wish, findings) = rolecall::desired::check_source(&rolecall::desired::Source::inline("x.yaml", text.clone()), provider::rules);
        prop_assert!(wish.is_some() || !findings.is_empty());
        let example = support::cli::example();
        let at = (0..=cut.min(example.len())).rev().find(|at| example.is_char_boundary(*at)).unwrap_or(0);
        let spliced = format!("{}{text}{}", &example[..at], &example[at..]);
        let (wish, findings) = rolecall::desired::check_source(&rolecall::desired::Source::inline("x.yaml", spliced), provider::rules);
        prop_assert!(wish.is_some() || !findings.is_empty());
    }
}

/// The generators reach what the laws are about. A law over worlds in which nothing happens says nothing.
#[test]
fn the_generated_worlds_have_something_to_do() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..200 {
        let world = worlds(false).new_tree(&mut runner).unwrap().current();
        let wish = wishes().new_tree(&mut runner).unwrap().current();
        let _ = desired(&format!("{HEAD}{}", wish.body()));
        match Rig::new(world, &wish.body()).try_plan() {
            Ok(plan) if plan.refusals.is_empty() => {
                *seen.entry("plans".to_owned()).or_default() += 1;
                for change in &plan.sealed.changes {
                    *seen.entry(format!("{} {}", change.address.kind.as_str(), change.action)).or_default() += 1;
                }
                let relies = plan.sealed.mutations.iter().any(|mutation| !mutation.after.is_empty());
                *seen.entry("relies".to_owned()).or_default() += usize::from(relies);
            }
            Ok(_) => *seen.entry("refused".to_owned()).or_default() += 1,
            Err(_) => *seen.entry("findings".to_owned()).or_default() += 1,
        }
    }
    for what in [
        "plans",
        "refused",
        "findings",
        "relies",
        "user invite",
        "user replace",
        "user disable",
        "key create",
        "key disable",
    ] {
        assert!(seen.get(what).is_some_and(|count| *count >= 3), "{what}: {seen:#?}");
    }
    assert!(seen["plans"] >= 60, "{seen:#?}");
}
