//! What the planner may take from a ledger.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Event, Record};
use rolecall_model::{
    Action, Address, Change, DisableAnswer, Email, Entity, Facts, HeldChange, Invitation, InvitationState, Key,
    Kind, LostMint, MintedKey, NotTaken, Outcome, RemoteId, Seen, SentDisable, User,
};

/// A mutation, from its intent to the last that was heard of it.
struct Sent<'a> {
    run: &'a str,
    at: Timestamp,
    change: &'a Change,
    known: &'a BTreeSet<RemoteId>,
    first_step: bool,
    /// None: the process died before it knew.
    outcome: Option<Outcome>,
    /// The platform itself said no.
    refused: bool,
    id: Option<&'a RemoteId>,
    arrived: bool,
}

/// Folds the records, oldest first.
pub fn facts(records: &[Record]) -> Facts {
    let mut facts = Facts { ledger_found: !records.is_empty(), ..Facts::default() };
    let mut invited_in: BTreeMap<&Address, &str> = BTreeMap::new();
    let sent = gather(records);
    for (index, record) in records.iter().enumerate() {
        match &record.event {
            Event::Intent { .. } => {
                let Some(sent) = sent.get(&index) else { continue };
                if sent.first_step {
                    learn_step(sent, &mut facts);
                    continue;
                }
                if sent.change.action == Action::Invite {
                    invited_in.insert(&sent.change.address, sent.run);
                }
                learn(sent, &mut facts);
            }
            Event::Sighting { address, seen, accepted } => {
                let same_run = invited_in.get(address) == Some(&record.run.as_str());
                sighted(address, *seen, *accepted, same_run, &mut facts);
            }
            Event::Vanished { address } => address.id.iter().for_each(|id| facts.miss_disabled(id)),
            Event::Readmitted { address } => address.id.iter().for_each(|id| facts.see_readmitted(id)),
            Event::LeftAs { address, entity } => {
                let found = facts.not_taken.iter_mut().find(|earlier| earlier.change.address == *address);
                if let Some(earlier) = found {
                    earlier.left_as = Some((**entity).clone());
                }
            }
            Event::Settled { address } => facts.settle(address),
            Event::Lost { .. } => facts.updates_lose = true,
            Event::Held { address, reason } => {
                let refused = sent.range(..index).rev().find(|(_, sent)| sent.change.address == *address);
                if let Some((_, Sent { change, .. })) = refused {
                    let held = HeldChange { change: (*change).clone(), reason: reason.clone() };
                    facts.held.insert(address.clone(), held);
                }
            }
            Event::RunStarted { .. }
            | Event::Override { .. }
            | Event::Outcome { .. }
            | Event::Delivery { .. }
            | Event::RunFinished { .. }
            | Event::Recovered { .. } => {}
        }
    }
    facts
}

/// Every intent by its position, with what later lines say of it.
fn gather(records: &[Record]) -> BTreeMap<usize, Sent<'_>> {
    let mut sent: BTreeMap<usize, Sent<'_>> = BTreeMap::new();
    // One mutation may be a part of several changes.
    let mut open: BTreeMap<(&str, &str, &Address), usize> = BTreeMap::new();
    for (index, Record { at, run, event }) in records.iter().enumerate() {
        match event {
            Event::Intent { mutation, operation: _, change, known, first_step } => {
                open.insert((run, mutation, &change.address), index);
                let first_step = *first_step;
                let sending = Sent {
                    run,
                    at: *at,
                    change,
                    known,
                    first_step,
                    outcome: None,
                    refused: false,
                    id: None,
                    arrived: false,
                };
                sent.insert(index, sending);
            }
            Event::Outcome { mutation, address, outcome, refused, id, message: _ } => {
                let found = open.get(&(run.as_str(), mutation.as_str(), address));
                let found = found.and_then(|index| sent.get_mut(index));
                if let Some(sent) = found {
                    sent.outcome = Some(*outcome);
                    sent.refused = *refused;
                    sent.id = id.as_ref().or(sent.id);
                }
            }
            Event::Delivery { mutation, address, id, arrived } => {
                let found = open.get(&(run.as_str(), mutation.as_str(), address));
                let found = found.and_then(|index| sent.get_mut(index));
                if let Some(sent) = found {
                    sent.id = Some(id);
                    sent.arrived = *arrived;
                }
            }
            Event::RunStarted { .. }
            | Event::Override { .. }
            | Event::Sighting { .. }
            | Event::Vanished { .. }
            | Event::Readmitted { .. }
            | Event::Settled { .. }
            | Event::Lost { .. }
            | Event::Held { .. }
            | Event::LeftAs { .. }
            | Event::RunFinished { .. }
            | Event::Recovered { .. } => {}
        }
    }
    sent
}

/// What a mutation says that doesn't close its change.
fn learn_step(sent: &Sent<'_>, facts: &mut Facts) {
    let outcome = sent.outcome.unwrap_or(Outcome::Unsure);
    match (sent.change.action, &sent.change.after) {
        // The earlier invitation is taken back, and its successor not made yet.
        (Action::Invite, Some(Entity::User(user))) if matches!(outcome, Outcome::Done | Outcome::Unsure) => {
            facts.invitations.remove(&user.email);
            facts.taken_back.insert(user.email.clone(), user.clone());
        }
        (Action::Remove, Some(Entity::User(user))) if matches!(outcome, Outcome::Done | Outcome::Unsure) => {
            facts.invitations.remove(&user.email);
        }
        (_, _) if outcome == Outcome::NotTaken => {
            facts.not_taken.retain(|earlier| earlier.change.address != sent.change.address);
            facts.not_taken.push(NotTaken { at: sent.at, change: sent.change.clone(), left_as: None });
        }
        (_, _) => {}
    }
}

fn learn(sent: &Sent<'_>, facts: &mut Facts) {
    let outcome = sent.outcome.unwrap_or(Outcome::Unsure);
    if let Some(Entity::User(user)) = &sent.change.after {
        learn_disable(sent, user, outcome, facts);
    }
    // An id means that a key was made, whether its delivery failed or a read doesn't show it yet.
    if let (Some(Entity::Key(key)), Action::Create, Some(_)) = (&sent.change.after, sent.change.action, sent.id) {
        learn_mint(sent, key, facts);
    }
    if sent.refused {
        facts.refused.insert(sent.change.address.clone(), (sent.at, sent.change.clone()));
    }
    if matches!(outcome, Outcome::Failed | Outcome::Skipped) {
        return;
    }
    facts.refused.remove(&sent.change.address);
    // It was asked for again, and the platform had it.
    facts.held.remove(&sent.change.address);
    facts.not_taken.retain(|earlier| earlier.change.address != sent.change.address);
    if outcome == Outcome::NotTaken {
        if let (Some(Entity::User(user)), Action::Invite) = (&sent.change.after, sent.change.action) {
            // Its mail may be out.
            facts.invitations.insert(user.email.clone(), invitation(sent.at, InvitationState::Unsure));
        }
        facts.not_taken.push(NotTaken { at: sent.at, change: sent.change.clone(), left_as: None });
        return;
    }
    match (&sent.change.after, sent.change.action) {
        (Some(Entity::User(user)), Action::Invite) => {
            let state = match outcome {
                Outcome::Done => InvitationState::Sent,
                Outcome::Unsure | Outcome::Failed | Outcome::Skipped | Outcome::NotTaken => {
                    InvitationState::Unsure
                }
            };
            facts.invitations.insert(user.email.clone(), invitation(sent.at, state));
            if outcome == Outcome::Done {
                facts.taken_back.remove(&user.email);
            }
        }
        // Whoever left by our doing may be invited again.
        (Some(Entity::User(user)), Action::Remove) => {
            facts.invitations.remove(&user.email);
        }
        (Some(Entity::User(user)), _) => learn_enabled(user, outcome, facts),
        (Some(Entity::Key(key)), Action::Create) if sent.id.is_none() => learn_mint(sent, key, facts),
        (None, Action::Delete) if sent.change.address.kind == Kind::Organization => facts.organization_made = None,
        (None, Action::Cancel | Action::Delete) => {
            if let Some(Entity::User(user)) = &sent.change.before {
                facts.invitations.remove(&user.email);
            }
        }
        (Some(Entity::Organization(_)), Action::Create) => facts.organization_made = Some(sent.at),
        (Some(Entity::Organization(_) | Entity::Team(_) | Entity::Key(_) | Entity::Role(_)) | None, _) => {}
    }
}

fn invitation(at: Timestamp, state: InvitationState) -> Invitation {
    Invitation { at, state, seen: false, accepted: false, hidden_at_first: false }
}

/// Whoever may be disabled, until another update is seen to have taken, which is only for those who are in.
fn learn_disable(sent: &Sent<'_>, user: &User, outcome: Outcome, facts: &mut Facts) {
    let Some(id) = &user.id else { return };
    let answer = match (outcome, user.enabled) {
        (Outcome::Done, Seen::Known(false)) => DisableAnswer::Done,
        (Outcome::Unsure, Seen::Known(false)) => DisableAnswer::Lost,
        (Outcome::NotTaken, Seen::Known(false)) => DisableAnswer::NotSeen,
        (Outcome::Failed, Seen::Known(false)) => {
            // The platform said no, perhaps because it was done before. Any other failure says nothing.
            if let Some(earlier) = facts.disables.get_mut(id).filter(|_| sent.refused)
                && matches!(earlier.answer, DisableAnswer::Lost | DisableAnswer::Done)
            {
                earlier.answer = DisableAnswer::Refused;
            }
            return;
        }
        (Outcome::Done, Seen::Known(true) | Seen::Unreadable) => {
            facts.disables.remove(id);
            return;
        }
        (Outcome::Skipped | Outcome::Failed | Outcome::Unsure | Outcome::NotTaken, _) => return,
    };
    let disable = SentDisable { at: sent.at, email: user.email.clone(), answer, gone: false };
    facts.disables.insert(id.clone(), disable);
}

fn learn_enabled(user: &User, outcome: Outcome, facts: &mut Facts) {
    let (Some(id), Seen::Known(enabled)) = (&user.id, user.enabled) else {
        return;
    };
    if outcome == Outcome::Done {
        facts.enabled_sent.insert(id.clone(), enabled);
    } else if facts.enabled_sent.get(id).is_some_and(|earlier| *earlier != enabled) {
        // The other value may or may not have arrived: nothing is known any more.
        facts.enabled_sent.remove(id);
    }
}

fn learn_mint(sent: &Sent<'_>, key: &Key, facts: &mut Facts) {
    let Some(id) = sent.id else {
        facts.lost_mints.push(LostMint { asked: key.clone(), known: sent.known.clone(), among: None });
        return;
    };
    if sent.arrived {
        // From here on a new namesake may be anybody's. What was there when this one was asked for may be ours.
        for lost in facts.lost_mints.iter_mut().filter(|lost| lost.asked.name == key.name && lost.among.is_none())
        {
            lost.among = Some(sent.known.clone());
        }
    }
    let mut supersedes = BTreeSet::new();
    if let Some(Entity::Key(Key { id: Some(old), .. })) = &sent.change.before {
        if let Some(older) = facts.minted.get(old) {
            supersedes.extend(older.supersedes.iter().cloned());
        }
        supersedes.insert(old.clone());
    }
    let minted = MintedKey { delivered: sent.arrived, asked: key.clone(), at: sent.at, supersedes };
    facts.minted.insert(id.clone(), minted);
}

fn sighted(address: &Address, seen: bool, accepted: bool, same_run: bool, facts: &mut Facts) {
    if address.kind != Kind::User {
        return;
    }
    let email = Email::seen(&address.name);
    if seen {
        facts.see_invited(&email, accepted);
    } else if let Some(invitation) = facts.invitations.get_mut(&email).filter(|_| same_run) {
        invitation.hidden_at_first = true;
    }
}
