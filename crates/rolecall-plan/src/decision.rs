//! A [`Decision`] is what planning says about one entity. Deciding is pure: it returns decisions, and only the gate
//! ([`Gate::accept`](super::gate::Gate::accept)) makes them a part of the plan, or holds them back.

use std::collections::BTreeSet;
use std::fmt;

use rolecall_model::{Address, Change, Finding, HoldReason, Place};

/// A decision about one entity.
#[derive(Debug)]
pub(super) enum Decision {
    /// The change is to be made. `place` is the entry of the file that asks for it. `then` is decided only if the
    /// gate lets the change through.
    Change { change: Box<Change>, place: Option<Place>, then: Vec<Decision> },
    /// The difference stays as it is.
    Hold(Address, HoldReason),
    /// The file neither lists the entity nor manages unlisted ones.
    Unmanaged { address: Address, privileged: bool },
    /// The file lists the entity at `place` without this field, and the live value gives privileged access.
    Unwritten { address: Address, place: Place, field: &'static str, live: String },
    /// The file, or its comparison with live, has a problem.
    Finding(Finding),
    /// Another entry of the file has an error, which keeps it from being planned.
    Error(Address, Finding),
}

impl Decision {
    /// Decides to make a change. `place` is the entry of the file that asks for it, if there is one.
    pub fn change(change: Change, place: Option<&Place>) -> Self {
        Self::Change { change: Box::new(change), place: place.cloned(), then: Vec::new() }
    }

    /// Decides to make a change, and to decide the rest only if it can be made.
    pub fn change_and(change: Change, place: Option<&Place>, then: Vec<Decision>) -> Self {
        Self::Change { change: Box::new(change), place: place.cloned(), then }
    }

    /// Decides that privileged access in a field is known only if the file acknowledges it.
    pub fn unwritten<T: fmt::Display>(
        address: &Address,
        place: &Place,
        field: &'static str,
        live: &BTreeSet<T>,
    ) -> Self {
        let live: Vec<String> = live.iter().map(ToString::to_string).collect();
        Self::Unwritten { address: address.clone(), place: place.clone(), field, live: live.join(", ") }
    }
}

/// A value that a decision needs, such as the ids of the projects that an entry names. `value` is `None` if the entry
/// can't be planned without it; then `decisions` say why.
pub(super) struct Lookup<T> {
    pub value: Option<T>,
    pub decisions: Vec<Decision>,
}

impl<T> Lookup<T> {
    pub fn found(value: T) -> Self {
        Self { value: Some(value), decisions: Vec::new() }
    }

    pub fn failed(decision: Decision) -> Self {
        Self { value: None, decisions: vec![decision] }
    }

    /// Adds what was decided on the way to `decisions`, and returns the value.
    pub fn note(self, decisions: &mut Vec<Decision>) -> Option<T> {
        decisions.extend(self.decisions);
        self.value
    }
}
