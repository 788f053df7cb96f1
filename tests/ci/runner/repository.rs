//! A team's work with its repository, at any host.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::github::git;
use crate::support::cli::{ALLOWED_HOSTS, Env};

/// A user to add to a file.
pub const ZOE: &str = "  - email: zoe@acme.example\n    roles: [Viewer]\n    resources: all\n";

/// A team whose clone is the folder `clone` of its environment.
pub trait Repository {
    fn env(&self) -> &Env;
    /// Returns the repository that the clone pushes to.
    fn remote(&self) -> PathBuf;
    /// Returns credentials that can read the platform.
    fn credentials(&self) -> &BTreeMap<String, String>;

    fn git(&self, args: &[&str]) -> String {
        git(&self.env().path("clone"), args)
    }

    fn commit(&self, file: &str) {
        self.env().write("clone/access/file.yaml", file);
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "change access"]);
    }

    /// Resets the clone to main.
    fn at_main(&self) {
        self.git(&["fetch", "--quiet", "origin"]);
        self.git(&["checkout", "--quiet", "--detach", "origin/main"]);
    }

    /// Returns the file on main.
    fn file(&self) -> String {
        self.git(&["show", "origin/main:access/file.yaml"])
    }

    fn main(&self) -> String {
        git(&self.remote(), &["rev-parse", "main"])
    }

    /// Returns the changes in a plan of main.
    fn changes_left(&self) -> Vec<String> {
        let mut command = self.env().command();
        command.envs(self.credentials()).env("ROLECALL_ALLOWED_HOSTS", ALLOWED_HOSTS);
        self.env().write("now.yaml", self.file());
        let said = command.args(["plan", "--format", "json", "now.yaml"]).output().unwrap();
        let plan: Value = serde_json::from_slice(&said.stdout).unwrap();
        let changes = plan["organizations"][0]["sealed"]["changes"].as_array().unwrap();
        changes.iter().map(|change| change["address"].as_str().unwrap().to_owned()).collect()
    }

    /// Writes to main that the access of [`ZOE`] ended long ago.
    fn end_access_of_zoe(&self) {
        self.at_main();
        let ended = ZOE.replace("roles:", "until: 2020-01-01\n    roles:");
        self.commit(&self.file().replace(ZOE, &ended));
        self.git(&["push", "--quiet", "origin", "HEAD:main"]);
        let left = self.changes_left();
        assert!(left.iter().any(|address| address.contains("zoe")), "{left:?}");
    }

    /// Returns the lines on the ledger's branch. `None` if there is no such branch.
    fn ledger(&self) -> Option<String> {
        let refs = git(&self.remote(), &["for-each-ref", "refs/heads/rolecall-ledger"]);
        (!refs.is_empty()).then(|| git(&self.remote(), &["show", "rolecall-ledger:hive-acme.jsonl"]))
    }

    /// Returns the file on main with more entries at its end.
    fn file_with(&self, more: &str) -> String {
        self.file().replace("\nusers:\n", &format!("\nusers:\n{more}"))
    }
}
