//! A file that is written from live state: its head, and sections of entries and comments.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use rolecall_model::{Address, Kind};

use super::{Fields, Yaml, one_line, section};

/// A file to be written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document {
    /// Everything before the sections.
    pub head: String,
    /// In the order of the file.
    pub sections: Vec<Section>,
}

/// A field of the file with the entries of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub kind: Kind,
    /// Comments about all entries.
    pub notes: Vec<String>,
    pub items: Vec<Item>,
}

/// An entry, or a comment in the place of one.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Entry(Entry),
    Comment(String),
}

/// The entry of one entity.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub address: Address,
    /// The first field names the entity.
    pub fields: Fields,
    /// Short comments on the line of the first field.
    pub marks: Vec<&'static str>,
    /// Comments above the entry.
    pub remarks: Vec<String>,
}

/// Something that keeps a file from saying just what is live.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The line of the file that causes it. `None` if a change causes it that no line asks for.
    pub line: Option<usize>,
    /// The entity that a plan would change, if it would change one.
    pub change: Option<Address>,
    pub message: String,
}

/// The place of a line in a document: the section, the item, and the field of the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Spot {
    section: usize,
    item: usize,
    field: usize,
}

impl Document {
    /// Returns the text of the file.
    pub fn text(&self) -> String {
        self.render().0
    }

    /// Returns the text, and for each of its lines the field that it belongs to.
    fn render(&self) -> (String, Vec<Option<Spot>>) {
        let mut text = self.head.clone();
        let mut spots = vec![None; text.lines().count()];
        for (at, of) in self.sections.iter().enumerate() {
            if of.items.is_empty() {
                continue;
            }
            text.push('\n');
            let mut body = String::new();
            let is_list = of.kind != Kind::Organization;
            let indent = if is_list { "  " } else { "" };
            for note in &of.notes {
                let _ = writeln!(body, "{indent}# {}", one_line(note));
            }
            let mut lines = vec![None; of.notes.len()];
            for (item, found) in of.items.iter().enumerate() {
                match found {
                    Item::Comment(comment) => {
                        let _ = writeln!(body, "{indent}# {}", one_line(comment));
                        lines.push(None);
                    }
                    Item::Entry(entry) => {
                        for remark in &entry.remarks {
                            let _ = writeln!(body, "{indent}# {}", one_line(remark));
                            lines.push(None);
                        }
                        let written = entry.text(is_list);
                        // Each line that is indented as the first field begins a field.
                        let deep = if is_list { 4 } else { 2 };
                        let mut field = 0;
                        for (number, line) in written.lines().enumerate() {
                            let depth = line.len() - line.trim_start().len();
                            field += usize::from(number > 0 && depth == deep);
                            lines.push(Some(Spot { section: at, item, field }));
                        }
                        body.push_str(&written);
                    }
                }
            }
            let has_entries = of.items.iter().any(|item| matches!(item, Item::Entry(_)));
            // A list of comments only would be a field without a value.
            let heading = match (has_entries, is_list) {
                (true, _) => format!("{}:\n", of.kind.section()),
                (false, _) => format!("# {}:\n", of.kind.section()),
            };
            text.push_str(&heading);
            text.push_str(&body);
            spots.extend([None, None]);
            spots.extend(lines);
        }
        (text, spots)
    }

    /// Leaves out what keeps the file from saying just what is live, until `check` finds nothing more: the field that
    /// a problem is about, or the entry. A comment takes its place. Returns the kinds of entities of which the file
    /// lacks some, and the problems that no entry causes.
    pub fn settle(&mut self, check: &dyn Fn(&str) -> Vec<Problem>) -> (BTreeSet<Kind>, Vec<Problem>) {
        let mut lacking = BTreeSet::new();
        // Each round leaves something out. Most files need one, and one field can hide the problem of another.
        loop {
            let (text, spots) = self.render();
            let mut found: Vec<(Spot, String)> = Vec::new();
            let problems = check(&text);
            for Problem { line, change, message } in problems.clone() {
                let of_line = line.and_then(|line| spots.get(line.checked_sub(1)?).copied().flatten());
                let of_change = || self.find(change.as_ref()?);
                if let Some(kind) = change.as_ref().map(|address| address.kind) {
                    lacking.insert(if kind == Kind::Invitation { Kind::User } else { kind });
                }
                found.extend(of_line.or_else(of_change).map(|spot| (spot, message)));
            }
            if found.is_empty() {
                return (lacking, problems);
            }
            // Later ones first, so that the places of the others stay right.
            found.sort_by_key(|(spot, _)| std::cmp::Reverse((spot.section, spot.item, spot.field)));
            found.dedup_by_key(|(spot, _)| *spot);
            for (spot, why) in found {
                lacking.extend(self.leave_out(spot, &why));
            }
        }
    }

    /// Returns the number of entries of each kind, in the order of the file.
    pub fn entries(&self) -> Vec<(Kind, usize)> {
        let is_entry = |item: &&Item| matches!(item, Item::Entry(_));
        self.sections.iter().map(|of| (of.kind, of.items.iter().filter(is_entry).count())).collect()
    }

    fn find(&self, address: &Address) -> Option<Spot> {
        let of = |(section, of): (usize, &Section)| {
            let item = of.items.iter().position(|item| match item {
                Item::Entry(entry) => entry.address.covers(address) || address.covers(&entry.address),
                Item::Comment(_) => false,
            })?;
            Some(Spot { section, item, field: 0 })
        };
        self.sections.iter().enumerate().find_map(of)
    }

    /// Leaves out a field, or the entry if its first field is meant. Returns the kind if it was the entry.
    fn leave_out(&mut self, spot: Spot, why: &str) -> Option<Kind> {
        let Section { kind, items, .. } = self.sections.get_mut(spot.section)?;
        let item = items.get_mut(spot.item)?;
        let Item::Entry(entry) = item else { return None };
        if spot.field > 0 && spot.field < entry.fields.len() && entry.fields[spot.field].0 != "id" {
            let (name, _) = entry.fields.remove(spot.field);
            entry.remarks.push(format!("`{name}` can't be written: {why}"));
            return None;
        }
        *item = Item::Comment(format!("{} can't be written: {why}", entry.address));
        Some(*kind)
    }
}

impl Entry {
    pub fn new(address: Address, fields: Fields) -> Self {
        Self { address, fields, marks: Vec::new(), remarks: Vec::new() }
    }

    /// Returns the entry, with its marks and without its remarks.
    pub fn text(&self, is_list: bool) -> String {
        let fields = self.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let value = Yaml::Map(fields);
        let value = if is_list { Yaml::List(vec![value]) } else { value };
        let written = section("x", &value);
        let written = written.strip_prefix("x:\n").unwrap_or(&written);
        if self.marks.is_empty() {
            return written.to_owned();
        }
        let (first, rest) = written.split_once('\n').unwrap_or((written, ""));
        format!("{first} # {}\n{rest}", self.marks.join("; "))
    }
}
