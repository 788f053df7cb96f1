//! What a provider can and can't do, as pure answers for checking and planning.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde_json::Value;

use super::{
    Call, Change, Desired, Effect, Entity, Kind, Live, Mutation, Permission, ProviderName, RoleName, User,
};

/// What a call says, by the names of its arguments.
pub type Variables = BTreeMap<String, Value>;

/// What an invitation has to say about the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteField {
    FirstName,
    LastName,
    Roles,
    Resources,
    Teams,
}

/// What has to be said of a key before it can be minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyField {
    Roles,
    Expires,
    Permissions,
    Resources,
}

/// What becomes of a user who must go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserRemoval {
    Disable,
    /// There is no call that removes: all access is taken, and the rest is left to a person.
    Contain,
    /// They leave this organisation, and stay what they are elsewhere.
    Leave,
}

/// What becomes of a key that must go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRemoval {
    Disable,
    Delete,
}

/// Which invitations that nobody has accepted the platform lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedInvitations {
    /// None, or nobody knows which.
    Unknown,
    /// Those that can be accepted, which is for so long.
    Open(SignedDuration),
    /// Those that ran out, too.
    All,
}

/// What the API can't do and a person can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManualStep {
    /// A user's names and phone.
    ChangeRecord,
    RemoveUser,
    /// To see who is disabled.
    LookUpDisabled,
    /// Whoever was disabled.
    EnableUser,
    /// Somebody who waits until an administrator of the platform lets them in.
    ApproveUser,
    /// Somebody who is switched off in the organisation.
    ReinstateUser,
    /// To give the organisation's own record or a team's what no call gives it.
    ChangeOrganization,
    /// To send it again, or to take it back.
    HandleInvitation,
    /// Where no call knows of keys.
    HandleKeys,
    /// What is said of a key that is minted.
    DescribeKey,
}

/// Roles that the provider is known to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownRoles {
    /// Another name is a warning: it may be a new one. Empty where organisations make their own.
    Open(&'static [&'static str]),
    /// Another can't be given, which is an error.
    Closed {
        names: &'static [&'static str],
        /// What to know when choosing one.
        hint: &'static str,
    },
}

impl KnownRoles {
    /// Can a role of this name be given, as far as anybody knows?
    pub fn can_be_given(self, role: &RoleName) -> bool {
        match self {
            Self::Open(_) => true,
            Self::Closed { names, .. } => names.contains(&role.as_str()),
        }
    }
}

/// A provider's capabilities. Pure: no network, no clock.
pub trait Rules: Sync {
    fn provider(&self) -> ProviderName;

    /// What can be addressed there.
    fn kinds(&self) -> &'static [Kind];

    /// Hosts that may see the credential.
    fn vendor_hosts(&self) -> &'static [&'static str];

    fn known_roles(&self) -> KnownRoles;

    /// Is the endpoint's path a secret?
    fn has_secret_path(&self) -> bool {
        false
    }

    /// Can whoever holds these administrate the organisation?
    fn is_admin(&self, live: &Live, roles: &BTreeSet<RoleName>) -> bool;

    /// May whoever holds these roles give access to themselves or to others?
    fn gives_access(&self, live: &Live, roles: &BTreeSet<RoleName>) -> bool {
        self.is_admin(live, roles)
    }

    /// Is whoever administrates the organisation in every team of it, whatever the file says of teams?
    fn admins_are_in_every_team(&self) -> bool {
        false
    }

    /// Is taking from whoever calls what they need never done, whatever the file says?
    fn always_requires_self(&self) -> bool {
        false
    }

    /// The fewest admins that may ever be left, whatever the file says.
    fn fewest_admins(&self) -> usize {
        0
    }

    /// May whoever holds these permissions give access to themselves or to others?
    fn is_privileged(&self, permissions: &BTreeSet<Permission>) -> bool;

    /// Where roles are fixed: do these allow all that those do?
    fn covers(&self, _: &Live, these: &BTreeSet<RoleName>, those: &BTreeSet<RoleName>) -> bool {
        those.is_subset(these)
    }

    /// What an invitation says of the roles that somebody is to have.
    fn invitation_roles(&self, _: &Live, roles: &BTreeSet<RoleName>) -> BTreeSet<RoleName> {
        roles.clone()
    }

    /// Does an invitation say all of these roles?
    fn can_invite_with(&self, live: &Live, roles: &BTreeSet<RoleName>) -> bool {
        self.invitation_roles(live, roles) == *roles
    }

    /// What giving a user their roles does besides.
    fn effects(&self, _: &Live, _before: Option<&User>, _after: &User) -> Vec<Effect> {
        Vec::new()
    }

    /// What goes with an entity that is deleted, and is no entity of ours.
    fn cascades_to(&self, _: &Entity) -> Option<&'static str> {
        None
    }

    /// What the platform makes together with an organisation.
    fn comes_with_organization(&self) -> Option<&'static str> {
        None
    }

    fn invite_needs(&self) -> &'static [InviteField];

    /// Are there keys that are shown, and that nothing is done about?
    fn shows_keys(&self) -> bool {
        false
    }

    fn key_needs(&self) -> &'static [KeyField];

    fn user_removal(&self) -> UserRemoval;

    /// Does whoever is disabled vanish from the list, so that they look as if they had never been there?
    fn hides_disabled(&self) -> bool {
        false
    }

    fn key_removal(&self) -> KeyRemoval;

    fn listed_invitations(&self) -> ListedInvitations;

    /// Can an open invitation be replaced, or cancelled?
    fn changes_invitations(&self) -> bool;

    /// Does the platform hold changes back until a second person approves?
    fn has_approvals(&self) -> bool;

    /// Permissions that every role has, asked for or not.
    fn implied_permissions(&self) -> &'static [&'static str];

    /// Where a person does what the API can't: one sentence.
    fn manual_step(&self, chore: ManualStep) -> &'static str;

    /// Why the platform may have answered that a change is made, and not have made it, where more can be said than of any
    /// platform.
    fn why_not_taken(&self, _change: &Change) -> Option<String> {
        None
    }

    /// Does even reading take the credential of an admin?
    fn reads_as_admin(&self) -> bool {
        false
    }

    /// Do answers tell which organisation they are of?
    fn names_organization(&self) -> bool {
        true
    }

    /// Can the status of somebody's account be changed there?
    fn can_switch_accounts(&self, _: &Live) -> bool {
        true
    }

    /// Is somebody's status that of an account which all organisations share?
    fn shares_accounts(&self) -> bool {
        false
    }

    /// The operations that a file asks for, and that none of its credentials can make.
    fn uncallable(&self, _credentials: &BTreeSet<&str>, _: &Desired) -> Vec<&'static str> {
        Vec::new()
    }

    /// Does live show what one of several mutations of a change was for? None: the change as a whole has to tell.
    fn shows(&self, _: &Mutation, _: &Change, _: &Live) -> Option<bool> {
        None
    }

    /// The variables of one call that does what several of an operation would, where one can.
    fn merged(&self, _operation: &str, _variables: &[&Variables]) -> Option<Variables> {
        None
    }

    /// The calls that close a change, in order.
    fn lower(&self, change: &Change, live: &Live) -> Vec<Call>;
}
