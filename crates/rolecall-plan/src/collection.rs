//! The rules that roles, teams, keys and users have in common: how an entity is created, updated and deleted, and what
//! happens to one that the file doesn't list.

use std::collections::BTreeSet;

use super::PlanInput;
use super::decision::Decision;
use super::roles::PlannedRoles;
use super::teams::PlannedTeams;
use rolecall_model::{Action, Address, Cause, Change, Effect, Entity, HoldReason, Kind, Scope, TeamName};

/// The decisions about one entry, and the state of its entity after the plan: `made` if the gate lets the change
/// through, else `otherwise`. A state of `None` leaves it as it was.
pub(super) struct EntryDecision<S> {
    pub decisions: Vec<Decision>,
    pub made: Option<S>,
    pub otherwise: Option<S>,
}

impl<S> EntryDecision<S> {
    /// Returns decisions without a change. The entity is in this state after the plan.
    pub fn without_change(decisions: Vec<Decision>, state: Option<S>) -> Self {
        Self { decisions, made: None, otherwise: state }
    }
}

/// Returns the change that creates an entity.
pub(super) fn creation(address: Address, after: Entity, cause: Cause) -> Change {
    Change { address, action: Action::Create, before: None, after: Some(after), cause, effects: Vec::new() }
}

/// Returns the change that updates an entity. `cause` says why, if it differs from the file.
pub(super) fn update(address: Address, before: Entity, after: Entity, cause: Cause) -> Change {
    let cause = if before == after { Cause::Asserted } else { cause };
    Change {
        address,
        action: Action::Update,
        before: Some(before),
        after: Some(after),
        cause,
        effects: Vec::new(),
    }
}

/// Returns the change that deletes an entity, with a note of what the platform deletes along with it.
pub(super) fn deletion(input: &PlanInput<'_>, address: Address, entity: Entity, cause: Cause) -> Change {
    let mut effects = vec![Effect::Irreversible];
    effects.extend(input.rules.cascades_to(&entity).map(|what| Effect::CascadesTo { what: what.to_owned() }));
    Change { address, action: Action::Delete, before: Some(entity), after: None, cause, effects }
}

/// Returns the cause of a removal: the file lists the entity as absent, or doesn't list it.
pub(super) fn removal_cause(listed: bool) -> Cause {
    if listed { Cause::DeclaredAbsent } else { Cause::NotListed }
}

/// Lists the teams and apps of the organisation, or the apps of one team. The list is part of the deletion's
/// change: a reviewer sees it, and an approved deletion is out of date once something has been added.
pub(super) fn contents(input: &PlanInput<'_>, of: Option<&TeamName>) -> Option<Effect> {
    let owner = of.map(|team| Address::team(team).to_string());
    let apps = input.live.apps.iter().filter(|app| owner.as_ref().is_none_or(|owner| app.owner == *owner));
    let apps = apps.map(|app| format!("app {} of {}", app.name, app.owner));
    let teams = input.live.teams().iter().filter(|_| of.is_none());
    let teams = teams.map(|team| Address::team(&team.name).to_string());
    let what: BTreeSet<String> = teams.chain(apps).collect();
    (!what.is_empty()).then_some(Effect::Contains { what })
}

/// Decides about a live entity that the file doesn't list. Returns `None` if it must be removed. `incomplete` is the
/// hold of removals while the list is incomplete.
pub(super) fn unlisted(
    scope: Scope,
    address: &Address,
    privileged: bool,
    incomplete: Option<&HoldReason>,
) -> Option<Decision> {
    match (scope, incomplete) {
        (Scope::Listed, _) => Some(Decision::Unmanaged { address: address.clone(), privileged }),
        (Scope::All, Some(reason)) => Some(Decision::Hold(address.clone(), reason.clone())),
        (Scope::All, None) => None,
    }
}

/// Decides about the entities that an incomplete list doesn't show: if the file manages all, some may have to be
/// removed.
pub(super) fn unseen(scope: Scope, kind: Kind, incomplete: Option<HoldReason>) -> Option<Decision> {
    let reason = incomplete.filter(|_| scope == Scope::All)?;
    Some(Decision::Hold(Address::every(kind), reason))
}

/// The roles and teams as they are after the plan, for the decisions about users.
#[derive(Default)]
pub(super) struct PlannedState {
    pub roles: PlannedRoles,
    pub teams: PlannedTeams,
}
