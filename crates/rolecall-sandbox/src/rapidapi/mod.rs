//! RapidAPI's Enterprise Hub: the part of its GraphQL Platform API that manages organisations, teams and roles.
//! The sources are the documentation, an introspection of January 2023 and a client generated in August 2023.

mod api;
mod app;
mod build;
mod caller;
mod check;
mod context;
mod entity;
mod generation;
mod hub;
mod inputs;
mod listing;
mod mutation;
mod organization;
mod pages;
mod query;
mod role;
mod rules;
mod scalars;
mod sdl;
mod shape;
mod switches;
mod team;
mod user;
mod window;
mod world;

use std::sync::MutexGuard;
use std::time::Duration;

use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, Selection, SelectionSet};
use async_graphql::{Request, Response as Executed, Value};
use serde_json::json;

use super::switch::set;
use super::{
    Answer, Clock, Definition, Engine, Headers, Sandbox, json_response, old_request, selected_operation,
    system_clock,
};
pub use build::OWN_EMAIL;
use caller::Caller;
pub use caller::{HOST, OWN_PERSONAL_KEY, OWN_TEAM_KEY, WorldCredential};
use check::{Check, RequestError};
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

/// The world, shared with the schema.
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
        generation.sdl()
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

    async fn respond(&self, headers: &Headers, request: crate::Request) -> Response {
        let mut request = old_request(request);
        let caller = match self.admit(headers) {
            Ok(caller) => caller,
            Err(refused) => return refused,
        };
        let switches = self.world().switches.clone();
        let errors = request_errors(&mut request, &switches);
        if !errors.is_empty() {
            return invalid(&errors);
        }
        if switches.root_fields == RootFields::One && root_fields(&mut request) > 1 {
            let error = json!({ "message": "Only one query or mutation is allowed per request." });
            return json_response(200, &json!({ "errors": [error] }));
        }
        let request = request.data(self.shared.clone()).data(caller);
        let executed = switches.generation.execute(request).await;
        // Validation errors are those without a path.
        if !executed.errors.is_empty() && executed.errors.iter().all(|error| error.path.is_empty()) {
            let errors = executed.errors.iter();
            let errors: Vec<_> = errors
                .map(|it| RequestError::invalid(it.message.clone(), it.locations.first().copied()))
                .collect();
            return invalid(&errors);
        }
        json_response(200, &complete(executed))
    }

    fn set(&self, assignment: &str) -> Result<(), String> {
        set(&mut self.world().switches, ProviderName::Rapidapi, assignment)
    }
}

fn invalid(errors: &[RequestError]) -> Response {
    json_response(400, &json!({ "errors": errors.iter().map(RequestError::shown).collect::<Vec<_>>() }))
}

/// Parses and validates a request. Returns the reasons not to execute it.
fn request_errors(request: &mut Request, switches: &Switches) -> Vec<RequestError> {
    let name = request.operation_name.clone();
    let variables = request.variables.clone();
    match request.parsed_query() {
        Ok(document) => {
            let operation = selected_operation(document, name.as_deref());
            let shape = switches.generation.shape();
            Check::errors(shape, document, operation, &variables, switches.introspection)
        }
        Err(why) => vec![RequestError::unparsed(why.message, why.locations.first().copied())],
    }
}

/// Counts the root fields of a request, without those of introspection.
fn root_fields(request: &mut Request) -> usize {
    let name = request.operation_name.clone();
    let Ok(document) = request.parsed_query() else { return 0 };
    let count = |operation: &OperationDefinition| fields_of(document, &operation.selection_set.node, 0);
    selected_operation(document, name.as_deref()).map_or(0, count)
}

fn fields_of(document: &ExecutableDocument, set: &SelectionSet, nesting: usize) -> usize {
    let count = |selection: &Selection| match selection {
        Selection::Field(field) => usize::from(!field.node.name.node.starts_with("__")),
        Selection::InlineFragment(fragment) => fields_of(document, &fragment.node.selection_set.node, nesting),
        // A fragment that contains itself is refused by validation later.
        Selection::FragmentSpread(_) if nesting > document.fragments.len() => 0,
        Selection::FragmentSpread(spread) => {
            let fragment = document.fragments.get(&spread.node.fragment_name.node);
            fragment.map_or(0, |it| fields_of(document, &it.node.selection_set.node, nesting + 1))
        }
    };
    set.items.iter().map(|selection| count(&selection.node)).sum()
}

/// Builds the response body. async-graphql leaves a failed field out of the data. Here only fields that can't be
/// null are left out, and such a field makes all of the data null.
fn complete(executed: Executed) -> Answer {
    let Executed { data, errors, .. } = executed;
    if errors.is_empty() {
        return Answer::of(&data);
    }
    let is_there = |error: &async_graphql::ServerError| match (error.path.first(), &data) {
        (Some(async_graphql::PathSegment::Field(key)), Value::Object(fields)) => fields.contains_key(key.as_str()),
        _ => false,
    };
    let data = if errors.iter().all(is_there) { data } else { Value::Null };
    Answer::with_errors(&data, &errors)
}
