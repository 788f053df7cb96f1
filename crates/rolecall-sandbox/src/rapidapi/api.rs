//! APIs that organisations and teams own, and subscriptions to them. Only the documentation's sample for admins
//! shows these, so their types are guesses.

use async_graphql::{ID, SimpleObject};

use super::entity::Entity;
use super::scalars::DateTime;
use super::world::{World, WorldApi, WorldOrganization, WorldSubscription};

#[derive(SimpleObject)]
pub struct Api {
    id: ID,
    name: Option<String>,
    owner: Option<Entity>,
    created_at: Option<DateTime>,
    category: Option<String>,
    pricing: Option<String>,
    status: Option<String>,
    visibility: Option<String>,
}

impl Api {
    pub fn of(world: &World, api: &WorldApi) -> Self {
        Self {
            id: api.id.clone().into(),
            name: Some(api.name.clone()),
            owner: Entity::of(world, api.owner),
            created_at: Some(DateTime::fixed(world)),
            category: Some(api.category.clone()),
            pricing: Some(api.pricing.clone()),
            status: Some(api.status.clone()),
            visibility: Some(api.visibility.clone()),
        }
    }
}

#[derive(SimpleObject)]
pub struct BillingSubscription {
    id: ID,
    api: Option<Api>,
    status: Option<String>,
    created_at: Option<DateTime>,
    updated_at: Option<DateTime>,
    deleted_at: Option<DateTime>,
    /// The subscriber: a team.
    entity: Option<Entity>,
}

impl BillingSubscription {
    fn of(world: &World, subscription: &WorldSubscription) -> Self {
        let api = world.apis.iter().find(|api| api.id == subscription.api);
        Self {
            id: subscription.id.into(),
            api: api.map(|api| Api::of(world, api)),
            status: Some(subscription.status.clone()),
            created_at: Some(DateTime::fixed(world)),
            updated_at: Some(DateTime::fixed(world)),
            deleted_at: None,
            entity: Entity::of(world, subscription.entity),
        }
    }

    /// Lists the subscriptions of an organisation's teams: to its own APIs, or to those of others.
    pub fn all_of(world: &World, organization: &WorldOrganization, to_own: bool) -> Vec<Option<Self>> {
        let is_own = |it: &WorldSubscription| {
            world.apis.iter().any(|api| api.id == it.api && organization.team(api.owner).is_some())
        };
        let of_teams = world.subscriptions.iter().filter(|it| organization.team(it.entity).is_some());
        of_teams.filter(|it| is_own(it) == to_own).map(|it| Some(Self::of(world, it))).collect()
    }
}
