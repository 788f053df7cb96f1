//! `rolecall import`, run as a user runs it.

use rolecall_model::ProviderName;
use rolecall_sandbox::{bitpanda, definition, hive, paradime, rapidapi};
use serde::Serialize;

use crate::support::cli::{Env, served};

/// Returns the organisation that the sandbox of each platform starts with.
fn organization(provider: ProviderName) -> &'static str {
    definition(provider).seeds[0]
}

fn import(env: &Env, provider: ProviderName, more: &[&str]) -> crate::support::cli::Said {
    env.run(&[&["import", "--sandbox", provider.as_str(), organization(provider)], more].concat())
}

/// Adds so many people to the world of the sandbox in this folder.
fn crowd(env: &Env, provider: ProviderName, people: usize) {
    let email = |at: usize| format!("person{at:03}@acme.example");
    let seed = organization(provider);
    let world = match provider {
        ProviderName::Bitpanda => {
            let mut world = bitpanda::World::seed(seed).unwrap();
            let first = world.users.iter().find(|user| user.email.starts_with("sam@")).unwrap().clone();
            let more = |at| bitpanda::WorldUser { id: format!("user-{at}"), email: email(at), ..first.clone() };
            world.users.extend((0..people).map(more));
            json(&world)
        }
        ProviderName::Hive => {
            let mut world = hive::World::seed(seed).unwrap();
            let first = world.members.iter().find(|member| member.email.starts_with("alice@")).unwrap().clone();
            let more = |at: usize| hive::WorldMember {
                user_id: format!("00000000-0000-4000-8000-{at:012}"),
                email: email(at),
                ..first.clone()
            };
            world.members.extend((0..people).map(more));
            json(&world)
        }
        ProviderName::Paradime => {
            let mut world = paradime::World::seed(seed).unwrap();
            let first = world.users.iter().find(|user| user.email.starts_with("sam@")).unwrap().clone();
            let more = |at| paradime::WorldUser { uid: format!("uid-{at}"), email: email(at), ..first.clone() };
            world.users.extend((0..people).map(more));
            json(&world)
        }
        ProviderName::Rapidapi => {
            let mut world = rapidapi::World::seed().unwrap();
            let organization = world.organizations.iter().find(|found| found.slug == seed).unwrap().id;
            for at in 0..people {
                let user = world.add_user(&email(at));
                world.add_member(organization, user, false);
            }
            json(&world)
        }
    };
    let name = definition(provider).shared_world.unwrap_or(seed);
    env.write(&format!(".rolecall/sandbox/{provider}-{name}.json"), world);
}

fn json(world: &impl Serialize) -> String {
    serde_json::to_string(world).unwrap()
}

/// Returns the commands of the page that a newcomer copies.
fn commands_of_the_page() -> Vec<String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/existing-organization.md");
    let page = std::fs::read_to_string(page).unwrap();
    let block = page.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    block.lines().map(ToOwned::to_owned).collect()
}

#[test]
fn the_page_leads_from_nothing_to_an_empty_plan_with_500_people_on_each_platform() {
    for provider in ProviderName::ALL {
        let env = Env::new();
        crowd(&env, *provider, 500);
        let commands = commands_of_the_page();
        assert_eq!(commands.len(), 3);
        for command in commands {
            let command = command
                .replace("hive acme", &format!("{provider} {}", organization(*provider)))
                .replace("hive.yaml", &format!("{provider}.yaml"));
            let said = env.run(&command.split(' ').skip(1).collect::<Vec<_>>());
            assert_eq!(said.code, 0, "{command}\n{}", said.all());
        }
        let file = env.read(&format!("access/{provider}.yaml"));
        assert_eq!(file.matches("- email: person").count(), 500, "{provider}");
    }
}

#[test]
fn an_imported_file_is_the_same_each_time_and_is_never_overwritten() {
    let env = Env::new();
    for provider in ProviderName::ALL {
        let printed = import(&env, *provider, &[]);
        assert_eq!(printed.code, 0, "{}", printed.all());
        let file = format!("{provider}.yaml");
        assert_eq!(import(&env, *provider, &["--out", &file]).code, 0);
        assert_eq!(env.read(&file), printed.stdout);
        let again = import(&env, *provider, &["--out", &file]);
        assert_eq!(again.code, 1);
        assert!(again.stderr.contains(&format!("The file {file} exists already.")), "{}", again.all());
        insta::assert_snapshot!(format!("imported_{provider}"), printed.stdout);
        for alias in ["export", "dump"] {
            let said = env.run(&[alias, "--sandbox", provider.as_str(), organization(*provider)]);
            assert_eq!(said.stdout, printed.stdout);
        }
    }
}

#[test]
fn a_file_that_manages_all_is_in_sync_too() {
    let env = Env::new();
    for provider in ProviderName::ALL {
        let file = format!("{provider}.yaml");
        assert_eq!(import(&env, *provider, &["--manage", "all", "--out", &file]).code, 0);
        assert!(env.read(&file).contains("  users: all\n"), "{}", env.read(&file));
        let said = env.run(&["plan", "--sandbox", "--detailed-exitcode", &file]);
        assert_eq!(said.code, 0, "{}", said.all());
    }
}

#[test]
fn after_an_import_a_file_states_all_access() {
    let env = Env::new();
    assert_eq!(import(&env, ProviderName::Hive, &["--out", "hive.yaml"]).code, 0);
    let said = env.run(&["access", "--sandbox", "hive.yaml", "--unmanaged"]);
    assert!(said.code == 0 && said.stdout.contains("0 people; 0 privileged, 0 with access"), "{}", said.all());
}

#[test]
fn a_head_is_filled_and_stays_as_it_is() {
    let env = Env::new();
    let head = "# ours\nprovider: hive\norganization: acme\nendpoint: https://api.graphql-hive.com/graphql\ncredentials: { token: { env: HIVE_TOKEN } } # from the vault\nmanage: { users: all }\nguardrails: { min_admins: 2 }";
    env.write("hive.yaml", head);
    let printed = env.run(&["import", "--sandbox", "hive.yaml"]);
    assert_eq!((printed.code, env.read("hive.yaml")), (0, head.to_owned()), "{}", printed.all());
    let written = env.run(&["import", "--sandbox", "--write", "hive.yaml"]);
    assert_eq!(written.code, 0, "{}", written.all());
    let file = env.read("hive.yaml");
    assert!(file.starts_with(head) && file == printed.stdout, "{file}");
    assert_eq!(env.run(&["plan", "--sandbox", "--detailed-exitcode", "hive.yaml"]).code, 0);
    let again = env.run(&["import", "--sandbox", "--write", "hive.yaml"]);
    assert!(again.code == 1 && again.stderr.contains("has entries already"), "{}", again.all());
}

#[test]
fn a_head_that_nothing_can_be_added_to_is_refused() {
    let env = Env::new();
    let head = "provider: hive\norganization: acme\nendpoint: https://api.graphql-hive.com/graphql\ncredentials: { token: { env: T } }\n";
    let flow = format!("{{{}}}\n", head.trim().replace('\n', ", "));
    for (name, text, why) in [
        ("flow.yaml", flow, "yaml-syntax"),
        ("twice.yaml", format!("{head}users: []\n"), "The field `users` is here twice."),
        ("ended.yaml", format!("{head}...\n"), "A second document starts here."),
    ] {
        env.write(name, &text);
        let said = env.run(&["import", "--sandbox", "--write", name]);
        assert!(said.code == 1 && said.stderr.contains(why), "{}", said.all());
        assert_eq!(env.read(name), text);
    }
    env.write("windows.yaml", head.replace('\n', "\r\n"));
    assert_eq!(env.run(&["import", "--sandbox", "--write", "windows.yaml"]).code, 0);
    let text = env.read("windows.yaml");
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "{text}");
    assert_eq!(env.run(&["plan", "--sandbox", "--detailed-exitcode", "windows.yaml"]).code, 0);
}

#[test]
fn only_some_lists_are_written_if_only_they_are_asked_for() {
    let env = Env::new();
    let said = import(&env, ProviderName::Hive, &["--only", "users,roles"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(said.stdout.contains("\nusers:\n") && said.stdout.contains("\nroles:\n"));
    assert!(!said.stdout.contains("keys:\n"), "{}", said.stdout);
}

#[test]
fn keys_that_the_credential_can_not_read_can_be_left_out() {
    let env = Env::new();
    let mut world = hive::World::seed("acme").unwrap();
    let own = world.tokens.iter_mut().find(|token| token.title == "rolecall").unwrap();
    own.permissions.retain(|held| held != "accessToken:modify");
    env.write(".rolecall/sandbox/hive-acme.json", json(&world));
    let said = import(&env, ProviderName::Hive, &[]);
    assert!(said.code == 1 && said.stderr.contains("accessToken:modify"), "{}", said.all());
    let said = import(&env, ProviderName::Hive, &["--only", "users,roles"]);
    assert_eq!(said.code, 0, "{}", said.all());
}

#[test]
fn what_can_not_be_imported_is_refused_with_what_to_do() {
    let env = Env::new();
    env.write("two.yaml", "provider: hive\n");
    for (arguments, why, hint) in [
        (&["hiv", "acme"][..], "There is no provider `hiv`.", "Did you mean `hive`?"),
        (&["hive"], "no organisation is named", "rolecall import hive ORGANISATION"),
        (&["missing.yaml"], "`missing.yaml` can't be read", "Check the path"),
        (&["two.yaml"], "missing-field", "two.yaml"),
        (&["bitpanda", "x"], "several endpoints", "--endpoint"),
        (&["paradime", "x", "--endpoint", "https://x.example/a"], "is a secret", "Leave out `--endpoint`"),
        (&["hive", "acme", "--write"], "`--write` fills a file", "--out"),
        (&["--sandbox", "hive", "acme", "--only", "teams"], "has no `teams`", "`roles`, `users` and `keys`"),
        (&["--sandbox", "hive", "nobody"], "nobody", "acme"),
        (&["hive", "acme"], "HIVE_TOKEN", "hive acme:"),
    ] {
        let said = env.run(&[&["import"], arguments].concat());
        let all = said.all();
        assert!(said.code == 1 && all.contains(why) && all.contains(hint), "{arguments:?}\n{all}");
        assert_eq!(said.stdout, "", "{arguments:?}");
    }
}

#[test]
fn an_incomplete_list_is_written_only_on_request() {
    let (env, server) = served(ProviderName::Hive, &["--set", "paging=broken", "--set", "member-page-limit=2"]);
    let arguments = ["import", "hive", "acme", "--endpoint", &server.url];
    let said = env.run(&arguments);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stdout.is_empty() && said.stderr.contains("--partial"), "{}", said.all());
    let said = env.run(&[&arguments[..], &["--partial", "--manage", "all"]].concat());
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(
        said.stdout.starts_with("# Incomplete: ") && said.stdout.contains("  users: listed\n"),
        "{}",
        said.stdout
    );
}

/// No output contains a credential, the secret of a key, or the code of an invitation, however much is logged.
#[test]
fn no_secret_is_in_any_output() {
    for provider in ProviderName::ALL {
        let (env, server) = served(*provider, &[]);
        let endpoint = ["--endpoint", &*server.url];
        let is_secret = rolecall_providers::format(*provider).head.endpoints.is_empty();
        let endpoint = if is_secret { &[][..] } else { &endpoint[..] };
        let mut all =
            env.run(&[&["import", "-vv", provider.as_str(), organization(*provider)], endpoint].concat()).all();
        for more in [
            &["pull", "-vv"][..],
            &["pull", "-vv", "--unlisted", "--format", "json"],
            &["access", "-vv", "--why"],
            &["import", "-vv", "--people", "people.yaml"],
            &["plan", "-vv", "--format", "html"],
            &["drift", "-vv", "--format", "mermaid"],
        ] {
            let said = env.run(&[more, &["file.yaml"]].concat());
            assert!(matches!(said.code, 0 | 2), "{provider} {more:?}: {}", said.all());
            all += &said.all();
        }
        for (_, secret) in (definition(*provider).own_credentials)() {
            assert!(!all.contains(secret), "{provider}: {all}");
        }
        for part in ["sandbox-invite-token", "prdm_cmp_", "prdm_wsp_"] {
            assert!(!all.contains(part), "{provider}: {all}");
        }
    }
}

/// An import doesn't read included files, so it could write twice what they say.
#[test]
fn a_file_that_includes_others_is_not_filled() {
    let env = Env::new();
    let example = crate::support::cli::example("hive.yaml");
    let (head, _) = example.split_once("\nroles:").unwrap();
    env.write("hive.yaml", format!("{head}\ninclude: [people.yaml]\n"));
    env.write("people.yaml", "kind: people\npeople: []\n");
    let said = env.run(&["import", "--sandbox", "hive.yaml", "--write"]);
    assert!(said.code == 1 && said.stderr.contains("includes others"), "{}", said.all());
}
