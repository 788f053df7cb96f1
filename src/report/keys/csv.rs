//! Writes keys as comma-separated values: one row for each key.

use super::{KeysReport, UNREADABLE, maker, stage};
use crate::report::access::lines;
use crate::report::csv::row;
use rolecall_plan::access::Unreadable;
use rolecall_plan::keys::{KeyStatus, Keys, StepKind, TargetState};

const COLUMNS: [&str; 23] = [
    "provider",
    "organization",
    "name",
    "id",
    "stage",
    "details",
    "expiring",
    "made_by",
    "age_days",
    "created",
    "seen_since",
    "expires",
    "next",
    "next_at",
    "skipped",
    "may",
    "privileged",
    "delivered_to",
    "not_delivered_to",
    "deliver_to",
    "fingerprint",
    "entry",
    "note",
];

pub(in crate::report) fn csv(report: &KeysReport) -> String {
    let mut text = row(COLUMNS.map(ToOwned::to_owned));
    for organization in &report.organizations {
        for key in &organization.keys {
            text.push_str(&row(cells(organization, key)));
        }
        for found in &organization.unreadable {
            text.push_str(&row(unreadable_cells(organization, found)));
        }
    }
    text
}

/// Returns the cells of a key that can't be read. It may work all the same.
fn unreadable_cells(organization: &Keys, found: &Unreadable) -> [String; COLUMNS.len()] {
    let known = [
        ("provider", organization.identity.provider.to_string()),
        ("organization", organization.identity.organization.to_string()),
        ("name", found.address.name.to_string()),
        ("id", found.address.id.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("stage", UNREADABLE.to_owned()),
        ("details", format!("{UNREADABLE}: {}", found.why)),
    ];
    COLUMNS.map(|column| {
        let value = known.iter().find(|(name, _)| *name == column);
        value.map(|(_, value)| value.clone()).unwrap_or_default()
    })
}

fn cells(organization: &Keys, key: &KeyStatus) -> [String; COLUMNS.len()] {
    fn optional<T: ToString>(value: Option<T>) -> String {
        value.map(|value| value.to_string()).unwrap_or_default()
    }
    let yes = |is: bool| (if is { "yes" } else { "no" }).to_owned();
    let may: Vec<String> = lines(&key.access.grants).iter().map(|line| line.in_words(usize::MAX)).collect();
    let targets = |arrived: bool| {
        let targets = key.delivered.iter().flat_map(|delivered| &delivered.targets);
        let words = targets.filter(|target| target.arrived == arrived).map(|target| match target.now {
            Some(TargetState::Unchanged) => format!("{} (unchanged)", target.name),
            Some(TargetState::Changed) => format!("{} (changed)", target.name),
            Some(TargetState::Missing) => format!("{} (missing)", target.name),
            Some(TargetState::Unreadable) => {
                format!("{} ({UNREADABLE}: {})", target.name, target.why.as_deref().unwrap_or_default())
            }
            None => target.name.clone(),
        });
        words.collect::<Vec<_>>().join("; ")
    };
    let next = key.next.as_ref().map(|next| match next.is {
        StepKind::Create => "create",
        StepKind::CreateSuccessor => "create successor",
        StepKind::Retire => "retire",
        StepKind::Replace => "retire, and create another",
        StepKind::ReplaceLater => "create another, and then retire",
        StepKind::Enable => "enable",
        StepKind::Swap => "sign in with another key",
        StepKind::Unblock => "resolve what blocks it",
        StepKind::CleanUp => "disable, or list as absent",
        StepKind::Expire => "expire",
    });
    let skipped: Vec<&str> = key.skipped.iter().map(|skipped| skipped.why.as_str()).collect();
    [
        organization.identity.provider.to_string(),
        organization.identity.organization.to_string(),
        key.name.to_string(),
        optional(key.id.as_ref()),
        key.stage.as_str().to_owned(),
        stage(key),
        yes(key.expiring),
        maker(key),
        optional(key.age_seconds.map(|seconds| seconds / (24 * 60 * 60))),
        optional(key.created),
        optional(key.seen_since),
        optional(key.access.expires),
        optional(next),
        optional(key.next.as_ref().and_then(|next| next.at)),
        skipped.join("; "),
        may.join("; "),
        yes(key.access.privileged),
        targets(true),
        targets(false),
        key.deliver_to.join("; "),
        optional(key.delivered.as_ref().and_then(|delivered| delivered.fingerprint.as_ref())),
        optional(key.access.entry.as_ref().map(|entry| &entry.place)),
        optional(key.access.note.as_ref()),
    ]
}
