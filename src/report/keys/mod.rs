//! Writes the keys of organisations: their stages, ages, secrets and next steps.

mod csv;
mod text;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

pub(super) use csv::csv;
pub(super) use text::text;

use super::access::stated;
use super::style::{minute, plural};
use rolecall_model::{Cause, Unread};
use rolecall_plan::keys::{KeyStage, KeyStatus, Keys, MadeBy, Step, StepKind, Target, TargetState};

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
const STAGES: [&str; 10] = [
    "active",
    "foreign",
    "unmanaged",
    "due for rotation",
    "to be replaced",
    "overlap",
    "retiring",
    "orphaned",
    "expired",
    "disabled",
];

impl KeysReport {
    fn keys(&self) -> impl Iterator<Item = &KeyStatus> {
        self.organizations.iter().flat_map(|organization| &organization.keys)
    }

    /// Returns the line that sums up the report.
    fn verdict(&self) -> String {
        let count = |stage: &str| self.keys().filter(|key| key.stage.as_str() == stage).count();
        let counted = STAGES.map(|stage| (count(stage), stage)).into_iter().filter(|(count, _)| *count > 0);
        let counted: Vec<String> = counted.map(|(count, stage)| format!("{count} {stage}")).collect();
        let counted = if counted.is_empty() { String::new() } else { format!(": {}", counted.join(", ")) };
        let within = self.expiring_within.as_ref().map(|within| {
            let expiring = self.keys().filter(|key| key.expiring).count();
            format!(" {expiring} due or expiring within {within}.")
        });
        format!("{}{counted}.{}", plural(self.keys().count(), "key"), within.unwrap_or_default())
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
            Cause::Superseded { by } => format!("{word}: its successor {by} is delivered"),
            Cause::DeclaredAbsent => format!("{word}: the file says `absent: true`"),
            Cause::NotListed => format!("{word}: it isn't in the file, and `manage` says all"),
            _ => word.to_owned(),
        },
        KeyStage::Orphaned => format!("{word}: its secret was never delivered"),
        _ => word.to_owned(),
    }
}

/// Returns who made a key, in words.
fn maker(key: &KeyStatus) -> &'static str {
    match (key.access.own, key.made_by) {
        (true, MadeBy::Rolecall) => "rolecall, and it is rolecall's own key",
        (true, MadeBy::SomebodyElse) => "somebody else, and it is rolecall's own key",
        (true, MadeBy::Unknown) => "not known, and it is rolecall's own key",
        (false, MadeBy::Rolecall) => "rolecall",
        (false, MadeBy::SomebodyElse) => "somebody else, not rolecall",
        (false, MadeBy::Unknown) => "not known",
    }
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
        StepKind::CreateSuccessor => "creates its successor",
        StepKind::Retire => "retires it",
        StepKind::Enable => "enables it",
        StepKind::Swap => {
            let by = step.at.map(|at| format!(" before {}", when(at))).unwrap_or_default();
            return format!("let rolecall sign in with another key{by}");
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

/// Returns where the secret of a key went, in words: for each target whether it still has the secret.
fn secrets(key: &KeyStatus) -> Vec<String> {
    let Some(delivered) = &key.delivered else { return Vec::new() };
    let on = delivered.at.strftime("%Y-%m-%d");
    let mut words: Vec<String> = delivered
        .targets
        .iter()
        .map(|target| {
            let Target { name, arrived, now } = target;
            let now = match now {
                Some(TargetState::Unchanged) => ", unchanged",
                Some(TargetState::Changed) => ", and has something else now",
                Some(TargetState::Missing) => ", and is missing now",
                None => "",
            };
            if *arrived {
                format!("{name}: delivered on {on}{now}")
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
    let entry = key.access.entry.as_ref().filter(|entry| !entry.absent);
    stated(&key.access, entry.map(|entry| &entry.place))
}
