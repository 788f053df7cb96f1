//! Stories of a GraphQL Hive organisation. Each tests something that users rely on.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::support::hive::{Rig, invitation, member, role, uuid, world};
use crate::support::rig::{Fate, addresses, holds};
use rolecall_engine::apply::{FinalState, Report, Stop};
use rolecall_model::{Address, Code, Completeness, Finding, Hold, HoldClass, HoldReason, Outcome, Reach};
use rolecall_providers::ReadError;
use rolecall_sandbox::Engine as _;
use rolecall_sandbox::hive::{Assignment, Paging, Release, Scope, World, WorldToken};
use serde_json::{Value, json};

fn converged(report: &Report) -> bool {
    matches!(report.final_state, FinalState::InSync { .. })
}

/// Returns the operations that were sent, with their inputs.
fn sent(rig: &Rig) -> Vec<(&'static str, Value)> {
    let input = |variables: &Value| variables["input"].clone();
    rig.wire.mutations().iter().map(|request| (request.operation_name, input(&request.variables))).collect()
}

fn operations(rig: &Rig) -> Vec<&'static str> {
    sent(rig).into_iter().map(|(name, _)| name).collect()
}

/// Returns the findings that prevent a plan.
fn findings(world: World, body: &str) -> Vec<Finding> {
    Rig::new(world, body).try_plan().err().unwrap_or_default()
}

fn own_token_without(world: &mut World, permission: &str) {
    world.tokens[0].permissions.retain(|held| held != permission);
}

fn with_members(count: usize) -> World {
    let mut world = world();
    for index in 0..count {
        member(&mut world, &format!("u{index}@x.example"), "Viewer", Assignment::All);
    }
    world
}

// ---- reading

#[test]
fn a_read_is_one_request_beside_what_the_server_is_asked_once() {
    let mut world = with_members(999);
    for index in 0..50 {
        invitation(&mut world, &format!("i{index}@x.example"), "Viewer");
    }
    let own = world.tokens[0].clone();
    for index in 1..20 {
        let mut token = own.clone();
        (token.id, token.title) = (uuid(&format!("token/{index}")), format!("token {index}"));
        world.tokens.push(token);
    }
    let rig = Rig::new(world, "manage: { keys: all }");
    let live = rig.read().unwrap();
    assert_eq!((live.users.items.len(), live.invitations().len(), live.keys().len()), (1000, 50, 20));
    assert_eq!(live.users.completeness, Completeness::Proven);
    assert_eq!(
        rig.wire.sent().iter().map(|request| request.operation_name).collect::<Vec<_>>(),
        ["Features", "Organization"]
    );
}

#[test]
fn each_further_page_is_one_request_more() {
    let mut world = with_members(2_500);
    for index in 0..120 {
        invitation(&mut world, &format!("i{index}@x.example"), "Viewer");
    }
    world.switches.member_page_limit = Some(500);
    let rig = Rig::new(world.clone(), "");
    let live = rig.read().unwrap();
    assert_eq!((live.users.items.len(), live.invitations().len()), (2_501, 120));
    assert!(matches!(live.users.completeness, Completeness::Assumed { .. }));
    // There are 6 pages of members and 3 of invitations. The first page of each came in one request.
    assert_eq!(rig.wire.sent().len(), 2 + 5 + 2);
    assert_eq!(live.requests, 9);
    // A server without a page limit returns all members at once.
    world.switches.member_page_limit = None;
    let rig = Rig::new(world, "");
    let live = rig.read().unwrap();
    assert_eq!((live.users.items.len(), rig.wire.sent().len()), (2_501, 2 + 2));
    assert_eq!(live.users.completeness, Completeness::Proven);
}

#[test]
fn an_apply_asks_once_what_the_server_can_do() {
    let mut rig = Rig::new(with_members(1), "users: [{ email: u0@x.example, roles: [Admin], resources: all }]");
    assert!(converged(&rig.apply()));
    let features = rig.wire.sent().iter().filter(|request| request.operation_name == "Features").count();
    // Once for the plan, and once for the two reads of the apply.
    assert_eq!(features, 2);
}

#[test]
fn tokens_are_not_asked_for_where_the_file_speaks_of_none() {
    let mut world = with_members(1);
    own_token_without(&mut world, "accessToken:modify");
    let rig = Rig::new(world, "");
    let live = rig.read().unwrap();
    assert!(live.keys.is_none());
    assert!(rig.plan().gaps.iter().any(|gap| gap.what == "access tokens"));
}

#[test]
fn tokens_that_may_not_be_seen_are_no_empty_list_and_hide_nothing_else() {
    let mut world = with_members(1);
    own_token_without(&mut world, "accessToken:modify");
    let body = "manage: { keys: all }
keys: [{ name: ci, permissions: [project:describe], resources: all, deliver: { file: ci } }]
users: [{ email: u0@x.example, roles: [Admin] }]";
    let rig = Rig::new(world, body);
    let plan = rig.plan();
    assert_eq!(addresses(&plan), ["user/u0@x.example"]);
    let says = |hold: &String| hold.starts_with("key/ci blocked: ") && hold.contains("accessToken:modify");
    assert!(holds(&plan).iter().any(says), "{:?}", holds(&plan));
    assert!(plan.completeness["keys"].is_incomplete());
    assert!(plan.gaps.iter().any(|gap| gap.what == "the access tokens"), "{:#?}", plan.gaps);
}

#[test]
fn an_old_server_whose_pages_skip_is_asked_for_all_at_once() {
    let mut world = with_members(1_300);
    world.switches.release = Release::V8_1_2;
    world.switches.paging = Paging::Broken;
    let rig = Rig::new(world, "");
    let live = rig.read().unwrap();
    assert_eq!(live.users.items.len(), 1_301);
    assert_eq!(live.users.completeness, Completeness::Proven);
    assert_eq!(rig.wire.sent().len(), 2);
}

#[test]
fn pages_that_repeat_or_skip_are_a_broken_list_from_which_nothing_follows() {
    let mut world = with_members(250);
    world.switches.paging = Paging::Broken;
    world.switches.member_page_limit = Some(100);
    let rig = Rig::new(
        world,
        "manage: { users: all }\nusers: [{ email: new@x.example, roles: [Viewer], resources: all }]",
    );
    let live = rig.read().unwrap();
    assert!(live.users.completeness.is_incomplete());
    let plan = rig.plan();
    assert!(plan.sealed.changes.is_empty(), "{:#?}", plan.sealed.changes);
    assert!(holds(&plan).iter().any(|hold| hold.starts_with("user/new@x.example blocked: The list of users")));
}

#[test]
fn somebody_whom_the_pages_left_out_is_held_and_not_invited_again_and_again() {
    let mut rig = Rig::new(with_members(1), "users: [{ email: u0@x.example, roles: [Viewer], resources: all }]");
    // The list of members doesn't show that somebody is missing: only the refused invitation does.
    rig.wire.forge(|data| {
        let edges = data.pointer_mut("/organization/members/edges").and_then(Value::as_array_mut);
        if let Some(edges) = edges {
            edges.retain(|edge| edge["node"]["user"]["email"] != "u0@x.example");
        }
    });
    let report = rig.apply();
    assert!(matches!(&report.steps[0].held, Some(HoldReason::Platform { code, .. }) if code == "member-unlisted"));
    assert!(rig.plan().sealed.mutations.is_empty());
    assert!(holds(&rig.plan()).iter().any(|hold| hold.starts_with("user/u0@x.example blocked: Hive says that")));
}

#[test]
fn a_clamped_page_is_followed_and_read_whole() {
    let mut world = with_members(250);
    world.switches.member_page_limit = Some(100);
    let rig = Rig::new(world, "");
    let live = rig.read().unwrap();
    assert_eq!(live.users.items.len(), 251);
    assert!(!live.users.completeness.is_incomplete());
}

#[test]
fn invitations_that_may_not_be_seen_are_no_empty_list() {
    let mut world = with_members(1);
    own_token_without(&mut world, "member:modify");
    let rig = Rig::new(world, "users: [{ email: new@x.example, roles: [Viewer], resources: all }]");
    let plan = rig.plan();
    assert!(plan.sealed.mutations.is_empty());
    assert!(
        holds(&plan).iter().any(|hold| hold.contains("list of invitations") && hold.contains("member:modify"))
    );
    assert!(plan.completeness["invitations"].is_incomplete());
    // Whoever reads the plan has to know that this credential can send none of it.
    assert!(plan.gaps.iter().any(|gap| gap.why.contains("refuses every change of roles, users and invitations")));
    assert!(Rig::new(with_members(1), "").plan().gaps.iter().all(|gap| !gap.why.contains("refuses every change")));
}

#[test]
fn projects_that_may_not_be_seen_are_not_taken_for_absent() {
    let mut world = with_members(0);
    let shop =
        Scope::Granular(vec![rolecall_sandbox::hive::AssignedProject { id: uuid("shop"), targets: Scope::All }]);
    member(&mut world, "u0@x.example", "Viewer", shop);
    own_token_without(&mut world, "project:describe");
    let rig = Rig::new(world.clone(), "");
    assert!(rig.plan().gaps.iter().any(|gap| gap.what == "some projects" && gap.why.contains("project:describe")));
    let found = findings(world, "users: [{ email: u0@x.example, resources: { shop: all } }]");
    assert_eq!(found[0].code, Code::UnknownProject);
    assert!(found[0].hint.as_ref().unwrap().contains("project:describe"), "{found:#?}");
}

#[test]
fn a_bad_token_is_a_refused_credential() {
    let mut world = with_members(1);
    world.tokens.clear();
    for body in ["", "manage: { keys: all }"] {
        let ReadError::Call { error, .. } = Rig::new(world.clone(), body).read().unwrap_err() else { panic!() };
        assert!(error.is_unreachable_or_refused(), "{error}");
    }
}

#[test]
fn a_server_that_does_not_introspect_is_used_as_the_oldest() {
    let mut world = with_members(1);
    world.switches.introspection = false;
    invitation(&mut world, "old@x.example", "Viewer");
    let tree = "{ shop: all }";
    let mut rig =
        Rig::new(world, &format!("users: [{{ email: new@x.example, roles: [Admin], resources: {tree} }}]"));
    assert!(rig.plan().gaps.iter().any(|gap| gap.what == "the server's release"));
    rig.apply();
    let invited = sent(&rig).into_iter().find(|(name, _)| *name == "InviteToOrganizationByEmail").unwrap().1;
    assert!(invited.get("resources").is_none());
}

/// A file can't name such a member, role, invitation or token. Everything else is planned.
#[test]
fn a_row_that_can_not_be_read_is_shown_and_hides_nothing_else() {
    struct Case {
        list: &'static str,
        field: &'static str,
        value: &'static str,
        forgery: fn(&mut Value),
        said: &'static str,
    }
    let case = |[list, field, value, said]: [&'static str; 4], forgery| Case { list, field, value, forgery, said };
    let cases: [Case; 5] = [
        case(["members", "/user/email", "u0@x.example", "user/#"], |row| row["user"]["email"] = json!("")),
        case(["members", "/user/email", "u0@x.example", "user/u0@x.example#"], |row| {
            row["resourceAssignment"]["mode"] = json!("SOME");
        }),
        case(["invitations", "/email", "open@x.example", "invitation/open@x.example "], |row| {
            row["role"] = Value::Null;
        }),
        case(["memberRoles", "/name", "Odd", "role/Odd#"], |row| row["permissions"] = Value::Null),
        case(["accessTokens", "/title", "odd", "key/#"], |row| row["title"] = Value::Null),
    ];
    for Case { list, field, value, forgery, said } in cases {
        let mut world = with_members(2);
        role(&mut world, "Odd", &["project:describe"]);
        invitation(&mut world, "open@x.example", "Viewer");
        let odd = WorldToken { id: uuid("odd"), title: "odd".to_owned(), ..world.tokens[0].clone() };
        world.tokens.push(odd);
        let body = "roles: [{ name: New, description: About New, permissions: [] }]
keys: [{ name: legacy, absent: true }]
users: [{ email: u1@x.example, absent: true }, { email: new@x.example, roles: [Viewer], resources: all }]";
        let mut rig = Rig::new(world, body);
        rig.wire.forge(move |data| {
            for edge in data["organization"][list]["edges"].as_array_mut().into_iter().flatten() {
                if edge["node"].pointer(field).is_some_and(|it| it == value) {
                    forgery(&mut edge["node"]);
                }
            }
        });
        let plan = rig.plan();
        let planned = addresses(&plan);
        // Somebody without an address may be anybody.
        let invites = !said.starts_with("user/#");
        assert_eq!(planned.contains(&"user/new@x.example".to_owned()), invites, "{:?}", holds(&plan));
        for address in ["user/u1@x.example", "role/New"] {
            assert!(planned.contains(&address.to_owned()), "{list} {planned:?} {:?}", holds(&plan));
        }
        let is_said = |hold: &String| hold.starts_with(said) && hold.contains("in a form that can't be read");
        let found: Vec<String> = holds(&plan).into_iter().filter(is_said).collect();
        assert!(found.len() == 1 && found[0].contains(" ignored: "), "{said} {:?}", holds(&plan));
        rig.set_file(&format!("manage: {{ users: all, roles: all, keys: all }}\n{body}"));
        let found: Vec<String> = holds(&rig.plan()).into_iter().filter(is_said).collect();
        assert!(found.len() == 1 && found[0].contains(" blocked: "), "{said} {:?}", holds(&rig.plan()));
    }
}

#[test]
fn a_role_whose_row_can_not_be_read_is_neither_made_nor_given() {
    let mut world = with_members(1);
    role(&mut world, "Odd", &["project:describe"]);
    let rig = Rig::new(
        world,
        "roles: [{ name: Odd, description: About Odd, permissions: [] }]
users: [{ email: u0@x.example, roles: [Odd], resources: all }]",
    );
    rig.wire.forge(|data| {
        for edge in data["organization"]["memberRoles"]["edges"].as_array_mut().into_iter().flatten() {
            if edge["node"]["name"] == "Odd" {
                edge["node"]["isLocked"] = json!("perhaps");
            }
        }
    });
    let plan = rig.plan();
    assert!(plan.sealed.mutations.is_empty(), "{:?}", addresses(&plan));
    assert_eq!(holds(&plan).iter().filter(|hold| hold.contains(" blocked: ")).count(), 2, "{:?}", holds(&plan));
}

/// Returns Jane's row in an answer.
fn row_of_jane(data: &mut Value) -> Option<&mut Value> {
    let edges = data.pointer_mut("/organization/members/edges")?.as_array_mut()?;
    edges.iter_mut().map(|edge| &mut edge["node"]).find(|row| row["user"]["email"] == "jane@x.example")
}

/// Jane is to leave a role that gains a permission. While she can't be read or can't be moved, the role gains nothing.
#[test]
fn a_role_gains_nothing_while_somebody_stays_in_it_whom_the_file_does_not_keep() {
    type Case = (&'static str, fn(&mut Value));
    let rig = |body: &str, forgery: fn(&mut Value)| {
        let mut world = world();
        role(&mut world, "Ops", &["project:describe"]);
        for email in ["kept@x.example", "jane@x.example"] {
            member(&mut world, email, "Ops", Assignment::All);
        }
        invitation(&mut world, "late@x.example", "Ops");
        let rig = Rig::new(world, body);
        rig.wire.forge(forgery);
        rig
    };
    let body = |jane: &str| {
        format!(
            "roles: [{{ name: Ops, permissions: [project:describe, laboratory:describe] }}]
users: [{{ email: kept@x.example, roles: [Ops] }}, {{ email: late@x.example, absent: true }}{jane}]\n"
        )
    };
    let (leaves, stays) = (
        body(", { email: jane@x.example, roles: [Viewer], resources: all }"),
        body(", { email: jane@x.example, roles: [Ops], resources: all }"),
    );
    let cases: [Case; 5] = [
        ("user/jane@x.example#", |data| {
            if let Some(row) = row_of_jane(data) {
                row["resourceAssignment"]["mode"] = json!("SOME");
            }
        }),
        // She may have any role.
        ("user/jane@x.example#", |data| {
            if let Some(row) = row_of_jane(data) {
                row["role"] = Value::Null;
            }
        }),
        ("user/#", |data| {
            if let Some(row) = row_of_jane(data) {
                row["user"]["email"] = json!("");
            }
        }),
        // Nobody can be moved.
        ("user/jane@x.example. ", |data| {
            if let Some(fields) = data.pointer_mut("/assignment/inputFields").and_then(Value::as_array_mut) {
                fields.push(json!({ "name": "another" }));
            }
        }),
        ("invitation/late@x.example. ", |data| {
            if let Some(edges) = data.pointer_mut("/organization/invitations/edges") {
                edges[0]["node"]["createdAt"] = json!("soon");
            }
        }),
    ];
    let is_updated = |rig: &Rig| addresses(&rig.plan()).contains(&"role/Ops".to_owned());
    for (said, forgery) in cases {
        let mut rig = rig(&leaves, forgery);
        let plan = rig.plan();
        let is_said = |hold: &&Hold| hold.address.to_string() == "role/Ops" && hold.class == HoldClass::Blocked;
        let hold = plan.sealed.holds.iter().find(is_said).unwrap_or_else(|| panic!("{said} {:?}", holds(&plan)));
        assert!(!is_updated(&rig) && hold.reason.to_string().contains(said), "{said} {hold:#?}");
        let HoldReason::HoldersStay { holders, change: Some(_) } = &hold.reason else { panic!("{hold:#?}") };
        rig.set_file(&format!("{leaves}acknowledged: [\"{}\"]\n", holders[0]));
        assert!(is_updated(&rig), "{said} {:?}", holds(&rig.plan()));
        if said.starts_with("user/jane") {
            rig.set_file(&stays);
            assert!(is_updated(&rig), "{said} {:?}", holds(&rig.plan()));
            // The file says nothing of her.
            rig.set_file(&body(""));
            assert!(is_updated(&rig), "{said} {:?}", holds(&rig.plan()));
            rig.set_file(&format!("manage: {{ users: all }}\n{}", body("")));
            assert_eq!(is_updated(&rig), said.ends_with(' '), "{said} {:?}", holds(&rig.plan()));
        }
    }
    assert!(converged(&rig(&leaves, |_| {}).apply()));
}

/// A server that announces a next page for ever is asked a few times, and its list is incomplete.
#[test]
fn pages_without_an_end_are_a_broken_list_after_few_requests() {
    for circle in [true, false] {
        let mut world = with_members(2);
        invitation(&mut world, "open@x.example", "Viewer");
        let rig = Rig::new(world, "");
        let pages: Mutex<Vec<Value>> = Mutex::default();
        rig.wire.forge_answer(move |body| {
            if body["data"].get("organization").is_none() && body["errors"][0]["path"][0] != "organization" {
                return;
            }
            // The first answer has a page, and every later one repeats it under another cursor.
            let mut pages = pages.lock().unwrap();
            let page = pages.first().unwrap_or(&body["data"]["organization"]["invitations"]).clone();
            pages.push(page.clone());
            let cursor = if circle { pages.len() % 2 } else { pages.len() };
            let edges = if !circle && pages.len() > 2 { json!([]) } else { page["edges"].clone() };
            let info = json!({ "hasNextPage": true, "endCursor": cursor.to_string() });
            if pages.len() > 1 {
                *body = json!({ "data": { "organization": {} } });
            }
            body["data"]["organization"]["invitations"] = json!({ "edges": edges, "pageInfo": info });
        });
        let live = rig.read().unwrap();
        let said = format!("{:?}", live.invitations.unwrap().completeness);
        let why =
            if circle { "its pages lead in a circle" } else { "a page without any says that there are more" };
        assert!(said.contains("Broken") && said.contains(why), "{said}");
        assert!(rig.wire.sent().len() < 10, "{}", rig.wire.sent().len());
    }
}

/// An open invitation would be replaced by one without access, by mail, if the server were taken for an old one.
#[test]
fn a_failed_question_about_the_server_is_no_answer() {
    let error = json!([{ "message": "Unexpected error." }]);
    let coded = json!([{ "message": "x", "extensions": { "code": "INTERNAL_SERVER_ERROR" } }]);
    for glitch in [
        json!({ "errors": error }),
        json!({ "data": null, "errors": coded }),
        json!({ "data": {} }),
        json!({ "data": { "invitation": null, "mutation": { "fields": [] }, "project": null }, "errors": error }),
    ] {
        let mut world = world();
        invitation(&mut world, "new@x.example", "Viewer");
        let rig = Rig::new(world, "users: [{ email: new@x.example, roles: [Viewer], resources: { shop: all } }]");
        let answer = glitch.clone();
        rig.wire.forge_answer(move |body| {
            if body["data"].get("mutation").is_some() {
                *body = answer.clone();
            }
        });
        let ReadError::Call { operation, .. } = rig.read().unwrap_err() else { panic!("{glitch}") };
        assert_eq!(operation, "Features", "{glitch}");
    }
}

#[test]
fn an_open_invitation_with_the_desired_role_is_never_sent_again() {
    let mut world = world();
    world.switches.introspection = false;
    invitation(&mut world, "new@x.example", "Viewer");
    let mut rig = Rig::new(world, "users: [{ email: new@x.example, roles: [Viewer], resources: { shop: all } }]");
    assert!(rig.plan().sealed.mutations.is_empty(), "{:?}", addresses(&rig.plan()));
    rig.apply();
    assert!(rig.world().mails.is_empty());
}

#[test]
fn a_mutation_that_a_rate_limit_refused_is_sent_again() {
    let limit = r#"{"data":null,"errors":[{"message":"slow down","path":["assignMemberRole"],"extensions":{"code":"TOO_MANY_REQUESTS"}}]}"#;
    let body = "users: [{ email: u0@x.example, roles: [Admin], resources: all }]";
    let mut rig = Rig::new(with_members(1), body);
    rig.wire.set_fates(&[Fate::Ignored(200, limit), Fate::Ignored(403, r#"{"message":"rate limit exceeded"}"#)]);
    assert!(converged(&rig.apply()));
    // The platform executes only the third attempt.
    assert_eq!(operations(&rig), ["AssignMemberRole"]);
    // If the limit stays, the platform counts as unreachable, and nothing counts as refused by it.
    let mut rig = Rig::new(with_members(1), body);
    rig.wire.set_fates(&[Fate::Ignored(200, limit); 9]);
    let report = rig.apply();
    assert!(matches!(report.stopped, Some(Stop::Unreachable(_))), "{report:#?}");
    rig.wire.set_fates(&[]);
    assert!(rig.warnings().is_empty());
}

// ---- roles

#[test]
fn a_role_is_made_before_it_is_given_and_its_id_comes_from_the_answer() {
    let mut rig = Rig::new(
        with_members(1),
        "roles: [{ name: Reviewer, description: Reviews, permissions: [project:describe, schemaCheck:approve] }]
users: [{ email: u0@x.example, roles: [Reviewer] }]",
    );
    let plan = rig.plan();
    assert_eq!(
        plan.sealed.mutations[1].variables["input"]["memberRole"]["byId"],
        json!({ "$id": "role/Reviewer" })
    );
    assert_eq!(plan.sealed.mutations[1].after, ["m1"]);
    assert!(converged(&rig.apply_plan(&plan).unwrap()));
    let made = rig.world().role("Reviewer").unwrap().id.clone();
    assert_eq!(sent(&rig)[1].1["memberRole"]["byId"], json!(made));
    assert_eq!(rig.world().member("u0@x.example").unwrap().role_id, made);
}

#[test]
fn an_update_of_a_role_carries_everything_and_the_rest_stays() {
    let mut world = world();
    role(&mut world, "Developer", &["project:describe", "laboratory:describe"]);
    let mut rig = Rig::new(world, "roles: [{ name: Developer, permissions: [project:describe] }]");
    assert!(converged(&rig.apply()));
    let (name, input) = &sent(&rig)[0];
    assert_eq!(*name, "UpdateMemberRole");
    assert_eq!(input["description"], "About Developer");
    assert_eq!(input["selectedPermissions"], json!(["project:describe"]));
}

#[test]
fn a_role_that_loses_what_a_mover_keeps_waits_until_they_have_moved() {
    let mut world = world();
    role(&mut world, "Old", &["project:describe", "laboratory:describe"]);
    role(&mut world, "New", &["project:describe"]);
    member(&mut world, "u0@x.example", "Old", Assignment::All);
    let mut rig = Rig::new(
        world,
        "roles:
  - { name: Old, permissions: [] }
  - { name: New, permissions: [project:describe, laboratory:describe] }
users: [{ email: u0@x.example, roles: [New] }]",
    );
    let order: Vec<String> = rig.plan().sealed.mutations.iter().map(|m| m.change.to_string()).collect();
    assert_eq!(order, ["role/New", "user/u0@x.example", "role/Old"]);
    // The wider role fails, so nothing that depends on it is sent.
    rig.wire.set_fates(&[Fate::Refuse]);
    let plan = rig.plan();
    let report = rig.apply_plan(&plan).unwrap();
    let outcomes: Vec<Outcome> = report.steps.iter().map(|step| step.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Skipped, Outcome::Skipped]);
    assert!(rig.world().access("u0@x.example").iter().any(|access| access.starts_with("laboratory:describe")));
    rig.wire.set_fates(&[]);
    assert!(converged(&rig.apply()));
}

#[test]
fn of_roles_that_swap_permissions_under_movers_one_is_updated_in_two_steps() {
    let mut world = world();
    role(&mut world, "A", &["project:describe"]);
    role(&mut world, "B", &["member:describe"]);
    member(&mut world, "u0@x.example", "Viewer", Assignment::All);
    world.members[1].role_id = uuid("role/A");
    member(&mut world, "u1@x.example", "Viewer", Assignment::All);
    world.members[2].role_id = uuid("role/B");
    // A new role needs a name of at least two letters; existing roles may have shorter ones.
    world.roles[2].name = "Aa".to_owned();
    world.roles[3].name = "Bb".to_owned();
    let mut rig = Rig::new(
        world,
        "roles:
  - { name: Aa, permissions: [member:describe] }
  - { name: Bb, permissions: [project:describe] }
users:
  - { email: u0@x.example, roles: [Bb] }
  - { email: u1@x.example, roles: [Aa] }",
    );
    let plan = rig.plan();
    let steps: Vec<(String, bool)> =
        plan.sealed.mutations.iter().map(|m| (m.change.to_string(), m.first_step)).collect();
    let step = |address: &str, first_step| (address.to_owned(), first_step);
    assert_eq!(
        steps,
        [
            // Two steps for one of the roles are enough to break the cycle.
            step("role/Aa", true),
            step("user/u1@x.example", false),
            step("role/Bb", false),
            step("user/u0@x.example", false),
            step("role/Aa", false),
        ]
    );
    assert!(converged(&rig.apply_plan(&plan).unwrap()));
}

#[test]
fn without_a_circle_no_role_allows_more_than_it_should() {
    let mut world = world();
    role(&mut world, "From", &["project:describe", "laboratory:describe"]);
    role(&mut world, "Through", &["member:describe"]);
    member(&mut world, "out@x.example", "Through", Assignment::All);
    member(&mut world, "in@x.example", "From", Assignment::All);
    // One user leaves and depends on the permission that the role loses. Another joins and depends on the one that
    // it gains.
    let rig = Rig::new(
        world,
        "roles: [{ name: Through, permissions: [laboratory:describe] }]
users: [{ email: out@x.example, roles: [Admin] }, { email: in@x.example, roles: [Through] }]",
    );
    let plan = rig.plan();
    let order: Vec<String> = plan.sealed.mutations.iter().map(|m| m.change.to_string()).collect();
    assert_eq!(order, ["user/out@x.example", "role/Through", "user/in@x.example"]);
}

#[test]
fn a_role_goes_after_its_holders_have_moved() {
    let mut world = world();
    role(&mut world, "Old", &["project:describe"]);
    member(&mut world, "u0@x.example", "Old", Assignment::All);
    let mut rig =
        Rig::new(world, "roles: [{ name: Old, absent: true }]\nusers: [{ email: u0@x.example, roles: [Viewer] }]");
    assert!(converged(&rig.apply()));
    assert_eq!(operations(&rig), ["AssignMemberRole", "DeleteMemberRole"]);
    assert!(rig.world().role("Old").is_none());
}

#[test]
fn an_address_that_the_server_refuses_is_an_error_where_somebody_must_be_invited() {
    let refused = [
        "a@b",
        "user@[127.0.0.1]",
        "ü@x.test",
        "x@ü.test",
        "a..b@x.test",
        ".a@x.test",
        "a.@x.test",
        "a/b@x.test",
        "a@x.t",
    ];
    for address in refused {
        let entry = format!("users: [{{ email: \"{address}\", roles: [Viewer], resources: all }}]");
        let found = findings(world(), &entry);
        assert!(matches!(&found[..], [only] if only.code == Code::InvalidEmail), "{address}: {found:?}");
        // Somebody who came in by another way can still be named.
        let mut world = world();
        member(&mut world, address, "Viewer", Assignment::All);
        assert!(Rig::new(world.clone(), &entry).plan().sealed.changes.is_empty(), "{address}");
        let leaves = Rig::new(world, &format!("users: [{{ email: \"{address}\", absent: true }}]"));
        assert!(!leaves.plan().sealed.changes.is_empty(), "{address}");
    }
}

#[test]
fn a_name_is_the_same_in_each_form_of_unicode() {
    let mut world = world();
    let (composed, decomposed) = ("D\u{e9}veloppeur", "De\u{301}veloppeur");
    role(&mut world, decomposed, &["project:describe"]);
    member(&mut world, "andre\u{301}@x.example", decomposed, Assignment::All);
    let body = format!(
        "manage: {{ roles: all, users: all }}\nguardrails: {{ max_removals: 100%, min_admins: 0 }}\nroles: [{{ name: {composed}, permissions: [project:describe] }}]
users: [{{ email: andr\u{e9}@x.example, roles: [{composed}] }}, {{ email: owner@acme.example }}]"
    );
    let rig = Rig::new(world, &body);
    let plan = rig.plan();
    assert!(plan.sealed.changes.is_empty(), "{:?}", plan.sealed.changes);
}

#[test]
fn a_live_name_can_be_written_as_it_is() {
    for (name, written) in [
        ("Ops ", "Ops "),
        ("Release\u{a0}manager", "Release\\u00a0manager"),
        ("Op\u{200b}s", "Op\\u200bs"),
        ("Op\ts", "Op\\ts"),
    ] {
        let mut world = world();
        role(&mut world, name, &["project:describe"]);
        let rig = Rig::new(world, &format!("roles: [{{ name: \"{written}\", absent: true }}]"));
        assert_eq!(rig.plan().sealed.changes.len(), 1, "{name:?}");
        // Nobody needs a new role with such a name.
        let found = findings(
            crate::support::hive::world(),
            &format!("roles: [{{ name: \"{written}\", description: About, permissions: [] }}]"),
        );
        assert!(matches!(&found[..], [only] if only.code == Code::InvalidValue), "{name:?}: {found:?}");
    }
}

#[test]
fn a_service_whose_name_means_all_is_marked() {
    use rolecall_model::{ProjectReach, RemoteId, Slug, TargetReach};
    let services = Reach::Only(BTreeSet::from(["*".to_owned()]));
    let target = TargetReach { id: RemoteId::seen("t"), services, app_deployments: Reach::Only(BTreeSet::new()) };
    let targets = Reach::Only([(Slug::seen("production"), target)].into());
    let shop = ProjectReach { id: RemoteId::seen("p"), targets };
    let paths = Reach::Only([(Slug::seen("shop"), shop)].into()).paths();
    assert_eq!(paths, BTreeSet::from(["shop/production/services/\"*\" (everything)".to_owned()]));
}

#[test]
fn a_role_that_somebody_else_has_is_not_deleted() {
    let mut world = world();
    role(&mut world, "Old", &["project:describe"]);
    member(&mut world, "u0@x.example", "Old", Assignment::All);
    invitation(&mut world, "i0@x.example", "Old");
    let rig = Rig::new(world, "roles: [{ name: Old, absent: true }]");
    let plan = rig.plan();
    assert!(plan.sealed.mutations.is_empty());
    let hold = holds(&plan).into_iter().find(|hold| hold.starts_with("role/Old")).unwrap();
    assert!(hold.contains("blocked") && hold.contains("u0@x.example") && hold.contains("i0@x.example"), "{hold}");
}

#[test]
fn built_in_roles_are_never_touched_whatever_they_are_called() {
    let mut world = world();
    role(&mut world, "Custom", &[]);
    role(&mut world, "Kept", &[]);
    let viewer = world.roles.iter_mut().find(|role| role.name == "Viewer").unwrap();
    viewer.name = "Renamed".to_owned();
    let kept = "roles: [{ name: Kept, permissions: [] }]";
    let rig = Rig::new(world.clone(), &format!("manage: {{ roles: all }}\n{kept}"));
    assert_eq!(addresses(&rig.plan()), ["role/Custom"]);
    let locked = holds(&rig.plan()).into_iter().filter(|hold| hold.contains("built in")).count();
    assert_eq!(locked, 2);
    let found = findings(world, "roles: [{ name: Renamed, permissions: [] }]");
    assert_eq!(found[0].code, Code::ReservedRole);
}

/// Returns an organisation with 50 roles besides the built-in ones, which are then missing in the list.
fn with_fifty_roles() -> World {
    let mut world = with_members(1);
    for index in 0..50 {
        role(&mut world, &format!("Role {index:02}"), &[]);
    }
    world
}

#[test]
fn among_fifty_roles_a_hidden_one_is_tried_and_then_held() {
    let mut world = with_fifty_roles();
    let rig = Rig::new(world.clone(), "");
    let live = rig.read().unwrap();
    assert!(live.roles.as_ref().unwrap().completeness.is_incomplete());
    let listed: BTreeSet<String> = live.roles().iter().map(|role| role.name.to_string()).collect();
    let hidden = world.roles.iter().find(|role| !listed.contains(&role.name)).unwrap().name.clone();
    world.roles.iter_mut().find(|role| role.name == hidden).unwrap().locked = false;
    let mut rig =
        Rig::new(world, &format!("roles: [{{ name: {hidden}, description: About it, permissions: [] }}]\n"));
    let report = rig.apply();
    assert_eq!(report.steps[0].outcome, Outcome::Skipped);
    assert_eq!(report.steps[0].held, Some(HoldReason::RoleExistsUnlisted));
    let second = rig.plan();
    assert!(second.sealed.mutations.is_empty());
    assert!(holds(&second).iter().any(|hold| hold.contains("blocked: The platform has a role of this name")));
}

#[test]
fn the_details_of_held_roles_are_asked_for_only_if_the_list_of_roles_lacks_one_of_them() {
    let details = |world: World| {
        let rig = Rig::new(world, "");
        let live = rig.read().unwrap();
        let admin = live.roles().iter().find(|role| role.name.as_str() == "Admin");
        assert!(admin.is_some_and(|admin| !admin.permissions.is_empty()));
        let sent = rig.wire.sent();
        let reads = sent.iter().filter(|request| request.operation_name == "Organization");
        reads.map(|request| request.variables["roleDetails"] == true).collect::<Vec<_>>()
    };
    assert_eq!(details(with_members(3)), [false]);
    // The list shows the newest 50 of 52 roles. The owner is an Admin.
    assert_eq!(details(with_fifty_roles()), [false, true]);
}

#[test]
fn among_fifty_roles_one_that_is_seen_through_a_member_can_be_given() {
    // The owner has the role Admin, so it is known even if the list leaves it out.
    let mut rig = Rig::new(with_fifty_roles(), "users: [{ email: u0@x.example, roles: [Admin] }]");
    assert!(rig.apply().all_done());
    let admin = rig.world().role("Admin").unwrap().id.clone();
    assert_eq!(rig.world().member("u0@x.example").unwrap().role_id, admin);
}

#[test]
fn permissions_are_checked_against_the_catalogue_of_this_server() {
    let mut world = world();
    world.switches.release = Release::V8_1_2;
    let body = "roles:\n  - { name: One, description: About, permissions: [schemaCheck:aprove, personalAccessToken:modify] }";
    let found = findings(world.clone(), body);
    let codes: Vec<Code> = found.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::UnknownPermission, Code::UnknownPermission]);
    let near = found.iter().find(|finding| finding.message.contains("aprove")).unwrap();
    assert_eq!(near.hint.as_deref(), Some("Did you mean `schemaCheck:approve`?"));
    assert_eq!((near.place.line, near.place.column), (6, 52));
    world.switches.release = Release::Newest;
    let codes: Vec<Code> = findings(world, body).iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [Code::UnknownPermission]);
}

#[test]
fn a_permission_without_the_one_it_needs_is_a_warning_that_names_it() {
    let rig = Rig::new(world(), "roles: [{ name: One, description: About, permissions: [member:modify] }]");
    let warnings = rig.warnings();
    assert_eq!(warnings[0].code, Code::PermissionNeedsAnother);
    assert_eq!(warnings[0].hint.as_deref(), Some("Add `member:describe`."));
}

#[test]
fn the_permission_that_every_role_has_makes_no_difference() {
    let mut world = world();
    role(&mut world, "Developer", &["project:describe"]);
    let body = "roles: [{ name: Developer, permissions: [organization:describe, project:describe] }]";
    assert!(Rig::new(world, body).plan().sealed.changes.is_empty());
}

// ---- people

#[test]
fn no_resources_are_sent_as_an_explicit_empty_list() {
    let mut rig = Rig::new(with_members(1), "users: [{ email: u0@x.example, resources: {} }]");
    assert!(converged(&rig.apply()));
    assert_eq!(sent(&rig)[0].1["resources"], json!({ "mode": "GRANULAR", "projects": [] }));
    assert!(!rig.world().access("u0@x.example").iter().any(|access| access.contains("shop")));
}

#[test]
fn role_and_resources_go_out_together_and_what_is_not_written_is_kept() {
    let mut world = world();
    let shop =
        Scope::Granular(vec![rolecall_sandbox::hive::AssignedProject { id: uuid("shop"), targets: Scope::All }]);
    member(&mut world, "u0@x.example", "Viewer", shop.clone());
    let mut rig = Rig::new(world, "users: [{ email: u0@x.example, roles: [Admin] }]");
    assert!(converged(&rig.apply()));
    let all_of_shop = json!([{ "projectId": uuid("shop"), "targets": { "mode": "ALL" } }]);
    assert_eq!(sent(&rig)[0].1["resources"], json!({ "mode": "GRANULAR", "projects": all_of_shop }));
    assert_eq!(rig.world().member("u0@x.example").unwrap().resources, shop);
}

#[test]
fn what_does_not_resolve_fails_the_plan_at_its_place() {
    let body = "users:
  - email: u0@x.example
    resources:
      shopp: all
      shop: { prod: all, production: { app_deployments: all } }
      blog:
        production: { services: [users] }
        staging: {}
";
    let found = findings(with_members(1), body);
    let places: Vec<(Code, usize, usize)> =
        found.iter().map(|finding| (finding.code, finding.place.line, finding.place.column)).collect();
    assert_eq!(
        places,
        [
            (Code::UnknownProject, 8, 7),
            (Code::UnknownTarget, 9, 15),
            (Code::ServicesOfSingleProject, 11, 9),
            (Code::ServicesOfSingleProject, 12, 9),
        ]
    );
    let hint = |code| found.iter().find(|finding| finding.code == code).unwrap().hint.clone().unwrap();
    assert_eq!(hint(Code::UnknownProject), "Did you mean `shop`?");
}

#[test]
fn a_role_that_is_not_there_is_named_with_the_nearest() {
    let found = findings(with_members(1), "users: [{ email: u0@x.example, roles: [Viewr] }]");
    assert_eq!((found[0].code, found[0].hint.as_deref()), (Code::UnknownRole, Some("Did you mean `Viewer`?")));
}

#[test]
fn two_members_with_one_address_are_distinguished_only_by_id() {
    let mut world = with_members(0);
    member(&mut world, "twin@x.example", "Viewer", Assignment::All);
    member(&mut world, "twin@x.example", "Viewer", Assignment::All);
    let ids: Vec<String> = world.members[1..].iter().map(|member| member.user_id.clone()).collect();
    let found = findings(world.clone(), "users: [{ email: twin@x.example, roles: [Admin] }]");
    assert_eq!(found[0].code, Code::AmbiguousUser);
    assert!(ids.iter().all(|id| found[0].message.contains(id)));
    let pinned = format!("users: [{{ email: twin@x.example, id: {}, roles: [Admin] }}]", ids[1]);
    let mut rig = Rig::new(world, &pinned);
    assert_eq!(addresses(&rig.plan()), [format!("user/twin@x.example#{}", ids[1])]);
    assert!(converged(&rig.apply()));
    let admin = rig.world().role("Admin").unwrap().id.clone();
    let roles: Vec<bool> = rig.world().members[1..].iter().map(|member| member.role_id == admin).collect();
    assert_eq!(roles, [false, true]);
}

#[test]
fn a_user_who_must_be_removed_loses_access_and_the_removal_is_a_manual_step() {
    let mut rig = Rig::new(with_members(1), "users: [{ email: u0@x.example, absent: true }]");
    let report = rig.apply();
    assert!(report.all_done());
    assert_eq!(operations(&rig), ["CreateMemberRole", "AssignMemberRole"]);
    let access: Vec<String> = rig.world().access("u0@x.example").into_iter().collect();
    assert_eq!(access, ["organization:describe @ organization"]);
    let second = rig.plan();
    assert!(second.sealed.mutations.is_empty());
    assert!(
        holds(&second)
            .iter()
            .any(|hold| hold.starts_with("user/u0@x.example blocked") && hold.contains("web app"))
    );
}

#[test]
fn containment_uses_the_role_that_the_file_names_and_never_one_that_allows_something() {
    let mut world = with_members(1);
    role(&mut world, "Parked", &[]);
    let body = "containment_role: Parked\nusers: [{ email: u0@x.example, absent: true }]";
    let mut rig = Rig::new(world.clone(), body);
    rig.apply();
    assert_eq!(operations(&rig), ["AssignMemberRole"]);
    world.roles.last_mut().unwrap().permissions = vec!["project:describe".to_owned()];
    assert_eq!(findings(world, body)[0].code, Code::ContainmentRoleHolds);
}

#[test]
fn under_manage_all_unlisted_members_lose_access_and_the_owner_never() {
    let mut world = with_members(2);
    member(&mut world, "chief@x.example", "Admin", Assignment::All);
    let mut rig = Rig::new(world, "manage: { users: all }\nusers: [{ email: chief@x.example }]");
    rig.apply();
    let contained = rig.world().role("No access").unwrap().id.clone();
    let inside = rig.world().members.iter().filter(|member| member.role_id == contained).count();
    assert_eq!(inside, 2);
    assert!(
        holds(&rig.plan())
            .iter()
            .any(|hold| hold.starts_with("user/owner@acme.example ignored: This user is the owner"))
    );
}

#[test]
fn the_owner_is_never_touched_whatever_the_file_says() {
    let rig = Rig::new(world(), "users: [{ email: owner@acme.example, roles: [Viewer] }]");
    assert_eq!(addresses(&rig.plan()), [""; 0]);
    assert!(
        holds(&rig.plan())[0].contains("ignored: This user is the owner")
            || holds(&rig.plan()).iter().any(|hold| hold.contains("owner@acme.example ignored"))
    );
    let rig = Rig::new(world(), "users: [{ email: owner@acme.example, absent: true }]");
    assert!(holds(&rig.plan()).iter().any(
        |hold| hold.starts_with("user/owner@acme.example blocked") && hold.contains("Transfer the ownership")
    ));
}

#[test]
fn the_last_admins_are_kept() {
    let mut world = world();
    member(&mut world, "chief@x.example", "Admin", Assignment::All);
    let rig = Rig::new(
        world,
        "guardrails: { min_admins: 2 }\nusers: [{ email: chief@x.example, roles: [Viewer], resources: all }]",
    );
    let plan = rig.plan();
    assert_eq!(plan.refusals[0].guardrail.as_str(), "min_admins");
    assert!(plan.refusals[0].message.contains("once they have accepted"), "{}", plan.refusals[0].message);
}

#[test]
fn a_user_who_turns_out_to_be_externally_managed_is_not_done_and_is_not_asked_for_again() {
    let mut world = with_members(1);
    world.members[1].provisioned = true;
    let mut rig = Rig::new(world, "users: [{ email: u0@x.example, roles: [Admin] }]");
    let report = rig.apply();
    assert_eq!((report.steps[0].outcome, report.all_done()), (Outcome::Skipped, false));
    assert!(
        matches!(&report.final_state, FinalState::NeedsAttention(held) if held.len() == 1),
        "{:?}",
        report.final_state
    );
    let second = rig.plan();
    assert!(second.sealed.mutations.is_empty());
    assert!(
        holds(&second)
            .iter()
            .any(|hold| hold.starts_with("user/u0@x.example blocked: Another system provisions this user"))
    );
    // With `--assert` it is tried again. It succeeds once the other system no longer provisions the user.
    rig.world().members[1].provisioned = false;
    let asserted = BTreeSet::from(["user/u0@x.example".parse::<Address>().unwrap()]);
    let plan = rig.plan_from(&rig.read().unwrap(), &asserted, None).unwrap();
    assert!(converged(&rig.apply_plan(&plan).unwrap()));
}

#[test]
fn what_the_server_drops_is_not_taken_and_not_sent_again() {
    let mut world = with_members(1);
    world.switches.app_deployments_kept = false;
    let tree = "{ shop: { production: { services: all, app_deployments: [web] } } }";
    let mut rig = Rig::new(world, &format!("users: [{{ email: u0@x.example, resources: {tree} }}]"));
    let report = rig.apply();
    assert_eq!(report.steps[0].outcome, Outcome::NotTaken);
    assert!(report.steps[0].message.as_ref().unwrap().contains("dropped the resources shop/production/apps/web"));
    let second = rig.plan();
    assert!(second.sealed.mutations.is_empty());
    assert!(
        holds(&second).iter().any(|hold| hold.contains("user/u0@x.example blocked: rolecall sent this change on"))
    );
    // The hold applies only as long as live is as the platform left it.
    rig.world().members[1].resources = Assignment::All;
    assert_eq!(addresses(&rig.plan()), ["user/u0@x.example"]);
}

#[test]
fn a_role_of_another_organisation_is_never_given_whatever_it_is_called() {
    let mut world = with_members(2);
    role(&mut world, "Developer", &["project:describe"]);
    let mut rig = Rig::new(world, "users: [{ email: u0@x.example, roles: [Developer] }, { email: u1@x.example }]");
    let foreign = json!({
        "id": uuid("foreign"), "name": "Developer", "description": "Theirs", "isLocked": false,
        "permissions": ["member:modify"],
    });
    // The list shows our role; its holder shows the other one.
    rig.wire.forge(move |data| {
        let edges = data.pointer_mut("/organization/members/edges").and_then(Value::as_array_mut);
        for edge in edges.into_iter().flatten().filter(|edge| edge["node"]["user"]["email"] == "u1@x.example") {
            edge["node"]["role"] = foreign.clone();
        }
    });
    let plan = rig.plan();
    assert_eq!(plan.sealed.mutations[0].variables["input"]["memberRole"]["byId"], json!(uuid("role/Developer")));
    assert!(plan.gaps.iter().any(|gap| gap.what == "roles of another organisation"));
    // A user with the other organisation's role who should have ours is given ours.
    rig.set_file("users: [{ email: u1@x.example, roles: [Developer] }]");
    let plan = rig.plan();
    assert_eq!(plan.sealed.mutations[0].variables["input"]["memberRole"]["byId"], json!(uuid("role/Developer")));
}

#[test]
fn what_a_role_allows_is_part_of_what_is_approved() {
    let mut world = with_members(1);
    role(&mut world, "Release", &["project:describe"]);
    let undeclared = "users: [{ email: u0@x.example, roles: [Release] }]";
    let declared = format!("roles: [{{ name: Release, permissions: [project:describe] }}]\n{undeclared}");
    for body in [undeclared, &declared] {
        let rig = Rig::new(world.clone(), body);
        let approved = rig.plan();
        let widened = vec!["project:describe".to_owned(), "member:modify".to_owned()];
        rig.world().roles.last_mut().unwrap().permissions = widened;
        let approval = rolecall_plan::compare(&approved.sealed, &rig.plan().sealed);
        assert!(approval.still_valid.is_empty(), "{body}");
        assert_eq!(approval.stale.len(), 1, "{body}");
    }
}

#[test]
fn nobody_comes_before_a_role_has_lost_what_it_loses() {
    let mut world = with_members(1);
    role(&mut world, "Release", &["project:describe", "member:modify"]);
    let mut rig = Rig::new(
        world,
        "roles: [{ name: Release, permissions: [project:describe] }]
users:
  - { email: u0@x.example, roles: [Release] }
  - { email: new@x.example, roles: [Release], resources: all }",
    );
    rig.wire.set_fates(&[Fate::Refuse]);
    let plan = rig.plan();
    let report = rig.apply_plan(&plan).unwrap();
    let outcomes: Vec<Outcome> = report.steps.iter().map(|step| step.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Skipped, Outcome::Skipped]);
    assert!(rig.world().mails.is_empty());
}

#[test]
fn a_role_gains_nothing_before_those_have_left_who_must_go() {
    let mut world = world();
    role(&mut world, "Release", &["project:describe"]);
    member(&mut world, "left@x.example", "Release", Assignment::All);
    let rig = Rig::new(
        world,
        "roles: [{ name: Release, permissions: [project:describe, member:describe, member:modify] }]
users: [{ email: left@x.example, absent: true }]",
    );
    let order: Vec<String> = rig.plan().sealed.mutations.iter().map(|m| m.change.to_string()).collect();
    assert_eq!(order, ["role/No access", "user/left@x.example", "role/Release"]);
}

#[test]
fn resources_shrink_before_a_role_gains_and_grow_after_it_has_lost() {
    let mut world = world();
    role(&mut world, "Gains", &["project:describe"]);
    role(&mut world, "Loses", &["project:describe", "target:delete"]);
    member(&mut world, "less@x.example", "Gains", Assignment::All);
    member(&mut world, "more@x.example", "Loses", Scope::Granular(Vec::new()));
    let rig = Rig::new(
        world,
        "roles:
  - { name: Gains, permissions: [project:describe, target:delete] }
  - { name: Loses, permissions: [project:describe] }
users:
  - { email: less@x.example, resources: { shop: all } }
  - { email: more@x.example, resources: all }",
    );
    let plan = rig.plan();
    let place =
        |address: &str| plan.sealed.mutations.iter().position(|m| m.change.to_string() == address).unwrap();
    assert!(place("user/less@x.example") < place("role/Gains"));
    assert!(place("role/Loses") < place("user/more@x.example"));
    assert!(plan.sealed.mutations.iter().all(|mutation| !mutation.first_step));
}

#[test]
fn what_an_approved_change_relies_on_has_to_be_approved_as_well() {
    let mut world = world();
    role(&mut world, "Old", &["project:describe"]);
    let body = "roles: [{ name: Old, absent: true }]
users: [{ email: new@x.example, roles: [Viewer], resources: all }]";
    let mut rig = Rig::new(world, body);
    rig.set_file(body);
    let approved = rig.plan();
    // Somebody was invited with the role in the meantime. Nobody reviewed the replacement of that invitation.
    invitation(&mut rig.world(), "new@x.example", "Old");
    let approval = rolecall_plan::compare(&approved.sealed, &rig.plan().sealed);
    assert!(approval.still_valid.is_empty(), "{approval:#?}");
    let role = approval.stale.iter().find(|stale| stale.approved.address.to_string() == "role/Old").unwrap();
    assert_eq!(role.depends_on.as_ref().unwrap().to_string(), "user/new@x.example");
}

#[test]
fn a_change_of_a_role_says_who_has_it_and_spares_whom_the_file_protects() {
    let mut world = world();
    role(&mut world, "Release", &["project:describe"]);
    member(&mut world, "ghost@x.example", "Release", Assignment::All);
    let roles = "roles: [{ name: Release, permissions: [project:describe, member:modify, member:describe] }]";
    let rig = Rig::new(world.clone(), roles);
    let approved = rig.plan();
    let shown = rolecall::report::plan_text(
        &rolecall_model::Plan::new("test", vec![approved.clone()]),
        rolecall::report::Layout::default(),
    );
    assert!(shown.contains("held by") && shown.contains("user/ghost@x.example"), "{shown}");
    assert!(holds(&approved).iter().any(|hold| {
        hold.starts_with("user/ghost@x.example blocked: Not in the file, and gives privileged access.")
    }));
    // A user who was given the role later isn't in the approved plan.
    member(&mut rig.world(), "late@x.example", "Release", Assignment::All);
    assert!(rolecall_plan::compare(&approved.sealed, &rig.plan().sealed).still_valid.is_empty());
    let rig = Rig::new(world, &format!("guardrails: {{ protected: [user/ghost@x.example] }}\n{roles}"));
    assert!(rig.plan().sealed.changes.is_empty());
    assert!(holds(&rig.plan()).iter().any(|hold| {
        hold.starts_with("role/Release blocked: This change would also change the access of user/ghost@x.example")
    }));
}

#[test]
fn every_account_of_a_user_who_must_be_removed_loses_access() {
    let mut world = with_members(0);
    member(&mut world, "twin@x.example", "Viewer", Assignment::All);
    member(&mut world, "twin@x.example", "Admin", Assignment::All);
    let mut rig = Rig::new(world, "users: [{ email: twin@x.example, absent: true }]");
    rig.apply();
    let contained = rig.world().role("No access").unwrap().id.clone();
    assert!(rig.world().members[1..].iter().all(|member| member.role_id == contained));
}

#[test]
fn an_account_that_is_gone_does_not_hide_an_invitation() {
    let mut world = world();
    invitation(&mut world, "left@x.example", "Admin");
    let mut rig = Rig::new(world, "users: [{ email: left@x.example, id: gone, absent: true }]");
    rig.apply();
    assert!(rig.world().invitations.is_empty());
}

#[test]
fn a_user_is_removed_although_invitations_can_not_be_read() {
    let mut world = with_members(1);
    invitation(&mut world, "foreign@x.example", "Viewer");
    world.invitations[0].role_id = uuid("of another organisation");
    let body = "manage: { users: all }
users: [{ email: owner@acme.example }, { email: new@x.example, roles: [Viewer], resources: all }]";
    let mut rig = Rig::new(world, body);
    let plan = rig.plan();
    assert_eq!(addresses(&plan), ["role/No access", "user/u0@x.example"]);
    assert!(holds(&plan).iter().any(|hold| hold.starts_with("invitation/* blocked: The list of invitations")));
    assert!(rig.apply_plan(&plan).unwrap().all_done());
}

#[test]
fn what_relies_on_somebody_whom_another_system_provisions_is_not_done_either() {
    let mut world = world();
    role(&mut world, "Old", &[]);
    member(&mut world, "u0@x.example", "Old", Assignment::All);
    world.members[1].provisioned = true;
    let mut rig =
        Rig::new(world, "roles: [{ name: Old, absent: true }]\nusers: [{ email: u0@x.example, roles: [Viewer] }]");
    let report = rig.apply();
    let not_done: Vec<String> = report.not_done().iter().map(ToString::to_string).collect();
    assert_eq!(not_done, ["user/u0@x.example", "role/Old"], "{report:#?}");
    assert!(rig.plan().sealed.mutations.is_empty());
}

#[test]
fn nobody_is_given_a_role_whose_own_change_is_held() {
    let mut world = with_members(1);
    role(&mut world, "Release", &["project:describe", "member:modify"]);
    let rig = Rig::new(
        world,
        "guardrails: { protected: [role/Release, \"role/No access\", user/u1@x.example] }
roles: [{ name: Release, permissions: [] }]
users:
  - { email: u0@x.example, roles: [Release] }
  - { email: owner@acme.example }",
    );
    let plan = rig.plan();
    assert!(plan.sealed.changes.is_empty(), "{:#?}", plan.sealed.changes);
    assert!(
        holds(&plan)
            .iter()
            .any(|hold| hold.starts_with("user/u0@x.example blocked: The role `Release` can't be given"))
    );
}

#[test]
fn the_containment_role_is_created_only_if_a_user_gets_it() {
    let body = "guardrails: { protected: [user/u0@x.example] }\nusers: [{ email: u0@x.example, absent: true }]";
    let plan = Rig::new(with_members(1), body).plan();
    assert!(plan.sealed.changes.is_empty());
    let of_user = holds(&plan).into_iter().filter(|hold| hold.starts_with("user/u0@")).collect::<Vec<_>>();
    assert_eq!(
        of_user,
        ["user/u0@x.example blocked: The file's guardrails protect this entity, so rolecall doesn't change it."]
    );
    let body = "guardrails: { protected: [\"role/No access\"] }\nusers: [{ email: u0@x.example, absent: true }]";
    let rig = Rig::new(with_members(1), body);
    assert!(rig.warnings().is_empty());
    let hold = holds(&rig.plan()).into_iter().find(|hold| hold.starts_with("user/u0@")).unwrap();
    assert!(hold.contains("lose all resources, but keep") && hold.contains("web app"), "{hold}");
}

#[test]
fn a_leaver_loses_all_resources_even_if_no_role_without_permissions_can_be_used() {
    let mut world = with_fifty_roles();
    world.roles.iter_mut().for_each(|role| role.permissions = vec!["project:describe".to_owned()]);
    role(&mut world, "Support", &["support:manageTickets", "project:describe"]);
    member(&mut world, "gone@x.example", "Support", Assignment::All);
    let body = "users: [{ email: gone@x.example, absent: true }]";
    let mut rig = Rig::new(world.clone(), body);
    assert!(rig.apply().all_done());
    assert_eq!(operations(&rig), ["AssignMemberRole"], "the role may exist, so none is created");
    let access: Vec<String> = rig.world().access("gone@x.example").into_iter().collect();
    assert_eq!(access, ["organization:describe @ organization", "support:manageTickets @ organization"]);
    let second = rig.plan();
    assert!(second.sealed.mutations.is_empty());
    assert!(holds(&second).iter().any(|hold| hold.contains("keep what the role `Support` allows")));
    // Any listed role that allows nothing takes the rest, too.
    world.roles.iter_mut().filter(|role| role.name == "Role 40").for_each(|role| role.permissions.clear());
    let mut rig = Rig::new(world, body);
    assert!(rig.apply().all_done());
    let access: Vec<String> = rig.world().access("gone@x.example").into_iter().collect();
    assert_eq!(access, ["organization:describe @ organization"]);
}

#[test]
fn a_containment_role_that_somebody_gave_permissions_keeps_nobody_in() {
    let mut world = with_members(1);
    role(&mut world, "No access", &["member:modify"]);
    let rig = Rig::new(world, "users: [{ email: u0@x.example, absent: true }]");
    assert_eq!(rig.try_plan().unwrap_err()[0].code, Code::ContainmentRoleHolds);
    let plan = rig.plan_without_errors();
    assert_eq!(addresses(&plan), ["user/u0@x.example"]);
    assert!(holds(&plan).iter().any(|hold| hold.starts_with("role/No access blocked")));
}

#[test]
fn a_role_that_the_cut_off_list_lacks_may_exist_and_stops_nobody_else() {
    let body = "roles: [{ name: Hidden }, { name: Old, absent: true }]\nusers: [{ email: u0@x.example, roles: [Hidden] }, { email: gone@x.example, absent: true }]";
    let mut world = with_fifty_roles();
    member(&mut world, "gone@x.example", "Viewer", Assignment::All);
    let rig = Rig::new(world, &format!("guardrails: {{ protected: [role/Unseen] }}\n{body}"));
    assert!(rig.warnings().is_empty(), "a role that the list may lack is no misspelling: {:#?}", rig.warnings());
    let plan = rig.plan();
    assert_eq!(addresses(&plan), ["user/gone@x.example"]);
    let held = holds(&plan);
    for address in ["role/Hidden", "role/Old", "user/u0@x.example"] {
        assert!(held.iter().any(|hold| hold.starts_with(&format!("{address} blocked"))), "{address}: {held:?}");
    }
    assert!(
        held.iter().any(|hold| hold.starts_with("role/Old") && hold.contains("Delete the role in the web app"))
    );
}

#[test]
fn one_thing_that_is_ambiguous_holds_its_own_entry_and_leavers_still_lose_access() {
    let mut world = with_members(2);
    member(&mut world, "twin@x.example", "Viewer", Assignment::All);
    member(&mut world, "twin@x.example", "Viewer", Assignment::All);
    let own = world.tokens[0].clone();
    for index in 0..2 {
        let (id, title) = (uuid(&format!("twin/{index}")), "twin".to_owned());
        world.tokens.push(WorldToken { id, title, ..own.clone() });
    }
    let body = "manage: { users: all, keys: all }
users:
  - { email: owner@acme.example }
  - { email: twin@x.example, roles: [Admin] }
  - { email: u0@x.example, roles: [Viewer], resources: { deleted: all } }
  - { email: u1@x.example, absent: true }
roles: [{ name: Odd, description: About it, permissions: [no:such] }]
keys: [{ name: twin, permissions: [project:describe], resources: all, deliver: { file: key } }]
";
    let rig = Rig::new(world, body);
    let plan = rig.plan_without_errors();
    assert_eq!(addresses(&plan), ["role/No access", "user/u1@x.example"]);
    let reasons: Vec<(String, String)> = plan
        .sealed
        .holds
        .iter()
        .filter_map(|hold| match &hold.reason {
            HoldReason::Unplannable { code, .. } => Some((hold.address.to_string(), code.clone())),
            _ => None,
        })
        .collect();
    let expected = [
        ("role/Odd", "unknown-permission"),
        ("user/twin@x.example", "ambiguous-user"),
        ("user/u0@x.example", "unknown-project"),
        ("key/twin", "ambiguous-key"),
    ];
    assert_eq!(reasons, expected.map(|(address, code)| (address.to_owned(), code.to_owned())));
}

#[test]
fn an_entry_that_means_nobody_is_told_with_the_nearest_name() {
    let mut world = with_members(1);
    role(&mut world, "Release manager", &[]);
    let body = "guardrails: { protected: [user/ownr@acme.example] }
users: [{ email: u0@x.exmaple, absent: true }]
roles: [{ name: Release Manager, absent: true }]
keys: [{ name: rolecal, absent: true }]
";
    let found = Rig::new(world.clone(), body).warnings();
    let hints: Vec<&str> = found.iter().filter_map(|finding| finding.hint.as_deref()).collect();
    assert!(found.iter().all(|finding| finding.code == Code::UnmatchedAddress), "{found:#?}");
    for near in ["user/owner@acme.example", "user/u0@x.example", "role/Release manager", "key/rolecall"] {
        assert!(
            hints.iter().any(|hint| hint.starts_with(&format!("Did you mean `{near}`?"))),
            "{near}: {hints:#?}"
        );
    }
    // Whom rolecall has removed is no misspelling, wherever they are now.
    let mut rig = Rig::new(world, "users: [{ email: u0@x.example, absent: true }]");
    rig.apply();
    rig.world().members.retain(|member| member.email != "u0@x.example");
    assert!(rig.warnings().is_empty());
}

#[test]
fn a_role_that_shows_again_is_no_longer_held() {
    let mut world = with_fifty_roles();
    world.roles.push(rolecall_sandbox::hive::WorldRole {
        id: "00000000-0000-4000-8000-000000000000".to_owned(),
        ..world.roles[2].clone()
    });
    world.roles.last_mut().unwrap().name = "Hidden".to_owned();
    let body = "roles: [{ name: Hidden, description: About it, permissions: [] }]";
    let mut rig = Rig::new(world, body);
    assert_eq!(rig.apply().steps[0].held, Some(HoldReason::RoleExistsUnlisted));
    rig.world().roles.retain(|role| !role.name.starts_with("Role"));
    rig.world().roles.retain(|role| role.name != "Hidden");
    assert_eq!(addresses(&rig.plan()), ["role/Hidden"]);
}

// ---- invitations

#[test]
fn an_invitation_carries_role_and_resources_where_the_server_takes_them() {
    let body = "users: [{ email: New@x.example, roles: [Viewer], resources: { shop: all } }]";
    let mut rig = Rig::new(world(), body);
    assert!(converged(&rig.apply()));
    let (_, input) = &sent(&rig)[0];
    assert_eq!(input["email"], "new@x.example");
    assert_eq!(input["resources"]["projects"][0]["projectId"], json!(uuid("shop")));
    assert!(rig.plan().sealed.mutations.is_empty());
    assert!(rig.world().accept("new@x.example"));
    assert!(rig.plan().sealed.mutations.is_empty());
    assert_eq!(rig.world().mails, ["new@x.example"]);
}

#[test]
fn where_invitations_carry_no_resources_nobody_gets_more_than_the_file_says() {
    let mut world = world();
    world.switches.release = Release::V8_1_2;
    let body = "users:
  - { email: tree@x.example, roles: [Admin], resources: { shop: all } }
  - { email: all@x.example, roles: [Viewer], resources: all }";
    let mut rig = Rig::new(world, body);
    rig.apply();
    let role_of = |rig: &Rig, email: &str| {
        let world = rig.world();
        let invited = world.invitations.iter().find(|open| open.email == email).unwrap();
        world.role_by_id(&invited.role_id).unwrap().name.clone()
    };
    assert_eq!(role_of(&rig, "tree@x.example"), "No access");
    assert_eq!(role_of(&rig, "all@x.example"), "Viewer");
    let waiting = holds(&rig.plan());
    assert!(
        waiting
            .iter()
            .any(|hold| hold.starts_with("user/tree@x.example waiting") && hold.contains("without access"))
    );
    rig.world().accept("tree@x.example");
    assert!(!rig.world().access("tree@x.example").iter().any(|access| access.contains("shop")));
    assert!(converged(&rig.apply()));
    assert!(rig.world().access("tree@x.example").iter().any(|access| access.contains("shop")));
    assert_eq!(rig.world().mails.len(), 2);
}

#[test]
fn an_invitation_with_another_role_is_replaced_and_one_with_the_same_is_not() {
    let mut world = world();
    invitation(&mut world, "same@x.example", "Viewer");
    invitation(&mut world, "other@x.example", "Viewer");
    let body = "users:
  - { email: same@x.example, roles: [Viewer], resources: all }
  - { email: other@x.example, roles: [Admin], resources: all }";
    let mut rig = Rig::new(world, body);
    assert_eq!(addresses(&rig.plan()), ["user/other@x.example"]);
    assert!(converged(&rig.apply()));
    assert_eq!(rig.world().mails, ["other@x.example"]);
    assert_eq!(rig.world().invitations.len(), 2);
    assert!(rig.plan().sealed.mutations.is_empty());
}

#[test]
fn an_invitation_in_another_spelling_is_cancelled_once_the_new_one_is_there() {
    let mut world = world();
    invitation(&mut world, "Jane@X.example", "Viewer");
    invitation(&mut world, "JANE@x.example", "Viewer");
    let body = "guardrails: { max_removals: 0 }
roles: [{ name: Reader, description: Reads, permissions: [project:describe] }]
users: [{ email: jane@x.example, roles: [Reader], resources: all }]";
    let mut rig = Rig::new(world, body);
    let open =
        |rig: &Rig| -> Vec<String> { rig.world().invitations.iter().map(|open| open.email.clone()).collect() };
    // Whatever becomes of the role and of the new invitation: without it, the earlier ones stay.
    for fates in [&[Fate::Refuse][..], &[Fate::Fine, Fate::Refuse]] {
        rig.wire.set_fates(fates);
        let plan = rig.plan();
        assert!(!rig.apply_plan(&plan).unwrap().all_done());
        assert_eq!(open(&rig), ["Jane@X.example", "JANE@x.example"], "{fates:?}");
    }
    let sent = operations(&rig).len();
    assert!(converged(&rig.apply()));
    assert_eq!(
        operations(&rig)[sent..],
        ["InviteToOrganizationByEmail", "DeleteOrganizationInvitation", "DeleteOrganizationInvitation"]
    );
    assert_eq!(open(&rig), ["jane@x.example"]);
    assert!(rig.plan().sealed.mutations.is_empty());
}

#[test]
fn an_invitation_that_the_file_does_not_want_is_cancelled_or_left_alone() {
    let mut world = with_members(1);
    invitation(&mut world, "i0@x.example", "Admin");
    let absent = "users: [{ email: i0@x.example, absent: true }]";
    let mut rig = Rig::new(world.clone(), absent);
    assert!(converged(&rig.apply()));
    assert!(rig.world().invitations.is_empty());
    let all = "manage: { users: all }\nusers: [{ email: u0@x.example }]";
    assert_eq!(addresses(&Rig::new(world.clone(), all).plan()), ["invitation/i0@x.example"]);
    let listed = Rig::new(world, "users: [{ email: u0@x.example }]").plan();
    assert!(listed.sealed.changes.is_empty());
    assert!(holds(&listed).iter().any(|hold| {
        hold.starts_with("invitation/i0@x.example blocked: Not in the file, and gives privileged access.")
    }));
}

#[test]
fn a_role_is_not_deleted_while_invitations_can_not_be_seen() {
    let mut world = world();
    role(&mut world, "Old", &[]);
    invitation(&mut world, "i0@x.example", "Old");
    own_token_without(&mut world, "member:modify");
    let plan = Rig::new(world, "roles: [{ name: Old, absent: true }]").plan();
    assert!(plan.sealed.changes.is_empty());
    assert!(holds(&plan).iter().any(|hold| hold.starts_with("role/Old blocked: The list of invitations")));
}

#[test]
fn a_role_goes_once_the_invitations_that_carry_it_are_cancelled() {
    let mut world = with_members(1);
    role(&mut world, "Old", &[]);
    invitation(&mut world, "u0@x.example", "Old");
    let mut rig =
        Rig::new(world, "roles: [{ name: Old, absent: true }]\nusers: [{ email: u0@x.example, roles: [Admin] }]");
    assert_eq!(addresses(&rig.plan()), ["role/Old", "user/u0@x.example", "invitation/u0@x.example"]);
    assert!(converged(&rig.apply()));
    assert!(rig.world().role("Old").is_none());
}

#[test]
fn a_former_member_is_invited_again_only_with_assert() {
    let mut rig = Rig::new(
        world(),
        "reinvite_expired: true\nusers: [{ email: new@x.example, roles: [Viewer], resources: all }]",
    );
    rig.apply();
    rig.world().accept("new@x.example");
    let live = rig.read().unwrap();
    let rules = rolecall_providers::rules(rolecall_model::ProviderName::Hive);
    rolecall_engine::apply::record_observed(&live, rules, &mut rig.ledger, "r", crate::support::rig::now())
        .unwrap();
    rig.world().members.pop();
    assert!(rig.plan().sealed.mutations.is_empty());
    assert!(holds(&rig.plan()).iter().any(|hold| hold.contains("is no longer a member")));
    let asserted = BTreeSet::from(["user/new@x.example".parse::<Address>().unwrap()]);
    let plan = rig.plan_from(&rig.read().unwrap(), &asserted, None).unwrap();
    assert_eq!(addresses(&plan), ["user/new@x.example"]);
}

#[test]
fn an_invitation_that_was_to_replace_another_is_not_seen_in_the_other() {
    let mut world = world();
    invitation(&mut world, "new@x.example", "Viewer");
    let mut rig = Rig::new(world, "users: [{ email: new@x.example, roles: [Viewer], resources: all }]");
    let asserted = BTreeSet::from(["user/new@x.example".parse::<Address>().unwrap()]);
    let plan = rig.plan_from(&rig.read().unwrap(), &asserted, None).unwrap();
    rig.wire.set_fates(&[Fate::DropBefore]);
    assert_eq!(rig.apply_plan(&plan).unwrap().steps[0].outcome, Outcome::Unsure);
}

#[test]
fn one_invitation_that_the_platform_fails_on_makes_all_of_them_unreadable_and_nothing_else() {
    let mut world = with_members(1);
    invitation(&mut world, "foreign@x.example", "Viewer");
    world.invitations[0].role_id = uuid("of another organisation");
    let rig = Rig::new(
        world,
        "users: [{ email: u0@x.example, roles: [Admin] }, { email: new@x.example, roles: [Viewer], resources: all }]",
    );
    let plan = rig.plan();
    assert_eq!(addresses(&plan), ["user/u0@x.example"]);
    assert!(
        holds(&plan)
            .iter()
            .any(|hold| hold.contains("list of invitations") && hold.contains("another organisation"))
    );
}

#[test]
fn a_user_whose_invitation_we_cancelled_is_invited_again_when_the_file_lists_them_again() {
    let body = "users: [{ email: new@x.example, roles: [Viewer], resources: all }]";
    let mut rig = Rig::new(world(), body);
    rig.apply();
    rig.set_file("users: [{ email: new@x.example, absent: true }]");
    assert!(converged(&rig.apply()));
    rig.set_file(body);
    assert!(converged(&rig.apply()));
    assert_eq!(rig.world().mails.len(), 2);
}

#[test]
fn an_open_invitation_of_somebody_who_is_in_already_is_cancelled() {
    let mut world = with_members(1);
    invitation(&mut world, "U0@x.example", "Admin");
    let mut rig = Rig::new(world, "users: [{ email: u0@x.example }]");
    assert!(converged(&rig.apply()));
    assert!(rig.world().invitations.is_empty());
}

#[test]
fn an_invitation_that_ran_out_is_sent_again_only_where_the_file_says_so() {
    let body = "users: [{ email: new@x.example, roles: [Viewer], resources: all }]";
    let mut rig = Rig::new(world(), body);
    rig.apply();
    rig.now += jiff::SignedDuration::from_hours(8 * 24);
    rig.sandbox.engine.set("expire=new@x.example").unwrap();
    let plan = rig.plan();
    assert!(plan.sealed.mutations.is_empty());
    assert!(holds(&plan).iter().any(|hold| hold.contains("expired") && hold.contains("reinvite_expired: true")));
    rig.set_file(&format!("reinvite_expired: true\n{body}"));
    assert_eq!(addresses(&rig.plan()), ["user/new@x.example"]);
}

#[test]
fn an_invitation_whose_mail_failed_is_there_and_said_so() {
    let mut world = world();
    world.switches.mail = false;
    let mut rig = Rig::new(world, "users: [{ email: new@x.example, roles: [Viewer], resources: all }]");
    let report = rig.apply();
    assert_eq!(report.steps[0].outcome, Outcome::Done);
    assert!(
        report.steps[0].message.as_ref().unwrap().contains("It isn't certain that its mail was sent."),
        "{report:#?}"
    );
    // Nobody may ever accept, so it needs attention until somebody sends another.
    let plan = rig.plan();
    assert!(plan.sealed.mutations.is_empty());
    let held = holds(&plan);
    assert!(
        held[0].starts_with("user/new@x.example blocked: Invited on") && held[0].contains("--assert"),
        "{held:?}"
    );
    rig.world().switches.mail = true;
    rig.apply_asserting("user/new@x.example");
    assert_eq!(rig.world().mails, ["new@x.example"]);
}

#[test]
fn an_invitation_that_is_gone_before_it_can_expire_is_not_called_expired() {
    let body = "users: [{ email: kim@x.example, roles: [Viewer], resources: all }]";
    let mut rig = Rig::new(with_members(1), &format!("reinvite_expired: true\n{body}"));
    rig.apply();
    rig.world().invitations.clear();
    member(&mut rig.world(), "mallory@evil.example", "Viewer", Assignment::All);
    let plan = rig.plan();
    assert!(plan.sealed.mutations.is_empty(), "a second link isn't sent to whoever used the first");
    let held = holds(&plan).into_iter().find(|hold| hold.starts_with("user/kim@x.example")).unwrap();
    assert!(held.contains("cancelled, or somebody with another address used its link"), "{held}");
    assert!(held.contains("user/mallory@evil.example") && !held.contains("u0@x.example"), "{held}");
}

#[test]
fn somebody_whom_the_ledger_knows_as_a_member_is_not_silently_invited_again() {
    let body = "users: [{ email: u0@x.example, roles: [Admin], resources: all }]";
    let mut rig = Rig::new(with_members(2), body);
    rig.apply();
    rig.world().members.retain(|member| member.email != "u0@x.example" && member.email != "u1@x.example");
    rig.set_file(
        &format!("{body}\n  # and somebody whom only a read has shown\n")
            .replace("users: [", "users: [{ email: u1@x.example, roles: [Viewer], resources: all }, "),
    );
    let plan = rig.plan();
    assert_eq!(addresses(&plan), [""; 0]);
    for email in ["u0@x.example", "u1@x.example"] {
        let held =
            holds(&plan).into_iter().find(|hold| hold.starts_with(&format!("user/{email} blocked"))).unwrap();
        assert!(held.contains("was a member") && held.contains("--assert"), "{held}");
    }
    rig.apply_asserting("user/u0@x.example");
    assert_eq!(rig.world().mails, ["u0@x.example"]);
}

#[test]
fn an_account_with_another_address_is_not_taken_for_two_people() {
    let body = "manage: { users: all }\nusers: [{ email: owner@acme.example }, { email: u0@x.example, roles: [Admin], resources: all }]";
    let mut rig = Rig::new(with_members(1), body);
    rig.apply();
    rig.world().members.iter_mut().find(|member| member.email == "u0@x.example").unwrap().email =
        "u0.new@x.example".to_owned();
    let plan = rig.plan();
    assert_eq!(addresses(&plan), [""; 0], "nobody is removed, and nobody is invited");
    let held = holds(&plan);
    assert!(held.iter().any(|hold| hold.contains("is user/u0.new@x.example now")), "{held:?}");
    let id = rig.world().members.last().unwrap().user_id.clone();
    let pinned = format!("users: [{{ email: u0@x.example, id: {id}, roles: [Admin] }}]");
    rig.set_file(&pinned);
    let found = rig.try_plan().unwrap_err();
    assert_eq!(found[0].code, Code::UnknownId);
    assert!(found[0].hint.as_ref().unwrap().contains("write `email: u0.new@x.example`"), "{found:#?}");
}

#[test]
fn an_invitation_whose_answer_was_lost_before_it_arrived_is_sent_by_the_next_run() {
    let mut rig = Rig::new(world(), "users: [{ email: new@x.example, roles: [Viewer], resources: all }]");
    rig.wire.set_fates(&[Fate::DropBefore]);
    let plan = rig.plan();
    let report = rig.apply_plan(&plan).unwrap();
    assert_eq!(report.steps[0].outcome, Outcome::Unsure);
    assert!(rig.world().mails.is_empty(), "never sent again in the same run");
    assert!(converged(&rig.apply()));
    assert_eq!(rig.world().mails, ["new@x.example"]);
}

#[test]
fn many_invitations_keep_ahead_of_the_limit() {
    let users: Vec<String> = (0..14)
        .map(|index| format!("{{ email: n{index:02}@x.example, roles: [Viewer], resources: all }}"))
        .collect();
    let mut rig = Rig::new(world(), &format!("users: [{}]", users.join(", ")));
    let report = rig.apply();
    assert!(converged(&report) && report.all_done());
    assert_eq!(operations(&rig).len(), 14, "none was sent only to be refused");
    assert_eq!(rig.world().mails.len(), 14);
}

#[test]
fn an_invitation_that_is_refused_for_its_rate_waits_and_goes_out_once() {
    for gateway in [false, true] {
        let mut world = world();
        world.switches.gateway = gateway;
        let mut rig = Rig::new(world, "users: [{ email: new@x.example, roles: [Viewer], resources: all }]");
        rig.wire.set_fates(&[Fate::TooManyInvitations]);
        let report = rig.apply();
        assert!(converged(&report), "{report:#?}");
        assert_eq!(rig.world().mails, ["new@x.example"]);
    }
}

#[test]
fn a_redeem_code_is_in_no_plan_ledger_or_report() {
    let mut world = world();
    invitation(&mut world, "other@x.example", "Viewer");
    invitation(&mut world, "gone@x.example", "Viewer");
    let mut rig = Rig::new(
        world,
        "users:
  - { email: other@x.example, roles: [Admin], resources: all }
  - { email: new@x.example, roles: [Admin], resources: all }
  - { email: gone@x.example, absent: true }",
    );
    let plan = rig.plan();
    let report = rig.apply_plan(&plan).unwrap();
    let mut shown = serde_json::to_string(&plan).unwrap();
    shown.push_str(&serde_json::to_string(&report).unwrap());
    shown.push_str(&serde_json::to_string(rig.ledger.records()).unwrap());
    let world = rig.world();
    for code in world.invitations.iter().map(|open| open.code.as_str()).chain(["redeem-code-of"]) {
        let hex = code.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        assert!(!shown.contains(code) && !shown.contains(&hex), "{code}");
    }
}

// ---- keys

const KEY: &str =
    "keys: [{ name: ci, permissions: [usage:report], resources: { shop: all }, deliver: { file: ci.key } }]";

#[test]
fn a_token_is_minted_delivered_and_known_by_the_id_inside_of_it() {
    let mut rig = Rig::new(world(), KEY);
    let report = rig.apply();
    assert!(converged(&report));
    assert_eq!(sent(&rig)[0].1["description"], "", "left out, the server fails");
    let minted = rig.world().tokens.iter().find(|token| token.title == "ci").unwrap().clone();
    assert_eq!(report.steps[0].id.as_ref().unwrap().as_str(), minted.id);
    assert!(rig.delivered("ci.key").unwrap().starts_with("hvo1/"));
    assert!(rig.plan().sealed.changes.is_empty());
}

#[test]
fn another_permission_mints_a_successor_and_the_old_one_goes_with_a_later_plan() {
    let mut rig = Rig::new(world(), KEY);
    rig.apply();
    rig.set_file(&KEY.replace("[usage:report]", "[usage:report, project:describe]"));
    let report = rig.apply();
    assert!(matches!(report.final_state, FinalState::InSync { later: 1 }), "{:?}", report.final_state);
    assert_eq!(rig.world().tokens.iter().filter(|token| token.title == "ci").count(), 2);
    assert!(converged(&rig.apply()));
    assert_eq!(rig.world().tokens.iter().filter(|token| token.title == "ci").count(), 1);
    assert_eq!(operations(&rig).last(), Some(&"DeleteAccessToken"));
}

#[test]
fn another_description_rotates_no_secret() {
    let mut rig = Rig::new(world(), KEY);
    rig.apply();
    rig.set_file(&KEY.replace("name: ci,", "name: ci, description: For the pipeline,"));
    let plan = rig.plan();
    assert!(plan.sealed.mutations.is_empty());
    assert!(holds(&plan).iter().any(|hold| {
        hold.starts_with("key/ci blocked: The file says `For the pipeline`, but description is empty")
    }));
}

#[test]
fn our_own_token_is_never_deleted() {
    let mut rig = Rig::new(world(), KEY);
    rig.apply();
    rig.set_file(&format!("manage: {{ keys: all }}\n{KEY}"));
    assert!(rig.plan().sealed.changes.is_empty());
    rig.set_file("keys: [{ name: rolecall, absent: true }]");
    assert!(holds(&rig.plan()).iter().any(|hold| hold.starts_with("key/rolecall blocked: rolecall signs in")));
}

#[test]
fn an_old_server_is_asked_to_delete_in_the_old_way() {
    let mut world = world();
    world.switches.release = Release::V8_1_2;
    let mut rig = Rig::new(world, KEY);
    rig.apply();
    rig.set_file("keys: [{ name: ci, absent: true }]");
    assert!(converged(&rig.apply()));
    assert_eq!(operations(&rig).last(), Some(&"DeleteOrganizationAccessToken"));
}

#[test]
fn an_entry_without_resources_is_a_finding_where_something_has_to_be_made() {
    let found = findings(world(), "users: [{ email: new@x.example, roles: [Viewer] }]");
    assert_eq!(found[0].code, Code::IncompleteInvitation);
    assert!(found[0].message.contains("`resources`"));
    let found = findings(world(), "keys: [{ name: ci, permissions: [], deliver: { file: x } }]");
    assert_eq!(found[0].code, Code::IncompleteKey);
}

#[test]
fn behind_the_gateway_everything_is_as_it_is_directly() {
    let mut world = with_members(2);
    world.switches.gateway = true;
    let body = format!(
        "roles: [{{ name: Reviewer, description: Reviews, permissions: [project:describe] }}]
users:
  - {{ email: u0@x.example, roles: [Reviewer], resources: {{ blog: all }} }}
  - {{ email: u1@x.example, absent: true }}
  - {{ email: new@x.example, roles: [Reviewer], resources: {{ shop: all }} }}
{KEY}"
    );
    let mut rig = Rig::new(world, &body);
    let report = rig.apply();
    assert!(report.all_done(), "{report:#?}");
    assert!(rig.plan().sealed.mutations.is_empty());
}

#[test]
fn grants_are_compared_by_meaning() {
    let mut world = world();
    let target = |name: &str| rolecall_sandbox::hive::AssignedTarget {
        id: uuid(name),
        services: Scope::Granular(vec!["users".to_owned(), "cart".to_owned(), "users".to_owned()]),
        app_deployments: Scope::Granular(Vec::new()),
    };
    let project = |targets| rolecall_sandbox::hive::AssignedProject { id: uuid("shop"), targets };
    let twice = Scope::Granular(vec![
        project(Scope::Granular(vec![target("shop/staging")])),
        project(Scope::Granular(vec![target("shop/production"), target("shop/production")])),
    ]);
    member(&mut world, "u0@x.example", "Viewer", twice);
    let tree = "{ shop: { production: { services: [cart, users] }, staging: { services: [users, cart], app_deployments: [] } } }";
    let rig = Rig::new(world, &format!("users: [{{ email: u0@x.example, resources: {tree} }}]"));
    assert!(rig.plan().sealed.changes.is_empty(), "{:#?}", rig.plan().sealed.changes);
    let live = rig.read().unwrap();
    assert!(live.users.items.iter().any(|user| matches!(user.resources, Some(Reach::Only(_)))));
}

/// A list that can't be read is no proof that an entry is gone.
#[test]
fn what_was_to_go_is_not_gone_because_its_list_can_not_be_read() {
    let mut world = world();
    invitation(&mut world, "left@x.example", "Viewer");
    let mut rig = Rig::new(world, "users: [{ email: left@x.example, absent: true }]");
    let plan = rig.plan();
    rig.wire.forge(|data| {
        if data["organization"]["members"].is_object() {
            data["organization"]["invitations"] = Value::Null;
        }
    });
    rig.wire.set_fates(&[Fate::DropBefore]);
    let report = rig.apply_plan(&plan).unwrap();
    assert_eq!(report.steps[0].outcome, Outcome::Unsure);
    assert_eq!(rig.world().invitations.len(), 1);
}

/// A refusal by the platform stays a failure, even if live matches the file.
#[test]
fn a_refusal_is_no_success_because_another_hand_did_it() {
    let mut world = world();
    invitation(&mut world, "left@x.example", "Viewer");
    let mut rig = Rig::new(world, "users: [{ email: left@x.example, absent: true }]");
    let plan = rig.plan();
    rig.world().invitations.clear();
    rig.wire.set_fates(&[Fate::Refuse]);
    assert_eq!(rig.apply_plan(&plan).unwrap().steps[0].outcome, Outcome::Failed);
}
