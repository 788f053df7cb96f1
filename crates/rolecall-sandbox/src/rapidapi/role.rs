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

    /// Lists all permissions of the role's level. The role says which of them are granted.
    async fn permissions(&self) -> Vec<Option<VirtualPermission>> {
        let of_level = PERMISSIONS.iter().filter(|permission| permission.1 == self.0.level);
        of_level.map(|permission| Some(VirtualPermission::of(*permission, &self.0))).collect()
    }
}

/// The permissions: id, level, key, name, and the permission on which it depends. The documentation shows none, so
/// these are ours.
type Permission = (i32, &'static str, &'static str, &'static str, Option<i32>);

const PERMISSIONS: &[Permission] = &[
    (11, ORGANIZATION, "viewApis", "View APIs", None),
    (12, ORGANIZATION, "publishApis", "Publish APIs", Some(11)),
    (21, USER_ENVIRONMENT, "viewHub", "View the hub", None),
    (22, USER_ENVIRONMENT, "personalContext", "Personal context", Some(21)),
    (23, USER_ENVIRONMENT, "manageUsers", "Manage users", Some(21)),
    (31, USER_ORGANIZATION, "viewOrganization", "View the organization", None),
    (32, USER_ORGANIZATION, "manageMembers", "Manage members", Some(31)),
    (41, USER_TEAM, "viewTeam", "View the team", None),
    (42, USER_TEAM, "manageApps", "Manage apps", Some(41)),
    (51, TEAM_ENVIRONMENT, "viewPlatformApi", "View the Platform API", None),
    (52, TEAM_ENVIRONMENT, "usePlatformApi", "Use the Platform API", Some(51)),
];

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

impl VirtualPermission {
    /// Shows a permission in a role. Admins have all permissions of their level, and others those to view.
    fn of((id, level, key, name, depends_on): Permission, role: &WorldRole) -> Self {
        Self {
            id: id.into(),
            key: key.to_owned(),
            display_name: name.to_owned(),
            permission_level: level.to_owned(),
            description: None,
            depends_on,
            role_permission: RolePermission {
                granted: Some(depends_on.is_none() || role.key.ends_with("-admin")),
                read_only: Some(role.is_basic),
            },
        }
    }
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
