//! Step two of reading a file: what is true. Everything that is alike for all providers.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::endpoint::check_url;
use super::field::Field;
use super::raw::{
    AddressText, EmailText, InstantText, NameText, PathText, RawCredential, RawDelivery, RawEndpoint,
    RawGuardrails, RawScope, VariableText,
};
use super::source::{Mark, Source};
use crate::model::{
    Address, Code, Credential, Delivery, Email, Endpoint, Expiry, Finding, Guardrails, KeyName, NameError,
    Permission, Place, Placed, RemoteId, RoleName, Rules, Scope, Slug, check_name, list_of, nearest, quote,
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
pub(super) trait Typed: Sized {
    fn typed(text: String) -> Result<Self, NameError>;
}

impl Typed for RoleName {
    fn typed(text: String) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl Typed for KeyName {
    fn typed(text: String) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl Typed for RemoteId {
    fn typed(text: String) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl Typed for Permission {
    fn typed(text: String) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl Typed for Slug {
    fn typed(text: String) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl Typed for String {
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

    pub fn name<T: Typed>(&mut self, field: Field<NameText>) -> Option<T> {
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

    fn known_role(&mut self, role: &RoleName, mark: Mark) {
        let known = self.rules.known_roles();
        if known.contains(&role.as_str()) || !self.warned.insert(role.as_str().to_owned()) {
            return;
        }
        let place = self.place(mark);
        let provider = self.rules.provider();
        let hint = match nearest(role.as_str(), known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}", list_of(known, "and")),
        };
        self.push(
            Finding::warning(
                Code::UnknownRole,
                place,
                format!("{} is no role that {provider} is known to have", quote(role.as_str())),
            )
            .hint(hint),
        );
    }

    pub fn guardrails(&mut self, field: Option<Field<RawGuardrails>>) -> Guardrails {
        let mut guardrails = Guardrails::default();
        let Some(RawGuardrails { min_admins, protected }) = field.and_then(|field| field.value) else {
            return guardrails;
        };
        if let Some(number) = min_admins.and_then(|field| field.value) {
            guardrails.min_admins = number as usize;
        }
        for item in protected.and_then(|field| field.value).unwrap_or_default() {
            let Some(AddressText(text)) = item.value else { continue };
            match text.parse::<Address>() {
                Ok(address) if !self.rules.kinds().contains(&address.kind) => {
                    let known: Vec<&str> = self.rules.kinds().iter().map(|kind| kind.as_str()).collect();
                    let why = format!("{} has {}", self.rules.provider(), list_of(&known, "and"));
                    self.invalid(item.mark, format!("{} is no address here", quote(&text)), &why);
                }
                Ok(address) => {
                    let place = self.place(item.mark);
                    guardrails.protected.insert(address, place);
                }
                Err(why) => self.invalid(item.mark, format!("{} is no address", quote(&text)), &why),
            }
        }
        guardrails
    }

    pub fn organization(&mut self, field: Field<NameText>) -> Option<Placed<RemoteId>> {
        let mark = field.mark;
        self.name(field).map(|name| self.placed(mark, name))
    }

    pub fn endpoint(&mut self, field: Field<RawEndpoint>) -> Option<Placed<Endpoint>> {
        let mark = field.mark;
        match field.value? {
            RawEndpoint::Env(name) => self.variable(name).map(|name| self.placed(mark, Endpoint::Env(name))),
            RawEndpoint::Url(text) => {
                let place = self.place(mark);
                match check_url(&text) {
                    Ok(_) => Some(Placed { value: Endpoint::Url(text), place }),
                    Err((code, message, hint)) => {
                        let finding = Finding::error(code, place, message).hint(hint);
                        let literal = code == Code::LiteralCredential;
                        self.push(if literal { finding.without_source() } else { finding });
                        None
                    }
                }
            }
        }
    }

    fn variable(&mut self, field: Field<VariableText>) -> Option<String> {
        let VariableText(name) = field.value?;
        let mut letters = name.chars();
        let starts = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        if starts && letters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Some(name);
        }
        // Not quoted: somebody may have put the value where its name belongs.
        let place = self.place(field.mark);
        self.push(
            Finding::error(Code::InvalidValue, place, "this is no name of an environment variable")
                .hint("letters, digits and underscores; the name, never the value")
                .without_source(),
        );
        None
    }

    fn path(&mut self, field: Field<PathText>) -> Option<String> {
        let PathText(path) = field.value?;
        if path.is_empty() || path.contains('\0') {
            let place = self.place(field.mark);
            self.push(
                Finding::error(Code::InvalidValue, place, "this is no path").hint("name a file").without_source(),
            );
            return None;
        }
        Some(path)
    }

    fn command(&mut self, mark: Mark, words: Vec<Field<PathText>>) -> Option<Vec<String>> {
        let program = words.first().and_then(|word| word.value.as_ref());
        if words.is_empty() || program.is_some_and(|PathText(program)| program.is_empty()) {
            self.invalid(mark, "the command is empty".to_owned(), "name a program: [PROGRAM, ARGUMENT]");
            return None;
        }
        words.into_iter().map(|word| word.value.map(|PathText(word)| word)).collect()
    }

    pub fn credential(&mut self, field: Field<RawCredential>) -> Option<Placed<Credential>> {
        let credential = match field.value? {
            RawCredential::Env(name) => self.variable(name).map(Credential::Env),
            RawCredential::File(path) => self.path(path).map(|path| Credential::File(PathBuf::from(path))),
            RawCredential::Command(words) => self.command(field.mark, words).map(Credential::Command),
        };
        credential.map(|credential| self.placed(field.mark, credential))
    }

    fn delivery(&mut self, field: Field<RawDelivery>) -> Option<Delivery> {
        match field.value? {
            RawDelivery::File(path) => self.path(path).map(|path| Delivery::File(PathBuf::from(path))),
            RawDelivery::Command(words) => self.command(field.mark, words).map(Delivery::Command),
        }
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

/// Sees to it that no two secrets go to one file: the second would be all that is left.
#[derive(Default)]
pub(super) struct Targets {
    seen: BTreeMap<PathBuf, usize>,
}

impl Targets {
    /// Where a key's secret goes.
    pub fn delivery(&mut self, field: Field<RawDelivery>, check: &mut Checker<'_>) -> Option<Delivery> {
        let mark = field.mark;
        let delivery = check.delivery(field)?;
        self.admit(check, &delivery, mark);
        Some(delivery)
    }

    fn admit(&mut self, check: &mut Checker<'_>, delivery: &Delivery, mark: Mark) {
        let Delivery::File(path) = delivery else { return };
        let target = normal(path);
        if target == normal(Path::new(&*check.source.name)) || target.starts_with(".rolecall") {
            let place = check.place(mark);
            let message = format!(
                "{} is rolecall's own, and the secret would overwrite it",
                quote(&path.display().to_string())
            );
            check.push(
                Finding::error(Code::InvalidValue, place, message).hint("name a file that holds nothing else"),
            );
        }
        match self.seen.entry(target) {
            Entry::Vacant(entry) => {
                entry.insert(mark.line);
            }
            Entry::Occupied(first) => {
                let hint = format!("the first is on line {}; give each key a file of its own", first.get());
                let message = format!("another key's secret goes to {} too", quote(&path.display().to_string()));
                let place = check.place(mark);
                check.push(Finding::error(Code::DuplicateDelivery, place, message).hint(hint));
            }
        }
    }
}

/// The same file under one name, as far as the names alone tell.
fn normal(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if parts.file_name().is_some() => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts
}
