//! The objects of an organisation: members, roles, invitations, tokens, projects and permissions.

use std::fmt::Write as _;

use async_graphql::{Context, Enum, ID, InputValueError, InputValueResult, Object, Result, Scalar, ScalarType};
use async_graphql::{SimpleObject, Value};
use jiff::Timestamp;

use super::access::{caller, no_access, unexpected};
use super::assignment::ResourceAssignment;
use super::catalogue::{self, Group, Level};
use super::pages::{TargetConnection, single_page};
use super::query::shared;
use super::world::{
    AuthProvider, ProjectKind, Release, World, WorldInvitation, WorldMember, WorldProject, WorldRole, WorldTarget,
    WorldToken,
};

pub struct DateTime(pub Timestamp);

#[Scalar]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => text.parse().map(Self).map_err(InputValueError::custom),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(format!("{:.3}", self.0))
    }
}

pub struct Project(pub WorldProject);

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl Project {
    async fn id(&self) -> ID {
        self.0.id.clone().into()
    }

    async fn slug(&self) -> &str {
        &self.0.slug
    }

    #[graphql(name = "type")]
    async fn kind(&self) -> ProjectKind {
        self.0.kind
    }

    async fn targets(&self, context: &Context<'_>) -> Result<TargetConnection> {
        if !caller(context)?.has_permission_on("project:describe", &self.0.id) {
            return Err(no_access("project:describe"));
        }
        Ok(single_page(self.0.targets.iter().rev().map(Target::of)).into())
    }
}

#[derive(SimpleObject)]
pub struct Target {
    id: ID,
    slug: String,
}

impl Target {
    pub fn of(target: &WorldTarget) -> Self {
        Self { id: target.id.clone().into(), slug: target.slug.clone() }
    }
}

/// A member, which has no id of its own: the user has one.
pub struct Member(pub WorldMember);

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl Member {
    async fn user(&self) -> User {
        let WorldMember { user_id, email, display_name, provider, .. } = self.0.clone();
        User { id: user_id.into(), email, display_name, provider }
    }

    async fn is_owner(&self, context: &Context<'_>) -> Result<bool> {
        Ok(shared(context)?.lock().owner == self.0.user_id)
    }

    async fn role(&self, context: &Context<'_>) -> Result<MemberRole> {
        role(context, &self.0.role_id)
    }

    async fn resource_assignment(&self, context: &Context<'_>) -> Result<ResourceAssignment> {
        Ok(shared(context)?.lock().shown_assignment(&self.0.resources))
    }
}

fn role(context: &Context<'_>, id: &str) -> Result<MemberRole> {
    shared(context)?.lock().role_by_id(id).cloned().map(MemberRole).ok_or_else(unexpected)
}

#[derive(SimpleObject)]
struct User {
    id: ID,
    email: String,
    display_name: String,
    #[graphql(visible = "super::shape::only_8_1_2")]
    provider: AuthProvider,
}

pub struct MemberRole(pub WorldRole);

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl MemberRole {
    async fn id(&self) -> ID {
        self.0.id.clone().into()
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn description(&self) -> &str {
        &self.0.description
    }

    async fn is_locked(&self) -> bool {
        self.0.locked
    }

    async fn permissions(&self, context: &Context<'_>) -> Result<Vec<&'static str>> {
        Ok(shared(context)?.lock().permissions_of(&self.0).into_iter().map(|permission| permission.id).collect())
    }
}

/// An invitation. It shows neither its resources nor its code, but its id contains the code.
pub struct OrganizationInvitation(pub WorldInvitation);

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl OrganizationInvitation {
    async fn id(&self, context: &Context<'_>) -> Result<ID> {
        Ok(invitation_id(&shared(context)?.lock(), &self.0).into())
    }

    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    async fn expires_at(&self) -> DateTime {
        DateTime(self.0.expires_at)
    }

    async fn email(&self) -> &str {
        &self.0.email
    }

    async fn role(&self, context: &Context<'_>) -> Result<MemberRole> {
        role(context, &self.0.role_id)
    }
}

/// Returns the id of an invitation. Measured on Hive 8.1.2: it is the organisation's id, the address and the code,
/// in hexadecimal digits.
pub fn invitation_id(world: &World, invitation: &WorldInvitation) -> String {
    let text = format!("{}:{}:{}", world.organization.id, invitation.email, invitation.code);
    text.bytes().fold(String::new(), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    })
}

pub struct OrganizationAccessToken(pub WorldToken);

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl OrganizationAccessToken {
    async fn id(&self) -> ID {
        self.0.id.clone().into()
    }

    async fn title(&self) -> &str {
        &self.0.title
    }

    async fn description(&self) -> Option<&str> {
        Some(&self.0.description)
    }

    async fn permissions(&self) -> &[String] {
        &self.0.permissions
    }

    async fn resources(&self, context: &Context<'_>) -> Result<ResourceAssignment> {
        Ok(shared(context)?.lock().shown_assignment(&self.0.resources))
    }

    async fn first_characters(&self) -> &str {
        &self.0.first_characters
    }

    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
enum PermissionLevelType {
    Organization,
    Project,
    Target,
    Service,
    AppDeployment,
}

#[derive(SimpleObject)]
pub struct PermissionGroup {
    id: ID,
    title: &'static str,
    permissions: Vec<Permission>,
}

#[derive(SimpleObject)]
struct Permission {
    id: ID,
    title: &'static str,
    description: String,
    level: PermissionLevelType,
    depends_on_id: Option<ID>,
}

pub fn permission_group(group: &Group, release: Release) -> PermissionGroup {
    let permission = |held: &catalogue::Permission| Permission {
        id: held.id.into(),
        title: held.title,
        description: format!("{}.", held.title),
        level: match held.level {
            Level::Organization => PermissionLevelType::Organization,
            Level::Project => PermissionLevelType::Project,
            Level::Target => PermissionLevelType::Target,
            Level::Service => PermissionLevelType::Service,
            Level::AppDeployment => PermissionLevelType::AppDeployment,
        },
        depends_on_id: held.depends_on.map(Into::into),
    };
    let permissions = group.permissions(release).map(permission).collect();
    PermissionGroup { id: group.id.into(), title: group.title, permissions }
}
