//! The committed JSON schemas are those that the program prints. They reject what `validate` rejects, where a
//! schema can.

use std::collections::BTreeSet;

use crate::support::bitpanda::HEAD;
use crate::support::cli::example;
use crate::support::files::loaded;
use rolecall::cli::{SCHEMAS, schema_text};
use rolecall_config::{Source, check_source};
use rolecall_model::{Finding, KnownRoles, ProviderName};
use serde_json::Value;

#[test]
fn the_committed_schemas_are_current() {
    for (name, file) in SCHEMAS {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(file);
        let fresh = schema_text(*name);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &fresh).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == fresh, "{file} is out of date; BLESS=1 cargo test --test schemas");
    }
}

/// Returns a Hive file with this body.
fn hive(body: &str) -> String {
    format!("{}{body}", crate::support::hive::HEAD)
}

/// Returns a RapidAPI file with this body.
fn rapidapi(body: &str) -> String {
    format!("{}{body}", crate::support::rapidapi::HEAD)
}

/// Returns a Paradime file with this body.
fn paradime(body: &str) -> String {
    format!("{}{body}", crate::support::paradime::HEAD)
}

pub fn file_schema() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(&schema_text(rolecall::cli::SchemaName::File)).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

/// Returns the file as an editor sees it: YAML as JSON. Words such as `yes` are text, as in YAML 1.2.
pub fn as_json(yaml: &str) -> Value {
    serde_yaml::from_str_with_options(yaml, serde_yaml::options! { strict_booleans: true }).unwrap()
}

fn validates(yaml: &str) -> bool {
    let (_, findings) = check_source(&Source::inline("x.yaml", yaml), rolecall_providers::format);
    !findings.iter().any(Finding::is_error)
}

#[test]
fn what_validate_accepts_the_schema_accepts() {
    let schema = file_schema();
    let accepted = [
        example("bitpanda.yaml"),
        HEAD.to_owned(),
        format!("{HEAD}users: []\nkeys: []\n"),
        format!("{HEAD}users: [{{ email: a@x.example, absent: true }}]"),
        format!("{HEAD}users: [{{ email: a@x.example, enabled: false }}]"),
        format!("{HEAD}users: [{{ email: a@x.example, enabled: true, roles: [], phone: \"+43\" }}]"),
        format!("{HEAD}keys: [{{ name: \"a / b\", id: x, absent: true }}]"),
        format!(
            "{HEAD}keys: [{{ name: a, roles: [A], expires: 2030-01-01T00:00:00+02:00, deliver: {{ command: [vault, put] }} }}]"
        ),
        format!(
            "{HEAD}manage: {{ users: all }}\nguardrails: {{ min_admins: 3, protected: [key/a, user/b@x.example] }}"
        ),
        HEAD.replace("https://tapi-sandbox.trustology-test.com/graphql", "{ env: ENDPOINT }"),
        HEAD.replace("{ env: KEY }", "{ command: [pass, show, key] }"),
        HEAD.replace("{ env: KEY }", "{ file: /run/secrets/key }"),
        example("hive.yaml"),
        hive(""),
        hive("users: [{ email: a@x.example, resources: {} }, { email: b@x.example, resources: { shop: {} } }]"),
        hive(
            "users: [{ email: a@x.example, id: x, roles: [Admin], resources: { shop: { p: { services: [] } } } }]",
        ),
        hive(
            "roles: [{ name: One, description: \"two\\nlines\", permissions: [] }, { name: Gone, absent: true }]",
        ),
        hive("keys: [{ name: a b, id: x, absent: true }]\nmanage: { roles: all }\ncontainment_role: Parked"),
        hive("guardrails: { protected: [role/Developer, user/a@x.example] }"),
        example("rapidapi.yaml"),
        rapidapi(""),
        rapidapi("settings: { name: Acme, email: a@x.example, seats: 3, create: true }"),
        rapidapi("settings: { absent: true }\nteams: []\nusers: []"),
        rapidapi("teams: [{ name: T, absent: true }]\nmanage: { teams: all, users: all }"),
        rapidapi("users: [{ email: a@x.example, roles: [], teams: {} }, { email: b@x.example, teams: [T, U] }]"),
        rapidapi("users: [{ email: a@x.example, roles: [Developer], teams: { T: Team Admin }, status: active }]"),
        rapidapi("users: [{ email: a@x.example, absent: true, status: deleted }]\nallow: [user-deletion]"),
        rapidapi(
            "requests_per_minute: 60\nseveral_root_fields: true\nchanges_with: personal_key\nadmin_role: Boss",
        ),
        example("paradime.yaml"),
        paradime(""),
        paradime("users: [{ email: a@x.example }, { email: b@x.example, id: x, roles: [SANDBOX_USER] }]"),
        paradime("users: [{ email: a@x.example, absent: true }]\nreinvite_expired: true\nmanage: { users: all }"),
        paradime("").replace("{ api_key: { env: KEY }, api_secret: { env: SECRET } }", "{ token: { file: t } }"),
    ];
    for yaml in accepted {
        assert!(validates(&yaml), "validate refuses\n{yaml}");
        let errors: Vec<String> = schema.iter_errors(&as_json(&yaml)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "the schema refuses\n{yaml}\n{errors:#?}");
    }
}

/// The people that organisation files include here.
const PEOPLE: &str = "kind: people
people: [{ email: jane@x.example }, { email: bob@x.example }]
groups: [{ name: g, members: [jane@x.example] }, { name: none }]
";

/// Returns whether an organisation's file is accepted that includes a people file and another one.
fn validates_with(organization: &str, included: &str) -> bool {
    let files = [("people.yaml", PEOPLE), ("included.yaml", included), ("teams/a.yml", "users: []")];
    let loaded = loaded(organization, &files, jiff::Timestamp::MIN);
    !loaded.has_errors()
}

/// Returns organisation files with the fields that every platform has, and whether they are right.
fn with_common_fields() -> Vec<(bool, String)> {
    let user = |fields: &str| format!("users: [{{ email: a@x.example, {fields} }}]\ninclude: [people.yaml]");
    let group = |fields: &str| format!("users: [{{ group: g, {fields} }}]\ninclude: [people.yaml]");
    let mut all = vec![
        (
            true,
            HEAD.to_owned() + &user("enabled: true, roles: [A, { role: B, until: 2026-12-31 }], note: on call"),
        ),
        (true, HEAD.to_owned() + &user("roles: [{ role: A }], until: 2026-12-31T18:00:00Z")),
        (true, HEAD.to_owned() + &group("enabled: true, roles: [A], note: x, until: 2026-12-31")),
        (
            true,
            HEAD.to_owned()
                + "keys: [{ name: a, deliver: { file: a }, until: 2026-12-31, note: x }, { name: b, absent: true, note: z }]",
        ),
        (true, hive(&group("roles: [{ role: Viewer, until: 2026-12-31 }], resources: all"))),
        (
            true,
            hive(
                "roles: [{ name: One, permissions: [], note: for audits }]\nkeys: [{ name: ci, until: 2026-12-31 }]",
            ),
        ),
        (true, paradime(&group("roles: [ADMIN]"))),
        (true, paradime(&user("roles: [{ role: ADMIN, until: 2026-12-31 }]"))),
        (true, rapidapi(&group("roles: [], teams: [T, { team: U, until: 2026-12-31 }], status: active"))),
        (true, rapidapi(&user("teams: { T: Team Admin, U: { role: Team Admin, until: 2026-12-31 } }"))),
        (true, rapidapi("teams: [{ name: T, until: 2026-12-31, note: x }]")),
        (
            true,
            hive("include: [people.yaml, teams/*.yml, 'teams/*', 'incl*.yaml', included.yaml, ./included.yaml]"),
        ),
        (false, hive(&user("until: 2026-13-01"))),
        (false, hive(&user("until: 31.12.2026"))),
        (false, hive(&user("until: 2026-12-31T18:00:00"))),
        (false, hive(&user("until: '2026-12-31T18:00:00+01:00[Europe/Vienna]'"))),
        (false, hive(&user("until: 2026"))),
        (false, hive(&user("until: [2026-12-31]"))),
        (false, hive(&user("until:"))),
        (false, hive(&user("absent: true, until: 2026-12-31"))),
        (false, hive(&user("note: 7"))),
        (false, hive(&user("note: ''"))),
        (false, hive(&user("note: \"two\\nlines\""))),
        (false, hive(&user("roles: [{ role: Viewer, until: 2020-01-01 }, { role: Admin }]"))),
        (false, hive(&user("roles: [{ until: 2026-12-31 }]"))),
        (false, hive(&user("roles: [{ role: Viewer, till: 2026-12-31 }]"))),
        (false, hive(&user("roles: [{ role: 7 }]"))),
        (false, hive(&user("roles: { role: Viewer }"))),
        (false, hive(&group("email: a@x.example"))),
        (false, hive(&group("id: a"))),
        (false, hive(&group("absent: true"))),
        (false, hive("users: [{ group: 7 }]\ninclude: [people.yaml]")),
        (false, hive("users: [{ roles: [Viewer] }]")),
        (false, hive("roles: [{ name: One, until: 2026-12-31 }]")),
        (false, hive("keys: [{ name: a, absent: true, until: 2026-12-31 }]")),
        (false, paradime(&user("roles: [{ role: admin }]"))),
        (false, rapidapi(&user("teams: [{ team: T, role: Team Admin }]"))),
        (false, rapidapi(&user("teams: { T: { team: T } }"))),
        (false, rapidapi(&user("teams: { T: { until: 2026-12-31 } }"))),
    ];
    let include =
        ["people.yaml", "{ file: people.yaml }", "[7]", "[people.json]", "[/people.yaml]", "[people]", "[teams]"];
    all.extend(include.map(|include| (false, hive(&format!("include: {include}")))));
    all
}

/// Asserts of each file that the schema and `validate` both accept it, or both refuse it.
fn agree<'a>(files: impl Iterator<Item = (bool, &'a str, bool)>) {
    let schema = file_schema();
    let wrong = files.filter_map(|(right, yaml, validates)| {
        let fits = schema.is_valid(&as_json(yaml));
        (validates != right || fits != right)
            .then(|| format!("right: {right}, validate: {validates}, the schema: {fits}\n{yaml}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n---\n"));
}

#[test]
fn the_schema_has_the_fields_that_every_platform_has() {
    let files = with_common_fields();
    agree(files.iter().map(|(right, yaml)| (*right, yaml.as_str(), validates_with(yaml, "users: []"))));
}

#[test]
fn the_schema_has_the_files_that_others_include() {
    let person = |fields: &str| format!("kind: people\npeople: [{{ email: a@x.example, {fields} }}]");
    let group = |fields: &str| format!("kind: people\ngroups: [{{ name: a, {fields} }}]");
    let files = [
        (true, "kind: people".to_owned()),
        (true, "kind: people\npeople: []\ngroups: []\nx-anything: [1]".to_owned()),
        (true, person("first_name: Jane, last_name: Doe, phone: \"+43\", note: x, until: 2026-12-31")),
        (true, person("aliases: { hive: b@x.example, rapidapi: c@x.example }")),
        (true, group("note: x, members: [jane@x.example, { person: bob@x.example, until: 2026-12-31 }]")),
        (true, group("members: [{ group: g, until: 2026-12-31T00:00:00+01:00 }], except: [jane@x.example]")),
        (true, "users: [{ email: a@x.example, roles: [Viewer] }, { group: g }]".to_owned()),
        (true, "roles: []\nkeys: []\nusers: []\ninclude: [people.yaml]\nx-anything: 1".to_owned()),
        (false, "kind: person".to_owned()),
        (false, "kind:".to_owned()),
        (false, "kind: [people]".to_owned()),
        (false, "kind: people\nusers: []".to_owned()),
        (false, "kind: people\ninclude: []".to_owned()),
        (false, "kind: people\npeople:".to_owned()),
        (false, "kind: people\npeople: [a@x.example]".to_owned()),
        (false, "kind: people\npeople: [{ first_name: Jane }]".to_owned()),
        (false, "kind: people\ngroups: [{ members: [] }]".to_owned()),
        (false, person("until: 2026-12-32")),
        (false, person("roles: [Viewer]")),
        (false, person("first_name: 7")),
        (false, person("note: ' x'")),
        (false, person("aliases: { slack: b@x.example }")),
        (false, person("aliases: { hive: nobody }")),
        (false, person("aliases: [b@x.example]")),
        (false, group("members: [nobody]")),
        (false, group("members: [{ until: 2026-12-31 }]")),
        (false, group("members: [{ person: jane@x.example, group: g }]")),
        (false, group("members: [{ person: jane@x.example, role: Viewer }]")),
        (false, group("members: jane@x.example")),
        (false, group("except: [{ person: jane@x.example }]")),
        (false, "provider: hive".to_owned()),
        (false, "manage: { users: all }".to_owned()),
        (false, "guardrails: { min_admins: 1 }".to_owned()),
        (false, "credentials: { token: { env: TOKEN } }".to_owned()),
        (false, "endpoint: { env: ENDPOINT }".to_owned()),
        (false, "acknowledged: []".to_owned()),
        (false, "users: { a: b }".to_owned()),
        (false, "users: []\nuser: []".to_owned()),
        (false, "[]".to_owned()),
        (false, "jane".to_owned()),
    ];
    let organization = hive("include: [people.yaml, included.yaml]");
    agree(files.iter().map(|(right, yaml)| (*right, yaml.as_str(), validates_with(&organization, yaml))));
}

fn refused_of_rapidapi() -> Vec<String> {
    vec![
        rapidapi("keys: []"),
        rapidapi("requests_per_minute: 0"),
        rapidapi("changes_with: identity_key"),
        rapidapi("allow: [everything]"),
        rapidapi("settings: { seats: 0 }"),
        rapidapi("settings: { absent: true, name: Acme }"),
        rapidapi("settings: { absent: true }\nusers: [{ email: a@x.example, absent: true }]"),
        rapidapi("settings: { absent: true }\nteams: [{ name: T }]"),
        rapidapi("settings: {}").replace("settings: {}", "settings: { slug: acme }"),
        rapidapi("teams: [{ name: T, absent: true, description: x }]"),
        rapidapi("teams: [T]"),
        rapidapi("users: [{ email: a@x.example, roles: [A, B] }]"),
        rapidapi("users: [{ email: a@x.example, teams: T }]"),
        rapidapi("users: [{ email: a@x.example, teams: { T: 7 } }]"),
        rapidapi("users: [{ email: a@x.example, teams: [T, T] }]"),
        rapidapi("users: [{ email: a@x.example, status: pending }]"),
        rapidapi("users: [{ email: a@x.example, status: deleted }]"),
        rapidapi("users: [{ email: a@x.example, absent: true, teams: [T] }]"),
        rapidapi("users: [{ email: a@x.example, enabled: true }]"),
        rapidapi("").replace("platform-graphql.sandbox.rapidapi.example", "https://x.example/"),
    ]
}

#[test]
fn what_the_schema_can_refuse_it_refuses_as_validate_does() {
    let schema = file_schema();
    let user = |fields: &str| format!("{HEAD}users: [{{ email: a@x.example, {fields} }}]");
    let of_rapidapi = refused_of_rapidapi();
    let refused = [
        format!("{HEAD}user: []"),
        HEAD.replace("provider: bitpanda", "provider: bitpnda"),
        HEAD.replace("provider: bitpanda\n", ""),
        HEAD.replace("organization: org-1\n", ""),
        HEAD.replace("credentials: { api_key: { env: KEY } }\n", ""),
        HEAD.replace("{ env: KEY }", "literal"),
        HEAD.replace("{ env: KEY }", "{ env: KEY, file: x }"),
        HEAD.replace("{ env: KEY }", "{ env: 'not a name' }"),
        HEAD.replace("{ env: KEY }", "{ command: [] }"),
        HEAD.replace("{ env: KEY }", "{ vault: x }"),
        HEAD.replace("https://tapi-sandbox.trustology-test.com/graphql", "ftp://x.example"),
        user("enabled: \"true\""),
        user("enabled: true, roles: A"),
        user("enabled: true, roles: [7]"),
        user("enabled: true, roles:"),
        user("enabled: true, first_name: 7"),
        user("enabled: true, first_name: ''"),
        user("enabled: true, first_name: ' x'"),
        user("enabled: true, firstname: x"),
        user("absent: true, enabled: true"),
        user("absent: true, roles: [A]"),
        format!("{HEAD}users: [{{ enabled: true }}]"),
        format!("{HEAD}users: [{{ email: nobody, enabled: true }}]"),
        format!("{HEAD}users: [{{ email: a@b@c, enabled: true }}]"),
        format!("{HEAD}users: {{ a@x.example: {{ enabled: true }} }}"),
        format!("{HEAD}users: [a@x.example]"),
        format!("{HEAD}users:"),
        format!("{HEAD}keys: [{{ name: a, expires: tomorrow }}]"),
        format!("{HEAD}keys: [{{ name: a, expires: 2030-01-01 }}]"),
        format!("{HEAD}keys: [{{ name: a, absent: true, expires: 2030-01-01T00:00:00Z }}]"),
        format!("{HEAD}keys: [{{ name: a, deliver: x }}]"),
        format!("{HEAD}keys: [{{ name: a, deliver: {{ file: a, command: [b] }} }}]"),
        format!("{HEAD}keys: [{{ id: a }}]"),
        format!("{HEAD}manage: {{ users: some }}"),
        format!("{HEAD}manage: {{ roles: all }}"),
        format!("{HEAD}guardrails: {{ min_admins: -1 }}"),
        format!("{HEAD}guardrails: {{ min_admins: 1.5 }}"),
        format!("{HEAD}guardrails: {{ protected: [jane] }}"),
        format!("{HEAD}reinvite_expired: maybe"),
        format!("{HEAD}roles: []"),
        hive("own: { key: x }"),
        paradime("keys: []"),
        paradime("").replace("own: { user: own@x.example }", "own: { key: x }"),
        paradime("manage: { keys: all }"),
        paradime("users: [{ email: a@x.example, roles: [] }]"),
        paradime("users: [{ email: a@x.example, roles: [admin] }]"),
        paradime("users: [{ email: a@x.example, roles: [ADMIN, BUSINESS] }]"),
        paradime("users: [{ email: a@x.example, absent: true, roles: [ADMIN] }]"),
        paradime("users: [{ email: a@x.example, enabled: true }]"),
        paradime("").replace("{ env: ENDPOINT }", "https://api.paradime.io/api/v1/x/graphql"),
        paradime("").replace("analytics0000000", "My workspace"),
        paradime("").replace("{ api_key: { env: KEY }, api_secret: { env: SECRET } }", "{}"),
        paradime("").replace(", api_secret: { env: SECRET }", ""),
        paradime("").replace("{ api_key: { env: KEY }", "{ token: { env: T }, api_key: { env: KEY }"),
        hive("users: [{ email: a@x.example, enabled: true }]"),
        hive("users: [{ email: a@x.example, roles: [] }]"),
        hive("users: [{ email: a@x.example, roles: [A, B] }]"),
        hive("users: [{ email: a@x.example, absent: true, resources: all }]"),
        hive("users: [{ email: a@x.example, resources: everything }]"),
        hive("users: [{ email: a@x.example, resources: [shop] }]"),
        hive("users: [{ email: a@x.example, resources: { shop: production } }]"),
        hive("users: [{ email: a@x.example, resources: { shop: { p: { service: all } } } }]"),
        hive("users: [{ email: a@x.example, resources: { shop: { p: { services: users } } } }]"),
        hive("users: [{ email: a@x.example, resources: { shop: { p: { app_deployments: [a b] } } } }]"),
        hive("roles: [{ permissions: [] }]"),
        hive("roles: [{ name: Gone, absent: true, permissions: [] }]"),
        hive("roles: [{ name: x }]"),
        hive("roles: [{ name: small }]"),
        hive("roles: [{ name: One, description: x }]"),
        hive(&format!("roles: [{{ name: One, description: {} }}]", "x".repeat(257))),
        hive(&format!("keys: [{{ name: one, description: {} }}]", "x".repeat(249))),
        hive(&format!("users: [{{ email: {}@x.example }}]", "x".repeat(128))),
        hive("roles: [{ name: Admin }]"),
        hive("keys: [{ name: a/b }]"),
        hive("keys: [{ name: ci, expires: 2030-01-01T00:00:00Z }]"),
        hive("containment_role: Viewer"),
    ];
    for yaml in refused.into_iter().chain(of_rapidapi) {
        assert!(!validates(&yaml), "validate accepts\n{yaml}");
        assert!(!schema.is_valid(&as_json(&yaml)), "the schema accepts\n{yaml}");
    }
}

/// The schema repeats the provider's list for editors, so the two have to agree.
#[test]
fn the_schema_knows_the_roles_that_the_provider_knows() {
    let schema: Value = serde_json::from_str(&schema_text(rolecall::cli::SchemaName::File)).unwrap();
    let listed: BTreeSet<&str> = schema["$defs"]["AccountType"]["enum"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    let KnownRoles::Closed { names, hint } =
        rolecall_providers::rules(ProviderName::Paradime).capabilities().known_roles
    else {
        panic!()
    };
    assert_eq!(listed, names.iter().copied().collect());
    assert!(names.iter().all(|name| hint.contains(&format!("`{name}`"))), "{hint}");
}
