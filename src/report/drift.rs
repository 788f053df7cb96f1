//! A plan read as a report on live: what moved, who is unmanaged, what is held, what can't be seen.

use std::fmt::Write as _;

use super::style::{BOLD, paint, plural};
use super::text::{header, push_change, push_gaps, push_holds, push_refusals};
use crate::model::{Hold, HoldClass, HoldReason, OrganizationPlan, Plan};

/// The whole report.
pub fn drift(plan: &Plan) -> String {
    let parts: Vec<String> = plan.organizations.iter().map(organization).collect();
    parts.join("\n")
}

fn organization(plan: &OrganizationPlan) -> String {
    let mut text = header(plan);
    if !plan.sealed.changes.is_empty() {
        let _ = writeln!(text, "  {}", paint(BOLD, "moved away from the file; an apply would"));
        for change in &plan.sealed.changes {
            push_change(&mut text, change, plan);
        }
        text.push('\n');
    }
    push_holds(&mut text, plan, None);
    push_gaps(&mut text, plan);
    push_refusals(&mut text, plan);
    let blocked = plan.sealed.holds.iter().filter(|hold| hold.class == HoldClass::Blocked).count();
    let unmanaged = |wanted: bool| {
        let of_kind =
            |hold: &&Hold| matches!(hold.reason, HoldReason::Unmanaged { privileged } if privileged == wanted);
        plan.sealed.holds.iter().filter(of_kind).count()
    };
    let changes = plan.sealed.changes.len();
    let verdict = if changes == 0 && blocked == 0 { "No drift" } else { "Drift" };
    let _ = writeln!(
        text,
        "{}: {} to close, {} blocked. Not in the file: {}, {} of them privileged.",
        paint(BOLD, verdict),
        plural(changes, "difference"),
        blocked,
        unmanaged(true) + unmanaged(false),
        unmanaged(true),
    );
    text
}
