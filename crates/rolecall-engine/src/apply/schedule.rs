//! Keeps track of which mutations can be sent next. It is pure: it knows which mutations are finished, but not
//! their outcomes.

use std::collections::BTreeMap;

use rolecall_model::{Address, Mutation, Stage};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    InFlight,
    Finished,
}

/// The mutations of a plan, by their index in it, and the state of each.
pub(super) struct Schedule<'a> {
    mutations: &'a [Mutation],
    states: Vec<State>,
    /// The dependencies of each mutation.
    dependencies: Vec<Vec<usize>>,
    /// The mutations of each change.
    of_change: BTreeMap<&'a Address, Vec<usize>>,
    /// The first mutation that isn't finished.
    first_unfinished: usize,
}

impl<'a> Schedule<'a> {
    pub fn new(mutations: &'a [Mutation]) -> Self {
        let indices: BTreeMap<&str, usize> =
            mutations.iter().enumerate().map(|(index, mutation)| (&*mutation.id, index)).collect();
        let dependencies = |mutation: &Mutation| {
            let ids = mutation.needs.iter().chain(&mutation.after);
            ids.filter_map(|id| indices.get(&**id).copied()).collect()
        };
        let mut of_change: BTreeMap<&Address, Vec<usize>> = BTreeMap::new();
        for (index, mutation) in mutations.iter().enumerate() {
            for change in mutation.changes() {
                of_change.entry(change).or_default().push(index);
            }
        }
        Self {
            mutations,
            states: vec![State::Waiting; mutations.len()],
            dependencies: mutations.iter().map(dependencies).collect(),
            of_change,
            first_unfinished: 0,
        }
    }

    pub fn mutation(&self, index: usize) -> &'a Mutation {
        &self.mutations[index]
    }

    /// Returns the dependencies of a mutation.
    pub fn dependencies(&self, index: usize) -> &[usize] {
        &self.dependencies[index]
    }

    /// Returns the mutations of a change.
    pub fn of_change(&self, address: &Address) -> &[usize] {
        self.of_change.get(address).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the mutations that can be sent, in the plan's order. A mutation also waits for those of an earlier
    /// stage that come before it in the plan, and for those of the same entity that are in flight.
    pub fn ready(&self) -> impl Iterator<Item = usize> {
        let mut earliest: Option<Stage> = None;
        (self.first_unfinished..self.states.len()).filter(move |index| {
            let state = self.states[*index];
            if state == State::Finished {
                return false;
            }
            let stage = self.mutations[*index].stage;
            let is_due = earliest.is_none_or(|earliest| stage <= earliest);
            earliest = Some(earliest.map_or(stage, |earliest| earliest.min(stage)));
            state == State::Waiting && is_due && self.is_free(*index)
        })
    }

    fn is_free(&self, index: usize) -> bool {
        let finished = |other: &usize| self.states[*other] == State::Finished;
        let idle =
            |address: &Address| self.of_change(address).iter().all(|other| self.states[*other] != State::InFlight);
        self.dependencies[index].iter().all(finished) && self.mutations[index].changes().all(idle)
    }

    pub fn in_flight(&self) -> impl Iterator<Item = usize> {
        (self.first_unfinished..self.states.len()).filter(|index| self.states[*index] == State::InFlight)
    }

    /// Returns the first mutation that wasn't sent yet.
    pub fn first_waiting(&self) -> Option<usize> {
        (self.first_unfinished..self.states.len()).find(|index| self.states[*index] == State::Waiting)
    }

    pub fn begin(&mut self, index: usize) {
        self.states[index] = State::InFlight;
    }

    pub fn end(&mut self, index: usize) {
        self.states[index] = State::Finished;
        while self.states.get(self.first_unfinished) == Some(&State::Finished) {
            self.first_unfinished += 1;
        }
    }

    /// Marks a mutation as waiting again, so that it is sent once more.
    pub fn reopen(&mut self, index: usize) {
        self.states[index] = State::Waiting;
        self.first_unfinished = self.first_unfinished.min(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutation(id: &str, change: &str, stage: Stage, needs: &[&str]) -> Mutation {
        Mutation {
            id: id.to_owned(),
            change: Address::user(&rolecall_model::Email::seen(change)),
            also: Vec::new(),
            stage,
            operation: "updateUser".to_owned(),
            variables: BTreeMap::new(),
            needs: needs.iter().map(|id| (*id).to_owned()).collect(),
            after: Vec::new(),
            first_step: false,
        }
    }

    fn ready(schedule: &Schedule<'_>) -> Vec<usize> {
        schedule.ready().collect()
    }

    #[test]
    fn independent_mutations_of_one_stage_are_ready_at_once() {
        let mutations = [
            mutation("m1", "a@x.example", Stage::Widen, &[]),
            mutation("m2", "b@x.example", Stage::Widen, &[]),
            mutation("m3", "c@x.example", Stage::Widen, &["m1"]),
            mutation("m4", "d@x.example", Stage::Narrow, &[]),
        ];
        let mut schedule = Schedule::new(&mutations);
        assert_eq!(ready(&schedule), [0, 1]);
        schedule.begin(0);
        schedule.begin(1);
        assert_eq!(ready(&schedule), [0; 0]);
        schedule.end(0);
        assert_eq!(ready(&schedule), [2]);
        schedule.begin(2);
        schedule.end(2);
        assert_eq!(ready(&schedule), [0; 0], "a mutation of the earlier stage is still in flight");
        schedule.end(1);
        assert_eq!(ready(&schedule), [3]);
    }

    #[test]
    fn a_mutation_does_not_wait_for_later_ones_of_an_earlier_stage() {
        let mutations = [
            mutation("m1", "a@x.example", Stage::Narrow, &[]),
            mutation("m2", "b@x.example", Stage::Widen, &["m1"]),
            mutation("m3", "c@x.example", Stage::Narrow, &[]),
        ];
        let mut schedule = Schedule::new(&mutations);
        assert_eq!(ready(&schedule), [0]);
        schedule.end(0);
        assert_eq!(ready(&schedule), [1]);
        schedule.end(1);
        assert_eq!(ready(&schedule), [2]);
    }

    #[test]
    fn one_entity_has_one_request_in_flight_at_a_time() {
        let mutations =
            [mutation("m1", "a@x.example", Stage::Widen, &[]), mutation("m2", "a@x.example", Stage::Widen, &[])];
        let mut schedule = Schedule::new(&mutations);
        schedule.begin(0);
        assert_eq!(ready(&schedule), [0; 0]);
        schedule.end(0);
        assert_eq!(ready(&schedule), [1]);
        schedule.reopen(0);
        assert_eq!((ready(&schedule), schedule.first_waiting()), (vec![0, 1], Some(0)));
    }
}
