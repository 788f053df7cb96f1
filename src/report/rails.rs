//! Guardrails that a plan breaks.

use std::fmt::Write as _;

use super::style::{REMOVE, WARN, clean, paint};
use crate::model::{Lifted, OrganizationPlan, Rail};

/// Which guardrails a plan breaks, by how much, and which of them the file lifts.
pub(super) fn push_rails(text: &mut String, plan: &OrganizationPlan) {
    for refusal in &plan.refusals {
        let _ = writeln!(text, "  {} {}: {}", paint(REMOVE, "refused by"), refusal.rail, clean(&refusal.message));
        for address in &refusal.addresses {
            let _ = writeln!(text, "    {}", clean(address));
        }
    }
    for Lifted { refusal, plan: _, until, reason } in &plan.lifted {
        let _ = writeln!(
            text,
            "  {} {} until {until}, {}: {}",
            paint(WARN, "lifted"),
            refusal.rail,
            clean(reason),
            clean(&refusal.message)
        );
    }
    let liftable: Vec<&str> = Rail::LIFTABLE
        .iter()
        .filter(|rail| plan.refusals.iter().any(|refusal| refusal.rail == **rail))
        .map(|rail| rail.as_str())
        .collect();
    if !liftable.is_empty() {
        let rails = liftable.join(", ");
        let _ = writeln!(text, "    reviewed, just this plan may be sent with this in the file:");
        let _ = writeln!(text, "      guardrails:\n        exceptions:");
        let _ = writeln!(
            text,
            "          - {{ plan: \"{}\", rails: [{rails}], until: YYYY-MM-DD, reason: WHY }}",
            clean(&plan.seal)
        );
    }
    if !plan.refusals.is_empty() || !plan.lifted.is_empty() {
        text.push('\n');
    }
}
