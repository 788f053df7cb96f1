//! Writes the message that reports how drift has changed: what moved, for whom, and since when.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clap::ValueEnum;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::activity::{activity, alarm};
use super::fields::{FieldChange, own_fields};
use super::outline::{Verdict, cause, drift_verdict, name, reason};
use super::style::{clean, first, minute, plural};
use rolecall_model::{Action, Address, Change, Hold, HoldClass, LastInSync, Plan, ProviderName, RemoteId};
use rolecall_plan::{DriftDelta, Sighting};

/// The form of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NoticeFormat {
    /// JSON for programs; see `rolecall schema notice`
    Json,
    /// A body for an incoming webhook of Slack, or of a service that understands the same
    Slack,
}

/// A message: how drift has changed since the previous message.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Notice<'a> {
    pub format_version: &'a str,
    /// The program that wrote it.
    pub generator: &'a str,
    /// The whole message in words.
    pub text: String,
    /// The page of the run that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<&'a str>,
    /// The organisations whose drift has changed.
    pub organizations: Vec<Noticed<'a>>,
}

/// The drift of one organisation.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Noticed<'a> {
    pub provider: ProviderName,
    pub organization: &'a RemoteId,
    /// Every address that an apply would change, without what an earlier apply has left to do.
    pub differences: Vec<&'a Address>,
    /// Every address that needs attention.
    pub blocked: BTreeSet<&'a Address>,
    /// Addresses of either list that are new since the previous message, or differ in another way.
    pub new: &'a BTreeSet<Address>,
    /// Addresses of either list in the previous message that no longer differ.
    pub gone: &'a BTreeSet<Address>,
    /// Every difference, and everything that needs attention: the privileged ones first.
    pub changes: Vec<Moved<'a>>,
    /// When rolecall last did its work, if a job is silent for too long or its credential ends soon, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity: Option<String>,
}

/// One difference: how live moved away from the file.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Moved<'a> {
    pub address: &'a Address,
    /// The value that the file asks for, in words. Absent if it asks for none, or if no change is planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The live value, in words. Absent if there is none, or if no change is planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The difference in one line, or the reason why it needs attention.
    pub why: String,
    pub privileged: bool,
    /// True if it is new since the previous message, or differs in another way.
    pub new: bool,
    /// The last time that it was as the file says: as the ledger shows, or as an earlier run with the same `--previous` saw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The first run with the same `--previous` that saw it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Timestamp>,
    /// The last time that the ledger saw it as the file says, and by which run. rolecall hasn't moved it since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_in_sync: Option<&'a LastInSync>,
}

/// The number of addresses of each list that `text` names.
const LISTED: usize = 20;

/// Writes the body of a message. `link`: the page of the run.
pub fn notice(plan: &Plan, drift_delta: &[DriftDelta<'_>], link: Option<&str>, format: NoticeFormat) -> String {
    let noticed: Vec<Noticed<'_>> = drift_delta.iter().map(noticed).collect();
    let described: Vec<Described<'_>> =
        drift_delta.iter().zip(&noticed).map(|(delta, noticed)| describe(delta, noticed)).collect();
    let text = text(&described, link);
    let body = match format {
        NoticeFormat::Json => {
            let (format_version, generator) = (&*plan.format_version, &*plan.generator);
            serde_json::to_string(&Notice { format_version, generator, text, link, organizations: noticed })
        }
        NoticeFormat::Slack => serde_json::to_string(&slack(&described, &text, link, &plan.generator)),
    };
    body.unwrap_or_default()
}

fn noticed<'a>(drift_delta: &'a DriftDelta<'a>) -> Noticed<'a> {
    let DriftDelta { plan, appeared, disappeared, .. } = drift_delta;
    let blocked = || plan.sealed.holds.iter().filter(|hold| hold.class == HoldClass::Blocked);
    let changes = plan.differences().map(|change| of_change(change, drift_delta));
    let mut changes: Vec<Moved<'_>> = changes.chain(blocked().map(|hold| of_hold(hold, drift_delta))).collect();
    changes.sort_by_key(|moved| (!moved.privileged, moved.address));
    Noticed {
        provider: plan.sealed.identity.provider,
        organization: &plan.sealed.identity.organization,
        differences: plan.differences().map(|change| &change.address).collect(),
        blocked: blocked().map(|hold| &hold.address).collect(),
        new: appeared,
        gone: disappeared,
        changes,
        activity: alarm(&plan.activity, activity),
    }
}

/// Returns a difference. A plan says how live becomes as the file is, and a message says how live moved away from it.
fn of_change<'a>(change: &'a Change, drift_delta: &'a DriftDelta<'a>) -> Moved<'a> {
    let fields = own_fields(change);
    let all = |value: fn(&FieldChange) -> Option<String>| {
        let values: Vec<String> = fields.iter().filter_map(value).collect();
        if values.is_empty() { "there".to_owned() } else { values.join("; ") }
    };
    let is_absent = change.after.is_none() || change.action == Action::RemoveAccess;
    let from = (!is_absent).then(|| all(FieldChange::file_in_words));
    let to = change.before.is_some().then(|| all(FieldChange::live_in_words));
    let why = match (&from, &to) {
        (Some(_), Some(_)) if fields.is_empty() => cause(change, drift_delta.plan).unwrap_or_default(),
        (Some(_), Some(_)) => {
            let moved: Vec<String> = fields.iter().map(FieldChange::moved_in_words).collect();
            moved.join("; ")
        }
        (from, to) => {
            format!("{} → {}", from.as_deref().unwrap_or("nothing"), to.as_deref().unwrap_or("gone"))
        }
    };
    let privileged = drift_delta.plan.privileged.contains_key(&change.address);
    Moved { from, to, ..moved(&change.address, why, privileged, drift_delta) }
}

fn of_hold<'a>(hold: &'a Hold, drift_delta: &'a DriftDelta<'a>) -> Moved<'a> {
    moved(&hold.address, reason(hold), hold.reason.is_privileged(), drift_delta)
}

fn moved<'a>(address: &'a Address, why: String, privileged: bool, drift_delta: &'a DriftDelta<'a>) -> Moved<'a> {
    let sighting = drift_delta.sightings.get(address);
    let last_in_sync = drift_delta.plan.last_in_sync.get(address);
    let without = sighting.and_then(|Sighting { without, .. }| *without);
    Moved {
        address,
        from: None,
        to: None,
        why,
        privileged,
        new: drift_delta.appeared.contains(address),
        since: last_in_sync.map(|last| last.at).max(without),
        first_seen: sighting.map(|sighting| sighting.first),
        last_in_sync,
    }
}

/// The parts of a message about one organisation, in words.
struct Described<'a> {
    /// The organisation and its drift.
    headline: String,
    /// The new differences, the privileged ones first.
    new: Vec<String>,
    gone: &'a BTreeSet<Address>,
    /// The silence of jobs and the end of the credential, if that is new.
    activity: Option<String>,
    noticed: &'a Noticed<'a>,
}

fn describe<'a>(delta: &DriftDelta<'_>, noticed: &'a Noticed<'a>) -> Described<'a> {
    let plan = delta.plan;
    let Verdict { headline, rest } = drift_verdict(plan);
    let over = || "No job is silent any more, and the credential doesn't end soon.".to_owned();
    Described {
        activity: delta.activity_changed.then(|| noticed.activity.clone().unwrap_or_else(over)),
        headline: format!("{}: {headline}{rest}", name(plan)),
        new: noticed.changes.iter().filter(|moved| moved.new).map(in_words).collect(),
        gone: noticed.gone,
        noticed,
    }
}

/// Returns a difference in one line: what moved, that it wasn't by rolecall, and since when.
fn in_words(moved: &Moved<'_>) -> String {
    // A hold has sentences instead of two values.
    let is_change = moved.from.is_some() || moved.to.is_some();
    // The report has the rest of what is long.
    let why = if is_change {
        shortened(&moved.why)
    } else {
        let first = moved.why.split_inclusive(". ").next().unwrap_or_default();
        first.trim_end_matches(['.', ' ']).to_owned()
    };
    let mut text = format!("{}: {why}", clean(moved.address));
    if moved.privileged && is_change {
        text.push_str(" (privileged)");
    }
    let not_by_rolecall = moved.last_in_sync.map(|_| "not by rolecall".to_owned());
    let since = moved.since.map(|since| format!("since the run of {}", minute(since)));
    let known: Vec<String> = not_by_rolecall.into_iter().chain(since).collect();
    if !known.is_empty() {
        let _ = write!(text, "{} {}", if is_change { "," } else { ";" }, known.join(", "));
    }
    text
}

/// Shortens a difference. Each of its values is cut in its middle, so it still says what became of which.
fn shortened(why: &str) -> String {
    const ARROW: &str = " → ";
    let values: Vec<&str> = why.split(ARROW).collect();
    let half = LINE / 4 / values.len();
    let short = |value: &&str| {
        let all: Vec<char> = value.chars().collect();
        if all.len() <= 2 * half + 1 {
            return (*value).to_owned();
        }
        let (first, last) = (&all[..half], &all[all.len() - half..]);
        format!("{}…{}", first.iter().collect::<String>(), last.iter().collect::<String>())
    };
    values.iter().map(short).collect::<Vec<_>>().join(ARROW)
}

fn text(described: &[Described<'_>], link: Option<&str>) -> String {
    let mut text = String::new();
    for Described { headline, new, gone, activity, .. } in described {
        let _ = writeln!(text, "{headline}");
        if let Some(line) = activity {
            let _ = writeln!(text, "  {line}");
        }
        for line in new.iter().take(LISTED) {
            let _ = writeln!(text, "  new: {line}");
        }
        if new.len() > LISTED {
            let _ = writeln!(text, "  new: {} more", new.len() - LISTED);
        }
        if !gone.is_empty() {
            let _ = writeln!(text, "  gone: {}", first(gone.iter(), LISTED, clean));
        }
    }
    if let Some(link) = link {
        let _ = writeln!(text, "See {link}");
    }
    text
}

/// The blocks of a message, and the characters of a header and of a section
/// (<https://docs.slack.dev/reference/block-kit/blocks>). Escaped characters may count more than once.
const BLOCKS: usize = 50;
const HEADER: usize = 150;
const SECTION: usize = 3000;

/// The characters of one line of a section.
const LINE: usize = 400;

/// Writes the body for a webhook of Slack. Text from files and platforms is only in objects of the type `plain_text`, where
/// nothing is markup, a mention or a link.
fn slack(described: &[Described<'_>], text: &str, link: Option<&str>, generator: &str) -> Value {
    let new: usize = described.iter().map(|one| one.new.len()).sum();
    let gone: usize = described.iter().map(|one| one.gone.len()).sum();
    let header = format!("Drift in {}: {new} new, {gone} gone", plural(described.len(), "organisation"));
    let mut blocks = vec![json!({ "type": "header", "text": plain(&cut(&header, HEADER)) })];
    // The header, the line that counts the others, and the context.
    let room = BLOCKS - 3;
    blocks.extend(described.iter().take(room).map(section));
    let more = described.len().saturating_sub(room);
    if more > 0 {
        let others = format!("{} more with drift that has changed", plural(more, "organisation"));
        blocks.push(json!({ "type": "section", "text": plain(&others) }));
    }
    let link = link.map(|link| {
        // A bar would end the address.
        let address = escaped(&link.replace('|', "%7C"));
        json!({ "type": "mrkdwn", "verbatim": true, "text": format!("<{address}|Open the run>") })
    });
    let elements: Vec<Value> = link.into_iter().chain([plain(&escaped(generator))]).collect();
    blocks.push(json!({ "type": "context", "elements": elements }));
    json!({
        "text": escaped(text),
        "blocks": blocks,
        "mrkdwn": false,
        "parse": "none",
        "link_names": false,
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

/// Writes one organisation: its new differences, as many as fit, and its counts.
fn section(Described { headline, new, gone, activity, noticed }: &Described<'_>) -> Value {
    let mut text = cut(&escaped(headline), LINE * 2);
    let mut lines = activity.iter().chain(new).map(|line| format!("\n• {}", cut(&escaped(line), LINE)));
    let mut length = width(&text);
    let mut shown = 0;
    for line in lines.by_ref().take(LISTED) {
        // Room is kept for the line that counts the others.
        if length + width(&line) > SECTION - LINE {
            break;
        }
        length += width(&line);
        text.push_str(&line);
        shown += 1;
    }
    if new.len() > shown {
        let _ = write!(text, "\n• and {} more that are new", new.len() - shown);
    }
    let counts = [
        ("New", new.len()),
        ("Gone", gone.len()),
        ("Differences", noticed.differences.len()),
        ("Need attention", noticed.blocked.len()),
    ];
    let fields: Vec<Value> = counts.iter().map(|(what, count)| plain(&format!("{what}: {count}"))).collect();
    json!({ "type": "section", "text": plain(&text), "fields": fields })
}

fn plain(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text, "emoji": false })
}

/// Escapes the three characters that can be markup to Slack
/// (<https://docs.slack.dev/messaging/formatting-message-text>).
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Returns the length of a text as programs in JavaScript count it, which is never less than its characters.
fn width(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Cuts an escaped text to this width. No escape is cut in two.
fn cut(text: &str, longest: usize) -> String {
    if width(text) <= longest {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut length = 1;
    for c in text.chars() {
        length += c.len_utf16();
        if length > longest {
            break;
        }
        kept.push(c);
    }
    if let Some(start) = kept.rfind('&').filter(|start| !kept[*start..].contains(';')) {
        kept.truncate(start);
    }
    kept.push('…');
    kept
}
