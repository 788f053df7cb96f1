//! `rolecall doctor`

use std::path::Path;

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::ci::{Ci, Setup};
use super::connect::{Connected, FOLDER, GENERATOR, ledger_of, site as site_of};
use super::credential;
use super::exit::{Exit, Failure, sentence};
use super::fleet::{AtOnce, ShardOption, in_lanes};
use super::job;
use super::organization::{Organization, check_ledger_identity, run_id};
use super::out::Out;
use super::reports::{Reports, used_files};
use super::session::Session;
use super::{CI, Connection, Paths};
use crate::report::{
    Answer, Check, DOCTOR_VERSION, DoctorReport, Examined, Format, Subject, Topic, first, plural,
};
use rolecall_engine::apply::Deliveries;
use rolecall_engine::ledger::{Ledger, LedgerHome, ReadLedger, Record, facts};
use rolecall_graphql::CallError;
use rolecall_model::{
    Action, Change, Completeness, Credential, Desired, Email, Facts, Finding, Kind, Live, Refusal, RemoteId,
    SANDBOX_HOST, list_of,
};
use rolecall_providers::schema::{Difference, Impact, SchemaReport, compare_schema};
use rolecall_providers::{Answered, Permission, Permitted, ReadError};

/// Check that plan and apply can work here.
///
/// Asks for each organisation: is the platform reached, whose is the credential, may it read what the files need, may it
/// send each change that they may need, does a plan work, and can the ledger and the secrets of new keys be written. Changes
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
    shard: ShardOption,
    #[command(flatten)]
    paths: Paths,
    /// Also ask the CI system what of its set-up is missing, with its program `gh` or `glab`.
    #[arg(long, value_enum, help_heading = CI)]
    ci: Option<Ci>,
    #[command(flatten)]
    reports: Reports,
    #[command(flatten)]
    at_once: AtOnce,
    #[command(flatten)]
    connection: Connection,
}

/// A clock that is off by more than this makes access end at the wrong time.
const MOST_SKEW: SignedDuration = SignedDuration::from_mins(1);

/// A credential that ends within this time is to be replaced.
const ENDS_SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// More rows than this are only counted.
const LISTED: usize = 3;

pub(super) async fn doctor(args: &DoctorArgs, out: &mut Out) -> Result<Exit, Failure> {
    args.reports.check(Format::OF_DOCTOR)?;
    let loaded = args.paths.load(args.connection.commands);
    args.reports.ensure_unused(&used_files(&loaded, &args.connection))?;
    let unusable = unusable_ledger(&args.connection);
    let mut connection = args.connection.clone();
    if unusable.is_some() {
        connection.ledger = None;
    }
    let (session, errors) = Session::examining(loaded, &connection, out)?;
    let session = session.sharing(&args.shard, &args.at_once, out)?;
    let mut connected = Vec::new();
    for desired in session.selected() {
        connected.push((desired, session.connect(desired, false).await));
    }
    let now = args.paths.now();
    let examined = async |(desired, connected): &(&Desired, Result<Organization<'_>, Failure>), _: &Out| {
        let mut checks = Vec::new();
        match connected {
            Err(failure) => {
                checks.extend(unconnected(desired, failure));
                checks.extend(unconnected_ledger(desired, &connection));
            }
            Ok(organization) => examine(organization, now, &mut checks).await,
        }
        if let Some(unusable) = &unusable {
            checks.retain(|check| check.topic != Topic::Ledger);
            checks.push(unusable.clone());
        }
        Examined {
            provider: desired.provider,
            organization: desired.organization.value.clone(),
            file: desired.place.file.to_string(),
            checks,
        }
    };
    let lane = |(_, connected): &(&Desired, Result<Organization<'_>, Failure>)| {
        connected.as_ref().ok().map(Organization::lane)
    };
    let organizations = in_lanes(&connected, lane, args.at_once.organizations_at_once, examined, out).await;
    let mut job: Vec<Check> = errors.iter().map(|error| of_finding(Topic::Files, error)).collect();
    job.extend(job::checks(&session.desired()));
    if let Some(ci) = args.ci {
        let folder = args.paths.paths.first().map(|path| path.display().to_string()).unwrap_or_default();
        let folder = folder.trim_end_matches('/');
        job.extend(ci.checks(&Setup::new(folder, session.desired().into_iter(), None)));
    }
    let report = DoctorReport {
        format_version: DOCTOR_VERSION,
        generator: GENERATOR,
        at: Timestamp::now(),
        shard: session.part().shard(),
        organizations,
        job,
    };
    args.reports.write(Subject::Doctor(&report), out)?;
    let of_organizations = report.organizations.iter().zip(&connected).flat_map(|(examined, (_, connected))| {
        let unreachable = connected.as_ref().map_or_else(|failure| failure.exit, |_| Exit::Unreachable);
        examined.checks.iter().map(move |check| exit(check, unreachable))
    });
    let of_job = report.job.iter().map(|check| exit(check, Exit::Unreachable));
    Ok(of_organizations.chain(of_job).fold(Exit::Done, Exit::and))
}

/// Returns why no organisation can use what `--ledger` says. The other checks don't need it.
fn unusable_ledger(connection: &Connection) -> Option<Check> {
    let failure = connection.ledger.as_ref()?.home("any", connection).err()?;
    let hint = failure.hint.clone().unwrap_or_default();
    Some(Check::no(Topic::Ledger, failure.to_string(), hint))
}

/// Returns a check that failed with this finding.
fn of_finding(topic: Topic, finding: &Finding) -> Check {
    let says = format!("{}: {}", finding.place, finding.message);
    Check { hint: finding.hint.clone(), ..Check::no(topic, says, "") }
}

/// Returns the exit code that a check alone would end the run with. `unreachable`: that of a plan, which can't connect
/// either.
fn exit(check: &Check, unreachable: Exit) -> Exit {
    match (check.answer, check.topic) {
        (Answer::Yes | Answer::Unknown, _) => Exit::Done,
        (Answer::No, Topic::Connection | Topic::Credential | Topic::Changes) => unreachable,
        (
            Answer::No,
            Topic::Reads | Topic::Plan | Topic::Schema | Topic::Ledger | Topic::Job | Topic::Files | Topic::Ci,
        ) => Exit::Error,
    }
}

/// Returns the checks of an organisation that could not be connected to.
fn unconnected(desired: &Desired, failure: &Failure) -> Vec<Check> {
    let is_about_credential =
        |finding: &Finding| desired.credentials.values().any(|credential| credential.place == finding.place);
    let topic = |finding| if is_about_credential(finding) { Topic::Credential } else { Topic::Connection };
    let message = failure
        .message
        .iter()
        .map(|message| Check { hint: failure.hint.clone(), ..Check::no(Topic::Connection, message.clone(), "") });
    failure.findings.iter().map(|finding| of_finding(topic(finding), finding)).chain(message).collect()
}

/// Returns the checks of the ledger of an organisation that could not be connected to, such as without a credential. The
/// sandbox needs none.
fn unconnected_ledger(desired: &Desired, connection: &Connection) -> Vec<Check> {
    if connection.sandbox {
        return Vec::new();
    }
    let home = match ledger_of(Path::new(FOLDER), desired, connection) {
        Ok(home) => home,
        Err(why) => return vec![Check::no(Topic::Ledger, why.to_string(), why.hint.unwrap_or_default())],
    };
    let rules = rolecall_providers::of(desired.provider).rules();
    // Without an endpoint, nobody knows which platform the file means.
    let site = credential::endpoint(desired, rules).ok();
    let site = site.map(|url| site_of(&url.host_str().unwrap_or_default().to_lowercase(), &url, rules));
    let check = |records: &[Record]| match &site {
        Some(site) => check_ledger_identity(desired, site, &home, records),
        None => Ok(()),
    };
    ledger(&home, home.is_held(), check).0
}

async fn examine(organization: &Organization<'_>, now: Timestamp, checks: &mut Vec<Check>) {
    let (desired, connected) = (organization.desired, &*organization.connected);
    let is_sandbox = connected.site.host == SANDBOX_HOST;
    for (name, credential) in desired.credentials.iter().filter(|_| !is_sandbox) {
        let says = format!("The credential `{name}` comes from {}.", origin(&credential.value));
        checks.push(Check::yes(Topic::Credential, says));
    }
    let read = connected.provider.read(&connected.reader, desired).await;
    checks.extend(connection(connected, read.as_ref().err()));
    let is_applied = organization.is_applied(read.as_ref().ok());
    let check = |records: &[Record]| organization.check_ledger_identity(records);
    let (of_ledger, facts) = ledger(&connected.ledger, is_applied, check);
    match &read {
        Ok(live) => {
            checks.push(owner(organization, live, &facts, now));
            let answered = organization.permissions(live).await;
            let no =
                |(permission, permitted): &Answered| matches!(permitted, Permitted::No(_)).then_some(*permission);
            checks.extend(reads(live, &answered.iter().filter_map(no).collect::<Vec<_>>()));
            checks.extend(plan(organization, live, &facts).await);
            checks.extend(changes(&answered, live));
        }
        Err(error) => checks.extend(unread(connected, error)),
    }
    checks.extend(schema(connected, read.as_ref().err()).await);
    checks.extend(of_ledger);
}

/// Returns whether the file can be planned, and whether the secrets of new keys can be delivered.
async fn plan(organization: &Organization<'_>, live: &Live, facts: &Facts) -> Vec<Check> {
    let planned = match organization.plan(live, facts, None) {
        Ok(planned) => planned,
        Err(failure) => return failure.findings.iter().map(|finding| of_finding(Topic::Plan, finding)).collect(),
    };
    let errors = planned.findings.iter().filter(|finding| finding.is_error());
    let mut checks: Vec<Check> = errors.map(|finding| of_finding(Topic::Plan, finding)).collect();
    for Refusal { guardrail, message, .. } in &planned.plan.refusals {
        let says = format!("The guardrail {guardrail} refuses a plan. {message}");
        checks.push(Check::no(Topic::Plan, says, "docs/plan-refused.md explains what to do."));
    }
    let changes = &planned.plan.sealed.changes;
    if checks.is_empty() {
        checks.push(Check::yes(Topic::Plan, format!("A plan has {}.", plural(changes.len(), "change"))));
    }
    // The programs are only looked up, so they need no permission to run.
    let deliveries = Deliveries { allow_commands: true, ..organization.connected.deliveries.clone() };
    match deliveries.check(organization.desired, changes).await {
        Err(why) => checks.push(Check::no(
            Topic::Plan,
            format!("The secret of a new key can't be delivered. {}", sentence(why)),
            "Mend `deliver` of that key. An apply would send nothing.",
        )),
        Ok(()) if changes.iter().any(is_new_key) => {
            checks.push(Check::yes(Topic::Plan, "The secret of each new key can be delivered."));
        }
        Ok(()) => {}
    }
    checks
}

fn is_new_key(change: &Change) -> bool {
    change.address.kind == Kind::Key && change.action == Action::Create
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
        let problem = if matches!(error, CallError::Transport(_)) { "isn't reached" } else { "can't be used" };
        return vec![Check::no(Topic::Connection, format!("{host} {problem}: {error}."), error.next_step())];
    }
    let way = if connected.is_encrypted {
        " over TLS, with a certificate that is trusted here"
    } else {
        " on this machine, without TLS"
    };
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
    matches!(error, ReadError::Call { error: call, .. } if call.is_unreachable_or_refused())
        && !error.is_refused_credential()
}

/// Returns whose the credential is, and when it ends, as far as that is known.
fn owner(organization: &Organization<'_>, live: &Live, facts: &Facts, now: Timestamp) -> Check {
    let (desired, connected) = (organization.desired, &*organization.connected);
    let signs_in = connected.caller.key(facts);
    let key = signs_in.or(desired.own_key.as_ref().map(|own| &own.value));
    match (&live.caller, key, &desired.own_user) {
        (Some(caller), _, _) if !caller.emails.is_empty() => {
            let emails: Vec<&str> = caller.emails.iter().map(Email::as_str).collect();
            Check::yes(Topic::Credential, format!("The credential belongs to {}.", list_of(&emails, "and")))
        }
        (_, Some(id), _) => of_key(id, live, now),
        (_, None, Some(own)) => Check::yes(
            Topic::Credential,
            format!("The credential belongs to {}, by `own` in the file.", own.value),
        ),
        (_, None, None) => Check::unknown(Topic::Credential, "The platform doesn't tell whose the credential is.")
            .hint("Name the user or the key in `own`, so that no plan takes what rolecall itself needs."),
    }
}

/// Returns the check of the key that rolecall signs in with.
fn of_key(id: &RemoteId, live: &Live, now: Timestamp) -> Check {
    let key = live.keys().iter().find(|key| key.id == *id);
    let name = key.map(|key| format!("`{}`, ", key.name)).unwrap_or_default();
    let says = format!("rolecall signs in with the key {name}{id}.");
    let Some(ends) = key.and_then(|key| key.expires.as_ref()) else { return Check::yes(Topic::Credential, says) };
    let says = format!("{says} It ends on {ends}.");
    let hint = "Create another key in time, store it where `credentials` points, and name it in `own`.";
    if ends.is_past(now) {
        Check::no(Topic::Credential, says, hint)
    } else if ends.is_past(now + ENDS_SOON) {
        Check::yes(Topic::Credential, says).hint(hint)
    } else {
        Check::yes(Topic::Credential, says)
    }
}

/// Returns whether a text says that the credential lacks this permission.
fn is_about(why: &str, permission: &Permission) -> bool {
    permission.name.split('`').nth(1).is_some_and(|name| why.contains(&format!("`{name}`")))
}

/// Returns whether each list is complete. [`changes`] says what can't be read without the missing permissions.
fn reads(live: &Live, missing: &[&Permission]) -> Vec<Check> {
    let is_said = |why: &str| missing.iter().any(|permission| is_about(why, permission));
    let mut checks = Vec::new();
    let mut complete = Vec::new();
    for (list, completeness) in live.completeness() {
        match completeness {
            Completeness::Proven | Completeness::Assumed { .. } => complete.push(list),
            Completeness::Broken { why } if is_said(&why) => {}
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
    let of_here = live.gaps.iter().filter(|gap| gap.bears_on.is_none() && !is_said(&gap.why));
    checks.extend(
        of_here.map(|gap| Check::unknown(Topic::Reads, format!("Can't be read: {}. {}", gap.what, gap.why))),
    );
    checks
}

/// Returns whether the credential may send each change that the file may need, and what it can't read therefore.
fn changes(answered: &[Answered], live: &Live) -> Vec<Check> {
    if answered.is_empty() {
        return vec![Check::yes(Topic::Changes, "The file asks for no changes.")];
    }
    let incomplete = |permission: &Permission| -> String {
        let of_it = |(list, completeness)| match completeness {
            Completeness::Broken { why } if is_about(&why, permission) => Some(list),
            _ => None,
        };
        let lists = live.completeness().into_iter().filter_map(of_it);
        let said = lists
            .map(|list| format!(" So the list of {list} is incomplete, and what depends on it stays as it is."));
        said.collect::<Vec<_>>().concat()
    };
    let check = |(permission, permitted): &Answered| {
        let check = match permitted {
            Permitted::Yes(why) => {
                Check::yes(Topic::Changes, format!("The credential has {}: {why}.", permission.name))
            }
            Permitted::No(why) => {
                let says = format!("The credential lacks {}: {why}.{}", permission.name, incomplete(permission));
                Check::no(Topic::Changes, says, permission.grant)
            }
            Permitted::Unknown(why) => {
                let says = format!("It can't be known whether the credential has {}: {why}.", permission.name);
                Check::unknown(Topic::Changes, says).hint(permission.grant)
            }
        };
        Check { mutations: permission.operations, ..check }
    };
    answered.iter().map(check).collect()
}

/// Returns whether the platform's schema is the one that rolecall was built for. It takes one request, so nobody asks a
/// platform that isn't reached.
async fn schema(connected: &Connected, error: Option<&ReadError>) -> Vec<Check> {
    if error.is_some_and(is_unreached) {
        return Vec::new();
    }
    let differences = match compare_schema(&connected.reader, connected.provider).await {
        Ok(SchemaReport::Compared(differences)) => differences,
        Ok(SchemaReport::NotShown) => {
            let says =
                "The platform doesn't show its schema. If its API has changed, a request fails and says so.";
            return vec![Check::unknown(Topic::Schema, says)];
        }
        Err(error) => {
            return vec![Check::unknown(Topic::Schema, format!("The schema can't be compared: {error}."))];
        }
    };
    let of = |is: fn(&Impact) -> bool| -> Vec<&Difference> {
        differences.iter().filter(|difference| is(&difference.impact)).collect()
    };
    let shown = |differences: &[&Difference]| {
        first(differences.iter(), LISTED, |it| format!("`{}` ({})", it.name, it.note.trim_end_matches('.')))
    };
    let mut checks = Vec::new();
    let reading = of(|impact| *impact == Impact::Reading);
    if !reading.is_empty() {
        let says = format!("The platform's API has changed, and rolecall can't read it: {}.", shown(&reading));
        checks.push(Check::no(Topic::Schema, says, "Update rolecall."));
    }
    for difference in of(|impact| matches!(impact, Impact::Mutations(_))) {
        let Impact::Mutations(mutations) = &difference.impact else { continue };
        let mutations: Vec<&str> = mutations.iter().map(String::as_str).collect();
        let says = format!(
            "The platform's API has changed, and refuses {}: {}.",
            list_of(&mutations, "and"),
            shown(&[difference])
        );
        checks.push(Check::no(
            Topic::Schema,
            says,
            "Update rolecall. Until then, make such changes in the web app.",
        ));
    }
    let doubtful = of(|impact| *impact == Impact::ToBeChecked);
    if !doubtful.is_empty() {
        let says = format!("The platform's API has changed: {}.", shown(&doubtful));
        checks.push(Check::unknown(Topic::Schema, says).hint("Look whether a newer rolecall knows it."));
    }
    let harmless = of(|impact| *impact == Impact::Harmless);
    if checks.is_empty() {
        let but = if harmless.is_empty() {
            String::new()
        } else {
            format!(" Harmless differences: {}.", shown(&harmless))
        };
        checks.push(Check::yes(
            Topic::Schema,
            format!("The platform's API is the one that rolecall was built for.{but}"),
        ));
    }
    checks
}

/// Returns the checks of an organisation that could not be read.
fn unread(connected: &Connected, error: &ReadError) -> Vec<Check> {
    let hint = connected.provider.next_step_of_read(error).unwrap_or_else(|| error.next_step());
    let topic = match error {
        error if is_unreached(error) => return Vec::new(),
        error if error.is_refused_credential() => Topic::Credential,
        _ => Topic::Reads,
    };
    vec![Check::no(topic, format!("The organisation can't be read: {error}."), hint)]
}

/// Returns whether the ledger can be used, and how old its latest run is. Also returns what it knows. `is_applied`: an apply
/// is running. `check_identity` finds whether the records are those of the organisation.
fn ledger(
    home: &LedgerHome,
    is_applied: bool,
    check_identity: impl Fn(&[Record]) -> Result<(), Failure>,
) -> (Vec<Check>, Facts) {
    const BRING: &str = "If there was an apply before, bring its ledger along. Without it rolecall doesn't know what it sent and what the API doesn't show.";
    let mut checks = Vec::new();
    let mut known = Facts::default();
    let mut is_read = true;
    match Ledger::read(home) {
        Ok(None) => {
            let says = format!("There is no ledger {home}. The first run that needs it creates it.");
            checks.push(Check::unknown(Topic::Ledger, says).hint(BRING));
        }
        Ok(Some(ReadLedger { records, .. })) if records.is_empty() => {
            checks.push(Check::unknown(Topic::Ledger, format!("The ledger {home} is empty.")).hint(BRING));
        }
        Ok(Some(ReadLedger { records, torn_bytes })) => {
            if let Err(failure) = check_identity(&records) {
                let hint = failure.hint.clone().unwrap_or_default();
                checks.push(Check::no(Topic::Ledger, failure.to_string(), hint));
            } else {
                known = facts(&records);
                let last = |what: &str, at: Option<Timestamp>| {
                    at.map(|at| format!("the last {what} was on {}", at.strftime("%Y-%m-%d %H:%M UTC")))
                };
                let apply = last("good apply", known.last_apply);
                let apply = apply.unwrap_or_else(|| "no apply has ended well yet".to_owned());
                let last: Vec<String> = [apply].into_iter().chain(last("drift", known.last_drift)).collect();
                let last = last.join(", ");
                let says = format!("The ledger {home} has {}; {last}.", plural(records.len(), "record"));
                checks.push(Check::yes(Topic::Ledger, says));
            }
            if torn_bytes > 0 {
                let says = "Its last line is incomplete, because its writer was killed. It is skipped.";
                checks.push(Check::unknown(Topic::Ledger, says));
            }
        }
        Err(why) => {
            let hint = Failure::unrecorded(&why).hint.unwrap_or_default();
            checks.push(Check::no(Topic::Ledger, sentence(why), hint));
            is_read = false;
        }
    }
    // A write would fail for the same reason as the read.
    if is_read && let Err(why) = home.check_writable(&run_id(Timestamp::now())) {
        let hint = Failure::unrecorded(&why).hint.unwrap_or_default();
        checks.push(Check::no(Topic::Ledger, format!("An apply can't use it. {}", sentence(why)), hint));
    }
    if is_applied {
        let says = "Another apply is running now.";
        let hint = "Wait until it has ended. A second one is refused meanwhile.";
        checks.push(Check::unknown(Topic::Ledger, says).hint(hint));
    }
    (checks, known)
}
