//! Says what to do when the key that rolecall signs in with has a successor.
//!
//! For example, rolecall signs in with the key `ci`, whose secret is in the variable `HIVE_TOKEN`. A plan creates the successor
//! and delivers its secret. A person puts that secret into `HIVE_TOKEN`. The next run signs in with the successor, so `ci` is
//! a key like any other, and that run retires it after the overlap. As long as a run signs in with `ci`, it is held.

use jiff::Timestamp;

use super::super::PlanInput;
use super::mint::secret_target;
use super::rotation;
use rolecall_model::{
    Action, Cause, Change, Credential, Desired, DesiredKey, HoldReason, LiveKey, MintedKey, Place, RemoteId,
    Rotation, Until,
};

/// Returns why rolecall's own key is held whose successor is delivered.
pub(super) fn superseded(
    input: &PlanInput<'_>,
    (desired, rule): (&DesiredKey, Option<&Rotation>),
    (key, successor, minted): (&LiveKey, &RemoteId, &MintedKey),
) -> HoldReason {
    let to: Vec<String> = desired.deliver.iter().map(|delivery| secret_target(delivery)).collect();
    let until = rotation::overlap(input, rule, (key, minted)).map(Until::from);
    let ends = key.expires.filter(|_| until.is_none()).map(|expires| format!(" before {expires}"));
    let step = if input.caller.and_then(|caller| caller.key(input.facts)) == Some(successor) {
        format!("`own` in the file names it. Write `own: {{ key: {successor} }}`.")
    } else {
        let step = step(input.desired, successor, &to, ends.as_deref(), |_| String::new());
        format!("rolecall still signs in with it. {step}")
    };
    HoldReason::OwnKeySuperseded { until, step }
}

/// Returns what a person has to do after the successor of rolecall's own key was created at this time and delivered to
/// these targets. `None` if the change creates another key.
pub fn swap(
    desired: &Desired,
    own: Option<&RemoteId>,
    change: &Change,
    (successor, created, to): (&RemoteId, Timestamp, &[String]),
) -> Option<String> {
    let own = own.or(desired.own_key.as_deref());
    let before = change.before.as_ref()?.key()?;
    if own.is_none() || before.id.as_ref() != own || change.action != Action::Create {
        return None;
    }
    let until = overlap_end(desired, change, created).map(|until| format!(" before {until}"));
    let place = |place: &Place| format!(" (`credentials` at {}:{})", place.file, place.line);
    let step = step(desired, successor, to, until.as_deref(), place);
    Some(format!(
        "rolecall signs in with the predecessor of this key. {step} A later run then retires the predecessor."
    ))
}

/// Returns the time until which a key works beside its successor, if the change creates that at this time and the entry has
/// an overlap.
pub fn overlap_end(desired: &Desired, change: &Change, created: Timestamp) -> Option<Timestamp> {
    let before = change.before.as_ref()?.key()?;
    let overlap = desired.rotations.get(&change.address).map(|rule| rule.overlap).filter(|it| !it.is_zero())?;
    let until = rotation::overlap_end(overlap, before.expires, created)?;
    Timestamp::from_second(until.as_second()).ok()
}

/// Returns the sentences that say where the new secret is, and where to put it.
fn step(
    desired: &Desired,
    successor: &RemoteId,
    to: &[String],
    until: Option<&str>,
    place: impl Fn(&Place) -> String,
) -> String {
    let into = desired.credentials.values().map(|credential| {
        let what = match &credential.value {
            Credential::Env(name) => format!("the environment variable {name}"),
            Credential::File(path) => format!("the file {}", path.display()),
            Credential::Command(words) => {
                format!("the place from which the command {} gets it", words.first().map_or("", String::as_str))
            }
        };
        format!("{what}{}", place(&credential.place))
    });
    let into: Vec<String> = into.collect();
    let own = desired.own_key.as_ref().map(|_| format!(" Then write `own: {{ key: {successor} }}`."));
    format!(
        "The new secret was delivered to {}. Put it into {}{}.{}",
        to.join(" and "),
        into.join(" and "),
        until.unwrap_or_default(),
        own.unwrap_or_default()
    )
}

/// Returns whether a change creates the successor of rolecall's own key, or retires the predecessor of it. Such a change is
/// the last one of a plan.
pub fn is_of_own_key(input: &PlanInput<'_>, change: &Change) -> bool {
    let Some(own) = input.own_key() else { return false };
    match (&change.cause, change.action, change.before.as_ref().and_then(|before| before.key())) {
        (Cause::Superseded { by, .. }, _, _) => by == own,
        (_, Action::Create, Some(before)) => before.id.as_ref() == Some(own),
        _ => false,
    }
}
