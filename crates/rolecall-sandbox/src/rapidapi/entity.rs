//! A user, a team or an organisation behind one type.

use async_graphql::{Context, Object, Result};

use super::app::ProjectInfo;
use super::context::{resolve, with_world};
use super::scalars::{DateTime, count};
use super::world::World;

pub struct Entity {
    id: u64,
    pub mashape_id: Option<String>,
    pub name: Option<String>,
    pub email: Option<String>,
    username: Option<String>,
    pub slugified_name: Option<String>,
    pub kind: Option<String>,
    /// The organisation of a team.
    parent: Option<u64>,
}

impl Entity {
    /// Finds an entity by its id. Users, teams and organisations share one sequence of ids.
    pub fn of(world: &World, id: u64) -> Option<Self> {
        if let Some(user) = world.user_by_id(id) {
            return Some(Self {
                id,
                mashape_id: Some(user.mashape_id.clone()),
                name: Some(user.name.clone()),
                email: Some(user.email.clone()),
                username: Some(user.username.clone()),
                slugified_name: None,
                kind: Some("User".to_owned()),
                parent: None,
            });
        }
        if let Some((organization, team)) = world.team(id) {
            return Some(Self {
                id,
                mashape_id: Some(team.mashape_id.clone()),
                name: Some(team.name.clone()),
                email: None,
                username: None,
                slugified_name: Some(team.slug.clone()),
                kind: Some("Team".to_owned()),
                parent: Some(organization.id),
            });
        }
        let organization = world.organization_by_id(id)?;
        Some(Self {
            id,
            mashape_id: None,
            name: Some(organization.name.clone()),
            email: organization.email.clone(),
            username: None,
            slugified_name: Some(organization.slug.clone()),
            kind: Some("Organization".to_owned()),
            parent: None,
        })
    }
}

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl Entity {
    async fn id(&self) -> String {
        self.id.to_string()
    }

    async fn mashape_id(&self) -> Option<&str> {
        self.mashape_id.as_deref()
    }

    async fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    async fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    async fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    async fn slugified_name(&self) -> Option<&str> {
        self.slugified_name.as_deref()
    }

    #[graphql(name = "type")]
    async fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    async fn created_at(&self, context: &Context<'_>) -> Result<Option<DateTime>> {
        with_world(context, |world, _| Some(DateTime::fixed(world)))
    }

    async fn num_of_projects(&self, context: &Context<'_>) -> Result<Option<i32>> {
        with_world(context, |world, _| Some(count(world.apps_of(self.id).count(), 0)))
    }

    async fn project_acls(&self, context: &Context<'_>) -> Result<Option<Vec<Option<ProjectInfo>>>> {
        resolve(context, |world, caller| {
            caller.require_key_read(world, self.id)?;
            Ok(world.apps_of(self.id).map(|app| Some(ProjectInfo(app.clone()))).collect())
        })
    }

    async fn parents(&self, context: &Context<'_>) -> Result<Option<Vec<Option<Entity>>>> {
        with_world(context, |world, _| {
            Some(self.parent.and_then(|parent| Self::of(world, parent)).map(Some).into_iter().collect())
        })
    }
}
