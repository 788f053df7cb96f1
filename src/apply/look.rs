//! Looks, before something is sent, what became of what it relies on.

use super::Step;
use super::execute::Execution;
use crate::ledger::LedgerError;
use crate::model::{Action, Change, Entity, Mutation, Outcome, RemoteId};
use crate::plan::{Effectiveness, mutation_in_effect, stands_as};
use crate::provider::ReadError;

/// Why it can't be known.
pub(super) enum LookError {
    Unread(ReadError),
    Unrecorded(LedgerError),
}

/// What a read shows of one step.
struct Shown {
    step: usize,
    mutation: String,
    seen: Effectiveness,
    /// Of an entity that was made, and whose making was answered by nothing.
    id: Option<RemoteId>,
}

impl Execution<'_> {
    /// Reads whether these are in effect, once for all that rely on them.
    pub(super) async fn look_at(&mut self, ids: &[String]) -> Result<(), ReadError> {
        if ids.iter().all(|id| self.in_effect.contains_key(id)) {
            return Ok(());
        }
        for Shown { mutation, seen, .. } in self.read_steps(|step| step.outcome == Outcome::Done).await? {
            self.in_effect.insert(mutation, seen == Effectiveness::InEffect);
        }
        Ok(())
    }

    /// Has a read decide on what was left open, of the steps that this mutation relies on.
    pub(super) async fn decide_on(&mut self, mutation: &Mutation) -> Result<(), LookError> {
        let reads_decide = self.apply.provider.reads_decide();
        let relied = |step: &Step| mutation.relies_on(&step.mutation);
        let open = |step: &Step| match step.outcome {
            Outcome::Unsure => true,
            Outcome::Failed => step.answered && reads_decide,
            Outcome::Done | Outcome::Skipped | Outcome::NotTaken => false,
        };
        let wanted: Vec<String> = self
            .steps
            .iter()
            .filter(|step| relied(step) && open(step))
            .map(|step| step.mutation.clone())
            .collect();
        if wanted.is_empty() || wanted.iter().all(|id| self.decided.contains(id)) {
            return Ok(());
        }
        let shown = self.read_steps(open).await.map_err(LookError::Unread)?;
        for Shown { step, mutation, seen, id } in shown {
            self.decided.insert(mutation);
            let step = &mut self.steps[step];
            let how = match seen {
                Effectiveness::InEffect => "a read shows it in effect",
                // Where neither answer nor read tells, an error would have.
                Effectiveness::CannotTell if step.silent && reads_decide => "nothing speaks against it",
                Effectiveness::CannotTell | Effectiveness::NotInEffect => continue,
            };
            step.outcome = Outcome::Done;
            step.id = step.id.take().or(id);
            step.message = Some(format!("the answer left it open, and {how}"));
            let step = step.clone();
            (self.told)(&step);
            self.append(step.event()).map_err(LookError::Unrecorded)?;
        }
        Ok(())
    }

    async fn read_steps(&self, wanted: impl Fn(&Step) -> bool) -> Result<Vec<Shown>, ReadError> {
        let live = self.apply.provider.read(self.apply.reader, self.apply.desired).await?;
        let rules = self.apply.provider.rules();
        let mut shown = Vec::new();
        for (index, step) in self.steps.iter().enumerate().filter(|(_, step)| wanted(step)) {
            let mutation = self.plan.mutation(&step.mutation);
            let (Some(change), Some(mutation)) = (self.plan.change(&step.address), mutation) else { continue };
            // Without its answer the secret of a key is lost, whatever is listed.
            if step.outcome != Outcome::Done && mints(change) {
                continue;
            }
            let seen = mutation_in_effect(mutation, change, step.id.as_ref(), &live, rules);
            shown.push(Shown {
                step: index,
                mutation: mutation.id.clone(),
                seen,
                id: stands_as(change, step.id.as_ref(), &live).and_then(|entity| entity.id().cloned()),
            });
        }
        Ok(shown)
    }
}

fn mints(change: &Change) -> bool {
    change.action == Action::Create && matches!(change.after, Some(Entity::Key(_)))
}
