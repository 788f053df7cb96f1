//! Guardrails that a plan breaks.

use std::fmt::Write as _;

use super::style::{REMOVE, WARN, clean, paint};
use rolecall_model::{Guardrail, OrganizationPlan, Override};

/// Which guardrails a plan breaks, by how much, and which of them the file lifts.
pub(super) fn push_rails(text: &mut String, plan: &OrganizationPlan) {
    for refusal in &plan.refusals {
        let _ =
            writeln!(text, "  {} {}: {}", paint(REMOVE, "refused by"), refusal.guardrail, clean(&refusal.message));
        for address in &refusal.addresses {
            let _ = writeln!(text, "    {}", clean(address));
        }
    }
    for Override { refusal, plan: _, until, reason } in &plan.overrides {
        let _ = writeln!(
            text,
            "  {} {} until {until}, {}: {}",
            paint(WARN, "lifted"),
            refusal.guardrail,
            clean(reason),
            clean(&refusal.message)
        );
    }
    if let Some(exception) = exception(plan) {
        let _ = writeln!(text, "    reviewed, just this plan may be sent with this in the file:");
        let _ = writeln!(text, "      guardrails:\n        exceptions:\n          {exception}");
    }
    if !plan.refusals.is_empty() || !plan.overrides.is_empty() {
        text.push('\n');
    }
}

/// What to write into the file for just this plan to be sent, if that is for a file to say.
pub(super) fn exception(plan: &OrganizationPlan) -> Option<String> {
    let refused = |guardrail: &&Guardrail| plan.refusals.iter().any(|refusal| refusal.guardrail == **guardrail);
    let rails: Vec<&str> =
        Guardrail::OVERRIDABLE.iter().filter(refused).map(|guardrail| guardrail.as_str()).collect();
    let seal = clean(&plan.seal);
    let rails = Some(rails.join(", ")).filter(|rails| !rails.is_empty())?;
    Some(format!("- {{ plan: \"{seal}\", rails: [{rails}], until: YYYY-MM-DD, reason: WHY }}"))
}
