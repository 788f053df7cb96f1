//! Writes who has what as Markdown: a table of people, and tables of keys and teams.

use std::fmt::Write as _;

use super::{AccessReport, InOrganization, LISTED, is_unmanaged, lines, organization, remarks, since, stated};
use crate::report::markdown::{code, prose};
use rolecall_model::{Email, Kind, Unread};
use rolecall_plan::access::Holder;

/// Writes the whole report.
pub(in crate::report) fn markdown(report: &AccessReport) -> String {
    let mut text = format!("## Who has what\n\n**{}**\n\n", prose(report.verdict()));
    if report.partial {
        text.push_str("> [!WARNING]\n> This report is partial: somebody may have access who isn't listed.\n\n");
    }
    for Unread { provider, organization, why } in &report.unread {
        let name = code(format!("{provider} {organization}"));
        let _ = writeln!(text, "> [!CAUTION]\n> {name} was not read: {}\n", prose(why));
    }
    for access in &report.organizations {
        for (list, why) in access.incomplete() {
            let _ = writeln!(
                text,
                "> [!WARNING]\n> {} of {} incomplete: {}\n",
                list,
                code(organization(access)),
                prose(why)
            );
        }
    }
    let people: Vec<InOrganization<'_>> = report.people().into_values().flatten().collect();
    for (heading, held) in
        [("person", people), ("key", report.of_kind(Kind::Key)), ("team", report.of_kind(Kind::Team))]
    {
        push_table(&mut text, heading, &held);
    }
    let unreadable: Vec<_> = report
        .organizations
        .iter()
        .flat_map(|access| access.unreadable.iter().map(move |row| (access, row)))
        .collect();
    if !unreadable.is_empty() {
        text.push_str("Rows that can't be read:\n\n");
        for (access, row) in unreadable {
            let _ = writeln!(text, "- {} {}: {}", code(organization(access)), code(&row.address), prose(&row.why));
        }
        text.push('\n');
    }
    text
}

fn push_table(text: &mut String, heading: &str, held: &[InOrganization<'_>]) {
    if held.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "| {heading} | organisation | status | access | stated by | since |\n|---|---|---|---|---|---|"
    );
    for (access, holder) in held {
        let subject = holder.person().map_or(holder.address.name.as_str(), Email::key);
        let status = if holder.privileged {
            format!("{}, **privileged**", holder.status.as_str())
        } else {
            holder.status.as_str().to_owned()
        };
        let status: Vec<String> = std::iter::once(status).chain(remarks(holder).iter().map(prose)).collect();
        let status = status.join("; ");
        let since = holder.since.as_ref().map(since).map(prose).unwrap_or_default();
        let head = format!("| {} | {} | {status} |", code(subject), code(organization(access)));
        let lines = lines(&holder.grants);
        for line in &lines {
            let place = place(holder, &stated(holder, line.grant.place.as_ref()));
            let _ = writeln!(text, "{head} {} | {place} | {since} |", prose(line.in_words(LISTED)));
        }
        if lines.is_empty() {
            let place = holder.entry.as_ref().map(|entry| code(&entry.place)).unwrap_or_default();
            let what = match holder.address.kind {
                Kind::Team => crate::report::plural(holder.members.len(), "member"),
                _ => "none".to_owned(),
            };
            let _ = writeln!(text, "{head} {what} | {place} | {since} |");
        }
    }
    text.push('\n');
}

fn place(holder: &Holder, place: &str) -> String {
    if is_unmanaged(holder) && place.starts_with("not ") { format!("**{}**", prose(place)) } else { prose(place) }
}
