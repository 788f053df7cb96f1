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
use async_graphql::{EmptySubscription, Request, Schema, Value as Data};
use serde_json::{Value, json};

use super::switch::set;
use super::{
    Answer, Clock, Definition, Engine, Headers, Sandbox, json_response, old_request, selected_operation,
    system_clock,
};
use access::Caller;
pub use assignment::{AssignedProject, AssignedTarget, Assignment, Scope};
use check::{INVALID, RequestError, UNPARSED, UNRESOLVED};
use complete::Completion;
use mutation::{MemberMutation, Mutation, STOPPED};
use query::Query;
use rolecall_graphql::Response;
use rolecall_model::ProviderName;
use shape::Shape;
use tokens::TokenMutation;
use window::InvitationWindow;
pub use world::{
    AuthProvider, OWN_CREDENTIAL, Paging, ProjectKind, Release, SEEDS, SWITCHES, Switches, World, WorldInvitation,
    WorldMember, WorldOrganization, WorldProject, WorldRole, WorldTarget, WorldToken,
};

/// The world, shared with the schema.
type Shared = super::Shared<World>;

/// The sandbox in the registry.
pub static DEFINITION: Definition = Definition {
    seeds: SEEDS,
    own_credentials: || vec![("token", OWN_CREDENTIAL.trim_start_matches("Bearer "))],
    other_credentials: String::new,
    path: "/graphql",
    gateway_host: None,
    shared_world: None,
    join: None,
    switches: SWITCHES,
    defaults: || serde_json::to_value(Switches::default()).unwrap_or_default(),
    minute_switch: None,
    sample_query: "{ organization(reference: {bySelector: {organizationSlug: \"acme\"}}) { members { edges { node { user { email } role { name } } } } } }",
    sdl: Hive::sdl,
    open: |organization, store| {
        let world = World::seed(organization)?;
        Some(Box::new(Sandbox::new(Hive::new(world, system_clock()), store)))
    },
};

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

    async fn respond(&self, headers: &Headers, request: crate::Request) -> Response {
        let request = old_request(request);
        let credential = headers.get("authorization");
        let switches = self.world().switches.clone();
        let caller = Arc::new(Caller::of(&self.world(), credential));
        let costed = if switches.gateway { parse_query(&request.query).ok() } else { None };
        let cost = costed.map_or(0, |document| limits::cost(&document));
        // Measured on Hive 8.1.2: refusals have status 400 only for clients that accept the newer content type.
        let newer = headers.get("accept").is_some_and(|accepted| accepted.contains(NEWER_TYPE));
        let (status, mut answer) = match Self::prepare(&request, &switches) {
            Ok(document) => (200, self.execute(request, &document, caller, switches.release).await),
            Err(errors) => refusal(&errors, switches.gateway),
        };
        let is_refused = answer.data.is_none();
        let status = if is_refused && newer { 400 } else { status };
        if switches.gateway {
            behind_gateway(&mut answer, cost, !is_refused);
        }
        let mut response = json_response(status, &answer);
        if newer {
            response.content_type = Some(NEWER_TYPE.to_owned());
        }
        response
    }

    /// Refuses what the server refuses before it looks at the document (measured on Hive 8.1.2).
    fn refuse_unread(&self, headers: &Headers, body: &[u8]) -> Option<Response> {
        let is_json = |kind: &str| kind.starts_with("application/json");
        let accepts = |accepted: &str| ["*/*", "application/*", "json"].iter().any(|it| accepted.contains(it));
        if headers.get("content-type").is_some_and(|kind| !is_json(kind)) {
            return Some(json_response(415, &Value::Null));
        }
        if headers.get("accept").is_some_and(|accepted| !accepts(accepted)) {
            return Some(Response::new(406, Vec::new()));
        }
        let message = match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => {
                let known = |name: &str| ["query", "operationName", "variables", "extensions"].contains(&name);
                let fits = |(name, value): &(&String, &Value)| {
                    known(name) && (*name != "variables" || value.is_object() || value.is_null())
                };
                let (wrong, _) = fields.iter().find(|field| !fits(field))?;
                format!("Unexpected parameter \"{wrong}\" in the request body.")
            }
            Ok(Value::Array(_)) => "Batching is not supported.".to_owned(),
            _ => {
                return Some(json_response(500, &json!({ "error": 500, "message": "Internal Server Error" })));
            }
        };
        Some(json_response(400, &Answer::refused(&json!([{ "message": message }]))))
    }

    fn set(&self, assignment: &str) -> Result<(), String> {
        set(&mut self.world().switches, ProviderName::Hive, assignment)
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
        if errors.is_empty() {
            match selected_operation(&document, request.operation_name.as_deref()) {
                Some(operation) => errors.extend(shape.check_variables(operation, &request.variables)),
                None => errors.push(RequestError {
                    message: "Could not determine what operation to execute.".to_owned(),
                    code: Some(UNRESOLVED),
                    at: None,
                    from_server: false,
                }),
            }
        }
        if errors.is_empty() { Ok(document) } else { Err(errors) }
    }

    async fn execute(
        &self,
        request: Request,
        document: &ExecutableDocument,
        caller: Arc<Caller>,
        release: Release,
    ) -> Answer {
        let (name, variables) = (request.operation_name.clone(), request.variables.clone());
        let mut request = request.data(Arc::clone(&caller)).data(release);
        request.set_parsed_query(document.clone());
        let executed = self.schema.execute(request).await;
        let mut errors = serde_json::to_value(&executed.errors).unwrap_or(Value::Null);
        if !executed.errors.is_empty() && executed.errors.iter().all(|error| error.path.is_empty()) {
            for error in errors.as_array_mut().into_iter().flatten() {
                error["extensions"] = json!({ "code": INVALID });
            }
            return Answer::refused(&errors);
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
        let data = match selected_operation(document, name.as_deref()) {
            // A mutation that fails with an error makes all of the data null, also the results of those before it.
            Some(operation) if !caller.is_stopped() => {
                let (root, set) = (root_of(operation.ty), &operation.selection_set.node);
                completion.object(root, set, &mut Vec::new(), &executed.data).unwrap_or(Data::Null)
            }
            _ => Data::Null,
        };
        if errors.is_empty() { Answer::of(&data) } else { Answer::with_errors(&data, &errors) }
    }
}

fn root_of(kind: OperationType) -> &'static str {
    match kind {
        OperationType::Query => "Query",
        OperationType::Mutation => "Mutation",
        OperationType::Subscription => "Subscription",
    }
}

/// The content type that only clients get who ask for it.
const NEWER_TYPE: &str = "application/graphql-response+json";

/// Returns the status and body for a request that isn't executed. Measured on Hive 8.1.2: variables that don't fit
/// have status 400, and other refusals 200.
fn refusal(errors: &[RequestError], gateway: bool) -> (u16, Answer) {
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
        return (200, Answer::with_errors(&Data::Null, &bodies));
    }
    let has_misfit = errors.iter().any(RequestError::is_of_variable);
    (if gateway || has_misfit { 400 } else { 200 }, Answer::refused(&bodies))
}

/// Changes a response as the public gateway does. Errors of the gateway itself (`from_server` is false) name no
/// service.
fn behind_gateway(answer: &mut Answer, cost: usize, from_server: bool) {
    for error in answer.errors.as_mut().and_then(Value::as_array_mut).into_iter().flatten() {
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
    answer.extensions = Some(json!({ "cost": { "estimated": cost } }));
}
