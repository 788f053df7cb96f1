//! Writes which guardrails a plan breaks, by how much, and which of them the file overrides.

use std::fmt::Write as _;

use super::layout::Layout;
use super::outline::only_together;
use super::style::{REMOVE, WARN, clean, paint};
use rolecall_model::{Guardrail, OrganizationPlan, Override};

/// More addresses than this are only counted.
const LISTED: usize = 20;

/// Writes each broken guardrail with the changes that break it, and the exception that would let the plan through.
pub(super) fn push_guardrails(text: &mut String, plan: &OrganizationPlan, layout: Layout) {
    for refusal in &plan.refusals {
        let head = format!("  {} {}: ", paint(REMOVE, "refused by"), refusal.guardrail);
        layout.push(text, &head, &format!("{}{}", clean(&refusal.message), together(plan, refusal.guardrail)));
        let listed = if layout.full { usize::MAX } else { LISTED };
        for address in refusal.addresses.iter().take(listed) {
            let _ = writeln!(text, "    {}", clean(address));
        }
        let more = refusal.addresses.len().saturating_sub(listed);
        if more > 0 {
            let _ = writeln!(text, "    and {more} more; `--full` lists them");
        }
    }
    for Override { refusal, plan: _, until, reason } in &plan.overrides {
        let head =
            format!("  {} {} until {until}, {}: ", paint(WARN, "overridden"), refusal.guardrail, clean(reason));
        layout.push(text, &head, &clean(&refusal.message));
    }
    if let Some(exception) = exception(plan) {
        let _ =
            writeln!(text, "    After a review, this exception in the file lets this plan through, and no other:");
        let _ = writeln!(text, "      guardrails:\n        exceptions:\n          {exception}");
    }
    if !plan.refusals.is_empty() || !plan.overrides.is_empty() {
        text.push('\n');
    }
}

/// Returns what to add to the message of a guardrail that only several versions of the files together break.
pub(super) fn together(plan: &OrganizationPlan, guardrail: Guardrail) -> String {
    let together = plan.together.as_ref().filter(|together| together.refusals.contains(&guardrail));
    together.map(|together| format!(" It is broken {}.", only_together(&together.with))).unwrap_or_default()
}

/// Returns the exception, as YAML, that lets this plan through. `None` if no exception can, because one of the
/// refusals can't be overridden.
pub(super) fn exception(plan: &OrganizationPlan) -> Option<String> {
    if !plan.refusals.iter().all(|refusal| refusal.overridable) {
        return None;
    }
    let is_refused = |guardrail: &&Guardrail| plan.refusals.iter().any(|refusal| refusal.guardrail == **guardrail);
    let guardrails: Vec<&str> =
        Guardrail::OVERRIDABLE.iter().filter(is_refused).map(|guardrail| guardrail.as_str()).collect();
    let seal = clean(&plan.seal);
    let guardrails = Some(guardrails.join(", ")).filter(|guardrails| !guardrails.is_empty())?;
    Some(format!("- {{ plan: \"{seal}\", rails: [{guardrails}], until: YYYY-MM-DD, reason: WHY }}"))
}
