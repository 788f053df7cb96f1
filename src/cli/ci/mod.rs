//! The CI systems: the files that `init` makes for them, and the settings that these files rely on.

mod github;
mod gitlab;
mod host;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::Value;

use super::about;
use super::exit::Failure;
use crate::report::{Answer, Check, Topic, clean};
use host::System;
use rolecall_model::{Credential, Desired, Endpoint, Quirk};

/// The folder that the files in `examples/ci` name.
pub(super) const DEFAULT_FOLDER: &str = "access";

/// The variable with the token of an endpoint for ledgers.
const LEDGER_TOKEN: &str = "ROLECALL_LEDGER_TOKEN";

/// The file that names who has to approve a change of the files and the workflows.
pub(super) const CODE_OWNERS: &str = "CODEOWNERS";

/// The command that commits everything on the main branch.
const COMMIT: &str = "git add --all && git commit --message 'Access as code' && git branch --move main";

/// A CI system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Ci {
    Github,
    Gitlab,
}

/// An environment of the workflows or pipelines.
struct Environment {
    name: &'static str,
    /// Whether each run needs some people: at GitHub to approve it, at GitLab to start it. `None` if that is up to the team.
    restricted: Option<bool>,
    reads: Reads,
    /// Whether its secrets are for protected branches only.
    protected: bool,
    /// The name of the key or the token of the repository that it has.
    key: Option<&'static str>,
}

/// The credentials of the platforms that an environment has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    Nothing,
    WithoutAdmins,
    Everything,
}

/// An environment without anything, for protected branches.
const OPEN: Environment =
    Environment { name: "", restricted: Some(false), reads: Reads::Nothing, protected: true, key: None };

impl Environment {
    /// Returns the names of the variables with credentials of platforms that it needs.
    fn credentials<'s>(&self, setup: &'s Setup) -> impl Iterator<Item = &'s String> {
        let named = (self.reads != Reads::Nothing).then_some(&setup.variables);
        let admins = (self.reads == Reads::Everything).then_some(&setup.admin_variables);
        named.into_iter().chain(admins).flatten()
    }
}

/// A step of the set-up, which a person does.
pub(super) struct Step {
    /// The purpose, as a full sentence.
    pub why: &'static str,
    /// Commands to copy, or the page that describes the step.
    pub commands: Vec<String>,
}

/// Everything about the files that the files of a CI system depend on.
#[derive(Clone, Default)]
pub(super) struct Setup {
    /// The folder of the files, with `/` between its parts.
    pub folder: String,
    /// The environment variables with credentials that can be read from, without an approval of each plan.
    pub variables: BTreeSet<String>,
    /// The environment variables with the credential of an admin, without which nothing can be read.
    pub admin_variables: BTreeSet<String>,
    /// The people or teams that have to approve changes. If no option names them, `CODEOWNERS` does.
    pub owners: Option<String>,
    /// The URL of the ledgers. `None` if they are kept on their branch.
    pub ledger: Option<String>,
}

impl Setup {
    /// Returns the set-up for these files.
    pub fn new<'d>(folder: &str, organizations: impl Iterator<Item = &'d Desired>, owners: Option<&str>) -> Self {
        let owners = owners.map(ToOwned::to_owned).or_else(named_owners);
        let mut setup = Self { folder: folder.to_owned(), owners, ..Self::default() };
        for desired in organizations {
            let is_admin = rolecall_providers::rules(desired.provider).has(Quirk::ReadsAsAdmin);
            let into = if is_admin { &mut setup.admin_variables } else { &mut setup.variables };
            into.extend(variables(desired).map(ToOwned::to_owned));
        }
        setup
    }

    /// Returns the same set-up with the ledgers that these workflows or this pipeline name. An endpoint needs its token
    /// wherever a credential is read; the variables of a bucket depend on its vendor.
    fn with_ledger_of(&self, text: &str) -> Self {
        let mut setup = self.clone();
        setup.ledger = setting(text, "ledger").filter(|url| !url.is_empty()).map(ToOwned::to_owned);
        if setup.ledger.as_ref().is_some_and(|url| url.starts_with("http")) {
            setup.variables.insert(LEDGER_TOKEN.to_owned());
        }
        setup
    }

    fn all_variables(&self) -> impl Iterator<Item = &String> {
        self.variables.iter().chain(&self.admin_variables)
    }

    /// Returns the first owner, as the path of a group and the name of a team in it.
    fn team(&self) -> Option<(&str, &str)> {
        let owner = self.owners.as_deref()?.split_whitespace().next()?;
        owner.trim_start_matches('@').rsplit_once('/')
    }

    /// Returns the first owner, if it is a person.
    fn person(&self) -> Option<&str> {
        let owner = self.owners.as_deref()?.split_whitespace().next()?.strip_prefix('@')?;
        Some(owner).filter(|owner| !owner.contains('/'))
    }
}

/// Returns the owners in the last line of `CODEOWNERS`.
fn named_owners() -> Option<String> {
    let text = std::fs::read_to_string(CODE_OWNERS).ok()?;
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let mut owners =
        lines.filter_map(|line| line.split_once(char::is_whitespace)).map(|(_, owners)| owners.trim());
    owners.rfind(|owners| owners.starts_with('@')).map(ToOwned::to_owned)
}

/// Returns the environment variables that a file names for its credentials and its endpoint.
pub(super) fn variables(desired: &Desired) -> impl Iterator<Item = &str> {
    let endpoint = match &*desired.endpoint {
        Endpoint::Env(name) => Some(&**name),
        Endpoint::Url(_) => None,
    };
    let credentials = desired.credentials.values().filter_map(|credential| match &credential.value {
        Credential::Env(name) => Some(&**name),
        Credential::File(_) | Credential::Command(_) => None,
    });
    endpoint.into_iter().chain(credentials)
}

impl Ci {
    /// Returns the folder of the files, and each one with its text. GitLab takes the pipeline of a merge request
    /// from its source branch. So the pipeline belongs into a project of its own, and gets a folder of its own here.
    pub fn files(self) -> (&'static str, &'static [(&'static str, &'static str)]) {
        macro_rules! workflows {
            ($folder:literal, $($name:literal),+) => {
                &[$(($name, include_str!(concat!("../../../examples/ci/", $folder, "/", $name)))),+]
            };
        }
        match self {
            Self::Github => (
                ".github/workflows",
                workflows!("github", "rolecall-plan.yml", "rolecall-apply.yml", "rolecall-drift.yml"),
            ),
            Self::Gitlab => ("access-ci", workflows!("gitlab", "rolecall.gitlab-ci.yml")),
        }
    }

    /// Returns the lines for `CODEOWNERS`. `None` if nobody said who they are.
    pub fn code_owners(self, setup: &Setup) -> Option<String> {
        let (owners, folder) = (setup.owners.as_ref()?, &setup.folder);
        let workflows = match self {
            Self::Github => format!("/.github/ {owners}\n"),
            Self::Gitlab => String::new(),
        };
        Some(format!(
            "# Only people who may use the credentials of rolecall approve changes of these.
/{CODE_OWNERS} {owners}
{workflows}/{folder}/ {owners}
"
        ))
    }

    /// Returns whether its first file exists.
    pub fn is_made(self) -> bool {
        let (folder, files) = self.files();
        files.first().is_some_and(|(name, _)| Path::new(folder).join(name).exists())
    }

    /// Returns a file of it for these files.
    pub fn text(self, template: &str, setup: &Setup) -> String {
        let folder = &setup.folder;
        let quoted = quoted(folder);
        let text = template.replace(&format!("'{DEFAULT_FOLDER}/**'"), &format!("'{folder}/**'"));
        let text = text.replace(&format!("folder: {DEFAULT_FOLDER}\n"), &format!("folder: {quoted}\n"));
        let text = pinned(&text);
        match self {
            Self::Github => github::with_secrets(&text, &setup.all_variables().cloned().collect()),
            Self::Gitlab => gitlab::mirrored(&text, setup),
        }
    }

    /// Returns the new text of a file that `init` made for fewer platforms. `None` if a person changed it, or if it is
    /// as it should be.
    pub fn renewed(self, made: &str, template: &str, setup: &Setup) -> Option<String> {
        let known = match self {
            Self::Github => github::secrets(made),
            Self::Gitlab => return None,
        };
        let mut before = Setup { folder: setup.folder.clone(), variables: known, ..Setup::default() };
        if self.text(template, &before) != made {
            return None;
        }
        before.variables.extend(setup.all_variables().cloned());
        Some(self.text(template, &before)).filter(|text| text != made)
    }

    /// Returns what to tell about a file that a person changed, and that lacks secrets of the files.
    pub fn lacks(self, made: &str, template: &str, setup: &Setup) -> String {
        let missing = match self {
            Self::Github if !made.is_empty() => github::missing_secrets(made, template, setup),
            Self::Github | Self::Gitlab => BTreeSet::new(),
        };
        let lines = github::lines_of(&missing);
        if lines.is_empty() {
            String::new()
        } else {
            format!(", which lacks under `secrets`: {}", lines.join("; "))
        }
    }

    /// Returns everything that a person sets up, in order.
    pub fn steps(self, setup: &Setup) -> Vec<Step> {
        match self {
            Self::Github => github::steps(setup),
            Self::Gitlab => gitlab::steps(setup),
        }
    }

    fn system(self) -> &'static System {
        match self {
            Self::Github => &host::GITHUB,
            Self::Gitlab => &host::GITLAB,
        }
    }

    /// Fails if the remotes of this folder are at another CI system, or not where a variable says.
    pub fn ensure_remote(self) -> Result<(), Failure> {
        let refused = self.system().place().err();
        refused.map_or(Ok(()), |it| Err(Failure::error(format!("{} Nothing was made.", it.says)).hint(it.hint)))
    }

    /// Asks the CI system what is set up. If it can't be asked at all, this is in the way.
    pub fn checks(self, setup: &Setup) -> Vec<Check> {
        let System { name, program, page, .. } = self.system();
        let place = match self.system().place() {
            Ok(place) => place,
            Err(refused) => {
                return vec![no(format!("{} Nothing was asked.", refused.says), refused.hint, Vec::new())];
            }
        };
        let login = match place.host.filter(|host| host != self.system().default_host()) {
            Some(host) => format!("`{program} auth login --hostname {host}`"),
            None => format!("`{program} auth login`"),
        };
        if which::which(program).is_err() {
            let says = format!("The program `{program}` isn't installed, so {name} can't be asked.");
            return vec![no(says, format!("Install it from {page}, and sign in: {login}."), Vec::new())];
        }
        let checks = match self {
            Self::Github => github::checks(setup),
            Self::Gitlab => gitlab::checks(setup),
        };
        let mended = |hint: String| hint.replace(&format!("`{program} auth login`"), &login);
        checks.into_iter().map(|check| Check { hint: check.hint.map(mended), ..check }).collect()
    }
}

/// Parses the owners of `--owners`: teams or people, each with an `@`.
pub(super) fn owners(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let is_owner = |word: &str| {
        word.strip_prefix('@')
            .is_some_and(|name| !name.is_empty() && name.chars().all(is_plain) && !name.ends_with('/'))
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() || !words.iter().all(|word| is_owner(word)) {
        return Err("write a team or a person, such as @acme/platform or @jane".to_owned());
    }
    Ok(words.join(" "))
}

/// Returns the value of a setting in the text of a workflow or a pipeline.
fn setting<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let value = |line: &'t str| line.split('#').next()?.trim().strip_prefix(name)?.strip_prefix(": ");
    text.lines().find_map(value).map(|value| value.trim().trim_matches(['\'', '"']))
}

/// Returns that the ledgers aren't on their branch.
fn kept_at(url: &str) -> Check {
    yes(format!("The ledger is kept at {}.", clean(url))).hint("`rolecall doctor --ledger` checks the store.")
}

/// Returns a word that YAML can't take for anything but text.
pub(super) fn quoted(folder: &str) -> String {
    if folder == DEFAULT_FOLDER { folder.to_owned() } else { format!("'{folder}'") }
}

/// Returns the address of a page of the documentation, as a comment of a shell.
pub(super) fn page(page: &str) -> String {
    format!("#   {}/blob/v{}/docs/{page}", env!("CARGO_PKG_REPOSITORY"), env!("CARGO_PKG_VERSION"))
}

/// Returns a text in which rolecall's own files are pinned to the commit of this program, if that is known.
fn pinned(text: &str) -> String {
    let Some(commit) = about::commit() else { return text.to_owned() };
    let pin =
        |line: &str| match line.split_once("rolecall-dev/rolecall/").and_then(|(_, used)| used.split_once('@')) {
            Some((_, pin)) => line.replace(pin, &format!("{commit} # v{}", env!("CARGO_PKG_VERSION"))),
            None => line.to_owned(),
        };
    let mut lines: Vec<String> = text.lines().map(pin).collect();
    lines.push(String::new());
    lines.join("\n")
}

/// The end of an answer: the CI system has it, hasn't it, or doesn't show it.
enum Asked {
    Found(Value),
    Missing,
    Hidden(String),
}

/// The longest time for an answer of `gh` or `glab`.
const LONGEST: Duration = Duration::from_secs(30);

/// Asks an API with `gh` or `glab`, which have the credential of the person.
fn ask_with(program: &str, path: &str, prepare: impl FnOnce(&mut Command)) -> Asked {
    let Ok(found) = which::which(program) else {
        return Asked::Hidden(format!("the program `{program}` isn't installed"));
    };
    let (send, answer) = mpsc::channel();
    let mut command = Command::new(found);
    command.args(["api", path]).stdin(Stdio::null());
    prepare(&mut command);
    // A program that hangs ends with the machine, and not this check.
    thread::spawn(move || send.send(command.output()));
    let said = match answer.recv_timeout(LONGEST) {
        Ok(Ok(said)) => said,
        Ok(Err(why)) => return Asked::Hidden(why.to_string()),
        Err(_) => {
            return Asked::Hidden(format!("`{program}` gave no answer within {} seconds", LONGEST.as_secs()));
        }
    };
    let error = String::from_utf8_lossy(&said.stderr);
    match serde_json::from_slice(&said.stdout) {
        Ok(answer) if said.status.success() => Asked::Found(answer),
        _ if error.contains("HTTP 404") || error.contains("404 Not Found") => Asked::Missing,
        _ => Asked::Hidden(
            first_of(&error).unwrap_or_else(|| format!("`{program}` gave an answer that isn't JSON")),
        ),
    }
}

/// Returns the first message of an error. `glab` breaks it into lines, below a title.
fn first_of(error: &str) -> Option<String> {
    let mut lines = error.lines().map(str::trim).skip_while(|line| line.is_empty());
    match lines.next()? {
        "ERROR" => {
            let lines: Vec<&str> =
                lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty()).collect();
            Some(lines.join(" "))
        }
        line => Some(line.to_owned()),
    }
}

/// Returns whether a program says that this folder has no remote, or is no repository.
fn has_no_remote(why: &str) -> bool {
    why.contains("no git remotes") || why.contains("not a git repository")
}

/// Returns the check of an answer without which nothing else can be asked.
fn unasked(check: Check) -> Check {
    Check { answer: Answer::No, ..check }
}

fn yes(says: impl Into<String>) -> Check {
    Check::yes(Topic::Ci, says)
}

fn no(says: impl Into<String>, hint: impl Into<String>, commands: Vec<String>) -> Check {
    Check::no(Topic::Ci, says, hint).commands(commands)
}
