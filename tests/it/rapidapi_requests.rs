//! Requests to a RapidAPI hub: which, how many and with which credential, and the handling of answers that can't
//! be right.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::rapidapi::{
    GENERATIONS, HEAD, Hub, NOBODY, Rig, acme, converged, crowd, head_of, held, invitation, invited, member,
    one_of_each_change, planned, requests, rig_of, user, with_teams, world,
};
use crate::support::rig::{Platform, addresses, desired, holds, now, paused};
use jiff::{SignedDuration, Timestamp};
use rolecall_config::{Source, check_source};
use rolecall_engine::apply::{Apply, Deliveries, Report, Shutdown};
use rolecall_engine::ledger::Ledger;
use rolecall_graphql::{
    Backoff, CallError, MemoryBudget, Quota, Quotas, RateLimitTransport, ReadCheckpoint, Reader, Redactor,
    Request, Response, ResponseCache, RunCache, Transport, TransportError,
};
use rolecall_model::{Completeness, Desired, Facts, OrganizationPlan, Outcome, ProviderName, Site};
use rolecall_plan::{PlanInput, plan};
use rolecall_providers::ReadError;
use rolecall_sandbox::rapidapi::{Generation, OWN_EMAIL, RapidApi, RootFields, World};
use rolecall_sandbox::{Headers, InProcess, Sandbox, Store};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

// ---- number of requests

#[test]
fn a_read_is_four_requests_for_all_organisations_and_three_for_each() {
    let body = "users: [{ email: own@acme.example, teams: [] }]";
    let rig = Rig::new(with_teams(&["Payments"]), body);
    let live = rig.read().unwrap();
    let once = ["Schema", "ActiveUser", "Roles", "Organizations"];
    assert_eq!(requests(&rig, 0), [&once[..], &["Organization", "TeamUsers", "EntitiesRoles"]].concat());
    assert_eq!(live.requests, 7);
    // Roles in teams are read only if the file mentions teams.
    let rig = Rig::new(with_teams(&["Payments"]), "users: [{ email: own@acme.example }]");
    rig.read().unwrap();
    assert_eq!(requests(&rig, 0), [&once[..], &["Organization", "TeamUsers"]].concat());
    // An organisation that is named by its id needs no lookup.
    let world = with_teams(&["Payments"]);
    let rig = rig_of(acme(&world), world, "");
    rig.read().unwrap();
    assert_eq!(requests(&rig, 0), ["Schema", "ActiveUser", "Roles", "Organization", "TeamUsers"]);
}

#[test]
fn however_many_people_and_teams_there_are_the_requests_are_as_many() {
    let mut world = world();
    let organization = acme(&world);
    for index in 0..40 {
        world.add_team(organization, &format!("T{index}"));
    }
    for index in 0..400 {
        member(&mut world, &format!("u{index}@x.example"), false, &[("T1", "team-viewer")]);
        invitation(&mut world, &format!("i{index}@x.example"), "DEVELOPER", &["T2"]);
    }
    let rig = Rig::new(world, "users: [{ email: u1@x.example, teams: [T1] }]");
    let live = rig.read().unwrap();
    assert_eq!((live.users.items.len(), live.invitations().len()), (401, 400));
    assert!(live.users.completeness == Completeness::Proven);
    assert_eq!(live.requests, 7);
}

#[test]
fn several_fields_at_once_save_requests_where_the_file_says_that_the_hub_takes_them() {
    let body = "several_root_fields: true\nusers: [{ email: own@acme.example, teams: [] }]";
    let with = |body: &str, fields: RootFields| {
        let mut world = with_teams(&["Payments"]);
        world.switches.root_fields = fields;
        Rig::new(world, body)
    };
    let rig = with(body, RootFields::Many);
    let several = rig.plan();
    assert_eq!(
        requests(&rig, 0),
        ["Schema", "Start", "StartOfTeam", "Organization", "TeamUsers", "EntitiesRoles"]
    );
    // A deletion needs more fields but no more requests.
    let rig = with(&format!("teams: [{{ name: Payments, absent: true }}]\n{body}"), RootFields::Many);
    rig.read().unwrap();
    assert_eq!(rig.wire.sent().len(), 6);
    // The plan is the same.
    let plan = with(&body.replace("several_root_fields: true\n", ""), RootFields::Many).plan();
    assert_eq!(plan.seal, several.seal);
    // A hub that accepts one root field refuses more.
    let error = with(body, RootFields::One).read().unwrap_err();
    assert!(error.to_string().contains("Only one query or mutation is allowed per request."), "{error}");
}

#[test]
fn lists_are_read_page_by_page_to_their_end() {
    let mut world = with_teams(&["Payments"]);
    world.switches.page_max = 2;
    for index in 0..4 {
        member(&mut world, &format!("u{index}@x.example"), false, &[("Payments", "team-viewer")]);
        invitation(&mut world, &format!("i{index}@x.example"), "DEVELOPER", &["Payments"]);
    }
    let rig = Rig::new(world, "users: [{ email: u1@x.example, teams: [Payments] }]");
    let live = rig.read().unwrap();
    let count = |name: &str| requests(&rig, 0).iter().filter(|asked| **asked == name).count();
    // Nine users, two and three roles, four roles in teams.
    assert_eq!((count("TeamUsers"), count("Roles"), count("EntitiesRoles")), (5, 3, 2));
    assert_eq!((live.users.items.len(), live.invitations().len()), (5, 4));
    assert!(live.users.completeness == Completeness::Proven);
    let offsets: Vec<Value> = rig
        .wire
        .sent()
        .iter()
        .filter(|request| request.operation_name == "TeamUsers")
        .map(|request| request.variables["pagingArgs"]["offset"].clone())
        .collect();
    assert_eq!(offsets, [json!(0), json!(2), json!(4), json!(6), json!(8)]);
}

#[test]
fn an_apply_costs_its_mutations_and_one_read_of_the_organisation() {
    let mut world = with_teams(&["Payments"]);
    member(&mut world, "kim@acme.example", false, &[]);
    let mut rig = Rig::new(
        world,
        "teams: [{ name: New }]\nusers: [{ email: kim@acme.example, teams: [Payments, New] }, { email: new@x.example, roles: [Developer], teams: [Payments] }]",
    );
    let plan = rig.plan();
    let before = rig.wire.sent().len();
    assert!(converged(&rig.apply_plan(&plan).unwrap()));
    let mut sent = requests(&rig, before);
    // The first read is the rig's, because the program reads before it plans.
    let ours = ["Schema", "ActiveUser", "Roles", "Organizations", "Organization", "TeamUsers", "EntitiesRoles"];
    assert_eq!(sent[..7], ours);
    let after = sent.split_off(7);
    assert_eq!(
        after,
        ["CreateTeam", "AddUserToTeams", "CreateUserInvites", "Organization", "TeamUsers", "EntitiesRoles"]
    );
}

/// One request for each user whose account the file mentions.
#[test]
fn accounts_outside_the_organisation_cost_a_request_each() {
    let mut world = with_teams(&["Payments"]);
    member(&mut world, "in@x.example", false, &[]);
    let rig = Rig::new(
        world,
        "allow: [user-deletion]\nusers: [{ email: in@x.example, status: active }, { email: a@x.example, absent: true, status: deactivated }, { email: b@x.example, absent: true, status: deleted }, { email: c@x.example, absent: true }, { email: d@x.example, roles: [Developer], teams: [Payments] }]",
    );
    let live = rig.read().unwrap();
    assert_eq!(requests(&rig, 0).iter().filter(|name| **name == "Users").count(), 2);
    assert_eq!(live.requests, 9);
}

/// Returns thirty organisations of one hub. What they share is read once.
fn thirty() -> (World, Vec<String>) {
    let mut world = world();
    let names: Vec<String> = (0..30).map(|index| format!("org{index}")).collect();
    for name in &names {
        world.add_organization(name);
    }
    (world, names)
}

fn desired_for(name: &str) -> Desired {
    desired(&format!("{}users: [{{ email: own@acme.example, teams: [] }}]", head_of(name)))
}

/// A transport that fails after a number of answers.
struct Failing {
    inner: Arc<dyn Transport>,
    left: Mutex<usize>,
}

impl Transport for Failing {
    fn send<'a>(
        &'a self,
        request: &'a Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send + 'a>> {
        Box::pin(async move {
            {
                let mut left = self.left.lock().unwrap();
                if *left == 0 {
                    return Err(TransportError::NoAnswer("connection reset".to_owned()));
                }
                *left -= 1;
            }
            self.inner.send(request).await
        })
    }
}

#[derive(Default)]
struct Kettle(Mutex<BTreeMap<String, Value>>);

impl ReadCheckpoint for Kettle {
    fn take(&self, asked: &str) -> Option<Value> {
        self.0.lock().unwrap().remove(asked)
    }

    fn keep(&self, asked: &str, answer: &Value) {
        self.0.lock().unwrap().insert(asked.to_owned(), answer.clone());
    }
}

#[test]
fn a_read_of_thirty_organisations_that_breaks_off_goes_on_where_it_was() {
    let provider = rolecall_providers::of(ProviderName::Rapidapi);
    let (world, names) = thirty();
    let read = |rig: &Rig, answers: usize, spool: &Arc<Kettle>| {
        let transport = Arc::new(Failing { inner: rig.wire.clone(), left: Mutex::new(answers) });
        let kept = RunCache::default();
        let mut whole = 0;
        for name in &names {
            let reader = Reader::new(transport.clone(), Redactor::default(), Backoff::with_seed(1))
                .with_run_cache(kept.clone())
                .with_checkpoint(spool.clone());
            let desired_state = desired_for(name);
            if paused(provider.read(&reader, &desired_state)).is_err() {
                break;
            }
            whole += 1;
        }
        whole
    };
    let rig = Rig::new(world.clone(), "");
    assert_eq!(read(&rig, usize::MAX, &Arc::default()), 30);
    let (once, each) = provider.requests_to_read(&desired_for("org0")).unwrap();
    assert_eq!(rig.wire.sent().len(), 94);
    assert_eq!(once + 30 * each, 94);
    for broken_after in [2, 4, 5, 40, 93] {
        let rig = Rig::new(world.clone(), "");
        let spool = Arc::default();
        assert!(read(&rig, broken_after, &spool) < 30);
        assert_eq!(rig.wire.sent().len(), broken_after);
        assert_eq!(read(&rig, usize::MAX, &spool), 30, "{broken_after}");
        assert_eq!(rig.wire.sent().len(), 94, "broken off after {broken_after}");
    }
}

// ---- speed

/// A hub whose time is the test's, and which records the time of each request.
struct Timed {
    inner: InProcess<RapidApi>,
    log: Mutex<Vec<(tokio::time::Instant, u16)>>,
    /// The time that a request and its answer take.
    latency: Duration,
}

impl Transport for Timed {
    fn send<'a>(
        &'a self,
        request: &'a Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send + 'a>> {
        Box::pin(async move {
            tokio::time::sleep(self.latency).await;
            let answer = self.inner.send(request).await;
            let status = answer.as_ref().map_or(0, |response| response.status);
            self.log.lock().unwrap().push((tokio::time::Instant::now(), status));
            tokio::time::sleep(self.latency).await;
            answer
        })
    }
}

fn timed(world: World, latency: Duration) -> (Arc<Sandbox<RapidApi>>, Arc<Timed>) {
    let start = tokio::time::Instant::now();
    let clock =
        move || -> Timestamp { now() + SignedDuration::try_from(tokio::time::Instant::now() - start).unwrap() };
    let sandbox = Arc::new(Sandbox::new(RapidApi::new(world, Arc::new(clock)), Store::Memory));
    let contexts =
        rolecall_providers::of(ProviderName::Rapidapi).headers(&Hub::secrets(), &desired(HEAD)).unwrap();
    let contexts = contexts.into_iter().map(|(context, headers)| {
        let headers = headers.iter().map(|(name, value)| (*name, value.expose_secret()));
        (context, Headers::new(headers))
    });
    let inner = InProcess::new(Arc::clone(&sandbox), contexts.collect());
    (sandbox, Arc::new(Timed { inner, log: Mutex::new(Vec::new()), latency }))
}

/// Plans and applies with a new ledger, as the program does.
async fn run(transport: Arc<dyn Transport>, body: &str) -> (usize, Report) {
    let provider = rolecall_providers::of(ProviderName::Rapidapi);
    let desired_state = desired(&format!("{HEAD}{body}"));
    let reader = Reader::new(transport.clone(), Redactor::default(), Backoff::with_seed(1));
    let live = provider.read(&reader, &desired_state).await.unwrap();
    let site = Site::host("sandbox");
    let input = PlanInput {
        desired: &desired_state,
        live: &live,
        facts: &Facts::default(),
        rules: provider.rules(),
        site: &site,
        asserted: &BTreeSet::new(),
        only: None,
        approved: None,
        caller: None,
        now: now(),
    };
    let planned = plan(&input).unwrap().plan;
    assert_eq!(planned.refusals, []);
    let apply = Apply {
        provider,
        desired: &desired_state,
        site: &site,
        reader: &reader,
        transport,
        redactor: &Redactor::default(),
        backoff: Backoff::with_seed(1),
        quotas: &Quotas::default(),
        parallelism: 1,
        caller: None,
        deliveries: &Deliveries::default(),
        approved: None,
        run: "run",
        generator: "test",
        clock: &now,
        shutdown: &Shutdown::default(),
    };
    let report = apply.run(&planned, &live, &mut Ledger::default(), &mut |_| {}).await.unwrap();
    (planned.sealed.mutations.len(), report)
}

#[test]
fn nothing_is_sent_that_the_hubs_limit_refuses() {
    for latency in [0, 40, 900, 7_000].map(Duration::from_millis) {
        paused(async {
            let (world, body) = crowd();
            let (sandbox, timed) = timed(world, latency);
            let quota = rolecall_providers::of(ProviderName::Rapidapi).budget(&desired(HEAD)).unwrap();
            assert_eq!((quota.requests, quota.window), (10, Duration::from_secs(60)));
            let transport =
                RateLimitTransport::new(timed.clone(), quota, Arc::new(MemoryBudget::default()), Arc::new(|_| {}));
            let (mutations, report) = run(Arc::new(transport), &body).await;
            assert_eq!(mutations, 20 + 10 * 3 + 5);
            assert!(converged(&report), "{latency:?} {:?}", report.final_state);
            let log = timed.log.lock().unwrap().clone();
            // Seven to plan and three to verify.
            assert_eq!(log.len(), 7 + mutations + 3);
            assert!(log.iter().all(|(_, status)| *status == 200), "{latency:?}");
            for window in log.windows(11) {
                let took = window[10].0 - window[0].0;
                assert!(took >= Duration::from_secs(60), "{latency:?}: eleven in {took:?}");
            }
            // It takes no longer than needed.
            let whole = log.last().unwrap().0 - log[0].0;
            let spent = latency * 2 * u32::try_from(log.len()).unwrap();
            assert!(whole <= Duration::from_secs(60 * 6 + 10) + spent, "{latency:?}: {whole:?}");
            assert_eq!(sandbox.engine.world().mails.len(), 20);
        });
    }
}

/// The control: without a budget the limit is hit.
#[test]
fn without_a_budget_the_limit_refuses() {
    paused(async {
        let (world, body) = crowd();
        let (sandbox, timed) = timed(world, Duration::from_millis(1));
        let (_, report) = run(timed.clone(), &body).await;
        assert!(timed.log.lock().unwrap().iter().any(|(_, status)| *status == 429));
        assert!(!report.all_done());
        // A mutation that the rate limit refused wasn't executed and isn't reported as done.
        let done = report
            .steps
            .iter()
            .filter(|step| step.operation == "createUserInvites" && step.outcome == Outcome::Done);
        assert_eq!(done.count(), sandbox.engine.world().mails.len());
    });
}

/// The limit applies to the user, for all of their keys and organisations.
#[test]
fn organisations_of_one_credential_share_the_limit() {
    paused(async {
        let (mut world, names) = thirty();
        world.switches.rate_limit = 10;
        world.switches.minute_millis = 60_000;
        let (_, timed) = timed(world, Duration::from_millis(100));
        let provider = rolecall_providers::of(ProviderName::Rapidapi);
        let quota = provider.budget(&desired(HEAD)).unwrap();
        let waits = Arc::new(Mutex::new(0));
        let on_wait = {
            let waits = waits.clone();
            Arc::new(move |_| *waits.lock().unwrap() += 1)
        };
        let transport =
            Arc::new(RateLimitTransport::new(timed.clone(), quota, Arc::new(MemoryBudget::default()), on_wait));
        let kept = RunCache::default();
        let reads = names.iter().map(|name| {
            let (transport, kept) = (transport.clone(), kept.clone());
            async move {
                let reader =
                    Reader::new(transport, Redactor::default(), Backoff::with_seed(1)).with_run_cache(kept);
                provider.read(&reader, &desired_for(name)).await.map(|live| live.users.items.len())
            }
        });
        // At the same time, with separate readers.
        let reads = futures_util::future::join_all(reads).await;
        assert!(reads.iter().all(|users| *users == Ok(1)), "{reads:?}");
        let log = timed.log.lock().unwrap().clone();
        assert!(log.iter().all(|(_, status)| *status == 200));
        assert!(log.windows(11).all(|window| window[10].0 - window[0].0 >= Duration::from_secs(60)));
        assert!(*waits.lock().unwrap() > 0);
    });
}

/// Reads after another process or a person used up the user's minute.
fn reads_after_the_limit_was_used_up(retry_after: bool) {
    paused(async {
        let (mut world, body) = crowd();
        world.switches.retry_after = retry_after;
        let own = user(&world, OWN_EMAIL);
        world.requests.insert(own, vec![now(); 10]);
        let (_sandbox, timed) = timed(world, Duration::from_millis(40));
        let provider = rolecall_providers::of(ProviderName::Rapidapi);
        let quota = provider.budget(&desired(HEAD)).unwrap();
        let transport = RateLimitTransport::new(timed, quota, Arc::new(MemoryBudget::default()), Arc::new(|_| {}));
        let desired_state = desired(&format!("{HEAD}{body}"));
        let reader = Reader::new(Arc::new(transport), Redactor::default(), Backoff::with_seed(1));
        let read = provider.read(&reader, &desired_state).await;
        assert!(read.is_ok(), "{}", read.unwrap_err());
    });
}

#[test]
fn a_limit_that_another_hand_has_used_up_is_waited_for_as_long_as_the_hub_says() {
    reads_after_the_limit_was_used_up(true);
}

#[test]
fn a_limit_that_another_hand_has_used_up_is_waited_for_as_long_as_it_is_known_to_last() {
    reads_after_the_limit_was_used_up(false);
}

/// Reads wait for a whole minute, however many requests of the last one were ours.
#[test]
fn a_minute_that_another_hand_has_used_up_is_waited_for_as_a_whole() {
    use rolecall_graphql::Budget;
    paused(async {
        let minute = Duration::from_secs(60);
        let quota = Quota { requests: 4, window: minute };
        let budget = MemoryBudget::default();
        for _ in 0..2 {
            budget.take(quota).unwrap();
        }
        tokio::time::advance(Duration::from_secs(50)).await;
        let ticket = budget.take(quota).unwrap();
        budget.answered(ticket);
        budget.used_up(quota);
        assert!(budget.take(quota).unwrap_err() >= minute);
        tokio::time::advance(Duration::from_secs(15)).await;
        assert!(budget.take(quota).unwrap_err() >= Duration::from_secs(45));
        tokio::time::advance(Duration::from_secs(46)).await;
        assert!(budget.take(quota).is_ok());
    });
}

/// Counts the errors of a file by itself.
fn errors(text: &str) -> usize {
    let (_, found) = check_source(&Source::inline("test.yaml", text), rolecall_providers::format);
    found.iter().filter(|it| it.is_error()).count()
}

#[test]
fn the_file_sets_the_pace() {
    let provider = rolecall_providers::of(ProviderName::Rapidapi);
    let calls = |more: &str| provider.budget(&desired(&format!("{HEAD}{more}"))).unwrap().requests;
    assert_eq!((calls(""), calls("requests_per_minute: 3"), calls("requests_per_minute: 600")), (10, 3, 600));
    for wrong in ["0", "6001"] {
        assert_eq!(errors(&format!("{HEAD}requests_per_minute: {wrong}")), 1, "{wrong}");
    }
}

// ---- generations

#[test]
fn every_generation_of_the_schema_leads_to_the_same_plan_and_the_same_access() {
    let mut seals = BTreeSet::new();
    let mut access = Vec::new();
    for generation in GENERATIONS {
        let (mut world, body) = one_of_each_change();
        world.switches.generation = generation;
        let mut rig = Rig::new(world, body);
        let plan = rig.plan();
        assert!(plan.completeness.values().all(|it| *it == Completeness::Proven), "{:?}", plan.completeness);
        assert_eq!(addresses(&plan).len(), 11, "{:?}", addresses(&plan));
        seals.insert(plan.seal.clone());
        let report = rig.apply_plan(&plan).unwrap();
        assert!(converged(&report), "{generation:?} {report:#?}");
        assert_eq!(addresses(&rig.plan()), NOBODY);
        let world = rig.world().clone();
        access.push((world.team_access(acme(&world)), world.admins(acme(&world)), invited(&world)));
    }
    assert_eq!(seals.len(), 1, "the plans differ");
    assert!(access.iter().all(|one| *one == access[0]), "{access:#?}");
}

#[test]
fn a_hub_that_does_not_introspect_is_taken_to_be_as_documented_and_that_is_said() {
    let (mut world, body) = one_of_each_change();
    let introspected = Rig::new(world.clone(), body).plan();
    world.switches.introspection = false;
    let plan = Rig::new(world.clone(), body).plan();
    assert_eq!(plan.seal, introspected.seal);
    let gap = "the schema of the hub";
    assert!(
        plan.gaps.iter().any(|it| it.what == gap && it.why.contains("assumes the schema of the documentation"))
    );
    assert!(introspected.gaps.iter().all(|it| it.what != gap));
    // If the named generation is wrong, the hub refuses the query and nothing is planned.
    world.switches.generation = Generation::August2023;
    let rig = Rig::new(world, body);
    let error = rig.read().unwrap_err();
    assert!(
        matches!(&error, ReadError::Call { operation: "Organization", error: CallError::GraphQl(_) }),
        "{error}"
    );
}

#[test]
fn a_failed_question_about_the_schema_is_no_answer() {
    for glitch in [json!({ "errors": [{ "message": "Unexpected error." }] }), json!({ "data": {} })] {
        let rig = Rig::new(world(), "");
        let answer = glitch.clone();
        rig.wire.forge_answer(move |body| {
            if body["data"].get("__schema").is_some() {
                *body = answer.clone();
            }
        });
        let error = rig.read().unwrap_err();
        assert!(matches!(error, ReadError::Call { operation: "Schema", .. }), "{error}");
    }
}

/// A cached schema of a hub.
#[derive(Default)]
struct Board(Mutex<BTreeMap<String, Value>>);

impl ResponseCache for Board {
    fn get(&self, name: &str) -> Option<Value> {
        self.0.lock().unwrap().get(name).cloned()
    }

    fn put(&self, name: &str, answer: &Value) {
        self.0.lock().unwrap().insert(name.to_owned(), answer.clone());
    }

    fn forget(&self, name: &str) {
        self.0.lock().unwrap().remove(name);
    }
}

#[test]
fn a_hub_that_has_another_schema_than_days_ago_is_asked_again() {
    let provider = rolecall_providers::of(ProviderName::Rapidapi);
    let board: Arc<Board> = Arc::default();
    let read = |generation: Generation| {
        let (mut world, body) = one_of_each_change();
        world.switches.generation = generation;
        let rig = Rig::new(world, body);
        let reader = Reader::new(rig.wire.clone(), Redactor::default(), Backoff::with_seed(1));
        let reader = reader.with_response_cache(board.clone());
        let live = paused(provider.read(&reader, &rig.desired)).unwrap();
        let plan = rig.plan_from(&live, &BTreeSet::new(), None).unwrap();
        let asked = rig.wire.sent().iter().filter(|request| request.operation_name == "Schema").count();
        (asked, plan.seal)
    };
    let (asked, seal) = read(Generation::Documented);
    assert_eq!(asked, 1);
    assert_eq!(read(Generation::Documented), (0, seal.clone()));
    // The hub's schema went back to an earlier generation.
    assert_eq!(read(Generation::August2023), (1, seal.clone()));
    assert_eq!(read(Generation::August2023), (0, seal.clone()));
    // The later hub also accepts the earlier query for an organisation.
    assert_eq!(read(Generation::Documented), (0, seal));
}

#[test]
fn a_hub_without_a_field_that_is_needed_is_too_old_and_the_error_names_the_field() {
    let statuses = "users: [{ email: own@acme.example, status: active }]";
    for (type_name, fields, field, body) in [
        ("Organization", "fields", "ProjectAcls", ""),
        ("Project", "fields", "applicationAuthorizations", ""),
        ("User", "fields", "singleAdminOrgs", ""),
        ("UserUpdateInput", "inputFields", "id", statuses),
        ("UserUpdateInput", "inputFields", "status", statuses),
    ] {
        let rig = Rig::new(world(), body);
        rig.wire.forge(move |data| {
            for shown in data.pointer_mut("/__schema/types").and_then(Value::as_array_mut).into_iter().flatten() {
                if shown["name"] == type_name {
                    shown[fields].as_array_mut().unwrap().retain(|it| it["name"] != field);
                }
            }
        });
        let error = rig.read().unwrap_err();
        assert_eq!(error.to_string(), format!("Schema: the answer lacks `{type_name}.{field}`"));
        let hint = rolecall_providers::of(ProviderName::Rapidapi).next_step_of_read(&error).unwrap();
        assert!(hint.contains("August 2023") && hint.contains("update the hub"), "{hint}");
    }
    // A file without a status can be planned with a hub that can't change one.
    let rig = Rig::new(world(), "");
    rig.wire.forge(|data| {
        if let Some(types) = data.pointer_mut("/__schema/types").and_then(Value::as_array_mut) {
            types.retain(|it| it["name"] != "UserUpdateInput");
        }
    });
    assert_eq!(addresses(&rig.plan()), NOBODY);
}

// ---- counts and lists that can't be right

/// Plans for users in the file and others, in an organisation whose lists contradict each other.
fn miscounted(set: impl Fn(&mut World)) -> OrganizationPlan {
    let mut world = with_teams(&["Payments", "Legacy", "Gone"]);
    member(&mut world, "left@x.example", false, &[]);
    member(&mut world, "unlisted@x.example", false, &[]);
    member(&mut world, "moves@x.example", false, &[("Payments", "team-viewer")]);
    set(&mut world);
    planned(
        world,
        "manage: { users: all, teams: all }
settings: { description: ours }
teams: [{ name: acme-Default }, { name: Payments, description: changed }, { name: New }, { name: Gone, absent: true }]
users:
  - { email: own@acme.example }
  - { email: left@x.example, absent: true }
  - { email: moves@x.example, roles: [Organization Admin] }
  - { email: new@x.example, roles: [Developer], teams: [Payments] }
",
    )
}

#[test]
fn where_all_adds_up_everything_is_planned() {
    let plan = miscounted(|_| {});
    assert_eq!(
        addresses(&plan),
        [
            "organization",
            "team/Gone",
            "team/Legacy",
            "team/New",
            "team/Payments",
            "user/left@x.example",
            "user/moves@x.example",
            "user/new@x.example",
            "user/unlisted@x.example"
        ]
    );
    assert_eq!(holds(&plan), NOBODY);
}

#[test]
fn where_the_people_do_not_add_up_nobody_is_invited_and_nobody_goes_for_not_being_listed() {
    type Broken = fn(&mut World);
    let cases: [(Broken, &str); 5] = [
        (|world| world.switches.users_count_off_by = -1, "the organisation says that it has 3 users, and lists 4"),
        (|world| world.switches.users_count_off_by = 1, "the organisation says that it has 5 users, and lists 4"),
        (
            |world| world.switches.users_count_off_by = 900,
            "the organisation says that it has 904 users, and lists 4",
        ),
        (|world| world.switches.total_off_by = 1, "the platform says that there are 5 people, and lists 4"),
        (|world| world.switches.total_off_by = -1, "the platform says that there are 3 people, and lists 4"),
    ];
    for (broken, why) in cases {
        let plan = miscounted(broken);
        assert_eq!(
            addresses(&plan),
            [
                "organization",
                "team/Gone",
                "team/Legacy",
                "team/New",
                "team/Payments",
                "user/left@x.example",
                "user/moves@x.example"
            ],
            "{why}"
        );
        for address in ["user/*", "user/new@x.example", "user/unlisted@x.example"] {
            assert_eq!(
                held(&plan, address)[0],
                format!(
                    "blocked: The list of users is incomplete: {why}. rolecall makes no change that depends on a missing entry."
                )
            );
        }
        assert!(plan.completeness["users"].is_incomplete());
        assert!(plan.sealed.mutations.iter().all(|it| it.operation != "createUserInvites"));
    }
}

#[test]
fn where_the_teams_do_not_add_up_none_is_made_and_none_goes_for_not_being_listed() {
    type Broken = fn(&mut World);
    let cases: [(Broken, &str); 4] = [
        (|world| world.switches.teams_count_off_by = -1, "the organisation says that it has 3 teams, and lists 4"),
        (|world| world.switches.teams_count_off_by = 1, "the organisation says that it has 5 teams, and lists 4"),
        (
            |world| world.switches.team_users_count_off_by = -1,
            "the team acme-Default says that it has 0 people, and 1 are listed",
        ),
        (
            |world| world.switches.team_users_count_off_by = 1,
            "the team acme-Default says that it has 2 people, and 1 are listed",
        ),
    ];
    for (broken, why) in cases {
        let plan = miscounted(broken);
        assert_eq!(
            addresses(&plan),
            [
                "organization",
                "team/Gone",
                "team/Payments",
                "user/left@x.example",
                "user/moves@x.example",
                "user/unlisted@x.example"
            ],
            "{why}"
        );
        for address in ["team/*", "team/New", "team/Legacy", "user/new@x.example"] {
            assert_eq!(
                held(&plan, address),
                [format!(
                    "blocked: The list of teams is incomplete: {why}. rolecall makes no change that depends on a missing entry."
                )]
            );
        }
        // Nor is anybody added to a team that isn't created.
        let mut world = with_teams(&["Payments"]);
        member(&mut world, "kim@x.example", false, &[]);
        broken(&mut world);
        let plan = planned(world, "teams: [{ name: New }]\nusers: [{ email: kim@x.example, teams: [New] }]");
        assert_eq!(addresses(&plan), NOBODY, "{why}");
        let kim = held(&plan, "user/kim@x.example");
        assert!(kim[0].starts_with("blocked: The list of teams is incomplete: "), "{kim:?}");
    }
}

/// A count that may include invitations proves nothing.
#[test]
fn a_count_that_is_right_in_one_reading_is_not_held_against_the_list() {
    let mut world = with_teams(&["Payments"]);
    invitation(&mut world, "old@x.example", "DEVELOPER", &["Payments"]);
    world.switches.users_count_off_by = 1;
    world.switches.team_users_count_off_by = 0;
    let plan = planned(world.clone(), "");
    assert!(!plan.completeness["users"].is_incomplete());
    world.switches.users_count_off_by = 2;
    assert!(planned(world, "").completeness["users"].is_incomplete());
}

/// One list leaves out a user whom the other list has. Nobody who is a member is invited or treated as invited.
fn one_left_out(more: &str, user: &str) -> Rig {
    let mut world = with_teams(&["Payments"]);
    member(&mut world, "kim@x.example", false, &[("Payments", "team-viewer")]);
    let rig = Rig::new(
        world,
        &format!("{more}users: [{{ email: own@acme.example, roles: [Organization Admin] }}{user}]"),
    );
    rig.wire.forge(|data| {
        if let Some(users) = data.get_mut("organization").and_then(|it| it["users"].as_array_mut()) {
            users.retain(|user| user["email"] != "kim@x.example");
        }
    });
    rig
}

#[test]
fn somebody_whom_one_of_two_lists_leaves_out_is_not_invited() {
    let rig = one_left_out("", ", { email: kim@x.example, roles: [Developer], teams: [Payments] }");
    let plan = rig.plan();
    assert_eq!(addresses(&plan), NOBODY);
    assert_eq!(
        held(&plan, "user/kim@x.example"),
        [
            "blocked: The list of users is incomplete: kim@x.example is in only one of two lists. rolecall makes no change that depends on a missing entry."
        ]
    );
}

#[test]
fn somebody_whom_one_of_two_lists_leaves_out_has_no_invitation_to_take_back() {
    for (more, user) in [("", ", { email: kim@x.example, absent: true }"), ("manage: { users: all }\n", "")] {
        let rig = one_left_out(more, user);
        assert_eq!(addresses(&rig.plan()), NOBODY, "{more}{user} {:?}", holds(&rig.plan()));
    }
}

/// The same if the count of active users leaves them out too.
#[test]
fn somebody_whom_one_of_two_lists_leaves_out_is_noticed_without_the_count_of_active_people() {
    let mut world = with_teams(&["Payments"]);
    member(&mut world, "kim@x.example", false, &[("Payments", "team-viewer")]);
    let rig = Rig::new(world, "users: [{ email: kim@x.example, roles: [Organization Admin], teams: [Payments] }]");
    rig.wire.forge(|data| {
        if let Some(users) = data.get_mut("organization").and_then(|it| it["users"].as_array_mut()) {
            users.retain(|user| user["email"] != "kim@x.example");
        }
        if let Some(people) = data.get_mut("paginatedTeamUsersByOrganizationIdV2") {
            people["totalActive"] = Value::Null;
        }
    });
    let plan = rig.plan();
    assert_eq!(addresses(&plan), NOBODY, "{:?}", plan.sealed.mutations);
}

/// An incomplete answer is an error, never an empty list.
#[test]
fn half_answers_are_errors() {
    type Forgery = fn(&mut Value);
    let cases: Vec<(&str, Forgery, &str)> = vec![
        ("organization", |data| data["organization"]["users"] = Value::Null, "`organization.users`"),
        ("organization", |data| data["organization"]["teams"] = Value::Null, "`organization.teams`"),
        ("organization", |data| data["organization"]["id"] = json!("8"), "the credential reaches no organisation"),
        ("activeUser", |data| data["activeUser"] = Value::Null, "`activeUser`"),
        ("activeUser", |data| data["activeUser"]["id"] = Value::Null, "`activeUser.id`"),
        ("roles", |data| data["roles"]["nodes"] = Value::Null, "`roles.nodes`"),
        ("roles", |data| data["roles"]["pageInfo"] = Value::Null, "`roles.pageInfo`"),
        (
            "roles",
            |data| data["roles"]["pageInfo"] = json!({ "hasNextPage": true }),
            "the list can't be read whole, because its pages lead in a circle",
        ),
        ("entitiesRoles", |data| data["entitiesRoles"]["nodes"] = Value::Null, "`entitiesRoles.nodes`"),
        ("entitiesRoles", |data| data["entitiesRoles"]["pageInfo"] = Value::Null, "`entitiesRoles.pageInfo`"),
        ("organizations", |data| data["organizations"] = Value::Null, "`organizations`"),
        (
            "paginatedTeamUsersByOrganizationIdV2",
            |data| data["paginatedTeamUsersByOrganizationIdV2"] = Value::Null,
            "`paginatedTeamUsersByOrganizationIdV2`",
        ),
        (
            "paginatedTeamUsersByOrganizationIdV2",
            |data| data["paginatedTeamUsersByOrganizationIdV2"]["total"] = Value::Null,
            "total",
        ),
        (
            "paginatedTeamUsersByOrganizationIdV2",
            |data| data["paginatedTeamUsersByOrganizationIdV2"]["data"] = Value::Null,
            "data",
        ),
    ];
    for (root, forgery, said) in cases {
        let mut world = with_teams(&["Payments"]);
        member(&mut world, "kim@x.example", false, &[("Payments", "team-viewer")]);
        let rig = Rig::new(world, "users: [{ email: kim@x.example, teams: [Payments] }]");
        rig.wire.forge(move |data| {
            if data.get(root).is_some() {
                forgery(data);
            }
        });
        let error = rig.read().unwrap_err().to_string();
        assert!(error.contains(said), "{said}: {error}");
    }
}

/// A file can't name such a user, team or role. Everybody else is planned.
#[test]
fn a_row_that_can_not_be_read_is_shown_and_hides_nobody_else() {
    type Forgery = fn(&mut Value);
    let no_address: Forgery = |data| {
        let lists = ["/organization/users", "/paginatedTeamUsersByOrganizationIdV2/data"];
        for list in lists {
            for user in data.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                if user["email"] == "kim@x.example" {
                    user["email"] = Value::Null;
                }
            }
        }
    };
    let only_one_list: Forgery = |data| {
        for user in data.pointer_mut("/organization/users").and_then(Value::as_array_mut).into_iter().flatten() {
            if user["email"] == "kim@x.example" {
                user["email"] = json!("not an address");
            }
        }
    };
    for (forgery, said) in
        [(no_address, "`email` is missing"), (only_one_list, "`email` isn't an address that a file can have")]
    {
        let mut world = with_teams(&["Payments"]);
        member(&mut world, "kim@x.example", false, &[("Payments", "team-viewer")]);
        member(&mut world, "sam@x.example", false, &[("Payments", "team-viewer")]);
        let body = "users: [{ email: sam@x.example, absent: true }, { email: new@x.example, roles: [Developer], teams: [Payments] }]";
        let kim = world.user("kim@x.example").unwrap().id;
        let mut rig = Rig::new(world, body);
        rig.wire.forge(forgery);
        if said.contains("missing") {
            // Her row may be the one of whoever isn't listed.
            assert_eq!(addresses(&rig.plan()), ["user/sam@x.example"]);
            rig.set_file(&format!("acknowledged: [\"user/#{kim}\"]\n{body}"));
        }
        let plan = rig.plan();
        assert_eq!(addresses(&plan), ["user/new@x.example", "user/sam@x.example"], "{said} {:?}", holds(&plan));
        let kim: Vec<String> = holds(&plan).into_iter().filter(|hold| hold.contains(said)).collect();
        assert!(kim.len() == 1 && kim[0].contains("ignored"), "{kim:?} {:?}", holds(&plan));
        // Under `all` somebody has to look at it, and it is left as it is.
        rig.set_file(&format!("manage: {{ users: all }}\n{body}"));
        let blocked =
            holds(&rig.plan()).into_iter().filter(|hold| hold.contains(said) && hold.contains("blocked"));
        assert_eq!(blocked.count(), 1, "{:?}", holds(&rig.plan()));
    }
    let mut world = with_teams(&["Payments", "Data"]);
    member(&mut world, "sam@x.example", false, &[("Payments", "team-viewer")]);
    let rig = Rig::new(world, "manage: { teams: all }\nteams: [{ name: Payments }, { name: New }]");
    rig.wire.forge(|data| {
        for team in data.pointer_mut("/organization/teams").and_then(Value::as_array_mut).into_iter().flatten() {
            if team["name"] == "Data" {
                team["name"] = Value::Null;
            }
        }
    });
    let plan = rig.plan();
    assert!(holds(&plan).iter().any(|hold| hold.starts_with("team/#") && hold.contains("`name` is missing")));
    // It may be the new team.
    let held =
        |hold: &String| hold.starts_with("team/New blocked: ") && hold.contains("has no name that can be read");
    assert!(holds(&plan).iter().any(held), "{:?}", holds(&plan));
    assert_eq!(addresses(&plan), NOBODY);
}

/// The cursors lead in a circle, or to a new page each time.
#[test]
fn lists_without_an_end_are_broken_after_few_requests() {
    for circle in [true, false] {
        for list in ["roles", "entitiesRoles"] {
            let mut world = with_teams(&["Payments"]);
            member(&mut world, "sam@x.example", false, &[("Payments", "team-viewer")]);
            let rig = Rig::new(world, "users: [{ email: sam@x.example, teams: [Payments] }]");
            let pages: Mutex<Vec<Value>> = Mutex::default();
            rig.wire.forge_answer(move |body| {
                if body["data"].get(list).is_none() && body["errors"][0]["path"][0] != list {
                    return;
                }
                // The first answer has a page, and every later one repeats it under another cursor.
                let mut pages = pages.lock().unwrap();
                let page = pages.first().unwrap_or(&body["data"][list]).clone();
                pages.push(page.clone());
                let cursor = if circle { pages.len() % 2 } else { pages.len() };
                let nodes = if !circle && pages.len() > 2 { json!([]) } else { page["nodes"].clone() };
                let info = json!({ "hasNextPage": true, "endCursor": cursor.to_string() });
                *body = json!({ "data": { list: { "nodes": nodes, "pageInfo": info } } });
            });
            let said = match rig.read() {
                Ok(live) => format!("{:?}", live.users.completeness),
                Err(error) => error.to_string(),
            };
            let why =
                if circle { "its pages lead in a circle" } else { "a page without any says that there are more" };
            assert!(said.contains(why), "{list} {said}");
            assert!(rig.wire.sent().len() < 20, "{}", rig.wire.sent().len());
        }
    }
}
