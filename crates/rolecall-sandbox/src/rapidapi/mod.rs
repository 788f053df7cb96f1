//! RapidAPI's Enterprise Hub: the part of its GraphQL Platform API that manages organisations, teams and roles.
//! The sources are the documentation, an introspection of January 2023 and a client generated in August 2023.

mod build;
mod caller;
mod hub;
mod inputs;
mod listing;
mod resolvers;
mod rules;
mod scalars;
mod shown;
mod switches;
mod window;
mod world;

use std::sync::MutexGuard;
use std::time::Duration;

use serde_json::{Value, json};

use super::switch::set;
use super::{Clock, Definition, Engine, Headers, Request, Sandbox, json_response, system_clock};
use crate::engine::{Answer, RequestFault};
pub use build::OWN_EMAIL;
use caller::Caller;
pub use caller::{HOST, OWN_PERSONAL_KEY, OWN_TEAM_KEY, WorldCredential};
use resolvers::Call;
use rolecall_graphql::Response;
use rolecall_model::ProviderName;
pub use switches::{
    Dates, DeletedTeams, Demotion, DuplicateNames, Generation, InviteMember, InvitePending, MutationContext,
    Refusal, RenameSlug, RootFields, SWITCHES, StaleRows, Switches,
};
pub use world::{
    APP_KEY, Assignment, SEEDS, World, WorldApi, WorldApp, WorldAppKey, WorldInvitation, WorldMember,
    WorldOrganization, WorldRole, WorldSubscription, WorldTeam, WorldUser,
};

/// The world, shared with the resolvers.
type Shared = super::Shared<World>;

/// The sandbox in the registry.
pub static DEFINITION: Definition = Definition {
    seeds: SEEDS,
    own_credentials: || vec![("personal_key", OWN_PERSONAL_KEY), ("team_key", OWN_TEAM_KEY)],
    other_credentials: || {
        format!(
            "This acts for a team. To act as an environment admin, send x-rapidapi-key: {OWN_PERSONAL_KEY} without x-rapidapi-identity-key"
        )
    },
    path: "/",
    gateway_host: Some(HOST),
    // The organisations share users and the rate limit. Organisations created later belong to this world too.
    shared_world: Some("hub"),
    join: None,
    switches: SWITCHES,
    events: &[],
    defaults: || serde_json::to_value(Switches::default()).unwrap_or_default(),
    minute_switch: Some("minute-millis"),
    sample_query: "{ activeUser { id email Teams { id name } } }",
    sdl: || RapidApi::sdl(Generation::default()),
    open: |_, store| {
        let world = World::seed()?;
        Some(Box::new(Sandbox::new(RapidApi::new(world, system_clock()), store)))
    },
};

/// The [`Engine`] of RapidAPI.
pub struct RapidApi {
    shared: Shared,
}

impl RapidApi {
    pub fn new(world: World, clock: Clock) -> Self {
        Self { shared: Shared::new(world, clock) }
    }

    /// Locks the world, to inspect or change it without a request.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.lock()
    }

    /// Returns the schema of a generation in SDL.
    pub fn sdl(generation: Generation) -> String {
        generation.sdl().to_owned()
    }

    /// Authenticates a request and counts it against the rate limit. The proxy in front of the hub answers refused
    /// requests, and not in GraphQL.
    fn admit(&self, headers: &Headers) -> Result<Caller, Response> {
        let refuse = |status, message: &str| json_response(status, &json!({ "message": message }));
        if headers.get("x-rapidapi-host") != Some(HOST) {
            return Err(refuse(403, "You are not subscribed to this API."));
        }
        let now = (self.shared.clock)();
        let mut world = self.world();
        let caller = Caller::of(&world, headers).map_err(|why| refuse(401, why))?;
        world.admit(caller.user, now).map_err(|wait: Duration| {
            let mut limited = refuse(429, "You have exceeded the rate limit per minute for your plan.");
            limited.retry_after = world.switches.retry_after.then_some(wait);
            limited
        })?;
        Ok(caller)
    }
}

impl Engine for RapidApi {
    type World = World;

    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn respond(&self, headers: &Headers, request: Request) -> Response {
        let caller = match self.admit(headers) {
            Ok(caller) => caller,
            Err(refused) => return refused,
        };
        let Switches { generation, introspection, root_fields, .. } = self.world().switches.clone();
        let prepared = match generation.schema().prepare(&request, introspection) {
            Ok(prepared) => prepared,
            Err(errors) => {
                let errors: Vec<Value> = errors.iter().map(|error| error.shown(Some(code(error.fault)))).collect();
                return json_response(400, &Answer::refused(&errors));
            }
        };
        let asked = prepared.root_fields().filter(|name| !name.starts_with("__"));
        if root_fields == RootFields::One && asked.count() > 1 {
            let error = json!({ "message": "Only one query or mutation is allowed per request." });
            return json_response(200, &Answer::refused(&[error]));
        }
        json_response(200, &prepared.execute(&Call { shared: &self.shared, caller }))
    }

    fn set(&self, assignment: &str) -> Result<(), String> {
        set(&mut self.world().switches, ProviderName::Rapidapi, assignment)
    }
}

fn code(fault: RequestFault) -> &'static str {
    if fault == RequestFault::Syntax { "GRAPHQL_PARSE_FAILED" } else { "GRAPHQL_VALIDATION_FAILED" }
}
