//! The parts of a platform's schema that rolecall uses. A test writes them from the documents and the schema, as text.
//!
//! ```text
//! query organization.members: MemberConnection{}!          a field that an answer has
//! query organization.members(first): Int!                  an argument, with the type that rolecall sends
//! mutation updateTeam(input).name: String                  a field of an input, which isn't always sent
//! mutation updateTeam(input).thumbnail: String, not sent   a field of an input that rolecall knows, and leaves out
//! query organization.projects.edges.node.type: {FEDERATION|SINGLE}!, optional
//! query organization.*: name, createdAt                    fields that rolecall knows, and doesn't ask for
//! when mutation deleteAccessToken                          the text holds for a schema that has this part
//! ```
//!
//! A path begins at the root, because most names of types are the platform's own business: a document doesn't contain
//! them. A type is named only where a document does. `{}` stands for an object, and `{A|B}` for the values of an enum.
//! rolecall can do without a part that is optional.

use std::collections::BTreeSet;
use std::fmt;

/// The kind of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Root {
    Query,
    Mutation,
}

/// A path from the root, such as `organization.members(first)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path<'a>(Vec<Step<'a>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Step<'a> {
    pub name: &'a str,
    pub is_argument: bool,
}

impl<'a> Path<'a> {
    fn parse(text: &'a str) -> Self {
        let mut steps = Vec::new();
        for part in text.split('.').filter(|part| !part.is_empty()) {
            let (field, argument) = part.strip_suffix(')').and_then(|it| it.split_once('(')).unzip();
            steps.push(Step { name: field.unwrap_or(part), is_argument: false });
            steps.extend(argument.map(|name| Step { name, is_argument: true }));
        }
        Self(steps)
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the first step: the operation of a mutation.
    pub fn operation(&self) -> &'a str {
        self.0.first().map_or("", |step| step.name)
    }

    /// Returns whether it leads into an argument, so that rolecall sends it.
    pub fn is_sent(&self) -> bool {
        self.0.iter().any(|step| step.is_argument)
    }

    pub fn is_argument(&self) -> bool {
        self.0.last().is_some_and(|step| step.is_argument)
    }

    pub fn split_last(&self) -> Option<(Self, Step<'a>)> {
        let (last, around) = self.0.split_last()?;
        Some((Self(around.to_vec()), *last))
    }

    /// Returns the name of the part below another path, if this path is one step longer.
    pub fn below(&self, around: &Path<'_>) -> Option<Step<'a>> {
        let (own, last) = self.split_last()?;
        (own.0 == around.0).then_some(last)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step { name, is_argument: true } => write!(f, "({name})")?,
                Step { name, .. } if place == 0 => f.write_str(name)?,
                Step { name, .. } => write!(f, ".{name}")?,
            }
        }
        Ok(())
    }
}

/// A type with the lists around it. The flag says that it can't be null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape<N> {
    Named(N, bool),
    List(Box<Shape<N>>, bool),
}

impl<N> Shape<N> {
    pub fn required(self) -> Self {
        match self {
            Self::Named(name, _) => Self::Named(name, true),
            Self::List(inner, _) => Self::List(inner, true),
        }
    }

    pub fn is_required(&self) -> bool {
        match self {
            Self::Named(_, required) | Self::List(_, required) => *required,
        }
    }
}

impl<'a> Shape<&'a str> {
    pub fn name(&self) -> &'a str {
        match self {
            Self::Named(name, _) => name,
            Self::List(inner, _) => inner.name(),
        }
    }

    fn parse(text: &'a str) -> Self {
        if let Some(inner) = text.strip_suffix('!') {
            return Self::parse(inner).required();
        }
        match text.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            Some(inner) => Self::List(Box::new(Self::parse(inner)), false),
            None => Self::Named(text, false),
        }
    }
}

impl fmt::Display for Shape<&str> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name, _) => f.write_str(name)?,
            Self::List(inner, _) => write!(f, "[{inner}]")?,
        }
        f.write_str(if self.is_required() { "!" } else { "" })
    }
}

/// The innermost type of a part, as the text says it.
pub(super) enum Leaf<'a> {
    Scalar(&'a str),
    /// An object, with its name if a document names it.
    Object(Option<&'a str>),
    /// An enum, with its name if a document names it, and its values.
    Enum(Option<&'a str>, BTreeSet<&'a str>),
}

impl<'a> Leaf<'a> {
    pub fn of(text: &'a str) -> Self {
        let Some((name, values)) = text.strip_suffix('}').and_then(|it| it.split_once('{')) else {
            return Self::Scalar(text);
        };
        let name = Some(name).filter(|name| !name.is_empty());
        if values.is_empty() { Self::Object(name) } else { Self::Enum(name, values.split('|').collect()) }
    }
}

/// A line of the text.
pub(super) enum Line<'a> {
    Part {
        root: Root,
        path: Path<'a>,
        shape: Shape<&'a str>,
        is_optional: bool,
        is_sent: bool,
    },
    /// The fields of an object that rolecall knows, and doesn't ask for.
    Others {
        root: Root,
        path: Path<'a>,
        names: BTreeSet<&'a str>,
    },
}

/// Reads the lines of a text.
pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    let line = |line| {
        let (root, rest) = match str::split_once(line, ' ')? {
            ("query", rest) => (Root::Query, rest),
            ("mutation", rest) => (Root::Mutation, rest),
            _ => return None,
        };
        let (path, rest) = rest.split_once(": ")?;
        if let Some(path) = path.strip_suffix('*') {
            return Some(Line::Others { root, path: Path::parse(path), names: rest.split(", ").collect() });
        }
        let (shape, how) = rest.split_once(", ").unwrap_or((rest, ""));
        let (path, shape) = (Path::parse(path), Shape::parse(shape));
        Some(Line::Part { root, path, shape, is_optional: how == "optional", is_sent: how != "not sent" })
    };
    text.lines().filter_map(line).collect()
}

/// Returns the part by which rolecall recognises the generation of a text.
pub(super) fn condition(text: &str) -> Option<(Root, Path<'_>)> {
    let line = text.lines().find_map(|line| line.strip_prefix("when "))?;
    let (root, path) = line.split_once(' ')?;
    Some((if root == "mutation" { Root::Mutation } else { Root::Query }, Path::parse(path)))
}

/// Returns those fields of the input of a mutation that it didn't have when the text was written.
pub(crate) fn new_inputs<'a>(text: &str, operation: &str, now: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let name = |line| match line {
        Line::Part { root: Root::Mutation, path, .. } if path.operation() == operation => {
            let (around, step) = path.split_last()?;
            around.is_argument().then_some(step.name)
        }
        Line::Part { .. } | Line::Others { .. } => None,
    };
    let known: BTreeSet<&str> = lines(text).into_iter().filter_map(name).collect();
    now.filter(|name| !known.contains(name)).collect()
}
