//! Named operations. A query and a mutation are two types, so that a reader can't be handed the wrong one.

/// A document that reads.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// The operation's name in the document.
    pub name: &'static str,
    pub text: &'static str,
}

/// A document that writes.
#[derive(Clone, Copy, Debug)]
pub struct Mutation {
    /// The operation's name in the document.
    pub name: &'static str,
    pub text: &'static str,
}
