//! Decides whether a plan may be sent, and how an apply ends.

use super::connect::GENERATOR;
use super::exit::{Exit, Failure};
use crate::report::Applied;
use rolecall_engine::apply::{FinalState, Report, Stop};
use rolecall_model::{OrganizationPlan, Plan, ProviderName, RemoteId};

/// Returns how a run ends that had something to send.
pub(super) fn ending(report: &Report) -> Exit {
    match (&report.stopped, report.anything_sent()) {
        (Some(Stop::Interrupted), false) => Exit::Interrupted,
        (Some(Stop::Unreachable(_)), false) => Exit::Unreachable,
        (Some(Stop::Unrecorded(_)), false) => Exit::Error,
        (Some(_), _) => Exit::Partial,
        // The platform refused everything, so nothing has changed. A change that turned out to be blocked is another
        // matter: sending it again doesn't help, and somebody has to look at it.
        (None, false) if !report.all_done() && !report.anything_held() => Exit::Error,
        // A change that was approved isn't in effect.
        (None, _) if !report.all_done() => Exit::Partial,
        (None, _) => match &report.final_state {
            // Every approved change is done. Further changes in the file belong to another plan.
            FinalState::InSync { .. }
            | FinalState::NeedsAttention(_)
            | FinalState::Waiting(_)
            | FinalState::OutOfSync(_) => Exit::Done,
            FinalState::Unknown(_) => Exit::Partial,
        },
    }
}

/// Returns the outcome of an organisation before it is handled.
pub(super) fn nothing_yet(provider: ProviderName, organization: RemoteId) -> Applied {
    Applied {
        provider,
        organization,
        exit: Exit::Done as u8,
        ending: Exit::Done.as_str().to_owned(),
        error: None,
        plan: None,
        report: None,
        undo: None,
    }
}

/// Checks that no guardrail refuses the plan, which has exactly what would be sent.
pub(super) fn may_be_sent(plan: &OrganizationPlan) -> Result<(), Failure> {
    if !plan.refusals.is_empty() {
        let mut guardrails: Vec<&str> = plan.refusals.iter().map(|refusal| refusal.guardrail.as_str()).collect();
        guardrails.dedup();
        let failure =
            Failure::error(format!("The guardrail {} refuses the plan. Nothing was sent.", guardrails.join(", ")));
        return Err(Failure { exit: Exit::Refused, ..failure });
    }
    Ok(())
}

/// Returns a plan document with this organisation alone.
pub(super) fn document(plan: &OrganizationPlan) -> Plan {
    Plan::new(GENERATOR, vec![plan.clone()])
}
