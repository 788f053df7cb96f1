//! Queries. Type and field names are the platform's.

use async_graphql::{Context, ID, InputObject, Object, OneofObject, Result};

use super::Shared;
use super::access::{caller, no_access, unexpected};
use super::catalogue::{role_groups, token_groups};
use super::inputs::uuid;
use super::nodes::{
    Member, MemberRole, OrganizationAccessToken, OrganizationInvitation, PermissionGroup, Project, Target,
    permission_group,
};
use super::pages::{
    MemberConnection, MemberRoleConnection, OrganizationAccessTokenConnection, OrganizationInvitationConnection,
    ProjectConnection, page, page_size, single_page,
};
use super::world::{Paging, World, WorldInvitation, WorldMember, WorldProject, WorldToken};

pub fn shared<'a>(context: &'a Context<'_>) -> Result<&'a Shared> {
    context.data::<Shared>()
}

#[derive(OneofObject)]
pub enum OrganizationReferenceInput {
    BySelector(OrganizationSelectorInput),
    ById(ID),
}

#[derive(InputObject)]
pub struct OrganizationSelectorInput {
    organization_slug: String,
}

impl OrganizationReferenceInput {
    /// Checks that this is the world's organisation. If it isn't, the error is the same as for a missing
    /// `permission`.
    pub fn find(&self, world: &World, permission: &str) -> Result<()> {
        let found = match self {
            Self::BySelector(selector) => selector.organization_slug == world.organization.slug,
            Self::ById(id) => **id == world.organization.id,
        };
        if found { Ok(()) } else { Err(no_access(permission)) }
    }
}

#[derive(OneofObject)]
enum ProjectReferenceInput {
    BySelector(ProjectSelectorInput),
    ById(ID),
}

#[derive(InputObject)]
struct ProjectSelectorInput {
    organization_slug: String,
    project_slug: String,
}

#[derive(OneofObject)]
enum TargetReferenceInput {
    BySelector(TargetSelectorInput),
    ById(ID),
}

#[derive(InputObject)]
#[expect(clippy::struct_field_names, reason = "the platform names them so")]
struct TargetSelectorInput {
    organization_slug: String,
    project_slug: String,
    target_slug: String,
}

pub struct Query;

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl Query {
    async fn organization(
        &self,
        context: &Context<'_>,
        reference: OrganizationReferenceInput,
    ) -> Result<Option<Organization>> {
        reference.find(&shared(context)?.lock(), "organization:describe")?;
        caller(context)?.require("organization:describe")?;
        Ok(Some(Organization))
    }

    async fn project(&self, context: &Context<'_>, reference: ProjectReferenceInput) -> Result<Option<Project>> {
        let world = shared(context)?.lock();
        let found = world.projects.iter().find(|project| match &reference {
            ProjectReferenceInput::ById(id) => project.id == **id,
            ProjectReferenceInput::BySelector(selector) => {
                selector.organization_slug == world.organization.slug && selector.project_slug == project.slug
            }
        });
        let may = |project: &&WorldProject| {
            caller(context).is_ok_and(|caller| caller.has_permission_on("project:describe", &project.id))
        };
        let found = found.filter(may).ok_or_else(|| no_access("project:describe"))?;
        Ok(Some(Project(found.clone())))
    }

    async fn target(&self, context: &Context<'_>, reference: TargetReferenceInput) -> Result<Option<Target>> {
        let world = shared(context)?.lock();
        let targets =
            world.projects.iter().flat_map(|project| project.targets.iter().map(move |target| (project, target)));
        let mut named = targets.filter(|(project, target)| match &reference {
            TargetReferenceInput::ById(id) => target.id == **id,
            TargetReferenceInput::BySelector(selector) => {
                selector.organization_slug == world.organization.slug
                    && selector.project_slug == project.slug
                    && selector.target_slug == target.slug
            }
        });
        let (project, target) = named.next().ok_or_else(|| no_access("project:describe"))?;
        if !caller(context)?.has_permission_on("project:describe", &project.id) {
            return Err(no_access("project:describe"));
        }
        Ok(Some(Target::of(target)))
    }
}

pub struct Organization;

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl Organization {
    async fn id(&self, context: &Context<'_>) -> Result<ID> {
        Ok(shared(context)?.lock().organization.id.clone().into())
    }

    async fn slug(&self, context: &Context<'_>) -> Result<String> {
        Ok(shared(context)?.lock().organization.slug.clone())
    }

    async fn owner(&self, context: &Context<'_>) -> Result<Member> {
        caller(context)?.require("member:describe")?;
        let world = shared(context)?.lock();
        let owner = world.members.iter().find(|member| member.user_id == world.owner);
        owner.cloned().map(Member).ok_or_else(unexpected)
    }

    /// Lists members. Measured on Hive 8.1.2: `first` has no upper bound, and a negative number gives no rows.
    async fn members(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<MemberConnection> {
        caller(context)?.require("member:describe")?;
        let world = shared(context)?.lock();
        let limit = usize::try_from(first.unwrap_or(100)).unwrap_or(0);
        let limit = world.switches.member_page_limit.map_or(limit, |most| limit.min(most));
        let sort_key = |member: &WorldMember| (member.created_at, member.user_id.clone());
        let rows = world.members.iter().map(|member| (sort_key(member), Member(member.clone()))).collect();
        Ok(page(rows, limit, after.as_deref(), world.switches.paging)?.into())
    }

    async fn invitations(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Option<OrganizationInvitationConnection>> {
        if !caller(context)?.has_permission("member:modify") {
            return Ok(None);
        }
        let shared = shared(context)?;
        let (now, world) = ((shared.clock)(), shared.lock());
        let pending = world.invitations.iter().filter(|invitation| invitation.expires_at > now);
        let sort_key = |invitation: &WorldInvitation| (invitation.created_at, invitation.email.clone());
        let rows = pending.map(|row| (sort_key(row), OrganizationInvitation(row.clone()))).collect();
        Ok(Some(page(rows, page_size(first, 50), after.as_deref(), Paging::Fixed)?.into()))
    }

    /// Lists roles by descending id, at most 50. The platform sorts them by creation time, newest first, but
    /// stores the same time for all. There is no second page.
    async fn member_roles(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Option<MemberRoleConnection>> {
        // The argument exists and has no effect.
        let _ = after;
        let mut roles = shared(context)?.lock().roles.clone();
        roles.sort_by(|one, other| other.id.cmp(&one.id));
        Ok(Some(MemberRoleConnection::of(roles.into_iter().take(page_size(first, 50)).map(MemberRole))))
    }

    async fn available_member_permission_groups(&self, context: &Context<'_>) -> Result<Vec<PermissionGroup>> {
        let release = shared(context)?.lock().switches.release;
        Ok(role_groups(release).map(|group| permission_group(group, release)).collect())
    }

    async fn available_organization_access_token_permission_groups(
        &self,
        context: &Context<'_>,
    ) -> Result<Vec<PermissionGroup>> {
        let release = shared(context)?.lock().switches.release;
        Ok(token_groups(release).map(|group| permission_group(group, release)).collect())
    }

    async fn access_tokens(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<OrganizationAccessTokenConnection> {
        caller(context)?.require("accessToken:modify")?;
        let world = shared(context)?.lock();
        let sort_key = |token: &WorldToken| (token.created_at, token.id.clone());
        let rows = world.tokens.iter().map(|row| (sort_key(row), OrganizationAccessToken(row.clone()))).collect();
        Ok(page(rows, page_size(first, 20), after.as_deref(), Paging::Fixed)?.into())
    }

    async fn access_token(&self, context: &Context<'_>, id: ID) -> Result<Option<OrganizationAccessToken>> {
        caller(context)?.require("accessToken:modify")?;
        let world = shared(context)?.lock();
        let found = world.tokens.iter().find(|token| token.id == *id).cloned().map(OrganizationAccessToken);
        if found.is_none() {
            uuid(&id)?;
        }
        Ok(found)
    }

    async fn projects(&self, context: &Context<'_>) -> Result<ProjectConnection> {
        let (caller, world) = (caller(context)?, shared(context)?.lock());
        // The platform lists the newest first.
        let visible = world
            .projects
            .iter()
            .rev()
            .filter(|project| caller.has_permission_on("project:describe", &project.id));
        Ok(single_page(visible.cloned().map(Project)).into())
    }
}
