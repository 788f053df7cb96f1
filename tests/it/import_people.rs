//! `rolecall import --people`, run as a user runs it.

use std::collections::BTreeSet;

use rolecall_config::{Roster, everybody};
use rolecall_model::ProviderName;
use rolecall_sandbox::{definition, hive};

use crate::support::bitpanda::{Rig, user, world};
use crate::support::cli::{Env, served};

const PEOPLE: [&str; 4] = ["import", "--sandbox", "--people", "people.yaml"];

/// Creates a folder with the imported file of each platform's sandbox.
fn imported() -> Env {
    let env = Env::new();
    for provider in ProviderName::ALL {
        let organization = definition(*provider).seeds[0];
        let file = format!("access/{provider}.yaml");
        let said = env.run(&["import", "--sandbox", provider.as_str(), organization, "--out", &file]);
        assert_eq!(said.code, 0, "{}", said.all());
    }
    env
}

fn assert_in_sync(env: &Env, path: &str) {
    let said = env.run(&["plan", "--sandbox", "--detailed-exitcode", path]);
    assert_eq!(said.code, 0, "{}", said.all());
}

#[test]
fn everybody_is_written_once_and_every_organisation_stays_in_sync() {
    let env = imported();
    let before = env.read("access/hive.yaml");
    let printed = env.run(&[&PEOPLE[..], &["access"]].concat());
    assert_eq!(printed.code, 0, "{}", printed.all());
    insta::assert_snapshot!("imported_people", printed.all());
    assert!(!env.path("people.yaml").exists());
    assert_eq!(env.read("access/hive.yaml"), before);

    let files = ProviderName::ALL.iter().rev().map(|provider| format!("access/{provider}.yaml"));
    let files: Vec<String> = files.collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let written = env.run(&[&PEOPLE[..], &files, &["--write"]].concat());
    assert_eq!((written.code, &*written.stdout), (0, ""), "{}", written.all());
    assert_eq!(env.read("people.yaml"), printed.stdout);
    assert!(written.stderr.contains("Changed 4 organisation files"), "{}", written.stderr);
    let after = env.read("access/hive.yaml");
    assert_eq!(after.replacen("include: [../people.yaml]\n\n", "", 1), before);
    assert_eq!(env.run(&["validate", "access"]).code, 0);
    assert_in_sync(&env, "access");

    // Nothing is overwritten, and another file gets only whom no included file has.
    let again = env.run(&[&PEOPLE[..], &["access", "--write"]].concat());
    assert!(again.code == 1 && again.stderr.contains("exists already"), "{}", again.all());
    let people = env.read("people.yaml").replace("  - email: alice@acme.example\n", "");
    env.write(
        "people.yaml",
        people
            .replace("- email: left@", "- email: gone@")
            .replace("gone@acme.example", "gone@acme.example\n    aliases: { hive: left@acme.example }"),
    );
    let more = env.run(&["import", "--sandbox", "--people", "more.yaml", "access"]);
    let listed: Vec<&str> = more.stdout.lines().filter(|line| line.contains("- email: ")).collect();
    assert_eq!(listed, ["  - email: alice@acme.example"], "{}", more.all());
}

#[test]
fn names_are_taken_out_of_entries_where_the_people_file_has_the_same() {
    let env = imported();
    let file = env.read("access/bitpanda.yaml");
    let named = file
        .replace(
            "email: jane@acme.example # privileged\n",
            "email: Jane@Acme.example # ours\n    first_name: Jane\n    last_name: Roe # until she marries\n",
        )
        .replace("\nusers:\n", "\ninclude: [teams/*.yaml] # by team\n\nusers:\n")
        .replace("  - email: sam@acme.example\n    roles: [SIGNER]\n", "");
    env.write("access/bitpanda.yaml", &named);
    let part = "users:\n  - { email: sam@acme.example, first_name: Sam, last_name: Miller, roles: [SIGNER] }\n";
    env.write("access/teams/ours.yaml", part);
    let said = env.run(&[&PEOPLE[..], &["access/bitpanda.yaml", "--write"]].concat());
    assert_eq!(said.code, 0, "{}", said.all());
    assert_eq!(
        env.read("access/bitpanda.yaml"),
        named.replace("    first_name: Jane\n", "").replace("[teams/*.yaml]", "[teams/*.yaml, ../people.yaml]")
    );
    let part = part.replace(" first_name: Sam, last_name: Miller,", "");
    assert_eq!(env.read("access/teams/ours.yaml"), part);
}

#[test]
fn people_who_are_alike_are_not_merged_and_a_comment_says_how() {
    let env = Env::new();
    let mut world = hive::World::seed("acme").unwrap();
    for (before, after) in [("alice@", "jane.doe@partner.example"), ("sam@", "SAM+x@other.example")] {
        let member = world.members.iter_mut().find(|member| member.email.starts_with(before)).unwrap();
        member.email = after.to_owned();
    }
    world.members.retain(|member| !member.email.starts_with("jane@"));
    env.write(".rolecall/sandbox/hive-acme.json", serde_json::to_string(&world).unwrap());
    let organization = definition(ProviderName::Bitpanda).seeds[0];
    for (provider, organization) in [("bitpanda", organization), ("hive", "acme")] {
        let file = format!("{provider}.yaml");
        let said = env.run(&["import", "--sandbox", provider, organization, "--out", &file]);
        assert_eq!(said.code, 0, "{}", said.all());
    }
    let said = env.run(&[&PEOPLE[..], &["bitpanda.yaml", "hive.yaml", "--write"]].concat());
    assert!(said.code == 0 && said.stderr.contains("2 people under two addresses"), "{}", said.all());
    let mut people = env.read("people.yaml");
    insta::assert_snapshot!("imported_people_alike", people);
    for (email, alias) in
        [("jane@acme.example", "jane.doe@partner.example"), ("sam@acme.example", "sam+x@other.example")]
    {
        let advice = people
            .split(&format!("# Perhaps also {alias} at `hive`. If so, remove that entry, and add here:\n  #   "))
            .nth(1);
        let advice = advice.and_then(|rest| rest.lines().next()).unwrap().to_owned();
        people = people
            .replace(&format!("  - email: {alias}\n"), "")
            .replace(&format!("- email: {email}\n"), &format!("- email: {email}\n    {advice}\n"));
    }
    env.write("people.yaml", people);
    let shown = env.run(&["access", "--sandbox", "hive.yaml", "bitpanda.yaml", "--user", "jane@acme.example"]);
    assert!(shown.stdout.contains("hive"), "{}", shown.all());
    assert_in_sync(&env, ".");
}

#[test]
fn a_name_that_organisations_show_differently_is_not_written() {
    let mut world = world();
    world.users.extend(["jane@x.example", "max@x.example"].map(|email| user(email, &["SIGNER"])));
    let one = Rig::new(world.clone(), "").read().unwrap();
    world.users[0].last_name = Some("Roe # or \"Doe\"".to_owned());
    world.users[0].phone = None;
    world.users[1].first_name = Some(" padded".to_owned());
    let other = Rig::new(world, "").read().unwrap();
    let format = rolecall_providers::format(ProviderName::Bitpanda);
    let roster = |organization, live| Roster { organization, live, format };
    let everybody = everybody(&[roster("one", &one), roster("other", &other)], &BTreeSet::new());
    insta::assert_snapshot!("imported_people_conflict", everybody.text);
}

#[test]
fn nothing_is_written_if_somebody_may_be_missing() {
    let (env, server) = served(ProviderName::Hive, &["--set", "paging=broken", "--set", "member-page-limit=2"]);
    let before = env.read("file.yaml");
    let import = ["import", "--people", "people.yaml", "file.yaml", "--write"];
    let said = env.run(&import);
    assert!(said.code == 1 && said.stderr.contains("--partial"), "{}", said.all());
    assert!(!env.path("people.yaml").exists() && env.read("file.yaml") == before);
    let said = env.run(&[&import[..4], &["--partial"]].concat());
    assert!(
        said.code == 0 && said.stdout.starts_with("# Incomplete: the list of users of hive acme"),
        "{}",
        said.all()
    );
    drop(server);
    let said = env.run(&import);
    assert!(said.code == 6 && said.stderr.contains("nothing was written"), "{}", said.all());
    assert!(!env.path("people.yaml").exists() && env.read("file.yaml") == before);
}

#[test]
fn a_head_is_read_and_stays_as_it_is() {
    let env = imported();
    let (head, _) = crate::support::cli::example("hive.yaml")
        .split_once("\nroles:")
        .map(|(head, rest)| (head.to_owned(), rest.to_owned()))
        .unwrap();
    env.write("access/hive.yaml", &head);
    let said = env.run(&[&PEOPLE[..], &["access/hive.yaml", "access/bitpanda.yaml", "--write"]].concat());
    assert!(said.code == 0 && said.stderr.contains("access/hive.yaml lists no users"), "{}", said.all());
    assert_eq!(env.read("access/hive.yaml"), head);
    assert!(env.read("people.yaml").contains("owner@acme.example"));
    let said = env.run(&["import", "--sandbox", "--write", "access/hive.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
}

#[test]
fn what_makes_no_people_file_is_refused_with_what_to_do() {
    let env = imported();
    for (arguments, why, hint) in [
        (&["people.yaml", "hive", "acme"][..], "needs the files", "rolecall import hive acme --out FILE"),
        (&["people.txt", "access"], "isn't the name of a people file", ".yaml"),
        (&["access/hive.yaml", "access/bitpanda.yaml"], "exists already", "Name a new file."),
        (&["people.yaml", "missing.yaml"], "can't be read", "Check the path"),
        (&["people.yaml", "access", "--only", "users"], "cannot be used with", "--only"),
    ] {
        let said = env.run(&[&PEOPLE[..3], arguments].concat());
        let all = said.all();
        assert!(matches!(said.code, 1 | 2) && all.contains(why) && all.contains(hint), "{arguments:?}\n{all}");
        assert_eq!(said.stdout, "", "{arguments:?}");
    }
}
