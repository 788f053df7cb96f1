//! A comment on a pull request: what counts first, the rest folded, and never more than a comment may hold.

mod escape;
mod findings;
mod runs;

use std::fmt::Write as _;

use super::fields::FieldChange;
use super::outline::{Outline, Verdict, drift_verdict, mails, outlines, verdict};
use super::rails::exception;
use super::style::{first, plural};
use escape::{code, prose};
pub(super) use findings::findings;
use rolecall_model::{Completeness, Hold, HoldClass, OrganizationPlan, Override, Plan, Refusal, Unread};
pub(super) use runs::runs;

/// As what a plan is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Plan,
    Drift,
}

/// In bytes. GitHub takes 65,536 characters in a comment, GitLab a million.
const LONGEST: usize = 60_000;

/// How much is told of each organisation, and of how many.
#[derive(Clone, Copy)]
struct DetailLevel {
    fields: bool,
    holds: usize,
    rows: usize,
    organizations: usize,
}

const ALL: DetailLevel =
    DetailLevel { fields: true, holds: usize::MAX, rows: usize::MAX, organizations: usize::MAX };

/// From all of it to little: the first that fits is taken.
const DETAIL_LEVELS: &[DetailLevel] = &[
    ALL,
    DetailLevel { fields: false, ..ALL },
    DetailLevel { fields: false, holds: 20, ..ALL },
    DetailLevel { fields: false, holds: 10, rows: 200, ..ALL },
    DetailLevel { fields: false, holds: 5, rows: 50, ..ALL },
    DetailLevel { fields: false, holds: 0, rows: 10, ..ALL },
    DetailLevel { fields: false, holds: 0, rows: 0, organizations: 100 },
    DetailLevel { fields: false, holds: 0, rows: 0, organizations: 10 },
];

pub(super) fn plan(plan: &Plan, reading: Reading) -> String {
    let mut text = String::new();
    for room in DETAIL_LEVELS {
        text = document(plan, reading, *room);
        if text.len() <= LONGEST {
            break;
        }
    }
    text
}

fn document(plan: &Plan, reading: Reading, room: DetailLevel) -> String {
    let mut text = String::new();
    for organization in plan.organizations.iter().take(room.organizations) {
        push_organization(&mut text, organization, reading, room);
    }
    let more = plan.organizations.len().saturating_sub(room.organizations);
    if plan.organizations.is_empty() {
        text.push_str("**No organisation could be read.**\n\n");
    } else if more > 0 {
        let _ = writeln!(text, "_And {more} more organisations: this comment has no room for them._\n");
    }
    for Unread { provider, organization, why } in plan.unread.iter().take(room.organizations) {
        let _ = writeln!(
            text,
            "> [!CAUTION]\n> {} is not in this plan: {}\n",
            code(format!("{provider} {organization}")),
            prose(why)
        );
    }
    text
}

fn push_organization(text: &mut String, plan: &OrganizationPlan, reading: Reading, room: DetailLevel) {
    let identity = &plan.sealed.identity;
    let Verdict { headline, rest } = match reading {
        Reading::Plan => verdict(plan),
        Reading::Drift => drift_verdict(plan),
    };
    let refused = if plan.refusals.is_empty() { "" } else { "Refused. " };
    let name = format!("{} {}", identity.provider, identity.organization);
    let _ = writeln!(text, "### {} on {}\n", code(name), code(&identity.site));
    let _ = writeln!(text, "**{refused}{}**{}\n", prose(headline), prose(rest));
    push_rails(text, plan, room);
    push_changes(text, plan, room);
    push_mails(text, plan, room);
    push_holds(text, plan, room);
    push_gaps(text, plan);
}

fn push_rails(text: &mut String, plan: &OrganizationPlan, room: DetailLevel) {
    for Refusal { guardrail, message, addresses } in &plan.refusals {
        let _ = writeln!(text, "> [!CAUTION]\n> **{guardrail}**: {}", prose(message));
        let shown = addresses.len().min(room.rows.min(20));
        if shown > 0 {
            let _ = writeln!(text, ">\n> {}", first(addresses.iter(), shown, code));
        }
        text.push('\n');
    }
    if let Some(exception) = exception(plan) {
        // Of words of our own and the digits of a hash.
        let _ = writeln!(
            text,
            "Reviewed, just this plan may be sent with this below `guardrails: exceptions:`\n\n```yaml\n{exception}\n```\n"
        );
    }
    for Override { refusal, plan: _, until, reason } in &plan.overrides {
        let _ = writeln!(
            text,
            "> [!WARNING]\n> **{}** is lifted until {until}, {}: {}\n",
            refusal.guardrail,
            prose(reason),
            prose(&refusal.message)
        );
    }
}

fn push_changes(text: &mut String, plan: &OrganizationPlan, room: DetailLevel) {
    let changes = outlines(plan);
    if changes.is_empty() {
        return;
    }
    let shown = &changes[..changes.len().min(room.rows)];
    if !shown.is_empty() {
        text.push_str("|  | change | what | besides |\n|---|---|---|---|\n");
    }
    for Outline { sign, address, verb, notes, privileged, .. } in shown {
        let privileged = if *privileged { "**privileged** " } else { "" };
        let notes: Vec<String> = notes
            .iter()
            .map(|note| if note.warns { format!("**{}**", prose(&note.text)) } else { prose(&note.text) })
            .collect();
        let _ = writeln!(
            text,
            "| `{sign}` | {privileged}{} | {} | {} |",
            code(address),
            prose(verb),
            notes.join("; ")
        );
    }
    let more = changes.len() - shown.len();
    if more > 0 {
        let _ =
            writeln!(text, "\n_{} not shown here, for want of room: see the saved plan._", plural(more, "change"));
    }
    text.push('\n');
    if room.fields {
        push_fields(text, shown);
    } else {
        text.push_str("_What changes in each is left out, for want of room: see the saved plan._\n\n");
    }
}

fn push_fields(text: &mut String, changes: &[Outline]) {
    let _ = writeln!(text, "<details><summary>What changes in each</summary>\n");
    for Outline { address, fields, place, .. } in changes {
        let place = place.as_ref().map(|place| format!(", asked for in {}", code(place))).unwrap_or_default();
        let _ = writeln!(text, "- {}{place}", code(address));
        for field in fields {
            push_field(text, field);
        }
    }
    text.push_str("\n</details>\n\n");
}

fn push_field(text: &mut String, FieldChange { name, before, after, gained, lost }: &FieldChange) {
    let shown = |value: &Option<String>| value.as_ref().map_or_else(|| "(empty)".to_owned(), code);
    let before = if before.is_some() { format!("{} → ", shown(before)) } else { String::new() };
    let _ = write!(text, "  - {name}: {before}{}", shown(after));
    for (sign, parts) in [("gains", gained), ("loses", lost)] {
        if !parts.is_empty() {
            let parts: Vec<String> = parts.iter().map(code).collect();
            let _ = write!(text, "; {sign} {}", parts.join(", "));
        }
    }
    text.push('\n');
}

/// Whom a mail goes to. An organisation that is made invites several at once.
fn push_mails(text: &mut String, plan: &OrganizationPlan, room: DetailLevel) {
    let sends: Vec<_> = plan.sealed.changes.iter().filter(|change| mails(change) > 0).collect();
    let count: usize = sends.iter().map(|change| mails(change)).sum();
    if count == 0 {
        return;
    }
    let to = sends.iter().map(|change| &change.address);
    let will = if count == 1 { "goes" } else { "go" };
    let _ = writeln!(text, "**{}** {will} out: {}\n", plural(count, "mail"), first(to, room.rows, code));
}

fn push_holds(text: &mut String, plan: &OrganizationPlan, room: DetailLevel) {
    let holds = &plan.sealed.holds;
    if holds.is_empty() {
        return;
    }
    let blocked = holds.iter().filter(|hold| hold.class == HoldClass::Blocked).count();
    // Whoever has to do something shouldn't have to look for it.
    let open = if blocked > 0 { " open" } else { "" };
    let _ = writeln!(text, "<details{open}><summary>{} held, {blocked} blocked</summary>\n", holds.len());
    for Hold { address, class, reason } in holds.iter().take(room.holds) {
        let _ = writeln!(text, "- {} {}: {}", code(address), class.as_str(), prose(reason));
    }
    let more = holds.len().saturating_sub(room.holds);
    if more > 0 {
        let _ = writeln!(text, "- _{more} not shown here, for want of room_");
    }
    text.push_str("\n</details>\n\n");
}

fn push_gaps(text: &mut String, plan: &OrganizationPlan) {
    for (list, completeness) in &plan.completeness {
        if let Completeness::Broken { why } = completeness {
            let _ = writeln!(text, "> [!WARNING]\n> {list} incomplete: {}\n", prose(why));
        }
    }
    let assumed = plan.completeness.iter().filter_map(|(list, completeness)| match completeness {
        Completeness::Assumed { why } => Some(format!("{list} assumed complete: {}", prose(why))),
        Completeness::Proven | Completeness::Broken { .. } => None,
    });
    let gaps = plan.gaps.iter().map(|gap| format!("{}: {}", prose(&gap.what), prose(&gap.why)));
    let unseen: Vec<String> = gaps.chain(assumed).collect();
    if unseen.is_empty() {
        return;
    }
    let _ = writeln!(text, "<details><summary>What can't be seen</summary>\n");
    for line in unseen {
        let _ = writeln!(text, "- {line}");
    }
    text.push_str("\n</details>\n\n");
}
