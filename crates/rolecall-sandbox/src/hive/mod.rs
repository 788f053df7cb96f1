//! GraphQL Hive's public API for managing an organisation, as measured on Hive 8.1.2 and as documented for the
//! newest release.

mod access;
mod answers;
mod assignment;
mod catalogue;
mod check;
mod complete;
mod inputs;
mod key;
mod limits;
mod mutation;
mod nodes;
mod pages;
mod query;
mod shape;
mod switches;
mod tokens;
mod window;
mod world;

use std::sync::{Arc, MutexGuard, OnceLock};

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::{EmptySubscription, Request, Schema};
use serde_json::{Value, json};

use super::switch::set;
use super::{Clock, Engine, Headers, json_response, selected_operation};
use access::Caller;
pub use assignment::{AssignedProject, AssignedTarget, Assignment, Scope};
use check::{INVALID, RequestError, UNPARSED};
use complete::Completion;
use mutation::{MemberMutation, Mutation, STOPPED};
use query::Query;
use rolecall_graphql::Response;
use shape::Shape;
use tokens::TokenMutation;
use window::InvitationWindow;
pub use world::{
    AuthProvider, OWN_CREDENTIAL, Paging, ProjectKind, Release, SEEDS, SWITCHES, Switches, World, WorldInvitation,
    WorldMember, WorldOrganization, WorldProject, WorldRole, WorldTarget, WorldToken,
};

/// The world, shared with the schema.
type Shared = super::Shared<World>;

/// The [`Engine`] of Hive.
pub struct Hive {
    schema: Schema<Query, Mutation, EmptySubscription>,
    shared: Shared,
}

/// Builds the schema of all releases. Each request sees the part that its release has.
fn full_schema() -> async_graphql::SchemaBuilder<Query, Mutation, EmptySubscription> {
    Schema::build(Query, Mutation(MemberMutation, TokenMutation), EmptySubscription).disable_suggestions()
}

/// Returns the schema of a release. It is built once per process, because tests open many sandboxes.
fn shape_of(release: Release) -> &'static Shape {
    static SHAPES: OnceLock<(Shape, Shape)> = OnceLock::new();
    let (old, newest) = SHAPES.get_or_init(|| {
        let sdl = full_schema().finish().sdl();
        (Shape::of(Release::V8_1_2, &sdl), Shape::of(Release::Newest, &sdl))
    });
    match release {
        Release::V8_1_2 => old,
        Release::Newest => newest,
    }
}

impl Hive {
    pub fn new(world: World, clock: Clock) -> Self {
        let shared = Shared::new(world, clock);
        let schema = full_schema().data(shared.clone()).data(InvitationWindow::default()).finish();
        Self { schema, shared }
    }

    /// Locks the world, to inspect or change it without a request.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.lock()
    }

    /// Returns the newest schema in SDL.
    pub fn sdl() -> String {
        shape::sdl_of(Release::Newest, &full_schema().finish().sdl())
    }
}

impl Engine for Hive {
    type World = World;

    fn shared(&self) -> &Shared {
        &self.shared
    }

    async fn respond(&self, headers: &Headers, request: Request) -> Response {
        let credential = headers.get("authorization");
        let switches = self.world().switches.clone();
        let caller = Arc::new(Caller::of(&self.world(), credential));
        let costed = if switches.gateway { parse_query(&request.query).ok() } else { None };
        let cost = costed.map_or(0, |document| limits::cost(&document));
        let (status, mut body) = match Self::prepare(&request, &switches) {
            Ok(document) => (200, self.execute(request, &document, caller, switches.release).await),
            Err(errors) => refusal(&errors, switches.gateway),
        };
        // A response without data reports validation errors.
        let status = if body.get("data").is_none() { 400 } else { status };
        if switches.gateway {
            behind_gateway(&mut body, cost, status == 200);
        }
        json_response(status, &body)
    }

    fn set(&self, assignment: &str) -> Result<(), String> {
        set(&mut self.world().switches, SWITCHES, assignment)
    }
}

impl Hive {
    /// Parses and validates a request. Returns the document, or the reasons not to execute it.
    fn prepare(request: &Request, switches: &Switches) -> Result<ExecutableDocument, Vec<RequestError>> {
        let tokens = limits::tokens(&request.query);
        if let Some(error) = limits::check_text(&tokens, switches.gateway) {
            return Err(vec![error]);
        }
        let document = parse_query(&request.query).map_err(|why| {
            let message = format!("Syntax Error: {why}");
            vec![RequestError { message, code: Some(UNPARSED), at: why.positions().next(), from_server: false }]
        })?;
        let shape = shape_of(switches.release);
        let mut errors = limits::check_document(&document, &tokens, switches.gateway);
        errors.extend(shape.check(&document, switches.introspection));
        if errors.is_empty()
            && let Some(operation) = selected_operation(&document, request.operation_name.as_deref())
        {
            errors.extend(shape.check_variables(operation, &request.variables));
        }
        if errors.is_empty() { Ok(document) } else { Err(errors) }
    }

    async fn execute(
        &self,
        request: Request,
        document: &ExecutableDocument,
        caller: Arc<Caller>,
        release: Release,
    ) -> Value {
        let (name, variables) = (request.operation_name.clone(), request.variables.clone());
        let mut request = request.data(Arc::clone(&caller)).data(release);
        request.set_parsed_query(document.clone());
        let executed = self.schema.execute(request).await;
        let mut errors = serde_json::to_value(&executed.errors).unwrap_or(Value::Null);
        if !executed.errors.is_empty() && executed.errors.iter().all(|error| error.path.is_empty()) {
            for error in errors.as_array_mut().into_iter().flatten() {
                error["extensions"] = json!({ "code": INVALID });
            }
            return json!({ "errors": errors });
        }
        let errors: Vec<Value> = errors
            .as_array_mut()
            .map(std::mem::take)
            .into_iter()
            .flatten()
            .filter(|error| error.pointer("/extensions/code") != Some(&Value::from(STOPPED)))
            .collect();
        let failed = errors.iter().filter_map(|error| error.get("path")?.as_array().cloned()).collect();
        let completion = Completion { shape: shape_of(release), document, variables: &variables, failed };
        let found = serde_json::to_value(&executed.data).unwrap_or(Value::Null);
        let data = match selected_operation(document, name.as_deref()) {
            // A mutation that fails with an error makes all of the data null, also the results of those before it.
            Some(operation) if !caller.is_stopped() => {
                let (root, set) = (root_of(operation.ty), &operation.selection_set.node);
                completion.object(root, set, &mut Vec::new(), &found).unwrap_or(Value::Null)
            }
            _ => Value::Null,
        };
        if errors.is_empty() { json!({ "data": data }) } else { json!({ "errors": errors, "data": data }) }
    }
}

fn root_of(kind: OperationType) -> &'static str {
    match kind {
        OperationType::Query => "Query",
        OperationType::Mutation => "Mutation",
        OperationType::Subscription => "Subscription",
    }
}

/// Returns the status and body for a request that isn't executed.
fn refusal(errors: &[RequestError], gateway: bool) -> (u16, Value) {
    let bodies: Vec<Value> = errors
        .iter()
        .map(|error| {
            let mut shown = json!({ "message": error.message });
            if let Some(at) = error.at {
                shown["locations"] = json!([{ "line": at.line, "column": at.column }]);
            }
            if let Some(code) = error.code {
                shown["extensions"] = json!({ "code": code });
            }
            shown
        })
        .collect();
    // The gateway passes on errors of the server with status 200.
    if gateway && errors.iter().all(|error| error.from_server) {
        return (200, json!({ "errors": bodies, "data": null }));
    }
    (400, json!({ "errors": bodies }))
}

/// Changes a response as the public gateway does. Errors of the gateway itself (`from_server` is false) name no
/// service.
fn behind_gateway(body: &mut Value, cost: usize, from_server: bool) {
    for error in body.get_mut("errors").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(fields) = error.as_object_mut() {
            fields.remove("locations");
        }
        if from_server {
            if error.pointer("/extensions/code").is_none() {
                error["extensions"]["code"] = json!("DOWNSTREAM_SERVICE_ERROR");
            }
            error["extensions"]["serviceName"] = json!("graphql");
        }
    }
    body["extensions"]["cost"] = json!({ "estimated": cost });
}
