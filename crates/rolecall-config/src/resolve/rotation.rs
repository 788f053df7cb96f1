//! The fields of a key's entry that say how long a key lives, and when it is replaced: `lifetime`, `max_age`, `rotate_before`,
//! `overlap`, `rotate` and `rotate_own`.

use jiff::SignedDuration;

use super::super::node::Located;
use super::super::source::{Mark, Sources};
use super::entries::{number_as_text, taken_text};
use rolecall_model::{Capabilities, Code, Finding, KeyField, Lifetime, Place, Rotation, length_of_time, quote};

/// The fields about rotation that keys have on every platform.
pub const FIELDS: [&str; 4] = ["max_age", "overlap", "rotate", "rotate_own"];

/// The further fields where keys have an expiry.
pub const OF_EXPIRY: [&str; 2] = ["lifetime", "rotate_before"];

/// The shortest age at which a key may be replaced.
const SHORTEST: SignedDuration = SignedDuration::from_hours(1);

/// The longest time that a field may say: ten years.
const LONGEST: SignedDuration = SignedDuration::from_hours(3653 * 24);

/// Returns the fields about rotation as they are written.
pub fn fields(entry: &Located) -> Vec<(Located, Located)> {
    let is_one = |(key, _): &&(Located, Located)| {
        key.text().is_some_and(|name| FIELDS.contains(&name) || OF_EXPIRY.contains(&name))
    };
    entry.fields().iter().filter(is_one).cloned().collect()
}

/// A length of time, and its place.
type Length = (SignedDuration, Mark);

/// Takes the fields about rotation of one entry.
struct Taker<'a> {
    entry: &'a mut Located,
    sources: Sources<'a>,
    findings: &'a mut Vec<Finding>,
}

impl Taker<'_> {
    fn error(&mut self, mark: Mark, message: impl Into<String>, hint: impl Into<String>) {
        let finding = Finding::error(Code::InvalidValue, self.sources.place(mark), message.into());
        self.findings.push(finding.hint(hint.into()));
    }

    /// Removes a field with a length of time such as `90d` or `36h`.
    fn length(&mut self, name: &str) -> Option<Length> {
        number_as_text(self.entry, name);
        let text = taken_text(self.entry, name, self.sources, self.findings)?;
        let typed = text.text()?;
        let found = length_of_time(typed);
        if found.is_none() {
            let message = format!("{} is not a length of time.", quote(typed));
            self.error(text.mark, message, "Write a number of days or hours, such as `90d` or `36h`.");
        }
        if found.is_some_and(|length| length > LONGEST) {
            let message = format!("`{name}` is more than ten years.");
            self.error(text.mark, message, "Write a shorter time, such as `90d`.");
        }
        found.map(|length| (length, text.mark))
    }

    /// Removes `rotate`. Returns whether its steps are taken automatically.
    fn rotate(&mut self) -> Option<(bool, Mark)> {
        let rotate = self.entry.take("rotate")?;
        let automatically = match rotate.text() {
            Some("reviewed") => false,
            Some("automatically") => true,
            _ => {
                let message = format!("{} is no way to rotate.", quote(&rotate.typed()));
                self.error(rotate.mark, message, "Write `automatically` or `reviewed`.");
                false
            }
        };
        Some((automatically, rotate.mark))
    }

    fn rotate_own(&mut self) -> Option<(bool, Mark)> {
        let value = self.entry.take("rotate_own")?;
        if let Some(own) = value.truth() {
            return Some((own, value.mark));
        }
        let message = "`rotate_own` is neither `true` nor `false`.";
        let finding = Finding::error(Code::WrongType, self.sources.place(value.mark), message);
        self.findings.push(finding.hint("Write `rotate_own: true`, or remove the field."));
        None
    }

    /// Checks what the other fields of the entry, and the platform, allow.
    fn contradictions(&mut self, written: &[(&str, Mark)], capabilities: &Capabilities) {
        let Some((first, mark)) = written.first().copied() else { return };
        for (name, why) in [
            ("id", "An entry with `id` means one key, which has no successor."),
            ("absent", "A key that must not exist has no successor."),
        ] {
            if self.entry.has_field(name) {
                let message = format!("`{first}` contradicts `{name}`. {why}");
                self.error(mark, message, format!("Remove `{first}`, or remove `{name}`."));
            }
        }
        let of_expiry = written.iter().filter(|(name, _)| OF_EXPIRY.contains(name));
        if !capabilities.key_needs.contains(&KeyField::Expires) {
            for (name, mark) in of_expiry {
                let message =
                    format!("`{name}` has no effect, because keys of {} have no expiry.", capabilities.provider);
                self.error(*mark, message, "Remove it. With `max_age`, a key gets a successor by its age.");
            }
            return;
        }
        let mark_of = |wanted| written.iter().find(|(name, _)| *name == wanted).map(|(_, mark)| *mark);
        match (mark_of("lifetime"), mark_of("rotate_before"), self.entry.has_field("expires")) {
            (Some(mark), _, true) => self.error(
                mark,
                "`lifetime` contradicts `expires`.",
                "Remove one of them. With `lifetime`, each new key expires so long after its creation.",
            ),
            (None, Some(mark), _) => self.error(
                mark,
                "`rotate_before` needs `lifetime`. Otherwise, the successor would expire on the same day as the key.",
                "Write `lifetime`, such as `lifetime: 90d`, in place of `expires`.",
            ),
            (_, _, _) => {}
        }
    }

    /// Says that a time is too long, and names one that fits: this many days, or else as long as possible.
    fn shorter(&mut self, mark: Mark, message: &str, most: SignedDuration, days: i64) {
        let hours = most.as_hours();
        let example = match hours / 24 {
            _ if hours < 1 => return self.error(mark, message, "Remove it: not even one hour fits."),
            0 => format!("{hours}h"),
            fit => format!("{}d", fit.min(days)),
        };
        self.error(mark, message, format!("Write a shorter time, such as `{example}`."));
    }

    /// Checks that the lengths of time fit together: there are never more than two keys, and each works until its successor
    /// has taken its place.
    fn lengths(
        &mut self,
        lifetime: Option<Length>,
        max_age: Option<Length>,
        before: Option<Length>,
        overlap: Option<Length>,
    ) {
        let named = [("lifetime", lifetime, "90d"), ("max_age", max_age, "90d"), ("rotate_before", before, "14d")];
        for (name, length, example) in named {
            if let Some((_, mark)) = length.filter(|(length, _)| *length < SHORTEST) {
                let message = format!("`{name}` is less than an hour.");
                self.error(mark, message, format!("Write a longer time, such as `{example}`."));
            }
        }
        if let (Some((lifetime, _)), Some((max_age, mark))) = (lifetime, max_age)
            && max_age >= lifetime
        {
            let message = "`max_age` isn't less than `lifetime`, so the key would expire before it is that old.";
            self.error(mark, message, "Write a shorter `max_age`, with room for runs that are late.");
        }
        if let (Some((lifetime, _)), Some((before, mark))) = (lifetime, before)
            && lifetime - before < SHORTEST
        {
            let message = "`rotate_before` isn't less than `lifetime`, so each new key would be replaced at once.";
            self.shorter(mark, message, lifetime - SHORTEST, 14);
            return;
        }
        let Some((overlap, mark)) = overlap else { return };
        let between =
            lifetime.zip(before).map(|((lifetime, _), (before, _))| (before - SHORTEST).min(lifetime - before));
        let half = max_age.map(|(max_age, _)| max_age / 2);
        let most = half.into_iter().chain(between).min().unwrap_or(LONGEST);
        if max_age.is_some_and(|(max_age, _)| overlap > max_age / 2) {
            let message =
                "`overlap` is more than half of `max_age`, so there would be more than two keys at a time.";
            self.shorter(mark, message, most, 3);
        }
        if let (Some((lifetime, _)), Some((before, _))) = (lifetime, before) {
            if overlap >= before {
                let message =
                    "`overlap` isn't less than `rotate_before`, so the key would expire before the overlap ends.";
                self.shorter(mark, message, most, 3);
            } else if overlap > lifetime - before {
                let message = "`overlap` is longer than a new key waits for its successor, so there would be more than two keys at a time.";
                self.shorter(mark, message, most, 3);
            }
        }
    }
}

/// Removes the fields about rotation from an entry, and checks them.
pub fn take_rotation(
    entry: &mut Located,
    (sources, capabilities): (Sources<'_>, &Capabilities),
    findings: &mut Vec<Finding>,
) -> Option<Rotation> {
    let before = findings.len();
    let mut taker = Taker { entry, sources, findings };
    let [lifetime, max_age, rotate_before, overlap] =
        ["lifetime", "max_age", "rotate_before", "overlap"].map(|name| taker.length(name));
    let (rotate, own) = (taker.rotate(), taker.rotate_own());
    if taker.findings.len() > before {
        return None;
    }
    if max_age.is_none() && rotate_before.is_none() {
        let marks = [overlap.map(|(_, mark)| mark), rotate.map(|(_, mark)| mark), own.map(|(_, mark)| mark)];
        let has_expiry = capabilities.key_needs.contains(&KeyField::Expires);
        let (or, other) =
            if has_expiry { (" and without `rotate_before`", ", or `rotate_before`") } else { ("", "") };
        for (name, mark) in ["overlap", "rotate", "rotate_own"].into_iter().zip(marks) {
            let Some(mark) = mark else { continue };
            let message = format!("`{name}` has no effect without `max_age`{or}.");
            taker.error(
                mark,
                message,
                format!("Add `max_age`, such as `max_age: 90d`{other}, or remove the field."),
            );
        }
    }
    let named = [("max_age", max_age), ("rotate_before", rotate_before), ("lifetime", lifetime)];
    let written: Vec<(&str, Mark)> =
        named.into_iter().filter_map(|(name, length)| Some((name, length?.1))).collect();
    taker.contradictions(&written, capabilities);
    taker.lengths(lifetime, max_age, rotate_before, overlap);
    if let Some((_, mark)) = own.filter(|(own, _)| *own && overlap.is_none_or(|(overlap, _)| overlap < SHORTEST)) {
        let message = "`rotate_own` needs `overlap`: the time to store the new secret where `credentials` points.";
        taker.error(mark, message, "Add `overlap`, such as `overlap: 3d`.");
    }
    let place: Place = sources.place(written.first()?.1);
    (taker.findings.len() == before).then(|| Rotation {
        place,
        lifetime: lifetime.map(|(length, _)| Lifetime::new(length)),
        max_age: max_age.map(|(length, _)| length),
        rotate_before: rotate_before.map(|(length, _)| length),
        overlap: overlap.map_or(SignedDuration::ZERO, |(length, _)| length),
        automatically: rotate.is_some_and(|(automatically, _)| automatically),
        own: own.is_some_and(|(own, _)| own),
    })
}
