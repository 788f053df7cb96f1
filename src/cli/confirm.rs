//! What is asked before anything is sent.

use super::exit::{Exit, Failure};
use super::out::Out;
use crate::report;
use rolecall_model::{Action, Change, Kind, OrganizationPlan};

/// Does the organisation itself go?
pub(super) fn deletes_itself(plan: &OrganizationPlan) -> bool {
    let itself = |change: &Change| change.action == Action::Delete && change.address.kind == Kind::Organization;
    plan.sealed.changes.iter().any(itself)
}

/// Whoever deletes an organisation says which, beside the file that says so.
pub(super) fn confirm_deletion(name: &str, typed: Option<&str>, ask: bool, out: &Out) -> Result<(), Failure> {
    let wanted = format!("to delete the organisation {name}, with all that is in it, type its name: ");
    let typed = match typed {
        Some(typed) => Some(typed.to_owned()),
        None if ask => out.ask_for(&format!("\n{}", report::clean(&wanted))),
        None => None,
    };
    if typed.as_deref() == Some(name) {
        return Ok(());
    }
    let failure =
        Failure::error(format!("the deletion of the organisation {name} wasn't confirmed; nothing was sent"))
            .hint(format!("give --confirm-deletion {name}"));
    Err(Failure { exit: Exit::Refused, ..failure })
}

/// Asks whether what was shown is to be sent.
pub(super) fn confirm(plan: &OrganizationPlan, out: &Out) -> Result<(), Failure> {
    let question = format!(
        "\nSend {} to {}? Only `yes` will do: ",
        report::plural(plan.sealed.mutations.len(), "mutation"),
        report::clean(&plan.sealed.identity.site)
    );
    match out.ask(&question) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::error("declined; nothing was sent")),
        None => Err(Failure::error("there is no terminal to ask on; nothing was sent")
            .hint("review a saved plan and give it with --plan, or give --auto-approve")),
    }
}
