//! Edits a document without a change to anything else in it: comments, order, anchors, quotes, blank lines, line
//! ends and indentation stay.
//!
//! For example, Jane gets another role, and a key is new:
//!
//! ```yaml
//! users:
//!   # On call.
//!   - email: jane@acme.example
//!     roles: [Viewer] # becomes [Admin], and nothing else on this line changes
//! ```
//!
//! It replaces ranges of bytes, which the events of the reader's own parser tell. So there is no second opinion on what a
//! file says. Two crates were tried on the cases of the tests. yamlpatch changes the anchor where an alias was to be
//! changed, leaves aliases without an anchor, can't append to a list in flow style, and writes `\n` into files with
//! `\r\n`. yaml-edit does all of these right. But it has a parser of its own, can't change an entry that is an alias,
//! and still needs the rules below for comments, blank lines and ordered lists, which are the larger part.
//!
//! No edit is trusted: the edited text is parsed again, and must mean what was asked for, and nothing else. An edit
//! for which that fails is refused, and the others are made.

mod meaning;
mod places;
mod render;
mod rewrite;
mod tree;

use std::collections::{BTreeMap, BTreeSet};

use super::write::Yaml;
pub(crate) use meaning::Meaning;
use rewrite::Rewrite;
pub(crate) use tree::{Node, Tree, Value};

/// The place of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// An item of the list in this field of the document, counted from zero.
    Item(&'static str, usize),
    /// The mapping in this field of the document.
    Field(&'static str),
    /// The document itself. A new field goes above the lists of entries.
    Document,
}

/// An edit of one entry. The places are those before all edits.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Sets and removes fields of an entry.
    Change { at: At, set: Vec<(&'static str, Yaml)>, unset: Vec<&'static str> },
    /// Removes an item of a list.
    Remove { section: &'static str, index: usize },
    /// Adds an item to a list. It goes to the end, or to its place if the list is ordered by the first field of its
    /// entries. A missing list is added.
    Add { section: &'static str, entry: Vec<(&'static str, Yaml)> },
}

/// An edited document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    pub text: String,
    /// The edits that were not made, by their positions, and why.
    pub refused: BTreeMap<usize, String>,
}

const NOT_YAML: &str = "The file can't be edited, because it isn't one YAML document with fields.";

/// Edits a document. An edit that can't be made is refused, and the others are made.
pub fn edit(text: &str, edits: &[Edit]) -> Edited {
    let all: BTreeSet<usize> = (0..edits.len()).collect();
    let edited = edit_at_once(text, edits, &all);
    if let Some(edited) = edited {
        return edited;
    }
    // The whole isn't what was asked for, so each edit is tried by itself. Changes move nothing, and a removal moves
    // only what comes after it.
    let mut order: Vec<usize> = all.into_iter().collect();
    order.sort_by_key(|at| match edits.get(*at) {
        Some(Edit::Change { .. }) | None => (0, 0),
        Some(Edit::Remove { index, .. }) => (1, usize::MAX - index),
        Some(Edit::Add { .. }) => (2, 0),
    });
    let mut result = Edited { text: text.to_owned(), refused: BTreeMap::new() };
    for at in order {
        if let Some(Edited { text, refused }) = edit_at_once(&result.text, edits, &BTreeSet::from([at])) {
            result.text = text;
            result.refused.extend(refused);
            continue;
        }
        let why = "Its place in the file is written in a way that rolecall can't edit without a change to something else.";
        result.refused.insert(at, why.to_owned());
    }
    result
}

/// Makes these edits in one go. Returns `None` if the result doesn't mean what was asked for.
fn edit_at_once(text: &str, edits: &[Edit], chosen: &BTreeSet<usize>) -> Option<Edited> {
    let refuse_all =
        || Edited { text: text.to_owned(), refused: chosen.iter().map(|at| (*at, NOT_YAML.to_owned())).collect() };
    let Some(tree) = Tree::parse(text) else { return Some(refuse_all()) };
    if !matches!(tree.root.value, Value::Map { .. }) {
        return Some(refuse_all());
    }
    let mut rewrite = Rewrite::new(&tree);
    let chosen = edits.iter().enumerate().filter(|(at, _)| chosen.contains(at));
    let refused = rewrite.plan(&chosen);
    let text = rewrite.text();
    let made = chosen.filter(|(at, _)| !refused.contains_key(at)).map(|(_, edit)| edit);
    let expected = expected(&tree, made)?;
    let after = Tree::parse(&text)?;
    let is_exact = after.meaning(&after.root).in_any_order() == expected.in_any_order();
    is_exact.then_some(Edited { text, refused })
}

/// Returns what the document has to mean after the edits.
fn expected<'e>(tree: &Tree<'_>, edits: impl Iterator<Item = &'e Edit>) -> Option<Meaning> {
    let mut root = tree.meaning(&tree.root);
    let mut removed: BTreeSet<(&str, usize)> = BTreeSet::new();
    let mut added: Vec<(&str, Meaning)> = Vec::new();
    let fields = |fields: &[(&'static str, Yaml)]| {
        let one = |(name, value): &(&'static str, Yaml)| (Meaning::text(name), value.into());
        Meaning::Map(fields.iter().map(one).collect())
    };
    for edit in edits {
        match edit {
            Edit::Change { at, set, unset } => {
                let entry = match at {
                    At::Document => &mut root,
                    At::Field(section) => root.field_mut(section)?,
                    At::Item(section, index) => match root.field_mut(section)? {
                        Meaning::List(items) => items.get_mut(*index)?,
                        Meaning::Scalar { .. } | Meaning::Map(_) => return None,
                    },
                };
                entry.change(set, unset);
            }
            Edit::Remove { section, index } => {
                removed.insert((section, *index));
            }
            Edit::Add { section, entry } => added.push((section, fields(entry))),
        }
    }
    for (section, index) in removed.into_iter().rev() {
        if let Meaning::List(items) = root.field_mut(section)? {
            items.remove(index);
        }
    }
    for (section, entry) in added {
        if root.field_mut(section).is_none() {
            root.set(section, Meaning::List(Vec::new()));
        }
        if let Meaning::List(items) = root.field_mut(section)? {
            items.push(entry);
        }
    }
    Some(root)
}

/// The fields of an entry by their names.
pub(crate) type WrittenFields = BTreeMap<String, Meaning>;

/// Returns the entries of a list in the document, or the only one where the field is a mapping. Aliases are resolved.
pub(crate) fn entries(text: &str, section: &str) -> Vec<WrittenFields> {
    let Some(tree) = Tree::parse(text) else { return Vec::new() };
    let field = |(key, value): (Meaning, Meaning)| Some((key.as_text()?.to_owned(), value));
    let fields = |item| match item {
        Meaning::Map(fields) => fields.into_iter().filter_map(field).collect(),
        Meaning::Scalar { .. } | Meaning::List(_) => WrittenFields::new(),
    };
    match tree.root.field(section).map(|(_, _, value)| tree.meaning(value)) {
        Some(Meaning::List(items)) => items.into_iter().map(fields).collect(),
        Some(only) => vec![fields(only)],
        None => Vec::new(),
    }
}
