//! Bitpanda Custody's organisation management, as its page documents it.

mod schema;
mod world;

use std::sync::MutexGuard;

use async_graphql::{EmptySubscription, Request, Schema};
use serde_json::{Value, json};

use super::{Clock, Engine, Headers, answer, set};
use rolecall_graphql::Response;
use schema::{Mutation, Query};
pub use world::{
    DuplicateInvite, Invitees, OWN_KEY_SECRET, PendingUpdate, Refusal, SEEDS, Switches, World, WorldKey, WorldUser,
};

/// The world behind the schema.
type Shared = super::Shared<World>;

/// The engine of this provider.
pub struct Bitpanda {
    schema: Schema<Query, Mutation, EmptySubscription>,
    shared: Shared,
}

impl Bitpanda {
    pub fn new(world: World, clock: Clock) -> Self {
        let shared = Shared::new(world, clock);
        let schema = Schema::build(Query, Mutation, EmptySubscription).data(shared.clone()).finish();
        Self { schema, shared }
    }

    /// The world as it stands, to look at or to change by another hand.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.lock()
    }

    /// The schema as SDL.
    pub fn sdl() -> String {
        Schema::build(Query, Mutation, EmptySubscription).finish().sdl()
    }
}

impl Engine for Bitpanda {
    type World = World;

    fn shared(&self) -> &Shared {
        &self.shared
    }

    async fn respond(&self, headers: &Headers, request: Request) -> Response {
        if let Err(refusal) = self.admit(headers.get("x-api-key")) {
            return refusal;
        }
        let request = if self.world().switches.introspection { request } else { request.disable_introspection() };
        graphql_answer(&self.schema.execute(request).await)
    }

    fn set(&self, assignment: &str) -> Result<(), String> {
        set(&mut self.world().switches, assignment)
    }
}

impl Bitpanda {
    /// May whoever shows this credential call? Otherwise the answer that they get.
    fn admit(&self, credential: Option<&str>) -> Result<(), Response> {
        let now = (self.shared.clock)();
        let world = self.world();
        if credential.is_some_and(|secret| world.admits(secret, now)) {
            return Ok(());
        }
        // Which of these the platform gives isn't documented.
        let message = "the key is unknown, disabled, expired or no ADMIN";
        Err(match world.switches.refusal {
            Refusal::Http401 => answer(401, &json!({ "message": message })),
            Refusal::Http403 => answer(403, &json!({ "message": message })),
            Refusal::Errors => {
                let errors = json!([{ "message": message, "errorType": "UNAUTHORIZED" }]);
                answer(200, &json!({ "data": null, "errors": errors }))
            }
        })
    }
}

/// Errors carry their code as `errorType`, beside the message, as the vendor's client reads it.
fn graphql_answer(answered: &async_graphql::Response) -> Response {
    let mut body = serde_json::to_value(answered).unwrap_or(Value::Null);
    for error in body.get_mut("errors").and_then(Value::as_array_mut).into_iter().flatten() {
        let code = error.pointer_mut("/extensions/errorType").map(Value::take);
        if let (Some(code), Some(fields)) = (code, error.as_object_mut()) {
            fields.remove("extensions");
            fields.insert("errorType".to_owned(), code);
        }
    }
    answer(200, &body)
}
