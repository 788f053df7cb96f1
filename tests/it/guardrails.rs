//! Guardrails at their limits, on every provider.

use crate::support::cli::Env;
use crate::support::rig::{Platform, Rig, addresses};
use rolecall_model::{Limit, OrganizationPlan, Pattern, Removals};
use rolecall_sandbox::hive::Assignment;

/// A provider's organisation with a number of users besides the admins, and files that remove some of them.
trait Crowd: Platform {
    fn crowd(people: usize) -> Self::World;
    /// Returns the number of live users. It mostly includes rolecall's own user or the owner.
    fn live(people: usize) -> usize {
        people + 1
    }
    /// Returns an entry that removes a user.
    fn removal_entry(email: &str) -> String {
        format!("{{ email: {email}, absent: true }}")
    }
    /// Returns an entry that leaves a user with less access.
    fn demoted(email: &str) -> String;
}

fn email(number: usize) -> String {
    format!("u{number}@x.example")
}

impl Crowd for crate::support::bitpanda::Custody {
    fn crowd(people: usize) -> Self::World {
        let mut world = crate::support::bitpanda::world();
        world
            .users
            .extend((0..people).map(|number| crate::support::bitpanda::user(&email(number), &["CLUSTER_OPS"])));
        world
    }

    fn live(people: usize) -> usize {
        people
    }

    fn demoted(email: &str) -> String {
        format!("{{ email: {email}, roles: [], enabled: true }}")
    }
}

impl Crowd for crate::support::hive::Console {
    fn crowd(people: usize) -> Self::World {
        let mut world = crate::support::hive::world();
        crate::support::hive::role(&mut world, "More", &["project:describe", "project:modifySettings"]);
        crate::support::hive::role(&mut world, "Less", &["project:describe"]);
        for number in 0..people {
            crate::support::hive::member(&mut world, &email(number), "More", Assignment::All);
        }
        world
    }

    fn demoted(email: &str) -> String {
        format!("{{ email: {email}, roles: [Less] }}")
    }
}

impl Crowd for crate::support::paradime::Workspace {
    fn crowd(people: usize) -> Self::World {
        let mut world = crate::support::paradime::world();
        for number in 0..people {
            crate::support::paradime::user(&mut world, &email(number), "ADMIN");
        }
        world
    }

    fn demoted(email: &str) -> String {
        format!("{{ email: {email}, roles: [BUSINESS] }}")
    }
}

impl Crowd for crate::support::rapidapi::Hub {
    fn crowd(people: usize) -> Self::World {
        let mut world = crate::support::rapidapi::world();
        for number in 0..people {
            crate::support::rapidapi::member(&mut world, &email(number), true, &[]);
        }
        world
    }

    fn demoted(email: &str) -> String {
        format!("{{ email: {email}, roles: [Developer] }}")
    }
}

/// Returns the guardrails that a plan breaks.
fn guardrails_broken(plan: &OrganizationPlan) -> Vec<&str> {
    plan.refusals.iter().map(|refusal| refusal.guardrail.as_str()).collect()
}

fn plan_of<P: Crowd>(people: usize, limit: &str, entries: &[String]) -> OrganizationPlan {
    let limit = if limit.is_empty() { String::new() } else { format!(", max_removals: {limit}") };
    let body = format!("guardrails: {{ min_admins: 1{limit} }}\nusers: [{}]", entries.join(", "));
    let mut rig = Rig::<P>::new(P::crowd(people), &body);
    if limit.is_empty() {
        rig.desired.guardrails.max_removals = Removals::default();
    }
    rig.plan()
}

/// Checks plans with one removal less than the limit, exactly the limit, and one more.
fn at_the_edge<P: Crowd>() {
    // Around the numbers at which a percentage takes a step.
    for people in [1, 2, 3, 4, 7, 8, 12] {
        let live = P::live(people);
        for (limit, cap) in [
            (String::new(), (live / 4).max(2)),
            ("{ share: 25%, at_least: 3 }".to_owned(), (live / 4).max(3)),
            ("{ users: { share: 10%, at_least: 2 } }".to_owned(), (live / 10).max(2)),
            ("25%".to_owned(), (live / 4).max(1)),
            ("0%".to_owned(), 1),
            ("60%".to_owned(), (live * 6 / 10).max(1)),
            ("100%".to_owned(), live),
            ("0".to_owned(), 0),
            ("3".to_owned(), 3),
            ("{ users: 2 }".to_owned(), 2),
        ] {
            for go in cap.saturating_sub(1)..=(cap + 1).min(people) {
                let entry: fn(&str) -> String = if go % 2 == 0 { P::removal_entry } else { P::demoted };
                let entries: Vec<String> = (0..go).map(|number| entry(&email(number))).collect();
                let plan = plan_of::<P>(people, &limit, &entries);
                let users = addresses(&plan).into_iter().filter(|address| address.starts_with("user/"));
                assert_eq!(users.count(), go, "{people} {limit} {go}");
                let refused = if go > cap { vec!["max_removals"] } else { Vec::new() };
                assert_eq!(guardrails_broken(&plan), refused, "{go} of {live}, {limit}: {:?}", plan.refusals);
                for refusal in &plan.refusals {
                    let users = if live == 1 { "user" } else { "users" };
                    let said = format!(
                        "{go} of {live} {users} would lose access, or a part of it. One plan may do that to {cap} at most"
                    );
                    assert!(refusal.message.starts_with(&said), "{}", refusal.message);
                    assert_eq!(refusal.addresses.len(), go);
                }
            }
        }
    }
}

#[test]
fn no_more_than_may_go_at_bitpanda() {
    at_the_edge::<crate::support::bitpanda::Custody>();
}

#[test]
fn no_more_than_may_go_at_hive() {
    at_the_edge::<crate::support::hive::Console>();
}

#[test]
fn no_more_than_may_go_at_paradime() {
    at_the_edge::<crate::support::paradime::Workspace>();
}

#[test]
fn no_more_than_may_go_at_rapidapi() {
    at_the_edge::<crate::support::rapidapi::Hub>();
}

/// Checks that a collection's guardrail refuses one removal above the limit, and nothing at the limit.
fn refused<P: Platform>(world: &P::World, limit: &str, body: &str) -> Vec<String>
where
    P::World: Clone,
{
    let rig = Rig::<P>::new(world.clone(), &format!("guardrails: {{ max_removals: {limit} }}\n{body}"));
    rig.plan().refusals.into_iter().map(|refusal| refusal.message).collect()
}

#[test]
fn keys_roles_and_teams_are_counted_each_by_itself() {
    use crate::support::{bitpanda, hive, rapidapi};

    let mut world = bitpanda::world();
    for number in 0..8 {
        world.keys.push(bitpanda::key(
            &format!("k{number}"),
            &format!("key {number}"),
            &["CLUSTER_OPS"],
            "secret",
        ));
    }
    // A disabled key doesn't count as one of the keys.
    world.keys[8].enabled = false;
    let out = |keys: usize| {
        let entries =
            (0..keys).map(|number| format!("{{ name: key {number}, absent: true }}")).collect::<Vec<_>>();
        format!("keys: [{}]", entries.join(", "))
    };
    assert_eq!(refused::<bitpanda::Custody>(&world, "25%", &out(2)), [""; 0]);
    let said = "3 of 8 keys would be removed. One plan may do that to 2 at most (`max_removals: 25%`).";
    assert_eq!(refused::<bitpanda::Custody>(&world, "25%", &out(3)), [said]);
    assert_eq!(refused::<bitpanda::Custody>(&world, "{ users: 0, keys: 3 }", &out(3)), [""; 0]);

    let mut world = hive::world();
    for number in 0..6 {
        hive::role(&mut world, &format!("R{number}"), &["project:describe"]);
    }
    let live = world.roles.len();
    let roles = |gone: usize| {
        let entries = (0..gone).map(|number| format!("{{ name: R{number}, absent: true }}")).collect::<Vec<_>>();
        format!("roles: [{}]", entries.join(", "))
    };
    assert_eq!(refused::<hive::Console>(&world, "{ roles: 2 }", &roles(2)), [""; 0]);
    let said =
        format!("3 of {live} roles would be removed. One plan may do that to 2 at most (`max_removals: 2`).");
    assert_eq!(refused::<hive::Console>(&world, "{ roles: 2 }", &roles(3)), [said]);

    let world = rapidapi::with_teams(&["A", "B", "C"]);
    let teams = "teams: [{ name: A, absent: true }, { name: B, absent: true }]";
    let said = "2 of 4 teams would be removed. One plan may do that to 1 at most (`max_removals: 25%`).";
    assert_eq!(refused::<rapidapi::Hub>(&world, "25%", teams), [said]);
    assert_eq!(refused::<rapidapi::Hub>(&world, "50%", teams), [""; 0]);
}

/// A role that loses a permission takes it from each of its holders.
#[test]
fn a_role_that_loses_a_permission_counts_each_of_its_holders() {
    use crate::support::hive;
    for people in 1..=12 {
        let world = <hive::Console as Crowd>::crowd(people);
        let weaker = "roles: [{ name: More, permissions: [project:describe] }]";
        let stronger = "roles: [{ name: Less, permissions: [project:describe, project:modifySettings] }]";
        let most = people - 1;
        assert_eq!(refused::<hive::Console>(&world, &people.to_string(), weaker), [""; 0]);
        let said = format!(
            "{people} of {} users would lose access, or a part of it. One plan may do that to {most} at most (`max_removals: {most}`).",
            people + 1
        );
        assert_eq!(refused::<hive::Console>(&world, &most.to_string(), weaker), [said]);
        assert_eq!(refused::<hive::Console>(&world, "0", stronger), [""; 0]);
        // A user who moves to a role with the old permissions at the same time loses nothing.
        let moved = format!("{weaker}\nusers: [{{ email: {}, roles: [Admin], resources: all }}]", email(0));
        assert_eq!(refused::<hive::Console>(&world, &most.to_string(), &moved), [""; 0]);
    }
}

#[test]
fn the_command_line_is_stricter_and_never_looser() {
    let env = Env::with_example();
    let plan = |more: &[&str]| env.run(&[&["plan", "--sandbox", "bitpanda.yaml"], more].concat());
    assert_eq!(plan(&[]).code, 0);
    let said = plan(&["--max-removals", "0"]);
    assert_eq!(said.code, 3, "{}", said.all());
    assert!(said.stdout.contains("refused by max_removals"), "{}", said.all());
    // The change is shown nevertheless.
    assert!(said.stdout.contains("- user/sam@acme.example"), "{}", said.all());
    assert_eq!(plan(&["--max-removals", "100%", "--min-admins", "1"]).code, 0);
    let original = env.read("bitpanda.yaml");
    let demoted = original
        .replace("min_admins: 2", "min_admins: 1")
        .replace("roles: [ADMIN, CLUSTER_MANAGER, CLUSTER_OPS]", "roles: [CLUSTER_OPS]");
    assert_ne!(demoted.matches("ADMIN").count(), original.matches("ADMIN").count());
    env.write("bitpanda.yaml", demoted);
    assert_eq!(plan(&["--min-admins", "1", "--max-removals", "100%"]).code, 3, "the file's own limit of removals");
    assert!(!plan(&[]).stdout.contains("refused by min_admins"));
    assert!(plan(&["--min-admins", "2"]).stdout.contains("refused by min_admins"));
    env.write("bitpanda.yaml", original);
    let said = env.run(&["apply", "--sandbox", "bitpanda.yaml", "--auto-approve", "--max-removals", "0"]);
    assert_eq!(said.code, 3, "{}", said.all());
    let strict = env.read("bitpanda.yaml").replace("max_removals: 25%", "max_removals: 0");
    env.write("bitpanda.yaml", strict);
    assert_eq!(plan(&["--max-removals", "100%"]).code, 3);
    assert_eq!(plan(&["--max-removals", "lots"]).code, 1);
}

#[test]
fn a_protected_pattern_covers_what_it_fits() {
    for (pattern, fits, fits_not) in [
        ("user/*@board.acme.example", "user/jane@board.acme.example", "user/jane@acme.example"),
        ("key/prod-*", "key/prod-", "key/preprod-1"),
        ("key/*-prod-*-eu", "key/a-prod-b-eu", "key/a-prod-eu"),
        ("role/*", "role/Schema reviewer", "team/Schema reviewer"),
        ("user/JANE@*", "user/jane@acme.example", "user/ajane@acme.example"),
        ("team/a*a", "team/aba", "team/a"),
        ("key/one#7", "key/one#7", "key/one#8"),
    ] {
        let pattern: Pattern = pattern.parse().unwrap();
        assert!(pattern.covers(&fits.parse().unwrap()), "{pattern} {fits}");
        assert!(!pattern.covers(&fits_not.parse().unwrap()), "{pattern} {fits_not}");
    }
    let mut world = crate::support::rapidapi::world();
    for name in ["a@board.x.example", "b@board.x.example", "c@x.example"] {
        crate::support::rapidapi::member(&mut world, name, false, &[]);
    }
    let rig = crate::support::rapidapi::Rig::new(
        world,
        "manage: { users: all }\nguardrails: { protected: [\"user/*@board.x.example\"] }\nusers: [{ email: own@acme.example }]",
    );
    assert_eq!(addresses(&rig.plan()), ["user/c@x.example"]);
    assert!(rig.warnings().is_empty());
}

#[test]
fn a_limit_is_written_as_a_share_or_a_number() {
    for (text, of_ten) in [("0%", 1), ("9%", 1), ("25%", 2), ("100%", 10), ("0", 0), ("3", 3)] {
        let limit: Limit = text.parse().unwrap();
        assert_eq!((limit.count(10), limit.to_string().as_str()), (of_ten, text));
    }
    for wrong in ["", "%", "-1", "101%", "2.5%", "25 %", "lots"] {
        assert!(wrong.parse::<Limit>().is_err(), "{wrong}");
    }
    assert_eq!(Limit::default().count(usize::MAX / 100), usize::MAX / 100 / 4);
    // A quarter of five people is one, so the default also has a number.
    assert_eq!((Limit::default().count(5), Limit::default().count(12)), (2, 3));
    assert_eq!(Limit::default().to_string(), "{ share: 25%, at_least: 2 }");
}

#[test]
fn a_limit_with_a_minimum_is_checked_and_kept_by_an_undo_file() {
    let env = Env::with_example();
    let example = env.read("bitpanda.yaml");
    for (limit, said) in [
        ("{ at_least: 3 }", "The limit lacks `share`."),
        ("{ share: 3, at_least: 3 }", "`3` is not a share."),
        ("{ share: \"3\" }", "`3` is not a share."),
        ("{ share: 25%, users: 2 }", "`max_removals` has one limit for all, and limits for single collections."),
        ("{ users: { share: 25%, at_most: 2 } }", "at_most"),
    ] {
        env.write("bitpanda.yaml", example.replace("max_removals: 25%", &format!("max_removals: {limit}")));
        let found = env.run(&["validate", "bitpanda.yaml"]);
        assert_eq!(found.code, 1, "{limit}: {}", found.all());
        assert!(found.stdout.contains(said), "{limit}: {}", found.all());
    }
    let limits = ["{share: 25%, at_least: 3}", "{users: {share: 50%, at_least: 3}, keys: 10%}"];
    for (limit, undo) in limits.into_iter().zip(["one.yaml", "two.yaml"]) {
        env.write("bitpanda.yaml", example.replace("max_removals: 25%", &format!("max_removals: {limit}")));
        let applied = ["apply", "--sandbox", "--reset", "--auto-approve", "--undo-out", undo, "bitpanda.yaml"];
        let said = env.run(&applied);
        assert_eq!(said.code, 0, "{}", said.all());
        assert!(env.read(undo).contains(&format!("max_removals: {limit}")), "{}", env.read(undo));
        assert_eq!(env.run(&["validate", undo]).code, 0);
    }
}

// ---- exceptions

/// Returns the file with an exception for the plan that was just shown.
fn excepting(file: &str, plan: &str, rails: &str, until: &str) -> String {
    let exception = format!("{{ plan: \"{plan}\", rails: [{rails}], until: {until}, reason: Sam leaves }}");
    file.replace("  max_removals: 25%\n", &format!("  max_removals: 0\n  exceptions: [{exception}]\n"))
}

const NEVER: &str = "2999-12-31";

#[test]
fn an_exception_lets_one_plan_through_and_no_other() {
    let env = Env::with_example();
    let example = env.read("bitpanda.yaml");
    let file = |text: &str| env.write("bitpanda.yaml", text);
    let plan = |more: &[&str]| env.run(&[&["plan", "--sandbox", "bitpanda.yaml"], more].concat());
    file(&example.replace("max_removals: 25%", "max_removals: 0"));
    let refused = plan(&["--out", "plan.json"]);
    assert_eq!(refused.code, 3, "{}", refused.all());
    let snippet = refused.stdout.lines().find(|line| line.contains("- { plan:")).unwrap();
    let seal = snippet.split('"').nth(1).unwrap().to_owned();
    assert!(snippet.ends_with("rails: [max_removals], until: YYYY-MM-DD, reason: WHY }"), "{snippet}");
    // The printed exception contains placeholders, so it isn't valid as it is.
    file(&example.replace("  max_removals: 25%\n", &format!("  max_removals: 0\n  exceptions:\n  {snippet}\n")));
    let said = env.run(&["validate", "bitpanda.yaml"]);
    assert!(said.stdout.contains("error[invalid-value]: `YYYY-MM-DD` is not a date."), "{}", said.all());
    for (exception, why) in [
        (excepting(&example, &seal, "min_admins", NEVER), None),
        (excepting(&example, &seal, "max_removals", "2026-11-01"), Some("ended on 2026-11-01")),
        (
            excepting(&example, &format!("sha256:{}", "0".repeat(64)), "max_removals", NEVER),
            Some("is for another plan"),
        ),
    ] {
        file(&exception);
        let said = env.run(&["apply", "--sandbox", "bitpanda.yaml", "--auto-approve"]);
        assert_eq!(said.code, 3, "{}", said.all());
        let line = said.stdout.lines().find(|line| line.contains("refused by max_removals")).unwrap();
        match why {
            Some(why) => {
                assert!(line.ends_with(&format!(" The exception at bitpanda.yaml:37:16 {why}.")), "{line}");
            }
            None => assert!(!line.contains("exception"), "{line}"),
        }
    }
    file(&excepting(&example, &seal, "max_removals, min_admins", NEVER));
    let said = plan(&[]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(said.stdout.contains("overridden max_removals until 2999-12-31, Sam leaves: "), "{}", said.all());
    // A looser limit on the command line changes nothing, with the exception and without it.
    let looser = ["--max-removals", "100%"];
    assert_eq!(plan(&looser).code, 0, "{}", plan(&looser).all());
    file(&example.replace("max_removals: 25%", "max_removals: 0"));
    assert!(plan(&looser).stdout.contains(snippet), "{}", plan(&looser).all());
    file(&excepting(&example, &seal, "max_removals, min_admins", NEVER));
    // No exception in the file lifts a limit that was set on the command line.
    let said = env.run(&["apply", "--sandbox", "bitpanda.yaml", "--plan", "plan.json", "--max-removals", "0"]);
    assert_eq!(said.code, 3, "{}", said.all());
    assert!(said.stdout.contains("can't override a limit of the command line"), "{}", said.all());
    let said = env.run(&["apply", "--sandbox", "bitpanda.yaml", "--plan", "plan.json"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let ledger = env.read(".rolecall/sandbox/ledger/bitpanda-f8588dc7-e1ce-4d92-a473-809a0a357ad9.jsonl");
    let lifted = ledger.lines().find(|line| line.contains("\"event\":\"override\"")).unwrap();
    for part in [seal.as_str(), "max_removals", NEVER, "Sam leaves"] {
        assert!(lifted.contains(part), "{lifted}");
    }
    let shown = env.run(&["show", ".rolecall/sandbox/ledger/bitpanda-f8588dc7-e1ce-4d92-a473-809a0a357ad9.jsonl"]);
    assert!(shown.stdout.contains("max_removals overridden until 2999-12-31"), "{}", shown.all());
}

#[test]
fn an_exception_is_checked_like_everything_else() {
    let env = Env::with_example();
    let example = env.read("bitpanda.yaml");
    let seal = format!("sha256:{}", "a".repeat(64));
    for (exception, said) in [
        (excepting(&example, "sha256:abc", "max_removals", NEVER), "`sha256:abc` is not the seal of a plan."),
        (excepting(&example, &seal, "", NEVER), "The exception names no guardrail."),
        (excepting(&example, &seal, "manage", NEVER), "Expected `max_removals` or `min_admins`, found `manage`."),
        (excepting(&example, &seal, "max_removals", "tomorrow"), "`tomorrow` is not a date."),
        (
            excepting(&example, &seal, "max_removals", NEVER).replace(", reason: Sam leaves", ""),
            "`reason` is missing",
        ),
    ] {
        env.write("bitpanda.yaml", exception);
        let found = env.run(&["validate", "bitpanda.yaml"]);
        assert_eq!(found.code, 1, "{}", found.all());
        assert!(found.stdout.contains(said), "{said}: {}", found.all());
    }
}

#[test]
fn no_exception_leaves_fewer_admins_than_the_platform_needs() {
    use crate::support::rapidapi::{self, Hub};
    let mut world = rapidapi::world();
    rapidapi::member(&mut world, "jane@x.example", true, &[]);
    let organization = rapidapi::acme(&world);
    let own = rapidapi::user(&world, rolecall_sandbox::rapidapi::OWN_EMAIL);
    // The user stays an environment admin, but is no admin of this organisation.
    world.assign("USER_ORGANIZATION", "organization-developer", own, Some(organization), None);
    let head = rapidapi::head_of(organization);
    let body = |more: &str| {
        format!("guardrails: {{ min_admins: 1{more} }}\nusers: [{{ email: jane@x.example, absent: true }}]")
    };
    let mut rig = Rig::<Hub>::new(world, &body(""));
    rig.desired = crate::support::rig::desired(&format!("{head}{}", body("")));
    let seal = rig.plan().seal;
    let exception =
        format!(", exceptions: [{{ plan: \"{seal}\", rails: [min_admins], until: {NEVER}, reason: all go }}]");
    rig.desired = crate::support::rig::desired(&format!("{head}{}", body(&exception)));
    let plan = rig.plan();
    assert_eq!(plan.seal, seal);
    let left = plan.refusals.iter().find(|it| it.message.starts_with("0 usable admins")).unwrap();
    assert!(left.message.ends_with("can't allow fewer admins than the platform requires."), "{}", left.message);
}

// ---- an admin who was demoted in the meantime

/// A plan that was safe at its review is checked again on the current state.
fn demoted_meanwhile<P: Crowd>(admins: fn(usize) -> P::World, demote: fn(&mut P::World, &str)) {
    let out: Vec<String> = (0..2).map(|number| P::removal_entry(&email(number))).collect();
    let body = format!("guardrails: {{ min_admins: 2 }}\nusers: [{}]", out.join(", "));
    for (demoted, refused) in [(0, false), (1, true)] {
        let rig = Rig::<P>::new(admins(4), &body);
        let approved = rig.plan();
        assert_eq!(guardrails_broken(&approved), [""; 0]);
        for number in 0..demoted {
            demote(&mut rig.world(), &email(3 - number));
        }
        let fresh = rig.plan();
        let standing = rolecall_plan::compare(&approved.sealed, &fresh.sealed);
        assert!(standing.stale.is_empty());
        assert_eq!(!guardrails_broken(&fresh).is_empty(), refused, "{:?}", fresh.refusals);
    }
}

#[test]
fn an_admin_who_was_demoted_meanwhile_no_longer_counts() {
    use crate::support::{hive, paradime, rapidapi};
    // Rolecall's own user or the owner is an admin too, so the first of the four is left out.
    demoted_meanwhile::<rapidapi::Hub>(
        |people| <rapidapi::Hub as Crowd>::crowd(people - 1),
        |world, email| {
            let (organization, id) = (rapidapi::acme(world), rapidapi::user(world, &self::email(2)));
            assert_eq!(email, self::email(3));
            world.assign("USER_ORGANIZATION", "organization-developer", id, Some(organization), None);
        },
    );
    demoted_meanwhile::<paradime::Workspace>(
        |people| <paradime::Workspace as Crowd>::crowd(people - 1),
        |world, _| "BUSINESS".clone_into(&mut world.user_mut(&email(2)).unwrap().account_type),
    );
    demoted_meanwhile::<hive::Console>(
        |people| {
            let mut world = hive::world();
            hive::role(&mut world, "Less", &["project:describe"]);
            for number in 0..people - 1 {
                hive::member(&mut world, &email(number), "Admin", Assignment::All);
            }
            world
        },
        |world, _| {
            let less = world.role("Less").unwrap().id.clone();
            world.members.iter_mut().find(|it| it.email == email(2)).unwrap().role_id = less;
        },
    );
}

// ---- rolecall's own access

#[test]
fn rolecalls_own_access_is_kept_unless_the_file_says_otherwise() {
    use crate::support::{bitpanda, paradime};
    let own_key = "keys: [{ name: rolecall, absent: true }]";
    let more = "guardrails: { require_self: false, min_admins: 0 }\n";
    let rig = Rig::<bitpanda::Custody>::new(bitpanda::world(), own_key);
    assert_eq!(addresses(&rig.plan()), [""; 0]);
    let rig = Rig::<bitpanda::Custody>::new(bitpanda::world(), &format!("{more}{own_key}"));
    assert_eq!(addresses(&rig.plan()), ["key/rolecall"]);
    let own = format!("users: [{{ email: {}, roles: [BUSINESS] }}]", paradime::OWNER);
    let rig = Rig::<paradime::Workspace>::new(paradime::world(), &own);
    assert_eq!(addresses(&rig.plan()), [""; 0]);
    let rig = Rig::<paradime::Workspace>::new(paradime::world(), &format!("{more}{own}"));
    assert_eq!(addresses(&rig.plan()), [format!("user/{}", paradime::OWNER)]);
    let env = Env::new();
    env.write(
        "r.yaml",
        crate::support::cli::example("rapidapi.yaml")
            .replace("  min_admins: 2\n", "  min_admins: 2\n  require_self: false\n"),
    );
    let said = env.run(&["validate", "r.yaml"]);
    assert!(said.stdout.contains("rolecall always protects its own access on rapidapi."), "{}", said.all());
}

/// The last user or key that could undo a mistake stays, whichever it is. It may be removed if there is another.
#[test]
fn rolecalls_own_access_is_removed_only_if_other_admins_remain() {
    use crate::support::{bitpanda, hive, paradime};
    let none = "guardrails: { require_self: false, min_admins: 1 }\n";
    // Rolecall's own user.
    let own = format!("{none}users: [{{ email: {}, roles: [BUSINESS] }}]", paradime::OWNER);
    for (others, refused) in [(0, true), (1, false), (2, false)] {
        let mut world = paradime::world();
        for number in 0..others {
            paradime::user(&mut world, &email(number), "ADMIN");
        }
        let plan = Rig::<paradime::Workspace>::new(world, &own).plan();
        assert_eq!(addresses(&plan), [format!("user/{}", paradime::OWNER)]);
        assert_eq!(!guardrails_broken(&plan).is_empty(), refused, "{others} {:?}", plan.refusals);
    }
    // Rolecall's own key, which another admin key could replace.
    let own = "guardrails: { require_self: false, min_admins: 0 }\nkeys: [{ name: rolecall, absent: true }]";
    for others in [0, 1] {
        let mut world = bitpanda::world();
        if others == 1 {
            world.keys.push(bitpanda::key("other", "other", &["ADMIN"], "secret"));
        }
        let rig = Rig::<bitpanda::Custody>::new(world, own);
        assert_eq!(addresses(&rig.plan()), ["key/rolecall"], "{others}");
    }
    // A Hive token contains its own id, so no file can delete rolecall's token unless `require_self` is false.
    let token = |head: &str| {
        let mut world = hive::world();
        let title = world.tokens[0].title.clone();
        world.members.iter_mut().for_each(|member| member.provisioned = false);
        let body = format!("{head}\nkeys: [{{ name: {title}, absent: true }}]");
        addresses(&Rig::<hive::Console>::new(world, &body).plan()).len()
    };
    assert_eq!((token(""), token("guardrails: { require_self: false }")), (0, 1));
}

/// The file doesn't name rolecall's own key. The last admin key then can't be disabled, because it may be this
/// one.
#[test]
fn where_nobody_says_which_key_calls_no_admin_key_goes() {
    use crate::support::bitpanda::{Custody, key, world};
    for others in [0, 1] {
        let mut world = world();
        if others == 1 {
            world.keys.push(key("other", "other", &["ADMIN"], "secret"));
        }
        world.keys.push(key("ops", "ops", &["CLUSTER_OPS"], "secret"));
        let body = "keys: [{ name: rolecall, absent: true }, { name: ops, absent: true }]";
        let mut rig = Rig::<Custody>::new(world, body);
        rig.desired.own_key = None;
        assert_eq!(addresses(&rig.plan()), ["key/ops"], "{others}");
    }
}

/// The credential may belong to this admin, and then nobody could undo a mistake.
#[test]
fn where_nobody_says_whose_credential_it_is_the_last_admin_stays() {
    use crate::support::paradime::{HEAD, OWNER, Workspace, user, world};
    let own = format!("own: {{ user: {OWNER} }}\n");
    let head = HEAD.replace(&own, "");
    let plan = |own: &str, more: &str| {
        let mut world = world();
        world.users[0].account_type = "BUSINESS".to_owned();
        user(&mut world, "a@x.example", "ADMIN");
        let body = format!(
            "guardrails: {{ min_admins: 0{more} }}\nusers: [{{ email: a@x.example, absent: true }}, {{ email: {OWNER} }}]"
        );
        let mut rig = Rig::<Workspace>::new(world, &body);
        rig.desired = crate::support::rig::desired(&format!("{head}{own}{body}"));
        rig.plan()
    };
    let refused = plan("", "");
    assert_eq!(guardrails_broken(&refused), ["min_admins"]);
    assert!(refused.refusals[0].message.contains("Name it as `own`."), "{}", refused.refusals[0].message);
    let seal = refused.seal;
    let exception =
        format!(", exceptions: [{{ plan: \"{seal}\", rails: [min_admins], until: {NEVER}, reason: all go }}]");
    let refused = plan("", &exception);
    assert!(
        refused.refusals[0].message.ends_with("can't allow that the last admin is removed."),
        "{:?}",
        refused.refusals
    );
    // If the file names the credential's user, or allows losing it, `min_admins` sets the number of admins.
    assert_eq!(guardrails_broken(&plan(&own, "")), [""; 0]);
    assert_eq!(guardrails_broken(&plan("", ", require_self: false")), [""; 0]);
}

/// The platform doesn't show who can sign in. Admins whom the file doesn't list, and the plan doesn't change, stay.
#[test]
fn admins_that_a_file_does_not_list_count_at_bitpanda() {
    use crate::support::bitpanda::{Custody, user, world};
    let admins = |count: usize| {
        let mut world = world();
        world.users.extend((0..count).map(|number| user(&email(number), &["ADMIN"])));
        world.users.push(user("sam@x.example", &["CLUSTER_OPS"]));
        world
    };
    let sam = "{ email: sam@x.example, roles: [SIGNER], enabled: true }";
    let plan =
        |count: usize, more: &str| Rig::<Custody>::new(admins(count), &format!("users: [{sam}{more}]")).plan();
    let untouched = plan(2, "");
    assert_eq!((untouched.usable_admins_after, guardrails_broken(&untouched)), (2, vec![]));
    // Somebody made an intruder an admin by hand. The file lists no admin, and takes it from them.
    let intruder = format!(", {{ email: {}, roles: [SIGNER], enabled: true }}", email(0));
    let demoted = plan(3, &intruder);
    assert_eq!((demoted.usable_admins_after, guardrails_broken(&demoted)), (2, vec![]));
    assert_eq!(guardrails_broken(&plan(1, &intruder)), ["min_admins"]);
    // The file says that the other admins can't sign in, or must not.
    for entry in ["enabled: false, roles: [ADMIN]", "absent: true"] {
        let more = format!("{intruder}, {{ email: {}, {entry} }}", email(1));
        let plan = plan(2, &more);
        assert_eq!((plan.usable_admins_after, guardrails_broken(&plan)), (0, vec!["min_admins"]), "{entry}");
    }
}

/// With fewer admins than `min_admins` asks for, a plan may go that takes none. Plan and apply agree.
#[test]
fn where_there_are_fewer_admins_than_the_limit_none_may_go() {
    use crate::support::bitpanda::{Custody, user, world};
    for (file, refused) in [
        ("users: [{ email: sam@x.example, roles: [SIGNER], enabled: true }]", false),
        ("users: [{ email: ann@x.example, roles: [SIGNER], enabled: true }]", true),
    ] {
        let mut world = world();
        world.users = vec![user("ann@x.example", &["ADMIN"]), user("sam@x.example", &["CLUSTER_OPS"])];
        let mut rig = Rig::<Custody>::new(world, file);
        rig.desired.guardrails.tighten(Some(2), None);
        let plan = rig.plan();
        assert_eq!((addresses(&plan).len(), !guardrails_broken(&plan).is_empty()), (1, refused), "{file}");
        if !refused {
            assert!(rig.apply().all_done());
            assert_eq!(guardrails_broken(&rig.plan()), [""; 0]);
        }
    }
}

/// An admin at Bitpanda whom somebody else demoted since would be made an admin again, but nobody approved that.
#[test]
fn an_admin_who_was_demoted_meanwhile_no_longer_counts_at_bitpanda() {
    use crate::support::bitpanda::{Custody, user, world};
    let admins = |count: usize| {
        let mut world = world();
        world.users.extend((0..count).map(|number| user(&email(number), &["ADMIN"])));
        world
    };
    let stays = |number: usize| format!("{{ email: {}, roles: [ADMIN], enabled: true }}", email(number));
    let body = format!(
        "guardrails: {{ min_admins: 2 }}\nusers: [{}, {}, {}]",
        <Custody as Crowd>::removal_entry(&email(0)),
        stays(1),
        stays(2)
    );
    for demoted in [false, true] {
        let rig = Rig::<Custody>::new(admins(3), &body);
        let approved = rig.plan();
        assert_eq!(
            (guardrails_broken(&approved), addresses(&approved)),
            (vec![], vec!["user/u0@x.example".to_owned()])
        );
        if demoted {
            let mut world = rig.world();
            world.users[2].roles = ["SIGNER".to_owned()].into_iter().collect();
        }
        let fresh = rig.plan();
        // The change would now wait for a promotion that nobody approved, so it is out of date.
        let compared = rolecall_plan::compare(&approved.sealed, &fresh.sealed);
        assert_eq!((compared.still_valid.len(), compared.stale.len()), if demoted { (0, 1) } else { (1, 0) });
        // Sent alone, it would leave too few admins.
        let only = addresses_of(&approved);
        let sent = rig.plan_from(&rig.read().unwrap(), &std::collections::BTreeSet::new(), Some(&only)).unwrap();
        assert_eq!(!guardrails_broken(&sent).is_empty(), demoted, "{sent:#?}");
    }
}

fn addresses_of(plan: &OrganizationPlan) -> std::collections::BTreeSet<rolecall_model::Address> {
    plan.sealed.changes.iter().map(|change| change.address.clone()).collect()
}
