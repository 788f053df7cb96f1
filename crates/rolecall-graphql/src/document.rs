//! Named operations. A query and a mutation are two types, so that a reader can't be handed a mutation.

use serde_json::Value;

use super::Joinable;

/// The name of a credential that a connection has. Each operation is sent with one of them. The names are the
/// provider's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Context(pub &'static str);

impl Context {
    /// The credential of a platform that takes one for everything.
    pub const ONLY: Self = Self("only");
}

/// A document that reads.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// The operation's name in the document.
    pub name: &'static str,
    pub text: &'static str,
    pub context: Context,
}

impl Query {
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text, context: Context::ONLY }
    }

    /// Returns the same query, sent with another credential.
    #[must_use]
    pub const fn within(self, context: Context) -> Self {
        Self { context, ..self }
    }
}

/// A mutation that can't have an effect, because its variables name nothing that exists. The answer tells whether the
/// platform lets the credential send it. A provider builds one in its `permissions.rs` and nothing else may,
/// which `tests/it/walls.rs` checks.
#[derive(Clone, Debug)]
pub struct Probe {
    pub(super) mutation: Mutation,
    pub(super) variables: Value,
}

impl Probe {
    /// Returns a probe. `variables` must name nothing that can exist, or be an empty list of things to change.
    pub fn new(mutation: Mutation, variables: Value) -> Self {
        Self { mutation, variables }
    }
}

/// A document that writes.
#[derive(Clone, Copy, Debug)]
pub struct Mutation {
    /// The operation's name in the document.
    pub name: &'static str,
    pub text: &'static str,
    pub context: Context,
    /// The parts that a batch needs of the document. Without them the mutation is always sent by itself.
    pub joinable: Option<Joinable>,
}

impl Mutation {
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text, context: Context::ONLY, joinable: None }
    }

    /// Returns the same mutation, which may be sent in a batch.
    #[must_use]
    pub const fn joinable(self, joinable: Joinable) -> Self {
        Self { joinable: Some(joinable), ..self }
    }

    /// Returns the same mutation, sent with another credential.
    #[must_use]
    pub const fn within(self, context: Context) -> Self {
        Self { context, ..self }
    }
}
