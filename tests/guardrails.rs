//! Guardrails at their edges, on every provider.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use rolecall::model::{Limit, OrganizationPlan, Pattern, Removals};
use rolecall::sandbox::hive::Assignment;
use support::cli::Env;
use support::rig::{Platform, Rig, addresses};

/// A provider's organisation of so many people besides those who administrate it, and the file that takes some of them out.
trait Crowd: Platform {
    fn crowd(people: usize) -> Self::World;
    /// How many users are live in it.
    fn live(people: usize) -> usize;
    /// An entry that takes somebody out.
    fn out(email: &str) -> String;
    /// An entry that leaves somebody less than they have.
    fn demoted(email: &str) -> String;
}

fn email(number: usize) -> String {
    format!("u{number}@x.example")
}

impl Crowd for support::bitpanda::Custody {
    fn crowd(people: usize) -> Self::World {
        let mut world = support::bitpanda::world();
        world.users.extend((0..people).map(|number| support::bitpanda::user(&email(number), &["CLUSTER_OPS"])));
        world
    }

    fn live(people: usize) -> usize {
        people
    }

    fn out(email: &str) -> String {
        format!("{{ email: {email}, absent: true }}")
    }

    fn demoted(email: &str) -> String {
        format!("{{ email: {email}, roles: [], enabled: true }}")
    }
}

impl Crowd for support::hive::Console {
    fn crowd(people: usize) -> Self::World {
        let mut world = support::hive::world();
        support::hive::role(&mut world, "More", &["project:describe", "project:modifySettings"]);
        support::hive::role(&mut world, "Less", &["project:describe"]);
        for number in 0..people {
            support::hive::member(&mut world, &email(number), "More", Assignment::All);
        }
        world
    }

    fn live(people: usize) -> usize {
        people + 1
    }

    fn out(email: &str) -> String {
        format!("{{ email: {email}, absent: true }}")
    }

    fn demoted(email: &str) -> String {
        format!("{{ email: {email}, roles: [Less] }}")
    }
}

impl Crowd for support::paradime::Workspace {
    fn crowd(people: usize) -> Self::World {
        let mut world = support::paradime::world();
        for number in 0..people {
            support::paradime::user(&mut world, &email(number), "ADMIN");
        }
        world
    }

    fn live(people: usize) -> usize {
        people + 1
    }

    fn out(email: &str) -> String {
        format!("{{ email: {email}, absent: true }}")
    }

    fn demoted(email: &str) -> String {
        format!("{{ email: {email}, roles: [BUSINESS] }}")
    }
}

impl Crowd for support::rapidapi::Hub {
    fn crowd(people: usize) -> Self::World {
        let mut world = support::rapidapi::world();
        for number in 0..people {
            support::rapidapi::member(&mut world, &email(number), true, &[]);
        }
        world
    }

    fn live(people: usize) -> usize {
        people + 1
    }

    fn out(email: &str) -> String {
        format!("{{ email: {email}, absent: true }}")
    }

    fn demoted(email: &str) -> String {
        format!("{{ email: {email}, roles: [Developer] }}")
    }
}

/// The rails that a plan breaks.
fn rails(plan: &OrganizationPlan) -> Vec<&str> {
    plan.refusals.iter().map(|refusal| refusal.rail.as_str()).collect()
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

/// One less, as many, and one more than may go.
fn at_the_edge<P: Crowd>() {
    for people in 1..=12 {
        let live = P::live(people);
        for (limit, cap) in [
            (String::new(), (live / 4).max(1)),
            ("25%".to_owned(), (live / 4).max(1)),
            ("0%".to_owned(), 1),
            ("60%".to_owned(), (live * 6 / 10).max(1)),
            ("100%".to_owned(), live),
            ("0".to_owned(), 0),
            ("3".to_owned(), 3),
            ("{ users: 2 }".to_owned(), 2),
        ] {
            for go in cap.saturating_sub(1)..=(cap + 1).min(people) {
                let entry: fn(&str) -> String = if go % 2 == 0 { P::out } else { P::demoted };
                let entries: Vec<String> = (0..go).map(|number| entry(&email(number))).collect();
                let plan = plan_of::<P>(people, &limit, &entries);
                let users = addresses(&plan).into_iter().filter(|address| address.starts_with("user/"));
                assert_eq!(users.count(), go, "{people} {limit} {go}");
                let refused = if go > cap { vec!["max_removals"] } else { Vec::new() };
                assert_eq!(rails(&plan), refused, "{go} of {live}, {limit}: {:?}", plan.refusals);
                for refusal in &plan.refusals {
                    let said = format!(
                        "{go} of {live} users would lose access or some of it, and by one plan at most {cap} may"
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
    at_the_edge::<support::bitpanda::Custody>();
}

#[test]
fn no_more_than_may_go_at_hive() {
    at_the_edge::<support::hive::Console>();
}

#[test]
fn no_more_than_may_go_at_paradime() {
    at_the_edge::<support::paradime::Workspace>();
}

#[test]
fn no_more_than_may_go_at_rapidapi() {
    at_the_edge::<support::rapidapi::Hub>();
}

/// One more of a collection than may go, and as many as may, is told by the collection alone.
fn refused<P: Platform>(world: &P::World, limit: &str, body: &str) -> Vec<String>
where
    P::World: Clone,
{
    let rig = Rig::<P>::new(world.clone(), &format!("guardrails: {{ max_removals: {limit} }}\n{body}"));
    rig.plan().refusals.into_iter().map(|refusal| refusal.message).collect()
}

#[test]
fn keys_roles_and_teams_are_counted_each_by_itself() {
    use support::{bitpanda, hive, rapidapi};

    let mut world = bitpanda::world();
    for number in 0..8 {
        world.keys.push(bitpanda::key(
            &format!("k{number}"),
            &format!("key {number}"),
            &["CLUSTER_OPS"],
            "secret",
        ));
    }
    // One that is off is none of those that there are.
    world.keys[8].enabled = false;
    let out = |keys: usize| {
        let entries =
            (0..keys).map(|number| format!("{{ name: key {number}, absent: true }}")).collect::<Vec<_>>();
        format!("keys: [{}]", entries.join(", "))
    };
    assert_eq!(refused::<bitpanda::Custody>(&world, "25%", &out(2)), [""; 0]);
    let said = "3 of 8 keys would go, and by one plan at most 2 may (25%)";
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
    let said = format!("3 of {live} roles would go, and by one plan at most 2 may (2)");
    assert_eq!(refused::<hive::Console>(&world, "{ roles: 2 }", &roles(3)), [said]);

    let world = rapidapi::with_teams(&["A", "B", "C"]);
    let teams = "teams: [{ name: A, absent: true }, { name: B, absent: true }]";
    let said = "2 of 4 teams would go, and by one plan at most 1 may (25%)";
    assert_eq!(refused::<rapidapi::Hub>(&world, "25%", teams), [said]);
    assert_eq!(refused::<rapidapi::Hub>(&world, "50%", teams), [""; 0]);
}

/// Whoever has a role that loses something loses it.
#[test]
fn a_role_that_loses_a_permission_counts_each_of_its_holders() {
    use support::hive;
    for people in 1..=12 {
        let world = <hive::Console as Crowd>::crowd(people);
        let weaker = "roles: [{ name: More, permissions: [project:describe] }]";
        let stronger = "roles: [{ name: Less, permissions: [project:describe, project:modifySettings] }]";
        let most = people - 1;
        assert_eq!(refused::<hive::Console>(&world, &people.to_string(), weaker), [""; 0]);
        let said = format!(
            "{people} of {} users would lose access or some of it, and by one plan at most {most} may ({most})",
            people + 1
        );
        assert_eq!(refused::<hive::Console>(&world, &most.to_string(), weaker), [said]);
        assert_eq!(refused::<hive::Console>(&world, "0", stronger), [""; 0]);
        // Somebody who is moved at the same time to what they had is judged by where they go.
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
    // The change is shown all the same.
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
    let mut world = support::rapidapi::world();
    for name in ["a@board.x.example", "b@board.x.example", "c@x.example"] {
        support::rapidapi::member(&mut world, name, false, &[]);
    }
    let rig = support::rapidapi::Rig::new(
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
        assert_eq!((limit.of(10), limit.to_string().as_str()), (of_ten, text));
    }
    for wrong in ["", "%", "-1", "101%", "2.5%", "25 %", "lots"] {
        assert!(wrong.parse::<Limit>().is_err(), "{wrong}");
    }
    assert_eq!(Limit::default().of(usize::MAX / 100), usize::MAX / 100 / 4);
}
