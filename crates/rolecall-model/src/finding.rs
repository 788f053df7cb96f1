//! A [`Finding`]: a problem in a file, with a code that never changes, a place, a message and a hint.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::Place;

/// Decides whether a finding stops the run: only errors do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident => $text:literal,)+) => {
        /// The kind of a finding. Its text never changes; `docs/findings.md` explains each code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Code {
            /// Every code, in the order of `docs/findings.md`.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

codes! {
    /// The file or the folder can't be read.
    UnreadableFile => "unreadable-file",
    /// The folder contains no rolecall file.
    NoFiles => "no-files",
    /// The file is larger than rolecall reads.
    FileTooLarge => "file-too-large",
    /// The file has no content.
    EmptyFile => "empty-file",
    /// The file isn't encoded in UTF-8.
    NotUtf8 => "not-utf8",
    /// The file starts with a byte order mark.
    ByteOrderMark => "byte-order-mark",
    /// The file contains a character that doesn't show.
    InvisibleCharacter => "invisible-character",
    /// The text isn't YAML.
    YamlSyntax => "yaml-syntax",
    /// The file contains several YAML documents. It may contain only one.
    SeveralDocuments => "several-documents",
    /// The file is nested too deeply, or its aliases expand to too many values.
    TooComplex => "too-complex",
    /// A field that the format doesn't have.
    UnknownField => "unknown-field",
    /// A mapping contains the same field twice.
    DuplicateField => "duplicate-field",
    /// A required field is missing.
    MissingField => "missing-field",
    /// A value has the wrong type.
    WrongType => "wrong-type",
    /// A value has the right type, but isn't valid.
    InvalidValue => "invalid-value",
    /// The value of `provider` isn't a known provider.
    UnknownProvider => "unknown-provider",
    /// A text that should be an email address isn't one.
    InvalidEmail => "invalid-email",
    /// A credential is written in the file.
    LiteralCredential => "literal-credential",
    /// The endpoint doesn't use HTTPS.
    InsecureEndpoint => "insecure-endpoint",
    /// The credential must not be sent to the endpoint's host.
    UntrustedHost => "untrusted-host",
    /// The credential can't be read from the place that the file names.
    CredentialUnavailable => "credential-unavailable",
    /// The credential is of another kind than its field in the file.
    UnfitCredential => "unfit-credential",
    /// The file contains a command, and commands aren't allowed in this run.
    CommandNotAllowed => "command-not-allowed",
    /// The file lists the same user twice.
    DuplicateUser => "duplicate-user",
    /// The file lists the same key twice.
    DuplicateKey => "duplicate-key",
    /// The provider isn't known to have this role.
    UnknownRole => "unknown-role",
    /// An entry has `absent: true` together with values that only a present entity can have.
    AbsentWithValues => "absent-with-values",
    /// A user's entry doesn't contain `enabled`.
    EnabledNotDeclared => "enabled-not-declared",
    /// A file can't be included, or has a field that an included file can't have.
    Include => "include",
    /// A group or an entry names a person whom no people file lists.
    UnknownPerson => "unknown-person",
    /// The directory that people come from can't be used.
    Directory => "directory",
    /// Somebody is in no list of people although a directory is included, so they must have no access.
    NotInDirectory => "not-in-directory",
    /// A file names a group that no people file has.
    UnknownGroup => "unknown-group",
    /// Two groups have the same name.
    DuplicateGroup => "duplicate-group",
    /// A group contains itself.
    GroupCycle => "group-cycle",
    /// Two groups give a person different values of which a user can have only one.
    GroupConflict => "group-conflict",
    /// A field besides `users` names a person who is to be removed everywhere.
    StillNamed => "still-named",
    /// A person who is to join a group has an entry of their own, which replaces what the group gives.
    OwnEntry => "own-entry",
    /// An entry is written in a way that rolecall can't edit.
    NotEditable => "not-editable",
    /// The access of the user whose credential rolecall uses is to end.
    OwnUserEnds => "own-user-ends",
    /// Two files describe the same organisation.
    DuplicateOrganization => "duplicate-organization",
    /// One file deactivates or deletes an account that another file needs.
    ContradictedStatus => "contradicted-status",
    /// The live organisation is another one than the file names.
    WrongOrganization => "wrong-organization",
    /// A user must be invited, and their entry lacks a field that an invitation needs.
    IncompleteInvitation => "incomplete-invitation",
    /// A key must be created, and its entry lacks a required field.
    IncompleteKey => "incomplete-key",
    /// A key must be created, and its expiry is in the past.
    ExpiryInPast => "expiry-in-past",
    /// A key must be created, and its entry doesn't say where to deliver the secret.
    NoDelivery => "no-delivery",
    /// Two live users have the same email address.
    AmbiguousUser => "ambiguous-user",
    /// Two live keys have the same name.
    AmbiguousKey => "ambiguous-key",
    /// No live entity has this id.
    UnknownId => "unknown-id",
    /// The key in `own` can't be rolecall's own key.
    WrongOwnKey => "wrong-own-key",
    /// The user in `own` isn't a live user.
    WrongOwnUser => "wrong-own-user",
    /// The platform refused this change before, and it would be sent again.
    RefusedBefore => "refused-before",
    /// The key expires soon.
    KeyExpires => "key-expires",
    /// Nothing live has an address that the file protects, or says must be removed.
    UnmatchedAddress => "unmatched-address",
    /// The last day of an exception has passed.
    ExceptionEnded => "exception-ended",
    /// The file lists the same role twice.
    DuplicateRole => "duplicate-role",
    /// The role is built in, or has the name of a built-in role.
    ReservedRole => "reserved-role",
    /// A role must be created, and its entry lacks a required field.
    IncompleteRole => "incomplete-role",
    /// A user's entry contains a role that the file deletes.
    RoleIsAbsent => "role-is-absent",
    /// A user's entry doesn't contain exactly one role.
    RoleCount => "role-count",
    /// The platform doesn't have this permission.
    UnknownPermission => "unknown-permission",
    /// A permission has no effect without another one.
    PermissionNeedsAnother => "permission-needs-another",
    /// The project doesn't exist, or the credential can't read it.
    UnknownProject => "unknown-project",
    /// The project doesn't have this target.
    UnknownTarget => "unknown-target",
    /// The file names services of a project that has none.
    ServicesOfSingleProject => "services-of-single-project",
    /// The role for users without access has permissions.
    ContainmentRoleHolds => "containment-role-holds",
    /// The organisation must be created, and the file lacks a required field.
    IncompleteOrganization => "incomplete-organization",
    /// The file lists the same team twice.
    DuplicateTeam => "duplicate-team",
    /// The team doesn't exist.
    UnknownTeam => "unknown-team",
    /// A user's entry contains a team that the file deletes.
    TeamIsAbsent => "team-is-absent",
    /// Two live teams have the same name.
    AmbiguousTeam => "ambiguous-team",
    /// Several roles have this name.
    AmbiguousRole => "ambiguous-role",
    /// A name under `previously` is the name of an entry, or a previous name of two.
    PreviousNameInUse => "previous-name-in-use",
    /// The file needs mutations that none of its credentials can send.
    MissingCredential => "missing-credential",
    /// Two secrets would be written to the same file.
    DuplicateDelivery => "duplicate-delivery",
    /// A person must approve this part of the file before a credential is used for it.
    NeedsApproval => "needs-approval",
    /// The plan has something that the files don't ask for beyond what the base asks for.
    NotAskedFor => "not-asked-for",
    /// Entries are gone because of an edit that didn't remove each of them, such as the loss of a section.
    ImplicitDeletion => "implicit-deletion",
    /// The mutations of a plan wait for each other in a circle. This is an error of rolecall.
    DependencyCycle => "dependency-cycle",
}

impl Code {
    /// Returns whether a finding says that the file contradicts itself. Then one entry may undo what another asks
    /// for, so nothing is planned.
    pub fn is_contradiction(self) -> bool {
        matches!(self, Self::RoleIsAbsent | Self::TeamIsAbsent)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The schema accepts any code, because a newer rolecall may have more.
impl JsonSchema for Code {
    fn schema_name() -> Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let examples: Vec<&str> = Self::ALL.iter().map(|code| code.as_str()).collect();
        json_schema!({
            "description": "The kind of the finding. The codes never change; later versions may add more.",
            "type": "string",
            "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$",
            "examples": examples,
        })
    }
}

/// A problem in a file, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[must_use = "a finding that nobody reports helps nobody"]
pub struct Finding {
    pub code: Code,
    pub severity: Severity,
    pub place: Place,
    pub message: String,
    pub hint: Option<String>,
    /// True if the source line may be shown. It is false if a credential may be on that line.
    #[serde(skip)]
    pub show_source: bool,
}

impl Finding {
    pub fn error(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, place, message: message.into(), hint: None, show_source: true }
    }

    pub fn warning(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, place, message) }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Hides the source line in every output.
    pub fn without_source(mut self) -> Self {
        self.show_source = false;
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// A finding of severity warning, as plans and reports contain it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// The kind of the finding. `docs/findings.md` explains each code.
    pub code: String,
    /// The place in the file, as file:line:column.
    pub place: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl From<&Finding> for Warning {
    fn from(Finding { code, place, message, hint, .. }: &Finding) -> Self {
        Self { code: code.to_string(), place: place.to_string(), message: message.clone(), hint: hint.clone() }
    }
}
