//! The roles that changes need, and whether the owner of the key has them. No page says which key mutations need, so a
//! mutation that names nobody asks.

use serde_json::{Value, json};

use super::context::{PERSONAL, changes_accounts};
use super::documents::DELETE_USER_INVITES;
use super::generation::{self, DOCUMENTED};
use super::number::number;
use crate::permission::{Answered, Permission, Permitted, changes};
use rolecall_graphql::{CallError, Probe, Reader};
use rolecall_model::{Desired, Kind, Live};

const ORGANIZATION_ADMIN: Permission = Permission {
    name: "the role of an admin of the organisation, with a key that the hub accepts for changes",
    operations: &[
        "addUserToTeams",
        "createTeam",
        "createUserInvites",
        "deleteOrganization",
        "deleteTeam",
        "deleteUserInvites",
        "removeTeamUserFromAllOrgTeams",
        "updateOrganization",
        "updateTeam",
        "updateTeamUser",
        "updateUserRoles",
        "upsertEntityRole",
    ],
    is_needed: |desired| [Kind::Organization, Kind::Team, Kind::User].iter().any(|kind| changes(desired, *kind)),
    grant: "Make the owner of the key an admin of the organisation, in the web app under Organization > Users. If they are one, choose the other key with `changes_with`.",
};

const HUB_ADMIN: Permission = Permission {
    name: "the role of an administrator of the hub, with a personal key",
    operations: &["updateUser"],
    is_needed: changes_accounts,
    grant: "Ask an administrator of the hub for the role, in the Admin Panel under Users, or leave `status` out of the file.",
};

const NEW_ORGANIZATION: Permission = Permission {
    name: "a key with which an organisation can be created",
    operations: &["createOrganization"],
    is_needed: |desired| desired.organization_entity.as_ref().is_some_and(|entity| entity.create),
    grant: "If it is refused, choose the other key with `changes_with`.",
};

/// Nobody has an address at a domain that can't exist (RFC 2606).
const NOBODY: &str = "rolecall-asks-whether-it-may-cancel@nobody.invalid";

pub(super) async fn permissions(reader: &Reader, desired: &Desired, live: &Live) -> Vec<Answered> {
    let mut answered = Vec::new();
    if (ORGANIZATION_ADMIN.is_needed)(desired) {
        answered.push((&ORGANIZATION_ADMIN, organization_admin(reader, live).await));
    }
    if (HUB_ADMIN.is_needed)(desired) {
        answered.push((&HUB_ADMIN, hub_admin(reader, desired).await));
    }
    if (NEW_ORGANIZATION.is_needed)(desired) {
        let unknown = Permitted::Unknown("no page says which key it needs".to_owned());
        answered.push((&NEW_ORGANIZATION, unknown));
    }
    answered
}

async fn organization_admin(reader: &Reader, live: &Live) -> Permitted {
    if live.organization_entity.is_none() {
        return Permitted::Unknown("the organisation doesn't exist yet".to_owned());
    }
    let id = live.organization_id.as_ref().unwrap_or(&live.organization);
    let variables = json!({ "input": { "emails": [NOBODY], "orgId": number(id) } });
    Permitted::of_probe(&reader.probe(&Probe::new(DELETE_USER_INVITES, variables)).await)
}

/// Lists one account of the hub, which only its administrators may do.
async fn hub_admin(reader: &Reader, desired: &Desired) -> Permitted {
    let generation = match generation::read(reader, desired).await {
        Ok(generation) => generation.map_or(DOCUMENTED, |(generation, _)| generation),
        Err(error) => return Permitted::Unknown(error.to_string()),
    };
    let query = generation.users().within(PERSONAL);
    match reader.query::<Value>(&query, json!({ "where": { "limit": 1, "offset": 0 } })).await {
        Ok(_) => Permitted::Yes("the hub lists its accounts, which it does for administrators only".to_owned()),
        Err(CallError::CredentialRefused(why)) => {
            Permitted::No(format!("the hub refuses to list its accounts ({why})"))
        }
        Err(error) => Permitted::Unknown(error.to_string()),
    }
}
