//! People from a directory: the answer of a command, a CSV file, or an export of a SCIM service.
//!
//! The mapping `people: { csv: staff.csv }` becomes the list `people: [{ email: … }, …]` before the people file is
//! checked. So everything else sees the people of a directory as if somebody had written them. A person of a file has the
//! place of their line. A command's answer has no place, so its people have that of the command.
//!
//! An answer is used as a whole or not at all. If one line of it can't be understood, the person there would seem to have
//! left, so the people file has an error then, and nothing is planned.

mod answer;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::decode::decode;
use super::super::delivery::normalize;
use super::super::field::Field;
use super::super::guardrails::{RawLimit, limit};
use super::super::node::{Located, Node};
use super::super::raw::{NameText, PathText};
use super::super::source::{Mark, Source, Sources};
use super::include::{Library, at};
use super::people::RawPerson;
use answer::{Broken, Listed, listed, of_csv, of_json};
use rolecall_model::{Code, DirectorySource, Email, Finding, Limit, PeopleDirectory, Place, Until, quote, small};

/// This mapping says where the people come from. Whoever is in no list of people leaves: they must have no access.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Directory", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["command"] }, { "required": ["csv"] }, { "required": ["scim"] }]))]
pub struct RawDirectory {
    /// This program prints the people: one JSON object a line, or the answers of a SCIM service. The first item is the
    /// program, the others are its arguments. rolecall runs it only with `--allow-commands`.
    #[schemars(length(min = 1))]
    pub command: Option<Field<Vec<Field<PathText>>>>,
    /// This CSV file has a line for each person. The path starts at the folder of the people file.
    pub csv: Option<Field<PathText>>,
    /// This JSON file has the answers of a SCIM service. The path starts at the folder of the people file.
    pub scim: Option<Field<PathText>>,
    /// These are the names of the columns of the CSV file. Default: the names of the fields, such as `email`.
    pub columns: Option<Field<RawColumns>>,
    /// At most this many users may lose access in one plan because they have left the directory. Default:
    /// `{ share: 5%, at_least: 2 }`.
    pub max_removals: Option<Field<RawLimit>>,
    /// The directory must have at least this many people. Default: half of those that it had at the last apply.
    pub min_people: Option<Field<u32>>,
    /// These entries add to people of the directory what it doesn't know, such as `aliases`. Default: nothing.
    #[expect(dead_code, reason = "merged into the people before they are checked")]
    details: Option<Field<Vec<Field<RawPerson>>>>,
}

/// This mapping names the columns of a CSV file.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename = "Columns", deny_unknown_fields)]
pub struct RawColumns {
    /// This column has the address. Default: `email`.
    pub email: Option<Field<NameText>>,
    /// This column has the first name. Default: `first_name`, if the file has it.
    pub first_name: Option<Field<NameText>>,
    /// This column has the last name. Default: `last_name`, if the file has it.
    pub last_name: Option<Field<NameText>>,
    /// This column has the phone number. Default: `phone`, if the file has it.
    pub phone: Option<Field<NameText>>,
    /// This column has the last day. Default: `until`, if the file has it.
    pub until: Option<Field<NameText>>,
    /// This column says `true` or `false`. Whoever has `false` has left. Default: `active`, if the file has it.
    pub active: Option<Field<NameText>>,
}

impl RawColumns {
    /// Returns the names of the columns that the file names, by the field.
    fn names(&self) -> BTreeMap<&'static str, String> {
        let Self { email, first_name, last_name, phone, until, active } = self;
        let all = [
            ("email", email),
            ("first_name", first_name),
            ("last_name", last_name),
            ("phone", phone),
            ("until", until),
            ("active", active),
        ];
        all.into_iter()
            .filter_map(|(name, column)| Some((name, column.as_ref()?.value.as_ref()?.0.to_string())))
            .collect()
    }
}

/// The limit on those who lose access in one plan because they have left the directory.
pub const LIMIT: Limit = Limit::Share { percent: 5, at_least: 2 };

/// The people of a directory, put into a people file.
pub struct Filled {
    pub directory: PeopleDirectory,
    /// The number of the file that they are in.
    pub file: Option<u32>,
    /// The people whom only `details` has, because they have left.
    pub left: BTreeSet<Email>,
}

/// The reason why there are no people: there is a finding for it.
pub struct Unusable;

impl Library<'_> {
    /// Puts the people of a directory into a people file, if it names one. `above`: the path of this file, and of those
    /// that include it.
    pub(super) fn fill(
        &mut self,
        root: &mut Located,
        source: &Source,
        above: &[PathBuf],
        findings: &mut Vec<Finding>,
    ) -> Result<Option<Filled>, Unusable> {
        let people = root.field_mut("people").filter(|people| matches!(people.node, Node::Map(_)));
        let Some(people) = people else { return Ok(None) };
        let mark = people.mark;
        let mut spec = std::mem::replace(people, Located { node: Node::List(Vec::new()), mark });
        let details = spec.take("details");
        let sources = Sources { head: source, included: &[] };
        let raw = decode::<RawDirectory>(sources, &spec, findings).ok_or(Unusable)?;
        let RawDirectory { command, csv, scim, columns, max_removals, min_people, details: _ } = raw;
        let mut refuse = |mark, message: &str, hint: &str| {
            findings.push(Finding::error(Code::InvalidValue, source.place(mark), message).hint(hint));
            Unusable
        };
        if let Some(columns) = columns.as_ref().filter(|_| csv.is_none()) {
            return Err(refuse(columns.mark, "Only a CSV file has columns.", "Remove `columns`."));
        }
        let (origin, mark) = match (command, csv, scim) {
            (Some(command), None, None) => {
                let words = command.value.unwrap_or_default().into_iter().map(|word| Some(word.value?.0));
                let words: Option<Vec<String>> = words.collect();
                let words = words.filter(|words| words.first().is_some_and(|program| !program.is_empty()));
                let words = words.ok_or_else(|| {
                    refuse(command.mark, "The command is empty.", "Name a program: `[PROGRAM, ARGUMENT]`.")
                })?;
                (DirectorySource::Command(words), command.mark)
            }
            (None, Some(csv), None) => (DirectorySource::Csv(csv.value.ok_or(Unusable)?.0), csv.mark),
            (None, None, Some(scim)) => (DirectorySource::Scim(scim.value.ok_or(Unusable)?.0), scim.mark),
            _ => {
                let hint = "Write one of them, such as `people: { csv: staff.csv }`.";
                return Err(refuse(mark, "`people` needs either `command`, `csv` or `scim`.", hint));
            }
        };
        let max_removals = match max_removals {
            None => LIMIT,
            Some(field) => limit(field, sources, findings).ok_or(Unusable)?,
        };
        let columns = columns.and_then(|field| field.value).unwrap_or_default();
        let min_people = min_people.and_then(|field| field.value);
        let place = source.place(mark);
        let mut directory = PeopleDirectory {
            place: place.clone(),
            source: origin,
            columns: columns.names(),
            people: None,
            max_removals,
            min_people,
        };
        let named = named(&directory.source);
        let (text, file) = match &directory.source {
            DirectorySource::Command(words) => (self.printed(words, &place, findings)?, None),
            DirectorySource::Csv(path) | DirectorySource::Scim(path) => {
                let number = self.data(Path::new(path), &place, above, findings)?;
                let text = at(&self.sources, number).map(|source| source.text.clone());
                (text, Some(number))
            }
        };
        let Some(text) = text else {
            // Nobody has been asked, so only what the file says itself is known.
            if let (Some(details), Some(people)) = (details, root.field_mut("people")) {
                *people = details;
            }
            return Ok(Some(Filled { directory, file: None, left: BTreeSet::new() }));
        };
        let rows = match directory.source {
            DirectorySource::Csv(_) => of_csv(&text, &directory.columns),
            DirectorySource::Command(_) | DirectorySource::Scim(_) => of_json(&text),
        };
        let of_line =
            |line: usize| file.map_or(mark, |file| Mark { file, line: small(line), column: 1, ..Mark::default() });
        let now = self.now;
        let Listed { mut people, emails } = rows.and_then(|rows| listed(rows, now, of_line)).map_err(|all| {
            let in_file = file.and_then(|number| at(&self.sources, number));
            let place = |line| match in_file {
                Some(source) => (source.place(of_line(line)), true),
                None => (place.clone(), false),
            };
            findings.extend(broken(all, &named, place));
            Unusable
        })?;
        if let Some(least) = min_people.filter(|least| emails.len() < *least as usize) {
            let message = format!(
                "The people of {named} can't be used: there are {}, and `min_people` is {least}.",
                emails.len()
            );
            let finding = Finding::error(Code::Directory, place, message);
            findings.push(finding.hint("The answer may be cut off. If it is right, write a smaller number."));
            return Err(Unusable);
        }
        directory.people = Some(Arc::new(emails));
        let mut left = BTreeSet::new();
        for (email, mark) in details.map(|details| add_details(&mut people, &details)).unwrap_or_default() {
            findings.push(not_in_directory(email.as_str(), mark, None, sources));
            left.insert(email);
        }
        if let Some(list) = root.field_mut("people") {
            list.node = Node::List(people);
        }
        Ok(Some(Filled { directory, file, left }))
    }

    /// Returns what a command prints. `None` if this run does without it.
    fn printed(
        &mut self,
        words: &[String],
        place: &Place,
        findings: &mut Vec<Finding>,
    ) -> Result<Option<String>, Unusable> {
        let named = words.first().map(|program| quote(program)).unwrap_or_default();
        let finding = match self.commands.run(words) {
            Ok(bytes) => match String::from_utf8(bytes.clone()) {
                Ok(text) => {
                    self.answers.insert(words.to_vec(), bytes);
                    return Ok(Some(text));
                }
                Err(_) => Finding::error(
                    Code::Directory,
                    place.clone(),
                    format!("{named} printed something that isn't UTF-8."),
                )
                .hint("Run the command yourself to see its output. Nothing changes until then."),
            },
            Err(NotRun::Skipped) => {
                let message =
                    format!("{named} isn't run without `--allow-commands`, so its people aren't known here.");
                let finding = Finding::warning(Code::CommandNotAllowed, place.clone(), message);
                let hint = "Give `--allow-commands` only if the file has been reviewed.";
                findings.push(finding.hint(hint).without_source());
                return Ok(None);
            }
            Err(NotRun::NotAllowed) => {
                let message = format!("{named} isn't run without `--allow-commands`, and it prints the people.");
                Finding::error(Code::CommandNotAllowed, place.clone(), message)
                    .hint("Give `--allow-commands` only if the file has been reviewed.")
            }
            Err(NotRun::Failed(why)) => Finding::error(Code::Directory, place.clone(), why)
                .hint("Run the command yourself to see its output. Nothing changes until then."),
        };
        // The arguments may have a credential.
        findings.push(finding.without_source());
        Err(Unusable)
    }

    /// Reads a file of people, unless it was read before. Returns its number.
    fn data(
        &mut self,
        path: &Path,
        place: &Place,
        above: &[PathBuf],
        findings: &mut Vec<Finding>,
    ) -> Result<u32, Unusable> {
        let folder = above.last().and_then(|path| path.parent()).unwrap_or(Path::new(""));
        let head = above.first().cloned().unwrap_or_default();
        let whole = normalize(&folder.join(path));
        let mut unread = Vec::new();
        let hidden = |part: Component<'_>| matches!(part, Component::Normal(name) if name.to_string_lossy().starts_with('.'));
        if path.is_absolute() || path.components().any(hidden) || !self.files.is_inside(&whole, &head) {
            let message = format!(
                "{} lies outside of the repository, is hidden, or lies below a link.",
                quote(&path.display().to_string())
            );
            let hint = "Name a file of this repository by a relative path.";
            findings.push(Finding::error(Code::Directory, place.clone(), message).hint(hint));
            return Err(Unusable);
        }
        let number = self.read_data(&whole, &mut unread);
        let number = number.filter(|number| at(&self.sources, *number).is_some_and(|source| source.is_whole));
        findings.extend(unread.into_iter().map(|finding| Finding { place: place.clone(), ..finding }));
        number.ok_or(Unusable)
    }
}

/// Adds to people of a directory what the people file says about them, and those who aren't in it. Returns their places.
fn add_details(people: &mut Vec<Located>, details: &Located) -> Vec<(Email, Mark)> {
    let address = |person: &Located| Email::parse(person.field("email")?.text()?).ok();
    let Node::List(entries) = &details.node else { return Vec::new() };
    let at: BTreeMap<Email, usize> =
        people.iter().enumerate().filter_map(|(index, person)| Some((address(person)?, index))).collect();
    let (mut missing, mut others) = (Vec::new(), Vec::new());
    for entry in entries {
        let Some(email) = address(entry) else { continue };
        let person = at.get(&email).and_then(|index| people.get_mut(*index));
        let (Some(Located { node: Node::Map(fields), .. }), Node::Map(more)) = (person, &entry.node) else {
            missing.push((email, entry.field("email").map_or(entry.mark, |field| field.mark)));
            others.push(entry.clone());
            continue;
        };
        let until = |text: Option<&str>| text.and_then(|text| text.parse::<Until>().ok());
        let ends = fields.iter().find(|(key, _)| key.text() == Some("until"));
        let ends = ends.and_then(|(_, value)| until(value.text()));
        for (key, value) in more.iter().filter(|(key, _)| key.text() != Some("email")) {
            // Of two ends, the earlier one holds.
            if key.text() == Some("until")
                && ends.is_some_and(|ends| until(value.text()).is_some_and(|it| it > ends))
            {
                continue;
            }
            fields.retain(|(known, _)| known.text() != key.text());
            fields.push((key.clone(), value.clone()));
        }
    }
    people.extend(others);
    missing
}

/// Returns a directory in words.
fn named(source: &DirectorySource) -> String {
    match source {
        DirectorySource::Command(words) => {
            format!("the command {}", words.first().map(|word| quote(word)).unwrap_or_default())
        }
        DirectorySource::Csv(path) | DirectorySource::Scim(path) => quote(path),
    }
}

/// Reports somebody who is in no list of people although a directory is included.
pub fn not_in_directory(email: &str, mark: Mark, near: Option<&str>, sources: Sources<'_>) -> Finding {
    let message = format!("{email} isn't in the directory, so they must have no access.");
    let near = near.map(|near| format!("Did you mean `{near}`? ")).unwrap_or_default();
    let hint = format!(
        "{near}Once an apply has taken their access, remove them here, or use `rolecall offboard`. If they never come from the directory, list them in a people file of their own."
    );
    Finding::warning(Code::NotInDirectory, sources.place(mark), message).hint(hint)
}

/// Reports an answer that can't be used. `named`: the directory in words. `place`: returns the place of a line, and
/// whether it is in a file.
fn broken(all: Vec<Broken>, named: &str, place: impl Fn(usize) -> (Place, bool)) -> Vec<Finding> {
    let finding = |Broken { line, message, hint }| {
        let (place, in_file) = place(line);
        let line = if in_file { String::new() } else { format!(" Line {line}:") };
        let message = format!("The people of {named} can't be used.{line} {message}");
        let finding = Finding::error(Code::Directory, place, message);
        let finding = finding.hint(format!("{hint} Nothing changes until then."));
        // The command may have a credential among its arguments.
        if in_file { finding } else { finding.without_source() }
    };
    all.into_iter().map(finding).collect()
}

/// Runs the commands that people come from.
pub trait Commands: Sync {
    /// Returns what a command prints.
    ///
    /// # Errors
    ///
    /// Returns why there is no answer.
    fn run(&self, words: &[String]) -> Result<Vec<u8>, NotRun>;
}

/// The reason why a command has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotRun {
    /// The run does without it: nobody is missing, and nobody is known to have left.
    Skipped,
    /// The command line doesn't allow it.
    NotAllowed,
    /// It failed, with the reason as a sentence.
    Failed(String),
}

/// The answers that commands gave. No other command is run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers(BTreeMap<Vec<String>, Vec<u8>>);

impl Answers {
    pub fn insert(&mut self, words: Vec<String>, answer: Vec<u8>) {
        self.0.insert(words, answer);
    }
}

impl Commands for Answers {
    fn run(&self, words: &[String]) -> Result<Vec<u8>, NotRun> {
        self.0.get(words).cloned().ok_or(NotRun::Skipped)
    }
}
