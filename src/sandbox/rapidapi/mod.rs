//! RapidAPI's Enterprise Hub as far as its GraphQL Platform API manages organisations, teams and roles: as its
//! documentation, an introspection of January 2023 and a client generated in August 2023 show it.

mod build;
mod caller;
mod hub;
mod refusal;
mod switches;
mod world;

use std::sync::MutexGuard;

use async_graphql::Request;
use serde_json::json;

use super::{Clock, Engine, Headers, answer, set};
use crate::graphql::Response;
pub use build::OWN_EMAIL;
pub use caller::{HOST, OWN_PERSONAL_KEY, OWN_TEAM_KEY, WorldCredential};
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
}

impl Engine for RapidApi {
    type World = World;

    fn shared(&self) -> &Shared {
        &self.shared
    }

    async fn respond(&self, _headers: &Headers, _request: Request) -> Response {
        answer(501, &json!({ "message": "not there yet" }))
    }

    fn set(&self, assignment: &str) -> Result<(), String> {
        set(&mut self.world().switches, assignment)
    }
}
