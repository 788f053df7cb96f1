//! Writes who has what as comma-separated values (RFC 4180): one row for each grant.

use super::{AccessReport, Extent, Since, through};
use crate::report::csv::row;
use rolecall_model::RoleName;
use rolecall_plan::access::{Access, Grant, Holder, Unreadable};

const COLUMNS: &[&str] = &[
    "person",
    "name",
    "provider",
    "organization",
    "address",
    "status",
    "privileged",
    "role",
    "team",
    "on",
    "permissions",
    "through",
    "stated_by",
    "entry",
    "acknowledged",
    "since",
    "run",
    "expires",
    "until",
    "tolerated",
    "note",
];

/// Writes the whole report. A holder without a grant has one row, too.
pub(in crate::report) fn csv(report: &AccessReport) -> String {
    let mut text = row(COLUMNS.iter().map(|column| (*column).to_owned()));
    for (access, holder) in report.holders() {
        let grants = holder.grants.iter().map(Some);
        let no_grant = holder.grants.is_empty().then_some(None);
        for grant in grants.chain(no_grant) {
            text.push_str(&row(cells(access, holder, grant)));
        }
    }
    for access in &report.organizations {
        for found in &access.unreadable {
            text.push_str(&row(unreadable_cells(access, found)));
        }
    }
    text
}

/// Returns the cells of a row that can't be read. Whoever it is has access all the same.
fn unreadable_cells(access: &Access, found: &Unreadable) -> [String; COLUMNS.len()] {
    let mut cells = [const { String::new() }; COLUMNS.len()];
    let roles: Vec<&str> = found.roles.iter().map(RoleName::as_str).collect();
    let known = [
        ("provider", access.identity.provider.to_string()),
        ("organization", access.identity.organization.to_string()),
        ("address", found.address.to_string()),
        ("status", format!("can't be read: {}", found.why)),
        ("privileged", (if found.privileged { "yes" } else { "no" }).to_owned()),
        ("role", roles.join("; ")),
    ];
    for (cell, column) in cells.iter_mut().zip(COLUMNS) {
        if let Some((_, value)) = known.iter().find(|(name, _)| name == column) {
            cell.clone_from(value);
        }
    }
    cells
}

fn cells(access: &Access, holder: &Holder, grant: Option<&Grant>) -> [String; COLUMNS.len()] {
    fn optional<T: ToString>(value: Option<T>) -> String {
        value.map(|value| value.to_string()).unwrap_or_default()
    }
    let run = match &holder.since {
        Some(Since::Changed { run, .. }) => run.clone(),
        Some(Since::Invited { .. } | Since::Seen { .. }) | None => String::new(),
    };
    let permissions = grant.and_then(|grant| grant.permissions.as_ref());
    let permissions = permissions.map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    let on = grant.map(|grant| match &grant.on {
        Extent::Whole => String::new(),
        parts @ (Extent::Resources(_) | Extent::Unreadable) => {
            parts.paths().into_iter().collect::<Vec<_>>().join("; ")
        }
    });
    let privileged = grant.map_or(holder.privileged, |grant| grant.privileged);
    [
        optional(holder.person().map(|email| email.key().to_owned())),
        optional(holder.name.as_ref()),
        access.identity.provider.to_string(),
        access.identity.organization.to_string(),
        holder.address.to_string(),
        holder.status.as_str().to_owned(),
        (if privileged { "yes" } else { "no" }).to_owned(),
        optional(grant.and_then(|grant| grant.role.as_ref())),
        optional(grant.and_then(|grant| grant.team.as_ref())),
        optional(on),
        optional(permissions),
        optional(grant.map(through)),
        optional(grant.and_then(|grant| grant.place.as_ref())),
        optional(holder.entry.as_ref().map(|entry| &entry.place)),
        optional(holder.acknowledged.as_ref()),
        optional(holder.since.as_ref().map(Since::at)),
        run,
        optional(holder.expires),
        optional(holder.endings.iter().map(|ending| ending.until).min()),
        optional(holder.tolerated.as_ref()),
        optional(holder.note.as_ref()),
    ]
}
