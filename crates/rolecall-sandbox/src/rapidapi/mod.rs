//! RapidAPI's Enterprise Hub as far as its GraphQL Platform API manages organisations, teams and roles: as its
//! documentation, an introspection of January 2023 and a client generated in August 2023 show it.

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
use async_graphql::{Request, Response as Answered};
use serde_json::{Value, json};

use super::{Clock, Engine, Headers, answer, chosen, set};
pub use build::OWN_EMAIL;
use caller::Caller;
pub use caller::{HOST, OWN_PERSONAL_KEY, OWN_TEAM_KEY, WorldCredential};
use check::{Check, Fault};
use rolecall_graphql::Response;
pub use switches::{
    Dates, DeletedTeams, Demotion, DuplicateNames, Generation, InviteMember, InvitePending, MutationContext,
    Refusal, RenameSlug, RootFields, StaleRows, Switches,
};
pub use world::{
    APP_KEY, Assignment, SEEDS, World, WorldApp, WorldAppKey, WorldInvitation, WorldMember, WorldOrganization,
    WorldRole, WorldTeam, WorldUser,
};

/// The world behind the schema.
type Shared = super::Shared<World>;

/// The engine of this provider.
pub struct RapidApi {
    shared: Shared,
}

impl RapidApi {
    pub fn new(world: World, clock: Clock) -> Self {
        Self { shared: Shared::new(world, clock) }
    }

    /// The world as it stands, to look at or to change by another hand.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.lock()
    }

    /// A generation's schema as SDL.
    pub fn sdl(generation: Generation) -> String {
        generation.sdl()
    }

    /// Whoever the keys are of, if they have a request left. What the proxy before the hub says isn't GraphQL.
    fn admit(&self, headers: &Headers) -> Result<Caller, Response> {
        let refuse = |status, message: &str| answer(status, &json!({ "message": message }));
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

    async fn respond(&self, headers: &Headers, mut request: Request) -> Response {
        let caller = match self.admit(headers) {
            Ok(caller) => caller,
            Err(refused) => return refused,
        };
        let switches = self.world().switches.clone();
        let faults = faults(&mut request, &switches);
        if !faults.is_empty() {
            return invalid(&faults);
        }
        if switches.root_fields == RootFields::One && root_fields(&mut request) > 1 {
            let error = json!({ "message": "Only one query or mutation is allowed per request." });
            return answer(200, &json!({ "errors": [error] }));
        }
        let request = request.data(self.shared.clone()).data(caller);
        let answered = switches.generation.execute(request).await;
        // What the engine finds wrong with a document, it says without a path.
        if !answered.errors.is_empty() && answered.errors.iter().all(|error| error.path.is_empty()) {
            let faults = answered.errors.iter();
            let faults: Vec<_> =
                faults.map(|it| Fault::invalid(it.message.clone(), it.locations.first().copied())).collect();
            return invalid(&faults);
        }
        answer(200, &complete(&answered))
    }

    fn set(&self, assignment: &str) -> Result<(), String> {
        set(&mut self.world().switches, assignment)
    }
}

fn invalid(faults: &[Fault]) -> Response {
    answer(400, &json!({ "errors": faults.iter().map(Fault::shown).collect::<Vec<_>>() }))
}

/// Why a request isn't executed.
fn faults(request: &mut Request, switches: &Switches) -> Vec<Fault> {
    let name = request.operation_name.clone();
    let variables = request.variables.clone();
    match request.parsed_query() {
        Ok(document) => {
            let operation = chosen(document, name.as_deref());
            let shape = switches.generation.shape();
            Check::faults(shape, document, operation, &variables, switches.introspection)
        }
        Err(why) => vec![Fault::unparsed(why.message, why.locations.first().copied())],
    }
}

/// How many fields are asked for at the root. Those about the schema don't count.
fn root_fields(request: &mut Request) -> usize {
    let name = request.operation_name.clone();
    let Ok(document) = request.parsed_query() else { return 0 };
    let of = |operation: &OperationDefinition| fields_of(document, &operation.selection_set.node, 0);
    chosen(document, name.as_deref()).map_or(0, of)
}

fn fields_of(document: &ExecutableDocument, set: &SelectionSet, within: usize) -> usize {
    let of = |selection: &Selection| match selection {
        Selection::Field(field) => usize::from(!field.node.name.node.starts_with("__")),
        Selection::InlineFragment(fragment) => fields_of(document, &fragment.node.selection_set.node, within),
        // One that contains itself is refused as invalid later on.
        Selection::FragmentSpread(_) if within > document.fragments.len() => 0,
        Selection::FragmentSpread(spread) => {
            let fragment = document.fragments.get(&spread.node.fragment_name.node);
            fragment.map_or(0, |it| fields_of(document, &it.node.selection_set.node, within + 1))
        }
    };
    set.items.iter().map(|selection| of(&selection.node)).sum()
}

/// The engine leaves out a field that failed, and here only those that can't be null do: such a field takes all of
/// the data with it.
fn complete(answered: &Answered) -> Value {
    if answered.errors.is_empty() {
        return json!({ "data": answered.data });
    }
    let data = serde_json::to_value(&answered.data).unwrap_or(Value::Null);
    let is_there = |error: &async_graphql::ServerError| match error.path.first() {
        Some(async_graphql::PathSegment::Field(key)) => data.get(key).is_some(),
        _ => false,
    };
    let data = if answered.errors.iter().all(is_there) { data } else { Value::Null };
    json!({ "data": data, "errors": answered.errors })
}
