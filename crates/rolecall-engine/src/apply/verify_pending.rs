//! Looks what became of what was sent, before anything is sent that depends on it.

use super::executor::Execution;
use super::next_action::mints;
use super::{Step, Stop, interrupt};
use rolecall_model::{Action, Change, Kind, Live, Outcome, RemoteId};
use rolecall_plan::{Observation, current_entity, mutation_in_effect};

/// So many requests in a row without an answer are an outage.
const OUTAGE: usize = 3;

/// What a read shows of one step.
struct Shown {
    place: usize,
    step: usize,
    seen: Observation,
    /// Of an entity that was made, and whose making was answered by nothing.
    id: Option<RemoteId>,
}

impl Execution<'_> {
    /// Is it left open what became of this one, so that a read decides?
    pub(super) fn is_open(&self, place: usize) -> bool {
        let reads_decide = self.apply.provider.reads_decide();
        let open = |step: &Step| match step.outcome {
            Outcome::Unsure => true,
            Outcome::Failed => step.answered && reads_decide,
            Outcome::Done | Outcome::Skipped | Outcome::NotTaken => false,
        };
        self.steps.get(&place).into_iter().flatten().any(open)
    }

    /// Reads how all stands that this mutation relies on, and whatever else can be told at once.
    pub(super) async fn verify_pending(&mut self, place: usize) {
        let read = match &self.unread {
            Some(why) => Err(why.clone()),
            None => self.read().await,
        };
        match read {
            Ok(Some(live)) => {
                self.decide(&live);
                self.see(&live);
            }
            Ok(None) => self.stopped = Some(Stop::Interrupted),
            Err(why) => {
                self.skip(place, &format!("what it relies on can't be seen: {why}").into());
                // It was tried more than once already. What needs no read goes on.
                self.unread = Some(why);
            }
        }
    }

    /// Reads what became of those whose answers were lost, and has those sent again that are certainly not done and do
    /// no harm if they arrive twice.
    pub(super) async fn verify_unanswered(&mut self) {
        self.unanswered += usize::from(self.lost.values().any(|is_over| !is_over));
        if self.unanswered >= OUTAGE {
            self.stopped = Some(Stop::Unreachable(format!("{OUTAGE} requests in a row weren't answered")));
        }
        match self.read().await {
            Ok(Some(live)) => self.decide(&live),
            Ok(None) => self.stopped = Some(Stop::Interrupted),
            Err(why) => {
                let why = format!("an answer was lost, and what became of it can't be read: {why}");
                self.stopped = Some(Stop::Unreachable(why));
            }
        }
        self.lost.clear();
    }

    /// None: the run was ended.
    async fn read(&self) -> Result<Option<Live>, String> {
        let read = self.apply.provider.read(self.apply.reader, self.apply.desired);
        interrupt::unless(self.apply, read).await.transpose().map_err(|error| error.to_string())
    }

    /// Has a read decide on all that is open.
    fn decide(&mut self, live: &Live) {
        let reads_decide = self.apply.provider.reads_decide();
        let open: Vec<usize> = self.steps.keys().copied().filter(|place| self.is_open(*place)).collect();
        self.decided.extend(&open);
        for Shown { place, step, seen, id } in self.shown(live, &open) {
            let Some(found) = self.steps.get_mut(&place).and_then(|steps| steps.get_mut(step)) else { continue };
            let how = match seen {
                Observation::InEffect => "a read shows it in effect",
                // Where neither answer nor read tells, an error would have.
                Observation::CannotTell if found.unconfirmed && reads_decide => "nothing speaks against it",
                Observation::NotInEffect if self.lost.contains_key(&place) => {
                    self.send_again(place);
                    continue;
                }
                Observation::CannotTell | Observation::NotInEffect => continue,
            };
            found.outcome = Outcome::Done;
            found.id = found.id.take().or(id);
            found.message = Some(match found.action {
                Action::Invite if !found.first_step => {
                    "the invitation is there; whether its mail went out isn't proven".to_owned()
                }
                _ => format!("the answer left it open, and {how}"),
            });
            let found = found.clone();
            (self.on_step)(&found);
            if let Err(error) = self.append(found.event()) {
                self.stopped = Some(Stop::Unrecorded(error.to_string()));
            }
        }
    }

    /// Notes of all that is done whether it is seen in effect.
    fn see(&mut self, live: &Live) {
        let done = |steps: &[Step]| steps.iter().all(|step| step.outcome == Outcome::Done);
        let done: Vec<usize> =
            self.steps.iter().filter(|(_, steps)| done(steps)).map(|(place, _)| *place).collect();
        let shown = self.shown(live, &done);
        self.in_effect.extend(done.into_iter().map(|place| (place, true)));
        for Shown { place, .. } in shown.into_iter().filter(|shown| shown.seen != Observation::InEffect) {
            self.in_effect.insert(place, false);
        }
    }

    /// Sets a whole value, so that it may arrive twice, and late; and nothing else of this plan changes the same.
    fn send_again(&mut self, place: usize) {
        let mutation = self.schedule.mutation(place);
        let is_over = self.lost.get(&place) == Some(&true);
        let whole = |change: &Change| match change.action {
            Action::Update
            | Action::Enable
            | Action::Disable
            | Action::RemoveAccess
            | Action::Remove
            | Action::Delete => true,
            // If the first arrives late its name is taken, and the answer to the second has no id.
            Action::Create => change.address.kind == Kind::Role && is_over,
            Action::Invite | Action::Cancel => false,
        };
        let only = mutation.also.is_empty() && self.schedule.of_change(&mutation.change).len() == 1;
        // Where changes await approval, a second one would wait beside the first.
        let harmless =
            only && !self.apply.provider.has_approvals() && self.plan.change(&mutation.change).is_some_and(whole);
        if harmless && self.stopped.is_none() && self.repeated.insert(place) {
            self.steps.remove(&place);
            self.decided.remove(&place);
            self.schedule.reopen(place);
        }
    }

    fn shown(&self, live: &Live, places: &[usize]) -> Vec<Shown> {
        let rules = self.apply.provider.rules();
        let mut shown = Vec::new();
        for place in places {
            let mutation = self.schedule.mutation(*place);
            for (index, step) in self.steps.get(place).into_iter().flatten().enumerate() {
                let Some(change) = self.plan.change(&step.address) else { continue };
                // Without its answer the secret of a key is lost, whatever is listed.
                if step.outcome != Outcome::Done && mints(change) {
                    continue;
                }
                let seen = mutation_in_effect(mutation, change, step.id.as_ref(), live, rules);
                let id = current_entity(change, step.id.as_ref(), live).and_then(|entity| entity.id().cloned());
                shown.push(Shown { place: *place, step: index, seen, id });
            }
        }
        shown
    }
}
