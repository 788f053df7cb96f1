//! Writes who has what as a page for browsers, which an auditor can read, filter and print.

use std::collections::BTreeMap;

use super::{
    AccessReport, InOrganization, LISTED, is_unmanaged, lines, name, organization, remarks, since, stated,
};
use crate::report::html::Html;
use rolecall_model::{Completeness, Kind, Permission, Unread};
use rolecall_plan::access::{Access, Grant, Holder};

/// Writes the whole page.
pub(in crate::report) fn html(report: &AccessReport) -> String {
    let mut page = Html::default();
    page.raw("<header>\n<h1>Who has what</h1>\n").element("<p><strong>", report.verdict(), "</strong></p>\n");
    let at = report.at.strftime("%Y-%m-%d %H:%M UTC");
    page.element("<p class=\"soft\">Read on ", at, "").element(" by ", &report.generator, ".");
    page.raw(if report.filtered { " Only a part of the access was asked for.</p>\n" } else { "</p>\n" });
    if report.partial {
        page.raw("<p class=\"banner\">This report is partial: somebody may have access who isn't listed.</p>\n");
    }
    for Unread { provider, organization, why } in &report.unread {
        page.raw("<p class=\"banner\">")
            .text(format!("{provider} {organization} was not read: {why}"))
            .raw("</p>\n");
    }
    for access in &report.organizations {
        for (list, why) in access.incomplete() {
            let why = format!("The list of {list} of {} is incomplete: {why}", organization(access));
            page.element("<p class=\"banner\">", why, "</p>\n");
        }
    }
    page.raw("</header>\n")
        .filters(&[("privileged", "privileged"), ("unstated", "not in any file")])
        .raw("<main>\n");
    let people = report.people();
    push_table(
        &mut page,
        "<h2>People</h2>\n",
        "Person",
        people.iter().map(|(email, held)| (*email, name(held), held.as_slice())),
    );
    for (heading, column, kind) in
        [("<h2>Keys</h2>\n", "Key", Kind::Key), ("<h2>Teams</h2>\n", "Team", Kind::Team)]
    {
        let held = report.of_kind(kind);
        push_table(
            &mut page,
            heading,
            column,
            held.iter().map(|one| (&*one.1.address.name, None, std::slice::from_ref(one))),
        );
    }
    push_roles(&mut page, report);
    push_limits(&mut page, report);
    page.raw("</main>\n");
    page.page("Who has what")
}

/// Writes a table with a group of rows for each subject: their access on every platform.
fn push_table<'a>(
    page: &mut Html,
    heading: &'static str,
    column: &'static str,
    subjects: impl ExactSizeIterator<Item = (&'a str, Option<&'a str>, &'a [InOrganization<'a>])>,
) {
    if subjects.len() == 0 {
        return;
    }
    page.raw(heading).raw("<div class=\"table\"><table>\n<thead><tr><th>").raw(column);
    page.raw("</th><th>Organisation</th><th>Access</th><th>Stated by</th><th>Since</th></tr></thead>\n");
    for (subject, name, held) in subjects {
        let privileged = held.iter().any(|(_, holder)| holder.privileged);
        let unstated = held.iter().any(|(_, holder)| is_unmanaged(holder));
        page.raw("<tbody data-row=\"");
        page.raw(if privileged { "privileged " } else { "" })
            .raw(if unstated { "unstated" } else { "" })
            .raw("\">\n");
        let rows: usize = held.iter().map(|(_, holder)| lines(&holder.grants).len().max(1)).sum();
        page.element("<tr><th scope=\"rowgroup\" rowspan=\"", rows, "\">").text(subject);
        if let Some(name) = name {
            page.element("<span class=\"soft\">", name, "</span>");
        }
        page.raw("</th>");
        for (index, (access, holder)) in held.iter().enumerate() {
            page.raw(if index == 0 { "" } else { "<tr>" });
            push_holder(page, access, holder);
        }
        page.raw("</tbody>\n");
    }
    page.raw("</table></div>\n");
}

/// Writes the rows of a holder. The first one is open already.
fn push_holder(page: &mut Html, access: &Access, holder: &Holder) {
    let lines = lines(&holder.grants);
    let rows = lines.len().max(1);
    page.element("<td data-label=\"Organisation\" rowspan=\"", rows, "\">").text(organization(access)).raw("<br>");
    page.element("<span class=\"tag soft\">", holder.status.as_str(), "</span>");
    if holder.privileged {
        page.raw(" <span class=\"tag privileged\">privileged</span>");
    }
    if holder.own {
        page.raw(" <span class=\"tag soft\">rolecall's own</span>");
    }
    if let Some(expires) = holder.expires {
        page.element("<br><span class=\"soft\">expires ", expires, "</span>");
    }
    for remark in remarks(holder) {
        page.element("<br><span class=\"soft\">", remark, "</span>");
    }
    page.raw("</td>");
    let since = holder.since.as_ref().map(since).unwrap_or_default();
    for (index, line) in lines.iter().enumerate() {
        page.raw(if index == 0 { "" } else { "<tr>" });
        page.element("<td data-label=\"Access\">", line.in_words(LISTED), "");
        push_permissions(page, line.grant);
        page.raw("</td>");
        push_place(page, holder, Some(line.grant));
        page.element("<td class=\"since\" data-label=\"Since\">", &since, "</td></tr>\n");
    }
    if lines.is_empty() {
        page.raw("<td data-label=\"Access\">");
        if holder.address.kind == Kind::Team {
            let members: Vec<&str> = holder.members.iter().map(|member| &*member.name).collect();
            page.text(if members.is_empty() { "no members".to_owned() } else { members.join(", ") });
        } else {
            page.raw("no access");
        }
        page.raw("</td>");
        push_place(page, holder, None);
        page.element("<td class=\"since\" data-label=\"Since\">", &since, "</td></tr>\n");
    }
}

/// Writes the permissions of a key. Those of roles are listed once, below.
fn push_permissions(page: &mut Html, grant: &Grant) {
    let Some(permissions) = grant.permissions.as_ref().filter(|_| grant.role.is_none()) else { return };
    page.raw("<details><summary>permissions</summary>");
    push_list(page, permissions.iter());
    page.raw("</details>");
}

fn push_list<'a>(page: &mut Html, permissions: impl Iterator<Item = &'a Permission>) {
    for (index, permission) in permissions.enumerate() {
        page.raw(if index == 0 { "" } else { ", " }).element("<code>", permission, "</code>");
    }
}

fn push_place(page: &mut Html, holder: &Holder, grant: Option<&Grant>) {
    page.raw("<td class=\"place\" data-label=\"Stated by\">");
    let place =
        grant.map_or_else(|| holder.entry.as_ref().map(|entry| &entry.place), |grant| grant.place.as_ref());
    if place.is_none() && is_unmanaged(holder) {
        page.element("<span class=\"tag unstated\">", stated(holder, place), "</span>");
    } else if place.is_some() || holder.address.kind != Kind::Team {
        page.text(stated(holder, place));
    }
    page.raw("</td>");
}

/// Writes what each role allows, on platforms that tell.
fn push_roles(page: &mut Html, report: &AccessReport) {
    for access in report.organizations.iter().filter(|access| access.knows_permissions()) {
        let grants = access.holders.iter().flat_map(|holder| &holder.grants);
        let roles: BTreeMap<_, _> = grants.filter_map(|grant| Some((grant.role.as_ref()?, grant))).collect();
        if roles.is_empty() {
            continue;
        }
        page.element("<h2>What the roles of ", organization(access), " allow</h2>\n");
        for (role, grant) in roles {
            page.element("<details><summary>", role, "</summary><p>");
            match &grant.permissions {
                Some(permissions) => push_list(page, permissions.iter()),
                None => {
                    page.raw("The platform doesn't tell what it allows.");
                }
            }
            page.raw("</p></details>\n");
        }
    }
}

/// Writes what can't be read, and what rolecall sees and doesn't manage.
fn push_limits(page: &mut Html, report: &AccessReport) {
    for access in &report.organizations {
        page.element("<h2>What to know about ", organization(access), "</h2>\n<ul>\n");
        page.element("<li>It is on ", &access.identity.site, ".</li>\n");
        for (list, completeness) in &access.completeness {
            match completeness {
                Completeness::Proven => page.element("<li>The list of ", list, " is complete.</li>\n"),
                Completeness::Assumed { why } => {
                    page.element("<li>The list of ", list, " is assumed complete: ").element("", why, ".</li>\n")
                }
                Completeness::Broken { why } => {
                    page.element("<li>The list of ", list, " is incomplete: ").element("", why, ".</li>\n")
                }
            };
        }
        for row in &access.unreadable {
            let roles: Vec<String> = row.roles.iter().map(ToString::to_string).collect();
            page.element("<li>A row can't be read: ", &row.address, "").element(": ", &row.why, "");
            page.element(" <span class=\"soft\">", roles.join(", "), "</span></li>\n");
        }
        for gap in &access.gaps {
            page.element("<li><strong>", &gap.what, "</strong>: ").element("", &gap.why, "</li>\n");
        }
        for app in &access.apps {
            let keys: Vec<&str> = app.keys.iter().flatten().map(|key| &*key.name).collect();
            page.element("<li>The app ", &app.name, " of ").element("", &app.owner, " has the keys: ");
            page.element("", if keys.is_empty() { "none".to_owned() } else { keys.join(", ") }, "</li>\n");
        }
        page.raw("</ul>\n");
    }
}
