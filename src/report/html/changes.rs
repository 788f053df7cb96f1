//! Writes a plan, a drift report or the outcomes of an apply as a page, which a reviewer can read, filter and print.

use std::collections::BTreeMap;

use super::Html;
use crate::report::activity::activity;
use crate::report::fields::FieldChange;
use crate::report::guardrails::{exception, together};
use crate::report::origin::{
    Group, Reading, deletions, diff_line, groups, hold_origin, holds, undescribed, unplanned,
};
use crate::report::outcomes::{Applied, Outcomes};
use crate::report::outline::{
    EndingLine, Meaning, Outline, Verdict, drift_verdict, endings, last_in_sync, name, reason, rows, verdict,
};
use crate::report::risk::{overall, risk};
use crate::report::runs::{Run, capital, of_outcomes};
use crate::report::style::{called, clean, first, plural};
use rolecall_engine::apply::Step;
use rolecall_model::{
    Action, Completeness, DiffLine, HoldClass, Inventory, OrganizationPlan, Outcome, Plan, ShardRun, Unread,
    Warning,
};

/// The steps of an apply, by the address of the entity that they change. `None` for a plan, of which nothing was sent.
type Steps<'a> = Option<BTreeMap<String, Vec<&'a Step>>>;

/// The rows of one table, with its heading.
struct Table {
    heading: String,
    rows: Vec<Outline>,
    /// Whether the rows are there although nobody asked for them here.
    unasked: bool,
}

/// The parts in which somebody's abilities change, that are shown at once, and in all. JSON has the others.
const PARTS: (usize, usize) = (6, 60);

/// The parts of a set, and the lines of a diff, that are shown of one change.
const LISTED: usize = 20;

/// Writes a plan, or a drift report.
pub(in crate::report) fn plan(plan: &Plan, reading: Reading) -> String {
    let (heading, title) = match reading {
        Reading::Plan => ("<h1>Plan</h1>\n", "Plan"),
        Reading::Drift => ("<h1>Drift</h1>\n", "Drift"),
    };
    let mut page = head(heading, &plan.generator, plan.shard.as_ref(), &MARKS[1..]);
    for Unread { provider, organization, why } in &plan.unread {
        page.element("<p class=\"banner\">", called(*provider, organization), " was not planned: ");
        page.text(why).raw("</p>\n");
    }
    for gone in &plan.undescribed {
        page.element("<p class=\"banner\">", undescribed(gone), "</p>\n");
    }
    if plan.organizations.is_empty() && plan.shard.is_none() {
        page.raw("<p class=\"banner\">No organisation could be read.</p>\n");
    }
    if let Some(all) = overall(plan).filter(|_| reading == Reading::Plan) {
        page.element("<p><strong>", all, "</strong></p>\n");
    }
    for plan in &plan.organizations {
        let (lead, Verdict { headline, rest }) = match reading {
            Reading::Plan => (risk([plan]), verdict(plan)),
            Reading::Drift => (String::new(), drift_verdict(plan)),
        };
        push_name(&mut page, &name(plan), Some(plan), &lead);
        page.element("<p><strong>", headline, "</strong>").text(rest).raw("</p>\n");
        push_banners(&mut page, plan);
        let tables = groups(plan, reading).into_iter().map(|(group, rows)| Table {
            heading: group.heading(&rows).unwrap_or_else(|| "changes".to_owned()),
            rows,
            unasked: !matches!(group, Group::Whole | Group::Asked | Group::Differs),
        });
        push_plan(&mut page, plan, &None, tables);
        push_inventory(&mut page, plan);
    }
    page.raw("</main>\n");
    page.page(title)
}

/// Writes the outcomes of an apply: first what isn't done.
pub(in crate::report) fn outcomes(outcomes: &Outcomes) -> String {
    let mut page = head("<h1>Apply</h1>\n", &outcomes.generator, outcomes.shard.as_ref(), MARKS);
    if outcomes.organizations.is_empty() {
        page.raw("<p class=\"banner\">Nothing was applied.</p>\n");
    }
    for (Applied { plan, report, .. }, run) in outcomes.organizations.iter().zip(of_outcomes(outcomes)) {
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
        let mut steps: BTreeMap<String, Vec<&Step>> = BTreeMap::new();
        for step in report.iter().flat_map(|report| &report.steps) {
            steps.entry(clean(&step.address)).or_default().push(step);
        }
        let (changes, others): (Vec<_>, Vec<_>) = rows(plan).into_iter().partition(|row| row.action.is_some());
        let (done, not_done): (Vec<_>, Vec<_>) = changes.into_iter().partition(|row| is_done(&steps, row));
        let tables = [("not done", not_done), ("done", done), ("who else is affected", others)];
        let tables = tables.map(|(heading, rows)| Table { heading: heading.to_owned(), rows, unasked: false });
        push_plan(&mut page, plan, &Some(steps), tables);
    }
    page.raw("</main>\n");
    page.page("Apply")
}

fn is_done(steps: &BTreeMap<String, Vec<&Step>>, row: &Outline) -> bool {
    let is_done = |steps: &Vec<&Step>| steps.iter().all(|step| step.outcome == Outcome::Done);
    steps.get(&row.address).is_some_and(is_done)
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
fn head(
    heading: &'static str,
    generator: &str,
    shard: Option<&ShardRun>,
    marks: &[(&'static str, &'static str)],
) -> Html {
    let mut page = Html::default();
    page.raw("<header>\n").raw(heading).element("<p class=\"soft\">Written by ", generator, ".");
    if let Some(run) = shard {
        page.element(" These are the organisations of ", run.shard, " only.");
    }
    page.raw("</p>\n</header>\n");
    page.filters(marks).raw("<main>\n");
    page
}

fn push_name(page: &mut Html, name: &str, plan: Option<&OrganizationPlan>, verdict: &str) {
    page.element("<h2>", name, "");
    if let Some(plan) = plan {
        page.element(" <span class=\"soft\">on ", &plan.sealed.identity.site, "</span>");
    }
    page.raw("</h2>\n");
    if !verdict.is_empty() {
        page.element("<p><strong>", verdict, "</strong></p>\n");
    }
}

/// Writes everything without which the table would be misread.
fn push_banners(page: &mut Html, plan: &OrganizationPlan) {
    for refusal in &plan.refusals {
        page.element("<p class=\"banner\">Refused by ", refusal.guardrail, ": ").text(&refusal.message);
        page.text(together(plan, refusal.guardrail));
        page.element("<br>", first(refusal.addresses.iter(), LISTED, ToString::to_string), "</p>\n");
    }
    if let Some(exception) = exception(plan) {
        page.element("<p>This exception in the file lets this plan through: <code>", exception, "</code></p>\n");
    }
    if let Some(line) = activity(&plan.activity) {
        page.raw(if plan.activity.silent.is_empty() { "<p>" } else { "<p class=\"banner\">" });
        page.text(line).raw("</p>\n");
    }
    for (list, completeness) in &plan.completeness {
        if let Completeness::Broken { why } = completeness {
            page.element("<p class=\"banner\">The list of ", list, " is incomplete: ").text(why).raw("</p>\n");
        }
    }
    if let Some(why) = unplanned(plan) {
        page.element("<p class=\"banner\">", why, "</p>\n");
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

fn push_plan(
    page: &mut Html,
    plan: &OrganizationPlan,
    steps: &Steps<'_>,
    tables: impl IntoIterator<Item = Table>,
) {
    push_deletions(page, plan);
    for Table { heading, rows, unasked } in tables.into_iter().filter(|table| !table.rows.is_empty()) {
        page.element("<h3>", capital(&heading), "").text(format!(" ({})", rows.len()));
        page.raw("</h3>\n<div class=\"table\"><table>\n<thead><tr><th>Who</th>");
        page.raw(if steps.is_some() { "<th>Outcome</th>" } else { "" });
        page.raw("<th>From → to</th><th>What it means</th><th>Why</th><th>Mail</th></tr></thead>\n");
        for row in &rows {
            push_row(page, steps, row, unasked);
        }
        page.raw("</table></div>\n");
    }
    push_holds(page, plan);
    for (index, EndingLine { address, text, place }) in endings(plan).into_iter().enumerate() {
        page.raw(if index == 0 { "<h3>Ends soon</h3><ul>\n" } else { "" });
        page.element("<li><code>", address, "</code> ")
            .text(text)
            .raw(" <span class=\"soft\">")
            .text(place)
            .raw("</span></li>\n");
    }
    page.raw(if endings(plan).is_empty() { "" } else { "</ul>\n" });
    push_gaps(page, plan);
}

fn push_row(page: &mut Html, steps: &Steps<'_>, row: &Outline, unasked: bool) {
    let Outline { sign, address, action, verb, access, mails, effects, fields, privileged, meaning, .. } = row;
    let loses = meaning.iter().any(|meaning| meaning.label == "no longer");
    let takes = loses || action.is_some_and(Action::takes_access);
    let failed = action.is_some() && steps.as_ref().is_some_and(|steps| !is_done(steps, row));
    let is_privileged = privileged.is_some();
    page.raw("<tbody data-row=\"").raw(if is_privileged { "privileged " } else { "" });
    page.raw(if *mails > 0 { "mail " } else { "" }).raw(if unasked { "unasked " } else { "" });
    page.raw(if takes { "takes " } else { "" }).raw(if failed { "failed" } else { "" });
    page.element("\"><tr><th scope=\"row\">", address, "");
    if let Some(privilege) = privileged {
        page.element("<br><span class=\"tag privileged\">", privilege.as_str(), "</span>");
    }
    page.raw("</th>");
    if let Some(steps) = steps {
        push_outcome(page, row, steps.get(address).map(Vec::as_slice).unwrap_or_default());
    }
    page.element("<td data-label=\"From → to\"><strong>", format!("{sign} {verb}"), "</strong>");
    // The fields, or what it means, show the same in detail.
    if fields.is_empty() && meaning.is_empty() {
        page.element("<div>", access.as_deref().unwrap_or_default(), "</div>");
    }
    for note in effects {
        page.raw(if note.warns { "<div class=\"warns\">" } else { "<div>" }).text(&note.text).raw("</div>");
    }
    for field in fields {
        push_field(page, field);
    }
    page.raw("</td><td data-label=\"What it means\">");
    push_meaning(page, meaning);
    page.raw("</td><td class=\"place\" data-label=\"Why\">");
    push_why(page, row, unasked);
    page.raw("</td><td data-label=\"Mail\">");
    page.text(if *mails > 0 { plural(*mails, "mail") } else { String::new() }).raw("</td></tr></tbody>\n");
}

/// Writes what became of a change: each of its steps, with what it says.
fn push_outcome(page: &mut Html, row: &Outline, steps: &[&Step]) {
    page.raw("<td data-label=\"Outcome\">");
    if steps.is_empty() && row.action.is_some() {
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

/// Writes what somebody may do afterwards and no longer, part by part.
fn push_meaning(page: &mut Html, meaning: &[Meaning]) {
    let (shown, listed) = PARTS;
    for Meaning { label, at } in meaning {
        page.element("<div><strong>", label, "</strong>");
        for (index, (part, abilities)) in at.iter().take(listed).enumerate() {
            if index == shown {
                page.element("<details><summary>and ", plural(at.len() - shown, "more place"), "</summary>");
            }
            page.element("<div><span class=\"soft\">", part, "</span> ");
            page.text(first(abilities.iter(), LISTED, ToString::to_string)).raw("</div>");
        }
        if at.len() > listed {
            page.element("and ", at.len() - listed, " more");
        }
        page.raw(if at.len() > shown { "</details></div>" } else { "</div>" });
    }
}

/// Writes where a change comes from: its origin with the lines that ask for it, its cause and its place.
fn push_why(page: &mut Html, row: &Outline, unasked: bool) {
    if let Some(origin) = &row.origin {
        page.raw(if unasked { "<span class=\"tag unstated\">" } else { "<span class=\"tag soft\">" });
        page.text(origin.is.as_str()).raw("</span>");
        push_lines(page, origin.lines.iter());
    }
    for line in row.cause.iter().chain(&row.note).chain(&row.last_in_sync).chain(&row.place) {
        page.element("<div>", line, "</div>");
    }
}

/// Writes the first lines of a diff, each with its place.
fn push_lines<'a>(page: &mut Html, lines: impl Iterator<Item = &'a DiffLine>) {
    let mut count = 0;
    for line in lines {
        count += 1;
        if count <= LISTED {
            let (sign, place, text) = diff_line(line);
            page.raw(if count == 1 { "<pre>" } else { "" }).element("<span class=\"soft\">", place, "</span> ");
            let (open, close) = if line.added { ("<ins>", "</ins>\n") } else { ("<del>", "</del>\n") };
            page.element(open, format!("{sign} {text}"), close);
        }
    }
    if count > LISTED {
        page.element("and ", plural(count - LISTED, "more line"), "");
    }
    page.raw(if count > 0 { "</pre>" } else { "" });
}

/// Begins a table of two columns.
fn begin_table(page: &mut Html, heading: &str, columns: [&'static str; 2]) {
    page.element("<h3>", heading, "</h3>\n<div class=\"table\"><table>\n<thead><tr><th>");
    page.raw(columns[0]).raw("</th><th>").raw(columns[1]).raw("</th></tr></thead>\n");
}

/// Writes the entries that the files no longer have, and the lines that are gone. What may be a slip comes first.
fn push_deletions(page: &mut Html, plan: &OrganizationPlan) {
    let gone = deletions(plan);
    if gone.is_empty() {
        return;
    }
    let count: usize = gone.iter().map(|gone| gone.entries.len()).sum();
    begin_table(
        page,
        &format!("Entries that the files no longer have ({count})"),
        ["Entries", "What deleted them"],
    );
    for gone in gone {
        let entries = first(gone.entries.iter(), LISTED, |deletion| clean(&deletion.address));
        page.element("<tbody data-row=\"takes\"><tr><th scope=\"row\">", entries, "</th><td>");
        page.raw(if gone.is_explicit { "<span>" } else { "<span class=\"warns\">" });
        page.text(&gone.by).text(gone.unchanged()).raw("</span>");
        push_lines(page, gone.lines());
        page.raw("</td></tr></tbody>\n");
    }
    page.raw("</table></div>\n");
}

/// Writes what is skipped: first what needs attention.
fn push_holds(page: &mut Html, plan: &OrganizationPlan) {
    for (heading, wanted) in [("Needs attention", true), ("Skipped", false)] {
        for (because, mut holds) in holds(plan) {
            holds.retain(|hold| (hold.class == HoldClass::Blocked) == wanted);
            if holds.is_empty() {
                continue;
            }
            begin_table(page, &format!("{heading}{because} ({})", holds.len()), ["Who", "Reason"]);
            for hold in holds {
                page.raw("<tbody data-row=\"").raw(if hold.reason.is_privileged() { "privileged" } else { "" });
                page.element("\"><tr><th scope=\"row\">", &hold.address, "</th><td><span class=\"tag soft\">");
                page.text(hold.class.as_str()).element("</span> ", reason(hold), "").text(hold_origin(plan, hold));
                if let Some(line) = last_in_sync(plan, &hold.address) {
                    page.element("<div class=\"soft\">", line, "</div>");
                }
                page.raw("</td></tr></tbody>\n");
            }
            page.raw("</table></div>\n");
        }
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
