//! Paradime's API for managing users, as its documentation and its own clients show it. Paradime publishes no
//! schema.

mod access;
mod company;
mod resolvers;
mod rules;
mod switches;
mod world;

use std::cell::Cell;
use std::sync::{Arc, MutexGuard, OnceLock};

use serde_json::{Value, json};

use super::switch::set;
use super::{Clock, Definition, Engine, Headers, Request, Sandbox, json_response, system_clock};
use crate::engine::{Answer, RequestError, Schema};
use access::Caller;
pub use access::{
    Capability, CredentialKind, OWN_API_KEY, OWN_API_SECRET, OWN_COMPANY_TOKEN, OWN_WORKSPACE_TOKEN,
    WorldCredential,
};
use company::Company;
use resolvers::{Call, LACKS_CAPABILITY};
use rolecall_graphql::Response;
use rolecall_model::ProviderName;
pub use switches::{
    AuthRefusal, DisabledUsers, EmailCase, InviteActive, InviteAgain, InviteDisabled, Refusal, SWITCHES, Switches,
};
pub use world::{SEEDS, UserStatus, World, WorldEvent, WorldInvitation, WorldUser, WorldWorkspace};

/// The path of the endpoint. It contains a token of the company; the sandbox accepts any token there.
pub const PATH: &str = "/api/v1/sandbox-company-token/graphql";

/// The world, shared with the resolvers.
type Shared = super::Shared<World>;

/// The sandbox in the registry.
pub static DEFINITION: Definition = Definition {
    seeds: SEEDS,
    own_credentials: || vec![("api_key", OWN_API_KEY), ("api_secret", OWN_API_SECRET)],
    other_credentials: || {
        format!(
            "Instead of the key and its secret, you can send authorization: Bearer {OWN_WORKSPACE_TOKEN}, or Bearer {OWN_COMPANY_TOKEN} with x-paradime-workspace"
        )
    },
    path: PATH,
    gateway_host: None,
    shared_world: None,
    join: Some(|first, others| Arc::new(Company::new(first, others))),
    switches: SWITCHES,
    events: &[],
    defaults: || serde_json::to_value(Switches::default()).unwrap_or_default(),
    minute_switch: None,
    sample_query: "{ listUsers { activeUsers { uid email name accountType } invitedUsers { email accountType inviteStatus } } }",
    sdl: Paradime::sdl,
    open: |organization, store| {
        let world = World::seed(organization)?;
        Some(Box::new(Sandbox::new(Paradime::new(world, system_clock()), store)))
    },
};

/// The [`Engine`] of Paradime.
pub struct Paradime {
    shared: Shared,
}

impl Paradime {
    pub fn new(world: World, clock: Clock) -> Self {
        Self { shared: Shared::new(world, clock) }
    }

    /// Locks the world, to inspect or change it without a request.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.lock()
    }

    /// Returns the schema in SDL.
    pub fn sdl() -> String {
        include_str!("../../schemas/paradime.graphql").to_owned()
    }
}

/// Returns the schema, which is parsed once, because tests open many sandboxes.
fn schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| Schema::of(&Paradime::sdl()))
}

impl Engine for Paradime {
    type World = World;

    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn respond(&self, headers: &Headers, request: Request) -> Response {
        let switches = self.world().switches.clone();
        let caller = Caller::of(&self.world(), headers);
        let Some(caller) = caller else {
            return refuse(switches.auth_refusal, "the API key is unknown, or isn't for this workspace");
        };
        let prepared = match schema().prepare(&request, switches.introspection) {
            Ok(prepared) => prepared,
            Err(errors) => {
                let shown = |error: &RequestError| error.shown(None);
                let errors: Vec<Value> = errors.iter().map(shown).collect();
                return json_response(400, &Answer::refused(&errors));
            }
        };
        let call = Call { shared: &self.shared, caller, refused: Cell::new(false) };
        let mut answer = prepared.execute(&call);
        if call.refused.get() && switches.auth_refusal != AuthRefusal::Errors {
            return refuse(switches.auth_refusal, LACKS_CAPABILITY);
        }
        // The key is absent on success, because the clients raise an error where they find it.
        if switches.empty_errors && answer.errors.is_none() {
            answer.errors = Some(json!([]));
        }
        json_response(200, &answer)
    }

    fn set(&self, assignment: &str) -> Result<(), String> {
        set(&mut self.world().switches, ProviderName::Paradime, assignment)
    }
}

/// Returns the response to a refused credential. The documentation doesn't say which of these the platform sends;
/// Paradime's own GitHub Action expects 401 and 403.
fn refuse(kind: AuthRefusal, message: &str) -> Response {
    match kind {
        AuthRefusal::Http401 => json_response(401, &json!({ "message": message })),
        AuthRefusal::Http403 => json_response(403, &json!({ "message": message })),
        AuthRefusal::Errors => json_response(200, &json!({ "data": null, "errors": [{ "message": message }] })),
    }
}
