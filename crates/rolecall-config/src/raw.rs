//! What may be typed, whatever the provider. Promises nothing about truth.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, IntoDeserializer, MapAccess, Visitor, value::MapAccessDeserializer};

use super::field::Field;

/// A form that text has, for editors.
macro_rules! schema {
    ($(#[$doc:meta])* $name:ident: $schema:tt) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        schema!(impl $name: $schema);
    };
    (impl $name:ident: $schema:tt) => {
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).trim_end_matches("Text").into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

/// Text with a form of its own. The form is in the schema for editors; the check says what is wrong.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident: $schema:tt) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        schema!(impl $name: $schema);
    };
}

text! {
    /// An email address, compared without letter case.
    EmailText: {
        "description": "An email address. Sent as written, compared without letter case.",
        "type": "string", "maxLength": 254, "pattern": r"^\s*[^@\s]+@[^@\s]*[^@\s.][^@\s]*\s*$",
    }
}

text! {
    /// The name of a role, a key or a person, or an id.
    NameText: {
        "description": "A name or an id: text on one line, with no blank at either end, and without control and invisible characters.",
        "type": "string", "minLength": 1, "maxLength": 256,
        "pattern": r"^[^\s\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]([^\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]*[^\s\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb])?$",
    }
}

text! {
    /// What is said of something: text that may have several lines.
    DescriptionText: {
        "description": "Text that may have several lines, without control and invisible characters.",
        "type": "string",
        "pattern": r"^[^\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]*$",
    }
}

schema! {
    /// The name of a Hive role, by its server's rules.
    RoleNameText: {
        "description": "The name of a Hive role, by its server's rules: the first character is no small letter.",
        "type": "string", "minLength": 2, "maxLength": 64, "not": { "enum": ["Admin", "Viewer"] },
        "pattern": r"^[^a-z\s]",
    }
}

schema! {
    /// The title of a Hive access token, by its server's rules.
    TitleText: {
        "description": "The title of a Hive access token, by its server's rules: letters, digits, blanks, `_` and `-`, with no blank at either end.",
        "type": "string", "minLength": 2, "maxLength": 100,
        "pattern": "^[a-zA-Z0-9_-][ a-zA-Z0-9_-]*[a-zA-Z0-9_-]$",
    }
}

schema! {
    /// The name of a Hive app deployment, by its server's rules.
    AppDeploymentText: {
        "description": "The name of a Hive app deployment, by its server's rules.",
        "type": "string", "pattern": "^[a-zA-Z0-9_-]{1,64}$",
    }
}

schema! {
    /// The role of a Paradime user.
    AccountTypeText: {
        "description": "`ADMIN`, `DEVELOPER` and `BUSINESS` are part of every plan. `ANALYST`, `WORKSPACE_ADMIN`, `WORKSPACE_SETTINGS_ADMIN`, `SECURITY_ADMIN` and `BILLING_ADMIN` need the Security pack. Of `SANDBOX_USER` no page says.",
        "enum": [
            "ADMIN", "DEVELOPER", "BUSINESS", "ANALYST", "WORKSPACE_ADMIN", "WORKSPACE_SETTINGS_ADMIN",
            "SECURITY_ADMIN", "BILLING_ADMIN", "SANDBOX_USER",
        ],
    }
}

text! {
    /// An instant.
    InstantText: {
        "description": "An instant, compared to the second: `2027-04-30T20:59:59Z`.",
        "type": "string", "pattern": r"^\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])[Tt ]([01]\d|2[0-4]):[0-5]\d(:\d{2}([.,]\d+)?)?([Zz]|[+-]\d{2}(:?\d{2}){0,2})$",
    }
}

text! {
    /// A day.
    DateText: {
        "description": "A day: `2027-04-30`.",
        "type": "string", "pattern": r"^\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])$",
    }
}

text! {
    /// The hash of what a plan would do.
    SealText: {
        "description": "A plan's seal, as the plan shows it.",
        "type": "string", "pattern": "^sha256:[0-9a-f]{64}$",
    }
}

text! {
    /// The name of a host, without a scheme.
    HostText: {
        "description": "The name of a host, without a scheme.",
        "type": "string", "pattern": "^[A-Za-z0-9-][A-Za-z0-9.-]*$",
    }
}

text! {
    /// The name of an environment variable.
    VariableText: {
        "description": "The name of an environment variable.",
        "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
    }
}

text! {
    /// The path of a file.
    PathText: { "description": "A path, from the folder that rolecall runs in.", "type": "string", "minLength": 1 }
}

text! {
    /// An entity's address.
    AddressText: {
        "description": "The address of an entity, such as `user/jane@acme.example`.",
        "type": "string", "pattern": "^(organization|(team|role|user|key)/[^#]+(#.*)?)$",
    }
}

/// Where a credential is. Never the credential itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Credential", rename_all = "lowercase")]
pub enum RawCredential {
    /// In this environment variable.
    Env(Field<VariableText>),
    /// In this file: its content without white space around it.
    File(Field<PathText>),
    /// What this program prints. Runs only with `--allow-commands`.
    Command(#[schemars(length(min = 1))] Vec<Field<PathText>>),
}

/// Where a minted key's secret goes, once and nowhere else.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Delivery", rename_all = "lowercase")]
pub enum RawDelivery {
    /// Into this file, readable by its owner only.
    File(Field<PathText>),
    /// To the standard input of this program. Runs only with `--allow-commands`.
    Command(#[schemars(length(min = 1))] Vec<Field<PathText>>),
}

/// Whom the file speaks for.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Scope", rename_all = "lowercase")]
pub enum RawScope {
    /// Whoever is not listed has to go.
    All,
    /// Only those listed are touched. The default.
    Listed,
}

/// Where the platform is.
#[derive(Clone, Debug)]
pub enum RawEndpoint {
    Url(String),
    Env(Field<VariableText>),
}

/// Where the URL of the GraphQL endpoint is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EndpointFrom {
    /// The environment variable that holds the URL.
    env: Field<VariableText>,
}

impl RawEndpoint {
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

/// Where the platform is, where that may not be written into the file. It is read like any other, so that one that is
/// written is told from what isn't an endpoint at all.
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
            "description": "The URL of the GraphQL endpoint, or where it is.",
            "anyOf": [{ "type": "string", "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/@?#]+(/[^\s?#]*)?$" }, from],
        })
    }
}
