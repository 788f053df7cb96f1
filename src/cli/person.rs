//! The parts of `offboard` and `onboard` that are the same: writing the files, and the plan of one person.

use std::path::Path;

use clap::ValueEnum;
use jiff::Timestamp;

use super::connect::GENERATOR;
use super::exit::{Exit, Failure};
use super::files;
use super::out::{self, Out};
use super::session::{Reading, Readings, Session, unread};
use crate::report::{self, ChangedFile, Layout, PERSON_VERSION, PersonReport};
use rolecall_config::{EditedFile, Loaded, Somebody};
use rolecall_model::{Address, Desired, Email, Finding, OrganizationPlan, Plan, ProviderName};
use rolecall_plan::desired_hash;

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PersonFormat {
    /// The difference of each file, the plan of the person, and what is left.
    Text,
    /// Everything, for programs.
    Json,
}

/// Checks an address of the command line.
pub(super) fn email(text: &str) -> Result<Email, String> {
    Email::parse(text).map_err(|why| format!("the email address {why}"))
}

/// Prints findings that end the run.
pub(super) fn refuse(findings: &[Finding], session: &Session<'_>, out: &Out) -> Failure {
    out.findings(findings, &session.sources());
    Failure::findings(Vec::new())
}

/// Returns the addresses under which a person can be in a plan.
pub(super) fn addresses(somebody: &Somebody, provider: ProviderName) -> Vec<Address> {
    let emails = somebody.addresses(provider);
    emails.iter().flat_map(|email| [Address::user(email), Address::invitation(email)]).collect()
}

/// Checks the files as they are with the edits. They must have no error, and say the same of everybody else.
pub(super) fn reload(
    loaded: &Loaded,
    edited: &[EditedFile],
    somebody: &Somebody,
    (now, out): (Timestamp, &Out),
) -> Result<Loaded, Failure> {
    let after = rolecall_config::reload(loaded, edited, now, rolecall_providers::format);
    if after.has_errors() {
        out.talk("The files would have errors with these edits, so nothing was written:\n");
        out.findings(&after.findings, &after.sources().collect::<Vec<_>>());
        return Err(Failure::findings(Vec::new()));
    }
    let others = |desired: &Desired| {
        let own = somebody.addresses(desired.provider);
        let mut others = desired.clone();
        others.users.retain(|user| !own.contains(&user.email));
        desired_hash(&others)
    };
    for before in loaded.files.iter().filter_map(|file| file.desired.as_ref()) {
        let same = after.counterpart(before).is_some_and(|(_, after)| others(after) == others(before));
        if !same {
            return Err(Failure::error(format!(
                "With these edits, {} would say something else of other people, too. Nothing was written.",
                before.place.file
            ))
            .hint("This is an error of rolecall. Report it with these files, and edit them yourself."));
        }
    }
    Ok(after)
}

/// Plans the person in every organisation that was read, as the edited files say.
pub(super) fn plans(
    session: &Session<'_>,
    Readings { read, failed, exit }: &Readings<'_>,
    after: &Loaded,
    somebody: &Somebody,
    out: &Out,
) -> (Plan, Exit) {
    let mut plan = Plan::new(GENERATOR, Vec::new());
    let mut exit = *exit;
    plan.unread.clone_from(failed);
    for reading in read {
        match plan_one(reading, after, somebody) {
            Ok(part) => {
                if !part.refusals.is_empty() {
                    exit = exit.and(Exit::Refused);
                }
                plan.organizations.push(part);
            }
            Err(failure) => {
                plan.unread.push(unread(reading.organization.desired, &failure));
                exit = exit.and(session.report_failure(&failure, out));
            }
        }
    }
    plan.organizations.sort_by(|a, b| a.sealed.identity.cmp(&b.sealed.identity));
    plan.unread.sort();
    (plan, exit)
}

fn plan_one(
    Reading { organization, live, facts }: &Reading<'_>,
    after: &Loaded,
    somebody: &Somebody,
) -> Result<OrganizationPlan, Failure> {
    let before = organization.desired;
    let desired = after.counterpart(before).map_or(before, |(_, after)| after);
    organization.plan_person(desired, live, facts, &addresses(somebody, before.provider))
}

/// Returns a report of these edits.
pub(super) fn report_of(somebody: &Somebody, edited: &[EditedFile], plan: Plan) -> PersonReport {
    PersonReport {
        format_version: PERSON_VERSION,
        generator: GENERATOR,
        email: somebody.email.as_str().to_owned(),
        files: edited.iter().map(ChangedFile::from).collect(),
        plan,
        left: None,
        keys: Vec::new(),
        notes: Vec::new(),
    }
}

/// Writes the files if that was asked for, and prints the report.
pub(super) fn finish(
    mut report: PersonReport,
    edited: &[EditedFile],
    (write, format): (bool, PersonFormat),
    mut exit: Exit,
    out: &mut Out,
) -> Exit {
    if write {
        let texts: Vec<(&Path, &str, &str)> =
            edited.iter().map(|file| (&*file.path, &*file.before, &*file.after)).collect();
        match files::rewrite_all(&texts) {
            Ok(()) => report.files.iter_mut().for_each(|file| file.written = true),
            Err(failure) => {
                out.failure(&failure);
                exit = exit.and(failure.exit);
            }
        }
    } else if !edited.is_empty() {
        exit = exit.and(Exit::Differences);
    }
    if report.plan.organizations.iter().any(|plan| !plan.sealed.changes.is_empty()) {
        exit = exit.and(Exit::Differences);
    }
    match format {
        PersonFormat::Json => out.result(&report::json(&report)),
        PersonFormat::Text => {
            out.result(&report::person_text(&report, Layout { width: out::width(), full: false }));
            out.talk(&report::person_summary(&report, write));
        }
    }
    exit
}
