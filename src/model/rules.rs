//! What a provider can and can't do, as pure answers for checking and planning.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::{Call, Change, Kind, Live, Permission, ProviderName, RoleName};

/// What an invitation has to say about the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteField {
    FirstName,
    LastName,
    Roles,
    Resources,
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
pub enum Departure {
    Disable,
    /// There is no call that removes: all access is taken, and the rest is left to a person.
    Contain,
}

/// What becomes of a key that must go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retirement {
    Disable,
    Delete,
}

/// What the API can't do and a person can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chore {
    /// A user's names and phone.
    ChangeRecord,
    RemoveUser,
    /// What is said of a key that is minted.
    DescribeKey,
}

/// A provider's capabilities. Pure: no network, no clock.
pub trait Rules: Sync {
    fn provider(&self) -> ProviderName;

    /// What can be addressed there.
    fn kinds(&self) -> &'static [Kind];

    /// Hosts that may see the credential.
    fn vendor_hosts(&self) -> &'static [&'static str];

    /// Roles that the provider is known to have. The set is open: another name is a warning, no error.
    fn known_roles(&self) -> &'static [&'static str];

    /// Can whoever holds these administrate the organisation?
    fn is_admin(&self, roles: &BTreeSet<RoleName>) -> bool;

    /// May whoever holds these give access to themselves or to others?
    fn is_privileged(&self, permissions: &BTreeSet<Permission>) -> bool;

    fn invite_needs(&self) -> &'static [InviteField];

    fn key_needs(&self) -> &'static [KeyField];

    fn departure(&self) -> Departure;

    fn retirement(&self) -> Retirement;

    /// How long an invitation can be accepted, where the platform lists those that can.
    fn invitation_lifetime(&self) -> Option<SignedDuration>;

    /// Does the platform hold changes back until a second person approves?
    fn has_approvals(&self) -> bool;

    /// Permissions that every role has, asked for or not.
    fn implied_permissions(&self) -> &'static [&'static str];

    /// Where a person does what the API can't: one sentence.
    fn by_hand(&self, chore: Chore) -> &'static str;

    /// The calls that close a change, in order.
    fn lower(&self, change: &Change, live: &Live) -> Vec<Call>;
}
