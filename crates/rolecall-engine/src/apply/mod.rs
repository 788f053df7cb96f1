//! Applies a plan: sends its mutations, records them in the ledger, delivers secrets, and verifies the outcome by
//! reading. It never decides what to change; the plan does.

mod create_key;
mod deliver;
mod dispatch;
mod executor;
mod interrupt;
mod next_action;
mod outcome;
mod response;
mod schedule;
mod state;
mod trace;
mod verify_pending;
mod verify_run;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use deliver::{Deliveries, Found, PreparedDelivery, sign_in};
pub use interrupt::Shutdown;
pub use outcome::Answered;

use crate::ledger::{Event, Ledger, LedgerError, Record};
use rolecall_graphql::{Backoff, Quotas, Reader, Redactor, Transport};
use rolecall_model::{
    Action, Address, Change, Desired, Facts, HoldReason, Live, Mutation, OrganizationPlan, Outcome, Override,
    Refusal, RemoteId, Rules, SignIn, Site,
};
use rolecall_plan::{
    Observed, PlanInput, desired_hash, differing, ledger_updates, newly_listed, newly_seen_keys, plan,
};
use rolecall_providers::Provider;

/// Everything that an apply needs, apart from the plan and the ledger.
pub struct Apply<'a> {
    pub provider: &'a dyn Provider,
    pub desired: &'a Desired,
    /// The site of the plan.
    pub site: &'a Site,
    pub reader: &'a Reader,
    pub transport: Arc<dyn Transport>,
    pub redactor: &'a Redactor,
    pub backoff: Backoff,
    /// The budgets of operations that have a rate limit of their own.
    pub quotas: &'a Quotas,
    /// The maximum number of requests in flight. With 1, mutations are sent one after the other and never batched.
    pub parallelism: usize,
    /// The key that rolecall signs in with, as far as the credential tells.
    pub caller: Option<&'a SignIn>,
    pub deliveries: &'a Deliveries,
    /// The seal of the approved plan that is sent, in whole or in part.
    pub approved: Option<&'a str>,
    /// The id of this run in the ledger.
    pub run: &'a str,
    pub generator: &'a str,
    pub clock: &'a (dyn Fn() -> Timestamp + Sync),
    pub shutdown: &'a Shutdown,
}

/// The outcome of one mutation for one change.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    pub mutation: String,
    pub operation: String,
    pub address: Address,
    pub action: Action,
    pub outcome: Outcome,
    /// True if the platform itself refused the mutation.
    #[serde(rename = "refused")]
    #[schemars(with = "bool")]
    pub answered: Answered,
    /// True if the mutation was sent a second time, because its first answer was lost.
    #[serde(skip)]
    pub resent: bool,
    /// Says what was done and what wasn't, and what to do next.
    pub message: Option<String>,
    /// The id of the created entity.
    pub id: Option<RemoteId>,
    /// Why the platform doesn't allow the change, if that isn't a failure.
    pub held: Option<HoldReason>,
    /// True for a first step, which doesn't complete the change.
    pub first_step: bool,
}

impl Step {
    /// Returns the step as the ledger records it.
    fn event(&self) -> Event {
        let Self {
            mutation,
            operation: _,
            address,
            action: _,
            outcome,
            answered,
            resent: _,
            message,
            id,
            held: _,
            first_step: _,
        } = self.clone();
        Event::Outcome { mutation, address, outcome, refused: answered.is_refused(), id, message }
    }
}

/// The result of the last read of an apply: how the live state compares with the file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FinalState {
    InSync {
        /// The number of changes that are left to a later plan by design, such as retiring a key whose successor
        /// was just delivered.
        later: usize,
    },
    /// Nothing more would be sent, but these entities aren't in sync, and somebody has to act.
    NeedsAttention(Vec<Address>),
    /// Nothing more would be sent, but these entities aren't in sync, because their changes wait for an approval on
    /// the platform.
    Waiting(Vec<Address>),
    /// The last read shows that these entities still have to be changed.
    OutOfSync(Vec<Address>),
    /// The last read failed.
    Unknown(String),
}

/// The result of an apply.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    pub steps: Vec<Step>,
    pub final_state: FinalState,
    /// Why the run stopped early, if it did.
    pub stopped: Option<Stop>,
}

/// The reason why a run stopped early.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    Interrupted,
    /// The platform, or the network, fails.
    Unreachable(String),
    /// The ledger can't be written, so nothing more may be sent.
    Unrecorded(String),
    /// The platform did something else than the plan says.
    Mismatch,
    /// An update cleared a value that it should have kept.
    Lost,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted => f.write_str("the run was interrupted"),
            Self::Unreachable(why) => write!(f, "the platform can't be used any more: {why}"),
            Self::Unrecorded(why) => write!(f, "{why}; rolecall sends nothing that it can't record"),
            Self::Mismatch => f.write_str("the platform did something else than an earlier mutation says"),
            Self::Lost => f.write_str("an earlier update cleared a value that it should have kept"),
        }
    }
}

impl Report {
    /// Returns whether every mutation was done.
    pub fn all_done(&self) -> bool {
        self.steps.iter().all(|step| step.outcome == Outcome::Done)
    }

    /// Returns the entities with a mutation that isn't done, in the order of the plan.
    pub fn not_done(&self) -> Vec<&Address> {
        let mut seen = BTreeSet::new();
        let not_done = self.steps.iter().filter(|step| step.outcome != Outcome::Done);
        not_done.map(|step| &step.address).filter(|address| seen.insert(*address)).collect()
    }

    /// Returns whether the platform refused a mutation for a reason that no read had shown.
    pub fn anything_held(&self) -> bool {
        self.steps.iter().any(|step| step.held.is_some())
    }

    /// Returns whether this run may have changed anything.
    pub fn anything_sent(&self) -> bool {
        let sent = |step: &Step| matches!(step.outcome, Outcome::Done | Outcome::Unsure | Outcome::NotTaken);
        // An id means that a key was created, even if its delivery failed.
        self.steps.iter().any(|step| sent(step) || step.id.is_some())
    }
}

impl Apply<'_> {
    /// Sends the mutations of a plan in order, verifies the outcome, and returns a report. Calls `on_step` with
    /// each step as it happens.
    ///
    /// # Errors
    ///
    /// Fails if the ledger can't be written at the start. Then nothing was sent.
    pub async fn run(
        &self,
        organization: &OrganizationPlan,
        live: &Live,
        ledger: &mut Ledger,
        on_step: &mut (dyn FnMut(&Step) + Send),
    ) -> Result<Report, LedgerError> {
        let mut events = vec![started(organization, self.generator, self.approved)];
        for Override { refusal: Refusal { guardrail, message, .. }, plan, until, reason } in
            organization.overrides.clone()
        {
            events.push(Event::Override { guardrail, message, plan, until, reason });
        }
        // Later runs tell by this who has left, and who came after an invitation was sent.
        let facts = ledger.facts();
        let listed = newly_listed(&facts, live);
        events.extend((!listed.is_empty()).then_some(Event::Members { listed }));
        let listed = newly_seen_keys(&facts, live);
        events.extend((!listed.is_empty()).then_some(Event::Keys { listed }));
        self.append_all(ledger, events)?;
        let mut execution = executor::Execution::new(self, organization, live, ledger, on_step);
        // The hash isn't needed before the end, so it is made while the first request is under way.
        let ((), desired_hash) = tokio::join!(execution.send_all(), async { desired_hash(self.desired) });
        let (mut steps, stopped) = execution.finish();
        let verification = verify_run::verify_run(self, organization, ledger, &mut steps, on_step);
        let verified = interrupt::await_verification(self, verification).await;
        // If everything was sent and verified, a lost last answer doesn't matter.
        let stopped = stopped.filter(|stop| {
            !matches!(stop, Stop::Unreachable(_)) || steps.iter().any(|step| step.outcome != Outcome::Done)
        });
        let (final_state, finished) = match verified {
            Ok(left) => {
                let final_state = verify_run::final_state(&left.sealed, organization);
                let finished =
                    finished((self.desired, desired_hash), &left, organization.not_selected, &final_state);
                (final_state, finished)
            }
            Err(why) => {
                let unread = Event::RunFinished {
                    in_sync: None,
                    desired: None,
                    differing: BTreeSet::new(),
                    directory_people: BTreeMap::new(),
                    not_selected: organization.not_selected,
                };
                (FinalState::Unknown(why), unread)
            }
        };
        // Everything that was sent is on disk already. The last line is only a convenience.
        let _ = self.append_all(ledger, vec![finished]);
        Ok(Report { steps, final_state, stopped })
    }

    /// Records events, and waits once until all of them are stored.
    fn append_all(&self, ledger: &mut Ledger, events: Vec<Event>) -> Result<(), LedgerError> {
        ledger.append_all(events.into_iter().map(|event| self.record(event)).collect())
    }

    fn record(&self, event: Event) -> Record {
        Record { at: (self.clock)(), run: self.run.to_owned(), event }
    }

    /// Plans again, from what the last read shows and the ledger knows now. The result is what is still to do, and
    /// what is held.
    fn plan_again(&self, live: &Live, facts: &Facts) -> Result<OrganizationPlan, String> {
        let input = PlanInput {
            desired: self.desired,
            live,
            facts,
            rules: self.provider.rules(),
            site: self.site,
            asserted: &BTreeSet::new(),
            only: None,
            approved: None,
            caller: self.caller,
            now: (self.clock)(),
        };
        match plan(&input) {
            Ok(planned) => Ok(planned.plan),
            Err(findings) => Err(findings
                .first()
                .map_or_else(String::new, |finding| finding.message.trim_end_matches('.').to_owned())),
        }
    }
}

/// Records in the ledger what a read shows about the open questions of earlier runs. This is done even if nothing
/// is sent.
///
/// # Errors
///
/// Fails if the ledger can't be written.
pub fn record_observed(
    live: &Live,
    rules: &dyn Rules,
    ledger: &mut Ledger,
    run: &str,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let Observed { seen, vanished, readmitted, settled } = ledger_updates(&ledger.facts(), live, rules);
    let sightings = seen.iter().map(|(email, accepted)| Event::Sighting {
        address: Address::user(email),
        seen: true,
        accepted: *accepted,
    });
    let vanished = vanished.into_values().map(|address| Event::Vanished { address });
    let readmitted = readmitted.into_values().map(|address| Event::Readmitted { address });
    let settled = settled.into_iter().map(|address| Event::Settled { address });
    let events = sightings.chain(vanished).chain(readmitted).chain(settled);
    ledger.append_all(events.map(|event| Record { at, run: run.to_owned(), event }).collect())
}

/// The time after which a run that sends nothing is recorded, even if nothing has changed.
const RECORD_AGAIN: SignedDuration = SignedDuration::from_hours(24);

/// Records in the ledger a run that had nothing to send, with what isn't as the files ask. `plan` is the whole plan, and
/// its `not_selected` tells how many changes were left out. A job
/// that runs every hour doesn't make the ledger much longer: the run is recorded only if something has changed since the
/// last record, or if that is a day old.
///
/// # Errors
///
/// Fails if the ledger can't be written.
pub fn record_nothing_sent(
    plan: &OrganizationPlan,
    (desired, live): (&Desired, &Live),
    ledger: &mut Ledger,
    (run, generator): (&str, &str),
    at: Timestamp,
) -> Result<(), LedgerError> {
    let final_state = verify_run::final_state(&plan.sealed, plan);
    let finished = finished((desired, desired_hash(desired)), plan, plan.not_selected, &final_state);
    let last = ledger.records().iter().rev().find(|record| matches!(record.event, Event::RunFinished { .. }));
    let listed = newly_seen_keys(&ledger.facts(), live);
    let is_known = last.is_some_and(|last| last.event == finished && at.duration_since(last.at) < RECORD_AGAIN);
    if is_known && listed.is_empty() {
        return Ok(());
    }
    let record = |event| Record { at, run: run.to_owned(), event };
    let keys = (!listed.is_empty()).then(|| record(Event::Keys { listed }));
    let records = std::iter::once(record(started(plan, generator, None))).chain(keys);
    ledger.append_all(records.chain([record(finished)]).collect())
}

fn started(plan: &OrganizationPlan, generator: &str, approved: Option<&str>) -> Event {
    Event::RunStarted {
        format_version: crate::ledger::LEDGER_VERSION.to_owned(),
        generator: generator.to_owned(),
        identity: plan.sealed.identity.clone(),
        seal: plan.seal.clone(),
        approved: approved.map(str::to_owned),
    }
}

/// Returns the end of a run. `left` is a plan from what the last read shows.
fn finished(
    (desired, desired_hash): (&Desired, String),
    left: &OrganizationPlan,
    not_selected: usize,
    final_state: &FinalState,
) -> Event {
    let in_sync = match final_state {
        FinalState::InSync { .. } => Some(true),
        FinalState::NeedsAttention(_) | FinalState::Waiting(_) | FinalState::OutOfSync(_) => Some(false),
        FinalState::Unknown(_) => None,
    };
    Event::RunFinished {
        in_sync,
        desired: Some(desired_hash),
        differing: differing(left),
        directory_people: desired.directory_people(),
        not_selected,
    }
}

/// Returns the message for a mutation that wasn't sent. `why` is a clause without a period.
fn not_sent(why: &str) -> String {
    format!("Not sent: {}.", why.trim_end_matches('.'))
}

/// Returns a step with this outcome and no further details.
fn step(mutation: &Mutation, change: &Change, outcome: Outcome, message: Option<String>) -> Step {
    Step {
        mutation: mutation.id.clone(),
        operation: mutation.operation.clone(),
        address: change.address.clone(),
        action: change.action,
        outcome,
        answered: Answered::Nothing,
        resent: false,
        message,
        id: None,
        held: None,
        first_step: mutation.first_step,
    }
}
