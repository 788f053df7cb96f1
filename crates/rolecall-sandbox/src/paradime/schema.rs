//! The GraphQL schema. Names of fields, arguments and roles are those of the documentation and of Paradime's
//! Python SDK 6.9.0. Neither shows the names of other types: these are ours.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{
    Context, ContextSelectionSet, Enum, Error, Name, Object, OutputType, Positioned, Result, ServerResult,
    SimpleObject, Value,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::digest;
use super::Shared;
use super::access::{CHANGE_USERS, LIST_USERS, LIST_WORKSPACES, READ_AUDIT_LOG, require};
use super::rules::ErrorMessage;
use super::switches::{DisabledUsers, Refusal};
use super::world::{UserStatus, World, WorldEvent, WorldInvitation, WorldUser, WorldWorkspace};

fn shared<'a>(context: &'a Context<'_>) -> Result<&'a Shared> {
    context.data::<Shared>()
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(display)]
enum UserAccountType {
    Admin,
    Developer,
    Business,
    BillingAdmin,
    SecurityAdmin,
    WorkspaceSettingsAdmin,
    WorkspaceAdmin,
    Analyst,
    SandboxUser,
}

/// A role in an answer. It may be one that this schema doesn't know, as when Paradime adds a role.
struct ShownAccountType(String);

impl OutputType for ShownAccountType {
    fn type_name() -> Cow<'static, str> {
        <UserAccountType as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <UserAccountType as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Ok(Value::Enum(Name::new(&self.0)))
    }
}

pub struct Query;

#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl Query {
    /// Lists the users of the workspace that the credential selects.
    async fn list_users(&self, context: &Context<'_>) -> Result<ListUsersResult> {
        require(context, LIST_USERS)?;
        let world = shared(context)?.lock();
        let listed = |user: &&WorldUser| {
            user.status == UserStatus::Active || world.switches.disabled_users == DisabledUsers::ListedActive
        };
        Ok(ListUsersResult {
            ok: true,
            active_users: world.users.iter().filter(listed).cloned().map(ActiveUser::from).collect(),
            invited_users: world.invitations.iter().cloned().map(InvitedUser::from).collect(),
        })
    }

    /// Lists the workspaces of the whole company.
    async fn list_workspaces(&self, context: &Context<'_>) -> Result<ListWorkspacesResult> {
        require(context, LIST_WORKSPACES)?;
        let world = shared(context)?.lock();
        let all = std::iter::once(&world.workspace).chain(&world.other_workspaces);
        Ok(ListWorkspacesResult { ok: true, workspaces: all.cloned().map(Workspace::from).collect() })
    }

    /// Lists the events of the whole company. The result has no `ok`.
    async fn get_audit_logs(&self, context: &Context<'_>) -> Result<GetAuditLogsResult> {
        require(context, READ_AUDIT_LOG)?;
        let world = shared(context)?.lock();
        Ok(GetAuditLogsResult { audit_logs: world.audit_log.iter().cloned().map(AuditLog::from).collect() })
    }
}

#[derive(SimpleObject)]
struct ListUsersResult {
    ok: bool,
    active_users: Vec<ActiveUser>,
    invited_users: Vec<InvitedUser>,
}

#[derive(SimpleObject)]
struct ActiveUser {
    uid: String,
    email: String,
    name: String,
    account_type: ShownAccountType,
}

impl From<WorldUser> for ActiveUser {
    fn from(user: WorldUser) -> Self {
        let WorldUser { uid, email, name, account_type, status: _ } = user;
        Self { uid, email, name, account_type: ShownAccountType(account_type) }
    }
}

/// An invited user. Without a uid, no mutation can change or cancel the invitation.
#[derive(SimpleObject)]
struct InvitedUser {
    email: String,
    account_type: ShownAccountType,
    invite_status: String,
}

impl From<WorldInvitation> for InvitedUser {
    fn from(invitation: WorldInvitation) -> Self {
        let WorldInvitation { email, account_type, status } = invitation;
        Self { email, account_type: ShownAccountType(account_type), invite_status: status }
    }
}

#[derive(SimpleObject)]
struct ListWorkspacesResult {
    ok: bool,
    workspaces: Vec<Workspace>,
}

#[derive(SimpleObject)]
struct Workspace {
    name: String,
    uid: String,
}

impl From<WorldWorkspace> for Workspace {
    fn from(WorldWorkspace { uid, name }: WorldWorkspace) -> Self {
        Self { name, uid }
    }
}

#[derive(SimpleObject)]
struct GetAuditLogsResult {
    audit_logs: Vec<AuditLog>,
}

#[derive(SimpleObject)]
struct AuditLog {
    id: i32,
    created_dttm: String,
    updated_dttm: String,
    workspace_id: i32,
    workspace_name: String,
    actor_type: String,
    actor_user_id: i32,
    actor_email: Option<String>,
    event_source_id: i32,
    event_source: String,
    event_id: i32,
    event_type: String,
    metadata_json: Option<String>,
}

impl From<WorldEvent> for AuditLog {
    fn from(logged: WorldEvent) -> Self {
        let WorldEvent { id, at, workspace, actor_type, actor_email, source, event, metadata } = logged;
        Self {
            id,
            created_dttm: format_without_zone(at),
            updated_dttm: format_without_zone(at),
            workspace_id: internal_number(&workspace),
            workspace_name: workspace,
            actor_user_id: internal_number(actor_email.as_deref().unwrap_or(&actor_type)),
            actor_type,
            actor_email,
            event_source_id: internal_number(&source),
            event_source: source,
            event_id: internal_number(&event),
            event_type: event,
            metadata_json: metadata,
        }
    }
}

/// Formats a time as the documentation's example does, without a time zone.
fn format_without_zone(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// Returns an internal number, which appears in no other answer and isn't a uid.
fn internal_number(of: &str) -> i32 {
    i32::from_str_radix(&digest(of)[..4], 16).unwrap_or_default()
}

pub struct Mutation;

/// Each mutation returns only `ok`, or null beside an error.
#[expect(clippy::unused_async, reason = "the macro wants resolvers to be async")]
#[Object]
impl Mutation {
    async fn invite_user(
        &self,
        context: &Context<'_>,
        email: String,
        account_type: UserAccountType,
    ) -> Result<Option<InviteUserResult>> {
        let ok = mutate(context, |world, now| world.invite(now, &email, &account_type.to_string()))?;
        Ok(Some(InviteUserResult { ok }))
    }

    async fn update_user_account_type(
        &self,
        context: &Context<'_>,
        uid: String,
        account_type: UserAccountType,
    ) -> Result<Option<UpdateUserAccountTypeResult>> {
        let ok = mutate(context, |world, now| world.update_account_type(now, &uid, &account_type.to_string()))?;
        Ok(Some(UpdateUserAccountTypeResult { ok }))
    }

    async fn disable_user(&self, context: &Context<'_>, uid: String) -> Result<Option<DisableUserResult>> {
        let ok = mutate(context, |world, now| world.disable(now, &uid))?;
        Ok(Some(DisableUserResult { ok }))
    }
}

/// Runs a mutation. Returns whether it succeeded, or an error if the switches refuse with one.
fn mutate(
    context: &Context<'_>,
    work: impl FnOnce(&mut World, Timestamp) -> std::result::Result<(), ErrorMessage>,
) -> Result<bool> {
    require(context, CHANGE_USERS)?;
    let shared = shared(context)?;
    let now = (shared.clock)();
    let mut world = shared.lock();
    let Err(why) = work(&mut world, now) else { return Ok(true) };
    match world.switches.refusal {
        Refusal::OkFalse => Ok(false),
        Refusal::Errors if world.switches.null_payload => Err(Error::new(why)),
        Refusal::Errors => {
            let error = Error::new(why).into_server_error(context.item.pos);
            context.add_error(context.set_error_path(error));
            Ok(false)
        }
    }
}

#[derive(SimpleObject)]
struct InviteUserResult {
    ok: bool,
}

#[derive(SimpleObject)]
struct UpdateUserAccountTypeResult {
    ok: bool,
}

#[derive(SimpleObject)]
struct DisableUserResult {
    ok: bool,
}
