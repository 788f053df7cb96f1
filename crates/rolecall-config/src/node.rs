//! Parses YAML into a tree of [`Node`]s, each with its [`Mark`].
//!
//! The YAML crate gives the place of a value that is wrapped in its `Spanned`. So lists and mappings are read as
//! `Spanned<Node>`, and [`located`] turns each into a [`Located`]: `roles: [ADMIN]` on line 3 becomes a text node
//! `roles` (line 3, column 1) and a list node (column 8) that contains a text node `ADMIN` (column 9). The
//! [`decoder`](super::decode) then works on this tree only. For an alias (`*admins`), the place is that of the
//! alias, so that a finding points to the line that uses it.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::Spanned;
use serde_yaml::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};

use super::source::{Mark, Source};
use super::{events, syntax};
use rolecall_model::{Code, EcoString, Finding, Span, eco_format, sentence, small};

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Located {
    pub node: Node,
    pub mark: Mark,
}

impl Located {
    /// Returns whether this is a mapping that has this key.
    pub fn has_field(&self, name: &str) -> bool {
        self.field(name).is_some()
    }

    /// Returns the value of a field, if this is a mapping that has it.
    pub fn field(&self, name: &str) -> Option<&Self> {
        let Node::Map(entries) = &self.node else { return None };
        entries.iter().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value)
    }

    /// Returns the value of a field for a change, if this is a mapping that has it.
    pub fn field_mut(&mut self, name: &str) -> Option<&mut Self> {
        let Node::Map(entries) = &mut self.node else { return None };
        entries.iter_mut().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value)
    }

    /// Returns the fields of a mapping, each with its name. None if this is no mapping.
    pub fn fields(&self) -> &[(Self, Self)] {
        match &self.node {
            Node::Map(entries) => entries,
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => &[],
        }
    }

    /// Removes a field from a mapping, and returns its value.
    pub fn take(&mut self, name: &str) -> Option<Self> {
        let Node::Map(entries) = &mut self.node else { return None };
        let at = entries.iter().position(|(key, _)| key.text() == Some(name))?;
        Some(entries.remove(at).1)
    }

    pub fn text(&self) -> Option<&str> {
        match &self.node {
            Node::Text(text) => Some(text),
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::List(_) | Node::Map(_) => None,
        }
    }

    /// Returns the value if it is written as `true` or `false`. `yes` and `on` mean true to some tools and are text to others.
    pub fn truth(&self) -> Option<bool> {
        let Node::Bool(text) = &self.node else { return None };
        [true, false].into_iter().find(|value| text.eq_ignore_ascii_case(if *value { "true" } else { "false" }))
    }

    /// Returns the value as it stands in the file, or its type if it is a list or a mapping. An alias shows the value that
    /// it stands for.
    pub fn typed(&self) -> String {
        match &self.node {
            Node::Null => "nothing".to_owned(),
            Node::List(_) => "a list".to_owned(),
            Node::Map(_) => "a mapping".to_owned(),
            Node::Bool(text) | Node::Number(text) | Node::Text(text) => text.to_string(),
        }
    }

    /// Creates a text. `mark`: the place that it stands for.
    pub fn of_text(text: impl Into<EcoString>, mark: Mark) -> Self {
        Self { node: Node::Text(text.into()), mark }
    }
}

/// A YAML value. A number and a truth value are kept as they were typed: the format has no floats, and no `yes`.
#[derive(Clone, Debug)]
pub enum Node {
    Null,
    Bool(EcoString),
    Number(EcoString),
    Text(EcoString),
    List(Vec<Located>),
    /// The entries in the order of the file. A key may occur twice; the decoder reports it.
    Map(Vec<(Located, Located)>),
}

/// The depth limit: more than the format needs, and little enough for a small stack.
pub(super) const MAX_DEPTH: usize = 24;

/// The limit of nodes in a file: enough for 300,000 users, and few enough to be read within seconds.
const MAX_NODES: usize = 5_000_000;

/// Parses a file, which must contain one document.
/// Also returns the findings about its tags.
pub fn parse(source: &Source) -> (Result<Located, Finding>, Vec<Finding>) {
    match events::tree(source) {
        Some(root) => (Ok(root), Vec::new()),
        None => (explained(source), syntax::tags(source)),
    }
}

/// Parses a file by serde. It finds the same as [`events::tree`], and says what is wrong.
fn explained(source: &Source) -> Result<Located, Finding> {
    match serde_yaml::from_str_with_options::<Spanned<Node>>(&source.text, options(source.text.len())) {
        Ok(root) => {
            let mut root = located(root);
            complete(&mut root, source);
            Ok(root)
        }
        Err(error) => Err(explain(source, &error)),
    }
}

/// The number of nodes that aliases may add to those in the text. It allows one tree of resources that all members
/// of a large organisation share.
const UNFOLDED: usize = 500_000;

/// Returns the limit of nodes, with those that aliases add, for a file of so many bytes.
pub(super) fn most_nodes(bytes: usize) -> usize {
    bytes.saturating_add(UNFOLDED).min(MAX_NODES)
}

/// Returns the limits of the parser. A node takes at least two bytes of text, so the budget is proportional to the
/// file's size. It allows everything that is written out, and refuses aliases that expand too much.
fn options(bytes: usize) -> serde_yaml::Options {
    let nodes = most_nodes(bytes);
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: nodes,
            max_events: nodes.saturating_mul(2),
            max_documents: 2,
            max_aliases: nodes,
            // One tree that thousands of users share isn't an attack. The budget above limits what aliases expand
            // to.
            enforce_alias_anchor_ratio: false,
            max_total_scalar_bytes: bytes.saturating_mul(2).saturating_add(UNFOLDED * 16),
        },
        alias_limits: serde_yaml::alias_limits! { max_total_replayed_events: nodes },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
        emit_comments: events::EMIT_COMMENTS,
    }
}

/// Turns an error of the YAML parser into a finding.
fn explain(source: &Source, error: &serde_yaml::Error) -> Finding {
    let place = match error.location() {
        Some(at) => {
            source.place_at(usize::try_from(at.line()).unwrap_or(1), usize::try_from(at.column()).unwrap_or(1))
        }
        None => source.start(),
    };
    let full = error.to_string();
    let message = full.split(" at line ").next().unwrap_or(&full).to_owned();
    match error.without_snippet() {
        serde_yaml::Error::MultipleDocuments { .. } => {
            Finding::error(Code::SeveralDocuments, place, "A second document starts here.")
                .hint("A file describes one organisation. Put the other one into a separate file.")
        }
        // Some errors are wrapped in others, so they are recognised by their text.
        _ if message.to_lowercase().contains("recursi") && !message.contains("limit") => {
            Finding::error(Code::YamlSyntax, place, "This alias (`*`) stands inside of the value that it means.")
                .hint("Write the value out. A text that starts with `*` needs quotes.")
        }
        _ if message.contains("unknown anchor") => {
            Finding::error(Code::YamlSyntax, place, "This alias (`*`) has no anchor before it.")
                .hint("Write `&NAME` before the value that it means. A text that starts with `*` needs quotes.")
        }
        _ if ["recursion limit", "nesting", "depth"].iter().any(|word| message.to_lowercase().contains(word)) => {
            let message = format!("The file is nested too deeply: more than {MAX_DEPTH} levels.");
            Finding::error(Code::TooComplex, place, message)
                .hint("The format has only a few levels. Check the indentation and the brackets.")
        }
        _ if message.contains("alias") || message.contains("budget") => {
            Finding::error(Code::TooComplex, place, "The aliases of the file expand to too many values here.")
                .hint("Use fewer aliases, or write the values out.")
        }
        _ if message.contains("tab") => Finding::error(Code::YamlSyntax, place, sentence(&message))
            .hint("YAML is indented with spaces. Replace the tab."),
        _ if message.contains("merge keys") => {
            Finding::error(Code::YamlSyntax, place, "The format doesn't have merge keys (`<<`).")
                .hint("Write the fields out.")
        }
        _ => Finding::error(Code::YamlSyntax, place, sentence(&message))
            .hint("Check the indentation and the quotes on this line and the line before."),
    }
}

/// Converts the YAML crate's place of a value. `referenced` is the place of an alias, `defined` that of its
/// anchor. The text of a number or a truth value is its place there, until [`complete`] reads it.
fn located(spanned: Spanned<Node>) -> Located {
    let Spanned { value, referenced, defined } = spanned;
    let number = |value: u64| usize::try_from(value).unwrap_or(0);
    let range = |at: serde_yaml::Location| {
        let start = number(at.span().byte_offset().unwrap_or(0));
        start..start + number(at.span().byte_len().unwrap_or(0))
    };
    let Range { start, end } = range(defined);
    let text = || eco_format!("{start} {end}");
    let value = match value {
        Node::Bool(_) => Node::Bool(text()),
        Node::Number(_) => Node::Number(text()),
        other => other,
    };
    let mark = Mark {
        file: 0,
        line: small(number(referenced.line())),
        column: small(number(referenced.column())),
        span: Span::new(range(referenced)),
    };
    Located { node: value, mark }
}

/// Sets what serde doesn't tell: the file of every mark in a tree, and how each number and truth value is typed.
fn complete(located: &mut Located, source: &Source) {
    located.mark.file = source.number;
    match &mut located.node {
        Node::Bool(text) | Node::Number(text) => {
            let place = text.split_once(' ').and_then(|(start, end)| Some(start.parse().ok()?..end.parse().ok()?));
            *text = place.map(|range| source.slice(Span::new(range)).into()).unwrap_or_default();
        }
        Node::Null | Node::Text(_) => {}
        Node::List(items) => items.iter_mut().for_each(|item| complete(item, source)),
        Node::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
            complete(key, source);
            complete(value, source);
        }),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(eco_format!("{value}")))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(eco_format!("{value}")))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(eco_format!("{value}")))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Number(eco_format!("{value}")))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Ok(Node::Number(eco_format!("{value}")))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Number(eco_format!("{value}")))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Node, E> {
        Ok(Node::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(located(item));
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = access.next_entry()? {
            entries.push((located(key), located(value)));
        }
        Ok(Node::Map(entries))
    }
}
