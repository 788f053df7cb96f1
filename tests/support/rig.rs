//! An organisation in memory with a sandbox, a connection, a ledger and deliveries. There is no network, and time
//! stands still.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use rolecall_config::{Source, check_source};
use rolecall_engine::apply::{Apply, Deliveries, Report, Shutdown, Step, sign_in};
use rolecall_engine::ledger::{Event, Ledger};
use rolecall_graphql::{
    Backoff, Context, Query, Quotas, Reader, Redactor, Request, Response, Transport, TransportError,
};
use rolecall_model::{
    Address, Desired, Finding, Limit, Live, OrganizationPlan, ProviderName, Removals, Rules, Site,
};
use rolecall_plan::{Approval, ApprovalProgress, PlanInput, Planned, plan, renamed, resume};
use rolecall_providers::{Answered, ReadError, Secrets};
use rolecall_sandbox::{Clock, Engine, Headers, InProcess, Sandbox, Store};
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;

/// Returns the current time of every test.
pub fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// The parts of a rig that differ between providers.
pub trait Platform: 'static {
    type World: Clone + std::fmt::Debug + PartialEq + Send + 'static;
    type Engine: Engine + 'static;
    const NAME: ProviderName;
    /// The beginning of every test's file.
    const HEAD: &'static str;
    /// Returns rolecall's own credentials.
    fn secrets() -> Secrets;
    fn engine(world: Self::World, clock: Clock) -> Self::Engine;
    fn world(engine: &Self::Engine) -> MutexGuard<'_, Self::World>;
}

/// A check of the world after each request.
pub type Watch<W> = Arc<dyn Fn(&W) + Send + Sync>;

/// A change to every answer, for answers that the sandbox can't give by itself.
pub type Forgery = Arc<dyn Fn(&Request, &mut serde_json::Value) + Send + Sync>;

/// A server in front of the sandbox, such as one with another schema.
pub type Front = Arc<dyn Fn(&Request) -> Admission + Send + Sync>;

/// The decision of a [`Front`] about a request.
pub enum Admission {
    Passed,
    Answered(serde_json::Value),
    /// The request is refused, as the platform refuses this query, but with another message.
    Refused(Query, String),
}

/// The time until a mutation that was sent takes effect.
pub type Delay = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The fate of a mutation that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Fine,
    /// The connection closes before the mutation takes effect.
    DropBefore,
    /// The connection closes after the mutation took effect.
    DropAfter,
    /// The answer is HTTP 200 with an error.
    Refuse,
    /// The mutation takes effect, and the answer is this status and text.
    Acted(u16, &'static str),
    /// The mutation has no effect, and the answer is this status and text.
    Ignored(u16, &'static str),
    /// The answer reports success, but the mutation has no effect.
    NotTaken,
    /// The answer is Hive's refusal of too many invitations.
    TooManyInvitations,
    /// The process dies before the request leaves.
    KillBefore,
    /// The process dies before the answer arrives.
    KillAfter,
}

pub struct Rig<P: Platform> {
    pub sandbox: Arc<Sandbox<P::Engine>>,
    pub wire: Arc<Wire<P>>,
    pub desired: Desired,
    pub ledger: Ledger,
    pub deliveries: Deliveries,
    /// The time that rolecall sees. The sandbox's clock stands still, unless [`Rig::set_time`] sets both.
    pub now: Timestamp,
    platform_time: Arc<Mutex<Timestamp>>,
    /// The credentials that rolecall signs in with.
    pub secrets: Secrets,
    /// The number of requests in flight at once. `None` uses the platform's default.
    pub parallelism: Option<usize>,
    /// The seal of the approved plan of the next runs.
    pub approved: Option<String>,
    /// The user interrupts the run after this many steps.
    interrupted_after: Option<usize>,
    /// The process dies before this line of the ledger.
    dies_at_line: Option<usize>,
    runs: usize,
    folder: TempDir,
}

/// A transport that decides the fate of each request and watches the world.
pub struct Wire<P: Platform> {
    inner: InProcess<P::Engine>,
    sandbox: Arc<Sandbox<P::Engine>>,
    fates: Mutex<Vec<Fate>>,
    decide: Mutex<Option<Arc<dyn Fn() -> Fate + Send + Sync>>>,
    watch: Mutex<Option<Watch<P::World>>>,
    forgery: Mutex<Option<Forgery>>,
    front: Mutex<Option<Front>>,
    delay: Mutex<Option<Delay>>,
    repeats_blindly: AtomicBool,
    /// Whether the process died. Requests that were in flight still arrive.
    dead: AtomicBool,
    /// The mutations in flight: the current number, and the highest so far.
    at_once: (AtomicUsize, AtomicUsize),
}

impl<P: Platform> Wire<P> {
    pub fn sent(&self) -> Vec<Request> {
        self.inner.sent()
    }

    pub fn mutations(&self) -> Vec<Request> {
        self.sent().into_iter().filter(is_mutation).collect()
    }

    pub fn set_fates(&self, fates: &[Fate]) {
        *self.fates.lock().unwrap() = fates.to_vec();
    }

    /// Sets a function that decides the fate of each mutation when it is executed.
    pub fn decide(&self, decide: Arc<dyn Fn() -> Fate + Send + Sync>) {
        *self.decide.lock().unwrap() = Some(decide);
    }

    pub fn watch(&self, watch: Watch<P::World>) {
        *self.watch.lock().unwrap() = Some(watch);
    }

    pub fn forge(&self, forgery: impl Fn(&mut serde_json::Value) + Send + Sync + 'static) {
        self.forge_answer(move |answer| forgery(&mut answer["data"]));
    }

    /// Changes whole answers: their data and their errors.
    pub fn forge_answer(&self, forgery: impl Fn(&mut serde_json::Value) + Send + Sync + 'static) {
        self.forge_answer_to(Arc::new(move |_, answer| forgery(answer)));
    }

    /// Changes whole answers, by their requests.
    pub fn forge_answer_to(&self, forgery: Forgery) {
        *self.forgery.lock().unwrap() = Some(forgery);
    }

    /// Puts a server in front of the sandbox.
    pub fn set_front(&self, front: Front) {
        *self.front.lock().unwrap() = Some(front);
    }

    /// Returns the answer of the server in front of the sandbox, if it doesn't let the request through.
    async fn answer_in_front(&self, request: &Request) -> Option<Result<Response, TransportError>> {
        let front = self.front.lock().unwrap().clone()?;
        match front(request) {
            Admission::Passed => None,
            Admission::Answered(answer) => Some(Ok(rolecall_sandbox::json_response(200, &answer))),
            Admission::Refused(query, message) => {
                let query = query.within(request.context);
                let mut refused = self.inner.send(&Request::query(&query, serde_json::json!({}))).await;
                if let Ok(response) = &mut refused {
                    let mut body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
                    body["errors"][0]["message"] = message.into();
                    response.body = body.to_string().into_bytes();
                }
                Some(refused)
            }
        }
    }

    /// Makes the transport send unanswered requests again, which rolecall must never do.
    pub fn repeat_blindly(&self) {
        self.repeats_blindly.store(true, Ordering::Relaxed);
    }

    /// Delays mutations, so that those in flight take effect in another order.
    pub fn delay(&self, delay: Delay) {
        *self.delay.lock().unwrap() = Some(delay);
    }

    /// Returns the highest number of delayed mutations that were in flight at once.
    pub fn most_at_once(&self) -> usize {
        self.at_once.1.load(Ordering::Relaxed)
    }

    /// Starts the next process.
    fn start_process(&self) {
        self.dead.store(false, Ordering::Relaxed);
    }

    fn fate(&self, request: &Request) -> Fate {
        if !is_mutation(request) {
            return Fate::Fine;
        }
        if let Some(decide) = &*self.decide.lock().unwrap() {
            return decide();
        }
        let mut fates = self.fates.lock().unwrap();
        if fates.is_empty() { Fate::Fine } else { fates.remove(0) }
    }

    /// Waits until the request may be executed. Returns whether its sender still waits for the answer.
    async fn wait_for_turn(&self, request: &Request) -> bool {
        if self.dead.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let delay = self.delay.lock().unwrap().clone().filter(|_| is_mutation(request));
        if let Some(delay) = delay {
            let (now, most) = &self.at_once;
            most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            tokio::time::sleep(delay()).await;
            now.fetch_sub(1, Ordering::Relaxed);
        }
        !self.dead.load(Ordering::Relaxed)
    }
}

impl<P: Platform> Transport for Wire<P> {
    fn send<'a>(
        &'a self,
        request: &'a Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send + 'a>> {
        Box::pin(async move {
            let lost = || Err(TransportError::NoAnswer("connection reset".to_owned()));
            let is_heard = self.wait_for_turn(request).await;
            if let Some(answer) = self.answer_in_front(request).await {
                return answer;
            }
            let fate = if is_heard { self.fate(request) } else { Fate::KillAfter };
            let answer = match fate {
                Fate::DropBefore => return lost(),
                Fate::KillBefore => {
                    self.dead.store(true, Ordering::Relaxed);
                    std::future::pending().await
                }
                Fate::Refuse => {
                    let body = serde_json::json!({ "data": null, "errors": [{ "message": "no", "errorType": "REFUSED" }] });
                    return Ok(rolecall_sandbox::json_response(200, &body));
                }
                Fate::TooManyInvitations => {
                    let message = "Exceeded rate limit for inviting to organization by email.";
                    let extensions = serde_json::json!({ "code": "DOWNSTREAM_SERVICE_ERROR" });
                    let error = serde_json::json!({ "message": message, "path": ["inviteToOrganizationByEmail"], "extensions": extensions });
                    return Ok(rolecall_sandbox::json_response(
                        200,
                        &serde_json::json!({ "data": null, "errors": [error] }),
                    ));
                }
                Fate::Ignored(status, text) => return Ok(text_response(status, text)),
                Fate::NotTaken => {
                    let before = P::world(&self.sandbox.engine).clone();
                    let answer = self.inner.send(request).await;
                    *P::world(&self.sandbox.engine) = before;
                    answer
                }
                Fate::Fine | Fate::DropAfter | Fate::KillAfter | Fate::Acted(..) => self.inner.send(request).await,
            };
            if let Some(watch) = self.watch.lock().unwrap().clone() {
                watch(&P::world(&self.sandbox.engine));
            }
            let answer = answer.map(|mut response| {
                if let Some(forgery) = self.forgery.lock().unwrap().clone() {
                    let mut body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
                    forgery(request, &mut body);
                    response.body = body.to_string().into_bytes();
                }
                response
            });
            match fate {
                Fate::DropAfter if self.repeats_blindly.load(Ordering::Relaxed) => self.inner.send(request).await,
                Fate::DropAfter => lost(),
                Fate::KillAfter => {
                    self.dead.store(true, Ordering::Relaxed);
                    std::future::pending().await
                }
                Fate::Acted(status, text) => Ok(text_response(status, text)),
                Fate::Fine
                | Fate::DropBefore
                | Fate::KillBefore
                | Fate::NotTaken
                | Fate::Refuse
                | Fate::Ignored(..)
                | Fate::TooManyInvitations => answer,
            }
        })
    }
}

fn is_mutation(request: &Request) -> bool {
    request.query.trim_start().starts_with("mutation")
}

fn text_response(status: u16, text: &str) -> Response {
    Response::new(status, text.as_bytes().to_vec())
}

/// Returns the headers with these credentials.
fn headers<P: Platform>(secrets: &Secrets, desired: &Desired) -> BTreeMap<Context, Headers> {
    let contexts = rolecall_providers::of(P::NAME).headers(secrets, desired).unwrap();
    let headers = |headers: &[(&'static str, SecretString)]| {
        Headers::new(headers.iter().map(|(name, value)| (*name, value.expose_secret())))
    };
    contexts.iter().map(|(context, of_it)| (*context, headers(of_it))).collect()
}

/// Parses a file that has to be valid. There is no limit on removals unless the file sets one, because the worlds
/// are small.
pub fn desired(yaml: &str) -> Desired {
    let (desired, findings) = check_source(&Source::inline("test.yaml", yaml), rolecall_providers::format);
    let mut desired = desired.unwrap_or_else(|| panic!("{yaml}\n{findings:#?}"));
    if !yaml.contains("max_removals") {
        desired.guardrails.max_removals = Removals::same_for_each(Limit::Number(usize::MAX));
    }
    desired
}

impl<P: Platform> Rig<P> {
    pub fn new(world: P::World, body: &str) -> Self {
        let platform_time = Arc::new(Mutex::new(now()));
        let time = Arc::clone(&platform_time);
        let clock: Clock = Arc::new(move || *time.lock().unwrap());
        let sandbox = Arc::new(Sandbox::new(P::engine(world, clock), Store::Memory));
        let desired_state = desired(&format!("{}{body}", P::HEAD));
        let wire = Arc::new(Wire {
            inner: InProcess::new(Arc::clone(&sandbox), headers::<P>(&P::secrets(), &desired_state)),
            sandbox: Arc::clone(&sandbox),
            fates: Mutex::new(Vec::new()),
            decide: Mutex::new(None),
            watch: Mutex::new(None),
            forgery: Mutex::new(None),
            front: Mutex::new(None),
            delay: Mutex::new(None),
            repeats_blindly: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            at_once: Default::default(),
        });
        let folder = TempDir::new().unwrap();
        let deliveries = Deliveries { below: Some(folder.path().to_owned()), ..Deliveries::default() };
        Self {
            sandbox,
            wire,
            desired: desired_state,
            ledger: Ledger::default(),
            deliveries,
            now: now(),
            platform_time,
            secrets: P::secrets(),
            parallelism: None,
            dies_at_line: None,
            approved: None,
            interrupted_after: None,
            runs: 0,
            folder,
        }
    }

    /// Signs in with other credentials from now on.
    pub fn sign_in<'s>(&mut self, secrets: impl IntoIterator<Item = (&'static str, &'s str)>) {
        let secrets = secrets.into_iter().map(|(name, secret)| (name, SecretString::from(secret)));
        self.secrets = Secrets::new(secrets);
        self.wire.inner.set_headers(headers::<P>(&self.secrets, &self.desired));
    }

    /// Sets the time that rolecall and the platform see.
    pub fn set_time(&mut self, at: Timestamp) {
        self.now = at;
        *self.platform_time.lock().unwrap() = at;
    }

    pub fn rules() -> &'static dyn Rules {
        rolecall_providers::rules(P::NAME)
    }

    /// Plans from another file for the same organisation.
    pub fn set_file(&mut self, body: &str) {
        self.desired = desired(&format!("{}{body}", P::HEAD));
    }

    /// Counts the mutations recorded as sent.
    pub fn intents(&self) -> usize {
        self.ledger.records().iter().filter(|record| matches!(record.event, Event::Intent { .. })).count()
    }

    pub fn delivered(&self, file: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.path().join(file)).ok()
    }

    pub fn world(&self) -> MutexGuard<'_, P::World> {
        P::world(&self.sandbox.engine)
    }

    pub fn reader(&self) -> Reader {
        Reader::new(self.wire.clone(), Redactor::default(), Backoff::with_seed(1))
    }

    pub fn read(&self) -> Result<Live, ReadError> {
        paused(async { rolecall_providers::of(P::NAME).read(&self.reader(), &self.desired).await })
    }

    /// Asks what the credential may do.
    pub fn permissions(&self, live: &Live) -> Vec<Answered> {
        paused(async { rolecall_providers::of(P::NAME).permissions(&self.reader(), &self.desired, live).await })
    }

    pub fn try_plan(&self) -> Result<OrganizationPlan, Vec<Finding>> {
        let live = self.read().unwrap();
        self.plan_from(&live, &BTreeSet::new(), None)
    }

    pub fn plan_from(
        &self,
        live: &Live,
        asserted: &BTreeSet<Address>,
        only: Option<&BTreeSet<Address>>,
    ) -> Result<OrganizationPlan, Vec<Finding>> {
        let planned = self.planned(live, asserted, only)?;
        let (errors, warnings): (Vec<Finding>, Vec<Finding>) =
            planned.findings.into_iter().partition(Finding::is_error);
        if errors.is_empty() { Ok(planned.plan) } else { Err(errors.into_iter().chain(warnings).collect()) }
    }

    /// Plans all entries but those that have an error.
    pub fn plan_without_errors(&self) -> OrganizationPlan {
        self.planned(&self.read().unwrap(), &BTreeSet::new(), None).unwrap().plan
    }

    pub fn planned(
        &self,
        live: &Live,
        asserted: &BTreeSet<Address>,
        only: Option<&BTreeSet<Address>>,
    ) -> Result<Planned, Vec<Finding>> {
        let caller = sign_in(rolecall_providers::of(P::NAME), &self.secrets);
        let input = PlanInput {
            desired: &self.desired,
            live,
            facts: &self.deliveries.facts(&self.desired, self.ledger.records()),
            rules: rolecall_providers::rules(P::NAME),
            site: &Site::host("sandbox"),
            asserted,
            only,
            approved: None,
            caller: Some(&caller),
            now: self.now,
        };
        plan(&input)
    }

    /// Returns the findings of a plan that has no errors: warnings.
    pub fn warnings(&self) -> Vec<Finding> {
        self.planned(&self.read().unwrap(), &BTreeSet::new(), None).unwrap().findings
    }

    pub fn plan(&self) -> OrganizationPlan {
        self.try_plan().unwrap()
    }

    /// Sends a plan. Returns `None` if the process died on the way.
    pub fn apply_plan(&mut self, plan: &OrganizationPlan) -> Option<Report> {
        // A request that never ends represents a dead process. With paused time, the limit passes at once.
        let limit = Duration::from_secs(100_000);
        let report = paused(async { tokio::time::timeout(limit, self.run(plan)).await.ok() });
        self.wire.start_process();
        report
    }

    /// Goes on with an approved plan, of which runs may have sent a part, and applies what is still valid.
    pub fn resume(&mut self, approved: &OrganizationPlan) -> Approval {
        let (fresh, read) = (self.plan(), self.read().unwrap());
        let live = renamed(&self.desired, &read);
        let sent = self.ledger.sent_under(&approved.seal);
        let approval = resume(&approved.sealed, &fresh.sealed, ApprovalProgress { live: &live, sent: &sent });
        self.approved = Some(approved.seal.clone());
        let rest = self.planned(&live, &BTreeSet::new(), Some(&approval.still_valid)).unwrap().plan;
        self.apply_plan(&rest).unwrap();
        approval
    }

    /// Applies until a number of lines is in the ledger, and dies before the next. Returns false if there were no
    /// more lines.
    pub fn apply_until_line(&mut self, plan: &OrganizationPlan, lines: usize) -> bool {
        self.dies_at_line = Some(self.ledger.records().len() + lines);
        let ended = catch_unwind(AssertUnwindSafe(|| self.apply_plan(plan)));
        self.dies_at_line = None;
        self.wire.start_process();
        ended.is_err()
    }

    /// Interrupts the next run after this many steps were reported.
    pub fn interrupt_after_steps(&mut self, steps: usize) {
        self.interrupted_after = Some(steps);
    }

    /// Sends a plan with a real clock, for tests that wait for another process.
    pub fn apply_plan_in_real_time(&mut self, plan: &OrganizationPlan) -> Report {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(self.run(plan))
    }

    /// Applies a plan as if every wait was over at once, so that a program that hangs runs out of time.
    pub fn apply_plan_past_timeouts(&mut self, plan: &OrganizationPlan) -> Report {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(self.run(plan))
    }

    async fn run(&mut self, plan: &OrganizationPlan) -> Report {
        self.runs += 1;
        let now = self.now;
        let run = format!("run-{}", self.runs);
        self.deliveries.record_found(&self.desired, &mut self.ledger, &run, now).unwrap();
        let (written, last) =
            (AtomicUsize::new(self.ledger.records().len()), self.dies_at_line.unwrap_or(usize::MAX));
        let (reader, shutdown) = (self.reader(), Shutdown::default());
        let provider = rolecall_providers::of(P::NAME);
        let live = provider.read(&reader, &self.desired).await.unwrap();
        let caller = sign_in(provider, &self.secrets);
        let apply = Apply {
            provider,
            desired: &self.desired,
            site: &Site::host("sandbox"),
            reader: &reader,
            transport: self.wire.clone(),
            redactor: &Redactor::default(),
            backoff: Backoff::with_seed(1),
            quotas: &Quotas::default(),
            parallelism: self.parallelism.unwrap_or_else(|| provider.traffic().parallelism),
            caller: Some(&caller),
            deliveries: &self.deliveries,
            approved: self.approved.as_deref(),
            run: &run,
            generator: "test",
            clock: &move || {
                // The clock is asked for the time of each line.
                if written.fetch_add(1, Ordering::Relaxed) >= last {
                    resume_unwind(Box::new("died"));
                }
                now
            },
            shutdown: &shutdown,
        };
        let mut left = self.interrupted_after.take();
        let mut on_step = |_: &Step| {
            left = left.map(|left| left.saturating_sub(1));
            if left == Some(0) {
                shutdown.request();
            }
        };
        apply.run(plan, &live, &mut self.ledger, &mut on_step).await.unwrap()
    }

    /// Plans and applies with `--assert` for one entity.
    pub fn apply_asserting(&mut self, address: &str) -> Report {
        let live = self.read().unwrap();
        let plan = self.plan_from(&live, &BTreeSet::from([address.parse().unwrap()]), None).unwrap();
        self.apply_plan(&plan).unwrap()
    }

    pub fn apply(&mut self) -> Report {
        let plan = self.plan();
        assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
        self.apply_plan(&plan).unwrap()
    }
}

/// Runs a future to its end with paused time, so that it never waits for a clock.
pub fn paused<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

/// The addresses of a plan's changes.
pub fn addresses(plan: &OrganizationPlan) -> Vec<String> {
    plan.sealed.changes.iter().map(|change| change.address.to_string()).collect()
}

/// The holds of a plan, as address and reason.
pub fn holds(plan: &OrganizationPlan) -> Vec<String> {
    plan.sealed
        .holds
        .iter()
        .map(|hold| format!("{} {}: {}", hold.address, hold.class.as_str(), hold.reason))
        .collect()
}
