//! The fields of a key's entry that say when it is replaced: `max_age`, `overlap` and `rotate`.

use jiff::{SignedDuration, Span, SpanRelativeTo};

use super::super::node::Located;
use super::super::source::{Mark, Sources};
use super::entries::{number_as_text, taken_text};
use rolecall_model::{Code, Finding, Rotation, quote};

/// The shortest age at which a key may be replaced.
const SHORTEST: SignedDuration = SignedDuration::from_hours(1);

/// Returns the fields about rotation as they are written.
pub fn fields(entry: &Located) -> Vec<(Located, Located)> {
    let is_one = |(key, _): &&(Located, Located)| {
        key.text().is_some_and(|name| ["max_age", "overlap", "rotate"].contains(&name))
    };
    entry.fields().iter().filter(is_one).cloned().collect()
}

/// Removes the fields about rotation from an entry, and checks them.
pub fn take_rotation(entry: &mut Located, sources: Sources<'_>, findings: &mut Vec<Finding>) -> Option<Rotation> {
    let before = findings.len();
    for name in ["max_age", "overlap"] {
        number_as_text(entry, name, sources);
    }
    let max_age = taken_text(entry, "max_age", sources, findings);
    let overlap = taken_text(entry, "overlap", sources, findings);
    let rotate = taken_text(entry, "rotate", sources, findings);
    let place = |mark: Mark| sources.place(mark);
    let Some(max_age) = max_age else {
        for (name, field) in [("overlap", overlap), ("rotate", rotate)] {
            let Some(field) = field.filter(|_| findings.len() == before) else { continue };
            let message = format!("`{name}` has no effect without `max_age`.");
            let finding = Finding::error(Code::InvalidValue, place(field.mark), message);
            findings.push(finding.hint("Add `max_age`, such as `max_age: 90d`, or remove the field."));
        }
        return None;
    };
    for (name, why) in [
        ("id", "An entry with `id` means one key, which has no successor."),
        ("absent", "A key that must not exist has no successor."),
    ] {
        if entry.has_field(name) {
            let message = format!("`max_age` contradicts `{name}`. {why}");
            let finding = Finding::error(Code::InvalidValue, place(max_age.mark), message);
            findings.push(finding.hint(format!("Remove `max_age`, or remove `{name}`.")));
        }
    }
    let age = duration(&max_age, sources, findings);
    let lap = overlap.as_ref().map(|overlap| (duration(overlap, sources, findings), overlap.mark));
    let automatically = match rotate.as_ref().map(|rotate| (rotate.text().unwrap_or_default(), rotate.mark)) {
        None | Some(("reviewed", _)) => false,
        Some(("automatically", _)) => true,
        Some((text, mark)) => {
            let message = format!("{} is no way to rotate.", quote(text));
            let finding = Finding::error(Code::InvalidValue, place(mark), message);
            findings.push(finding.hint("Write `automatically` or `reviewed`."));
            false
        }
    };
    let max_age_place = place(max_age.mark);
    let age = age?;
    if age < SHORTEST {
        let finding = Finding::error(Code::InvalidValue, max_age_place.clone(), "`max_age` is less than an hour.");
        findings.push(finding.hint("Write a longer time, such as `90d`."));
    }
    let (lap, lap_mark) = lap.map_or((Some(SignedDuration::ZERO), max_age.mark), |lap| lap);
    let lap = lap?;
    if lap > age / 2 {
        let message = "`overlap` is more than half of `max_age`, so there would be more than two keys at a time.";
        let finding = Finding::error(Code::InvalidValue, place(lap_mark), message);
        findings.push(finding.hint("Write a shorter time, such as `3d`."));
    }
    (findings.len() == before).then_some(Rotation {
        place: max_age_place,
        max_age: age,
        overlap: lap,
        automatically,
    })
}

/// Parses a length of time such as `90d` or `36h`. `None` if it is none.
pub fn length_of_time(text: &str) -> Option<SignedDuration> {
    let span: Span = text.parse().ok()?;
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Some(length).filter(|length| !length.is_negative())
}

/// Parses the length of time of a field.
fn duration(text: &Located, sources: Sources<'_>, findings: &mut Vec<Finding>) -> Option<SignedDuration> {
    let typed = text.text()?;
    let found = length_of_time(typed);
    if found.is_none() {
        let message = format!("{} is not a length of time.", quote(typed));
        let finding = Finding::error(Code::InvalidValue, sources.place(text.mark), message);
        findings.push(finding.hint("Write a number of days or hours, such as `90d` or `36h`."));
    }
    found
}
