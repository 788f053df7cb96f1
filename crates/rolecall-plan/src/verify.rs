//! Does live show that a change took?

use rolecall_model::{
    Action, Change, Entity, Key, Listing, Live, LiveInvitation, LiveKey, LiveRole, LiveTeam, LiveUser,
    Memberships, Mutation, Organization, RemoteId, Role, Rules, Seen, Team, User,
};

/// What a read says of a change that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    InEffect,
    NotInEffect,
    /// The API shows nothing that would tell.
    CannotTell,
}

impl From<bool> for Observation {
    fn from(shown: bool) -> Self {
        if shown { Self::InEffect } else { Self::NotInEffect }
    }
}

/// Compares what can be seen of a whole change. `id` is what the platform answered for an entity that was made.
pub fn in_effect(change: &Change, id: Option<&RemoteId>, live: &Live) -> Observation {
    match (&change.after, &change.before) {
        (Some(Entity::Organization(after)), _) => organization(after, live).into(),
        (Some(Entity::Team(after)), _) => {
            live.team(&after.name).is_some_and(|team| matches_team(team, after)).into()
        }
        (Some(Entity::Role(after)), _) => {
            live.role(&after.name).is_some_and(|role| matches_role(role, after)).into()
        }
        (Some(Entity::User(after)), before) if after.invited => {
            invited(after, before.as_ref().and_then(Entity::user), live)
        }
        (Some(Entity::User(after)), before) => user(after, before.as_ref().and_then(Entity::user), live),
        (Some(Entity::Key(after)), _) => key(change.action, after, id, live),
        (None, Some(Entity::Organization(_))) => live.organization_entity.is_none().into(),
        (None, Some(Entity::Team(before))) => {
            is_absent(live.teams.as_ref(), |team| Some(&team.id) == before.id.as_ref())
        }
        (None, Some(Entity::Role(before))) => is_absent(live.roles.as_ref(), |role| role.name == before.name),
        (None, Some(Entity::User(before))) if !before.invited => {
            let there =
                live.users.items.iter().chain(&live.non_members).any(|user| Some(&user.id) == before.id.as_ref());
            if there { Observation::NotInEffect } else { is_absent(Some(&live.users), |_| false) }
        }
        // Spelling tells invitations apart.
        (None, Some(Entity::User(before))) => {
            is_absent(live.invitations.as_ref(), |other| other.email.as_str() == before.email.as_str())
        }
        (None, Some(Entity::Key(before))) => {
            is_absent(live.keys.as_ref(), |key| Some(&key.id) == before.id.as_ref())
        }
        (None, None) => Observation::CannotTell,
    }
}

/// Is nothing of that kind listed any more? A list that isn't whole can't say so.
fn is_absent<T>(list: Option<&Listing<T>>, is_it: impl Fn(&T) -> bool) -> Observation {
    match list {
        Some(list) if list.items.iter().any(is_it) => Observation::NotInEffect,
        Some(list) if !list.completeness.is_broken() => Observation::InEffect,
        Some(_) | None => Observation::CannotTell,
    }
}

/// How the entity of a change stands.
pub fn current_entity(change: &Change, id: Option<&RemoteId>, live: &Live) -> Option<Entity> {
    match change.entity()? {
        Entity::Organization(_) => live.organization_entity.clone().map(Entity::Organization),
        Entity::Team(team) => live.team(&team.name).map(LiveTeam::entity),
        Entity::Role(role) => live.role(&role.name).map(LiveRole::entity),
        Entity::User(user) => {
            let found = live.users.items.iter().find(|other| Some(&other.id) == user.id.as_ref())?;
            Some(Entity::User(found.entity()))
        }
        Entity::Key(key) => {
            let found = live.keys().iter().find(|other| Some(&other.id) == key.id.as_ref().or(id))?;
            Some(Entity::Key(found.entity()))
        }
    }
}

/// The same for one mutation. A first step leaves more than the desired, or closes nothing itself.
pub fn mutation_in_effect(
    mutation: &Mutation,
    change: &Change,
    id: Option<&RemoteId>,
    live: &Live,
    rules: &dyn Rules,
) -> Observation {
    if let Some(shown) = rules.shows(mutation, change, live) {
        return shown.into();
    }
    match (&change.after, mutation.first_step) {
        (_, false) => in_effect(change, id, live),
        (Some(Entity::Role(after)), true) => {
            let gained = |role: &LiveRole| after.permissions.is_subset(&role.permissions);
            live.role(&after.name).is_some_and(gained).into()
        }
        (Some(Entity::Organization(_) | Entity::Team(_) | Entity::User(_) | Entity::Key(_)) | None, true) => {
            Observation::CannotTell
        }
    }
}

/// What isn't said is what the platform derives.
fn organization(wanted: &Organization, live: &Live) -> bool {
    let Organization { id: _, slug: _, name, email, seats, description, thumbnail, invites: _ } = wanted;
    let matches_if_set = |wanted: &Option<String>, live: &Option<String>| wanted.is_none() || wanted == live;
    live.organization_entity.as_ref().is_some_and(|live| {
        live.name == *name
            && matches_if_set(email, &live.email)
            // What isn't shown speaks neither for it nor against it.
            && (seats.is_none() || live.seats.is_none() || *seats == live.seats)
            && matches_if_set(description, &live.description)
            && matches_if_set(thumbnail, &live.thumbnail)
    })
}

fn matches_team(live: &LiveTeam, wanted: &Team) -> bool {
    let Team { id: _, name, description, thumbnail } = wanted;
    let matches_if_set = |wanted: &Option<String>, live: &Option<String>| wanted.is_none() || wanted == live;
    live.name == *name
        && matches_if_set(description, &live.description)
        && matches_if_set(thumbnail, &live.thumbnail)
}

fn matches_role(live: &LiveRole, wanted: &Role) -> bool {
    let Role { id: _, name, description, permissions } = wanted;
    live.name == *name && live.description == *description && live.permissions == *permissions
}

/// One that takes the place of another has been made after it.
fn invited(after: &User, before: Option<&User>, live: &Live) -> Observation {
    let member = live.users.items.iter().any(|user| user.email == after.email);
    match &live.invitations {
        _ if member => Observation::InEffect,
        // The list may hide who has not accepted yet.
        None => Observation::CannotTell,
        Some(list) if list.completeness.is_broken() => Observation::CannotTell,
        Some(_) => {
            let fits = |role| after.roles.is_empty() || after.roles.contains(role);
            let earlier = before.and_then(|before| before.invited_at);
            let made = |open: &&LiveInvitation| {
                open.email == after.email && (open.created.is_none() || open.created != earlier)
            };
            let lets_into = |open: &LiveInvitation| match (&open.teams, &after.teams) {
                (Some(teams), Some(wanted)) => teams.iter().eq(wanted.keys()),
                (None, _) | (_, None) => true,
            };
            live.open_invitations().filter(made).any(|open| fits(&open.role) && lets_into(open)).into()
        }
    }
}

fn user(after: &User, before: Option<&User>, live: &Live) -> Observation {
    let found = live.users.items.iter().find(|user| match &after.id {
        Some(id) => user.id == *id,
        None => user.email == after.email,
    });
    if after.outside {
        let outside = live.non_members.iter().find(|user| Some(&user.id) == after.id.as_ref());
        return match (found, outside) {
            (Some(_), _) => Observation::NotInEffect,
            (None, Some(user)) => (user.enabled == after.enabled).into(),
            (None, None) => is_absent(Some(&live.users), |_| false),
        };
    }
    let Some(user) = found else {
        return match after.enabled {
            // Whoever isn't there has no access, however the platform lists those who are disabled.
            Seen::Known(false) if live.users.completeness.is_broken() => Observation::CannotTell,
            Seen::Known(false) => Observation::InEffect,
            Seen::Known(true) | Seen::Unreadable => Observation::NotInEffect,
        };
    };
    if user.roles != after.roles || user.resources != after.resources || !has_teams(user, after.teams.as_ref()) {
        return Observation::NotInEffect;
    }
    let moved = before.is_some_and(|before| {
        before.roles != after.roles || before.resources != after.resources || before.teams != after.teams
    });
    if !moved && before.is_some_and(|before| before.enabled == after.enabled) {
        // It was so before, which proves nothing.
        return Observation::CannotTell;
    }
    match (user.enabled, after.enabled) {
        (Seen::Known(live), Seen::Known(wanted)) if live != wanted => Observation::NotInEffect,
        (Seen::Known(_), _) => Observation::InEffect,
        (Seen::Unreadable, _) if moved => Observation::InEffect,
        (Seen::Unreadable, _) => Observation::CannotTell,
    }
}

/// Just these teams, with the roles that are told.
fn has_teams(user: &LiveUser, wanted: Option<&Memberships>) -> bool {
    let (Some(wanted), Some(teams)) = (wanted, &user.teams) else { return wanted.is_none() };
    let fits = |((team, role), (wanted, wanted_role)): ((_, &Option<_>), (_, &Option<_>))| {
        team == wanted && (wanted_role.is_none() || role == wanted_role)
    };
    teams.len() == wanted.len() && teams.iter().zip(wanted).all(fits)
}

fn key(action: Action, after: &Key, id: Option<&RemoteId>, live: &Live) -> Observation {
    let as_asked = |key: &LiveKey| {
        key.roles == after.roles && key.permissions == after.permissions && key.resources == after.resources
    };
    match live.keys().iter().find(|key| Some(&key.id) == after.id.as_ref().or(id)) {
        Some(key) => (key.enabled == after.enabled && (action != Action::Create || as_asked(key))).into(),
        None if after.enabled => Observation::NotInEffect,
        None => is_absent(live.keys.as_ref(), |_| false),
    }
}
