//! Apps, which the schema calls projects, and their keys.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use super::caller::{ApiError, Caller};
use super::context::{resolve, with_world};
use super::entity::Entity;
use super::pages::PagingArgs;
use super::scalars::{DateTime, to_int};
use super::user::User;
use super::world::{DELETED, World, WorldApp, WorldAppKey};

impl Caller {
    /// Checks that the caller may read the keys of an app. The keys of a team's app are for members of the team
    /// who call with a team's key (docs.rapidapi.com, Apps and Authorizations).
    pub fn require_key_read(self, world: &World, owner: u64) -> std::result::Result<(), ApiError> {
        if world.team(owner).is_none() {
            return if self.user == owner { Ok(()) } else { self.require_environment_admin(world) };
        }
        self.require_team_context()?;
        let may = world.is_in_team(owner, self.user);
        may.then_some(()).ok_or(ApiError::forbidden("this needs a member of the team"))
    }

    /// Checks the same for an app that is read through its organisation. The organisation's admins may read those
    /// keys too.
    fn require_key_read_in_organization(self, world: &World, owner: u64) -> std::result::Result<(), ApiError> {
        match world.team(owner) {
            Some((organization, _)) if self.require_admin_read(world, organization.id).is_ok() => Ok(()),
            _ => self.require_key_read(world, owner),
        }
    }
}

pub struct Project(WorldApp);

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl Project {
    async fn id(&self) -> Option<i32> {
        Some(to_int(self.0.id))
    }

    async fn mashape_id(&self) -> Option<&str> {
        Some(&self.0.mashape_id)
    }

    async fn name(&self) -> Option<&str> {
        Some(&self.0.name)
    }

    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    async fn thumbnail(&self) -> Option<&str> {
        None
    }

    async fn favorite(&self) -> Option<bool> {
        Some(false)
    }

    /// The value of the app's first key, in clear text.
    async fn x_mashape_key(&self) -> Option<String> {
        self.0.keys.first().map(WorldAppKey::value)
    }

    async fn acl(&self) -> Option<ProjectInfo> {
        Some(ProjectInfo(self.0.clone()))
    }

    #[graphql(name = "enableLimitsToAPIs")]
    async fn enable_limits_to_apis(&self) -> Option<bool> {
        Some(false)
    }

    #[graphql(name = "projectAllowedAPIs")]
    async fn project_allowed_apis(
        &self,
        paging_args: Option<PagingArgs>,
    ) -> Option<Vec<Option<ProjectAllowedApi>>> {
        // The list is empty, so there is nothing to page.
        let _ = paging_args;
        Some(Vec::new())
    }

    async fn application_authorizations(
        &self,
        context: &Context<'_>,
    ) -> Result<Option<Vec<Option<ApplicationAuthorization>>>> {
        resolve(context, |world, caller| {
            caller.require_key_read_in_organization(world, self.0.owner)?;
            Ok(ApplicationAuthorization::all_of(world, &self.0).into_iter().map(Some).collect())
        })
    }
}

#[derive(SimpleObject)]
#[graphql(name = "ProjectAllowedAPI")]
struct ProjectAllowedApi {
    id: Option<i32>,
    project_id: Option<i32>,
    api_id: Option<String>,
    api_version_id: Option<String>,
    created_at: Option<DateTime>,
    updated_at: Option<DateTime>,
    status: Option<String>,
}

/// The ownership of an app.
#[derive(SimpleObject)]
pub struct ProjectAcl {
    id: i32,
    owner: Option<i32>,
    project: Option<i32>,
    created_at: Option<DateTime>,
    updated_at: Option<DateTime>,
    #[graphql(name = "Project")]
    app: Option<Project>,
}

impl ProjectAcl {
    pub fn of(world: &World, app: &WorldApp) -> Self {
        Self {
            id: to_int(app.id),
            owner: Some(to_int(app.owner)),
            project: Some(to_int(app.id)),
            created_at: Some(DateTime::fixed(world)),
            updated_at: Some(DateTime::fixed(world)),
            app: Some(Project(app.clone())),
        }
    }
}

/// The ownership of an app, with more fields for admins.
#[derive(SimpleObject)]
pub struct AdminProjectAcl {
    id: Option<i32>,
    owner: Option<AdminOwnerProject>,
    project: Option<i32>,
    created_at: Option<DateTime>,
    updated_at: Option<DateTime>,
    #[graphql(name = "Project")]
    app: Option<Project>,
}

impl AdminProjectAcl {
    pub fn of(world: &World, app: &WorldApp) -> Self {
        let owner = Entity::of(world, app.owner).map(|entity| AdminOwnerProject {
            id: Some(to_int(app.owner)),
            name: entity.name,
            email: entity.email,
            mashape_id: entity.mashape_id,
            slugified_name: entity.slugified_name,
            status: None,
            thumbnail: None,
            kind: entity.kind,
        });
        let ProjectAcl { id, project, created_at, updated_at, app, .. } = ProjectAcl::of(world, app);
        Self { id: Some(id), owner, project, created_at, updated_at, app }
    }
}

#[derive(SimpleObject)]
struct AdminOwnerProject {
    id: Option<i32>,
    name: Option<String>,
    email: Option<String>,
    mashape_id: Option<String>,
    slugified_name: Option<String>,
    status: Option<String>,
    thumbnail: Option<String>,
    #[graphql(name = "type")]
    kind: Option<String>,
}

/// The ownership of an app, with its owner as a user or an entity.
pub struct ProjectInfo(pub WorldApp);

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl ProjectInfo {
    async fn id(&self) -> Option<i32> {
        Some(to_int(self.0.id))
    }

    async fn owner(&self) -> Option<i32> {
        Some(to_int(self.0.owner))
    }

    async fn project(&self) -> Option<i32> {
        Some(to_int(self.0.id))
    }

    async fn user(&self, context: &Context<'_>) -> Result<Option<User>> {
        with_world(context, |world, _| world.user_by_id(self.0.owner).map(User::of))
    }

    async fn entity(&self, context: &Context<'_>) -> Result<Option<Entity>> {
        with_world(context, |world, _| Entity::of(world, self.0.owner))
    }

    #[graphql(name = "Project")]
    async fn app(&self) -> Option<Project> {
        Some(Project(self.0.clone()))
    }
}

#[derive(InputObject)]
pub struct AppAuthorizationsWhereInput {
    pub project_id: ID,
}

/// A key of an app. It shows the secret value in clear text.
#[derive(SimpleObject)]
pub struct ApplicationAuthorization {
    id: ID,
    name: String,
    mashape_id: Option<ID>,
    key: Option<String>,
    application_id: ID,
    status: AppAuthorizationStatus,
    created_at: DateTime,
    updated_at: DateTime,
    deleted_at: Option<DateTime>,
    authorization_type: AppAuthorizationType,
    authorization_values: Option<String>,
    gateways: Vec<Option<Gateway>>,
    grant_type: Option<AuthorizationGrantType>,
}

impl ApplicationAuthorization {
    pub fn all_of(world: &World, app: &WorldApp) -> Vec<Self> {
        let authorization = |key: &WorldAppKey| Self {
            id: key.id.into(),
            name: key.name.clone(),
            mashape_id: None,
            key: Some(key.value()),
            application_id: app.id.into(),
            status: if key.status == DELETED {
                AppAuthorizationStatus::Deleted
            } else {
                AppAuthorizationStatus::Active
            },
            created_at: DateTime::fixed(world),
            updated_at: DateTime::fixed(world),
            deleted_at: (key.status == DELETED).then(|| DateTime::fixed(world)),
            authorization_type: AppAuthorizationType::of(&key.authorization_type),
            authorization_values: Some(format!(r#"{{"clientSecret":"{}"}}"#, key.value())),
            gateways: Vec::new(),
            grant_type: (key.authorization_type == "OAUTH2").then_some(AuthorizationGrantType::ClientCredentials),
        };
        app.keys.iter().map(authorization).collect()
    }
}

#[derive(SimpleObject)]
struct Gateway {
    id: Option<i32>,
    dns: Option<String>,
    #[graphql(name = "type")]
    kind: Option<String>,
    status: Option<String>,
    is_default: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
enum AppAuthorizationStatus {
    Active,
    Deleted,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
enum AppAuthorizationType {
    Rapidapi,
    #[graphql(name = "OAUTH2")]
    Oauth2,
    Header,
    Basic,
    Bearer,
}

impl AppAuthorizationType {
    fn of(name: &str) -> Self {
        match name {
            "OAUTH2" => Self::Oauth2,
            "HEADER" => Self::Header,
            "BASIC" => Self::Basic,
            "BEARER" => Self::Bearer,
            _ => Self::Rapidapi,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
enum AuthorizationGrantType {
    ClientCredentials,
    AuthorizationCode,
    Password,
    Jwt,
}
