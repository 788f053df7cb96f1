//! Writes a comment on a pull request: what matters first, the rest folded, and never longer than a comment may be.

mod escape;
mod findings;
mod runs;

use std::fmt::Write as _;

use super::fields::FieldChange;
use super::graph;
use super::guardrails::exception;
use super::outline::{
    Meaning, Outline, Verdict, affected, drift_verdict, last_in_sync, mails, outlines, reason, verdict,
};
use super::risk::risk;
use super::style::{first, plural};
pub(super) use escape::{code, prose};
pub(super) use findings::findings;
use rolecall_model::{Completeness, HoldClass, OrganizationPlan, Override, Plan, Refusal, Unread, Warning};
pub(super) use runs::runs;

/// The kind of report that a plan is written as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Plan,
    Drift,
}

/// The greatest length of a comment, in bytes. GitHub takes 65,536 characters in a comment, GitLab a million.
const LONGEST: usize = 60_000;

/// The amount of detail for each organisation, and the number of organisations.
#[derive(Clone, Copy)]
struct DetailLevel {
    fields: bool,
    graph: bool,
    holds: usize,
    rows: usize,
    organizations: usize,
}

const ALL: DetailLevel =
    DetailLevel { fields: true, graph: true, holds: usize::MAX, rows: usize::MAX, organizations: usize::MAX };

/// The levels of detail, from everything to little. The first that fits into a comment is taken.
const DETAIL_LEVELS: &[DetailLevel] = &[
    ALL,
    DetailLevel { graph: false, ..ALL },
    DetailLevel { fields: false, graph: false, ..ALL },
    DetailLevel { fields: false, graph: false, holds: 20, ..ALL },
    DetailLevel { fields: false, graph: false, holds: 10, rows: 200, ..ALL },
    DetailLevel { fields: false, graph: false, holds: 5, rows: 50, ..ALL },
    DetailLevel { fields: false, graph: false, holds: 0, rows: 10, ..ALL },
    DetailLevel { fields: false, graph: false, holds: 0, rows: 0, organizations: 100 },
    DetailLevel { fields: false, graph: false, holds: 0, rows: 0, organizations: 10 },
];

pub(super) fn plan(plan: &Plan, reading: Reading) -> String {
    let mut text = String::new();
    for detail in DETAIL_LEVELS {
        text = document(plan, reading, *detail);
        if text.len() <= LONGEST {
            return text;
        }
    }
    cut(&text, LONGEST)
}

/// Cuts a comment that is still too long: the head is kept, and the lines that are left out are counted.
fn cut(text: &str, longest: usize) -> String {
    let (mut kept, mut lines) = (0, text.lines());
    for line in lines.by_ref() {
        if kept + line.len() + 1 > longest.saturating_sub(200) {
            let more = lines.count() + 1;
            return format!("{}\n_{} not shown: the comment is full._\n", &text[..kept], plural(more, "line"));
        }
        kept += line.len() + 1;
    }
    text.to_owned()
}

fn document(plan: &Plan, reading: Reading, detail: DetailLevel) -> String {
    let mut text = String::new();
    if reading == Reading::Plan && plan.organizations.len() > 1 {
        let _ =
            writeln!(text, "**All {} organisations: {}**\n", plan.organizations.len(), risk(&plan.organizations));
    }
    for organization in plan.organizations.iter().take(detail.organizations) {
        push_organization(&mut text, organization, reading, detail);
    }
    let more = plan.organizations.len().saturating_sub(detail.organizations);
    if plan.organizations.is_empty() {
        text.push_str("**No organisation could be read.**\n\n");
    } else if more > 0 {
        let _ = writeln!(text, "_{more} more organisations are not shown: the comment is full._\n");
    }
    for Unread { provider, organization, why } in plan.unread.iter().take(detail.organizations) {
        let _ = writeln!(
            text,
            "> [!CAUTION]\n> {} is not in this plan: {}\n",
            code(format!("{provider} {organization}")),
            prose(why)
        );
    }
    text
}

fn push_organization(text: &mut String, plan: &OrganizationPlan, reading: Reading, detail: DetailLevel) {
    let identity = &plan.sealed.identity;
    let name = format!("{} {}", identity.provider, identity.organization);
    let _ = writeln!(text, "### {} on {}\n", code(name), code(&identity.site));
    match reading {
        Reading::Plan => {
            let Verdict { headline, rest } = verdict(plan);
            let _ = writeln!(text, "**{}**\n\n{headline}{rest}\n", risk([plan]));
        }
        Reading::Drift => {
            let Verdict { headline, rest } = drift_verdict(plan);
            let _ = writeln!(text, "**{headline}**{rest}\n");
        }
    }
    push_guardrails(text, plan, detail);
    push_warnings(text, &plan.warnings, detail);
    push_changes(text, plan, detail);
    push_mails(text, plan, detail);
    if detail.graph {
        text.push_str(&graph::fold(plan));
    }
    push_holds(text, plan, detail);
    push_gaps(text, plan);
}

fn push_guardrails(text: &mut String, plan: &OrganizationPlan, detail: DetailLevel) {
    for Refusal { guardrail, message, addresses, overridable: _ } in &plan.refusals {
        let _ = writeln!(text, "> [!CAUTION]\n> **{guardrail}**: {}", prose(message));
        let shown = addresses.len().min(detail.rows.min(20));
        if shown > 0 {
            let _ = writeln!(text, ">\n> {}", first(addresses.iter(), shown, code));
        }
        text.push('\n');
    }
    if let Some(exception) = exception(plan) {
        // The exception holds only words of our own and the digits of a hash, so it needs no escaping.
        let _ = writeln!(
            text,
            "After a review, this entry below `guardrails: exceptions:` lets this plan through, and no other:\n\n```yaml\n{exception}\n```\n"
        );
    }
    for Override { refusal, plan: _, until, reason } in &plan.overrides {
        let _ = writeln!(
            text,
            "> [!WARNING]\n> **{}** is overridden until {until}, {}: {}\n",
            refusal.guardrail,
            prose(reason),
            prose(&refusal.message)
        );
    }
}

/// Writes the warnings of the file and of the plan.
fn push_warnings(text: &mut String, warnings: &[Warning], detail: DetailLevel) {
    if warnings.is_empty() {
        return;
    }
    let _ = writeln!(text, "> [!WARNING]\n> {}\n>", plural(warnings.len(), "warning"));
    let shown = detail.rows.min(20);
    for warning in warnings.iter().take(shown) {
        let _ = writeln!(text, "> - {}", warning_line(warning));
    }
    let more = warnings.len().saturating_sub(shown);
    if more > 0 {
        let _ = writeln!(text, "> - _{more} more are not shown_");
    }
    text.push('\n');
}

/// Returns a warning with its place, its code and its hint.
pub(super) fn warning_line(Warning { code: kind, place, message, hint }: &Warning) -> String {
    let hint = hint.as_ref().map(|hint| format!(" {}", prose(hint))).unwrap_or_default();
    format!("{} {}: {}{hint}", code(place), code(kind), prose(message))
}

fn push_changes(text: &mut String, plan: &OrganizationPlan, detail: DetailLevel) {
    let changes = outlines(plan);
    if changes.is_empty() {
        return;
    }
    let shown = &changes[..changes.len().min(detail.rows)];
    if !shown.is_empty() {
        text.push_str("|  | change | action | notes |\n|---|---|---|---|\n");
    }
    for Outline { sign, address, verb, notes, privileged, .. } in shown {
        let privileged = privileged.map(|privilege| format!("**{}** ", privilege.as_str())).unwrap_or_default();
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
            writeln!(text, "\n_{} not shown: the comment is full. See the saved plan._", plural(more, "change"));
    }
    text.push('\n');
    if detail.fields {
        push_fields(text, shown, plan);
    } else {
        text.push_str("_The fields of each change are not shown: the comment is full. See the saved plan._\n\n");
    }
}

fn push_fields(text: &mut String, changes: &[Outline], plan: &OrganizationPlan) {
    let _ = writeln!(text, "<details><summary>Fields of each change</summary>\n");
    for Outline { address, fields, place, meaning, last_in_sync, .. } in changes {
        let place = place.as_ref().map(|place| format!(", asked for in {}", code(place))).unwrap_or_default();
        let _ = writeln!(text, "- {}{place}", code(address));
        if let Some(line) = last_in_sync {
            let _ = writeln!(text, "  - {}", prose(line));
        }
        for field in fields {
            push_field(text, field);
        }
        push_meaning(text, meaning);
    }
    for (address, meaning) in affected(plan) {
        let _ = writeln!(text, "- {}, by a role or a team that changes", code(address));
        push_meaning(text, &meaning);
    }
    text.push_str("\n</details>\n\n");
}

/// Writes what somebody may do afterwards and no longer. More than a few are counted.
fn push_meaning(text: &mut String, meaning: &[Meaning]) {
    const LISTED: usize = 6;
    for Meaning { label, abilities } in meaning {
        let _ = writeln!(text, "  - **{label}**: {}", first(abilities.iter(), LISTED, prose));
    }
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

/// Writes to whom mails go. Creating an organisation may invite several users at once.
fn push_mails(text: &mut String, plan: &OrganizationPlan, detail: DetailLevel) {
    let sends: Vec<_> = plan.sealed.changes.iter().filter(|change| mails(change) > 0).collect();
    let count: usize = sends.iter().map(|change| mails(change)).sum();
    if count == 0 {
        return;
    }
    let to = sends.iter().map(|change| &change.address);
    let will = if count == 1 { "goes" } else { "go" };
    let _ = writeln!(text, "**{}** {will} out: {}\n", plural(count, "mail"), first(to, detail.rows, code));
}

fn push_holds(text: &mut String, plan: &OrganizationPlan, detail: DetailLevel) {
    let holds = &plan.sealed.holds;
    if holds.is_empty() {
        return;
    }
    let blocked = holds.iter().filter(|hold| hold.class == HoldClass::Blocked).count();
    // A list that needs attention is shown unfolded.
    let open = if blocked > 0 { " open" } else { "" };
    let _ = writeln!(
        text,
        "<details{open}><summary>needs attention: {blocked}; skipped: {}</summary>\n",
        holds.len().saturating_sub(blocked)
    );
    for hold in holds.iter().take(detail.holds) {
        let _ = writeln!(text, "- {} {}: {}", code(&hold.address), hold.class.as_str(), prose(reason(hold)));
        if let Some(line) = last_in_sync(plan, &hold.address) {
            let _ = writeln!(text, "  - {}", prose(line));
        }
    }
    let more = holds.len().saturating_sub(detail.holds);
    if more > 0 {
        let _ = writeln!(text, "- _{more} more are not shown: the comment is full_");
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
    let unreadable: Vec<String> = gaps.chain(assumed).collect();
    if unreadable.is_empty() {
        return;
    }
    let _ = writeln!(text, "<details><summary>What can't be read</summary>\n");
    for line in unreadable {
        let _ = writeln!(text, "- {line}");
    }
    text.push_str("\n</details>\n\n");
}
