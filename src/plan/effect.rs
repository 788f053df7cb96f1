//! Does live show that a change took?

use crate::model::{Action, Change, Entity, Live, RemoteId, Seen};

/// What a read says of a change that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effectiveness {
    InEffect,
    NotInEffect,
    /// The API shows nothing that would tell.
    CannotTell,
}

/// Compares what can be seen. `id` is what the platform answered for an entity that was made.
pub fn in_effect(change: &Change, id: Option<&RemoteId>, live: &Live) -> Effectiveness {
    match &change.after {
        Entity::User(after) => {
            let found = live.users.items.iter().find(|user| match &after.id {
                Some(id) => user.id == *id,
                None => user.email == after.email,
            });
            let Some(user) = found else {
                // The list may hide who has not accepted yet.
                return if change.action == Action::Invite {
                    Effectiveness::CannotTell
                } else {
                    Effectiveness::NotInEffect
                };
            };
            if change.action == Action::Invite {
                return Effectiveness::InEffect;
            }
            if user.roles != after.roles {
                return Effectiveness::NotInEffect;
            }
            let roles_moved = matches!(&change.before, Some(Entity::User(before)) if before.roles != after.roles);
            match (user.enabled, after.enabled) {
                (Seen::Known(live), Seen::Known(wanted)) if live != wanted => Effectiveness::NotInEffect,
                (Seen::Known(_), _) => Effectiveness::InEffect,
                (Seen::Unreadable, _) if roles_moved => Effectiveness::InEffect,
                (Seen::Unreadable, _) => Effectiveness::CannotTell,
            }
        }
        Entity::Key(after) => {
            let found = live.keys.items.iter().find(|key| Some(&key.id) == after.id.as_ref().or(id));
            match found {
                Some(key) if key.enabled == after.enabled => Effectiveness::InEffect,
                Some(_) => Effectiveness::NotInEffect,
                None if after.enabled => Effectiveness::NotInEffect,
                None => Effectiveness::InEffect,
            }
        }
    }
}
