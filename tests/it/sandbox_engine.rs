//! The engine of the sandbox holds documents and variables to the schema, the same way for every platform.

use std::sync::Arc;

use apollo_compiler::Schema;
use rolecall_sandbox::paradime::{OWN_API_KEY, OWN_API_SECRET, Paradime, SEEDS, World};
use rolecall_sandbox::{Engine, Headers, Request, bitpanda, hive, rapidapi};
use serde_json::{Value, json};

fn send(paradime: &Paradime, query: &str, variables: Value) -> (u16, Value) {
    let headers = Headers::new([("X-API-KEY", OWN_API_KEY), ("X-API-SECRET", OWN_API_SECRET)]);
    let response = paradime.respond(&headers, Request::new(query, variables));
    (response.status, serde_json::from_slice(&response.body).unwrap())
}

fn acme() -> Paradime {
    Paradime::new(World::seed(SEEDS[0]).unwrap(), Arc::new(|| "2026-11-21T12:00:00Z".parse().unwrap()))
}

#[test]
fn each_schema_is_valid() {
    for sdl in [
        bitpanda::Bitpanda::sdl(),
        hive::Hive::sdl(),
        Paradime::sdl(),
        rapidapi::RapidApi::sdl(rapidapi::Generation::default()),
    ] {
        Schema::parse_and_validate(sdl, "schema").unwrap();
    }
}

#[test]
fn what_is_wrong_with_a_document_is_said_before_anything_runs() {
    let paradime = acme();
    let before = paradime.world().clone();
    let fine = r#"one: inviteUser(email: "a@acme.example", accountType: ADMIN) { ok }"#;
    let with = |declared: &str, role: &str| {
        format!(
            r#"mutation m{declared} {{ {fine} two: inviteUser(email: "b@acme.example", accountType: {role}) {{ ok }} }}"#
        )
    };
    let declared = "($role: UserAccountType!)";
    for (query, variables) in [
        (with("", "KING"), json!({})),
        (with("", "admin"), json!({})),
        (with("", "\"ADMIN\""), json!({})),
        (with("", "null"), json!({})),
        (with(declared, "$role"), json!({ "role": "KING" })),
        (with(declared, "$role"), json!({ "role": 7 })),
        (with(declared, "$role"), json!({ "role": null })),
        (with(declared, "$role"), json!({})),
        (with("($role: String!)", "$role"), json!({ "role": "ADMIN" })),
        (with("($role: UserAccountType)", "$role"), json!({ "role": "ADMIN" })),
        (format!("mutation {{ {fine} cancelInvite(email: \"new1@acme.example\") {{ ok }} }}"), json!({})),
        (format!("mutation {{ {fine} disableUser {{ ok }} }}"), json!({})),
        (format!("mutation {{ {fine} disableUser(uid: 7) {{ ok }} }}"), json!({})),
        (format!("mutation {{ {fine} disableUser(uid: \"x\") {{ ok uid }} }}"), json!({})),
        ("mutation {".to_owned(), json!({})),
        ("query { listUsers(offset: 0) { ok } }".to_owned(), json!({})),
        ("query { getAuditLogs { ok } }".to_owned(), json!({})),
    ] {
        let (status, body) = send(&paradime, &query, variables);
        assert_eq!((status, body.get("data")), (400, None), "{query} {body}");
        assert!(body["errors"][0]["message"].is_string());
    }
    assert_eq!(*paradime.world(), before);

    let (_, body) = send(&paradime, &with("($role: UserAccountType = ADMIN)", "$role"), json!({}));
    assert_eq!(body["data"], json!({ "one": { "ok": true }, "two": { "ok": true } }));
}

#[test]
fn introspection_can_be_off() {
    let paradime = acme();
    let query = "{ __type(name: \"UserAccountType\") { enumValues { name } } }";
    let (_, body) = send(&paradime, query, json!({}));
    let names = body["data"]["__type"]["enumValues"].as_array().unwrap();
    assert_eq!((names.len(), &names[8]["name"]), (9, &json!("SANDBOX_USER")));
    paradime.set("introspection=false").unwrap();
    for query in [query, "{ __schema { queryType { name } } }"] {
        let (status, body) = send(&paradime, query, json!({}));
        assert_eq!((status, body.get("data")), (400, None));
    }
    assert_eq!(send(&paradime, "{ __typename }", json!({})).1["data"], json!({ "__typename": "Query" }));
}
