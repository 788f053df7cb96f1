//! A plan read as a report on live: what moved, who is unmanaged, what is held, what can't be seen.

use std::fmt::Write as _;

use super::outline::{Verdict, drift_verdict};
use super::rails::push_rails;
use super::style::{BOLD, clean, paint};
use super::text::{header, push_change, push_gaps, push_holds, unread};
use rolecall_model::{App, Inventory, OrganizationPlan, Plan};

/// The whole report.
pub fn drift(plan: &Plan) -> String {
    let parts: Vec<String> = plan.organizations.iter().map(organization).chain(unread(plan)).collect();
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
    push_rails(&mut text, plan);
    push_inventory(&mut text, plan);
    let Verdict { headline, rest } = drift_verdict(plan);
    let _ = writeln!(text, "{}{rest}", paint(BOLD, headline));
    text
}

/// What else is there, to be seen and not to be managed.
fn push_inventory(text: &mut String, plan: &OrganizationPlan) {
    let Some(Inventory { apps, organizations, expiring: _ }) = &plan.inventory else { return };
    if !apps.is_empty() {
        let _ = writeln!(text, "  {}", paint(BOLD, "apps, and the names of their keys"));
        for App { owner, name, id: _, keys } in apps {
            let keys: Vec<String> =
                keys.iter().flatten().map(|key| format!("{} ({})", clean(&key.name), clean(&key.kind))).collect();
            let keys = if keys.is_empty() { "no keys".to_owned() } else { keys.join(", ") };
            let _ = writeln!(text, "    {:<44} {keys}", clean(format!("{owner} {name}")));
        }
        text.push('\n');
    }
    if !organizations.is_empty() {
        let _ = writeln!(text, "  {}", paint(BOLD, "organisations that no file names"));
        for other in organizations {
            let _ = writeln!(text, "    {}", clean(other));
        }
        text.push('\n');
    }
}
