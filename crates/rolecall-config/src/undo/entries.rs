//! The entries of the organisation itself, its teams and its roles in an undo file.

use super::super::write::{self, Fields, Yaml, absent};
use super::irreversible;
use super::{UndoBuilder, UndoInput};
use rolecall_model::{Action, Address, Cause, Change, Entity, Organization, Role, Team};

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
    let mut value = write::organization(before);
    let Organization { description, thumbnail, .. } = before;
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
    builder.write(change.address.clone(), with_present_name(write::team(before), change));
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
    builder.write(change.address.clone(), with_present_name(write::role(before), change));
}

/// Adds the name that the plan gives to a role or a team, so that the undo file gives the earlier one back.
fn with_present_name(mut fields: Fields, change: &Change) -> Fields {
    if change.renamed_from().is_some() {
        fields.insert(1, ("previously", Yaml::names([&change.address.name])));
    }
    fields
}
