//! Bitpanda Custody's API for managing an organisation, as the vendor's page documents it.

mod resolvers;
mod world;

use std::sync::{MutexGuard, OnceLock};

use serde_json::{Value, json};

use super::switch::set;
use super::{Clock, Definition, Engine, Headers, Request, Sandbox, json_response, system_clock};
use crate::engine::{Answer, Schema};
use rolecall_graphql::Response;
use rolecall_model::ProviderName;
pub use world::{
    DuplicateInvite, Invitees, OWN_KEY_SECRET, PendingUpdate, Refusal, SEEDS, SWITCHES, Switches, World, WorldKey,
    WorldUser,
};

/// The world, which is also what resolves the fields.
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
    events: &[],
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
    shared: Shared,
}

impl Bitpanda {
    pub fn new(world: World, clock: Clock) -> Self {
        Self { shared: Shared::new(world, clock) }
    }

    /// Locks the world, to inspect or change it without a request.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.lock()
    }

    /// Returns the schema in SDL: the documented one, and the pages that the older API of the same service has.
    pub fn sdl() -> String {
        let documented = include_str!("../../schemas/bitpanda.graphql");
        let arguments = "listUsers(limit: Int, nextToken: String): OrganisationUserList";
        let paged = documented.replace("listUsers: OrganisationUserList", arguments);
        paged + "\nextend type OrganisationUserList {\n  nextToken: String\n}\n"
    }
}

/// Returns the schema, which is parsed once, because tests open many sandboxes.
fn schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| Schema::of(&Bitpanda::sdl()))
}

impl Engine for Bitpanda {
    type World = World;

    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn respond(&self, headers: &Headers, request: Request) -> Response {
        if let Err(refusal) = self.authorize(headers.get("x-api-key")) {
            return refusal;
        }
        let introspection = self.world().switches.introspection;
        let mut answer = match schema().prepare(&request, introspection) {
            Ok(prepared) => prepared.execute(&self.shared),
            Err(errors) => {
                let errors: Vec<Value> = errors.iter().map(|error| error.shown(None)).collect();
                Answer::with_errors(&Value::Null, &errors)
            }
        };
        // The vendor's client reads the code beside the message.
        for error in answer.errors_mut().filter_map(Value::as_object_mut) {
            if let Some(code) = error.remove("extensions").and_then(|mut it| it.get_mut("code").map(Value::take)) {
                error.insert("errorType".to_owned(), code);
            }
        }
        json_response(200, &answer)
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
