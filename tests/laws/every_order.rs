//! Law 5 by exhaustion: small plans in every order that their dependencies allow, with every outcome of every
//! request. A state that is safe after each request is safe wherever a run stops.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use rolecall_model::{Mutation, OrganizationPlan, Stage};
use tokio::time::Instant;

use crate::lawful::{FileBody, Lawful};
use crate::planned;
use crate::safety::Safety;
use crate::support::rig::{Fate, Rig};

/// The possible fates of a request.
const OUTCOMES: &[Fate] = &[Fate::Fine, Fate::Refuse, Fate::DropBefore, Fate::DropAfter, Fate::NotTaken];

/// All sequences of choices, one after the other. Each run makes the choices of one sequence.
#[derive(Debug, Default)]
struct Choices {
    /// The choices of this run: the chosen index and the number of options.
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

    /// Moves to the next sequence. Returns false after the last one.
    fn advance(&mut self) -> bool {
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

/// Reorders the mutations as their dependencies allow. A mutation also stays behind those of an earlier stage that
/// come before it in the plan.
fn reordered(plan: &OrganizationPlan, choices: &Shared) -> OrganizationPlan {
    let mutations = &plan.sealed.mutations;
    let mut order: Vec<usize> = Vec::new();
    while order.len() < mutations.len() {
        let mut earliest: Option<Stage> = None;
        let mut ready = Vec::new();
        for (place, mutation) in mutations.iter().enumerate().filter(|(place, _)| !order.contains(place)) {
            let relied = |other: &usize| mutation.depends_on(&mutations[*other].id) && !order.contains(other);
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

/// Lets requests in flight at the same time take effect in every order.
fn in_every_order<P: Lawful>(rig: &Rig<P>, choices: &Shared) {
    let (choices, due) = (Arc::clone(choices), Mutex::new(BTreeSet::<Instant>::new()));
    rig.wire.delay(Arc::new(move || {
        let mut due = due.lock().unwrap();
        let now = Instant::now();
        due.retain(|at| *at > now);
        let place = choices.lock().unwrap().choose(due.len() + 1);
        let before = place.checked_sub(1).and_then(|place| due.iter().nth(place)).copied().unwrap_or(now);
        let after = due.iter().nth(place).copied();
        // The time between those of its two neighbours.
        let at = after.map_or(before + Duration::from_secs(64), |after| before + (after - before) / 2);
        due.insert(at);
        at - now
    }));
}

/// Runs the plan of a world in every order and counts the runs. Panics if a state isn't safe.
fn exhaust<P: Lawful>(world: &P::World, file: &FileBody, plan: &OrganizationPlan) -> usize {
    let safety = Arc::new(Safety::of::<P>(world, file, plan));
    let choices = Shared::default();
    let mut runs = 0;
    loop {
        let mut rig = P::rig(world.clone(), file);
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
        if !choices.lock().unwrap().advance() {
            return runs;
        }
    }
}

/// Returns the structure of a plan without names, to recognise plans of the same shape.
fn shape(plan: &OrganizationPlan) -> Vec<(Stage, String, usize, usize)> {
    let of = |mutation: &Mutation| {
        (mutation.stage, mutation.operation.clone(), mutation.needs.len(), mutation.after.len())
    };
    plan.sealed.mutations.iter().map(of).collect()
}

/// Runs small plans of different shapes that remove something, under each guardrail.
pub fn small_plans_are_safe_in_every_order<P: Lawful>() {
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<usize>().ok());
    // Plans of three mutations already take minutes.
    let (shapes, size) = (number("SHAPES").unwrap_or(3), number("SIZE").unwrap_or(2));
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    let mut runs = 0;
    for tried in 0..400 {
        // Two shapes are enough where such plans are rare.
        if seen.len() >= shapes || (seen.len() >= 2 && tried >= 100) {
            break;
        }
        let (world, file) = P::mixed().new_tree(&mut runner).unwrap().current();
        for min_admins in 1..=3 {
            let file = FileBody { min_admins, ..file.clone() };
            let Some(plan) = planned(&P::rig(world.clone(), &file)) else { continue };
            let mutations = &plan.sealed.mutations;
            let relied = mutations.iter().any(|mutation| !mutation.after.is_empty());
            let takes = mutations.iter().any(|mutation| mutation.stage >= Stage::Narrow);
            if !(2..=size).contains(&mutations.len()) || !takes || !(relied || seen.len() + 1 < shapes) {
                continue;
            }
            if seen.insert((shape(&plan), min_admins)) {
                runs += exhaust::<P>(&world, &file, &plan);
            }
        }
    }
    assert!(seen.len() >= 2, "{seen:?}");
    assert!(runs >= 100, "{} shapes in {runs} runs, which are not every one", seen.len());
}
