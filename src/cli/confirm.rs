//! The questions that an apply asks before it sends anything.

use super::exit::{Exit, Failure};
use super::out::Out;
use crate::report;
use rolecall_model::{Action, Change, Kind, OrganizationPlan, SANDBOX_HOST, Site};

/// Returns whether the plan deletes the organisation itself.
pub(super) fn deletes_itself(plan: &OrganizationPlan) -> bool {
    let is_deletion =
        |change: &Change| change.action == Action::Delete && change.address.kind == Kind::Organization;
    plan.sealed.changes.iter().any(is_deletion)
}

/// Checks that a person has confirmed the deletion by the name of the organisation, with `--confirm-deletion` or
/// at the prompt. The file alone is not enough.
pub(super) fn confirm_deletion(name: &str, typed: Option<&str>, ask: bool, out: &Out) -> Result<(), Failure> {
    let question =
        format!("This deletes the organisation {name} and everything in it. Type its name to confirm: ");
    let typed = match typed {
        Some(typed) => Some(typed.to_owned()),
        None if ask => out.ask_for(&format!("\n{}", report::clean(&question))),
        None => None,
    };
    if typed.as_deref() == Some(name) {
        return Ok(());
    }
    let failure =
        Failure::error(format!("The deletion of the organisation {name} was not confirmed. Nothing was sent."))
            .hint(format!("To confirm it, give `--confirm-deletion {name}`."));
    Err(Failure { exit: Exit::Refused, ..failure })
}

/// Returns the name of a site in a sentence.
pub(super) fn name_of(site: &Site) -> String {
    match site.to_string().as_str() {
        SANDBOX_HOST => format!("the {SANDBOX_HOST}"),
        other => report::clean(other),
    }
}

/// Asks whether the plan that was shown should be sent.
pub(super) fn confirm(plan: &OrganizationPlan, out: &Out) -> Result<(), Failure> {
    let question = format!(
        "\nSend {} to {}? Only `yes` confirms: ",
        report::plural(plan.sealed.mutations.len(), "mutation"),
        name_of(&plan.sealed.identity.site)
    );
    match out.ask(&question) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::error("You declined. Nothing was sent.")),
        None => Err(Failure::error("There is no terminal to ask on. Nothing was sent.")
            .hint("Give a reviewed plan with `--plan`, or give `--auto-approve`.")),
    }
}
