//! The [`Tree`] of a document: its nodes with the bytes that they take, their anchors and their aliases.

use std::collections::BTreeMap;

use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};

use super::super::events::{options, plain};
use super::meaning::Meaning;

/// A node and the bytes that it takes.
#[derive(Debug)]
pub(crate) struct Node {
    /// The start of the node's anchor if it has one, else that of its value.
    pub start: usize,
    /// The start of the value itself.
    pub value_start: usize,
    pub end: usize,
    pub anchor: Option<usize>,
    pub value: Value,
}

#[derive(Debug)]
pub(crate) enum Value {
    Scalar { text: String, style: ScalarStyle },
    List { flow: bool, items: Vec<Node> },
    Map { flow: bool, entries: Vec<(Node, Node)> },
    Alias(usize),
}

/// A document and its text.
#[derive(Debug)]
pub(crate) struct Tree<'t> {
    pub text: &'t str,
    pub root: Node,
    /// The name and the meaning of each anchor.
    pub anchors: BTreeMap<usize, (String, Meaning)>,
    /// The place of each alias, with the anchor that it means.
    pub aliases: Vec<(usize, usize)>,
}

/// The depth limit. The reader of files allows less.
const MAX_DEPTH: usize = 64;

impl<'t> Tree<'t> {
    /// Parses a text with one document. Returns `None` if it isn't one.
    pub fn parse(text: &'t str) -> Option<Self> {
        let mut options = options();
        options.emit_anchor_events = true;
        let events = Parser::new_from_str_with_options(text, options);
        let events: Vec<(Event<'_>, Span)> = events.collect::<Result<_, _>>().ok()?;
        let mut builder =
            Builder { text, events: events.into_iter().peekable(), anchors: BTreeMap::new(), aliases: Vec::new() };
        while let Some((Event::StreamStart | Event::DocumentStart(..), _)) = builder.events.peek() {
            builder.events.next();
        }
        let root = builder.node(0)?;
        let more = builder.events.any(|(event, _)| matches!(event, Event::DocumentStart(..)));
        let Builder { anchors, aliases, .. } = builder;
        (!more).then_some(Self { text, root, anchors, aliases })
    }

    /// Returns what a node means, with its aliases resolved.
    pub fn meaning(&self, node: &Node) -> Meaning {
        meaning(node, &self.anchors)
    }

    /// Returns the name of an anchor in these bytes that an alias elsewhere uses.
    pub fn used_elsewhere(&self, node: &Node) -> Option<&str> {
        let mut found = None;
        node.visit(&mut |inner| {
            let Some(id) = inner.anchor else { return };
            let outside = |at: usize| at < node.start || at >= node.end;
            if self.aliases.iter().any(|(at, of)| *of == id && outside(*at)) {
                found = self.anchors.get(&id).map(|(name, _)| name.as_str());
            }
        });
        found
    }

    /// Returns the name of the node's own anchor, if an alias uses it.
    pub fn used(&self, node: &Node) -> Option<&str> {
        let id = node.anchor?;
        let is_used = self.aliases.iter().any(|(_, of)| *of == id);
        self.anchors.get(&id).map(|(name, _)| name.as_str()).filter(|_| is_used)
    }
}

fn meaning(node: &Node, anchors: &BTreeMap<usize, (String, Meaning)>) -> Meaning {
    match &node.value {
        Value::Scalar { text, style } => {
            Meaning::Scalar { text: text.clone(), is_text: *style != ScalarStyle::Plain || plain(text).is_none() }
        }
        Value::List { items, .. } => Meaning::List(items.iter().map(|item| meaning(item, anchors)).collect()),
        Value::Map { entries, .. } => Meaning::Map(
            entries.iter().map(|(key, value)| (meaning(key, anchors), meaning(value, anchors))).collect(),
        ),
        Value::Alias(id) => anchors.get(id).map_or(Meaning::Map(Vec::new()), |(_, meaning)| meaning.clone()),
    }
}

impl Node {
    /// Returns the text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            Value::List { .. } | Value::Map { .. } | Value::Alias(_) => None,
        }
    }

    /// Returns the position of a field in a mapping, with its name and its value.
    pub fn field(&self, name: &str) -> Option<(usize, &Node, &Node)> {
        let Value::Map { entries, .. } = &self.value else { return None };
        let at = entries.iter().position(|(key, _)| key.text() == Some(name))?;
        entries.get(at).map(|(key, value)| (at, key, value))
    }

    fn visit<'n>(&'n self, seen: &mut impl FnMut(&'n Node)) {
        seen(self);
        match &self.value {
            Value::Scalar { .. } | Value::Alias(_) => {}
            Value::List { items, .. } => items.iter().for_each(|item| item.visit(seen)),
            Value::Map { entries, .. } => {
                for (key, value) in entries {
                    key.visit(seen);
                    value.visit(seen);
                }
            }
        }
    }
}

struct Builder<'t> {
    text: &'t str,
    events: std::iter::Peekable<std::vec::IntoIter<(Event<'t>, Span)>>,
    anchors: BTreeMap<usize, (String, Meaning)>,
    aliases: Vec<(usize, usize)>,
}

impl Builder<'_> {
    fn node(&mut self, depth: usize) -> Option<Node> {
        if depth > MAX_DEPTH {
            return None;
        }
        let (event, span) = self.events.next()?;
        let range = span.byte_range()?;
        let mut node = Node {
            start: range.start,
            value_start: range.start,
            end: range.end,
            anchor: None,
            value: Value::Alias(0),
        };
        if matches!(event, Event::SequenceStart(StructureStyle::Block, ..)) {
            let dash = first_dash(self.text, range.start)?;
            (node.start, node.value_start) = (dash, dash);
        }
        let mut name = String::new();
        if let Some((Event::Anchor(id, anchor), at)) = self.events.peek() {
            node.anchor = Some(*id);
            name = anchor.to_string();
            node.start = at.byte_range()?.start;
            self.events.next();
        }
        node.value = match event {
            Event::Scalar(text, style, ..) => {
                if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
                    let source = self.text.get(range.clone())?;
                    node.end = range.start + source.trim_end().len();
                }
                Value::Scalar { text: text.into_owned(), style }
            }
            Event::SequenceStart(style, ..) => {
                let mut items: Vec<Node> = Vec::new();
                let end = loop {
                    match self.events.peek()? {
                        (Event::SequenceEnd, span) => break span.byte_range()?.end,
                        _ => items.push(self.node(depth + 1)?),
                    }
                };
                self.events.next();
                let flow = style == StructureStyle::Flow;
                node.end = if flow { end } else { items.last().map_or(node.end, |last| last.end) };
                Value::List { flow, items }
            }
            Event::MappingStart(style, ..) => {
                let mut entries: Vec<(Node, Node)> = Vec::new();
                let end = loop {
                    if let (Event::MappingEnd, span) = self.events.peek()? {
                        break span.byte_range()?.end;
                    }
                    let key = self.node(depth + 1)?;
                    let mut value = self.node(depth + 1)?;
                    if value.text().is_some_and(str::is_empty) && value.value_start == value.end {
                        (value.start, value.value_start, value.end) = (key.end, key.end, key.end);
                    }
                    entries.push((key, value));
                };
                self.events.next();
                let flow = style == StructureStyle::Flow;
                node.end = if flow { end } else { entries.last().map_or(node.end, |(_, last)| last.end) };
                Value::Map { flow, entries }
            }
            Event::Alias(id) => {
                self.aliases.push((range.start, id));
                Value::Alias(id)
            }
            _ => return None,
        };
        if let Some(id) = node.anchor {
            self.anchors.insert(id, (name, meaning(&node, &self.anchors)));
        }
        Some(node)
    }
}

/// Returns the place of the first dash of a list in block style. Where the list isn't indented, the parser's place is
/// that of the first item.
fn first_dash(text: &str, mut at: usize) -> Option<usize> {
    let mut end = text.len();
    loop {
        let start = text.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1);
        let line = text.get(start..end)?;
        let indent = line.len() - line.trim_start().len();
        if line.trim_start().starts_with('-') {
            return Some(start + indent);
        }
        (at, end) = (start.checked_sub(1)?, start);
    }
}
