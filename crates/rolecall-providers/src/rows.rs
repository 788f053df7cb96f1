//! Reads lists row by row, so that one row that can't be read doesn't hide the others.
//!
//! For example, the platform lists three users, and the second has no address. A file can't name that user, so the
//! row is kept as an [`UnreadableRow`]: the plan shows it by its id and leaves it as it is. The other two are planned.

use std::collections::BTreeSet;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use rolecall_model::{Address, EcoString, Email, Expiry, Kind, RemoteId, RoleName, UnreadableRow};

/// A row of a list.
#[derive(Debug)]
pub(super) enum Row<T> {
    Read(T),
    /// The row as the platform sent it, and what is wrong with it, without its value.
    Unread(Value, String),
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Row<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let row = Box::<RawValue>::deserialize(deserializer)?;
        // Keeping track of the place takes most of the time, and only an error needs it.
        if let Ok(read) = serde_json::from_str(row.get()) {
            return Ok(Self::Read(read));
        }
        let row: Value = serde_json::from_str(row.get()).map_err(D::Error::custom)?;
        Ok(match serde_path_to_error::deserialize(&row) {
            Ok(read) => Self::Read(read),
            Err(error) => {
                let why = why(&error.path().to_string(), &error.inner().to_string());
                Self::Unread(row, why)
            }
        })
    }
}

// The messages of the types below. Every other message is one of serde, which may contain a value.
const MISSING: &str = "is missing";
const UNKNOWN: &str = "has the value ";
const NO_ADDRESS: &str = "isn't an address that a file can have";

/// Returns what is wrong with a row, from the place and the message of an error.
fn why(path: &str, message: &str) -> String {
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    match (path, message) {
        (path, MISSING | NO_ADDRESS) => format!("`{path}` {message}"),
        (path, message) if message.starts_with(UNKNOWN) => format!("`{path}` {message}"),
        (".", _) => match missing {
            Some(field) => format!("`{field}` {MISSING}"),
            None => "it has a form that rolecall doesn't know".to_owned(),
        },
        (path, _) => format!("`{path}` has a form or a value that rolecall doesn't know"),
    }
}

impl<T> Row<T> {
    /// Returns the row, if it was read.
    pub fn as_read(&self) -> Option<&T> {
        match self {
            Self::Read(row) => Some(row),
            Self::Unread(..) => None,
        }
    }

    /// Returns the row, if it was read.
    pub fn read(self) -> Option<T> {
        match self {
            Self::Read(row) => Some(row),
            Self::Unread(..) => None,
        }
    }
}

/// The fields that tell what a row is, as JSON pointers.
pub(super) struct Fields {
    pub kind: Kind,
    pub id: &'static str,
    pub name: &'static str,
    /// The role, or the list of roles. Empty if a row has none.
    pub roles: &'static str,
}

/// Separates the rows that were read from the others.
pub(super) fn separate<T>(
    rows: impl IntoIterator<Item = Row<T>>,
    fields: &Fields,
    unread: &mut Vec<UnreadableRow>,
) -> Vec<T> {
    let mut read = Vec::new();
    for row in rows {
        match row {
            Row::Read(row) => read.push(row),
            Row::Unread(row, why) => unread.push(unreadable(&row, unread.len() + 1, fields, why)),
        }
    }
    read
}

/// Returns a row that can't be read, under as much of an address as it has. `number` is its number among such rows,
/// for one that has neither a name nor an id.
fn unreadable(row: &Value, number: usize, fields: &Fields, why: String) -> UnreadableRow {
    let text = |pointer: &str| match row.pointer(pointer)? {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let roles = row.pointer(fields.roles).filter(|_| !fields.roles.is_empty());
    let roles = roles.map(|roles| roles.as_array().map_or(std::slice::from_ref(roles), Vec::as_slice));
    let roles = roles.into_iter().flatten().filter_map(Value::as_str).map(RoleName::seen).collect();
    // A name is a text. A number instead of it means that the API has changed.
    let is_text = row.pointer(fields.name).is_some_and(Value::is_string);
    let (id, name) = (text(fields.id), text(fields.name).filter(|_| is_text));
    let id = id.or_else(|| name.is_none().then(|| format!("nameless-{number}"))).map(RemoteId::seen);
    let name = match (fields.kind, name.unwrap_or_default()) {
        (Kind::User | Kind::Invitation, name) => Email::seen(&name).key().to_owned(),
        (_, name) => name,
    };
    UnreadableRow { address: Address { kind: fields.kind, name: name.into(), id }, why, roles }
}

/// Returns the ids of the rows that can't be read.
pub(super) fn ids(unread: &[UnreadableRow]) -> BTreeSet<RemoteId> {
    unread.iter().filter_map(|row| row.address.id.clone()).collect()
}

/// Returns the error for a value of an enum that rolecall doesn't know. The value is shown only if it looks like one.
pub(super) fn unknown_value<E: Error>(value: &str) -> E {
    const LONGEST: usize = 60;
    let is_name = value.len() <= LONGEST && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let value = if is_name { value } else { "…" };
    E::custom(format!("{UNKNOWN}`{value}`, which this version of rolecall doesn't know. Update rolecall"))
}

/// A text that a row can't do without. A blank one counts as missing.
#[derive(Clone, Debug)]
pub(super) struct Text(pub EcoString);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<EcoString>::deserialize(deserializer)?.filter(|text| !text.trim().is_empty());
        text.map(Self).ok_or_else(|| D::Error::custom(MISSING))
    }
}

/// An address that a file can have.
#[derive(Clone, Debug)]
pub(super) struct Mail(pub Email);

impl<'de> Deserialize<'de> for Mail {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        let email = Email::parse(&text).map_err(|_| D::Error::custom(NO_ADDRESS))?;
        // It is sent as the platform spells it.
        Ok(Self(if email.as_str() == text { email } else { Email::seen(&text) }))
    }
}

/// Reads an instant, if there is one.
pub(super) fn expiry<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Expiry>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(|_| D::Error::custom("no instant"))).transpose()
}

/// Decides whether a list with pages goes on, so that reading it ends.
#[derive(Default)]
pub(super) struct Cursors {
    seen: BTreeSet<String>,
    rows: usize,
}

/// More rows than any list has.
const MOST_ROWS: usize = 1_000_000;

/// More pages than any list has.
const MOST_PAGES: usize = 10_000;

impl Cursors {
    /// Checks that the page at this cursor is worth a request, after a page with this many rows. The error says why
    /// the list has no end.
    pub fn follow(&mut self, rows: usize, cursor: &str) -> Result<(), &'static str> {
        self.rows += rows;
        if rows == 0 {
            return Err("a page without any says that there are more");
        }
        if cursor.is_empty() || !self.seen.insert(cursor.to_owned()) {
            return Err("its pages lead in a circle");
        }
        if self.rows > MOST_ROWS {
            return Err("it has more than a million rows");
        }
        if self.seen.len() > MOST_PAGES {
            return Err("it has more than 10,000 pages");
        }
        Ok(())
    }
}
