//! The [`Place`] of a value in a file.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

/// A range of bytes in a source text. A tree keeps one for each value, so it has half the size of a `Range<usize>`: no file has
/// four gigabytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub fn new(range: Range<usize>) -> Self {
        Self { start: small(range.start), end: small(range.end) }
    }

    /// Returns the span as numbers, which serde can carry.
    pub fn numbers(self) -> [u32; 2] {
        [self.start, self.end]
    }

    /// Returns the span that has these numbers.
    pub fn of_numbers([start, end]: [u32; 2]) -> Self {
        Self { start, end }
    }

    pub fn start(self) -> usize {
        self.range().start
    }

    /// Returns the first byte after the range.
    pub fn end(self) -> usize {
        self.range().end
    }

    pub fn range(self) -> Range<usize> {
        large(self.start)..large(self.end)
    }
}

/// Returns a number of lines, characters or bytes as a [`Span`] keeps it.
pub fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Returns the number that [`small`] has made smaller.
pub fn large(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A place in a file. Line and column count from one, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Place {
    /// The path of the file, as the command line named it or as it was found in a folder.
    pub file: Arc<str>,
    pub line: usize,
    pub column: usize,
    #[serde(skip)]
    pub span: Span,
}

impl Place {
    /// Returns the first character of a file. It is the place of findings about the file as a whole.
    pub fn start_of(file: impl Into<Arc<str>>) -> Self {
        Self { file: file.into(), line: 1, column: 1, span: Span::default() }
    }
}

/// A value and its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    pub value: T,
    pub place: Place,
}

impl<T> Deref for Placed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Serializes the value alone, so that two files that say the same give the same text.
impl<T: Serialize> Serialize for Placed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, span: _ } = self;
        write!(f, "{file}:{line}:{column}")
    }
}
