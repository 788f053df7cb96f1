//! `apply --undo-out`, as users run it.

use std::collections::BTreeMap;

use crate::support::cli::{Env, Said, example};
use serde_json::Value;

fn with(name: &str) -> Env {
    let env = Env::new();
    env.write(name, example(name));
    env
}

fn apply(env: &Env, file: &str, more: &[&str]) -> Said {
    env.run(&[&["apply", "--sandbox", "--auto-approve", "--undo-out", "undo.yaml", file], more].concat())
}

fn planned(env: &Env, file: &str) -> Value {
    let said = env.run(&["plan", "--sandbox", "--format", "json", file]);
    serde_json::from_str(&said.stdout).unwrap_or_else(|why| panic!("{why}: {}", said.all()))
}

/// Returns the actions of a plan, by address.
fn actions(plan: &Value) -> BTreeMap<String, String> {
    let changes = plan["organizations"][0]["sealed"]["changes"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    changes.iter().map(|change| (text(&change["address"]), text(&change["action"]))).collect()
}

/// Returns the values before or after a plan, for the entities that it changes. Ids distinguish namesakes in one
/// plan but not between plans.
fn values(plan: &Value, when: &str) -> BTreeMap<String, Value> {
    let changes = plan["organizations"][0]["sealed"]["changes"].as_array().unwrap();
    let of = |change: &Value| {
        let address = change["address"].as_str().unwrap();
        (address.split('#').next().unwrap().to_owned(), change[when].clone())
    };
    changes.iter().map(of).collect()
}

fn ledger_has_intents(env: &Env) -> bool {
    let folder = env.path(".rolecall/sandbox/ledger");
    let files = std::fs::read_dir(folder).into_iter().flatten();
    files.into_iter().any(|file| {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        text.contains("\"intent\"")
    })
}

/// The undo file of each example, and that nothing is left to do after it is applied.
#[test]
fn each_example_has_a_way_back() {
    for file in rolecall_model::ProviderName::ALL.iter().map(|name| format!("{name}.yaml")) {
        let file = &*file;
        let env = with(file);
        let before = planned(&env, file);
        let applied = apply(&env, file, &[]);
        assert!([0, 5].contains(&applied.code), "{}", applied.all());
        assert!(applied.stderr.contains("The undo file is undo.yaml."), "{}", applied.all());
        let undo = env.read("undo.yaml");
        let seal = before["organizations"][0]["seal"].as_str().unwrap();
        assert!(undo.contains(seal), "{undo}");
        let checked = env.run(&["validate", "undo.yaml"]);
        assert_eq!(checked.code, 0, "{}", checked.all());
        let run = undo.lines().find(|line| line.starts_with("# in the run")).unwrap();
        insta::assert_snapshot!(
            format!("undo_of_{file}"),
            undo.replace(run, "# in the run $RUN, by the plan").replace(seal, "$SEAL")
        );
        let back = planned(&env, "undo.yaml");
        let then = values(&before, "before");
        for (address, value) in values(&back, "after") {
            // Undoing an invitation cancels it.
            let user = address.replacen("invitation/", "user/", 1);
            let was =
                then.get(&address).or_else(|| then.get(&user)).unwrap_or_else(|| panic!("{address}: {back:#}"));
            let fields =
                ["roles", "resources", "teams", "permissions", "description", "seats", "email", "expires"];
            let alike =
                fields.into_iter().all(|field| was.get(field).is_none() || was.get(field) == value.get(field));
            // A user who is invited again has to accept first, and created entities are deleted or disabled.
            let invited = value["invited"] == true;
            let gone = was.is_null() && (value.is_null() || value["enabled"] == false);
            assert!(alike || invited || gone, "{address}: {was:#} {value:#}");
        }
        let said = env.run(&["apply", "--sandbox", "--auto-approve", "--max-removals", "100", "undo.yaml"]);
        assert!([0, 3, 5].contains(&said.code), "{}", said.all());
        if said.code != 3 {
            assert_eq!(actions(&planned(&env, "undo.yaml")), BTreeMap::new(), "{}", said.all());
        }
    }
}

#[test]
fn json_outcomes_name_the_undo_file() {
    let env = with("hive.yaml");
    let said = apply(&env, "hive.yaml", &["--format", "json"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let outcomes: Value = serde_json::from_str(&said.stdout).unwrap();
    let undo = &outcomes["organizations"][0]["undo"];
    assert_eq!(undo["file"], "undo.yaml");
    let irreversible = undo["irreversible"].as_array().unwrap();
    let why = |address: &str| {
        let of = irreversible.iter().filter(|one| one["address"] == address);
        of.map(|one| one["why"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join("; ")
    };
    assert!(why("key/legacy-ci").contains("It can't be restored"), "{irreversible:#?}");
    assert!(
        why("user/new.user@acme.example").contains("The mail that the platform sends can't be recalled."),
        "{irreversible:#?}"
    );
    let plain = env.run(&["apply", "--sandbox", "--auto-approve", "--format", "json", "hive.yaml"]);
    let outcomes: Value = serde_json::from_str(&plain.stdout).unwrap();
    assert!(outcomes["organizations"][0].get("undo").is_none(), "{outcomes:#}");
}

#[test]
fn an_existing_file_is_left_alone_and_nothing_is_sent() {
    let env = with("hive.yaml");
    env.write("undo.yaml", "reviewed");
    let said = apply(&env, "hive.yaml", &[]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("The undo file undo.yaml exists already. Nothing was sent."), "{}", said.all());
    assert_eq!(said.stdout, "", "it is said before anything is read");
    assert_eq!(env.read("undo.yaml"), "reviewed");
    assert!(!ledger_has_intents(&env));
}

#[test]
fn without_the_way_back_nothing_is_sent() {
    let env = with("hive.yaml");
    let args = ["apply", "--sandbox", "--auto-approve", "--undo-out", "nowhere/undo.yaml", "hive.yaml"];
    let said = env.run(&args);
    assert!(said.stderr.contains("was not written, because nothing was sent."), "{}", said.all());
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("nowhere/undo.yaml can't be written: "), "{}", said.all());
    assert!(said.stderr.contains("Nothing was sent."), "{}", said.all());
    assert!(!ledger_has_intents(&env));
}

#[test]
fn one_file_holds_one_organisation() {
    let env = with("hive.yaml");
    env.write("paradime.yaml", example("paradime.yaml"));
    let said = apply(&env, ".", &[]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(
        said.stderr.contains("`--undo-out` names one file, and there are several organisations."),
        "{}",
        said.all()
    );
    assert!(!env.path("undo.yaml").exists() && !ledger_has_intents(&env));
}

#[test]
fn where_nothing_is_to_be_sent_nothing_is_written() {
    let env = with("hive.yaml");
    assert_eq!(env.run(&["apply", "--sandbox", "--auto-approve", "hive.yaml"]).code, 0);
    let said = apply(&env, "hive.yaml", &[]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(
        said.stderr.contains("The undo file undo.yaml was not written, because there was nothing to send."),
        "{}",
        said.all()
    );
    assert!(!env.path("undo.yaml").exists());
}

#[test]
fn a_part_of_a_plan_has_a_way_back_of_its_own() {
    let env = with("hive.yaml");
    let said = apply(&env, "hive.yaml", &["--target", "user/alice@acme.example"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let undo = env.read("undo.yaml");
    assert!(undo.contains("alice@acme.example") && undo.contains("Schema reviewer"), "{undo}");
    assert!(!undo.contains("left@acme.example") && !undo.contains("ci-publisher"), "{undo}");
    let back = actions(&planned(&env, "undo.yaml"));
    assert_eq!(back["user/alice@acme.example"], "update");
    assert_eq!(back["role/Schema reviewer"], "delete");
    assert_eq!(back.len(), 2, "{back:?}");
}

/// No output contains a created secret or rolecall's own credentials, at any verbosity.
#[test]
fn no_secret_is_in_the_file() {
    let env = with("hive.yaml");
    let said = apply(&env, "hive.yaml", &["-vv"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let minted = env.read(".rolecall/sandbox/delivered/acme/keys/ci-publisher.key");
    let own = (rolecall_sandbox::definition(rolecall_model::ProviderName::Hive).own_credentials)()[0].1;
    let undo = env.read("undo.yaml");
    for secret in [minted.trim(), minted.trim().trim_start_matches("hvo1/"), own] {
        assert!(!undo.contains(secret) && !said.all().contains(secret), "{undo}");
    }
    assert!(undo.contains("env: HIVE_TOKEN"), "{undo}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(env.path("undo.yaml")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

/// A description is the platform's text. In a log of a job it must be neither an order to the runner nor invisible.
#[test]
fn text_from_the_platform_is_escaped_and_comes_back_as_it_was() {
    const WORLD: &str = ".rolecall/sandbox/hive-acme.json";
    let env = Env::new();
    let head = "provider: hive\norganization: acme\nendpoint: https://api.graphql-hive.com/graphql\ncredentials: { token: { env: HIVE_TOKEN } }\n";
    let roles = "roles: [{ name: Developer, description: New words, permissions: [project:describe] }]\n";
    env.write("hive.yaml", format!("{head}{roles}"));
    env.run(&["plan", "--sandbox", "--reset", "hive.yaml"]);
    for hostile in
        ["Works ##[add-mask]x", "::error::boo", "rolecall-escaped-text-0-end \u{fffe}", "fine: # here, \"so\" \\"]
    {
        let mut world: Value = serde_json::from_str(&env.read(WORLD)).unwrap();
        let roles = world["roles"].as_array_mut().unwrap();
        roles.iter_mut().find(|role| role["name"] == "Developer").unwrap()["description"] = hostile.into();
        env.write(WORLD, world.to_string());
        let said = apply(&env, "hive.yaml", &[]);
        assert_eq!(said.code, 0, "{hostile:?} {}", said.all());
        let undo = env.read("undo.yaml");
        assert!(!undo.contains("##[") && !undo.contains('\u{fffe}') && !undo.contains("::error"), "{undo}");
        let said = env.run(&["apply", "--sandbox", "--auto-approve", "undo.yaml"]);
        assert_eq!(said.code, 0, "{hostile:?} {}", said.all());
        let world: Value = serde_json::from_str(&env.read(WORLD)).unwrap();
        let restored = world["roles"].as_array().unwrap().iter().any(|role| role["description"] == hostile);
        assert!(restored, "{hostile:?} {undo}");
        std::fs::remove_file(env.path("undo.yaml")).unwrap();
    }
}
