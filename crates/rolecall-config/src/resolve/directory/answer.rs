//! The answers of directories: CSV, JSON objects, and the pages of a SCIM service.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::super::super::node::{Located, Node};
use super::super::super::source::Mark;
use rolecall_model::{Email, Until, check_name, quote};

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

/// Reads the lines of a CSV file, in the form of RFC 4180.
pub fn of_csv(text: &str, columns: &BTreeMap<&'static str, String>) -> Result<Vec<Row>, Vec<Broken>> {
    // Where a comma stands in numbers, spreadsheets write semicolons.
    let first = text.lines().next().unwrap_or_default();
    let delimiter = [b',', b';', b'\t'].into_iter().max_by_key(|delimiter| {
        let count = first.bytes().filter(|byte| byte == delimiter).count();
        (count, *delimiter == b',')
    });
    let delimiter = delimiter.unwrap_or(b',');
    if let Some(broken) = misquoted(text, delimiter) {
        return Err(vec![broken]);
    }
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
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
    let mut at = Vec::new();
    let mut broken = Vec::new();
    for field in FIELDS {
        let named = columns.get(field);
        let name = named.map_or(field, String::as_str);
        let mut found = header.iter().enumerate().filter(|(_, column)| column.trim() == name);
        match (found.next(), found.next()) {
            (Some((column, _)), None) => at.push((field, column)),
            (Some(_), Some(_)) => {
                broken.push(Broken::new(1, format!("Two columns are called {}.", quote(name)), "Rename one."));
            }
            (None, _) if field == "email" || named.is_some() => {
                let hint = format!("Name the column with the right case, as in `columns: {{ {field}: NAME }}`.");
                broken.push(Broken::new(1, format!("There is no column {}.", quote(name)), hint));
            }
            // A column that is overlooked could keep those who have left.
            (None, _) if header.iter().any(|column| folded(column) == folded(name)) => {
                let message = format!("A column is called almost like `{name}`, but not quite.");
                broken.push(Broken::new(
                    1,
                    message,
                    format!("Rename it, or name it in `columns: {{ {field}: NAME }}`."),
                ));
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
                    // Nobody knows what it means that this is empty.
                    (!text.is_empty() || *field == "active").then(|| (*field, text.to_owned()))
                };
                rows.push(Row { line: line(record.position()), fields: at.iter().filter_map(value).collect() });
            }
            Err(error) => broken.push(unreadable(line(error.position()), &error)),
        }
    }
    if broken.is_empty() { Ok(rows) } else { Err(broken) }
}

/// Returns a name without what people write in different ways.
fn folded(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Finds quotes that aren't where they belong. A quote that is never closed would swallow the people after it.
fn misquoted(text: &str, delimiter: u8) -> Option<Broken> {
    enum At {
        Start,
        Plain,
        Quoted,
        Closed,
    }
    let (mut at, mut line, mut opened) = (At::Start, 1, 1);
    let hint =
        "Export the file again. A quote inside of a text is written twice, in a text that stands in quotes.";
    for byte in text.bytes() {
        line += usize::from(byte == b'\n');
        let ends = byte == delimiter || byte == b'\n' || byte == b'\r';
        at = match (at, byte) {
            (_, 0) => return Some(Broken::new(line, "It has a character that no text has.", hint)),
            (At::Start, b'"') => {
                opened = line;
                At::Quoted
            }
            (At::Quoted, b'"') => At::Closed,
            (At::Closed, b'"') | (At::Quoted, _) => At::Quoted,
            (At::Plain, b'"') => return Some(Broken::new(line, "A quote stands inside of a text.", hint)),
            (At::Start | At::Plain | At::Closed, _) if ends => At::Start,
            (At::Closed, _) => return Some(Broken::new(line, "A text goes on after its last quote.", hint)),
            (At::Start | At::Plain, _) => At::Plain,
        };
    }
    matches!(at, At::Quoted).then(|| Broken::new(opened, "A quote begins and never ends.", hint))
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
    id: Option<String>,
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
    let mut pages = Pages::default();
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
                broken.extend(pages.add(line, &page));
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
    broken.extend(pages.missing());
    if broken.is_empty() { Ok(rows) } else { Err(broken) }
}

/// The pages of a SCIM service that were read.
#[derive(Default)]
struct Pages {
    total: Option<usize>,
    /// The users, so that a page that comes twice doesn't count twice.
    users: BTreeSet<String>,
}

impl Pages {
    fn add(&mut self, line: usize, page: &ScimPage) -> Option<Broken> {
        let ScimPage { total_results, resources } = page;
        let id = |user: &ScimUser| user.id.clone().or_else(|| user.user_name.clone());
        self.users.extend(resources.iter().filter_map(id));
        let hint = "Ask the service again. All pages have the same `totalResults`.";
        let Some(total) = total_results else {
            return Some(Broken::new(line, "The page doesn't say how many users there are.", hint));
        };
        let before = self.total.replace(*total).unwrap_or(*total);
        let message = format!("The pages name different numbers of users: {before} and {total}.");
        (before != *total).then(|| Broken::new(line, message, hint))
    }

    fn missing(&self) -> Option<Broken> {
        let (total, found) = (self.total?, self.users.len());
        let message = format!("The SCIM service has {total} users, and the answer has {found}.");
        let hint = "Ask for all pages, each once, and write them one after the other.";
        (total != found).then(|| Broken::new(1, message, hint))
    }
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
    let ScimUser { id: _, user_name, name, emails, phone_numbers, active } = user;
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
    pub emails: BTreeSet<Email>,
}

/// Makes a list of people from the lines of an answer. Whoever isn't active at `now` isn't in it. `mark`: returns the place
/// of a line.
///
/// No value of the answer is shown: it may be any file.
pub fn listed(rows: Vec<Row>, now: Timestamp, mark: impl Fn(usize) -> Mark) -> Result<Listed, Vec<Broken>> {
    const WHERE: &str = "Correct it where the directory is kept.";
    let mut broken = Vec::new();
    // Each person, whether they are active, and the line.
    let mut people: BTreeMap<Email, (bool, Row)> = BTreeMap::new();
    for mut row in rows {
        let line = row.line;
        let mut wrong = |message: String, hint: &str| broken.push(Broken::new(line, message, hint));
        let active = match row.fields.remove("active").as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("true") => true,
            Some("false") => false,
            Some(_) => {
                wrong(
                    "`active` is neither `true` nor `false`.".to_owned(),
                    "Write `true` for those who work here.",
                );
                continue;
            }
        };
        let until = row.fields.get("until").map(|until| until.parse::<Until>());
        if matches!(until, Some(Err(_))) {
            wrong("`until` is no day.".to_owned(), "Write the last day, like `2026-12-31`.");
            continue;
        }
        let is_past = matches!(until, Some(Ok(until)) if until.is_past(now));
        let named = row.fields.iter().filter(|(name, _)| **name != "email");
        for (name, why) in named.filter_map(|(name, text)| Some((name, check_name(text).err()?))) {
            wrong(format!("`{name}` {why}."), WHERE);
        }
        let Some(address) = row.fields.remove("email") else {
            if active {
                let hint = "Leave out people without an address, or write `false` for `active`.";
                wrong("It has no address.".to_owned(), hint);
            }
            continue;
        };
        let Ok(email) = Email::parse(&address) else {
            wrong("The address isn't that of an email account.".to_owned(), WHERE);
            continue;
        };
        match people.entry(email) {
            Entry::Vacant(entry) => {
                entry.insert((active && !is_past, row));
            }
            Entry::Occupied(entry) => {
                let (was_active, first) = entry.get();
                if (*was_active, &first.fields) != (active && !is_past, &row.fields) {
                    let message =
                        format!("Line {} is about the same person, and says something else.", first.line);
                    wrong(message, WHERE);
                }
            }
        }
    }
    people.retain(|_, (active, _)| *active);
    if people.is_empty() && broken.is_empty() {
        let hint = "The answer may be an error. If everybody has left, use `rolecall offboard`.";
        broken.push(Broken::new(1, "It has nobody.", hint));
    }
    if !broken.is_empty() {
        return Err(broken);
    }
    let emails = people.keys().cloned().collect();
    let people = people.into_iter().map(|(email, (_, row))| {
        let mark = mark(row.line);
        let field =
            |(name, text): (&'static str, String)| (Located::of_text(name, mark), Located::of_text(text, mark));
        let fields = std::iter::once(("email", email.as_str().to_owned())).chain(row.fields).map(field);
        Located { node: Node::Map(fields.collect()), mark }
    });
    Ok(Listed { people: people.collect(), emails })
}
