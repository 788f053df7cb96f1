//! `rolecall pull`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::connect::GENERATOR;
use super::exit::{Exit, Failure};
use super::files;
use super::offer::{self, Offer};
use super::out::Out;
use super::selection::{Selected, Selector};
use super::session::{Reading, Readings, Session};
use super::{Connection, OUTPUT, Paths, WHAT_TO_WRITE, WHICH_CHANGES};
use crate::report::{self, PULL_VERSION, PullReport, PulledFile};
use rolecall_config::{Gone, LoadedFile, PullOptions, Pulled, Source};
use rolecall_engine::{Pull, PulledText};
use rolecall_model::{Address, Desired, Live, Pattern};

/// Write what is live back into the files.
///
/// Shows how the files would have to change to say what is live, and changes them with --write. Everything else in them
/// stays as it is: comments, order, quotes. Changes nothing on the platform.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  rolecall pull --sandbox examples/hive.yaml         needs no account
  rolecall pull access/ --write                      writes the files
  rolecall pull access/hive.yaml --target user/jane@acme.example
  rolecall pull access/ --gone absent                keeps an entry for who is gone

Exit codes: 0 nothing to pull, or written, 1 error, 2 there is something to pull,
6 platform unreachable. `rolecall exit-codes` explains them.")]
pub(super) struct PullArgs {
    /// Also add what no file lists and no file manages.
    #[arg(long, help_heading = WHAT_TO_WRITE)]
    unlisted: bool,
    /// Remove the entry of an entity that is gone, or keep it with `absent: true`.
    #[arg(long, value_enum, default_value = "remove", value_name = "HOW", help_heading = WHAT_TO_WRITE)]
    gone: GoneArg,
    #[command(flatten)]
    paths: Paths,
    /// Pull only this entity, such as user/jane@acme.example or key/*; repeatable. It is added even if no file
    /// lists it. If there are several organisations, write PROVIDER:ORGANISATION// in front.
    #[arg(
        long = "target",
        value_name = "ADDRESS",
        value_parser = Offer::<Selector>::new(offer::addresses),
        hide_possible_values = true,
        help_heading = WHICH_CHANGES
    )]
    targets: Vec<Selector>,
    /// Leave this entity out; repeatable.
    #[arg(
        long = "exclude",
        value_name = "ADDRESS",
        value_parser = Offer::<Selector>::new(offer::addresses),
        hide_possible_values = true,
        help_heading = WHICH_CHANGES
    )]
    excluded: Vec<Selector>,
    /// Write the files.
    #[arg(long, help_heading = OUTPUT)]
    write: bool,
    /// Print a diff or a JSON document.
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT", help_heading = OUTPUT)]
    format: PullFormat,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum GoneArg {
    /// The entry is removed.
    Remove,
    /// The entry says that the entity must not exist.
    Absent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PullFormat {
    /// The difference of each file.
    Text,
    /// Everything, for programs.
    Json,
}

pub(super) async fn pull(args: &PullArgs, out: &mut Out) -> Result<Exit, Failure> {
    let selected = Selected::new(args.targets.clone(), args.excluded.clone());
    let loaded = args.paths.load(args.connection.commands);
    let session = Session::unrestricted(loaded, &args.connection, out)?.selecting(&selected)?;
    let Readings { read, failed: mut unread, mut exit } = session.read_all(out).await;
    unread.sort();
    let mut results: Vec<(PathBuf, &Source, Pulled)> = Vec::new();
    for reading in &read {
        let Some((file, included)) = session.file_of(reading.organization.desired) else { continue };
        match pull_one(args, reading, (file, included)) {
            Ok(pulled) => {
                // A file that is included and stays as it is needs no mention.
                let shown = pulled.into_iter().filter(|one| {
                    one.path == file.path || one.pulled.text != *one.source.text || !one.pulled.left.is_empty()
                });
                results.extend(shown.map(|PulledText { path, source, pulled }| (path, source, pulled)));
            }
            Err(failure) => exit = exit.and(session.report_failure(&failure, out)),
        }
    }
    results.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    let mut report = PullReport {
        format_version: PULL_VERSION,
        generator: GENERATOR,
        files: results
            .iter()
            .map(|(path, source, pulled)| PulledFile::new(path.display().to_string(), &source.text, pulled))
            .collect(),
        unread,
    };
    for ((path, source, pulled), file) in results.iter().zip(&mut report.files) {
        if pulled.text == *source.text {
            continue;
        }
        if !args.write {
            exit = exit.and(Exit::Differences);
            continue;
        }
        match files::rewrite(path, &source.text, &pulled.text) {
            Ok(()) => file.written = true,
            Err(failure) => exit = exit.and(session.report_failure(&failure, out)),
        }
    }
    if args.format == PullFormat::Json {
        out.result(&report::json(&report));
    } else {
        out.result(&report::pull_diff(&report.files));
        out.talk(&report::pull_summary(&report, args.write));
    }
    Ok(exit)
}

fn pull_one<'a>(
    args: &PullArgs,
    reading: &Reading<'_>,
    (file, included): (&'a LoadedFile, &'a [Source]),
) -> Result<Vec<PulledText<'a>>, Failure> {
    let Reading { organization, live, facts } = reading;
    if let Some(pattern) =
        organization.selection.targets.iter().find(|pattern| !is_known(pattern, organization.desired, live))
    {
        return Err(Failure::error(format!("Neither the file nor live has {pattern}, which `--target` names."))
            .hint("Check the spelling. `rolecall access` and `rolecall drift` show every address."));
    }
    let options = PullOptions {
        targets: organization.selection.targets.clone(),
        excluded: organization.selection.excluded.clone(),
        gone: match args.gone {
            GoneArg::Remove => Gone::Remove,
            GoneArg::Absent => Gone::Absent,
        },
        unlisted: args.unlisted,
    };
    let input = Pull {
        provider: organization.desired.provider,
        live,
        facts,
        site: &organization.connected.site,
        caller: Some(&organization.connected.caller),
        now: args.paths.now(),
        options: &options,
    };
    rolecall_engine::pull(&input, file, included).map_err(Failure::findings)
}

/// Returns whether something that the file lists or that is live has one of these addresses.
fn is_known(pattern: &Pattern, desired: &Desired, live: &Live) -> bool {
    let people = live.users.items.iter().map(|user| Address::user(&user.email).with_id(&user.id));
    let invited = live.invitations().iter().map(|invitation| &invitation.email);
    let invited = invited.flat_map(|email| [Address::user(email), Address::invitation(email)]);
    let keys = live.keys().iter().map(|key| Address::key(&key.name).with_id(&key.id));
    let roles = live.roles().iter().map(|role| Address::role(&role.name));
    let teams = live.teams().iter().map(|team| Address::team(&team.name));
    let rows = live.unreadable.iter().map(|row| row.address.clone());
    let listed = desired.users.iter().map(|user| Address::user(&user.email));
    let listed = listed
        .chain(desired.roles.iter().map(|role| Address::role(&role.name)))
        .chain(desired.teams.iter().map(|team| Address::team(&team.name)))
        .chain(desired.keys.iter().map(|key| Address::key(&key.name)));
    let live = people.chain(invited).chain(keys).chain(roles).chain(teams).chain(rows);
    live.chain(listed).chain([Address::organization()]).any(|address| pattern.covers(&address))
}
