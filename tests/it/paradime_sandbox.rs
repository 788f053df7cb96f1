//! The sandbox of Paradime behaves as its documentation and clients show, and each switch changes behaviour that
//! they leave open.

use std::sync::Arc;

use jiff::Timestamp;
use rolecall_sandbox::paradime::{
    Capability, CredentialKind, OWN_API_KEY, OWN_API_SECRET, OWN_COMPANY_TOKEN, OWN_WORKSPACE_TOKEN, Paradime,
    SEEDS, UserStatus, World, WorldCredential,
};
use rolecall_sandbox::{AnySandbox, Engine, Headers, Reply, Request, Sandbox, Store, digest};
use serde_json::{Value, json};

fn now() -> Timestamp {
    "2026-11-21T12:00:00.558Z".parse().unwrap()
}

fn at(world: World) -> Paradime {
    Paradime::new(world, Arc::new(now))
}

fn acme(switches: &[&str]) -> Paradime {
    let paradime = at(World::seed(SEEDS[0]).unwrap());
    for switch in switches {
        paradime.set(switch).unwrap();
    }
    paradime
}

fn own_pair() -> Headers {
    Headers::new([("X-API-KEY", OWN_API_KEY), ("X-API-SECRET", OWN_API_SECRET)])
}

fn send(paradime: &Paradime, headers: &Headers, query: &str, variables: Value) -> (u16, Value) {
    let response = paradime.respond(headers, Request::new(query, variables));
    (response.status, serde_json::from_slice(&response.body).unwrap())
}

/// Sends a request with rolecall's own key and secret. Returns an answer with status 200.
fn ask(paradime: &Paradime, query: &str, variables: Value) -> Value {
    let (status, body) = send(paradime, &own_pair(), query, variables);
    assert_eq!(status, 200, "{body}");
    body
}

/// Sends a request with rolecall's own key and secret. Returns the data of an answer without errors.
fn data(paradime: &Paradime, query: &str, variables: Value) -> Value {
    let body = ask(paradime, query, variables);
    assert_eq!(body.get("errors"), None, "{body}");
    body["data"].clone()
}

/// The query of Paradime's Python SDK 6.9.0.
const ACTIVE: &str = "
            query listActiveUsers {
                listUsers{
                    activeUsers{
                        uid
                        email
                        name
                        accountType
                    }
                }
            }
        ";
const INVITED: &str = "
            query listInvitedUsers {
                listUsers{
                    invitedUsers{
                        email
                        accountType
                        inviteStatus
                    }
                }
            }
        ";
const INVITE: &str = "
            mutation inviteUser($email: String!, $accountType: UserAccountType!) {
                inviteUser(email: $email, accountType: $accountType){
                    ok
                }
            }
        ";
const UPDATE: &str = "
            mutation updateUserAccountType($uid: String!, $accountType: UserAccountType!) {
                updateUserAccountType(uid: $uid, accountType: $accountType){
                    ok
                }
            }
        ";
const DISABLE: &str = "
                mutation disableUser($uid: String!) {
                    disableUser(uid: $uid){
                        ok
                    }
                }
            ";

fn invitation(email: &str, account_type: &str) -> Value {
    json!({ "email": email, "accountType": account_type })
}

fn invite(paradime: &Paradime, email: &str, account_type: &str) -> Value {
    ask(paradime, INVITE, invitation(email, account_type))
}

/// Returns the addresses of active users without their domain, sorted.
fn active(paradime: &Paradime) -> Vec<String> {
    let answer = data(paradime, ACTIVE, json!({}));
    let users = answer["listUsers"]["activeUsers"].as_array().unwrap();
    let mut names: Vec<String> =
        users.iter().map(|user| user["email"].as_str().unwrap().replace("@acme.example", "")).collect();
    names.sort();
    names
}

fn uid(paradime: &Paradime, email: &str) -> String {
    paradime.world().user(email).unwrap().uid.clone()
}

fn ok(name: &str) -> Value {
    json!({ "data": { name: { "ok": true } } })
}

fn is_refused(body: &Value, name: &str) -> bool {
    body["data"] == json!({ name: null })
        && body["errors"][0]["message"].is_string()
        && body["errors"][0]["path"] == json!([name])
}

#[test]
fn the_seed_reads_as_the_clients_read_it() {
    let paradime = acme(&[]);
    let answer = data(&paradime, ACTIVE, json!({}));
    let users = answer["listUsers"]["activeUsers"].as_array().unwrap();
    assert_eq!(active(&paradime), ["alexandra", "ghost", "jane", "left", "sam"]);
    for user in users {
        let uid = user["uid"].as_str().unwrap();
        assert!(uid.len() == 64 && uid.bytes().all(|byte| byte.is_ascii_hexdigit()), "{uid}");
        assert!(user["name"].is_string());
    }
    let sam = users.iter().find(|user| user["email"] == "sam@acme.example").unwrap();
    assert_eq!(sam["accountType"], "DEVELOPER");
    let answer = data(&paradime, INVITED, json!({}));
    assert_eq!(
        answer["listUsers"]["invitedUsers"],
        json!([
            { "email": "new1@acme.example", "accountType": "DEVELOPER", "inviteStatus": "ACTIVE" },
            { "email": "old1@acme.example", "accountType": "BUSINESS", "inviteStatus": "EXPIRED" },
        ])
    );
    assert_eq!(paradime.world().user("max@acme.example").unwrap().status, UserStatus::Disabled);
    assert_eq!(paradime.world().usable_admins(), 2);
}

#[tokio::test]
async fn the_documentations_way_of_asking_works_too() {
    let paradime = acme(&[]);
    let query = "query anyOtherName { listUsers { ok activeUsers { email accountType }
        invitedUsers { email inviteStatus } } listWorkspaces { ok workspaces { name uid } } }";
    let sandbox = Sandbox::new(paradime, Store::Memory);
    let post = async |body: Value| {
        let Reply::Answer(response) = sandbox.handle(&own_pair(), body.to_string().as_bytes()).await else {
            panic!("dropped");
        };
        (response.status, serde_json::from_slice::<Value>(&response.body).unwrap())
    };
    // The request has no `variables`.
    let (status, body) = post(json!({ "query": query })).await;
    assert_eq!((status, body.get("errors")), (200, None));
    assert_eq!(body["data"]["listUsers"]["ok"], true);
    assert_eq!(
        body["data"]["listWorkspaces"],
        json!({ "ok": true, "workspaces": [
            { "name": "Analytics", "uid": SEEDS[0] },
            { "name": "Marketing", "uid": SEEDS[1] },
        ] })
    );
    let query = r#"mutation { inviteUser(email: "kim@acme.example", accountType: WORKSPACE_ADMIN) { ok } }"#;
    let (status, body) = post(json!({ "query": query, "variables": null })).await;
    assert_eq!((status, body), (200, ok("inviteUser")));
    assert_eq!(sandbox.engine.world().invitation("kim@acme.example").unwrap().account_type, "WORKSPACE_ADMIN");
}

#[test]
fn an_invited_person_becomes_a_user_by_signing_up() {
    let paradime = acme(&["pending-status=ACTIVE"]);
    assert_eq!(invite(&paradime, "kim@acme.example", "BUSINESS"), ok("inviteUser"));
    assert_eq!(paradime.world().mails, ["kim@acme.example"]);
    let listed = data(&paradime, INVITED, json!({}));
    assert_eq!(listed["listUsers"]["invitedUsers"][2]["inviteStatus"], "ACTIVE");
    assert!(!active(&paradime).contains(&"kim".to_owned()));

    assert!(paradime.world().accept("kim@acme.example"));
    assert!(!paradime.world().accept("kim@acme.example"));
    assert!(!paradime.world().accept("old1@acme.example"), "it has expired");
    assert!(active(&paradime).contains(&"kim".to_owned()));
    assert_eq!(data(&paradime, INVITED, json!({}))["listUsers"]["invitedUsers"].as_array().unwrap().len(), 2);
    let kim = uid(&paradime, "kim@acme.example");
    assert_eq!((kim.len(), kim), (64, digest(&format!("{}/1", SEEDS[0]))));
}

#[test]
fn roles_change_and_users_are_disabled_by_uid() {
    let paradime = acme(&[]);
    let sam = uid(&paradime, "sam@acme.example");
    let body = ask(&paradime, UPDATE, json!({ "uid": sam, "accountType": "ANALYST" }));
    assert_eq!(body, ok("updateUserAccountType"));
    assert_eq!(paradime.world().user("sam@acme.example").unwrap().account_type, "ANALYST");
    assert_eq!(ask(&paradime, DISABLE, json!({ "uid": sam })), ok("disableUser"));
    assert_eq!(active(&paradime), ["alexandra", "ghost", "jane", "left"]);

    let before = paradime.world().clone();
    for uid in [sam.as_str(), &uid(&paradime, "max@acme.example"), "", "sam@acme.example"] {
        assert!(is_refused(&ask(&paradime, DISABLE, json!({ "uid": uid })), "disableUser"), "{uid}");
        let body = ask(&paradime, UPDATE, json!({ "uid": uid, "accountType": "ADMIN" }));
        assert!(is_refused(&body, "updateUserAccountType"), "{body}");
    }
    assert_eq!(*paradime.world(), before);

    for admin in ["jane@acme.example", "alexandra@acme.example"] {
        let uid = uid(&paradime, admin);
        assert_eq!(ask(&paradime, DISABLE, json!({ "uid": uid })), ok("disableUser"));
    }
    assert_eq!(paradime.world().usable_admins(), 0);
}

#[test]
fn three_kinds_of_credentials_are_admitted() {
    let paradime = acme(&[]);
    let bearer = |token: &str| format!("Bearer {token}");
    let (workspace, company) = (bearer(OWN_WORKSPACE_TOKEN), bearer(OWN_COMPANY_TOKEN));
    let selects = "X-Paradime-Workspace";
    let admitted: &[&[(&str, &str)]] = &[
        &[("X-API-KEY", OWN_API_KEY), ("X-API-SECRET", OWN_API_SECRET), ("X-PYTHON-SDK-VERSION", "6.9.0")],
        &[("Authorization", &workspace)],
        &[("Authorization", &workspace), (selects, "elsewhere0000000")],
        &[("Authorization", &company), (selects, SEEDS[0]), ("X-PARADIME-RUNTIME", "local")],
    ];
    for headers in admitted {
        let (status, body) = send(&paradime, &Headers::new(headers.iter().copied()), ACTIVE, json!({}));
        assert_eq!((status, body.get("errors")), (200, None), "{headers:?}");
    }
    let refused: &[&[(&str, &str)]] = &[
        &[],
        &[("X-API-KEY", OWN_API_KEY)],
        &[("X-API-SECRET", OWN_API_SECRET)],
        &[("X-API-KEY", "another"), ("X-API-SECRET", OWN_API_SECRET)],
        &[("X-API-KEY", OWN_API_KEY), ("X-API-SECRET", "another")],
        &[("Authorization", &company)],
        &[("Authorization", &company), (selects, SEEDS[1])],
        &[("Authorization", OWN_WORKSPACE_TOKEN)],
        &[("Authorization", "Bearer prdm_wsp_another")],
        &[("Authorization", "Bearer sandbox-own-secret")],
    ];
    for headers in refused {
        let headers = Headers::new(headers.iter().copied());
        for (switch, status) in [("http401", 401), ("http403", 403), ("errors", 200)] {
            paradime.set(&format!("auth-refusal={switch}")).unwrap();
            let (answered, body) = send(&paradime, &headers, ACTIVE, json!({}));
            assert_eq!(answered, status, "{headers:?}");
            assert!(!body.to_string().contains("acme.example"));
            if status == 200 {
                assert_eq!(body["data"], Value::Null);
                assert!(body["errors"][0]["message"].is_string());
            }
        }
    }
    for seed in SEEDS {
        let company = [("Authorization", company.as_str()), (selects, *seed)];
        for world in [World::seed(seed).unwrap(), World::empty(*seed)] {
            let (status, _) = send(&at(world), &Headers::new(company), ACTIVE, json!({}));
            assert_eq!(status, 200, "{seed}");
        }
    }
}

#[test]
fn reading_and_changing_need_capabilities() {
    const LOGS: &str = "{ getAuditLogs { auditLogs { id } } }";
    let all = [
        (ACTIVE, json!({})),
        ("{ listWorkspaces { workspaces { uid } } }", json!({})),
        (LOGS, json!({})),
        (INVITE, invitation("kim@acme.example", "BUSINESS")),
    ];
    for (capability, allowed) in [
        (Capability::UserManagementAdmin, [true, true, false, true]),
        (Capability::UserMetadataViewer, [true, true, false, false]),
        (Capability::WorkspaceMetadataViewer, [false, true, false, false]),
        (Capability::AuditLogsViewer, [false, false, true, false]),
    ] {
        let paradime = acme(&[]);
        paradime.world().credentials.push(WorldCredential {
            name: "limited".to_owned(),
            kind: CredentialKind::Pair { key: "limited".to_owned() },
            digest: digest("limited"),
            capabilities: [capability].into(),
        });
        let limited = Headers::new([("x-api-key", "limited"), ("x-api-secret", "limited")]);
        let before = paradime.world().clone();
        for ((query, variables), allowed) in all.iter().zip(allowed) {
            let (status, body) = send(&paradime, &limited, query, variables.clone());
            assert_eq!(status, if allowed { 200 } else { 401 }, "{capability:?} {query} {body}");
        }
        assert_eq!(*paradime.world() == before, !allowed[3]);
    }

    let paradime = acme(&["auth-refusal=errors"]);
    paradime.world().credentials[0].capabilities = [Capability::UserMetadataViewer].into();
    let body = ask(&paradime, &format!("{{ listUsers {{ ok }} {} }}", &LOGS[1..LOGS.len() - 1]), json!({}));
    assert_eq!(body["data"], json!({ "listUsers": { "ok": true }, "getAuditLogs": null }));
    assert_eq!(body["errors"][0]["path"], json!(["getAuditLogs"]));
    assert!(is_refused(&invite(&paradime, "kim@acme.example", "BUSINESS"), "inviteUser"));
    assert_eq!(paradime.world().invitation("kim@acme.example"), None);
}

#[test]
fn a_refusal_is_reported_in_one_of_several_ways() {
    let twice = r#"mutation { one: disableUser(uid: "nobody") { ok }
        two: inviteUser(email: "kim@acme.example", accountType: BUSINESS) { ok } }"#;
    let done = json!({ "ok": true });
    for (switches, refused, errors) in [
        (&[][..], Value::Null, 1),
        (&["null-payload=false"], json!({ "ok": false }), 1),
        (&["refusal=ok-false"], json!({ "ok": false }), 0),
    ] {
        let paradime = acme(switches);
        let body = ask(&paradime, twice, json!({}));
        // The answer to a mutation can be null, so the later mutations run.
        assert_eq!(body["data"], json!({ "one": refused, "two": done }), "{switches:?}");
        assert_eq!(body.get("errors").map_or(0, |errors| errors.as_array().unwrap().len()), errors);
        if errors > 0 {
            assert_eq!(body["errors"][0]["path"], json!(["one"]));
        }
    }
}

#[test]
fn inviting_again_does_what_the_switch_says() {
    struct Case {
        switch: &'static str,
        email: &'static str,
        is_refused: bool,
        mails: usize,
        /// The role and the status of the invitation afterwards.
        invited: Option<(&'static str, &'static str)>,
    }
    let case = |switch, email, is_refused, mails, invited| Case { switch, email, is_refused, mails, invited };
    let (pending, expired) = (Some(("DEVELOPER", "ACTIVE")), Some(("BUSINESS", "EXPIRED")));
    let anew = Some(("ADMIN", "ACTIVE"));
    for Case { switch, email, is_refused: refused, mails, invited } in [
        case("invite-active=refused", "Sam@acme.example", true, 0, None),
        case("invite-active=ok-ignored", "sam@acme.example", false, 0, None),
        case("invite-active=resent", "sam@acme.example", false, 1, None),
        case("invite-pending=refused", "new1@acme.example", true, 0, pending),
        case("invite-pending=ok-ignored", "new1@acme.example", false, 0, pending),
        case("invite-pending=resent", "NEW1@acme.example", false, 1, pending),
        case("invite-pending=replaced", "new1@acme.example", false, 1, anew),
        case("invite-expired=refused", "old1@acme.example", true, 0, expired),
        case("invite-expired=ok-ignored", "old1@acme.example", false, 0, expired),
        case("invite-expired=resent", "old1@acme.example", false, 1, Some(("BUSINESS", "ACTIVE"))),
        case("invite-expired=replaced", "old1@acme.example", false, 1, anew),
        case("invite-disabled=refused", "max@acme.example", true, 0, None),
        case("invite-disabled=ok-ignored", "max@acme.example", false, 0, None),
        case("invite-disabled=readmits", "max@acme.example", false, 0, None),
        case("invite-disabled=invited", "max@acme.example", false, 1, anew),
    ] {
        let paradime = acme(&[switch]);
        let before = paradime.world().clone();
        let body = invite(&paradime, email, "ADMIN");
        assert_eq!(is_refused(&body, "inviteUser"), refused, "{switch} {body}");
        assert!(refused || body == ok("inviteUser"), "{switch} {body}");
        let world = paradime.world().clone();
        assert_eq!(world.mails.len(), mails, "{switch}");
        let found = world.invitation(email).map(|it| (it.account_type.as_str(), it.status.as_str()));
        assert_eq!(found, invited, "{switch}");
        assert_eq!(world.user("sam@acme.example"), before.user("sam@acme.example"), "{switch}");
        assert!(!refused || world == before, "{switch}");
        let max = world.user("max@acme.example").unwrap();
        let readmitted = switch == "invite-disabled=readmits";
        assert_eq!(max.status == UserStatus::Active && max.account_type == "ADMIN", readmitted);
    }
}

#[test]
fn a_disabled_user_who_is_invited_and_signs_up_is_the_same_user() {
    let paradime = acme(&["invite-disabled=invited"]);
    let max = uid(&paradime, "max@acme.example");
    invite(&paradime, "max@acme.example", "ANALYST");
    assert!(paradime.world().accept("max@acme.example"));
    let world = paradime.world().clone();
    let user = world.user("max@acme.example").unwrap();
    assert_eq!((&user.uid, user.status, user.account_type.as_str()), (&max, UserStatus::Active, "ANALYST"));
    assert_eq!(world.users.len(), 6);
}

#[test]
fn disabled_users_may_be_listed_as_if_they_were_active() {
    let paradime = acme(&["disabled-users=listed-active"]);
    assert!(active(&paradime).contains(&"max".to_owned()));
    let body = ask(&paradime, DISABLE, json!({ "uid": uid(&paradime, "max@acme.example") }));
    assert!(is_refused(&body, "disableUser"));
}

#[test]
fn case_may_tell_people_apart() {
    let paradime = acme(&["email-case=sensitive"]);
    assert_eq!(invite(&paradime, "Sam@acme.example", "ADMIN"), ok("inviteUser"));
    assert!(paradime.world().accept("Sam@acme.example"));
    let world = paradime.world().clone();
    assert_eq!(world.user("Sam@acme.example").unwrap().account_type, "ADMIN");
    assert_eq!(world.user("sam@acme.example").unwrap().account_type, "DEVELOPER");
    assert_eq!(world.user("JANE@acme.example"), world.user("jane@acme.example"));
}

#[test]
fn other_roles_may_need_the_security_pack() {
    let paradime = acme(&["security-pack=false"]);
    let sam = uid(&paradime, "sam@acme.example");
    for (role, allowed) in [("BUSINESS", true), ("ANALYST", false), ("SANDBOX_USER", false), ("ADMIN", true)] {
        let body = ask(&paradime, UPDATE, json!({ "uid": sam, "accountType": role }));
        assert_eq!(!is_refused(&body, "updateUserAccountType"), allowed, "{role}");
        let body = invite(&paradime, &format!("{role}@acme.example"), role);
        assert_eq!(!is_refused(&body, "inviteUser"), allowed, "{role}");
    }
    assert!(is_refused(&invite(&paradime, "nobody", "ADMIN"), "inviteUser"));
}

#[test]
fn roles_of_tomorrow_are_shown() {
    let paradime = acme(&[]);
    paradime.world().user_mut("sam@acme.example").unwrap().account_type = "KING".to_owned();
    paradime.world().invitations[0].account_type = "QUEEN".to_owned();
    let query = "{ listUsers { activeUsers { accountType } invitedUsers { accountType } } }";
    let answer = data(&paradime, query, json!({}));
    assert_eq!(answer["listUsers"]["activeUsers"][0]["accountType"], "KING");
    assert_eq!(answer["listUsers"]["invitedUsers"][0]["accountType"], "QUEEN");
}

#[test]
fn a_success_may_carry_an_empty_list_of_errors() {
    let paradime = acme(&["empty-errors=true"]);
    let body = invite(&paradime, "kim@acme.example", "BUSINESS");
    assert_eq!(body, json!({ "data": { "inviteUser": { "ok": true } }, "errors": [] }));
    assert!(is_refused(&invite(&paradime, "kim@acme.example", "BUSINESS"), "inviteUser"));
}

#[test]
fn the_log_has_all_workspaces_and_what_was_done() {
    let paradime = acme(&[]);
    invite(&paradime, "kim@acme.example", "BUSINESS");
    let query = "query GetAuditLogs { getAuditLogs { auditLogs { id createdDttm updatedDttm workspaceId
        workspaceName actorType actorUserId actorEmail eventSourceId eventSource eventId eventType
        metadataJson } } }";
    let answer = data(&paradime, query, json!({}));
    let logs = answer["getAuditLogs"]["auditLogs"].as_array().unwrap();
    assert_eq!(logs.len(), 3);
    assert_eq!(logs[0]["createdDttm"], "2025-11-04 09:12:44.512301");
    assert_eq!((&logs[0]["eventSource"], &logs[0]["eventType"]), (&json!("bolt"), &json!("schedule_manual_run")));
    assert_eq!(logs[1]["workspaceName"], "Marketing");
    assert_eq!(logs[2]["createdDttm"], "2026-11-21 12:00:00.558000");
    assert_eq!((&logs[2]["actorEmail"], &logs[2]["workspaceId"]), (&Value::Null, &logs[0]["workspaceId"]));
    assert!(logs[2]["metadataJson"].as_str().unwrap().contains("kim@acme.example"));
}

#[test]
fn worlds_are_kept_and_switches_are_set_by_name() {
    for seed in SEEDS {
        assert!(seed.len() == 16 && seed.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit()));
        let world = World::seed(seed).unwrap();
        assert_eq!(world.workspace.uid, *seed);
        assert_eq!(world.credentials, World::empty(*seed).credentials);
        assert_eq!(world.switches, World::empty(*seed).switches);
    }
    assert_eq!(World::seed("nobody"), None);
    assert_eq!(World::empty("a").usable_admins(), 0);
    let paradime = acme(&[]);
    let saved = paradime.save();
    for switch in ["refusal=ok-false", "auth-refusal=http403", "pending-status=SENT", "null-payload=false"] {
        paradime.set(switch).unwrap();
        assert_ne!(paradime.save(), saved, "{switch}");
        paradime.load(&saved).unwrap();
    }
    assert_eq!(paradime.save(), saved);
    assert!(paradime.set("invite-pending=readmits").is_err());
    assert!(paradime.set("no-such=1").unwrap_err().contains("disabled-users"));
    assert!(paradime.load(&json!({ "workspace": {} })).is_err());
}
