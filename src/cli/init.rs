//! `rolecall init`

use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use clap::{Args, ValueEnum, ValueHint};
use jiff::Timestamp;

use super::ci::{self, CODE_OWNERS, Ci, DEFAULT_FOLDER, Setup, page, quoted};
use super::connect::file_name;
use super::exit::{Exit, Failure};
use super::files::{self, Readers};
use super::import::{self, ManageArg, Wanted};
use super::load;
use super::out::Out;
use super::schema::{SchemaName, schema_text};
use super::{CI, CONNECTION, Connection, OUTPUT, WHAT_TO_WRITE, head};
use crate::report::clean;
use rolecall_config::{Answers, Loaded, Source};
use rolecall_model::{Code, Desired, ProviderName, list_of, quote};

/// Make a repository to start with.
///
/// Makes a file that describes an organisation as it is live, with a schema for editors, lines for .gitignore, a
/// pre-commit hook, and the workflows of a CI. Only ever adds: a file that exists is kept, and .gitignore gets the lines
/// that it lacks. Run it again to add another organisation. Changes nothing on the platform.
#[derive(Clone, Debug, Args)]
#[command(
    override_usage = "rolecall init [OPTIONS] [PROVIDER ORGANISATION]",
    after_help = "Examples:
  rolecall init                                asks which organisation, on a terminal
  rolecall init --sandbox hive acme            makes a repository for the sandbox's organisation
  rolecall init hive acme --ci github          makes the workflows for GitHub, too

Exit codes: 0 made, 1 error, 2 a plan with the file isn't empty, 6 platform
unreachable. `rolecall exit-codes` explains them."
)]
pub(super) struct InitArgs {
    /// A provider and the id or slug of an organisation. Without them, a terminal asks.
    #[arg(num_args = 2, value_names = ["PROVIDER", "ORGANISATION"])]
    what: Vec<String>,
    /// Write `manage` with this scope for every collection.
    #[arg(long, value_enum, value_name = "SCOPE", help_heading = WHAT_TO_WRITE)]
    manage: Option<ManageArg>,
    /// Also make the workflows or pipelines that plan, apply and report drift.
    #[arg(long, value_enum, help_heading = CI)]
    ci: Option<Ci>,
    /// Name who has to approve changes of files and workflows, such as `@acme/platform`: makes CODEOWNERS.
    #[arg(long, value_name = "TEAM", requires = "ci", value_parser = ci::owners, help_heading = CI)]
    owners: Option<String>,
    /// Make the organisation's file in this folder.
    #[arg(long, value_name = "FOLDER", default_value = DEFAULT_FOLDER, value_hint = ValueHint::DirPath, help_heading = OUTPUT)]
    folder: PathBuf,
    /// Write a file even if a list is incomplete. Its head says so, and it manages only what it lists.
    #[arg(long, help_heading = OUTPUT)]
    partial: bool,
    /// Reach the organisation at this URL, and write it as the endpoint.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, help_heading = CONNECTION)]
    endpoint: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

/// The schema lies beside the files, and git has it. So editors check the files without a network, in every clone, and
/// wherever the folder is moved.
const SCHEMA: &str = "rolecall.schema.json";

/// The lines of `.gitignore`: ledgers, caches and the sandbox; and keys that are delivered as the examples do it.
const IGNORED: [&str; 2] = [".rolecall/", "/keys/"];

const IGNORE: &str = ".gitignore";
const PRE_COMMIT: &str = ".pre-commit-config.yaml";

/// The answers to the questions: which organisation, and which CI.
struct Chosen {
    provider: ProviderName,
    organization: String,
    ci: Option<Ci>,
    /// Whether a terminal was asked.
    asked: bool,
}

/// The file of the organisation.
struct File {
    path: PathBuf,
    desired: Desired,
    /// The text of a new file. `None` if the file exists already.
    text: Option<String>,
    /// Words for people about the text.
    about: String,
    /// Whether the file has more than a head.
    is_filled: bool,
}

pub(super) async fn init(args: &InitArgs, out: &mut Out) -> Result<Exit, Failure> {
    let folder = folder_name(&args.folder)?;
    let is_in_git = is_in_git(&folder)?;
    let ignored = match Path::new(IGNORE) {
        path if path.exists() => Some(files::read_text(path)?),
        _ => None,
    };
    let chosen = chosen(args, out)?;
    chosen.ci.map_or(Ok(()), Ci::ensure_remote)?;
    let known = existing(&folder, out)?;
    let (file, exit) = match described(&known, &chosen) {
        Some(file) if file.is_filled => (file, Exit::Done),
        // Nobody is in it yet, so a plan isn't empty.
        Some(file) => (file, Exit::Differences),
        None => written(&folder, &chosen, args, out).await?,
    };

    ignore(ignored.as_deref(), out)?;
    make(&Path::new(&folder).join(SCHEMA), &schema_text(SchemaName::File), "", out)?;
    make(&file.path, file.text.as_deref().unwrap_or_default(), &file.about, out)?;
    make(Path::new(PRE_COMMIT), &pre_commit(&folder), "", out)?;
    let organizations = known.iter().map(|(_, desired)| desired).chain([&file.desired]);
    let setup = Setup::new(&folder, organizations, args.owners.as_deref());
    if let Some(ci) = chosen.ci {
        make_ci(ci, &setup, out)?;
    }
    out.result(&next(args, &setup, chosen.ci, &file, is_in_git));
    Ok(exit)
}

/// Makes the files of a CI. A workflow that an earlier run made for other platforms gets their secrets too.
fn make_ci(ci: Ci, setup: &Setup, out: &mut Out) -> Result<(), Failure> {
    let (folder, files) = ci.files();
    for (name, template) in files {
        let path = Path::new(folder).join(name);
        let made = if path.is_file() { files::read_text(&path)? } else { String::new() };
        match ci.renewed(&made, template, setup) {
            Some(text) => {
                files::rewrite(&path, &made, &text)?;
                out.result(&format!(
                    "changed  {}, which hands over the secrets of all platforms now\n",
                    path.display()
                ));
            }
            None => make(&path, &ci.text(template, setup), &ci.lacks(&made, template, setup), out)?,
        }
    }
    ci.code_owners(setup).map_or(Ok(()), |text| make(Path::new(CODE_OWNERS), &text, "", out))
}

/// Returns the name of the folder as the workflows write it. A name with other characters could mean something else
/// to YAML, to a shell or to a pattern.
fn folder_name(folder: &Path) -> Result<String, Failure> {
    let is_plain = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    let names: Option<Vec<&str>> = folder
        .components()
        .map(|part| match part {
            Component::Normal(name) => name.to_str().filter(|name| is_plain(name)),
            _ => None,
        })
        .collect();
    let names = names.filter(|names| names.first().is_some_and(|first| !is_ignored(first, &IGNORED)));
    names.map(|names| names.join("/")).ok_or_else(|| {
        Failure::error(format!("The folder {} can't have the files. Nothing was made.", folder.display())).hint(
            "Name a folder below this one, such as `access`, with letters, digits, `-`, `_` and `.`. `keys` is for secrets.",
        )
    })
}

/// Returns whether this folder is the top of a git repository. A folder within one is an error, because git, pre-commit
/// and CI look for their files at the top.
fn is_in_git(folder: &str) -> Result<bool, Failure> {
    let here = std::env::current_dir()
        .map_err(|why| Failure::error(format!("The current folder can't be read: {why}. Nothing was made.")))?;
    match here.ancestors().find(|ancestor| ancestor.join(".git").exists()) {
        Some(top) if top != here => {
            let below = here.strip_prefix(top).unwrap_or(&here).join(folder);
            Err(Failure::error(format!(
                "This folder is in the repository {}, and CI reads only its top. Nothing was made.",
                top.display()
            ))
            .hint(format!(
                "Run it there with `--folder {}`. For a repository of its own, run `git init` here first.",
                below.display()
            )))
        }
        top => Ok(top.is_some()),
    }
}

/// Returns what the command line says, or asks on a terminal.
fn chosen(args: &InitArgs, out: &Out) -> Result<Chosen, Failure> {
    if let [provider, organization] = &*args.what {
        let (provider, organization) = (head::provider(provider)?, organization.clone());
        return Ok(Chosen { provider, organization, ci: args.ci, asked: false });
    }
    let names: Vec<&str> = ProviderName::ALL.iter().map(|name| name.as_str()).collect();
    let provider = head::provider(&ask(&format!("Which platform: {}? ", list_of(&names, "or")), out)?)?;
    let organization = ask("Which organisation? Type its id or its slug: ", out)?;
    let ci = match args.ci {
        Some(ci) => Some(ci),
        None => match &*ask("Which CI: `github`, `gitlab` or `none`? ", out)? {
            "none" => None,
            word => Some(Ci::from_str(word, true).map_err(|_| {
                Failure::error(format!("There are no workflows for {}. Nothing was made.", quote(word)))
                    .hint("Answer `github`, `gitlab` or `none`. docs/ci.md says what any other CI needs.")
            })?),
        },
    };
    Ok(Chosen { provider, organization, ci, asked: true })
}

fn ask(question: &str, out: &Out) -> Result<String, Failure> {
    let answer = out.ask_for(question).ok_or_else(|| {
        Failure::error("No organisation is named, and there is no terminal to ask on. Nothing was made.").hint(
            "Write `rolecall init PROVIDER ORGANISATION`. `--ci github` or `--ci gitlab` makes workflows, too.",
        )
    })?;
    if answer.is_empty() { Err(Failure::error("There was no answer. Nothing was made.")) } else { Ok(answer) }
}

/// Returns the files of the folder, each with the organisation that it describes.
fn existing(folder: &str, out: &Out) -> Result<Vec<(PathBuf, Desired)>, Failure> {
    let path = PathBuf::from(folder);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let loaded = load(&[path], &Answers::default(), Timestamp::now());
    refuse(&loaded, out)?;
    Ok(loaded.files.into_iter().filter_map(|file| Some((file.path, file.desired?))).collect())
}

/// Returns the file that describes the organisation already.
fn described(known: &[(PathBuf, Desired)], chosen: &Chosen) -> Option<File> {
    let (path, desired) = known.iter().find(|(_, desired)| {
        desired.provider == chosen.provider
            && desired.organization.as_str().eq_ignore_ascii_case(&chosen.organization)
    })?;
    let is_filled = import::lists_somebody(desired);
    Some(File { path: path.clone(), desired: desired.clone(), text: None, about: String::new(), is_filled })
}

/// Prints the findings and fails, if one is an error.
fn refuse(loaded: &Loaded, out: &Out) -> Result<(), Failure> {
    if !loaded.findings.iter().any(|finding| finding.is_error() && finding.code != Code::NoFiles) {
        return Ok(());
    }
    let sources: Vec<&Source> = loaded.sources().collect();
    out.findings(&loaded.findings, &sources);
    Err(Failure::error("Because of these errors, nothing was made."))
}

/// Reads the organisation and returns its new file. If it can't be read, the file has only its head.
async fn written(folder: &str, chosen: &Chosen, args: &InitArgs, out: &mut Out) -> Result<(File, Exit), Failure> {
    let Chosen { provider, organization, ci: _, asked } = chosen;
    let endpoints = rolecall_providers::format(*provider).head.endpoints;
    let endpoint = match &args.endpoint {
        None if *asked && endpoints.len() > 1 && !args.connection.sandbox => {
            Some(ask(&format!("Which endpoint? The vendor documents {}: ", list_of(endpoints, "and")), out)?)
        }
        endpoint => endpoint.clone(),
    };
    let head = head::text(*provider, organization, endpoint.as_deref(), args.connection.sandbox)?;
    let loaded = head::load(*provider, organization, &head);
    refuse(&loaded, out)?;
    let Some(desired) = loaded.files.iter().find_map(|file| file.desired.clone()) else {
        return Err(Failure::findings(Vec::new()));
    };
    let path = free_path(folder, &desired)?;

    let manage = Some(args.manage.unwrap_or(ManageArg::Listed));
    let wanted = Wanted { manage, only: &[], partial: args.partial };
    let (text, about, exit) = match import::read(loaded, &head, &wanted, &args.connection, out).await {
        Ok(imported) => {
            let about = format!(", which lists {}", import::counted(&imported));
            let exit = import::warn(&imported, out);
            (imported.text, about, exit)
        }
        // The sandbox needs no credential, so it fails only for an organisation that it doesn't have.
        Err(failure) if args.connection.sandbox => return Err(failure),
        Err(failure) => {
            out.failure(&failure);
            (head, ", which lists nobody yet, because live couldn't be read".to_owned(), failure.exit)
        }
    };
    let is_filled = exit == Exit::Done || exit == Exit::Differences;
    let text = Some(format!("# yaml-language-server: $schema={SCHEMA}\n#\n{text}"));
    Ok((File { path, desired, text, about, is_filled }, exit))
}

/// Returns the path of a new file for an organisation.
fn free_path(folder: &str, desired: &Desired) -> Result<PathBuf, Failure> {
    let provider = desired.provider;
    let long = format!("{provider}-{}", file_name(&desired.organization));
    let mut paths =
        [provider.to_string(), long].map(|name| Path::new(folder).join(format!("{name}.yaml"))).into_iter();
    paths.find(|path| path.symlink_metadata().is_err()).ok_or_else(|| {
        Failure::error(format!(
            "The folder {folder} has other files with the names for {provider}. Nothing was made."
        ))
        .hint("Rename them, or name another folder with `--folder`.")
    })
}

/// Makes a file and says so. A file that exists is kept.
fn make(path: &Path, text: &str, about: &str, out: &mut Out) -> Result<(), Failure> {
    if path.symlink_metadata().is_ok() {
        out.result(&format!("kept     {}{about}\n", path.display()));
        return Ok(());
    }
    files::create_folder_of(path)?;
    files::create(path, text, Readers::Everybody)?;
    out.result(&format!("made     {}{about}\n", path.display()));
    Ok(())
}

/// Adds the lines that `.gitignore` lacks, and changes nothing else of it.
fn ignore(read: Option<&str>, out: &mut Out) -> Result<(), Failure> {
    let path = Path::new(IGNORE);
    let Some(read) = read else { return make(path, &with_lines(""), "", out) };
    let text = with_lines(read);
    if text == read {
        return make(path, read, "", out);
    }
    files::rewrite(path, read, &text)?;
    out.result(&format!(
        "changed  {IGNORE}, which lacked {}\n",
        text[read.len()..].split_whitespace().collect::<Vec<_>>().join(" and ")
    ));
    Ok(())
}

/// Returns the text with the lines that it lacks at its end.
fn with_lines(read: &str) -> String {
    let has: Vec<&str> = read.lines().map(str::trim).collect();
    let end = if read.contains("\r\n") { "\r\n" } else { "\n" };
    let mut text = read.to_owned();
    for line in IGNORED.into_iter().filter(|line| !is_ignored(line, &has)) {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push_str(end);
        }
        text.push_str(line);
        text.push_str(end);
    }
    text
}

/// Returns whether one of these lines names the same file or folder.
fn is_ignored(name: &str, lines: &[&str]) -> bool {
    lines.iter().any(|line| line.trim_matches('/') == name.trim_matches('/'))
}

/// Returns the file for pre-commit, as docs/install.md shows it.
fn pre_commit(folder: &str) -> String {
    format!(
        "# {PRE_COMMIT}, for https://pre-commit.com
repos:
  - repo: {}
    rev: v{}
    hooks:
      - id: rolecall-validate
        args: [{}]
",
        env!("CARGO_PKG_REPOSITORY"),
        env!("CARGO_PKG_VERSION"),
        quoted(folder)
    )
}

/// Returns everything that comes next, in order, as commands to copy.
fn next(args: &InitArgs, setup: &Setup, ci: Option<Ci>, file: &File, is_in_git: bool) -> String {
    let folder = &setup.folder;
    let sandbox = if args.connection.sandbox { " --sandbox" } else { "" };
    let mut steps: Vec<(&str, Vec<String>)> = Vec::new();
    let variables = missing_variables(&file.desired);
    if !args.connection.sandbox && !variables.is_empty() {
        let lines = variables.iter().map(|name| format!("read -rs {name} && export {name}"));
        steps.push((
            "Paste the credential. Neither the screen nor the history of the shell shows it.",
            lines.collect(),
        ));
    }
    if !file.is_filled {
        let manage = if args.manage == Some(ManageArg::All) { " --manage all" } else { "" };
        let command = format!("rolecall import {} --write{manage}{sandbox}", file.path.display());
        steps.push((
            "Check the organisation and the endpoint in the file. Then fill it from what is live.",
            vec![command],
        ));
    }
    steps.push((
        "Compare the files with live. Nothing is sent.",
        vec![format!("rolecall plan{sandbox} {folder}/")],
    ));
    let mut git = Vec::from_iter((!is_in_git).then(|| "git init".to_owned()));
    let hooks = std::fs::read_to_string(PRE_COMMIT).unwrap_or_default();
    if hooks.contains("rolecall-validate") {
        git.push("pre-commit install".to_owned());
        steps.push(("Check the files before each commit.", git));
    } else {
        git.push(page("install.md#as-a-pre-commit-hook"));
        steps.push(("Add the hook to your file for pre-commit.", git));
    }
    match ci {
        Some(ci) => steps.extend(ci.steps(setup).into_iter().map(|step| (step.why, step.commands))),
        None if Ci::value_variants().iter().any(|ci| ci.is_made()) => {}
        None => {
            let folder = if folder == DEFAULT_FOLDER { String::new() } else { format!(" --folder {folder}") };
            let Desired { provider, organization, .. } = &file.desired;
            let organization = clean(organization.as_str());
            let command = format!("rolecall init {provider} {organization} --ci github{folder}{sandbox}");
            steps.push(("Make the workflows, for `github` or `gitlab`.", vec![command]));
        }
    }
    steps.push((
        "Read what the file says, and go on in small steps.",
        vec![page("existing-organization.md#2-read-the-file")],
    ));
    let mut text = "\nNext:\n".to_owned();
    for (number, (why, lines)) in (1..).zip(steps) {
        let _ = writeln!(text, "\n  # {number}. {why}");
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

/// Returns the environment variables that the file names and that aren't set.
fn missing_variables(desired: &Desired) -> Vec<&str> {
    ci::variables(desired).filter(|name| std::env::var_os(name).is_none()).collect()
}
