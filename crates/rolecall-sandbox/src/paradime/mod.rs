//! Paradime's management of users, as its documentation and its own clients show it. There is no published schema.

mod access;
mod check;
mod company;
mod rules;
mod schema;
mod switches;
mod world;

use std::sync::{Arc, MutexGuard};

use async_graphql::parser::types::OperationType;
use async_graphql::{EmptySubscription, PathSegment, Request, Response as Answered, Schema, ServerError};
use serde_json::{Value, json};

use super::{Clock, Engine, Headers, answer, chosen, set};
use access::{Caller, LACKS};
pub use access::{
    Capability, CredentialKind, OWN_API_KEY, OWN_API_SECRET, OWN_COMPANY_TOKEN, OWN_WORKSPACE_TOKEN,
    WorldCredential,
};
pub use company::Company;
use rolecall_graphql::Response;
use schema::{Mutation, Query};
pub use switches::{
    AuthRefusal, DisabledUsers, EmailCase, InviteActive, InviteAgain, InviteDisabled, Refusal, Switches,
};
pub use world::{SEEDS, UserStatus, World, WorldEvent, WorldInvitation, WorldUser, WorldWorkspace};

/// Where the endpoint is, below a token of the company. Any token will do.
pub const PATH: &str = "/api/v1/sandbox-company-token/graphql";

/// The world behind the schema.
type Shared = super::Shared<World>;

/// The engine of this provider.
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

    /// The world as it stands, to look at or to change by another hand.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.lock()
    }

    /// The schema as SDL.
    pub fn sdl() -> String {
        Schema::build(Query, Mutation, EmptySubscription).finish().sdl()
    }
}

impl Engine for Paradime {
    type World = World;

    fn shared(&self) -> &Shared {
        &self.shared
    }

    async fn respond(&self, headers: &Headers, request: Request) -> Response {
        let switches = self.world().switches.clone();
        let caller = Caller::of(&self.world(), headers);
        let Some(caller) = caller else {
            return refuse(switches.auth_refusal, "the API key is unknown, or isn't for this workspace");
        };
        let caller = Arc::new(caller);
        let (kind, request) = match prepare(request, switches.introspection) {
            Ok(prepared) => prepared,
            Err(faults) => return answer(400, &json!({ "errors": faults })),
        };
        let answered = self.schema.execute(request.data(Arc::clone(&caller))).await;
        if caller.was_refused() && switches.auth_refusal != AuthRefusal::Errors {
            return refuse(switches.auth_refusal, LACKS);
        }
        // What the engine finds wrong with a document, it says without a path.
        if !answered.errors.is_empty() && answered.errors.iter().all(|error| error.path.is_empty()) {
            return answer(400, &json!({ "errors": answered.errors }));
        }
        answer(200, &complete(kind, &answered, switches.empty_errors))
    }

    fn set(&self, assignment: &str) -> Result<(), String> {
        set(&mut self.world().switches, assignment)
    }
}

/// Which of these the platform gives isn't documented. Paradime's own GitHub Action expects 401 and 403.
fn refuse(how: AuthRefusal, message: &str) -> Response {
    match how {
        AuthRefusal::Http401 => answer(401, &json!({ "message": message })),
        AuthRefusal::Http403 => answer(403, &json!({ "message": message })),
        AuthRefusal::Errors => answer(200, &json!({ "data": null, "errors": [{ "message": message }] })),
    }
}

/// Reads a request and looks whether it may be executed.
fn prepare(mut request: Request, introspection: bool) -> Result<(OperationType, Request), Vec<ServerError>> {
    let document = request.parsed_query().map_err(|why| vec![why])?.clone();
    let operation = chosen(&document, request.operation_name.as_deref());
    let faults = check::faults(&document, operation, &request.variables, introspection);
    if !faults.is_empty() {
        return Err(faults);
    }
    let kind = operation.map_or(OperationType::Query, |operation| operation.ty);
    Ok((kind, request))
}

/// The engine leaves out a field that failed. A mutation's answer is null then; the answer to a query can't be, and
/// takes all of the data with it. Without errors there is no `errors`: the clients raise where they find the key.
fn complete(kind: OperationType, answered: &Answered, empty_errors: bool) -> Value {
    let mut data = serde_json::to_value(&answered.data).unwrap_or(Value::Null);
    if answered.errors.is_empty() {
        return if empty_errors { json!({ "data": data, "errors": [] }) } else { json!({ "data": data }) };
    }
    if kind == OperationType::Query {
        data = Value::Null;
    } else {
        for error in &answered.errors {
            if let Some(PathSegment::Field(key)) = error.path.first()
                && data.get(key).is_none()
            {
                data[key] = Value::Null;
            }
        }
    }
    json!({ "data": data, "errors": answered.errors })
}
