//! What can be read. Type and field names are the platform's.

use async_graphql::{Context, ID, InputObject, Object, OneofObject, Result};

use super::Shared;
use super::access::{caller, no_access, unexpected};
use super::catalogue::{groups_for_roles, groups_for_tokens};
use super::nodes::{
    Member, MemberRole, OrganizationAccessToken, OrganizationInvitation, PermissionGroup, Project, Target,
    permission_group,
};
use super::pages::{
    MemberConnection, MemberRoleConnection, OrganizationAccessTokenConnection, OrganizationInvitationConnection,
    ProjectConnection, at_most, page, whole,
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
    /// An organisation that isn't there looks like one that `permission` is missing for.
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
            caller(context).is_ok_and(|caller| caller.may_on("project:describe", &project.id))
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
        if !caller(context)?.may_on("project:describe", &project.id) {
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

    /// `first` has no bound, and where it is no number of rows there are none, as measured on Hive 8.1.2.
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
        let place = |member: &WorldMember| (member.created_at, member.user_id.clone());
        let rows = world.members.iter().map(|member| (place(member), Member(member.clone()))).collect();
        Ok(page(rows, limit, after.as_deref(), world.switches.paging)?.into())
    }

    async fn invitations(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Option<OrganizationInvitationConnection>> {
        if !caller(context)?.may("member:modify") {
            return Ok(None);
        }
        let shared = shared(context)?;
        let (now, world) = ((shared.clock)(), shared.lock());
        let pending = world.invitations.iter().filter(|invitation| invitation.expires_at > now);
        let place = |invitation: &WorldInvitation| (invitation.created_at, invitation.email.clone());
        let rows = pending.map(|row| (place(row), OrganizationInvitation(row.clone()))).collect();
        Ok(Some(page(rows, at_most(first, 50), after.as_deref(), Paging::Fixed)?.into()))
    }

    /// Newest first, and all were made at the same time as far as the platform knows: so by id. Nothing leads to
    /// a second page.
    async fn member_roles(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Option<MemberRoleConnection>> {
        // Taken, and of no use.
        let _ = after;
        let mut roles = shared(context)?.lock().roles.clone();
        roles.sort_by(|one, other| other.id.cmp(&one.id));
        Ok(Some(MemberRoleConnection::of(roles.into_iter().take(at_most(first, 50)).map(MemberRole))))
    }

    async fn available_member_permission_groups(&self, context: &Context<'_>) -> Result<Vec<PermissionGroup>> {
        let release = shared(context)?.lock().switches.release;
        Ok(groups_for_roles(release).map(|group| permission_group(group, release)).collect())
    }

    async fn available_organization_access_token_permission_groups(
        &self,
        context: &Context<'_>,
    ) -> Result<Vec<PermissionGroup>> {
        let release = shared(context)?.lock().switches.release;
        Ok(groups_for_tokens(release).map(|group| permission_group(group, release)).collect())
    }

    async fn access_tokens(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<OrganizationAccessTokenConnection> {
        caller(context)?.require("accessToken:modify")?;
        let world = shared(context)?.lock();
        let place = |token: &WorldToken| (token.created_at, token.id.clone());
        let rows = world.tokens.iter().map(|row| (place(row), OrganizationAccessToken(row.clone()))).collect();
        Ok(page(rows, at_most(first, 20), after.as_deref(), Paging::Fixed)?.into())
    }

    async fn access_token(&self, context: &Context<'_>, id: ID) -> Result<Option<OrganizationAccessToken>> {
        caller(context)?.require("accessToken:modify")?;
        let world = shared(context)?.lock();
        Ok(world.tokens.iter().find(|token| token.id == *id).cloned().map(OrganizationAccessToken))
    }

    async fn projects(&self, context: &Context<'_>) -> Result<ProjectConnection> {
        let (caller, world) = (caller(context)?, shared(context)?.lock());
        let visible = world.projects.iter().filter(|project| caller.may_on("project:describe", &project.id));
        Ok(whole(visible.cloned().map(Project)).into())
    }
}
