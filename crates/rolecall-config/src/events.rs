//! Builds the tree of a file straight from the events of the YAML parser, which takes half the time of reading it through
//! serde.
//!
//! [`tree`] reads what a correct file has. Whatever else it meets, it gives up, and [`node::parse`](super::node::parse)
//! reads the file again, slowly and with the messages.

use std::collections::{BTreeMap, BTreeSet};

use serde_yaml::granit_parser::{self, Event, Parser, ScalarStyle, ScanError, Span as EventSpan};

use super::node::{Located, MAX_DEPTH, Node, most_nodes};
use super::source::{Mark, Source};
use rolecall_model::{Span, small};

/// Returns the tree of a file, or `None` if it has an error, a tag or a directive, or exceeds a limit.
pub fn tree(source: &Source) -> Option<Located> {
    let mut builder = Builder {
        events: Parser::new_from_str_with_options(&source.text, options()),
        file: source.number,
        anchors: BTreeMap::new(),
        copies_left: MAX_COPIES,
        nodes_left: most_nodes(source.text.len()),
    };
    let (Event::StreamStart, _) = builder.next()? else { return None };
    let (Event::DocumentStart(_, None), _) = builder.next()? else { return None };
    let first = builder.next()?;
    let root = builder.node(first, 0)?;
    let (Event::DocumentEnd, _) = builder.next()? else { return None };
    let (Event::StreamEnd, _) = builder.next()? else { return None };
    Some(root)
}

/// Returns whether a document of a text is a mapping with this field, or `None` if the text can't be parsed that far.
pub fn has_field(text: &str, name: &str) -> Option<bool> {
    let mut anchors = BTreeSet::new();
    // The lists and mappings around an event, and the keys and values that the outermost mapping has so far.
    let (mut depth, mut nodes) = (0_usize, None);
    for event in Parser::new_from_str_with_options(text, options()) {
        let (event, _) = event.ok()?;
        let is_name = match &event {
            Event::Scalar(text, _, anchor, _) => {
                let is_name = *text == name;
                anchors.extend((is_name && *anchor != 0).then_some(*anchor));
                is_name
            }
            Event::Alias(anchor) => anchors.contains(anchor),
            _ => false,
        };
        match event {
            Event::MappingStart(..) if depth == 0 => (depth, nodes) = (1, Some(0_usize)),
            Event::SequenceStart(..) if depth == 0 => (depth, nodes) = (1, None),
            Event::Scalar(..) | Event::Alias(_) | Event::MappingStart(..) | Event::SequenceStart(..) => {
                let is_key = depth == 1 && nodes.is_some_and(|nodes| nodes % 2 == 0);
                if is_key && is_name {
                    return Some(true);
                }
                nodes = nodes.map(|nodes| nodes + usize::from(depth == 1));
                depth += usize::from(matches!(event, Event::MappingStart(..) | Event::SequenceStart(..)));
            }
            Event::MappingEnd | Event::SequenceEnd => depth -= 1,
            _ => {}
        }
    }
    Some(false)
}

/// Returns the options of every parser of events.
pub fn options() -> granit_parser::Options {
    granit_parser::options! { emit_comments: EMIT_COMMENTS, flow_nesting_limit: MAX_DEPTH }
}

/// A parser that has to tell comments refuses more than 32 lines of them in a row.
pub const EMIT_COMMENTS: bool = false;

/// The limit of nodes in the values of anchors.
const MAX_COPIES: usize = 1_000_000;

struct Builder<E> {
    events: E,
    file: u32,
    /// The value of each anchor, by the number that the parser gives it.
    anchors: BTreeMap<usize, Located>,
    /// The number of nodes that these copies may still have. Anchors inside of anchors copy the same nodes again.
    copies_left: usize,
    /// The number of nodes that the file may still have, with what aliases stand for.
    nodes_left: usize,
}

impl<'t, E: Iterator<Item = Result<(Event<'t>, EventSpan), ScanError>>> Builder<E> {
    fn next(&mut self) -> Option<(Event<'t>, EventSpan)> {
        self.events.next()?.ok()
    }

    /// Builds the node that begins with an event. `depth`: the number of lists and mappings around it.
    fn node(&mut self, (event, span): (Event<'t>, EventSpan), depth: usize) -> Option<Located> {
        let left_before = self.nodes_left;
        self.nodes_left = left_before.checked_sub(1)?;
        let mark = self.mark(span)?;
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, None) => {
                let node = if style == ScalarStyle::Plain { plain(&text) } else { None };
                (node.unwrap_or_else(|| Node::Text((*text).into())), anchor)
            }
            Event::SequenceStart(_, anchor, None) if depth < MAX_DEPTH => (self.list(depth + 1)?, anchor),
            Event::MappingStart(_, anchor, None) if depth < MAX_DEPTH => (self.mapping(depth + 1)?, anchor),
            Event::Alias(anchor) => {
                let mut value = self.anchors.get(&anchor)?.clone();
                self.replay(&mut value, mark, depth)?;
                return Some(value);
            }
            _ => return None,
        };
        let located = Located { node, mark };
        if anchor != 0 {
            self.copies_left = self.copies_left.checked_sub(left_before - self.nodes_left)?;
            self.anchors.insert(anchor, located.clone());
        }
        Some(located)
    }

    fn list(&mut self, depth: usize) -> Option<Node> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => {
                    // Most lists and mappings are short, and there are very many.
                    items.shrink_to_fit();
                    return Some(Node::List(items));
                }
                event => items.push(self.node(event, depth)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Option<Node> {
        let mut entries = Vec::new();
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, _) => {
                    entries.shrink_to_fit();
                    return Some(Node::Map(entries));
                }
                event => self.node(event, depth)?,
            };
            if key.text() == Some("<<") {
                return None;
            }
            let value = self.next()?;
            entries.push((key, self.node(value, depth)?));
        }
    }

    /// Gives the value of an anchor the place of the alias that stands for it.
    fn replay(&mut self, value: &mut Located, mark: Mark, depth: usize) -> Option<()> {
        self.nodes_left = self.nodes_left.checked_sub(1)?;
        value.mark = mark;
        match &mut value.node {
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => Some(()),
            Node::List(_) | Node::Map(_) if depth >= MAX_DEPTH => None,
            Node::List(items) => items.iter_mut().try_for_each(|item| self.replay(item, mark, depth + 1)),
            Node::Map(entries) => entries.iter_mut().try_for_each(|(key, value)| {
                self.replay(key, mark, depth + 1)?;
                self.replay(value, mark, depth + 1)
            }),
        }
    }

    fn mark(&self, span: EventSpan) -> Option<Mark> {
        let bytes = span.byte_range()?;
        Some(Mark {
            file: self.file,
            line: small(span.start.line()),
            column: small(span.start.col() + 1),
            span: Span::new(bytes),
        })
    }
}

/// Returns what a scalar without quotes stands for, unless it is a text.
pub fn plain(text: &str) -> Option<Node> {
    let first = *text.as_bytes().first().unwrap_or(&b'~');
    if first.is_ascii_alphabetic() {
        return if text.len() > "false".len() { None } else { word(text) };
    }
    match text {
        "" | "~" => Some(Node::Null),
        _ => (is_integer(text) || is_float(text)).then(|| Node::Number(text.into())),
    }
}

fn word(text: &str) -> Option<Node> {
    let is_any = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_any(&["true", "yes", "y", "on", "false", "no", "n", "off"]) {
        Some(Node::Bool(text.into()))
    } else {
        matches!(text, "null" | "Null" | "NULL").then_some(Node::Null)
    }
}

/// Returns whether a text is an integer of 64 bits: `-12`, `1_000` or `0x1f`. A decimal one doesn't start with a zero.
fn is_integer(text: &str) -> bool {
    let is_negative = text.starts_with('-');
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let prefixes = [("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2)];
    let prefixed = prefixes.iter().find_map(|(prefix, radix)| Some((unsigned.strip_prefix(prefix)?, *radix)));
    let (digits, radix) = prefixed.unwrap_or((unsigned, 10));
    let has_zero = radix == 10 && digits.starts_with('0') && digits != "0";
    if has_zero
        || !digits.split('_').all(|part| !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric()))
    {
        return false;
    }
    let most = if is_negative { i64::MIN.unsigned_abs() } else { u64::MAX };
    u64::from_str_radix(&digits.replace('_', ""), radix).is_ok_and(|number| number <= most)
}

/// Returns whether a text is a number with a point or an exponent, or too large for an integer. `.nan` and `.inf` are, too.
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF") {
        return true;
    }
    let is_number = text.parse().is_ok_and(|number: f64| number.is_finite());
    is_number || (unsigned.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok())
}
