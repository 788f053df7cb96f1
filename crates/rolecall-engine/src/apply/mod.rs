//! Carries a plan out: sends, records, delivers secrets, looks what became of it. Decides nothing.

mod create_key;
mod deliver;
mod dispatch;
mod executor;
mod interrupt;
mod next_action;
mod response;
mod schedule;
mod verify_pending;
mod verify_run;
mod writer;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

pub use deliver::{Deliveries, Prepared};
pub use interrupt::Shutdown;

use crate::ledger::{Event, Ledger, LedgerError, Record};
use rolecall_graphql::{Backoff, Quotas, Reader, Redactor, Transport};
use rolecall_model::{
    Action, Address, Change, Desired, HoldReason, Live, Mutation, OrganizationPlan, Outcome, Override, Refusal,
    RemoteId, Rules, Sealed, Site,
};
use rolecall_plan::{Observed, PlanInput, ledger_updates, plan};
use rolecall_providers::Provider;

/// Everything that an apply works with.
pub struct Apply<'a> {
    pub provider: &'a dyn Provider,
    pub desired: &'a Desired,
    /// As in the plan.
    pub site: &'a Site,
    pub reader: &'a Reader,
    pub transport: Arc<dyn Transport>,
    pub redactor: &'a Redactor,
    pub backoff: Backoff,
    /// Keeps ahead of the platform's limits.
    pub quotas: &'a Quotas,
    /// So many requests at once. One: one mutation after the other, each by itself.
    pub parallelism: usize,
    /// The key that we call with, where the credential tells.
    pub caller: Option<&'a RemoteId>,
    pub deliveries: &'a Deliveries,
    /// Tells this run from others in the ledger.
    pub run: &'a str,
    pub generator: &'a str,
    pub clock: &'a (dyn Fn() -> Timestamp + Sync),
    pub shutdown: &'a Shutdown,
}

/// What became of one mutation.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct Step {
    pub mutation: String,
    pub operation: String,
    pub address: Address,
    pub action: Action,
    pub outcome: Outcome,
    /// The platform itself said no.
    pub refused: bool,
    /// The platform dealt with it, and failed it. A credential that it refuses keeps it from that.
    #[serde(skip)]
    pub answered: bool,
    /// Sent a second time, after its first answer was lost.
    #[serde(skip)]
    pub resent: bool,
    /// Answered without an error, and without saying that it was done.
    #[serde(skip)]
    pub unconfirmed: bool,
    /// What was and wasn't done, and what to do next.
    pub message: Option<String>,
    /// Of the entity that was made.
    pub id: Option<RemoteId>,
    /// Why the platform won't, where that is nobody's failure.
    pub held: Option<HoldReason>,
    /// A first step, which doesn't close the change.
    pub first_step: bool,
}

impl Step {
    /// As the ledger keeps it.
    fn event(&self) -> Event {
        let Self {
            mutation,
            operation: _,
            address,
            action: _,
            outcome,
            refused,
            answered: _,
            resent: _,
            unconfirmed: _,
            message,
            id,
            held: _,
            first_step: _,
        } = self.clone();
        Event::Outcome { mutation, address, outcome, refused, id, message }
    }
}

/// How live stands to the desired after an apply.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FinalState {
    InSync {
        /// Changes that a later plan makes, by design: keys whose successor has just been delivered.
        later: usize,
    },
    /// Nothing more would be sent, and these are not as wished: approval is awaited, or somebody has to act.
    NeedsAttention(Vec<Address>),
    /// The last read shows that these are still to do.
    OutOfSync(Vec<Address>),
    /// The last read failed.
    Unknown(String),
}

/// What an apply did.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Report {
    pub steps: Vec<Step>,
    pub final_state: FinalState,
    /// Why the run ended before its end, if it did.
    pub stopped: Option<Stop>,
}

/// Why a run ended early.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    Interrupted,
    /// The platform, or the way to it.
    Unreachable(String),
    /// The ledger can't be written.
    Unrecorded(String),
    /// Something was done in another way than was meant.
    Mismatch,
    /// An update lost something that it should have kept.
    Lost,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted => f.write_str("interrupted before it was sent"),
            Self::Unreachable(why) => write!(f, "the platform could not be used any more: {why}"),
            Self::Unrecorded(why) => write!(f, "{why}; nothing is sent that can't be recorded"),
            Self::Mismatch => f.write_str("an earlier mutation was done in another way than was meant"),
            Self::Lost => f.write_str("an earlier update lost something that it should have kept"),
        }
    }
}

impl Report {
    pub fn all_done(&self) -> bool {
        self.steps.iter().all(|step| step.outcome == Outcome::Done || step.held.is_some())
    }

    /// Is something of what was to be sent still to do, by the last read?
    pub fn is_wanting(&self) -> bool {
        let FinalState::OutOfSync(left) = &self.final_state else { return false };
        self.steps.iter().any(|step| step.outcome != Outcome::Done && left.contains(&step.address))
    }

    pub fn anything_sent(&self) -> bool {
        let sent = |step: &Step| matches!(step.outcome, Outcome::Done | Outcome::Unsure | Outcome::NotTaken);
        // A key was made even where its delivery failed.
        self.steps.iter().any(|step| sent(step) || step.id.is_some())
    }
}

impl Apply<'_> {
    /// Sends a plan's mutations in order and reports each. `on_step` hears of each as it happens.
    ///
    /// An error means that nothing was sent.
    pub async fn run(
        &self,
        organization: &OrganizationPlan,
        live: &Live,
        ledger: &mut Ledger,
        on_step: &mut (dyn FnMut(&Step) + Send),
    ) -> Result<Report, LedgerError> {
        self.append(
            ledger,
            Event::RunStarted {
                format_version: crate::ledger::LEDGER_VERSION.to_owned(),
                generator: self.generator.to_owned(),
                identity: organization.sealed.identity.clone(),
                seal: organization.seal.clone(),
            },
        )?;
        for Override { refusal: Refusal { guardrail, message, .. }, plan, until, reason } in
            organization.overrides.clone()
        {
            self.append(ledger, Event::Override { guardrail, message, plan, until, reason })?;
        }
        let mut execution = executor::Execution::new(self, organization, live, ledger, on_step);
        execution.send_all().await;
        let (mut steps, stopped) = execution.finish();
        let settled = verify_run::verify_run(self, organization, ledger, &mut steps, on_step);
        let final_state = interrupt::last_look(self, settled).await;
        // Where all was sent and seen, it doesn't matter how the last answer was lost.
        let stopped = stopped.filter(|stop| {
            !matches!(stop, Stop::Unreachable(_)) || steps.iter().any(|step| step.outcome != Outcome::Done)
        });
        let in_sync = match &final_state {
            FinalState::InSync { .. } => Some(true),
            FinalState::NeedsAttention(_) | FinalState::OutOfSync(_) => Some(false),
            FinalState::Unknown(_) => None,
        };
        // What was sent is on disk already; the closing line is only a convenience.
        let _ = self.append(ledger, Event::RunFinished { in_sync });
        Ok(Report { steps, final_state, stopped })
    }

    fn append(&self, ledger: &mut Ledger, event: Event) -> Result<(), LedgerError> {
        ledger.append(Record { at: (self.clock)(), run: self.run.to_owned(), event })
    }

    /// What is still to do, and held, given what live shows and the ledger knows now.
    fn plan_again(&self, live: &Live, ledger: &Ledger) -> Result<Sealed, String> {
        let input = PlanInput {
            desired: self.desired,
            live,
            facts: &ledger.facts(),
            rules: self.provider.rules(),
            site: self.site,
            asserted: &BTreeSet::new(),
            only: None,
            approved: None,
            caller: self.caller,
            now: (self.clock)(),
        };
        match plan(&input) {
            Ok(planned) => Ok(planned.plan.sealed),
            Err(findings) => Err(findings.first().map_or_else(String::new, |finding| finding.message.clone())),
        }
    }
}

/// Writes down what a read shows of what earlier runs left open, whether or not anything is to be sent.
pub fn note_observed(
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
    for event in sightings.chain(vanished).chain(readmitted).chain(settled) {
        ledger.append(Record { at, run: run.to_owned(), event })?;
    }
    Ok(())
}

/// The step that a mutation begins as.
fn step(mutation: &Mutation, change: &Change, outcome: Outcome, message: Option<String>) -> Step {
    Step {
        mutation: mutation.id.clone(),
        operation: mutation.operation.clone(),
        address: change.address.clone(),
        action: change.action,
        outcome,
        refused: false,
        answered: false,
        resent: false,
        unconfirmed: false,
        message,
        id: None,
        held: None,
        first_step: mutation.first_step,
    }
}
