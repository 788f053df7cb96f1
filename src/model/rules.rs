//! What a provider can and can't do, as pure answers for checking and planning.

use std::collections::BTreeSet;

use super::{Call, Change, Gap, ProviderName, RoleName};

/// What an invitation has to say about the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteField {
    FirstName,
    LastName,
    Roles,
}

/// A provider's capabilities. Pure: no network, no clock.
pub trait Rules: Sync {
    fn provider(&self) -> ProviderName;

    /// Hosts that may see the credential.
    fn vendor_hosts(&self) -> &'static [&'static str];

    /// Roles that the provider is known to have. The set is open: another name is a warning, no error.
    fn known_roles(&self) -> &'static [&'static str];

    /// Can whoever holds these administrate the organisation?
    fn is_admin(&self, roles: &BTreeSet<RoleName>) -> bool;

    fn invite_needs(&self) -> &'static [InviteField];

    /// What the API keeps from every reader.
    fn gaps(&self) -> Vec<Gap>;

    /// Where a person changes what the API can't: one sentence.
    fn by_hand(&self) -> &'static str;

    /// The calls that close a change, in order.
    fn lower(&self, change: &Change) -> Vec<Call>;
}
