//! Objects of the hub as the API shows them. Fields that depend on the caller or on arguments, and those that lead to
//! other objects, are in the resolvers.

use serde_json::{Value, json};

use super::scalars::{count, time, to_int};
use super::world::{
    ACTIVE, Assignment, DELETED, ORGANIZATION, TEAM_ENVIRONMENT, USER_ENVIRONMENT, USER_ORGANIZATION, USER_TEAM,
    World, WorldApi, WorldApp, WorldAppKey, WorldOrganization, WorldRole, WorldSubscription, WorldTeam, WorldUser,
};

pub fn organization(world: &World, organization: &WorldOrganization) -> Value {
    let teams = organization.teams.iter().filter(|team| !team.deleted).count();
    json!({
        "id": organization.id.to_string(),
        "name": organization.name,
        "slugifiedName": organization.slug,
        "email": organization.email,
        "description": organization.description,
        "thumbnail": organization.thumbnail,
        "status": organization.status,
        "occupiedSeats": count(organization.occupied_seats(), 0),
        "billingAdditionalValues": { "total": organization.seats, "subscriptionId": null },
        "seatsBillingInformation": {
            "freeSeats": count(organization.free_seats(), 0),
            "unitPrice": 0,
            "isCustomInvoiceBilling": false,
            "billingPlanVersionId": null,
        },
        "billingType": "SEATS",
        "apisCount": count(world.apis_of(organization).count(), 0),
        "entity": { "id": organization.id, "type": "Organization" },
        "createdAt": time(world),
        "updatedAt": time(world),
        "numOfTeams": count(teams, world.switches.teams_count_off_by),
        "numOfUsers": count(organization.members.len(), world.switches.users_count_off_by),
    })
}

pub fn team(world: &World, team: &WorldTeam) -> Value {
    json!({
        "id": team.id.to_string(),
        "mashapeId": team.mashape_id,
        "name": team.name,
        "slugifiedName": team.slug,
        "description": team.description,
        "thumbnail": team.thumbnail,
        "status": if team.deleted { DELETED } else { ACTIVE },
        "createdAt": time(world),
        "updatedAt": time(world),
        "deletedAt": team.deleted.then(|| time(world)),
        "usersCount": count(team.members.len(), world.switches.team_users_count_off_by),
    })
}

/// Shows a user. `role_in` is the organisation whose role is shown. Without it, that is the role in the hub.
pub fn user(world: &World, user: &WorldUser, role_in: Option<u64>) -> Value {
    json!({
        "id": user.id.to_string(),
        "mashapeId": user.mashape_id,
        "email": user.email,
        "username": user.username,
        "name": user.name,
        "thumbnail": null,
        "bio": null,
        "company": null,
        "position": null,
        "location": null,
        "status": user.status,
        "createdAt": time(world),
        "updatedAt": time(world),
        "deletedAt": (user.status == DELETED).then(|| time(world)),
        "lastActive": null,
        "apisCount": 0,
        "isUserCreatedBySSO": false,
        "entity": { "id": user.id, "type": "User" },
        "protected": user.protected,
        "activeOrganizationRole": null,
        "verified": true,
        "roleIn": role_in,
    })
}

/// Shows a user, a team or an organisation behind one type. They share one sequence of ids.
pub fn entity(world: &World, id: u64) -> Value {
    let mut entity = json!({
        "id": id.to_string(),
        "mashapeId": null,
        "email": null,
        "username": null,
        "slugifiedName": null,
        "createdAt": time(world),
    });
    let (kind, name) = if let Some(user) = world.user_by_id(id) {
        entity["mashapeId"] = json!(user.mashape_id);
        entity["email"] = json!(user.email);
        entity["username"] = json!(user.username);
        ("User", &user.name)
    } else if let Some((_, team)) = world.team(id) {
        entity["mashapeId"] = json!(team.mashape_id);
        entity["slugifiedName"] = json!(team.slug);
        ("Team", &team.name)
    } else if let Some(organization) = world.organization_by_id(id) {
        entity["email"] = json!(organization.email);
        entity["slugifiedName"] = json!(organization.slug);
        ("Organization", &organization.name)
    } else {
        return Value::Null;
    };
    entity["type"] = json!(kind);
    entity["name"] = json!(name);
    entity
}

pub fn role(role: &WorldRole) -> Value {
    json!({
        "id": role.id.to_string(),
        "key": role.key,
        "name": role.name,
        "description": null,
        "roleLevel": role.level,
        "isBasicRole": role.is_basic,
        "isDefault": role.is_default,
        "permissions": PERMISSIONS.iter().filter(|(_, level, ..)| *level == role.level).map(|permission| in_role(*permission, role)).collect::<Vec<_>>(),
    })
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

/// Shows a permission of the role's level. Admins are granted all of these, and others those to view.
fn in_role((id, level, key, name, depends_on): Permission, role: &WorldRole) -> Value {
    json!({
        "id": id.to_string(),
        "key": key,
        "displayName": name,
        "permissionLevel": level,
        "description": null,
        "dependsOn": depends_on,
        "rolePermission": {
            "granted": depends_on.is_none() || role.key.ends_with("-admin"),
            "readOnly": role.is_basic,
        },
    })
}

/// Shows the assignment of a role. Its own id is an `ID`; the other ids are numbers.
pub fn assignment(world: &World, row: &Assignment) -> Value {
    json!({
        "id": row.id.to_string(),
        "entityId": to_int(row.entity),
        "roleId": to_int(row.role),
        "parentId": row.parent.map(to_int),
        "orgId": row.org.map(to_int),
        "role": world.role_by_id(row.role).map(role),
    })
}

/// Shows an app, which the schema calls a project.
fn project(app: &WorldApp) -> Value {
    json!({
        "id": to_int(app.id),
        "mashapeId": app.mashape_id,
        "name": app.name,
        "description": app.description,
        "thumbnail": null,
        "favorite": false,
        // The value of the app's first key, in clear text.
        "xMashapeKey": app.keys.first().map(WorldAppKey::value),
        "enableLimitsToAPIs": false,
        "projectAllowedAPIs": [],
    })
}

/// Shows the ownership of an app.
pub fn owned(world: &World, app: &WorldApp) -> Value {
    json!({
        "id": to_int(app.id),
        "owner": to_int(app.owner),
        "project": to_int(app.id),
        "createdAt": time(world),
        "updatedAt": time(world),
        "Project": project(app),
    })
}

/// Shows the ownership of an app, with its owner.
pub fn owned_for_admins(world: &World, app: &WorldApp) -> Value {
    let mut owned = owned(world, app);
    let mut owner = entity(world, app.owner);
    if owner.is_object() {
        owner["id"] = json!(to_int(app.owner));
        (owner["status"], owner["thumbnail"]) = (Value::Null, Value::Null);
    }
    owned["owner"] = owner;
    owned
}

/// Shows a key of an app, with the secret value in clear text.
pub fn key(world: &World, app: &WorldApp, key: &WorldAppKey) -> Value {
    json!({
        "id": key.id.to_string(),
        "name": key.name,
        "mashapeId": null,
        "key": key.value(),
        "applicationId": app.id.to_string(),
        "status": key.status,
        "createdAt": time(world),
        "updatedAt": time(world),
        "deletedAt": (key.status == DELETED).then(|| time(world)),
        "authorizationType": key.authorization_type,
        "authorizationValues": format!(r#"{{"clientSecret":"{}"}}"#, key.value()),
        "gateways": [],
        "grantType": (key.authorization_type == "OAUTH2").then_some("CLIENT_CREDENTIALS"),
    })
}

pub fn api(world: &World, api: &WorldApi) -> Value {
    json!({
        "id": api.id,
        "name": api.name,
        "owner": entity(world, api.owner),
        "createdAt": time(world),
        "category": api.category,
        "pricing": api.pricing,
        "status": api.status,
        "visibility": api.visibility,
    })
}

pub fn subscription(world: &World, subscription: &WorldSubscription) -> Value {
    json!({
        "id": subscription.id.to_string(),
        "api": world.apis.iter().find(|it| it.id == subscription.api).map(|it| api(world, it)),
        "status": subscription.status,
        "createdAt": time(world),
        "updatedAt": time(world),
        "deletedAt": null,
        // The subscriber: a team.
        "entity": entity(world, subscription.entity),
    })
}
