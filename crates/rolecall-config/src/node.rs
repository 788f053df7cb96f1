//! YAML as a tree in which every value knows its place. The only file that knows the YAML crate.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::Spanned;
use serde_yaml::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};

use super::source::{Mark, Source};
use rolecall_model::{Code, Finding, Span};

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Located {
    pub node: Node,
    pub mark: Mark,
}

/// What YAML can say. Numbers stay as they were written: nothing in the format is a float.
#[derive(Clone, Debug)]
pub enum Node {
    Null,
    Bool(bool),
    Number,
    Text(String),
    List(Vec<Located>),
    /// In the file's order, repeated keys included: to report them is the decoder's job.
    Map(Vec<(Located, Located)>),
}

/// Deeper than the format ever is, and shallow enough for a small stack.
const MAX_DEPTH: usize = 24;

/// Enough for 300,000 users, and little enough to be read within seconds.
const MAX_NODES: usize = 5_000_000;

/// Reads the one document of a file.
pub fn parse(source: &Source) -> Result<Located, Finding> {
    match serde_yaml::from_str_with_options::<Spanned<Node>>(&source.text, options(source.text.len())) {
        Ok(root) => Ok(located(root)),
        Err(error) => Err(explain(source, &error)),
    }
}

/// Values that aliases may repeat beyond what is typed out: a tree of grants for every member of a large organisation.
const UNFOLDED: usize = 500_000;

/// A node takes at least two bytes of text, so a budget in proportion to the file refuses what aliases blow up
/// and nothing that was typed out.
fn options(bytes: usize) -> serde_yaml::Options {
    let nodes = bytes.saturating_add(UNFOLDED).min(MAX_NODES);
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: nodes,
            max_events: nodes.saturating_mul(2),
            max_documents: 2,
            max_aliases: nodes,
            // One tree for thousands of people is no attack; what aliases unfold into is counted above.
            enforce_alias_anchor_ratio: false,
            max_total_scalar_bytes: bytes.saturating_mul(2).saturating_add(UNFOLDED * 16),
        },
        alias_limits: serde_yaml::alias_limits! { max_total_replayed_events: nodes },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

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
            Finding::error(Code::SeveralDocuments, place, "a second document starts here")
                .hint("one file holds one organisation: put the other into a file of its own")
        }
        // Some of these come wrapped, so they are told by their words.
        _ if message.contains("alias") || message.contains("budget") => {
            Finding::error(Code::TooComplex, place, "the file unfolds into too much here")
                .hint("aliases repeat more than any organisation needs; write them out, or nest less")
        }
        _ if message.contains("recursion limit") || message.contains("nesting") => {
            Finding::error(Code::TooComplex, place, format!("nested too deep: {message}"))
                .hint("the format is never more than a few levels deep")
        }
        _ if message.contains("tab") => {
            Finding::error(Code::YamlSyntax, place, message).hint("YAML is indented with spaces; replace the tab")
        }
        _ if message.contains("merge keys") => {
            Finding::error(Code::YamlSyntax, place, "merge keys (`<<`) aren't part of the format")
                .hint("write the fields out")
        }
        _ => Finding::error(Code::YamlSyntax, place, message)
            .hint("check the indentation and the quotes on this line and the one before"),
    }
}

fn located(spanned: Spanned<Node>) -> Located {
    let Spanned { value, referenced, defined: _ } = spanned;
    let number = |value: u64| usize::try_from(value).unwrap_or(0);
    let span = referenced.span();
    let start = number(span.byte_offset().unwrap_or(0));
    let end = start + number(span.byte_len().unwrap_or(0));
    let mark =
        Mark { line: number(referenced.line()), column: number(referenced.column()), span: Span { start, end } };
    Located { node: value, mark }
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
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Number)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
        Ok(Node::Number)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
        Ok(Node::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Number)
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
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Node, E> {
        Ok(Node::Text(text))
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
