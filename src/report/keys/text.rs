//! Writes keys as text for people.

use std::fmt::Write as _;

use super::{KeysReport, UNREADABLE, age, distance, maker, next, place, secrets, stage};
use crate::report::access::{LISTED, lines};
use crate::report::layout::{Layout, pad};
use crate::report::style::{BOLD, DIM, REMOVE, WARN, called, clean, paint, plural};
use rolecall_model::Unread;
use rolecall_plan::access::broken;
use rolecall_plan::keys::{KeyStage, KeyStatus, Keys, StepKind};

/// The width of the column of labels.
const LABELS: usize = 8;

/// Writes the whole report. Of disabled keys, only the number is shown, unless the layout is a full one.
pub(in crate::report) fn text(report: &KeysReport, layout: Layout) -> String {
    let mut text = String::new();
    for organization in &report.organizations {
        push_organization(&mut text, report, organization, layout);
    }
    let others = report
        .without_keys
        .iter()
        .map(|it| (it, paint(DIM, "no keys")))
        .chain(report.unread.iter().map(|it| (it, paint(REMOVE, "not read"))));
    for (Unread { provider, organization, why }, what) in others {
        let head = format!("{}   {what}: ", paint(BOLD, called(*provider, organization)));
        layout.push(&mut text, &head, &clean(why));
    }
    if !report.without_keys.is_empty() || !report.unread.is_empty() {
        text.push('\n');
    }
    let partial = if report.partial { " This report is partial: there may be more." } else { "" };
    layout.push(&mut text, "", &format!("{}{}", paint(BOLD, clean(report.verdict())), paint(REMOVE, partial)));
    text
}

fn push_organization(text: &mut String, report: &KeysReport, organization: &Keys, layout: Layout) {
    let Keys { identity, keys, unreadable, completeness, ledger_found, apply_running, requests: _ } = organization;
    let name = called(identity.provider, &identity.organization);
    let _ = writeln!(text, "{} on {}", paint(BOLD, name), clean(&identity.site));
    let (shown, hidden): (Vec<&KeyStatus>, Vec<&KeyStatus>) =
        keys.iter().partition(|key| layout.full || key.stage != KeyStage::Disabled);
    for key in shown {
        push_key(text, report, key, layout);
    }
    let mut limits = Vec::new();
    if !hidden.is_empty() {
        limits.push(format!("{} (`--full` lists them)", plural(hidden.len(), "disabled key")));
    }
    for (list, why) in broken(completeness) {
        limits.push(format!("{}: {}", paint(REMOVE, format!("incomplete {list}")), clean(why)));
    }
    for row in unreadable {
        limits.push(format!("{} {}: {}", clean(&row.address), paint(REMOVE, UNREADABLE), clean(&row.why)));
    }
    if !ledger_found {
        limits.push(
            "No apply has written to a ledger, so nobody knows who made a key, and where its secret is."
                .to_owned(),
        );
    }
    if *apply_running {
        limits.push("An apply is running, or has just ended. Look again when it has ended.".to_owned());
    }
    if keys.is_empty() && unreadable.is_empty() {
        limits.push("no keys".to_owned());
    }
    for limit in limits {
        layout.push(text, "  ", &limit);
    }
    text.push('\n');
}

fn push_key(text: &mut String, report: &KeysReport, key: &KeyStatus, layout: Layout) {
    let access = &key.access;
    let style = match key.stage {
        KeyStage::Active | KeyStage::Foreign | KeyStage::Disabled => DIM,
        KeyStage::Overlap { .. } | KeyStage::Unmanaged | KeyStage::Undelivered => WARN,
        _ => REMOVE,
    };
    let within = report.expiring_within.as_ref().filter(|_| key.expiring);
    let marked = within.map(|within| paint(REMOVE, format!("; due within {}", clean(within))));
    let head = format!("  {}  ", paint(BOLD, clean(&key.name)));
    layout.push(text, &head, &format!("{}{}", paint(style, clean(stage(key))), marked.unwrap_or_default()));
    let mut push = |label: &str, body: &str| {
        layout.push(text, &format!("    {}  ", paint(DIM, pad(label, LABELS))), body);
    };
    if let Some(id) = &key.id {
        push("id", &clean(id));
    }
    let listed = if layout.full { usize::MAX } else { LISTED };
    let grants: Vec<String> = lines(&access.grants).iter().map(|line| clean(line.in_words(listed))).collect();
    let privileged = access.privileged.then(|| paint(WARN, "privileged"));
    let is_known = key.id.is_some() || !grants.is_empty();
    let grants = if grants.is_empty() { vec!["nothing".to_owned()] } else { grants };
    if is_known {
        push("may", &grants.into_iter().chain(privileged).collect::<Vec<_>>().join("; "));
    }
    if key.id.is_some() {
        push("made by", &maker(key));
        push("age", &age(key));
    }
    // The next step may be the expiry.
    if let Some(expires) =
        access.expires.filter(|_| !key.next.as_ref().is_some_and(|next| next.is == StepKind::Expire))
    {
        let at = jiff::Timestamp::from_second(expires.as_second()).unwrap_or(jiff::Timestamp::MAX);
        push("expires", &format!("{expires} ({})", distance(at, report.at)));
    }
    for (index, words) in secrets(key).iter().enumerate() {
        push(if index == 0 { "secret" } else { "" }, &clean(words));
    }
    push("file", &clean(place(key)));
    if let Some(step) = &key.next {
        push("next", &clean(next(step, report.at)));
    }
    for skipped in &key.skipped {
        push("skipped", &clean(&skipped.why));
    }
    if let Some(note) = &access.note {
        push("note", &clean(note));
    }
}
