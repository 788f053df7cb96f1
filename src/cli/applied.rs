//! What an apply may send, and how it ends.

use super::connect::GENERATOR;
use super::exit::{Exit, Failure};
use crate::report::Applied;
use rolecall_engine::apply::{FinalState, Report, Stop};
use rolecall_model::{OrganizationPlan, Plan, ProviderName, RemoteId};

/// How a run ends that had something to send.
pub(super) fn ending(report: &Report) -> Exit {
    match (&report.stopped, report.anything_sent()) {
        (Some(Stop::Interrupted), false) => Exit::Interrupted,
        (Some(Stop::Unreachable(_)), false) => Exit::Unreachable,
        (Some(Stop::Unrecorded(_)), false) => Exit::Error,
        (Some(_), _) => Exit::Partial,
        // Everything was refused before it had an effect.
        (None, false) if !report.all_done() => Exit::Error,
        // Something that was to be done isn't, whoever's fault it is.
        (None, _) if report.is_wanting() => Exit::Partial,
        (None, _) => match &report.final_state {
            // What was approved is done; that the file desired_users more is another plan's business.
            FinalState::InSync { .. } | FinalState::NeedsAttention(_) | FinalState::OutOfSync(_)
                if report.all_done() =>
            {
                Exit::Done
            }
            FinalState::InSync { .. }
            | FinalState::NeedsAttention(_)
            | FinalState::OutOfSync(_)
            | FinalState::Unknown(_) => Exit::Partial,
        },
    }
}

/// What is known of an organisation before it is dealt with.
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

/// Guardrails and lists, judged on exactly what would be sent.
pub(super) fn may_be_sent(plan: &OrganizationPlan) -> Result<(), Failure> {
    if !plan.refusals.is_empty() {
        let mut rails: Vec<&str> = plan.refusals.iter().map(|refusal| refusal.guardrail.as_str()).collect();
        rails.dedup();
        let failure = Failure::error(format!("refused by the guardrail {}; nothing was sent", rails.join(", ")));
        return Err(Failure { exit: Exit::Refused, ..failure });
    }
    Ok(())
}

pub(super) fn document(plan: &OrganizationPlan) -> Plan {
    Plan::new(GENERATOR, vec![plan.clone()])
}
