//! Folds the records of a ledger into the facts that the planner takes from it.
//!
//! That is how a run resumes after a kill: nothing is repaired, the next run just plans from the ledger and a
//! fresh read. Every mutation has an intent on disk before it is sent. An intent without an outcome means that the
//! run was killed before it knew the answer, so the outcome counts as unsure.
//!
//! For example, a run is killed while it invites Jane. The ledger has the intent of her invitation and no outcome,
//! so the facts call her invitation unsure. If the next read lists the invitation, it is known to be sent. If the
//! platform lists no invitations, the plan holds Jane and sends no second mail unless asked with `--assert`. Or a
//! run is killed while it creates the key `ci`: the secret is lost, and the facts keep the request with the ids of
//! the keys that existed before. A new key with that name and these values is then known to be the lost one: the
//! plan retires it and mints another.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use jiff::Timestamp;

use super::{Event, Record};
use rolecall_model::{
    Action, Address, AppliedChange, Change, DisableAnswer, Effect, Email, Entity, Facts, FinishedRun, HeldChange,
    Invitation, InvitationState, Key, Kind, KnownMember, LostMint, MintedKey, NotTaken, Outcome, Receipt,
    RemoteId, Renames, Seen, SentChange, SentDisable, Shown, User,
};

/// The number of finished runs that the facts have. Each merge changes what the files ask for, so without a limit no line about
/// the end of a run could ever go.
const FINISHED: usize = 1000;

/// A mutation: its intent and what later records say about it.
struct SentMutation<'a> {
    /// The position of the intent among the records.
    position: usize,
    run: &'a str,
    at: Timestamp,
    change: &'a Change,
    existed_before: &'a BTreeSet<RemoteId>,
    first_step: bool,
    /// The first outcome, and the last correction of it. `None` if the run was killed before it knew.
    outcomes: Option<(RecordedOutcome, RecordedOutcome)>,
    place: Place,
    id: Option<&'a RemoteId>,
    receipt: Option<Receipt>,
    arrived: bool,
    /// True if a target may have the secret although no delivery is recorded: the last record of it is that it begins, or
    /// the run recorded nothing before it, as versions before 2.4 did.
    doubtful: bool,
}

/// The place of a mutation among those of its entity that may have had an effect and complete a change.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Earlier,
    Latest,
}

#[derive(Clone, Copy)]
struct RecordedOutcome {
    outcome: Outcome,
    /// True if the platform itself refused the mutation.
    refused: bool,
}

impl SentMutation<'_> {
    /// Returns the last outcome. Without an answer, it is unsure.
    fn outcome(&self) -> Outcome {
        self.outcomes.map_or(Outcome::Unsure, |(_, last)| last.outcome)
    }

    /// Returns whether the platform itself refused the mutation.
    fn is_refused(&self) -> bool {
        self.outcomes.is_some_and(|(_, last)| last.refused)
    }

    /// Returns whether the platform may have changed something. An id means that a key was created, even if its delivery
    /// failed.
    fn may_have_effect(&self) -> bool {
        !matches!(self.outcome(), Outcome::Failed | Outcome::Skipped) || self.id.is_some()
    }

    /// Returns whether the first answer had no error.
    fn is_confirmed(&self) -> bool {
        self.outcomes.is_some_and(|(first, _)| first.outcome == Outcome::Done)
    }
}

/// Returns the facts of these records, which are ordered from the oldest.
pub fn facts(records: &[Record]) -> Facts {
    let mut facts = Facts {
        ledger_found: records.iter().any(|record| !matches!(record.event, Event::DriftFinished { .. })),
        ledger_since: records.first().map(|record| record.at),
        last_apply: last_apply(records).map(|(at, _)| at),
        ..Facts::default()
    };
    let mut invited_in: BTreeMap<&Address, &str> = BTreeMap::new();
    // The latest change of each entity, if anything is held.
    let mut latest: BTreeMap<&Address, &Change> = BTreeMap::new();
    let is_any_held = records.iter().any(|record| matches!(record.event, Event::Held { .. }));
    let mut sent = gather(records);
    facts.touched = touched(&mut sent);
    let mut sent = sent.iter();
    for (index, record) in records.iter().enumerate() {
        match &record.event {
            Event::Intent { .. } => {
                let Some(sent) = sent.next() else { continue };
                if is_any_held {
                    latest.insert(&sent.change.address, sent.change);
                }
                if sent.outcome() == Outcome::Done {
                    // What the ledger knows of users and keys has the earlier name.
                    Renames::of_change(sent.change).rename_in_facts(&mut facts);
                }
                if sent.first_step {
                    record_first_step(sent, &mut facts);
                    continue;
                }
                if sent.change.action == Action::Invite {
                    invited_in.insert(&sent.change.address, sent.run);
                }
                if sent.place == Place::Latest {
                    record_applied(sent, &mut facts);
                }
                record_outcome(sent, &mut facts);
            }
            Event::Sighting { address, seen, accepted } => {
                let same_run = invited_in.get(address) == Some(&record.run.as_str());
                record_sighting(address, *seen, *accepted, same_run, &mut facts);
            }
            Event::Members { listed } => {
                for address in listed {
                    let Some(id) = &address.id else { continue };
                    let known = KnownMember { email: Email::seen(&address.name), since: record.at };
                    facts.members.insert(id.clone(), known);
                }
            }
            Event::Keys { listed } => {
                for id in listed.iter().filter_map(|address| address.id.as_ref()) {
                    facts.keys_seen.entry(id.clone()).or_insert(record.at);
                }
            }
            Event::Vanished { address } => address.id.iter().for_each(|id| facts.record_unlisted(id)),
            Event::Readmitted { address } => address.id.iter().for_each(|id| facts.record_readmitted(id)),
            Event::LeftAs { address, entity } => {
                if let Some(earlier) = facts.not_taken.get_mut(address) {
                    earlier.left_as = Some((**entity).clone());
                }
            }
            Event::Settled { address } => facts.record_in_effect(address),
            Event::Lost { .. } => facts.updates_clear_values = true,
            Event::Held { address, reason } => {
                if let Some(change) = latest.get(address) {
                    let held = HeldChange { change: (*change).clone(), reason: reason.clone() };
                    facts.held.insert(address.clone(), held);
                }
            }
            Event::RunFinished {
                in_sync: _,
                desired: Some(desired),
                differing,
                directory_people,
                not_selected: _,
            } => {
                facts.directory_people.extend(directory_people.clone());
                let (run, desired, differing) = (record.run.clone(), desired.clone(), differing.clone());
                let finished = FinishedRun { at: record.at, run, position: index, desired, differing };
                facts
                    .finished
                    .pop_if(|last| (&last.desired, &last.differing) == (&finished.desired, &finished.differing));
                facts.finished.push(finished);
            }
            Event::DriftFinished { .. } => facts.last_drift = facts.last_drift.max(Some(record.at)),
            Event::RunStarted { .. }
            | Event::Override { .. }
            | Event::Outcome { .. }
            | Event::Delivery { .. }
            | Event::RunFinished { desired: None, .. }
            | Event::Archived { .. }
            | Event::Recovered { .. } => {}
        }
    }
    facts.finished.drain(..facts.finished.len().saturating_sub(FINISHED));
    facts
}

/// Returns the time and the position of the end of the last apply that did everything that it was to do, and could read afterwards. A run that had nothing
/// to send is one too. One that left changes out isn't: a schedule of `--leftovers` doesn't show that merges are applied.
pub(super) fn last_apply(records: &[Record]) -> Option<(Timestamp, usize)> {
    let end = |(line, Record { at, event, .. }): (usize, &Record)| {
        matches!(event, Event::RunFinished { in_sync: Some(_), not_selected: 0, .. }).then_some((*at, line))
    };
    let ends: BTreeSet<(Timestamp, usize)> = records.iter().enumerate().filter_map(end).collect();
    ends.into_iter().rev().find(|(_, line)| not_done(records, *line).is_empty())
}

/// Returns the lines of the mutations that were not done when a run ended. `end` is the line of its end. The lines of two runs
/// never mix, because a run locks the ledger.
pub(super) fn not_done(records: &[Record], end: usize) -> Vec<usize> {
    let start = records[..end].iter().rposition(|record| matches!(record.event, Event::RunStarted { .. }));
    let mut open: BTreeMap<(&str, &Address), Vec<usize>> = BTreeMap::new();
    for (line, Record { event, .. }) in records[..end].iter().enumerate().skip(start.unwrap_or_default()) {
        match event {
            Event::Intent { mutation, change, .. } => {
                open.entry((mutation, &change.address)).or_default().push(line);
            }
            Event::Outcome { mutation, address, outcome: Outcome::Done, .. } => {
                open.remove(&(mutation.as_str(), address));
            }
            Event::Outcome { mutation, address, .. } => open.entry((mutation, address)).or_default().push(line),
            _ => {}
        }
    }
    open.into_values().flatten().collect()
}

/// Returns the position of the latest mutation of each entity that may have had an effect, and marks the latest that
/// completes a change.
fn touched(sent: &mut [SentMutation<'_>]) -> BTreeMap<Address, usize> {
    let mut latest: BTreeMap<(Kind, &str), (&SentMutation<'_>, Option<usize>)> = BTreeMap::new();
    for (number, sent) in sent.iter().enumerate().filter(|(_, sent)| sent.may_have_effect()) {
        let completes = !sent.first_step && !matches!(sent.outcome(), Outcome::Failed | Outcome::Skipped);
        let entry = latest.entry((sent.change.address.kind, &sent.change.address.name)).or_insert((sent, None));
        *entry = (sent, completes.then_some(number).or(entry.1));
    }
    let touched = latest.values().map(|(sent, _)| (without_id(&sent.change.address), sent.position)).collect();
    let complete: Vec<usize> = latest.into_values().filter_map(|(_, number)| number).collect();
    for number in complete {
        sent[number].place = Place::Latest;
    }
    touched
}

fn without_id(address: &Address) -> Address {
    Address { id: None, ..address.clone() }
}

/// Records a change that may have had an effect.
fn record_applied(sent: &SentMutation<'_>, facts: &mut Facts) {
    let applied = AppliedChange {
        at: sent.at,
        run: sent.run.to_owned(),
        id: sent.id.or(sent.change.entity().and_then(Entity::id)).cloned(),
        after: sent.change.after.clone(),
        position: sent.position,
        // Nobody is a member by an invitation alone.
        done: sent.outcome() == Outcome::Done && sent.change.action != Action::Invite,
    };
    facts.applied.insert(without_id(&sent.change.address), applied);
}

/// Returns the changes that runs of the plan with this seal have sent. A later run may have sent only the rest of it.
pub(super) fn sent_under(records: &[Record], seal: &str) -> BTreeMap<Address, SentChange> {
    let is_of_plan = |record: &&Record| match &record.event {
        Event::RunStarted { seal: sent, approved, .. } => sent == seal || approved.as_deref() == Some(seal),
        _ => false,
    };
    let runs: BTreeSet<&str> = records.iter().filter(is_of_plan).map(|record| record.run.as_str()).collect();
    let mut changes: BTreeMap<Address, SentChange> = BTreeMap::new();
    for sent in gather(records).iter().filter(|sent| runs.contains(sent.run)) {
        let change = changes.entry(sent.change.address.clone()).or_default();
        change.done |= !sent.first_step && sent.outcome() == Outcome::Done;
        change.id = sent.id.cloned().or(change.id.take());
    }
    changes
}

/// The mutations of each run. One mutation can belong to several changes, and each of them has an intent of its own.
#[derive(Default)]
pub(super) struct Intents<'a> {
    /// The run of the last line, which is nearly always that of the next one.
    run: &'a str,
    of_run: BTreeMap<(&'a str, &'a Address), usize>,
    of_others: BTreeMap<&'a str, BTreeMap<(&'a str, &'a Address), usize>>,
}

impl<'a> Intents<'a> {
    pub fn of(&mut self, run: &'a str) -> &mut BTreeMap<(&'a str, &'a Address), usize> {
        if self.run != run {
            let of_run = self.of_others.remove(run).unwrap_or_default();
            self.of_others.insert(self.run, mem::replace(&mut self.of_run, of_run));
            self.run = run;
        }
        &mut self.of_run
    }
}

/// Returns the mutation of each intent, in order, with what later records say about it.
fn gather(records: &[Record]) -> Vec<SentMutation<'_>> {
    let mut sent: Vec<SentMutation<'_>> = Vec::new();
    let mut intents = Intents::default();
    // The latest mutation that created each entity.
    let mut created: BTreeMap<&RemoteId, usize> = BTreeMap::new();
    let mut records_begin = false;
    for (position, Record { at, run, event }) in records.iter().enumerate() {
        match event {
            Event::RunStarted { format_version, .. } => records_begin = is_since_2_4(format_version),
            Event::Intent { mutation, operation: _, change, known, first_step } => {
                intents.of(run).insert((mutation, &change.address), sent.len());
                sent.push(SentMutation {
                    position,
                    run,
                    at: *at,
                    change,
                    existed_before: known,
                    first_step: *first_step,
                    outcomes: None,
                    place: Place::Earlier,
                    id: None,
                    receipt: None,
                    arrived: false,
                    doubtful: !records_begin,
                });
            }
            Event::Outcome { mutation, address, outcome, refused, id, message: _ } => {
                if let Some(number) = intents.of(run).get(&(mutation.as_str(), address)).copied() {
                    if let Some(id) = id {
                        created.entry(id).and_modify(|latest| *latest = number.max(*latest)).or_insert(number);
                    }
                    let sent = &mut sent[number];
                    let outcome = RecordedOutcome { outcome: *outcome, refused: *refused };
                    sent.outcomes = Some((sent.outcomes.map_or(outcome, |(first, _)| first), outcome));
                    sent.id = id.as_ref().or(sent.id);
                }
            }
            Event::Delivery { mutation, address, id, arrived, begun, to, not_to, fingerprint, encrypted } => {
                // A later run may have found the secret in a target.
                let requested = || intents.of(run).get(&(mutation.as_str(), address)).copied();
                if let Some(number) = created.get(id).copied().or_else(requested) {
                    created.insert(id, number);
                    let sent = &mut sent[number];
                    sent.id = Some(id);
                    (sent.arrived, sent.doubtful) = (*arrived, *begun);
                    let (to, not_to, fingerprint) = (to.clone(), not_to.clone(), fingerprint.clone());
                    sent.receipt =
                        Some(Receipt { at: *at, to, not_to, fingerprint, encrypted: encrypted.clone() });
                }
            }
            Event::Override { .. }
            | Event::Sighting { .. }
            | Event::Members { .. }
            | Event::Keys { .. }
            | Event::Vanished { .. }
            | Event::Readmitted { .. }
            | Event::Settled { .. }
            | Event::Lost { .. }
            | Event::Held { .. }
            | Event::LeftAs { .. }
            | Event::RunFinished { .. }
            | Event::DriftFinished { .. }
            | Event::Archived { .. }
            | Event::Recovered { .. } => {}
        }
    }
    sent
}

/// Returns whether a ledger of this version records each delivery before it begins.
fn is_since_2_4(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or_default());
    (numbers.next(), numbers.next()) >= (Some(2), Some(4))
}

/// Records a first step, which doesn't complete its change.
fn record_first_step(sent: &SentMutation<'_>, facts: &mut Facts) {
    let outcome = sent.outcome();
    match (sent.change.action, &sent.change.after) {
        // The earlier invitation is cancelled, and the one that replaces it isn't sent yet.
        (Action::Invite, Some(Entity::User(user))) if matches!(outcome, Outcome::Done | Outcome::Unsure) => {
            facts.invitations.remove(&user.email);
            facts.cancelled_to_correct.insert(user.email.clone(), user.clone());
        }
        (Action::Remove, Some(Entity::User(user))) if matches!(outcome, Outcome::Done | Outcome::Unsure) => {
            facts.removed.insert(Address::user(&user.email));
            facts.invitations.remove(&user.email);
        }
        (_, _) if outcome == Outcome::NotTaken => {
            record_not_taken(sent, facts);
        }
        (_, _) => {}
    }
}

fn record_not_taken(sent: &SentMutation<'_>, facts: &mut Facts) {
    let not_taken = NotTaken { at: sent.at, change: sent.change.clone(), left_as: None };
    facts.not_taken.insert(sent.change.address.clone(), not_taken);
}

/// Records a mutation that completes its change.
fn record_outcome(sent: &SentMutation<'_>, facts: &mut Facts) {
    let outcome = sent.outcome();
    if let Some(Entity::User(user)) = &sent.change.after {
        record_disable(sent, user, outcome, facts);
    }
    // An id means that a key was created, even if its delivery failed or a read doesn't show it yet.
    if let (Some(Entity::Key(key)), Action::Create, Some(_)) = (&sent.change.after, sent.change.action, sent.id) {
        record_mint(sent, key, facts);
    }
    if sent.is_refused() {
        facts.refused.insert(sent.change.address.clone(), (sent.at, sent.change.clone()));
    }
    if matches!(outcome, Outcome::Failed | Outcome::Skipped) {
        return;
    }
    facts.refused.remove(&sent.change.address);
    // The change was requested again, and this time the platform accepted it.
    facts.held.remove(&sent.change.address);
    facts.not_taken.remove(&sent.change.address);
    let address = without_id(&sent.change.address);
    if outcome != Outcome::NotTaken && sent.change.action.takes_access() {
        facts.removed.insert(address);
    } else {
        facts.removed.remove(&address);
    }
    if outcome == Outcome::NotTaken {
        if let (Some(Entity::User(user)), Action::Invite) = (&sent.change.after, sent.change.action) {
            // The mail may have been sent.
            facts.invitations.insert(user.email.clone(), invitation(sent, user, InvitationState::Unsure));
        }
        record_not_taken(sent, facts);
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
            facts.invitations.insert(user.email.clone(), invitation(sent, user, state));
            if outcome == Outcome::Done {
                facts.cancelled_to_correct.remove(&user.email);
            }
        }
        // A user that rolecall removed can be invited again.
        (Some(Entity::User(user)), Action::Remove) => {
            facts.invitations.remove(&user.email);
        }
        (Some(Entity::User(user)), _) => {
            record_enabled(user, outcome, facts);
            if let Some(invitation) = facts.invitations.get_mut(&user.email).filter(|_| outcome == Outcome::Done) {
                invitation.incomplete = None;
            }
        }
        (Some(Entity::Key(key)), Action::Create) if sent.id.is_none() => record_mint(sent, key, facts),
        (None, Action::Delete) if sent.change.address.kind == Kind::Organization => {
            facts.organization_creation_sent = None;
        }
        (None, Action::Cancel | Action::Delete) => {
            if let Some(Entity::User(user)) = &sent.change.before {
                facts.invitations.remove(&user.email);
            }
        }
        (Some(Entity::Organization(_)), Action::Create) => facts.organization_creation_sent = Some(sent.at),
        (Some(Entity::Organization(_) | Entity::Team(_) | Entity::Key(_) | Entity::Role(_)) | None, _) => {}
    }
}

fn invitation(sent: &SentMutation<'_>, user: &User, state: InvitationState) -> Invitation {
    let follows = |effect: &Effect| matches!(effect, Effect::AccessFollows | Effect::RolesFollow);
    let incomplete = sent.change.effects.iter().any(follows).then(|| user.clone());
    let mail_unproven = state == InvitationState::Sent && !sent.is_confirmed();
    let (at, roles) = (sent.at, user.roles.clone());
    Invitation { at, roles, state, shown: Shown::NotYet, mail_unproven, hidden_at_first: false, incomplete }
}

/// Records that a user may be disabled. A later update of the user that is done removes the record, because only a
/// user who is in the organisation can be updated.
fn record_disable(sent: &SentMutation<'_>, user: &User, outcome: Outcome, facts: &mut Facts) {
    let Some(id) = &user.id else { return };
    let answer = match (outcome, user.enabled) {
        (Outcome::Done, Seen::Known(false)) => DisableAnswer::Done,
        (Outcome::Unsure, Seen::Known(false)) => DisableAnswer::Lost,
        (Outcome::NotTaken, Seen::Known(false)) => DisableAnswer::NotSeen,
        (Outcome::Failed, Seen::Known(false)) => {
            // The platform refused, perhaps because the user was already disabled. Any other failure tells
            // nothing.
            if let Some(earlier) = facts.disables.get_mut(id).filter(|_| sent.is_refused())
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
    let disable = SentDisable { at: sent.at, email: user.email.clone(), answer, unlisted: false };
    facts.disables.insert(id.clone(), disable);
}

fn record_enabled(user: &User, outcome: Outcome, facts: &mut Facts) {
    let (Some(id), Seen::Known(enabled)) = (&user.id, user.enabled) else {
        return;
    };
    if outcome == Outcome::Done {
        facts.enabled_sent.insert(id.clone(), enabled);
    } else if facts.enabled_sent.get(id).is_some_and(|earlier| *earlier != enabled) {
        // The other value may or may not have arrived, so the status is unknown.
        facts.enabled_sent.remove(id);
    }
}

fn record_mint(sent: &SentMutation<'_>, key: &Key, facts: &mut Facts) {
    // The expiry that was requested counts from the time of the request.
    let expires = key.expires.or_else(|| Some(key.lifetime?.from(sent.at)));
    let requested = Key { expires, lifetime: None, ..key.clone() };
    let mut supersedes = BTreeSet::new();
    if let Some(Entity::Key(Key { id: Some(old), .. })) = &sent.change.before {
        if let Some(older) = facts.minted.get(old) {
            supersedes.extend(older.supersedes.iter().cloned());
        }
        supersedes.insert(old.clone());
    }
    let receipt = sent.receipt.clone();
    // Without an id, the answer was lost, and the secret with it.
    let doubtful = sent.doubtful && sent.id.is_some();
    let minted = MintedKey { delivered: sent.arrived, requested, at: sent.at, supersedes, receipt, doubtful };
    let Some(id) = sent.id else {
        let existed_before = sent.existed_before.clone();
        facts.lost_mints.push(LostMint { minted, existed_before, candidates: None });
        return;
    };
    if sent.arrived {
        // From here on, a new key with this name can be from somebody else. A lost one is among those that existed
        // when this one was requested.
        for lost in facts
            .lost_mints
            .iter_mut()
            .filter(|lost| lost.minted.requested.name == key.name && lost.candidates.is_none())
        {
            lost.candidates = Some(sent.existed_before.clone());
        }
    }
    facts.minted.insert(id.clone(), minted);
}

/// Records whether a read showed an invited user.
fn record_sighting(address: &Address, seen: bool, accepted: bool, same_run: bool, facts: &mut Facts) {
    if address.kind != Kind::User {
        return;
    }
    let email = Email::seen(&address.name);
    if seen {
        facts.record_seen(&email, accepted);
    } else if let Some(invitation) = facts.invitations.get_mut(&email).filter(|_| same_run) {
        invitation.hidden_at_first = true;
    }
}
