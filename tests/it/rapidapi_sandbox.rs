//! The sandbox of RapidAPI's Enterprise Hub behaves as its documentation and the known schemas show, and each
//! switch changes behaviour that they leave open.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use rolecall_sandbox::rapidapi::{
    APP_KEY, HOST, OWN_EMAIL, OWN_PERSONAL_KEY, OWN_TEAM_KEY, RapidApi, SEEDS, World, WorldCredential,
    WorldOrganization, WorldTeam,
};
use rolecall_sandbox::{AnySandbox, Engine, Headers, Reply, Request, Sandbox, Store};
use serde_json::{Value, json};

// The ids of the seed.
const ORG: u64 = 7_000_001;
const PARTNERS: u64 = 7_000_002;
const DEFAULT: u64 = 7_000_011;
const PAYMENTS: u64 = 7_000_012;
const SEARCH: u64 = 7_000_013;
const INTEGRATIONS: u64 = 7_000_022;
const ADMIN_ROLE: u64 = 521;
const DEVELOPER_ROLE: u64 = 522;
const TEAM_VIEWER: u64 = 533;

fn at(world: World) -> RapidApi {
    RapidApi::new(world, Arc::new(|| "2026-11-21T12:00:00Z".parse().unwrap()))
}

/// Returns the seed's hub without a rate limit.
fn hub(switches: &[&str]) -> RapidApi {
    let rapidapi = at(World::seed().unwrap());
    for switch in ["rate-limit=0"].iter().chain(switches) {
        rapidapi.set(switch).unwrap();
    }
    rapidapi
}

fn personal(key: &str) -> Headers {
    Headers::new([("X-RapidAPI-Host", HOST), ("X-RapidAPI-Key", key)])
}

fn team(key: &str, identity: &str) -> Headers {
    Headers::new([("x-rapidapi-host", HOST), ("x-rapidapi-key", key), ("x-rapidapi-identity-key", identity)])
}

fn own() -> Headers {
    personal(OWN_PERSONAL_KEY)
}

fn own_team() -> Headers {
    team(OWN_TEAM_KEY, OWN_PERSONAL_KEY)
}

/// Gives a user a personal key, such as `jane-key`.
fn give_key(rapidapi: &RapidApi, name: &str) {
    let mut world = rapidapi.world();
    let user = world.user(&format!("{name}@acme.example")).unwrap().id;
    world.credentials.push(WorldCredential::personal(&format!("{name}-key"), user));
}

fn send(rapidapi: &RapidApi, headers: &Headers, query: &str, variables: Value) -> (u16, Value) {
    let response = rapidapi.respond(headers, Request::new(query, variables));
    (response.status, serde_json::from_slice(&response.body).unwrap())
}

/// Sends a request with the own user's personal key. Returns an answer with status 200.
fn ask(rapidapi: &RapidApi, query: &str, variables: Value) -> Value {
    let (status, body) = send(rapidapi, &own(), query, variables);
    assert_eq!(status, 200, "{query} {body}");
    body
}

fn data_as(rapidapi: &RapidApi, headers: &Headers, query: &str, variables: Value) -> Value {
    let (status, body) = send(rapidapi, headers, query, variables);
    assert_eq!((status, body.get("errors")), (200, None), "{query} {body}");
    body["data"].clone()
}

fn data(rapidapi: &RapidApi, query: &str, variables: Value) -> Value {
    data_as(rapidapi, &own(), query, variables)
}

fn is_refused(body: &Value, name: &str) -> bool {
    body["data"][name] == Value::Null
        && body["errors"][0]["message"].is_string()
        && body["errors"][0]["path"][0] == json!(name)
}

fn code(body: &Value) -> &str {
    body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

/// Returns a mutation with a Boolean answer and one argument `input`.
fn by_input(name: &str, input: &str) -> String {
    format!("mutation($input: {input}) {{ {name}(input: $input) }}")
}

fn change(rapidapi: &RapidApi, name: &str, kind: &str, input: Value) -> Value {
    let mut variables = json!({});
    variables["input"] = input;
    ask(rapidapi, &by_input(name, kind), variables)
}

const ADD: &str = "mutation($user: Int!, $teams: [Int]!) { addUserToTeams(userId: $user, teamIds: $teams) }";
const REMOVE: &str = "mutation($org: Int!, $email: String!) {
    removeTeamUserFromAllOrgTeams(orgId: $org, email: $email) }";
const DELETE_TEAM: &str = "mutation($id: ID!) { deleteTeam(id: $id) }";
const CREATE: &str = "mutation($input: OrganizationCreateInput!) {
    createOrganization(input: $input) { id name slugifiedName } }";
const UPDATE_USER: &str = "mutation($input: UserUpdateInput!) { updateUser(input: $input) { status } }";
const PEOPLE: &str = "query($org: Int!, $paging: PagingArgs) {
    paginatedTeamUsersByOrganizationIdV2(orgId: $org, pagingArgs: $paging) {
        data { id email name role inviteStatus teams { id } userData { status } }
        total totalActive
    } }";
const PAGED: &str = "paginatedTeamUsersByOrganizationIdV2";

fn invite(rapidapi: &RapidApi, email: &str, role: &str, teams: &[u64]) -> Value {
    let input = json!({ "email": email, "organizationId": ORG, "teamIds": teams, "role": role });
    change(rapidapi, "createUserInvites", "UserInvitesInput", input)
}

fn give(rapidapi: &RapidApi, email: &str, role: u64) -> Value {
    let input = json!({ "entityId": id(rapidapi, email), "roleId": role, "orgId": ORG });
    change(rapidapi, "updateUserRoles", "UserRolesUpdateInput", input)
}

fn id(rapidapi: &RapidApi, name: &str) -> u64 {
    let email = if name.contains('@') { name.to_owned() } else { format!("{name}@acme.example") };
    rapidapi.world().user(&email).unwrap().id
}

fn organization(rapidapi: &RapidApi) -> WorldOrganization {
    rapidapi.world().organization(SEEDS[0]).unwrap().clone()
}

fn team_of(rapidapi: &RapidApi, id: u64) -> WorldTeam {
    rapidapi.world().team(id).unwrap().1.clone()
}

fn is_in(rapidapi: &RapidApi, team: u64, name: &str) -> bool {
    team_of(rapidapi, team).members.contains(&id(rapidapi, name))
}

fn done(name: &str) -> Value {
    json!({ "data": { name: true } })
}

#[test]
fn the_seed_reads_as_the_documentations_samples_read_it() {
    let rapidapi = hub(&[]);
    let query = "query($id: ID!, $where: WhereOrgTeam) { organization(id: $id, where: $where) {
        id name slugifiedName email description thumbnail status numOfTeams numOfUsers occupiedSeats billingType
        isOrganizationAdmin createdAt role { id } entity
        billingAdditionalValues { total subscriptionId } seatsBillingInformation { freeSeats }
        teams(where: $where) { id name slugifiedName description status deletedAt usersCount isTeamMember
            role(where: $where) { role { name } } ProjectAcls { owner Project { id } } }
        users(roleInOrgCtx: true) { id mashapeId email username status protected singleAdminOrgs
            role { id roleId orgId entityId parentId role { id key name roleLevel isDefault isBasicRole } } Teams { id } }
        ProjectAcls { owner { id type name } Project { id mashapeId name description enableLimitsToAPIs
            applicationAuthorizations { id name status authorizationType grantType } } }
    } }";
    let answer = data(&rapidapi, query, json!({ "id": ORG, "where": { "orgId": ORG, "parentId": ORG } }));
    let found = &answer["organization"];
    assert_eq!((&found["id"], &found["slugifiedName"]), (&json!("7000001"), &json!("platform-management")));
    assert_eq!(
        (&found["numOfTeams"], &found["numOfUsers"], &found["occupiedSeats"]),
        (&json!(3), &json!(8), &json!(9))
    );
    assert_eq!(found["billingAdditionalValues"]["total"], 50);
    assert_eq!(found["seatsBillingInformation"]["freeSeats"], 41);
    assert_eq!((&found["isOrganizationAdmin"], &found["role"]), (&json!(true), &Value::Null));
    let names: Vec<_> =
        found["teams"].as_array().unwrap().iter().map(|team| team["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["platform-management-Default", "Payments", "Search"]);
    assert_eq!((&found["teams"][1]["usersCount"], &found["teams"][1]["isTeamMember"]), (&json!(5), &json!(true)));
    let users = found["users"].as_array().unwrap();
    let user = |email: &str| users.iter().find(|user| user["email"] == email).unwrap().clone();
    assert_eq!(user("jane@acme.example")["role"]["role"]["name"], "Organization Admin");
    assert_eq!(user("sam@acme.example")["role"]["roleId"], DEVELOPER_ROLE);
    // A user without an assigned role has no row, even though the level has a default.
    assert_eq!(user("ghost@acme.example")["role"], Value::Null);
    assert_eq!(
        (&user("max@acme.example")["status"], &user("robot@acme.example")["protected"]),
        (&json!("DEACTIVATED"), &json!(true))
    );
    // Sam is also in a team of another organisation.
    let teams = &user("sam@acme.example")["Teams"];
    assert_eq!(
        *teams,
        json!([{ "id": PAYMENTS.to_string() }, { "id": SEARCH.to_string() }, { "id": INTEGRATIONS.to_string() }])
    );
    assert!(users.iter().all(|user| user["email"] != "new1@acme.example"), "invited, and in no list but one");
    assert_eq!(found["ProjectAcls"][1]["owner"], json!({ "id": PAYMENTS, "type": "Team", "name": "Payments" }));
    let keys = &found["ProjectAcls"][1]["Project"]["applicationAuthorizations"];
    assert_eq!((keys.as_array().unwrap().len(), &keys[1]["authorizationType"]), (2, &json!("OAUTH2")));
    assert!(!answer.to_string().contains(APP_KEY));

    let me = data(&rapidapi, "{ activeUser { id email isCurrentUser role { role { key } } } }", json!({}));
    assert_eq!(
        (&me["activeUser"]["email"], &me["activeUser"]["role"]["role"]["key"]),
        (&json!(OWN_EMAIL), &json!("environment-admin"))
    );
    let entity = "{ activeEntity { id type name slugifiedName email parents { id type } } }";
    assert_eq!(data(&rapidapi, entity, json!({}))["activeEntity"]["type"], "User");
    let context = data_as(&rapidapi, &own_team(), entity, json!({}));
    assert_eq!(context["activeEntity"]["id"], DEFAULT.to_string());
    assert_eq!(context["activeEntity"]["parents"], json!([{ "id": ORG.to_string(), "type": "Organization" }]));
    assert_eq!(data(&rapidapi, "{ ping }", json!({}))["ping"], "pong");
    assert_eq!(data(&rapidapi, "{ getMinimumSeats }", json!({}))["getMinimumSeats"], 1);
}

#[test]
fn the_proxy_looks_at_host_and_keys() {
    let rapidapi = hub(&[]);
    give_key(&rapidapi, "max");
    // A team's key ignores its user.
    let named = WorldCredential { user: id(&rapidapi, "own"), ..WorldCredential::of_team("named", PAYMENTS) };
    rapidapi.world().credentials.push(named);
    let refused = [
        (Headers::new([("x-rapidapi-key", OWN_PERSONAL_KEY)]), 403),
        (Headers::new([("x-rapidapi-host", "elsewhere"), ("x-rapidapi-key", OWN_PERSONAL_KEY)]), 403),
        (Headers::new([("x-rapidapi-host", HOST)]), 401),
        (personal("another"), 401),
        // A team's key alone, with another team's key, and with an unknown one.
        (personal(OWN_TEAM_KEY), 401),
        (team(OWN_TEAM_KEY, OWN_TEAM_KEY), 401),
        (team(OWN_TEAM_KEY, "named"), 401),
        (personal("named"), 401),
        (team(OWN_TEAM_KEY, "another"), 401),
        // The user is deactivated.
        (personal("max-key"), 401),
    ];
    for (headers, status) in refused {
        let (answered, body) = send(&rapidapi, &headers, "{ ping }", json!({}));
        assert_eq!(answered, status, "{headers:?}");
        assert!(body["message"].is_string() && body.get("data").is_none(), "{body}");
    }
    for headers in [own(), own_team(), team(OWN_PERSONAL_KEY, "another")] {
        assert_eq!(data_as(&rapidapi, &headers, "{ ping }", json!({}))["ping"], "pong");
    }
}

/// Returns a hub with a clock that the test sets, in milliseconds.
fn timed(switches: &[&str]) -> (RapidApi, Arc<AtomicI64>) {
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
    let shared = Arc::clone(&clock);
    let now = move || Timestamp::from_millisecond(shared.load(Ordering::Relaxed)).unwrap();
    let rapidapi = RapidApi::new(World::seed().unwrap(), Arc::new(now));
    for switch in switches {
        rapidapi.set(switch).unwrap();
    }
    (rapidapi, clock)
}

#[test]
fn a_user_has_ten_requests_in_a_minute() {
    let (rapidapi, clock) = timed(&[]);
    let status = |headers: Headers, query: &str| rapidapi.respond(&headers, Request::new(query, json!({})));
    // All requests with either key count for the same user.
    for at in 0..10 {
        let (headers, query) = match at % 3 {
            0 => (own(), "{ ping }"),
            1 => (own_team(), "{ __schema { queryType { name } } }"),
            _ => (own(), "{ nonsense }"),
        };
        assert_ne!(status(headers, query).status, 429, "{at}");
        clock.fetch_add(1000, Ordering::Relaxed);
    }
    for headers in [own(), own_team()] {
        let limited = status(headers, "{ ping }");
        assert_eq!((limited.status, limited.retry_after), (429, None));
    }
    // A request with an unknown key counts for nobody, and another user has a minute of their own.
    give_key(&rapidapi, "jane");
    assert_eq!(status(personal("another"), "{ ping }").status, 401);
    assert_eq!(status(personal("jane-key"), "{ ping }").status, 200);
    rapidapi.set("retry-after=true").unwrap();
    assert_eq!(status(own(), "{ ping }").retry_after, Some(Duration::from_secs(50)));
    // The first request leaves the window. Refused requests didn't count.
    clock.fetch_add(50_000, Ordering::Relaxed);
    assert_eq!(status(own(), "{ ping }").status, 200);
    assert_eq!(status(own(), "{ ping }").status, 429);
    clock.fetch_add(60_000, Ordering::Relaxed);
    for _ in 0..10 {
        assert_eq!(status(own(), "{ ping }").status, 200);
    }
}

#[test]
fn the_limit_and_the_minute_are_switches() {
    let (rapidapi, clock) = timed(&["rate-limit=2", "minute-millis=100"]);
    let status = || rapidapi.respond(&own(), Request::new("{ ping }", json!({}))).status;
    assert_eq!((status(), status(), status()), (200, 200, 429));
    clock.fetch_add(100, Ordering::Relaxed);
    assert_eq!(status(), 200);
    // The requests are stored with the world.
    let saved = rapidapi.save();
    rapidapi.load(&saved).unwrap();
    assert_eq!((status(), status()), (200, 429));
    rapidapi.set("rate-limit=0").unwrap();
    for _ in 0..50 {
        assert_eq!(status(), 200);
    }
}

#[test]
fn a_request_has_one_field_at_its_root_if_the_switch_says_so() {
    let rapidapi = hub(&["root-fields=one"]);
    let before = rapidapi.world().clone();
    for query in [
        "{ ping activeUser { id } }",
        "{ ping another: ping }",
        "{ ...F } fragment F on Query { ping activeUser { id } }",
        "{ ... on Query { ping } activeUser { id } }",
        "mutation { deleteTeam(id: 7000012) other: deleteTeam(id: 7000013) }",
    ] {
        let body = ask(&rapidapi, query, json!({}));
        assert_eq!(body.get("data"), None, "{query}");
        assert!(body["errors"][0]["message"].is_string());
    }
    assert_eq!(*rapidapi.world(), before);
    for query in
        ["{ ping __typename }", "{ __schema { queryType { name } } __type(name: \"Team\") { name } ping }"]
    {
        assert_eq!(data(&rapidapi, query, json!({}))["ping"], "pong");
    }
    rapidapi.set("root-fields=many").unwrap();
    let answer = data(&rapidapi, "{ ping another: ping activeUser { email } }", json!({}));
    assert_eq!(answer, json!({ "ping": "pong", "another": "pong", "activeUser": { "email": OWN_EMAIL } }));
    let body = ask(&rapidapi, "mutation { one: deleteTeam(id: 1) two: deleteTeam(id: 7000012) }", json!({}));
    assert_eq!(
        (&body["data"], &body["errors"][0]["path"]),
        (&json!({ "one": null, "two": true }), &json!(["one"]))
    );
}

#[test]
fn what_a_generation_lacks_is_invalid() {
    for (on, query) in [
        ("Organization", "query($id: ID!) { organization(id: $id) { users(roleInOrgCtx: true) { id } } }"),
        ("User", "query { users(where: { email: \"own@acme.example\" }) { totalCount nodes { id } } }"),
    ] {
        let variables = if query.contains("$id") { json!({ "id": ORG }) } else { json!({}) };
        let (status, body) = send(&hub(&[]), &own(), query, variables.clone());
        assert!(status == 200 && body.get("data").is_some(), "{query} {body}");
        let (status, body) = send(&hub(&["generation=2023-08"]), &own(), query, variables);
        let found = (status, code(&body), body.get("data"));
        assert_eq!(found, (400, "GRAPHQL_VALIDATION_FAILED", None), "{query}");
        let message = body["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains(on), "{query} {message}");
    }
    let (_, body) = send(&hub(&[]), &own(), "{ activeUser { id age } }", json!({}));
    assert_eq!(body["errors"][0]["message"], "Cannot query field \"age\" on type \"User\".");
    // Fields of an input in a variable.
    let input = json!({ "input": { "id": "7000107", "age": 7 } });
    let query = "mutation($input: UserUpdateInput!) { updateUser(input: $input) { status } }";
    let (status, body) = send(&hub(&[]), &own(), query, input);
    assert_eq!((status, code(&body)), (400, "GRAPHQL_VALIDATION_FAILED"));
}

#[test]
fn users_are_a_list_or_a_connection() {
    let by_email = |fields: &str| format!("{{ users(where: {{ email: \"Sam@acme.example\" }}) {fields} }}");
    let sam = json!({ "id": "7000104", "name": "Sam Miller" });
    let listed = hub(&["generation=2023-08"]);
    assert_eq!(data(&listed, &by_email("{ id name }"), json!({})), json!({ "users": [sam] }));
    assert_eq!(send(&listed, &own(), &by_email("{ nodes { id } }"), json!({})).0, 400);
    let documented = hub(&[]);
    let answer = data(&documented, &by_email("{ nodes { id name } totalCount }"), json!({}));
    assert_eq!(answer, json!({ "users": { "nodes": [sam], "totalCount": 1 } }));
    assert_eq!(send(&documented, &own(), &by_email("{ id }"), json!({})).0, 400);
}

#[test]
fn update_user_answers_with_the_status() {
    let rapidapi = hub(&[]);
    let update =
        |fields: &str| format!("mutation($input: UserUpdateInput!) {{ updateUser(input: $input) {fields} }}");
    let rename = json!({ "input": { "name": "Olivia" } });
    let answer = data(&rapidapi, &update("{ status }"), rename.clone());
    assert_eq!(answer["updateUser"], json!({ "status": "ACTIVE" }));
    assert_eq!(rapidapi.world().user(OWN_EMAIL).unwrap().name, "Olivia");
    assert_eq!(send(&rapidapi, &own(), &update("{ id }"), rename).0, 400);
}

#[test]
fn ids_are_of_another_type_in_each_place() {
    let rapidapi = hub(&[]);
    let before = rapidapi.world().clone();
    let user = "mutation($user: ID!, $teams: [Int]!) { addUserToTeams(userId: $user, teamIds: $teams) }";
    let org = "query($org: ID!) { paginatedTeamUsersByOrganizationIdV2(orgId: $org) { total } }";
    let nested = "mutation($id: ID!) { createTeam(input: { organizationId: $id, name: \"New\" }) { id } }";
    let optional = "mutation($id: ID) { deleteTeam(id: $id) }";
    let level = "{ roles(where: { roleLevels: [\"USER_TEAM\"] }) { nodes { id } } }";
    let roles = "query($where: RoleWhereInput!) { roles(where: $where) { nodes { id } } }";
    for (query, variables) in [
        (user, json!({ "user": "7000107", "teams": [PAYMENTS] })),
        (ADD, json!({ "user": "7000107", "teams": [PAYMENTS] })),
        (ADD, json!({ "user": 7_000_107, "teams": [PAYMENTS.to_string()] })),
        (org, json!({ "org": ORG })),
        (nested, json!({ "id": ORG })),
        (optional, json!({ "id": PAYMENTS })),
        (DELETE_TEAM, json!({ "id": null })),
        ("mutation { updateUser(input: { id: 7000101 }) { status } }", json!({})),
        ("mutation { addUserToTeams(userId: 7000107, teamIds: [\"7000012\"]) }", json!({})),
        (UPDATE_USER, json!({ "input": { "id": 7_000_101 } })),
        (level, json!({})),
        (roles, json!({ "where": { "roleLevels": ["USER_HUB"] } })),
        ("{ teams(where: { orgId: \"7000001\" }) { id } }", json!({})),
    ] {
        let (status, body) = send(&rapidapi, &own(), query, variables);
        assert_eq!((status, body.get("data")), (400, None), "{query} {body}");
        assert!(code(&body).starts_with("GRAPHQL_"), "{query} {body}");
    }
    assert_eq!(*rapidapi.world(), before);
    // A number is accepted as an ID.
    for id in [json!(ORG), json!(ORG.to_string())] {
        let query = "query($id: ID!) { organization(id: $id) { id } }";
        assert_eq!(data(&rapidapi, query, json!({ "id": id }))["organization"]["id"], ORG.to_string());
    }
    data(&rapidapi, roles, json!({ "where": { "roleLevels": ["USER_TEAM"] } }));
    assert_eq!(data(&rapidapi, ADD, json!({ "user": 7_000_107, "teams": [PAYMENTS] }))["addUserToTeams"], true);
}

#[test]
fn what_may_be_read_depends_on_key_and_person() {
    let rapidapi = hub(&[]);
    for name in ["jane", "sam", "kim"] {
        give_key(&rapidapi, name);
    }
    // The own user with the personal and the team key, an admin of the organisation, a member, and another user.
    let people = [
        own(),
        own_team(),
        personal("jane-key"),
        team(OWN_TEAM_KEY, "jane-key"),
        personal("sam-key"),
        team(OWN_TEAM_KEY, "sam-key"),
        personal("kim-key"),
        team(OWN_TEAM_KEY, "kim-key"),
    ];
    let paged = format!("{{ {PAGED}(orgId: {ORG}) {{ total }} }}");
    for (name, query, may) in [
        ("users", "{ users(where: { email: \"sam@acme.example\" }) { nodes { id } } }", [true; 8]),
        ("users", "{ users(where: { userIds: [7000104] }) { nodes { id } } }", [true; 8]),
        (
            "users",
            "{ users(where: { limit: 50, offset: 0 }) { nodes { id } } }",
            [true, false, false, false, false, false, false, false],
        ),
        (
            "users",
            "{ users(where: {}) { nodes { id } } }",
            [true, false, false, false, false, false, false, false],
        ),
        (
            "users",
            "{ users(where: { teamId: 7000012 }) { nodes { id } } }",
            [true, true, true, true, true, true, false, false],
        ),
        ("user", "{ user(id: 7000107) { id } }", [true, false, false, false, false, false, false, false]),
        ("user", "{ user(id: 7000104) { id } }", [true, false, false, false, true, true, false, false]),
        (
            "organization",
            "{ organization(id: 7000001) { id teams { id } } }",
            [true, true, true, true, true, true, false, false],
        ),
        ("organizations", "{ organizations { id } }", [false, true, false, true, false, true, false, true]),
        (PAGED, &paged, [false, true, false, true, false, true, false, false]),
        ("team", "{ team(id: 7000013) { id } }", [true, true, true, true, true, true, false, false]),
        ("team", "{ team(id: 7000011) { id } }", [true, true, true, true, false, false, false, false]),
        (
            "teams",
            "{ teams(where: { orgId: 7000001 }) { id } }",
            [true, true, true, true, true, true, false, false],
        ),
        (
            "entitiesRoles",
            "{ entitiesRoles(where: { entityIds: [7000104], orgId: 7000001 }) { nodes { id } } }",
            [true, true, true, true, true, true, false, false],
        ),
        (
            "entitiesRoles",
            "{ entitiesRoles(where: { entityIds: [7000104] }) { nodes { id } } }",
            [true, true, false, false, true, true, false, false],
        ),
        (
            "applicationAuthorizations",
            "{ applicationAuthorizations(where: { projectId: 6001 }) { id } }",
            [false, true, false, true, false, true, false, false],
        ),
        (
            "applicationAuthorizations",
            "{ applicationAuthorizations(where: { projectId: 6004 }) { id } }",
            [true, false, false, false, true, true, false, false],
        ),
        (
            "checkIfEmailsAlreadyInvited",
            "{ checkIfEmailsAlreadyInvited(orgId: 7000001, emails: [\"new1@acme.example\"]) }",
            [true, true, true, true, true, true, false, false],
        ),
    ] {
        for (headers, may) in people.iter().zip(may) {
            let (status, body) = send(&rapidapi, headers, query, json!({}));
            assert_eq!(status, 200, "{query} {body}");
            assert_eq!(body.get("errors").is_none(), may, "{query} {headers:?} {body}");
            if may {
                assert_ne!(body["data"][name], Value::Null, "{query} {headers:?}");
            } else {
                assert!(is_refused(&body, name) && code(&body) == "FORBIDDEN", "{query} {headers:?} {body}");
            }
        }
    }
    // Organisations that they don't administrate are left out.
    let all = "{ organizations { id } }";
    for (key, expected) in
        [("jane-key", json!([{ "id": "7000001" }, { "id": "7000002" }])), ("sam-key", json!([]))]
    {
        let found = data_as(&rapidapi, &team(OWN_TEAM_KEY, key), all, json!({}));
        assert_eq!(found["organizations"], expected, "{key}");
    }
    let named = "{ organizations(where: { slugifiedName: \"partners\" }) { id users { email } } }";
    let found = data_as(&rapidapi, &own_team(), named, json!({}));
    assert_eq!(found["organizations"].as_array().unwrap().len(), 1);
    for id in ["1", "x"] {
        let body = ask(&rapidapi, &format!("{{ organization(id: \"{id}\") {{ id }} }}"), json!({}));
        assert!(is_refused(&body, "organization") && code(&body) == "BAD_USER_INPUT");
    }
}

#[test]
fn roles_within_an_organisation_are_for_its_admins() {
    let rapidapi = hub(&[]);
    for name in ["jane", "sam"] {
        give_key(&rapidapi, name);
    }
    let query =
        "{ organization(id: 7000001) { users(roleInOrgCtx: true) { id role { roleId } } ProjectAcls { id } } }";
    for headers in [own(), own_team(), personal("jane-key")] {
        let answer = data_as(&rapidapi, &headers, query, json!({}));
        assert_eq!(answer["organization"]["users"][0]["role"]["roleId"], ADMIN_ROLE);
    }
    let (_, body) = send(&rapidapi, &personal("sam-key"), query, json!({}));
    assert_eq!(body["data"]["organization"]["users"][0], json!({ "id": "7000101", "role": null }));
    assert_eq!(body["data"]["organization"]["ProjectAcls"], Value::Null);
    assert_eq!(body["errors"].as_array().unwrap().len(), 9);
    assert_eq!(body["errors"][0]["path"][0], "organization");
    // Without the organisation's context it is the role in the hub.
    let hub_roles = "{ organization(id: 7000001) { users { id role { roleId } } } }";
    let answer = data(&rapidapi, hub_roles, json!({}));
    assert_eq!(answer["organization"]["users"][0]["role"]["roleId"], 511);
    assert_eq!(answer["organization"]["users"][1]["role"], Value::Null);
    // Another user's apps, in the field for admins and in the field for the owner only.
    let apps = "{ user(id: 7000104) { ProjectAcls { Project { name } } ProjectACLs { owner } } }";
    let body = ask(&rapidapi, apps, json!({}));
    assert_eq!(body["data"]["user"]["ProjectAcls"][0]["Project"]["name"], "default-application_sam");
    assert_eq!(body["errors"][0]["path"], json!(["user", "ProjectACLs"]));
    let own_apps = data_as(&rapidapi, &personal("sam-key"), apps, json!({}));
    assert_eq!(own_apps["user"]["ProjectACLs"][0]["owner"], 7_000_104);
}

#[test]
fn who_may_change_what_are_switches() {
    const TEAM: &str = "mutation { createTeam(input: { organizationId: 7000001, name: \"New\" }) { id } }";
    let (person, for_team) = (personal("jane-key"), team(OWN_TEAM_KEY, "jane-key"));
    for (switch, headers, may) in [
        ("mutation-context=any", &person, true),
        ("mutation-context=any", &for_team, true),
        ("mutation-context=team", &person, false),
        ("mutation-context=team", &for_team, true),
        ("mutation-context=personal", &person, true),
        ("mutation-context=personal", &for_team, false),
    ] {
        let rapidapi = hub(&[switch]);
        give_key(&rapidapi, "jane");
        let (_, body) = send(&rapidapi, headers, TEAM, json!({}));
        assert_eq!(is_refused(&body, "createTeam"), !may, "{switch} {body}");
        assert_eq!(organization(&rapidapi).teams.len(), if may { 4 } else { 3 });
    }
    // Members can't change anything. Environment admins can change other organisations only if the switch allows
    // it.
    for (switch, may) in
        [("environment-admin-mutates-anywhere=true", true), ("environment-admin-mutates-anywhere=false", false)]
    {
        let rapidapi = hub(&[switch]);
        give_key(&rapidapi, "sam");
        let (_, body) = send(&rapidapi, &personal("sam-key"), TEAM, json!({}));
        assert!(is_refused(&body, "createTeam") && code(&body) == "FORBIDDEN");
        let own_id = id(&rapidapi, "own");
        rapidapi.world().organization_mut(ORG).unwrap().members.retain(|member| member.user != own_id);
        assert_eq!(is_refused(&ask(&rapidapi, TEAM, json!({})), "createTeam"), !may, "{switch}");
    }
    // Accounts need an environment admin with a personal key, whatever the switch says.
    let rapidapi = hub(&["mutation-context=team"]);
    give_key(&rapidapi, "jane");
    let left = json!({ "input": { "id": id(&rapidapi, "left").to_string(), "status": "DEACTIVATED" } });
    let mashape = rapidapi.world().user("left@acme.example").unwrap().mashape_id.clone();
    let delete = format!("mutation {{ deleteUser(id: 7000107, mashapeId: \"{mashape}\") }}");
    for headers in [own_team(), personal("jane-key"), for_team] {
        let (_, body) = send(&rapidapi, &headers, UPDATE_USER, left.clone());
        assert!(is_refused(&body, "updateUser") && code(&body) == "FORBIDDEN", "{body}");
        let (_, body) = send(&rapidapi, &headers, &delete, json!({}));
        assert!(is_refused(&body, "deleteUser"), "{body}");
    }
    assert_eq!(data(&rapidapi, UPDATE_USER, left)["updateUser"]["status"], "DEACTIVATED");
}

fn people(rapidapi: &RapidApi, paging: Value) -> Value {
    let mut variables = json!({ "org": ORG });
    variables["paging"] = paging;
    let answer = data_as(rapidapi, &own_team(), PEOPLE, variables);
    answer[PAGED].clone()
}

/// Returns addresses without their domain.
fn names(people: &Value) -> Vec<String> {
    let name = |it: &Value| it["email"].as_str().unwrap().split('@').next().unwrap().to_owned();
    people.as_array().unwrap().iter().map(name).collect()
}

#[test]
fn members_and_invitations_come_mixed_and_by_offset() {
    let rapidapi = hub(&[]);
    assert_eq!(invite(&rapidapi, "kim@acme.example", "ADMIN", &[PAYMENTS]), done("createUserInvites"));
    let all = people(&rapidapi, json!({ "limit": 1000, "offset": 0, "orderBy": "id", "orderDirection": "asc" }));
    // Kim has an account and so an id. Rows without an id come last.
    let expected = ["own", "jane", "alexandra", "sam", "ghost", "max", "left", "robot", "kim", "new1"];
    assert_eq!(names(&all["data"]), expected);
    assert_eq!((&all["total"], &all["totalActive"]), (&json!(10), &json!(8)));
    let (kim, new) = (&all["data"][8], &all["data"][9]);
    assert_eq!(
        (&kim["id"], &kim["inviteStatus"], &kim["role"]),
        (&json!(7_000_110), &json!("PENDING"), &json!("ADMIN"))
    );
    assert_eq!((&new["id"], &new["name"], &new["userData"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!(new["teams"], json!([{ "id": SEARCH.to_string() }]));
    // Max is active in the organisation, although deactivated in the hub.
    let max = &all["data"][5];
    assert_eq!((&max["inviteStatus"], &max["userData"]["status"]), (&json!("ACTIVE"), &json!("DEACTIVATED")));

    let page = |offset: usize, direction: &str| {
        let paging = json!({ "limit": 4, "offset": offset, "orderBy": "id", "orderDirection": direction });
        names(&people(&rapidapi, paging)["data"])
    };
    assert_eq!(page(8, "ASC"), expected[8..]);
    assert_eq!(page(4, "asc"), expected[4..8]);
    assert_eq!(
        (page(0, "desc"), page(12, "DESC").len()),
        (vec!["new1".to_owned(), "kim".to_owned(), "robot".to_owned(), "left".to_owned()], 0)
    );
    let found = people(&rapidapi, json!({ "searchTerm": "JANE", "limit": 10, "orderBy": "email" }));
    assert_eq!((names(&found["data"]), &found["total"]), (vec!["jane".to_owned()], &json!(1)));
    for paging in [json!({ "limit": -1 }), json!({ "offset": -1 }), json!({ "orderBy": "mood" })] {
        let (_, body) = send(&rapidapi, &own_team(), PEOPLE, json!({ "org": ORG, "paging": paging }));
        assert!(is_refused(&body, PAGED) && code(&body) == "BAD_USER_INPUT");
    }
    // An invitation doesn't count as active, whatever its status is called.
    rapidapi.set("invite-status=ACTIVE").unwrap();
    for (paging, active) in [(json!({ "searchTerm": "kim" }), 0), (json!({ "limit": 50 }), 8)] {
        assert_eq!(people(&rapidapi, paging)["totalActive"], active);
    }
}

#[test]
fn pages_have_a_default_and_a_most() {
    let rapidapi = hub(&[]);
    let mut world = rapidapi.world().clone();
    for number in 0..30 {
        let user = world.add_user(&format!("more{number}@acme.example"));
        world.add_member(ORG, user, false);
    }
    *rapidapi.world() = world;
    let long = people(&rapidapi, json!({ "limit": 1000 }));
    assert_eq!((long["data"].as_array().unwrap().len(), &long["total"]), (39, &json!(39)));
    assert_eq!(people(&rapidapi, Value::Null)["data"].as_array().unwrap().len(), 20);
    rapidapi.set("page-max=5").unwrap();
    let short = people(&rapidapi, json!({ "limit": 1000 }));
    assert_eq!((short["data"].as_array().unwrap().len(), &short["total"]), (5, &json!(39)));
    let users = "{ users(where: { limit: 50 }) { nodes { id } totalCount } }";
    let users = data(&rapidapi, users, json!({}))["users"].clone();
    assert_eq!((users["nodes"].as_array().unwrap().len(), &users["totalCount"]), (5, &json!(40)));
    let roles = "{ roles(where: {}, pagination: { first: 500 }) { nodes { id } pageInfo { hasNextPage } } }";
    let roles = data(&rapidapi, roles, json!({}))["roles"].clone();
    assert_eq!((roles["nodes"].as_array().unwrap().len(), &roles["pageInfo"]["hasNextPage"]), (5, &json!(true)));
}

#[test]
fn roles_are_read_by_cursor() {
    const ROLES: &str = "query($page: PaginationInput) {
        roles(where: {}, pagination: $page) { nodes { id } edges { cursor node { id } }
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    let rapidapi = hub(&[]);
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    for _ in 0..3 {
        let page = data(&rapidapi, ROLES, json!({ "page": { "first": 4, "after": after } }))["roles"].clone();
        seen.extend(page["nodes"].as_array().unwrap().iter().map(|role| role["id"].as_str().unwrap().to_owned()));
        assert_eq!(page["pageInfo"]["hasNextPage"], seen.len() < 9);
        assert_eq!(page["pageInfo"]["endCursor"], page["edges"].as_array().unwrap().last().unwrap()["cursor"]);
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(seen, ["501", "511", "512", "521", "522", "531", "532", "533", "541"]);
    // `last` and `before` have no effect.
    let ignored = data(&rapidapi, ROLES, json!({ "page": { "first": 2, "last": 1, "before": after } }));
    assert_eq!(ignored["roles"]["nodes"], json!([{ "id": "501" }, { "id": "511" }]));
    let body = ask(&rapidapi, ROLES, json!({ "page": { "after": "nowhere" } }));
    // The field can't be null, so all of the data is null.
    assert_eq!((&body["data"], code(&body)), (&Value::Null, "BAD_USER_INPUT"));
    let levels = "{ roles(where: { roleLevels: [USER_TEAM, USER_ORGANIZATION] },
        orderBy: { sortingFields: [{ fieldName: NAME, by: DESC }] }) { nodes { name key isDefault } } }";
    let found = data(&rapidapi, levels, json!({}))["roles"]["nodes"].clone();
    let expected = ["Team Viewer", "Team Developer", "Team Admin", "Organization Admin", "Developer"];
    assert_eq!(
        found.as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect::<Vec<_>>(),
        expected
    );
    assert_eq!((&found[4]["key"], &found[4]["isDefault"]), (&json!("organization-developer"), &json!(true)));
}

#[test]
fn assignments_are_read_for_many_at_once() {
    const ROWS: &str = "query($where: EntityRoleWhereInput!, $page: PaginationInput) {
        entitiesRoles(where: $where, pagination: $page) {
            nodes { entityId roleId orgId parentId role { key } } pageInfo { hasNextPage endCursor } } }";
    let rapidapi = hub(&[]);
    let everybody: Vec<u64> = (7_000_101..=7_000_110).collect();
    let rows = |filter: Value, page: Value| {
        data(&rapidapi, ROWS, json!({ "where": filter, "page": page }))["entitiesRoles"].clone()
    };
    let teams =
        rows(json!({ "entityIds": everybody, "orgId": ORG, "parentIds": [PAYMENTS, SEARCH] }), Value::Null);
    assert_eq!(
        teams["nodes"],
        json!([
            { "entityId": 7_000_104, "roleId": 531, "orgId": ORG, "parentId": PAYMENTS, "role": { "key": "team-admin" } },
            { "entityId": 7_000_105, "roleId": 533, "orgId": ORG, "parentId": PAYMENTS, "role": { "key": "team-viewer" } },
        ])
    );
    // Without teams, the roles in the organisation are included. Without the organisation, all roles are.
    let count = |filter: Value| rows(filter, Value::Null)["nodes"].as_array().unwrap().len();
    assert_eq!(count(json!({ "entityIds": everybody, "orgId": ORG })), 6);
    assert_eq!(count(json!({ "entityIds": everybody })), 10);
    assert_eq!(count(json!({ "entityIds": [7_000_107], "orgId": ORG })), 0);
    let first = rows(json!({ "entityIds": everybody }), json!({ "first": 6 }));
    assert_eq!(first["pageInfo"]["hasNextPage"], true);
    let rest =
        rows(json!({ "entityIds": everybody }), json!({ "first": 6, "after": first["pageInfo"]["endCursor"] }));
    assert_eq!((rest["nodes"].as_array().unwrap().len(), &rest["pageInfo"]["hasNextPage"]), (4, &json!(false)));
}

#[test]
fn users_are_named_or_searched_for() {
    let rapidapi = hub(&[]);
    let users = |filter: &str| {
        let query = format!("{{ users(where: {filter}) {{ nodes {{ id email status deletedAt }} totalCount }} }}");
        data(&rapidapi, &query, json!({}))["users"].clone()
    };
    assert_eq!(names(&users(r#"{ username: "ghost" }"#)["nodes"]), ["ghost"]);
    assert_eq!(names(&users(r#"{ userIds: ["7000102", 7000104, "1"] }"#)["nodes"]), ["jane", "sam"]);
    assert_eq!(names(&users("{ teamId: 7000022 }")["nodes"]), ["own", "jane", "sam", "pia"]);
    assert_eq!(users(r#"{ email: "nobody@acme.example" }"#), json!({ "nodes": [], "totalCount": 0 }));
    let page = users(r#"{ limit: 3, offset: 2, order: "createdAt,DESC" }"#);
    assert_eq!(
        (names(&page["nodes"]), &page["totalCount"]),
        (vec!["robot".to_owned(), "left".to_owned(), "max".to_owned()], &json!(10))
    );
    assert_eq!(names(&users(r#"{ limit: 9, term: "MILLER", byField: "id,name" }"#)["nodes"]), ["sam"]);
    assert_eq!(names(&users(r#"{ limit: 9, term: "miller", byField: "email" }"#)["nodes"]), Vec::<String>::new());
    assert_eq!(names(&users(r#"{ limit: 9, filters: { status: "DEACTIVATED" } }"#)["nodes"]), ["max"]);
    let body = ask(&rapidapi, "{ users(where: { order: \"mood,ASC\" }) { totalCount } }", json!({}));
    assert!(is_refused(&body, "users"));

    // A deleted user is found only by id, and the address is free.
    let ghost = json!({ "input": { "id": "7000105", "status": "DELETED" } });
    assert_eq!(data(&rapidapi, UPDATE_USER, ghost)["updateUser"]["status"], "DELETED");
    assert_eq!(users(r#"{ email: "ghost@acme.example" }"#)["totalCount"], 0);
    let deleted = users("{ userIds: [7000105] }")["nodes"][0].clone();
    assert_eq!((&deleted["status"], deleted["deletedAt"].is_string()), (&json!("DELETED"), true));
    let anew = rapidapi.world().add_user("ghost@acme.example");
    assert_eq!(users(r#"{ email: "ghost@acme.example" }"#)["nodes"][0]["id"], anew.to_string());
}

fn founding(name: &str, seats: i32, users: &Value) -> Value {
    json!({ "input": { "name": name, "email": "bills@acme.example", "seats": seats, "users": users } })
}

#[test]
fn founding_an_organisation_has_consequences() {
    let rapidapi = hub(&["slug-suffix=-x"]);
    give_key(&rapidapi, "sam");
    let users = json!([{ "email": "new2@acme.example", "role": "ADMIN" }, { "id": "7000110" }]);
    let headers = personal("sam-key");
    let answer = data_as(&rapidapi, &headers, CREATE, founding("Data & Science", 3, &users));
    let made = &answer["createOrganization"];
    assert_eq!((&made["name"], &made["slugifiedName"]), (&json!("Data & Science"), &json!("data-science-x")));
    let world = rapidapi.world().clone();
    let organization = world.organization("data-science-x").unwrap();
    assert_eq!(made["id"], organization.id.to_string());
    assert_eq!((organization.email.as_deref(), organization.seats), (Some("bills@acme.example"), 3));
    let sam = world.user("sam@acme.example").unwrap().id;
    assert!(world.is_org_admin(organization.id, sam) && organization.members.len() == 1);
    let [team] = &organization.teams[..] else { panic!("{organization:?}") };
    assert_eq!((team.name.as_str(), &team.members), ("Data & Science-Default", &vec![sam]));
    assert_eq!(world.apps_of(team.id).count(), 1);
    // They are invited, and not a member yet.
    assert_eq!(world.mails, ["new2@acme.example", "kim@acme.example"]);
    let invited: Vec<_> =
        organization.invitations.iter().map(|it| (it.email.as_str(), it.role.as_str())).collect();
    assert_eq!(invited, [("new2@acme.example", "ADMIN"), ("kim@acme.example", "DEVELOPER")]);
    assert_eq!(organization.invitations[0].teams, [team.id]);

    let before = rapidapi.world().clone();
    for variables in [
        founding("PARTNERS", 10, &json!([])),
        founding("Too small", 0, &json!([])),
        founding("Too small", 2, &users),
        founding("Odd", 9, &json!([{}])),
        founding("Odd", 9, &json!([{ "email": "nobody" }])),
        founding("Odd", 9, &json!([{ "email": "a@acme.example", "role": "KING" }])),
        founding("Odd", 9, &json!([{ "id": "1" }])),
        founding(" ", 9, &json!([])),
    ] {
        let body = ask(&rapidapi, CREATE, variables);
        assert_eq!((&body["data"], &body["errors"][0]["path"]), (&Value::Null, &json!(["createOrganization"])));
    }
    assert_eq!(*rapidapi.world(), before);
    rapidapi.set("duplicate-names=allowed").unwrap();
    let twice = data(&rapidapi, CREATE, founding("Data & Science", 5, &Value::Null));
    assert_eq!(twice["createOrganization"]["slugifiedName"], "data-science-x-2");
}

#[test]
fn organisations_change_by_what_is_said() {
    const UPDATE: &str = "mutation($input: OrganizationUpdateInput!) {
        updateOrganization(input: $input) { name slugifiedName email description } }";
    let rapidapi = hub(&[]);
    let update = |mut input: Value| {
        input["organizationId"] = json!(ORG);
        ask(&rapidapi, UPDATE, json!({ "input": input }))
    };
    let body = update(json!({ "name": "Platform", "seats": 9 }));
    assert_eq!(
        body["data"]["updateOrganization"],
        json!({ "name": "Platform", "slugifiedName": "platform-management", "email": "platform@acme.example",
            "description": "Whoever runs the hub." })
    );
    assert_eq!(organization(&rapidapi).seats, 9);
    let before = rapidapi.world().clone();
    for input in [
        json!({ "seats": 8 }),
        json!({ "seats": 0 }),
        json!({ "name": "Partners" }),
        json!({ "organizationId": 1 }),
    ] {
        let body = match input.get("organizationId") {
            Some(_) => ask(&rapidapi, UPDATE, json!({ "input": input })),
            None => update(input),
        };
        assert!(is_refused(&body, "updateOrganization"), "{body}");
    }
    assert_eq!(*rapidapi.world(), before);
    update(json!({ "description": "Others.", "email": "x@acme.example", "thumbnail": "/a.png" }));
    let found = organization(&rapidapi);
    assert_eq!(
        (found.description.as_deref(), found.thumbnail.as_deref(), found.name.as_str()),
        (Some("Others."), Some("/a.png"), "Platform")
    );
    rapidapi.set("rename-slug=follows").unwrap();
    let body = update(json!({ "name": "Platform Team" }));
    assert_eq!(body["data"]["updateOrganization"]["slugifiedName"], "platform-team");
}

#[test]
fn deleting_an_organisation_takes_all_of_it() {
    const DELETE: &str = "mutation($id: ID!) { deleteOrganization(id: $id) }";
    let rapidapi = hub(&[]);
    assert_eq!(ask(&rapidapi, DELETE, json!({ "id": ORG })), done("deleteOrganization"));
    let world = rapidapi.world().clone();
    assert_eq!(world.organization(SEEDS[0]), None);
    assert!(world.assignments.iter().all(|row| row.org != Some(ORG)));
    assert!(world.apps.iter().all(|app| app.id != 6001 && app.id != 6002) && world.apps.len() == 2);
    // The team's key was deleted with the team.
    assert_eq!(send(&rapidapi, &own_team(), "{ ping }", json!({})).0, 401);
    let body = ask(&rapidapi, DELETE, json!({ "id": ORG }));
    assert_eq!((&body["data"], code(&body)), (&Value::Null, "BAD_USER_INPUT"));
    rapidapi.set("booleans=false").unwrap();
    assert_eq!(data(&rapidapi, DELETE, json!({ "id": PARTNERS }))["deleteOrganization"], false);
    assert_eq!(rapidapi.world().organization(SEEDS[1]), None);
}

#[test]
fn teams_are_made_changed_and_marked_as_deleted() {
    const NEW: &str = "mutation($input: TeamCreateInput!) { createTeam(input: $input) { id name slugifiedName } }";
    const UPDATE: &str =
        "mutation($input: TeamUpdateInput!) { updateTeam(input: $input) { name slugifiedName description } }";
    let rapidapi = hub(&["slug-suffix=-x"]);
    let team = |name: &str| json!({ "input": { "organizationId": ORG, "name": name, "description": "About." } });
    let made = data(&rapidapi, NEW, team("Fraud Watch"))["createTeam"].clone();
    assert_eq!(made["slugifiedName"], "fraud-watch-x");
    let fraud: u64 = made["id"].as_str().unwrap().parse().unwrap();
    // Admins of the organisation are in every team.
    assert_eq!(team_of(&rapidapi, fraud).members, [7_000_101, 7_000_102, 7_000_103]);
    assert!(is_refused(&ask(&rapidapi, NEW, team("payments")), "createTeam"));
    assert!(is_refused(&ask(&rapidapi, NEW, team("")), "createTeam"));
    // The name of another organisation's team is free.
    data(&rapidapi, NEW, team("Integrations"));

    let update = json!({ "input": { "id": fraud, "name": "Fraud" } });
    let changed = data(&rapidapi, UPDATE, update.clone())["updateTeam"].clone();
    assert_eq!(changed, json!({ "name": "Fraud", "slugifiedName": "fraud-watch-x", "description": "About." }));
    for input in [json!({ "id": fraud, "name": "Search" }), json!({ "id": 1, "name": "X" })] {
        assert!(is_refused(&ask(&rapidapi, UPDATE, json!({ "input": input })), "updateTeam"));
    }
    rapidapi.set("rename-slug=follows").unwrap();
    assert_eq!(data(&rapidapi, UPDATE, update)["updateTeam"]["slugifiedName"], "fraud-x");
    rapidapi.set("duplicate-names=allowed").unwrap();
    data(&rapidapi, NEW, team("Payments"));

    // So is the name of a deleted team.
    rapidapi.set("duplicate-names=refused").unwrap();
    assert_eq!(ask(&rapidapi, DELETE_TEAM, json!({ "id": SEARCH })), done("deleteTeam"));
    data(&rapidapi, NEW, team("Search"));
    rapidapi.set("duplicate-names=allowed").unwrap();

    assert_eq!(ask(&rapidapi, DELETE_TEAM, json!({ "id": PAYMENTS })), done("deleteTeam"));
    assert!(is_refused(&ask(&rapidapi, DELETE_TEAM, json!({ "id": PAYMENTS })), "deleteTeam"));
    let world = rapidapi.world().clone();
    assert!(team_of(&rapidapi, PAYMENTS).deleted && team_of(&rapidapi, PAYMENTS).members.is_empty());
    assert!(
        world.assignments.iter().all(|row| row.parent != Some(PAYMENTS)) && world.apps_of(PAYMENTS).count() == 0
    );
    let query = "{ organization(id: 7000001) { numOfTeams teams { id status deletedAt usersCount } } }";
    let found = data(&rapidapi, query, json!({}))["organization"].clone();
    assert_eq!((found["teams"].as_array().unwrap().len(), &found["numOfTeams"]), (7, &json!(5)));
    let gone = json!({ "id": PAYMENTS.to_string(), "status": "DELETED", "deletedAt": "2025-01-15T09:30:00.000Z", "usersCount": 0 });
    assert_eq!(found["teams"][1], gone);
    let listed = || {
        data(&rapidapi, "{ teams(where: { orgId: 7000001 }) { id } }", json!({}))["teams"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(listed(), 7);
    rapidapi.set("deleted-teams=hidden").unwrap();
    assert_eq!(data(&rapidapi, query, json!({}))["organization"]["teams"].as_array().unwrap().len(), 5);
    assert_eq!(listed(), 5);
    for query in
        ["{ team(id: 7000012) { id } }", "mutation { addUserToTeams(userId: 7000107, teamIds: [7000012]) }"]
    {
        assert!(ask(&rapidapi, query, json!({})).get("errors").is_some());
    }
    let by_slug = |slug: &str| format!("{{ teams(where: {{ slugifiedName: \"{slug}\" }}) {{ name }} }}");
    let found = data(&rapidapi, &by_slug("partners"), json!({}));
    assert_eq!(found["teams"], json!([{ "name": "partners-Default" }, { "name": "Integrations" }]));
    assert!(is_refused(&ask(&rapidapi, &by_slug("search"), json!({})), "teams"), "a team's slug selects nothing");
}

#[test]
fn a_member_joins_many_teams_at_once() {
    let rapidapi = hub(&[]);
    let add = |user: u64, teams: &[u64]| ask(&rapidapi, ADD, json!({ "user": user, "teams": teams }));
    assert_eq!(add(id(&rapidapi, "left"), &[PAYMENTS, SEARCH]), done("addUserToTeams"));
    assert!(is_in(&rapidapi, PAYMENTS, "left") && is_in(&rapidapi, SEARCH, "left"));
    let before = rapidapi.world().clone();
    assert_eq!(add(id(&rapidapi, "left"), &[PAYMENTS]), done("addUserToTeams"));
    assert_eq!(*rapidapi.world(), before);
    // If one part is refused, nothing is changed.
    for (user, teams) in [
        (id(&rapidapi, "ghost"), [SEARCH, 1]),
        (id(&rapidapi, "kim"), [SEARCH, PAYMENTS]),
        (1, [SEARCH, PAYMENTS]),
        (id(&rapidapi, "ghost"), [SEARCH, INTEGRATIONS]),
    ] {
        assert!(is_refused(&add(user, &teams), "addUserToTeams"));
    }
    assert_eq!(*rapidapi.world(), before);
    rapidapi.set("add-outsiders=true").unwrap();
    assert_eq!(add(id(&rapidapi, "kim"), &[SEARCH, PAYMENTS]), done("addUserToTeams"));
    let kim = id(&rapidapi, "kim");
    assert!(organization(&rapidapi).member(kim).is_some() && is_in(&rapidapi, PAYMENTS, "kim"));
    // The user needs a seat.
    rapidapi.world().organization_mut(ORG).unwrap().seats = 10;
    let pia = id(&rapidapi, "pia@partner.example");
    assert!(is_refused(&add(pia, &[SEARCH]), "addUserToTeams"));
    rapidapi.world().organization_mut(ORG).unwrap().seats = 11;
    assert_eq!(add(pia, &[SEARCH]), done("addUserToTeams"));
}

#[test]
fn one_team_to_join_one_to_leave_and_a_role() {
    let rapidapi = hub(&[]);
    let update = |name: &str, mut input: Value| {
        input["orgId"] = json!(ORG);
        input["teamUserId"] = json!(id(&rapidapi, name));
        change(&rapidapi, "updateTeamUser", "TeamUserUpdateInput", input)
    };
    let moved = update("ghost", json!({ "teamToAdd": SEARCH, "teamToRemove": PAYMENTS }));
    assert_eq!(moved, done("updateTeamUser"));
    assert!(is_in(&rapidapi, SEARCH, "ghost") && !is_in(&rapidapi, PAYMENTS, "ghost"));
    // The role in the team was deleted with the team.
    let ghost = id(&rapidapi, "ghost");
    assert_eq!(rapidapi.world().assignment("USER_TEAM", ghost, Some(ORG), Some(PAYMENTS)), None);
    let before = rapidapi.world().clone();
    for (name, input) in [
        ("left", json!({ "teamToRemove": SEARCH })),
        ("left", json!({ "teamToRemove": SEARCH, "teamToAdd": PAYMENTS })),
        ("left", json!({ "teamToAdd": INTEGRATIONS })),
        ("left", json!({ "teamToAdd": PAYMENTS, "newRole": "KING" })),
        ("kim", json!({ "teamToAdd": PAYMENTS })),
        ("kim", json!({ "newRole": "ADMIN" })),
    ] {
        assert!(is_refused(&update(name, input.clone()), "updateTeamUser"), "{name} {input}");
    }
    assert_eq!(*rapidapi.world(), before);
    update("left", json!({ "newRole": "ADMIN" }));
    assert!(rapidapi.world().is_org_admin(ORG, id_of(&before, "left")));
    assert!(is_in(&rapidapi, SEARCH, "left"));
    update("left", json!({ "newRole": "DEVELOPER" }));
    assert!(!rapidapi.world().is_org_admin(ORG, id_of(&before, "left")));
    // A user can't leave a team that they aren't in. The answer isn't always an error.
    rapidapi.set("refusal=null").unwrap();
    let before = rapidapi.world().clone();
    let body = update("ghost", json!({ "teamToRemove": PAYMENTS, "teamToAdd": DEFAULT }));
    assert_eq!(body, json!({ "data": { "updateTeamUser": false } }));
    assert_eq!(*rapidapi.world(), before);
}

fn id_of(world: &World, name: &str) -> u64 {
    world.user(&format!("{name}@acme.example")).unwrap().id
}

#[test]
fn leaving_the_organisation_is_by_address() {
    for (switch, rows) in [("stale-rows=dropped", 0), ("stale-rows=kept", 2)] {
        let rapidapi = hub(&[switch]);
        let sam = id(&rapidapi, "sam");
        let remove = |email: &str| ask(&rapidapi, REMOVE, json!({ "org": ORG, "email": email }));
        assert_eq!(remove("SAM@acme.example"), done("removeTeamUserFromAllOrgTeams"));
        let world = rapidapi.world().clone();
        assert!(!world.is_member(ORG, sam) && !is_in(&rapidapi, PAYMENTS, "sam"));
        assert!(is_in(&rapidapi, INTEGRATIONS, "sam"), "another organisation's");
        let held = world.assignments.iter().filter(|row| row.entity == sam && row.org == Some(ORG));
        assert_eq!(held.count(), rows, "{switch}");
        for email in ["sam@acme.example", "nobody@acme.example", "new1@acme.example"] {
            assert!(is_refused(&remove(email), "removeTeamUserFromAllOrgTeams"), "{email}");
        }
        // An admin who rejoins is an admin again if the platform kept the role.
        remove("jane@acme.example");
        invite(&rapidapi, "jane@acme.example", "DEVELOPER", &[]);
        assert!(rapidapi.world().accept(ORG, "jane@acme.example"));
        assert_eq!(rapidapi.world().is_org_admin(ORG, id_of(&world, "jane")), rows > 0);
        for name in ["jane", "alexandra"] {
            remove(&format!("{name}@acme.example"));
        }
        assert!(is_refused(&remove(OWN_EMAIL), "removeTeamUserFromAllOrgTeams"), "the last admin");
    }
}

#[test]
fn invited_people_join_by_accepting() {
    let rapidapi = hub(&["invite-status=INVITED"]);
    assert_eq!(
        invite(&rapidapi, "dora@acme.example", "DEVELOPER", &[PAYMENTS, SEARCH]),
        done("createUserInvites")
    );
    assert_eq!(invite(&rapidapi, "alma@acme.example", "ADMIN", &[]), done("createUserInvites"));
    assert_eq!(rapidapi.world().mails, ["dora@acme.example", "alma@acme.example"]);
    let found = people(&rapidapi, json!({ "limit": 50 }));
    assert_eq!(found["data"][10]["inviteStatus"], "INVITED");
    let checked = data(
        &rapidapi,
        "{ checkIfEmailsAlreadyInvited(orgId: 7000001, emails: [\"DORA@acme.example\", \"sam@acme.example\"]) }",
        json!({}),
    );
    assert_eq!(checked["checkIfEmailsAlreadyInvited"], json!(["DORA@acme.example"]));
    for email in ["dora@acme.example", "alma@acme.example"] {
        assert!(rapidapi.world().accept(ORG, email));
        assert!(!rapidapi.world().accept(ORG, email), "once");
    }
    let world = rapidapi.world().clone();
    let (dora, alma) = (id_of(&world, "dora"), id_of(&world, "alma"));
    assert!(
        is_in(&rapidapi, PAYMENTS, "dora")
            && is_in(&rapidapi, SEARCH, "dora")
            && !is_in(&rapidapi, DEFAULT, "dora")
    );
    assert!(world.assignments.iter().all(|row| row.entity != dora), "the default role is no row");
    assert!(
        world.is_org_admin(ORG, alma) && is_in(&rapidapi, DEFAULT, "alma") && is_in(&rapidapi, PAYMENTS, "alma")
    );
    assert_eq!(people(&rapidapi, json!({ "limit": 50 }))["data"][9]["inviteStatus"], "ACTIVE");

    // Invites an existing account by its id, to a team that is deleted later.
    let input = json!({ "id": 7_000_110, "organizationId": ORG, "teamIds": [PAYMENTS] });
    change(&rapidapi, "createUserInvites", "UserInvitesInput", input);
    ask(&rapidapi, DELETE_TEAM, json!({ "id": PAYMENTS }));
    assert!(rapidapi.world().accept(ORG, "kim@acme.example"));
    assert!(rapidapi.world().is_member(ORG, 7_000_110));
    assert!(!is_in(&rapidapi, PAYMENTS, "kim"));
    assert!(!rapidapi.world().accept(ORG, "nobody@acme.example"));
    rapidapi.world().organization_mut(ORG).unwrap().invitations[0].status = "EXPIRED".to_owned();
    assert!(!rapidapi.world().accept(ORG, "new1@acme.example"));
}

#[test]
fn inviting_again_does_what_the_switch_says() {
    struct Case {
        switch: &'static str,
        email: &'static str,
        refused: bool,
        mails: usize,
        pending: usize,
    }
    for Case { switch, email, refused, mails, pending } in [
        Case { switch: "invite-member=refused", email: "Sam@acme.example", refused: true, mails: 0, pending: 0 },
        Case { switch: "invite-member=ignored", email: "sam@acme.example", refused: false, mails: 0, pending: 0 },
        Case { switch: "invite-pending=refused", email: "NEW1@acme.example", refused: true, mails: 0, pending: 1 },
        Case { switch: "invite-pending=resent", email: "new1@acme.example", refused: false, mails: 1, pending: 1 },
        Case {
            switch: "invite-pending=duplicated",
            email: "new1@acme.example",
            refused: false,
            mails: 1,
            pending: 2,
        },
    ] {
        let rapidapi = hub(&[switch]);
        let before = organization(&rapidapi);
        let body = invite(&rapidapi, email, "ADMIN", &[PAYMENTS]);
        assert_eq!(is_refused(&body, "createUserInvites"), refused, "{switch} {body}");
        let found = organization(&rapidapi);
        let of = found.invitations.iter().filter(|it| it.email.eq_ignore_ascii_case(email));
        assert_eq!((rapidapi.world().mails.len(), of.count()), (mails, pending), "{switch}");
        assert_eq!((&found.members, &found.invitations[0]), (&before.members, &before.invitations[0]));
    }
    let rapidapi = hub(&[]);
    let before = rapidapi.world().clone();
    for (email, role, teams) in [
        ("nobody", "ADMIN", [SEARCH]),
        ("a@acme.example", "KING", [SEARCH]),
        ("a@acme.example", "ADMIN", [INTEGRATIONS]),
    ] {
        assert!(is_refused(&invite(&rapidapi, email, role, &teams), "createUserInvites"));
    }
    assert!(is_refused(
        &change(
            &rapidapi,
            "createUserInvites",
            "UserInvitesInput",
            json!({ "organizationId": ORG, "teamIds": [] })
        ),
        "createUserInvites"
    ));
    assert_eq!(*rapidapi.world(), before);
    rapidapi.world().organization_mut(ORG).unwrap().seats = 9;
    let body = invite(&rapidapi, "a@acme.example", "ADMIN", &[]);
    assert!(is_refused(&body, "createUserInvites") && code(&body) == "UNPROCESSABLE_ENTITY");
    // A cancelled invitation frees its seat.
    let revoke = json!({ "orgId": ORG, "emails": ["NEW1@acme.example", "nobody@acme.example", null] });
    assert_eq!(
        change(&rapidapi, "deleteUserInvites", "UserInvitesDeleteInput!", revoke),
        done("deleteUserInvites")
    );
    assert!(organization(&rapidapi).invitations.is_empty());
    assert_eq!(invite(&rapidapi, "a@acme.example", "ADMIN", &[]), done("createUserInvites"));
}

#[test]
fn deactivated_members_come_back() {
    let rapidapi = hub(&[]);
    let left = id(&rapidapi, "left");
    rapidapi.world().organization_mut(ORG).unwrap().member_mut(left).unwrap().deactivated = true;
    let status = || people(&rapidapi, json!({ "limit": 50, "searchTerm": "left" }));
    let found = status();
    assert_eq!((&found["data"][0]["inviteStatus"], &found["totalActive"]), (&json!("DEACTIVATED"), &json!(0)));
    assert!(!rapidapi.world().team_access(ORG).contains_key(&left.to_string()));
    let back = json!({ "orgId": ORG, "emails": ["left@acme.example", "nobody@acme.example"] });
    let body = change(&rapidapi, "reactivateUserInvites", "UserInvitesReactivateInput!", back);
    assert_eq!(body, done("reactivateUserInvites"));
    assert_eq!(status()["data"][0]["inviteStatus"], "ACTIVE");
}

#[test]
fn admins_are_in_every_team_and_one_of_them_stays() {
    for (switch, stays) in [("demotion=keeps-teams", true), ("demotion=drops-teams", false)] {
        let rapidapi = hub(&[switch]);
        assert_eq!(give(&rapidapi, "left", ADMIN_ROLE), done("updateUserRoles"));
        let left = id(&rapidapi, "left");
        assert!(rapidapi.world().is_org_admin(ORG, left));
        assert!([DEFAULT, PAYMENTS, SEARCH].iter().all(|team| is_in(&rapidapi, *team, "left")));
        assert_eq!(organization(&rapidapi).member(left).unwrap().legacy_role, "ADMIN");
        // They are added to a team that they are already in.
        ask(&rapidapi, ADD, json!({ "user": left, "teams": [SEARCH] }));
        assert_eq!(give(&rapidapi, "left", DEVELOPER_ROLE), done("updateUserRoles"));
        assert!(!rapidapi.world().is_org_admin(ORG, left));
        assert!(is_in(&rapidapi, DEFAULT, "left") && is_in(&rapidapi, SEARCH, "left"), "{switch}");
        assert_eq!(is_in(&rapidapi, PAYMENTS, "left"), stays, "{switch}");
    }
    let rapidapi = hub(&[]);
    for name in ["jane", "alexandra"] {
        assert_eq!(give(&rapidapi, name, DEVELOPER_ROLE), done("updateUserRoles"));
    }
    let before = rapidapi.world().clone();
    let body = give(&rapidapi, "own", DEVELOPER_ROLE);
    assert!(is_refused(&body, "updateUserRoles") && code(&body) == "UNPROCESSABLE_ENTITY");
    for (name, role) in [("kim", ADMIN_ROLE), ("left", TEAM_VIEWER), ("left", 1)] {
        assert!(is_refused(&give(&rapidapi, name, role), "updateUserRoles"));
    }
    assert_eq!(*rapidapi.world(), before);
    // The platform also counts an admin who can't sign in.
    give(&rapidapi, "max", ADMIN_ROLE);
    let world = rapidapi.world().clone();
    assert_eq!((world.admins(ORG).len(), world.usable_admins(ORG)), (2, 1));
    assert_eq!(give(&rapidapi, "own", DEVELOPER_ROLE), done("updateUserRoles"));
    assert_eq!(rapidapi.world().usable_admins(ORG), 0);
}

#[test]
fn an_assignment_is_found_by_what_it_is_about() {
    let rapidapi = hub(&[]);
    let upsert = |input: Value| change(&rapidapi, "upsertEntityRole", "EntityRoleInput", input);
    let of_sam =
        |role: u64, team: u64| json!({ "entityId": 7_000_104, "roleId": role, "orgId": ORG, "parentId": team });
    let rows = || rapidapi.world().assignments.len();
    let before = rows();
    assert_eq!(upsert(of_sam(TEAM_VIEWER, PAYMENTS)), done("upsertEntityRole"));
    let row = rapidapi.world().assignment("USER_TEAM", 7_000_104, Some(ORG), Some(PAYMENTS)).cloned().unwrap();
    assert_eq!((row.id, row.role, rows()), (9008, TEAM_VIEWER, before));
    assert_eq!(upsert(of_sam(TEAM_VIEWER, SEARCH)), done("upsertEntityRole"));
    assert_eq!(rows(), before + 1);
    assert_eq!(upsert(json!({ "id": "9008", "roleId": 532 })), done("upsertEntityRole"));
    assert_eq!(rapidapi.world().assignments[7].role, 532);
    // For a role in the organisation it does the same as the other mutation.
    assert_eq!(
        upsert(json!({ "entityId": 7_000_107, "roleId": ADMIN_ROLE, "orgId": ORG })),
        done("upsertEntityRole")
    );
    assert!(is_in(&rapidapi, SEARCH, "left"));
    let world = rapidapi.world().clone();
    for input in [
        json!({ "entityId": 7_000_104, "orgId": ORG, "parentId": PAYMENTS }),
        json!({ "roleId": TEAM_VIEWER, "orgId": ORG, "parentId": PAYMENTS }),
        json!({ "entityId": 7_000_104, "roleId": TEAM_VIEWER, "orgId": ORG }),
        json!({ "entityId": 7_000_104, "roleId": TEAM_VIEWER, "parentId": PAYMENTS }),
        json!({ "entityId": 7_000_105, "roleId": TEAM_VIEWER, "orgId": ORG, "parentId": SEARCH }),
        json!({ "entityId": 7_000_104, "roleId": TEAM_VIEWER, "orgId": PARTNERS, "parentId": PAYMENTS }),
        json!({ "entityId": 7_000_104, "roleId": 1, "orgId": ORG, "parentId": PAYMENTS }),
        json!({ "id": "9008", "roleId": ADMIN_ROLE }),
        json!({ "id": "1", "roleId": TEAM_VIEWER }),
    ] {
        assert!(is_refused(&upsert(input.clone()), "upsertEntityRole"), "{input}");
    }
    let many = json!({ "entitiesRoles": [of_sam(TEAM_VIEWER, PAYMENTS)] });
    assert!(is_refused(
        &change(&rapidapi, "createEntitiesRoles", "EntityRoleCreateInput", many),
        "createEntitiesRoles"
    ));
    assert_eq!(*rapidapi.world(), world);

    // Roles for the whole hub need an environment admin.
    give_key(&rapidapi, "jane");
    let hub_wide = json!({ "input": { "entityId": 7_000_102, "roleId": 511 } });
    let query = by_input("upsertEntityRole", "EntityRoleInput");
    let (_, body) = send(&rapidapi, &personal("jane-key"), &query, hub_wide.clone());
    assert!(is_refused(&body, "upsertEntityRole") && code(&body) == "FORBIDDEN");
    data(&rapidapi, &query, hub_wide);
    assert!(rapidapi.world().is_environment_admin(7_000_102));
    upsert(json!({ "entityId": PAYMENTS, "roleId": 541, "orgId": ORG, "parentId": ORG }));
    let of_team = "{ organization(id: 7000001) { teams { role(where: { orgId: 7000001, parentId: 7000001 }) { roleId } } } }";
    assert_eq!(data(&rapidapi, of_team, json!({}))["organization"]["teams"][1]["role"]["roleId"], 541);
    let halved = "{ organization(id: 7000001) { teams { role(where: { orgId: 7000001 }) { roleId } } } }";
    assert_eq!(data(&rapidapi, halved, json!({}))["organization"]["teams"][1]["role"], Value::Null);
}

#[test]
fn accounts_are_deactivated_and_deleted() {
    const DELETE: &str = "mutation($id: ID!, $other: String!) { deleteUser(id: $id, mashapeId: $other) }";
    let rapidapi = hub(&[]);
    let set = |name: &str, status: &str| {
        let input = json!({ "input": { "id": id(&rapidapi, name).to_string(), "status": status } });
        ask(&rapidapi, UPDATE_USER, input)
    };
    let said = |status: &str| json!({ "data": { "updateUser": { "status": status } } });
    assert_eq!(set("sam", "DEACTIVATED"), said("DEACTIVATED"));
    assert!(is_in(&rapidapi, PAYMENTS, "sam"), "they keep what they have");
    assert_eq!(set("sam", "ACTIVE"), said("ACTIVE"));
    for (name, status) in [("sam", "PENDING"), ("sam", "HAPPY")] {
        assert!(is_refused(&set(name, status), "updateUser"));
    }
    // The only admin of an organisation can't be removed.
    rapidapi.world().assignments.retain(|row| row.role != ADMIN_ROLE || row.entity == 7_000_101);
    let query = "{ users(where: { userIds: [7000101] }) { nodes { singleAdminOrgs } } }";
    let orgs = data(&rapidapi, query, json!({}))["users"]["nodes"][0]["singleAdminOrgs"].clone();
    assert_eq!(orgs, json!(["7000001", "7000002"]));
    for status in ["DEACTIVATED", "DELETED"] {
        let body = set("own", status);
        assert!(is_refused(&body, "updateUser") && code(&body) == "UNPROCESSABLE_ENTITY");
    }

    assert_eq!(set("ghost", "DELETED"), said("DELETED"));
    let world = rapidapi.world().clone();
    assert!(!world.is_member(ORG, 7_000_105) && world.assignments.iter().all(|row| row.entity != 7_000_105));
    let again = json!({ "input": { "id": "7000105", "status": "ACTIVE" } });
    assert!(is_refused(&ask(&rapidapi, UPDATE_USER, again), "updateUser"), "for good");

    let sam = world.user("sam@acme.example").unwrap().clone();
    let body = ask(&rapidapi, DELETE, json!({ "id": sam.id, "other": "another" }));
    assert!(is_refused(&body, "deleteUser"));
    let body = ask(&rapidapi, DELETE, json!({ "id": sam.id, "other": sam.mashape_id }));
    assert_eq!(body, done("deleteUser"));
    let world = rapidapi.world().clone();
    assert!(world.user("sam@acme.example").is_none() && world.apps_of(sam.id).count() == 0);
    let body =
        ask(&rapidapi, DELETE, json!({ "id": 7_000_101, "other": world.user(OWN_EMAIL).unwrap().mashape_id }));
    assert!(is_refused(&body, "deleteUser"));

    // Every user may update their own record.
    give_key(&rapidapi, "jane");
    for (input, may) in [
        (json!({ "name": "Jane D." }), true),
        (json!({ "email": "jane.doe@acme.example" }), true),
        (json!({ "email": OWN_EMAIL }), false),
        (json!({ "status": "DEACTIVATED" }), false),
        (json!({ "id": "7000107", "name": "Lea" }), false),
    ] {
        let (_, body) = send(&rapidapi, &personal("jane-key"), UPDATE_USER, json!({ "input": input }));
        assert_eq!(is_refused(&body, "updateUser"), !may, "{body}");
    }
    assert_eq!(rapidapi.world().user("jane.doe@acme.example").unwrap().name, "Jane D.");
}

#[test]
fn a_boolean_says_what_the_switch_says() {
    for (switch, said) in
        [("booleans=true", json!(true)), ("booleans=null", Value::Null), ("booleans=false", json!(false))]
    {
        let rapidapi = hub(&[switch]);
        let body = ask(&rapidapi, ADD, json!({ "user": 7_000_107, "teams": [SEARCH] }));
        assert_eq!(body, json!({ "data": { "addUserToTeams": said } }));
        assert!(is_in(&rapidapi, SEARCH, "left"), "it was done");
        let revoke = json!({ "orgId": ORG, "emails": ["new1@acme.example"] });
        let body = change(&rapidapi, "deleteUserInvites", "UserInvitesDeleteInput!", revoke);
        assert_eq!(body, json!({ "data": { "deleteUserInvites": said } }));
    }
}

#[test]
fn a_refusal_is_reported_or_hidden() {
    let kim = json!({ "user": 7_000_110, "teams": [SEARCH] });
    let new = "mutation { createTeam(input: { organizationId: 7000001, name: \"Search\" }) { id } }";
    let shown = hub(&[]);
    let body = ask(&shown, ADD, kim.clone());
    assert_eq!(body["data"], json!({ "addUserToTeams": null }));
    assert_eq!((&body["errors"][0]["path"], code(&body)), (&json!(["addUserToTeams"]), "UNPROCESSABLE_ENTITY"));
    let kept = hub(&["refusal=null"]);
    let before = kept.world().clone();
    assert_eq!(ask(&kept, ADD, kim), json!({ "data": { "addUserToTeams": null } }));
    assert_eq!(ask(&kept, new, json!({})), json!({ "data": { "createTeam": null } }));
    // A field that can't be null reports an error nevertheless.
    let body = ask(&kept, "mutation { deleteOrganization(id: 1) }", json!({}));
    assert_eq!((&body["data"], code(&body)), (&Value::Null, "BAD_USER_INPUT"));
    assert_eq!(*kept.world(), before);
}

#[test]
fn counts_can_disagree_and_dates_be_numbers() {
    let rapidapi =
        hub(&["users-count-off-by=2", "teams-count-off-by=-1", "total-off-by=3", "team-users-count-off-by=-2"]);
    let query =
        "{ organization(id: 7000001) { numOfUsers numOfTeams createdAt teams { usersCount } users { id } } }";
    let found = data(&rapidapi, query, json!({}))["organization"].clone();
    assert_eq!(
        (&found["numOfUsers"], &found["numOfTeams"], &found["teams"][0]["usersCount"]),
        (&json!(10), &json!(2), &json!(2))
    );
    assert_eq!(found["createdAt"], "2025-01-15T09:30:00.000Z");
    assert_eq!(people(&rapidapi, json!({ "limit": 50 }))["total"], 12);
    rapidapi.set("dates=epoch").unwrap();
    assert_eq!(data(&rapidapi, query, json!({}))["organization"]["createdAt"], "1736933400000");
}

#[test]
fn secrets_can_be_read_through_the_api() {
    let rapidapi = hub(&[]);
    let keys = "{ applicationAuthorizations(where: { projectId: 6001 }) { key authorizationValues } }";
    let found = data_as(&rapidapi, &own_team(), keys, json!({}))["applicationAuthorizations"].clone();
    assert_eq!(found[0]["key"], format!("{APP_KEY}6101"));
    assert!(found[1]["authorizationValues"].as_str().unwrap().contains(APP_KEY));
    let app = "{ organization(id: 7000001) { ProjectAcls { Project { xMashapeKey } } } }";
    assert!(data(&rapidapi, app, json!({})).to_string().contains(APP_KEY));
    let token = format!("{{ {PAGED}(orgId: {ORG}, pagingArgs: {{ limit: 50 }}) {{ data {{ token }} }} }}");
    assert!(data_as(&rapidapi, &own_team(), &token, json!({})).to_string().contains("sandbox-invite-token-"));
    // A deleted key is still listed.
    rapidapi.world().apps[0].keys[0].status = "DELETED".to_owned();
    let status = "{ applicationAuthorizations(where: { projectId: 6001 }) { status deletedAt } }";
    let found = data_as(&rapidapi, &own_team(), status, json!({}))["applicationAuthorizations"].clone();
    assert_eq!((&found[0]["status"], found[0]["deletedAt"].is_string()), (&json!("DELETED"), true));
    let hits =
        data(&rapidapi, "{ searchOrganizations(term: \"PART\", limit: 5) { id type slugifiedName } }", json!({}));
    assert_eq!(
        hits["searchOrganizations"],
        json!([{ "id": "7000002", "type": "Organization", "slugifiedName": "partners" }])
    );
}

#[test]
fn access_is_shown_by_team_and_role() {
    let world = World::seed().unwrap();
    let of = |held: &[&str]| held.iter().map(|it| (*it).to_owned()).collect::<BTreeSet<_>>();
    let access: BTreeMap<_, _> = world.team_access(ORG);
    // Max is deactivated in the hub.
    assert_eq!(access.len(), 7);
    assert_eq!(access["7000102"], of(&["team-admin @ 7000011", "team-admin @ 7000012", "team-admin @ 7000013"]));
    assert_eq!(access["7000104"], of(&["team-admin @ 7000012", "team-developer @ 7000013"]));
    assert_eq!(access["7000105"], of(&["team-viewer @ 7000012"]));
    assert_eq!(access["7000107"], of(&["team-developer @ 7000011"]));
    assert!(world.team_access(1).is_empty());
}

#[tokio::test]
async fn worlds_are_built_kept_and_switched_by_name() {
    let seed = World::seed().unwrap();
    let mut world = World::empty();
    assert_eq!((&world.roles, &world.switches), (&seed.roles, &seed.switches));
    assert_eq!(seed.organizations.iter().map(|it| it.slug.as_str()).collect::<Vec<_>>(), SEEDS);
    assert_eq!((seed.usable_admins(ORG), seed.usable_admins(PARTNERS), seed.usable_admins(1)), (3, 2, 0));
    assert!(world.is_environment_admin(world.user(OWN_EMAIL).unwrap().id));
    let (org, other) = (world.add_organization("Payments & Co"), world.add_organization("Other"));
    let kim = world.add_user("kim@acme.example");
    world.add_member(org, kim, false);
    let team = world.add_team(org, "Core");
    world.add_to_team(team, kim);
    world.assign("USER_TEAM", "team-viewer", kim, Some(org), Some(team));
    world.add_invitation(other, "new@acme.example", "DEVELOPER", &[]);
    assert_eq!(world.organization("payments-co").map(|it| it.id), Some(org));
    assert_eq!(world.organization(&other.to_string()).map(|it| it.name.as_str()), Some("Other"));
    assert_eq!(world.team_access(org)[&kim.to_string()], [format!("team-viewer @ {team}")].into());
    let rapidapi = at(world);
    // The team key belongs to the default team of the first organisation.
    let entity = data_as(&rapidapi, &own_team(), "{ activeEntity { name } }", json!({}));
    assert_eq!(entity["activeEntity"]["name"], "Payments & Co-Default");

    let saved = rapidapi.save();
    for switch in
        ["booleans=null", "generation=2023-08", "page-max=3", "slug-suffix=-2x", "total-off-by=-1", "refusal=null"]
    {
        rapidapi.set(switch).unwrap();
        assert_ne!(rapidapi.save(), saved, "{switch}");
        rapidapi.load(&saved).unwrap();
    }
    assert_eq!(rapidapi.save(), saved);
    assert!(rapidapi.set("generation=ancient").is_err());
    assert!(rapidapi.set("no-such=1").unwrap_err().contains("stale-rows"));
    assert!(rapidapi.load(&json!({ "users": [] })).is_err());
    // A request over HTTP, without `variables`.
    let sandbox = Sandbox::new(rapidapi, Store::Memory);
    let Reply::Answer(response) = sandbox.handle(&own(), br#"{"query":"{ ping }"}"#).await else {
        panic!("dropped")
    };
    assert_eq!((response.status, response.body), (200, br#"{"data":{"ping":"pong"}}"#.to_vec()));
}
