//! Compares two lists of lines.

use similar::DiffOp;
use similar::algorithms::{Capture, Compact, Replace, myers};

/// Returns the steps that make the lines `before` the lines `after`. These are the steps of `similar::TextDiff`, which has
/// a copy of its code for each of five algorithms, and a megabyte of code in all.
pub fn compare_lines(before: &[&str], after: &[&str]) -> Vec<DiffOp> {
    let mut steps = Compact::new(Replace::new(Capture::new()), before, after);
    let Ok(()) = myers::diff(&mut steps, before, 0..before.len(), after, 0..after.len());
    steps.into_inner().into_inner().into_ops()
}
