//! `rolecall offboard`

use std::collections::BTreeSet;
use std::sync::Arc;

use clap::{Args, ValueHint};

use super::exit::{Exit, Failure};
use super::out::Out;
use super::person::{self, PersonFormat};
use super::session::{Reading, Session};
use super::{Connection, OUTPUT, Paths};
use crate::report::{LeftAccess, RelatedKey};
use rolecall_config::{Seen, Somebody, named_elsewhere};
use rolecall_model::{
    Action, Address, App, Completeness, Delivery, Desired, Email, HoldClass, HoldReason, Kind, ManualStep,
    OrganizationPlan, Permission, nearest_email,
};
use rolecall_plan::access::{Grant, Holder, Status};
use rolecall_plan::secret_target;

/// Take one person out of every file, and show what is left.
///
/// Removes the person from people files, groups and entries. Where a file manages only listed users, an entry with
/// `absent: true` stays. Then it shows the plan of the person, the manual steps, and the access that is left. Run it
/// again after the apply: it ends with 0 only if nothing is left and everything could be read. Sends nothing.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall offboard --sandbox left@acme.example examples/hive.yaml   needs no account
  rolecall offboard jane@acme.example access/            shows what would change
  rolecall offboard jane@acme.example access/ --write    writes the files
  rolecall offboard jane@acme.example access/            after the apply: what is left

Exit codes: 0 nothing is left, 1 error, 2 something is left to do or can't be read,
3 a guardrail refuses the plan, 6 platform unreachable. `rolecall exit-codes` explains them.")]
pub(super) struct OffboardArgs {
    /// The person's address. An alias in a people file will do.
    #[arg(value_name = "EMAIL", value_parser = person::email, value_hint = ValueHint::EmailAddress)]
    email: Email,
    #[command(flatten)]
    paths: Paths,
    /// Write the files.
    #[arg(long, help_heading = OUTPUT)]
    write: bool,
    /// Print text or a JSON document.
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT", help_heading = OUTPUT)]
    format: PersonFormat,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn offboard(args: &OffboardArgs, out: &mut Out) -> Result<Exit, Failure> {
    let session = Session::unrestricted(args.paths.load(args.connection.commands), &args.connection, out)?;
    let loaded = session.loaded();
    let somebody =
        Somebody::find(loaded, &args.email).map_err(|findings| person::refuse(&findings, &session, out))?;
    let findings = named_elsewhere(loaded, &somebody);
    if !findings.is_empty() {
        return Err(person::refuse(&findings, &session, out));
    }
    let readings = session.read_all(out).await;
    let seen: Seen = readings
        .read
        .iter()
        .map(|reading| (Arc::clone(&reading.organization.desired.place.file), seen(reading, &somebody)))
        .collect();
    if !somebody.is_named
        && seen.values().all(BTreeSet::is_empty)
        && !readings.read.iter().any(|reading| is_recorded(reading, &somebody))
    {
        return Err(unknown(&somebody, &readings.read, readings.exit));
    }
    let edited = rolecall_config::offboard(loaded, &somebody, &seen)
        .map_err(|findings| person::refuse(&findings, &session, out))?;
    let after = person::reload(loaded, &edited, &somebody, (args.paths.now(), out))?;
    let (plan, mut exit) = person::plans(&session, &readings, &after, &somebody, out);
    let left: Vec<LeftAccess> = plan
        .organizations
        .iter()
        .filter_map(|plan| {
            let is_same = |reading: &&Reading<'_>| reading.organization.desired.is(&plan.sealed.identity);
            Some(left_access(readings.read.iter().find(is_same)?, plan, &somebody))
        })
        .collect();
    if left.iter().any(|left| !left.is_nothing()) {
        exit = exit.and(Exit::Differences);
    }
    let mut report = person::report_of(&somebody, &edited, plan);
    report.keys = readings.read.iter().flat_map(|reading| related_keys(reading, &somebody)).collect();
    report.notes = notes(&readings.read, &somebody);
    if loaded.files.iter().filter_map(|file| file.desired.as_ref()).any(|desired| !desired.directories.is_empty())
    {
        report.notes.push(format!(
            "People come from a directory. If it still has {}, end that where it is kept.",
            somebody.email.as_str()
        ));
    }
    if !report.plan.unread.is_empty() {
        report.notes.push(
            "A file whose organisation couldn't be read may need an entry, too. Run the command again.".to_owned(),
        );
    }
    report.left = Some(left);
    Ok(person::finish(report, &edited, (args.write, args.format), exit, out))
}

/// Returns the addresses of a person that are live.
fn seen(Reading { organization, live, .. }: &Reading<'_>, somebody: &Somebody) -> BTreeSet<Email> {
    let own = somebody.addresses(organization.desired.provider);
    let users = live.users.items.iter().map(|user| &user.email);
    let live_emails = users.chain(live.invitations().iter().map(|invitation| &invitation.email));
    let mut found: BTreeSet<Email> = live_emails.filter(|email| own.contains(email)).cloned().collect();
    found.extend(own.into_iter().filter(|email| live.is_unreadable(&Address::user(email))));
    found
}

/// Returns whether the ledger knows the person.
fn is_recorded(Reading { organization, facts, .. }: &Reading<'_>, somebody: &Somebody) -> bool {
    let own = somebody.addresses(organization.desired.provider);
    own.iter().any(|email| {
        facts.members.values().any(|member| member.email == *email)
            || facts.invitations.contains_key(email)
            || [Address::user(email), Address::invitation(email)]
                .iter()
                .any(|address| facts.applied.contains_key(address) || facts.removed.contains(address))
    })
}

fn unknown(somebody: &Somebody, read: &[Reading<'_>], exit: Exit) -> Failure {
    let live = read.iter().flat_map(|reading| {
        let users = reading.live.users.items.iter().map(|user| user.email.key());
        users.chain(reading.live.invitations().iter().map(|invitation| invitation.email.key()))
    });
    let known: BTreeSet<&str> = somebody.known.iter().map(Email::key).chain(live).collect();
    let hint = match nearest_email(somebody.email.key(), known) {
        Some(near) => format!("Did you mean {near}?"),
        None => "Check the spelling, and name every file of your organisations.".to_owned(),
    };
    let message = format!("No file, no platform and no ledger knows {}.", somebody.email.as_str());
    let failure = Failure::error(message).hint(hint);
    Failure { exit: exit.and(failure.exit), ..failure }
}

/// Returns what a person still has in an organisation.
fn left_access(reading: &Reading<'_>, plan: &OrganizationPlan, somebody: &Somebody) -> LeftAccess {
    let Reading { organization, live, facts } = reading;
    let desired = organization.desired;
    let own = somebody.addresses(desired.provider);
    let mut left = LeftAccess {
        provider: desired.provider,
        organization: desired.organization.value.clone(),
        access: Vec::new(),
        manual: Vec::new(),
        unreadable: Vec::new(),
        assumed_complete: Vec::new(),
    };
    let of_person = person::addresses(somebody, desired.provider);
    let is_theirs = |address: &Address| of_person.iter().any(|person| person.covers(address));
    for change in plan.sealed.changes.iter().filter(|change| is_theirs(&change.address)) {
        left.access.push(format!("The next apply has to {} {}.", words(change.action), change.address));
    }
    for hold in plan.sealed.holds.iter().filter(|hold| hold.class != HoldClass::Ignored) {
        let line = format!("{}: {}", hold.address, hold.reason);
        match hold.reason {
            HoldReason::Unreadable { .. } | HoldReason::UnreadableRow { .. } => left.unreadable.push(line),
            _ if hold.class == HoldClass::Waiting => left.access.push(line),
            _ => left.manual.push(line),
        }
    }
    let is_told = |address: &Address| {
        let changes = plan.sealed.changes.iter().map(|change| &change.address);
        let holds =
            plan.sealed.holds.iter().filter(|hold| hold.class != HoldClass::Ignored).map(|hold| &hold.address);
        changes.chain(holds).any(|told| told.covers(address) || address.covers(told))
    };
    let access = organization.access(live, facts);
    let is_person = |holder: &&Holder| holder.email.as_ref().is_some_and(|email| own.contains(email));
    for holder in access.holders.iter().filter(is_person).filter(|holder| !is_told(&holder.address)) {
        let gives =
            |grant: &&Grant| grant.permissions.as_ref().is_none_or(|all: &BTreeSet<Permission>| !all.is_empty());
        let mut roles: Vec<String> = holder
            .grants
            .iter()
            .filter(gives)
            .map(|grant| grant.role.as_ref().map_or_else(|| "access".to_owned(), ToString::to_string))
            .collect();
        roles.dedup();
        if roles.is_empty() {
            continue;
        }
        let roles = roles.join(", ");
        match holder.status {
            Status::Disabled | Status::Expired => {}
            Status::Unknown => {
                let address = Address { id: None, ..holder.address.clone() };
                let sent = facts.applied.get(&address).filter(|_| facts.removed.contains(&address));
                let sent = sent.map_or_else(
                    || "No apply of this ledger has removed them.".to_owned(),
                    |applied| format!("An apply removed them on {}.", applied.at.strftime("%Y-%m-%d")),
                );
                left.unreadable.push(format!(
                    "{} has {roles}, and the API doesn't show whether they can sign in. {sent}",
                    holder.address
                ));
            }
            Status::Active | Status::Owner | Status::Invited | Status::Suspended | Status::Unapproved => {
                left.access.push(format!("{} ({}) has {roles}.", holder.address, holder.status.as_str()));
            }
        }
    }
    for (list, completeness) in &access.completeness {
        match completeness {
            _ if list != "users" && list != "invitations" => {}
            Completeness::Broken { why } => {
                left.unreadable.push(format!("The list of {list} is incomplete: {why}."));
            }
            Completeness::Assumed { .. } => left.assumed_complete.push(list.clone()),
            Completeness::Proven => {}
        }
    }
    for row in access.unreadable.iter().filter(|row| row.address.name.is_empty()) {
        if matches!(row.address.kind, Kind::User | Kind::Invitation) {
            left.unreadable.push(format!("{} may be this person: {}.", row.address, row.why));
        }
    }
    left
}

fn words(action: Action) -> String {
    match action {
        Action::RemoveAccess => "remove all access of".to_owned(),
        action => action.to_string(),
    }
}

/// Returns the keys whose names, notes, descriptions or deliveries name the person.
fn related_keys(Reading { organization, live, .. }: &Reading<'_>, somebody: &Somebody) -> Vec<RelatedKey> {
    let desired = organization.desired;
    let mut keys: Vec<RelatedKey> = Vec::new();
    let mut add = |address: Address, field: &str, text: &str| {
        if keys.iter().any(|key| key.address == address) {
            return;
        }
        if let Some(why) = names_person(somebody, desired, text) {
            let entry =
                desired.keys.iter().find(|key| Address::key(&key.name).with_id(key.id.as_ref()) == address);
            let targets: Vec<String> =
                entry.iter().flat_map(|key| &key.deliver).map(|delivery| secret_target(delivery)).collect();
            let targets = if targets.is_empty() {
                String::new()
            } else {
                format!(" A new secret goes to: {}.", targets.join("; "))
            };
            let why = format!("its {field} {why}. Rotate it if they could read it.{targets}");
            keys.push(RelatedKey {
                provider: desired.provider,
                organization: desired.organization.value.clone(),
                address,
                why,
            });
        }
    };
    for key in desired.keys.iter().filter(|key| !key.absent) {
        let address = Address::key(&key.name).with_id(key.id.as_ref());
        add(address.clone(), "name", key.name.as_str());
        add(address.clone(), "note", desired.notes.get(&address).map(String::as_str).unwrap_or_default());
        add(address.clone(), "description", key.description.as_deref().unwrap_or_default());
        for delivery in &key.deliver {
            let target = match &delivery.value {
                Delivery::File(path) => path.display().to_string(),
                Delivery::Command(words) => words.join(" "),
                Delivery::EnvFile { file, name } => format!("{} {name}", file.display()),
                Delivery::Age { recipients, file } => format!("{} {}", file.display(), recipients.join(" ")),
            };
            add(address.clone(), "delivery", &target);
        }
    }
    for key in live.keys().iter().filter(|key| key.enabled) {
        let address = Address::key(&key.name);
        add(address.clone(), "name", key.name.as_str());
        add(address, "description", key.description.as_deref().unwrap_or_default());
    }
    keys
}

/// Returns how a text names a person, if it does.
fn names_person(somebody: &Somebody, desired: &Desired, text: &str) -> Option<String> {
    let text = text.to_lowercase();
    let all = somebody.addresses(desired.provider);
    if let Some(email) = all.iter().find(|email| text.contains(email.key())) {
        return Some(format!("names {}", email.key()));
    }
    let is_part = |c: char| !c.is_alphanumeric();
    let local = |email: &Email| email.key().split_once('@').map(|(local, _)| local.to_owned());
    let found = all.iter().filter_map(local).filter(|local| local.chars().count() > 2).find(|local| {
        text.match_indices(local.as_str()).any(|(at, _)| {
            let (before, after) = (text.get(..at), text.get(at + local.len()..));
            before.is_none_or(|text| text.is_empty() || text.ends_with(is_part))
                && after.is_none_or(|text| text.is_empty() || text.starts_with(is_part))
        })
    })?;
    Some(format!("may name them: it has the word {found}"))
}

/// Returns what no platform shows about the keys of a person, and their apps.
fn notes(read: &[Reading<'_>], somebody: &Somebody) -> Vec<String> {
    let mut notes = vec![
        "No platform and no ledger shows who has received a key. Rotate every key that this person could read."
            .to_owned(),
    ];
    for Reading { organization, live, .. } in read {
        let theirs = |app: &&App| names_person(somebody, organization.desired, &app.owner).is_some();
        for App { owner, name, .. } in live.apps.iter().filter(theirs) {
            notes.push(format!("{}: the app {name} belongs to {owner}, and so do its keys.", organization.name()));
        }
        let rules = organization.connected.provider.rules();
        if !rules.capabilities().kinds.contains(&Kind::Key) {
            let step = rules.manual_step(ManualStep::HandleKeys);
            notes
                .push(format!("{} has keys that the API doesn't show. Look them up {step}.", organization.name()));
        }
    }
    notes
}
