//! Text reports fit the terminal, and long lists are summarised.

use std::collections::BTreeSet;

use rolecall::report::{Format, Layout, Subject, render};
use rolecall_model::{HoldReason, OrganizationPlan, Plan};
use rolecall_sandbox::bitpanda::World;

use crate::support::bitpanda::{user, world};
use crate::support::rig::Rig;

fn written(plan: &Plan, layout: Layout) -> String {
    let text = render(Subject::Plan(plan), Format::Text, layout).unwrap();
    anstream::adapter::strip_str(&text).to_string()
}

/// Returns a plan with so many users to invite, of whom one is privileged, and so many unmanaged ones.
fn crowd(count: usize) -> Plan {
    let mut world: World = world();
    for index in 0..count {
        world.users.push(user(&format!("live{index:02}@x.example"), &["SIGNER"]));
    }
    let invited = |index: usize| {
        let role = if index == 7 { "ADMIN" } else { "SIGNER" };
        format!(
            "{{ email: new{index:02}@x.example, first_name: First, last_name: Last, phone: \"+430000000\", enabled: true, roles: [{role}] }}"
        )
    };
    let users: Vec<String> = (0..count).map(invited).collect();
    let rig: crate::support::bitpanda::Rig = Rig::new(world, &format!("users: [{}]", users.join(", ")));
    Plan::new("rolecall", vec![rig.plan()])
}

fn organization(plan: &Plan) -> &OrganizationPlan {
    plan.organizations.first().unwrap()
}

#[test]
fn lines_fit_the_terminal_and_words_stay_whole() {
    let plan = crowd(3);
    let wide = written(&plan, Layout::default());
    for width in [80, 120] {
        let text = written(&plan, Layout { width: Some(width), full: false });
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&text), words(&wide), "the same words, whatever the width");
    }
    assert!(wide.lines().any(|line| line.chars().count() > 120), "a pipe gets lines as long as they are:\n{wide}");
}

#[test]
fn a_text_goes_on_below_where_it_began() {
    let text = written(&crowd(1), Layout { width: Some(80), full: false });
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.contains("the ledger: ")).unwrap();
    let indent = |line: &str| line.len() - line.trim_start().len();
    assert_eq!(indent(lines[at]), indent(lines[at + 1]), "{text}");
}

#[test]
fn more_than_twenty_of_a_kind_are_summarised_but_for_the_privileged() {
    let few = written(&crowd(20), Layout::default());
    assert_eq!(few.matches("user/new").count(), 20, "{few}");
    assert!(!few.contains("--full` lists"), "{few}");

    let plan = crowd(21);
    let text = written(&plan, Layout::default());
    let privileged: BTreeSet<String> = organization(&plan).privileged.keys().map(ToString::to_string).collect();
    assert_eq!(privileged.len(), 1);
    assert!(text.contains("user/new07@x.example"), "{text}");
    assert_eq!(text.matches("user/new").count(), 1, "{text}");
    assert!(text.contains("20 users to invite"), "{text}");
    let unmanaged = organization(&plan).sealed.holds.iter();
    let unmanaged =
        unmanaged.filter(|hold| matches!(hold.reason, HoldReason::Unmanaged { privileged: false, .. }));
    assert_eq!(unmanaged.count(), 21);
    assert!(text.contains("21 users") && !text.contains("user/live00"), "{text}");

    let full = written(&plan, Layout { width: None, full: true });
    assert_eq!(full.matches("user/new").count(), 21, "{full}");
    assert_eq!(full.matches("user/live").count(), 21, "{full}");
}

/// Bitpanda's `enabled` can't be read: that matters where a user is updated, and is one line elsewhere.
#[test]
fn a_permanent_limit_takes_one_line_unless_it_bears_on_the_plan() {
    let explained = "The API accepts it and never returns it";
    let none = crowd(1);
    assert!(!written(&none, Layout::default()).contains(explained));
    assert!(
        written(&none, Layout::default()).contains("`enabled` of users (`--full` and docs/bitpanda.md explain)")
    );
    assert!(written(&none, Layout { width: None, full: true }).contains(explained));
    let mut world = world();
    world.users.push(user("a@x.example", &["SIGNER"]));
    let rig: crate::support::bitpanda::Rig =
        Rig::new(world, "users: [{ email: a@x.example, enabled: true, roles: [VIEWER, SIGNER] }]");
    let updated = Plan::new("rolecall", vec![rig.plan()]);
    assert!(written(&updated, Layout::default()).contains(explained));
}
