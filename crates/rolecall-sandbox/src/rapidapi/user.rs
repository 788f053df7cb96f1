//! A user, as the hub or an organisation shows it.

use async_graphql::{Context, ID, Object, Result};
use serde_json::json;

use super::app::{ProjectAcl, ProjectInfo};
use super::caller::ApiError;
use super::context::{resolve, with_world};
use super::organization::Organization;
use super::role::EntityRole;
use super::scalars::{Any, DateTime};
use super::team::Team;
use super::world::{DELETED, USER_ENVIRONMENT, USER_ORGANIZATION, WorldUser};

#[derive(Clone)]
pub struct User {
    user: WorldUser,
    /// The organisation whose role is shown. `None` shows the role in the hub.
    role_in: Option<u64>,
}

impl User {
    pub fn of(user: &WorldUser) -> Self {
        Self { user: user.clone(), role_in: None }
    }

    pub fn in_organization(user: &WorldUser, organization: u64) -> Self {
        Self { user: user.clone(), role_in: Some(organization) }
    }
}

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl User {
    async fn id(&self) -> Option<String> {
        Some(self.user.id.to_string())
    }

    async fn mashape_id(&self) -> Option<&str> {
        Some(&self.user.mashape_id)
    }

    async fn email(&self) -> Option<&str> {
        Some(&self.user.email)
    }

    async fn username(&self) -> Option<&str> {
        Some(&self.user.username)
    }

    async fn name(&self) -> Option<&str> {
        Some(&self.user.name)
    }

    async fn thumbnail(&self) -> Option<&str> {
        None
    }

    async fn bio(&self) -> Option<&str> {
        None
    }

    async fn company(&self) -> Option<&str> {
        None
    }

    async fn position(&self) -> Option<&str> {
        None
    }

    async fn location(&self) -> Option<&str> {
        None
    }

    async fn status(&self) -> Option<&str> {
        Some(&self.user.status)
    }

    async fn created_at(&self, context: &Context<'_>) -> Result<Option<DateTime>> {
        with_world(context, |world, _| Some(DateTime::fixed(world)))
    }

    async fn updated_at(&self, context: &Context<'_>) -> Result<Option<DateTime>> {
        with_world(context, |world, _| Some(DateTime::fixed(world)))
    }

    async fn deleted_at(&self, context: &Context<'_>) -> Result<Option<DateTime>> {
        with_world(context, |world, _| (self.user.status == DELETED).then(|| DateTime::fixed(world)))
    }

    async fn last_active(&self) -> Option<DateTime> {
        None
    }

    async fn apis_count(&self) -> Option<i32> {
        Some(0)
    }

    async fn num_of_projects(&self, context: &Context<'_>) -> Result<Option<i32>> {
        with_world(context, |world, _| i32::try_from(world.apps_of(self.user.id).count()).ok())
    }

    async fn is_current_user(&self, context: &Context<'_>) -> Result<Option<bool>> {
        with_world(context, |_, caller| Some(caller.user == self.user.id))
    }

    #[graphql(name = "isUserCreatedBySSO")]
    async fn is_user_created_by_sso(&self) -> Option<bool> {
        Some(false)
    }

    /// Lists the teams of all organisations, not only of the one that is being read.
    #[graphql(name = "Teams")]
    async fn teams(&self, context: &Context<'_>) -> Result<Option<Vec<Option<Team>>>> {
        with_world(context, |world, _| {
            let teams = world.organizations.iter().flat_map(|organization| &organization.teams);
            Some(teams.filter(|team| team.members.contains(&self.user.id)).map(|it| Some(Team(it.id))).collect())
        })
    }

    async fn organizations(&self, context: &Context<'_>) -> Result<Option<Vec<Option<Organization>>>> {
        with_world(context, |world, _| {
            let joined = world.organizations.iter().filter(|it| it.member(self.user.id).is_some());
            Some(joined.map(|organization| Some(Organization(organization.id))).collect())
        })
    }

    /// Lists the user's apps. Admins may read those of others.
    #[graphql(name = "ProjectAcls")]
    async fn project_acls(&self, context: &Context<'_>) -> Result<Option<Vec<Option<ProjectAcl>>>> {
        resolve(context, |world, caller| {
            if caller.user != self.user.id {
                caller.require_environment_admin(world)?;
            }
            Ok(world.apps_of(self.user.id).map(|app| Some(ProjectAcl::of(world, app))).collect())
        })
    }

    /// Lists the user's apps, for the user only.
    #[graphql(name = "ProjectACLs")]
    async fn own_project_acls(&self, context: &Context<'_>) -> Result<Option<Vec<Option<ProjectInfo>>>> {
        resolve(context, |world, caller| {
            if caller.user != self.user.id {
                return Err(ApiError::forbidden("these are for their user only"));
            }
            Ok(world.apps_of(self.user.id).map(|app| Some(ProjectInfo(app.clone()))).collect())
        })
    }

    async fn entity(&self) -> Option<Any> {
        Some(Any(json!({ "id": self.user.id, "type": "User" })))
    }

    async fn protected(&self) -> Option<bool> {
        Some(self.user.protected)
    }

    /// The assigned role. It is null if none was assigned, even though the level has a default.
    async fn role(&self, context: &Context<'_>) -> Result<Option<EntityRole>> {
        let found = resolve(context, |world, caller| {
            let (id, org) = (self.user.id, self.role_in);
            let level = match org {
                Some(organization) => {
                    caller.require_admin_read(world, organization)?;
                    USER_ORGANIZATION
                }
                None if caller.user == id || caller.is_environment_admin(world) => USER_ENVIRONMENT,
                None => return Err(ApiError::forbidden("this needs an environment admin")),
            };
            Ok(world.assignment(level, id, org, None).cloned().map(EntityRole))
        })?;
        Ok(found.flatten())
    }

    async fn active_organization_role(&self) -> Option<&str> {
        None
    }

    async fn verified(&self) -> Option<bool> {
        Some(true)
    }

    async fn single_admin_orgs(&self, context: &Context<'_>) -> Result<Option<Vec<Option<ID>>>> {
        with_world(context, |world, _| {
            Some(world.single_admin_orgs(self.user.id).into_iter().map(|id| Some(id.into())).collect())
        })
    }
}
