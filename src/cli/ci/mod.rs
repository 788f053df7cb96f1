//! The CI systems: the files that `init` makes for them, and the settings that these files rely on.

mod github;

use std::collections::BTreeSet;
use std::path::Path;

use clap::ValueEnum;

use crate::report::Check;
use rolecall_model::{Credential, Desired, Endpoint, Quirk};

/// The folder that the files in `examples/ci` name.
pub(super) const DEFAULT_FOLDER: &str = "access";

/// The file that names who has to approve a change of the files and the workflows.
pub(super) const CODE_OWNERS: &str = "CODEOWNERS";

/// A CI system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Ci {
    Github,
    Gitlab,
}

/// A step of the set-up, which a person does.
pub(super) struct Step {
    /// The purpose, as a full sentence.
    pub why: &'static str,
    /// Commands to copy, or the page that describes the step.
    pub commands: Vec<String>,
}

/// Everything about the files that the files of a CI system depend on.
pub(super) struct Setup {
    /// The folder of the files, with `/` between its parts.
    pub folder: String,
    /// The environment variables with credentials that can be read from, without an approval of each plan.
    pub variables: BTreeSet<String>,
    /// The environment variables with the credential of an admin, without which nothing can be read.
    pub admin_variables: BTreeSet<String>,
    /// The people or teams that have to approve changes. If no option names them, `CODEOWNERS` does.
    pub owners: Option<String>,
}

impl Setup {
    /// Returns the set-up for these files.
    pub fn new<'d>(folder: &str, organizations: impl Iterator<Item = &'d Desired>, owners: Option<&str>) -> Self {
        let mut setup = Self {
            folder: folder.to_owned(),
            variables: BTreeSet::new(),
            admin_variables: BTreeSet::new(),
            owners: owners.map(ToOwned::to_owned).or_else(named_owners),
        };
        for desired in organizations {
            let is_admin = rolecall_providers::rules(desired.provider).has(Quirk::ReadsAsAdmin);
            let into = if is_admin { &mut setup.admin_variables } else { &mut setup.variables };
            into.extend(variables(desired).map(ToOwned::to_owned));
        }
        setup
    }

    fn all_variables(&self) -> impl Iterator<Item = &String> {
        self.variables.iter().chain(&self.admin_variables)
    }

    /// Returns the lines for `CODEOWNERS`. `None` if nobody said who they are.
    pub fn code_owners(&self) -> Option<String> {
        let (owners, folder) = (self.owners.as_ref()?, &self.folder);
        Some(format!(
            "# Only people who may use the credentials of rolecall approve changes of these.
/{CODE_OWNERS} {owners}
/.github/ {owners}
/{folder}/ {owners}
"
        ))
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
    /// from its source branch. So the pipelines belong into a project of their own, and get a folder of their own here.
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
            Self::Gitlab => (
                "access-ci",
                workflows!(
                    "gitlab",
                    "rolecall.gitlab-ci.yml",
                    "plan.gitlab-ci.yml",
                    "apply.gitlab-ci.yml",
                    "drift.gitlab-ci.yml"
                ),
            ),
        }
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
        match self {
            Self::Github => {
                let text = text.replace(&format!("folder: {DEFAULT_FOLDER}\n"), &format!("folder: {quoted}\n"));
                github::with_secrets(&github::pinned(&text), &setup.all_variables().cloned().collect())
            }
            Self::Gitlab => text.replace(&format!("FOLDER: {DEFAULT_FOLDER}\n"), &format!("FOLDER: {quoted}\n")),
        }
    }

    /// Returns the new text of a file that `init` made for fewer platforms. `None` if a person changed it, or if it is
    /// as it should be.
    pub fn renewed(self, made: &str, template: &str, setup: &Setup) -> Option<String> {
        let known = match self {
            Self::Github => github::secrets(made),
            Self::Gitlab => return None,
        };
        let mut before = Setup {
            folder: setup.folder.clone(),
            variables: known,
            admin_variables: BTreeSet::new(),
            owners: None,
        };
        if self.text(template, &before) != made {
            return None;
        }
        before.variables.extend(setup.all_variables().cloned());
        Some(self.text(template, &before)).filter(|text| text != made)
    }

    /// Returns everything that a person sets up, in order.
    pub fn steps(self, setup: &Setup) -> Vec<Step> {
        match self {
            Self::Github => github::steps(setup),
            Self::Gitlab => {
                let why = "Move the pipelines into a project of their own, which few people may push to.";
                vec![Step { why, commands: vec![page("ci.md#gitlab")] }]
            }
        }
    }

    /// Asks the CI system what is set up.
    pub fn checks(self, setup: &Setup) -> Vec<Check> {
        match self {
            Self::Github => github::checks(setup),
            Self::Gitlab => Vec::new(),
        }
    }
}

/// Returns a word that YAML can't take for anything but text.
pub(super) fn quoted(folder: &str) -> String {
    if folder == DEFAULT_FOLDER { folder.to_owned() } else { format!("'{folder}'") }
}

/// Returns the address of a page of the documentation, as a comment of a shell.
pub(super) fn page(page: &str) -> String {
    format!("#   {}/blob/v{}/docs/{page}", env!("CARGO_PKG_REPOSITORY"), env!("CARGO_PKG_VERSION"))
}
