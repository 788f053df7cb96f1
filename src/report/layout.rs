//! Lays out text for people: wrapped at the width of the terminal, with long lists summarised.

use textwrap::core::display_width;
use textwrap::{Options, WordSeparator, WordSplitter};

/// The width and the detail of a text report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The number of columns at which lines are wrapped. `None`: lines are never wrapped, as for a pipe or a file.
    pub width: Option<usize>,
    /// Lists every entity and explains every limit of the API, instead of summarising them.
    pub full: bool,
}

/// The widest that the column of addresses gets, in columns.
const ADDRESS_WIDTH: usize = 44;

/// The indentation of a text that has no room beside its head.
const INDENT: usize = 8;

/// The least room for text beside a head, in columns.
const ROOM: usize = 28;

impl Layout {
    /// Appends a line: `head`, and beside it `body`. A body that is too wide continues on further lines, each with a
    /// hanging indent below where it began. Words are never broken, so a word wider than the terminal sticks out.
    pub(super) fn push(self, text: &mut String, head: &str, body: &str) {
        let Some(width) = self.width else {
            text.push_str(format!("{head}{body}").trim_end());
            text.push('\n');
            return;
        };
        let room = width.saturating_sub(display_width(head));
        let (first, hang) = if room >= ROOM || display_width(body) <= room {
            (head.to_owned(), if room >= ROOM { display_width(head) } else { INDENT })
        } else {
            text.push_str(head.trim_end());
            text.push('\n');
            (" ".repeat(INDENT), INDENT)
        };
        let hanging = " ".repeat(hang);
        let options = Options::new(width)
            .initial_indent(&first)
            .subsequent_indent(&hanging)
            .break_words(false)
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation);
        for line in textwrap::wrap(body.trim_end(), options) {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }

    /// Returns how wide the column of these addresses is.
    pub(super) fn column<'a>(self, addresses: impl Iterator<Item = &'a str>) -> usize {
        let widest = self.width.map_or(ADDRESS_WIDTH, |width| ADDRESS_WIDTH.min(width * 2 / 5));
        addresses.map(display_width).filter(|width| *width <= widest).max().unwrap_or(0).max(widest / 2)
    }
}

/// Pads a text with spaces to a number of columns on the terminal, which isn't the number of its characters.
pub(super) fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(display_width(text))))
}
