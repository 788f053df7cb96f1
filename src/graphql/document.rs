//! Named operations. A query and a mutation are two types, so that a reader can't be handed the wrong one.

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
}

impl Mutation {
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text, context: Context::ONLY }
    }

    /// The same, sent with another credential.
    #[must_use]
    pub const fn within(self, context: Context) -> Self {
        Self { context, ..self }
    }
}
