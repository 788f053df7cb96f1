//! Writes undo files: an ordinary file that asks for the previous state of everything that a plan changes.
//!
//! For example, a plan gives Jane the role `Admin` instead of `Viewer`, removes Bob, and creates the role
//! `Reviewer`. Before apply sends it, rolecall writes:
//!
//! ```yaml
//! users:
//!   - { email: bob@acme.example, roles: [Viewer] }
//!   - { email: jane@acme.example, roles: [Viewer] }
//! roles:
//!   - { name: Reviewer, absent: true }
//! ```
//!
//! To undo the apply, a person plans and applies that file like any other: with a review, the guardrails and the
//! ledger. It lists only what the plan changes and leaves `manage` at its default, so it touches nothing else.
//! Some effects can't be undone. They are listed as comments at the end ([`Irreversible`]): Bob gets a new
//! invitation, by mail, and isn't a member before he accepts it.

mod entries;
mod irreversible;
mod keys;
mod settings;
mod users;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::write::{Document, Entry, Fields, Item, Section, Yaml, one_line, section};
use super::{Format, Source, check_source};
use rolecall_model::{Address, Desired, Facts, Finding, Kind, Live, OrganizationPlan, Renames};

/// The input from which an undo file is made.
#[derive(Clone, Copy)]
pub struct UndoInput<'a> {
    pub desired: &'a Desired,
    /// The plan that apply is about to send.
    pub plan: &'a OrganizationPlan,
    /// The live state from which it was planned.
    pub live: &'a Live,
    pub facts: &'a Facts,
    pub format: &'static Format,
    /// The name and version of rolecall.
    pub generator: &'a str,
    /// The id of the run in the ledger.
    pub run: &'a str,
    pub now: Timestamp,
}

/// An undo file, and the effects that it can't undo.
#[derive(Clone, Debug)]
pub struct Undo {
    pub text: String,
    pub irreversible: Vec<Irreversible>,
}

/// An effect that can't be undone, or only in part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Irreversible {
    pub address: Address,
    pub why: String,
}

/// Collects the entries and notes of an undo file, entity by entity.
#[derive(Default)]
struct UndoBuilder {
    entries: Vec<Entry>,
    irreversible: BTreeSet<Irreversible>,
    /// Explanations of entries for entities that the plan doesn't change.
    remarks: BTreeSet<&'static str>,
}

impl UndoBuilder {
    fn write(&mut self, address: Address, value: Fields) {
        self.entries.push(Entry::new(address, value));
    }

    fn note(&mut self, address: &Address, why: impl Into<String>) {
        self.irreversible.insert(Irreversible { address: address.clone(), why: why.into() });
    }
}

/// Writes the undo file of a plan. The error contains the findings for which the file would be refused.
pub fn undo(input: &UndoInput<'_>) -> Result<Undo, Vec<Finding>> {
    let back = Renames::of_plan(input.plan).reversed();
    if back.is_empty() {
        return undo_by_names(input);
    }
    // The undo file gives earlier names back, so everything in it has those.
    let (mut plan, mut live) = (input.plan.clone(), input.live.clone());
    let (mut facts, mut desired) = (input.facts.clone(), input.desired.clone());
    back.rename_in_plan(&mut plan);
    back.rename_in_live(&mut live);
    back.rename_in_facts(&mut facts);
    back.rename_in_desired(&mut desired);
    undo_by_names(&UndoInput { plan: &plan, live: &live, facts: &facts, desired: &desired, ..*input })
}

/// Writes the undo file of a plan whose users and keys have the names of roles and teams that the file asks for.
fn undo_by_names(input: &UndoInput<'_>) -> Result<Undo, Vec<Finding>> {
    let mut builder = UndoBuilder::default();
    entries::plan_entries(input, &mut builder);
    users::plan_users(input, &mut builder);
    keys::plan_keys(input, &mut builder);
    builder.entries.sort_by(|a, b| a.address.cmp(&b.address));
    let known = settings::known(input);
    if !known.is_empty() {
        builder
            .remarks
            .insert("The others of the original file who have privileged access are named under `acknowledged`.");
    }
    let head = settings::settings(input.desired, known);
    if errors(input, &text(input, &head, &builder)).next().is_some() {
        // Some platforms have names that aren't valid in a file. Entries with such names are left out and noted.
        let (written, unwritten): (Vec<_>, Vec<_>) = builder.entries.drain(..).partition(|entry| {
            let alone = document(sections(&head), std::slice::from_ref(entry));
            errors(input, &alone.text()).next().is_none()
        });
        builder.entries = written;
        for entry in unwritten {
            builder.note(&entry.address, "Its previous value can't be written in a file. The plan shows it.");
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
    let (_, findings) = check_source(&Source::inline("undo", text), |_| input.format);
    findings.into_iter().filter(Finding::is_error)
}

fn text(input: &UndoInput<'_>, head: &[(&'static str, Yaml)], builder: &UndoBuilder) -> String {
    let identity = &input.plan.sealed.identity;
    let mut text = String::new();
    let mut say = |line: &str| {
        let _ =
            writeln!(text, "{}", if line.is_empty() { "#".to_owned() } else { format!("# {}", one_line(line)) });
    };
    say(&format!("This file undoes the changes that {} was about to send to", input.generator));
    say(&format!("{} {} on {}", identity.provider, identity.organization, identity.site));
    say(&format!("in the run {}, by the plan", input.run));
    say(&input.plan.seal);
    say("");
    say(
        "It asks for the previous state of everything that the plan changes, and for nothing else. `rolecall plan` with this",
    );
    say(
        "file shows the changes, and `rolecall apply` sends them. Keep the ledger, because rolecall needs it to undo some of them.",
    );
    say("The guardrails are those of the original file. A plan with this file may need its own exception.");
    for remark in &builder.remarks {
        say(remark);
    }
    text.push('\n');
    text.push_str(&sections(head));
    let mut text = document(text, &builder.entries).text();
    if !builder.irreversible.is_empty() {
        text.push_str("\n# This can't be undone, or only in part:\n");
        for Irreversible { address, why } in &builder.irreversible {
            let _ = writeln!(text, "#   {}: {}", one_line(&address.to_string()), one_line(why));
        }
    }
    text
}

fn sections(fields: &[(&'static str, Yaml)]) -> String {
    fields.iter().map(|(name, value)| section(name, value)).collect()
}

/// Returns a file with these entries, by kind.
fn document(head: String, entries: &[Entry]) -> Document {
    let of_kind = |kind: Kind| entries.iter().filter(move |entry| entry.address.kind == kind).cloned();
    let sections = Kind::ALL.iter().map(|kind| Section {
        kind: *kind,
        notes: Vec::new(),
        items: of_kind(*kind).map(Item::Entry).collect(),
    });
    Document { head, sections: sections.collect() }
}
