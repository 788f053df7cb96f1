//! Verifies pending outcomes by a read, before anything is sent that depends on them.
//!
//! For example, the plan promotes Jane to admin and then demotes Tom. The answer to Jane's promotion contains no
//! error, but that doesn't prove that it is in effect. So rolecall reads first: if the read shows Jane as an
//! admin, Tom is demoted; if not, his demotion is skipped, since it could leave no admin at all.
//!
//! If the answer to Jane's promotion is lost, the read settles that as well. If it shows the promotion, its
//! outcome is `done`. If it doesn't, the promotion is sent again, since setting the same value twice does no harm.
//! An invitation isn't sent again: a second one would send a second mail.

use super::executor::Execution;
use super::outcome::{self, Attempt, Made, Sent, When};
use super::{Step, Stop, interrupt};
use rolecall_model::{Action, Change, Kind, Live, Outcome, Quirk, RemoteId};
use rolecall_plan::{Observation, current_entity, mutation_in_effect, renamed};

/// The number of rounds in a row without an answer that counts as an outage and stops the run.
const OUTAGE_ROUNDS: usize = 3;

/// The result of a read for one step.
struct Shown {
    index: usize,
    step_index: usize,
    made: Made,
    seen: Observation,
    /// The id of the live entity, which is needed if the answer to its creation was lost.
    id: Option<RemoteId>,
}

impl Execution<'_> {
    /// Reads, to find out the state of everything that this mutation depends on. The same read settles all other
    /// open outcomes.
    pub(super) async fn verify_pending(&mut self, index: usize) {
        let read = match &self.read_error {
            Some(why) => Err(why.clone()),
            None => self.read().await,
        };
        match read {
            Ok(Some(live)) => {
                self.settle_open(&live);
                self.record_observations(&live);
            }
            Ok(None) => self.state.stopped = Some(Stop::Interrupted),
            Err(why) => {
                self.skip(index, &format!("its dependencies can't be read: {why}").into());
                // The reader has already retried. Mutations that need no read can still be sent.
                self.read_error = Some(why);
            }
        }
    }

    /// Reads, to find out the outcome of mutations whose answers were lost. Those that were certainly not done are
    /// sent again, if it does no harm that they may arrive twice.
    pub(super) async fn verify_unanswered(&mut self) {
        self.unanswered_rounds += usize::from(self.state.unanswered.values().any(|request_ended| !request_ended));
        if self.unanswered_rounds >= OUTAGE_ROUNDS {
            self.state.stopped =
                Some(Stop::Unreachable(format!("{OUTAGE_ROUNDS} requests in a row got no answer")));
        }
        match self.read().await {
            Ok(Some(live)) => self.settle_open(&live),
            Ok(None) => self.state.stopped = Some(Stop::Interrupted),
            Err(why) => {
                let why = format!("an answer was lost, and its outcome can't be read: {why}");
                self.state.stopped = Some(Stop::Unreachable(why));
            }
        }
        self.state.unanswered.clear();
    }

    /// Reads the live state. Returns `None` if a shutdown was requested.
    async fn read(&self) -> Result<Option<Live>, String> {
        let read = self.apply.provider.read(self.apply.reader, self.apply.desired);
        let live = interrupt::unless_shutdown(self.apply, read).await.transpose();
        let live = live.map_err(|error| error.to_string())?;
        Ok(live.map(|live| renamed(self.apply.desired, &live).into_owned()))
    }

    /// Settles all open outcomes by a read.
    fn settle_open(&mut self, live: &Live) {
        let reads_decide = self.state.reads_decide();
        let open: Vec<usize> =
            self.state.steps.keys().copied().filter(|index| self.state.is_open(*index)).collect();
        self.state.read_decided.extend(&open);
        for Shown { index, step_index, made, seen, id } in self.shown(live, &open) {
            let Some(found) = self.state.steps.get_mut(&index).and_then(|steps| steps.get_mut(step_index)) else {
                continue;
            };
            let lost = self.state.unanswered.contains_key(&index);
            let sent = if lost { Sent::Lost } else { Sent::Once };
            let was = Attempt { made, outcome: found.outcome, answered: found.answered, sent };
            let Some(correction) = outcome::correction(was, seen, When::Midway, reads_decide) else { continue };
            let Some((outcome, answered, message)) = correction.result(found.answered, String::new) else {
                self.send_again(index);
                continue;
            };
            (found.outcome, found.answered, found.message) = (outcome, answered, Some(message));
            found.id = found.id.take().or(id);
            let found = found.clone();
            (self.on_step)(&found);
            if let Err(error) = self.append(found.event()) {
                self.state.stopped = Some(Stop::Unrecorded(error.to_string()));
            }
        }
    }

    /// Records for all done mutations whether a read shows them in effect.
    fn record_observations(&mut self, live: &Live) {
        let done = |steps: &[Step]| steps.iter().all(|step| step.outcome == Outcome::Done);
        let done: Vec<usize> =
            self.state.steps.iter().filter(|(_, steps)| done(steps)).map(|(index, _)| *index).collect();
        let shown = self.shown(live, &done);
        self.state.in_effect.extend(done.into_iter().map(|index| (index, true)));
        for Shown { index, .. } in shown.into_iter().filter(|shown| shown.seen != Observation::InEffect) {
            self.state.in_effect.insert(index, false);
        }
    }

    /// Sends a mutation again, if that does no harm. It has to set a whole value, so that it may arrive twice and
    /// late, and to be the only mutation of its change.
    fn send_again(&mut self, index: usize) {
        let mutation = self.state.schedule.mutation(index);
        let request_ended = self.state.unanswered.get(&index) == Some(&true);
        let sets_whole_value = |change: &Change| match change.action {
            Action::Update
            | Action::Enable
            | Action::Disable
            | Action::RemoveAccess
            | Action::Remove
            | Action::Delete => true,
            // If the first request arrives late, the name is taken and the answer to the second has no id.
            Action::Create => change.address.kind == Kind::Role && request_ended,
            Action::Invite | Action::Cancel => false,
        };
        let only = mutation.also.is_empty() && self.state.schedule.of_change(&mutation.change).len() == 1;
        // On a platform with approvals, the second request would wait for approval beside the first.
        let harmless = only
            && !self.apply.provider.has(Quirk::Approvals)
            && self.state.plan.change(&mutation.change).is_some_and(sets_whole_value);
        if harmless && self.state.stopped.is_none() && self.state.resent.insert(index) {
            self.state.steps.remove(&index);
            self.state.read_decided.remove(&index);
            self.state.schedule.reopen(index);
        }
    }

    /// Returns what a read shows for the steps of these mutations.
    fn shown(&self, live: &Live, indices: &[usize]) -> Vec<Shown> {
        let rules = self.apply.provider.rules();
        let mut shown = Vec::new();
        for index in indices {
            let mutation = self.state.schedule.mutation(*index);
            for (step_index, step) in self.state.steps.get(index).into_iter().flatten().enumerate() {
                let Some(change) = self.state.plan.change(&step.address) else { continue };
                let seen = mutation_in_effect(mutation, change, step.id.as_ref(), live, rules);
                let id = current_entity(change, step.id.as_ref(), live).and_then(|entity| entity.id().cloned());
                let made = Made::by(change, step.first_step);
                shown.push(Shown { index: *index, step_index, made, seen, id });
            }
        }
        shown
    }
}
