//! Writes who has what as text for people.

use std::fmt::Write as _;

use super::{
    AccessReport, InOrganization, LISTED, is_unmanaged, lines, name, on, organization, remarks, since, stated,
    through,
};
use crate::report::layout::{Layout, pad};
use crate::report::style::{BOLD, DIM, REMOVE, WARN, called, clean, first, paint};
use rolecall_model::{Kind, Unread};
use rolecall_plan::access::{Access, Grant, Holder, Status};

/// Writes the whole report. `why`: say of each grant why it is there and what it allows.
pub(in crate::report) fn text(report: &AccessReport, why: bool, layout: Layout) -> String {
    let mut text = String::new();
    let names: Vec<String> = report.organizations.iter().map(organization).collect();
    let column = layout.column(names.iter().map(String::as_str));
    let writer = Writer { layout, column, why };
    for (email, held) in report.people() {
        let name = name(&held).map(|name| format!("   {}", clean(name))).unwrap_or_default();
        let _ = writeln!(text, "{}{name}", paint(BOLD, clean(email)));
        for held in held {
            writer.push(&mut text, held);
        }
    }
    for (heading, kind) in [("keys", Kind::Key), ("teams", Kind::Team)] {
        let held = report.of_kind(kind);
        if held.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{}", paint(BOLD, heading));
        for held in held {
            writer.push(&mut text, held);
        }
    }
    for access in &report.organizations {
        writer.push_limits(&mut text, access);
    }
    for Unread { provider, organization, why } in &report.unread {
        let head = format!("{}   {}: ", paint(BOLD, called(*provider, organization)), paint(REMOVE, "not read"));
        layout.push(&mut text, &head, &clean(why));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let partial = if report.partial { " This report is partial: there may be more." } else { "" };
    layout.push(&mut text, "", &format!("{}{}", paint(BOLD, report.verdict()), paint(REMOVE, partial)));
    text
}

struct Writer {
    layout: Layout,
    /// The width of the column of organisations.
    column: usize,
    why: bool,
}

impl Writer {
    fn push(&self, text: &mut String, (access, holder): InOrganization<'_>) {
        let organization = organization(access);
        let subject = match holder.address.kind {
            Kind::Key | Kind::Team => format!("{}  ", clean(&holder.address)),
            _ => holder.address.id.as_ref().map(|id| format!("#{}  ", clean(id))).unwrap_or_default(),
        };
        let head = |shown: &str| format!("  {}  ", pad(shown, self.column));
        let notes = notes(holder);
        let lines = lines(&holder.grants);
        if lines.is_empty() {
            let what = match holder.address.kind {
                Kind::Team => members(holder, self.layout),
                _ => "no access".to_owned(),
            };
            let mut body = vec![format!("{subject}{what}")];
            body.extend(notes.iter().cloned());
            body.extend(stated_by_entry(holder));
            self.layout.push(text, &head(&organization), &body.join("; "));
        }
        for (index, line) in lines.iter().enumerate() {
            let mut body = Vec::new();
            if index == 0 {
                body.push(format!("{subject}{}", clean(line.in_words(LISTED))));
                body.extend(notes.iter().cloned());
            } else {
                body.push(clean(line.in_words(LISTED)));
            }
            body.push(painted_place(holder, line.grant));
            self.layout.push(text, &head(if index == 0 { &organization } else { "" }), &body.join("; "));
            if self.why {
                self.push_reason(text, holder, line.grant);
            }
        }
    }

    /// Writes why a grant is there, and what it allows.
    fn push_reason(&self, text: &mut String, holder: &Holder, grant: &Grant) {
        let mut parts = vec![through(grant).to_owned()];
        let all = on(grant, usize::MAX);
        if !all.is_empty() {
            parts.push(format!("on {}", clean(all)));
        }
        parts.extend(holder.since.as_ref().map(since).map(clean));
        if let Some(permissions) = &grant.permissions {
            let permissions: Vec<String> = permissions.iter().map(clean).collect();
            parts.push(format!("allows {}", permissions.join(", ")));
        }
        self.layout.push(text, &format!("  {}      ", pad("", self.column)), &paint(DIM, parts.join("; ")));
    }

    /// Writes the lists that are incomplete, the rows that can't be read, and what the API doesn't show.
    fn push_limits(&self, text: &mut String, access: &Access) {
        let mut limits: Vec<(String, String)> = Vec::new();
        for (list, why) in access.incomplete() {
            limits.push((paint(REMOVE, format!("incomplete {list}")), clean(why)));
        }
        for row in &access.unreadable {
            let roles: Vec<String> = row.roles.iter().map(clean).collect();
            let roles = if roles.is_empty() { String::new() } else { format!(" (with {})", roles.join(", ")) };
            limits.push((paint(REMOVE, clean(&row.address)), format!("{}{roles}", clean(&row.why))));
        }
        for app in &access.apps {
            let keys = app.keys.as_deref().unwrap_or_default();
            let keys = first(keys.iter(), LISTED, |key| key.name.clone());
            let keys = if keys.is_empty() { "no keys".to_owned() } else { clean(keys) };
            limits.push((clean(format!("app {} of {}", app.name, app.owner)), keys));
        }
        if self.layout.full {
            limits.extend(access.gaps.iter().map(|gap| (clean(&gap.what), clean(&gap.why))));
        } else if let Some(gaps) = Some(&access.gaps).filter(|gaps| !gaps.is_empty()) {
            let gaps = first(gaps.iter(), usize::MAX, |gap| clean(&gap.what));
            limits.push(("the API doesn't show".to_owned(), format!("{gaps} (`--full` explains)")));
        }
        if limits.is_empty() {
            return;
        }
        let _ = writeln!(text, "\n{} on {}", paint(BOLD, organization(access)), clean(&access.identity.site));
        for (what, why) in limits {
            self.layout.push(text, &format!("  {what}: "), &why);
        }
    }
}

/// Returns what is special about a holder.
fn notes(holder: &Holder) -> Vec<String> {
    let status = match holder.status {
        Status::Active | Status::Owner => None,
        Status::Unknown => Some(paint(DIM, "may be disabled")),
        other => Some(paint(WARN, other.as_str())),
    };
    let privileged = holder.privileged.then(|| paint(WARN, "privileged"));
    let own = holder.own.then(|| "rolecall's own".to_owned());
    let expires = holder.expires.map(|expires| format!("expires {expires}"));
    status.into_iter().chain(privileged).chain(own).chain(expires).chain(remarks(holder)).collect()
}

fn members(holder: &Holder, layout: Layout) -> String {
    let listed = if layout.full { usize::MAX } else { LISTED };
    match holder.members.len() {
        0 => "no members".to_owned(),
        _ => format!("members: {}", first(holder.members.iter(), listed, |member| clean(&member.name))),
    }
}

/// Returns the line of a file that states a holder without grants.
fn stated_by_entry(holder: &Holder) -> Option<String> {
    match &holder.entry {
        Some(entry) if !entry.absent => Some(paint(DIM, clean(&entry.place))),
        None if holder.address.kind == Kind::Team => None,
        Some(_) | None => Some(clean(stated(holder, None))),
    }
}

fn painted_place(holder: &Holder, grant: &Grant) -> String {
    let place = clean(stated(holder, grant.place.as_ref()));
    if grant.place.is_none() && is_unmanaged(holder) { paint(REMOVE, place) } else { paint(DIM, place) }
}
