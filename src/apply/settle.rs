//! Looks what became of everything that was sent.

use super::{Apply, Standing, Step};
use crate::ledger::{Event, Ledger};
use crate::model::{
    Action, Address, Cause, Entity, Hold, HoldClass, HoldReason, OrganizationPlan, Outcome, Sealed,
};
use crate::plan::{Effectiveness, in_effect};

/// Reads once more, corrects the outcomes by what is seen, and says how live stands to the wish.
pub(super) async fn settle(
    apply: &Apply<'_>,
    plan: &OrganizationPlan,
    ledger: &mut Ledger,
    steps: &mut [Step],
    told: &mut (dyn FnMut(&Step) + Send),
) -> Standing {
    let live = match apply.provider.read(apply.reader).await {
        Ok(live) => live,
        Err(error) => return Standing::Unknown(error.to_string()),
    };
    for step in steps.iter_mut() {
        let Some(change) = plan.change(&step.address) else { continue };
        let seen = in_effect(change, step.id.as_ref(), &live);
        let settled = match (step.outcome, seen) {
            (Outcome::Done, Effectiveness::NotInEffect) => Some((
                Outcome::NotTaken,
                "answered without an error, and a read doesn't show it; perhaps it awaits approval. It isn't sent again"
                    .to_owned(),
            )),
            (Outcome::NotTaken, Effectiveness::InEffect) => Some((Outcome::Done, "seen in effect".to_owned())),
            // A mint can't be settled so: without its answer the secret is lost, whatever the list shows.
            (Outcome::Unsure, Effectiveness::InEffect) if change.action != Action::Create => {
                Some((Outcome::Done, "the answer was lost, and a read shows it in effect".to_owned()))
            }
            _ => None,
        };
        if let Some((outcome, message)) = settled {
            step.outcome = outcome;
            step.message = Some(message);
            told(step);
            if let Err(error) = apply.append(ledger, step.event()) {
                return Standing::Unknown(error.to_string());
            }
        }
        let invited = change.action == Action::Invite && matches!(step.outcome, Outcome::Done | Outcome::Unsure);
        if let (true, Entity::User(user)) = (invited, &change.after) {
            let seen = live.users.items.iter().any(|live| live.email == user.email);
            if let Err(error) = apply.append(ledger, Event::Sighting { address: Address::user(&user.email), seen })
            {
                return Standing::Unknown(error.to_string());
            }
        }
    }
    match apply.plan_again(&live, ledger) {
        Ok(sealed) => standing(sealed),
        Err(why) => Standing::Unknown(why),
    }
}

fn standing(sealed: Sealed) -> Standing {
    let (later, left): (Vec<_>, Vec<_>) =
        sealed.changes.into_iter().partition(|change| matches!(change.cause, Cause::Superseded { .. }));
    if !left.is_empty() {
        return Standing::Diverged(left.into_iter().map(|change| change.address).collect());
    }
    let open = |hold: &Hold| {
        hold.class == HoldClass::Blocked || matches!(hold.reason, HoldReason::AwaitingApproval { .. })
    };
    let held: Vec<Address> = sealed.holds.into_iter().filter(open).map(|hold| hold.address).collect();
    if held.is_empty() { Standing::Converged { later: later.len() } } else { Standing::Held(held) }
}
