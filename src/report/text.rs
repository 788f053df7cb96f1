//! Writes a plan as text for people.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::mem::discriminant;

use super::fields::FieldChange;
use super::guardrails::push_guardrails;
use super::layout::{Layout, pad};
use super::outline::{
    Meaning, Note, Outline, Verdict, affected, last_in_sync, name, outline, reason, to_do, verdict,
};
use super::risk::risk;
use super::style::{ADD, BOLD, CHANGE, DIM, REMOVE, WARN, called, clean, first, paint, plural};
use rolecall_model::{Change, Completeness, Gap, Hold, HoldClass, OrganizationPlan, Plan, Unread};

/// More entities than this of one kind, with the same action or the same reason, are summarised to a count.
const LISTED: usize = 20;

/// The widest that the column of verbs gets, in columns.
const VERB_WIDTH: usize = 20;

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
    let several = plan.organizations.len();
    let mut text = String::new();
    layout.push(
        &mut text,
        &format!("All {several} organisations: "),
        &paint(BOLD, clean(risk(&plan.organizations))),
    );
    (several > 1).then_some(text)
}

/// Writes the organisations that could not be read, and why. `None` if all could.
pub(super) fn unread(plan: &Plan, layout: Layout) -> Option<String> {
    let mut text = String::new();
    for Unread { provider, organization, why } in &plan.unread {
        let name = paint(BOLD, called(*provider, organization));
        layout.push(&mut text, &format!("{name}   {}: ", paint(REMOVE, "not planned")), &clean(why));
    }
    Some(text).filter(|text| !text.is_empty())
}

fn organization(plan: &OrganizationPlan, layout: Layout) -> String {
    let mut text = header(plan, layout);
    layout.push(&mut text, "", &paint(BOLD, clean(risk([plan]))));
    text.push('\n');
    push_changes(&mut text, plan, &plan.sealed.changes.iter().collect::<Vec<_>>(), layout);
    push_affected(&mut text, plan, layout);
    push_holds(&mut text, plan, layout);
    push_gaps(&mut text, plan, layout);
    push_guardrails(&mut text, plan, layout);
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

/// Writes these changes of a plan. More than [`LISTED`] of one kind and action are summarised, but for the privileged ones.
pub(super) fn push_changes(text: &mut String, plan: &OrganizationPlan, changes: &[&Change], layout: Layout) {
    if changes.is_empty() {
        return;
    }
    let group = |change: &Change| (change.address.kind, change.action);
    let is_privileged = |change: &Change| plan.privileged.contains_key(&change.address);
    let shown = summarise(changes.iter().copied(), layout, |one, other| group(one) == group(other), is_privileged);
    let shown: Vec<(Outline, &Change, usize)> =
        shown.into_iter().map(|(change, alike)| (outline(change, plan), change, alike.len())).collect();
    let listed = || shown.iter().filter(|(_, _, alike)| *alike == 0).map(|(outline, _, _)| outline);
    let column = layout.column(listed().map(|outline| &*outline.address));
    let noted = listed().filter(|outline| !outline.notes.is_empty() || outline.privileged.is_some());
    let verbs = noted.map(|outline| outline.verb.len());
    let verb_column = verbs.filter(|width| *width <= VERB_WIDTH).max().unwrap_or(0);
    for (outline, change, alike) in &shown {
        if *alike == 0 {
            push_change(text, outline, (column, verb_column), layout);
            continue;
        }
        let what = pad(&to_do(*alike, change.address.kind, change.action), column);
        let head = format!("  {} {what}  ", painted_sign(outline.sign));
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

fn push_change(text: &mut String, outline: &Outline, (column, verb_column): (usize, usize), layout: Layout) {
    let Outline { sign, address, verb, notes, fields, place, privileged, meaning, last_in_sync, .. } = outline;
    let painted = |note: &Note| if note.warns { paint(WARN, &note.text) } else { note.text.clone() };
    let privileged = privileged.map(|privilege| paint(WARN, privilege.as_str()));
    let notes: Vec<String> = privileged.into_iter().chain(notes.iter().map(painted)).collect();
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
}

/// The number of abilities that are listed of what somebody gains or loses. `--full` lists all.
const ABILITIES_LISTED: usize = 6;

fn push_meaning(text: &mut String, meaning: &[Meaning], layout: Layout) {
    let listed = if layout.full { usize::MAX } else { ABILITIES_LISTED };
    for Meaning { label, abilities } in meaning {
        let style = if *label == "may now" { ADD } else { REMOVE };
        let abilities = first(abilities.iter(), listed, |ability| paint(style, clean(ability)));
        layout.push(text, &format!("        {label:<12} "), &abilities);
    }
}

/// Writes what changes for those who are not changed themselves.
pub(super) fn push_affected(text: &mut String, plan: &OrganizationPlan, layout: Layout) {
    let affected = affected(plan);
    if affected.is_empty() {
        return;
    }
    let _ = writeln!(text, "  {}", paint(BOLD, "changes with a role or a team"));
    let listed = if layout.full { usize::MAX } else { LISTED };
    for (address, meaning) in affected.iter().take(listed) {
        let _ = writeln!(text, "    {}", clean(address));
        push_meaning(text, meaning, layout);
    }
    let more = affected.len().saturating_sub(listed);
    if more > 0 {
        let _ = writeln!(text, "    and {more} more; `--full` lists them");
    }
    text.push('\n');
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
    let (blocked, skipped): (Vec<&Hold>, Vec<&Hold>) =
        plan.sealed.holds.iter().partition(|hold| hold.class == HoldClass::Blocked);
    for (heading, holds) in [("needs attention", blocked), ("skipped", skipped)] {
        if !holds.is_empty() {
            let _ = writeln!(text, "  {}", paint(BOLD, heading));
            push_hold_list(text, plan, &holds, layout);
            text.push('\n');
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
        let (address, reason) = (clean(&hold.address), reason(hold));
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

/// Writes which lists are incomplete, and what can't be read. Permanent limits of the platform's API that don't bear on
/// this plan share one line.
pub(super) fn push_gaps(text: &mut String, plan: &OrganizationPlan, layout: Layout) {
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
