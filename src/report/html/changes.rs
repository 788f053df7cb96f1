//! Writes a plan, a drift report or the outcomes of an apply as a page, which a reviewer can read, filter and print.

use std::collections::BTreeMap;

use super::Html;
use crate::report::fields::FieldChange;
use crate::report::guardrails::exception;
use crate::report::outcomes::{Applied, Outcomes};
use crate::report::outline::{
    Meaning, Outline, Verdict, affected, drift_verdict, last_in_sync, mails, name, outline, reason, verdict,
};
use crate::report::risk::risk;
use crate::report::runs::{Run, of_outcomes};
use crate::report::style::{called, first, plural};
use rolecall_engine::apply::Step;
use rolecall_model::{
    Address, Change, Completeness, DeletedBy, DiffLine, HoldClass, Inventory, OrganizationPlan, Origin,
    OriginKind, Outcome, Plan, Unread, Warning,
};

/// The steps of an apply, by the entity that they change. `None` for a plan, of which nothing was sent.
type Steps<'a> = Option<BTreeMap<&'a Address, Vec<&'a Step>>>;

/// The abilities of one person that are shown at once, and in all. JSON has the others.
const ABILITIES: (usize, usize) = (6, 60);

/// The parts of a set, and the lines of a diff, that are shown of one change.
const LISTED: usize = 20;

/// Writes a plan.
pub(in crate::report) fn plan(plan: &Plan) -> String {
    let mut page = head("<h1>Plan</h1>\n", &plan.generator, &MARKS[1..]);
    push_unread(&mut page, &plan.unread);
    if plan.organizations.len() > 1 {
        let all = format!("All {} organisations: {}", plan.organizations.len(), risk(&plan.organizations));
        page.element("<p><strong>", all, "</strong></p>\n");
    }
    for plan in &plan.organizations {
        let Verdict { headline, rest } = verdict(plan);
        push_name(&mut page, &name(plan), Some(plan), &risk([plan]));
        page.element("<p class=\"soft\">", format!("{headline}{rest}"), "</p>\n");
        push_banners(&mut page, plan);
        push_plan(&mut page, plan, &None, &groups(plan));
    }
    page.raw("</main>\n");
    page.page("Plan")
}

/// Writes a drift report.
pub(in crate::report) fn drift(plan: &Plan) -> String {
    let mut page = head("<h1>Drift</h1>\n", &plan.generator, &MARKS[1..]);
    push_unread(&mut page, &plan.unread);
    for plan in &plan.organizations {
        let Verdict { headline, rest } = drift_verdict(plan);
        push_name(&mut page, &name(plan), Some(plan), &format!("{headline}{rest}"));
        push_banners(&mut page, plan);
        let groups = [
            ("Differs from the files; an apply would make these changes", plan.differences().collect()),
            ("Still to do, and no drift", plan.leftovers().collect()),
        ];
        push_plan(&mut page, plan, &None, &groups);
        push_inventory(&mut page, plan);
    }
    page.raw("</main>\n");
    page.page("Drift")
}

/// Writes the outcomes of an apply: first what isn't done.
pub(in crate::report) fn outcomes(outcomes: &Outcomes) -> String {
    let mut page = head("<h1>Apply</h1>\n", &outcomes.generator, MARKS);
    for (applied, run) in outcomes.organizations.iter().zip(of_outcomes(outcomes)) {
        let Applied { plan, report, .. } = applied;
        let Run { name, verdict, error, notes, .. } = run;
        push_name(&mut page, &name, plan.as_ref(), &verdict);
        if let Some(error) = error {
            page.element("<p class=\"banner\">", error, "</p>\n");
        }
        for note in notes {
            page.element("<p>", note, "</p>\n");
        }
        let Some(plan) = plan else { continue };
        push_banners(&mut page, plan);
        let mut steps: BTreeMap<&Address, Vec<&Step>> = BTreeMap::new();
        for step in report.iter().flat_map(|report| &report.steps) {
            steps.entry(&step.address).or_default().push(step);
        }
        let (done, not_done) = plan.sealed.changes.iter().partition(|change| is_done(&steps, change));
        push_plan(&mut page, plan, &Some(steps), &[("Not done", not_done), ("Done", done)]);
    }
    page.raw("</main>\n");
    page.page("Apply")
}

fn is_done(steps: &BTreeMap<&Address, Vec<&Step>>, change: &Change) -> bool {
    let is_done = |steps: &Vec<&Step>| steps.iter().all(|step| step.outcome == Outcome::Done);
    steps.get(&change.address).is_some_and(is_done)
}

/// The marks by which a page can be filtered, each with its label. Only outcomes have the first.
const MARKS: &[(&str, &str)] = &[
    ("failed", "not done"),
    ("privileged", "privileged"),
    ("mail", "sends mail"),
    ("unasked", "not asked for here"),
    ("takes", "takes access"),
];

/// Writes the beginning of a page.
fn head(heading: &'static str, generator: &str, marks: &[(&'static str, &'static str)]) -> Html {
    let mut page = Html::default();
    page.raw("<header>\n").raw(heading).element("<p class=\"soft\">Written by ", generator, ".</p>\n</header>\n");
    page.filters(marks).raw("<main>\n");
    page
}

fn push_name(page: &mut Html, name: &str, plan: Option<&OrganizationPlan>, verdict: &str) {
    page.element("<h2>", name, "");
    if let Some(plan) = plan {
        page.element(" <span class=\"soft\">on ", &plan.sealed.identity.site, "</span>");
    }
    page.element("</h2>\n<p><strong>", verdict, "</strong></p>\n");
}

/// Writes everything without which the table would be misread.
fn push_banners(page: &mut Html, plan: &OrganizationPlan) {
    for refusal in &plan.refusals {
        page.element("<p class=\"banner\">Refused by ", refusal.guardrail, ": ").text(&refusal.message);
        let together = plan.together.as_ref().is_some_and(|sum| sum.refusals.contains(&refusal.guardrail));
        page.raw(if together { " No version alone breaks it." } else { "" });
        page.element("<br>", first(refusal.addresses.iter(), LISTED, ToString::to_string), "</p>\n");
    }
    if let Some(exception) = exception(plan) {
        page.element("<p>This exception in the file lets this plan through: <code>", exception, "</code></p>\n");
    }
    for (list, completeness) in &plan.completeness {
        if let Completeness::Broken { why } = completeness {
            page.element("<p class=\"banner\">The list of ", list, " is incomplete: ").text(why).raw("</p>\n");
        }
    }
    if let Some(why) = plan.comparison.as_ref().and_then(|comparison| comparison.unplanned.as_ref()) {
        page.element("<p class=\"banner\">It isn't known what was asked for here: ", why, "</p>\n");
    }
    for lifted in &plan.overrides {
        let until = format!("{} is overridden until {}", lifted.refusal.guardrail, lifted.until);
        page.element("<p class=\"banner\">", until, "").element(", ", &lifted.reason, ": ");
        page.text(&lifted.refusal.message).raw("</p>\n");
    }
    for Warning { code, place, message, hint } in &plan.warnings {
        page.element("<p><span class=\"tag privileged\">", code, "</span> ").text(place).raw(": ").text(message);
        page.element(" ", hint.as_deref().unwrap_or_default(), "</p>\n");
    }
}

fn is_asked(kind: OriginKind) -> bool {
    matches!(kind, OriginKind::Asked | OriginKind::NeededByAnother)
}

/// Returns the changes of a plan in groups: what is asked for here comes first. Without a comparison, all are one group.
fn groups(plan: &OrganizationPlan) -> Vec<(&'static str, Vec<&Change>)> {
    let changes = || plan.sealed.changes.iter();
    if plan.comparison.as_ref().is_none_or(|comparison| comparison.unplanned.is_some()) {
        return vec![("Changes", changes().collect())];
    }
    let kind = |change: &Change| plan.origin(&change.address).map(|origin| origin.is);
    let asked = |change: &&Change| kind(change).is_some_and(is_asked);
    let due = |change: &&Change| kind(change).is_some_and(OriginKind::is_due) && !asked(change);
    vec![
        ("Asked for here", changes().filter(asked).collect()),
        ("What else is out of line", changes().filter(|change| !asked(change) && !due(change)).collect()),
        ("Still to do, or expired", changes().filter(due).collect()),
    ]
}

fn push_plan(
    page: &mut Html,
    plan: &OrganizationPlan,
    steps: &Steps<'_>,
    groups: &[(&'static str, Vec<&Change>)],
) {
    for (heading, changes) in groups.iter().filter(|(_, changes)| !changes.is_empty()) {
        page.element("<h3>", format!("{heading} ({})", changes.len()), "</h3>\n<div class=\"table\"><table>\n");
        page.raw("<thead><tr><th>Who</th>").raw(if steps.is_some() { "<th>Outcome</th>" } else { "" });
        page.raw("<th>From → to</th><th>What it means</th><th>Why</th><th>Mail</th></tr></thead>\n");
        let (privileged, others): (Vec<&Change>, Vec<&Change>) =
            changes.iter().partition(|change| plan.privileged.contains_key(&change.address));
        for change in privileged.into_iter().chain(others) {
            push_change(page, plan, steps, change);
        }
        page.raw("</table></div>\n");
    }
    push_deletions(page, plan);
    push_affected(page, plan);
    push_holds(page, plan);
    push_gaps(page, plan);
}

fn push_change(page: &mut Html, plan: &OrganizationPlan, steps: &Steps<'_>, change: &Change) {
    let Outline { sign, address, verb, notes, fields, place, privileged, meaning, last_in_sync, .. } =
        outline(change, plan);
    let origin = plan.origin(&change.address);
    let mail = mails(change);
    page.raw("<tbody data-row=\"").raw(if privileged.is_some() { "privileged " } else { "" });
    page.raw(if mail > 0 { "mail " } else { "" });
    page.raw(if origin.is_some_and(|origin| !is_asked(origin.is)) { "unasked " } else { "" });
    let loses = meaning.iter().any(|meaning| meaning.label == "no longer");
    page.raw(if loses || change.action.takes_access() { "takes " } else { "" });
    let failed = steps.as_ref().is_some_and(|steps| !is_done(steps, change));
    page.raw(if failed { "failed" } else { "" });
    page.element("\"><tr><th scope=\"row\">", &address, "");
    if let Some(privilege) = privileged {
        page.element("<br><span class=\"tag privileged\">", privilege.as_str(), "</span>");
    }
    if plan.together.as_ref().is_some_and(|sum| sum.changes.contains(&change.address)) {
        page.raw("<br><span class=\"tag unstated\">only together</span>");
    }
    page.raw("</th>");
    if let Some(steps) = steps {
        push_outcome(page, steps.get(&change.address).map(Vec::as_slice).unwrap_or_default());
    }
    page.element("<td data-label=\"From → to\"><strong>", format!("{sign} {verb}"), "</strong>");
    for note in notes {
        page.raw(if note.warns { "<br><span class=\"warns\">" } else { "<br><span>" });
        page.text(note.text).raw("</span>");
    }
    for field in &fields {
        push_field(page, field);
    }
    page.raw("</td><td data-label=\"What it means\">");
    push_meaning(page, &meaning);
    page.raw("</td><td class=\"place\" data-label=\"Why\">");
    push_origin(page, origin);
    for line in last_in_sync.iter().chain(&place) {
        page.element("<div>", line, "</div>");
    }
    page.raw("</td><td data-label=\"Mail\">");
    page.text(if mail > 0 { plural(mail, "mail") } else { String::new() }).raw("</td></tr></tbody>\n");
}

/// Writes what became of a change: each of its steps, with what it says.
fn push_outcome(page: &mut Html, steps: &[&Step]) {
    page.raw("<td data-label=\"Outcome\">");
    if steps.is_empty() {
        page.raw("<span class=\"tag unstated\">not sent</span>");
    }
    for step in steps {
        let done = step.outcome == Outcome::Done;
        page.raw(if done { "<div><span class=\"tag soft\">" } else { "<div><span class=\"tag unstated\">" });
        page.text(step.outcome).raw("</span>").raw(if step.first_step { " (first step)" } else { "" });
        page.element(" ", step.message.as_deref().unwrap_or_default(), "</div>");
    }
    page.raw("</td>");
}

/// Writes a field before and after. Neither is told apart by its colour alone.
fn push_field(page: &mut Html, field: &FieldChange) {
    let FieldChange { name, before, after, gained, lost } = field;
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(empty)".to_owned());
    page.element("<div><span class=\"soft\">", name, "</span> ");
    if before.is_some() {
        page.element("<del>", value(before), "</del> → ");
    }
    // What is lost altogether stands where other fields have their new value.
    let gone = name.starts_with("loses");
    let (open, close) = if gone { ("<del>", "</del>") } else { ("<ins>", "</ins>") };
    page.element(open, value(after), close);
    for (word, parts) in [("; gains ", gained), ("; loses ", lost)] {
        if field.is_counted() && !parts.is_empty() {
            page.raw(word).text(first(parts.iter(), LISTED, ToString::to_string));
        }
    }
    page.raw("</div>");
}

fn push_meaning(page: &mut Html, meaning: &[Meaning]) {
    let (shown, listed) = ABILITIES;
    for Meaning { label, abilities } in meaning {
        let (open, folded) = abilities.split_at(abilities.len().min(shown));
        page.element("<div><strong>", label, "</strong> ").text(open.join(", "));
        if !folded.is_empty() {
            page.element("<details><summary>and ", folded.len(), " more</summary>");
            page.text(first(folded.iter(), listed, ToString::to_string)).raw("</details>");
        }
        page.raw("</div>");
    }
}

/// Writes where a change comes from, and the lines that ask for it.
fn push_origin(page: &mut Html, origin: Option<&Origin>) {
    let Some(Origin { is, lines, drifted }) = origin else { return };
    page.raw(if is_asked(*is) { "<span class=\"tag soft\">" } else { "<span class=\"tag unstated\">" });
    page.text(is.as_str()).raw("</span>");
    if !drifted.is_empty() {
        let fields: Vec<&str> = drifted.iter().map(String::as_str).collect();
        page.element(" also drifted: ", fields.join(", "), "");
    }
    push_lines(page, lines);
}

/// Writes lines of a diff, each file by its name and the first line's number.
fn push_lines(page: &mut Html, lines: &[DiffLine]) {
    if lines.is_empty() {
        return;
    }
    page.raw("<pre>");
    let mut last = None;
    for DiffLine { file, line, added, text } in lines.iter().take(LISTED) {
        if last != Some(file) {
            page.element("<span class=\"soft\">", format!("{file}:{line}"), "</span>\n");
            last = Some(file);
        }
        let (open, close) = if *added { ("<ins>+ ", "</ins>\n") } else { ("<del>- ", "</del>\n") };
        page.element(open, text, close);
    }
    if lines.len() > LISTED {
        page.element("and ", plural(lines.len() - LISTED, "more line"), "");
    }
    page.raw("</pre>");
}

/// Begins a table of two columns.
fn begin_table(page: &mut Html, heading: &str, columns: [&'static str; 2]) {
    page.element("<h3>", heading, "</h3>\n<div class=\"table\"><table>\n<thead><tr><th>");
    page.raw(columns[0]).raw("</th><th>").raw(columns[1]).raw("</th></tr></thead>\n");
}

/// Writes the entries that the files no longer have, and the lines that are gone.
fn push_deletions(page: &mut Html, plan: &OrganizationPlan) {
    let Some(comparison) = plan.comparison.as_ref().filter(|comparison| !comparison.deletions.is_empty()) else {
        return;
    };
    let heading = format!("Entries that the files no longer have ({})", comparison.deletions.len());
    begin_table(page, &heading, ["Entry", "How it went"]);
    for deletion in &comparison.deletions {
        page.element("<tbody data-row=\"takes\"><tr><th scope=\"row\">", &deletion.address, "</th><td>");
        let how = match &deletion.by {
            DeletedBy::Entry => "the entry was removed".to_owned(),
            DeletedBy::Renamed { to } => format!("it is {to} now"),
            DeletedBy::Section { section } => format!("the whole section `{section}` was removed or renamed"),
            DeletedBy::File => "the file was removed, or no longer describes this organisation".to_owned(),
            DeletedBy::Merge => "no commit removed it by itself: it was lost in a merge".to_owned(),
            DeletedBy::Moved { file, line } => {
                format!("its lines are at {file}:{line} and no longer mean this entry")
            }
        };
        let slip = !deletion.by.is_explicit();
        page.raw(if slip { "<span class=\"warns\">" } else { "<span>" }).text(how).raw("</span>");
        push_lines(page, &deletion.lines);
        page.raw("</td></tr></tbody>\n");
    }
    page.raw("</table></div>\n");
}

/// Writes who else is affected by a role or a team that changes.
fn push_affected(page: &mut Html, plan: &OrganizationPlan) {
    let affected = affected(plan);
    if affected.is_empty() {
        return;
    }
    let heading = format!("Who else is affected, by a role or a team ({})", affected.len());
    begin_table(page, &heading, ["Who", "What it means"]);
    for (address, meaning) in affected {
        let loses = meaning.iter().any(|meaning| meaning.label == "no longer");
        page.raw("<tbody data-row=\"").raw(if loses { "takes" } else { "" });
        page.element("\"><tr><th scope=\"row\">", address, "</th><td>");
        push_meaning(page, &meaning);
        page.raw("</td></tr></tbody>\n");
    }
    page.raw("</table></div>\n");
}

/// Writes what is skipped: first what needs attention.
fn push_holds(page: &mut Html, plan: &OrganizationPlan) {
    let holds =
        |wanted: bool| plan.sealed.holds.iter().filter(move |hold| (hold.class == HoldClass::Blocked) == wanted);
    for (heading, blocked) in [("Needs attention", true), ("Skipped", false)] {
        let count = holds(blocked).count();
        if count == 0 {
            continue;
        }
        begin_table(page, &format!("{heading} ({count})"), ["Who", "Reason"]);
        for hold in holds(blocked) {
            page.raw("<tbody data-row=\"").raw(if hold.reason.is_privileged() { "privileged" } else { "" });
            page.element("\"><tr><th scope=\"row\">", &hold.address, "</th><td><span class=\"tag soft\">");
            page.text(hold.class.as_str()).element("</span> ", reason(hold), "");
            if let Some(kind) = plan.comparison.as_ref().and_then(|one| one.holds.get(&hold.address)) {
                page.element(" <span class=\"tag soft\">", kind.as_str(), "</span>");
            }
            if let Some(line) = last_in_sync(plan, &hold.address) {
                page.element("<div class=\"soft\">", line, "</div>");
            }
            page.raw("</td></tr></tbody>\n");
        }
        page.raw("</table></div>\n");
    }
}

fn push_gaps(page: &mut Html, plan: &OrganizationPlan) {
    let assumed = plan.completeness.iter().filter_map(|(list, completeness)| match completeness {
        Completeness::Assumed { why } => Some((format!("{list}, assumed complete"), why)),
        Completeness::Proven | Completeness::Broken { .. } => None,
    });
    let gaps = plan.gaps.iter().map(|gap| (gap.what.clone(), &gap.why)).chain(assumed);
    for (index, (what, why)) in gaps.enumerate() {
        page.raw(if index == 0 { "<details><summary>What can't be read</summary><ul>\n" } else { "" });
        page.element("<li><strong>", what, "</strong>: ").element("", why, "</li>\n");
    }
    let is_empty =
        plan.gaps.is_empty() && !plan.completeness.values().any(|it| matches!(it, Completeness::Assumed { .. }));
    page.raw(if is_empty { "" } else { "</ul></details>\n" });
}

/// Writes what rolecall sees and doesn't manage.
fn push_inventory(page: &mut Html, plan: &OrganizationPlan) {
    let Some(Inventory { apps, organizations, expiring: _ }) = &plan.inventory else { return };
    for app in apps {
        let keys: Vec<&str> = app.keys.iter().flatten().map(|key| &*key.name).collect();
        let keys = if keys.is_empty() { "no keys".to_owned() } else { keys.join(", ") };
        page.element("<p class=\"soft\">The app ", &app.name, " of ")
            .text(&app.owner)
            .raw(": ")
            .text(keys)
            .raw("</p>\n");
    }
    for other in organizations {
        page.element("<p class=\"soft\">No file names the organisation ", other, ".</p>\n");
    }
}

fn push_unread(page: &mut Html, unread: &[Unread]) {
    for Unread { provider, organization, why } in unread {
        page.element("<p class=\"banner\">", called(*provider, organization), " was not planned: ")
            .text(why)
            .raw("</p>\n");
    }
}
