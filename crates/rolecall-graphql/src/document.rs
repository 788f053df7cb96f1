//! Named operations. A query and a mutation are two types, so that a reader can't be handed the wrong one.

use super::Joinable;

/// Which of the credentials that a connection has an operation is sent with. Its name is the provider's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Context(pub &'static str);

impl Context {
    /// Where there is nothing to choose.
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

    /// The same, sent with another credential.
    #[must_use]
    pub const fn within(self, context: Context) -> Self {
        Self { context, ..self }
    }
}

/// A document that writes.
#[derive(Clone, Copy, Debug)]
pub struct Mutation {
    /// The operation's name in the document.
    pub name: &'static str,
    pub text: &'static str,
    pub context: Context,
    /// How it goes into a document with others, where it may.
    pub joinable: Option<Joinable>,
}

impl Mutation {
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text, context: Context::ONLY, joinable: None }
    }

    /// The same, to be sent together with others.
    #[must_use]
    pub const fn joinable(self, joinable: Joinable) -> Self {
        Self { joinable: Some(joinable), ..self }
    }

    /// The same, sent with another credential.
    #[must_use]
    pub const fn within(self, context: Context) -> Self {
        Self { context, ..self }
    }
}
