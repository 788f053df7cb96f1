//! Resolves what the file names: slugs of projects and targets to their ids, and permissions against the
//! platform's catalogue.

use std::collections::{BTreeMap, BTreeSet};

use super::PlanInput;
use super::decision::{Decision, Lookup};
use rolecall_model::{
    Code, DesiredProject, DesiredResources, DesiredTarget, Finding, KnownPermission, Permission, Place, Project,
    ProjectReach, Projects, Reach, Resources, Slug, TargetReach, list_of, nearest, quote,
};

/// Resolves a resource assignment to ids. An unknown slug is an error, because the platform would silently drop it.
pub(super) fn resources(input: &PlanInput<'_>, desired: &DesiredResources) -> Lookup<Resources> {
    let Reach::Only(desired_projects) = desired else { return Lookup::found(Reach::All) };
    let none = Projects::default();
    let projects = input.live.projects.as_ref().unwrap_or(&none);
    let (mut resolved, mut decisions) = (Resources::none(), Vec::new());
    let mut complete = true;
    for (slug, desired) in desired_projects {
        let Some(project) = projects.by_slug.get(slug) else {
            decisions.push(Decision::Finding(unknown_project(slug, desired, projects)));
            complete = false;
            continue;
        };
        match targets(slug, project, desired).note(&mut decisions) {
            Some(targets) => resolved.add(slug.clone(), ProjectReach { id: project.id.clone(), targets }),
            None => complete = false,
        }
    }
    Lookup { value: complete.then_some(resolved), decisions }
}

fn unknown_project(slug: &Slug, desired: &DesiredProject, projects: &Projects) -> Finding {
    let known: Vec<&str> = projects.by_slug.keys().map(Slug::as_str).collect();
    let hint = match nearest(slug.as_str(), known.iter().copied()) {
        _ if projects.partial || known.is_empty() => {
            "The credential can't read every project. Give it `project:describe` on all of them, or check the slug."
                .to_owned()
        }
        Some(near) => format!("Did you mean `{near}`?"),
        None => format!("There are {}.", list_of(&known, "and")),
    };
    let message = format!("There is no project {} that the credential can read.", quote(slug.as_str()));
    Finding::error(Code::UnknownProject, desired.place.clone(), message).hint(hint)
}

fn targets(
    slug: &Slug,
    project: &Project,
    desired: &DesiredProject,
) -> Lookup<Reach<BTreeMap<Slug, TargetReach>>> {
    let Reach::Only(desired_targets) = &desired.targets else { return Lookup::found(Reach::All) };
    let (mut resolved, mut decisions) = (Reach::Only(BTreeMap::new()), Vec::new());
    let mut complete = true;
    for (name, DesiredTarget { place, services, app_deployments }) in desired_targets {
        let Some(id) = project.targets.get(name) else {
            let known: Vec<&str> = project.targets.keys().map(Slug::as_str).collect();
            let hint = match nearest(name.as_str(), known.iter().copied()) {
                Some(near) => format!("Did you mean `{near}`?"),
                None => format!("There are {}.", list_of(&known, "and")),
            };
            let message = format!("The project `{slug}` has no target {}.", quote(name.as_str()));
            decisions
                .push(Decision::Finding(Finding::error(Code::UnknownTarget, place.clone(), message).hint(hint)));
            complete = false;
            continue;
        };
        if project.single == Some(true) && *services != Reach::All {
            let message =
                format!("The project `{slug}` has a single schema, so there are no services to choose from.");
            decisions.push(Decision::Finding(
                Finding::error(Code::ServicesOfSingleProject, place.clone(), message)
                    .hint("Write `services: all`, which is what the platform stores there."),
            ));
            complete = false;
            continue;
        }
        let target =
            TargetReach { id: id.clone(), services: services.clone(), app_deployments: app_deployments.clone() };
        resolved.add(name.clone(), target);
    }
    Lookup { value: complete.then_some(resolved), decisions }
}

/// The kind of entity that holds permissions. Each has a catalogue of its own.
#[derive(Clone, Copy)]
pub(super) enum Holder {
    Role,
    Key,
}

/// Checks permissions against the catalogue and returns the exact set. An unknown one is an error, because the platform
/// would silently drop it.
pub(super) fn permissions(
    input: &PlanInput<'_>,
    holder: Holder,
    desired: &BTreeMap<Permission, Place>,
) -> Lookup<BTreeSet<Permission>> {
    let implied: &[&str] = match holder {
        Holder::Role => input.rules.capabilities().implied_permissions,
        Holder::Key => &[],
    };
    let permissions: BTreeSet<Permission> =
        desired.keys().filter(|permission| !implied.contains(&permission.as_str())).cloned().collect();
    let Some(catalogue) = &input.live.catalogue else { return Lookup::found(permissions) };
    let known = match holder {
        Holder::Role => &catalogue.roles,
        Holder::Key => &catalogue.keys,
    };
    let (mut complete, mut decisions) = (true, Vec::new());
    for permission in &permissions {
        let Some(place) = desired.get(permission) else { continue };
        let Some(needs) = known.get(permission) else {
            decisions.push(Decision::Finding(unknown_permission(permission, place, holder, known)));
            complete = false;
            continue;
        };
        if let Some(needed) = &needs.needs
            && !permissions.contains(needed)
            && !implied.contains(&needed.as_str())
        {
            let message = format!("`{permission}` has no effect without `{needed}`.");
            decisions.push(Decision::Finding(
                Finding::warning(Code::PermissionNeedsAnother, place.clone(), message)
                    .hint(format!("Add `{needed}`.")),
            ));
        }
    }
    Lookup { value: complete.then_some(permissions), decisions }
}

fn unknown_permission(
    permission: &Permission,
    place: &Place,
    holder: Holder,
    known: &BTreeMap<Permission, KnownPermission>,
) -> Finding {
    let holders = match holder {
        Holder::Role => "roles",
        Holder::Key => "keys",
    };
    let near = nearest(permission.as_str(), known.keys().map(Permission::as_str));
    let hint = near.map_or_else(
        || format!("There are {}.", list_of(&known.keys().map(Permission::as_str).collect::<Vec<_>>(), "and")),
        |near| format!("Did you mean `{near}`?"),
    );
    let message = format!("There is no permission {} for {holders} on this platform.", quote(permission.as_str()));
    Finding::error(Code::UnknownPermission, place.clone(), message).hint(hint)
}
