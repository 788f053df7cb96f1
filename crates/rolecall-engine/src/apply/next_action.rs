//! Decides the next action of a run: which mutations to send, to skip, or to verify by a read. It is pure: it only looks
//! at the [`State`].
//!
//! For example, the plan invites Jane and Tom. The first invitation is sent alone, so that a general problem with the
//! operation happens only once. Its answer is lost: the next action is to read, and nothing is sent meanwhile. The read
//! shows the invitation, so the next action is to send the second one.

use std::time::Duration;

use super::executor::SkipReason;
use super::state::{Readiness, State};
use rolecall_graphql::{BatchPart, fitting_count};
use rolecall_model::Mutation;

/// The next action of a run.
#[derive(Debug, PartialEq)]
pub(super) enum NextAction {
    /// Send these mutations in one document.
    Send(Vec<usize>),
    Skip(usize, SkipReason),
    /// Read, to find out whether this mutation can be sent.
    VerifyPending(usize),
    /// Read, to find out the outcome of mutations whose answers were lost.
    VerifyUnanswered,
    /// Wait until a request in flight has finished, or until this time has passed.
    Wait(Option<Duration>),
    Nothing,
}

/// Returns the next action.
pub(super) fn next_action(state: &State<'_>) -> NextAction {
    let when_idle = |next| if state.in_flight > 0 { NextAction::Wait(None) } else { next };
    if let Some(reason) = &state.stopped {
        let why = SkipReason::from(reason.to_string());
        return when_idle(
            state.schedule.first_waiting().map_or(NextAction::Nothing, |index| NextAction::Skip(index, why)),
        );
    }
    // If answers were lost, send nothing more until a read has shown the outcome of those mutations.
    if !state.unanswered.is_empty() {
        return when_idle(NextAction::VerifyUnanswered);
    }
    if state.in_flight >= state.parallelism || state.minting {
        return NextAction::Wait(None);
    }
    let (mut needing_read, mut shortest_wait) = (None, None::<Duration>);
    let mut batch: Vec<usize> = Vec::new();
    for index in state.schedule.ready() {
        let mutation = state.schedule.mutation(index);
        if !batch.is_empty() && !may_join(state, index) {
            continue;
        }
        match state.readiness(index) {
            Readiness::Never(reason) => return NextAction::Skip(index, reason),
            Readiness::NeedsRead => {
                needing_read = needing_read.or(Some(index));
                continue;
            }
            Readiness::Ready => {}
        }
        // The first mutation of each operation is sent alone, so that a general problem with the operation
        // happens only once. A mutation that creates a secret waits until nothing else is in flight.
        let awaits_first_answer =
            !state.answered_operations.contains(&*mutation.operation) && state.is_in_flight(&mutation.operation);
        if awaits_first_answer || state.in_flight > 0 && state.mints(index) {
            continue;
        }
        if may_join(state, index) {
            batch.push(index);
            if is_batch_full(state, &batch) {
                break;
            }
            continue;
        }
        match state.limited.get(&*mutation.operation) {
            None => return NextAction::Send(vec![index]),
            Some(wait) => shortest_wait = Some(shortest_wait.map_or(*wait, |shortest| shortest.min(*wait))),
        }
    }
    if !batch.is_empty() {
        batch.truncate(fitting(state, &batch));
        return NextAction::Send(batch);
    }
    match (state.in_flight, needing_read, shortest_wait) {
        // Don't read while writes are in flight: the result would mix both states.
        (0, Some(index), _) => NextAction::VerifyPending(index),
        (0, None, Some(wait)) => NextAction::Wait(Some(wait)),
        (0, None, None) => match state.schedule.first_waiting() {
            // The planner never makes such a plan.
            Some(index) => NextAction::Skip(index, "its dependencies form a cycle".to_owned().into()),
            None => NextAction::Nothing,
        },
        (_, _, shortest_wait) => NextAction::Wait(shortest_wait),
    }
}

/// Returns whether a mutation can be batched with others in one document.
fn may_join(state: &State<'_>, index: usize) -> bool {
    let mutation = state.schedule.mutation(index);
    let joinable = || state.provider.document(&mutation.operation).is_some_and(|it| it.joinable.is_some());
    !state.batching_off
        && state.provider.traffic().batch_limits.is_some()
        && !state.resent.contains(&index)
        && state.answered_operations.contains(&*mutation.operation)
        && joinable()
}

/// Returns whether a batch has as many mutations as the platform allows.
fn is_batch_full(state: &State<'_>, batch: &[usize]) -> bool {
    state.provider.traffic().batch_limits.is_none_or(|limits| batch.len() >= limits.aliases)
}

/// Returns how many of these mutations, counted from the first, fit into one document.
fn fitting(state: &State<'_>, batch: &[usize]) -> usize {
    let Some(limits) = state.provider.traffic().batch_limits else { return 1 };
    let part = |index: &usize| {
        let Mutation { id, operation, .. } = state.schedule.mutation(*index);
        Some(BatchPart { alias: id, mutation: state.provider.document(operation)? })
    };
    let parts: Vec<BatchPart<'_>> = batch.iter().filter_map(part).collect();
    fitting_count(&parts, limits)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::outcome::Answered;
    use super::super::{Step, Stop, step};
    use super::*;
    use rolecall_model::{
        Action, Activity, Address, Cause, Change, Email, Entity, Identity, OrganizationPlan, Outcome,
        ProviderName, RemoteId, Sealed, Site, Stage, User,
    };

    const LIMITED: &str = "inviteToOrganizationByEmail";
    const ASSIGN: &str = "assignMemberRole";

    /// A mutation for the change of a user of its own. `needs` and `after` name others by their position.
    fn mutation(position: usize, operation: &str, needs: &[usize], after: &[usize]) -> Mutation {
        let ids = |positions: &[usize]| positions.iter().map(|position| format!("m{position}")).collect();
        Mutation {
            id: format!("m{position}"),
            change: address(position),
            also: Vec::new(),
            stage: Stage::Widen,
            operation: operation.to_owned(),
            variables: BTreeMap::new(),
            needs: ids(needs),
            after: ids(after),
            first_step: false,
        }
    }

    fn address(position: usize) -> Address {
        Address::user(&Email::seen(&format!("u{position}@x.example")))
    }

    fn plan(mutations: Vec<Mutation>) -> OrganizationPlan {
        let change = |mutation: &Mutation| Change {
            address: mutation.change.clone(),
            action: Action::Update,
            before: None,
            after: Some(Entity::User(User::named(Email::seen(&mutation.change.name)))),
            cause: Cause::Declared,
            effects: Vec::new(),
        };
        let organization = RemoteId::seen("acme");
        OrganizationPlan {
            sealed: Sealed {
                identity: Identity {
                    provider: ProviderName::Hive,
                    organization,
                    site: Site::host("hive.example"),
                },
                changes: mutations.iter().map(change).collect(),
                mutations,
                holds: Vec::new(),
            },
            seal: String::new(),
            completeness: BTreeMap::new(),
            gaps: Vec::new(),
            refusals: Vec::new(),
            overrides: Vec::new(),
            privileged: BTreeMap::new(),
            access: BTreeMap::new(),
            warnings: Vec::new(),
            not_selected: 0,
            places: BTreeMap::new(),
            usable_admins_after: 1,
            requests: 0,
            inventory: None,
            comparison: None,
            together: None,
            last_in_sync: BTreeMap::new(),
            overdue: BTreeMap::new(),
            endings: Vec::new(),
            activity: Activity::default(),
            notes: BTreeMap::new(),
        }
    }

    fn state(plan: &OrganizationPlan) -> State<'_> {
        State::new(rolecall_providers::of(ProviderName::Hive), plan, 4)
    }

    /// Ends a mutation that was sent, with this outcome.
    fn end(state: &mut State<'_>, index: usize, outcome: Outcome) {
        let mutation = state.schedule.mutation(index);
        let change = &state.plan.sealed.changes[index];
        let answered = if outcome == Outcome::Failed { Answered::Refused } else { Answered::Accepted };
        let ended = Step { answered, ..step(mutation, change, outcome, None) };
        state.answered_operations.insert(&mutation.operation);
        state.steps.insert(index, vec![ended]);
        state.schedule.end(index);
    }

    fn skipped(next: NextAction) -> (usize, String) {
        let NextAction::Skip(index, reason) = next else { return (usize::MAX, format!("{next:?}")) };
        (index, reason.why)
    }

    #[test]
    fn the_first_of_an_operation_is_sent_alone_and_the_others_together_after_its_answer() {
        let plan = plan((0..4).map(|position| mutation(position, ASSIGN, &[], &[])).collect());
        let mut state = state(&plan);
        assert_eq!(next_action(&state), NextAction::Send(vec![0]));
        state.schedule.begin(0);
        state.in_flight = 1;
        assert_eq!(next_action(&state), NextAction::Wait(None));
        end(&mut state, 0, Outcome::Done);
        state.in_flight = 0;
        assert_eq!(next_action(&state), NextAction::Send(vec![1, 2, 3]));
        state.batching_off = true;
        assert_eq!(next_action(&state), NextAction::Send(vec![1]));
        // One that was sent before is sent by itself.
        state.batching_off = false;
        state.resent = BTreeSet::from([1]);
        assert_eq!(next_action(&state), NextAction::Send(vec![1]));
    }

    #[test]
    fn nothing_is_sent_while_an_answer_is_lost_or_a_key_is_delivered() {
        let plan = plan((0..2).map(|position| mutation(position, ASSIGN, &[], &[])).collect());
        let mut state = state(&plan);
        state.unanswered = BTreeMap::from([(0, true)]);
        state.in_flight = 1;
        assert_eq!(next_action(&state), NextAction::Wait(None));
        state.in_flight = 0;
        assert_eq!(next_action(&state), NextAction::VerifyUnanswered);
        state.unanswered.clear();
        state.minting = true;
        assert_eq!(next_action(&state), NextAction::Wait(None));
    }

    #[test]
    fn what_depends_on_something_that_was_not_done_is_skipped_with_the_reason() {
        let plan = plan(vec![mutation(0, ASSIGN, &[], &[]), mutation(1, ASSIGN, &[0], &[])]);
        for (outcome, why) in [(Outcome::Failed, "failed"), (Outcome::NotTaken, "was not taken")] {
            let mut state = state(&plan);
            end(&mut state, 0, outcome);
            assert_eq!(skipped(next_action(&state)), (1, format!("it depends on user/u0@x.example, which {why}")));
        }
        // Only a read can tell what became of an unsure one. Once a read was used, there is no other.
        let mut state = state(&plan);
        end(&mut state, 0, Outcome::Unsure);
        assert_eq!(next_action(&state), NextAction::VerifyPending(1));
        state.read_decided = BTreeSet::from([0]);
        assert_eq!(skipped(next_action(&state)).0, 1);
    }

    #[test]
    fn an_answer_is_not_enough_for_what_has_to_be_seen_in_effect() {
        let plan = plan(vec![mutation(0, ASSIGN, &[], &[]), mutation(1, ASSIGN, &[], &[0])]);
        let mut state = state(&plan);
        end(&mut state, 0, Outcome::Done);
        assert_eq!(next_action(&state), NextAction::VerifyPending(1));
        state.in_effect = BTreeMap::from([(0, false)]);
        assert_eq!(skipped(next_action(&state)).0, 1);
        state.in_effect = BTreeMap::from([(0, true)]);
        assert_eq!(next_action(&state), NextAction::Send(vec![1]));
    }

    #[test]
    fn a_rate_limit_of_one_operation_holds_only_that_operation() {
        let plan = plan(vec![mutation(0, LIMITED, &[], &[]), mutation(1, ASSIGN, &[], &[])]);
        let mut state = state(&plan);
        let wait = Duration::from_secs(3);
        state.limited = BTreeMap::from([(LIMITED, wait)]);
        assert_eq!(next_action(&state), NextAction::Send(vec![1]));
        end(&mut state, 1, Outcome::Done);
        assert_eq!(next_action(&state), NextAction::Wait(Some(wait)));
    }

    #[test]
    fn a_stop_skips_the_rest_once_nothing_is_in_flight() {
        let plan = plan(vec![mutation(0, ASSIGN, &[], &[]), mutation(1, ASSIGN, &[], &[])]);
        let mut state = state(&plan);
        state.schedule.begin(0);
        state.in_flight = 1;
        state.stopped = Some(Stop::Interrupted);
        assert_eq!(next_action(&state), NextAction::Wait(None));
        end(&mut state, 0, Outcome::Done);
        state.in_flight = 0;
        assert_eq!(skipped(next_action(&state)), (1, Stop::Interrupted.to_string()));
        end(&mut state, 1, Outcome::Skipped);
        assert_eq!(next_action(&state), NextAction::Nothing);
    }

    #[test]
    fn no_more_requests_are_in_flight_than_allowed() {
        let plan = plan(vec![mutation(0, ASSIGN, &[], &[]), mutation(1, LIMITED, &[], &[])]);
        let mut state = State { parallelism: 1, ..state(&plan) };
        state.schedule.begin(0);
        state.in_flight = 1;
        assert_eq!(next_action(&state), NextAction::Wait(None));
    }

    #[test]
    fn a_cycle_ends_the_run_instead_of_hanging_it() {
        let plan = plan(vec![mutation(0, ASSIGN, &[1], &[]), mutation(1, ASSIGN, &[0], &[])]);
        assert_eq!(skipped(next_action(&state(&plan))), (0, "its dependencies form a cycle".to_owned()));
    }
}
