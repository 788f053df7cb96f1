//! What a grant lets its holder do, and where.

use std::collections::BTreeSet;

use super::{Access, Extent, Grant, PermissionInfo, Through};
use rolecall_model::{Ability, EVERYTHING, Level, May, Part, Reach, Resources, TargetReach};

/// Returns the parts of the organisation in which a grant gives its permissions of a level. `None` if they can't be read.
pub(super) fn parts(grant: &Grant, level: Option<Level>) -> Option<BTreeSet<Part>> {
    if let Some(team) = &grant.team {
        return Some(BTreeSet::from([Part::team(team)]));
    }
    match (&grant.on, level) {
        (Extent::Whole, _) | (_, Some(Level::Organization)) => Some(BTreeSet::from([Part::organization()])),
        (Extent::Unreadable, _) => None,
        (Extent::Resources(resources), Some(level)) => Some(of_level(resources, level)),
        // A permission of an unknown level counts for everything that it could be about.
        (Extent::Resources(resources), None) => {
            let levels = [Level::Project, Level::Target, Level::Service, Level::AppDeployment];
            let parts = levels.iter().flat_map(|level| of_level(resources, *level));
            Some(parts.chain([Part::organization()]).collect())
        }
    }
}

fn of_level(resources: &Resources, level: Level) -> BTreeSet<Part> {
    let Reach::Only(projects) = resources else { return BTreeSet::from([Part::of([EVERYTHING])]) };
    let mut parts = BTreeSet::new();
    for (project, reach) in projects {
        let project = project.as_str();
        // A permission about projects applies even if only some targets of the project are selected.
        if level == Level::Project {
            parts.insert(Part::of([project]));
            continue;
        }
        let Reach::Only(targets) = &reach.targets else {
            parts.insert(Part::of([project, EVERYTHING]));
            continue;
        };
        for (target, TargetReach { id: _, services, app_deployments }) in targets {
            let target = target.as_str();
            let (kind, names) = match level {
                Level::Service => ("services", services),
                Level::AppDeployment => ("apps", app_deployments),
                Level::Organization | Level::Project | Level::Target => {
                    parts.insert(Part::of([project, target]));
                    continue;
                }
            };
            match names {
                Reach::All => {
                    parts.insert(Part::of([project, target, kind, EVERYTHING]));
                }
                Reach::Only(names) => {
                    parts.extend(names.iter().map(|name| Part::of([project, target, kind, name])));
                }
            }
        }
    }
    parts
}

/// Returns what a grant lets its holder do. Where it can't be read which permissions or which parts that are, it is the
/// role. What the role allows in the organisation itself is known even then.
pub(super) fn of(access: &Access, grant: &Grant) -> Vec<Ability> {
    let mut abilities = Vec::new();
    if grant.permissions.is_none() || grant.on == Extent::Unreadable {
        let at = grant.team.as_ref().map_or_else(Part::organization, Part::team);
        let may = match (&grant.role, grant.through) {
            (Some(role), _) => May::Role(role.clone()),
            (None, Through::Administration) => May::Administrate,
            (None, Through::Assigned | Through::Ownership | Through::Invitation) => May::Belong,
        };
        abilities.push(Ability { may, at, privileged: grant.privileged });
    }
    for permission in grant.permissions.iter().flatten() {
        let info = access.permissions.get(permission).copied();
        let PermissionInfo { level, privileged } =
            info.unwrap_or(PermissionInfo { level: None, privileged: false });
        for at in parts(grant, level).into_iter().flatten() {
            abilities.push(Ability { may: May::Permission(permission.clone()), at, privileged });
        }
    }
    abilities
}
