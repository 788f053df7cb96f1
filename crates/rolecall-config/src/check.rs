//! Step two of reading a file: what is true. Everything that is alike for all providers.

use std::collections::{BTreeMap, BTreeSet};

use super::field::Field;
use super::raw::{EmailText, InstantText, NameText, RawScope};
use super::source::{Mark, Source};
use rolecall_model::{
    Code, Email, Expiry, Finding, KeyName, KnownRoles, NameError, Permission, Place, Placed, RemoteId, RoleName,
    Rules, Scope, Slug, TeamName, check_name, list_of, nearest, quote,
};

/// Checks values one by one and keeps the findings.
pub(super) struct Checker<'a> {
    pub source: &'a Source,
    pub rules: &'a dyn Rules,
    pub findings: Vec<Finding>,
    /// Unknown roles that were warned of: once each is enough.
    warned: BTreeSet<String>,
}

/// A name that a person typed.
pub(super) trait FromText: Sized {
    fn typed(text: String) -> Result<Self, NameError>;
}

impl FromText for RoleName {
    fn typed(text: String) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl FromText for KeyName {
    fn typed(text: String) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl FromText for RemoteId {
    fn typed(text: String) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl FromText for Permission {
    fn typed(text: String) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl FromText for TeamName {
    fn typed(text: String) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl FromText for Slug {
    fn typed(text: String) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl FromText for String {
    fn typed(text: String) -> Result<Self, NameError> {
        check_name(&text).map(|()| text)
    }
}

impl<'a> Checker<'a> {
    pub fn new(source: &'a Source, rules: &'a dyn Rules) -> Self {
        Self { source, rules, findings: Vec::new(), warned: BTreeSet::new() }
    }

    pub fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// A checked value with its place.
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
        match T::typed(text.clone()) {
            Ok(name) => Some(name),
            Err(why) => {
                self.invalid(
                    field.mark,
                    format!("{} {why}", quote(&text)),
                    "write the name as the platform shows it",
                );
                None
            }
        }
    }

    pub fn text(&mut self, field: Field<NameText>) -> Option<String> {
        self.name(field)
    }

    pub fn email(&mut self, field: Field<EmailText>) -> Option<Email> {
        let EmailText(text) = field.value?;
        match Email::parse(&text) {
            Ok(email) => Some(email),
            Err(why) => {
                let place = self.place(field.mark);
                self.push(
                    Finding::error(
                        Code::InvalidEmail,
                        place,
                        format!("{} is no email address: it {why}", quote(&text)),
                    )
                    .hint("write it like jane@acme.example"),
                );
                None
            }
        }
    }

    pub fn instant(&mut self, field: Field<InstantText>) -> Option<Expiry> {
        let InstantText(text) = field.value?;
        // One way to write it, of the many that a parser takes.
        let bytes = text.as_bytes();
        let usual = [(4, b'-'), (7, b'-'), (13, b':')].iter().all(|(at, byte)| bytes.get(*at) == Some(byte));
        let expiry = Expiry::parse(&text).filter(|_| usual && !text.contains('['));
        if expiry.is_none() {
            self.invalid(
                field.mark,
                format!("{} is no instant", quote(&text)),
                "write it with its zone, like 2027-04-30T20:59:59Z",
            );
        }
        expiry
    }

    /// The exact set. `None` where any of them was wrong: a set with a hole would take a role away.
    pub fn roles(&mut self, field: Field<Vec<Field<NameText>>>) -> Option<BTreeSet<RoleName>> {
        let mut roles = BTreeSet::new();
        let mut whole = true;
        for item in field.value? {
            let mark = item.mark;
            match self.name::<RoleName>(item) {
                Some(role) => {
                    self.known_role(&role, mark);
                    roles.insert(role);
                }
                None => whole = false,
            }
        }
        whole.then_some(roles)
    }

    /// The role of whoever can have one alone, and where it stands.
    pub fn one_role(&mut self, field: Field<Vec<Field<NameText>>>, several: &str) -> Option<(RoleName, Mark)> {
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
            0 => ("a user has one role, and none is listed", "to take all access away, write `absent: true`"),
            _ => ("a user has one role, and several are listed", several),
        };
        self.push(Finding::error(Code::RoleCount, list, message).hint(hint));
        None
    }

    /// Where there are no others, another is an error; where the set is open it may be a new one.
    pub fn known_role(&mut self, role: &RoleName, mark: Mark) {
        let (known, closed) = match self.rules.known_roles() {
            KnownRoles::Open(names) => (names, None),
            KnownRoles::Closed { names, hint } => (names, Some(hint)),
        };
        if known.contains(&role.as_str()) {
            return;
        }
        let near = nearest(role.as_str(), known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        let (place, provider, shown) = (self.place(mark), self.rules.provider(), quote(role.as_str()));
        if let Some(roles) = closed {
            let hint = near.map_or_else(|| roles.to_owned(), |near| format!("{near} {roles}"));
            let message = format!("{provider} has no role {shown} that can be given");
            self.push(Finding::error(Code::UnknownRole, place, message).hint(hint));
        } else if self.warned.insert(role.as_str().to_owned()) {
            let hint = near.unwrap_or_else(|| format!("known are {}", list_of(known, "and")));
            let message = format!("{shown} is no role that {provider} is known to have");
            self.push(Finding::warning(Code::UnknownRole, place, message).hint(hint));
        }
    }

    pub fn organization(&mut self, field: Field<NameText>) -> Option<Placed<RemoteId>> {
        let mark = field.mark;
        self.name(field).map(|name| self.placed(mark, name))
    }

    /// `absent: true` beside what only a present entity can have.
    pub fn contradiction<const N: usize>(&mut self, absent: bool, values: [Option<(Mark, &str)>; N]) {
        for (mark, field) in values.into_iter().flatten().filter(|_| absent) {
            let place = self.place(mark);
            self.push(
                Finding::error(Code::AbsentWithValues, place, format!("`{field}` contradicts `absent: true`"))
                    .hint(format!("remove `{field}`, or `absent: true`")),
            );
        }
    }
}

/// False where nothing is written.
pub(super) fn flag(field: Option<Field<bool>>) -> bool {
    field.and_then(|field| field.value).unwrap_or(false)
}

/// `listed` where nothing is written.
pub(super) fn scope(field: Option<Field<RawScope>>) -> Scope {
    match field.and_then(|field| field.value) {
        Some(RawScope::All) => Scope::All,
        Some(RawScope::Listed) | None => Scope::Listed,
    }
}

/// Lets each key pass once and reports the second.
pub(super) struct Unique {
    code: Code,
    seen: BTreeMap<String, usize>,
}

impl Unique {
    pub fn new(code: Code) -> Self {
        Self { code, seen: BTreeMap::new() }
    }

    pub fn admit(&mut self, check: &mut Checker<'_>, key: String, mark: Mark, address: &str) -> bool {
        if let Some(first) = self.seen.get(&key) {
            let hint = format!("the first is on line {first}; merge the two entries");
            let place = check.place(mark);
            check.push(Finding::error(self.code, place, format!("{} is listed twice", quote(address))).hint(hint));
            return false;
        }
        self.seen.insert(key, mark.line);
        true
    }
}
