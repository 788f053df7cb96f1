//! Writes JUnit test results: one case for each change, hold, file and mutation. A case fails if it makes the run exit
//! with another code than 0.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::activity::activity;
use super::fields::FieldChange;
use super::findings::listed;
use super::origin::hold_origin;
use super::outline::{name, outlines, reason};
use super::runs::{Row, Run};
use super::style::{called, clean};
use rolecall_config::Source;
use rolecall_model::{
    Address, Completeness, Finding, Hold, HoldClass, HoldReason, OrganizationPlan, Outcome, Plan, Unread, Warning,
};

/// Writes a plan. A case fails if a guardrail refuses the plan, a list is incomplete, or an entry has an error.
pub(super) fn plan(plan: &Plan) -> String {
    let suites = plan.organizations.iter().map(|plan| suite(plan, false));
    report("rolecall plan", suites.chain(plan.unread.iter().map(unread)))
}

/// Writes a drift report. A case fails for each difference between live and the file.
pub(super) fn drift(plan: &Plan) -> String {
    let suites = plan.organizations.iter().map(|plan| suite(plan, true));
    report("rolecall drift", suites.chain(plan.unread.iter().map(unread)))
}

/// Writes runs. A case fails for each mutation that was to be sent and is not done.
pub(super) fn runs(runs: &[Run]) -> String {
    report("rolecall apply", runs.iter().map(run))
}

fn run(Run { name, verdict, succeeded, error, warnings, notes, rows }: &Run) -> TestSuite {
    let name = clean(name);
    let mut suite = TestSuite::new(&name);
    let class = |kind: &str| class(&name, kind);
    let status = match error {
        Some(error) => failure("error", &clean(error)),
        None if *succeeded => TestCaseStatus::success(),
        None => failure("not done", &clean(verdict)),
    };
    let mut whole = case("run", &class("run"), status);
    let lines: Vec<String> = [verdict].into_iter().chain(notes).map(clean).collect();
    whole.set_system_out(lines.join("\n"));
    suite.add_test_case(whole);
    add_warnings(&mut suite, &class("warning"), warnings);
    for Row { outcome, address, what, message } in rows {
        let message = message.as_ref().map(clean).unwrap_or_default();
        let status = match outcome {
            Outcome::Done => TestCaseStatus::success(),
            Outcome::Skipped | Outcome::Failed | Outcome::Unsure | Outcome::NotTaken => {
                failure(&outcome.to_string(), &message)
            }
        };
        let mut case = case(&clean(address), &class("mutation"), status);
        case.set_system_out(clean(what));
        suite.add_test_case(case);
    }
    suite
}

/// Writes an organisation that could not be planned.
fn unread(Unread { provider, organization, why }: &Unread) -> TestSuite {
    let name = called(*provider, organization);
    let mut suite = TestSuite::new(&name);
    suite.add_test_case(case("read", &class(&name, "organisation"), failure("unread", &clean(why))));
    suite
}

/// Writes a case for each file, which fails if the file has an error.
pub(super) fn findings(findings: &[Finding], sources: &[&Source]) -> String {
    let mut files: Vec<&str> = sources.iter().map(|source| &*source.name).collect();
    // A file that could not be read is no source.
    files.extend(findings.iter().map(|finding| &*finding.place.file));
    files.sort_unstable();
    files.dedup();
    let mut suite = TestSuite::new("files");
    for file in files {
        let of_it: Vec<&Finding> = findings.iter().filter(|finding| &*finding.place.file == file).collect();
        let (shown, more) = listed(of_it.iter().copied());
        let more = more.into_iter().map(|more| more.to_string());
        let lines: Vec<String> = shown.into_iter().map(line).chain(more).collect();
        let errors = of_it.iter().filter(|finding| finding.is_error()).count();
        let status = match of_it.iter().find(|finding| finding.is_error()) {
            None => TestCaseStatus::success(),
            Some(first) => {
                let more = if errors > 1 { format!(", and {} more", errors - 1) } else { String::new() };
                let mut status = failure(first.code.as_str(), &format!("{}{more}", clean(&first.message)));
                status.set_description(lines.join("\n"));
                status
            }
        };
        let mut case = case(&clean(file), "validate", status);
        if errors == 0 && !lines.is_empty() {
            case.set_system_out(lines.join("\n"));
        }
        suite.add_test_case(case);
    }
    report("rolecall validate", [suite])
}

fn line(finding: &Finding) -> String {
    let hint = finding.hint.as_ref().map(|hint| format!(" ({})", clean(hint))).unwrap_or_default();
    format!("{}: {}: {}{hint}", clean(&finding.place), finding.code, clean(&finding.message))
}

/// Writes an organisation. With `is_drift`, every blocked hold is a failure, and every change but the leftovers.
fn suite(plan: &OrganizationPlan, is_drift: bool) -> TestSuite {
    let name = name(plan);
    let mut suite = TestSuite::new(&name);
    let class = |kind: &str| class(&name, kind);
    for refusal in &plan.refusals {
        let status = failure("guardrail", &clean(&refusal.message));
        suite.add_test_case(case(refusal.guardrail.as_str(), &class("guardrail"), status));
    }
    for (list, completeness) in &plan.completeness {
        let status = match completeness {
            Completeness::Proven | Completeness::Assumed { .. } => TestCaseStatus::success(),
            Completeness::Broken { why } => failure("incomplete", &clean(why)),
        };
        suite.add_test_case(case(list, &class("list"), status));
    }
    if let Some(line) = activity(&plan.activity).filter(|_| !plan.activity.silent.is_empty()) {
        suite.add_test_case(case("schedule", &class("activity"), failure("silence", &line)));
    }
    add_warnings(&mut suite, &class("warning"), &plan.warnings);
    for outline in outlines(plan) {
        let status = match (is_drift && outline.action.is_some(), outline.leftover) {
            (false, _) => TestCaseStatus::success(),
            (true, false) => failure("drift", &outline.verb),
            (true, true) => {
                let mut status = TestCaseStatus::skipped();
                status.set_type("still-to-do").set_message(outline.verb.clone());
                status
            }
        };
        let mut case = case(&outline.address, &class("change"), status);
        let notes = outline.notes().into_iter().map(|note| note.text);
        let privileged = outline.privileged.map(|privilege| privilege.as_str().to_owned());
        let fields = outline.fields.iter().map(FieldChange::in_words);
        let origin = outline.origin.map(|origin| origin.is.as_str().to_owned());
        let lines = [outline.verb].into_iter().chain(privileged).chain(notes).chain(origin).chain(fields);
        let lines = lines.chain(outline.place);
        let lines: Vec<String> = lines.collect();
        case.set_system_out(lines.join("\n"));
        suite.add_test_case(case);
    }
    let mut holds: BTreeMap<&Address, Vec<&Hold>> = BTreeMap::new();
    for hold in &plan.sealed.holds {
        holds.entry(&hold.address).or_default().push(hold);
    }
    for (address, holds) in holds {
        suite.add_test_case(case(&clean(address), &class("hold"), held(plan, &holds, is_drift)));
    }
    suite
}

/// Returns the status of an entity with these holds.
fn held(plan: &OrganizationPlan, holds: &[&Hold], is_drift: bool) -> TestCaseStatus {
    let reasons: Vec<String> =
        holds.iter().map(|hold| format!("{}{}", reason(hold), hold_origin(plan, hold))).collect();
    let reasons = reasons.join(" ");
    let class = holds.iter().map(|hold| hold.class).min().unwrap_or(HoldClass::Ignored);
    let has_error = holds.iter().any(|hold| matches!(hold.reason, HoldReason::Unplannable { .. }));
    match class {
        HoldClass::Blocked if has_error => failure("error", &reasons),
        HoldClass::Blocked if is_drift => failure("blocked", &reasons),
        HoldClass::Blocked | HoldClass::Waiting | HoldClass::Ignored => {
            let mut status = TestCaseStatus::skipped();
            status.set_type(class.as_str()).set_message(reasons);
            status
        }
    }
}

/// Adds a skipped case for each warning: it doesn't fail a run.
fn add_warnings(suite: &mut TestSuite, class: &str, warnings: &[Warning]) {
    for Warning { code, place, message, hint } in warnings {
        let hint = hint.as_ref().map(|hint| format!(" ({})", clean(hint))).unwrap_or_default();
        let mut status = TestCaseStatus::skipped();
        status.set_type(clean(code)).set_message(format!("{}{hint}", clean(message)));
        suite.add_test_case(case(&format!("{} {}", clean(code), clean(place)), class, status));
    }
}

/// Returns the class of a case. Readers distinguish cases only by class and name
/// (<https://docs.gitlab.com/ci/testing/unit_test_reports/>), so that the organisation is a part of it.
fn class(organization: &str, kind: &str) -> String {
    format!("{organization} {kind}")
}

fn case(name: &str, class: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}

fn failure(kind: &str, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type(kind).set_message(message);
    status
}

fn report(name: &str, suites: impl IntoIterator<Item = TestSuite>) -> String {
    let mut report = Report::new(name);
    report.add_test_suites(suites);
    without_skipped(&report.to_string().unwrap_or_default())
}

/// Removes the attribute `skipped` of the element around all suites, which the schema of Jenkins doesn't have
/// (<https://github.com/jenkinsci/xunit-plugin>, junit-10.xsd). The element's name is fixed and contains no quote.
fn without_skipped(xml: &str) -> String {
    let Some((before, rest)) = xml.split_once(" skipped=\"") else { return xml.to_owned() };
    match rest.split_once('"') {
        Some((_, after)) if before.contains("<testsuites") && !before.contains("<testsuite ") => {
            format!("{before}{after}")
        }
        _ => xml.to_owned(),
    }
}
