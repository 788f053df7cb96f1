//! Finds the lines of a long ledger that something still rests on.
//!
//! For example, Jane's role was updated in twenty runs. Each update was done, and nothing else was recorded about her between
//! them. Only the last update tells the planner anything. So the lines of the others can go, and then those of a run that has
//! no others.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Intents, facts, last_apply, not_done};
use super::{Event, Record};
use rolecall_model::{Action, Address, Change, Entity, Facts, Kind, Outcome, Seen};

/// Returns the positions of the lines that something rests on, in order. Returns all of them if the facts would differ
/// without the others.
pub(super) fn needed(records: &[Record]) -> Vec<usize> {
    let all = facts(records);
    let history = History::of(records);
    let mut stays: Vec<bool> = records.iter().map(|record| !is_of_its_time(&record.event)).collect();
    for number in history.replaced() {
        history.sent[number].lines().for_each(|line| stays[line] = false);
    }
    stays.iter_mut().take(1).for_each(|first| *first = true);
    // The last run may go on.
    let last_run = records.iter().rposition(|record| matches!(record.event, Event::RunStarted { .. }));
    stays[last_run.unwrap_or_default()..].fill(true);
    let ends = ends(records, &all);
    // Without the lines of what was not done, a run would look like a good one.
    for line in ends.iter().flat_map(|end| not_done(records, *end)).chain(ends.iter().copied()) {
        stays[line] = true;
    }
    let runs: BTreeSet<&str> =
        records.iter().zip(&stays).filter(|(_, stays)| **stays).map(|(record, _)| &*record.run).collect();
    for (record, stays) in records.iter().zip(&mut stays) {
        *stays |= matches!(record.event, Event::RunStarted { .. }) && runs.contains(&*record.run);
    }
    let needed: Vec<usize> = (0..records.len()).filter(|line| stays[*line]).collect();
    let kept: Vec<Record> = needed.iter().map(|line| records[*line].clone()).collect();
    if at_positions(facts(&kept), &needed) == all { needed } else { (0..records.len()).collect() }
}

/// Returns whether the facts have nothing about a line by itself: the beginning or the end of a run, or what nobody asks
/// about later.
fn is_of_its_time(event: &Event) -> bool {
    matches!(
        event,
        Event::RunStarted { .. }
            | Event::RunFinished { .. }
            | Event::DriftFinished { .. }
            | Event::Override { .. }
            | Event::Recovered { .. }
            | Event::Archived { .. }
    )
}

/// Returns the ends of runs that tell when something was last so.
fn ends(records: &[Record], facts: &Facts) -> BTreeSet<usize> {
    let mut ends: BTreeSet<usize> = facts.finished.iter().map(|finished| finished.position).collect();
    let mut directories: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut last_run, mut last_drift, mut latest_drift) = (None, None, None);
    for (line, Record { at, event, .. }) in records.iter().enumerate() {
        match event {
            Event::RunFinished { directory_people, .. } => {
                directories.extend(directory_people.keys().map(|name| (&**name, line)));
                last_run = Some(line);
            }
            Event::DriftFinished { .. } => {
                last_drift = Some(line);
                latest_drift = latest_drift.max(Some((*at, line)));
            }
            _ => {}
        }
    }
    let latest = [last_apply(records), latest_drift].into_iter().flatten().map(|(_, line)| line);
    ends.extend(latest.chain(directories.into_values()).chain(last_run).chain(last_drift));
    ends
}

/// Gives the facts of some lines the positions that these lines have among all.
fn at_positions(mut facts: Facts, lines: &[usize]) -> Facts {
    facts.touched.values_mut().for_each(|position| *position = lines[*position]);
    facts.applied.values_mut().for_each(|applied| applied.position = lines[applied.position]);
    facts.finished.iter_mut().for_each(|finished| finished.position = lines[finished.position]);
    facts
}

/// A mutation for one change: the positions of its lines, and what they say.
struct Sent<'a> {
    change: &'a Change,
    first_step: bool,
    intents: Vec<usize>,
    outcomes: Vec<(usize, Outcome)>,
    /// True if the platform refused it, or answered with an id.
    has_details: bool,
}

impl Sent<'_> {
    fn lines(&self) -> impl Iterator<Item = usize> {
        self.intents.iter().copied().chain(self.outcomes.iter().map(|(line, _)| *line))
    }

    /// Returns whether it was sent once, and completes its change, and every record of its outcome is one of these.
    fn is_always(&self, outcomes: &[Outcome]) -> bool {
        let is_one = |(_, outcome): &(usize, Outcome)| outcomes.contains(outcome);
        let is_simple = self.intents.len() == 1 && !self.first_step && !self.has_details;
        is_simple && !self.outcomes.is_empty() && self.outcomes.iter().all(is_one)
    }

    /// Returns whether it changed nothing, and the facts have nothing about it.
    fn is_idle(&self) -> bool {
        self.is_always(&[Outcome::Failed, Outcome::Skipped]) && self.change.action != Action::Invite
    }

    /// Returns whether it gave the entity a value and did nothing else.
    fn is_plain(&self) -> bool {
        self.is_always(&[Outcome::Done])
            && self.change.action == Action::Update
            && self.change.renamed_from().is_none()
    }

    /// Returns whether the facts are the same without this one, if `next` is the next one of the entity. A value of `enabled`
    /// that rolecall wrote isn't replaced by one that can't be read.
    fn is_replaced_by(&self, next: &Self) -> bool {
        let is_replaced = match (&self.change.after, &next.change.after) {
            (Some(Entity::User(user)), Some(Entity::User(next))) => {
                user.id == next.id && (user.enabled == Seen::Unreadable || next.enabled != Seen::Unreadable)
            }
            (Some(_), Some(_)) => true,
            _ => false,
        };
        is_replaced && self.is_plain() && next.is_plain() && self.change.address == next.change.address
    }
}

/// A line about an entity.
#[derive(Clone, Copy)]
enum About {
    Mutation(usize),
    Other,
}

/// The mutations of a ledger, and the lines about each entity, oldest first.
#[derive(Default)]
struct History<'a> {
    sent: Vec<Sent<'a>>,
    entities: BTreeMap<(Kind, &'a str), Vec<About>>,
}

impl<'a> History<'a> {
    fn of(records: &'a [Record]) -> Self {
        let mut history = Self::default();
        let mut intents = Intents::default();
        for (line, Record { run, event, .. }) in records.iter().enumerate() {
            match event {
                Event::Intent { mutation, change, first_step, .. } => {
                    let next = history.sent.len();
                    let number = *intents.of(run).entry((mutation, &change.address)).or_insert(next);
                    if number == next {
                        let (intents, outcomes) = (Vec::new(), Vec::new());
                        let sent = Sent { change, first_step: *first_step, intents, outcomes, has_details: false };
                        history.sent.push(sent);
                    }
                    history.sent[number].intents.push(line);
                    history.add(&change.address, About::Mutation(number));
                }
                Event::Outcome { mutation, address, outcome, refused, id, .. } => {
                    if let Some(number) = intents.of(run).get(&(mutation.as_str(), address)) {
                        let sent = &mut history.sent[*number];
                        sent.outcomes.push((line, *outcome));
                        sent.has_details |= *refused || id.is_some();
                    }
                }
                Event::Delivery { address, .. }
                | Event::Sighting { address, .. }
                | Event::Vanished { address }
                | Event::Readmitted { address }
                | Event::Lost { address, .. }
                | Event::Held { address, .. }
                | Event::LeftAs { address, .. }
                | Event::Settled { address } => history.add(address, About::Other),
                Event::RunStarted { .. }
                | Event::Override { .. }
                | Event::Members { .. }
                | Event::Keys { .. }
                | Event::RunFinished { .. }
                | Event::DriftFinished { .. }
                | Event::Archived { .. }
                | Event::Recovered { .. } => {}
            }
        }
        history
    }

    fn add(&mut self, address: &'a Address, about: About) {
        self.entities.entry((address.kind, &address.name)).or_default().push(about);
    }

    /// Returns the mutations that tell nothing any more.
    fn replaced(&self) -> Vec<usize> {
        let mut replaced = Vec::new();
        for lines in self.entities.values() {
            // The next mutation, if nothing else was recorded about the entity before it.
            let mut next = None;
            for about in lines.iter().rev() {
                let About::Mutation(number) = *about else {
                    next = None;
                    continue;
                };
                let sent = &self.sent[number];
                let Some(later) = next else {
                    next = Some(number);
                    continue;
                };
                if sent.is_idle() {
                    replaced.push(number);
                    continue;
                }
                replaced.extend(sent.is_replaced_by(&self.sent[later]).then_some(number));
                next = Some(number);
            }
        }
        replaced
    }
}
