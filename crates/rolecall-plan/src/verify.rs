//! Decides whether a read shows a change in effect.
//!
//! The answer has three values, because many reads prove nothing. For example, rolecall sends a change of Jane's
//! role, and the answer is lost. If the next read shows the new role, the change is in effect; if it shows the old
//! one, it isn't. But for an invitation on a platform that doesn't list invitations, a read that doesn't show Jane
//! can't tell: she may be invited and not have accepted. The same holds for an update that changes nothing, and
//! for an entity that is missing from an incomplete list.

use rolecall_model::{
    Action, Address, Change, Entity, Key, Listing, Live, LiveInvitation, LiveKey, LiveRole, LiveTeam, LiveUser,
    Memberships, Mutation, Organization, RemoteId, Role, Rules, Seen, Team, User,
};

/// The answer of a read to the question whether a change is in effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    InEffect,
    NotInEffect,
    /// The read shows nothing that would prove it either way.
    CannotTell,
}

impl From<bool> for Observation {
    fn from(shown: bool) -> Self {
        if shown { Self::InEffect } else { Self::NotInEffect }
    }
}

/// Returns whether a read shows a whole change in effect. `id` is the id of a created entity, if the platform's
/// answer contained it.
pub fn in_effect(change: &Change, id: Option<&RemoteId>, live: &Live) -> Observation {
    if is_unreadable(change, id, live) {
        return Observation::CannotTell;
    }
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
            is_absent(live.teams.as_ref(), before.id.as_ref().is_some_and(|id| live.team_with(id).is_some()))
        }
        (None, Some(Entity::Role(before))) => is_absent(live.roles.as_ref(), live.role(&before.name).is_some()),
        (None, Some(Entity::User(before))) if !before.invited => {
            let is_it = |id| live.user(id).is_some() || live.non_members.iter().any(|user| user.id == *id);
            is_absent(Some(&live.users), before.id.as_ref().is_some_and(is_it))
        }
        // Invitations for several spellings of one address are distinguished by the spelling.
        (None, Some(Entity::User(before))) => {
            let mut spellings = live.invitations_of(&before.email);
            is_absent(live.invitations.as_ref(), spellings.any(|it| it.email.as_str() == before.email.as_str()))
        }
        (None, Some(Entity::Key(before))) => {
            is_absent(live.keys.as_ref(), before.id.as_ref().is_some_and(|id| live.key(id).is_some()))
        }
        (None, None) => Observation::CannotTell,
    }
}

/// Returns whether a row that can't be read is about the entity of a change.
fn is_unreadable(change: &Change, id: Option<&RemoteId>, live: &Live) -> bool {
    let address = Address { id: None, ..change.address.clone() };
    let id = change.entity().and_then(Entity::id).or(id);
    live.is_unreadable(&address) || id.is_some_and(|id| live.is_unreadable_id(address.kind, id))
}

/// Returns whether a list shows that an entity no longer exists. An incomplete list can't prove that.
fn is_absent<T>(list: Option<&Listing<T>>, is_listed: bool) -> Observation {
    match list {
        Some(_) if is_listed => Observation::NotInEffect,
        Some(list) if !list.completeness.is_incomplete() => Observation::InEffect,
        Some(_) | None => Observation::CannotTell,
    }
}

/// Returns the live entity that a change is about, or `None` if it isn't listed.
pub fn current_entity(change: &Change, id: Option<&RemoteId>, live: &Live) -> Option<Entity> {
    match change.entity()? {
        Entity::Organization(_) => live.organization_entity.clone().map(Entity::Organization),
        Entity::Team(team) => live.team(&team.name).map(LiveTeam::entity),
        Entity::Role(role) => live.role(&role.name).map(LiveRole::entity),
        Entity::User(user) => {
            let found = live.user(user.id.as_ref()?)?;
            Some(Entity::User(found.entity()))
        }
        Entity::Key(key) => {
            let found = live.key(key.id.as_ref().or(id)?)?;
            Some(Entity::Key(found.entity()))
        }
    }
}

/// Returns whether a read shows one mutation in effect. The last mutation of a change is in effect if the whole
/// change is. The first step of a role update is in effect if the role allows at least what it should. A read
/// can't confirm other first steps, unless the provider knows better ([`Rules::shows`]).
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
            let gained =
                |role: &LiveRole| role.renamed_from.is_none() && after.permissions.is_subset(&role.permissions);
            live.role(&after.name).is_some_and(gained).into()
        }
        (Some(Entity::Organization(_) | Entity::Team(_) | Entity::User(_) | Entity::Key(_)) | None, true) => {
            Observation::CannotTell
        }
    }
}

/// Compares an organisation. Fields that the change doesn't set are derived by the platform, so they don't count.
fn organization(wanted: &Organization, live: &Live) -> bool {
    let Organization { id: _, slug: _, name, email, seats, description, thumbnail, invites: _ } = wanted;
    let matches_if_set = |wanted: &Option<String>, live: &Option<String>| wanted.is_none() || wanted == live;
    live.organization_entity.as_ref().is_some_and(|live| {
        live.name == *name
            && matches_if_set(email, &live.email)
            // If the platform doesn't show the number of seats, it can't contradict.
            && (seats.is_none() || live.seats.is_none() || *seats == live.seats)
            && matches_if_set(description, &live.description)
            && matches_if_set(thumbnail, &live.thumbnail)
    })
}

fn matches_team(live: &LiveTeam, wanted: &Team) -> bool {
    let Team { id: _, name, description, thumbnail } = wanted;
    let matches_if_set = |wanted: &Option<String>, live: &Option<String>| wanted.is_none() || wanted == live;
    live.name == *name
        && live.renamed_from.is_none()
        && matches_if_set(description, &live.description)
        && matches_if_set(thumbnail, &live.thumbnail)
}

fn matches_role(live: &LiveRole, wanted: &Role) -> bool {
    let Role { id: _, name, description, permissions } = wanted;
    live.name == *name
        && live.renamed_from.is_none()
        && live.description == *description
        && live.permissions == *permissions
}

/// Returns whether an invitation is in effect. One that replaces another has to have a later creation time.
fn invited(after: &User, before: Option<&User>, live: &Live) -> Observation {
    let member = live.users_of(&after.email).next().is_some();
    match &live.invitations {
        _ if member => Observation::InEffect,
        // The list of users may leave out those who haven't accepted yet.
        None => Observation::CannotTell,
        Some(list) if list.completeness.is_incomplete() => Observation::CannotTell,
        Some(_) => {
            let role_matches = |role| after.roles.is_empty() || after.roles.contains(role);
            let earlier = before.and_then(|before| before.invited_at);
            let is_new =
                |open: &&LiveInvitation| !open.expired && (open.created.is_none() || open.created != earlier);
            let teams_match = |open: &LiveInvitation| match (&open.teams, &after.teams) {
                (Some(teams), Some(wanted)) => teams.iter().eq(wanted.keys()),
                (None, _) | (_, None) => true,
            };
            live.invitations_of(&after.email)
                .filter(is_new)
                .any(|open| role_matches(&open.role) && teams_match(open))
                .into()
        }
    }
}

fn user(after: &User, before: Option<&User>, live: &Live) -> Observation {
    let found = match &after.id {
        Some(id) => live.user(id),
        None => live.users_of(&after.email).next(),
    };
    if after.outside {
        let outside = live.non_members.iter().find(|user| Some(&user.id) == after.id.as_ref());
        return match (found, outside) {
            (Some(_), _) => Observation::NotInEffect,
            (None, Some(user)) => (user.enabled == after.enabled).into(),
            (None, None) => is_absent(Some(&live.users), false),
        };
    }
    let Some(user) = found else {
        return match after.enabled {
            // A user who isn't listed has no access, whether or not the platform lists disabled users.
            Seen::Known(false) if live.users.completeness.is_incomplete() => Observation::CannotTell,
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
        // The change changes nothing, so a read can't prove that it took effect.
        return Observation::CannotTell;
    }
    match (user.enabled, after.enabled) {
        (Seen::Known(live), Seen::Known(wanted)) if live != wanted => Observation::NotInEffect,
        (Seen::Known(_), _) => Observation::InEffect,
        (Seen::Unreadable, _) if moved => Observation::InEffect,
        (Seen::Unreadable, _) => Observation::CannotTell,
    }
}

/// Returns whether a user is in exactly these teams, with the roles that are given.
fn has_teams(user: &LiveUser, wanted: Option<&Memberships>) -> bool {
    let (Some(wanted), Some(teams)) = (wanted, &user.teams) else { return wanted.is_none() };
    let fits = |((team, role), (wanted, wanted_role)): ((_, &Option<_>), (_, &Option<_>))| {
        team == wanted && (wanted_role.is_none() || role == wanted_role)
    };
    teams.len() == wanted.len() && teams.iter().zip(wanted).all(fits)
}

fn key(action: Action, after: &Key, id: Option<&RemoteId>, live: &Live) -> Observation {
    let as_requested = |key: &LiveKey| {
        key.roles == after.roles && key.permissions == after.permissions && key.resources == after.resources
    };
    match after.id.as_ref().or(id).and_then(|id| live.key(id)) {
        Some(key) => (key.enabled == after.enabled && (action != Action::Create || as_requested(key))).into(),
        None if after.enabled => Observation::NotInEffect,
        None => is_absent(live.keys.as_ref(), false),
    }
}
