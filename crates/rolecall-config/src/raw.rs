//! The raw types of values that all providers share: their shape, before any check of their content.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use super::field::{Field, LIST_OR};
use rolecall_model::EcoString;

/// Defines a type that exists only for its JSON Schema, which editors use.
#[macro_export]
macro_rules! schema_type {
    ($(#[$doc:meta])* $name:ident: $schema:tt) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        $crate::schema_type!(impl $name: $schema);
    };
    (impl $name:ident: $schema:tt) => {
        impl ::schemars::JsonSchema for $name {
            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($name).trim_end_matches("Text").into()
            }

            fn json_schema(_: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                ::schemars::json_schema!($schema)
            }
        }
    };
}

/// Defines a type for a time or a percentage. A number is accepted as its digits, so that the check can say how the value
/// is written.
macro_rules! time {
    ($(#[$doc:meta])* $name:ident: $schema:tt) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(pub String);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(DigitsVisitor).map(Self)
            }
        }

        schema_type!(impl $name: $schema);
    };
}

struct DigitsVisitor;

impl Visitor<'_> for DigitsVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }
}

/// Defines a type for text with a certain form. The JSON Schema contains the form, for editors; the check of the
/// value reports text that doesn't have it.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident($text:ty): $schema:tt) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $text);

        schema_type!(impl $name: $schema);
    };
}

text! {
    /// An email address. It keeps the case that it was written in; comparisons ignore case.
    EmailText(String): {
        "description": "This is an email address. rolecall sends it as it is written, or in lower case where the platform requires that. Comparisons ignore case.",
        "type": "string", "maxLength": 254, "pattern": r#"^\s*([^@\s,:;<>()\[\]"]+|"\S+")@(\[[0-9A-Za-z.:-]+\]|[^@\s.,:;<>\[\]]+(\.[^@\s.,:;<>\[\]]+)*)\s*$"#,
    }
}

text! {
    /// The name or the id of something that may exist: one line of text.
    NameText(EcoString): {
        "description": "This is a name or an id, as the platform shows it, on one line. A name that starts or ends with a space is in quotes. A character that doesn't show is written as an escape, in double quotes. Something new can't have such a name.",
        "type": "string", "minLength": 1, "maxLength": 256,
        "pattern": r"^[^\u0000]*\S([^\u0000]*[^\u0000\n\r])?$",
    }
}

schema_type! {
    /// One line of text that rolecall writes.
    LineText: {
        "description": "This is one line of text. It has no space at either end, and contains no control characters or invisible characters.",
        "type": "string", "minLength": 1, "maxLength": 256,
        "pattern": r"^[^\s\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]([^\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]*[^\s\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb])?$",
    }
}

text! {
    /// A description, which may have several lines.
    DescriptionText(String): {
        "description": "This text may have several lines. It contains no control characters and no invisible characters.",
        "type": "string",
        "pattern": r"^[^\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]*$",
    }
}

time! {
    /// A point in time.
    InstantText: {
        "description": "This is a point in time, such as `2027-04-30T20:59:59Z`. rolecall compares it to the second.",
        "type": "string", "pattern": r"^\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])[Tt ]([01]\d|2[0-4]):[0-5]\d(:\d{2}([.,]\d+)?)?([Zz]|[+-]\d{2}(:?\d{2}){0,2})$",
    }
}

time! {
    /// A date without a time.
    DateText: {
        "description": "This is a date, such as `2027-04-30`.",
        "type": "string", "pattern": r"^\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])$",
    }
}

time! {
    /// A date or a point in time, until which something applies.
    UntilText: {
        "description": "This is the last day in UTC, such as `2026-12-31`, or a point in time, such as `2026-12-31T18:00:00Z`.",
        "type": "string", "pattern": r"^\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])([Tt ]([01]\d|2[0-4]):[0-5]\d(:\d{2}([.,]\d+)?)?([Zz]|[+-](0\d|1[0-4])(:?\d{2}){0,2}))?$",
    }
}

time! {
    /// A percentage.
    PercentText: {
        "description": "This is a percentage, such as `25%`.",
        "type": "string", "pattern": r"^(100|[1-9]?[0-9])%$",
    }
}

text! {
    /// A seal: the hash of everything that a plan would send.
    SealText(String): {
        "description": "A seal is a hash that identifies one plan. A plan that a guardrail refuses prints its seal.",
        "type": "string", "pattern": "^sha256:[0-9a-f]{64}$",
    }
}

text! {
    /// A host name without a scheme.
    HostText(String): {
        "description": "This is a host name, without `https://`.",
        "type": "string", "pattern": "^[A-Za-z0-9-][A-Za-z0-9.-]*$",
    }
}

text! {
    /// The name of an environment variable.
    VariableText(String): {
        "description": "This is the name of an environment variable.",
        "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
    }
}

text! {
    /// A public key to which the program `age` encrypts.
    RecipientText(String): {
        "description": "This is a public key to which `age` encrypts: `age1…`, `ssh-ed25519 …` or `ssh-rsa …`.",
        "type": "string", "pattern": r"^(age1[02-9ac-hj-np-z]{58}|ssh-(ed25519|rsa) AAAA[0-9A-Za-z+/]+={0,2}( .*)?)$",
    }
}

text! {
    /// A path, or an argument of a command.
    PathText(String): { "description": "This is a path. A relative path starts at the folder that rolecall runs in.", "type": "string", "minLength": 1 }
}

text! {
    /// The address of an entity, or a pattern for addresses.
    AddressText(String): {
        "description": "This is the address of an entity, such as `user/jane@acme.example`. `*` stands for any text.",
        "type": "string", "pattern": r"^(organization|(team|role|user|key)/[^#]+(#[\s\S]*)?)$",
    }
}

/// This mapping says where rolecall finds a credential. The credential itself is never written in the file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Credential", rename_all = "lowercase")]
pub enum RawCredential {
    /// This environment variable contains the credential.
    Env(Field<VariableText>),
    /// This file contains the credential. rolecall ignores white space around it.
    File(Field<PathText>),
    /// This program prints the credential. The first item is the program, the others are its arguments. rolecall
    /// runs it only with `--allow-commands`.
    Command(#[schemars(length(min = 1))] Vec<Field<PathText>>),
}

/// This mapping says where rolecall delivers the secret of a new key. The platform shows a secret only once.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Delivery", deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    { "required": ["file"], "properties": { "command": false, "env_file": false, "name": false, "age": false } },
    { "required": ["command"], "properties": { "file": false, "env_file": false, "name": false, "age": false } },
    { "required": ["env_file", "name"], "properties": { "file": false, "command": false, "age": false } },
    { "required": ["age", "file"], "properties": { "command": false, "env_file": false, "name": false } },
]))]
pub struct RawDelivery {
    /// rolecall writes the secret to this file, which only the file's owner can read. With `age`, the secret in it is
    /// encrypted.
    pub file: Option<Field<PathText>>,
    /// This program reads the secret from its standard input. The first item is the program, the others are its
    /// arguments. rolecall runs it only with `--allow-commands`.
    #[schemars(length(min = 1))]
    pub command: Option<Field<Vec<Field<PathText>>>>,
    /// rolecall writes the line `NAME=secret` to this file. All other lines stay as they are.
    pub env_file: Option<Field<PathText>>,
    /// This is the variable of the line in `env_file`.
    pub name: Option<Field<VariableText>>,
    /// The program `age`, or else `rage`, encrypts the secret to these public keys.
    #[schemars(length(min = 1))]
    pub age: Option<Field<Vec<Field<RecipientText>>>>,
}

/// One value, or a list of several.
#[derive(Clone, Debug)]
pub struct OneOrMore<T>(pub Vec<Field<T>>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMore<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMoreVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMoreVisitor<T> {
            type Value = OneOrMore<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<OneOrMore<T>, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(OneOrMore)
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, one: D) -> Result<OneOrMore<T>, D::Error> {
                Field::deserialize(one).map(|one| OneOrMore(vec![one]))
            }
        }

        deserializer.deserialize_newtype_struct(LIST_OR, OneOrMoreVisitor(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMore<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMore{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
}

/// The scope decides what happens to an entity that is live and isn't listed in the file.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Scope", rename_all = "lowercase")]
pub enum RawScope {
    /// An entity that isn't listed must be removed. Where the platform can't remove it, it is disabled or loses
    /// all access.
    All,
    /// An entity that isn't listed stays as it is. This is the default.
    Listed,
}

/// The URL of the GraphQL endpoint, or the environment variable that contains it.
#[derive(Clone, Debug)]
pub enum RawEndpoint {
    Url(String),
    Env(Field<VariableText>),
}

/// This mapping names the environment variable that contains the URL of the GraphQL endpoint.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EndpointFrom {
    /// This environment variable contains the URL.
    env: Field<VariableText>,
}

impl RawEndpoint {
    /// Decodes a URL or `{ env: NAME }`. `expecting` names the allowed forms for messages.
    fn read<'de, D: Deserializer<'de>>(deserializer: D, expecting: &'static str) -> Result<Self, D::Error> {
        struct EndpointVisitor(&'static str);

        impl<'de> Visitor<'de> for EndpointVisitor {
            type Value = RawEndpoint;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RawEndpoint, E> {
                String::deserialize(text.into_deserializer()).map(RawEndpoint::Url)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawEndpoint, A::Error> {
                EndpointFrom::deserialize(MapAccessDeserializer::new(map)).map(|from| RawEndpoint::Env(from.env))
            }
        }

        deserializer.deserialize_any(EndpointVisitor(expecting))
    }
}

impl<'de> Deserialize<'de> for RawEndpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(deserializer, "a URL, or { env: NAME }")
    }
}

impl<'de> Deserialize<'de> for RawSecretEndpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RawEndpoint::read(deserializer, "{ env: NAME }").map(Self)
    }
}

/// An endpoint whose URL must not be written in the file. It is decoded like [`RawEndpoint`], so that the check
/// can tell a URL that was written in the file from a value that isn't an endpoint.
#[derive(Clone, Debug)]
pub struct RawSecretEndpoint(pub RawEndpoint);

impl JsonSchema for RawSecretEndpoint {
    fn schema_name() -> Cow<'static, str> {
        "SecretEndpoint".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        EndpointFrom::json_schema(generator)
    }
}

impl JsonSchema for RawEndpoint {
    fn schema_name() -> Cow<'static, str> {
        "Endpoint".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let from = generator.subschema_for::<EndpointFrom>();
        json_schema!({
            "description": "This is the URL of the GraphQL endpoint, or a mapping that names the environment variable with the URL.",
            "anyOf": [{ "type": "string", "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/@?#]+(/[^\s?#]*)?$" }, from],
        })
    }
}
