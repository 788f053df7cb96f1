//! Writes a comment on a pull request: what matters first, the rest folded, and never longer than a comment may be.

mod escape;
mod findings;
mod runs;

use std::fmt::Write as _;

use super::activity::{activity, dated_activity};
use super::fields::FieldChange;
use super::graph;
use super::guardrails::{exception, together};
use super::origin::{Gone, Group, Reading, deletions, diff_line, groups, holds, note, undescribed, unplanned};
use super::outline::{
    ENDINGS_LISTED, EndingLine, Outline, Verdict, drift_verdict, endings, last_in_sync, reason, verdict,
};
use super::risk::{overall, risk};
use super::style::{capitalised, first, plural};
use escape::{LONGEST_VALUE, cut as cut_value};
pub(super) use escape::{code, prose};
pub(super) use findings::findings;
use rolecall_model::{
    Action, Completeness, DiffLine, HoldClass, OrganizationPlan, OriginKind, Override, Plan, Refusal, Unread,
    Warning,
};
pub(super) use runs::runs;

/// The number of resources, and of abilities at each, that are listed of what somebody gains or loses.
const ABILITIES_LISTED: usize = 6;

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
    if let Some(risk) = overall(plan).filter(|_| reading == Reading::Plan) {
        let _ = writeln!(text, "**{risk}**\n");
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
    for gone in plan.undescribed.iter().take(detail.organizations) {
        let _ = writeln!(text, "> [!WARNING]\n> {}\n", prose(undescribed(gone)));
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
    push_activity(text, plan, reading);
    push_guardrails(text, plan, detail);
    push_warnings(text, &plan.warnings, detail);
    push_deletions(text, plan, detail);
    push_groups(text, plan, reading, detail);
    if detail.graph {
        text.push_str(&graph::fold(plan));
    }
    push_holds(text, plan, detail);
    push_gaps(text, plan);
}

/// Writes when rolecall last did its work, and when its credential ends, unless all is recent.
fn push_activity(text: &mut String, plan: &OrganizationPlan, reading: Reading) {
    let line = match reading {
        Reading::Plan => activity(&plan.activity),
        Reading::Drift => dated_activity(&plan.activity),
    };
    if let Some(line) = line {
        let warning = if plan.activity.silent.is_empty() { "" } else { "> [!WARNING]\n> " };
        let _ = writeln!(text, "{warning}{line}\n");
    }
}

fn push_guardrails(text: &mut String, plan: &OrganizationPlan, detail: DetailLevel) {
    for Refusal { guardrail, message, addresses, overridable: _ } in &plan.refusals {
        let _ = writeln!(
            text,
            "> [!CAUTION]\n> **{guardrail}**: {}",
            prose(format!("{message}{}", together(plan, *guardrail)))
        );
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

/// Writes the entries that are no longer in the files. An edit that may be a slip is a warning, and the others are folded.
fn push_deletions(text: &mut String, plan: &OrganizationPlan, detail: DetailLevel) {
    if let Some(why) = unplanned(plan) {
        let _ = writeln!(text, "> [!WARNING]\n> {}\n", prose(why));
    }
    let listed = detail.rows.min(20);
    let (explicit, slips): (Vec<Gone<'_>>, Vec<Gone<'_>>) =
        deletions(plan).into_iter().partition(|gone| gone.is_explicit);
    let entries = |gone: &Gone<'_>| {
        let entries = first(gone.entries.iter(), listed, |deletion| code(&deletion.address));
        format!("{}: {entries}{}", prose(&gone.by), gone.unchanged())
    };
    for gone in slips.iter().take(listed) {
        let _ = writeln!(text, "> [!WARNING]\n> No longer in the files, {}", entries(gone));
        push_lines(text, "> ", &gone.lines().collect::<Vec<_>>(), detail);
        text.push('\n');
    }
    let more: usize = slips.iter().skip(listed).map(|gone| gone.entries.len()).sum();
    if more > 0 {
        let _ = writeln!(
            text,
            "> [!WARNING]\n> {more} more entries are no longer in the files. They are not shown: the comment is full.\n"
        );
    }
    let count: usize = explicit.iter().map(|gone| gone.entries.len()).sum();
    if count > 0 {
        let _ = writeln!(text, "<details><summary>No longer in the files: {count}</summary>\n");
        for gone in explicit.iter().take(listed) {
            let _ = writeln!(text, "- {}", entries(gone));
            push_lines(text, "  ", &gone.lines().collect::<Vec<_>>(), detail);
        }
        let more: usize = explicit.iter().skip(listed).map(|gone| gone.entries.len()).sum();
        if more > 0 {
            let _ = writeln!(text, "- _{more} more are not shown: the comment is full_");
        }
        text.push_str("\n</details>\n\n");
    }
}

/// Writes the first lines of a diff, each after this indentation.
fn push_lines(text: &mut String, indent: &str, lines: &[&DiffLine], detail: DetailLevel) {
    const LISTED: usize = 6;
    if lines.is_empty() || !detail.fields {
        return;
    }
    let _ = writeln!(text, "{indent}```diff");
    for line in lines.iter().take(LISTED) {
        // Every line begins with its sign, so none can end the block.
        let (sign, place, line) = diff_line(line);
        let _ = writeln!(text, "{indent}{sign} {}", cut_value(format!("{place}  {line}"), LONGEST_VALUE));
    }
    let more = lines.len().saturating_sub(LISTED);
    if more > 0 {
        let _ = writeln!(text, "{indent}# and {}", plural(more, "more line"));
    }
    let _ = writeln!(text, "{indent}```");
}

/// Writes the changes and what they mean, by where they come from. Those that nobody asked for here are folded.
fn push_groups(text: &mut String, plan: &OrganizationPlan, reading: Reading, detail: DetailLevel) {
    let mut room = detail.rows;
    for (group, rows) in groups(plan, reading) {
        let heading = group.heading(&rows).map(|heading| capitalised(&heading));
        let is_folded = group == Group::Drifted;
        match heading {
            Some(heading) if is_folded => {
                let _ = writeln!(text, "<details><summary>{heading}</summary>\n");
            }
            Some(heading) => {
                let _ = writeln!(text, "#### {heading}\n");
            }
            None => {}
        }
        let shown = &rows[..rows.len().min(room)];
        room -= shown.len();
        let (people, others): (Vec<&Outline>, Vec<&Outline>) = shown.iter().partition(|row| row.is_person());
        push_table(text, "person | from → to | why | mail", &people);
        push_table(text, "what | from → to | why | who else", &others);
        let more = rows.len() - shown.len();
        if more > 0 {
            let more = plural(more, "change");
            let _ = writeln!(text, "_{more} not shown: the comment is full. See the saved plan._\n");
        }
        if detail.fields {
            push_details(text, shown);
        } else {
            text.push_str(
                "_The fields of each change are not shown: the comment is full. See the saved plan._\n\n",
            );
        }
        if is_folded {
            text.push_str("</details>\n\n");
        }
    }
}

fn push_table(text: &mut String, head: &str, rows: &[&Outline]) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(text, "| {head} |\n|---|---|---|---|");
    for row in rows {
        let privileged = row.privileged.map(|privilege| format!("**{}** ", privilege.as_str()));
        let last = match row.mails {
            0 => first(row.holders.iter(), 3, code),
            mails => format!("**{}**", plural(mails, "mail")),
        };
        let who = format!("`{}` {}{}", row.sign, privileged.unwrap_or_default(), code(&row.address));
        let _ = writeln!(text, "| {who} | {} | {} | {last} |", from_to(row), why(row));
    }
    text.push('\n');
}

/// Returns what a change does: the access before and after, and its side effects.
fn from_to(Outline { action, verb, access, effects, .. }: &Outline) -> String {
    let effects = effects
        .iter()
        .map(|note| if note.warns { format!("**{}**", prose(&note.text)) } else { prose(&note.text) });
    let parts: Vec<String> = access.iter().map(prose).chain(effects).collect();
    match action {
        Some(Action::Update) if !parts.is_empty() => parts.join("; "),
        _ if parts.is_empty() => prose(verb),
        _ => format!("{}: {}", prose(verb), parts.join("; ")),
    }
}

/// Returns where a change comes from: its origin, its cause, and its place in the files.
fn why(Outline { origin, cause, note, place, .. }: &Outline) -> String {
    let origin = origin.as_ref().map(|origin| origin.is);
    let cause = cause.iter().filter(|_| origin != Some(OriginKind::NeededByAnother)).map(prose);
    let origin = origin.map(|origin| origin.as_str().to_owned());
    let parts: Vec<String> =
        origin.into_iter().chain(cause).chain(note.iter().map(prose)).chain(place.iter().map(code)).collect();
    parts.join(", ")
}

/// Writes what each may now and no longer do, every field, and the lines that ask for it.
fn push_details(text: &mut String, rows: &[Outline]) {
    let _ = writeln!(text, "<details><summary>What each may now and no longer do, and every field</summary>\n");
    for Outline { address, fields, meaning, origin, last_in_sync, .. } in rows {
        let _ = writeln!(text, "- {}", code(address));
        if let Some(line) = last_in_sync {
            let _ = writeln!(text, "  - {}", prose(line));
        }
        for meaning in meaning {
            let _ = writeln!(
                text,
                "  - **{}**: {}",
                meaning.label,
                meaning.in_words(ABILITIES_LISTED, |word| prose(word))
            );
        }
        for field in fields {
            push_field(text, field);
        }
        let lines: Vec<&DiffLine> = origin.iter().flat_map(|origin| &origin.lines).collect();
        push_lines(text, "  ", &lines, ALL);
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

fn push_holds(text: &mut String, plan: &OrganizationPlan, detail: DetailLevel) {
    let mut room = detail.holds;
    for (origin, holds) in holds(plan) {
        let blocked = holds.iter().filter(|hold| hold.class == HoldClass::Blocked).count();
        // A list that needs attention is shown unfolded.
        let open = if blocked > 0 { " open" } else { "" };
        let skipped = holds.len().saturating_sub(blocked);
        let _ = writeln!(
            text,
            "<details{open}><summary>needs attention: {blocked}; skipped: {skipped}{origin}</summary>\n"
        );
        let shown = &holds[..holds.len().min(room)];
        room -= shown.len();
        for hold in shown {
            let _ = writeln!(
                text,
                "- {} {}: {}",
                code(&hold.address),
                hold.class.as_str(),
                prose(format!("{}{}", reason(hold), note(plan, hold)))
            );
            if let Some(line) = last_in_sync(plan, &hold.address) {
                let _ = writeln!(text, "  - {}", prose(line));
            }
        }
        let more = holds.len() - shown.len();
        if more > 0 {
            let _ = writeln!(text, "- _{more} more are not shown: the comment is full_");
        }
        text.push_str("\n</details>\n\n");
    }
}

fn push_gaps(text: &mut String, plan: &OrganizationPlan) {
    let endings = endings(plan);
    if !endings.is_empty() {
        let _ = writeln!(text, "**Ends soon**\n");
        for EndingLine { address, text: what, place } in endings.iter().take(ENDINGS_LISTED) {
            let _ = writeln!(text, "- {}: {} ({})", code(address), prose(what), code(place));
        }
        if endings.len() > ENDINGS_LISTED {
            let _ = writeln!(text, "- _{} more_", endings.len() - ENDINGS_LISTED);
        }
        text.push('\n');
    }
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
