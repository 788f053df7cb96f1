//! Writes what is live back into a file, for `rolecall pull`.
//!
//! For example, the file gives Jane the role `Viewer`, and somebody made her an `Admin` in the web app. A plan would make
//! her a viewer again. A pull changes `roles` in her entry instead, and leaves the rest of the file as it is:
//!
//! ```yaml
//! users:
//!   - email: jane@acme.example # on call
//!     roles: [Admin]
//! ```
//!
//! The plan decides whom a pull is about, and the entries that an import would write decide what the file has to say. A
//! pull is proved as an import is: a plan with the new text must not change what was pulled. An entry for which it would
//! is left as it was, with the reason.

mod differences;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use differences::{Difference, differences};
pub use written::{Stated, stated};
use written::{Written, written};

use super::edit::{At, Edit, Edited, Meaning, WrittenFields, edit};
use super::import::{self, ImportInput};
use super::write::{Fields, Flow, Item, Yaml, absent};
use super::{Format, Source};
use rolecall_model::{
    AccountField, Address, Change, Desired, EcoString, EndingAccess, Entity, Finding, Kind, Live, LiveKey,
    OrganizationPlan, Pattern, RemoteId, Seen, User,
};

/// The input from which a file is pulled.
#[derive(Clone, Copy)]
pub struct PullInput<'a> {
    pub source: &'a Source,
    pub live: &'a Live,
    pub format: &'static Format,
    /// The id of the key that rolecall signs in with, if it is known.
    pub own_key: Option<&'a RemoteId>,
    pub now: Timestamp,
    pub options: &'a PullOptions,
    /// The entries that other files of the organisation have. `None` for an included file, of which only its own entries
    /// are pulled.
    pub elsewhere: Option<&'a Stated>,
}

/// The part of the drift that is pulled, and how.
#[derive(Clone, Debug, Default)]
pub struct PullOptions {
    /// Pulls only these. Empty means everything.
    pub targets: Vec<Pattern>,
    pub excluded: Vec<Pattern>,
    pub gone: Gone,
    /// True if entities that the file neither lists nor manages are added.
    pub unlisted: bool,
}

/// The edit of an entry whose entity doesn't exist any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gone {
    /// The entry is removed.
    #[default]
    Remove,
    /// The entry says `absent: true`.
    Absent,
}

/// A file that says what is live, as far as it could be pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    pub text: String,
    pub pulled: BTreeMap<Address, Pull>,
    /// The differences that stay, and why.
    pub left: BTreeMap<Address, String>,
}

/// The edit of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pull {
    /// The entry is new.
    Added,
    /// Fields of the entry have other values.
    Changed,
    /// The entry is removed, or says `absent: true`.
    Gone,
}

/// A text as a run would plan it.
pub type Check<'a> = dyn Fn(&str) -> Result<(Desired, OrganizationPlan), Vec<Finding>> + 'a;

/// The entries that an import would write, by the kind and the name of their entities.
type LiveEntries = BTreeMap<(Kind, EcoString), Vec<(Address, Fields)>>;

/// The number of rounds after which an entry that still differs is left as it was. Roles can decide what a file says
/// about teams, so one round isn't always enough.
const ROUNDS: usize = 4;

/// Writes what is live into the file.
///
/// # Errors
///
/// Returns the findings for which the file as it is can't be planned.
pub fn pull(input: &PullInput<'_>, check: &Check<'_>) -> Result<Pulled, Vec<Finding>> {
    let mut left = BTreeMap::new();
    let live = live_entries(input);
    loop {
        let known = left.len();
        let pulled = attempt(input, &live, check, &mut left)?;
        if let Some(Pulled { left: said, .. }) = &pulled {
            for (address, why) in said {
                left.entry(address.clone()).or_insert_with(|| why.clone());
            }
        }
        if let Some(pulled) = pulled {
            return Ok(Pulled { left, ..pulled });
        }
        if left.len() == known {
            // Nothing is to blame, so nothing is pulled.
            return Ok(Pulled { text: input.source.text.clone(), pulled: BTreeMap::new(), left });
        }
    }
}

/// Pulls everything but what is `left`. Returns `None` if more has to be left.
fn attempt(
    input: &PullInput<'_>,
    live: &LiveEntries,
    check: &Check<'_>,
    left: &mut BTreeMap<Address, String>,
) -> Result<Option<Pulled>, Vec<Finding>> {
    let mut text = input.source.text.clone();
    let mut pulled: BTreeMap<Address, Pull> = BTreeMap::new();
    let first = check(&text)?;
    let mut now = first;
    for round in 0..=ROUNDS {
        let (desired, plan) = &now;
        let mut edits: Vec<(Address, Pull, Edit)> = Vec::new();
        let (mut found, mut said) = differences(input, desired, plan);
        let written = written(&text, found.keys().chain(said.keys()).map(|address| address.kind));
        let is_here = |address: &Address| {
            let key = (address.kind, address.name.clone());
            match input.elsewhere {
                Some(elsewhere) => !elsewhere.contains(&key),
                None => written.positions.contains_key(&key),
            }
        };
        found.retain(|address, _| is_here(address));
        said.retain(|address, _| is_here(address));
        for (address, difference) in &found {
            if left.contains_key(address) {
                continue;
            }
            let edit = edit_of(input, (&written, live), address, difference).and_then(|(pull, edit)| match pull {
                Pull::Added => still_ends(desired, address).map(|()| (pull, edit)),
                Pull::Changed => keeps_renamed(desired, &written, address, &edit).map(|()| (pull, edit)),
                Pull::Gone => Ok((pull, edit)),
            });
            match edit {
                Ok((pull, edit)) => edits.push((address.clone(), pull, edit)),
                Err(why) => {
                    left.insert(address.clone(), why);
                    if pulled.contains_key(address) {
                        return Ok(None);
                    }
                }
            }
        }
        if edits.is_empty() {
            return Ok(Some(Pulled { text, pulled, left: said }));
        }
        if round == ROUNDS {
            let why = "A file can't say what is live there: a plan would still change it.";
            left.extend(edits.into_iter().map(|(address, ..)| (address, why.to_owned())));
            return Ok(None);
        }
        let only: Vec<Edit> = edits.iter().map(|(_, _, edit)| edit.clone()).collect();
        let Edited { text: edited, refused } = edit(&text, &only);
        if edited == text && refused.is_empty() {
            let why = "A file can't say what is live there: the entry already says so, and a plan would still change it.";
            left.extend(edits.into_iter().map(|(address, ..)| (address, why.to_owned())));
            return Ok(None);
        }
        // An anchor may be free once the entries with its aliases are gone, so a refused edit is tried again.
        if refused.len() == edits.len() {
            for (at, why) in refused {
                left.insert(edits[at].0.clone(), why);
            }
            if edits.iter().any(|(address, ..)| pulled.contains_key(address)) {
                return Ok(None);
            }
            continue;
        }
        match check(&edited) {
            Ok(after) => now = after,
            Err(findings) => {
                blame(&text, &edits, check, &findings, left);
                return Ok(None);
            }
        }
        text = edited;
        for (at, (address, pull, _)) in edits.into_iter().enumerate() {
            if !refused.contains_key(&at) {
                pulled.entry(address).or_insert(pull);
            }
        }
    }
    Ok(None)
}

/// Leaves the entries for which the file would be refused.
fn blame(
    text: &str,
    edits: &[(Address, Pull, Edit)],
    check: &Check<'_>,
    findings: &[Finding],
    left: &mut BTreeMap<Address, String>,
) {
    let known = left.len();
    for (address, _, one) in edits {
        if let Err(findings) = check(&edit(text, std::slice::from_ref(one)).text) {
            left.insert(address.clone(), refusal(&findings));
        }
    }
    if left.len() == known {
        left.extend(edits.iter().map(|(address, ..)| (address.clone(), refusal(findings))));
    }
}

fn refusal(findings: &[Finding]) -> String {
    let first = findings.iter().find(|finding| finding.is_error()).or(findings.first());
    let why = first.map(|finding| finding.message.as_str()).unwrap_or_default();
    format!("The file would no longer be valid: {why}")
}

// ---- what the file has to say

/// Returns the edit after which the file says what is live about one entity.
fn edit_of(
    input: &PullInput<'_>,
    (written, live): (&Written, &LiveEntries),
    address: &Address,
    difference: &Difference<'_>,
) -> Result<(Pull, Edit), String> {
    let section = address.kind.section();
    let at = written.find(address)?;
    let written = written.entries.get(&address.kind).map(Vec::as_slice).unwrap_or_default();
    let place =
        |index| if address.kind == Kind::Organization { At::Field(section) } else { At::Item(section, index) };
    if let (Some(now), Some(at)) = (difference.renamed, at) {
        let set = vec![("email", Yaml::text(&now.name))];
        return Ok((Pull::Changed, Edit::Change { at: place(at), set, unset: Vec::new() }));
    }
    let earlier = difference.change.and_then(Change::renamed_from);
    let live = find_live(input, live, earlier.as_ref().unwrap_or(address))?;
    match (at.and_then(|at| Some((at, written.get(at)?))), live) {
        (Some((at, entry)), Some(live)) => {
            let (mut set, mut unset) = fields_to_change(input, address, entry, &live, difference)?;
            // What the file renames keeps the name that it has.
            if let Some(earlier) = earlier {
                set.push(("name", Yaml::text(earlier.name)));
                unset.push("previously");
            }
            Ok((Pull::Changed, Edit::Change { at: place(at), set, unset }))
        }
        (None, Some(entry)) => Ok((Pull::Added, Edit::Add { section, entry })),
        (Some(_), None) if address.kind == Kind::Organization => {
            Err("The organisation doesn't exist, and a file describes one that does.".to_owned())
        }
        (Some(_), None) if !input.live.is_complete(address.kind) => {
            Err("The list is incomplete, so nobody knows whether it still exists.".to_owned())
        }
        (Some((at, entry)), None) => Ok((
            Pull::Gone,
            match input.options.gone {
                Gone::Remove => Edit::Remove { section, index: at },
                Gone::Absent => {
                    let names = ["email", "name", "id", "absent"];
                    let unset =
                        known_fields().filter(|field| !names.contains(field) && entry.contains_key(*field));
                    Edit::Change { at: place(at), set: vec![absent()], unset: unset.collect() }
                }
            },
        )),
        (None, None) => {
            Err("Neither the file nor the lists of the platform have an entry that could be written. If a group gives the access, take the person out of the group.".to_owned())
        }
    }
}

/// Refuses an entry of a person's own that would make access permanent which groups give until a date.
fn still_ends(desired: &Desired, address: &Address) -> Result<(), String> {
    let of_groups = desired.endings.iter().find(|ending| {
        ending.address.covers(address)
            && !matches!(ending.what, EndingAccess::All | EndingAccess::Tolerated { .. })
    });
    match of_groups {
        Some(ending) => Err(format!(
            "An entry would replace what groups give, and some of that ends: see {}. Write the entry yourself, with `until`.",
            ending.place
        )),
        None => Ok(()),
    }
}

/// Refuses an edit that takes away what ends and what the file renames: live has it by its earlier name, without a date.
fn keeps_renamed(desired: &Desired, written: &Written, address: &Address, edit: &Edit) -> Result<(), String> {
    let Edit::Change { at: At::Item(_, index), set, .. } = edit else { return Ok(()) };
    let entry = written.entries.get(&address.kind).and_then(|entries| entries.get(*index));
    let roles = desired.roles.iter().filter(|role| !role.previously.is_empty()).map(|role| role.name.as_str());
    let teams = desired.teams.iter().filter(|team| !team.previously.is_empty()).map(|team| team.name.as_str());
    let renamed: Vec<&str> = roles.chain(teams).collect();
    for (field, value) in set.iter().filter(|(field, _)| matches!(*field, "roles" | "teams")) {
        let has = |of: &Meaning, name: &str| {
            let is_meant = |item: &Meaning| ["role", "team"].iter().any(|field| item.text_of(field) == Some(name));
            of.items().iter().any(is_meant) || of.field(name).is_some_and(|team| team.field("until").is_some())
        };
        let (before, after) = (entry.and_then(|entry| entry.get(*field)), Meaning::from(value));
        let is_lost = |name: &&&str| before.is_some_and(|before| has(before, name)) && !has(&after, name);
        if let Some(name) = renamed.iter().find(is_lost) {
            return Err(format!(
                "`{name}` ends, and the file renames it. Apply the rename first, or write the entry yourself."
            ));
        }
    }
    Ok(())
}

/// Returns every field that an entry can have, except the note, which says nothing about live.
fn known_fields() -> impl Iterator<Item = &'static str> {
    [
        "email",
        "name",
        "previously",
        "id",
        "first_name",
        "last_name",
        "phone",
        "roles",
        "permissions",
        "resources",
        "teams",
        "enabled",
        "status",
        "description",
        "thumbnail",
        "expires",
        "lifetime",
        "max_age",
        "rotate_before",
        "overlap",
        "rotate",
        "rotate_own",
        "deliver",
        "absent",
        "delete",
        "until",
        "seats",
        "create",
    ]
    .into_iter()
}

/// Returns the entries that an import would write.
fn live_entries(input: &PullInput<'_>) -> LiveEntries {
    let kinds: BTreeSet<Kind> = import::kinds(input.format).into_iter().collect();
    let import = ImportInput {
        head: "",
        manage: None,
        kinds: &kinds,
        live: input.live,
        format: input.format,
        own_key: input.own_key,
        now: input.now,
    };
    let mut entries = LiveEntries::new();
    for item in import::sections(&import, &mut BTreeSet::new()).into_iter().flat_map(|section| section.items) {
        if let Item::Entry(entry) = item {
            let of = entries.entry((entry.address.kind, entry.address.name.clone())).or_default();
            of.push((entry.address, entry.fields));
        }
    }
    entries
}

/// Returns the entry that says what is live, or `None` if nothing with this address is live.
fn find_live(input: &PullInput<'_>, live: &LiveEntries, address: &Address) -> Result<Option<Fields>, String> {
    let is_meant = |of: &Address| of.id == address.id || of.id.is_none() || address.id.is_none();
    let of_name = live.get(&(address.kind, address.name.clone())).map(Vec::as_slice).unwrap_or_default();
    let mut meant = of_name.iter().filter(|(of, _)| is_meant(of));
    match (meant.next(), meant.next()) {
        (Some(_), Some(_)) => Err("Several live entities have this name, and the entry has no `id`.".to_owned()),
        (Some((_, only)), None) => Ok(Some(only.clone())),
        (None, _) if is_listed(input, address) => {
            Err("It is live, and a file can't describe it as it is.".to_owned())
        }
        (None, _) => Ok(None),
    }
}

/// Returns whether something with this address is live, although no entry can be written for it. A key that doesn't
/// work any more counts as none.
fn is_listed(input: &PullInput<'_>, address: &Address) -> bool {
    let live = input.live;
    match address.kind {
        Kind::User => {
            let member = live.users.items.iter().any(|user| Address::user(&user.email).name == address.name);
            member || live.open_invitations().any(|open| Address::user(&open.email).name == address.name)
        }
        Kind::Team => live.teams().iter().any(|team| Address::team(&team.name).name == address.name),
        Kind::Role => live.roles().iter().any(|role| Address::role(&role.name).name == address.name),
        Kind::Key => {
            let own = |key: &&LiveKey| Some(&key.id) == input.own_key;
            live.keys().iter().filter(own).any(|key| Address::key(&key.name).name == address.name)
        }
        Kind::Organization | Kind::Invitation => false,
    }
}

type FieldChanges = (Fields, Vec<&'static str>);

/// Returns the fields of an entry that have to change: those that it writes and that differ.
fn fields_to_change(
    input: &PullInput<'_>,
    address: &Address,
    entry: &WrittenFields,
    live: &Fields,
    difference: &Difference<'_>,
) -> Result<FieldChanges, String> {
    let names = ["email", "name", "id"];
    let was_absent = entry.get("absent").is_some_and(|value| value.as_text() == Some("true"));
    let (mut set, mut unset) = (Fields::new(), Vec::new());
    if was_absent {
        unset.extend(["absent", "delete"].into_iter().filter(|field| entry.contains_key(*field)));
    }
    let is_name = |field: &str| names.contains(&field) && address.kind != Kind::Organization;
    for (field, value) in live.iter().filter(|(field, _)| !is_name(field)) {
        let wanted = was_absent || difference.fields.contains(field) || entry.contains_key(*field);
        // Whoever must no longer go has an entry that says what they have.
        if wanted && (was_absent || !is_unchanged(difference.change, field)) {
            let value = match entry.get(*field) {
                Some(written) if matches!(*field, "roles" | "teams") => with_dates(value, written)?,
                Some(_) | None => value.clone(),
            };
            set.push((field, value));
        }
    }
    // A text that was emptied can't be asked for, and without the field the live value stays.
    let texts = ["description", "thumbnail"].into_iter();
    let texts = texts.chain(["email", "seats"].into_iter().filter(|_| address.kind == Kind::Organization));
    unset.extend(texts.filter(|field| entry.contains_key(*field) && live.iter().all(|(name, _)| name != field)));
    let user = difference.change.and_then(|change| change.before.as_ref()?.user());
    for field in &difference.fields {
        if live.iter().any(|(name, _)| name == field) {
            continue;
        }
        // An import doesn't write the names of members everywhere.
        match live_text(input, address, field) {
            Some(value) => set.push((field, Yaml::text(value))),
            None if entry.contains_key(*field) && !unset.contains(field) => unset.push(field),
            None => {}
        }
    }
    if set.is_empty() && unset.is_empty() && difference.change.is_none() {
        return Err("The entry says what is live, as far as a file can.".to_owned());
    }
    account(input, entry, (user, difference), was_absent, (&mut set, &mut unset))?;
    Ok((set, unset))
}

/// Returns a list of roles or teams in which whatever stays has the form that the entry gives it, such as
/// `{ role: ADMIN, until: 2026-12-31 }`.
fn with_dates(value: &Yaml, written: &Meaning) -> Result<Yaml, String> {
    let form_of = |item: &Yaml| {
        let Yaml::Text(name) = item else { return None };
        let is_meant = |item: &&Meaning| ["role", "team"].iter().any(|field| item.text_of(field) == Some(name));
        written.items().iter().find(is_meant)?.to_yaml()
    };
    Ok(match value {
        Yaml::List(items) | Yaml::Flow(Flow::List(items)) => {
            let new: Vec<Yaml> = items.iter().map(|item| form_of(item).unwrap_or_else(|| item.clone())).collect();
            // A user who can have one role has another one, and nobody knows until when.
            if let ([_], [Meaning::Map(_)]) = (items.as_slice(), written.items())
                && new == *items
            {
                return Err("What the entry gives ends, and live has something else. Write it yourself, with or without `until`.".to_owned());
            }
            Yaml::Flow(Flow::List(new))
        }
        Yaml::Map(entries) | Yaml::Flow(Flow::Map(entries)) => {
            let entry = |(team, role): &(String, Yaml)| {
                let of_list = written.items().iter().find(|item| item.text_of("team") == Some(team));
                let until = written.field(team).or(of_list).and_then(|team| team.field("until")?.to_yaml());
                let role = match until {
                    Some(until) => Yaml::flow([("role".to_owned(), role.clone()), ("until".to_owned(), until)]),
                    None => role.clone(),
                };
                (team.clone(), role)
            };
            Yaml::flow(entries.iter().map(entry))
        }
        Yaml::Bool(_) | Yaml::Number(_) | Yaml::Text(_) => value.clone(),
    })
}

/// Returns whether the plan finds this field in sync. A file can spell a value in several ways.
fn is_unchanged(change: Option<&Change>, field: &str) -> bool {
    let sides = change.and_then(|change| Some((change.before.as_ref()?, change.after.as_ref()?)));
    match sides {
        Some((Entity::User(before), Entity::User(after))) if !after.outside => match field {
            "roles" => before.roles == after.roles,
            "resources" => before.resources == after.resources,
            _ => false,
        },
        _ => false,
    }
}

fn live_text(input: &PullInput<'_>, address: &Address, field: &str) -> Option<String> {
    let live = input.live;
    match address.kind {
        Kind::User => {
            let user = live.users.items.iter().find(|user| Address::user(&user.email).name == address.name)?;
            match field {
                "first_name" => user.first_name.clone(),
                "last_name" => user.last_name.clone(),
                "phone" => user.phone.clone(),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Adds the field that says whether a user can sign in. What the API doesn't show is never guessed.
fn account(
    input: &PullInput<'_>,
    entry: &WrittenFields,
    (before, difference): (Option<&User>, &Difference<'_>),
    was_absent: bool,
    (set, unset): (&mut Fields, &mut Vec<&'static str>),
) -> Result<(), String> {
    let Some(field) = input.format.rules.capabilities().account_field else { return Ok(()) };
    let Some(before) = before else { return Ok(()) };
    let live = input.live.users.items.iter().find(|user| Some(&user.id) == before.id.as_ref());
    let after = difference.change.and_then(|change| change.after.as_ref()?.user());
    let differs = after.is_some_and(|after| after.enabled != before.enabled && after.enabled != Seen::Unreadable);
    let seen = live.map_or(before.enabled, |live| live.enabled);
    let name = match field {
        AccountField::Enabled => "enabled",
        AccountField::Status => "status",
    };
    let Seen::Known(enabled) = seen else {
        let asks_for_it = entry.get(name).is_some_and(|value| value.as_text() == Some("false"));
        return if differs && (asks_for_it || was_absent) {
            Err("The API doesn't show whether the user is enabled, so a pull can't say it.".to_owned())
        } else {
            Ok(())
        };
    };
    if !entry.contains_key(name) {
        return Ok(());
    }
    set.retain(|(field, _)| *field != name);
    unset.retain(|field| *field != name);
    set.push((
        name,
        match field {
            AccountField::Enabled => Yaml::Bool(enabled),
            AccountField::Status => Yaml::text(if enabled { "active" } else { "deactivated" }),
        },
    ));
    Ok(())
}
