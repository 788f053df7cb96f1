//! Law 5 by exhaustion: small plans in every order that they allow, with every outcome of every request. What is safe
//! after each request is safe wherever a run ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use rolecall_model::{Mutation, OrganizationPlan, Stage};
use tokio::time::Instant;

use crate::lawful::{Lawful, Wish};
use crate::planned;
use crate::safety::Safety;
use crate::support::rig::{Fate, Rig};

/// What may become of a request.
const OUTCOMES: &[Fate] = &[Fate::Fine, Fate::Refuse, Fate::DropBefore, Fate::DropAfter, Fate::NotTaken];

/// All sequences of choices, one after the other: each run makes the next.
#[derive(Debug, Default)]
struct Choices {
    /// What was chosen, and among how many.
    made: Vec<(usize, usize)>,
    next: usize,
}

impl Choices {
    fn choose(&mut self, among: usize) -> usize {
        if self.next == self.made.len() {
            self.made.push((0, among));
        }
        let (chosen, known) = self.made[self.next];
        assert_eq!(among, known, "a run that was repeated went another way");
        self.next += 1;
        chosen
    }

    /// Goes on to the next sequence. False: there is none.
    fn turn(&mut self) -> bool {
        self.next = 0;
        while let Some((chosen, among)) = self.made.pop() {
            if chosen + 1 < among {
                self.made.push((chosen + 1, among));
                return true;
            }
        }
        false
    }
}

type Shared = Arc<Mutex<Choices>>;

/// The mutations in another order that they allow: none before what it relies on, none before one of an earlier stage that
/// comes before it in the plan.
fn reordered(plan: &OrganizationPlan, choices: &Shared) -> OrganizationPlan {
    let mutations = &plan.sealed.mutations;
    let mut order: Vec<usize> = Vec::new();
    while order.len() < mutations.len() {
        let mut earliest: Option<Stage> = None;
        let mut ready = Vec::new();
        for (place, mutation) in mutations.iter().enumerate().filter(|(place, _)| !order.contains(place)) {
            let relied = |other: &usize| mutation.relies_on(&mutations[*other].id) && !order.contains(other);
            if earliest.is_none_or(|earliest| mutation.stage <= earliest)
                && !(0..mutations.len()).any(|other| relied(&other))
            {
                ready.push(place);
            }
            earliest = Some(earliest.map_or(mutation.stage, |earliest| earliest.min(mutation.stage)));
        }
        order.push(ready[choices.lock().unwrap().choose(ready.len())]);
    }
    let names: BTreeMap<&str, String> = order
        .iter()
        .enumerate()
        .map(|(place, index)| (&*mutations[*index].id, format!("m{}", place + 1)))
        .collect();
    let renamed = |ids: &[String]| ids.iter().map(|id| names[&**id].clone()).collect();
    let mut plan = plan.clone();
    plan.sealed.mutations = order
        .iter()
        .map(|index| {
            let mutation = &mutations[*index];
            let (needs, after) = (renamed(&mutation.needs), renamed(&mutation.after));
            Mutation { id: names[&*mutation.id].clone(), needs, after, ..mutation.clone() }
        })
        .collect();
    plan
}

/// Requests that are under way at once have their effects in every order.
fn in_every_order<P: Lawful>(rig: &Rig<P>, choices: &Shared) {
    let (choices, due) = (Arc::clone(choices), Mutex::new(BTreeSet::<Instant>::new()));
    rig.wire.delay(Arc::new(move || {
        let mut due = due.lock().unwrap();
        let now = Instant::now();
        due.retain(|at| *at > now);
        let place = choices.lock().unwrap().choose(due.len() + 1);
        let before = place.checked_sub(1).and_then(|place| due.iter().nth(place)).copied().unwrap_or(now);
        let after = due.iter().nth(place).copied();
        // Half way between those that it comes between.
        let at = after.map_or(before + Duration::from_secs(64), |after| before + (after - before) / 2);
        due.insert(at);
        at - now
    }));
}

/// How often the plan of this world was run. Panics where a moment isn't safe.
fn exhaust<P: Lawful>(world: &P::World, wish: &Wish, plan: &OrganizationPlan) -> usize {
    let safety = Arc::new(Safety::of::<P>(world, wish, plan));
    let choices = Shared::default();
    let mut runs = 0;
    loop {
        let mut rig = P::rig(world.clone(), wish);
        let breach = safety.watch(&rig);
        let at_once = choices.lock().unwrap().choose(2) == 1;
        let plan = if at_once { plan.clone() } else { reordered(plan, &choices) };
        rig.parallelism = Some(if at_once { plan.sealed.mutations.len() } else { 1 });
        if at_once {
            in_every_order(&rig, &choices);
        }
        let decide = Arc::clone(&choices);
        rig.wire.decide(Arc::new(move || OUTCOMES[decide.lock().unwrap().choose(OUTCOMES.len())]));
        rig.apply_plan(&plan).unwrap();
        runs += 1;
        let breach = breach.lock().unwrap().clone();
        assert!(breach.is_none(), "{breach:?} by {:?} in {:#?}", choices.lock().unwrap(), plan.sealed.mutations);
        if !choices.lock().unwrap().turn() {
            return runs;
        }
    }
}

/// What a plan does, whatever its names.
fn shape(plan: &OrganizationPlan) -> Vec<(Stage, String, usize, usize)> {
    let of = |mutation: &Mutation| {
        (mutation.stage, mutation.operation.clone(), mutation.needs.len(), mutation.after.len())
    };
    plan.sealed.mutations.iter().map(of).collect()
}

/// Small plans of different shapes, in which something is taken, under each guardrail.
pub fn small_plans_are_safe_in_every_order<P: Lawful>() {
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<usize>().ok());
    // Three mutations take minutes already.
    let (shapes, size) = (number("SHAPES").unwrap_or(3), number("SIZE").unwrap_or(2));
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    let mut runs = 0;
    for tried in 0..400 {
        // Where such plans are rare, two will do.
        if seen.len() >= shapes || (seen.len() >= 2 && tried >= 100) {
            break;
        }
        let (world, wish) = P::turbulent().new_tree(&mut runner).unwrap().current();
        for min_admins in 1..=3 {
            let wish = Wish { min_admins, ..wish.clone() };
            let Some(plan) = planned(&P::rig(world.clone(), &wish)) else { continue };
            let mutations = &plan.sealed.mutations;
            let relied = mutations.iter().any(|mutation| !mutation.after.is_empty());
            let takes = mutations.iter().any(|mutation| mutation.stage >= Stage::Narrow);
            if !(2..=size).contains(&mutations.len()) || !takes || !(relied || seen.len() + 1 < shapes) {
                continue;
            }
            if seen.insert((shape(&plan), min_admins)) {
                runs += exhaust::<P>(&world, &wish, &plan);
            }
        }
    }
    assert!(seen.len() >= 2, "{seen:?}");
    assert!(runs > 100, "{} shapes in {runs} runs, which are not every one", seen.len());
}
