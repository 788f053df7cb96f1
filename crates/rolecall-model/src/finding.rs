//! Something wrong in a file: a code that never changes, a place, a message and a hint.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::Place;

/// Whether a finding stops the run.
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
        /// What kind of finding it is. The words never change; `docs/findings.md` explains each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Code {
            /// Every code, in the order of the book.
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
    /// The file, or the folder, can't be read.
    UnreadableFile => "unreadable-file",
    /// The folder holds no rolecall file.
    NoFiles => "no-files",
    /// The file is larger than rolecall reads.
    FileTooLarge => "file-too-large",
    /// The file has no content.
    EmptyFile => "empty-file",
    /// The file isn't UTF-8.
    NotUtf8 => "not-utf8",
    /// The file starts with a byte order mark.
    ByteOrderMark => "byte-order-mark",
    /// The text isn't YAML.
    YamlSyntax => "yaml-syntax",
    /// A file holds one document; this one has more.
    SeveralDocuments => "several-documents",
    /// Nested too deep, or aliases that unfold into too much.
    TooComplex => "too-complex",
    /// A key that the format doesn't have.
    UnknownField => "unknown-field",
    /// The same key twice in one mapping.
    DuplicateField => "duplicate-field",
    /// A required key isn't there.
    MissingField => "missing-field",
    /// A value of another type.
    WrongType => "wrong-type",
    /// A value of the right type that can't be right.
    InvalidValue => "invalid-value",
    /// `provider` names none.
    UnknownProvider => "unknown-provider",
    /// An email address that isn't one.
    InvalidEmail => "invalid-email",
    /// A credential written into the file.
    LiteralCredential => "literal-credential",
    /// An endpoint that isn't HTTPS.
    InsecureEndpoint => "insecure-endpoint",
    /// An endpoint that may not see the credential.
    UntrustedHost => "untrusted-host",
    /// A credential that can't be had.
    CredentialUnavailable => "credential-unavailable",
    /// A credential of another kind than the file calls it.
    UnfitCredential => "unfit-credential",
    /// A command that may not be run.
    CommandNotAllowed => "command-not-allowed",
    /// The same user twice.
    DuplicateUser => "duplicate-user",
    /// The same key twice.
    DuplicateKey => "duplicate-key",
    /// A role that the provider isn't known to have.
    UnknownRole => "unknown-role",
    /// `absent: true` beside what only a present entity can have.
    AbsentWithValues => "absent-with-values",
    /// A user whose `enabled` isn't declared.
    EnabledNotDeclared => "enabled-not-declared",
    /// Two files reach the same organisation.
    DuplicateOrganization => "duplicate-organization",
    /// An account that one file switches off or deletes, and that another file counts on.
    ContradictedStatus => "contradicted-status",
    /// The live organisation isn't the one that the file names.
    WrongOrganization => "wrong-organization",
    /// A person who has to be invited lacks what an invitation needs.
    IncompleteInvitation => "incomplete-invitation",
    /// A key that has to be minted lacks what that needs.
    IncompleteKey => "incomplete-key",
    /// A key that has to be minted would be born expired.
    ExpiryInPast => "expiry-in-past",
    /// A key that has to be minted has nowhere to go.
    NoDelivery => "no-delivery",
    /// Two live users with one email address.
    AmbiguousUser => "ambiguous-user",
    /// Two live keys with one name.
    AmbiguousKey => "ambiguous-key",
    /// An id that no live entity has.
    UnknownId => "unknown-id",
    /// The key that `own` names isn't what rolecall can be calling with.
    WrongOwnKey => "wrong-own-key",
    /// The person whom `own` names isn't a user.
    WrongOwnUser => "wrong-own-user",
    /// What the platform refused before, and is sent again.
    RefusedBefore => "refused-before",
    /// A key that stops working soon.
    KeyExpires => "key-expires",
    /// A protected address that nobody has.
    UnmatchedAddress => "unmatched-address",
    /// The same role twice.
    DuplicateRole => "duplicate-role",
    /// A role that is built in, or has the name of one.
    ReservedRole => "reserved-role",
    /// A role that has to be made lacks what that needs.
    IncompleteRole => "incomplete-role",
    /// A user is to have a role that the file deletes.
    RoleIsAbsent => "role-is-absent",
    /// Not the number of roles that a user can have.
    RoleCount => "role-count",
    /// A permission that the platform doesn't have.
    UnknownPermission => "unknown-permission",
    /// A permission that is of no use without another.
    PermissionNeedsAnother => "permission-needs-another",
    /// A project that isn't there, or that the credential may not see.
    UnknownProject => "unknown-project",
    /// A target that its project doesn't have.
    UnknownTarget => "unknown-target",
    /// Services of a project that has none.
    ServicesOfSingleProject => "services-of-single-project",
    /// The role that is to hold people without access allows something.
    ContainmentRoleHolds => "containment-role-holds",
    /// An organisation that has to be made lacks what that needs.
    IncompleteOrganization => "incomplete-organization",
    /// The same team twice.
    DuplicateTeam => "duplicate-team",
    /// A team that isn't there.
    UnknownTeam => "unknown-team",
    /// A user is to be in a team that the file deletes.
    TeamIsAbsent => "team-is-absent",
    /// Two live teams with one name.
    AmbiguousTeam => "ambiguous-team",
    /// A role name that several roles have.
    AmbiguousRole => "ambiguous-role",
    /// Calls that the file needs, and no credential for them.
    MissingCredential => "missing-credential",
    /// Two secrets that would go to one file.
    DuplicateDelivery => "duplicate-delivery",
    /// Something that somebody has to approve before a credential is spent on the file.
    NeedsApproval => "needs-approval",
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

/// Any word: a newer rolecall finds more.
impl JsonSchema for Code {
    fn schema_name() -> Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let examples: Vec<&str> = Self::ALL.iter().map(|code| code.as_str()).collect();
        json_schema!({
            "description": "What kind of finding it is. The words never change, and more may come.",
            "type": "string",
            "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$",
            "examples": examples,
        })
    }
}

/// Something wrong in a file, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[must_use = "a finding that nobody reports helps nobody"]
pub struct Finding {
    pub code: Code,
    pub severity: Severity,
    pub place: Place,
    pub message: String,
    pub hint: Option<String>,
    /// May the source line be shown? Not where a credential could stand on it.
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

    /// Keeps the source line out of every output.
    pub fn without_source(mut self) -> Self {
        self.show_source = false;
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
