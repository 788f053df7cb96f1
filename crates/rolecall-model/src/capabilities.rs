//! The [`Capabilities`] of a platform, as data: what its API offers, and how it differs from the others.

use jiff::SignedDuration;

use super::{Kind, ProviderName, RoleName};

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

/// The field of a user's entry that says whether the user can sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountField {
    /// `enabled`, which is `true` or `false`. The platform's updates always write it.
    Enabled,
    /// `status`, which is `active`, `deactivated` or `deleted`.
    Status,
}

/// A way in which a platform differs from most others. Checks and plans ask for it with [`Capabilities::has`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// The endpoint's path is a secret.
    SecretPath,
    /// Admins of the organisation are in every team, whatever the file says.
    AdminsInEveryTeam,
    /// The guardrail `require_self` can't be turned off.
    RequiresSelf,
    /// The API shows keys that rolecall doesn't manage.
    ShowsUnmanagedKeys,
    /// The list of users omits disabled users, so that they look like users who never existed.
    HidesDisabled,
    /// An open invitation can be replaced or cancelled.
    ChangesInvitations,
    /// Invitations in two spellings of one address are two invitations, so that a new one leaves the other alone. On
    /// other platforms both may be one, and the earlier one is cancelled first.
    DistinguishesSpellings,
    /// A change may wait until a second person approves it.
    Approvals,
    /// The platform's answers are so unreliable that the next read decides on the outcome of a mutation.
    ///
    /// For example, RapidAPI answers `true` or `null` to most mutations, and `null` means "not done" as well as
    /// "unknown". If the next read shows Jane in the team, adding her is done, even if the answer was an error.
    /// On other platforms a mutation that the platform refused has failed.
    ReadsDecide,
    /// Even a read needs the credential of an admin.
    ReadsAsAdmin,
    /// The API's answers don't contain the organisation's id.
    OrganizationUnnamed,
    /// A user can have several roles. On other platforms, a user has one.
    SeveralRoles,
    /// Several users can have one address, so a user's entry can have an `id`.
    UsersHaveIds,
    /// A user's status belongs to an account that all organisations share.
    SharedAccounts,
}

/// The capabilities of a platform. Each provider has one constant of this type in its folder.
#[derive(Debug)]
pub struct Capabilities {
    pub provider: ProviderName,
    /// The kinds of entities that the provider manages.
    pub kinds: &'static [Kind],
    /// The hosts to which the credential may be sent.
    pub vendor_hosts: &'static [&'static str],
    pub known_roles: KnownRoles,
    /// The permissions that the platform gives to every role.
    pub implied_permissions: &'static [&'static str],
    /// The number of admins that every plan must leave, whatever the file says.
    pub fewest_admins: usize,
    pub invite_needs: &'static [InviteField],
    pub listed_invitations: ListedInvitations,
    pub user_removal: UserRemoval,
    /// The fields of a person that a user's entry has too.
    pub person_fields: &'static [&'static str],
    /// `None` if a file can't say whether a user can sign in.
    pub account_field: Option<AccountField>,
    pub key_needs: &'static [KeyField],
    pub key_removal: KeyRemoval,
    /// The things that the platform creates together with an organisation.
    pub comes_with_organization: Option<&'static str>,
    /// Returns the place in the web app where a person does this step, or another instruction. Messages print it
    /// after a colon: `Enable them manually: in the web app, …`.
    pub manual_step: fn(ManualStep) -> &'static str,
    pub quirks: &'static [Quirk],
}

impl Capabilities {
    /// Returns whether the platform has this quirk.
    pub fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }
}
