//! `rolecall onboard`

use clap::{Args, ValueHint};

use super::exit::{Exit, Failure};
use super::out::Out;
use super::person::{self, PersonFormat};
use super::session::Session;
use super::{Connection, OUTPUT, Paths, WHAT_TO_WRITE};
use rolecall_config::{Newcomer, Somebody, known_people};
use rolecall_model::{Email, Until};

/// Add one person to groups in the people file.
///
/// Adds the person to `people` if they aren't there, and to the groups. Removes entries with `absent: true` where a group
/// gives access. Then it shows the plan of the person. Sends nothing.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall onboard new@acme.example --group payments access/
  rolecall onboard new@acme.example --group payments --group sre access/ --write
  rolecall onboard new@acme.example --group audit --until 2027-01-31 access/

Exit codes: 0 nothing to do, 1 error, 2 there is something to write or to apply,
3 a guardrail refuses the plan, 6 platform unreachable. `rolecall exit-codes` explains them.")]
pub(super) struct OnboardArgs {
    /// The person's address.
    #[arg(value_name = "EMAIL", value_parser = person::email, value_hint = ValueHint::EmailAddress)]
    email: Email,
    #[command(flatten)]
    newcomer: NewcomerArgs,
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

#[derive(Clone, Debug, Args)]
struct NewcomerArgs {
    /// Add the person to this group of a people file; repeatable.
    #[arg(long = "group", value_name = "GROUP", required = true, value_hint = ValueHint::Other, help_heading = WHAT_TO_WRITE)]
    groups: Vec<String>,
    /// Write this first name of a new person.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other, help_heading = WHAT_TO_WRITE)]
    first_name: Option<String>,
    /// Write this last name of a new person.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other, help_heading = WHAT_TO_WRITE)]
    last_name: Option<String>,
    /// Write this phone number of a new person.
    #[arg(long, value_name = "NUMBER", value_hint = ValueHint::Other, help_heading = WHAT_TO_WRITE)]
    phone: Option<String>,
    /// Write this note about a new person.
    #[arg(long, value_name = "TEXT", value_hint = ValueHint::Other, help_heading = WHAT_TO_WRITE)]
    note: Option<String>,
    /// End a new person's access after this day or at this time, such as 2026-12-31. Of a known person, only the
    /// memberships end.
    #[arg(long, value_name = "TIME", value_parser = until, value_hint = ValueHint::Other, help_heading = WHAT_TO_WRITE)]
    until: Option<Until>,
}

fn until(text: &str) -> Result<Until, String> {
    text.parse().map_err(|_| {
        "write the last day, like 2026-12-31, or a time with its zone, like 2026-12-31T18:00:00Z".to_owned()
    })
}

impl From<&NewcomerArgs> for Newcomer {
    fn from(args: &NewcomerArgs) -> Self {
        let NewcomerArgs { groups, first_name, last_name, phone, note, until } = args.clone();
        let fields =
            [("first_name", first_name), ("last_name", last_name), ("phone", phone), ("note", note)].into_iter();
        let fields = fields.filter_map(|(name, text)| Some((name, text?))).collect();
        Self { groups, fields, until }
    }
}

pub(super) async fn onboard(args: &OnboardArgs, out: &mut Out) -> Result<Exit, Failure> {
    let now = args.paths.now();
    if let Some(until) = args.newcomer.until.filter(|until| until.is_past(now)) {
        return Err(Failure::error(format!("`--until {until}` has passed, so the person would get no access."))
            .hint("Write a later day."));
    }
    let session = Session::unrestricted(args.paths.load(args.connection.commands), &args.connection, out)?;
    let loaded = session.loaded();
    let refuse = |findings: Vec<_>| person::refuse(&findings, &session, out);
    let somebody = Somebody::find(loaded, &args.email).map_err(refuse)?;
    let edited = rolecall_config::onboard(loaded, &somebody, &Newcomer::from(&args.newcomer)).map_err(refuse)?;
    let after = person::reload(loaded, &edited, &somebody, (now, out))?;
    let has_directory =
        after.files.iter().filter_map(|file| file.desired.as_ref()).any(|desired| !desired.directories.is_empty());
    let not_found = has_directory && !known_people(&after).map_err(refuse)?.contains(&somebody.email);
    if not_found {
        let message = format!("{} isn't in the directory that people come from.", somebody.email.as_str());
        return Err(Failure::error(message).hint("Add the person there first. Nothing was written."));
    }
    let gives_access = after.files.iter().filter_map(|file| file.desired.as_ref()).any(|desired| {
        let own = somebody.addresses(desired.provider);
        desired.users.iter().any(|user| own.contains(&user.email) && !user.absent)
    });
    if !gives_access {
        out.talk(&format!(
            "warning: No file gives {} access. Either no entry names these groups, or the person's `until` has passed.\n",
            somebody.email.as_str()
        ));
    }
    let readings = session.read_all(out).await;
    let (plan, exit) = person::plans(&session, &readings, &after, &somebody, out);
    let report = person::report_of(&somebody, &edited, plan);
    Ok(person::finish(report, &edited, (args.write, args.format), exit, out))
}
