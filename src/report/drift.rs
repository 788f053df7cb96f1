//! Writes a plan as a drift report: how live differs from the file.

use std::fmt::Write as _;

use super::guardrails::push_guardrails;
use super::layout::{Layout, pad};
use super::origin::Reading;
use super::outline::{Verdict, drift_verdict};
use super::style::{BOLD, clean, paint};
use super::text::{header, push_activity, push_gaps, push_holds, push_rows, unread};
use rolecall_model::{App, Inventory, OrganizationPlan, Plan};

/// Writes the whole report.
pub fn drift(plan: &Plan, layout: Layout) -> String {
    let organizations = plan.organizations.iter().map(|plan| organization(plan, layout));
    let parts: Vec<String> = organizations.chain(unread(plan, layout)).collect();
    parts.join("\n")
}

fn organization(plan: &OrganizationPlan, layout: Layout) -> String {
    let mut text = header(plan, layout);
    push_rows(&mut text, plan, Reading::Drift, layout);
    push_holds(&mut text, plan, layout);
    push_gaps(&mut text, plan, layout);
    push_guardrails(&mut text, plan, layout);
    push_notes(&mut text, plan, layout);
    push_activity(&mut text, plan, layout);
    let Verdict { headline, rest } = drift_verdict(plan);
    layout.push(&mut text, "", &format!("{}{rest}", paint(BOLD, headline)));
    text
}

/// Writes what rolecall sees and doesn't manage: apps with the names of their keys, and organisations without a file.
fn push_notes(text: &mut String, plan: &OrganizationPlan, layout: Layout) {
    let Some(Inventory { apps, organizations, expiring: _ }) = &plan.inventory else { return };
    if !apps.is_empty() {
        let _ = writeln!(text, "  {}", paint(BOLD, "notes: apps, and the names of their keys"));
        let names: Vec<String> = apps.iter().map(|app| clean(format!("{} {}", app.owner, app.name))).collect();
        let column = layout.column(names.iter().map(String::as_str));
        for (App { keys, .. }, name) in apps.iter().zip(&names) {
            let keys: Vec<String> =
                keys.iter().flatten().map(|key| format!("{} ({})", clean(&key.name), clean(&key.kind))).collect();
            let keys = if keys.is_empty() { "no keys".to_owned() } else { keys.join(", ") };
            layout.push(text, &format!("    {}  ", pad(name, column)), &keys);
        }
        text.push('\n');
    }
    if !organizations.is_empty() {
        let _ = writeln!(text, "  {}", paint(BOLD, "notes: organisations that no file names"));
        for other in organizations {
            let _ = writeln!(text, "    {}", clean(other));
        }
        text.push('\n');
    }
}
