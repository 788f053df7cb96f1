//! Which mutations may go next. Pure: knows what became of none of them, only which are over.

use std::collections::BTreeMap;

use rolecall_model::{Address, Mutation, Stage};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    UnderWay,
    Over,
}

/// The mutations of a plan, by their places in it.
pub(super) struct Schedule<'a> {
    mutations: &'a [Mutation],
    states: Vec<State>,
    /// What each relies on.
    relied: Vec<Vec<usize>>,
    /// Those that are a part of a change.
    of_change: BTreeMap<&'a Address, Vec<usize>>,
    /// All before this one are over.
    first: usize,
}

impl<'a> Schedule<'a> {
    pub fn new(mutations: &'a [Mutation]) -> Self {
        let places: BTreeMap<&str, usize> =
            mutations.iter().enumerate().map(|(place, mutation)| (&*mutation.id, place)).collect();
        let relied = |mutation: &Mutation| {
            let ids = mutation.needs.iter().chain(&mutation.after);
            ids.filter_map(|id| places.get(&**id).copied()).collect()
        };
        let mut of_change: BTreeMap<&Address, Vec<usize>> = BTreeMap::new();
        for (place, mutation) in mutations.iter().enumerate() {
            for change in mutation.changes() {
                of_change.entry(change).or_default().push(place);
            }
        }
        Self {
            mutations,
            states: vec![State::Waiting; mutations.len()],
            relied: mutations.iter().map(relied).collect(),
            of_change,
            first: 0,
        }
    }

    pub fn mutation(&self, place: usize) -> &'a Mutation {
        &self.mutations[place]
    }

    /// What a mutation relies on.
    pub fn relied(&self, place: usize) -> &[usize] {
        &self.relied[place]
    }

    /// The mutations that a change is made of.
    pub fn of_change(&self, address: &Address) -> &[usize] {
        self.of_change.get(address).map(Vec::as_slice).unwrap_or_default()
    }

    /// Those that wait for nothing any more, in the plan's order. A later stage begins once all is over that comes
    /// before it in the plan and belongs to an earlier one; nothing is under way twice for one entity.
    pub fn ready(&self) -> impl Iterator<Item = usize> {
        let mut earliest: Option<Stage> = None;
        (self.first..self.states.len()).filter(move |place| {
            let state = self.states[*place];
            if state == State::Over {
                return false;
            }
            let stage = self.mutations[*place].stage;
            let its_turn = earliest.is_none_or(|earliest| stage <= earliest);
            earliest = Some(earliest.map_or(stage, |earliest| earliest.min(stage)));
            state == State::Waiting && its_turn && self.is_free(*place)
        })
    }

    fn is_free(&self, place: usize) -> bool {
        let over = |other: &usize| self.states[*other] == State::Over;
        let idle =
            |address: &Address| self.of_change(address).iter().all(|other| self.states[*other] != State::UnderWay);
        self.relied[place].iter().all(over) && self.mutations[place].changes().all(idle)
    }

    pub fn under_way(&self) -> impl Iterator<Item = usize> {
        (self.first..self.states.len()).filter(|place| self.states[*place] == State::UnderWay)
    }

    /// The first that isn't over and isn't under way.
    pub fn first_waiting(&self) -> Option<usize> {
        (self.first..self.states.len()).find(|place| self.states[*place] == State::Waiting)
    }

    pub fn begin(&mut self, place: usize) {
        self.states[place] = State::UnderWay;
    }

    pub fn end(&mut self, place: usize) {
        self.states[place] = State::Over;
        while self.states.get(self.first) == Some(&State::Over) {
            self.first += 1;
        }
    }

    /// To be sent once more.
    pub fn reopen(&mut self, place: usize) {
        self.states[place] = State::Waiting;
        self.first = self.first.min(place);
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
    fn what_is_independent_and_of_one_stage_goes_at_once() {
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
        assert_eq!(ready(&schedule), [0; 0], "one that widens is under way still");
        schedule.end(1);
        assert_eq!(ready(&schedule), [3]);
    }

    #[test]
    fn an_earlier_stage_that_comes_later_in_the_plan_is_not_waited_for() {
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
    fn one_entity_is_changed_by_one_request_at_a_time() {
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
