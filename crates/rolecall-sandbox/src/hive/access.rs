//! The access of roles, members and callers.

use std::collections::BTreeSet;

use super::super::digest;
use super::assignment::{AssignedTarget, Assignment, Scope};
use super::catalogue::{ALWAYS_GRANTED, Level, Permission, VIEWER_PERMISSIONS, role_permissions};
use super::key;
use super::world::{World, WorldMember, WorldProject, WorldRole, WorldToken};
use crate::engine::FieldError;

impl World {
    /// Returns the permissions of a role, in the order in which the API shows them. The permissions of built-in
    /// roles follow from their names.
    pub(super) fn permissions_of(&self, role: &WorldRole) -> Vec<&'static Permission> {
        let known = role_permissions(self.switches.release).into_iter();
        match role.name.as_str() {
            "Admin" if role.locked => known.collect(),
            "Viewer" if role.locked => known.filter(|it| VIEWER_PERMISSIONS.contains(&it.id.as_str())).collect(),
            _ => known.filter(|it| it.id == ALWAYS_GRANTED || role.permissions.contains(&it.id)).collect(),
        }
    }

    /// Whether the release knows each permission of each role.
    pub(super) fn knows_all_permissions(&self) -> bool {
        let known = role_permissions(self.switches.release);
        let mut held = self.roles.iter().flat_map(|role| &role.permissions);
        held.all(|held| known.iter().any(|permission| permission.id == *held))
    }

    /// Returns a member's access, each entry as `permission @ resource`. The resource is `organization`, a
    /// project's slug, `project/target`, `project/target/service:name` or `project/target/app:name`. Where all
    /// resources are assigned, there are also entries with `*`, for resources that don't exist yet.
    pub fn access(&self, email: &str) -> BTreeSet<String> {
        self.member(email).map(|member| self.access_of(member)).unwrap_or_default()
    }

    /// Returns the same as [`World::access`], also for members that share an address.
    pub fn access_of(&self, member: &WorldMember) -> BTreeSet<String> {
        let release = self.switches.release;
        let (held, resources) = if member.user_id == self.owner {
            (role_permissions(release), &Assignment::All)
        } else {
            let role = self.any_role(&member.role_id);
            (role.map(|role| self.permissions_of(role)).unwrap_or_default(), &member.resources)
        };
        let places = self.places(resources);
        let mut access = BTreeSet::new();
        for permission in held {
            let places = places.iter().filter(|(level, _)| *level == permission.level);
            access.extend(places.map(|(_, place)| format!("{} @ {place}", permission.id)));
        }
        access
    }

    /// Returns the resources at which permissions of each level apply.
    fn places(&self, resources: &Assignment) -> Vec<(Level, String)> {
        let mut places = vec![(Level::Organization, "organization".to_owned())];
        match resources {
            Scope::All => {
                for project in &self.projects {
                    project_places(project, &Scope::All, &mut places);
                }
                let levels = [Level::Project, Level::Target, Level::Service, Level::AppDeployment];
                places.extend(levels.map(|level| (level, "*".to_owned())));
            }
            Scope::Granular(assigned) => {
                for assigned in assigned {
                    let project = self.projects.iter().find(|project| project.id == assigned.id);
                    if let Some(project) = project {
                        project_places(project, &assigned.targets, &mut places);
                    }
                }
            }
        }
        places
    }
}

/// Adds the resources of an assigned project. Permissions of the project level apply even if only some of its
/// targets are assigned.
fn project_places(project: &WorldProject, targets: &Scope<AssignedTarget>, places: &mut Vec<(Level, String)>) {
    let WorldProject { slug, .. } = project;
    places.push((Level::Project, slug.clone()));
    match targets {
        Scope::All => {
            let all = project.targets.iter().map(|target| target.slug.as_str()).chain(["*"]);
            for target in all {
                let place = format!("{slug}/{target}");
                add_names(&Scope::All, Level::Service, &place, "service", places);
                add_names(&Scope::All, Level::AppDeployment, &place, "app", places);
                places.push((Level::Target, place));
            }
        }
        Scope::Granular(assigned) => {
            for assigned in assigned {
                let Some(target) = project.targets.iter().find(|target| target.id == assigned.id) else {
                    continue;
                };
                let place = format!("{slug}/{}", target.slug);
                add_names(&assigned.services, Level::Service, &place, "service", places);
                add_names(&assigned.app_deployments, Level::AppDeployment, &place, "app", places);
                places.push((Level::Target, place));
            }
        }
    }
}

fn add_names(scope: &Scope<String>, level: Level, place: &str, kind: &str, places: &mut Vec<(Level, String)>) {
    match scope {
        Scope::All => places.push((level, format!("{place}/{kind}:*"))),
        Scope::Granular(names) => {
            places.extend(names.iter().map(|name| (level, format!("{place}/{kind}:{name}"))));
        }
    }
}

/// The sender of a request, with the token's access at the time of the request.
pub struct Caller {
    pub token: Option<WorldToken>,
}

impl Caller {
    /// Finds the caller's token. Measured on Hive 8.1.2: the header has to begin with `Bearer ` in exactly this
    /// case.
    pub fn of(world: &World, credential: Option<&str>) -> Self {
        let bearer = credential.and_then(|header| header.strip_prefix("Bearer "));
        let token = bearer.and_then(key::decode).and_then(|(id, secret)| {
            world.tokens.iter().find(|token| token.id == id && token.digest == digest(&secret)).cloned()
        });
        Self { token }
    }

    pub fn has_permission(&self, permission: &str) -> bool {
        self.token.as_ref().is_some_and(|token| token.permissions.iter().any(|held| held == permission))
    }

    pub fn require(&self, permission: &str) -> Result<(), FieldError> {
        if self.has_permission(permission) { Ok(()) } else { Err(no_access(permission)) }
    }

    pub fn has_permission_on(&self, permission: &str, project: &str) -> bool {
        self.has_permission(permission)
            && self.token.as_ref().is_some_and(|token| token.resources.reaches(project))
    }
}

/// Returns the one error for a bad token, a missing permission and something that doesn't exist.
pub fn no_access(permission: &str) -> FieldError {
    let message = format!(r#"No access (reason: "Missing permission for performing '{permission}' on resource")"#);
    FieldError::coded("UNAUTHORISED", message)
}

/// Returns the platform's error for any internal failure.
pub fn unexpected() -> FieldError {
    FieldError::coded("INTERNAL_SERVER_ERROR", "Unexpected error.")
}
