//! Roles that somebody got by hand and that a file tolerates until a certain time.

use crate::support::rig::{Platform, Rig, holds};
use crate::support::{bitpanda, hive, paradime};
use rolecall_model::{Action, HoldClass, OrganizationPlan};
use rolecall_sandbox::hive::Assignment;

const TOLERATED: &str =
    "tolerated: [{ address: user/sam@x.example, roles: [ROLES], until: UNTIL, reason: incident 4711 }]\n";

fn tolerated(roles: &str, until: &str) -> String {
    TOLERATED.replace("ROLES", roles).replace("UNTIL", until)
}

/// Returns what a plan does to Sam, and what it says about him without changing anything.
fn about_sam(plan: &OrganizationPlan) -> (Option<Action>, Vec<String>) {
    let change = plan.sealed.changes.iter().find(|change| change.address.name == "sam@x.example");
    let holds = holds(plan).into_iter().filter(|hold| hold.starts_with("user/sam@x.example "));
    (change.map(|change| change.action), holds.collect())
}

/// Checks that a role that Sam has beyond what his entry says stays until a date, and is drift after it.
fn stays_until_its_date<P: Platform>(world: &P::World, role: &str, entry: &str)
where
    P::World: Clone,
{
    let plan = |body: &str| Rig::<P>::new(world.clone(), body).plan();
    assert_eq!(about_sam(&plan(entry)).0, Some(Action::Update));
    let (change, said) = about_sam(&plan(&format!("{}{entry}", tolerated(role, "2090-12-31"))));
    let sentence = format!(
        "user/sam@x.example ignored: Given by hand and tolerated until 2090-12-31: `{role}`. Reason: incident 4711."
    );
    assert_eq!((change, said), (None, vec![sentence.clone()]));
    assert_eq!(about_sam(&plan(&format!("{}{entry}", tolerated(role, "2020-12-31")))).0, Some(Action::Update));
    // Somebody whom no entry lists stays too, and is no drift.
    for manage in ["", "manage: { users: all }\n"] {
        let whole = plan(&format!("{manage}{}", tolerated(role, "2090-12-31")));
        assert_eq!(about_sam(&whole), (None, vec![sentence.clone()]), "{manage}");
        assert!(
            whole
                .sealed
                .holds
                .iter()
                .all(|hold| hold.address.name != "sam@x.example" || hold.class == HoldClass::Ignored)
        );
    }
    // Somebody who must be removed keeps nothing.
    let absent = "users: [{ email: sam@x.example, absent: true }]";
    assert!(about_sam(&plan(&format!("{}{absent}", tolerated(role, "2090-12-31")))).0.is_some());
}

#[test]
fn a_tolerated_role_stays_where_users_have_several() {
    let mut world = bitpanda::world();
    world.users.push(bitpanda::user("sam@x.example", &["ADMIN", "SIGNER"]));
    let entry = "users: [{ email: sam@x.example, roles: [SIGNER], enabled: true }]";
    let plan =
        Rig::<bitpanda::Custody>::new(world.clone(), &format!("{}{entry}", tolerated("ADMIN", "2090-12-31")))
            .plan();
    assert_eq!(about_sam(&plan).0, None);
    let plan =
        Rig::<bitpanda::Custody>::new(world, &format!("{}{entry}", tolerated("CLUSTER_OPS", "2090-12-31"))).plan();
    // Nobody keeps a role that isn't named, and nobody gets one that is.
    assert_eq!(about_sam(&plan).0, Some(Action::Update));
    assert!(plan.sealed.holds.iter().all(|hold| hold.address.name != "sam@x.example"));
}

#[test]
fn a_tolerated_role_stays_where_users_have_one() {
    let mut world = paradime::world();
    paradime::user(&mut world, "sam@x.example", "ADMIN");
    stays_until_its_date::<paradime::Workspace>(
        &world,
        "ADMIN",
        "users: [{ email: sam@x.example, roles: [BUSINESS] }]",
    );
}

#[test]
fn a_tolerated_role_keeps_the_resources_that_came_with_it() {
    let mut world = hive::world();
    hive::member(&mut world, "sam@x.example", "Admin", Assignment::All);
    stays_until_its_date::<hive::Console>(
        &world,
        "Admin",
        "users: [{ email: sam@x.example, roles: [Viewer], resources: { } }]",
    );
}

/// An entry that has ended, or that is about nobody, tolerates nothing, and somebody should know.
#[test]
fn an_entry_that_tolerates_nothing_is_a_warning() {
    let mut world = paradime::world();
    paradime::user(&mut world, "sam@x.example", "ADMIN");
    let warnings = |text: &str| {
        let plan = Rig::<paradime::Workspace>::new(world.clone(), text).plan();
        plan.warnings
            .into_iter()
            .map(|warning| format!("{}: {}", warning.code, warning.message))
            .collect::<Vec<_>>()
    };
    let entry = tolerated("ADMIN", "2090-12-31");
    assert_eq!(warnings(&entry), Vec::<String>::new());
    assert_eq!(
        warnings(&tolerated("ADMIN", "2020-12-31")),
        ["exception-ended: This entry of `tolerated` ended on 2020-12-31, so it tolerates nothing."]
    );
    assert_eq!(
        warnings(&entry.replace("sam@", "sma@")),
        ["unmatched-address: Roles of `user/sma@x.example` are tolerated, but no entity has that address."]
    );
}
