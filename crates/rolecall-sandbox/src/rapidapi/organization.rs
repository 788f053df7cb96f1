//! An organisation of the hub.

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use serde_json::json;

use super::api::{Api, BillingSubscription};
use super::app::AdminProjectAcl;
use super::context::{resolve, with_world};
use super::role::EntityRole;
use super::scalars::{Any, DateTime, count};
use super::switches::DeletedTeams;
use super::team::{Team, WhereOrgTeam};
use super::user::User;
use super::world::{ORGANIZATION, World, WorldOrganization, WorldTeam};

#[derive(Clone)]
pub struct Organization(pub u64);

#[derive(SimpleObject)]
struct BillingAdditionalValues {
    total: i32,
    subscription_id: Option<ID>,
}

#[derive(SimpleObject)]
struct SeatsBillingInformation {
    free_seats: Option<i32>,
    unit_price: Option<i32>,
    is_custom_invoice_billing: Option<bool>,
    billing_plan_version_id: Option<String>,
}

impl Organization {
    fn read<T>(
        &self,
        context: &Context<'_>,
        work: impl FnOnce(&World, &WorldOrganization) -> Option<T>,
    ) -> Result<Option<T>> {
        with_world(context, |world, _| world.organization_by_id(self.0).and_then(|found| work(world, found)))
    }

    /// Reads what only admins of the organisation see.
    fn read_as_admin<T>(
        &self,
        context: &Context<'_>,
        work: impl FnOnce(&World, &WorldOrganization) -> T,
    ) -> Result<Option<T>> {
        let found = resolve(context, |world, caller| {
            caller.require_admin_read(world, self.0)?;
            Ok(world.organization_by_id(self.0).map(|found| work(world, found)))
        })?;
        Ok(found.flatten())
    }
}

/// Returns the teams that lists show.
pub fn listed_teams<'a>(world: &World, teams: &'a [WorldTeam]) -> impl Iterator<Item = &'a WorldTeam> {
    let hides = world.switches.deleted_teams == DeletedTeams::Hidden;
    teams.iter().filter(move |team| !(hides && team.deleted))
}

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl Organization {
    async fn id(&self) -> ID {
        self.0.into()
    }

    async fn name(&self, context: &Context<'_>) -> Result<Option<String>> {
        self.read(context, |_, it| Some(it.name.clone()))
    }

    async fn slugified_name(&self, context: &Context<'_>) -> Result<Option<String>> {
        self.read(context, |_, it| Some(it.slug.clone()))
    }

    async fn email(&self, context: &Context<'_>) -> Result<Option<String>> {
        self.read(context, |_, it| it.email.clone())
    }

    async fn description(&self, context: &Context<'_>) -> Result<Option<String>> {
        self.read(context, |_, it| it.description.clone())
    }

    async fn thumbnail(&self, context: &Context<'_>) -> Result<Option<String>> {
        self.read(context, |_, it| it.thumbnail.clone())
    }

    async fn status(&self, context: &Context<'_>) -> Result<Option<String>> {
        self.read(context, |_, it| Some(it.status.clone()))
    }

    /// Lists all teams, without pages.
    async fn teams(
        &self,
        context: &Context<'_>,
        #[graphql(name = "where")] filter: Option<WhereOrgTeam>,
    ) -> Result<Option<Vec<Option<Team>>>> {
        // The argument selects the organisation for which each team's role is shown. It doesn't select teams.
        let _ = filter;
        resolve(context, |world, caller| {
            caller.require_read(world, self.0)?;
            let teams = world.organization_by_id(self.0).map(|it| &*it.teams).unwrap_or_default();
            Ok(listed_teams(world, teams).map(|team| Some(Team(team.id))).collect())
        })
    }

    /// Lists all members, also deactivated ones, but nobody who is only invited.
    async fn users(
        &self,
        context: &Context<'_>,
        #[graphql(visible = "super::generation::only_documented")] role_in_org_ctx: Option<bool>,
    ) -> Result<Option<Vec<Option<User>>>> {
        resolve(context, |world, caller| {
            caller.require_read(world, self.0)?;
            let members = world.organization_by_id(self.0).map(|it| &*it.members).unwrap_or_default();
            let users = members.iter().filter_map(|member| world.user_by_id(member.user));
            let shown = |user| match role_in_org_ctx {
                Some(true) => User::in_organization(user, self.0),
                _ => User::of(user),
            };
            Ok(users.map(|user| Some(shown(user))).collect())
        })
    }

    async fn is_organization_admin(&self, context: &Context<'_>) -> Result<Option<bool>> {
        with_world(context, |world, caller| Some(world.is_org_admin(self.0, caller.user)))
    }

    async fn occupied_seats(&self, context: &Context<'_>) -> Result<Option<i32>> {
        self.read(context, |_, it| Some(count(it.occupied_seats(), 0)))
    }

    async fn billing_additional_values(&self, context: &Context<'_>) -> Result<Option<BillingAdditionalValues>> {
        self.read(context, |_, it| Some(BillingAdditionalValues { total: it.seats, subscription_id: None }))
    }

    async fn seats_billing_information(&self, context: &Context<'_>) -> Result<Option<SeatsBillingInformation>> {
        self.read(context, |_, it| {
            Some(SeatsBillingInformation {
                free_seats: Some(count(it.free_seats(), 0)),
                unit_price: Some(0),
                is_custom_invoice_billing: Some(false),
                billing_plan_version_id: None,
            })
        })
    }

    async fn billing_type(&self) -> Option<&str> {
        Some("SEATS")
    }

    async fn apis_count(&self, context: &Context<'_>) -> Result<Option<i32>> {
        self.read(context, |world, it| Some(count(world.apis_of(it).count(), 0)))
    }

    #[graphql(visible = "super::generation::only_documented")]
    async fn apis(&self, context: &Context<'_>) -> Result<Option<Vec<Option<Api>>>> {
        self.read_as_admin(context, |world, it| world.apis_of(it).map(|api| Some(Api::of(world, api))).collect())
    }

    /// Lists subscriptions to APIs of others.
    #[graphql(visible = "super::generation::only_documented")]
    async fn external_subscriptions(
        &self,
        context: &Context<'_>,
    ) -> Result<Option<Vec<Option<BillingSubscription>>>> {
        self.read_as_admin(context, |world, it| BillingSubscription::all_of(world, it, false))
    }

    /// Lists subscriptions to the organisation's own APIs.
    #[graphql(visible = "super::generation::only_documented")]
    async fn internal_subscriptions(
        &self,
        context: &Context<'_>,
    ) -> Result<Option<Vec<Option<BillingSubscription>>>> {
        self.read_as_admin(context, |world, it| BillingSubscription::all_of(world, it, true))
    }

    async fn entity(&self) -> Option<Any> {
        Some(Any(json!({ "id": self.0, "type": "Organization" })))
    }

    async fn role(&self, context: &Context<'_>) -> Result<Option<EntityRole>> {
        self.read(context, |world, _| world.assignment(ORGANIZATION, self.0, None, None).cloned().map(EntityRole))
    }

    async fn created_at(&self, context: &Context<'_>) -> Result<Option<DateTime>> {
        with_world(context, |world, _| Some(DateTime::fixed(world)))
    }

    async fn updated_at(&self, context: &Context<'_>) -> Result<Option<DateTime>> {
        with_world(context, |world, _| Some(DateTime::fixed(world)))
    }

    /// Counts the teams without deleted ones.
    async fn num_of_teams(&self, context: &Context<'_>) -> Result<Option<i32>> {
        self.read(context, |world, it| {
            let teams = it.teams.iter().filter(|team| !team.deleted).count();
            Some(count(teams, world.switches.teams_count_off_by))
        })
    }

    async fn num_of_users(&self, context: &Context<'_>) -> Result<Option<i32>> {
        self.read(context, |world, it| Some(count(it.members.len(), world.switches.users_count_off_by)))
    }

    /// Lists the apps of all teams, for the organisation's admins.
    #[graphql(name = "ProjectAcls")]
    async fn project_acls(&self, context: &Context<'_>) -> Result<Option<Vec<Option<AdminProjectAcl>>>> {
        resolve(context, |world, caller| {
            caller.require_admin_read(world, self.0)?;
            let teams = world.organization_by_id(self.0).map(|it| &*it.teams).unwrap_or_default();
            let apps = teams.iter().flat_map(|team| world.apps_of(team.id));
            Ok(apps.map(|app| Some(AdminProjectAcl::of(world, app))).collect())
        })
    }
}
