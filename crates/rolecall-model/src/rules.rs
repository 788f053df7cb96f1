//! The [`Rules`] of a provider: its [`Capabilities`], and pure functions for checks and plans.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Capabilities, Change, Desired, Effect, Email, Entity, Live, LoweredMutation, ManualStep, Mutation, Permission,
    Quirk, RoleName, User,
};

/// The variables of a GraphQL operation, by name.
pub type Variables = BTreeMap<String, Value>;

/// A platform, as checks and plans see it. All methods are pure: they use neither network nor clock.
pub trait Rules: Sync {
    fn capabilities(&self) -> &'static Capabilities;

    /// Returns whether the platform has this quirk.
    fn has(&self, quirk: Quirk) -> bool {
        self.capabilities().has(quirk)
    }

    /// Returns the instruction for a step that the API can't do. See [`Capabilities::manual_step`].
    fn manual_step(&self, step: ManualStep) -> &'static str {
        (self.capabilities().manual_step)(step)
    }

    /// Returns whether a user with these roles is an admin of the organisation.
    fn is_admin(&self, live: &Live, roles: &BTreeSet<RoleName>) -> bool;

    /// Returns whether a user with these roles can give access to themselves or to others.
    fn gives_access(&self, live: &Live, roles: &BTreeSet<RoleName>) -> bool {
        self.is_admin(live, roles)
    }

    /// Returns whether a user or a key with these permissions can give access to themselves or to others.
    fn is_privileged(&self, permissions: &BTreeSet<Permission>) -> bool;

    /// Returns whether `these` roles allow everything that `those` roles allow. Used if the platform defines the
    /// roles.
    fn covers(&self, _: &Live, these: &BTreeSet<RoleName>, those: &BTreeSet<RoleName>) -> bool {
        those.is_subset(these)
    }

    /// Returns the roles that an invitation can contain, of the user's desired roles.
    fn invitation_roles(&self, _: &Live, roles: &BTreeSet<RoleName>) -> BTreeSet<RoleName> {
        roles.clone()
    }

    /// Returns whether an invitation can contain all of these roles.
    fn can_invite_with(&self, live: &Live, roles: &BTreeSet<RoleName>) -> bool {
        self.invitation_roles(live, roles) == *roles
    }

    /// Returns the side effects of a change of a user's roles.
    fn effects(&self, _: &Live, _before: Option<&User>, _after: &User) -> Vec<Effect> {
        Vec::new()
    }

    /// Returns the things that are deleted together with an entity and that rolecall doesn't manage.
    fn cascades_to(&self, _: &Entity) -> Option<&'static str> {
        None
    }

    /// Returns the form that an address needs to be invited, if this one doesn't have it.
    fn wrong_address(&self, _: &Email) -> Option<&'static str> {
        None
    }

    /// Returns the probable reason why the platform accepted this change without making it, if one is known.
    fn why_not_taken(&self, _change: &Change) -> Option<String> {
        None
    }

    /// Returns the operations that a file needs and that none of its credentials can send.
    fn uncallable(&self, _credentials: &BTreeSet<&str>, _: &Desired) -> Vec<&'static str> {
        Vec::new()
    }

    /// Returns whether a read shows the effect of one of several mutations of a change. `None` means that only the
    /// change as a whole can be compared.
    fn shows(&self, _: &Mutation, _: &Change, _: &Live) -> Option<bool> {
        None
    }

    /// Returns the variables of one mutation that does the work of several with the same operation, if there is
    /// one.
    fn merged(&self, _operation: &str, _variables: &[&Variables]) -> Option<Variables> {
        None
    }

    /// Returns the mutations that make a change, in order. This is called lowering.
    fn lower(&self, change: &Change, live: &Live) -> Vec<LoweredMutation>;
}
