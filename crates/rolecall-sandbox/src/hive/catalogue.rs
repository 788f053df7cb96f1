//! The permissions that a role or a token can hold. Ids and levels are the platform's; the titles are ours.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::world::Release;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    Organization,
    Project,
    Target,
    Service,
    AppDeployment,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Permission {
    pub id: String,
    pub level: Level,
    title: String,
    depends_on_id: Option<String>,
    /// Whether only the newest release has it.
    #[serde(default)]
    newest: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    id: String,
    title: String,
    permissions: Vec<Permission>,
}

/// The permissions of roles and of tokens, in groups.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    pub roles: Vec<Group>,
    pub tokens: Vec<Group>,
}

pub fn catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| serde_json::from_str(include_str!("permissions.json")).unwrap_or_default())
}

/// The permission that every role holds. It can't be assigned.
pub const ALWAYS_GRANTED: &str = "organization:describe";

/// The permissions of the built-in role `Viewer`.
pub const VIEWER_PERMISSIONS: &[&str] =
    &[ALWAYS_GRANTED, "support:manageTickets", "project:describe", "laboratory:describe"];

impl Group {
    fn permissions(&self, release: Release) -> impl Iterator<Item = &Permission> {
        self.permissions.iter().filter(move |permission| !permission.newest || release == Release::Newest)
    }
}

/// Returns the groups that a release has, as the API shows them.
pub fn shown_groups(groups: &[Group], release: Release) -> Value {
    let permission = |held: &Permission| {
        json!({
            "id": held.id,
            "title": held.title,
            "description": format!("{}.", held.title),
            "level": held.level,
            "dependsOnId": held.depends_on_id,
        })
    };
    let shown = groups.iter().filter(|group| group.permissions(release).next().is_some()).map(|group| {
        let permissions: Vec<Value> = group.permissions(release).map(permission).collect();
        json!({ "id": group.id, "title": group.title, "permissions": permissions })
    });
    shown.collect()
}

/// Returns all permissions of roles by level, then in the catalogue's order. Roles show their permissions in this
/// order.
pub fn role_permissions(release: Release) -> Vec<&'static Permission> {
    let mut permissions: Vec<_> = catalogue().roles.iter().flat_map(|group| group.permissions(release)).collect();
    permissions.sort_by_key(|permission| permission.level);
    permissions
}

/// Returns the requested permissions that a role can hold, without duplicates. The others are dropped silently.
pub fn assignable_to_role(asked: &[String], release: Release) -> Vec<String> {
    let known = role_permissions(release).into_iter().filter(|permission| permission.id != ALWAYS_GRANTED);
    known.filter(|permission| asked.contains(&permission.id)).map(|permission| permission.id.clone()).collect()
}

/// Returns the requested permissions that a token can hold, without duplicates, in the order requested.
pub fn assignable_to_token(asked: &[String], release: Release) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for id in asked {
        let known = catalogue().tokens.iter().flat_map(|group| group.permissions(release)).any(|it| it.id == *id);
        if known && !kept.contains(id) {
            kept.push(id.clone());
        }
    }
    kept
}
