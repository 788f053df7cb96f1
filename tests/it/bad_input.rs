//! Every error in a file gives a clear finding. No file makes the program panic, hang or use too much memory.

use std::fmt::Write as _;

use crate::support::bitpanda::HEAD;
use crate::support::cli::{Env, example};

fn user(fields: &str) -> String {
    format!("{HEAD}users:\n  - {{ email: a@x.example, {fields} }}\n")
}

/// Validates one file. Returns the whole output.
fn validate(content: impl AsRef<[u8]>) -> String {
    let env = Env::new();
    env.write("org.yaml", content);
    env.run(&["validate", "org.yaml"]).all()
}

fn utf16(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

/// Returns wrong files with fields of Hive.
fn hive_cases() -> Vec<(&'static str, Vec<u8>)> {
    use crate::support::hive::HEAD;
    let text = |body: &str| format!("{HEAD}{body}\n").into_bytes();
    vec![
        (
            "hive_roles",
            text(
                "containment_role: viewer
roles:
  - { name: Admin, permissions: [] }
  - { name: developer, permissions: [] }
  - { name: X, permissions: [] }
  - { name: Good, description: x, permissions: [] }
  - { name: Twice, permissions: [] }
  - { name: Twice, description: About }
  - { name: Gone, absent: true, permissions: [a] }
  - { name: Words, permissions: project:describe }",
            ),
        ),
        (
            "hive_users",
            text(
                "roles: [{ name: Gone, absent: true }]
users:
  - { email: two@x.example, roles: [Admin, Viewer] }
  - { email: none@x.example, roles: [] }
  - { email: gone@x.example, roles: [Gone] }
  - { email: absent@x.example, absent: true, roles: [Viewer], resources: all }
  - { email: enabled@x.example, enabled: true }
  - { email: Twice@x.example }
  - { email: twice@x.example }
  - { email: pinned@x.example, id: a }
  - { email: pinned@x.example, id: b }",
            ),
        ),
        (
            "hive_resources",
            text(
                "users:
  - { email: a@x.example, resources: everything }
  - { email: b@x.example, resources: [shop] }
  - { email: c@x.example, resources: { shop: production } }
  - { email: d@x.example, resources: { shop: { production: { service: all } } } }
  - { email: e@x.example, resources: { shop: { production: { services: users } } } }
  - { email: f@x.example, resources: { shop: { production: { app_deployments: [web app, ok, 7] } } } }
  - { email: g@x.example, resources: { shop: all, shop: all } }
  - { email: h@x.example, resources: { shop: } }
  - { email: i@x.example, resources: { 7: all } }
  - email: j@x.example
    resources:",
            ),
        ),
        (
            "hive_keys",
            text(
                "keys:
  - { name: x }
  - { name: ci/publish }
  - { name: twice, deliver: { file: a } }
  - { name: twice, deliver: { file: a } }
  - { name: gone, absent: true, permissions: [a], resources: all, deliver: { file: b } }
  - { name: roles, roles: [Admin] }
  - { name: expires, expires: 2030-01-01T00:00:00Z }",
            ),
        ),
        (
            "hive_previous_names",
            text(
                "containment_role: Parked
roles:
  - { name: Own, previously: [Own] }
  - { name: One, previously: [Before, Two] }
  - { name: Two, previously: [Before, Viewer] }
  - { name: Gone, absent: true, previously: [Went] }
  - { name: Empty, previously: [] }
  - { name: Words, previously: Word }
  - { name: Blank, previously: [''] }
  - { name: No more access, previously: [Parked] }",
            ),
        ),
        ("hive_containment", text("containment_role: Parked\nroles: [{ name: Parked, permissions: [a] }]")),
        ("hive_slug", HEAD.replace("organization: acme", "organization: Acme Corp").into_bytes()),
        (
            "hive_wildcards",
            text(
                "users: [{ email: a@x.example, resources: { shop: { production: { services: ['*'] } }, '*': all } }]",
            ),
        ),
        ("hive_fields_of_another_provider", text("own: { key: x }\nguardrails: { protected: [team/x, role/y] }")),
    ]
}

/// Returns wrong files with fields of Paradime.
fn paradime_cases() -> Vec<(&'static str, Vec<u8>)> {
    use crate::support::paradime::HEAD;
    let text = |body: &str| format!("{HEAD}{body}\n").into_bytes();
    let credentials =
        |typed: &str| HEAD.replace("{ api_key: { env: KEY }, api_secret: { env: SECRET } }", typed).into_bytes();
    let endpoint = |typed: &str| HEAD.replace("{ env: ENDPOINT }", typed).into_bytes();
    vec![
        (
            "paradime_users",
            text(
                "users:
  - { email: two@x.example, roles: [ADMIN, BUSINESS] }
  - { email: none@x.example, roles: [] }
  - { email: small@x.example, roles: [admin] }
  - { email: other@x.example, roles: [Schema reviewer] }
  - { email: again@x.example, roles: [Schema reviewer] }
  - { email: absent@x.example, absent: true, roles: [ADMIN] }
  - { email: enabled@x.example, enabled: true }
  - { email: Twice@x.example }
  - { email: twice@x.example }
  - { email: pinned@x.example, id: a }
  - { email: pinned@x.example, id: b }",
            ),
        ),
        (
            "paradime_fields_of_another_provider",
            text(
                "keys: [{ name: ci }]
roles: []
containment_role: x
manage: { keys: all }
guardrails: { protected: [key/x, role/y] }",
            ),
        ),
        ("paradime_no_credential", credentials("{}")),
        ("paradime_half_a_pair", credentials("{ api_key: { env: KEY } }")),
        ("paradime_the_other_half", credentials("{ api_secret: { env: KEY } }")),
        ("paradime_two_credentials", credentials("{ token: { env: TOKEN }, api_key: { env: KEY } }")),
        ("paradime_token_literal", credentials("{ token: prdm_cmp_hunter2 }")),
        ("paradime_endpoint_literal", endpoint("https://api.paradime.io/api/v1/hunter2/graphql")),
        ("paradime_endpoint_in_a_list", endpoint("[https://api.paradime.io/api/v1/hunter2/graphql]")),
        ("paradime_endpoint_as_variable", endpoint("{ env: https://api.paradime.io/api/v1/hunter2/graphql }")),
        ("paradime_endpoint_of_unknown_kind", endpoint("{ url: https://api.paradime.io/api/v1/hunter2/graphql }")),
        (
            "paradime_workspace_by_name",
            HEAD.replace("analytics0000000", "Análisis y más").replace("own@x.example", "nobody").into_bytes(),
        ),
    ]
}

/// Returns wrong files with fields of RapidAPI.
fn rapidapi_cases() -> Vec<(&'static str, Vec<u8>)> {
    use crate::support::rapidapi::HEAD;
    let text = |body: &str| format!("{HEAD}{body}\n").into_bytes();
    let credentials = |typed: &str| {
        HEAD.replace("{ personal_key: { env: KEY }, team_key: { env: TEAM_KEY } }", typed).into_bytes()
    };
    let host = |typed: &str| HEAD.replace("platform-graphql.sandbox.rapidapi.example", typed).into_bytes();
    vec![
        (
            "rapidapi_users",
            text(
                "allow: [everything]
teams: [{ name: Gone, absent: true }]
users:
  - { email: two@x.example, roles: [Developer, Organization Admin] }
  - { email: gone@x.example, teams: { Gone: Team Admin, Payments: Team Admin } }
  - { email: twice@x.example, teams: [Payments, Payments] }
  - { email: key-twice@x.example, teams: { Payments: Team Admin, Payments: Team Viewer } }
  - { email: no-role@x.example, teams: { Payments: } }
  - { email: text@x.example, teams: Payments }
  - { email: absent@x.example, absent: true, roles: [Developer], teams: [Payments] }
  - { email: stays@x.example, status: deleted }
  - { email: leaves@x.example, absent: true, status: deleted }
  - { email: pending@x.example, status: pending }
  - { email: enabled@x.example, enabled: true }",
            ),
        ),
        (
            "rapidapi_teams",
            text(
                "teams:
  - { name: Payments }
  - { name: Payments, description: again }
  - { name: Gone, absent: true, description: x, thumbnail: y }
  - { name: ' padded' }
  - { description: nameless }
guardrails: { protected: [key/x, role/y, organization, team/Payments] }",
            ),
        ),
        (
            "rapidapi_previous_names",
            text(
                "teams:
  - { name: Payments, previously: [Billing] }
  - { name: Invoices, previously: [Billing, Payments] }
  - { name: Invoices2, previously: [Billing, Mails] }
  - { name: Gone, absent: true, previously: [Went] }",
            ),
        ),
        (
            "rapidapi_settings",
            text("settings: { name: Acme, seats: 0, email: nobody, create: true, absent: true }"),
        ),
        (
            "rapidapi_settings_of_an_id",
            HEAD.replace("organization: acme", "organization: '7000001'\nsettings: { create: true }").into_bytes(),
        ),
        (
            "rapidapi_fields_of_another_provider",
            text("keys: [{ name: ci }]\nroles: []\nown: { user: a@x.example }\nmanage: { keys: all, roles: all }"),
        ),
        ("rapidapi_requests", text("requests_per_minute: 0\nseveral_root_fields: 4\nchanges_with: identity_key")),
        ("rapidapi_no_credential", credentials("{}")),
        ("rapidapi_no_team_key", credentials("{ personal_key: { env: KEY } }")),
        ("rapidapi_team_key_alone", credentials("{ team_key: { env: KEY } }")),
        (
            "rapidapi_no_personal_key",
            [
                credentials("{ team_key: { env: KEY }, identity_key: { env: OWN } }"),
                b"users: [{ email: a@x.example, status: active }]\n".to_vec(),
            ]
            .concat(),
        ),
        ("rapidapi_key_literal", credentials("{ team_key: hunter2hunter2hunter2 }")),
        ("rapidapi_host_as_url", host("https://graphql-platform.p.rapidapi.com/")),
    ]
}

/// Returns files with a credential where it must not be.
fn credential_cases() -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: String| text.into_bytes();
    vec![
        ("credential_in_the_endpoint", text(HEAD.replace("https://", "https://user:hunter2@"))),
        ("credential_misplaced", text(format!("{HEAD}api_token: hunter2\n"))),
        ("credential_literal", text(HEAD.replace("{ env: KEY }", "hunter2"))),
        ("credential_literal_block", text(HEAD.replace("{ api_key: { env: KEY } }", "\n  api_key:\n    hunter2"))),
        ("credential_literal_as_variable", text(HEAD.replace("env: KEY", "env: hunter2-is-no-name"))),
        ("credential_literal_number", text(HEAD.replace("{ env: KEY }", "12345678"))),
        ("credential_literal_list", text(HEAD.replace("{ env: KEY }", "[hunter2]"))),
        ("credential_of_unknown_kind", text(HEAD.replace("env: KEY", "vault: hunter2"))),
        ("credential_as_a_key", text(HEAD.replace("{ env: KEY }", "{hunter2}"))),
        ("credential_as_a_key_beside", text(HEAD.replace("{ env: KEY }", "{ env: KEY, hunter2: x }"))),
        (
            "credential_by_alias",
            text(format!(
                "{}users: [{{ email: a@x.example, enabled: *k, roles: *k }}]\n",
                HEAD.replace("{ env: KEY }", "&k hunter2")
            )),
        ),
        ("credential_by_anchor", text(format!("x: &k hunter2\n{}", HEAD.replace("{ env: KEY }", "*k")))),
        ("credential_in_the_query", text(HEAD.replace("/graphql", "/graphql?key=hunter2"))),
        ("credential_unclosed", text(HEAD.replace("{ env: KEY } }", "\"hunter2 }"))),
    ]
}

/// Returns small wrong files with a name each. Each has its snapshot.
fn cases() -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: String| text.into_bytes();
    let mut cases = [credential_cases(), hive_cases(), paradime_cases(), rapidapi_cases()].concat();
    cases.extend([
        ("bad_protected_kind", text(format!("{HEAD}guardrails: {{ protected: [team/x] }}\n"))),
        ("absent_with_values", text(user("absent: true, roles: [ADMIN], enabled: true"))),
        (
            "bad_email",
            text(format!(
                "{HEAD}users: [{{ email: nobody, enabled: true }}, {{ email: 'a@b@c', enabled: true }}]\n"
            )),
        ),
        ("bad_protected_address", text(format!("{HEAD}guardrails: {{ protected: [jane, role/x] }}\n"))),
        ("bad_utf8", [HEAD.as_bytes(), b"users: [{ email: \xff }]\n"].concat()),
        ("bom", [b"\xef\xbb\xbf".as_slice(), HEAD.as_bytes()].concat()),
        (
            "duplicate_delivery",
            text(format!(
                "{HEAD}keys: [{{ name: a, deliver: {{ file: keys/k }} }}, {{ name: b, deliver: {{ file: ./keys/../keys/k }} }}]\n"
            )),
        ),
        (
            "delivery_over_our_own_files",
            text(format!(
                "{HEAD}keys: [{{ name: a, deliver: {{ file: ./org.yaml }} }}, {{ name: b, deliver: {{ file: .rolecall/ledger/x }} }}]\n"
            )),
        ),
        ("duplicate_field", text(format!("{HEAD}users: []\nusers: []\n"))),
        (
            "duplicate_key",
            text(format!("{HEAD}keys: [{{ name: ci, absent: true }}, {{ name: ci, absent: true }}]\n")),
        ),
        (
            "duplicate_user_in_other_case",
            text(format!(
                "{HEAD}users:\n  - {{ email: a@x.example, enabled: true }}\n  - {{ email: A@X.example, enabled: true }}\n"
            )),
        ),
        ("empty", Vec::new()),
        ("empty_but_comments", text("# nothing\n".to_owned())),
        ("empty_values", text(user("enabled: true, roles:, first_name:"))),
        (
            "expiry_in_seconds",
            text(format!(
                "{HEAD}keys: [{{ name: ci, expires: 4081957199 }}]\nguardrails: {{ exceptions: [{{ plan: \"sha256:{}\", rails: [min_admins], until: 20261231, reason: x }}] }}\n",
                "0".repeat(64)
            )),
        ),
        ("expiry_without_zone", text(format!("{HEAD}keys: [{{ name: ci, expires: 2030-01-01T00:00:00 }}]\n"))),
        ("http_endpoint", text(HEAD.replace("https:", "http:"))),
        ("list_at_the_top", text("- a\n".to_owned())),
        (
            "invisible_characters",
            text(format!(
                "{HEAD}users: [{{ email: \"a@x.example\\u200b\", enabled: true }}]\nkeys: [{{ name: \"ci\\u202e\", absent: true }}]\n"
            )),
        ),
        ("long_values", text(user(&format!("enabled: \"{}\"", "x".repeat(300))))),
        ("merge_keys", text(format!("{HEAD}users: [{{ <<: {{ email: a@x.example }}, enabled: true }}]\n"))),
        ("missing_fields", text("provider: bitpanda\nusers: [{ enabled: true }]\nkeys: [{ id: x }]\n".to_owned())),
        ("names_with_controls", text(user("enabled: true, first_name: \"a\\u001b[2J\", last_name: \"b\\u202e\""))),
        (
            "number_and_yes_for_text",
            text(user("enabled: true, first_name: 7, last_name: yes, phone: +430000000000")),
        ),
        ("several_documents", text(format!("{HEAD}---\nprovider: bitpanda\n"))),
        ("tabs", text(format!("{HEAD}users:\n\t- email: a@x.example\n"))),
        ("text_at_the_top", text("provider\n".to_owned())),
        (
            "typos",
            text(format!(
                "{HEAD}user: []\nmanage: {{ users: al }}\nusers:\n  - {{ emial: a@x.example, enabled: true }}\n"
            )),
        ),
        ("unknown_provider", text(HEAD.replace("provider: bitpanda", "provider: bitpnda"))),
        ("unknown_role", text(user("enabled: true, roles: [ADMNI, admin, SOMETHING_NEW]"))),
        ("unknown_role_allowed", text(format!("{}allow: [unknown-roles]\n", user("enabled: true, roles: [ADMNI]")))),
        ("utf16", utf16(HEAD)),
        (
            "wrong_types",
            text(format!(
                "{HEAD}users: {{ a: b }}\nkeys: ci\nmanage: [all]\nguardrails: {{ min_admins: two }}\nreinvite_expired: \"no\"\n"
            )),
        ),
        ("yes_for_true", text(user("enabled: yes"))),
    ]);
    cases
}

#[test]
fn every_small_case_has_its_findings() {
    for (name, content) in cases() {
        let said = validate(content);
        assert!(!said.contains("hunter2"), "{name} shows a credential:\n{said}");
        assert!(!said.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{name} moves the cursor");
        insta::assert_snapshot!(name, said);
    }
}

#[test]
fn all_findings_come_at_once() {
    let mut file = HEAD.replace("organization: org-1\n", "");
    for index in 0..30 {
        let _ = writeln!(file, "unknown_{index}: 1");
    }
    let said = validate(file);
    assert!(said.contains("31 errors"), "{said}");
}

/// Runs with limited address space, so that too much memory fails the test.
fn limited(env: &Env, args: &str) -> String {
    let program = env!("CARGO_BIN_EXE_rolecall");
    let script = format!("ulimit -v 1500000; exec timeout 60 {program} {args}");
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(env.path("."))
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    env.said(&output).all()
}

/// The parser has a limit for comments in a row if it has to tell them.
#[test]
fn any_number_of_comments_is_fine() {
    let env = Env::new();
    let comments = "  # not now\n".repeat(500);
    env.write("hive.yaml", example("hive.yaml").replace("\nusers:\n", &format!("\nusers:\n{comments}")));
    let said = env.run(&["validate", "hive.yaml"]);
    assert!(said.code == 0 && said.stdout.contains("no findings"), "{}", said.all());
    // Edits find their place, too, and what is wrong is said.
    let said = env.run(&["pull", "--sandbox", "--write", "hive.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(env.read("hive.yaml").contains(&comments));
    let said = validate(format!("{HEAD}users:\n{comments}  - {{ email: a@x.example\n"));
    assert!(said.contains("error[yaml-syntax]") && !said.contains("comments"), "{said}");
    let said = validate(format!("{HEAD}x-a:\n{comments}  b: 1\nusers: [{{ email: !env A }}]\n"));
    assert!(said.contains("The format has no tags"), "{said}");
}

#[test]
fn an_alias_bomb_is_refused() {
    let env = Env::new();
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for pair in ('a'..='z').collect::<Vec<_>>().windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let aliases = vec![format!("*{from}"); 9].join(", ");
        let _ = writeln!(bomb, "{to}: &{to} [{aliases}]");
    }
    env.write("org.yaml", bomb);
    let said = limited(&env, "validate org.yaml");
    assert!(said.contains("error[too-complex]") && said.contains("[exit 1]"), "{said}");
}

#[test]
fn ten_thousand_levels_are_refused() {
    let env = Env::new();
    let mut block = String::new();
    for level in 0..10_000 {
        let _ = writeln!(block, "{}a:", " ".repeat(level));
    }
    let (open, close) = ("[".repeat(10_000), "]".repeat(10_000));
    let maps = format!("x-a: {}1{}\n", "{a: ".repeat(24), "}".repeat(24));
    let flow = format!("a: {open}{close}\n");
    for (name, text) in [("flow.yaml", flow), ("open.yaml", open), ("block.yaml", block), ("maps.yaml", maps)] {
        env.write(name, text);
        let said = limited(&env, &format!("validate {name}"));
        assert!(said.contains("error[too-complex]") && said.contains("[exit 1]"), "{name}: {said}");
        assert!(said.contains("nested too deeply: more than 24 levels"), "{name}: {said}");
    }
}

#[test]
fn a_file_of_200_mib_is_not_even_read() {
    let env = Env::new();
    std::fs::File::create(env.path("org.yaml")).unwrap().set_len(200 * 1024 * 1024).unwrap();
    let said = limited(&env, "validate org.yaml");
    assert!(said.contains("error[file-too-large]: `org.yaml` is larger than 64 MiB"), "{said}");
}

#[test]
fn an_endless_file_is_not_read_to_its_end() {
    let said = limited(&Env::new(), "validate /dev/zero");
    assert!(said.contains("error[unreadable-file]") && said.contains("a pipe or a device"), "{said}");
}

#[test]
fn of_a_very_long_line_the_part_around_the_place_is_shown() {
    let long = "x".repeat(5_000);
    let said = validate(user(&format!("enabled: true, first_name: \"{long}\", last_nam: Doe, phone: \"{long}\"")));
    assert!(said.contains("error[unknown-field]") && said.len() < 3_000, "{said}");
    assert!(said.contains("last_nam: Doe"), "{said}");
}

/// A pull request can put any file where rolecall looks for its own. Nothing of such a file is shown.
#[cfg(unix)]
#[test]
fn a_file_that_is_none_of_ours_is_not_shown() {
    let env = Env::new();
    let secrets = [
        "hunter2-alone",
        "{\"auths\": \"hunter2\"}",
        "- hunter2",
        "a: [hunter2",
        "provider: hunter2",
        "a: b\nhunter2",
    ];
    for secret in secrets {
        env.write("x.yaml", secret);
        let said = env.run(&["validate", "x.yaml"]);
        assert!(said.code == 1 && !said.all().contains("hunter2"), "{}", said.all());
    }
    env.write("x.yaml", [b"hunter2 \xff".as_slice()].concat());
    assert!(!env.run(&["validate", "x.yaml"]).all().contains("hunter2"));
}

#[cfg(unix)]
#[test]
fn a_link_is_not_followed() {
    use std::os::unix::fs::symlink;
    let env = Env::new();
    env.write("elsewhere/secret.yaml", format!("{HEAD}users: [hunter2]\n"));
    env.write("access/ours.yaml", HEAD);
    symlink(env.path("elsewhere/secret.yaml"), env.path("access/x.yaml")).unwrap();
    symlink(env.path("elsewhere"), env.path("linked")).unwrap();
    symlink("/proc/self/environ", env.path("environ.yaml")).unwrap();
    for args in [
        ["validate", "access/x.yaml"],
        ["validate", "access"],
        ["validate", "linked"],
        ["validate", "linked/secret.yaml"],
        ["plan", "access/x.yaml"],
        ["validate", "environ.yaml"],
    ] {
        let said = env.run(&args);
        assert!(said.code == 1 && said.all().contains("is a link"), "{args:?}: {}", said.all());
        assert!(!said.all().contains("hunter2") && !said.all().contains("PATH="), "{args:?}: {}", said.all());
    }
    // The real path says what is meant, and a link to a file of another tool concerns nobody.
    assert!(env.run(&["validate", "elsewhere"]).all().contains("hunter2"));
    env.write("elsewhere/secret.yaml", "services: {}\n");
    assert_eq!(env.run(&["validate", "access"]).code, 0);
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_folder_does_not_stop_the_run() {
    let env = Env::new();
    env.write("ours.yaml", HEAD);
    assert!(std::process::Command::new("mkfifo").arg(env.path("x.yaml")).status().unwrap().success());
    let said = env.run(&["validate"]);
    assert!(
        said.code == 1 && said.all().contains("`x.yaml` can't be read: it is a pipe or a device"),
        "{}",
        said.all()
    );
    let said = limited(&env, "validate /proc/version");
    assert!(said.contains("it belongs to the system"), "{said}");
}

/// Somebody pastes a credential where no credential belongs: into a name, an address, a comment.
#[test]
fn what_looks_like_a_credential_is_not_shown() {
    let secrets = [
        "hvo1/Q0FOQVJZOnN1cGVyU2VjcmV0VmFsdWU=",
        "prdm_wsp_0123456789abcdefSECRET",
        "a8f3c1d2e4b5968778695a4b3c2d1e0f",
        "0a1b2c3d4emsh5f6a7b8c9d0e1f2p3a4b5cjsn6d7e8f9a0b1c",
    ];
    for secret in secrets {
        let files = [
            format!("{HEAD}keys: [{{ name: {secret}, absent: no }}]\n"),
            format!("{HEAD}users: [{{ email: {secret}, absent: true }}]\n"),
            format!("{HEAD}users: nobody # {secret}\n"),
            format!("{HEAD}{secret}: x\n"),
        ];
        for file in files {
            let said = validate(&file);
            assert!(said.contains("[exit 1]") && !said.contains(secret), "{said}");
        }
    }
    // A name that begins like a credential would be in every plan, so it is an error in itself.
    let said = validate(format!("{HEAD}keys: [{{ name: {}, absent: true }}]\n", secrets[0]));
    assert!(said.contains("error[literal-credential]"), "{said}");
    // An id, a seal and an address aren't secrets.
    let usual = format!(
        "{HEAD}users: nobody # f8588dc7-e1ce-4d92-a473-809a0a357ad9 sha256:{} jane.doe-2024@platform1.acme.example\n",
        "0123456789abcdef".repeat(4)
    );
    assert!(validate(usual).contains("f8588dc7-e1ce"));
}

/// Unicode has more invisible characters than anybody lists by heart.
#[test]
fn a_character_that_does_not_show_is_an_error_and_is_escaped() {
    let invisible = "\u{34f}\u{115f}\u{1160}\u{17b4}\u{180b}\u{200d}\u{2800}\u{3164}\u{fe0f}\u{ffa0}\u{fff5}\u{1bca0}\u{1d173}\u{e0100}\u{9b}\u{9d}\u{a0}\u{2003}";
    for c in invisible.chars() {
        let code = format!("U+{:04X}", u32::from(c));
        for body in [
            format!("users: [{{ email: \"jane{c}@acme.example\", absent: true }}]"),
            format!("keys: [{{ name: \"ci{c}key\", absent: true }}]"),
        ] {
            let said = validate(format!("{HEAD}{body}\n"));
            assert!(said.contains("error[invisible-character]") && said.contains(&code), "{code}: {said}");
            assert!(!said.contains(c), "{code} is shown as it is");
        }
        // Where the platform has such a name, an escape shows what is meant.
        let escaped = format!("{HEAD}keys: [{{ name: \"ci\\U{:08x}key\", absent: true }}]\n", u32::from(c));
        assert!(validate(escaped).contains("no findings"), "{code}");
    }
    let said = validate(format!("{HEAD}# a \u{202e}b\nusers: nope # \u{9b}31mRED\n"));
    assert!(said.contains("\\u{9b}31mRED") && !said.contains(['\u{9b}', '\u{202e}']), "{said}");
    // A picture of several characters shows, and so does a space in a comment.
    let written =
        format!("{HEAD}keys: [{{ name: \"👩\u{200d}💻 ❤\u{fe0f}\", absent: true }}] # l'accès\u{a0}: fini\n");
    assert!(validate(written).contains("no findings"));
}

#[test]
fn an_address_that_reaches_nobody_is_an_error() {
    let wrong = [
        "left@acme.example,",
        "left@acme.example.",
        "left@.acme.example",
        "left@acme..example",
        "<left@acme.example>",
        "mailto:left@acme.example",
        "${LEFT}@acme.example",
        "{{ left }}@acme.example",
        "left@acme.example;",
        "Left <left@acme.example>",
        "left@acme_corp.example",
        "left@-acme.example",
        "left@acme.example>",
        "le,ft@acme.example",
        "“left@acme.example”",
        "left.o’brien@acme.example",
        "«left»@acme.example",
        "a-part-before-the-at-sign-that-is-longer-than-the-64-bytes-of-rfc-5321@acme.example",
        "left@a-part-of-a-domain-that-is-longer-than-the-63-characters-of-rfc-1035.example",
    ];
    let heads = [HEAD, crate::support::hive::HEAD, crate::support::paradime::HEAD, crate::support::rapidapi::HEAD];
    for head in heads {
        for address in wrong {
            let said = validate(format!("{head}users: [{{ email: \"{address}\", absent: true }}]\n"));
            assert!(said.contains("error[invalid-email]"), "{address}: {said}");
        }
        for pattern in ["user/left@acme.example,", "user/*@acme..example", "user/left", "user/<*@acme.example>"] {
            let said = validate(format!("{head}guardrails: {{ protected: [\"{pattern}\"] }}\n"));
            assert!(said.contains("error[invalid-value]"), "{pattern}: {said}");
        }
        let right = [
            "o'brien+x@acme.example",
            "a..b@acme.example",
            "andré@bücher.example",
            "\\\"a:b\\\"@acme.example",
            "a@[127.0.0.1]",
        ];
        for address in right {
            let said = validate(format!(
                "{head}users: [{{ email: \"{address}\", absent: true }}]\nguardrails: {{ protected: [user/*@acme.example, user/*] }}\n"
            ));
            assert!(said.contains("no findings"), "{address}: {said}");
        }
    }
}

/// Whatever a reader of YAML passes over would be missed by its author.
#[test]
fn syntax_that_nothing_acts_on_is_an_error() {
    let hive = |body: &str| validate(format!("{}{body}\n", crate::support::hive::HEAD));
    let tagged = hive("roles: [{ name: !env Role_name, description: !include desc.txt, permissions: [] }]");
    assert_eq!(tagged.matches("The format has no tags").count(), 2, "{tagged}");
    let included = hive("users: !include u.yaml");
    // Brackets around the name of a file would be the next error.
    assert!(included.contains("The format has no tags") && included.contains(": 1 error"), "{included}");
    assert!(hive("users: !!set {}").contains("The format has no tags"));
    assert!(hive("roles: [{ name: !!str Dev, absent: true }]").contains("no findings"));
    assert!(hive("users: *nope").contains("This alias (`*`) has no anchor"));
    assert!(hive("users: &all [*all]").contains("This alias (`*`) stands inside of the value"));
    let conflict = hive("<<<<<<< HEAD\nusers: []\n=======\nkeys: []\n>>>>>>> branch");
    assert!(conflict.contains("A merge left a conflict here") && conflict.contains("2 errors"), "{conflict}");
    for placeholder in ["\"${ROLE}\"", "\"{{ role }}\"", "{{ role }}"] {
        let said = hive(&format!("roles: [{{ name: {placeholder}, absent: true }}]"));
        assert!(said.contains("a placeholder of a template"), "{placeholder}: {said}");
    }
    assert!(hive("roles: [{ name: “Developer”, absent: true }]").contains("typographic quotation marks"));
    assert!(
        hive("x-roles: &dev [Developer]\nusers: [{ email: a@x.example, roles: *dev }]").contains("no findings")
    );
}

#[test]
fn what_a_hint_offers_is_accepted() {
    let slug = |organization: &str| {
        let head =
            crate::support::hive::HEAD.replace("organization: acme", &format!("organization: {organization}"));
        validate(format!("{head}users: []\n"))
    };
    assert!(slug("ácme").contains("such as `acme`") && slug("Acme Inc").contains("such as `acme-inc`"));
    let key = |expires: &str| {
        validate(format!("{HEAD}keys: [{{ name: k, roles: [A], expires: {expires}, deliver: {{ file: k }} }}]\n"))
    };
    assert!(key("10000-01-01T00:00:00Z").contains("The latest is `9999-12-31T23:59:59Z`"));
    assert!(!key("9999-12-31T23:59:59Z").contains("error"));
    let limit = |share: &str| validate(format!("{HEAD}guardrails: {{ max_removals: {{ share: {share} }} }}\n"));
    assert!(limit("10").contains("Write a percentage such as `10%`.") && limit("10%").contains("no findings"));
}

#[test]
fn two_forms_of_one_name_are_a_duplicate() {
    let (composed, decomposed) = ("D\u{e9}v", "De\u{301}v");
    for (head, list, code) in [
        (
            crate::support::hive::HEAD,
            format!("roles: [{{ name: {composed}, absent: true }}, {{ name: {decomposed}, absent: true }}]"),
            "role",
        ),
        (
            HEAD,
            format!("keys: [{{ name: {composed}, absent: true }}, {{ name: {decomposed}, absent: true }}]"),
            "key",
        ),
        (
            crate::support::rapidapi::HEAD,
            format!("teams: [{{ name: {composed} }}, {{ name: {decomposed} }}]"),
            "team",
        ),
        (
            HEAD,
            format!(
                "users: [{{ email: {composed}@x.example, absent: true }}, {{ email: {decomposed}@x.example, absent: true }}]"
            ),
            "user",
        ),
    ] {
        let said = validate(format!("{head}{list}\n"));
        assert!(said.contains(&format!("error[duplicate-{code}]")), "{said}");
    }
}

#[test]
fn a_flood_of_findings_is_counted() {
    let mut list = format!("{HEAD}users:\n");
    (0..5_000).for_each(|_| list.push_str("  - x\n"));
    let said = validate(&list);
    assert!(
        said.contains("5000 errors")
            && said.contains("error[wrong-type]: 4980 more findings of this kind in org.yaml"),
        "{said}"
    );
    assert!(said.len() < 20_000, "{}", said.len());
    let env = Env::new();
    env.write("org.yaml", list);
    let json: serde_json::Value =
        serde_json::from_str(&env.run(&["validate", "--format", "json", "org.yaml"]).stdout).unwrap();
    assert_eq!(json["findings"].as_array().unwrap().len(), 5_000);
}

/// A pull request must not keep a job at work for hours.
#[test]
fn the_work_grows_with_the_file_and_not_faster() {
    let env = Env::new();
    let mut tags = String::new();
    (0..20_000).for_each(|index| {
        let _ = write!(tags, "!t{index} x, ");
    });
    for (name, body) in
        [("line", format!("users: [{}]", "x,".repeat(40_000))), ("tags", format!("users: [{tags}]"))]
    {
        env.write("org.yaml", format!("{HEAD}{body}\n"));
        let said = limited(&env, "validate org.yaml");
        assert!(said.contains("[exit 1]") && said.contains("more findings of"), "{name}: {said}");
    }
}

#[test]
fn a_file_full_of_errors_takes_no_memory_without_bound() {
    let env = Env::new();
    env.write("org.yaml", format!("{HEAD}users: [{}]\n", "x,".repeat(30_000)));
    let said = limited(&env, "validate --format json org.yaml");
    assert!(said.contains("Only the first 20000 values of a wrong type are listed."), "{}", said.len());
    assert!(said.contains("[exit 1]"));
}

#[test]
fn what_is_not_there_is_said() {
    let env = Env::new();
    std::fs::create_dir(env.path("empty")).unwrap();
    env.write("other/compose.yaml", "services: {}\n");
    let mut said = String::new();
    for path in ["missing.yaml", "empty", "other", "."] {
        let _ = writeln!(said, "$ rolecall validate {path}\n{}", env.run(&["validate", path]).all());
    }
    insta::assert_snapshot!("what_is_not_there", said);
}

#[test]
fn a_folder_means_its_own_yaml_files_with_a_provider() {
    let env = Env::new();
    env.write("a.yaml", HEAD);
    env.write("b.yml", HEAD.replace("org-1", "org-2"));
    env.write("compose.yaml", "services: {}\n");
    env.write("broken.yaml", "a: [\n");
    env.write("nested.yaml", "services:\n  db:\n    provider: aws\n");
    env.write("latin1.yaml", b"name: \xe9\n");
    env.write("deeper/c.yaml", HEAD);
    let said = env.run(&["validate"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, "2 files checked: no findings\n"));
}

/// A file that a folder passes over leaves its organisation out of every plan, so each way to write the field counts.
#[test]
fn a_folder_means_a_provider_however_it_is_written() {
    let json = "{\n  \"provider\": \"bitpanda\",\n  \"organization\": \"org-1\",\n  \"credentials\": { \"id\": \"x\" }\n}\n";
    let key = |key: &str| HEAD.replacen("provider", key, 1);
    let indented = format!(" {}\n", HEAD.trim_end().replace('\n', "\n "));
    let utf16 = |swap: bool| -> Vec<u8> {
        HEAD.encode_utf16().flat_map(|unit| if swap { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    for text in [
        json.into(),
        json.replace("  ", "\t").into(),
        // It can't be read, and it still is one of rolecall.
        json.replace('}', "").into(),
        indented.into(),
        key("? provider\n").into(),
        key("&x provider").into(),
        key("!!str provider").into(),
        key("\"pro\\u0076ider\"").into(),
        format!("x-key: &key provider\n{}", key("*key ")).into(),
        utf16(false),
        utf16(true),
    ] {
        let env = Env::new();
        let shown = String::from_utf8_lossy(&text).into_owned();
        env.write("a.yaml", HEAD.replace("org-1", "org-2"));
        env.write("q.yaml", text);
        let said = env.run(&["validate", "."]).all();
        assert!(said.contains("2 files") || said.contains("q.yaml:"), "{shown}\n{said}");
    }
    for text in [
        "{\n \"jobs\": {\n \"provider\": 1\n}}",
        "- provider: x",
        "- provider\n- x",
        "a: provider",
        "provider",
        "a: \\",
        "a:\n  provider: aws\n  - }",
    ] {
        let env = Env::new();
        env.write("a.yaml", HEAD);
        env.write("q.yaml", text);
        assert_eq!(env.run(&["validate", "."]).stdout, "1 file checked: no findings\n", "{text}");
    }
}

#[test]
fn two_files_for_one_organisation_are_an_error() {
    let env = Env::new();
    env.write("a.yaml", HEAD);
    env.write("b.yaml", HEAD);
    let said = env.run(&["validate"]);
    assert_eq!(said.code, 1);
    assert!(
        said.stdout.contains("error[duplicate-organization]: The file a.yaml already describes org-1."),
        "{}",
        said.stdout
    );
}

/// Some tools take `yes` for true and others for a text, wherever it stands.
#[test]
fn yes_is_refused_behind_an_alias_too() {
    for value in ["yes", "On", "n"] {
        for tag in ["", "x-tag: !!str x\n"] {
            let said = validate(format!("x-on: &on {value}\n{tag}{}", user("enabled: *on")));
            let message = format!("Expected true or false, found `{value}`, which YAML reads as a truth value.");
            assert!(said.contains(&message), "{said}");
            assert!(said.contains("Write `true` or `false` where `&on` stands"), "{said}");
        }
    }
    assert!(validate(format!("x-on: &on True\n{}", user("enabled: *on"))).contains("no findings"));
    let keys = "keys: [{ name: k, roles: [ADMIN], deliver: { file: k }, lifetime: 90d, rotate_before: 9d, rotate_own: yes }]";
    let said = validate(format!("{HEAD}{keys}\n"));
    assert!(said.contains("`rotate_own` is neither `true` nor `false`"), "{said}");
}

#[test]
fn findings_are_json_for_programs() {
    let env = Env::new();
    env.write("org.yaml", user("enabled: yes"));
    let said = env.run(&["validate", "--format", "json", "org.yaml"]);
    let json: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(json["findings"][0]["code"], "wrong-type");
    assert_eq!(json["findings"][0]["place"]["line"], 7);
}

/// Every code is explained in docs/findings.md, which explains no other.
#[test]
fn every_finding_is_documented() {
    let book = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/findings.md")).unwrap();
    let explained: Vec<&str> =
        book.lines().filter_map(|line| line.strip_prefix("## `")).map(|line| line.trim_end_matches('`')).collect();
    let codes: Vec<&str> = rolecall_model::Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(explained, codes);
}

/// A number may stand behind an alias, and a wrong one is shown with the place where quotes help.
#[test]
fn an_alias_means_the_number_of_its_anchor() {
    let hive = |body: &str| validate(format!("{}{body}\n", crate::support::hive::HEAD));
    let said = hive("x-most: &most 3\nguardrails: { max_removals: *most }");
    assert!(said.contains("no findings"), "{said}");
    let said = hive("x-name: &name 12\nusers: [{ email: a@x.example, roles: [*name] }]");
    assert!(said.contains("Expected text, found the number `12`"), "{said}");
    assert!(said.contains("hint: Put the value in quotes where `&name` stands."), "{said}");
}

/// Lines of a list of people are shown, even if nobody could read as far as the field that says so.
#[test]
fn a_list_of_people_is_known_before_it_can_be_read() {
    let said = validate("people:\n  - { name: [\nkind: people\n");
    assert!(!said.contains("The file isn't YAML") && said.contains("  - { name: ["), "{said}");
}

#[test]
fn a_tree_that_many_share_by_an_alias_is_no_bomb() {
    let mut text =
        format!("{}users:\n  - email: first@x.example\n    resources: &tree\n", crate::support::hive::HEAD);
    for index in 0..40 {
        let _ = writeln!(text, "      project-{index}: {{ production: all, staging: all }}");
    }
    for index in 0..400 {
        let _ = writeln!(text, "  - {{ email: u{index}@x.example, resources: *tree }}");
    }
    let said = validate(&text);
    assert!(said.contains("no findings"), "{said}");
}
