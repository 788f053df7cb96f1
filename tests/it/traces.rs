//! `--otlp`: a collector gets a tree of spans, without a secret and without a person. No collector changes how a run ends.

use crate::support::cli::Env;

#[cfg(not(feature = "otlp"))]
#[test]
fn without_the_feature_the_option_says_how_to_get_it() {
    let env = Env::with_example();
    let said = env.run(&["plan", "--sandbox", "bitpanda.yaml", "--otlp", "http://127.0.0.1:9"]);
    assert_eq!((said.code, &*said.stdout), (1, ""), "{}", said.all());
    for part in ["without the feature `otlp`", "Released binaries have it", "cargo install --features otlp"] {
        assert!(said.stderr.contains(part), "{part}: {}", said.stderr);
    }
}

#[test]
fn without_the_option_nothing_is_sent_whatever_the_environment_says() {
    let mut env = Env::with_example();
    let collector = crate::support::receiver::Receiver::answering(&[200]);
    env.set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url);
    assert_eq!(env.run(&["plan", "--sandbox", "bitpanda.yaml"]).code, 0);
    assert!(collector.take().is_empty());
}

#[cfg(feature = "otlp")]
mod sent {
    use std::collections::{BTreeMap, BTreeSet};
    use std::net::TcpListener;
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    use rolecall_model::ProviderName;
    use serde_json::Value;

    use crate::support::cli::{Env, Said, example, served};
    use crate::support::receiver::{Received, Receiver};

    /// A span that the collector received.
    #[derive(Debug)]
    struct Span {
        name: String,
        id: String,
        parent: String,
        trace: String,
        kind: i64,
        failed: bool,
        links: usize,
        attributes: BTreeMap<String, String>,
    }

    impl Span {
        fn get(&self, name: &str) -> &str {
            self.attributes.get(name).map_or("", |value| value)
        }

        fn has(&self, name: &str) -> bool {
            self.attributes.contains_key(name)
        }
    }

    /// Returns attributes, with the numbers and truth values as texts.
    fn attributes(list: &Value) -> BTreeMap<String, String> {
        let text = |value: &Value| match value.as_object().unwrap().values().next().unwrap() {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let list = list.as_array().into_iter().flatten();
        list.map(|it| (it["key"].as_str().unwrap().to_owned(), text(&it["value"]))).collect()
    }

    fn spans(requests: &[Received]) -> Vec<Span> {
        let mut spans = Vec::new();
        for request in requests {
            let body: Value = serde_json::from_str(&request.body).unwrap();
            for scope in body["resourceSpans"].as_array().unwrap() {
                for span in
                    scope["scopeSpans"].as_array().unwrap().iter().flat_map(|it| it["spans"].as_array().unwrap())
                {
                    let text = |field: &str| span[field].as_str().unwrap_or_default().to_owned();
                    assert!(span["events"].as_array().is_none_or(Vec::is_empty), "{span}");
                    spans.push(Span {
                        name: text("name"),
                        id: text("spanId"),
                        parent: text("parentSpanId"),
                        trace: text("traceId"),
                        kind: span["kind"].as_i64().unwrap(),
                        failed: span["status"]["code"] == 2,
                        links: span["links"].as_array().map_or(0, Vec::len),
                        attributes: attributes(&span["attributes"]),
                    });
                }
            }
        }
        spans
    }

    fn with<'a>(spans: &'a [Span], attribute: &str) -> Vec<&'a Span> {
        spans.iter().filter(|span| span.has(attribute)).collect()
    }

    const REQUEST: &str = "graphql.operation.name";
    const MUTATION: &str = "rolecall.mutation.id";
    const LIST: &str = "rolecall.list";
    const TASK: &str = "rolecall.task";

    /// Runs rolecall with a collector, and returns what the collector got.
    fn traced(env: &mut Env, collector: &Receiver, args: &[&str]) -> (Said, Vec<Received>) {
        env.set("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
        let said = env.run(&[args, &["--otlp", &collector.url]].concat());
        (said, collector.take())
    }

    /// Checks the shape of a tree, and returns its root.
    fn checked_tree<'a>(spans: &'a [Span], verb: &str) -> &'a Span {
        let by_id: BTreeMap<&str, &Span> = spans.iter().map(|span| (&*span.id, span)).collect();
        assert_eq!(by_id.len(), spans.len(), "an id is there twice");
        let roots: Vec<&Span> = spans.iter().filter(|span| !by_id.contains_key(&*span.parent)).collect();
        let [root] = roots[..] else { panic!("{} roots: {roots:#?}", roots.len()) };
        assert_eq!(root.name, format!("rolecall {verb}"));
        assert_eq!((root.get("rolecall.verb"), root.get("rolecall.version")), (verb, env!("CARGO_PKG_VERSION")));
        for span in spans {
            assert_eq!(span.trace, root.trace);
            let Some(parent) = by_id.get(&*span.parent) else { continue };
            let fits = if span.has(TASK) {
                parent.id == root.id
            } else if span.has(MUTATION) || span.has(LIST) {
                parent.has(TASK)
            } else if span.get("graphql.operation.type") == "mutation" {
                parent.has(MUTATION)
            } else if span.has(REQUEST) {
                parent.has(TASK) || parent.has(LIST)
            } else {
                span.name == "wait"
            };
            assert!(fits, "{span:#?}\nbelow {parent:#?}");
            // OpenTelemetry's number for a client is 3, and 1 for what happens inside.
            assert_eq!(span.kind, if span.has(REQUEST) { 3 } else { 1 }, "{span:?}");
        }
        root
    }

    /// Counts the lines of `--verbose` that say that a request was answered.
    fn answered(said: &Said) -> usize {
        said.stderr.lines().filter(|line| line.contains(" INFO read ") || line.contains(" INFO wrote ")).count()
    }

    #[test]
    fn a_plan_is_a_tree_of_the_run_its_organisations_their_lists_and_every_request() {
        const LISTS: &[(ProviderName, &[&str])] = &[
            (ProviderName::Hive, &["invitations", "keys", "roles", "users"]),
            (ProviderName::Bitpanda, &["keys", "users"]),
            (ProviderName::Paradime, &["invitations", "users"]),
            (ProviderName::Rapidapi, &["invitations", "teams", "users"]),
        ];
        for (provider, lists) in LISTS {
            let (mut env, collector) = (Env::new(), Receiver::answering(&[200]));
            env.write("file.yaml", example(&format!("{provider}.yaml")));
            let (said, requests) = traced(&mut env, &collector, &["plan", "-v", "--sandbox", "file.yaml"]);
            assert_eq!(said.code, 0, "{}", said.all());
            assert!(requests.iter().all(|request| request.path == "/v1/traces"));
            let spans = spans(&requests);
            let root = checked_tree(&spans, "plan");
            assert_eq!((root.get("process.exit.code"), root.failed), ("0", false));
            let organizations = with(&spans, TASK);
            let [organization] = organizations[..] else { panic!("{organizations:?}") };
            assert_eq!(
                (&*organization.name, organization.get("rolecall.platform")),
                ("plan organization", provider.as_str())
            );
            assert!(!organization.get("rolecall.organization").is_empty());
            let mut found: Vec<&str> = with(&spans, LIST).iter().map(|span| span.get(LIST)).collect();
            found.sort_unstable();
            assert_eq!(found, *lists);
            for list in with(&spans, LIST) {
                let pages: usize = list.get("rolecall.list.pages").parse().unwrap();
                assert!(
                    pages >= 1 && list.has("rolecall.list.items") && list.has("rolecall.list.completeness"),
                    "{list:?}"
                );
            }
            let sent = with(&spans, REQUEST);
            assert_eq!(sent.len(), answered(&said), "{}\n{sent:#?}", said.stderr);
            for request in sent {
                assert_eq!(request.name, format!("query {}", request.get(REQUEST)));
                assert_eq!(request.get("http.response.status_code"), "200");
                assert_eq!(request.get("server.address"), "127.0.0.1");
                assert!(request.get("http.response.body.size").parse::<usize>().unwrap() > 0);
            }
        }
    }

    /// Roles that the platform lets rolecall create in one document.
    fn with_more_roles() -> String {
        let role = |number| {
            format!("  - {{ name: More {number}, description: More, permissions: [project:describe] }}\n")
        };
        let roles = (1..=9).map(role).collect::<Vec<_>>().concat();
        example("hive.yaml").replace("\nroles:\n", &format!("\nroles:\n{roles}"))
    }

    #[test]
    fn an_apply_has_a_span_for_each_mutation_with_its_outcome() {
        for (file, more) in [(example("hive.yaml"), "--parallelism=1"), (with_more_roles(), "--parallelism=2")] {
            let (mut env, collector) = (Env::new(), Receiver::answering(&[200]));
            env.write("file.yaml", file);
            let args =
                ["apply", "-v", "--auto-approve", "--sandbox", more, "--report", "json=applied.json", "file.yaml"];
            let (said, requests) = traced(&mut env, &collector, &args);
            assert_eq!(said.code, 0, "{}", said.all());
            let spans = spans(&requests);
            checked_tree(&spans, "apply");
            assert_eq!(with(&spans, TASK).len(), 1);
            let applied: Value = serde_json::from_str(&env.read("applied.json")).unwrap();
            let steps = applied["organizations"][0]["report"]["steps"].as_array().unwrap();
            let told: BTreeSet<(&str, &str)> = steps
                .iter()
                .map(|step| (step["mutation"].as_str().unwrap(), step["operation"].as_str().unwrap()))
                .collect();
            let mutations = with(&spans, MUTATION);
            let found: BTreeSet<(&str, &str)> = mutations
                .iter()
                .map(|span| (span.get(MUTATION), span.get("rolecall.mutation.operation")))
                .collect();
            assert_eq!(found, told);
            assert_eq!(mutations.len(), told.len(), "each was sent once");
            for mutation in &mutations {
                assert_eq!(
                    (mutation.get("rolecall.mutation.outcome"), mutation.failed),
                    ("done", false),
                    "{mutation:?}"
                );
                assert!(mutation.has("rolecall.mutation.stage") && mutation.has("rolecall.mutation.kind"));
                let name =
                    [mutation.get("rolecall.mutation.action"), mutation.get("rolecall.mutation.kind")].join(" ");
                assert_eq!(mutation.name, name);
            }
            let sent = with(&spans, REQUEST);
            assert_eq!(sent.len(), answered(&said));
            // A request is below its first mutation, and has links to the others.
            let writes: Vec<_> =
                sent.iter().filter(|span| span.get("graphql.operation.type") == "mutation").collect();
            assert_eq!(writes.iter().map(|span| 1 + span.links).sum::<usize>(), mutations.len());
            let batches = writes.iter().filter(|span| span.get(REQUEST) == "Batch" && span.links > 0).count();
            assert_eq!(batches > 0, more != "--parallelism=1", "{batches} batches");
        }
    }

    #[test]
    fn an_attempt_that_failed_and_the_wait_after_it_have_spans() {
        let (mut env, _server) = served(ProviderName::Hive, &["--fault", "status=503@members*1"]);
        let collector = Receiver::answering(&[200]);
        let (said, requests) = traced(&mut env, &collector, &["plan", "file.yaml"]);
        assert_eq!(said.code, 0, "{}", said.all());
        let spans = spans(&requests);
        checked_tree(&spans, "plan");
        let attempts: Vec<&Span> =
            with(&spans, REQUEST).into_iter().filter(|span| span.get(REQUEST) == "Organization").collect();
        let [first, second] = attempts[..] else { panic!("{attempts:#?}") };
        let (first, second) = if first.failed { (first, second) } else { (second, first) };
        assert_eq!((first.get("http.response.status_code"), first.get("error.type")), ("503", "http-status"));
        assert_eq!((second.failed, second.get("http.request.resend_count")), (false, "1"));
        assert!(!first.has("http.request.resend_count"));
        let waits = with(&spans, "rolecall.wait.reason");
        let [wait] = waits[..] else { panic!("{waits:?}") };
        assert_eq!((wait.get("rolecall.wait.reason"), &wait.parent), ("retry", &first.parent));

        // The platform asks for fewer requests.
        let (mut env, _server) = served(ProviderName::Hive, &["--fault", "rate-limit=1@createMemberRole*1"]);
        let (said, requests) = traced(&mut env, &collector, &["apply", "--auto-approve", "file.yaml"]);
        assert_eq!(said.code, 0, "{}", said.all());
        let spans = self::spans(&requests);
        checked_tree(&spans, "apply");
        let refused = spans.iter().find(|span| span.get("error.type") == "rate-limited").unwrap();
        assert_eq!(
            (refused.get("http.response.status_code"), refused.name.as_str()),
            ("429", "mutation CreateMemberRole")
        );
        let again = spans.iter().find(|span| span.get("http.request.resend_count") == "1").unwrap();
        assert_eq!((&again.parent, &again.name), (&refused.parent, &refused.name));
        let reasons: BTreeSet<&str> = spans.iter().map(|span| span.get("rolecall.wait.reason")).collect();
        assert!(reasons.contains("retry") && reasons.contains("backpressure"), "{reasons:?}");

        // A mutation whose answer is lost, and one that the platform refuses.
        for (fault, kind, outcome) in [
            ("drop-after@assignMemberRole*1", "no-answer", "unsure"),
            ("errors@inviteToOrganizationByEmail*1", "graphql-errors", "failed"),
        ] {
            let (mut env, _server) = served(ProviderName::Hive, &["--fault", fault]);
            let (said, requests) = traced(&mut env, &collector, &["apply", "--auto-approve", "file.yaml"]);
            let spans = self::spans(&requests);
            let root = checked_tree(&spans, "apply");
            assert_eq!((root.get("process.exit.code"), root.failed), (&*said.code.to_string(), said.code != 0));
            let request =
                spans.iter().find(|span| span.get("error.type") == kind).unwrap_or_else(|| panic!("{spans:#?}"));
            let mutation = spans.iter().find(|span| span.id == request.parent).unwrap();
            assert_eq!(
                (mutation.get("rolecall.mutation.outcome"), mutation.failed),
                (outcome, true),
                "{mutation:?}"
            );
        }
    }

    #[test]
    fn organisations_that_are_read_at_once_keep_their_spans_apart() {
        let (mut env, collector) = (Env::new(), Receiver::answering(&[200]));
        for provider in ProviderName::ALL {
            env.write(&format!("a/{provider}.yaml"), example(&format!("{provider}.yaml")));
        }
        let (said, requests) = traced(&mut env, &collector, &["plan", "--sandbox", "a"]);
        assert_eq!(said.code, 0, "{}", said.all());
        let spans = spans(&requests);
        checked_tree(&spans, "plan");
        assert_eq!(with(&spans, TASK).len(), ProviderName::ALL.len());
        let alone = |provider: ProviderName| {
            let organization =
                spans.iter().find(|span| span.get("rolecall.platform") == provider.as_str()).unwrap();
            spans.iter().filter(|span| span.parent == organization.id && span.has(LIST)).count()
        };
        assert_eq!((alone(ProviderName::Hive), alone(ProviderName::Paradime)), (4, 2));
    }

    /// The file's addresses, its names of people, the credentials and what the platform mints stay here.
    #[test]
    fn no_secret_and_no_person_is_in_a_span() {
        for (provider, protocol) in
            ProviderName::ALL.iter().flat_map(|it| [(*it, "http/json"), (*it, "http/protobuf")])
        {
            let (mut env, _server) = served(provider, &[]);
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let bytes = crate::support::receiver::record(listener);
            env.set("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
            let mut said = env.run(&["plan", "file.yaml", "--out", "plan.json", "--otlp", &url]).all();
            said += &env.run(&["apply", "--auto-approve", "file.yaml", "--otlp", &url]).all();
            assert!(!said.contains("did not reach"), "{said}");
            let received = bytes.lock().unwrap().clone();
            let received = String::from_utf8_lossy(&received).to_lowercase();
            assert!(
                received.contains("rolecall apply") && received.contains("rolecall.mutation.outcome"),
                "{received}"
            );
            let mut secrets: Vec<String> = env.read("plan.json").split('"').map(str::to_owned).collect();
            secrets.retain(|text| text.contains('@'));
            let file = env.read("file.yaml");
            secrets.extend(
                file.split(|c: char| c.is_whitespace() || ",{}[]:".contains(c))
                    .filter(|word| word.contains('@'))
                    .map(str::to_owned),
            );
            secrets.extend(
                (rolecall_sandbox::definition(provider).own_credentials)()
                    .into_iter()
                    .map(|(_, secret)| secret.to_owned()),
            );
            secrets.extend(["authorization", "x-api-key", "jane"].map(str::to_owned));
            // In a binary form, any byte may be there.
            secrets.extend((protocol == "http/json").then(|| "@".to_owned()));
            let minted = delivered(&env);
            assert_eq!(minted.is_empty(), !file.contains("deliver: "), "{said}");
            secrets.extend(minted);
            for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
                assert!(!received.contains(&secret.to_lowercase()), "{provider}: {secret}");
            }
        }
    }

    /// Returns the secrets that a run has written to files.
    fn delivered(env: &Env) -> Vec<String> {
        let folder = env.path("keys");
        let files = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        files.map(|file| std::fs::read_to_string(file.path()).unwrap().trim().to_owned()).collect()
    }

    const PLAN: &[&str] = &["plan", "--sandbox", "bitpanda.yaml"];

    #[test]
    fn a_collector_that_is_away_or_fails_or_takes_long_costs_one_warning() {
        let mut env = Env::with_example();
        let plain = env.run(PLAN);
        env.set("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
        let away = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let slow = TcpListener::bind("127.0.0.1:0").unwrap();
        let broken = Receiver::answering(&[500]);
        let busy = Receiver::answering(&[503]);
        for (url, why) in [
            (format!("http://{away}"), "refused"),
            (broken.url.clone(), "HTTP status 500"),
            (busy.url.clone(), "HTTP status 503"),
            (format!("http://{}/v1/traces", slow.local_addr().unwrap()), "takes too long"),
        ] {
            let began = Instant::now();
            let said = env.run(&[PLAN, &["--otlp", &url]].concat());
            assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
            assert_eq!((said.code, &said.stdout), (plain.code, &plain.stdout));
            let warnings: Vec<&str> = said.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
            let [warning] = warnings[..] else { panic!("{}", said.stderr) };
            assert!(warning.contains("spans did not reach") && warning.contains(why), "{warning}");
        }
        // A collector that is away for a moment gets everything.
        let collector = Receiver::answering(&[503, 200]);
        let said = env.run(&[PLAN, &["--otlp", &collector.url]].concat());
        assert_eq!(said.stderr, plain.stderr);
        assert_eq!(collector.take().len(), 2);
    }

    /// A collector counts what it rejects, in the form of the request.
    #[test]
    fn spans_that_the_collector_rejects_cost_one_warning() {
        const JSON: &[u8] =
            br#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old: collector-token."}}"#;
        const BINARY: &[u8] = b"\x0a\x1d\x08\x02\x12\x19too old: collector-token.";
        for (protocol, answer) in [("http/json", JSON), ("http/protobuf", BINARY)] {
            let (mut env, collector) = (Env::with_example(), Receiver::saying(&[200], answer));
            let plain = env.run(PLAN);
            env.set("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
            env.set("OTEL_EXPORTER_OTLP_HEADERS", "authorization=collector-token");
            let said = env.run(&[PLAN, &["--otlp", &collector.url]].concat());
            assert_eq!((said.code, &said.stdout), (plain.code, &plain.stdout));
            let warnings: Vec<&str> = said.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
            let [warning] = warnings[..] else { panic!("{}", said.stderr) };
            assert!(warning.starts_with("warning: 2 of "), "{warning}");
            let why = "it rejected them: too old: [redacted]. Nothing else is affected.";
            assert!(warning.contains(why) && warning.contains(&collector.url), "{warning}");
        }
        // Nothing is rejected.
        for answer in [&b"{}"[..], br#"{"partialSuccess":{"rejectedSpans":0}}"#, b"ok", b"\x0a\x00"] {
            let collector = Receiver::saying(&[200], answer);
            let said = Env::with_example().run(&[PLAN, &["--otlp", &collector.url]].concat());
            assert!(!said.stderr.contains("warning: "), "{}", said.stderr);
        }
    }

    /// Starts rolecall, sends it these signals once it has said something, and returns the spans.
    #[cfg(unix)]
    fn interrupted(env: &mut Env, args: &[&str], once: &str, signals: &[&str], code: i32) -> Vec<Span> {
        let collector = Receiver::answering(&[200]);
        env.set("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
        let mut command = env.command();
        command.args([args, &["-v", "file.yaml", "--otlp", &collector.url]].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
        let mut text = String::new();
        while !text.contains(once) && std::io::BufRead::read_line(&mut stderr, &mut text).unwrap() > 0 {}
        for signal in signals {
            // The request after the one that was answered is sent.
            std::thread::sleep(Duration::from_millis(500));
            std::process::Command::new("kill").args([*signal, &child.id().to_string()]).status().unwrap();
        }
        let _ = std::io::Read::read_to_string(&mut stderr, &mut text);
        assert_eq!(child.wait().unwrap().code(), Some(code), "{text}");
        let spans = spans(&collector.take());
        let root = checked_tree(&spans, args[0]);
        assert_eq!((root.get("process.exit.code"), root.failed), (&*code.to_string(), true), "{root:?}");
        // Every span above one that was open was open.
        for span in spans.iter().filter(|span| span.has(INTERRUPTED)) {
            let parent = spans.iter().find(|parent| parent.id == span.parent);
            assert!(parent.is_none_or(|parent| parent.has(INTERRUPTED)), "{span:?}");
        }
        spans
    }

    #[cfg(unix)]
    const INTERRUPTED: &str = "rolecall.interrupted";

    #[cfg(unix)]
    #[test]
    fn an_interrupted_run_sends_what_it_has_with_the_spans_that_are_open() {
        let apply = &["apply", "--auto-approve"][..];
        for (verb, signal, code) in
            [(&["plan"][..], "-INT", 130), (&["plan"], "-TERM", 143), (apply, "-TERM", 130)]
        {
            let (mut env, _server) = served(ProviderName::Hive, &["--fault", "latency=20000@members"]);
            let spans = interrupted(&mut env, verb, " INFO read ", &[signal], code);
            let open = with(&spans, INTERRUPTED);
            assert_eq!(open.iter().filter(|span| span.has(TASK)).count(), 1);
            // The request that was in flight has a span, too.
            let [request] = open.iter().filter(|span| span.has(REQUEST)).collect::<Vec<_>>()[..] else {
                panic!("{open:#?}")
            };
            assert!(!request.has("http.response.status_code"), "{request:?}");
            assert!(with(&spans, REQUEST).iter().any(|span| !span.has(INTERRUPTED)), "one was answered");
        }
    }

    /// After the first interrupt, the run waits for the requests in flight. The second one ends it at once.
    #[cfg(unix)]
    #[test]
    fn an_apply_marks_the_spans_that_an_interrupt_finds_open() {
        let apply = &["apply", "--auto-approve"][..];
        for (latency, signals, is_answered) in [("3000", &["-INT"][..], true), ("30000", &["-INT", "-INT"], false)]
        {
            let fault = format!("latency={latency}@updateUser");
            let (mut env, _server) = served(ProviderName::Bitpanda, &["--fault", &fault]);
            let spans = interrupted(&mut env, apply, " INFO wrote ", signals, 5);
            let open = with(&spans, INTERRUPTED);
            assert!(open.iter().any(|span| span.has("rolecall.verb")), "{open:#?}");
            let requests: Vec<_> = open.iter().filter(|span| span.has(REQUEST)).collect();
            assert!(!requests.is_empty() && open.iter().any(|span| span.has(MUTATION)), "{open:#?}");
            assert!(requests.iter().all(|span| span.has("http.response.status_code") == is_answered));
            assert!(with(&spans, MUTATION).iter().any(|span| !span.has(INTERRUPTED)), "one was done");
        }
    }

    #[test]
    fn the_standard_variables_name_the_collector_its_headers_the_service_and_the_trace() {
        let (mut env, collector) = (Env::with_example(), Receiver::answering(&[200]));
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("{}/collect/", collector.url)),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20collector-token"),
            ("OTEL_SERVICE_NAME", "access"),
            ("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ] {
            env.set(name, value);
        }
        let said = env.run(&[PLAN, &["--otlp", "env"]].concat());
        assert_eq!((said.code, said.stderr.contains("collector-token")), (0, false), "{}", said.all());
        let requests = collector.take();
        assert_eq!(requests[0].path, "/collect/v1/traces");
        assert!(requests[0].headers.contains(&"authorization: bearer collector-token".to_owned()));
        let body: Value = serde_json::from_str(&requests[0].body).unwrap();
        let resource = attributes(&body["resourceSpans"][0]["resource"]["attributes"]);
        assert_eq!(
            (&*resource["service.name"], &*resource["service.version"]),
            ("access", env!("CARGO_PKG_VERSION"))
        );
        let spans = spans(&requests);
        let root = checked_tree(&spans, "plan");
        assert_eq!((&*root.trace, &*root.parent), ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"));

        env.set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &format!("{}/as-it-is", collector.url));
        assert_eq!(env.run(&[PLAN, &["--otlp", "env"]].concat()).code, 0);
        assert_eq!(collector.take()[0].path, "/as-it-is");
        for path in ["", "/", "/v1/traces", "/v1/traces/"] {
            assert_eq!(env.run(&[PLAN, &["--otlp", &format!("{}{path}", collector.url)]].concat()).code, 0);
            assert_eq!(collector.take()[0].path, "/v1/traces");
        }
        let refused = |url: &str| {
            let said = env.run(&[PLAN, &["--otlp", url]].concat());
            assert_eq!((said.code, &*said.stdout), (1, ""), "{}", said.all());
            said.stderr
        };
        let stderr = refused("http://collector.example:4318");
        let unencrypted = "the headers of OTEL_EXPORTER_OTLP_HEADERS unencrypted to collector.example";
        assert!(stderr.contains(unencrypted) && stderr.contains("The URL of `--otlp` can't"), "{stderr}");
        for url in ["https://user:secret@collector.example", "https://collector.example/?key=secret"] {
            let stderr = refused(url);
            assert!(stderr.contains("messages show this URL") && !stderr.contains("secret"), "{stderr}");
        }
        assert!(refused("localhost:4318").contains("neither https:// nor http://"));
        let said = Env::with_example().run(&[PLAN, &["--otlp", "env"]].concat());
        assert!(said.stderr.contains("nor OTEL_EXPORTER_OTLP_ENDPOINT is set"), "{}", said.all());
    }

    #[test]
    fn a_variable_with_a_wrong_value_is_named() {
        let mut env = Env::with_example();
        env.write("none.pem", "nothing");
        let mut wrong = |name: &str, value: &str, url: &str| {
            env.set(name, value);
            let said = env.run(&[PLAN, &["--otlp", url]].concat());
            env.set(name, "");
            assert_eq!((said.code, &*said.stdout), (1, ""), "{}", said.all());
            let first = said.stderr.lines().next().unwrap_or_default();
            assert!(first.contains(name), "{name}: {}", said.stderr);
        };
        for value in ["localhost:4318", "no URL", "https://collector.example/?key=x"] {
            wrong("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", value, "env");
            wrong("OTEL_EXPORTER_OTLP_ENDPOINT", value, "env");
        }
        for file in ["missing.pem", "none.pem"] {
            wrong("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", file, "https://collector.example");
            wrong("OTEL_EXPORTER_OTLP_CERTIFICATE", file, "https://collector.example");
        }
    }

    #[test]
    fn headers_that_can_not_be_sent_cost_one_warning_and_none_replaces_our_own() {
        let (mut env, collector) = (Env::with_example(), Receiver::answering(&[200]));
        env.set("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
        let value = "x-one = 1%2B1 ,secret-2,secret 3=x,x-four=secret%0A4,x-five=,Content-Type=secret/6,x-seven=7";
        env.set("OTEL_EXPORTER_OTLP_HEADERS", value);
        let said = env.run(&[PLAN, &["--otlp", &collector.url]].concat());
        let warnings: Vec<&str> = said.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
        assert_eq!(
            warnings,
            [
                "warning: Some headers of OTEL_EXPORTER_OTLP_HEADERS are not sent to the collector: number 2 has no `=`, \
              number 3 has no valid name, number 4 has no valid value, number 5 has no value, \
              number 6 is one that rolecall sets itself."
            ]
        );
        assert!(said.code == 0 && !said.stderr.contains("secret"), "{}", said.all());
        let headers = &collector.take()[0].headers;
        for header in ["x-one: 1+1", "x-seven: 7", "content-type: application/json"] {
            assert!(headers.contains(&header.to_owned()), "{header}: {headers:?}");
        }
        assert!(headers.iter().all(|header| !header.contains("secret")), "{headers:?}");
    }
}
