//! The fields that need code. Names of fields, arguments and roles are those of the documentation and of Paradime's
//! Python SDK 6.9.0.

use std::cell::Cell;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::super::digest;
use super::Shared;
use super::access::{CHANGE_USERS, Caller, Capability, LIST_USERS, LIST_WORKSPACES, READ_AUDIT_LOG};
use super::rules::ErrorMessage;
use super::switches::{DisabledUsers, Refusal};
use super::world::{UserStatus, World, WorldEvent, WorldInvitation, WorldUser};
use crate::engine::{Field, FieldError, Resolved, Resolvers};

/// The error message for a missing capability.
pub const LACKS_CAPABILITY: &str = "this API key lacks the capability";

/// One request.
pub struct Call<'a> {
    pub shared: &'a Shared,
    pub caller: Caller,
    /// Whether the request asked for something that needs another capability.
    pub refused: Cell<bool>,
}

impl Call<'_> {
    fn require(&self, any_of: &[Capability]) -> Result<(), FieldError> {
        if self.caller.has_one_of(any_of) {
            return Ok(());
        }
        self.refused.set(true);
        Err(FieldError::new(LACKS_CAPABILITY))
    }

    /// Runs a mutation. It answers only with `ok`, or with null beside an error.
    fn mutate(
        &self,
        field: &Field<'_>,
        work: impl FnOnce(&mut World, Timestamp) -> Result<(), ErrorMessage>,
    ) -> Result<Value, FieldError> {
        self.require(CHANGE_USERS)?;
        let mut world = self.shared.lock();
        let Err(why) = work(&mut world, (self.shared.clock)()) else { return Ok(json!({ "ok": true })) };
        if world.switches.refusal == Refusal::Errors {
            if world.switches.null_payload {
                return Err(FieldError::new(why));
            }
            field.report(FieldError::new(why));
        }
        Ok(json!({ "ok": false }))
    }
}

impl Resolvers for Call<'_> {
    fn resolve(&self, field: &Field<'_>) -> Resolved {
        let value = match (field.on, field.name) {
            ("Query", "listUsers") => {
                self.require(LIST_USERS)?;
                user_lists(&self.shared.lock())
            }
            // The workspaces of the whole company.
            ("Query", "listWorkspaces") => {
                self.require(LIST_WORKSPACES)?;
                let world = self.shared.lock();
                let all = std::iter::once(&world.workspace).chain(&world.other_workspaces);
                let all: Vec<Value> = all.map(|it| json!({ "name": it.name, "uid": it.uid })).collect();
                json!({ "ok": true, "workspaces": all })
            }
            // The events of the whole company. The result has no `ok`.
            ("Query", "getAuditLogs") => {
                self.require(READ_AUDIT_LOG)?;
                json!({ "auditLogs": self.shared.lock().audit_log.iter().map(shown_event).collect::<Vec<_>>() })
            }
            ("Mutation", "inviteUser") => {
                let (email, role): (String, String) = (field.argument("email")?, field.argument("accountType")?);
                self.mutate(field, |world, now| world.invite(now, &email, &role))?
            }
            ("Mutation", "updateUserAccountType") => {
                let (uid, role): (String, String) = (field.argument("uid")?, field.argument("accountType")?);
                self.mutate(field, |world, now| world.update_account_type(now, &uid, &role))?
            }
            ("Mutation", "disableUser") => {
                let uid: String = field.argument("uid")?;
                self.mutate(field, |world, now| world.disable(now, &uid))?
            }
            _ => return Ok(None),
        };
        Ok(Some(value))
    }
}

/// Returns the users of the workspace. A role may be one that the schema doesn't know, as when Paradime adds one.
/// Without a uid, no mutation can change or cancel an invitation.
fn user_lists(world: &World) -> Value {
    let listed = |user: &&WorldUser| {
        user.status == UserStatus::Active || world.switches.disabled_users == DisabledUsers::ListedActive
    };
    let active = |user: &WorldUser| {
        let WorldUser { uid, email, name, account_type, status: _ } = user;
        json!({ "uid": uid, "email": email, "name": name, "accountType": account_type })
    };
    let invited = |invitation: &WorldInvitation| {
        let WorldInvitation { email, account_type, status } = invitation;
        json!({ "email": email, "accountType": account_type, "inviteStatus": status })
    };
    json!({
        "ok": true,
        "activeUsers": world.users.iter().filter(listed).map(active).collect::<Vec<_>>(),
        "invitedUsers": world.invitations.iter().map(invited).collect::<Vec<_>>(),
    })
}

fn shown_event(logged: &WorldEvent) -> Value {
    let WorldEvent { id, at, workspace, actor_type, actor_email, source, event, metadata } = logged;
    json!({
        "id": id,
        "createdDttm": format_without_zone(*at),
        "updatedDttm": format_without_zone(*at),
        "workspaceId": internal_number(workspace),
        "workspaceName": workspace,
        "actorType": actor_type,
        "actorUserId": internal_number(actor_email.as_ref().unwrap_or(actor_type)),
        "actorEmail": actor_email,
        "eventSourceId": internal_number(source),
        "eventSource": source,
        "eventId": internal_number(event),
        "eventType": event,
        "metadataJson": metadata,
    })
}

/// Formats a time as the documentation's example does, without a time zone.
fn format_without_zone(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// Returns an internal number, which appears in no other answer and isn't a uid.
fn internal_number(of: &str) -> i32 {
    i32::from_str_radix(&digest(of)[..4], 16).unwrap_or_default()
}
