//! `rolecall init`: a repository to start with, which overwrites nothing.

use std::collections::BTreeMap;
use std::path::Path;

use rolecall_model::ProviderName;
use rolecall_sandbox::definition;
use serde_json::Value;

use crate::support::cli::{Env, Said};

const GITHUB: [&str; 3] = ["rolecall-plan.yml", "rolecall-apply.yml", "rolecall-drift.yml"];
const GITLAB: [&str; 1] = ["rolecall.gitlab-ci.yml"];

/// Returns every file of the repository with its text. The sandbox keeps its own files elsewhere.
fn files(env: &Env) -> BTreeMap<String, String> {
    fn walk(folder: &Path, top: &Path, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
            match path.is_dir() {
                true if matches!(&*name, ".rolecall" | ".git" | ".local") => {}
                true => walk(&path, top, found),
                false => {
                    found.insert(name, std::fs::read_to_string(&path).unwrap());
                }
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(&env.path("."), &env.path("."), &mut found);
    found
}

fn of_repository(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn yaml(text: &str) -> Value {
    // Otherwise `on` would be read as true.
    serde_yaml::from_str_with_options(text, serde_yaml::options! { strict_booleans: true }).unwrap()
}

/// Returns the commands that come next, without comments.
fn next(said: &Said) -> Vec<&str> {
    let (_, next) = said.stdout.split_once("\nNext:\n").unwrap_or_else(|| panic!("{}", said.all()));
    next.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[test]
fn a_repository_for_each_platform_is_in_sync_and_a_second_run_changes_nothing() {
    for provider in ProviderName::ALL {
        let env = Env::new();
        let init = ["init", "--sandbox", provider.as_str(), definition(*provider).seeds[0], "--ci", "github"];
        let said = env.run(&init);
        assert_eq!(said.code, 0, "{}", said.all());
        let made = files(&env);
        let file = format!("access/{provider}.yaml");
        let text = &made[&file];
        assert!(text.starts_with("# yaml-language-server: $schema=rolecall.schema.json\n"), "{text}");
        assert_eq!(made["access/rolecall.schema.json"], of_repository("schemas/rolecall.schema.json"));
        assert!(text.contains("manage:\n") && text.contains("listed"), "{text}");
        for name in made.keys() {
            assert!(said.stdout.contains(&format!("made     {name}")), "{name}: {}", said.stdout);
        }
        assert_eq!(next(&said)[..3], ["rolecall plan --sandbox access/", "git init", "pre-commit install"]);

        let plan = env.run(&["plan", "--sandbox", "--detailed-exitcode", "access/"]);
        assert_eq!(plan.code, 0, "{}", plan.all());

        let again = env.run(&init);
        assert_eq!(again.code, 0, "{}", again.all());
        assert_eq!(files(&env), made);
        assert!(!again.stdout.contains("made ") && !again.stdout.contains("changed "), "{}", again.stdout);
        assert_eq!(again.stdout.matches("kept ").count(), made.len(), "{}", again.stdout);
    }
}

#[test]
fn an_edited_workflow_is_kept_and_what_it_lacks_is_said() {
    let env = Env::new();
    assert_eq!(env.run(&["init", "--sandbox", "hive", "acme", "--ci", "github"]).code, 0);
    let plan = ".github/workflows/rolecall-plan.yml";
    let edited = env.read(plan) + "# edited\n";
    env.write(plan, &edited);
    let organization = definition(ProviderName::Bitpanda).seeds[0];
    let said = env.run(&["init", "--sandbox", "bitpanda", organization, "--ci", "github"]);
    assert_eq!(env.read(plan), edited);
    let line = "BITPANDA_API_KEY: ${{ secrets.BITPANDA_API_KEY }}";
    assert!(
        said.stdout.contains(&format!("kept     {plan}, which lacks under `secrets`: `{line}`")),
        "{}",
        said.all()
    );
    assert!(env.read(".github/workflows/rolecall-apply.yml").contains(line), "nobody edited this one");
}

#[test]
fn owners_are_teams_or_people() {
    let env = Env::new();
    for owners in ["", "acme/platform", "@acme/", "@acme/x';id;'", "jane@acme.example"] {
        let said = env.run(&["init", "--sandbox", "hive", "acme", "--ci", "github", "--owners", owners]);
        assert!(said.code == 1 && said.stderr.contains("@acme/platform or @jane"), "{owners}: {}", said.all());
    }
    let said = env.run(&["init", "--sandbox", "hive", "acme", "--ci", "github", "--owners", "@jane"]);
    assert!(said.stdout.contains("reviewer=$(gh api 'users/jane' --jq .id)"), "{}", said.all());
    assert!(env.read("CODEOWNERS").contains("/access/ @jane\n"));
}

#[test]
fn the_page_leads_to_an_empty_plan() {
    let env = Env::new();
    let page = of_repository("docs/start-a-repository.md");
    let block = page.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(block.lines().count(), 2);
    for command in block.lines() {
        let said = env.run(&command.split(' ').skip(1).collect::<Vec<_>>());
        assert_eq!(said.code, 0, "{command}\n{}", said.all());
    }
}

#[test]
fn the_workflows_are_those_of_the_examples_and_name_the_folder() {
    for (ci, place, names) in [("github", ".github/workflows", &GITHUB[..]), ("gitlab", "access-ci", &GITLAB[..])]
    {
        let env = Env::new();
        let said = env.run(&["init", "--sandbox", "hive", "acme", "--ci", ci]);
        assert_eq!(said.code, 0, "{}", said.all());
        let examples = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci").join(ci));
        assert_eq!(examples.unwrap().count(), names.len(), "each example is made");
        for name in names {
            let example = of_repository(&format!("examples/ci/{ci}/{name}"));
            // Only the secrets of this platform are handed over.
            let others =
                |line: &str| line.contains("{{ secrets.") && !line.contains("HIVE") && !line.contains("LEDGER");
            let lines = example.split_inclusive('\n').filter(|line| !others(line));
            assert_eq!(env.read(&format!("{place}/{name}")), lines.collect::<String>());
        }

        let env = Env::new();
        let said = env.run(&["init", "--sandbox", "hive", "acme", "--ci", ci, "--folder", "infra/null"]);
        assert_eq!(said.code, 0, "{}", said.all());
        assert!(env.path("infra/null/hive.yaml").exists());
        let mut folders = 0;
        for name in names {
            let text = env.read(&format!("{place}/{name}"));
            let workflow = yaml(&text);
            let called = workflow["jobs"].as_object().into_iter().flat_map(|jobs| jobs.values());
            let included = workflow["include"].as_array().into_iter().flatten();
            let included = included.map(|include| &include["inputs"]["folder"]);
            for folder in called.map(|job| &job["with"]["folder"]).chain(included) {
                assert_eq!(folder, "infra/null");
                folders += 1;
            }
            for paths in
                ["push", "pull_request", "pull_request_target"].map(|event| &workflow["on"][event]["paths"])
            {
                assert!(paths.is_null() || *paths == serde_json::json!(["infra/null/**"]), "{paths}");
            }
            assert!(!text.contains("'access/"), "{text}");
        }
        assert_eq!(folders, if ci == "github" { 3 } else { 1 });
        let hook = yaml(&env.read(".pre-commit-config.yaml"));
        assert_eq!(hook["repos"][0]["hooks"][0]["args"], serde_json::json!(["infra/null"]));
    }
}

#[test]
fn the_hook_is_the_one_that_the_page_shows() {
    let env = Env::new();
    assert_eq!(env.run(&["init", "--sandbox", "hive", "acme"]).code, 0);
    let hook = env.read(".pre-commit-config.yaml");
    assert!(of_repository("docs/install.md").contains(&hook), "{hook}");
    let hooks = yaml(&of_repository(".pre-commit-hooks.yaml"));
    assert_eq!(yaml(&hook)["repos"][0]["hooks"][0]["id"], hooks[0]["id"]);
}

#[test]
fn what_is_there_is_kept_and_gitignore_gets_only_what_it_lacks() {
    for (before, after) in [
        ("target/", "target/\n.rolecall/\n/keys/\n"),
        ("a\r\n.rolecall\r\n", "a\r\n.rolecall\r\n/keys/\r\n"),
        ("keys\n/.rolecall/", "keys\n/.rolecall/"),
        ("", ".rolecall/\n/keys/\n"),
    ] {
        let env = Env::new();
        env.write(".gitignore", before);
        env.write(".pre-commit-config.yaml", "repos: []\n");
        env.write(".github/workflows/rolecall-plan.yml", "mine\n");
        env.write("access/rolecall.schema.json", "{}\n");
        env.write("access/values.yaml", "not: ours\n");
        let said = env.run(&["init", "--sandbox", "hive", "acme", "--ci", "github"]);
        assert_eq!(said.code, 0, "{}", said.all());
        assert_eq!(env.read(".gitignore"), after);
        assert_eq!(env.read(".pre-commit-config.yaml"), "repos: []\n");
        assert_eq!(env.read(".github/workflows/rolecall-plan.yml"), "mine\n");
        assert_eq!(env.read("access/rolecall.schema.json"), "{}\n");
        let lines = ["kept     .pre-commit-config.yaml", "kept     .github/workflows/rolecall-plan.yml"];
        assert!(lines.iter().all(|line| said.stdout.contains(line)), "{}", said.stdout);
        assert!(!next(&said).contains(&"pre-commit install"), "the file lacks the hook: {}", said.stdout);
        assert!(said.stdout.contains("docs/install.md#as-a-pre-commit-hook"), "{}", said.stdout);
    }
}

#[test]
fn another_organisation_gets_a_file_of_its_own() {
    let env = Env::new();
    let seeds = definition(ProviderName::Rapidapi).seeds;
    for organization in seeds {
        let said = env.run(&["init", "--sandbox", "rapidapi", organization]);
        assert_eq!(said.code, 0, "{}", said.all());
    }
    let first = env.read("access/rapidapi.yaml");
    assert!(first.contains(&format!("organization: {}\n", seeds[0])), "{first}");
    let second = env.read(&format!("access/rapidapi-{}.yaml", seeds[1]));
    assert!(second.contains(&format!("organization: {}\n", seeds[1])), "{second}");
    let plan = env.run(&["plan", "--sandbox", "--detailed-exitcode", "access/"]);
    assert_eq!(plan.code, 0, "{}", plan.all());
    let before = files(&env);
    assert_eq!(env.run(&["init", "--sandbox", "rapidapi", seeds[1]]).code, 0);
    assert_eq!(files(&env), before);
}

/// A file of the same organisation under another name is the file, even if nobody is in it yet.
#[test]
fn an_organisation_that_has_a_file_is_not_read() {
    let env = Env::new();
    let head = "provider: hive\norganization: acme\nendpoint: https://api.graphql-hive.com/graphql\ncredentials: { token: { env: HIVE_TOKEN } }\n";
    env.write("access/ours.yaml", head);
    let said = env.run(&["init", "hive", "ACME", "--manage", "all"]);
    // Nobody is in it yet, so a plan isn't empty.
    assert_eq!(said.code, 2, "{}", said.all());
    assert_eq!(env.read("access/ours.yaml"), head);
    assert!(!env.path("access/hive.yaml").exists());
    let commands = next(&said);
    assert_eq!(commands[0], "read -rs HIVE_TOKEN && export HIVE_TOKEN");
    assert_eq!(commands[1], "rolecall import access/ours.yaml --write --manage all");
    assert_eq!(commands.last(), Some(&"rolecall init hive acme --ci github"));
}

#[test]
fn without_a_credential_the_rest_is_made_and_the_next_command_fills_the_file() {
    let mut env = Env::new();
    let server = env.serve(&["--provider", "hive"]);
    env.set("ROLECALL_ALLOWED_HOSTS", "127.0.0.1");
    let said = env.run(&["init", "hive", "acme", "--endpoint", &server.url, "--ci", "github"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("error[credential-unavailable]: "), "{}", said.stderr);
    for name in ["access/rolecall.schema.json", ".gitignore", ".pre-commit-config.yaml"] {
        assert!(env.path(name).exists(), "{name}");
    }
    assert!(env.path(".github/workflows/rolecall-drift.yml").exists());
    let head = env.read("access/hive.yaml");
    assert!(head.contains("organization: acme\n") && !head.contains("users:"), "{head}");
    assert_eq!(env.run(&["validate", "access"]).code, 0);
    let fill = "rolecall import access/hive.yaml --write";
    assert_eq!(next(&said)[..3], ["read -rs HIVE_TOKEN && export HIVE_TOKEN", fill, "rolecall plan access/"]);

    let secret = (definition(ProviderName::Hive).own_credentials)()[0].1;
    env.set("HIVE_TOKEN", secret);
    let filled = env.run(&fill.split(' ').skip(1).collect::<Vec<_>>());
    assert_eq!(filled.code, 0, "{}", filled.all());
    assert!(env.read("access/hive.yaml").starts_with(&head), "the head stays");
    let plan = env.run(&["plan", "--detailed-exitcode", "access/"]);
    assert_eq!(plan.code, 0, "{}", plan.all());
    assert!(files(&env).values().all(|text| !text.contains(secret)), "no file has the credential");
}

#[test]
fn a_refused_credential_ends_with_the_code_of_the_failure() {
    let mut env = Env::new();
    let server = env.serve(&["--provider", "hive"]);
    env.set("ROLECALL_ALLOWED_HOSTS", "127.0.0.1");
    env.set("HIVE_TOKEN", "hvo1/bm9uZTpub25l");
    let said = env.run(&["init", "hive", "acme", "--endpoint", &server.url]);
    assert_eq!(said.code, 6, "{}", said.all());
    assert!(said.stdout.contains("access/hive.yaml, which lists nobody yet"), "{}", said.stdout);
    assert_eq!(next(&said)[0], "rolecall import access/hive.yaml --write");
    assert!(files(&env).values().all(|text| !text.contains("bm9uZTpub25l")), "no file has the credential");
}

#[test]
fn an_incomplete_list_is_written_only_as_partial() {
    let mut env = Env::new();
    let server = env.serve(&["--set", "count-off-by=1"]);
    env.set("ROLECALL_ALLOWED_HOSTS", "127.0.0.1");
    env.set("BITPANDA_API_KEY", (definition(ProviderName::Bitpanda).own_credentials)()[0].1);
    let organization = definition(ProviderName::Bitpanda).seeds[0];
    let init = ["init", "bitpanda", organization, "--endpoint", &server.url];
    let said = env.run(&init);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("`--partial`") && !env.read("access/bitpanda.yaml").contains("users:"));
    std::fs::remove_file(env.path("access/bitpanda.yaml")).unwrap();
    let said = env.run(&[&init[..], &["--partial"]].concat());
    assert!(said.stdout.contains("made     access/bitpanda.yaml, which lists "), "{}", said.all());
    assert!(env.read("access/bitpanda.yaml").contains("\n# Incomplete: the list of users"));
}

#[test]
fn nothing_is_made_if_something_is_wrong() {
    let run = |env: &Env, args: &[&str], why: &str| {
        let before = files(env);
        let said = env.run(&[&["init"], args].concat());
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(said.stderr.contains(why), "{why}: {}", said.stderr);
        assert_eq!(files(env), before);
    };
    let env = Env::new();
    run(&env, &[], "`rolecall init PROVIDER ORGANISATION`");
    run(&env, &[], "`--ci github` or `--ci gitlab`");
    run(&env, &["hive"], "2 values");
    run(&env, &["hiev", "acme"], "Did you mean `hive`?");
    run(&env, &["--sandbox", "hive", "no-such"], "no-such");
    run(&env, &["bitpanda", "f8588dc7-e1ce-4d92-a473-809a0a357ad9"], "Name one with `--endpoint`.");
    run(
        &env,
        &["hive", "acme", "--endpoint", "https://me:secret@api.graphql-hive.com/graphql"],
        "nothing was made",
    );
    for folder in ["../other", "/access", ".", "a b", "a'b", "-x", "*", "keys", "keys/access"] {
        run(&env, &["--sandbox", "hive", "acme", &format!("--folder={folder}")], "Nothing was made.");
    }
    env.write("access/broken.yaml", "provider: hive\nusers: 3\n");
    run(&env, &["--sandbox", "hive", "acme"], "access/broken.yaml");

    // The top of another repository is the place for CI, git and pre-commit.
    let env = Env::new();
    std::fs::create_dir_all(env.path(".git")).unwrap();
    std::fs::create_dir_all(env.path("infra")).unwrap();
    let said = env.run_within("cd infra && \"$0\" \"$@\"", &["init", "--sandbox", "hive", "acme"]);
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.stderr.contains("`--folder infra/access`"), "{}", said.stderr);
    assert!(files(&env).is_empty());
    let said = env.run(&["init", "--sandbox", "hive", "acme", "--folder", "infra/access"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert_eq!(
        next(&said),
        [
            "rolecall plan --sandbox infra/access/",
            "pre-commit install",
            "rolecall init hive acme --ci github --folder infra/access --sandbox"
        ]
    );
}

/// Answers on a terminal. `script` is what gives a program one.
#[cfg(target_os = "linux")]
fn on_a_terminal(env: &Env, command: &str, answers: &[&str]) -> Said {
    let answers = answers.join("\\n");
    let said = env.run_within(&format!("printf '{answers}\\n' | script -qec \"$0 {command}\" /dev/null"), &[]);
    Said { stdout: said.stdout.replace('\r', ""), ..said }
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_asks_which_platform_organisation_and_ci() {
    let env = Env::new();
    let said = on_a_terminal(&env, "init --sandbox", &["hive", "acme", "gitlab"]);
    assert_eq!(said.code, 0, "{}", said.all());
    for question in ["Which platform: ", "Which organisation? ", "Which CI: "] {
        assert!(said.stdout.contains(question), "{}", said.all());
    }
    assert!(env.read("access/hive.yaml").contains("organization: acme\n"));
    assert!(env.path("access-ci/rolecall.gitlab-ci.yml").exists());

    let env = Env::new();
    let organization = definition(ProviderName::Bitpanda).seeds[0];
    let endpoint = rolecall_providers::format(ProviderName::Bitpanda).head.endpoints[1];
    let said = on_a_terminal(&env, "init", &["bitpanda", organization, "none", endpoint]);
    assert_eq!(said.code, 1, "there is no credential: {}", said.all());
    assert!(env.read("access/bitpanda.yaml").contains(&format!("endpoint: {endpoint}\n")));
    assert!(!env.path(".github").exists() && !env.path("access-ci").exists());

    for answers in [&["hiev"][..], &["hive", ""], &["hive", "acme", "jenkins"]] {
        let env = Env::new();
        let said = on_a_terminal(&env, "init", answers);
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(files(&env).is_empty(), "{}", said.all());
    }
}
