//! Writes the keys of organisations: their stages, ages, secrets and next steps.

mod csv;
mod text;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

pub(super) use csv::csv;
pub(super) use text::text;

use super::style::{minute, plural};
use rolecall_model::{Shard, Unread};
use rolecall_plan::access::Entry;
use rolecall_plan::keys::{KeyStage, KeyStatus, Keys, MadeBy, Retirement, Step, StepKind, Target, TargetState};

/// The version of the document. A minor version only adds fields.
pub const KEYS_VERSION: &str = "1.0";

/// The keys of one or more organisations.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct KeysReport {
    pub format_version: String,
    /// The program that wrote it.
    pub generator: String,
    /// The time for which the stages hold.
    pub at: Timestamp,
    /// The shard whose organisations these are. Absent if the run had all organisations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// True if a list is incomplete or an organisation was not read. Then there may be keys that aren't listed.
    pub partial: bool,
    /// The time of `--expiring-within`, as it was typed. The keys that it asks for are `expiring`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiring_within: Option<String>,
    pub organizations: Vec<Keys>,
    /// The organisations whose API has no operations for keys. They were not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_keys: Vec<Unread>,
    /// The organisations that could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
}

/// The stages in the order in which the last line counts them, by their names.
const STAGES: [&str; 14] = [
    "active",
    "foreign",
    "unmanaged",
    "missing",
    "blocked",
    "due for rotation",
    "to be replaced",
    "overlap",
    "retiring",
    "undelivered",
    "orphaned",
    "doubtful",
    "expired",
    "disabled",
];

/// The words for a key that the platform lists in a form that can't be read.
const UNREADABLE: &str = "can't be read";

impl KeysReport {
    fn keys(&self) -> impl Iterator<Item = &KeyStatus> {
        self.organizations.iter().flat_map(|organization| &organization.keys)
    }

    /// Returns the line that sums up the report.
    fn verdict(&self) -> String {
        let count = |stage: &str| self.keys().filter(|key| key.stage.as_str() == stage).count();
        let counted = STAGES.map(|stage| (count(stage), stage)).into_iter().filter(|(count, _)| *count > 0);
        let unreadable: usize = self.organizations.iter().map(|organization| organization.unreadable.len()).sum();
        let counted = counted.chain((unreadable > 0).then_some((unreadable, UNREADABLE)));
        let counted: Vec<String> = counted.map(|(count, stage)| format!("{count} {stage}")).collect();
        let counted = if counted.is_empty() { String::new() } else { format!(": {}", counted.join(", ")) };
        let within = self.expiring_within.as_ref().map(|within| {
            let expiring = self.keys().filter(|key| key.expiring).count();
            format!(" {expiring} due or expiring within {within}.")
        });
        format!("{}{counted}.{}", plural(self.keys().count() + unreadable, "key"), within.unwrap_or_default())
    }
}

/// Returns the stage of a key, with what belongs to it.
fn stage(key: &KeyStatus) -> String {
    let word = key.stage.as_str();
    match &key.stage {
        KeyStage::Overlap { until, successor } => {
            let until = until.map_or_else(String::new, |until| format!(" until {until}"));
            format!("{word} with its successor {successor}{until}")
        }
        KeyStage::Retiring { why } => match why {
            Retirement::Superseded { by, not_to } => {
                let but = (!not_to.is_empty()).then(|| format!(", but not to {}", not_to.join(" and ")));
                format!("{word}: its successor {by} is delivered{}", but.unwrap_or_default())
            }
            Retirement::DeclaredAbsent => format!("{word}: the file says `absent: true`"),
            Retirement::NotListed => format!("{word}: it isn't in the file, and `manage` says all"),
        },
        KeyStage::Blocked { why } => format!("{word}: {why}"),
        KeyStage::Orphaned => format!("{word}: its secret was never delivered"),
        KeyStage::Doubtful => {
            format!("{word}: a run died while it delivered its secret, so a program may use it")
        }
        KeyStage::Undelivered => format!("{word}: its secret isn't delivered, and an apply is running"),
        _ => word.to_owned(),
    }
}

/// Returns who made a key, in words.
fn maker(key: &KeyStatus) -> String {
    let maker = match key.made_by {
        MadeBy::Nobody => "nobody, it doesn't exist",
        MadeBy::Rolecall => "rolecall",
        MadeBy::SomebodyElse => "somebody else, not rolecall",
        MadeBy::NotInLedger => "not by a run in this ledger",
        MadeBy::Unknown => "not known",
    };
    format!("{maker}{}", if key.access.own { "; it is rolecall's own key" } else { "" })
}

/// Returns the age of a key, in words.
fn age(key: &KeyStatus) -> String {
    let days = |since: Timestamp| since.strftime("%Y-%m-%d");
    match (key.age_seconds, key.created, key.seen_since) {
        (Some(age), Some(created), _) => format!("{}, created on {}", length(age), days(created)),
        (Some(age), None, Some(seen)) => {
            format!("seen since {}, {} ago; it may be older", days(seen), length(age))
        }
        (_, _, _) => "not known".to_owned(),
    }
}

/// Returns a length of time in days, or in hours if it is short.
fn length(seconds: i64) -> String {
    match usize::try_from(seconds / 3600).unwrap_or_default() {
        0 => "less than an hour".to_owned(),
        hours @ 1..48 => plural(hours, "hour"),
        hours => plural(hours / 24, "day"),
    }
}

/// Returns how long it is until a time, or since then.
fn distance(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.duration_since(now).as_secs();
    if seconds >= 0 { format!("in {}", length(seconds)) } else { format!("{} ago", length(-seconds)) }
}

/// Returns the next step of a key, in words.
fn next(step: &Step, now: Timestamp) -> String {
    let when = |at: Timestamp| format!("{} ({})", minute(at), distance(at, now));
    let what = match step.is {
        StepKind::Create => "creates it",
        StepKind::CreateSuccessor => "creates its successor",
        StepKind::Retire => "retires it",
        StepKind::Replace => "retires it, and creates another",
        StepKind::ReplaceLater => "creates another and delivers its secret, and then retires this one",
        StepKind::Enable => "enables it",
        StepKind::Swap => {
            let by = step.at.map(|at| format!(" before {}", when(at))).unwrap_or_default();
            return format!("let rolecall sign in with another key{by}");
        }
        StepKind::Unblock => return "resolve what blocks it. Until then, no apply changes it".to_owned(),
        StepKind::CleanUp => {
            return "disable it in the web app, or list it with its `id` and `absent: true`".to_owned();
        }
        StepKind::Expire => {
            let is_past = step.at.is_some_and(|at| at <= now);
            let when = step.at.map(when).unwrap_or_default();
            return format!("it {} on {when}", if is_past { "expired" } else { "expires" });
        }
    };
    let scheduled = if step.scheduled { "; `apply --leftovers` is enough" } else { "" };
    match step.at {
        Some(at) if at > now => format!("an apply {what} on {}{scheduled}", when(at)),
        Some(at) => format!("the next apply {what}, due since {}{scheduled}", when(at)),
        None => format!("the next apply {what}{scheduled}"),
    }
}

/// Returns where the secret of a key went, in words: for each target whether it still has the secret, or will get it.
fn secrets(key: &KeyStatus) -> Vec<String> {
    let Some(delivered) = &key.delivered else {
        return key.deliver_to.iter().map(|target| format!("{target}: gets it when the key is created")).collect();
    };
    let on = delivered.at.strftime("%Y-%m-%d");
    let mut words: Vec<String> = delivered
        .targets
        .iter()
        .map(|target| {
            let Target { name, arrived, now, why } = target;
            let now = match now {
                Some(TargetState::Unchanged) => ", unchanged",
                Some(TargetState::Changed) => ", and has something else now",
                Some(TargetState::Missing) => ", and is missing now",
                Some(TargetState::Unreadable) => ", and can't be read now: ",
                None => "",
            };
            let why = why.as_deref().unwrap_or_default();
            if *arrived {
                format!("{name}: delivered on {on}{now}{why}")
            } else {
                format!("{name}: not delivered on {on}")
            }
        })
        .collect();
    if words.is_empty() {
        words.push(format!("delivered on {on}; the ledger doesn't say where"));
    }
    words.extend(delivered.fingerprint.clone());
    words
}

/// Returns the place of the entry that names a key, in words.
fn place(key: &KeyStatus) -> String {
    match (&key.access.entry, &key.access.acknowledged) {
        (Some(Entry { place, absent: true }), _) => format!("the file says `absent: true`: {place}"),
        (Some(Entry { place, absent: false }), _) => place.to_string(),
        (None, Some(place)) => format!("acknowledged: {place}"),
        (None, None) => "not in any file".to_owned(),
    }
}
