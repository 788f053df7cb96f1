//! Groups a plan by where its changes come from: first what is asked for here, then what else is out of line.

use std::collections::{BTreeMap, BTreeSet};

use super::outline::{Outline, rows};
use super::style::{called, clean, plural};
use rolecall_model::{Address, DeletedBy, Deletion, DiffLine, Hold, OrganizationPlan, OriginKind, Undescribed};

/// The kind of report that a plan is written as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Plan,
    Drift,
}

/// A group of rows, in the order of a report.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    /// The whole plan, if it wasn't compared with a base.
    Whole,
    Asked,
    /// Every difference of a drift report.
    Differs,
    StillToDo,
    Expired,
    /// A change without an origin.
    Unknown,
    Drifted,
}

impl Group {
    /// Returns the heading of these rows. `None` for the whole plan.
    pub fn heading(self, rows: &[Outline]) -> Option<String> {
        Some(match self {
            Self::Whole => return None,
            Self::Asked => "asked for here".to_owned(),
            Self::Differs => "differs from the file; an apply would make these changes".to_owned(),
            Self::StillToDo => {
                "still to do, and no drift; `rolecall apply --leftovers` makes only these changes".to_owned()
            }
            Self::Expired => "expired".to_owned(),
            Self::Unknown => "of unknown origin".to_owned(),
            Self::Drifted => {
                let is_drift =
                    |row: &&Outline| row.origin.as_ref().is_some_and(|origin| origin.is == OriginKind::Drifted);
                let changes = rows.iter().filter(|row| row.action.is_some()).filter(is_drift).count();
                let undo = if changes == 1 { "undoes" } else { "undo" };
                format!("not asked for here: {} {undo} drift", plural(changes, "change"))
            }
        })
    }
}

/// Returns the rows of a plan in groups.
pub(super) fn groups(plan: &OrganizationPlan, reading: Reading) -> BTreeMap<Group, Vec<Outline>> {
    let compared = plan.comparison.as_ref().filter(|comparison| comparison.unplanned.is_none());
    let asks = compared.is_some_and(|it| it.changes.values().any(|origin| origin.is == OriginKind::Asked));
    let mut groups: BTreeMap<Group, Vec<Outline>> = BTreeMap::new();
    for row in rows(plan) {
        let group = match (reading, &row.origin) {
            (Reading::Drift, _) if row.leftover => Group::StillToDo,
            (Reading::Drift, _) => Group::Differs,
            (Reading::Plan, _) if compared.is_none() => Group::Whole,
            (Reading::Plan, None) => Group::Unknown,
            (Reading::Plan, Some(origin)) => match origin.is {
                OriginKind::Asked => Group::Asked,
                OriginKind::StillToDo => Group::StillToDo,
                OriginKind::Expired => Group::Expired,
                OriginKind::NeededByAnother if asks => Group::Asked,
                OriginKind::NeededByAnother | OriginKind::Drifted => Group::Drifted,
            },
        };
        groups.entry(group).or_default().push(row);
    }
    groups
}

/// Returns the holds in groups, each with what its heading adds: those that are there because of what is asked for
/// here, and the others.
pub(super) fn holds(plan: &OrganizationPlan) -> Vec<(&'static str, Vec<&Hold>)> {
    let all = plan.sealed.holds.iter();
    let groups = match plan.comparison.as_ref().filter(|comparison| comparison.unplanned.is_none()) {
        None => vec![("", all.collect())],
        Some(comparison) => {
            let is_asked = |hold: &&Hold| comparison.holds.get(&hold.address) == Some(&OriginKind::Asked);
            let (asked, others): (Vec<&Hold>, Vec<&Hold>) = all.partition(is_asked);
            vec![(", because of what is asked for here", asked), (", also without what is asked for here", others)]
        }
    };
    groups.into_iter().filter(|(_, holds)| !holds.is_empty()).collect()
}

/// Returns what to add to the reason of a hold: the note of the files, and its origin, if the plan was compared with a
/// base.
pub(super) fn hold_origin(plan: &OrganizationPlan, hold: &Hold) -> String {
    let origin = plan.comparison.as_ref().and_then(|comparison| comparison.holds.get(&hold.address));
    let origin = origin.map(|origin| format!(" ({})", origin.as_str())).unwrap_or_default();
    note(plan, hold) + &origin
}

/// Returns the note of the files about what is skipped, as a sentence to add.
pub(super) fn note(plan: &OrganizationPlan, hold: &Hold) -> String {
    let note = plan.notes.get(&hold.address).map(|note| format!(" Note: {}.", clean(note.trim_end_matches('.'))));
    note.unwrap_or_default()
}

/// Entries that one edit took out of the files.
pub(super) struct Gone<'a> {
    /// The edit, in words.
    pub by: String,
    pub is_explicit: bool,
    pub entries: Vec<&'a Deletion>,
    /// The number of entries without a change or a hold, because live stays as it is.
    pub unchanged: usize,
}

impl Gone<'_> {
    /// Returns what to add about the entries that stay live.
    pub fn unchanged(&self) -> String {
        match self.unchanged {
            0 => String::new(),
            all if all == self.entries.len() => " (no change follows)".to_owned(),
            some => format!(" (no change follows for {some} of them)"),
        }
    }

    pub fn lines(&self) -> impl Iterator<Item = &DiffLine> {
        self.entries.iter().flat_map(|deletion| &deletion.lines)
    }

    /// Returns the line on which the entry's lines stand now, if they are still there.
    pub fn moved_to(&self) -> Option<(&str, usize)> {
        match &self.entries.first()?.by {
            DeletedBy::Moved { file, line } => Some((file, *line)),
            _ => None,
        }
    }
}

/// Returns the entries that are no longer in the files, by the edit that deleted them. Edits that may be slips come
/// first.
pub(super) fn deletions(plan: &OrganizationPlan) -> Vec<Gone<'_>> {
    let mut edits: BTreeMap<(bool, &DeletedBy), Vec<&Deletion>> = BTreeMap::new();
    for deletion in plan.comparison.iter().flat_map(|comparison| &comparison.deletions) {
        edits.entry((deletion.by.is_explicit(), &deletion.by)).or_default().push(deletion);
    }
    let changed = plan.sealed.changes.iter().map(|change| &change.address);
    let seen: BTreeSet<&Address> = changed.chain(plan.sealed.holds.iter().map(|hold| &hold.address)).collect();
    let gone = edits.into_iter().map(|((is_explicit, by), entries)| {
        let stays = |deletion: &&&Deletion| !seen.contains(&deletion.address);
        let unchanged = entries.iter().filter(stays).count();
        Gone { by: deleted_by(by), is_explicit, entries, unchanged }
    });
    gone.collect()
}

/// Returns the words for the edit that deleted an entry.
pub(super) fn deleted_by(by: &DeletedBy) -> String {
    match by {
        DeletedBy::Entry => "the entry was removed".to_owned(),
        DeletedBy::Renamed { to } => format!("renamed to {}", clean(to)),
        DeletedBy::Section { section } if section == "include" => "its file is no longer included".to_owned(),
        DeletedBy::Section { section } => format!("the whole section `{}:` is gone", clean(section)),
        DeletedBy::Merge => "no commit removed the entry; a merge lost it".to_owned(),
        DeletedBy::Moved { file, line } => {
            format!("its lines moved to {}:{line} and no longer mean this entry", clean(file))
        }
    }
}

/// Returns the sentence that warns if the base couldn't be planned.
pub(super) fn unplanned(plan: &OrganizationPlan) -> Option<String> {
    let comparison = plan.comparison.as_ref()?;
    let why = comparison.unplanned.as_ref()?;
    Some(format!(
        "No origin is known, because the base {} can't be planned: {}",
        clean(&comparison.base),
        clean(why)
    ))
}

/// Returns the sentence that warns of an organisation that no file describes any more.
pub(super) fn undescribed(Undescribed { provider, organization, file }: &Undescribed) -> String {
    let name = called(*provider, organization);
    format!("No file describes {name} any more, and {} of the base does. Nothing of it is planned.", clean(file))
}

/// Returns the sign of a line of a diff, its place and its text.
pub(super) fn diff_line(DiffLine { file, line, added, text }: &DiffLine) -> (char, String, String) {
    (if *added { '+' } else { '-' }, format!("{}:{line}", clean(file)), clean(text))
}
