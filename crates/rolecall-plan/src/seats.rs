//! Counts seats. A member and an open invitation take one each, and the platform refuses an invitation without a free
//! one. A user who leaves frees theirs, and a newcomer of the same plan gets it.
//!
//! For example, all nine seats are taken, one user leaves, and two are invited. The first invitation waits until the
//! user has left. The second is held, because one more seat is needed.

use super::PlanInput;
use super::gate::Gate;
use super::schedule::{Node, all_dependencies, indices};
use rolecall_model::{Action, Address, Change, Effect, Entity, Hold, HoldReason, Kind, Stage, UnreadableRow};

/// Returns whether a change takes a seat: it invites somebody who has no open invitation.
fn takes(change: &Change) -> bool {
    change.action == Action::Invite && !change.effects.contains(&Effect::ReplacesInvitation)
}

/// Returns whether a change gives up a seat for a moment: an open invitation is cancelled and sent again.
fn takes_again(change: &Change) -> bool {
    change.action == Action::Invite && change.effects.contains(&Effect::ReplacesInvitation)
}

/// Returns whether a change frees a seat: a member leaves, or an open invitation is cancelled.
fn frees(change: &Change) -> bool {
    let is_in = change.before.as_ref().and_then(Entity::user).is_some_and(|user| !user.outside);
    is_in && matches!(change.action, Action::Remove | Action::Delete | Action::Cancel)
}

/// Returns the number of seats that are taken before the plan. `None` if the lists are incomplete, or the platform
/// shows no number of seats.
fn taken(input: &PlanInput<'_>) -> Option<(usize, u32)> {
    let seats = input.live.organization_entity.as_ref()?.seats?;
    let complete = input.live.invitations.is_some() && input.live.hold_if_people_incomplete().is_none();
    // A user whom nobody can name takes a seat too.
    let is_user = |row: &&UnreadableRow| matches!(row.address.kind, Kind::User | Kind::Invitation);
    let unreadable = input.live.unreadable.iter().filter(is_user).count();
    complete.then(|| (input.live.users.items.len() + input.live.open_invitations().count() + unreadable, seats))
}

/// Returns the place of a newcomer among those who want a seat. Somebody whose invitation rolecall cancelled, to send a
/// corrected one, comes first: the seat was theirs before the run was interrupted.
fn seat_order(input: &PlanInput<'_>, address: &Address) -> (bool, Address) {
    let had_seat = input.facts.cancelled_to_correct.keys().any(|email| Address::user(email) == *address);
    (!had_seat, address.clone())
}

/// Returns the number of seats that newcomers can have: while a plan runs, this is the higher of the numbers before and
/// after it.
fn available(live: u32, changes: &[Change]) -> usize {
    let updates = changes.iter().filter_map(|change| change.after.as_ref().and_then(Entity::organization)?.seats);
    updates.chain([live]).max().unwrap_or(live) as usize
}

/// Holds the changes for which there are too few seats: a lower number of seats, and then invitations.
pub(super) fn hold_without_seat(input: &PlanInput<'_>, gate: &mut Gate<'_>) {
    hold_creation(gate);
    let Some((taken, live)) = taken(input) else { return };
    let newcomers = gate.changes.iter().filter(|change| takes(change)).count();
    let leavers = gate.changes.iter().filter(|change| frees(change)).count();
    let organization = Address::organization();
    let needed = (taken + newcomers).saturating_sub(leavers);
    let update = gate.changes.iter().position(|change| change.address == organization);
    if let Some(index) = update.filter(|_| !input.is_asserted(&organization))
        && let Change { before: Some(before), after: Some(Entity::Organization(after)), .. } =
            &mut gate.changes[index]
        && let Some(seats) = after.seats.filter(|seats| *seats < live && (*seats as usize) < needed)
    {
        after.seats = Some(live);
        let is_same = matches!(before, Entity::Organization(before) if before == after);
        gate.changes[index].effects.retain(|effect| *effect != Effect::MayBill);
        if is_same {
            gate.changes.remove(index);
        }
        gate.hold(organization, HoldReason::TooFewSeats { seats, needed });
    }
    let seats = available(live, &gate.changes);
    let taken = taken.saturating_sub(leavers);
    let missing = (taken + newcomers).saturating_sub(seats);
    if missing == 0 {
        return;
    }
    let which = |gate: &Gate<'_>, is: fn(&Change) -> bool| -> Vec<Address> {
        gate.changes.iter().filter(|change| is(change)).map(|change| change.address.clone()).collect()
    };
    let mut invited = which(gate, takes);
    invited.sort_by_cached_key(|address| seat_order(input, address));
    // More seats may be taken than there are. Then whoever gives up a seat doesn't get it back.
    let admitted = newcomers.saturating_sub(missing);
    let mut held = invited.split_off(admitted);
    if taken > seats {
        held.extend(which(gate, takes_again));
    }
    let (taken, seats) = (taken + admitted, u32::try_from(seats).unwrap_or(u32::MAX));
    for address in held {
        if !input.is_asserted(&address) {
            gate.changes.retain(|change| change.address != address);
            gate.hold(address, HoldReason::NoSeat { taken, seats, missing });
        }
    }
}

/// Holds the creation of an organisation that has too few seats for its creator and the users that it invites.
fn hold_creation(gate: &mut Gate<'_>) {
    let needed = gate.changes.iter().find_map(|change| {
        let organization = change.after.as_ref().filter(|_| change.action == Action::Create)?.organization()?;
        let needed = organization.invites.len() + 1;
        let seats = organization.seats.filter(|seats| (*seats as usize) < needed)?;
        Some(HoldReason::TooFewSeats { seats, needed })
    });
    if let Some(reason) = needed {
        gate.changes.retain(|change| change.address != Address::organization());
        gate.holds.push(Hold::new(Address::organization(), reason));
    }
}

/// Makes invitations wait for the seats that they need: added ones, and those of users who leave. Makes the removal of
/// seats wait for all who leave.
pub(super) fn dependencies(input: &PlanInput<'_>, changes: &[Change], nodes: &mut [Node<'_>]) {
    let seats = |entity: &Option<Entity>| entity.as_ref().and_then(Entity::organization)?.seats;
    let update = nodes.iter().enumerate().find_map(|(index, node)| {
        let (before, after) = (seats(&node.change.before)?, seats(&node.change.after)?);
        (before != after).then_some((index, after > before))
    });
    let leaving: Vec<usize> = indices(nodes, |node| frees(node.change));
    let invites: Vec<usize> =
        indices(nodes, |node| node.change.action == Action::Invite && node.mutation.stage != Stage::Clear);
    match update {
        Some((update, true)) => invites.iter().for_each(|invite| {
            nodes[*invite].needs.insert(update);
        }),
        Some((update, false)) => nodes[update].needs.extend(&leaving),
        None => {}
    }
    let Some((taken, live)) = taken(input) else { return };
    let available = available(live, changes);
    if taken > available {
        // Those who leave first only make up for the seats that are missing, so everybody waits for all of them.
        let invites = indices(nodes, |node| node.change.action == Action::Invite);
        for invite in invites {
            let waits = |leaver: &&usize| !all_dependencies(nodes, **leaver).contains(&invite);
            let leavers: Vec<usize> = leaving.iter().filter(waits).copied().collect();
            nodes[invite].needs.extend(leavers);
        }
        return;
    }
    let free = available - taken;
    let mut newcomers: Vec<usize> = invites.into_iter().filter(|index| takes(nodes[*index].change)).collect();
    newcomers.sort_by_cached_key(|index| seat_order(input, &nodes[*index].change.address));
    let mut left: Vec<&Address> = leaving.iter().map(|index| &nodes[*index].change.address).collect();
    left.sort();
    left.dedup();
    for newcomer in newcomers.into_iter().skip(free) {
        // A user who stays until the newcomer is there frees no seat for them.
        let waits = |address: &&Address| {
            let mut of_leaver = leaving.iter().filter(|index| nodes[**index].change.address == **address);
            of_leaver.any(|index| all_dependencies(nodes, *index).contains(&newcomer))
        };
        let Some(position) = left.iter().position(|address| !waits(address)) else { continue };
        let address = left.remove(position);
        let seats = leaving.iter().copied().filter(|index| nodes[*index].change.address == *address);
        let seats: Vec<usize> = seats.collect();
        nodes[newcomer].needs.extend(seats);
    }
}
