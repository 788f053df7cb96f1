//! Projects and targets.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::access::{Caller, no_access};
use super::super::inputs::{OrganizationReference, ProjectReference, TargetReference};
use super::super::world::{ProjectKind, World, WorldProject, WorldTarget};
use super::{CallScope, NO_DETAILS, done, refused};
use crate::engine::FieldError;

/// Returns the project, if the caller has this permission on it.
pub fn find<'a>(
    world: &'a World,
    caller: &Caller,
    reference: &ProjectReference,
    permission: &str,
) -> Result<&'a WorldProject, FieldError> {
    let is_meant = |project: &&WorldProject| match reference {
        ProjectReference::ById(id) => project.id == *id,
        ProjectReference::BySelector { organization_slug, project_slug } => {
            *organization_slug == world.organization.slug && *project_slug == project.slug
        }
    };
    let found = world.projects.iter().find(is_meant);
    let allowed = found.filter(|project| caller.has_permission_on(permission, &project.id));
    allowed.ok_or_else(|| no_access(permission))
}

/// Returns the target with its project, if the caller has this permission on the project.
pub fn find_target<'a>(
    world: &'a World,
    caller: &Caller,
    reference: &TargetReference,
    permission: &str,
) -> Result<(&'a WorldProject, &'a WorldTarget), FieldError> {
    let targets = world.projects.iter().flat_map(|project| project.targets.iter().map(move |it| (project, it)));
    let mut meant = targets.filter(|(project, target)| match reference {
        TargetReference::ById(id) => target.id == *id,
        TargetReference::BySelector { organization_slug, project_slug, target_slug } => {
            *organization_slug == world.organization.slug
                && *project_slug == project.slug
                && *target_slug == target.slug
        }
    });
    let allowed = meant.next().filter(|(project, _)| caller.has_permission_on(permission, &project.id));
    allowed.ok_or_else(|| no_access(permission))
}

/// Returns the reason why a slug can't be taken. The platform's own words aren't known.
fn slug_refusal<'a>(slug: &str, mut taken: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    if taken.any(|other| other == slug) {
        return Some("Slug is already taken");
    }
    matches!(slug, "view" | "new").then_some("Slug is reserved")
}

/// Checks the form of a slug.
fn malformed(slug: &str) -> Option<&'static str> {
    let allowed = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    (slug.is_empty() || slug.len() > 50 || !slug.chars().all(allowed))
        .then_some("Slug can only contain letters, numbers and dashes")
}

#[derive(Deserialize)]
pub struct CreateProject {
    organization: OrganizationReference,
    slug: String,
    #[serde(rename = "type")]
    kind: ProjectKind,
}

/// Creates a project with the three targets that every new project has.
pub fn create(CallScope { world, caller, .. }: CallScope<'_>, input: CreateProject) -> Result<Value, FieldError> {
    let CreateProject { organization, slug, kind } = input;
    let refusal = |message, slug| Ok(refused(message, ("inputErrors", json!({ "slug": slug }))));
    if let Some(wrong) = malformed(&slug) {
        return refusal("Please check your input.", Some(wrong));
    }
    organization.find(world, "project:create")?;
    caller.require("project:create")?;
    if let Some(why) = slug_refusal(&slug, world.projects.iter().map(|project| project.slug.as_str())) {
        return refusal(why, None);
    }
    let id = world.next_id();
    let targets = ["production", "staging", "development"].map(str::to_owned);
    let targets = targets.into_iter().map(|slug| WorldTarget { id: world.next_id(), slug }).collect();
    let project = WorldProject { id, slug, kind, targets };
    let shown = project.shown();
    world.projects.push(project);
    Ok(done(&json!({ "createdProject": shown })))
}

#[derive(Deserialize)]
pub struct RenameProject {
    project: ProjectReference,
    slug: String,
}

pub fn rename(CallScope { world, caller, .. }: CallScope<'_>, input: RenameProject) -> Result<Value, FieldError> {
    let RenameProject { project, slug } = input;
    if let Some(wrong) = malformed(&slug) {
        return Ok(refused(wrong, NO_DETAILS));
    }
    let id = find(world, caller, &project, "project:modifySettings")?.id.clone();
    let mut others = world.projects.iter().filter(|project| project.id != id).map(|project| project.slug.as_str());
    if let Some(why) = slug_refusal(&slug, &mut others) {
        return Ok(refused(why, NO_DETAILS));
    }
    drop(others);
    let mut shown = Value::Null;
    for project in world.projects.iter_mut().filter(|project| project.id == id) {
        project.slug.clone_from(&slug);
        shown = project.shown();
    }
    Ok(done(&json!({ "updatedProject": shown })))
}

#[derive(Deserialize)]
pub struct DeleteProject {
    project: ProjectReference,
}

/// Deletes a project. It stays in stored assignments, which no longer show it.
pub fn delete(CallScope { world, caller, .. }: CallScope<'_>, input: DeleteProject) -> Result<Value, FieldError> {
    let DeleteProject { project } = input;
    let id = find(world, caller, &project, "project:delete")?.id.clone();
    world.projects.retain(|project| project.id != id);
    Ok(done(&json!({ "deletedProjectId": id })))
}

#[derive(Deserialize)]
pub struct CreateTarget {
    project: ProjectReference,
    slug: String,
}

pub fn create_target(
    CallScope { world, caller, .. }: CallScope<'_>,
    input: CreateTarget,
) -> Result<Value, FieldError> {
    let CreateTarget { project, slug } = input;
    if let Some(wrong) = malformed(&slug) {
        return Ok(refused(wrong, NO_DETAILS));
    }
    let project = find(world, caller, &project, "target:create")?;
    if let Some(why) = slug_refusal(&slug, project.targets.iter().map(|target| target.slug.as_str())) {
        return Ok(refused(why, NO_DETAILS));
    }
    let id = project.id.clone();
    let target = WorldTarget { id: world.next_id(), slug };
    let shown = target.shown();
    for project in world.projects.iter_mut().filter(|project| project.id == id) {
        project.targets.push(target.clone());
    }
    Ok(done(&json!({ "createdTarget": shown })))
}

#[derive(Deserialize)]
pub struct DeleteTarget {
    target: TargetReference,
}

pub fn delete_target(
    CallScope { world, caller, .. }: CallScope<'_>,
    input: DeleteTarget,
) -> Result<Value, FieldError> {
    let DeleteTarget { target } = input;
    let id = find_target(world, caller, &target, "target:delete")?.1.id.clone();
    for project in &mut world.projects {
        project.targets.retain(|target| target.id != id);
    }
    Ok(done(&json!({ "deletedTargetId": id })))
}
