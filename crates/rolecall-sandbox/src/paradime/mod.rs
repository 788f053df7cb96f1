//! Paradime's API for managing users, as its documentation and its own clients show it. Paradime publishes no
//! schema.

mod access;
mod check;
mod company;
mod rules;
mod schema;
mod switches;
mod world;

use std::sync::{Arc, MutexGuard};

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::OperationType;
use async_graphql::{
    EmptySubscription, Name, PathSegment, Request, Response as Executed, Schema, ServerError, Value,
};
use serde_json::json;

use super::switch::set;
use super::{
    Answer, Clock, Definition, Engine, Headers, Sandbox, json_response, old_request, selected_operation,
    system_clock,
};
use access::{Caller, LACKS_CAPABILITY};
pub use access::{
    Capability, CredentialKind, OWN_API_KEY, OWN_API_SECRET, OWN_COMPANY_TOKEN, OWN_WORKSPACE_TOKEN,
    WorldCredential,
};
use company::Company;
use rolecall_graphql::Response;
use rolecall_model::ProviderName;
use schema::{Mutation, Query};
pub use switches::{
    AuthRefusal, DisabledUsers, EmailCase, InviteActive, InviteAgain, InviteDisabled, Refusal, SWITCHES, Switches,
};
pub use world::{SEEDS, UserStatus, World, WorldEvent, WorldInvitation, WorldUser, WorldWorkspace};

/// The path of the endpoint. It contains a token of the company; the sandbox accepts any token there.
pub const PATH: &str = "/api/v1/sandbox-company-token/graphql";

/// The world, shared with the schema.
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
    schema: Schema<Query, Mutation, EmptySubscription>,
    shared: Shared,
}

impl Paradime {
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

impl Engine for Paradime {
    type World = World;

    fn shared(&self) -> &Shared {
        &self.shared
    }

    async fn respond(&self, headers: &Headers, request: crate::Request) -> Response {
        let request = old_request(request);
        let switches = self.world().switches.clone();
        let caller = Caller::of(&self.world(), headers);
        let Some(caller) = caller else {
            return refuse(switches.auth_refusal, "the API key is unknown, or isn't for this workspace");
        };
        let caller = Arc::new(caller);
        let (kind, request) = match prepare(request, switches.introspection) {
            Ok(prepared) => prepared,
            Err(errors) => return json_response(400, &json!({ "errors": errors })),
        };
        let executed = self.schema.execute(request.data(Arc::clone(&caller))).await;
        if caller.was_refused() && switches.auth_refusal != AuthRefusal::Errors {
            return refuse(switches.auth_refusal, LACKS_CAPABILITY);
        }
        // Validation errors are those without a path.
        if !executed.errors.is_empty() && executed.errors.iter().all(|error| error.path.is_empty()) {
            return json_response(400, &json!({ "errors": executed.errors }));
        }
        json_response(200, &complete(kind, executed, switches.empty_errors))
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

/// Parses and validates a request. Returns its kind, or the validation errors.
fn prepare(mut request: Request, introspection: bool) -> Result<(OperationType, Request), Vec<ServerError>> {
    let document = request.parsed_query().map_err(|why| vec![why])?.clone();
    let operation = selected_operation(&document, request.operation_name.as_deref());
    let errors = check::errors(&document, operation, &request.variables, introspection);
    if !errors.is_empty() {
        return Err(errors);
    }
    let kind = operation.map_or(OperationType::Query, |operation| operation.ty);
    Ok((kind, request))
}

/// Builds the response body. async-graphql leaves a failed field out of the data. In a mutation such a field
/// becomes null; in a query it can't be null, so all of the data becomes null. `errors` is absent on success,
/// because the clients raise an error where they find the key.
fn complete(kind: OperationType, executed: Executed, empty_errors: bool) -> Answer {
    let Executed { data, errors, .. } = executed;
    if errors.is_empty() {
        return Answer { errors: empty_errors.then(|| json!([])), ..Answer::of(&data) };
    }
    if kind == OperationType::Query {
        return Answer::with_errors(&Value::Null, &errors);
    }
    let mut fields = if let Value::Object(fields) = data { fields } else { IndexMap::new() };
    for error in &errors {
        if let Some(PathSegment::Field(key)) = error.path.first() {
            fields.entry(Name::new(key)).or_insert(Value::Null);
        }
    }
    Answer::with_errors(&Value::Object(fields), &errors)
}
