//! Names and ids as types of their own, so that one can't be passed in place of another.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use ecow::EcoString;
use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::CodePointSetData;
use icu_properties::props::{DefaultIgnorableCodePoint, ExtendedPictographic};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use super::steps::step;
use super::tagged::Text;

/// Defines [`ProviderName`], so that a new platform is one entry and no list can lack it.
macro_rules! providers {
    ($($(#[$about:meta])* $provider:ident = $word:literal,)*) => {
        /// One of the platforms that rolecall can manage.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "lowercase")]
        pub enum ProviderName {
            $($(#[$about])* $provider,)*
        }

        impl ProviderName {
            /// Every provider, in the order in which messages list them.
            pub const ALL: &[Self] = &[$(Self::$provider),*];

            /// Returns the provider's name in the field `provider` of a file.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$provider => $word,)*
                }
            }
        }
    };
}

providers! {
    /// Bitpanda Enterprise Custody.
    Bitpanda = "bitpanda",
    /// GraphQL Hive's console, in the cloud or self-hosted.
    Hive = "hive",
    /// A workspace of Paradime.
    Paradime = "paradime",
    /// An organisation on a RapidAPI Enterprise Hub.
    Rapidapi = "rapidapi",
}

impl ProviderName {
    /// Returns the provider with this name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|provider| provider.as_str() == word)
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The reason why a text isn't a valid name. Messages print it after the text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    #[error("is empty")]
    Empty,
    #[error("starts or ends with white space")]
    Padded,
    #[error("has a control or an invisible character, or a space that isn't the usual one")]
    Control,
    #[error("is longer than {0} characters")]
    Long(usize),
}

/// The length limit of names in a file, in characters.
pub const MAX_NAME: usize = 256;

/// Returns whether a character moves the cursor, changes the reading direction, or is invisible. Such characters
/// can make a line look different from its content. Unicode's properties decide, not a list of ours.
pub fn is_deceptive(c: char) -> bool {
    // No ASCII character is invisible, besides the control characters.
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control()
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        // Separators of lines and paragraphs, annotations, and the pattern of Braille without dots.
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}' | '\u{2800}')
}

/// Returns whether a character looks like the space, and is another one: a no-break space, for example.
pub fn is_odd_space(c: char) -> bool {
    !c.is_ascii() && c.is_whitespace() && !is_deceptive(c)
}

/// Finds the deceptive characters of a text, each with its place in bytes. A character that joins two emoji, or
/// that chooses the picture of one, changes what is shown. So it isn't deceptive there: `👩‍💻` is one picture.
pub fn deceptive(text: &str) -> impl Iterator<Item = (usize, char)> {
    let is_picture = |c: char| CodePointSetData::new::<ExtendedPictographic>().contains(c);
    let is_part = move |c: char| is_picture(c) || matches!(c, '\u{1f3fb}'..='\u{1f3ff}' | '\u{fe0f}');
    text.char_indices().filter(|(_, c)| is_deceptive(*c)).filter(move |(at, c)| {
        let before = text[..*at].chars().next_back();
        let after = text[at + c.len_utf8()..].chars().next();
        match c {
            '\u{200d}' => !(before.is_some_and(is_part) && after.is_some_and(is_picture)),
            '\u{fe0f}' => !before.is_some_and(is_picture),
            _ => true,
        }
    })
}

fn is_long(text: &str) -> bool {
    text.len() > MAX_NAME && text.chars().count() > MAX_NAME
}

/// Checks a name of something new, or another line of text that a person typed.
pub fn check_name(text: &str) -> Result<(), NameError> {
    let is_usual = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if is_usual && !text.is_empty() && !text.starts_with(' ') && !text.ends_with(' ') && !is_long(text) {
        return Ok(());
    }
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.trim() != text {
        return Err(NameError::Padded);
    }
    if deceptive(text).next().is_some() || text.contains(is_odd_space) {
        return Err(NameError::Control);
    }
    if is_long(text) {
        return Err(NameError::Long(MAX_NAME));
    }
    Ok(())
}

/// Checks a name that a person typed for something that may exist. A platform may have names that start or end
/// with a space, or that contain an invisible character. Such a name can be written in quotes, with escapes.
fn check_reference(text: &str) -> Result<(), NameError> {
    if text.trim().is_empty() {
        return Err(NameError::Empty);
    }
    // A block of text ends with a line end, which belongs to no name.
    if text.ends_with(['\n', '\r']) || text.contains('\0') {
        return Err(NameError::Control);
    }
    if is_long(text) {
        return Err(NameError::Long(MAX_NAME));
    }
    Ok(())
}

/// Returns the text in the form in which names are compared: Unicode's NFC. `é` may be one character, or an `e` and
/// an accent. Both look the same, and platforms have both. A character that NFC would make ASCII stays as it is:
/// otherwise two different addresses could become equal (the Kelvin sign would become `K`).
pub fn composed(text: &str) -> Cow<'_, str> {
    const STAY: [char; 3] = ['\u{37e}', '\u{1fef}', '\u{212a}'];
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let normalizer = ComposingNormalizerBorrowed::new_nfc();
    if !text.contains(STAY) {
        return normalizer.normalize(text);
    }
    let parts = text.split_inclusive(STAY).map(|part| match part.strip_suffix(STAY) {
        Some(start) => normalizer.normalize(start) + &part[start.len()..],
        None => normalizer.normalize(part),
    });
    Cow::Owned(parts.collect())
}

/// Returns whether two texts are certain to have the form in which names are compared, as nearly all have.
fn is_composed(one: &str, other: &str) -> bool {
    one.is_ascii() && other.is_ascii()
}

/// Defines a type for texts of one meaning. `parse` checks a text that a person typed; `seen` accepts any text
/// from a platform.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(#[schemars(with = "String")] EcoString);

        impl Clone for $name {
            fn clone(&self) -> Self {
                step();
                Self(self.0.clone())
            }
        }

        impl $name {
            /// Checks and wraps a text that a person typed.
            pub fn parse(text: impl Into<EcoString>) -> Result<Self, NameError> {
                let text = text.into();
                check_reference(&text)?;
                Ok(Self(text))
            }

            /// Wraps a text from a platform, a ledger or a saved plan without a check.
            pub fn seen(text: impl Into<EcoString>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Returns the name in the form in which names are compared.
            pub fn composed(&self) -> EcoString {
                if self.0.is_ascii() { self.0.clone() } else { composed(&self.0).into() }
            }
        }

        /// Names are compared in one form of Unicode, and kept in the form that they have.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                step();
                self.0 == other.0 || (!is_composed(&self.0, &other.0) && composed(&self.0) == composed(&other.0))
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                step();
                if is_composed(&self.0, &other.0) {
                    return self.0.cmp(&other.0);
                }
                composed(&self.0).cmp(&composed(&other.0))
            }
        }

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                composed(&self.0).hash(state);
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name! {
    /// The name of a role, as the platform spells it. Names that rolecall doesn't know are kept.
    RoleName
}
name! {
    /// The name of an API key or an access token. It isn't unique on every platform.
    KeyName
}
name! {
    /// A permission of a role or a key, as the platform spells it, such as `member:modify`. Permissions that
    /// rolecall doesn't know are kept.
    Permission
}
name! {
    /// The name of a team.
    TeamName
}
name! {
    /// The short name of a project, or of a target in it.
    Slug
}
name! {
    /// An id from a platform. rolecall never interprets its content.
    RemoteId
}

/// The reason why a text isn't an email address. Messages print it after the text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EmailError {
    #[error("has no `@`")]
    NoAt,
    #[error("has more than one `@`")]
    TwoAts,
    #[error("has nothing before the `@`")]
    NoLocal,
    #[error("has no domain after the `@`")]
    NoDomain,
    #[error("has white space, or a control or invisible character")]
    Space,
    #[error("contains a placeholder, which rolecall doesn't fill in")]
    Placeholder,
    #[error("contains `{0}`, which is no part of an address")]
    Character(char),
    #[error("has a domain with a dot at an end, or with two dots in a row")]
    Dots,
    #[error("has a domain with a hyphen at the end of a part")]
    Hyphen,
    #[error("contains `{0}`, a typographic quotation mark")]
    Quote(char),
    #[error("has more than 64 bytes before the `@`")]
    LongLocal,
    #[error("has a domain with a part of more than 63 characters")]
    LongPart,
    #[error("is longer than 254 characters")]
    Long,
}

/// Returns whether a text has a placeholder that a template fills in: `${…}` or `{{…}}`.
pub fn has_placeholder(text: &str) -> bool {
    // Most texts have no brace, and one byte is found faster than two.
    text.contains('{') && (text.contains("${") || text.contains("{{"))
}

/// Returns whether a character is a typographic quotation mark, which word processors put in place of a straight one.
pub fn is_typographic_quote(c: char) -> bool {
    matches!(c, '\u{2018}'..='\u{201f}' | '\u{2039}' | '\u{203a}' | '«' | '»')
}

/// Returns the text in lower case and in NFC. A character that isn't ASCII, and whose lower case is, stays as it is:
/// otherwise two different addresses could become equal (the Kelvin sign `K` would become `k`).
pub(super) fn fold_case(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let composed = composed(text);
    let fold = |c: char| {
        let becomes_ascii = !c.is_ascii() && c.to_lowercase().any(|small| small.is_ascii());
        let folded = c.to_lowercase().filter(move |_| !becomes_ascii);
        folded.chain(becomes_ascii.then_some(c))
    };
    composed.chars().flat_map(fold).collect()
}

/// Returns whether a text is certain to be in the form in which addresses are compared, as nearly all are.
pub(super) fn is_key(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase())
}

/// Checks the part before the `@` by RFC 5321 and RFC 6531. Some real addresses have dots in a row there, so these
/// are allowed.
fn check_local(local: &str) -> Result<(), EmailError> {
    if local.is_empty() {
        return Err(EmailError::NoLocal);
    }
    if let Some(quoted) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        let unescaped = quoted.replace("\\\\", "").replace("\\\"", "");
        return if unescaped.contains('"') { Err(EmailError::Character('"')) } else { Ok(()) };
    }
    if local.contains('@') {
        return Err(EmailError::TwoAts);
    }
    if local.len() > 64 {
        return Err(EmailError::LongLocal);
    }
    let is_part = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    local.chars().find(|c| !is_part(*c)).map_or(Ok(()), |c| Err(EmailError::Character(c)))
}

/// Checks the part after the `@`: a domain, or the address of a host in brackets.
fn check_domain(domain: &str) -> Result<(), EmailError> {
    if domain.trim_matches('.').is_empty() {
        return Err(EmailError::NoDomain);
    }
    if let Some(literal) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-');
        return literal.chars().find(|c| !is_part(*c)).map_or(Ok(()), |c| Err(EmailError::Character(c)));
    }
    let is_part = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if let Some(wrong) = domain.chars().find(|c| !is_part(*c)) {
        return Err(EmailError::Character(wrong));
    }
    for part in domain.split('.') {
        if part.is_empty() {
            return Err(EmailError::Dots);
        }
        if part.chars().count() > 63 {
            return Err(EmailError::LongPart);
        }
        if part.starts_with('-') || part.ends_with('-') {
            return Err(EmailError::Hyphen);
        }
    }
    Ok(())
}

/// Returns whether an address is one of those that nearly everybody has, with which nothing can be wrong. To look for every
/// error takes longer.
fn is_ordinary(text: &str) -> bool {
    let Some(at) = text.bytes().position(|byte| byte == b'@') else { return false };
    let (local, domain) = (&text.as_bytes()[..at], &text.as_bytes()[at + 1..]);
    let is_local = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+');
    if local.is_empty() || local.len() > 64 || text.len() > 254 || !local.iter().all(is_local) {
        return false;
    }
    // The length of the part since the last dot, and the byte before.
    let (mut label, mut before) = (0, b'.');
    for byte in domain {
        label = match byte {
            b'.' if label == 0 || before == b'-' => return false,
            b'.' => 0,
            b'-' if label == 0 => return false,
            b'-' => label + 1,
            _ if byte.is_ascii_alphanumeric() => label + 1,
            _ => return false,
        };
        if label > 63 {
            return false;
        }
        before = *byte;
    }
    label > 0 && before != b'-'
}

/// Returns whether an address consists of the usual ASCII characters, and has a domain with a top level. Some
/// platforms accept no other address (measured on Hive 8.1.2).
pub fn is_plain_address(email: &str) -> bool {
    let Some((user, domain)) = email.rsplit_once('@') else { return false };
    let end = |letter: char| letter.is_ascii_alphanumeric() || "_+-".contains(letter);
    let user_fits = user.chars().all(|letter| end(letter) || "'.".contains(letter))
        && user.ends_with(end)
        && !user.starts_with('.');
    let label_fits = |label: &str| {
        label.starts_with(|letter: char| letter.is_ascii_alphanumeric())
            && label.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
    };
    let Some((names, top)) = domain.rsplit_once('.') else { return false };
    let top_fits = top.len() >= 2 && top.chars().all(|letter| letter.is_ascii_alphabetic());
    user_fits && top_fits && !email.contains("..") && names.split('.').all(label_fits)
}

/// An email address. It is sent as it was written, and compared without regard to case.
#[derive(Debug)]
pub struct Email {
    written: EcoString,
    /// The address in lower case, for comparisons and for an [`Address`](crate::Address). The same text as `written` if that is in lower case, as most addresses are.
    pub(super) key: EcoString,
}

impl Clone for Email {
    fn clone(&self) -> Self {
        step();
        Self { written: self.written.clone(), key: self.key.clone() }
    }
}

impl Email {
    /// Checks an address that a person typed. White space around it is ignored.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let text = text.trim();
        if is_ordinary(text) {
            return Ok(Self::seen(text));
        }
        if has_placeholder(text) {
            return Err(EmailError::Placeholder);
        }
        if text.chars().any(|c| c.is_whitespace() || is_deceptive(c)) {
            return Err(EmailError::Space);
        }
        if let Some(quote) = text.chars().find(|c| is_typographic_quote(*c)) {
            return Err(EmailError::Quote(quote));
        }
        let (local, domain) = text.rsplit_once('@').ok_or(EmailError::NoAt)?;
        check_local(local)?;
        check_domain(domain)?;
        if text.chars().count() > 254 {
            return Err(EmailError::Long);
        }
        Ok(Self::seen(text))
    }

    /// Wraps an address from a platform, a ledger or a saved plan without a check.
    pub fn seen(text: &str) -> Self {
        let written = EcoString::from(text);
        let key = if is_key(text) { written.clone() } else { fold_case(text.trim()).into() };
        Self { written, key }
    }

    /// Returns the address as it was written, for requests.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Returns the address in lower case, for comparisons and for an [`Address`](crate::Address).
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        step();
        self.key == other.key
    }
}

impl Eq for Email {}

impl PartialOrd for Email {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Email {
    fn cmp(&self, other: &Self) -> Ordering {
        step();
        self.key.cmp(&other.key)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.written)
    }
}

impl Serialize for Email {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl<'de> Deserialize<'de> for Email {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::seen(&Text::deserialize(deserializer)?.0))
    }
}

impl JsonSchema for Email {
    fn schema_name() -> Cow<'static, str> {
        "Email".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "An email address, as written." })
    }
}
