//! Writes a ledger as text: what was sent, when, and its outcome.

use std::fmt::Write as _;

use super::fields::in_words;
use super::style::{ADD, BOLD, DIM, REMOVE, clean, first, paint, plural};
use rolecall_engine::ledger::{Event, Record};
use rolecall_model::Outcome;

/// Writes every record, in order.
pub fn ledger(records: &[Record]) -> String {
    let mut text = String::new();
    for Record { at, run, event } in records {
        let at = paint(DIM, at.strftime("%Y-%m-%d %H:%M:%S"));
        let line = match event {
            Event::RunStarted { format_version: _, generator, identity, seal, approved: _ } => format!(
                "{} {} {} on {}, {}, {}",
                paint(BOLD, format!("run {}", clean(run))),
                identity.provider,
                clean(&identity.organization),
                clean(&identity.site),
                clean(generator),
                clean(seal),
            ),
            Event::Override { guardrail, message, plan, until, reason } => format!(
                "     {} until {until} for {}: {}; {}",
                paint(REMOVE, format!("{guardrail} overridden")),
                clean(plan),
                clean(reason),
                clean(message)
            ),
            Event::Intent { mutation, operation, change, known: _, first_step: _ } => {
                format!(
                    "{:<4} {}: {} {}",
                    clean(mutation),
                    clean(operation),
                    clean(&change.address),
                    in_words(change)
                )
            }
            Event::Outcome { mutation, address, outcome, refused: _, id, message } => {
                let style = if *outcome == Outcome::Done { ADD } else { REMOVE };
                let id = id.as_ref().map(|id| format!(" {}", clean(id))).unwrap_or_default();
                let message = message.as_ref().map(|text| format!(": {}", clean(text))).unwrap_or_default();
                format!("{:<4} {} {}{id}{message}", clean(mutation), paint(style, outcome), clean(address))
            }
            Event::Delivery { mutation, address, id, .. } => {
                format!("{:<4} secret of {} {}: {}", clean(mutation), clean(address), clean(id), delivery(event))
            }
            Event::Sighting { address, seen: true, accepted: true } => {
                format!("     {} has accepted the invitation", clean(address))
            }
            Event::Sighting { address, seen: true, accepted: false } => {
                format!("     {} is listed", clean(address))
            }
            Event::Sighting { address, seen: false, accepted: _ } => {
                format!("     {} is not listed yet", clean(address))
            }
            Event::Members { listed } => {
                format!("     {} listed for the first time", plural(listed.len(), "user"))
            }
            Event::Keys { listed } => format!("     {} seen for the first time", plural(listed.len(), "key")),
            Event::Vanished { address } => format!("     {} is no longer listed", clean(address)),
            Event::Readmitted { address } => format!("     {} is listed again", clean(address)),
            Event::Lost { address, what } => {
                format!("     {} {}: {}", paint(REMOVE, "lost"), clean(address), clean(what))
            }
            Event::Held { address, reason } => format!("     {} skipped: {}", clean(address), clean(reason)),
            Event::LeftAs { address, entity: _ } => {
                format!("     {} has another value than was sent", clean(address))
            }
            Event::Settled { address } => format!("     {} is in effect after all", clean(address)),
            Event::RunFinished { in_sync, desired: _, differing, directory_people: _, not_selected: _ } => {
                let ending = match in_sync {
                    Some(true) => "finished, in sync",
                    Some(false) => "finished, and something is left to do",
                    None => "finished, the last read failed",
                };
                let open = first(differing.iter(), 6, clean);
                let open = if open.is_empty() { open } else { format!("; not as the file says: {open}") };
                format!("     {ending}{open}")
            }
            Event::DriftFinished { format_version: _, generator, identity, in_sync } => format!(
                "{} {} {} on {}, {}: {}",
                paint(BOLD, format!("drift {}", clean(run))),
                identity.provider,
                clean(&identity.organization),
                clean(&identity.site),
                clean(generator),
                if *in_sync { "in sync" } else { "live differs, or something needs attention" },
            ),
            Event::Archived { bytes } => {
                format!(
                    "     the lines before are those that something rests on; the archive has all, {bytes} bytes"
                )
            }
            Event::Recovered { torn_bytes } => {
                format!("     the line before is incomplete: it ends after {torn_bytes} bytes")
            }
        };
        let _ = writeln!(text, "{at}  {line}");
    }
    text
}

/// Returns where a secret went, or goes.
fn delivery(event: &Event) -> String {
    let Event::Delivery { arrived, begun, to, not_to, .. } = event else { return String::new() };
    if *begun {
        return format!("the delivery begins to {}", clean(not_to.join("; ")));
    }
    let what = if *arrived { paint(ADD, "delivered") } else { paint(REMOVE, "not delivered") };
    let to = if to.is_empty() { String::new() } else { format!(" to {}", clean(to.join("; "))) };
    let failed = match (arrived, &**not_to) {
        (_, []) => String::new(),
        (false, all) => format!(" to {}", clean(all.join("; "))),
        (true, rest) => format!(", {} to {}", paint(REMOVE, "not delivered"), clean(rest.join("; "))),
    };
    format!("{what}{to}{failed}")
}
