//! Turns edits into replacements of ranges of bytes: see [`Rewrite`].

use std::collections::{BTreeMap, BTreeSet};

use super::super::resolve::PARTS;
use super::super::write::{Flow, Yaml};
use super::meaning::Meaning;
use super::tree::{Node, Tree, Value};
use super::{At, Edit, render};

/// A reason why an edit can't be made.
type Refused = String;

/// The fields of a new entry.
type Entry = Vec<(String, Yaml)>;

/// The replacements that make edits. Each leaves the bytes around it as they are.
pub(super) struct Rewrite<'t> {
    pub tree: &'t Tree<'t>,
    pub text: &'t str,
    replaced: Vec<Replacement>,
}

#[derive(Debug)]
pub(super) struct Replacement {
    pub start: usize,
    pub end: usize,
    pub new: String,
}

/// The items of a collection, as they are to be.
pub(super) struct Items<'i> {
    /// The first and the last byte of each.
    pub spans: &'i [(usize, usize)],
    pub removed: &'i BTreeSet<usize>,
    /// New items, by the item after which they go.
    pub added: BTreeMap<Option<usize>, Vec<String>>,
}

impl Items<'_> {
    /// Returns the nearest item before this one that stays.
    fn kept_before(&self, at: usize) -> Option<usize> {
        (0..at).rev().find(|item| !self.removed.contains(item))
    }
}

pub(super) fn insertion(at: usize, new: String) -> Replacement {
    Replacement { start: at, end: at, new }
}

pub(super) fn removal(start: usize, end: usize) -> Replacement {
    Replacement { start, end, new: String::new() }
}

/// Returns how often each item is there.
fn count(items: &[Meaning]) -> BTreeMap<&Meaning, usize> {
    items.iter().fold(BTreeMap::new(), |mut count, item| {
        *count.entry(item).or_default() += 1;
        count
    })
}

fn in_use(anchor: &str) -> Refused {
    format!(
        "It contains the anchor `&{anchor}`, which other parts of the file use with `*{anchor}`. Move the anchor to a field that starts with `x-`, above its first use."
    )
}

impl<'t> Rewrite<'t> {
    pub fn new(tree: &'t Tree<'t>) -> Self {
        Self { tree, text: tree.text, replaced: Vec::new() }
    }

    /// Returns the text with all replacements made.
    pub fn text(mut self) -> String {
        self.replaced.sort_by_key(|one| (one.start, one.end > one.start));
        let newline = if self.text.contains("\r\n") { "\r\n" } else { "\n" };
        let (mut text, mut at) = (String::with_capacity(self.text.len()), 0);
        for Replacement { start, end, new } in &self.replaced {
            text.push_str(self.text.get(at..*start).unwrap_or_default());
            text.push_str(&new.replace('\n', newline));
            at = at.max(*end);
        }
        text.push_str(self.text.get(at..).unwrap_or_default());
        text
    }

    /// Plans the edits. Returns those that can't be made, and why.
    pub fn plan<'e>(
        &mut self,
        edits: &(impl Iterator<Item = (usize, &'e Edit)> + Clone),
    ) -> BTreeMap<usize, Refused> {
        let mut refused = BTreeMap::new();
        let sections: BTreeSet<&'static str> = edits.clone().map(|(_, edit)| edit.section()).collect();
        for section in sections {
            let of_section: Vec<(usize, &Edit)> =
                edits.clone().filter(|(_, edit)| edit.section() == section).collect();
            let value = self.tree.root.field(section).map(|(_, _, value)| value);
            let problem = value.and_then(|value| self.tree.used(value)).map(in_use);
            if let Some(why) = problem {
                refused.extend(of_section.iter().map(|(at, _)| (*at, why.clone())));
                continue;
            }
            match value {
                Some(Node { value: Value::Alias(_), .. }) => {
                    self.unrolled_section(section, &of_section, &mut refused);
                }
                _ => self.section(section, &of_section, &mut refused),
            }
        }
        refused
    }

    fn section(&mut self, section: &str, edits: &[(usize, &Edit)], refused: &mut BTreeMap<usize, Refused>) {
        let value = self.tree.root.field(section).map(|(_, _, value)| value);
        let (mut removed, mut added) = (BTreeSet::new(), Vec::new());
        for (at, edit) in edits {
            let done = match edit {
                Edit::Change { at: At::Document, set, unset } => {
                    self.document(set, unset).map(|replaced| self.replaced.extend(replaced))
                }
                Edit::Change { at, set, unset } => Self::entry(value, *at).and_then(|entry| {
                    let replaced = self.change(entry, set, unset)?;
                    self.replaced.extend(replaced);
                    Ok(())
                }),
                Edit::Remove { index, .. } => Self::entry(value, At::Item("", *index)).and_then(|entry| {
                    if let Some(anchor) = self.tree.used_elsewhere(entry) {
                        return Err(in_use(anchor));
                    }
                    removed.insert(*index);
                    Ok(())
                }),
                Edit::Add { entry, .. } => {
                    added.push(entry.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect());
                    Ok(())
                }
            };
            if let Err(why) = done {
                refused.insert(*at, why);
            }
        }
        if !removed.is_empty() || !added.is_empty() {
            self.list(section, &removed, added);
        }
    }

    fn entry(section: Option<&Node>, at: At) -> Result<&Node, Refused> {
        let missing = || "The file has no such entry.".to_owned();
        let section = section.ok_or_else(missing)?;
        match (at, &section.value) {
            (At::Field(_), Value::Map { .. }) => Ok(section),
            (At::Item(_, index), Value::List { items, .. }) => items.get(index).ok_or_else(missing),
            _ => Err(missing()),
        }
    }

    /// Writes out a list that comes from an alias, with the edits in it.
    fn unrolled_section(
        &mut self,
        section: &'static str,
        edits: &[(usize, &Edit)],
        refused: &mut BTreeMap<usize, Refused>,
    ) {
        let Some((_, _, value)) = self.tree.root.field(section) else { return };
        let after = super::expected(self.tree, edits.iter().map(|(_, edit)| *edit));
        let after = after.and_then(|mut root| root.field_mut(section)?.to_yaml());
        let Some(Yaml::Flow(after)) = after else {
            let why = format!("`{section}` comes from an alias, and can't be written out.");
            refused.extend(edits.iter().map(|(at, _)| (*at, why.clone())));
            return;
        };
        let alias = self.text.get(value.start..value.end).unwrap_or_default();
        let is_flow = matches!(self.tree.root.value, Value::Map { flow: true, .. });
        let new = match after {
            Flow::List(items) if !is_flow && !items.is_empty() => {
                let indent = self.column(self.tree.root.start) + 2;
                let items = items.iter().map(|item| format!("\n{:indent$}- {}", "", render::inline(item, false)));
                format!("# copied from {alias}{}", items.collect::<String>())
            }
            other => render::inline(&Yaml::Flow(other), false),
        };
        self.replaced.push(Replacement { start: value.start, end: value.end, new });
    }

    // ---- fields of an entry

    /// Returns the replacements that set and remove fields of a mapping.
    fn change(
        &self,
        node: &Node,
        set: &[(&'static str, Yaml)],
        unset: &[&'static str],
    ) -> Result<Vec<Replacement>, Refused> {
        if let Value::Alias(_) = node.value {
            return self.unrolled_entry(node, set, unset);
        }
        let set: Vec<(&str, &Yaml)> = set.iter().map(|(name, value)| (*name, value)).collect();
        self.change_map(node, &set, unset)
    }

    /// Returns the replacements that set and remove fields of the document.
    fn document(&self, set: &[(&'static str, Yaml)], unset: &[&'static str]) -> Result<Vec<Replacement>, Refused> {
        let root = &self.tree.root;
        let entries = match &root.value {
            Value::Map { flow: false, entries } => &**entries,
            _ => &[],
        };
        let is_list = |(key, _): &(Node, Node)| key.text().is_some_and(|name| PARTS.contains(&name));
        let list = entries.iter().position(is_list);
        let place = list.and_then(|at| {
            let (key, _) = entries.get(at)?;
            let floor = self.line_after(entries.get(at.checked_sub(1)?)?.1.end);
            self.is_blank(self.line_start(key.start), key.start).then(|| self.comment_start(key.start, floor))
        });
        let Some(place) = place else { return self.change(root, set, unset) };
        let (known, new): (Vec<_>, Vec<_>) =
            set.iter().map(|(name, value)| (*name, value)).partition(|(name, _)| root.field(name).is_some());
        let mut replaced = self.change_map(root, &known, unset)?;
        let indent = self.column(root.start);
        replaced.extend(new.into_iter().map(|(name, value)| {
            let field = format!("{}: {}", render::name(name, false), render::inline(value, false));
            insertion(place, format!("{:indent$}{field}\n\n", ""))
        }));
        Ok(replaced)
    }

    fn change_map(&self, node: &Node, set: &[(&str, &Yaml)], unset: &[&str]) -> Result<Vec<Replacement>, Refused> {
        let Value::Map { flow, entries } = &node.value else {
            return Err("It isn't a mapping of fields.".to_owned());
        };
        if let Some(anchor) = self.tree.used(node) {
            return Err(in_use(anchor));
        }
        let json = entries.first().is_some_and(|(key, _)| self.is_json(key));
        let mut replaced = Vec::new();
        let mut added = Vec::new();
        for (name, yaml) in set {
            match node.field(name) {
                Some((_, key, value)) => replaced.extend(self.reconcile(Some(key), value, yaml, json)?),
                None => added.push(format!("{}: {}", render::name(name, json), render::inline(yaml, json))),
            }
        }
        let removed: BTreeSet<usize> = unset.iter().filter_map(|name| Some(node.field(name)?.0)).collect();
        for (key, value) in removed.iter().filter_map(|at| entries.get(*at)) {
            if let Some(anchor) = self.tree.used_elsewhere(value).or_else(|| self.tree.used_elsewhere(key)) {
                return Err(in_use(anchor));
            }
        }
        let spans: Vec<(usize, usize)> = entries.iter().map(|(key, value)| (key.start, value.end)).collect();
        let last = (0..spans.len()).rev().find(|at| !removed.contains(at));
        let added = if added.is_empty() { BTreeMap::new() } else { BTreeMap::from([(last, added)]) };
        let items = Items { spans: &spans, removed: &removed, added };
        if *flow {
            self.flow(node.value_start + 1, &items, &mut replaced);
        } else {
            self.fields(&items, &mut replaced);
        }
        Ok(replaced)
    }

    /// Removes and adds fields of a mapping in block style.
    fn fields(&self, items: &Items<'_>, replaced: &mut Vec<Replacement>) {
        let Items { spans, removed, added } = items;
        for (start, end) in removed.iter().filter_map(|at| spans.get(*at)) {
            let line = self.line_start(*start);
            if self.is_blank(line, *start) {
                replaced.push(removal(line, self.line_after(*end)));
                continue;
            }
            // The first field stands beside the dash of its entry.
            let next = spans.iter().find(|(next, _)| next > end).filter(|(next, _)| self.is_blank(*end, *next));
            replaced.push(removal(*start, next.map_or(*end, |(next, _)| *next)));
        }
        let (Some((first, _)), Some((_, last))) = (spans.first(), spans.last()) else { return };
        let indent = self.column(*first);
        for new in added.values().flatten() {
            replaced.push(self.line(self.line_after(*last), &format!("{:indent$}{new}\n", "")));
        }
    }

    /// Writes out an entry that comes from an alias, with the changes of its fields.
    fn unrolled_entry(
        &self,
        node: &Node,
        set: &[(&'static str, Yaml)],
        unset: &[&'static str],
    ) -> Result<Vec<Replacement>, Refused> {
        let mut entry = self.tree.meaning(node);
        entry.change(set, unset);
        let yaml = entry.to_yaml().ok_or("It comes from an alias, and can't be written out.")?;
        let alias = self.text.get(node.start..node.end).unwrap_or_default();
        let mut new = format!("{} # copied from {alias}", render::inline(&yaml, false));
        if !self.is_alone_to_end(node.end) {
            // The list is in flow style, and goes on after the comment.
            let line = self.line_start(node.start);
            let indent = self.indent(line) + 2;
            new = format!("{new}\n{:indent$}", "");
        }
        Ok(vec![Replacement { start: node.start, end: node.end, new }])
    }

    // ---- values

    /// Returns the replacements after which a value means what it should. Lists and mappings keep the parts that stay. `key`: the field in a mapping whose value it is.
    fn reconcile(
        &self,
        key: Option<&Node>,
        node: &Node,
        yaml: &Yaml,
        json: bool,
    ) -> Result<Vec<Replacement>, Refused> {
        let wanted = Meaning::from(yaml).in_any_order();
        if self.tree.meaning(node).in_any_order() == wanted {
            return Ok(Vec::new());
        }
        if let Some(anchor) = self.tree.used(node) {
            return Err(in_use(anchor));
        }
        match (&node.value, yaml) {
            (Value::List { flow, items }, Yaml::List(new) | Yaml::Flow(Flow::List(new))) => {
                if let Some(replaced) = self.items((key, node), *flow, items, new, json)? {
                    return Ok(replaced);
                }
            }
            (Value::Map { entries, .. }, Yaml::Map(new) | Yaml::Flow(Flow::Map(new))) => {
                let stays = |key: &Node| key.text().is_some_and(|key| new.iter().any(|(name, _)| name == key));
                if entries.iter().any(|(key, _)| stays(key)) && entries.iter().all(|(key, _)| key.text().is_some())
                {
                    let set: Vec<(&str, &Yaml)> = new.iter().map(|(name, value)| (name.as_str(), value)).collect();
                    let gone = entries.iter().filter(|(key, _)| !stays(key)).filter_map(|(key, _)| key.text());
                    return self.change_map(node, &set, &gone.collect::<Vec<_>>());
                }
            }
            _ => {}
        }
        if let Some(anchor) = self.tree.used_elsewhere(node) {
            return Err(in_use(anchor));
        }
        let mut new = render::inline(yaml, json);
        // A value that starts on a line of its own moves up to its field.
        let between = key.and_then(|key| self.text.get(key.end..node.start));
        if let (Some(key), Some(between)) = (key, between.filter(|between| between.contains('\n'))) {
            let colon = key.end + between.find(':').unwrap_or(0) + 1;
            let gone = removal(self.line_start(node.start), self.line_after(node.end));
            if matches!(node.value, Value::List { flow: false, .. } | Value::Map { flow: false, .. }) {
                return Ok(vec![insertion(colon, format!(" {new}")), gone]);
            }
        }
        if matches!(node.value, Value::Alias(_)) && self.is_alone_to_end(node.end) {
            let alias = self.text.get(node.start..node.end).unwrap_or_default();
            new = format!("{new} # no longer {alias}");
        }
        Ok(vec![Replacement { start: node.start, end: node.end, new }])
    }

    /// Removes and adds items of a list. Returns `None` if the list can be replaced, because no item and no comment stays.
    fn items(
        &self,
        (key, node): (Option<&Node>, &Node),
        flow: bool,
        items: &[Node],
        new: &[Yaml],
        json: bool,
    ) -> Result<Option<Vec<Replacement>>, Refused> {
        let wanted: Vec<Meaning> = new.iter().map(|new| Meaning::from(new).in_any_order()).collect();
        let present: Vec<Meaning> = items.iter().map(|item| self.tree.meaning(item).in_any_order()).collect();
        // A list may have an item twice.
        let mut owed = count(&wanted);
        let mut take =
            |item: &Meaning| owed.get_mut(item).filter(|left| **left > 0).map(|left| *left -= 1).is_some();
        let removed: BTreeSet<usize> =
            present.iter().enumerate().filter(|(_, item)| !take(item)).map(|(at, _)| at).collect();
        let last = (0..items.len()).rev().find(|at| !removed.contains(at));
        let has_comment =
            || self.text.get(node.start..self.line_after(node.end)).is_some_and(|text| text.contains('#'));
        if last.is_none() && (new.is_empty() || items.is_empty() || !has_comment()) {
            return Ok(None);
        }
        if let Some(anchor) = removed.iter().find_map(|at| self.tree.used_elsewhere(&items[*at])) {
            return Err(in_use(anchor));
        }
        let missing = new.iter().zip(&wanted).filter(|(_, wanted)| take(wanted));
        let json = json || items.first().is_some_and(|item| self.is_json(item)) && flow;
        let added: Vec<String> = missing.map(|(yaml, _)| render::inline(yaml, json)).collect();
        let spans: Vec<(usize, usize)> = items.iter().map(|item| (item.start, item.end)).collect();
        let mut replaced = Vec::new();
        if flow {
            let added = if added.is_empty() { BTreeMap::new() } else { BTreeMap::from([(last, added)]) };
            self.flow(node.value_start + 1, &Items { spans: &spans, removed: &removed, added }, &mut replaced);
            return Ok(Some(replaced));
        }
        let dashes: Option<Vec<usize>> = (0..items.len()).map(|at| self.dash(node, items, at)).collect();
        let Some(dashes) = dashes else { return Ok(None) };
        for at in removed {
            let floor = match at.checked_sub(1).and_then(|before| items.get(before)) {
                Some(before) => self.line_after(before.end),
                None => key.map_or(self.line_start(node.start), |key| self.line_after(key.end)),
            };
            replaced.push(self.item_removal(dashes[at], items[at].end, floor, dashes.get(at + 1).copied()));
        }
        let last = last.unwrap_or(items.len() - 1);
        let indent = self.column(dashes[last]);
        for new in added {
            replaced.push(self.line(self.line_after(spans[last].1), &format!("{:indent$}- {new}\n", "")));
        }
        Ok(Some(replaced))
    }

    // ---- lists of entries

    /// Removes and adds items of a list in a field of the document.
    fn list(&mut self, section: &str, removed: &BTreeSet<usize>, mut added: Vec<Vec<(String, Yaml)>>) {
        added.sort_by_key(|entry| entry.first().map(|(_, name)| sort_key_of(name)));
        let root = &self.tree.root;
        let Value::Map { flow: root_is_flow, entries } = &root.value else { return };
        let json = entries.first().is_some_and(|(key, _)| self.is_json(key));
        let inline = |entry: &Vec<(String, Yaml)>| render::inline(&Yaml::Map(entry.clone()), json);
        let Some((_, key, value)) = root.field(section) else {
            self.new_section(section, added, json);
            return;
        };
        let Value::List { flow, items } = &value.value else { return };
        let spans: Vec<(usize, usize)> = items.iter().map(|item| (item.start, item.end)).collect();
        if *flow && items.is_empty() && !root_is_flow {
            // `[]` becomes a list in block style.
            let between = self.text.get(key.end..value.start).unwrap_or_default();
            self.replaced.push(removal(key.end + between.find(':').unwrap_or(0) + 1, value.end));
            let indent = self.column(root.start) + 2;
            let new: String = added.into_iter().map(|entry| render::item(entry, indent)).collect();
            self.replaced.push(self.line(self.line_after(value.end), &new));
            return;
        }
        let mut slots: BTreeMap<Option<usize>, Vec<Entry>> = BTreeMap::new();
        let ordered = self.is_ordered(items);
        let items_to_be = Items { spans: &spans, removed, added: BTreeMap::new() };
        for entry in added {
            let name = entry.first().map(|(_, name)| sort_key_of(name)).unwrap_or_default();
            let greater = items.iter().position(|item| self.sort_key(item) > name).filter(|_| ordered);
            slots.entry(items_to_be.kept_before(greater.unwrap_or(items.len()))).or_default().push(entry);
        }
        if *flow {
            let added = slots.iter().map(|(at, entries)| (*at, entries.iter().map(inline).collect())).collect();
            let mut replaced = Vec::new();
            self.flow(value.value_start + 1, &Items { added, ..items_to_be }, &mut replaced);
            self.replaced.extend(replaced);
        } else {
            self.block_list(key, value, items, removed, &slots);
        }
    }

    fn block_list(
        &mut self,
        key: &Node,
        list: &Node,
        items: &[Node],
        removed: &BTreeSet<usize>,
        added: &BTreeMap<Option<usize>, Vec<Entry>>,
    ) {
        let dashes: Option<Vec<usize>> = (0..items.len()).map(|at| self.dash(list, items, at)).collect();
        let Some(dashes) = dashes else { return };
        let Some(first_dash) = dashes.first() else { return };
        if removed.len() == items.len() && added.is_empty() {
            let between = self.text.get(key.end..list.start).unwrap_or_default();
            let colon = key.end + between.find(':').unwrap_or(0) + 1;
            self.replaced.push(insertion(colon, " []".to_owned()));
        }
        let first_start =
            self.comment_start(*first_dash, self.line_after(key.end)).min(self.line_start(*first_dash));
        for at in removed {
            let floor = match at.checked_sub(1).and_then(|before| items.get(before)) {
                Some(before) => self.line_after(before.end),
                None => self.line_after(key.end).min(first_start),
            };
            let removal = self.item_removal(dashes[*at], items[*at].end, floor, dashes.get(at + 1).copied());
            self.replaced.push(removal);
        }
        let indent = self.column(*first_dash);
        let is_flow = items.last().is_some_and(|item| matches!(item.value, Value::Map { flow: true, .. }));
        let apart = match (items.len().checked_sub(2).and_then(|at| items.get(at)), dashes.last()) {
            (Some(before), Some(dash)) => {
                let between =
                    self.text.get(self.line_after(before.end)..self.line_start(*dash)).unwrap_or_default();
                between.lines().any(|line| line.trim().is_empty())
            }
            _ => false,
        };
        for (after, entries) in added {
            for entry in entries {
                let mut new = if is_flow {
                    format!("{:indent$}- {}\n", "", render::inline(&Yaml::Map(entry.clone()), false))
                } else {
                    render::item(entry.clone(), indent)
                };
                let at = match after {
                    Some(after) => self.line_after(items[*after].end),
                    None => first_start,
                };
                if apart && after.is_some() {
                    new.insert(0, '\n');
                } else if apart {
                    new.push('\n');
                }
                self.replaced.push(self.line(at, &new));
            }
        }
    }

    /// Returns the removal of an item of a list in block style, with the comment above it, if the comment is only about
    /// this item. A comment above several items that follow each other stays.
    fn item_removal(&self, dash: usize, end: usize, floor: usize, next: Option<usize>) -> Replacement {
        let (mut start, mut end) = (self.line_start(dash), self.line_after(end));
        let next_line = next.map(|next| self.line_start(next));
        if next_line != Some(end) {
            start = self.comment_start(dash, floor);
        }
        // Two blank lines don't remain where there was one before the item and one after it.
        let blank_before = start <= floor || self.is_blank(self.line_start(start.saturating_sub(1)), start);
        let blank_after = self.is_blank_line(end);
        if blank_before && blank_after {
            if next.is_some() {
                while self.is_blank_line(end) {
                    end = self.line_after(end);
                }
            } else {
                while start > floor && self.is_blank(self.line_start(start - 1), start) {
                    start = self.line_start(start - 1);
                }
            }
        }
        removal(start, end)
    }

    /// Adds a list that the document doesn't have, at its end.
    fn new_section(&mut self, section: &str, entries: Vec<Vec<(String, Yaml)>>, json: bool) {
        let root = &self.tree.root;
        let Value::Map { flow, entries: fields } = &root.value else { return };
        let items: Vec<Yaml> = entries.into_iter().map(Yaml::Map).collect();
        if *flow {
            let new = format!("{}: {}", render::name(section, json), render::inline(&Yaml::List(items), json));
            let spans: Vec<(usize, usize)> = fields.iter().map(|(key, value)| (key.start, value.end)).collect();
            let added = BTreeMap::from([(spans.len().checked_sub(1), vec![new])]);
            let mut replaced = Vec::new();
            let items = Items { spans: &spans, removed: &BTreeSet::new(), added };
            self.flow(root.value_start + 1, &items, &mut replaced);
            self.replaced.extend(replaced);
            return;
        }
        let mut at = self.line_after(root.end);
        while at < self.text.len() && !self.text[at..].starts_with("...") {
            at = self.line_after(at);
        }
        let before = self.line_start(at.saturating_sub(1));
        let new = render::list(section, items, self.column(root.start));
        let gap = if self.is_blank(before, at) { "" } else { "\n" };
        self.replaced.push(self.line(at, &format!("{gap}{new}")));
    }

    /// Returns whether a list is ordered by the first fields of its entries. Two entries prove nothing.
    fn is_ordered(&self, items: &[Node]) -> bool {
        let keys: Vec<String> = items.iter().map(|item| self.sort_key(item)).collect();
        keys.len() > 2 && keys.is_sorted()
    }

    fn sort_key(&self, item: &Node) -> String {
        match self.tree.meaning(item) {
            Meaning::Map(fields) => match fields.into_iter().next() {
                Some((_, Meaning::Scalar { text, .. })) => text.to_lowercase(),
                _ => String::new(),
            },
            Meaning::Scalar { .. } | Meaning::List(_) => String::new(),
        }
    }
}

fn sort_key_of(name: &Yaml) -> String {
    match name {
        Yaml::Text(text) => text.to_lowercase(),
        _ => String::new(),
    }
}

impl Edit {
    fn section(&self) -> &'static str {
        match self {
            Self::Change { at: At::Document, .. } => "",
            Self::Change { at: At::Item(section, _) | At::Field(section), .. }
            | Self::Remove { section, .. }
            | Self::Add { section, .. } => section,
        }
    }
}
