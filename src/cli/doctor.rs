//! `rolecall doctor`

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::connect::{Connected, GENERATOR};
use super::exit::{Exit, Failure};
use super::job;
use super::organization::Organization;
use super::out::Out;
use super::reports::Reports;
use super::session::Session;
use super::{Connection, Paths};
use crate::report::{
    Answer, Check, DOCTOR_VERSION, DoctorReport, Examined, Format, Subject, Topic, first, plural,
};
use rolecall_engine::ledger::{Ledger, OrganizationLock, facts};
use rolecall_graphql::CallError;
use rolecall_model::{Code, Completeness, Credential, Email, Finding, Live, SANDBOX_HOST, list_of};
use rolecall_providers::{Permitted, ReadError};

/// Check that plan and apply can work here.
///
/// Asks for each organisation: is the platform reached, whose is the credential, may it read what the files need, may it
/// send each change that they may need, is the API the one that rolecall was built for, and is the ledger usable. Changes
/// nothing. Run it in the job whose credential you want to check.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall doctor --sandbox examples/paradime.yaml     needs no account
  rolecall doctor access/
  rolecall doctor access/ --format json | jq '.organizations[].checks[] | select(.answer == \"no\")'

Exit codes: 0 nothing is in the way, 1 error or something is in the way, 6 the
platform is unreachable, or the credential lacks something. `rolecall exit-codes`
explains them.")]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    paths: Paths,
    #[command(flatten)]
    reports: Reports,
    #[command(flatten)]
    connection: Connection,
}

/// A clock that is off by more than this makes access end at the wrong time.
const MOST_SKEW: SignedDuration = SignedDuration::from_mins(1);

/// More names than this are only counted.
const LISTED: usize = 3;

pub(super) async fn doctor(args: &DoctorArgs, out: &mut Out) -> Result<Exit, Failure> {
    args.reports.check(Format::OF_DOCTOR)?;
    let loaded = args.paths.load(args.connection.commands);
    args.reports.ensure_not_an_input(&loaded.paths().collect::<Vec<_>>())?;
    let session = Session::unrestricted(loaded, &args.connection, out)?;
    let mut organizations = Vec::new();
    for desired in session.desired() {
        let mut checks = Vec::new();
        match session.connect(desired, false).await {
            Err(failure) => checks.extend(unconnected(&failure)),
            Ok(organization) => examine(&organization, &mut checks).await,
        }
        organizations.push(Examined {
            provider: desired.provider,
            organization: desired.organization.value.clone(),
            file: desired.place.file.to_string(),
            checks,
        });
    }
    let report = DoctorReport {
        format_version: DOCTOR_VERSION,
        generator: GENERATOR,
        at: Timestamp::now(),
        organizations,
        job: job::checks(&session.desired()),
    };
    args.reports.write(Subject::Doctor(&report), out)?;
    Ok(report.checks().map(exit).fold(Exit::Done, Exit::and))
}

/// Returns the exit code that a check alone would end the run with.
fn exit(check: &Check) -> Exit {
    match (check.answer, check.topic) {
        (Answer::Yes | Answer::Unknown, _) => Exit::Done,
        (Answer::No, Topic::Connection | Topic::Credential | Topic::Changes) => Exit::Unreachable,
        (Answer::No, Topic::Reads | Topic::Schema | Topic::Ledger | Topic::Job) => Exit::Error,
    }
}

/// Returns the checks of an organisation that could not be connected to.
fn unconnected(failure: &Failure) -> Vec<Check> {
    let of_finding = |finding: &Finding| {
        let topic = match finding.code {
            Code::CredentialUnavailable | Code::UnfitCredential => Topic::Credential,
            _ => Topic::Connection,
        };
        let hint = finding.hint.clone();
        Check { hint, ..Check::no(topic, format!("{}: {}", finding.place, finding.message), "") }
    };
    let message = failure
        .message
        .iter()
        .map(|message| Check { hint: failure.hint.clone(), ..Check::no(Topic::Connection, message.clone(), "") });
    failure.findings.iter().map(of_finding).chain(message).collect()
}

async fn examine(organization: &Organization<'_>, checks: &mut Vec<Check>) {
    let Organization { desired, connected, .. } = organization;
    let is_sandbox = connected.site.host == SANDBOX_HOST;
    for (name, credential) in desired.credentials.iter().filter(|_| !is_sandbox) {
        let says = format!("The credential `{name}` comes from {}.", origin(&credential.value));
        checks.push(Check::yes(Topic::Credential, says));
    }
    let read = connected.provider.read(&connected.reader, desired).await;
    checks.extend(connection(connected, read.as_ref().err()));
    match &read {
        Ok(live) => {
            checks.push(owner(organization, live));
            checks.extend(reads(live));
            checks.extend(changes(organization, live).await);
        }
        Err(error) => checks.extend(unread(connected, error)),
    }
    checks.extend(ledger(organization, read.ok().as_ref()));
}

/// Returns where a credential comes from.
fn origin(credential: &Credential) -> String {
    match credential {
        Credential::Env(name) => format!("the environment variable {name}"),
        Credential::File(path) => format!("the file {}", path.display()),
        Credential::Command(words) => {
            format!("the output of the command {}", words.first().map_or("", String::as_str))
        }
    }
}

/// Returns whether the platform is reached, and whether both clocks agree.
fn connection(connected: &Connected, error: Option<&ReadError>) -> Vec<Check> {
    let host = &connected.site.host;
    if let Some(ReadError::Call { error, .. }) = error.filter(|error| is_unreached(error)) {
        return vec![Check::no(Topic::Connection, format!("{host} isn't reached: {error}."), error.next_step())];
    }
    let way = if connected.is_encrypted { ", over TLS with a certificate that is trusted here" } else { "" };
    let mut checks = vec![Check::yes(Topic::Connection, format!("{host} answers{way}."))];
    match connected.reader.clock_skew() {
        Some(skew) if skew.abs() > MOST_SKEW => {
            let direction = if skew.is_positive() { "behind" } else { "ahead of" };
            let says =
                format!("The clock of this machine is {} s {direction} the platform's.", skew.abs().as_secs());
            let hint = "Set the clock: access that the files give until a certain time would end at another one.";
            checks.push(Check::no(Topic::Connection, says, hint));
        }
        Some(_) => {
            checks.push(Check::yes(Topic::Connection, "The clock of this machine agrees with the platform's."));
        }
        None => {}
    }
    checks
}

/// Returns whether a read failed because the platform isn't reached, or fails itself.
fn is_unreached(error: &ReadError) -> bool {
    let ReadError::Call { error, .. } = error else { return false };
    error.is_unreachable_or_refused() && !matches!(error, CallError::CredentialRefused(_))
}

/// Returns whose the credential is, and when it ends, as far as that is known.
fn owner(organization: &Organization<'_>, live: &Live) -> Check {
    let Organization { desired, connected, .. } = organization;
    let key = connected.caller.id.as_ref().or(desired.own_key.as_ref().map(|own| &own.value));
    let live_key = key.and_then(|id| live.keys().iter().find(|live| live.id == *id));
    let says = match (&live.caller, key, &desired.own_user) {
        (Some(caller), _, _) if !caller.emails.is_empty() => {
            let emails: Vec<&str> = caller.emails.iter().map(Email::as_str).collect();
            format!("The credential belongs to {}.", list_of(&emails, "and"))
        }
        (_, Some(id), _) => {
            let name = live_key.map(|live| format!("`{}`, ", live.name)).unwrap_or_default();
            let ends = live_key.and_then(|live| live.expires.as_ref());
            let ends = ends.map(|ends| format!(" It ends on {ends}.")).unwrap_or_default();
            format!("rolecall signs in with the key {name}{id}.{ends}")
        }
        (_, None, Some(own)) => format!("The credential belongs to {}, by `own` in the file.", own.value),
        (_, None, None) => {
            return Check::unknown(Topic::Credential, "The platform doesn't tell whose the credential is.")
                .hint("Name the user or the key in `own`, so that no plan takes what rolecall itself needs.");
        }
    };
    Check::yes(Topic::Credential, says)
}

/// Returns whether each list is complete.
fn reads(live: &Live) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut complete = Vec::new();
    for (list, completeness) in live.completeness() {
        match completeness {
            Completeness::Proven | Completeness::Assumed { .. } => complete.push(list),
            Completeness::Broken { why } => checks.push(Check::no(
                Topic::Reads,
                format!("The list of {list} is incomplete: {}.", why.trim_end_matches('.')),
                "What depends on it stays as it is until it can be read.",
            )),
        }
    }
    if !complete.is_empty() {
        let complete: Vec<&str> = complete.iter().map(String::as_str).collect();
        let says = format!("The credential may read what the file needs: {}.", list_of(&complete, "and"));
        checks.insert(0, Check::yes(Topic::Reads, says));
    }
    if !live.unreadable.is_empty() {
        let rows = first(live.unreadable.iter(), LISTED, |row| format!("{} ({})", row.address, row.why));
        let rows = format!("{} can't be read: {rows}.", plural(live.unreadable.len(), "row"));
        checks.push(
            Check::unknown(Topic::Reads, rows).hint("They stay as they are. A newer rolecall may know them."),
        );
    }
    let of_here = live.gaps.iter().filter(|gap| gap.bears_on.is_none());
    checks.extend(
        of_here.map(|gap| Check::unknown(Topic::Reads, format!("Not readable: {}. {}", gap.what, gap.why))),
    );
    checks
}

/// Returns whether the credential may send each change that the file may need.
async fn changes(organization: &Organization<'_>, live: &Live) -> Vec<Check> {
    let answered = organization.permissions(live).await;
    if answered.is_empty() {
        return vec![Check::yes(Topic::Changes, "The file asks for no changes.")];
    }
    let check = |(permission, permitted): &(&'static rolecall_providers::Permission, Permitted)| {
        let operations = first(permission.operations.iter(), LISTED, |operation| (*operation).to_owned());
        match permitted {
            Permitted::Yes(why) => Check::yes(
                Topic::Changes,
                format!("The credential has {}, for {operations}: {why}.", permission.name),
            ),
            Permitted::No(why) => Check::no(
                Topic::Changes,
                format!("The credential lacks {}, for {operations}: {why}.", permission.name),
                permission.grant,
            ),
            Permitted::Unknown(why) => Check::unknown(
                Topic::Changes,
                format!("Whether the credential has {}, for {operations}: {why}.", permission.name),
            )
            .hint(permission.grant),
        }
    };
    answered.iter().map(check).collect()
}

/// Returns the checks of an organisation that could not be read.
fn unread(connected: &Connected, error: &ReadError) -> Vec<Check> {
    let hint = connected.provider.next_step_of_read(error).unwrap_or_else(|| error.next_step());
    let topic = match error {
        error if is_unreached(error) => return Vec::new(),
        ReadError::Call { error: CallError::CredentialRefused(_), .. } => Topic::Credential,
        _ => Topic::Reads,
    };
    vec![Check::no(topic, format!("The organisation can't be read: {error}."), hint)]
}

/// Returns whether the ledger can be used, and how old its latest run is.
fn ledger(organization: &Organization<'_>, live: Option<&Live>) -> Vec<Check> {
    let path = &organization.connected.ledger;
    let shown = path.display();
    let mut checks = Vec::new();
    match Ledger::read(path) {
        Ok(None) => checks.push(Check::unknown(
            Topic::Ledger,
            format!("There is no ledger {shown}. The first apply creates it."),
        ).hint("If there was an apply before, bring its ledger along: without it rolecall doesn't know what it sent and what the API doesn't show.")),
        Ok(Some(read)) => {
            if let Err(failure) = organization.check_ledger_identity(&read.records) {
                let hint = failure.hint.clone().unwrap_or_default();
                checks.push(Check::no(Topic::Ledger, failure.to_string(), hint));
            } else {
                let last = facts(&read.records).finished.last().map(|run| run.at);
                let last = last.map_or_else(
                    || "no apply has finished yet".to_owned(),
                    |at| format!("the last apply finished on {}", at.strftime("%Y-%m-%d %H:%M UTC")),
                );
                let says = format!("The ledger {shown} has {}; {last}.", plural(read.records.len(), "record"));
                checks.push(Check::yes(Topic::Ledger, says));
            }
        }
        Err(why) => {
            let failure = Failure::unrecorded(&why);
            checks.push(Check::no(Topic::Ledger, why.to_string(), failure.hint.unwrap_or_default()));
        }
    }
    let id = live.and_then(|live| live.organization_id.as_ref()).unwrap_or(&organization.desired.organization);
    let held = organization.connected.lock_files(id).iter().any(|file| OrganizationLock::is_held(file));
    if held || OrganizationLock::is_held(path) {
        checks.push(
            Check::unknown(Topic::Ledger, "Another apply is running now.")
                .hint("Wait until it has ended. A second one is refused meanwhile."),
        );
    }
    checks
}
