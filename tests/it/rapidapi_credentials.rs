//! The credentials of requests to a RapidAPI hub. No secret is requested, shown or written down.

use std::sync::MutexGuard;

use crate::support::cli::Env;
use crate::support::rapidapi::{
    GENERATIONS, HEAD, Hub, NOBODY, Rig, acme, converged, crowd, held, invitation, member, one_of_each_change,
    operations, outcomes, rig_of, team, user, world,
};
use crate::support::rig::{self, Fate, Platform, addresses, desired, paused};
use rolecall::cli::{SchemaName, schema_text};
use rolecall::report;
use rolecall_config::{Source, check_source};
use rolecall_engine::ledger::Record;
use rolecall_graphql::{Backoff, Context, Reader, Redactor};
use rolecall_model::{Action, Code, Finding, OrganizationPlan, Outcome, Plan, ProviderName};
use rolecall_plan::verify;
use rolecall_providers::Secrets;
use rolecall_sandbox::rapidapi::{
    APP_KEY, MutationContext, OWN_EMAIL, OWN_PERSONAL_KEY, OWN_TEAM_KEY, RapidApi, World, WorldCredential,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

// ---- credentials

fn errors(text: &str) -> Vec<Finding> {
    let (_, found) = check_source(&Source::inline("test.yaml", text), rolecall_providers::format);
    found.into_iter().filter(Finding::is_error).collect()
}

fn with_keys(keys: &[&str], body: &str) -> String {
    let keys: Vec<String> =
        keys.iter().map(|name| format!("{name}: {{ env: {} }}", name.to_uppercase())).collect();
    let both = "{ personal_key: { env: KEY }, team_key: { env: TEAM_KEY } }";
    assert!(HEAD.contains(both));
    format!("{}{body}", HEAD.replace(both, &format!("{{ {} }}", keys.join(", "))))
}

#[test]
fn operations_that_no_credential_can_call_are_a_finding_before_any_request() {
    let team_alone = "`activeEntity`, `organizations` and `paginatedTeamUsersByOrganizationIdV2`";
    let lacking = |keys: &[&str], body: &str| {
        let found = errors(&with_keys(keys, body));
        assert!(found.iter().all(|it| it.code == Code::MissingCredential) && found.len() <= 1, "{found:#?}");
        found.into_iter().next().map(|it| (it.message, it.hint.unwrap()))
    };
    for whole in [
        &["personal_key", "team_key"][..],
        &["team_key", "identity_key"],
        &["personal_key", "team_key", "identity_key"],
    ] {
        assert_eq!(lacking(whole, ""), None, "{whole:?}");
    }
    let (said, hint) = lacking(&["personal_key"], "").unwrap();
    assert_eq!(
        said.replace(" or ", ", "),
        format!("None of the credentials can send {team_alone}.").replace(" and ", ", ")
    );
    assert_eq!(hint, "Add a `team_key`. The hub shows invitations only to a team's key.");
    for nothing in [&["team_key"][..], &["identity_key"]] {
        let (said, hint) = lacking(nothing, "").unwrap();
        for operation in ["activeUser", "organization", "createUserInvites", "updateUserRoles"] {
            assert!(said.contains(operation), "{said}");
        }
        assert!(hint.contains("`personal_key`"), "{hint}");
    }
    // The status of accounts needs the personal key of an environment admin.
    let account = "users: [{ email: a@x.example, status: deactivated }]";
    let (said, hint) = lacking(&["team_key", "identity_key"], account).unwrap();
    assert_eq!(said, "None of the credentials can send `updateUser`, which a `status` needs.");
    assert_eq!(hint, "Add the `personal_key` of an administrator of the hub.");
    let deletion = "allow: [user-deletion]\nusers: [{ email: a@x.example, absent: true, status: deleted }]";
    assert!(lacking(&["team_key", "identity_key"], deletion).is_some());
    // Credentials that the file's changes don't need aren't missed.
    let (said, _) = lacking(&["team_key", "identity_key"], "changes_with: personal_key").unwrap();
    assert!(said.contains("createTeam") && !said.contains("createOrganization"), "{said}");
    let settings = "changes_with: personal_key\nsettings: { absent: true }";
    assert!(lacking(&["team_key", "identity_key"], settings).unwrap().0.contains("deleteOrganization"));
}

#[test]
fn a_teams_key_that_is_the_personal_one_is_unfit() {
    let rapidapi = rolecall_providers::of(ProviderName::Rapidapi);
    let desired_state = desired(HEAD);
    let headers = |secrets: &[(&'static str, &str)]| {
        let secrets = secrets.iter().map(|(name, secret)| (*name, SecretString::from(*secret)));
        rapidapi.headers(&Secrets::new(secrets), &desired_state)
    };
    let unfit = headers(&[("personal_key", "same"), ("team_key", "same")]).unwrap_err();
    assert_eq!(unfit.name, "team_key");
    assert!(!format!("{unfit} {}", unfit.hint).contains("same"));
    let contexts = headers(&[("personal_key", "p"), ("team_key", "t"), ("identity_key", "i")]).unwrap();
    let sent = |context: &'static str| -> Vec<String> {
        let headers = contexts[&Context(context)].iter();
        headers.map(|(name, value)| format!("{name}: {}", value.expose_secret())).collect()
    };
    let host = "x-rapidapi-host: platform-graphql.sandbox.rapidapi.example";
    assert_eq!(sent("personal"), [host, "x-rapidapi-key: p"]);
    assert_eq!(sent("team"), [host, "x-rapidapi-key: t", "x-rapidapi-identity-key: i"]);
    assert_eq!(sent("either"), sent("personal"));
    assert_eq!(sent("changes"), sent("team"));
}

/// A platform whose personal key and identity key belong to two users.
struct Pair;

const OTHER: &str = "other@acme.example";

impl Platform for Pair {
    type World = World;
    type Engine = RapidApi;
    const NAME: ProviderName = ProviderName::Rapidapi;
    const HEAD: &'static str = "provider: rapidapi
organization: acme
endpoint: https://graphql-platform.p.rapidapi.com/
host: platform-graphql.sandbox.rapidapi.example
credentials: { personal_key: { env: KEY }, team_key: { env: TEAM_KEY }, identity_key: { env: IDENTITY } }
";

    fn secrets() -> Secrets {
        Secrets::new([
            ("personal_key", SecretString::from(OWN_PERSONAL_KEY)),
            ("team_key", SecretString::from(OWN_TEAM_KEY)),
            ("identity_key", SecretString::from("other-identity-key")),
        ])
    }

    fn engine(world: World, clock: rolecall_sandbox::Clock) -> RapidApi {
        Hub::engine(world, clock)
    }

    fn world(engine: &RapidApi) -> MutexGuard<'_, World> {
        engine.world()
    }
}

#[test]
fn both_people_whose_keys_we_call_with_are_protected() {
    let mut world = world();
    let other = member(&mut world, OTHER, true, &[]);
    world.credentials.push(WorldCredential::personal("other-identity-key", other));
    member(&mut world, "third@acme.example", true, &[]);
    for email in [OWN_EMAIL, OTHER, "third@acme.example"] {
        for fields in ["absent: true", "roles: []", "status: deactivated"] {
            let body = format!("guardrails: {{ min_admins: 0 }}\nusers: [{{ email: {email}, {fields} }}]");
            let rig = rig::Rig::<Pair>::new(world.clone(), &body);
            let plan = rig.plan();
            let free = email == "third@acme.example";
            assert_eq!(!addresses(&plan).is_empty(), free, "{email} {fields}");
            if !free {
                assert_eq!(
                    held(&plan, &format!("user/{email}")),
                    [
                        "blocked: This is rolecall's own user. rolecall's credential may stop working if the user loses access. Use another user's credential first."
                    ]
                );
            }
            assert_eq!(rig.wire.sent().iter().filter(|it| it.operation_name == "ActiveUser").count(), 2);
        }
    }
    // Nor is the other one invited to a new organisation, of which they are an admin as its creator.
    let mut rig = rig::Rig::<Pair>::new(world, "");
    rig.desired = desired(&format!(
        "{}settings: {{ name: Globex, email: a@x.example, seats: 9, create: true }}\nusers: [{{ email: {OTHER}, roles: [Organization Admin] }}]",
        Pair::HEAD.replace("organization: acme", "organization: globex")
    ));
    let plan = rig.plan();
    assert_eq!(addresses(&plan), ["organization"]);
}

/// No page says which key mutations need, so the file chooses.
#[test]
fn changes_go_out_with_the_key_that_the_file_names() {
    for (context, key) in [(MutationContext::Team, "team_key"), (MutationContext::Personal, "personal_key")] {
        for named in ["", "changes_with: team_key\n", "changes_with: personal_key\n"] {
            let mut world = world();
            world.switches.mutation_context = context;
            let mut rig = Rig::new(world, &format!("{named}teams: [{{ name: New }}]"));
            let report = rig.apply();
            let works = named.contains(key) || (named.is_empty() && key == "team_key");
            assert_eq!(report.all_done(), works, "{key} {named} {report:#?}");
            if !works {
                assert_eq!(outcomes(&report), [("createTeam", Outcome::Failed)]);
            }
        }
    }
}

/// The proxy refuses a credential before the hub sees the request.
#[test]
fn a_credential_that_stops_working_ends_the_run() {
    let (world, body) = crowd();
    let mut rig = Rig::new(World { switches: self::world().switches, ..world }, &body);
    rig.wire.set_fates(&[Fate::Fine, Fate::Ignored(401, r#"{"message":"Invalid API key."}"#)]);
    let report = rig.apply();
    assert_eq!(operations(&rig).len(), 1);
    assert!(report.stopped.is_some());
    let message = report.steps[1].message.clone().unwrap();
    assert!(
        message.contains("the credential was refused (HTTP 401: \"Invalid API key.\"); nothing was changed"),
        "{message}"
    );
    assert!(message.contains("Try the other one with `changes_with`."), "{message}");
    assert!(converged(&rig.apply()));
}

// ---- secrets

/// The fields with secrets: anybody who has one can call the API or join.
const SECRET_FIELDS: [&str; 6] = ["token", "xMashapeKey", "authorizationValues", "webhook", "password", "key { "];

#[test]
fn no_request_asks_for_a_secret_and_no_output_has_one() {
    for generation in GENERATIONS {
        let (mut world, body) = one_of_each_change();
        world.switches.generation = generation;
        let payments = team(&world, "Payments");
        world.add_app(payments, "checkout");
        let mut rig = Rig::new(world, body);
        let live = rig.read().unwrap();
        let provider = rolecall_providers::of(ProviderName::Rapidapi);
        let reader = Reader::new(rig.wire.clone(), Redactor::default(), Backoff::with_seed(1));
        let inventory = paused(provider.survey(&reader, &rig.desired, &live)).unwrap();
        assert!(inventory.apps.iter().any(|app| app.name == "checkout"), "{inventory:?}");
        assert!(inventory.apps.iter().all(|app| app.keys.as_ref().is_some_and(|keys| keys.len() == 1)));
        let plan = rig.plan();
        let text = |plan: &OrganizationPlan| {
            let document = Plan::new("test", vec![plan.clone()]);
            format!("{}{}", report::plan_json(&document), report::plan_text(&document, report::Layout::default()))
        };
        let mut all = format!("{live:?}{inventory:?}{}", text(&plan));
        rig.wire.set_fates(&[Fate::Fine, Fate::Refuse, Fate::DropAfter]);
        let report = rig.apply_plan(&plan).unwrap();
        all += &serde_json::to_string(&report).unwrap();
        all += &report::summary(&report, report::Layout::default());
        all += &text(&rig.plan());
        all += &serde_json::to_string(rig.ledger.records()).unwrap();
        for secret in [APP_KEY, "sandbox-invite-token", OWN_PERSONAL_KEY, OWN_TEAM_KEY] {
            assert!(!all.contains(secret), "{generation:?} {secret}");
        }
        for request in rig.wire.sent() {
            let words: Vec<&str> = request.query.split_whitespace().collect();
            for field in SECRET_FIELDS {
                assert!(!words.contains(&field.trim()), "{}: {field}", request.operation_name);
            }
            // `key` is the key of a role, and nothing else.
            assert!(!words.contains(&"key") || request.query.contains("roles("), "{}", request.query);
            let body = serde_json::to_string(&request).unwrap();
            assert!(!body.contains(OWN_PERSONAL_KEY) && !body.contains(OWN_TEAM_KEY));
        }
    }
}

/// Starts a server that gives this answer to every request.
fn parrot(answer: String) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = [0; 8192];
            let _ = stream.read(&mut asked);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}/")
}

const KEYS: [&str; 3] = ["canary-personal-4711", "canary-team-0815", "canary-identity-42"];

/// Checks that no output repeats a secret from an answer.
fn nothing_is_echoed(answers: &[String]) {
    let mut env = Env::new();
    env.set("ROLECALL_ALLOWED_HOSTS", "127.0.0.1,platform-graphql.sandbox.rapidapi.example");
    for (name, key) in ["PERSONAL_KEY", "TEAM_KEY", "IDENTITY_KEY"].into_iter().zip(KEYS) {
        env.set(name, key);
    }
    for answer in answers {
        let endpoint = parrot(answer.clone());
        env.write(
            "p.yaml",
            with_keys(&["personal_key", "team_key", "identity_key"], "")
                .replace("https://graphql-platform.p.rapidapi.com/", &endpoint),
        );
        let said = env.run(&["plan", "-vv", "p.yaml"]);
        assert_ne!(said.code, 0, "{}", said.all());
        assert!(said.stderr.contains("INFO read operation"), "nothing was asked\n{}", said.all());
        for key in KEYS {
            assert!(!said.all().contains(key), "{answer}\n{}", said.all());
        }
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";

#[test]
fn what_the_platform_echoes_is_redacted() {
    let [personal, team, identity] = KEYS;
    nothing_is_echoed(&[
        format!(r#"{OK}{{"data":null,"errors":[{{"message":"bad key {personal} {team} {identity}"}}]}}"#),
        format!(r#"{OK}{{"message":"You are not subscribed with {personal}"}}"#),
        format!(r#"{OK}{{"errors":"{identity} {team}"}}"#),
        format!(r#"{OK}{{"data":{{"__schema":{{"types":"{identity}"}}}}}}"#),
    ]);
}

/// Cached answers are parsed a second time, by other code.
#[test]
fn what_the_platform_echoes_in_an_answer_that_is_kept_is_redacted() {
    let [personal, team, identity] = KEYS;
    nothing_is_echoed(&[
        format!(r#"{OK}{{"data":{{"activeUser":{{"id":{{"{personal}":"{team}"}}}}}}}}"#),
        format!(r#"{OK}{{"data":{{"activeUser":"{identity}"}}}}"#),
    ]);
}

#[test]
fn two_reads_of_one_world_are_the_same_whatever_was_read_before() {
    let (world, body) = one_of_each_change();
    let rig = Rig::new(world, body);
    let (one, other) = (rig.plan(), rig.plan());
    assert_eq!(one.seal, other.seal);
    assert_eq!(one.sealed.changes.iter().filter(|change| change.action == Action::Cancel).count(), 1);
    let world = rig.world().clone();
    assert_eq!(user(&world, OWN_EMAIL), world.admins(acme(&world))[0]);
}

// ---- output

fn valid(schema: SchemaName, value: &Value) {
    let schema: Value = serde_json::from_str(&schema_text(schema)).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<String> = schema.iter_errors(value).map(|error| error.to_string()).collect();
    assert_eq!(wrong, NOBODY);
}

#[test]
fn plans_and_ledgers_are_as_their_schemas_say() {
    let (mut world, body) = one_of_each_change();
    invitation(&mut world, "another@x.example", "ADMIN", &["Payments"]);
    let made = "settings: { name: Globex, email: a@x.example, seats: 9, create: true }\nteams: [{ name: New }]\nusers: [{ email: first@x.example, roles: [Developer] }, { email: b@x.example, roles: [Developer], teams: [New] }]";
    for mut rig in [Rig::new(world.clone(), body), rig_of("globex", world, made)] {
        let plan = rig.plan();
        let document = Plan::new("test", vec![plan.clone()]);
        let text = report::plan_json(&document);
        let value: Value = serde_json::from_str(&text).unwrap();
        valid(SchemaName::Plan, &value);
        // The saved plan is the approved one.
        verify(&value["organizations"][0]).unwrap();
        let back: Plan = serde_json::from_str(&text).unwrap();
        assert_eq!(back.organizations[0].sealed, plan.sealed);
        rig.wire.set_fates(&[Fate::Fine, Fate::Refuse, Fate::DropBefore]);
        rig.apply_plan(&plan).unwrap();
        for record in rig.ledger.records() {
            let line = serde_json::to_value(record).unwrap();
            valid(SchemaName::Ledger, &line);
            let back: Record = serde_json::from_value(line).unwrap();
            assert_eq!(back, *record);
        }
    }
}

/// A JSON schema rejects what `validate` rejects, where it can.
#[test]
fn files_are_as_their_schema_says() {
    let schema: Value = serde_json::from_str(&schema_text(SchemaName::File)).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let both = |body: &str| {
        let text = format!("{HEAD}{body}");
        let json: Value =
            serde_yaml::from_str_with_options(&text, serde_yaml::options! { strict_booleans: true }).unwrap();
        (errors(&text).is_empty(), schema.is_valid(&json))
    };
    for right in [
        "",
        "changes_with: personal_key\nrequests_per_minute: 60\nseveral_root_fields: true\nadmin_role: Boss",
        "manage: { users: all, teams: listed }\nallow: [default-team-deletion, user-deletion]\nreinvite_expired: true",
        "settings: { name: A, email: a@x.example, seats: 1, description: d, thumbnail: t, create: true }",
        "settings: { absent: true }",
        "teams: [{ name: A, description: d, thumbnail: t }, { name: B, absent: true }]",
        "users: [{ email: a@x.example, roles: [], teams: [A, B], status: active }]",
        "users: [{ email: a@x.example, roles: [Developer], teams: { A: Viewer }, status: deactivated }]",
        "users: [{ email: a@x.example, absent: true, status: deactivated }]",
        "allow: [user-deletion]\nusers: [{ email: a@x.example, absent: true, status: deleted }]",
    ] {
        assert_eq!(both(right), (true, true), "{right}");
    }
    for wrong in [
        "changes_with: identity_key",
        "requests_per_minute: 0",
        "requests_per_minute: 6001",
        "manage: { roles: all }",
        "allow: [everything]",
        "keys: []",
        "own: { user: a@x.example }",
        "settings: { seats: 0 }",
        "settings: { seats: -1 }",
        "settings: { absent: true, name: A }",
        "teams: [{ name: B, absent: true, description: d }]",
        "teams: [{ description: d }]",
        "users: [{ email: a@x.example, roles: [A, B] }]",
        "users: [{ email: a@x.example, absent: true, teams: [A] }]",
        "users: [{ email: a@x.example, absent: true, roles: [] }]",
        "users: [{ email: a@x.example, status: deleted }]",
        "users: [{ email: a@x.example, status: ACTIVE }]",
        "users: [{ email: a@x.example, enabled: true }]",
        "users: [{ email: a@x.example, teams: { A: [Viewer] } }]",
    ] {
        assert_eq!(both(wrong), (false, false), "{wrong}");
    }
    // A JSON schema can't find these errors.
    for beyond in [
        "users: [{ email: a@x.example, absent: true, status: deleted }]",
        "teams: [{ name: A }, { name: A }]",
        "users: [{ email: a@x.example, teams: [A] }, { email: A@x.example }]",
        "teams: [{ name: A, absent: true }]\nusers: [{ email: a@x.example, teams: [A] }]",
    ] {
        assert!(!both(beyond).0, "{beyond}");
    }
}
