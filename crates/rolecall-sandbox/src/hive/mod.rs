//! GraphQL Hive's public API as far as it manages an organisation, as measured on Hive 8.1.2 and as the newest
//! release documents it.

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

use super::{Clock, Engine, Headers, answer, chosen, set};
use access::Caller;
pub use assignment::{AssignedProject, AssignedTarget, Assignment, Scope};
use check::{Fault, INVALID, UNPARSED};
use complete::Completion;
use mutation::{MemberMutation, Mutation, STOPPED};
use query::Query;
use rolecall_graphql::Response;
use shape::Shape;
use tokens::TokenMutation;
use window::InvitationWindow;
pub use world::{
    AuthProvider, OWN_CREDENTIAL, Paging, ProjectKind, Release, SEEDS, Switches, World, WorldInvitation,
    WorldMember, WorldOrganization, WorldProject, WorldRole, WorldTarget, WorldToken,
};

/// The world behind the schema.
type Shared = super::Shared<World>;

/// The engine of this provider.
pub struct Hive {
    schema: Schema<Query, Mutation, EmptySubscription>,
    shared: Shared,
}

/// The schema of all releases, which the release of a request shows a part of.
fn full_schema() -> async_graphql::SchemaBuilder<Query, Mutation, EmptySubscription> {
    Schema::build(Query, Mutation(MemberMutation, TokenMutation), EmptySubscription).disable_suggestions()
}

/// Made once: tests open many sandboxes.
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

    /// The world as it stands, to look at or to change by another hand.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.lock()
    }

    /// The newest schema as SDL.
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
        let priced = if switches.gateway { parse_query(&request.query).ok() } else { None };
        let cost = priced.map_or(0, |document| limits::cost(&document));
        let (status, mut body) = match Self::prepare(&request, &switches) {
            Ok(document) => (200, self.execute(request, &document, caller, switches.release).await),
            Err(faults) => refuse(&faults, switches.gateway),
        };
        // What the engine finds wrong with a document, it says without a path and without data.
        let status = if body.get("data").is_none() { 400 } else { status };
        if switches.gateway {
            behind_gateway(&mut body, cost, status == 200);
        }
        answer(status, &body)
    }

    fn set(&self, assignment: &str) -> Result<(), String> {
        set(&mut self.world().switches, assignment)
    }
}

impl Hive {
    /// Reads a request and looks whether it may be executed.
    fn prepare(request: &Request, switches: &Switches) -> Result<ExecutableDocument, Vec<Fault>> {
        let tokens = limits::tokens(&request.query);
        if let Some(fault) = limits::check_text(&tokens, switches.gateway) {
            return Err(vec![fault]);
        }
        let document = parse_query(&request.query).map_err(|why| {
            let message = format!("Syntax Error: {why}");
            vec![Fault { message, code: Some(UNPARSED), at: why.positions().next(), of_server: false }]
        })?;
        let shape = shape_of(switches.release);
        let mut faults = limits::check_document(&document, &tokens, switches.gateway);
        faults.extend(shape.check(&document, switches.introspection));
        if faults.is_empty()
            && let Some(operation) = chosen(&document, request.operation_name.as_deref())
        {
            faults.extend(shape.check_variables(operation, &request.variables));
        }
        if faults.is_empty() { Ok(document) } else { Err(faults) }
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
        let answered = self.schema.execute(request).await;
        let mut errors = serde_json::to_value(&answered.errors).unwrap_or(Value::Null);
        if !answered.errors.is_empty() && answered.errors.iter().all(|error| error.path.is_empty()) {
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
        let found = serde_json::to_value(&answered.data).unwrap_or(Value::Null);
        let data = match chosen(document, name.as_deref()) {
            // A mutation that throws takes the answers of those before it with it.
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

/// The answer to a request that isn't executed.
fn refuse(faults: &[Fault], gateway: bool) -> (u16, Value) {
    let errors: Vec<Value> = faults
        .iter()
        .map(|fault| {
            let mut error = json!({ "message": fault.message });
            if let Some(at) = fault.at {
                error["locations"] = json!([{ "line": at.line, "column": at.column }]);
            }
            if let Some(code) = fault.code {
                error["extensions"] = json!({ "code": code });
            }
            error
        })
        .collect();
    // What the server says to a gateway, the gateway passes on as an answer.
    if gateway && faults.iter().all(|fault| fault.of_server) {
        return (200, json!({ "errors": errors, "data": null }));
    }
    (400, json!({ "errors": errors }))
}

/// An answer as the public gateway gives it. What it refuses by itself doesn't come from a service.
fn behind_gateway(body: &mut Value, cost: usize, of_server: bool) {
    for error in body.get_mut("errors").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(fields) = error.as_object_mut() {
            fields.remove("locations");
        }
        if of_server {
            if error.pointer("/extensions/code").is_none() {
                error["extensions"]["code"] = json!("DOWNSTREAM_SERVICE_ERROR");
            }
            error["extensions"]["serviceName"] = json!("graphql");
        }
    }
    body["extensions"]["cost"] = json!({ "estimated": cost });
}
