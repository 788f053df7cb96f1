//! Verifies the whole run by a last read, which can correct the outcome of each step: see
//! [`correction`](super::outcome::correction).

use super::outcome::{self, Answered, Attempt, Made, Sent, When};
use super::{Apply, FinalState, Step};
use crate::ledger::{Event, Ledger};
use rolecall_model::{
    Action, Address, Cause, Change, Entity, Facts, Hold, HoldClass, HoldReason, Kind, Live, Mutation,
    OrganizationPlan, Outcome, Quirk, Rules, Sealed, Stage,
};
use rolecall_plan::{
    Observation, Observed, current_entity, in_effect, ledger_updates, mutation_in_effect, renamed,
};

/// Reads once more, corrects the outcomes of the steps, records the corrections, and compares the live state with
/// the file. Returns a plan from what the read shows.
pub(super) async fn verify_run(
    apply: &Apply<'_>,
    plan: &OrganizationPlan,
    ledger: &mut Ledger,
    steps: &mut [Step],
    on_step: &mut (dyn FnMut(&Step) + Send),
) -> Result<OrganizationPlan, String> {
    // The facts are gathered while the read waits. They are so unless it shows something else.
    let read = apply.provider.read(apply.reader, apply.desired);
    let (read, mut facts) = tokio::join!(read, async { ledger.facts() });
    let read = read.map_err(|error| error.to_string())?;
    let live = renamed(apply.desired, &read);
    let mut events = Vec::new();
    for step in steps.iter_mut() {
        let mutation = plan.mutation(&step.mutation);
        let (Some(change), Some(mutation)) = (plan.change(&step.address), mutation) else { continue };
        let seen = observe(step, mutation, change, &live, apply.provider.rules());
        let made = match Made::by(change, step.first_step) {
            // Only a failed creation can have left a key that nobody knows of.
            Made::Key { .. } if step.outcome == Outcome::Failed => {
                Made::Key { stray: key_exists_anyway(ledger, apply.run, step, &live) }
            }
            made => made,
        };
        let sent = if step.resent { Sent::Twice } else { Sent::Once };
        let was = Attempt { made, outcome: step.outcome, answered: step.answered, sent };
        let reads_decide = apply.provider.rules().has(Quirk::ReadsDecide);
        let corrected = outcome::correction(was, seen, When::AtTheEnd, reads_decide);
        let corrected =
            corrected.and_then(|correction| correction.result(step.answered, || why_not_taken(apply, change)));
        if let Some((outcome, answered, message)) = corrected {
            (step.outcome, step.answered, step.message) = (outcome, answered, Some(message));
            on_step(step);
            events.push(step.event());
        }
        if step.outcome == Outcome::NotTaken
            && let Some(entity) = current_entity(change, step.id.as_ref(), &live)
        {
            events.push(Event::LeftAs { address: change.address.clone(), entity: Box::new(entity) });
        }
        let invited = change.action == Action::Invite && matches!(step.outcome, Outcome::Done | Outcome::Unsure);
        if let (true, false, Some(Entity::User(user))) = (invited, step.first_step, &change.after) {
            let listed = live.invitations_of(&user.email).any(|open| !open.expired);
            let member = live.users_of(&user.email).next().is_some();
            let (seen, accepted) = (listed || member, member && live.invitations.is_some());
            events.push(Event::Sighting { address: Address::user(&user.email), seen, accepted });
        }
    }
    let mut record = |events: Vec<Event>, facts: &mut Facts| {
        if !events.is_empty() {
            apply.append_all(ledger, events).map_err(|error| error.to_string())?;
            *facts = ledger.facts();
        }
        Ok::<_, String>(())
    };
    record(events, &mut facts)?;
    // If a later read lists one of these users again, somebody else has enabled them.
    let Observed { vanished, .. } = ledger_updates(&facts, &live, apply.provider.rules());
    record(vanished.into_values().map(|address| Event::Vanished { address }).collect(), &mut facts)?;
    apply.plan_again(&live, &facts)
}

/// Returns what the last read shows for a step.
fn observe(step: &Step, mutation: &Mutation, change: &Change, live: &Live, rules: &dyn Rules) -> Observation {
    if mutation.stage == Stage::Clear && step.first_step && step.outcome == Outcome::Done {
        // The replacement may exist by now, and a read can't tell it from what was removed.
        return Observation::CannotTell;
    }
    let seen = mutation_in_effect(mutation, change, step.id.as_ref(), live, rules);
    let unconfirmed = step.first_step && step.answered == Answered::Unconfirmed;
    if seen == Observation::CannotTell && unconfirmed && in_effect(change, None, live) == Observation::InEffect {
        // The whole change is in effect, so its first step is done.
        return Observation::InEffect;
    }
    seen
}

/// Returns the probable reason why a change isn't in effect that was answered without an error.
fn why_not_taken(apply: &Apply<'_>, change: &Change) -> String {
    if apply.provider.has(Quirk::Approvals) {
        return "It may be waiting for approval".to_owned();
    }
    let usual = "The platform may have dropped a part of it, or somebody has changed it back";
    apply.provider.why_not_taken(change).unwrap_or_else(|| usual.to_owned())
}

/// Returns whether a live key has the name of the requested one and didn't exist when it was requested. False if
/// the new key's id is known, or if the key is gone again.
fn key_exists_anyway(ledger: &Ledger, run: &str, step: &Step, live: &Live) -> bool {
    let intent = ledger.records().iter().rev().find_map(|record| match &record.event {
        Event::Intent { mutation, known, .. } if record.run == run && *mutation == step.mutation => Some(known),
        _ => None,
    });
    let (Some(known), None) = (intent, &step.id) else { return false };
    let name = &step.address.name;
    live.keys().iter().any(|key| Address::key(&key.name).name == *name && !known.contains(&key.id) && key.enabled)
}

/// Compares the live state with the file, from a plan that was made after the run. `done` is the plan of the run.
pub(super) fn final_state(sealed: &Sealed, done: &OrganizationPlan) -> FinalState {
    // After an organisation was created, everything within it belongs to a later plan.
    let creates_organization =
        |change: &Change| change.action == Action::Create && change.address.kind == Kind::Organization;
    let organization_created = done.sealed.changes.iter().any(creates_organization);
    let (later, left): (Vec<_>, Vec<_>) = sealed.changes.iter().partition(|change| {
        organization_created && !creates_organization(change) || matches!(change.cause, Cause::Superseded { .. })
    });
    if !left.is_empty() {
        return FinalState::OutOfSync(left.into_iter().map(|change| change.address.clone()).collect());
    }
    let addresses = |wanted: &dyn Fn(&Hold) -> bool| -> Vec<Address> {
        sealed.holds.iter().filter(|hold| wanted(hold)).map(|hold| hold.address.clone()).collect()
    };
    let blocked = addresses(&|hold| hold.class == HoldClass::Blocked);
    if !blocked.is_empty() {
        return FinalState::NeedsAttention(blocked);
    }
    let waiting = addresses(&|hold| matches!(hold.reason, HoldReason::AwaitingApproval { .. }));
    if waiting.is_empty() { FinalState::InSync { later: later.len() } } else { FinalState::Waiting(waiting) }
}
