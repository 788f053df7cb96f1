//! The answers of directories: CSV, JSON objects, and the pages of a SCIM service.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::super::super::node::{Located, Node};
use super::super::super::raw::NameText;
use super::super::super::source::Mark;
use super::RawColumns;
use rolecall_model::{Email, quote};

/// The fields of a person that a directory can have.
const FIELDS: [&str; 6] = ["email", "first_name", "last_name", "phone", "until", "active"];

/// One person of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The line that the person is on, from one.
    line: usize,
    /// The fields that aren't empty, by their names.
    fields: BTreeMap<&'static str, String>,
}

/// Something in an answer that can't be understood.
#[derive(Debug)]
pub struct Broken {
    pub line: usize,
    pub message: String,
    pub hint: String,
}

impl Broken {
    fn new(line: usize, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { line, message: message.into(), hint: hint.into() }
    }
}

/// Reads the lines of a CSV file.
pub fn of_csv(text: &str, columns: &RawColumns) -> Result<Vec<Row>, Vec<Broken>> {
    // Where a comma stands in numbers, spreadsheets write semicolons.
    let first = text.lines().next().unwrap_or_default();
    let delimiter = [b',', b';', b'\t'].into_iter().max_by_key(|delimiter| {
        let count = first.bytes().filter(|byte| byte == delimiter).count();
        (count, *delimiter == b',')
    });
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter.unwrap_or(b',')).from_reader(text.as_bytes());
    let unreadable = |line, error: &csv::Error| {
        let why = match error.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("It doesn't have as many columns as the first line: {len} instead of {expected_len}.")
            }
            _ => "It can't be read.".to_owned(),
        };
        Broken::new(line, why, "Export the file again. A text with a comma or a line end stands in quotes.")
    };
    let header = reader.headers().map_err(|error| vec![unreadable(1, &error)])?.clone();
    let named = |index: usize| {
        let RawColumns { email, first_name, last_name, phone, until, active } = columns;
        let column = [email, first_name, last_name, phone, until, active].into_iter().nth(index)?;
        column.as_ref()?.value.as_ref().map(|NameText(name)| name.as_str())
    };
    let mut at = Vec::new();
    let mut broken = Vec::new();
    for (index, field) in FIELDS.iter().enumerate() {
        let name = named(index).unwrap_or(field);
        let mut found = header.iter().enumerate().filter(|(_, column)| column.trim() == name);
        match (found.next(), found.next()) {
            (Some((column, _)), None) => at.push((*field, column)),
            (Some(_), Some(_)) => {
                broken.push(Broken::new(1, format!("Two columns are called {}.", quote(name)), "Rename one."));
            }
            (None, _) if *field == "email" || named(index).is_some() => {
                let hint = format!("Name the column with the right case, as in `columns: {{ {field}: NAME }}`.");
                broken.push(Broken::new(1, format!("There is no column {}.", quote(name)), hint));
            }
            (None, _) => {}
        }
    }
    if !broken.is_empty() {
        return Err(broken);
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let line = |position: Option<&csv::Position>| {
            usize::try_from(position.map_or(1, csv::Position::line)).unwrap_or(usize::MAX)
        };
        match record {
            Ok(record) => {
                let value = |(field, column): &(&'static str, usize)| {
                    let text = record.get(*column)?.trim();
                    (!text.is_empty()).then(|| (*field, text.to_owned()))
                };
                rows.push(Row { line: line(record.position()), fields: at.iter().filter_map(value).collect() });
            }
            Err(error) => broken.push(unreadable(line(error.position()), &error)),
        }
    }
    if broken.is_empty() { Ok(rows) } else { Err(broken) }
}

/// One person, as a command prints them.
#[derive(Deserialize)]
struct Printed {
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    phone: Option<String>,
    until: Option<String>,
    active: Option<bool>,
}

/// An answer of a SCIM service: RFC 7644, section 3.4.2.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScimPage {
    total_results: Option<usize>,
    #[serde(rename = "Resources")]
    resources: Vec<ScimUser>,
}

/// A user of a SCIM service: RFC 7643, section 4.1.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScimUser {
    user_name: Option<String>,
    name: Option<ScimName>,
    #[serde(default)]
    emails: Vec<ScimValue>,
    #[serde(default)]
    phone_numbers: Vec<ScimValue>,
    active: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScimName {
    given_name: Option<String>,
    family_name: Option<String>,
}

#[derive(Deserialize)]
struct ScimValue {
    value: Option<String>,
    #[serde(default)]
    primary: bool,
}

/// Reads JSON objects that follow one another: people, or pages of a SCIM service.
pub fn of_json(text: &str) -> Result<Vec<Row>, Vec<Broken>> {
    if text.trim_start().starts_with('<') {
        return Err(vec![Broken::new(1, "It is HTML or XML.", "Perhaps the service asks to sign in.")]);
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let (mut rows, mut broken) = (Vec::new(), Vec::new());
    // The line of each value is counted from the value before it.
    let (mut line, mut counted) = (1, 0);
    let (mut found, mut total) = (0, None);
    loop {
        let before = values.byte_offset();
        let blank = text[before..].len() - text[before..].trim_start().len();
        line += text[counted..before + blank].matches('\n').count();
        counted = before + blank;
        let Some(value) = values.next() else { break };
        let hint = "It has one JSON object for each person, such as {\"email\": \"jane@acme.example\"}.";
        let value = match value {
            Ok(value) => value.get(),
            Err(error) => {
                let why = if error.is_eof() { "It ends in the middle of a value." } else { "It isn't JSON." };
                broken.push(Broken::new(line, why, hint));
                break;
            }
        };
        // A page is told from a person by what only pages have.
        let page = serde_json::from_str::<BTreeMap<&str, &RawValue>>(value)
            .is_ok_and(|fields| fields.contains_key("Resources") || fields.contains_key("totalResults"));
        let read = if page {
            serde_json::from_str::<ScimPage>(value).map(|page| {
                found += page.resources.len();
                total = page.total_results.max(total);
                rows.extend(page.resources.into_iter().map(|user| of_scim(line, user)));
            })
        } else {
            serde_json::from_str::<Printed>(value).map(|person| rows.push(of_printed(line, person)))
        };
        if let Err(error) = read {
            // The words of the error could have a value of the answer.
            let why = match error.classify() {
                Category::Data => "A field has another type than a person's, or it isn't an object.",
                Category::Syntax | Category::Eof | Category::Io => "It isn't JSON.",
            };
            broken.push(Broken::new(line, why, hint));
        }
    }
    if let Some(total) = total.filter(|total| *total > found) {
        let message = format!("The SCIM service has {total} users, and the answer has {found}.");
        broken.push(Broken::new(1, message, "Ask for all pages, and write them one after the other."));
    }
    if broken.is_empty() { Ok(rows) } else { Err(broken) }
}

fn row(line: usize, fields: [(&'static str, Option<String>); 6]) -> Row {
    let fields = fields.into_iter().filter_map(|(name, text)| {
        let text = text?;
        let text = text.trim();
        (!text.is_empty()).then(|| (name, text.to_owned()))
    });
    Row { line, fields: fields.collect() }
}

fn of_printed(line: usize, person: Printed) -> Row {
    let Printed { email, first_name, last_name, phone, until, active } = person;
    let active = active.map(|active| active.to_string());
    row(
        line,
        [
            ("email", email),
            ("first_name", first_name),
            ("last_name", last_name),
            ("phone", phone),
            ("until", until),
            ("active", active),
        ],
    )
}

fn of_scim(line: usize, user: ScimUser) -> Row {
    let ScimUser { user_name, name, emails, phone_numbers, active } = user;
    let first = |values: Vec<ScimValue>| {
        let primary = values.iter().position(|value| value.primary).unwrap_or_default();
        values.into_iter().nth(primary)?.value
    };
    // Many services have the address as the name of the user alone.
    let email = first(emails).or(user_name.filter(|name| name.contains('@')));
    let (given, family) = name.map_or((None, None), |name| (name.given_name, name.family_name));
    let active = active.map(|active| active.to_string());
    row(
        line,
        [
            ("email", email),
            ("first_name", given),
            ("last_name", family),
            ("phone", first(phone_numbers)),
            ("until", None),
            ("active", active),
        ],
    )
}

/// The people of a directory, as a list of a people file.
pub struct Listed {
    pub people: Vec<Located>,
    /// The people who are active.
    pub count: usize,
    /// The lines that have no address.
    pub unnamed: usize,
}

/// Makes a list of people from the lines of an answer. `mark`: returns the place of a line.
pub fn listed(rows: Vec<Row>, mark: impl Fn(usize) -> Mark) -> Result<Listed, Vec<Broken>> {
    let mut broken = Vec::new();
    let mut unnamed = 0;
    let mut people: BTreeMap<Email, Row> = BTreeMap::new();
    for mut row in rows {
        let active = row.fields.remove("active").unwrap_or_else(|| "true".to_owned());
        match active.to_ascii_lowercase().as_str() {
            "true" => {}
            "false" => continue,
            _ => {
                let message = "It says neither `true` nor `false` about being active.";
                broken.push(Broken::new(row.line, message, "Write `true` for those who work here."));
                continue;
            }
        }
        let Some(address) = row.fields.get("email") else {
            unnamed += 1;
            continue;
        };
        let email = match Email::parse(address) {
            Ok(email) => email,
            Err(why) => {
                let message = format!("The email address {} {why}.", quote(address));
                broken.push(Broken::new(row.line, message, "Correct it where the directory is kept."));
                continue;
            }
        };
        match people.entry(email) {
            Entry::Vacant(entry) => {
                entry.insert(row);
            }
            Entry::Occupied(first) if first.get().fields == row.fields => {}
            Entry::Occupied(first) => {
                let message =
                    format!("{} is on line {} too, with other values.", first.key().as_str(), first.get().line);
                broken.push(Broken::new(row.line, message, "Correct it where the directory is kept."));
            }
        }
    }
    if people.is_empty() && broken.is_empty() {
        broken.push(Broken::new(1, "It has nobody.", "If everybody has left, write `people: []`."));
    }
    if !broken.is_empty() {
        return Err(broken);
    }
    let count = people.len();
    let people = people.into_values().map(|row| {
        let mark = mark(row.line);
        let field =
            |(name, text): (&'static str, String)| (Located::of_text(name, mark), Located::of_text(text, mark));
        Located { node: Node::Map(row.fields.into_iter().map(field).collect()), mark }
    });
    Ok(Listed { people: people.collect(), count, unnamed })
}
