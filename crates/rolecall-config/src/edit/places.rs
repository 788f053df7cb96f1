//! Places in the text of a document: its lines, its indentation, and what stands between brackets.

use super::rewrite::{Items, Replacement, Rewrite, insertion, removal};
use super::tree::{Node, Value};

impl Rewrite<'_> {
    /// Removes and adds items between brackets. `open` is the place after the opening one.
    pub fn flow(&self, open: usize, items: &Items<'_>, replaced: &mut Vec<Replacement>) {
        let Items { spans, removed, added } = items;
        let is_kept = |at: &usize| !removed.contains(at);
        let any_kept = (0..spans.len()).any(|at| is_kept(&at));
        let mut at = 0;
        while at < spans.len() {
            if is_kept(&at) {
                at += 1;
                continue;
            }
            let first = at;
            while at < spans.len() && !is_kept(&at) {
                at += 1;
            }
            let (start, end) = (spans[first].0, spans[at - 1].1);
            if let Some((next, _)) = spans.get(at) {
                replaced.push(removal(start, *next));
                continue;
            }
            let before = first.checked_sub(1).map(|before| spans[before].1);
            let between = before.and_then(|before| self.text.get(before..start)).unwrap_or_default();
            match before {
                Some(before) if !between.contains('#') => replaced.push(removal(before, end)),
                // A comma before a comment may stay, but not two commas.
                _ => replaced.push(removal(start, self.after_comma(end))),
            }
        }
        for (after, new) in added {
            let Some(after) = after else {
                let separator = if any_kept { ", " } else { "" };
                let start = spans.first().map_or(open, |(start, _)| *start);
                replaced.push(insertion(start, format!("{}{separator}", new.join(", "))));
                continue;
            };
            let (start, end) = spans[*after];
            let line = self.line_start(start);
            let separator = if self.is_blank(line, start) && (*after > 0 || line > open) {
                format!(",\n{:1$}", "", start - line)
            } else {
                ", ".to_owned()
            };
            replaced.push(insertion(end, format!("{separator}{}", new.join(&separator))));
        }
    }

    pub fn after_comma(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        let blank = rest.len() - rest.trim_start().len();
        if rest.get(blank..).is_some_and(|rest| rest.starts_with(',')) { at + blank + 1 } else { at }
    }

    pub fn is_json(&self, node: &Node) -> bool {
        let is_flow = matches!(self.tree.root.value, Value::Map { flow: true, .. });
        is_flow && self.text.get(node.start..).is_some_and(|text| text.starts_with('"'))
    }

    /// Returns the place of the dash of an item.
    pub fn dash(&self, list: &Node, items: &[Node], at: usize) -> Option<usize> {
        let item = items.get(at)?;
        let from = match at.checked_sub(1) {
            Some(before) => self.line_after(items.get(before)?.end),
            None => self.line_start(list.value_start),
        };
        let mut line = from;
        while line <= item.start {
            let rest = self.text.get(line..self.line_after(line))?;
            let indent = rest.len() - rest.trim_start().len();
            if rest.trim_start().starts_with('-') && line + indent <= item.start {
                return Some(line + indent);
            }
            let after = self.line_after(line);
            if after == line {
                return None;
            }
            line = after;
        }
        None
    }

    /// Returns the start of the comment directly above a line, at its indentation, or that of the line itself.
    pub fn comment_start(&self, at: usize, floor: usize) -> usize {
        let indent = self.column(at);
        let mut start = self.line_start(at);
        while start > floor {
            let before = self.line_start(start - 1);
            let line = self.text.get(before..start).unwrap_or_default();
            if before < floor || !line.trim_start().starts_with('#') || self.indent(before) != indent {
                break;
            }
            start = before;
        }
        start
    }

    /// Returns an insertion of whole lines at the start of a line, or at the end of a text without a last line end.
    pub fn line(&self, at: usize, new: &str) -> Replacement {
        if at == self.text.len() && !self.text.is_empty() && !self.text.ends_with('\n') {
            return insertion(at, format!("\n{}", new.trim_end_matches('\n')));
        }
        insertion(at, new.to_owned())
    }

    pub fn line_start(&self, at: usize) -> usize {
        self.text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
    }

    /// Returns the start of the line after the one with this place.
    pub fn line_after(&self, at: usize) -> usize {
        self.text.get(at..).and_then(|rest| rest.find('\n')).map_or(self.text.len(), |newline| at + newline + 1)
    }

    pub fn column(&self, at: usize) -> usize {
        at - self.line_start(at)
    }

    pub fn indent(&self, line: usize) -> usize {
        let rest = self.text.get(line..self.line_after(line)).unwrap_or_default();
        rest.len() - rest.trim_start().len()
    }

    pub fn is_blank(&self, start: usize, end: usize) -> bool {
        self.text.get(start..end).is_some_and(|text| text.trim().is_empty())
    }

    pub fn is_blank_line(&self, line: usize) -> bool {
        let end = self.line_after(line);
        end > line && self.is_blank(line, end)
    }

    /// Returns whether only a comment follows on the line.
    pub fn is_alone_to_end(&self, at: usize) -> bool {
        let rest = self.text.get(at..self.line_after(at)).unwrap_or_default().trim();
        rest.is_empty() || rest.starts_with('#')
    }
}
