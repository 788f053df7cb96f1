//! The table of outcomes: [`of_verdict`] and [`of_error`] say what an answer means, and [`correction`] says what a read
//! means.
//!
//! For example, an update of Jane was answered without an error, but the last read shows her old role: `done` becomes
//! `not taken`. Or the answer to an update of Tom was lost, and a read shows his new role: `unsure` becomes `done`. A new
//! key whose answer was lost stays `unsure` even if a read lists it, because nobody has its secret; the next run retires
//! it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use rolecall_graphql::{CallError, PossibleEffect};
use rolecall_model::{Action, Change, Entity, HoldReason, Outcome};
use rolecall_plan::Observation;
use rolecall_providers::Verdict;

/// The answer of the platform to a mutation. JSON has only whether it was a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// Nothing was sent, no answer arrived, or the platform refused the credential.
    Nothing,
    /// The answer has no error.
    Accepted,
    /// The answer has no error, and doesn't confirm the mutation either.
    Unconfirmed,
    /// The platform itself refused the mutation, and did nothing.
    Refused,
    /// The platform processed the request and answered with another error.
    Error,
    /// A read has shown that the answer was wrong.
    Overruled,
}

impl Answered {
    pub fn is_refused(self) -> bool {
        self == Self::Refused
    }

    /// Returns whether the platform processed the request and didn't confirm it.
    fn is_error(self) -> bool {
        matches!(self, Self::Unconfirmed | Self::Refused | Self::Error)
    }
}

impl Serialize for Answered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(self.is_refused())
    }
}

impl<'de> Deserialize<'de> for Answered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let is_refused = bool::deserialize(deserializer)?;
        Ok(if is_refused { Self::Refused } else { Self::Nothing })
    }
}

/// The meaning of an answer for a step.
#[derive(Debug, PartialEq)]
pub(super) struct Meaning {
    pub outcome: Outcome,
    pub answered: Answered,
    pub message: Option<String>,
    pub held: Option<HoldReason>,
}

/// Returns the meaning of an answer without an error.
pub(super) fn of_verdict(verdict: &Verdict) -> Meaning {
    let (outcome, message, held) = match verdict {
        Verdict::Taken => (Outcome::Done, None, None),
        Verdict::NotTaken(why) => (Outcome::NotTaken, Some(why.clone()), None),
        Verdict::Held(reason) => (Outcome::Skipped, Some(reason.to_string()), Some(reason.clone())),
        Verdict::Mismatch(how) => (Outcome::Done, Some(format!("{how}. Nothing more is sent.")), None),
        Verdict::Lost(what) => {
            let message = format!(
                "An update lost a value that it should have kept: {what}. Nothing more is sent. Restore the value in the web app."
            );
            (Outcome::Done, Some(message), None)
        }
    };
    Meaning { outcome, answered: Answered::Accepted, message, held }
}

/// The sentence about a mutation whose answer was lost.
const SHOWN_LATER: &str = "A read shows whether it did: the last one of this run, or that of the next plan.";

/// Returns the meaning of an error. `operation` failed, and `next` says what to do if nothing was changed.
pub(super) fn of_error(error: &CallError, operation: &str, next: &str) -> Meaning {
    let (outcome, effect) = match error.effect() {
        PossibleEffect::None => (Outcome::Failed, format!("nothing was changed. Next: {next}")),
        PossibleEffect::Unknown => (Outcome::Unsure, format!("it may have taken effect. {SHOWN_LATER}")),
    };
    let answered = match error {
        CallError::CredentialRefused(_) | CallError::Transport(_) => Answered::Nothing,
        CallError::NullPayload(_) => Answered::Unconfirmed,
        CallError::Refused(_) | CallError::GraphQl(_) if outcome == Outcome::Failed => Answered::Refused,
        _ => Answered::Error,
    };
    let message = Some(format!("{operation} failed: {error}; {effect}"));
    Meaning { outcome, answered, message, held: None }
}

/// The thing that a mutation makes, as far as it decides what a read can prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// An invitation. A read doesn't show whether its mail was sent.
    Invitation,
    /// A key, whose secret only the answer contains. `stray`: a read shows a new one of this name that isn't ours.
    Key { stray: bool },
    /// Anything else, and first steps, which don't complete a change.
    Other,
}

impl Made {
    pub fn by(change: &Change, first_step: bool) -> Self {
        match (change.action, &change.after) {
            (Action::Create, Some(Entity::Key(_))) => Self::Key { stray: false },
            (Action::Invite, _) if !first_step => Self::Invitation,
            _ => Self::Other,
        }
    }
}

/// The state of a step before a read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub made: Made,
    pub outcome: Outcome,
    pub answered: Answered,
    pub sent: Sent,
}

/// The requests of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// One request, and its end is known.
    Once,
    /// One request, and its answer was lost in this run.
    Lost,
    /// A second one, because the answer to the first was lost.
    Twice,
}

/// The moment of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// In the middle of a run, before anything is sent that depends on the outcome.
    Midway,
    AtTheEnd,
}

/// The correction of an outcome by a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Correction {
    /// Done, though the platform refused the mutation when it was sent again.
    DoneBefore,
    /// Done, though the platform answered with an error.
    DoneDespiteError,
    /// Done, though the answer didn't confirm it.
    Done,
    /// Not contradicted, on a platform where a failure would have shown.
    Uncontradicted,
    /// Done, though an earlier sign said that it was not taken.
    DoneLate,
    /// The invitation exists.
    Invited,
    /// The platform accepted the mutation and didn't make the change.
    NotTaken,
    /// A key exists whose secret nobody has.
    StrayKey,
    /// The change certainly wasn't made, and the mutation may be sent again.
    SendAgain,
}

/// Returns what a read means for the outcome of a step, or `None` if the outcome stays. `reads_decide`: the platform's
/// answers are unreliable, so a read is trusted more.
pub(super) fn correction(was: Attempt, seen: Observation, when: When, reads_decide: bool) -> Option<Correction> {
    use Observation::{CannotTell, InEffect, NotInEffect};
    use When::{AtTheEnd, Midway};
    let Attempt { made, outcome, answered, sent } = was;
    let found = match (outcome, seen, when) {
        (Outcome::Failed, _, AtTheEnd) if made == (Made::Key { stray: true }) => Correction::StrayKey,
        (Outcome::Failed, InEffect, AtTheEnd) if sent == Sent::Twice => Correction::DoneBefore,
        (Outcome::Done, NotInEffect, AtTheEnd) => Correction::NotTaken,
        (Outcome::NotTaken, InEffect, AtTheEnd) => Correction::DoneLate,
        // Without the answer the secret of a key is lost, so a listed key doesn't make the step done.
        _ if matches!(made, Made::Key { .. }) => return None,
        (Outcome::Failed, InEffect, _) if answered.is_error() && reads_decide => Correction::DoneDespiteError,
        (Outcome::Unsure, InEffect, _) if made == Made::Invitation => Correction::Invited,
        (Outcome::Unsure, InEffect, _) => Correction::Done,
        (Outcome::Unsure, CannotTell, Midway) if answered == Answered::Unconfirmed && reads_decide => {
            Correction::Uncontradicted
        }
        (Outcome::Unsure, NotInEffect, Midway) if sent == Sent::Lost => Correction::SendAgain,
        _ => return None,
    };
    Some(found)
}

impl Correction {
    /// Returns the corrected outcome, what is known about the answer, and the message. `why_not_taken` is a sentence
    /// without a period. Returns `None` if the mutation is to be sent again.
    pub fn result(self, was: Answered, why_not_taken: impl Fn() -> String) -> Option<(Outcome, Answered, String)> {
        let done = |text: &str| Some((Outcome::Done, was, text.to_owned()));
        match self {
            Self::DoneBefore => Some((
                Outcome::Done,
                Answered::Overruled,
                "The platform refused the change when it was sent again, but a read shows it in effect.".to_owned(),
            )),
            Self::DoneDespiteError => {
                done("The platform answered with an error, but a read shows the change in effect.")
            }
            Self::Done => done("The answer didn't confirm the change, but a read shows it in effect."),
            Self::Uncontradicted => done("The answer didn't confirm the change, but nothing contradicts it."),
            Self::DoneLate => done("A read shows the change in effect."),
            Self::Invited => done("The invitation exists. It isn't certain that its mail was sent."),
            Self::NotTaken => Some((
                Outcome::NotTaken,
                was,
                format!(
                    "The platform answered without an error, but a read doesn't show the change. {}. It isn't sent again unless you ask with `--assert`.",
                    why_not_taken()
                ),
            )),
            Self::StrayKey => Some((
                Outcome::Unsure,
                Answered::Overruled,
                "A read shows a new key with this name, but nobody has its secret. The next run retires it and creates another."
                    .to_owned(),
            )),
            Self::SendAgain => None,
        }
    }
}

/// Returns whether the outcome of a step is open, so that a read has to settle it before anything is sent that depends
/// on it.
pub(super) fn is_open(outcome: Outcome, answered: Answered, reads_decide: bool) -> bool {
    match outcome {
        Outcome::Unsure => true,
        Outcome::Failed => answered.is_error() && reads_decide,
        Outcome::Done | Outcome::Skipped | Outcome::NotTaken => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rolecall_graphql::TransportError;

    const KEY: Made = Made::Key { stray: false };
    const STRAY: Made = Made::Key { stray: true };

    /// One row of the table: what is known, what the read shows and when, and the correction without and with
    /// [`Quirk::ReadsDecide`](rolecall_model::Quirk).
    struct Row {
        made: Made,
        outcome: Outcome,
        answered: Answered,
        sent: Sent,
        seen: Observation,
        when: When,
        corrected: [Option<Correction>; 2],
    }

    fn row(
        (made, outcome, answered, sent): (Made, Outcome, Answered, Sent),
        (seen, when): (Observation, When),
        corrected: [Option<Correction>; 2],
    ) -> Row {
        Row { made, outcome, answered, sent, seen, when, corrected }
    }

    fn both(correction: Correction) -> [Option<Correction>; 2] {
        [Some(correction), Some(correction)]
    }

    #[test]
    fn a_read_corrects_an_outcome_in_both_directions() {
        use Answered::{Accepted, Error, Nothing, Refused, Unconfirmed};
        use Made::{Invitation, Other};
        use Observation::{CannotTell, InEffect, NotInEffect};
        use Outcome::{Done, Failed, NotTaken, Unsure};
        use Sent::{Lost, Once, Twice};
        use When::{AtTheEnd, Midway};
        let only_if_reads_decide = |correction| [None, Some(correction)];
        let rows = [
            row((Other, Done, Accepted, Once), (NotInEffect, AtTheEnd), both(Correction::NotTaken)),
            row((Other, Done, Accepted, Once), (NotInEffect, Midway), [None; 2]),
            row((Other, Done, Accepted, Once), (CannotTell, AtTheEnd), [None; 2]),
            row((Other, NotTaken, Accepted, Once), (InEffect, AtTheEnd), both(Correction::DoneLate)),
            row((Other, Unsure, Nothing, Lost), (InEffect, Midway), both(Correction::Done)),
            row((Other, Unsure, Nothing, Lost), (InEffect, AtTheEnd), both(Correction::Done)),
            row((Other, Unsure, Nothing, Lost), (NotInEffect, Midway), both(Correction::SendAgain)),
            row((Other, Unsure, Nothing, Lost), (NotInEffect, AtTheEnd), [None; 2]),
            row((Other, Unsure, Nothing, Once), (NotInEffect, Midway), [None; 2]),
            row((Other, Failed, Refused, Twice), (InEffect, AtTheEnd), both(Correction::DoneBefore)),
            row(
                (Other, Failed, Refused, Once),
                (InEffect, AtTheEnd),
                only_if_reads_decide(Correction::DoneDespiteError),
            ),
            row(
                (Other, Failed, Error, Once),
                (InEffect, Midway),
                only_if_reads_decide(Correction::DoneDespiteError),
            ),
            row((Other, Failed, Nothing, Once), (InEffect, AtTheEnd), [None; 2]),
            row((Other, Failed, Refused, Once), (NotInEffect, AtTheEnd), [None; 2]),
            row(
                (Other, Unsure, Unconfirmed, Once),
                (CannotTell, Midway),
                only_if_reads_decide(Correction::Uncontradicted),
            ),
            row((Other, Unsure, Unconfirmed, Once), (CannotTell, AtTheEnd), [None; 2]),
            row((Invitation, Unsure, Nothing, Lost), (InEffect, Midway), both(Correction::Invited)),
            row((KEY, Unsure, Nothing, Lost), (InEffect, Midway), [None; 2]),
            row((KEY, Unsure, Nothing, Lost), (InEffect, AtTheEnd), [None; 2]),
            row((KEY, Unsure, Nothing, Lost), (NotInEffect, Midway), [None; 2]),
            row((KEY, Done, Accepted, Once), (NotInEffect, AtTheEnd), both(Correction::NotTaken)),
            row((KEY, Failed, Refused, Once), (InEffect, AtTheEnd), [None; 2]),
            row((STRAY, Failed, Refused, Once), (NotInEffect, AtTheEnd), both(Correction::StrayKey)),
        ];
        for Row { made, outcome, answered, sent, seen, when, corrected } in rows {
            for (reads_decide, expected) in [false, true].into_iter().zip(corrected) {
                let was = Attempt { made, outcome, answered, sent };
                let found = correction(was, seen, when, reads_decide);
                assert_eq!(found, expected, "{was:?} {seen:?} {when:?} reads_decide={reads_decide}");
            }
        }
    }

    #[test]
    fn an_error_that_may_have_had_an_effect_is_unsure_and_a_refusal_is_not() {
        let lost = CallError::Transport(TransportError::NoAnswer("closed".to_owned()));
        let rows = [
            (lost, Outcome::Unsure, Answered::Nothing),
            (CallError::Refused("no".to_owned()), Outcome::Failed, Answered::Refused),
            (CallError::CredentialRefused("401".to_owned()), Outcome::Failed, Answered::Nothing),
            (CallError::RateLimited { retry_after: None }, Outcome::Failed, Answered::Error),
            (CallError::NullPayload("ok".to_owned()), Outcome::Unsure, Answered::Unconfirmed),
            (CallError::Status { status: 502, retry_after: None }, Outcome::Unsure, Answered::Error),
        ];
        for (error, outcome, answered) in rows {
            let meaning = of_error(&error, "updateUser", "look");
            assert_eq!((meaning.outcome, meaning.answered), (outcome, answered), "{error}");
        }
    }

    #[test]
    fn a_platform_that_says_no_for_a_reason_of_its_own_has_not_failed() {
        let reason = HoldReason::platform("externally-managed", "Another system manages the user.");
        let meaning = of_verdict(&Verdict::Held(reason.clone()));
        assert_eq!((meaning.outcome, meaning.held), (Outcome::Skipped, Some(reason)));
    }
}
