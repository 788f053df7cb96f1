//! `rolecall import --people`

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::exit::{Exit, Failure};
use super::files::{self, Readers};
use super::import::ImportArgs;
use super::out::Out;
use super::session::{Readings, Session};
use super::{head, load};
use crate::report::{clean, plural};
use rolecall_config::{Everybody, Included, Roster, include_people, is_yaml, known_people};
use rolecall_model::Kind;

/// Writes a people file of everybody in these organisations, and lets their files include it. Only prints it without
/// `--write`.
pub(super) async fn import_people(args: &ImportArgs, people: &Path, out: &mut Out) -> Result<Exit, Failure> {
    if !is_yaml(people) {
        return Err(Failure::error(format!("{} isn't the name of a people file.", people.display()))
            .hint("Name a new file that ends in `.yaml` or `.yml`, and then the files of the organisations."));
    }
    let words: Vec<&Path> = args.what.iter().map(PathBuf::as_path).collect();
    if let Some((provider, organization)) = head::named(&words) {
        return Err(Failure::error("`--people` needs the files of organisations, and this isn't one.")
            .hint(format!("Write it first, with `rolecall import {provider} {organization} --out FILE`.")));
    }
    let now = Timestamp::now();
    let session = Session::reading(
        load(&args.what, &args.connection.commands, now),
        &BTreeSet::from([Kind::User]),
        &args.connection,
        out,
    )?;
    let loaded = session.loaded();
    let refuse = |findings: Vec<_>| {
        out.findings(&findings, &session.sources());
        Failure::findings(Vec::new())
    };
    let known = known_people(loaded).map_err(refuse)?;
    let Readings { read, failed, exit } = session.read_all(out).await;
    if !failed.is_empty() {
        let failure = Failure::error("Not all of the organisations can be read, so nothing was written.");
        return Err(Failure { exit, ..failure });
    }
    let rosters: Vec<Roster<'_>> = read
        .iter()
        .map(|reading| Roster {
            organization: reading.organization.desired.organization.as_str(),
            live: &reading.live,
            format: rolecall_providers::format(reading.organization.desired.provider),
        })
        .collect();
    let everybody = rolecall_config::everybody(&rosters, &known);
    if !args.partial && !everybody.incomplete.is_empty() {
        let lists = clean(everybody.incomplete.join("; "));
        return Err(Failure::error(format!("The people file would lack somebody. This is incomplete: {lists}."))
            .hint("Give the credential what it lacks. `--partial` writes what was read."));
    }
    if everybody.people.is_empty() {
        out.talk("There is nobody whom the included people files don't have already. Nothing was written.\n");
        return Ok(Exit::Done);
    }
    let included = include_people(loaded, &everybody, people).map_err(refuse)?;
    let edited: Vec<_> = included.people.iter().chain(&included.edited).cloned().collect();
    let after = rolecall_config::reload(loaded, &edited, now, rolecall_providers::format);
    if after.has_errors() {
        out.talk("The files would have errors with the people file, so nothing was written:\n");
        out.findings(&after.findings, &after.sources().collect::<Vec<_>>());
        return Err(Failure::findings(Vec::new()));
    }
    if args.write {
        write(people, &everybody, &included)?;
    } else {
        out.result(&everybody.text);
    }
    tell(args, people, &everybody, &included, (rosters.len(), out));
    Ok(Exit::Done)
}

/// Writes the people file, and the files that include it: all of them, or none.
fn write(people: &Path, everybody: &Everybody, included: &Included) -> Result<(), Failure> {
    files::create_folder_of(people)?;
    files::create(people, &everybody.text, Readers::Everybody)?;
    let texts: Vec<(&Path, &str, &str)> =
        included.edited.iter().map(|file| (&*file.path, &*file.before, &*file.after)).collect();
    files::rewrite_all(&texts).inspect_err(|_| {
        // No file includes it.
        let _ = std::fs::remove_file(people);
    })
}

/// Says what the people file has, and what to do next.
fn tell(
    args: &ImportArgs,
    people: &Path,
    everybody: &Everybody,
    included: &Included,
    (organizations, out): (usize, &Out),
) {
    let people_of = |count: usize| if count == 1 { "1 person".to_owned() } else { format!("{count} people") };
    out.talk(&format!(
        "{} lists {} of {}, {} of them in more than one.\n",
        if args.write { people.display().to_string() } else { "The file".to_owned() },
        people_of(everybody.people.len()),
        plural(organizations, "organisation"),
        everybody.shared
    ));
    if everybody.doubtful > 0 {
        let doubtful = people_of(everybody.doubtful);
        out.talk(&format!("Perhaps it lists {doubtful} under two addresses. Comments there say what to do.\n"));
    }
    for (file, path) in &included.left {
        out.talk(&format!(
            "{} can't be edited. Add `include: [{path}]` yourself, if both files are in one repository.\n",
            file.display()
        ));
    }
    for (file, path) in &included.empty {
        let file = file.display();
        out.talk(&format!(
            "{file} lists no users, so it wasn't changed. Fill it with `rolecall import {file} --write`, and then add `include: [{path}]`.\n"
        ));
    }
    let including = plural(included.people.len(), "organisation file");
    if included.people.is_empty() && args.write {
        return;
    }
    if args.write {
        let sandbox = if args.connection.sandbox { " --sandbox" } else { "" };
        let paths: Vec<String> = args.what.iter().map(|path| path.display().to_string()).collect();
        out.talk(&format!(
            "Changed {including} to include it. `rolecall plan{sandbox} {}` compares with live. Then write `groups`.\n",
            paths.join(" ")
        ));
    } else {
        out.talk(&format!("`--write` writes it as {}, and lets {including} include it.\n", people.display()));
    }
}
