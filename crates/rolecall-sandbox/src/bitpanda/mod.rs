//! Bitpanda Custody's API for managing an organisation, as the vendor's page documents it.

mod schema;
mod world;

use std::sync::MutexGuard;

use async_graphql::{EmptySubscription, Request, Schema};
use serde_json::{Value, json};

use super::switch::set;
use super::{Answer, Clock, Definition, Engine, Headers, Sandbox, json_response, system_clock};
use rolecall_graphql::Response;
use rolecall_model::ProviderName;
use schema::{Mutation, Query};
pub use world::{
    DuplicateInvite, Invitees, OWN_KEY_SECRET, PendingUpdate, Refusal, SEEDS, SWITCHES, Switches, World, WorldKey,
    WorldUser,
};

/// The world, shared with the schema.
type Shared = super::Shared<World>;

/// The sandbox in the registry.
pub static DEFINITION: Definition = Definition {
    seeds: SEEDS,
    own_credentials: || vec![("api_key", OWN_KEY_SECRET)],
    other_credentials: String::new,
    path: "/graphql",
    gateway_host: None,
    shared_world: None,
    join: None,
    switches: SWITCHES,
    defaults: || serde_json::to_value(Switches::default()).unwrap_or_default(),
    minute_switch: None,
    sample_query: "{ organisationManagement { id listUsers { total items { userTrustId email roles } } } }",
    sdl: Bitpanda::sdl,
    open: |organization, store| {
        let world = World::seed(organization)?;
        Some(Box::new(Sandbox::new(Bitpanda::new(world, system_clock()), store)))
    },
};

/// The [`Engine`] of Bitpanda.
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

    /// Locks the world, to inspect or change it without a request.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.lock()
    }

    /// Returns the schema in SDL.
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
        if let Err(refusal) = self.authorize(headers.get("x-api-key")) {
            return refusal;
        }
        let request = if self.world().switches.introspection { request } else { request.disable_introspection() };
        graphql_response(self.schema.execute(request).await)
    }

    fn set(&self, assignment: &str) -> Result<(), String> {
        set(&mut self.world().switches, ProviderName::Bitpanda, assignment)
    }
}

impl Bitpanda {
    /// Checks that the credential belongs to a key with `ADMIN`. Otherwise returns the response that refuses it.
    fn authorize(&self, credential: Option<&str>) -> Result<(), Response> {
        let now = (self.shared.clock)();
        let world = self.world();
        if credential.is_some_and(|secret| world.admits(secret, now)) {
            return Ok(());
        }
        // The vendor doesn't document which of these its platform sends.
        let message = "the key is unknown, disabled, expired or no ADMIN";
        Err(match world.switches.refusal {
            Refusal::Http401 => json_response(401, &json!({ "message": message })),
            Refusal::Http403 => json_response(403, &json!({ "message": message })),
            Refusal::Errors => {
                let errors = json!([{ "message": message, "errorType": "UNAUTHORIZED" }]);
                json_response(200, &json!({ "data": null, "errors": errors }))
            }
        })
    }
}

/// Turns an executed request into an HTTP response. Errors carry their code as `errorType` beside the message,
/// where the vendor's client reads it.
fn graphql_response(executed: async_graphql::Response) -> Response {
    if executed.errors.is_empty() {
        return json_response(200, &Answer::of(executed.data));
    }
    let mut answer = Answer::with_errors(executed.data, &executed.errors);
    for error in answer.errors.as_mut().and_then(Value::as_array_mut).into_iter().flatten() {
        let code = error.pointer_mut("/extensions/errorType").map(Value::take);
        if let (Some(code), Some(fields)) = (code, error.as_object_mut()) {
            fields.remove("extensions");
            fields.insert("errorType".to_owned(), code);
        }
    }
    json_response(200, &answer)
}
