//! GraphQL Hive's public API for managing an organisation, as measured on Hive 8.1.2 and as documented for the
//! newest release.

mod access;
mod assignment;
mod catalogue;
mod events;
mod inputs;
mod key;
mod limits;
mod resolvers;
mod switches;
mod window;
mod world;

use std::sync::{MutexGuard, OnceLock};

use serde_json::{Value, json};

use super::switch::set;
use super::{Clock, Definition, Engine, Headers, METHOD, Request, Sandbox, json_response, system_clock};
use crate::engine::{Answer, Prepared, RequestError, RequestFault, Schema, parse};
use access::Caller;
pub use assignment::{AssignedProject, AssignedTarget, Assignment, Scope};
use events::EVENTS;
use resolvers::Call;
use rolecall_graphql::Response;
use rolecall_model::ProviderName;
use window::InvitationWindow;
pub use world::{
    AuthProvider, OWN_CREDENTIAL, Paging, ProjectKind, Release, SEEDS, SWITCHES, Switches, World, WorldInvitation,
    WorldMember, WorldOrganization, WorldProject, WorldRole, WorldTarget, WorldToken,
};

/// The world, shared with the resolvers.
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
    events: EVENTS,
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
    shared: Shared,
    window: InvitationWindow,
}

const OLD_SDL: &str = include_str!("../../schemas/hive-8.1.2.graphql");
const NEWEST_SDL: &str = include_str!("../../schemas/hive-newest.graphql");

/// Returns the schema of a release. It is parsed once, because tests open many sandboxes.
fn schema(release: Release) -> &'static Schema {
    static OLD: OnceLock<Schema> = OnceLock::new();
    static NEWEST: OnceLock<Schema> = OnceLock::new();
    match release {
        Release::V8_1_2 => OLD.get_or_init(|| Schema::of(OLD_SDL)),
        Release::Newest => NEWEST.get_or_init(|| Schema::of(NEWEST_SDL)),
    }
}

impl Hive {
    pub fn new(world: World, clock: Clock) -> Self {
        Self { shared: Shared::new(world, clock), window: InvitationWindow::default() }
    }

    /// Locks the world, to inspect or change it without a request.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.lock()
    }

    /// Returns the newest schema in SDL.
    pub fn sdl() -> String {
        NEWEST_SDL.to_owned()
    }
}

impl Engine for Hive {
    type World = World;

    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn respond(&self, headers: &Headers, request: Request) -> Response {
        let switches = self.world().switches.clone();
        // Measured on Hive 8.1.2: refusals have status 400 only for clients that accept the newer content type.
        let newer = headers.get("accept").is_some_and(|accepted| accepted.contains(NEWER_TYPE));
        let (status, mut answer) = match prepare(&request, &switches) {
            // A link must not change anything.
            Ok(prepared) if headers.get(METHOD) == Some("GET") && prepared.is_mutation() => {
                let message = "Can only perform a mutation operation from a POST request.";
                (405, Answer::refused(&json!([{ "message": message }])))
            }
            Ok(prepared) => {
                let caller = Caller::of(&self.world(), headers.get("authorization"));
                (200, prepared.execute(&Call { shared: &self.shared, window: &self.window, caller }))
            }
            Err(errors) => refusal(&errors, switches.gateway),
        };
        let is_refused = answer.data.is_none();
        let status = if is_refused && newer && status == 200 { 400 } else { status };
        if switches.gateway {
            let cost = parse(&request.query).map_or(0, |document| limits::cost(&document));
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
        let now = (self.shared.clock)();
        let mut world = self.world();
        let event = assignment.split_once('=').and_then(|(name, value)| world.happen(name, value, now));
        event.unwrap_or_else(|| set(&mut world.switches, ProviderName::Hive, assignment))
    }
}

/// The reason why a request isn't executed, as the platform shows it.
struct Refused {
    error: RequestError,
    code: Option<&'static str>,
    /// Whether the server reports this error even behind a gateway. Otherwise the gateway does.
    from_server: bool,
}

impl From<RequestError> for Refused {
    fn from(mut error: RequestError) -> Self {
        match error.fault {
            RequestFault::Syntax => error.message = format!("Syntax Error: {}", error.message),
            RequestFault::Operation => {
                "Could not determine what operation to execute.".clone_into(&mut error.message);
            }
            _ => {}
        }
        Self { code: error.fault.code(), from_server: error.fault == RequestFault::OneOf, error }
    }
}

/// Parses and validates a request. Returns what can be executed, or the reasons not to execute it.
fn prepare(request: &Request, switches: &Switches) -> Result<Prepared<'static>, Vec<Refused>> {
    let refused = |errors: Vec<RequestError>| errors.into_iter().map(Refused::from).collect::<Vec<_>>();
    let tokens = limits::tokens(&request.query);
    if let Some(error) = limits::check_text(&tokens, switches.gateway) {
        return Err(vec![error]);
    }
    let document = parse(&request.query).map_err(refused)?;
    let mut errors = limits::check_document(&document, &tokens, switches.gateway);
    let schema = schema(switches.release);
    match schema.validate(&document, switches.introspection) {
        Ok(document) if errors.is_empty() => schema.bind(document, request).map_err(refused),
        Ok(_) => Err(errors),
        Err(wrong) => {
            errors.extend(refused(wrong));
            Err(errors)
        }
    }
}

/// The content type that only clients get who ask for it.
const NEWER_TYPE: &str = "application/graphql-response+json";

/// Returns the status and body for a request that isn't executed. Measured on Hive 8.1.2: variables that don't fit
/// have status 400, and other refusals 200.
fn refusal(errors: &[Refused], gateway: bool) -> (u16, Answer) {
    let shown: Vec<Value> = errors.iter().map(|refused| refused.error.shown(refused.code)).collect();
    // The gateway passes on errors of the server with status 200.
    if gateway && errors.iter().all(|refused| refused.from_server) {
        return (200, Answer::with_errors(&Value::Null, &shown));
    }
    let is_misfit =
        |refused: &Refused| matches!(refused.error.fault, RequestFault::Variable | RequestFault::OneOf);
    (if gateway || errors.iter().any(is_misfit) { 400 } else { 200 }, Answer::refused(&shown))
}

/// Changes a response as the public gateway does. Errors of the gateway itself (`from_server` is false) name no
/// service.
fn behind_gateway(answer: &mut Answer, cost: usize, from_server: bool) {
    for error in answer.errors_mut() {
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
