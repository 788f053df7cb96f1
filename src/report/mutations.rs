//! Writes the exact mutations of a plan, for `--show-mutations`.

use std::fmt::Write as _;

use super::style::{BOLD, DIM, clean, paint};
use rolecall_model::Plan;

/// Writes the operation, the variables and the order of every mutation.
pub fn mutations(plan: &Plan) -> String {
    let mut text = String::new();
    for organization in &plan.organizations {
        let _ = writeln!(text, "{} {}", paint(BOLD, "mutations"), paint(DIM, clean(&organization.seal)));
        for mutation in &organization.sealed.mutations {
            let variables = serde_json::to_string(&mutation.variables).unwrap_or_default();
            let _ =
                write!(text, "  {:<4} {} {}", clean(&mutation.id), clean(&mutation.operation), clean(variables));
            if mutation.first_step {
                text.push_str("  (first step)");
            }
            if !mutation.needs.is_empty() {
                let _ = write!(text, "  after {} is done", clean(mutation.needs.join(", ")));
            }
            if !mutation.after.is_empty() {
                let _ = write!(text, "  after a read shows {}", clean(mutation.after.join(", ")));
            }
            text.push('\n');
        }
    }
    text
}
