//! Roles and their assignments.

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};

use super::context::with_world;
use super::scalars::to_int;
use super::world::{
    Assignment, ORGANIZATION, TEAM_ENVIRONMENT, USER_ENVIRONMENT, USER_ORGANIZATION, USER_TEAM, WorldRole,
};

/// The level of a role as an argument. In answers it is a string.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub enum RoleLevel {
    Organization,
    UserEnvironment,
    UserOrganization,
    UserTeam,
    TeamEnvironment,
}

impl RoleLevel {
    pub fn name(self) -> &'static str {
        match self {
            Self::Organization => ORGANIZATION,
            Self::UserEnvironment => USER_ENVIRONMENT,
            Self::UserOrganization => USER_ORGANIZATION,
            Self::UserTeam => USER_TEAM,
            Self::TeamEnvironment => TEAM_ENVIRONMENT,
        }
    }
}

#[derive(Clone)]
pub struct Role(pub WorldRole);

#[Object]
impl Role {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    async fn key(&self) -> &str {
        &self.0.key
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn description(&self) -> Option<&str> {
        None
    }

    async fn role_level(&self) -> &str {
        &self.0.level
    }

    async fn is_basic_role(&self) -> bool {
        self.0.is_basic
    }

    async fn is_default(&self) -> bool {
        self.0.is_default
    }

    /// The sandbox keeps no permissions of roles, so this list is empty.
    async fn permissions(&self) -> Vec<Option<VirtualPermission>> {
        Vec::new()
    }
}

#[derive(SimpleObject)]
struct VirtualPermission {
    id: ID,
    key: String,
    display_name: String,
    permission_level: String,
    description: Option<String>,
    depends_on: Option<i32>,
    role_permission: RolePermission,
}

#[derive(SimpleObject)]
struct RolePermission {
    granted: Option<bool>,
    read_only: Option<bool>,
}

/// The assignment of a role. Its own id is an `ID`; the other ids are numbers.
#[derive(Clone)]
pub struct EntityRole(pub Assignment);

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl EntityRole {
    async fn id(&self) -> ID {
        self.0.id.into()
    }

    async fn entity_id(&self) -> i32 {
        to_int(self.0.entity)
    }

    async fn role_id(&self) -> i32 {
        to_int(self.0.role)
    }

    async fn parent_id(&self) -> Option<i32> {
        self.0.parent.map(to_int)
    }

    async fn org_id(&self) -> Option<i32> {
        self.0.org.map(to_int)
    }

    async fn role(&self, context: &Context<'_>) -> Result<Option<Role>> {
        with_world(context, |world, _| world.role_by_id(self.0.role).cloned().map(Role))
    }
}
