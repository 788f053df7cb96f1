//! What a report says of a change: the access that it gives and takes, and which way privileged access goes. In every
//! form, and on every platform that can make the change.

use crate::support::cli::{Env, example};
use crate::support::rig::{Platform, Rig};
use crate::support::{bitpanda, hive, paradime, rapidapi};
use rolecall::report::{Format, Layout, Subject, render};
use rolecall_model::{OrganizationPlan, Plan, Privilege};
use rolecall_sandbox::hive::Assignment;

fn shown(plan: &OrganizationPlan, format: Format) -> String {
    let plan = Plan::new("test", vec![plan.clone()]);
    let text = render(Subject::Plan(&plan), format, Layout::default()).unwrap();
    anstream::adapter::strip_str(&text).to_string()
}

fn plan_of<P: Platform>(world: P::World, body: &str) -> OrganizationPlan {
    Rig::<P>::new(world, body).plan()
}

/// Checks that a line with this address has all of these words in text, in the comment's table and in an annotation.
fn is_said(plan: &OrganizationPlan, address: &str, words: &[&str]) {
    let text = shown(plan, Format::Text);
    let table = shown(plan, Format::Markdown);
    let table: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    let annotations = shown(plan, Format::Github);
    for (form, lines) in [
        ("text", text.lines().collect::<Vec<_>>()),
        ("markdown", table),
        ("github", annotations.lines().collect()),
    ] {
        let says = |line: &&str| line.contains(address) && words.iter().all(|word| line.contains(word));
        assert!(lines.iter().any(says), "{form}, {address}: {words:?}\n{}", lines.join("\n"));
    }
}

fn privilege(plan: &OrganizationPlan, address: &str) -> Option<Privilege> {
    let found = plan.privileged.iter().find(|(one, _)| one.to_string() == address);
    found.map(|(_, privilege)| *privilege)
}

#[test]
fn the_first_line_says_from_which_role_to_which_and_which_way_privilege_goes() {
    let mut world = bitpanda::world();
    world.users.push(bitpanda::user("up@x.example", &["SIGNER"]));
    world.users.push(bitpanda::user("down@x.example", &["ADMIN"]));
    world.users.push(bitpanda::user("stays@x.example", &["ADMIN"]));
    world.users.push(bitpanda::user("off@x.example", &["ADMIN"]));
    let plan = plan_of::<bitpanda::Custody>(
        world,
        "guardrails: { min_admins: 0, max_removals: 100% }
users:
  - { email: up@x.example, enabled: true, roles: [ADMIN] }
  - { email: down@x.example, enabled: true, roles: [SIGNER] }
  - { email: stays@x.example, enabled: true, roles: [ADMIN, SIGNER] }
  - { email: off@x.example, enabled: false }
  - { email: new@x.example, enabled: true, roles: [ADMIN], first_name: New, last_name: User }",
    );
    is_said(&plan, "up@x.example", &["gains privilege", "SIGNER → ADMIN"]);
    is_said(&plan, "down@x.example", &["loses privilege", "ADMIN → SIGNER"]);
    is_said(&plan, "stays@x.example", &["privileged", "ADMIN → ADMIN, SIGNER"]);
    is_said(&plan, "off@x.example", &["loses privilege", "ADMIN → nothing"]);
    // Whoever is disabled needs no `roles` in the file.
    assert!(plan.sealed.holds.iter().all(|hold| hold.address.name != "off@x.example"));
    is_said(&plan, "new@x.example", &["gains privilege", "nothing → ADMIN"]);

    let mut world = hive::world();
    hive::role(&mut world, "Plain", &["project:describe"]);
    hive::member(&mut world, "up@x.example", "Plain", Assignment::All);
    hive::member(&mut world, "off@x.example", "Admin", Assignment::All);
    let plan = plan_of::<hive::Console>(
        world,
        "guardrails: { max_removals: 100% }
users:
  - { email: up@x.example, roles: [Admin] }
  - { email: off@x.example, absent: true }",
    );
    is_said(&plan, "up@x.example", &["gains privilege", "Plain → Admin"]);
    is_said(&plan, "off@x.example", &["loses privilege", "Admin → No access"]);

    let mut world = paradime::world();
    paradime::user(&mut world, "up@x.example", "ANALYST");
    paradime::user(&mut world, "off@x.example", "ADMIN");
    let plan = plan_of::<paradime::Workspace>(
        world,
        "guardrails: { max_removals: 100% }
users: [{ email: up@x.example, roles: [ADMIN] }, { email: off@x.example, absent: true }]",
    );
    is_said(&plan, "up@x.example", &["gains privilege", "ANALYST → ADMIN"]);
    is_said(&plan, "off@x.example", &["loses privilege", "ADMIN → nothing"]);

    let mut world = rapidapi::with_teams(&["Payments"]);
    rapidapi::member(&mut world, "up@x.example", false, &[]);
    rapidapi::member(&mut world, "off@x.example", true, &[]);
    let plan = plan_of::<rapidapi::Hub>(
        world,
        "guardrails: { max_removals: 100% }
users:
  - { email: up@x.example, roles: [Organization Admin] }
  - { email: off@x.example, absent: true }",
    );
    is_said(&plan, "up@x.example", &["gains privilege", "→ Organization Admin"]);
    is_said(&plan, "off@x.example", &["loses privilege", "Organization Admin → nothing"]);
}

/// An invitation that is sent again gives its access anew, although it stays the same.
#[test]
fn an_invitation_that_is_sent_again_says_what_it_gives() {
    let mut world = paradime::world();
    paradime::invitation(&mut world, "old@x.example", "ADMIN", "EXPIRED");
    world.switches.invite_expired = rolecall_sandbox::paradime::InviteAgain::Resent;
    let plan = plan_of::<paradime::Workspace>(
        world,
        "reinvite_expired: true\nusers: [{ email: old@x.example, roles: [ADMIN] }]",
    );
    is_said(&plan, "old@x.example", &["invite again", "gains privilege", "nothing → ADMIN"]);
    assert_eq!(privilege(&plan, "user/old@x.example"), Some(Privilege::Gains));
}

/// Whoever moves into a role that the same plan creates was not privileged before. The new role decides.
#[test]
fn a_role_that_the_same_plan_creates_is_privileged_by_what_it_allows() {
    let mut world = hive::world();
    hive::role(&mut world, "Plain", &["project:describe"]);
    hive::member(&mut world, "reader@x.example", "Plain", Assignment::All);
    hive::member(&mut world, "chief@x.example", "Plain", Assignment::All);
    let plan = plan_of::<hive::Console>(
        world,
        "roles:
  - { name: Reader, description: Reads, permissions: [project:describe, laboratory:describe] }
  - { name: Chief, description: Gives access, permissions: [member:describe, member:modify] }
users:
  - { email: reader@x.example, roles: [Reader] }
  - { email: chief@x.example, roles: [Chief] }",
    );
    assert_eq!(privilege(&plan, "user/reader@x.example"), None);
    assert_eq!(privilege(&plan, "user/chief@x.example"), Some(Privilege::Gains));
    is_said(&plan, "chief@x.example", &["gains privilege", "Plain → Chief"]);
}

/// A saved plan keeps the warnings of its files.
#[test]
fn show_of_a_saved_plan_has_its_warnings() {
    let env = Env::with_example();
    let body = example("bitpanda.yaml").replace(
        "  - email: sam@acme.example",
        "  - { email: gone@acme.example, enabled: false }\n  - email: sam@acme.example",
    );
    env.write("gone.yaml", body);
    assert_eq!(env.run(&["plan", "--sandbox", "--out", "plan.json", "gone.yaml"]).code, 0);
    let said = env.run(&["show", "plan.json"]);
    assert!(
        said.stderr.contains("warning[unmatched-address]: Nothing live has the address `user/gone@acme.example`"),
        "{}",
        said.all()
    );
    assert!(said.stderr.contains("--> gone.yaml:") && said.stderr.contains("= hint: "), "{}", said.all());
}

/// Checks that the change that `protected` stops is said in text, in the comment and in JSON.
#[test]
fn protected_shows_the_change_that_it_stops() {
    let mut world = bitpanda::world();
    world.users.push(bitpanda::user("kept@x.example", &["ADMIN"]));
    let body = "guardrails: { protected: [user/kept@x.example] }\nusers: [{ email: kept@x.example, enabled: true, roles: [SIGNER] }]";
    let plan = plan_of::<bitpanda::Custody>(world, body);
    let text = shown(&plan, Format::Text);
    assert!(
        text.contains("It stops this change: update (roles ADMIN → SIGNER; enabled (unreadable) → true)."),
        "{text}"
    );
    let markdown = shown(&plan, Format::Markdown);
    assert!(markdown.contains("It stops this change: update (roles ADMIN → SIGNER;"), "{markdown}");
    let json: serde_json::Value = serde_json::from_str(&shown(&plan, Format::Json)).unwrap();
    let hold = &json["organizations"][0]["sealed"]["holds"][0]["reason"];
    assert_eq!(hold["is"], "protected", "{json:#}");
    assert_eq!(hold["change"]["after"]["roles"], serde_json::json!(["SIGNER"]), "{hold:#}");

    // A role that a protected user has.
    let mut world = hive::world();
    hive::role(&mut world, "Plain", &["project:describe", "laboratory:describe"]);
    hive::member(&mut world, "kept@x.example", "Plain", Assignment::All);
    let body = "guardrails: { protected: [user/kept@x.example] }\nroles: [{ name: Plain, permissions: [project:describe] }]";
    let plan = plan_of::<hive::Console>(world, body);
    for format in [Format::Text, Format::Markdown, Format::Junit, Format::Github] {
        let said = shown(&plan, format);
        assert!(said.contains("It stops this change: update (permissions "), "{format:?}: {said}");
    }
}

/// An exception is offered only where it can let the plan through: it can't where the command line made a limit
/// stricter.
#[test]
fn an_exception_is_offered_only_if_it_can_help() {
    let env = Env::with_example();
    env.write("strict.yaml", example("bitpanda.yaml").replace("max_removals: 25%", "max_removals: 0"));
    for format in ["text", "markdown"] {
        let plan = |more: &[&str]| {
            let said = env.run(&[&["plan", "--sandbox", "--format", format], more].concat());
            assert_eq!(said.code, 3, "{}", said.all());
            said.stdout
        };
        let offered = plan(&["strict.yaml"]);
        assert!(offered.contains("rails: [max_removals]"), "{offered}");
        let refused = plan(&["--max-removals", "0", "bitpanda.yaml"]);
        assert!(refused.contains("max_removals") && !refused.contains("rails:"), "{refused}");
    }
}

const FORMATS: [&str; 5] = ["json", "markdown", "sarif", "junit", "github"];

/// A warning is in every report of every command that plans, not only on the terminal.
#[test]
fn a_warning_is_in_every_report() {
    let env = Env::new();
    env.write(
        "hive.yaml",
        example("hive.yaml").replace("\nkeys:\n", "\n  - { email: lefd@acme.example, absent: true }\n\nkeys:\n"),
    );
    for command in [&["plan"] as &[&str], &["drift"], &["apply", "--auto-approve"]] {
        let mut args = [command, &["--sandbox", "hive.yaml"]].concat();
        let reports: Vec<String> = FORMATS.iter().map(|format| format!("{format}={format}.out")).collect();
        args.extend(reports.iter().flat_map(|report| ["--report", report]));
        let said = env.run(&args);
        assert!([0, 2].contains(&said.code), "{}", said.all());
        assert!(said.stderr.contains("warning[unmatched-address]"), "{}", said.all());
        for format in FORMATS {
            let report = env.read(&format!("{format}.out"));
            assert!(report.contains("unmatched-address"), "{command:?} {format}: {report}");
            assert!(report.contains("left@acme.example"), "with its hint, {command:?} {format}: {report}");
        }
    }
}

/// A reviewer sees that a selection leaves changes out.
#[test]
fn what_was_not_selected_is_counted() {
    let env = Env::with_example();
    for (selection, expected) in [
        (["--target", "user/sam@acme.example"], "4 changes not selected"),
        (["--exclude", "user/sam@acme.example"], "1 change not selected"),
    ] {
        let plan = |format: &str| {
            let said = env.run(
                &[&["plan", "--sandbox", "--format", format, "bitpanda.yaml"], &selection as &[&str]].concat(),
            );
            assert_eq!(said.code, 0, "{}", said.all());
            said.stdout
        };
        assert!(plan("text").contains(expected), "{}", plan("text"));
        assert!(plan("markdown").contains(expected), "{}", plan("markdown"));
        let json: serde_json::Value = serde_json::from_str(&plan("json")).unwrap();
        let count = json["organizations"][0]["not_selected"].to_string();
        assert!(expected.starts_with(&format!("{count} change")), "{count}");
    }
}

/// Where the roles stay, the first line says what else the change gives and takes.
#[test]
fn the_first_line_says_what_is_given_and_taken_besides_roles() {
    let mut world = hive::world();
    hive::role(&mut world, "Plain", &["project:describe", "laboratory:describe"]);
    hive::member(&mut world, "less@x.example", "Plain", Assignment::All);
    let plan = plan_of::<hive::Console>(
        world,
        "guardrails: { max_removals: 100% }
roles: [{ name: Plain, permissions: [project:describe, member:describe] }]
users: [{ email: less@x.example, roles: [Plain], resources: { shop: all } }]",
    );
    is_said(&plan, "role/Plain", &["gains member:describe; loses laboratory:describe"]);
    is_said(&plan, "less@x.example", &["gains shop/", "; loses everything"]);

    let mut world = rapidapi::with_teams(&["Payments", "Data"]);
    rapidapi::member(&mut world, "moves@x.example", false, &[("Payments", "team-viewer")]);
    let plan = plan_of::<rapidapi::Hub>(
        world,
        "guardrails: { max_removals: 100% }\nusers: [{ email: moves@x.example, teams: { Data: Team Viewer } }]",
    );
    is_said(&plan, "moves@x.example", &["gains Data as Team Viewer; loses Payments as Team Viewer"]);

    // A change of the role hides nothing that is given beside it.
    let mut world = hive::world();
    hive::role(&mut world, "Plain", &["project:describe"]);
    hive::member(&mut world, "wider@x.example", "Plain", Assignment::Granular(Vec::new()));
    let plan =
        plan_of::<hive::Console>(world, "users: [{ email: wider@x.example, roles: [Viewer], resources: all }]");
    is_said(&plan, "wider@x.example", &["Plain → Viewer; gains everything"]);
}
