//! What an access allows: of a role, of a member, of whoever calls.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_graphql::{Context, Error, ErrorExtensions, Result};

use super::super::digest;
use super::assignment::{AssignedTarget, Assignment, Scope};
use super::catalogue::{ALWAYS, Level, Permission, VIEWER, for_roles};
use super::key;
use super::world::{World, WorldMember, WorldProject, WorldRole, WorldToken};

impl World {
    /// What a role holds, in the order in which it shows it. The built-in roles are known by their names.
    pub(super) fn held(&self, role: &WorldRole) -> Vec<&'static Permission> {
        let known = for_roles(self.switches.release).into_iter();
        match role.name.as_str() {
            "Admin" if role.locked => known.collect(),
            "Viewer" if role.locked => known.filter(|it| VIEWER.contains(&it.id)).collect(),
            _ => known.filter(|it| it.id == ALWAYS || role.permissions.iter().any(|id| id == it.id)).collect(),
        }
    }

    /// What a member may do, each as `permission @ resource`: the organisation is `organization`, a project its
    /// slug, a target `project/target`, a service or app deployment `project/target/service:name` or
    /// `project/target/app:name`. What is assigned whole has `*` besides, for what will be there tomorrow.
    pub fn access(&self, email: &str) -> BTreeSet<String> {
        self.member(email).map(|member| self.access_of(member)).unwrap_or_default()
    }

    /// As `access`, where an address isn't enough to tell members apart.
    pub fn access_of(&self, member: &WorldMember) -> BTreeSet<String> {
        let release = self.switches.release;
        let (held, resources) = if member.user_id == self.owner {
            (for_roles(release), &Assignment::All)
        } else {
            let role = self.role_by_id(&member.role_id);
            (role.map(|role| self.held(role)).unwrap_or_default(), &member.resources)
        };
        let places = self.places(resources);
        let mut access = BTreeSet::new();
        for permission in held {
            let places = places.iter().filter(|(level, _)| *level == permission.level);
            access.extend(places.map(|(_, place)| format!("{} @ {place}", permission.id)));
        }
        access
    }

    /// The places at which permissions of each level take effect.
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

/// Permissions on projects apply to each that is listed, however few of its targets are.
fn project_places(project: &WorldProject, targets: &Scope<AssignedTarget>, places: &mut Vec<(Level, String)>) {
    let WorldProject { slug, .. } = project;
    places.push((Level::Project, slug.clone()));
    match targets {
        Scope::All => {
            let all = project.targets.iter().map(|target| target.slug.as_str()).chain(["*"]);
            for target in all {
                let place = format!("{slug}/{target}");
                named(&Scope::All, Level::Service, &place, "service", places);
                named(&Scope::All, Level::AppDeployment, &place, "app", places);
                places.push((Level::Target, place));
            }
        }
        Scope::Granular(assigned) => {
            for assigned in assigned {
                let Some(target) = project.targets.iter().find(|target| target.id == assigned.id) else {
                    continue;
                };
                let place = format!("{slug}/{}", target.slug);
                named(&assigned.services, Level::Service, &place, "service", places);
                named(&assigned.app_deployments, Level::AppDeployment, &place, "app", places);
                places.push((Level::Target, place));
            }
        }
    }
}

fn named(scope: &Scope<String>, level: Level, place: &str, kind: &str, places: &mut Vec<(Level, String)>) {
    match scope {
        Scope::All => places.push((level, format!("{place}/{kind}:*"))),
        Scope::Granular(names) => {
            places.extend(names.iter().map(|name| (level, format!("{place}/{kind}:{name}"))));
        }
    }
}

/// Whoever sent a request, with what they could do when it came.
pub struct Caller {
    /// Something was shown in the way that the platform reads.
    pub presented: bool,
    pub token: Option<WorldToken>,
    /// A mutation threw: those after it don't run.
    stopped: AtomicBool,
}

impl Caller {
    /// Measured on Hive 8.1.2: only `Bearer ` in exactly this case counts as showing something.
    pub fn of(world: &World, credential: Option<&str>) -> Self {
        let shown = credential.and_then(|header| header.strip_prefix("Bearer "));
        let token = shown.and_then(key::decode).and_then(|(id, secret)| {
            world.tokens.iter().find(|token| token.id == id && token.digest == digest(&secret)).cloned()
        });
        Self { presented: shown.is_some(), token, stopped: AtomicBool::new(false) }
    }

    pub fn may(&self, permission: &str) -> bool {
        self.token.as_ref().is_some_and(|token| token.permissions.iter().any(|held| held == permission))
    }

    pub fn require(&self, permission: &str) -> Result<()> {
        if self.may(permission) { Ok(()) } else { Err(no_access(permission)) }
    }

    pub fn may_on(&self, permission: &str, project: &str) -> bool {
        self.may(permission) && self.token.as_ref().is_some_and(|token| token.resources.reaches(project))
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

pub fn caller<'a>(context: &'a Context<'_>) -> Result<&'a Caller> {
    context.data::<Arc<Caller>>().map(AsRef::as_ref)
}

pub fn coded(message: &str, code: &'static str) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("code", code))
}

/// What a bad token, a missing permission and a thing that doesn't exist have in common.
pub fn no_access(permission: &str) -> Error {
    let message = format!(r#"No access (reason: "Missing permission for performing '{permission}' on resource")"#);
    coded(&message, "UNAUTHORISED")
}

/// What the platform says of anything that it didn't expect.
pub fn unexpected() -> Error {
    coded("Unexpected error.", "INTERNAL_SERVER_ERROR")
}
