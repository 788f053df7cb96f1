//! The way back: what a plan changes, as a file that desired_users it as it was. And what no file brings back.

mod entries;
mod irreversible;
mod keys;
mod settings;
mod users;
mod yaml;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Source, check_source};
use rolecall_model::{Address, Desired, Facts, Finding, Kind, Live, OrganizationPlan, Rules, is_deceptive};
use yaml::Yaml;

/// What the way back is made of.
#[derive(Clone, Copy)]
pub struct UndoInput<'a> {
    pub desired: &'a Desired,
    /// What is about to be sent.
    pub plan: &'a OrganizationPlan,
    /// What it was planned from.
    pub live: &'a Live,
    pub facts: &'a Facts,
    pub rules: &'static dyn Rules,
    /// The program that writes it.
    pub generator: &'a str,
    /// The run, as the ledger calls it.
    pub run: &'a str,
    pub now: Timestamp,
}

/// The file, and what it can't bring back.
#[derive(Clone, Debug)]
pub struct Undo {
    pub text: String,
    pub irreversible: Vec<Irreversible>,
}

/// Something that can't be undone, or not wholly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Irreversible {
    pub address: Address,
    pub why: String,
}

/// An entity, as the file lists it.
struct Entry {
    address: Address,
    value: Yaml,
}

/// What is found out entity by entity.
#[derive(Default)]
struct UndoBuilder {
    entries: Vec<Entry>,
    irreversible: BTreeSet<Irreversible>,
    /// Why something is listed that the plan doesn't change.
    remarks: BTreeSet<&'static str>,
}

impl UndoBuilder {
    fn write(&mut self, address: Address, value: Vec<(&'static str, Yaml)>) {
        let value = value.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        self.entries.push(Entry { address, value: Yaml::Map(value) });
    }

    fn note(&mut self, address: &Address, why: impl Into<String>) {
        self.irreversible.insert(Irreversible { address: address.clone(), why: why.into() });
    }
}

/// The previous state of what a plan changes. The findings say why it can't be had as a file.
pub fn undo(input: &UndoInput<'_>) -> Result<Undo, Vec<Finding>> {
    let mut builder = UndoBuilder::default();
    entries::plan_entries(input, &mut builder);
    users::plan_users(input, &mut builder);
    keys::plan_keys(input, &mut builder);
    builder.entries.sort_by(|a, b| a.address.cmp(&b.address));
    let head = settings::settings(input.desired);
    if errors(input, &text(input, &head, &builder)).next().is_some() {
        // Platforms have had names that no file may have.
        let (written, unwritten): (Vec<_>, Vec<_>) = builder.entries.drain(..).partition(|entry| {
            let alone = section_of(entry.address.kind, std::slice::from_ref(&entry.value));
            errors(input, &format!("{}{alone}", sections(&head))).next().is_none()
        });
        builder.entries = written;
        for entry in unwritten {
            builder.note(&entry.address, "what it was can't be written into a file; look at the plan");
        }
    }
    let text = text(input, &head, &builder);
    let errors: Vec<Finding> = errors(input, &text).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Undo { text, irreversible: builder.irreversible.into_iter().collect() })
}

fn errors(input: &UndoInput<'_>, text: &str) -> impl Iterator<Item = Finding> {
    let (_, findings) = check_source(&Source::inline("undo", text), |_| input.rules);
    findings.into_iter().filter(Finding::is_error)
}

fn text(input: &UndoInput<'_>, head: &[(&'static str, Yaml)], builder: &UndoBuilder) -> String {
    let identity = &input.plan.sealed.identity;
    let mut text = String::new();
    let mut say = |line: &str| {
        let _ =
            writeln!(text, "{}", if line.is_empty() { "#".to_owned() } else { format!("# {}", one_line(line)) });
    };
    say(&format!("The way back from what {} was about to send to", input.generator));
    say(&format!("{} {} on {}", identity.provider, identity.organization, identity.site));
    say(&format!("in the run {}, by the plan", input.run));
    say(&input.plan.seal);
    say("");
    say(
        "It lists what that plan changes as it was before, and touches nothing else. `rolecall plan` with this file shows",
    );
    say(
        "what undoing it would send, and `rolecall apply` sends it. Keep the ledger: some of it is known from there alone.",
    );
    say("The guardrails are those of the file, and the way back may need an exception of its own.");
    for remark in &builder.remarks {
        say(remark);
    }
    text.push('\n');
    text.push_str(&sections(head));
    for kind in Kind::ALL {
        let of_kind = builder.entries.iter().filter(|entry| entry.address.kind == *kind);
        let values: Vec<Yaml> = of_kind.map(|entry| entry.value.clone()).collect();
        if !values.is_empty() {
            let _ = write!(text, "\n{}", section_of(*kind, &values));
        }
    }
    if !builder.irreversible.is_empty() {
        text.push_str("\n# What can't be undone, or not wholly:\n");
        for Irreversible { address, why } in &builder.irreversible {
            let _ = writeln!(text, "#   {}: {}", one_line(&address.to_string()), one_line(why));
        }
    }
    text
}

fn sections(fields: &[(&'static str, Yaml)]) -> String {
    fields.iter().map(|(name, value)| section(name, value)).collect()
}

/// A field that can't be written is missing then, which the check of the whole finds.
fn section(name: &str, value: &Yaml) -> String {
    yaml::section(name, value).unwrap_or_default()
}

fn section_of(kind: Kind, values: &[Yaml]) -> String {
    match (kind, values) {
        (Kind::Organization, [only, ..]) => section("settings", only),
        (kind, values) => section(&format!("{}s", kind.as_str()), &Yaml::List(values.to_vec())),
    }
}

/// Text of a platform's, so that it stays within its comment.
fn one_line(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        if is_deceptive(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}
