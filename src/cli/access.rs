//! `rolecall access`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use jiff::Timestamp;

use super::connect::GENERATOR;
use super::exit::{Exit, Failure};
use super::fleet::{AtOnce, ShardOption};
use super::load;
use super::out::Out;
use super::reports::Reports;
use super::session::{Readings, Session};
use super::{CONNECTION, Connection, OUTPUT, WHICH_ACCESS, head};
use crate::report::{ACCESS_VERSION, AccessReport, Format, Subject, clean};
use rolecall_config::Loaded;
use rolecall_model::{Completeness, Identity, Kind, Part, Pattern, Permission, RoleName, Unread};
use rolecall_plan::access::{Access, Filter, broken};

/// Show who has what, on every platform, and which line says so.
///
/// Reads everything that the platforms show: users, invitations, keys and teams, with roles and resources. One person is
/// one block, whatever the number of platforms. Changes nothing.
#[derive(Clone, Debug, Args)]
#[command(
    override_usage = "rolecall access [OPTIONS] [PATHS]...\n       rolecall access [OPTIONS] PROVIDER ORGANISATION",
    after_help = "Examples:
  rolecall access --sandbox examples/hive.yaml         needs no account
  rolecall access --sandbox hive acme                  needs no file, either
  rolecall access access/ --user jane@acme.example --why
  rolecall access access/ --can member:modify          who may manage members
  rolecall access access/ --resource shop/production   who may do something there
  rolecall access access/ --privileged --unmanaged     privileges that no file states
  rolecall access access/ --report html=access.html --report csv=access.csv

Exit codes: 0 shown, 1 error or an incomplete list, 6 platform unreachable.
`rolecall exit-codes` explains them."
)]
pub(super) struct AccessArgs {
    /// Files, or folders whose *.yaml and *.yml files with a `provider` field are read; or PROVIDER ORGANISATION
    /// without any file.
    #[arg(default_value = ".")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    shard: ShardOption,
    #[command(flatten)]
    asked: Asked,
    /// Say of each grant why it is there, since when, and what it allows.
    #[arg(long, help_heading = OUTPUT)]
    why: bool,
    /// Print a report even if a list is incomplete, and mark it as partial.
    #[arg(long, help_heading = OUTPUT)]
    partial: bool,
    #[command(flatten)]
    reports: Reports,
    /// Reach the organisation at this URL, if no file names it.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, help_heading = CONNECTION)]
    endpoint: Option<String>,
    #[command(flatten)]
    at_once: AtOnce,
    #[command(flatten)]
    connection: Connection,
}

/// Options that choose the access to show. They combine: all of them have to hold.
#[derive(Clone, Debug, Args)]
struct Asked {
    /// Show this person, such as jane@acme.example or *@acme.example; repeatable.
    #[arg(long = "user", value_name = "EMAIL", value_hint = ValueHint::EmailAddress, value_parser = person, help_heading = WHICH_ACCESS)]
    users: Vec<Pattern>,
    /// Show grants by this role; repeatable.
    #[arg(long = "role", value_name = "ROLE", value_hint = ValueHint::Other, value_parser = role, help_heading = WHICH_ACCESS)]
    roles: Vec<RoleName>,
    /// Show who may do this, such as member:modify, on platforms that tell what roles allow.
    #[arg(long, value_name = "PERMISSION", value_hint = ValueHint::Other, value_parser = permission, help_heading = WHICH_ACCESS)]
    can: Option<Permission>,
    /// Show access to this part or to something in it, such as shop/production or team/Platform.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::Other, help_heading = WHICH_ACCESS)]
    resource: Option<Part>,
    /// Show keys only.
    #[arg(long, help_heading = WHICH_ACCESS)]
    keys: bool,
    #[command(flatten)]
    standing: Standing,
}

#[derive(Clone, Debug, Args)]
struct Standing {
    /// Show only those who may give access to themselves or to others.
    #[arg(long, help_heading = WHICH_ACCESS)]
    privileged: bool,
    /// Show only access that no file states and no file acknowledges.
    #[arg(long, help_heading = WHICH_ACCESS)]
    unmanaged: bool,
}

fn person(text: &str) -> Result<Pattern, String> {
    format!("{}/{text}", Kind::User.as_str()).parse()
}

fn role(text: &str) -> Result<RoleName, String> {
    RoleName::parse(text).map_err(|why| format!("the role {why}"))
}

fn permission(text: &str) -> Result<Permission, String> {
    Permission::parse(text).map_err(|why| format!("the permission {why}"))
}

impl Asked {
    fn filter(&self) -> Filter {
        let Self { users, roles, can, resource, keys, standing: Standing { privileged, unmanaged } } =
            self.clone();
        Filter { users, roles, can, resource, privileged, unmanaged, kind: keys.then_some(Kind::Key) }
    }

    fn is_all(&self) -> bool {
        let Self { users, roles, can, resource, keys, standing: Standing { privileged, unmanaged } } = self;
        users.is_empty()
            && roles.is_empty()
            && can.is_none()
            && resource.is_none()
            && !(*keys || *privileged || *unmanaged)
    }
}

pub(super) async fn access(args: &AccessArgs, out: &mut Out) -> Result<Exit, Failure> {
    args.reports.check(Format::OF_ACCESS)?;
    let loaded = loaded(args)?;
    args.reports.ensure_valid(&loaded, &args.connection, out)?;
    let session = Session::reading(loaded, &Kind::ALL.iter().copied().collect(), &args.connection, out)?.sharing(
        &args.shard,
        &args.at_once,
        out,
    )?;
    let Readings { read, failed: mut unread, exit } = session.read_all(out).await;
    let mut organizations: Vec<Access> =
        read.iter().map(|reading| reading.organization.access(&reading.live, &reading.facts)).collect();
    organizations.sort_by(|a, b| a.identity.cmp(&b.identity));
    unread.sort();
    let incomplete = organizations.iter().flat_map(|access| incomplete(&access.identity, &access.completeness));
    let incomplete: Vec<String> = incomplete.collect();
    let consequence = "Somebody may have access who isn't listed, so nothing is shown.";
    let partial = ensure_complete(&incomplete, &unread, consequence, (args.partial, exit), out)?;
    ensure_answerable(&args.asked, &organizations, out)?;
    let filter = args.asked.filter();
    let report = AccessReport {
        format_version: ACCESS_VERSION.to_owned(),
        generator: GENERATOR.to_owned(),
        at: Timestamp::now(),
        shard: session.part().shard(),
        partial,
        filtered: !args.asked.is_all(),
        organizations: organizations.into_iter().map(|access| filter.of(access)).collect(),
        unread,
    };
    args.reports.write(Subject::Access { report: &report, why: args.why }, out)?;
    Ok(exit)
}

/// Loads the files, or a head that is made up for an organisation without a file.
fn loaded(args: &AccessArgs) -> Result<Loaded, Failure> {
    let words: Vec<&Path> = args.paths.iter().map(PathBuf::as_path).collect();
    let Some((provider, organization)) = head::named(&words) else {
        if args.endpoint.is_some() {
            return Err(Failure::error(
                "`--endpoint` is for PROVIDER ORGANISATION, and a file names its endpoint.",
            ));
        }
        return Ok(load(&args.paths, &args.connection.commands, Timestamp::now()));
    };
    let text = head::text(provider, organization, args.endpoint.as_deref(), args.connection.sandbox)?;
    Ok(head::load(provider, organization, &text))
}

/// Returns a sentence about each list of an organisation that is incomplete.
pub(super) fn incomplete(identity: &Identity, lists: &BTreeMap<String, Completeness>) -> Vec<String> {
    let name = format!("{} {}", identity.provider, clean(&identity.organization));
    let sentence = |(list, why): (&str, &str)| {
        format!("The list of {list} of {name} is incomplete: {}.", clean(why.trim_end_matches('.')))
    };
    broken(lists).map(sentence).collect()
}

/// Returns whether a report is partial, because a list is incomplete or an organisation was not read. Fails then, unless a
/// partial report is `allowed`. The message says the consequence.
pub(super) fn ensure_complete(
    incomplete: &[String],
    unread: &[Unread],
    consequence: &str,
    (allowed, exit): (bool, Exit),
    out: &Out,
) -> Result<bool, Failure> {
    let partial = !incomplete.is_empty() || !unread.is_empty();
    if partial && !allowed {
        let message = incomplete.iter().map(String::as_str).chain([consequence]).collect::<Vec<_>>().join(" ");
        let failure = Failure::error(message).hint("`--partial` shows what was read, and marks it as partial.");
        return Err(Failure { exit: exit.and(Exit::Error), ..failure });
    }
    for list in incomplete {
        out.talk(&format!("{list}\n"));
    }
    Ok(partial)
}

/// Checks that at least one platform tells what roles allow, if that is asked. Names the others.
fn ensure_answerable(asked: &Asked, organizations: &[Access], out: &Out) -> Result<(), Failure> {
    let holders = || organizations.iter().flat_map(|access| &access.holders);
    let rows = || organizations.iter().flat_map(|access| &access.unreadable);
    for pattern in &asked.users {
        let is_live = holders().any(|holder| pattern.covers(&holder.address));
        if !is_live && !rows().any(|row| pattern.covers(&row.address)) {
            out.talk(&format!("Nobody has the address {}. Check its spelling.\n", clean(pattern)));
        }
    }
    for role in &asked.roles {
        let is_held = holders().flat_map(|holder| &holder.grants).any(|grant| grant.role.as_ref() == Some(role));
        if !is_held {
            out.talk(&format!("Nobody has a role {}. Check its spelling.\n", clean(role)));
        }
    }
    let Some(permission) = &asked.can else { return Ok(()) };
    let silent: Vec<&Access> = organizations.iter().filter(|access| !access.knows_permissions()).collect();
    if silent.len() == organizations.len() {
        return Err(Failure::error(
            "These platforms don't tell what their roles allow, so `--can` has no answer.",
        )
        .hint("Ask with `--role` or `--privileged`."));
    }
    for access in silent {
        let name = format!("{} {}", access.identity.provider, clean(&access.identity.organization));
        out.talk(&format!("{name} doesn't tell what its roles allow, so `--can` shows nothing of it.\n"));
    }
    let known = organizations.iter().any(|access| access.permissions.contains_key(permission));
    if !known {
        out.talk(&format!("No platform names the permission {permission}. Check its spelling.\n"));
    }
    Ok(())
}
