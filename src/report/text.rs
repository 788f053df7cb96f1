//! Writes a plan as text for people.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::mem::discriminant;

use super::activity::activity;
use super::fields::FieldChange;
use super::guardrails::push_guardrails;
use super::layout::{Layout, pad};
use super::origin::{Reading, deletions, diff_line, groups, holds, note, undescribed, unplanned};
use super::outline::{
    ENDINGS_LISTED, EndingLine, Meaning, Note, Outline, Verdict, endings, last_in_sync, name, reason, to_do,
    verdict,
};
use super::risk::{overall, risk};
use super::style::{ADD, BOLD, CHANGE, DIM, REMOVE, WARN, called, clean, first, paint, plural};
use rolecall_model::{Completeness, DiffLine, Gap, Hold, HoldClass, OrganizationPlan, Plan, Unread};

/// More entities than this of one kind, with the same action or the same reason, are summarised to a count.
const LISTED: usize = 20;

/// The widest that the column of verbs gets, in columns.
const VERB_WIDTH: usize = 20;

/// The number of lines of a diff that are listed of one change. `--full` lists all.
const LINES_LISTED: usize = 4;

/// The number of parts of a set that are listed where it changes. `--full` lists all.
const PARTS_LISTED: usize = 30;

/// Writes the whole plan.
pub fn plan_text(plan: &Plan, layout: Layout) -> String {
    let organizations = plan.organizations.iter().map(|plan| organization(plan, layout));
    let parts: Vec<String> =
        over_all(plan, layout).into_iter().chain(organizations).chain(unread(plan, layout)).collect();
    parts.join("\n")
}

/// Writes the risk of all organisations together. `None` if there is only one.
fn over_all(plan: &Plan, layout: Layout) -> Option<String> {
    let mut text = String::new();
    layout.push(&mut text, "", &paint(BOLD, clean(overall(plan)?)));
    Some(text)
}

/// Writes the organisations that could not be read, and those that no file describes any more. `None` if there are none.
pub(super) fn unread(plan: &Plan, layout: Layout) -> Option<String> {
    let mut text = String::new();
    for Unread { provider, organization, why } in &plan.unread {
        let name = paint(BOLD, called(*provider, organization));
        layout.push(&mut text, &format!("{name}   {}: ", paint(REMOVE, "not planned")), &clean(why));
    }
    for gone in &plan.undescribed {
        layout.push(&mut text, &format!("{}: ", paint(WARN, "warning")), &undescribed(gone));
    }
    Some(text).filter(|text| !text.is_empty())
}

fn organization(plan: &OrganizationPlan, layout: Layout) -> String {
    let mut text = header(plan, layout);
    layout.push(&mut text, "", &paint(BOLD, clean(risk([plan]))));
    text.push('\n');
    push_deletions(&mut text, plan, layout);
    push_rows(&mut text, plan, Reading::Plan, layout);
    push_holds(&mut text, plan, layout);
    push_gaps(&mut text, plan, layout);
    push_guardrails(&mut text, plan, layout);
    push_activity(&mut text, plan, layout);
    let Verdict { headline, rest } = verdict(plan);
    layout.push(&mut text, "", &format!("{}{rest}", paint(BOLD, headline)));
    text
}

/// Writes which organisation it is, what was read, and whether the lists are complete.
pub(super) fn header(plan: &OrganizationPlan, layout: Layout) -> String {
    let (mut complete, mut assumed, mut incomplete) = (Vec::new(), Vec::new(), Vec::new());
    for list in ["teams", "roles", "users", "invitations", "keys"] {
        match plan.completeness.get(list) {
            None => {}
            Some(Completeness::Proven) => complete.push(list),
            Some(Completeness::Assumed { .. }) => assumed.push(list),
            Some(Completeness::Broken { .. }) => incomplete.push(list),
        }
    }
    let mut lists = plural(plan.requests, "request");
    for (label, lists_so) in [("complete", complete), ("assumed complete", assumed), ("INCOMPLETE", incomplete)] {
        if !lists_so.is_empty() {
            let _ = write!(lists, "; {label}: {}", lists_so.join(", "));
        }
    }
    let mut text = String::new();
    let head = format!("{}   ", paint(BOLD, name(plan)));
    let body = format!("on {}: {lists}", clean(&plan.sealed.identity.site));
    layout.push(&mut text, &head, &paint(DIM, body));
    text.push('\n');
    text
}

/// Returns the items in their order, each with the items that it stands for. An item that is listed by itself stands for
/// none. More than [`LISTED`] items that are alike are summarised by the first of them, but for the privileged ones.
fn summarise<'a, T>(
    items: impl Iterator<Item = &'a T>,
    layout: Layout,
    is_alike: impl Fn(&T, &T) -> bool,
    is_privileged: impl Fn(&T) -> bool,
) -> Vec<(&'a T, Vec<&'a T>)> {
    // There are few groups, however many items there are.
    let mut groups: Vec<Vec<&T>> = Vec::new();
    let mut placed = Vec::new();
    for item in items {
        let group = groups.iter().position(|group| group.first().is_some_and(|first| is_alike(first, item)));
        let group = group.unwrap_or_else(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(item);
        placed.push((item, group));
    }
    let mut summarised = BTreeSet::new();
    let mut shown = Vec::new();
    for (item, group) in placed {
        if layout.full || groups[group].len() <= LISTED || is_privileged(item) {
            shown.push((item, Vec::new()));
        } else if summarised.insert(group) {
            shown.push((item, groups[group].iter().copied().filter(|item| !is_privileged(item)).collect()));
        }
    }
    shown
}

/// Writes the changes of a plan and what they mean, by where they come from. More than [`LISTED`] of one kind and action
/// are summarised, but for the privileged ones.
pub(super) fn push_rows(text: &mut String, plan: &OrganizationPlan, reading: Reading, layout: Layout) {
    for (group, rows) in groups(plan, reading) {
        if let Some(heading) = group.heading(&rows) {
            let _ = writeln!(text, "  {}", paint(BOLD, heading));
        }
        let (people, others): (Vec<&Outline>, Vec<&Outline>) = rows.iter().partition(|row| row.is_person());
        for rows in [people, others] {
            push_row_list(text, &rows, layout);
        }
    }
}

fn push_row_list(text: &mut String, rows: &[&Outline], layout: Layout) {
    if rows.is_empty() {
        return;
    }
    let group = |row: &Outline| (row.kind, row.action);
    let is_alike = |one: &Outline, other: &Outline| group(one) == group(other);
    let shown = summarise(rows.iter().copied(), layout, is_alike, |row| row.privileged.is_some());
    let listed = || shown.iter().filter(|(_, alike)| alike.is_empty()).map(|(row, _)| row);
    let column = layout.column(listed().map(|row| &*row.address));
    let noted = listed().filter(|row| !row.notes().is_empty() || row.privileged.is_some());
    let verbs = noted.map(|row| row.verb.len());
    let verb_column = verbs.filter(|width| *width <= VERB_WIDTH).max().unwrap_or(0);
    for (row, alike) in &shown {
        if alike.is_empty() {
            push_row(text, row, (column, verb_column), layout);
            continue;
        }
        let what = match row.action {
            Some(action) => to_do(alike.len(), row.kind, action),
            None => format!("{} by what changes", plural(alike.len(), row.kind.as_str())),
        };
        let head = format!("  {} {}  ", painted_sign(row.sign), pad(&what, column));
        layout.push(text, &head, "summarised; `--full` lists them");
    }
    text.push('\n');
}

fn painted_sign(sign: &str) -> String {
    let style = match sign {
        "+" => ADD,
        "-" => REMOVE,
        _ => CHANGE,
    };
    paint(style, sign)
}

fn push_row(text: &mut String, row: &Outline, (column, verb_column): (usize, usize), layout: Layout) {
    let Outline { sign, address, verb, fields, place, privileged, meaning, origin, last_in_sync, .. } = row;
    let painted = |note: Note| if note.warns { paint(WARN, &note.text) } else { note.text };
    let privileged = privileged.map(|privilege| paint(WARN, privilege.as_str()));
    let notes: Vec<String> = privileged.into_iter().chain(row.notes().into_iter().map(painted)).collect();
    let head = format!("  {} {}  ", painted_sign(sign), pad(address, column));
    let body =
        if notes.is_empty() { verb.clone() } else { format!("{}  {}", pad(verb, verb_column), notes.join("; ")) };
    layout.push(text, &head, &body);
    for field in fields {
        push_field(text, field, layout);
    }
    push_meaning(text, meaning, layout);
    for line in last_in_sync.iter().chain(place) {
        layout.push(text, "        ", &paint(DIM, line));
    }
    let lines: Vec<&DiffLine> = origin.iter().flat_map(|origin| &origin.lines).collect();
    push_lines(text, &lines, layout);
}

/// Writes the first lines of a diff.
fn push_lines(text: &mut String, lines: &[&DiffLine], layout: Layout) {
    let listed = if layout.full { usize::MAX } else { LINES_LISTED };
    for line in lines.iter().take(listed) {
        let (sign, place, line) = diff_line(line);
        let style = if sign == '+' { ADD } else { REMOVE };
        layout.push(
            text,
            "        ",
            &format!("{}  {}", paint(DIM, place), paint(style, format!("{sign} {line}"))),
        );
    }
    let more = lines.len().saturating_sub(listed);
    if more > 0 {
        let _ = writeln!(text, "        and {}; `--full` lists them", plural(more, "more line"));
    }
}

/// Writes the entries that are no longer in the files, and what deleted them. Edits that may be slips come first.
fn push_deletions(text: &mut String, plan: &OrganizationPlan, layout: Layout) {
    if let Some(why) = unplanned(plan) {
        layout.push(text, &format!("  {}: ", paint(WARN, "warning")), &why);
        text.push('\n');
    }
    let gone = deletions(plan);
    if gone.is_empty() {
        return;
    }
    let _ = writeln!(text, "  {}", paint(BOLD, "no longer in the files"));
    let listed = if layout.full { usize::MAX } else { LISTED };
    for gone in &gone {
        let by = if gone.is_explicit { gone.by.clone() } else { paint(WARN, &gone.by) };
        let entries = first(gone.entries.iter(), listed, |deletion| clean(&deletion.address));
        layout.push(text, &format!("    {by}: "), &format!("{entries}{}", gone.unchanged()));
        push_lines(text, &gone.lines().collect::<Vec<_>>(), layout);
    }
    text.push('\n');
}

/// The number of abilities that are listed of what somebody gains or loses. `--full` lists all.
const ABILITIES_LISTED: usize = 6;

fn push_meaning(text: &mut String, meaning: &[Meaning], layout: Layout) {
    let listed = if layout.full { usize::MAX } else { ABILITIES_LISTED };
    for meaning in meaning {
        let style = if meaning.label == "may now" { ADD } else { REMOVE };
        let words = meaning.in_words(listed, |ability| paint(style, clean(ability)));
        layout.push(text, &format!("        {:<12} ", meaning.label), &words);
    }
}

fn push_field(text: &mut String, field: &FieldChange, layout: Layout) {
    let FieldChange { name, before, after, gained, lost } = field;
    let shown = |value: &Option<String>| value.as_ref().map_or_else(|| "(empty)".to_owned(), clean);
    let mut body = String::new();
    if before.is_some() {
        let _ = write!(body, "{}  ->  ", shown(before));
    }
    body.push_str(&shown(after));
    let listed = if layout.full { usize::MAX } else { PARTS_LISTED };
    for (sign, style, parts) in [("+", ADD, gained), ("-", REMOVE, lost)] {
        for part in parts.iter().take(listed) {
            let _ = write!(body, "   {}", paint(style, format!("{sign}{}", clean(part))));
        }
        let more = parts.len().saturating_sub(listed);
        if more > 0 {
            let _ = write!(body, "   {}", paint(style, format!("{sign}{more} more")));
        }
    }
    layout.push(text, &format!("        {name:<12} "), &body);
}

/// Writes what is skipped, under two headings: what needs attention, and the rest. More than [`LISTED`] entities of one
/// kind that are skipped for the same reason are summarised, except for the privileged ones.
pub(super) fn push_holds(text: &mut String, plan: &OrganizationPlan, layout: Layout) {
    for (origin, holds) in holds(plan) {
        let (blocked, skipped): (Vec<&Hold>, Vec<&Hold>) =
            holds.into_iter().partition(|hold| hold.class == HoldClass::Blocked);
        for (heading, holds) in [("needs attention", blocked), ("skipped", skipped)] {
            if !holds.is_empty() {
                let _ = writeln!(text, "  {}", paint(BOLD, format!("{heading}{origin}")));
                push_hold_list(text, plan, &holds, layout);
                text.push('\n');
            }
        }
    }
}

fn push_hold_list(text: &mut String, plan: &OrganizationPlan, holds: &[&Hold], layout: Layout) {
    let is_privileged = |hold: &Hold| hold.reason.is_privileged();
    let group = |hold: &Hold| (hold.class, hold.address.kind, discriminant(&hold.reason), is_privileged(hold));
    let is_alike = |one: &Hold, other: &Hold| group(one) == group(other);
    let shown = summarise(holds.iter().copied(), layout, is_alike, is_privileged);
    let listed = shown.iter().filter(|(_, alike)| alike.is_empty());
    let addresses: Vec<String> = listed.map(|(hold, _)| clean(&hold.address)).collect();
    let column = layout.column(addresses.iter().map(String::as_str));
    for (hold, alike) in shown {
        let class = match hold.class {
            HoldClass::Blocked => paint(REMOVE, "blocked"),
            HoldClass::Waiting => paint(CHANGE, "waiting"),
            HoldClass::Ignored => paint(DIM, "ignored"),
        };
        let (address, reason) = (clean(&hold.address), format!("{}{}", reason(hold), note(plan, hold)));
        let (subject, body) = if alike.is_empty() {
            (address, reason)
        } else {
            let same = alike.iter().all(|other| other.reason == hold.reason);
            let of_whom = if same { String::new() } else { format!("such as {address}: ") };
            let subject = plural(alike.len(), hold.address.kind.as_str());
            (subject, format!("{of_whom}{reason} (summarised; `--full` lists them)"))
        };
        layout.push(text, &format!("    {}  {class}: ", pad(&subject, column)), &body);
        if let Some(line) = last_in_sync(plan, &hold.address).filter(|_| alike.is_empty()) {
            layout.push(text, "        ", &paint(DIM, line));
        }
    }
}

/// Writes which access ends soon.
fn push_endings(text: &mut String, plan: &OrganizationPlan, layout: Layout) {
    let endings = endings(plan);
    if endings.is_empty() {
        return;
    }
    let _ = writeln!(text, "  {}", paint(BOLD, "ends soon"));
    let width = endings.iter().map(|line| line.address.chars().count()).max().unwrap_or_default();
    let listed = if layout.full { endings.len() } else { ENDINGS_LISTED };
    for EndingLine { address, text: what, place } in endings.iter().take(listed) {
        let _ = writeln!(text, "    {address:width$}  {what}; {}", paint(DIM, place));
    }
    if endings.len() > listed {
        let _ = writeln!(text, "    and {} more (`--full` lists them)", endings.len() - listed);
    }
    text.push('\n');
}

/// Writes when rolecall last did its work, and when its credential ends, unless all is recent.
pub(super) fn push_activity(text: &mut String, plan: &OrganizationPlan, layout: Layout) {
    if let Some(line) = activity(&plan.activity) {
        layout.push(text, "  ", &if plan.activity.silent.is_empty() { line } else { paint(WARN, line) });
        text.push('\n');
    }
}

/// Writes which lists are incomplete, and what can't be read. Permanent limits of the platform's API that don't bear on
/// this plan share one line.
pub(super) fn push_gaps(text: &mut String, plan: &OrganizationPlan, layout: Layout) {
    push_endings(text, plan, layout);
    for (list, completeness) in &plan.completeness {
        let (label, why) = match completeness {
            Completeness::Broken { why } => (paint(REMOVE, "incomplete"), clean(why)),
            Completeness::Assumed { why } if layout.full => (paint(BOLD, "assumed complete"), clean(why)),
            Completeness::Assumed { .. } | Completeness::Proven => continue,
        };
        // The platform itself refuses to create a role that exists already.
        let rests = if completeness.is_incomplete() && list != "roles" {
            ". Nothing is removed or created that this list would have to prove absent."
        } else {
            ""
        };
        layout.push(text, &format!("  {label} {list}: "), &format!("{}{rests}", why.trim_end_matches('.')));
    }
    if plan.gaps.is_empty() {
        return;
    }
    let is_shown = |gap: &&Gap| layout.full || gap.bears_on(&plan.sealed.changes);
    let (shown, standing): (Vec<&Gap>, Vec<&Gap>) = plan.gaps.iter().partition(is_shown);
    let _ = writeln!(text, "  {}", paint(BOLD, "can't be read"));
    for gap in &shown {
        layout.push(text, "    ", &format!("{}: {}", clean(&gap.what), clean(&gap.why)));
    }
    if !standing.is_empty() {
        let names: Vec<String> = standing.iter().map(|gap| clean(&gap.what)).collect();
        let page = format!("`--full` and docs/{}.md explain", plan.sealed.identity.provider);
        layout.push(text, "    ", &paint(DIM, format!("{} ({page})", names.join(", "))));
    }
    text.push('\n');
}
