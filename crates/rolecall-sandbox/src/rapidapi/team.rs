//! Teams, and people as teams and organisations show them.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::app::ProjectAcl;
use super::context::{resolve, with_world};
use super::role::EntityRole;
use super::scalars::{DateTime, count, from_text, to_int};
use super::user::User;
use super::world::{
    ACTIVE, DEACTIVATED, DELETED, PENDING, TEAM_ENVIRONMENT, World, WorldInvitation, WorldMember,
    WorldOrganization, WorldTeam,
};

/// The place for which a role is shown. For a team's own role both ids have to be the organisation's
/// (docs.rapidapi.com, Organizations).
#[derive(InputObject)]
pub struct WhereOrgTeam {
    pub parent_id: Option<ID>,
    pub org_id: Option<ID>,
}

#[derive(Clone)]
pub struct Team(pub u64);

impl Team {
    fn read<T>(
        &self,
        context: &Context<'_>,
        work: impl FnOnce(&World, &WorldOrganization, &WorldTeam) -> Option<T>,
    ) -> Result<Option<T>> {
        with_world(context, |world, _| {
            world.team(self.0).and_then(|(organization, team)| work(world, organization, team))
        })
    }
}

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl Team {
    async fn id(&self) -> ID {
        self.0.into()
    }

    async fn mashape_id(&self, context: &Context<'_>) -> Result<Option<String>> {
        self.read(context, |_, _, team| Some(team.mashape_id.clone()))
    }

    async fn name(&self, context: &Context<'_>) -> Result<Option<String>> {
        self.read(context, |_, _, team| Some(team.name.clone()))
    }

    async fn slugified_name(&self, context: &Context<'_>) -> Result<Option<String>> {
        self.read(context, |_, _, team| Some(team.slug.clone()))
    }

    async fn description(&self, context: &Context<'_>) -> Result<Option<String>> {
        self.read(context, |_, _, team| team.description.clone())
    }

    async fn thumbnail(&self, context: &Context<'_>) -> Result<Option<String>> {
        self.read(context, |_, _, team| team.thumbnail.clone())
    }

    async fn status(&self, context: &Context<'_>) -> Result<Option<&'static str>> {
        self.read(context, |_, _, team| Some(if team.deleted { DELETED } else { ACTIVE }))
    }

    async fn created_at(&self, context: &Context<'_>) -> Result<Option<DateTime>> {
        self.read(context, |world, _, _| Some(DateTime::fixed(world)))
    }

    async fn updated_at(&self, context: &Context<'_>) -> Result<Option<DateTime>> {
        self.read(context, |world, _, _| Some(DateTime::fixed(world)))
    }

    async fn deleted_at(&self, context: &Context<'_>) -> Result<Option<DateTime>> {
        self.read(context, |world, _, team| team.deleted.then(|| DateTime::fixed(world)))
    }

    /// Lists members. Invited people appear only in the paginated list.
    async fn users(&self, context: &Context<'_>) -> Result<Option<Vec<Option<TeamUser>>>> {
        let found = resolve(context, |world, caller| {
            let Some((organization, team)) = world.team(self.0) else { return Ok(None) };
            caller.require_read(world, organization.id)?;
            let members = team.members.iter().filter_map(|user| organization.member(*user));
            Ok(Some(members.map(|member| TeamUser::of_member(world, organization, member)).collect()))
        })?;
        Ok(found.flatten())
    }

    async fn users_count(&self, context: &Context<'_>) -> Result<Option<i32>> {
        self.read(context, |world, _, team| {
            Some(count(team.members.len(), world.switches.team_users_count_off_by))
        })
    }

    async fn is_team_member(&self, context: &Context<'_>) -> Result<Option<bool>> {
        with_world(context, |world, caller| Some(world.is_in_team(self.0, caller.user)))
    }

    #[graphql(name = "ProjectAcls")]
    async fn project_acls(&self, context: &Context<'_>) -> Result<Option<Vec<Option<ProjectAcl>>>> {
        let found = resolve(context, |world, caller| {
            let Some((organization, _)) = world.team(self.0) else { return Ok(None) };
            caller.require_read(world, organization.id)?;
            Ok(Some(world.apps_of(self.0).map(|app| Some(ProjectAcl::of(world, app))).collect()))
        })?;
        Ok(found.flatten())
    }

    /// The team's own role. Its members have roles of their own.
    async fn role(
        &self,
        context: &Context<'_>,
        #[graphql(name = "where")] filter: Option<WhereOrgTeam>,
    ) -> Result<Option<EntityRole>> {
        self.read(context, |world, organization, _| {
            let WhereOrgTeam { parent_id, org_id } = filter?;
            let is_organization = |id: Option<ID>| id.and_then(|id| from_text(&id).ok()) == Some(organization.id);
            let organization_id =
                Some(organization.id).filter(|_| is_organization(parent_id) && is_organization(org_id))?;
            world
                .assignment(TEAM_ENVIRONMENT, self.0, Some(organization_id), Some(organization_id))
                .cloned()
                .map(EntityRole)
        })
    }
}

/// A member, or somebody who is invited and hasn't accepted yet.
#[derive(SimpleObject)]
pub struct TeamUser {
    /// The user's id. `None` for somebody who has no account yet.
    pub id: Option<i32>,
    pub name: Option<String>,
    username: Option<String>,
    thumbnail: Option<String>,
    pub email: String,
    pub invite_status: Option<String>,
    teams: Option<Vec<Option<Team>>>,
    /// The legacy name of the role.
    role: Option<String>,
    /// The token of an invitation. Anybody who has it can join, so a careful client never selects it.
    pub token: Option<String>,
    user_data: Option<User>,
    teams_count: Option<i32>,
}

impl TeamUser {
    pub fn of_member(world: &World, organization: &WorldOrganization, member: &WorldMember) -> Option<Self> {
        let user = world.user_by_id(member.user)?;
        let teams = organization.teams.iter().filter(|team| team.members.contains(&user.id));
        let teams: Vec<_> = teams.map(|team| Some(Team(team.id))).collect();
        let status = if member.deactivated { DEACTIVATED } else { ACTIVE };
        Some(Self {
            id: Some(to_int(user.id)),
            name: Some(user.name.clone()),
            username: Some(user.username.clone()),
            thumbnail: None,
            email: user.email.clone(),
            invite_status: Some(status.to_owned()),
            teams_count: Some(count(teams.len(), 0)),
            teams: Some(teams),
            role: Some(member.legacy_role.clone()),
            token: None,
            user_data: Some(User::of(user)),
        })
    }

    pub fn of_invitation(world: &World, invitation: &WorldInvitation) -> Self {
        let user = world.user(&invitation.email);
        let teams: Vec<_> = invitation.teams.iter().map(|team| Some(Team(*team))).collect();
        let shown = if invitation.status == PENDING { &world.switches.invite_status } else { &invitation.status };
        Self {
            id: user.map(|user| to_int(user.id)),
            name: user.map(|user| user.name.clone()),
            username: user.map(|user| user.username.clone()),
            thumbnail: None,
            email: invitation.email.clone(),
            invite_status: Some(shown.clone()),
            teams_count: Some(count(teams.len(), 0)),
            teams: Some(teams),
            role: Some(invitation.role.clone()),
            token: Some(invitation.token.clone()),
            user_data: user.map(User::of),
        }
    }
}
