//! The sandbox of GraphQL Hive behaves as measured on Hive 8.1.2 and as documented for the newest release.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use crate::support::cli::{Env, Server};
use jiff::Timestamp;
use rolecall_sandbox::hive::{
    Assignment, AuthProvider, Hive, OWN_CREDENTIAL, Scope, World, WorldMember, WorldRole, WorldToken,
};
use rolecall_sandbox::{AnySandbox, Engine, Headers, Reply, Request, Sandbox, Store, digest};
use serde_json::{Value, json};

fn now() -> Timestamp {
    "2026-11-21T12:00:00.558Z".parse().unwrap()
}

fn at(world: World) -> Hive {
    Hive::new(world, Arc::new(now))
}

fn acme() -> Hive {
    at(World::seed("acme").unwrap())
}

fn acme_with(switches: &[&str]) -> Hive {
    let hive = acme();
    for switch in switches {
        hive.set(switch).unwrap();
    }
    hive
}

fn send(hive: &Hive, credential: Option<&str>, query: &str, variables: Value) -> (u16, Value) {
    let headers = Headers::new(credential.map(|credential| ("authorization", credential)));
    let response = hive.respond(&headers, Request::new(query, variables));
    (response.status, serde_json::from_slice(&response.body).unwrap())
}

/// Sends a request with rolecall's own token. Returns an answer with status 200.
fn ask(hive: &Hive, query: &str, variables: Value) -> Value {
    let (status, body) = send(hive, Some(OWN_CREDENTIAL), query, variables);
    assert_eq!(status, 200, "{body}");
    body
}

/// Sends a request with rolecall's own token. Returns the data of an answer without errors.
fn data(hive: &Hive, query: &str, variables: Value) -> Value {
    let body = ask(hive, query, variables);
    assert_eq!(body.get("errors"), None, "{body}");
    body["data"].clone()
}

fn org() -> Value {
    json!({ "bySelector": { "organizationSlug": "acme" } })
}

fn message(body: &Value) -> &str {
    body["errors"][0]["message"].as_str().unwrap_or_else(|| panic!("{body}"))
}

fn code(body: &Value) -> Option<&str> {
    body.pointer("/errors/0/extensions/code").and_then(Value::as_str)
}

fn no_access(permission: &str) -> String {
    format!(r#"No access (reason: "Missing permission for performing '{permission}' on resource")"#)
}

/// Sends bytes over HTTP, with more headers. Returns the status, the content type and the body.
async fn post(headers: &[(&str, &str)], body: &str) -> (u16, Option<String>, Value) {
    let sandbox = Sandbox::new(acme(), Store::Memory);
    let headers = headers.iter().copied().chain([("authorization", OWN_CREDENTIAL)]);
    let Reply::Answer(answer) = sandbox.handle(&Headers::new(headers), body.as_bytes()).await else { panic!() };
    (answer.status, answer.content_type, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn requests_that_no_hive_reads_are_refused_as_by_the_server() {
    struct Case<'a> {
        headers: &'a [(&'a str, &'a str)],
        body: &'a str,
        status: u16,
        kind: Option<&'a str>,
    }

    let asks = |query: &str| json!({ "query": query }).to_string();
    let json = ("content-type", "application/json");
    let fine = asks("{ __typename }");
    let wrong = asks("{ nothing }");
    let newer = ("accept", "application/graphql-response+json");
    for Case { headers, body, status, kind } in [
        Case { headers: &[json], body: &fine, status: 200, kind: None },
        Case { headers: &[json, ("accept", "application/json")], body: &wrong, status: 200, kind: None },
        Case { headers: &[json, newer], body: &fine, status: 200, kind: Some(newer.1) },
        Case { headers: &[json, newer], body: &wrong, status: 400, kind: Some(newer.1) },
        Case { headers: &[json, ("accept", "text/html")], body: &fine, status: 406, kind: None },
        Case {
            headers: &[("content-type", "application/x-www-form-urlencoded")],
            body: &fine,
            status: 415,
            kind: None,
        },
        Case { headers: &[json], body: "", status: 500, kind: None },
        Case { headers: &[json], body: "{ __typename }", status: 500, kind: None },
    ] {
        let (answered, answered_kind, body) = post(headers, body).await;
        assert_eq!(answered, status, "{headers:?} {body}");
        assert!(kind.is_none_or(|kind| answered_kind.as_deref() == Some(kind)), "{headers:?} {answered_kind:?}");
    }
    for (body, why) in [
        (format!("[{fine}]"), "Batching is not supported."),
        (
            json!({ "query": "{ __typename }", "id": 1 }).to_string(),
            "Unexpected parameter \"id\" in the request body.",
        ),
        (
            json!({ "query": "{ __typename }", "variables": "{}" }).to_string(),
            "Unexpected parameter \"variables\" in the request body.",
        ),
    ] {
        let (status, _, body) = post(&[json], &body).await;
        assert_eq!((status, message(&body)), (400, why));
    }
    let two = "query One { __typename } query Two { __typename }";
    let (_, _, body) = post(&[json], &asks(two)).await;
    assert_eq!(code(&body), Some("OPERATION_RESOLUTION_FAILURE"));
}

#[test]
fn an_id_that_is_no_uuid_is_an_error_of_the_database() {
    let query = "query($o: OrganizationReferenceInput!, $id: ID!) { organization(reference: $o) {
        accessToken(id: $id) { id } } }";
    let unknown = json!({ "o": org(), "id": "00000000-0000-4000-8000-000000000000" });
    assert_eq!(data(&acme(), query, unknown)["organization"]["accessToken"], Value::Null);
    let body = ask(&acme(), query, json!({ "o": org(), "id": "x" }));
    assert_eq!(
        (message(&body), &body["data"]["organization"]["accessToken"]),
        ("Unexpected error.", &Value::Null)
    );
}

/// Sends a request without a body. Returns the status and the body.
fn get(server: &Server, method: &str, path: &str) -> (u16, Value) {
    let address = server.url.trim_start_matches("http://").trim_end_matches("/graphql");
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: {OWN_CREDENTIAL}\r\n");
    write!(stream, "{head}connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

#[test]
fn a_query_can_be_a_link_and_a_wrong_path_is_told_in_json() {
    let env = Env::new();
    let server = env.serve(&["--provider", "hive"]);
    let reference = "%7B%22o%22%3A%7B%22bySelector%22%3A%7B%22organizationSlug%22%3A%22acme%22%7D%7D%7D";
    let query = "query(%24o:OrganizationReferenceInput!)%7Borganization(reference:%24o)%7Bslug%7D%7D";
    let (status, body) = get(&server, "GET", &format!("/graphql-public?query={query}&variables={reference}"));
    assert_eq!((status, &body["data"]["organization"]["slug"]), (200, &json!("acme")));
    let delete = "mutation%7BdeleteProject(input:%7Bproject:%7BbyId:%22x%22%7D%7D)%7Berror%7Bmessage%7D%7D%7D";
    let (status, body) = get(&server, "GET", &format!("/graphql?query={delete}"));
    assert_eq!((status, message(&body)), (405, "Can only perform a mutation operation from a POST request."));
    let nowhere = json!({ "message": "Route GET:/nope not found", "error": "Not Found", "statusCode": 404 });
    assert_eq!(get(&server, "GET", "/nope"), (404, nowhere));
    let bitpanda = env.serve(&["--provider", "bitpanda"]);
    assert_eq!(get(&bitpanda, "GET", "/graphql?query=%7B__typename%7D").0, 405);
}

#[test]
fn an_invitation_that_is_accepted_in_the_sandbox_leaves_nothing_to_do() {
    let env = Env::new();
    let file = "provider: hive\norganization: acme\nendpoint: https://api.graphql-hive.com/graphql\n\
        credentials: { token: { env: HIVE_TOKEN } }\n\
        users: [{ email: kim@acme.example, roles: [Developer], resources: { shop: { production: {} } } }]\n";
    env.write("file.yaml", file);
    let apply = ["apply", "--sandbox", "--auto-approve", "file.yaml"];
    let plan = ["plan", "--sandbox", "--detailed-exitcode", "file.yaml"];
    assert_eq!(env.run(&apply).code, 0);
    let event = |event: &str| env.run(&["sandbox", "--provider", "hive", "--no-serve", "--set", event]);
    let said = event("accept=kim@acme.example");
    assert_eq!(said.code, 0, "{}", said.all());
    let said = env.run(&plan);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(event("accept=kim@acme.example").stderr.contains("no open invitation"));
    // Somebody whom the ledger knows as a member, and who was removed in the web app, isn't invited again.
    env.run(&apply);
    assert_eq!(event("remove=kim@acme.example").code, 0);
    let said = env.run(&plan);
    assert!(said.all().contains("is no longer a member"), "{}", said.all());
}

/// Returns the credential of a new token with these permissions.
fn credential(hive: &Hive, permissions: &[&str], resources: Assignment) -> String {
    // base64 of "11111111-1111-4111-8111-111111111111:s".
    let key = "hvo1/MTExMTExMTEtMTExMS00MTExLTgxMTEtMTExMTExMTExMTExOnM=";
    let token = WorldToken {
        id: "11111111-1111-4111-8111-111111111111".to_owned(),
        title: "test".to_owned(),
        description: String::new(),
        permissions: permissions.iter().map(|&it| it.to_owned()).collect(),
        resources,
        digest: digest("s"),
        first_characters: key[..10].to_owned(),
        created_at: now(),
    };
    hive.world().tokens.push(token);
    format!("Bearer {key}")
}

fn member(name: &str, user_id: &str, role_id: &str, created_at: &str) -> WorldMember {
    WorldMember {
        user_id: user_id.to_owned(),
        email: format!("{name}@acme.example"),
        display_name: name.to_owned(),
        provider: AuthProvider::UsernamePassword,
        role_id: role_id.to_owned(),
        resources: Assignment::All,
        created_at: created_at.parse().unwrap(),
        provisioned: false,
    }
}

const READ: &str = "query($o: OrganizationReferenceInput!) { organization(reference: $o) { id slug
    owner { user { email } } members(first: 1000) { edges { cursor node { isOwner user { id email displayName }
      role { id name } resourceAssignment { ...resources } } } pageInfo { hasNextPage endCursor } }
    memberRoles(first: 50) { edges { node { id name description isLocked permissions } } }
    invitations { edges { node { id email createdAt expiresAt role { name } } } pageInfo { hasNextPage } }
    accessTokens { edges { node { id title description permissions firstCharacters createdAt
      resources { ...resources } } } pageInfo { hasNextPage } }
    projects { edges { node { id slug type targets { edges { node { id slug } } } } } } } }
  fragment resources on ResourceAssignment { mode projects { projectId project { id slug }
    targets { mode targets { targetId target { id slug } services { mode services }
      appDeployments { mode appDeployments } } } } }";

#[test]
fn the_seed_reads_as_the_platform_answers() {
    let hive = acme();
    let answer = data(&hive, READ, json!({ "o": org() }));
    let read = &answer["organization"];
    assert_eq!(read["owner"]["user"]["email"], "owner@acme.example");
    let members = read["members"]["edges"].as_array().unwrap();
    assert_eq!(members.len(), 6);
    let alice = members.iter().find(|it| it["node"]["user"]["email"] == "alice@acme.example").unwrap();
    let shop = hive.world().project("shop").unwrap().clone();
    assert_eq!(
        alice["node"]["resourceAssignment"],
        json!({ "mode": "GRANULAR", "projects": [{
            "projectId": shop.id, "project": { "id": shop.id, "slug": "shop" },
            "targets": { "mode": "GRANULAR", "targets": [{
                "targetId": shop.targets[0].id, "target": { "id": shop.targets[0].id, "slug": "production" },
                "services": { "mode": "GRANULAR", "services": ["users", "cart"] },
                "appDeployments": { "mode": "GRANULAR", "appDeployments": ["web", "ios-app"] },
            }] },
        }] })
    );
    assert_eq!(alice["node"]["isOwner"], false);
    let roles = read["memberRoles"]["edges"].as_array().unwrap();
    let developer = roles.iter().find(|it| it["node"]["name"] == "Developer").unwrap();
    assert_eq!(
        developer["node"]["permissions"],
        json!(["organization:describe", "project:describe", "laboratory:describe", "laboratory:modify"])
    );
    let titles: Vec<_> = read["accessTokens"]["edges"].as_array().unwrap().iter().collect();
    assert_eq!(titles[0]["node"]["title"], "rolecall");
    assert_eq!(titles[1]["node"]["title"], "legacy-ci");
    assert_eq!(titles[1]["node"]["createdAt"], "2025-03-01T12:00:00.000Z");
    assert_eq!(read["invitations"]["edges"][0]["node"]["role"]["name"], "Viewer");
    let projects = read["projects"]["edges"].as_array().unwrap();
    assert_eq!(projects[1]["node"]["type"], "SINGLE");
    assert_eq!(projects[2]["node"]["targets"]["edges"].as_array().unwrap().len(), 3);
}

#[test]
fn an_empty_world_admits_the_own_token() {
    let hive = at(World::empty("acme"));
    let answer = data(&hive, READ, json!({ "o": org() }));
    assert_eq!(answer["organization"]["owner"]["user"]["email"], "owner@acme.example");
    assert_eq!(answer["organization"]["memberRoles"]["edges"].as_array().unwrap().len(), 2);
    assert_eq!(answer["organization"]["accessTokens"]["edges"][0]["node"]["title"], "rolecall");
    assert_eq!(hive.world().usable_admins(), 1);
    assert_eq!(World::empty("acme"), World::empty("acme"));
    let saved = hive.save();
    hive.load(&saved).unwrap();
    assert_eq!(hive.save(), saved);
}

#[test]
fn what_is_not_allowed_and_what_is_not_there_look_alike() {
    let hive = acme();
    let query = "query($o: OrganizationReferenceInput!) { organization(reference: $o) { id } }";
    let bare = OWN_CREDENTIAL.strip_prefix("Bearer ").unwrap().to_owned();
    let credentials =
        [None, Some("Bearer hvo1/nonsense".to_owned()), Some(bare.clone()), Some(format!("bearer {bare}"))];
    for credential in credentials {
        let (status, body) = send(&hive, credential.as_deref(), query, json!({ "o": org() }));
        assert_eq!(status, 200);
        assert_eq!(message(&body), no_access("organization:describe"));
        assert_eq!(code(&body), Some("UNAUTHORISED"));
        assert_eq!(body["data"], json!({ "organization": null }));
        assert_eq!(body["errors"][0]["path"], json!(["organization"]));
        assert!(body["errors"][0]["locations"][0]["line"].is_u64());
    }
    let body = ask(&hive, query, json!({ "o": { "byId": "nowhere" } }));
    assert_eq!(message(&body), no_access("organization:describe"));

    let poor = credential(&hive, &["organization:describe"], Assignment::All);
    let ask = |fields: &str| {
        let query =
            format!("query($o: OrganizationReferenceInput!) {{ organization(reference: $o) {{ {fields} }} }}");
        send(&hive, Some(&poor), &query, json!({ "o": org() })).1
    };
    for (fields, permission) in [
        ("id members { edges { cursor } }", "member:describe"),
        ("id owner { isOwner }", "member:describe"),
        ("id accessTokens { edges { cursor } }", "accessToken:modify"),
    ] {
        let body = ask(fields);
        assert_eq!(message(&body), no_access(permission));
        assert_eq!(body["data"], json!({ "organization": null }));
    }
    let body = ask("slug accessToken(id: \"x\") { id }");
    assert_eq!(body["data"], json!({ "organization": { "slug": "acme", "accessToken": null } }));
    let body = ask("accessToken(id: \"x\") { id }");
    assert_eq!(body["data"], json!({ "organization": { "accessToken": null } }));
    assert_eq!(message(&body), no_access("accessToken:modify"));
    let body = ask("invitations { edges { cursor } } projects { edges { cursor } }");
    assert_eq!(body["data"], json!({ "organization": { "invitations": null, "projects": { "edges": [] } } }));
    assert_eq!(body.get("errors"), None);
}

#[test]
fn projects_beyond_a_token_are_left_out_without_a_word() {
    let hive = acme();
    let legacy = hive.world().tokens[1].resources.clone();
    let credential = credential(&hive, &["organization:describe", "project:describe"], legacy);
    let query = "query($o: OrganizationReferenceInput!) { organization(reference: $o) {
        projects { edges { node { slug targets { edges { node { slug } } } } } } } }";
    let (_, body) = send(&hive, Some(&credential), query, json!({ "o": org() }));
    let edges = body["data"]["organization"]["projects"]["edges"].as_array().unwrap();
    assert_eq!(edges.len(), 1);
    assert_eq!(edges[0]["node"]["targets"]["edges"].as_array().unwrap().len(), 3);
    let blog = hive.world().project("blog").unwrap().id.clone();
    let query = "query($id: ID!) { project(reference: { byId: $id }) { slug } }";
    let (_, body) = send(&hive, Some(&credential), query, json!({ "id": blog }));
    assert_eq!(message(&body), no_access("project:describe"));
    let answer = data(&hive, query, json!({ "id": blog }));
    assert_eq!(answer, json!({ "project": { "slug": "blog" } }));
}

const CREATE: &str = "mutation($i: CreateMemberRoleInput!) { createMemberRole(input: $i) {
    ok { createdMemberRole { id name description isLocked permissions } }
    error { message inputErrors { name description } } } }";

fn new_role(name: &str, description: &str, permissions: &[&str]) -> Value {
    json!({ "organization": org(), "name": name, "description": description, "selectedPermissions": permissions })
}

#[test]
fn a_thrown_error_takes_all_data_and_stops_and_a_payload_error_does_not() {
    let hive = acme();
    let ghost = json!({ "memberRole": { "byId": "00000000-0000-4000-8000-000000000000" } });
    let query = "mutation($a: CreateMemberRoleInput!, $b: DeleteMemberRoleInput!, $c: CreateMemberRoleInput!) {
        one: createMemberRole(input: $a) { ok { createdMemberRole { id } } error { message } }
        two: deleteMemberRole(input: $b) { ok { deletedMemberRoleId } error { message } }
        three: createMemberRole(input: $c) { ok { createdMemberRole { id } } error { message } } }";
    let variables =
        json!({ "a": new_role("One", "is made", &[]), "b": ghost, "c": new_role("Three", "isn't", &[]) });
    let body = ask(&hive, query, variables);
    assert_eq!(body["data"], Value::Null);
    assert_eq!(body["errors"].as_array().unwrap().len(), 1);
    assert_eq!(body["errors"][0]["path"], json!(["two"]));
    assert_eq!(message(&body), no_access("member:modify"));
    assert!(hive.world().role("One").is_some());
    assert!(hive.world().role("Three").is_none());

    let query = "mutation($a: CreateMemberRoleInput!, $c: CreateMemberRoleInput!) {
        one: createMemberRole(input: $a) { ok { createdMemberRole { name } } error { message } }
        two: createMemberRole(input: $c) { ok { createdMemberRole { name } } error { message } } }";
    let variables = json!({ "a": new_role("One", "is there", &[]), "c": new_role("Three", "is made", &[]) });
    let answer = data(&hive, query, variables);
    assert_eq!(answer["one"]["ok"], Value::Null);
    assert_eq!(answer["one"]["error"]["message"], "Role name already exists. Please choose a different name.");
    assert_eq!(answer["two"], json!({ "ok": { "createdMemberRole": { "name": "Three" } }, "error": null }));
}

#[test]
fn an_error_below_a_mutation_nulls_what_can_be_null() {
    let hive = acme();
    let credential = credential(&hive, &["member:modify"], Assignment::All);
    let query = "mutation($i: CreateMemberRoleInput!) { createMemberRole(input: $i) {
        ok { updatedOrganization { members { edges { cursor } } } } error { message } } }";
    let (_, body) = send(&hive, Some(&credential), query, json!({ "i": new_role("One", "is made", &[]) }));
    assert_eq!(body["data"], json!({ "createMemberRole": { "ok": null, "error": null } }));
    assert_eq!(message(&body), no_access("member:describe"));
    assert!(hive.world().role("One").is_some());
}

#[test]
fn roles_are_held_to_the_rules() {
    let hive = acme();
    let long = "A".repeat(65);
    let astral = "\u{10428}".repeat(32);
    for (name, wrong) in [
        (" A ", "Role name must be at least 2 characters long"),
        (long.as_str(), "Role name must be at most 64 characters long"),
        ("developer", "Must start with a capital letter"),
        ("ßtrange", "Must start with a capital letter"),
        (" Viewer", "Viewer and Admin are reserved"),
    ] {
        let answer = data(&hive, CREATE, json!({ "i": new_role(name, "fine", &[]) }));
        let error = json!({ "message": "Please check your input.", "inputErrors": { "name": wrong, "description": null } });
        assert_eq!(answer["createMemberRole"], json!({ "ok": null, "error": error }));
    }
    let answer = data(&hive, CREATE, json!({ "i": new_role("Fine", " x ", &[]) }));
    let wrong = &answer["createMemberRole"]["error"]["inputErrors"]["description"];
    assert_eq!(wrong, "Role description must be at least 2 characters long");
    for name in ["1st", "École", "DEVELOPER", astral.as_str()] {
        let answer = data(&hive, CREATE, json!({ "i": new_role(name, "fine", &[]) }));
        assert_eq!(answer["createMemberRole"]["error"], Value::Null, "{name}");
    }
    let permissions = [
        "nonsense",
        "laboratory:modify",
        "member:modify",
        "laboratory:modify",
        "project:describe",
        "organization:describe",
    ];
    let answer = data(&hive, CREATE, json!({ "i": new_role(" Many  ", " two\n\"lines\" ", &permissions) }));
    let role = &answer["createMemberRole"]["ok"]["createdMemberRole"];
    assert_eq!(role["name"], "Many");
    assert_eq!(role["description"], " two\n\"lines\" ");
    assert_eq!(
        role["permissions"],
        json!(["organization:describe", "member:modify", "project:describe", "laboratory:modify"])
    );
    assert_eq!(role["isLocked"], false);
}

const UPDATE: &str = "mutation($i: UpdateMemberRoleInput!) { updateMemberRole(input: $i) {
    ok { updatedRole { id name isLocked permissions } } error { message inputErrors { name description } } } }";
const DELETE: &str = "mutation($id: ID!) { deleteMemberRole(input: { memberRole: { byId: $id } }) {
    ok { deletedMemberRoleId updatedOrganization { slug } } error { message } } }";

fn renamed(id: &str, name: &str, permissions: &[&str]) -> Value {
    json!({ "memberRole": { "byId": id }, "name": name, "description": "fine", "selectedPermissions": permissions })
}

#[test]
fn built_in_roles_are_not_protected() {
    let hive = acme();
    let viewer = hive.world().role("Viewer").unwrap().id.clone();
    let answer = data(&hive, UPDATE, json!({ "i": renamed(&viewer, "Viewer", &[]) }));
    let error = &answer["updateMemberRole"]["error"]["inputErrors"]["name"];
    assert_eq!(error, "Viewer and Admin are reserved");
    let answer = data(&hive, UPDATE, json!({ "i": renamed(&viewer, "Renamed", &["member:modify"]) }));
    let role = json!({ "id": viewer, "name": "Renamed", "isLocked": true,
        "permissions": ["organization:describe", "member:modify"] });
    assert_eq!(answer["updateMemberRole"]["ok"]["updatedRole"], role);

    // This breaks the organisation.
    let body = ask(&hive, INVITE, json!({ "i": { "organization": org(), "email": "a@acme.example" } }));
    assert_eq!((message(&body), code(&body)), ("Role not found", None));
    let answer = data(&hive, CREATE, json!({ "i": new_role("Unused", "fine", &[]) }));
    let unused = &answer["createMemberRole"]["ok"]["createdMemberRole"]["id"];
    let body = ask(&hive, DELETE, json!({ "id": unused }));
    assert_eq!((message(&body), code(&body)), ("Unexpected error.", Some("INTERNAL_SERVER_ERROR")));
}

#[test]
fn deleting_a_role() {
    let hive = acme();
    let developer = hive.world().role("Developer").unwrap().id.clone();
    let viewer = hive.world().role("Viewer").unwrap().id.clone();
    let answer = data(&hive, DELETE, json!({ "id": developer }));
    let error = json!({ "ok": null, "error": { "message": "Cannot delete a role with members" } });
    assert_eq!(answer["deleteMemberRole"], error);
    hive.world().member_mut("alice@acme.example").unwrap().role_id.clone_from(&viewer);
    hive.world().invitations[0].role_id.clone_from(&developer);
    let answer = data(&hive, DELETE, json!({ "id": developer }));
    assert_eq!(answer["deleteMemberRole"]["ok"]["deletedMemberRoleId"], developer.as_str());
    assert_eq!(hive.world().invitations[0].role_id, viewer);
    let body = ask(&hive, DELETE, json!({ "id": developer }));
    assert_eq!(message(&body), no_access("member:modify"));
    let body = ask(&hive, DELETE, json!({ "id": "no-uuid" }));
    assert_eq!((message(&body), code(&body)), ("Unexpected error.", Some("INTERNAL_SERVER_ERROR")));

    let admin = hive.world().role("Admin").unwrap().id.clone();
    for member in &mut hive.world().members {
        member.role_id.clone_from(&viewer);
    }
    hive.world().invitations[0].role_id.clone_from(&admin);
    let answer = data(&hive, DELETE, json!({ "id": admin }));
    assert_eq!(answer["deleteMemberRole"]["ok"]["deletedMemberRoleId"], admin.as_str());
    assert!(hive.world().role("Admin").is_some());
    assert_eq!(hive.world().invitations[0].role_id, viewer);
}

#[test]
fn no_more_than_50_roles_are_ever_shown() {
    let hive = acme();
    for number in 0..60 {
        let id = format!("{number:08}-0000-4000-8000-000000000000");
        let (name, description) = (format!("Role {number}"), String::new());
        hive.world().roles.push(WorldRole { id, name, description, locked: false, permissions: Vec::new() });
    }
    let query = "query($o: OrganizationReferenceInput!, $f: Int) { organization(reference: $o) {
        memberRoles(first: $f) { edges { node { id } } } } }";
    for (first, shown) in [(json!(null), 50), (json!(1000), 50), (json!(7), 7), (json!(0), 50), (json!(-1), 50)] {
        let answer = data(&hive, query, json!({ "o": org(), "f": first }));
        let edges = answer["organization"]["memberRoles"]["edges"].as_array().unwrap().clone();
        assert_eq!(edges.len(), shown);
        let ids: Vec<&str> = edges.iter().map(|edge| edge["node"]["id"].as_str().unwrap()).collect();
        assert!(ids.is_sorted_by(|one, other| one > other));
    }
    let query = "query($o: OrganizationReferenceInput!) { organization(reference: $o) {
        memberRoles { pageInfo { hasNextPage } } } }";
    let (status, body) = send(&hive, Some(OWN_CREDENTIAL), query, json!({ "o": org() }));
    assert_eq!(status, 200);
    assert_eq!(message(&body), "Cannot query field \"pageInfo\" on type \"MemberRoleConnection\".");
    assert_eq!(code(&body), Some("GRAPHQL_VALIDATION_FAILED"));
    assert_eq!(body.get("data"), None);
}

/// Returns the user ids on all pages, in order.
fn followed(hive: &Hive, first: Option<i32>) -> Vec<String> {
    let query = "query($o: OrganizationReferenceInput!, $f: Int, $a: String) { organization(reference: $o) {
        members(first: $f, after: $a) { edges { node { user { id } } } pageInfo { hasNextPage endCursor } } } }";
    let (mut after, mut ids) = (Value::Null, Vec::new());
    for _ in 0..50 {
        let answer = data(hive, query, json!({ "o": org(), "f": first, "a": after }));
        let page = &answer["organization"]["members"];
        let edges = page["edges"].as_array().unwrap();
        ids.extend(edges.iter().map(|edge| edge["node"]["user"]["id"].as_str().unwrap().to_owned()));
        if page["pageInfo"]["hasNextPage"] == false {
            return ids;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    panic!("no last page")
}

#[test]
fn pages_of_members_skip_and_repeat_where_the_switch_says_so() {
    let hive = acme();
    let viewer = hive.world().role("Viewer").unwrap().id.clone();
    for number in 0..100_u32 {
        // The ids and the creation times have different orders.
        let id = format!("{:08}-0000-4000-8000-000000000000", number * 37 % 101);
        let joined = format!("2025-{:02}-{:02}T00:00:00Z", 1 + number / 28, 1 + number % 28);
        hive.world().members.push(member(&format!("m{number}"), &id, &viewer, &joined));
    }
    let distinct = |ids: &[String]| ids.iter().cloned().collect::<BTreeSet<_>>().len();
    for first in [Some(10), Some(50), None] {
        let ids = followed(&hive, first);
        assert_eq!((ids.len(), distinct(&ids)), (106, 106));
    }
    hive.set("paging=broken").unwrap();
    let ids = followed(&hive, Some(10));
    assert!(distinct(&ids) < 106, "some are skipped");
    assert_eq!(distinct(&followed(&hive, Some(1000))), 106);

    let query = "query($o: OrganizationReferenceInput!, $f: Int) { organization(reference: $o) {
        members(first: $f) { edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }";
    for first in [0, -3] {
        let answer = data(&hive, query, json!({ "o": org(), "f": first }));
        let info = json!({ "hasNextPage": true, "hasPreviousPage": false, "startCursor": "", "endCursor": "" });
        assert_eq!(answer["organization"]["members"], json!({ "edges": [], "pageInfo": info }));
    }
    hive.set("member-page-limit=5").unwrap();
    let answer = data(&hive, query, json!({ "o": org(), "f": 1000 }));
    assert_eq!(answer["organization"]["members"]["edges"].as_array().unwrap().len(), 5);
}

const ASSIGN: &str = "mutation($i: AssignMemberRoleInput!) { assignMemberRole(input: $i) {
    ok { previousMemberRole { name } updatedMember { isOwner role { name } resourceAssignment { mode
      projects { project { slug } targets { mode targets { target { slug } services { mode services }
        appDeployments { mode appDeployments } } } } } } } error { message } } }";

fn assignment(hive: &Hive, email: &str, role: &str, resources: &Value) -> Value {
    let world = hive.world();
    let (user, role) = (&world.member(email).unwrap().user_id, &world.role(role).unwrap().id);
    json!({ "i": { "organization": org(), "member": { "byId": user }, "memberRole": { "byId": role },
        "resources": resources } })
}

#[test]
fn assigning_replaces_role_and_resources() {
    let hive = acme();
    let variables = assignment(&hive, "alice@acme.example", "Viewer", &json!({ "mode": "ALL", "projects": [] }));
    let answer = data(&hive, ASSIGN, variables);
    assert_eq!(
        answer["assignMemberRole"],
        json!({ "error": null, "ok": { "previousMemberRole": { "name": "Developer" }, "updatedMember": {
            "isOwner": false, "role": { "name": "Viewer" },
            "resourceAssignment": { "mode": "ALL", "projects": null } } } })
    );
    let variables = assignment(&hive, "owner@acme.example", "Viewer", &json!({ "mode": "ALL" }));
    data(&hive, ASSIGN, variables);
    assert_eq!(hive.world().usable_admins(), 2);
    let mut unknown = assignment(&hive, "sam@acme.example", "Viewer", &json!({ "mode": "ALL" }));
    unknown["i"]["memberRole"]["byId"] = json!("00000000-0000-4000-8000-000000000000");
    let answer = data(&hive, ASSIGN, unknown.clone());
    assert_eq!(answer["assignMemberRole"], json!({ "ok": null, "error": { "message": "Role not found" } }));
    for user in ["00000000-0000-4000-8000-000000000000", "sam@acme.example"] {
        unknown["i"]["member"]["byId"] = json!(user);
        let body = ask(&hive, ASSIGN, unknown.clone());
        assert_eq!((message(&body), code(&body)), ("Unexpected error.", Some("INTERNAL_SERVER_ERROR")));
        assert_eq!(body["data"], Value::Null);
    }
    hive.world().member_mut("sam@acme.example").unwrap().provisioned = true;
    let variables = assignment(&hive, "sam@acme.example", "Developer", &json!({ "mode": "ALL" }));
    let answer = data(&hive, ASSIGN, variables);
    assert_eq!(answer["assignMemberRole"]["error"]["message"], "Provisioned users can not be modified.");
}

#[test]
fn what_does_not_fit_an_assignment_is_dropped_without_a_word() {
    let hive = acme();
    let projects = hive.world().projects.clone();
    let (shop, blog) = (&projects[0], &projects[1]);
    let all = json!({ "mode": "ALL" });
    let assign = |resources: Value| {
        let variables = assignment(&hive, "sam@acme.example", "Viewer", &resources);
        let answer = data(&hive, ASSIGN, variables);
        answer["assignMemberRole"]["ok"]["updatedMember"]["resourceAssignment"].clone()
    };
    let everything = json!({ "mode": "ALL", "projects": null });
    assert_eq!(assign(json!({ "mode": "GRANULAR" })), everything);
    assert_eq!(assign(json!({ "mode": "GRANULAR", "projects": null })), everything);
    let nothing = json!({ "mode": "GRANULAR", "projects": [] });
    assert_eq!(assign(nothing.clone()), nothing);
    let unknown = json!([
        { "projectId": "no-uuid", "targets": all },
        { "projectId": "00000000-0000-4000-8000-000000000000", "targets": all },
    ]);
    assert_eq!(assign(json!({ "mode": "GRANULAR", "projects": unknown })), nothing);
    let shown = assign(json!({ "mode": "GRANULAR", "projects": [
        { "projectId": blog.id, "targets": { "mode": "GRANULAR", "targets": [
            { "targetId": blog.targets[0].id, "appDeployments": all,
              "services": { "mode": "GRANULAR", "services": [{ "serviceName": "users" }] } },
            { "targetId": shop.targets[0].id, "services": all, "appDeployments": all },
        ] } },
        { "projectId": shop.id, "targets": { "mode": "GRANULAR" } },
        { "projectId": shop.id, "targets": { "mode": "GRANULAR", "targets": [
            { "targetId": shop.targets[1].id, "services": { "mode": "GRANULAR" },
              "appDeployments": { "mode": "GRANULAR", "appDeployments": [
                { "appDeployment": "b" }, { "appDeployment": "not a name" }, { "appDeployment": "b" },
                { "appDeployment": "a" }] } },
        ] } },
    ] }));
    assert_eq!(
        shown["projects"],
        json!([
            { "project": { "slug": "blog" }, "targets": { "mode": "GRANULAR", "targets": [
                { "target": { "slug": "production" }, "services": { "mode": "ALL", "services": null },
                  "appDeployments": { "mode": "ALL", "appDeployments": null } }] } },
            { "project": { "slug": "shop" }, "targets": { "mode": "GRANULAR", "targets": [] } },
            { "project": { "slug": "shop" }, "targets": { "mode": "GRANULAR", "targets": [
                { "target": { "slug": "staging" }, "services": { "mode": "GRANULAR", "services": [] },
                  "appDeployments": { "mode": "GRANULAR", "appDeployments": ["b", "b", "a"] } }] } },
        ])
    );
    hive.world().projects.remove(0);
    let answer = data(&hive, READ, json!({ "o": org() }));
    let members = answer["organization"]["members"]["edges"].as_array().unwrap().clone();
    let alice = members.iter().find(|it| it["node"]["user"]["email"] == "alice@acme.example").unwrap();
    assert_eq!(alice["node"]["resourceAssignment"], nothing);
}

#[test]
fn app_deployments_are_lost_only_before_8_1_2() {
    for (switches, kept) in [
        (&["release=8.1.2"][..], json!(["web"])),
        (&["release=8.1.2", "app-deployments-kept=false"], json!([])),
        (&[], json!(["web"])),
    ] {
        let hive = acme_with(switches);
        let shop = hive.world().project("shop").unwrap().clone();
        let resources = json!({ "mode": "GRANULAR", "projects": [{ "projectId": shop.id, "targets": {
            "mode": "GRANULAR", "targets": [{ "targetId": shop.targets[0].id, "services": { "mode": "ALL" },
              "appDeployments": { "mode": "GRANULAR", "appDeployments": [{ "appDeployment": "web" }] } }] } }] });
        let answer = data(&hive, ASSIGN, assignment(&hive, "sam@acme.example", "Viewer", &resources));
        let shown = answer
            .pointer("/assignMemberRole/ok/updatedMember/resourceAssignment/projects/0/targets/targets/0")
            .unwrap();
        assert_eq!(shown["appDeployments"]["appDeployments"], kept, "{switches:?}");
    }
}

const INVITE: &str = "mutation($i: InviteToOrganizationByEmailInput!) { inviteToOrganizationByEmail(input: $i) {
    ok { createdOrganizationInvitation { id email createdAt expiresAt role { name } } }
    error { message inputErrors { email } } } }";
const UNINVITE: &str =
    "mutation($i: DeleteOrganizationInvitationInput!) { deleteOrganizationInvitation(input: $i) {
    ok { deletedOrganizationInvitationId } error { message } } }";

fn invite(email: &str) -> Value {
    json!({ "i": { "organization": org(), "email": email } })
}

#[test]
fn inviting() {
    let hive = acme_with(&["invitation-window=false"]);
    let answer = data(&hive, INVITE, invite("new2@acme.example"));
    let made = &answer["inviteToOrganizationByEmail"]["ok"]["createdOrganizationInvitation"];
    assert_eq!(made["createdAt"], "2026-11-21T12:00:00.558Z");
    assert_eq!(made["expiresAt"], "2026-11-28T12:00:00.558Z");
    assert_eq!(made["role"]["name"], "Viewer");
    let (organization, code_) = {
        let world = hive.world();
        (world.organization.id.clone(), world.invitations[1].code.clone())
    };
    let text = format!("{organization}:new2@acme.example:{code_}");
    let hex = text.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    assert_eq!(made["id"], hex.as_str());

    // The same address again: a new id and another mail. In another case: a second invitation.
    let again = data(&hive, INVITE, invite("new2@acme.example"));
    assert_ne!(again["inviteToOrganizationByEmail"]["ok"]["createdOrganizationInvitation"]["id"], made["id"]);
    data(&hive, INVITE, invite("New2@acme.example"));
    assert_eq!(hive.world().invitations.len(), 3);
    assert_eq!(hive.world().mails, ["new2@acme.example", "new2@acme.example", "New2@acme.example"]);

    let answer = data(&hive, INVITE, invite("ALICE@acme.example"));
    assert_eq!(
        answer["inviteToOrganizationByEmail"],
        json!({ "ok": null, "error": {
            "message": "User ALICE@acme.example is already a member of the organization",
            "inputErrors": { "email": null } } })
    );
    for (email, wrong) in [
        ("nobody", "Invalid email"),
        (" a@acme.example", "Invalid email"),
        ("a..b@acme.example", "Invalid email"),
        (&format!("{}@acme.example", "a".repeat(120)), "Email must be at most 128 characters long"),
    ] {
        let answer = data(&hive, INVITE, invite(email));
        let error = json!({ "message": "Please check your input.", "inputErrors": { "email": wrong } });
        assert_eq!(answer["inviteToOrganizationByEmail"]["error"], error);
    }
    let uninvite = json!({ "i": { "organization": org(), "email": "NEW2@acme.example" } });
    let answer = data(&hive, UNINVITE, uninvite);
    assert_eq!(answer["deleteOrganizationInvitation"]["error"]["message"], "Invitation not found");

    // Expired invitations aren't listed, but can be deleted.
    hive.world().invitations[0].expires_at = now();
    let answer = data(&hive, READ, json!({ "o": org() }));
    assert_eq!(answer["organization"]["invitations"]["edges"].as_array().unwrap().len(), 2);
    let uninvite = json!({ "i": { "organization": org(), "email": "new1@acme.example" } });
    let answer = data(&hive, UNINVITE, uninvite);
    assert!(answer["deleteOrganizationInvitation"]["ok"]["deletedOrganizationInvitationId"].is_string());
}

#[test]
fn invitations_carry_a_role_and_on_the_newest_release_resources() {
    let hive = acme();
    let developer = hive.world().role("Developer").unwrap().id.clone();
    let mut variables = invite("new2@acme.example");
    variables["i"]["memberRoleId"] = json!(developer);
    variables["i"]["resources"] = json!({ "mode": "GRANULAR", "projects": [] });
    data(&hive, INVITE, variables.clone());
    assert!(hive.world().accept("new2@acme.example"));
    let world = hive.world().clone();
    let member = world.member("new2@acme.example").unwrap();
    assert_eq!((&member.role_id, &member.resources), (&developer, &Scope::Granular(Vec::new())));
    assert_eq!(world.invitations.len(), 1);

    hive.set("release=8.1.2").unwrap();
    let (status, body) = send(&hive, Some(OWN_CREDENTIAL), INVITE, variables.clone());
    assert_eq!(status, 400);
    assert!(message(&body).starts_with("Variable \"$i\" got invalid value "), "{body}");
    assert!(message(&body).contains("Field \"resources\" is not defined"), "{body}");
    assert_eq!((code(&body), body.get("data")), (None, None));
    let literal = "mutation { inviteToOrganizationByEmail(input: { organization: { byId: \"x\" }, email: \"y\",
        resources: { mode: ALL } }) { error { message } } }";
    let (status, body) = send(&hive, Some(OWN_CREDENTIAL), literal, json!({}));
    assert_eq!((status, code(&body)), (200, Some("GRAPHQL_VALIDATION_FAILED")));

    let unknown = json!({ "organization": org(), "email": "new3@acme.example",
        "memberRoleId": "00000000-0000-4000-8000-000000000000" });
    let body = ask(&hive, INVITE, json!({ "i": unknown }));
    assert_eq!((message(&body), code(&body)), ("Role not found", None));
    hive.set("release=newest").unwrap();
    let answer = data(&hive, INVITE, json!({ "i": unknown }));
    let error = &answer["inviteToOrganizationByEmail"]["error"]["message"];
    assert_eq!(error, "The provided member role does not exist.");
}

#[test]
fn inviting_without_a_known_token_is_the_one_thing_with_a_code_of_its_own() {
    let hive = acme();
    let (status, body) = send(&hive, None, INVITE, invite("a@acme.example"));
    assert_eq!(status, 200);
    assert_eq!(message(&body), "No access (reason: \"Authorization token is missing\")");
    assert_eq!(code(&body), Some("UNAUTHENTICATED"));
    let (_, body) = send(&hive, Some("Bearer hvo1/x"), INVITE, invite("a@acme.example"));
    assert_eq!(code(&body), Some("UNAUTHENTICATED"));
    let (_, body) = send(&hive, None, CREATE, json!({ "i": new_role("One", "fine", &[]) }));
    assert_eq!(code(&body), Some("UNAUTHORISED"));
}

#[test]
fn an_invitation_whose_mail_fails_exists() {
    let hive = acme_with(&["mail=false"]);
    let body = ask(&hive, INVITE, invite("new2@acme.example"));
    assert_eq!((message(&body), code(&body)), ("Unexpected error.", Some("INTERNAL_SERVER_ERROR")));
    assert_eq!(hive.world().invitations.len(), 2);
    assert!(hive.world().mails.is_empty());
}

#[tokio::test(start_paused = true)]
async fn six_invitations_in_five_seconds_whatever_becomes_of_them() {
    let hive = acme();
    for number in 0..6 {
        // Every second call is invalid, and counts nevertheless.
        let email = if number % 2 == 0 { "nonsense".to_owned() } else { format!("n{number}@acme.example") };
        data(&hive, INVITE, invite(&email));
    }
    for _ in 0..3 {
        let body = ask(&hive, INVITE, invite("late@acme.example"));
        assert_eq!(message(&body), "Exceeded rate limit for inviting to organization by email.");
        assert_eq!((code(&body), &body["data"]), (None, &Value::Null));
        tokio::time::advance(Duration::from_secs(2)).await;
    }
    // Refused calls count too: the first six have left the window, three are still in it.
    for _ in 0..2 {
        data(&hive, INVITE, invite("late@acme.example"));
    }
    tokio::time::advance(Duration::from_secs(5)).await;
    data(&hive, INVITE, invite("late@acme.example"));
}

const MINT: &str = "mutation($i: CreateOrganizationAccessTokenInput!) { createOrganizationAccessToken(input: $i) {
    ok { privateAccessKey } error { message details { title description } } } }";

fn token(title: &str, description: &Value, permissions: &[&str]) -> Value {
    json!({ "i": { "organization": org(), "title": title, "description": description,
        "permissions": permissions, "resources": { "mode": "ALL" } } })
}

#[test]
fn tokens() {
    let hive = acme();
    let strange = "Can only contain letters, numbers, \" \", \"_\", and \"-\".";
    let long = "a".repeat(101);
    for (title, wrong) in [
        ("käse", strange),
        ("  ", strange),
        ("a", "Minimum length is 2 characters."),
        (long.as_str(), "Maximum length is 100 characters."),
    ] {
        let answer = data(&hive, MINT, token(title, &json!(""), &[]));
        let details = json!({ "title": wrong, "description": null });
        let error = json!({ "message": "Invalid input provided.", "details": details });
        assert_eq!(answer["createOrganizationAccessToken"], json!({ "ok": null, "error": error }));
    }
    // The input is checked before the caller's permissions.
    let (_, body) = send(&hive, None, MINT, token("a", &json!(""), &[]));
    assert_eq!(body["data"]["createOrganizationAccessToken"]["error"]["message"], "Invalid input provided.");
    let (_, body) = send(&hive, None, MINT, token("abc", &json!(""), &[]));
    assert_eq!(message(&body), no_access("accessToken:modify"));
    let body = ask(&hive, MINT, token("abc", &Value::Null, &[]));
    assert_eq!(message(&body), "Unexpected error.");

    let permissions =
        ["organization:describe", "nonsense", "billing:update", "organization:describe", "accessToken:modify"];
    let answer = data(&hive, MINT, token("legacy-ci", &json!("x"), &permissions));
    let key = answer["createOrganizationAccessToken"]["ok"]["privateAccessKey"].as_str().unwrap().to_owned();
    let made = hive.world().tokens.last().unwrap().clone();
    assert_eq!(made.permissions, ["organization:describe", "accessToken:modify"]);
    assert_eq!(made.first_characters, key[..10]);

    // The new token works, reads itself, deletes itself, and is gone.
    let credential = format!("Bearer {key}");
    let query = "query($o: OrganizationReferenceInput!, $id: ID!) { organization(reference: $o) {
        accessToken(id: $id) { title description permissions firstCharacters createdAt } } }";
    let variables = json!({ "o": org(), "id": made.id });
    let (_, body) = send(&hive, Some(&credential), query, variables.clone());
    assert_eq!(body["data"]["organization"]["accessToken"]["title"], "legacy-ci");
    let delete = "mutation($id: ID!) { deleteAccessToken(input: { accessToken: { byId: $id } }) {
        ok { deletedAccessTokenId } error { message } } }";
    let (_, body) = send(&hive, Some(&credential), delete, json!({ "id": made.id }));
    assert_eq!(body["data"]["deleteAccessToken"]["ok"]["deletedAccessTokenId"], made.id.as_str());
    let (_, body) = send(&hive, Some(&credential), query, variables.clone());
    assert_eq!(message(&body), no_access("organization:describe"));
    let answer = data(&hive, query, variables);
    assert_eq!(answer["organization"]["accessToken"], Value::Null);
}

#[test]
fn deleting_an_unknown_token_differs_by_release() {
    let hive = acme();
    let old =
        "mutation($id: ID!) { deleteOrganizationAccessToken(input: { organizationAccessToken: { byId: $id } }) {
        ok { deletedOrganizationAccessTokenId } error { message } } }";
    let newer =
        "mutation($id: ID!) { deleteAccessToken(input: { accessToken: { byId: $id } }) { error { message } } }";
    let gone = "The access token does not exist.";
    let answer = data(&hive, old, json!({ "id": "x" }));
    assert_eq!(answer["deleteOrganizationAccessToken"]["error"]["message"], gone);
    let answer = data(&hive, newer, json!({ "id": "x" }));
    assert_eq!(answer["deleteAccessToken"]["error"]["message"], gone);
    hive.set("release=8.1.2").unwrap();
    let body = ask(&hive, old, json!({ "id": "x" }));
    assert_eq!(message(&body), no_access("accessToken:modify"));
    let (status, body) = send(&hive, Some(OWN_CREDENTIAL), newer, json!({ "id": "x" }));
    assert_eq!(status, 200);
    assert_eq!(message(&body), "Cannot query field \"deleteAccessToken\" on type \"Mutation\".");
    assert_eq!((code(&body), body.get("data")), (Some("GRAPHQL_VALIDATION_FAILED"), None));
}

#[test]
fn tokens_and_invitations_page_as_they_should() {
    let hive = acme_with(&["invitation-window=false"]);
    for number in 0..45 {
        let mut token = hive.world().tokens[1].clone();
        token.id = format!("{number:08}-0000-4000-8000-000000000000");
        hive.world().tokens.push(token);
        let mut invitation = hive.world().invitations[0].clone();
        invitation.email = format!("n{number}@acme.example");
        hive.world().invitations.push(invitation);
    }
    for (field, first, pages) in
        [("accessTokens", 1000, 3), ("accessTokens", 0, 3), ("invitations", 20, 3), ("invitations", 1000, 1)]
    {
        let query = format!(
            "query($o: OrganizationReferenceInput!, $f: Int, $a: String) {{ organization(reference: $o) {{
                {field}(first: $f, after: $a) {{ edges {{ node {{ id }} }} pageInfo {{ hasNextPage endCursor }} }} }} }}"
        );
        let (mut after, mut ids, mut count) = (Value::Null, BTreeSet::new(), 0);
        loop {
            let answer = data(&hive, &query, json!({ "o": org(), "f": first, "a": after }));
            let page = &answer["organization"][field];
            for edge in page["edges"].as_array().unwrap() {
                assert!(ids.insert(edge["node"]["id"].as_str().unwrap().to_owned()));
            }
            count += 1;
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
        assert_eq!(count, pages, "{field}");
        assert_eq!(ids.len(), if field == "invitations" { 46 } else { 47 });
    }
}

fn names(hive: &Hive, kind: &str, list: &str) -> Vec<String> {
    let all = if list == "fields" { "(includeDeprecated: true)" } else { "" };
    let query = format!("{{ __type(name: \"{kind}\") {{ {list}{all} {{ name }} }} }}");
    let answer = data(hive, &query, json!({}));
    let list = answer["__type"][list].as_array().cloned().unwrap_or_default();
    list.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

fn project(slug: &str) -> Value {
    json!({ "bySelector": { "organizationSlug": "acme", "projectSlug": slug } })
}

#[test]
fn projects_and_targets_are_made_renamed_and_deleted() {
    let hive = acme();
    let create = "mutation($i: CreateProjectInput!) { createProject(input: $i) {
        ok { createdProject { id slug type targets { edges { node { slug } } } } } error { message inputErrors { slug } } } }";
    let new = |slug: &str| json!({ "i": { "organization": org(), "slug": slug, "type": "FEDERATION" } });
    let body = ask(&hive, create, new("new-app"));
    assert_eq!(message(&body), no_access("project:create"), "rolecall's own token may not");
    let held = [
        "project:create",
        "project:describe",
        "project:modifySettings",
        "project:delete",
        "target:create",
        "target:delete",
    ];
    let credential = credential(&hive, &held, Assignment::All);
    let ask = |query: &str, variables: Value| send(&hive, Some(&credential), query, variables).1["data"].take();

    let made = ask(create, new("new-app"))["createProject"]["ok"]["createdProject"].take();
    assert_eq!((&made["slug"], &made["type"]), (&json!("new-app"), &json!("FEDERATION")));
    let targets =
        made["targets"]["edges"].as_array().unwrap().iter().map(|edge| edge["node"]["slug"].as_str().unwrap());
    assert_eq!(targets.collect::<BTreeSet<_>>(), BTreeSet::from(["production", "staging", "development"]));
    for (slug, message) in
        [("shop", "Slug is already taken"), ("new", "Slug is reserved"), ("A b", "Please check your input.")]
    {
        assert_eq!(ask(create, new(slug))["createProject"]["error"]["message"], message, "{slug}");
    }
    let rename = "mutation($i: UpdateProjectSlugInput!) { updateProjectSlug(input: $i) { ok { updatedProject { slug } } error { message } } }";
    let answer = ask(rename, json!({ "i": { "project": project("shop"), "slug": "store" } }));
    assert_eq!(answer["updateProjectSlug"]["ok"]["updatedProject"]["slug"], "store");
    let create = "mutation($i: CreateTargetInput!) { createTarget(input: $i) { ok { createdTarget { id slug } } error { message } } }";
    let answer = ask(create, json!({ "i": { "project": project("store"), "slug": "beta" } }));
    assert_eq!(answer["createTarget"]["ok"]["createdTarget"]["slug"], "beta");
    let delete = "mutation($i: DeleteTargetInput!) { deleteTarget(input: $i) { ok { deletedTargetId } error { message } } }";
    let target = &answer["createTarget"]["ok"]["createdTarget"]["id"];
    let answer = ask(delete, json!({ "i": { "target": { "byId": target } } }));
    assert_eq!(answer["deleteTarget"]["ok"]["deletedTargetId"], *target);

    // Alice's resources name the project, and lose it without a word.
    let shown = || {
        let answer = data(&hive, READ, json!({ "o": org() }));
        let edges = answer["organization"]["members"]["edges"].as_array().unwrap().clone();
        let alice = edges.into_iter().find(|edge| edge["node"]["user"]["email"] == "alice@acme.example").unwrap();
        alice["node"]["resourceAssignment"]["projects"].clone()
    };
    assert_eq!(shown()[0]["project"]["slug"], "store");
    let delete = "mutation($i: DeleteProjectInput!) { deleteProject(input: $i) { ok { deletedProjectId } error { message } } }";
    let answer = ask(delete, json!({ "i": { "project": project("store") } }));
    assert!(answer["deleteProject"]["ok"]["deletedProjectId"].is_string());
    assert_eq!(shown(), json!([]));
}

#[test]
fn events_do_what_people_do_in_the_web_app() {
    let hive = acme();
    data(&hive, INVITE, invite("kim@acme.example"));
    data(&hive, INVITE, invite("lee@acme.example"));
    hive.set("accept=kim@acme.example").unwrap();
    // Somebody else uses the link, with a second account of an address that a member has.
    hive.set("accept=lee@acme.example,alice@acme.example").unwrap();
    let world = hive.world().clone();
    assert!(world.member("kim@acme.example").is_some() && world.member("lee@acme.example").is_none());
    let twins: Vec<_> = world.members.iter().filter(|member| member.email == "alice@acme.example").collect();
    assert_eq!(twins.len(), 2);
    assert_ne!((&twins[0].user_id, twins[0].provider), (&twins[1].user_id, twins[1].provider));

    hive.set("expire=new1@acme.example").unwrap();
    let answer = data(&hive, READ, json!({ "o": org() }));
    assert_eq!(answer["organization"]["invitations"]["edges"], json!([]));
    assert!(hive.set("accept=new1@acme.example").unwrap_err().contains("no open invitation"));

    assert!(hive.set("remove=owner@acme.example").is_err());
    hive.set("owner=kim@acme.example").unwrap();
    hive.set("remove=owner@acme.example").unwrap();
    let answer = data(&hive, READ, json!({ "o": org() }));
    assert_eq!(answer["organization"]["owner"]["user"]["email"], "kim@acme.example");
    assert!(hive.world().member("owner@acme.example").is_none());
    hive.set("rename-target=shop/staging,next").unwrap();
    assert!(hive.world().project("shop").unwrap().targets.iter().any(|target| target.slug == "next"));
    for (wrong, why) in [
        ("accept=nobody@acme.example", "no open invitation"),
        ("remove=nobody@acme.example", "is no member"),
        ("foreign-role=kim@acme.example", "foreign-role=EMAIL,ROLE"),
        ("happen=now", "accept=EMAIL"),
    ] {
        assert!(hive.set(wrong).unwrap_err().contains(why), "{wrong}");
    }
}

#[test]
fn a_role_of_another_organisation_is_taken_only_by_old_releases_and_breaks_the_list_of_invitations() {
    let hive = acme();
    hive.set("foreign-role=sam@acme.example,Contractor").unwrap();
    let foreign = hive.world().foreign_roles[0].id.clone();
    let answer = data(&hive, READ, json!({ "o": org() }));
    assert!(answer.to_string().contains("Contractor"), "the member has it");
    let roles = answer["organization"]["memberRoles"]["edges"].as_array().unwrap();
    assert!(roles.iter().all(|edge| edge["node"]["name"] != "Contractor"));
    let body = ask(&hive, UPDATE, json!({ "i": renamed(&foreign, "Mine", &[]) }));
    assert_eq!(message(&body), no_access("member:modify"));

    let mut assign = assignment(&hive, "alice@acme.example", "Viewer", &json!({ "mode": "ALL" }));
    assign["i"]["memberRole"] = json!({ "byId": foreign });
    let mut new = invite("kim@acme.example");
    new["i"]["memberRoleId"] = json!(foreign);
    let answer = data(&hive, ASSIGN, assign.clone());
    assert_eq!(answer["assignMemberRole"]["error"]["message"], "Role not found");
    hive.set("release=8.1.2").unwrap();
    let answer = data(&hive, ASSIGN, assign);
    assert_eq!(answer["assignMemberRole"]["ok"]["updatedMember"]["role"]["name"], "Contractor");
    let answer = data(
        &hive,
        "mutation($i: InviteToOrganizationByEmailInput!) { inviteToOrganizationByEmail(input: $i) { error { message } } }",
        new,
    );
    assert_eq!(answer["inviteToOrganizationByEmail"]["error"], Value::Null);
    let body = ask(&hive, READ, json!({ "o": org() }));
    assert_eq!(
        (message(&body), &body["data"]["organization"]["invitations"]),
        ("Unexpected error.", &Value::Null)
    );
    let uninvite = json!({ "i": { "organization": org(), "email": "kim@acme.example" } });
    data(&hive, UNINVITE, uninvite);
    data(&hive, READ, json!({ "o": org() }));
}

#[test]
fn a_role_with_a_permission_that_the_release_does_not_know_breaks_the_list_of_roles() {
    let hive = acme();
    hive.world().roles[2].permissions.push("traces:report".to_owned());
    data(&hive, READ, json!({ "o": org() }));
    hive.set("release=8.1.2").unwrap();
    let body = ask(&hive, READ, json!({ "o": org() }));
    assert_eq!(
        (message(&body), &body["data"]["organization"]["memberRoles"]),
        ("Unexpected error.", &Value::Null)
    );
}

#[test]
fn introspection_tells_the_releases_apart() {
    let hive = acme();
    let has = |kind: &str, list: &str, name: &str| names(&hive, kind, list).iter().any(|it| it == name);
    assert!(has("InviteToOrganizationByEmailInput", "inputFields", "resources"));
    assert!(has("Mutation", "fields", "deleteAccessToken"));
    assert!(has("Mutation", "fields", "deleteOrganizationAccessToken"));
    assert!(!has("User", "fields", "provider"));
    let asks =
        "query($o: OrganizationReferenceInput!) { organization(reference: $o) { owner { user { provider } } } }";
    let (status, _) = send(&hive, Some(OWN_CREDENTIAL), asks, json!({ "o": org() }));
    assert_eq!(status, 200);
    hive.set("release=8.1.2").unwrap();
    assert!(!has("InviteToOrganizationByEmailInput", "inputFields", "resources"));
    assert!(has("InviteToOrganizationByEmailInput", "inputFields", "memberRoleId"));
    assert!(!has("Mutation", "fields", "deleteAccessToken"));
    assert!(has("Mutation", "fields", "deleteOrganizationAccessToken"));
    assert!(has("User", "fields", "provider"));
    let answer = data(&hive, asks, json!({ "o": org() }));
    assert_eq!(answer["organization"]["owner"]["user"]["provider"], "USERNAME_PASSWORD");
    hive.set("introspection=false").unwrap();
    let query = "{ __type(name: \"User\") { name } }";
    let (status, body) = send(&hive, Some(OWN_CREDENTIAL), query, json!({}));
    assert_eq!((status, code(&body)), (200, Some("GRAPHQL_VALIDATION_FAILED")));
}

#[test]
fn the_catalogues_differ_by_release() {
    let hive = acme();
    let query = "query($o: OrganizationReferenceInput!) { organization(reference: $o) {
        roles: availableMemberPermissionGroups { id permissions { id title description level dependsOnId } }
        tokens: availableOrganizationAccessTokenPermissionGroups { id permissions { id level } } } }";
    let read = || {
        let answer = data(&hive, query, json!({ "o": org() }));
        let ids = |list: &Value| -> Vec<Value> {
            let groups = list.as_array().unwrap().iter();
            groups.flat_map(|group| group["permissions"].as_array().unwrap().clone()).collect()
        };
        (ids(&answer["organization"]["roles"]), ids(&answer["organization"]["tokens"]))
    };
    let id = |permission: &Value| permission["id"].as_str().unwrap().to_owned();
    let (new_roles, new_tokens) = read();
    hive.set("release=8.1.2").unwrap();
    let (roles, tokens) = read();
    assert_eq!((roles.len(), tokens.len()), (29, 16));
    assert_eq!(roles.iter().map(id).collect::<BTreeSet<_>>().len(), 29);
    assert!(!roles.iter().any(|it| it["id"] == "projectAccessToken:modify" || it["id"] == "usage:report"));
    assert!(new_roles.iter().any(|it| it["id"] == "projectAccessToken:modify"));
    assert!(new_tokens.iter().any(|it| it["id"] == "schemaCheck:approve"));
    assert!(roles.iter().all(|it| new_roles.contains(it)));
    let modify = roles.iter().find(|it| it["id"] == "member:modify").unwrap();
    assert_eq!((&modify["level"], &modify["dependsOnId"]), (&json!("ORGANIZATION"), &json!("member:describe")));
    let describe = new_roles.iter().find(|it| it["id"] == "appDeployment:create").unwrap();
    assert_eq!(describe["level"], "APP_DEPLOYMENT");
}

#[test]
fn documents_have_limits() {
    let hive = acme();
    let aliased = |count: usize| {
        let fields = (0..count)
            .fold(String::new(), |fields, at| fields + &format!(" a{at}: organization(reference: $o) {{ id }}"));
        format!("query($o: OrganizationReferenceInput!) {{{fields} }}")
    };
    data(&hive, &aliased(20), json!({ "o": org() }));
    let (status, body) = send(&hive, Some(OWN_CREDENTIAL), &aliased(21), json!({ "o": org() }));
    assert_eq!(status, 200);
    assert_eq!(message(&body), "Syntax Error: Aliases limit of 20 exceeded, found 21.");
    assert_eq!((code(&body), body.get("data")), (None, None));

    let names = (0..21).fold(String::new(), |fields, at| fields + &format!(" a{at}: __typename"));
    data(&hive, &format!("{{{names} }}"), json!({}));
    let directives = |count: usize| format!("{{ __typename{} }}", " @include(if: true)".repeat(count));
    let (_, body) = send(&hive, Some(OWN_CREDENTIAL), &directives(51), json!({}));
    assert_eq!(message(&body), "Syntax Error: Directives limit of 20 exceeded, found 51.");

    let wide = |tokens: usize| format!("{{{}}} # not, \"this\"", " __typename".repeat(tokens - 2));
    data(&hive, &wide(800), json!({}));
    let (status, body) = send(&hive, Some(OWN_CREDENTIAL), &wide(801), json!({}));
    assert_eq!((status, message(&body)), (200, "Syntax Error: Token limit of 800 exceeded."));
    assert_eq!(code(&body), Some("GRAPHQL_PARSE_FAILED"));

    let (status, body) = send(&hive, Some(OWN_CREDENTIAL), "{ organization(", json!({}));
    assert_eq!((status, code(&body), body.get("data")), (200, Some("GRAPHQL_PARSE_FAILED"), None));
    assert!(message(&body).starts_with("Syntax Error: "));

    let circular = "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }";
    let (status, body) = send(&hive, Some(OWN_CREDENTIAL), circular, json!({}));
    assert_eq!((status, code(&body)), (200, Some("GRAPHQL_VALIDATION_FAILED")));

    let nested = |depth: usize| {
        let inner = "ofType { ".repeat(depth - 3);
        format!(
            "{{ __type(name: \"User\") {{ fields {{ type {{ {inner} name {} }} }} }} }}",
            "}".repeat(depth - 3)
        )
    };
    let (status, _) = send(&hive, Some(OWN_CREDENTIAL), &nested(21), json!({}));
    assert_eq!(status, 200);
    let (status, body) = send(&hive, Some(OWN_CREDENTIAL), &nested(22), json!({}));
    assert_eq!((status, message(&body)), (200, "Syntax Error: Query depth limit of 22 exceeded, found 23."));
}

#[tokio::test]
async fn variables_that_do_not_fit_are_refused_before_anything_happens() {
    let hive = acme();
    let both = json!({ "byId": "x", "bySelector": { "organizationSlug": "acme" } });
    for (reference, why) in [
        (both, "Exactly one key must be specified for OneOf type \"OrganizationReferenceInput\"."),
        (json!({}), "Exactly one key must be specified for OneOf type \"OrganizationReferenceInput\"."),
        (json!({ "byId": null }), "null at \"i.byId\"; Field \"byId\" must be non-null."),
        (json!({ "bySelector": {} }), "Field \"organizationSlug\" of required type \"String!\" was not provided."),
    ] {
        let query = "query($i: OrganizationReferenceInput!) { organization(reference: $i) { id } }";
        let (status, body) = send(&hive, Some(OWN_CREDENTIAL), query, json!({ "i": reference }));
        assert_eq!(status, 400);
        assert!(message(&body).starts_with("Variable \"$i\" got invalid value "), "{body}");
        assert!(message(&body).ends_with(why), "{body}");
        assert_eq!((code(&body), body.get("data")), (None, None));
    }
    let mut wrong = assignment(&hive, "sam@acme.example", "Viewer", &json!({ "mode": "SOME" }));
    let (status, body) = send(&hive, Some(OWN_CREDENTIAL), ASSIGN, wrong.clone());
    assert_eq!(status, 400);
    assert!(message(&body).contains("\"i.resources.mode\"; Value \"SOME\" does not exist in"), "{body}");
    // The values are shown as sent, and each misfit is told.
    let query = "mutation($i: InviteToOrganizationByEmailInput!) { inviteToOrganizationByEmail(input: $i) { error { message } } }";
    let sent = r#"{ "zone": 1, "organization": { "byId": "x" }, "memberRole": { "a": { "b": { "c": 1 } } } }"#;
    let body = json!({ "query": query, "variables": { "i": 0 } }).to_string().replace('0', sent);
    let (status, _, body) = post(&[("content-type", "application/json")], &body).await;
    let value = "{ zone: 1, organization: { byId: \"x\" }, memberRole: { a: [Object] } }";
    let messages: Vec<&str> =
        body["errors"].as_array().unwrap().iter().map(|error| error["message"].as_str().unwrap()).collect();
    let begin = format!("Variable \"$i\" got invalid value {value}; ");
    let kind = "\"InviteToOrganizationByEmailInput\"";
    assert_eq!(status, 400);
    assert_eq!(
        messages,
        [
            format!("{begin}Field \"email\" of required type \"String!\" was not provided."),
            format!("{begin}Field \"zone\" is not defined by type {kind}."),
            format!("{begin}Field \"memberRole\" is not defined by type {kind}. Did you mean \"memberRoleId\"?"),
        ]
    );
    wrong["i"].as_object_mut().unwrap().remove("resources");
    let (status, _) = send(&hive, Some(OWN_CREDENTIAL), ASSIGN, wrong);
    assert_eq!(status, 400);
}

#[test]
fn the_gateway_answers_in_its_own_way() {
    let hive = acme_with(&["gateway=true"]);
    let answer = ask(&hive, CREATE, json!({ "i": new_role("One", "fine", &[]) }));
    assert_eq!(answer["extensions"]["cost"]["estimated"], 5);
    let query = "query { organization(reference: { byId: \"x\" }) { id } }";
    let body = ask(&hive, query, json!({}));
    assert_eq!(body["errors"][0].get("locations"), None);
    assert_eq!(body["errors"][0]["extensions"], json!({ "code": "UNAUTHORISED", "serviceName": "graphql" }));
    let answer = ask(&hive, READ, json!({ "o": org() }));
    assert_eq!(answer.get("errors"), None);
    for _ in 0..6 {
        ask(&hive, INVITE, invite("nonsense"));
    }
    let body = ask(&hive, INVITE, invite("nonsense"));
    assert_eq!(code(&body), Some("DOWNSTREAM_SERVICE_ERROR"));
    let one_of = "query($i: OrganizationReferenceInput!) { organization(reference: $i) { id } }";
    let body = ask(&hive, one_of, json!({ "i": {} }));
    assert_eq!((code(&body), &body["data"]), (Some("DOWNSTREAM_SERVICE_ERROR"), &Value::Null));

    // The gateway forwards the root fields of a mutation one by one.
    let field = |at: usize| format!(" a{at}: deleteOrganizationInvitation(input: $i) {{ error {{ message }} }}");
    let fields = (0..21).fold(String::new(), |fields, at| fields + &field(at));
    let query = format!("mutation($i: DeleteOrganizationInvitationInput!) {{{fields} }}");
    let body = ask(&hive, &query, json!({ "i": { "organization": org(), "email": "x" } }));
    assert_eq!(body["data"].as_object().unwrap().len(), 21);
    let wide = |tokens: usize| format!("{{{}}}", " __typename".repeat(tokens - 2));
    let body = ask(&hive, &wide(801), json!({}));
    assert_eq!(message(&body), "Syntax Error: Token limit of 800 exceeded.");
    let (status, body) = send(&hive, Some(OWN_CREDENTIAL), &wide(1001), json!({}));
    assert_eq!((status, message(&body)), (400, "Syntax Error: Token limit of 1000 exceeded."));
    assert!(body["extensions"]["cost"]["estimated"].is_u64());
}

#[test]
fn access_is_what_the_platform_would_allow() {
    let mut world = World::seed("acme").unwrap();
    let set = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(
        world.access("alice@acme.example"),
        set(&[
            "organization:describe @ organization",
            "project:describe @ shop",
            "laboratory:describe @ shop/production",
            "laboratory:modify @ shop/production",
        ])
    );
    let ghost = world.access("ghost@acme.example");
    assert!(ghost.contains("support:manageTickets @ organization"));
    assert!(ghost.contains("laboratory:describe @ blog/staging"));
    assert!(ghost.contains("laboratory:describe @ blog/*"));
    assert!(!ghost.iter().any(|line| line.contains("shop")));
    let left = world.access("left@acme.example");
    assert!(left.contains("schemaCheck:approve @ mobile/production/service:*"));
    assert!(left.contains("project:describe @ *"));

    let alice = world.member("alice@acme.example").unwrap().role_id.clone();
    let role = world.roles.iter_mut().find(|role| role.id == alice).unwrap();
    role.permissions = vec!["schemaCheck:approve".to_owned(), "appDeployment:retire".to_owned()];
    assert_eq!(
        world.access("alice@acme.example"),
        set(&[
            "organization:describe @ organization",
            "schemaCheck:approve @ shop/production/service:users",
            "schemaCheck:approve @ shop/production/service:cart",
            "appDeployment:retire @ shop/production/app:web",
            "appDeployment:retire @ shop/production/app:ios-app",
        ])
    );
    // The stored role and resources of the owner have no effect.
    let before = world.access("owner@acme.example");
    let viewer = world.role("Viewer").unwrap().id.clone();
    let owner = world.member_mut("owner@acme.example").unwrap();
    owner.role_id = viewer;
    owner.resources = Scope::Granular(Vec::new());
    assert_eq!(world.access("owner@acme.example"), before);
    assert_eq!(world.access("jane@acme.example"), before);
    assert_eq!(world.usable_admins(), 2);
}

#[test]
fn switches_are_set_by_name() {
    let hive = acme();
    hive.set("release=8.1.2").unwrap();
    hive.set("member-page-limit=10").unwrap();
    hive.set("app-deployments-kept=true").unwrap();
    assert!(hive.set("release=7").is_err());
    assert!(hive.set("no-such=1").unwrap_err().contains("invitation-window"));
    assert_eq!(hive.world().switches.member_page_limit, Some(10));
    assert_eq!(World::seed("nobody"), None);
}
