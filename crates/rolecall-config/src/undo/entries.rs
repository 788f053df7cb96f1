//! The entries of the organisation itself, its teams and its roles in an undo file.

use super::irreversible;
use super::yaml::{Flow, Yaml};
use super::{UndoBuilder, UndoInput};
use rolecall_model::{Action, Address, Cause, Change, Entity, Organization, Reach, Resources, Role, Team};

/// Returns `absent: true`, which undoes the creation of an entity.
pub(super) fn absent() -> (&'static str, Yaml) {
    ("absent", Yaml::Bool(true))
}

/// Returns a field, unless its value is empty.
pub(super) fn field(name: &'static str, value: Option<&String>) -> Option<(&'static str, Yaml)> {
    value.filter(|value| !value.is_empty()).map(|value| (name, Yaml::text(value)))
}

/// Returns the tree of resources, by slugs. An empty list is left out, because an absent list selects nothing.
pub(super) fn resources(resources: &Resources) -> Yaml {
    let all = || Yaml::text("all");
    let names = |reach: &Reach<_>| match reach {
        Reach::All => all(),
        Reach::Only(names) => Yaml::names::<&String>(names),
    };
    let Reach::Only(projects) = resources else { return all() };
    let tree = projects.iter().map(|(slug, project)| {
        let Reach::Only(targets) = &project.targets else { return (slug.to_string(), all()) };
        let targets = targets.iter().map(|(slug, target)| {
            let value = if (&target.services, &target.app_deployments) == (&Reach::All, &Reach::All) {
                all()
            } else {
                let lists = [("services", &target.services), ("app_deployments", &target.app_deployments)];
                let some = lists.into_iter().filter(|(_, list)| !matches!(list, Reach::Only(of) if of.is_empty()));
                Yaml::flow(some.map(|(name, list)| (name.to_owned(), names(list))))
            };
            (slug.to_string(), value)
        });
        (slug.to_string(), tree_of(targets.collect()))
    });
    tree_of(tree.collect())
}

/// Returns a mapping with one entry on each line, or `{}`.
fn tree_of(entries: Vec<(String, Yaml)>) -> Yaml {
    if entries.is_empty() { Yaml::Flow(Flow::Map(entries)) } else { Yaml::Map(entries) }
}

pub(super) fn plan_entries(input: &UndoInput<'_>, builder: &mut UndoBuilder) {
    for change in &input.plan.sealed.changes {
        match change.entity() {
            Some(Entity::Organization(_)) => undo_organization(input, change, builder),
            Some(Entity::Team(team)) => undo_team(input, change, team, builder),
            Some(Entity::Role(role)) => undo_role(input, change, role, builder),
            Some(Entity::User(_) | Entity::Key(_)) | None => {}
        }
    }
}

fn undo_organization(input: &UndoInput<'_>, change: &Change, builder: &mut UndoBuilder) {
    irreversible::of_effects(change, builder);
    let Some(before) = change.before.as_ref().and_then(Entity::organization) else {
        builder.note(
            &change.address,
            "The undo file deletes it with everything in it. `apply` asks for a confirmation first.",
        );
        builder.write(change.address.clone(), vec![absent()]);
        return;
    };
    let Organization { id: _, slug: _, name, email, seats, description, thumbnail, invites: _ } = before;
    let mut value = vec![("name", Yaml::text(name))];
    value.extend(field("email", email.as_ref()));
    value.extend(seats.map(|seats| ("seats", Yaml::Number(seats.into()))));
    value.extend(field("description", description.as_ref()));
    value.extend(field("thumbnail", thumbnail.as_ref()));
    if change.action == Action::Delete {
        builder.note(
            &change.address,
            "It is deleted with everything in it. The undo file creates a new one, which is empty and has another id.",
        );
        value.push(("create", Yaml::Bool(true)));
    } else if let Some(after) = change.after.as_ref().and_then(Entity::organization) {
        let emptied =
            [("description", description, &after.description), ("thumbnail", thumbnail, &after.thumbnail)];
        irreversible::of_emptied(&change.address, emptied, builder);
        if before.name != after.name && input.live.organization_id.as_ref() != Some(&input.live.organization) {
            builder.note(
                &change.address,
                "Its slug may have changed with its name. If so, write the new slug as `organization`.",
            );
        }
    }
    builder.write(change.address.clone(), value);
}

fn undo_team(input: &UndoInput<'_>, change: &Change, team: &Team, builder: &mut UndoBuilder) {
    irreversible::of_effects(change, builder);
    let name = ("name", Yaml::text(&team.name));
    let Some(before) = change.before.as_ref().and_then(Entity::team) else {
        builder.write(change.address.clone(), vec![name, absent()]);
        return;
    };
    let mut value = vec![name];
    value.extend(field("description", before.description.as_ref()));
    value.extend(field("thumbnail", before.thumbnail.as_ref()));
    if let Some(after) = change.after.as_ref().and_then(Entity::team) {
        let emptied = [
            ("description", &before.description, &after.description),
            ("thumbnail", &before.thumbnail, &after.thumbnail),
        ];
        irreversible::of_emptied(&change.address, emptied, builder);
    } else {
        builder.note(
            &change.address,
            "It is deleted. The undo file creates a new one with the same name and another id.",
        );
        for open in input.live.open_invitations() {
            if open.teams.as_ref().is_some_and(|teams| teams.contains(&team.name)) {
                let why = format!(
                    "Their invitation was also for the team {}. The undo file doesn't add that team again.",
                    team.name
                );
                builder.note(&Address::user(&open.email), why);
            }
        }
    }
    builder.write(change.address.clone(), value);
}

fn undo_role(input: &UndoInput<'_>, change: &Change, role: &Role, builder: &mut UndoBuilder) {
    irreversible::of_effects(change, builder);
    let name = ("name", Yaml::text(&role.name));
    let Some(before) = change.before.as_ref().and_then(Entity::role) else {
        let is_containment_role = change.cause == Cause::NeededByAnother
            || input.desired.containment_role.as_deref() == Some(&role.name);
        if is_containment_role {
            builder.note(
                &change.address,
                "It isn't deleted. It allows nothing, and users who must be removed have it.",
            );
        } else {
            builder.write(change.address.clone(), vec![name, absent()]);
        }
        return;
    };
    if change.after.is_none() {
        builder.note(
            &change.address,
            "It is deleted. The undo file creates a new one with the same name and another id.",
        );
    }
    let mut value = vec![name];
    value.extend(field("description", Some(&before.description)));
    value.push(("permissions", Yaml::names(&before.permissions)));
    builder.write(change.address.clone(), value);
}
