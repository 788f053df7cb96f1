//! Looks what became of everything that was sent.

use super::next_action::mints;
use super::{Apply, FinalState, Step};
use crate::ledger::{Event, Ledger};
use rolecall_model::{
    Action, Address, Cause, Change, Entity, Hold, HoldClass, HoldReason, Kind, Live, OrganizationPlan, Outcome,
    Sealed, Stage,
};
use rolecall_plan::{Observation, Observed, current_entity, in_effect, ledger_updates, mutation_in_effect};

/// Reads once more, corrects the outcomes by what is seen, and says how live stands to the desired.
pub(super) async fn verify_run(
    apply: &Apply<'_>,
    plan: &OrganizationPlan,
    ledger: &mut Ledger,
    steps: &mut [Step],
    on_step: &mut (dyn FnMut(&Step) + Send),
) -> FinalState {
    let live = match apply.provider.read(apply.reader, apply.desired).await {
        Ok(live) => live,
        Err(error) => return FinalState::Unknown(error.to_string()),
    };
    for step in steps.iter_mut() {
        let mutation = plan.mutation(&step.mutation);
        let (Some(change), Some(mutation)) = (plan.change(&step.address), mutation) else { continue };
        let mut seen = mutation_in_effect(mutation, change, step.id.as_ref(), &live, apply.provider.rules());
        if mutation.stage == Stage::Clear && step.first_step && step.outcome == Outcome::Done {
            // What it made room for may be there by now, and look the same.
            seen = Observation::CannotTell;
        }
        let whole = || in_effect(change, None, &live);
        if seen == Observation::CannotTell
            && step.first_step
            && step.unconfirmed
            && whole() == Observation::InEffect
        {
            // A first step of what is done.
            seen = Observation::InEffect;
        }
        let is_key = matches!(change.after, Some(Entity::Key(_)));
        let settled = match (step.outcome, seen) {
            // Whatever was said, a key is there whose secret nobody has.
            (Outcome::Failed, _) if mints(change) && made_all_the_same(ledger, apply.run, step, &live) => {
                step.refused = false;
                let again = "the next run retires it and makes another";
                Some((
                    Outcome::Unsure,
                    format!("a read shows a key of this name that wasn't there before: {again}"),
                ))
            }
            // It was sent twice, and the second time it had been done.
            (Outcome::Failed, Observation::InEffect) if step.resent => {
                step.refused = false;
                Some((
                    Outcome::Done,
                    "the platform said no when it was sent again, and a read shows it in effect".to_owned(),
                ))
            }
            (Outcome::Done, Observation::NotInEffect) => Some((
                Outcome::NotTaken,
                format!(
                    "answered without an error, and a read doesn't show it; {}. It isn't sent again unless asked with `--assert`",
                    if apply.provider.has_approvals() {
                        "perhaps it awaits approval".to_owned()
                    } else {
                        let usual = "the platform drops a part of it, or somebody has changed it back";
                        apply.provider.why_not_taken(change).unwrap_or_else(|| usual.to_owned())
                    }
                ),
            )),
            (Outcome::NotTaken, Observation::InEffect) => Some((Outcome::Done, "seen in effect".to_owned())),
            // Where answers say little, what is there is there.
            (Outcome::Failed, Observation::InEffect) if step.answered && apply.provider.reads_decide() => {
                Some((Outcome::Done, "the platform said no, and a read shows it in effect after all".to_owned()))
            }
            // A mint can't be settled so: without its answer the secret is lost, whatever the list shows.
            (Outcome::Unsure, Observation::InEffect) if change.action == Action::Invite && !step.first_step => {
                Some((Outcome::Done, "the invitation is there; whether its mail went out isn't proven".to_owned()))
            }
            (Outcome::Unsure, Observation::InEffect) if change.action != Action::Create || !is_key => {
                Some((Outcome::Done, "the answer left it open, and a read shows it in effect".to_owned()))
            }
            _ => None,
        };
        if let Some((outcome, message)) = settled {
            step.outcome = outcome;
            step.message = Some(message);
            on_step(step);
            if let Err(error) = apply.append(ledger, step.event()) {
                return FinalState::Unknown(error.to_string());
            }
        }
        if step.outcome == Outcome::NotTaken
            && let Some(entity) = current_entity(change, step.id.as_ref(), &live)
        {
            let event = Event::LeftAs { address: change.address.clone(), entity: Box::new(entity) };
            if let Err(error) = apply.append(ledger, event) {
                return FinalState::Unknown(error.to_string());
            }
        }
        let invited = change.action == Action::Invite && matches!(step.outcome, Outcome::Done | Outcome::Unsure);
        if let (true, false, Some(Entity::User(user))) = (invited, step.first_step, &change.after) {
            let listed = live.open_invitations().any(|open| open.email == user.email);
            let member = live.users.items.iter().any(|live| live.email == user.email);
            let (seen, accepted) = (listed || member, member && live.invitations.is_some());
            if let Err(error) =
                apply.append(ledger, Event::Sighting { address: Address::user(&user.email), seen, accepted })
            {
                return FinalState::Unknown(error.to_string());
            }
        }
    }
    // Whoever is listed after this was let in again by another hand.
    let Observed { vanished, .. } = ledger_updates(&ledger.facts(), &live, apply.provider.rules());
    for address in vanished.into_values() {
        if let Err(error) = apply.append(ledger, Event::Vanished { address }) {
            return FinalState::Unknown(error.to_string());
        }
    }
    match apply.plan_again(&live, ledger) {
        Ok(sealed) => final_state(sealed, plan),
        Err(why) => FinalState::Unknown(why),
    }
}

/// Is there a key of the name that one was to have, which was not there when it was asked for? Not one that was made and
/// has gone again, or whose id is known.
fn made_all_the_same(ledger: &Ledger, run: &str, step: &Step, live: &Live) -> bool {
    let asked = ledger.records().iter().rev().find_map(|record| match &record.event {
        Event::Intent { mutation, known, .. } if record.run == run && *mutation == step.mutation => Some(known),
        _ => None,
    });
    let (Some(known), None) = (asked, &step.id) else { return false };
    let name = &step.address.name;
    live.keys().iter().any(|key| key.name.as_str() == name && !known.contains(&key.id) && key.enabled)
}

fn final_state(sealed: Sealed, done: &OrganizationPlan) -> FinalState {
    // What comes with an organisation is known once it is there.
    let founds = |change: &Change| change.action == Action::Create && change.address.kind == Kind::Organization;
    let founded = done.sealed.changes.iter().any(founds);
    let (later, left): (Vec<_>, Vec<_>) = sealed
        .changes
        .into_iter()
        .partition(|change| founded && !founds(change) || matches!(change.cause, Cause::Superseded { .. }));
    if !left.is_empty() {
        return FinalState::OutOfSync(left.into_iter().map(|change| change.address).collect());
    }
    let open = |hold: &Hold| {
        let waits =
            matches!(hold.reason, HoldReason::AwaitingApproval { .. } | HoldReason::ExternallyManaged { .. });
        hold.class == HoldClass::Blocked || waits
    };
    let held: Vec<Address> = sealed.holds.into_iter().filter(open).map(|hold| hold.address).collect();
    if held.is_empty() { FinalState::InSync { later: later.len() } } else { FinalState::NeedsAttention(held) }
}
