//! The organisation itself, its teams and its roles, as they were.

use super::irreversible;
use super::yaml::{Flow, Yaml};
use super::{UndoBuilder, UndoInput};
use rolecall_model::{Action, Address, Cause, Change, Entity, Organization, Reach, Resources, Role, Team};

/// It must not exist: that undoes its making.
pub(super) fn absent() -> (&'static str, Yaml) {
    ("absent", Yaml::Bool(true))
}

/// A field, where there is a value for it.
pub(super) fn field(name: &'static str, value: Option<&String>) -> Option<(&'static str, Yaml)> {
    value.filter(|value| !value.is_empty()).map(|value| (name, Yaml::text(value)))
}

/// An assignment by its slugs. Inside of a tree an absent list means none.
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

/// On lines of its own, unless there is nothing in it.
fn tree_of(entries: Vec<(String, Yaml)>) -> Yaml {
    if entries.is_empty() { Yaml::Flow(Flow::Map(entries)) } else { Yaml::Map(entries) }
}

pub(super) fn plan_entries(input: &UndoInput<'_>, builder: &mut UndoBuilder) {
    for change in &input.plan.sealed.changes {
        match change.entity() {
            Some(Entity::Organization(_)) => itself(input, change, builder),
            Some(Entity::Team(team)) => one_team(input, change, team, builder),
            Some(Entity::Role(role)) => one_role(input, change, role, builder),
            Some(Entity::User(_) | Entity::Key(_)) | None => {}
        }
    }
}

fn itself(input: &UndoInput<'_>, change: &Change, builder: &mut UndoBuilder) {
    irreversible::of_effects(change, builder);
    let Some(before) = change.before.as_ref().and_then(Entity::organization) else {
        builder.note(&change.address, "what is made with it goes with it, once its deletion is confirmed");
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
            "it is deleted, with all that is in it; the way back makes another, which is empty and has another id",
        );
        value.push(("create", Yaml::Bool(true)));
    } else if let Some(after) = change.after.as_ref().and_then(Entity::organization) {
        let emptied =
            [("description", description, &after.description), ("thumbnail", thumbnail, &after.thumbnail)];
        irreversible::of_emptied(&change.address, emptied, builder);
        if before.name != after.name && input.live.organization_id.as_ref() != Some(&input.live.organization) {
            builder.note(
                &change.address,
                "its slug may have changed with its name; if so, write the new one as `organization`",
            );
        }
    }
    builder.write(change.address.clone(), value);
}

fn one_team(input: &UndoInput<'_>, change: &Change, team: &Team, builder: &mut UndoBuilder) {
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
        builder.note(&change.address, "it is deleted; the way back makes another of its name, with another id");
        for open in input.live.open_invitations() {
            if open.teams.as_ref().is_some_and(|teams| teams.contains(&team.name)) {
                let why =
                    format!("their invitation was into the team {} too, and isn't made anew for it", team.name);
                builder.note(&Address::user(&open.email), why);
            }
        }
    }
    builder.write(change.address.clone(), value);
}

fn one_role(input: &UndoInput<'_>, change: &Change, role: &Role, builder: &mut UndoBuilder) {
    irreversible::of_effects(change, builder);
    let name = ("name", Yaml::text(&role.name));
    let Some(before) = change.before.as_ref().and_then(Entity::role) else {
        let holds_whoever_must_go =
            change.cause == Cause::Needed || input.desired.containment_role.as_deref() == Some(&role.name);
        if holds_whoever_must_go {
            builder.note(&change.address, "it stays: it allows nothing, and holds whoever must go");
        } else {
            builder.write(change.address.clone(), vec![name, absent()]);
        }
        return;
    };
    if change.after.is_none() {
        builder.note(&change.address, "it is deleted; the way back makes another of its name, with another id");
    }
    let mut value = vec![name];
    value.extend(field("description", Some(&before.description)));
    value.push(("permissions", Yaml::names(&before.permissions)));
    builder.write(change.address.clone(), value);
}
