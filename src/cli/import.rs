//! `rolecall import`

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum, ValueHint};
use jiff::Timestamp;

use super::exit::{Exit, Failure};
use super::files::{self, Readers};
use super::import_people::import_people;
use super::load;
use super::out::Out;
use super::session::{Reading, Readings, Session};
use super::{CONNECTION, Connection, OUTPUT, WHAT_TO_WRITE, head};
use crate::report;
use rolecall_config::{Imported, Loaded, has_field, load_text};
use rolecall_engine::Import;
use rolecall_model::{Desired, Kind, ProviderName, Scope, list_of};

/// Write a file that describes an organisation as it is live.
///
/// Reads live and writes the smallest file that a plan finds in sync. Changes nothing on the platform, and writes no
/// secret.
#[derive(Clone, Debug, Args)]
#[command(
    override_usage = "rolecall import [OPTIONS] PROVIDER ORGANISATION\n       rolecall import [OPTIONS] FILE\n       rolecall import --people FILE [OPTIONS] PATHS...",
    after_help = "Examples:
  rolecall import --sandbox hive acme                       prints a file for the sandbox's organisation
  rolecall import hive acme --out access/hive.yaml          writes the file
  rolecall import hive acme --manage all --only users       only the users, and all of them
  rolecall import access/hive.yaml --write                  fills a file that has only a head
  rolecall import --people access/people.yaml access/       prints everybody in all of them, once

Exit codes: 0 written, 1 error, 2 a plan with the file isn't empty, 6 platform
unreachable. `rolecall exit-codes` explains them."
)]
pub(super) struct ImportArgs {
    /// A provider and the id or slug of an organisation; or a file that lists nobody yet. With `--people`, files and
    /// folders.
    #[arg(required = true, num_args = 1.., value_name = "PROVIDER ORGANISATION|FILE")]
    pub what: Vec<PathBuf>,
    /// Write a new people file instead: everybody in these organisations, each person once.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["manage", "only", "out", "endpoint"],
        help_heading = WHAT_TO_WRITE
    )]
    people: Option<PathBuf>,
    /// Write `manage` with this scope for every collection.
    #[arg(long, value_enum, value_name = "SCOPE", help_heading = WHAT_TO_WRITE)]
    manage: Option<ManageArg>,
    /// Write only these, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KINDS", help_heading = WHAT_TO_WRITE)]
    only: Vec<Only>,
    /// Write a file even if a list is incomplete. Its head says so, and it manages only what it lists.
    #[arg(long, help_heading = OUTPUT)]
    pub partial: bool,
    /// Write a new file instead of printing it.
    #[arg(long, value_name = "FILE", conflicts_with = "write", help_heading = OUTPUT)]
    out: Option<PathBuf>,
    /// Write FILE instead of printing it. With `--people`, the organisations' files also include it.
    #[arg(long, help_heading = OUTPUT)]
    pub write: bool,
    /// Reach the organisation at this URL, and write it as the endpoint.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, help_heading = CONNECTION)]
    endpoint: Option<String>,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ManageArg {
    /// rolecall changes only what the file names.
    Listed,
    /// rolecall also removes what the file doesn't name.
    All,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Only {
    Settings,
    Teams,
    Roles,
    Users,
    Keys,
}

impl ManageArg {
    fn scope(self) -> Scope {
        match self {
            Self::Listed => Scope::Listed,
            Self::All => Scope::All,
        }
    }
}

impl Only {
    fn kind(self) -> Kind {
        match self {
            Self::Settings => Kind::Organization,
            Self::Teams => Kind::Team,
            Self::Roles => Kind::Role,
            Self::Users => Kind::User,
            Self::Keys => Kind::Key,
        }
    }
}

/// The text that the imported file begins with, and where it comes from.
struct Start {
    loaded: Loaded,
    text: String,
    /// The file, if there is one.
    file: Option<PathBuf>,
}

pub(super) async fn import(args: &ImportArgs, out: &mut Out) -> Result<Exit, Failure> {
    if let Some(path) = args.people.iter().chain(&args.out).find(|path| path.symlink_metadata().is_ok()) {
        let hint = if args.people.is_some() {
            "Name a new file. It gets the people whom no included file has. The paths of the organisations come after it."
        } else {
            "Name another file with `--out`. `rolecall import FILE --write` fills a file that lists nobody."
        };
        return Err(
            Failure::error(format!("The file {} exists already. Nothing was read.", path.display())).hint(hint)
        );
    }
    if let Some(people) = &args.people {
        return import_people(args, people, out).await;
    }
    let Start { loaded, text, file } = start(args, out)?;
    // A new file says what it manages, so that a reader sees that there is a choice.
    let manage = args.manage.or(if file.is_none() { Some(ManageArg::Listed) } else { None });
    let wanted = Wanted { manage, only: &args.only, partial: args.partial };
    let imported = read(loaded, &text, &wanted, &args.connection, out).await?;
    if let Some(file) = &file {
        let whole = load_text(&file.display().to_string(), &imported.text, rolecall_providers::format);
        if whole.has_errors() {
            out.findings(&whole.findings, &[&whole.files[0].source]);
            return Err(Failure::error(format!(
                "The entries can't be added to {}. Nothing was written.",
                file.display()
            ))
            .hint("They are added at its end. Write the head as one block, without a list that is empty."));
        }
    }
    save(args, &imported, file.as_deref().map(|file| (file, &*text)), out)?;
    Ok(warn(&imported, out))
}

/// The choices of what a file has.
pub(super) struct Wanted<'a> {
    /// The scope of every collection. `None` if the head says it.
    pub manage: Option<ManageArg>,
    /// The lists to write. Empty if these are all.
    pub only: &'a [Only],
    /// Whether a list may be incomplete.
    pub partial: bool,
}

/// Reads the organisation of a head, and returns its file. Whatever isn't in the failure has been printed.
pub(super) async fn read(
    loaded: Loaded,
    head: &str,
    wanted: &Wanted<'_>,
    connection: &Connection,
    out: &mut Out,
) -> Result<Imported, Failure> {
    let desired = loaded.files.iter().find_map(|file| file.desired.as_ref());
    let kinds = desired.map(|desired| kinds(wanted.only, desired.provider)).transpose()?.unwrap_or_default();
    let session = Session::reading(loaded, &kinds, connection, out)?;
    let Readings { read, failed: _, exit } = session.read_all(out).await;
    let [Reading { organization, live, facts }] = &*read else {
        return Err(Failure { exit, ..Failure::findings(Vec::new()) });
    };
    let desired = organization.desired;
    let imported = rolecall_engine::import(&Import {
        provider: desired.provider,
        head,
        manage: wanted.manage.map(ManageArg::scope),
        kinds: &kinds,
        live,
        facts,
        site: &organization.connected.site,
        own_key: organization.connected.caller.id.as_ref().or(desired.own_key.as_deref()),
        now: Timestamp::now(),
    });
    if !wanted.partial && !imported.incomplete.is_empty() {
        return Err(incomplete(&organization.name(), &imported));
    }
    Ok(imported)
}

/// Prints everything that keeps a plan with the file from being empty. Returns how the run ends.
pub(super) fn warn(imported: &Imported, out: &Out) -> Exit {
    for problem in &imported.problems {
        let about = problem.change.as_ref().map(|address| format!("{address}: ")).unwrap_or_default();
        out.talk(&format!("warning: {}{}\n", report::clean(about), report::clean(&problem.message)));
    }
    if imported.problems.is_empty() { Exit::Done } else { Exit::Differences }
}

/// Returns the number of entries of a file in words.
pub(super) fn counted(imported: &Imported) -> String {
    let entries = imported.entries.iter().filter(|(kind, count)| *count > 0 && *kind != Kind::Organization);
    let counted: Vec<String> = entries.map(|(kind, count)| report::plural(*count, kind.as_str())).collect();
    match &*counted {
        [] => "nobody".to_owned(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// Returns the text that the file begins with: of a file, or of a head that is made up.
fn start(args: &ImportArgs, out: &Out) -> Result<Start, Failure> {
    let words: Vec<&Path> = args.what.iter().map(PathBuf::as_path).collect();
    if let [provider, organization] = &*words {
        if args.write {
            return Err(
                Failure::error("`--write` fills a file, and there is none.").hint("Name a new file with `--out`.")
            );
        }
        let (provider, organization) =
            (head::provider(&provider.display().to_string())?, organization.display().to_string());
        let text = head::text(provider, &organization, args.endpoint.as_deref(), args.connection.sandbox)?;
        return Ok(Start { loaded: head::load(provider, &organization, &text), text, file: None });
    }
    let [file] = &*words else { return Err(Failure::error("Name one organisation, or one file.")) };
    if let Some(provider) = file.to_str().and_then(ProviderName::parse).filter(|_| !file.exists()) {
        return Err(Failure::error(format!("`{provider}` is a provider, and no organisation is named."))
            .hint(format!("Write `rolecall import {provider} ORGANISATION`.")));
    }
    if args.endpoint.is_some() {
        return Err(Failure::error("`--endpoint` is for a new file, and this file names its endpoint."));
    }
    let loaded = load(&[file.to_path_buf()], &args.connection.commands, Timestamp::now());
    let [found] = &*loaded.files else {
        let sources: Vec<_> = loaded.sources().collect();
        out.findings(&loaded.findings, &sources);
        return Err(Failure::error(format!("{} isn't one rolecall file.", file.display()))
            .hint("Name one file that has a head and lists nobody, or a provider and an organisation."));
    };
    if found.desired.as_ref().is_some_and(lists_somebody) {
        return Err(Failure::error(format!("The file {} has entries already.", file.display()))
            .hint("Import fills a file that has only a head. Leave the entries out, or import into a new file."));
    }
    if has_field(&found.source, "include") {
        return Err(Failure::error(format!("The file {} includes others, and an import doesn't read them.", file.display()))
            .hint("Import into a new file, or without `include`. Then let groups give what the entries say, and remove these."));
    }
    if args.manage.is_some() && has_field(&found.source, "manage") {
        return Err(Failure::error(format!("The file {} says `manage` itself.", file.display()))
            .hint("Leave out `--manage`, or remove the field."));
    }
    let (text, file) = (found.source.text.clone(), found.path.clone());
    Ok(Start { text, file: Some(file), loaded })
}

/// Returns whether a file has more than a head.
pub(super) fn lists_somebody(desired: &Desired) -> bool {
    let Desired { organization_entity, teams, roles, users, keys, .. } = desired;
    organization_entity.is_some() || !(teams.is_empty() && roles.is_empty() && users.is_empty() && keys.is_empty())
}

/// Returns the kinds of entities to write.
fn kinds(only: &[Only], provider: ProviderName) -> Result<BTreeSet<Kind>, Failure> {
    let known = rolecall_config::kinds(rolecall_providers::format(provider));
    if only.is_empty() {
        return Ok(known.into_iter().collect());
    }
    let wanted: BTreeSet<Kind> = only.iter().map(|only| only.kind()).collect();
    let names: Vec<&str> = known.iter().map(|kind| kind.section()).collect();
    match wanted.iter().find(|kind| !known.contains(kind)) {
        None => Ok(wanted),
        Some(kind) => Err(Failure::error(format!("A file of `{provider}` has no `{}`.", kind.section()))
            .hint(format!("It has {}.", list_of(&names, "and")))),
    }
}

fn incomplete(name: &str, imported: &Imported) -> Failure {
    let lists = imported.incomplete.iter().map(|(kind, why)| format!("the list of {} ({why})", kind.section()));
    let lists: Vec<String> = lists.collect();
    Failure::error(format!(
        "A file for {name} would lack somebody, because this is incomplete: {}.",
        lists.join(", ")
    ))
    .hint("Give the credential what it lacks. `--only` leaves a list out, and `--partial` writes what was read.")
}

/// Prints the file or writes it, and says what it contains.
fn save(
    args: &ImportArgs,
    imported: &Imported,
    file: Option<(&Path, &str)>,
    out: &mut Out,
) -> Result<(), Failure> {
    let text = &imported.text;
    let target = match (&args.out, file) {
        (Some(path), _) => {
            files::create_folder_of(path)?;
            files::create(path, text, Readers::Everybody)?;
            Some(path.as_path())
        }
        (None, Some((path, read))) if args.write => {
            files::rewrite(path, read, text)?;
            Some(path)
        }
        (None, _) => {
            out.result(text);
            None
        }
    };
    let counted = counted(imported);
    let sandbox = if args.connection.sandbox { " --sandbox" } else { "" };
    match target {
        Some(path) => out.talk(&format!(
            "{} lists {counted}. `rolecall plan{sandbox} {}` compares it with live.\n",
            path.display(),
            path.display()
        )),
        None => out.talk(&format!("The file lists {counted}. `--out FILE` writes it to a file.\n")),
    }
    Ok(())
}
