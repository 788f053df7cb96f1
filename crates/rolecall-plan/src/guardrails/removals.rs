//! Checks `max_removals`: how many entities of each kind a plan removes. A slip of indentation must not take a
//! company offline.

use std::collections::BTreeSet;

use super::super::PlanInput;
use super::super::roles::PlannedRoles;
use super::super::schedule::narrows;
use rolecall_model::{Action, Address, Cause, Change, Email, Entity, Guardrail, Kind, Refusal, RoleName, Seen};

/// Returns a refusal for each kind of which the plan removes more than `max_removals` allows.
pub(super) fn too_many_removals<'a>(
    input: &'a PlanInput<'_>,
    changes: &'a [Change],
    planned_roles: &'a PlannedRoles,
) -> impl Iterator<Item = Refusal> + 'a {
    Kind::ALL.iter().filter_map(|kind| {
        let removed = match kind {
            // Deleting the one organisation has a confirmation of its own. Invitations count as users.
            Kind::Organization | Kind::Invitation => return None,
            Kind::User => users_losing_access(input, changes, planned_roles),
            Kind::Team | Kind::Role | Kind::Key => removed_entities(changes, *kind),
        };
        let live = live_count(input, *kind);
        let limits = &input.desired.guardrails.max_removals;
        let (limit, most) = limits.for_collection(*kind, live);
        let what = if live == 1 { kind.as_str().to_owned() } else { format!("{}s", kind.as_str()) };
        (removed.len() > most).then(|| {
            let message = format!(
                "{} of {live} {what} would {}. One plan may do that to {most} at most (`max_removals: {limit}`).",
                removed.len(),
                if *kind == Kind::User { "lose access, or a part of it" } else { "be removed" },
            );
            let overridable = limits.are_asked_for(removed.len(), live);
            Refusal::new(Guardrail::MaxRemovals, message, removed.into_iter().collect())
                .overridable_if(overridable)
        })
    })
}

/// Returns refusals if too many users would lose access because they have left the directory, or if the directory has
/// less than half of the people that it had at the last apply: probably its answer is wrong.
pub(super) fn directory(input: &PlanInput<'_>, changes: &[Change]) -> Vec<Refusal> {
    let directories = &input.desired.directories;
    let left = changes.iter().filter(|change| change.cause == Cause::LeftDirectory);
    let left: BTreeSet<Address> = left.map(|change| change.address.listed()).collect();
    let live = live_count(input, Kind::User);
    let limits = &input.desired.guardrails.max_removals;
    let mut refusals = Vec::new();
    if let Some((limit, most)) = limits.strictest(directories.iter().map(|directory| directory.max_removals), live)
        && left.len() > most
    {
        let message = format!(
            "{} of {live} users would lose access because they aren't in the directory. One plan may do that to {most} at most (`max_removals: {limit}` of `people`).",
            left.len()
        );
        let overridable = limits.are_asked_for(left.len(), live);
        let refusal = Refusal::new(Guardrail::MaxRemovals, message, left.into_iter().collect());
        refusals.push(refusal.overridable_if(overridable));
    }
    for directory in directories.iter().filter(|directory| directory.min_people.is_none()) {
        let name = directory.source.to_string();
        let (Some(people), Some(before)) =
            (directory.people.as_ref().map(|people| people.len()), input.facts.directory_people.get(&name))
        else {
            continue;
        };
        if people * 2 < *before {
            let message = format!(
                "The directory `{name}` has {people} people, and it had {before} at the last apply. Perhaps its answer is cut off. If it is right, write `min_people: {people}` beside it."
            );
            refusals.push(Refusal::new(Guardrail::Directory, message, Vec::new()));
        }
    }
    refusals
}

/// Returns the number of live entities of a kind, of which a limit in percent is calculated.
fn live_count(input: &PlanInput<'_>, kind: Kind) -> usize {
    let live = input.live;
    match kind {
        Kind::Organization | Kind::Invitation => 1,
        Kind::Team => live.teams().len(),
        Kind::Role => live.roles().len(),
        Kind::User => {
            let enabled = live.users.items.iter().filter(|user| user.enabled != Seen::Known(false));
            let invited: BTreeSet<&Email> = live.open_invitations().map(|open| &open.email).collect();
            let is_member = |email: &Email| live.users.items.iter().any(|user| user.email == *email);
            // An invitation that an interrupted run has cancelled, in order to send a corrected one, still counts.
            let cancelled = input
                .facts
                .cancelled_to_correct
                .keys()
                .filter(|email| !invited.contains(email) && !is_member(email));
            enabled.count() + live.open_invitations().count() + cancelled.count()
        }
        Kind::Key => live.keys().iter().filter(|key| key.enabled).count(),
    }
}

/// Returns the teams, roles or keys that are removed.
fn removed_entities(changes: &[Change], kind: Kind) -> BTreeSet<Address> {
    let is_removal = |change: &&Change| {
        let removes = matches!(change.action, Action::Disable | Action::Delete | Action::Remove);
        // Nobody loses access by these: the key's secret was lost, or its successor has been delivered.
        // And whoever reviewed a date has reviewed the removal.
        let replaced =
            change.retires_lost_key() || matches!(change.cause, Cause::Superseded { .. } | Cause::Ended { .. });
        change.address.kind == kind && removes && !replaced
    };
    changes.iter().filter(is_removal).map(|change| change.address.clone()).collect()
}

/// Returns the users who lose something, by their own change or by the change of a role that they have.
fn users_losing_access(
    input: &PlanInput<'_>,
    changes: &[Change],
    planned_roles: &PlannedRoles,
) -> BTreeSet<Address> {
    let invited: BTreeSet<&Address> =
        changes.iter().filter(|change| change.action == Action::Invite).map(|change| &change.address).collect();
    // An invitation that another one replaces is no loss.
    let replaced = |change: &Change| {
        let user = change.before.as_ref().and_then(Entity::user);
        change.action == Action::Cancel && user.is_some_and(|user| invited.contains(&Address::user(&user.email)))
    };
    // Whoever reviewed a date has reviewed the loss.
    // The directory has a limit of its own.
    let has_ended = |change: &Change| matches!(change.cause, Cause::Ended { .. } | Cause::LeftDirectory);
    let mut losing: BTreeSet<Address> = changes
        .iter()
        .filter(|change| loses(input, change, planned_roles) && !replaced(change) && !has_ended(change))
        .map(|change| change.address.clone())
        .collect();
    let weaker: BTreeSet<&RoleName> = changes
        .iter()
        .filter_map(|change| {
            let (before, after) = (change.before.as_ref()?.role()?, change.after.as_ref()?.role()?);
            (!before.permissions.is_subset(&after.permissions)).then_some(&after.name)
        })
        .collect();
    let holds = |roles: &BTreeSet<RoleName>| roles.iter().any(|role| weaker.contains(role));
    // A user who changes roles in the same plan counts by their own change, which takes the new roles into
    // account.
    let moved: BTreeSet<&Address> =
        changes.iter().filter(|change| change.address.kind == Kind::User).map(|change| &change.address).collect();
    let users = input.live.users.items.iter().filter(|user| holds(&user.roles));
    let holders = users.map(|user| Address::user(&user.email)).filter(|address| !moved.contains(address));
    losing.extend(holders);
    losing
}

/// Returns whether a user loses something by their own change.
fn loses(input: &PlanInput<'_>, change: &Change, planned_roles: &PlannedRoles) -> bool {
    let of = |entity: &Option<Entity>| entity.as_ref().and_then(Entity::user).cloned();
    match (change.action, of(&change.before), of(&change.after)) {
        (_, None, _) | (Action::Invite | Action::Enable, _, _) => false,
        (Action::Create | Action::Update, Some(before), Some(after)) => {
            before.enabled != Seen::Known(false) && narrows(input, &before, &after, planned_roles)
        }
        _ => true,
    }
}
