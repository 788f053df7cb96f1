//! The [`Rules`] of a provider: its capabilities, as pure functions for checks and plans.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde_json::Value;

use super::{
    Change, Desired, Effect, Email, Entity, Kind, Live, LoweredMutation, Mutation, Permission, ProviderName,
    RoleName, User,
};

/// The variables of a GraphQL operation, by name.
pub type Variables = BTreeMap<String, Value>;

/// A field that an invitation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteField {
    FirstName,
    LastName,
    Roles,
    Resources,
    Teams,
}

/// A field that is needed to create a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyField {
    Roles,
    Expires,
    Permissions,
    Resources,
}

/// The way in which a user is removed who must have no access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserRemoval {
    /// The user is disabled.
    Disable,
    /// The user loses all access, because the API can't remove them. A person removes them in the web app.
    RemoveAccess,
    /// The user is removed from this organisation. Their account and their other organisations stay as they are.
    Remove,
}

/// The way in which a key is removed that must not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRemoval {
    Disable,
    Delete,
}

/// The invitations that the platform lists, of those that nobody has accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedInvitations {
    /// The platform lists no invitations, or it isn't known which.
    Unknown,
    /// The platform lists the invitations that can be accepted. An invitation expires after this duration.
    Open(SignedDuration),
    /// The platform also lists expired invitations.
    All,
}

/// A step that the API can't do and that a person does in the web app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManualStep {
    /// Changing a user's names and phone number.
    ChangeRecord,
    /// Removing a user.
    RemoveUser,
    /// Looking up the disabled users.
    LookUpDisabled,
    /// Enabling a disabled user.
    EnableUser,
    /// Approving a user who waits for an administrator of the platform.
    ApproveUser,
    /// Activating a user who was deactivated in the organisation.
    ReinstateUser,
    /// Changing fields of the organisation or of a team that the API can't change.
    ChangeOrganization,
    /// Sending an invitation again, or cancelling it.
    HandleInvitation,
    /// Managing keys, if the API has no operations for them.
    HandleKeys,
    /// Changing the description of an existing key.
    DescribeKey,
}

/// The roles that the provider is known to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownRoles {
    /// Any other name is a warning, because it may be a new role. The list is empty if organisations define their
    /// own roles.
    Open(&'static [&'static str]),
    /// Any other name is an error, because it can't be given.
    Closed {
        names: &'static [&'static str],
        /// Advice for the choice of a role.
        hint: &'static str,
    },
}

impl KnownRoles {
    /// Returns whether a role of this name can be given, as far as is known.
    pub fn can_be_given(self, role: &RoleName) -> bool {
        match self {
            Self::Open(_) => true,
            Self::Closed { names, .. } => names.contains(&role.as_str()),
        }
    }
}

/// A provider's capabilities. All methods are pure: they use neither network nor clock.
pub trait Rules: Sync {
    fn provider(&self) -> ProviderName;

    /// Returns the kinds of entities that the provider manages.
    fn kinds(&self) -> &'static [Kind];

    /// Returns the hosts to which the credential may be sent.
    fn vendor_hosts(&self) -> &'static [&'static str];

    fn known_roles(&self) -> KnownRoles;

    /// Returns whether the endpoint's path is a secret.
    fn has_secret_path(&self) -> bool {
        false
    }

    /// Returns whether a user with these roles is an admin of the organisation.
    fn is_admin(&self, live: &Live, roles: &BTreeSet<RoleName>) -> bool;

    /// Returns whether a user with these roles can give access to themselves or to others.
    fn gives_access(&self, live: &Live, roles: &BTreeSet<RoleName>) -> bool {
        self.is_admin(live, roles)
    }

    /// Returns whether admins of the organisation are in every team, whatever the file says.
    fn admins_are_in_every_team(&self) -> bool {
        false
    }

    /// Returns whether the guardrail `require_self` can't be turned off.
    fn always_requires_self(&self) -> bool {
        false
    }

    /// Returns the number of admins that every plan must leave, whatever the file says.
    fn fewest_admins(&self) -> usize {
        0
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

    /// Returns the things that the platform creates together with an organisation.
    fn comes_with_organization(&self) -> Option<&'static str> {
        None
    }

    /// Returns the form that an address needs to be invited, if this one doesn't have it.
    fn wrong_address(&self, _: &Email) -> Option<&'static str> {
        None
    }

    fn invite_needs(&self) -> &'static [InviteField];

    /// Returns whether the API shows keys that rolecall doesn't manage.
    fn shows_keys(&self) -> bool {
        false
    }

    fn key_needs(&self) -> &'static [KeyField];

    fn user_removal(&self) -> UserRemoval;

    /// Returns whether the platform's list omits disabled users, so that they look like users who never existed.
    fn hides_disabled(&self) -> bool {
        false
    }

    fn key_removal(&self) -> KeyRemoval;

    fn listed_invitations(&self) -> ListedInvitations;

    /// Returns whether an open invitation can be replaced or cancelled.
    fn changes_invitations(&self) -> bool;

    /// Returns whether invitations in two spellings of one address are two invitations, so that a new one leaves the
    /// other alone. If it isn't known, both may be one, and the earlier one is cancelled first.
    fn distinguishes_spellings(&self) -> bool {
        false
    }

    /// Returns whether the platform may wait with a change until a second person approves it.
    fn has_approvals(&self) -> bool;

    /// Returns the permissions that the platform gives to every role.
    fn implied_permissions(&self) -> &'static [&'static str];

    /// Returns the place in the web app where a person does this step, or another instruction. Messages print it
    /// after a colon: `Enable them manually: in the web app, …`.
    fn manual_step(&self, step: ManualStep) -> &'static str;

    /// Returns the probable reason why the platform accepted this change without making it, if one is known.
    fn why_not_taken(&self, _change: &Change) -> Option<String> {
        None
    }

    /// Returns whether even a read needs the credential of an admin.
    fn reads_as_admin(&self) -> bool {
        false
    }

    /// Returns whether the API's answers contain the organisation's id.
    fn names_organization(&self) -> bool {
        true
    }

    /// Returns whether the API can change the status of an account.
    fn can_switch_accounts(&self, _: &Live) -> bool {
        true
    }

    /// Returns whether a user's status belongs to an account that all organisations share.
    fn shares_accounts(&self) -> bool {
        false
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
