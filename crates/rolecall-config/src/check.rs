//! The checks of decoded values that are the same for all providers. Decoding is in [`decode`](super::decode).

use std::collections::BTreeSet;

use super::field::Field;
use super::raw::{EmailText, InstantText, NameText, RawScope};
use super::source::{Mark, Sources};
use rolecall_model::{
    Address, Code, EcoString, Email, Expiry, Finding, KeyName, KnownRoles, NameError, Permission, Place, Placed,
    RemoteId, RoleName, Rules, Scope, Slug, TeamName, check_name, distance, list_of, nearest, quote, sentence,
};

/// Checks values one by one and keeps the findings.
pub struct Checker<'a> {
    pub source: Sources<'a>,
    pub rules: &'a dyn Rules,
    pub findings: Vec<Finding>,
    /// True if the file may have roles that rolecall doesn't know.
    pub allows_unknown_roles: bool,
    /// Unknown roles that have a warning already. Each role gets only one.
    warned: BTreeSet<String>,
}

/// A name type that can be checked and created from text in a file.
pub trait FromText: Sized {
    fn from_text(text: EcoString) -> Result<Self, NameError>;
}

impl FromText for RoleName {
    fn from_text(text: EcoString) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl FromText for KeyName {
    fn from_text(text: EcoString) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl FromText for RemoteId {
    fn from_text(text: EcoString) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl FromText for Permission {
    fn from_text(text: EcoString) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl FromText for TeamName {
    fn from_text(text: EcoString) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl FromText for Slug {
    fn from_text(text: EcoString) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl FromText for String {
    fn from_text(text: EcoString) -> Result<Self, NameError> {
        check_name(&text).map(|()| text.into())
    }
}

impl<'a> Checker<'a> {
    pub fn new(source: Sources<'a>, rules: &'a dyn Rules) -> Self {
        Self { source, rules, findings: Vec::new(), allows_unknown_roles: false, warned: BTreeSet::new() }
    }

    pub fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Returns a checked value with its place.
    pub fn placed<T>(&self, mark: Mark, value: T) -> Placed<T> {
        Placed { value, place: self.place(mark) }
    }

    pub fn place(&self, mark: Mark) -> Place {
        self.source.place(mark)
    }

    pub fn invalid(&mut self, mark: Mark, message: String, hint: &str) {
        let place = self.place(mark);
        self.push(Finding::error(Code::InvalidValue, place, message).hint(hint));
    }

    pub fn name<T: FromText>(&mut self, field: Field<NameText>) -> Option<T> {
        let NameText(text) = field.value?;
        match T::from_text(text.clone()) {
            Ok(name) => Some(name),
            Err(why) => {
                self.invalid(
                    field.mark,
                    format!("{} {why}.", quote(&text)),
                    "Write the name as the platform shows it.",
                );
                None
            }
        }
    }

    pub fn text(&mut self, field: Field<NameText>) -> Option<String> {
        self.name(field)
    }

    pub fn email(&mut self, field: Field<EmailText>) -> Option<Email> {
        email(field, self.source, &mut self.findings)
    }

    pub fn instant(&mut self, field: Field<InstantText>) -> Option<Expiry> {
        let InstantText(text) = field.value?;
        // The parser accepts many forms. Only the usual one is allowed in a file.
        let bytes = text.as_bytes();
        let usual = [(4, b'-'), (7, b'-'), (13, b':')].iter().all(|(at, byte)| bytes.get(*at) == Some(byte));
        let expiry = text.parse().ok().filter(|_| usual && !text.contains('['));
        if expiry.is_none() {
            // Programs write such times as seconds since 1970.
            let seconds = text.parse().ok().map(Expiry::from_second);
            let hint = match seconds.filter(|_| text.len() >= 9) {
                Some(expiry) => format!("If these are seconds since 1970, write `{expiry}`."),
                None => "Write it with its time zone, like `2027-04-30T20:59:59Z`. The latest is `9999-12-31T23:59:59Z`."
                    .to_owned(),
            };
            self.invalid(field.mark, format!("{} is not a point in time.", quote(&text)), &hint);
        }
        expiry
    }

    /// Checks the exact set of roles. Returns `None` if one of them is wrong: an incomplete set would take a role
    /// away.
    pub fn roles(&mut self, field: Field<Vec<Field<NameText>>>) -> Option<BTreeSet<RoleName>> {
        let mut roles = BTreeSet::new();
        let mut complete = true;
        for item in field.value? {
            let mark = item.mark;
            match self.name::<RoleName>(item) {
                Some(role) => {
                    self.known_role(&role, mark);
                    roles.insert(role);
                }
                None => complete = false,
            }
        }
        complete.then_some(roles)
    }

    /// Checks a list that must contain exactly one role, and returns the role with its place. `several_hint` is
    /// the hint for a list of several roles.
    pub fn one_role(
        &mut self,
        field: Field<Vec<Field<NameText>>>,
        several_hint: &str,
    ) -> Option<(RoleName, Mark)> {
        let list = self.place(field.mark);
        let items = field.value?;
        let count = items.len();
        let mut roles = Vec::new();
        for item in items {
            let mark = item.mark;
            roles.extend(self.name(item).map(|role| (role, mark)));
        }
        let (message, hint) = match count {
            1 => return roles.pop(),
            0 => {
                ("A user has exactly one role, but none is listed.", "To remove all access, write `absent: true`.")
            }
            _ => ("A user has exactly one role, but several are listed.", several_hint),
        };
        self.push(Finding::error(Code::RoleCount, list, message).hint(hint));
        None
    }

    /// Checks that the platform has a role. An unknown role is an error if the platform has a fixed set of roles.
    /// Otherwise it is a warning, because it may be a new role.
    pub fn known_role(&mut self, role: &RoleName, mark: Mark) {
        let (known, closed) = match self.rules.capabilities().known_roles {
            KnownRoles::Open(names) => (names, None),
            KnownRoles::Closed { names, hint } => (names, Some(hint)),
        };
        if known.contains(&role.as_str()) {
            return;
        }
        let slip = known.iter().find(|known| is_slip(role.as_str(), known));
        if closed.is_none() && slip.is_none() && self.allows_unknown_roles {
            return;
        }
        let near = nearest(role.as_str(), known.iter().copied()).map(|near| format!("Did you mean `{near}`?"));
        let (place, provider, shown) =
            (self.place(mark), self.rules.capabilities().provider, quote(role.as_str()));
        if let Some(advice) = closed {
            let advice = sentence(advice);
            let hint = near.map_or_else(|| advice.clone(), |near| format!("{near} {advice}"));
            let message = format!("{provider} has no role {shown} that can be given.");
            self.push(Finding::error(Code::UnknownRole, place, message).hint(hint));
        } else if let Some(meant) = slip.filter(|_| !self.allows_unknown_roles) {
            let message = format!("{provider} isn't known to have a role {shown}, but it has `{meant}`.");
            let hint = format!(
                "Write `{meant}`. If the platform really has both, add `allow: [unknown-roles]` to the file."
            );
            self.push(Finding::error(Code::UnknownRole, place, message).hint(hint));
        } else if self.warned.insert(role.as_str().to_owned()) {
            let hint = near.unwrap_or_else(|| format!("The known roles are {}.", list_of(known, "and")));
            let message = format!("{provider} isn't known to have a role {shown}.");
            self.push(Finding::warning(Code::UnknownRole, place, message).hint(hint));
        }
    }

    /// Checks the slug of an organisation on Hive, which consists of lower-case letters, digits, `-` and `_`.
    pub fn slug(&mut self, field: Field<NameText>) -> Option<RemoteId> {
        let mark = field.mark;
        let slug = self.name::<RemoteId>(field)?;
        let text = slug.as_str();
        if text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_')) {
            return Some(slug);
        }
        let message = format!("{} is not a slug.", quote(text));
        let similar = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join("-");
        let example = if similar.is_ascii() { &similar } else { "acme" };
        self.invalid(
            mark,
            message,
            &format!(
                "A slug consists of the letters `a` to `z`, digits, `-` and `_`. Copy it from the URL of the web app, such as {}.",
                quote(example)
            ),
        );
        None
    }

    pub fn organization(&mut self, field: Field<NameText>) -> Option<Placed<RemoteId>> {
        let mark = field.mark;
        self.name(field).map(|name| self.placed(mark, name))
    }

    /// Reports each of these fields if the entry has `absent: true`, because only a present entity can have them.
    pub fn contradiction<const N: usize>(&mut self, absent: bool, values: [Option<(Mark, &str)>; N]) {
        for (mark, field) in values.into_iter().flatten().filter(|_| absent) {
            let place = self.place(mark);
            self.push(
                Finding::error(Code::AbsentWithValues, place, format!("`{field}` contradicts `absent: true`."))
                    .hint(format!("Remove `{field}`, or remove `absent: true`.")),
            );
        }
    }
}

/// Checks an email address.
pub(super) fn email(field: Field<EmailText>, source: Sources<'_>, findings: &mut Vec<Finding>) -> Option<Email> {
    let EmailText(text) = field.value?;
    match Email::parse(&text) {
        Ok(email) => Some(email),
        Err(why) => {
            let message = format!("{} is not an email address: it {why}.", quote(&text));
            let finding = Finding::error(Code::InvalidEmail, source.place(field.mark), message);
            findings.push(finding.hint("Write it like `jane@acme.example`."));
            None
        }
    }
}

/// Returns whether a name differs from another one only by its case or by one letter.
fn is_slip(typed: &str, known: &str) -> bool {
    let (typed, known) = (typed.to_lowercase(), known.to_lowercase());
    distance(&typed, &known) <= 1
}

/// Returns the value of a flag, or `false` if the field is absent.
pub fn flag(field: Option<Field<bool>>) -> bool {
    field.and_then(|field| field.value).unwrap_or(false)
}

/// Returns the value of a scope, or [`Scope::Listed`] if the field is absent.
pub fn scope(field: Option<Field<RawScope>>) -> Scope {
    match field.and_then(|field| field.value) {
        Some(RawScope::All) => Scope::All,
        Some(RawScope::Listed) | None => Scope::Listed,
    }
}

impl Checker<'_> {
    /// Checks the entries of a list and returns them, sorted by address. `one` checks one of them, and returns the mark
    /// of its name and its address too. An entry with the address of an earlier one is reported with `duplicate`, and
    /// left out.
    pub fn entries<R, T>(
        &mut self,
        raw: Option<Field<Vec<Field<R>>>>,
        duplicate: Code,
        mut one: impl FnMut(R, Mark, &mut Self) -> Option<(Mark, Address, T)>,
    ) -> Vec<T> {
        let raw = raw.and_then(|field| field.value).unwrap_or_default();
        let mut entries: Vec<(Mark, Address, T)> = Vec::with_capacity(raw.len());
        for Field { mark, value } in raw {
            entries.extend(value.and_then(|raw| one(raw, mark, self)));
        }
        // Sorted once, and stably: the first entry with an address stays.
        entries.sort_by(|(_, one, _), (_, other, _)| one.cmp(other));
        entries.dedup_by(|(mark, address, _), (first, kept, _)| {
            if address != kept {
                return false;
            }
            let first = self.source.line_of(*first, *mark);
            let hint = format!("The first entry is {first}. Merge the two entries.");
            let message = format!("{} is listed twice.", quote(&address.to_string()));
            let place = self.place(*mark);
            self.push(Finding::error(duplicate, place, message).hint(hint));
            true
        });
        // Collected in place, the list would keep the room of what was sorted.
        let mut checked = Vec::with_capacity(entries.len());
        checked.extend(entries.into_iter().map(|(.., entry)| entry));
        checked
    }
}
