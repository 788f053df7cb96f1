//! Explains why an approved plan is out of date: what was approved, and what has changed since.

use std::fmt::Write as _;

use similar::ChangeTag;

use super::fields::in_words;
use super::outline::reason;
use super::style::{ADD, BOLD, REMOVE, clean, paint};
use rolecall_config::compare_lines;
use rolecall_model::{Change, Entity};
use rolecall_plan::Stale;

/// Writes each change that is out of date: as it was approved, and as it would be planned now.
pub fn stale(stale: &[Stale]) -> String {
    let mut text = String::new();
    for Stale { approved, now, held, depends_on } in stale {
        let _ = writeln!(text, "  {}", paint(BOLD, clean(&approved.address)));
        let _ = writeln!(text, "    approved   {}", in_words(approved));
        let Some(now) = now else {
            let why = match held {
                Some(hold) => format!("{}: {}", hold.class.as_str(), reason(hold)),
                None => "live and the file are in sync, or the file no longer asks for it".to_owned(),
            };
            let _ = writeln!(text, "    now        no change: {why}");
            continue;
        };
        let _ = writeln!(text, "    now        {}", in_words(now));
        if let Some(other) = depends_on {
            let _ = writeln!(
                text,
                "    it depends on a change of {}, which differs from the approved one",
                clean(other)
            );
        }
        let (then, today) = (lines(approved), lines(now));
        let split = |text| str::lines(text).map(str::trim_end).collect::<Vec<_>>();
        let (then, today) = (split(&then), split(&today));
        for change in compare_lines(&then, &today).iter().flat_map(|step| step.iter_changes(&*then, &*today)) {
            let line = change.value();
            match change.tag() {
                ChangeTag::Delete => {
                    let _ = writeln!(text, "      {} {line}", paint(REMOVE, "approved"));
                }
                ChangeTag::Insert => {
                    let _ = writeln!(text, "      {}       {line}", paint(ADD, "now"));
                }
                ChangeTag::Equal => {}
            }
        }
    }
    text
}

/// Writes a change as lines, so that two changes can be compared.
fn lines(change: &Change) -> String {
    let mut text = String::new();
    let mut push = |when: &str, entity: Option<&Entity>| {
        let value = serde_json::to_value(entity).unwrap_or_default();
        for (name, value) in value.as_object().into_iter().flatten() {
            let _ = writeln!(text, "{when} {name}: {}", clean(value));
        }
    };
    push("live", change.before.as_ref());
    push("desired", change.after.as_ref());
    for effect in &change.effects {
        let _ = writeln!(text, "effect {}", clean(serde_json::to_value(effect).unwrap_or_default()));
    }
    text
}
