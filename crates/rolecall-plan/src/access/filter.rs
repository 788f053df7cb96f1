//! Restricts a report of access to what somebody asks for.

use super::{Access, Grant, Holder};
use rolecall_model::{Address, Kind, Part, Pattern, Permission, RoleName};

/// The access that is asked for. Every condition that is set has to hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Users and invitations with one of these addresses.
    pub users: Vec<Pattern>,
    /// Grants by one of these roles.
    pub roles: Vec<RoleName>,
    /// Grants that allow this.
    pub can: Option<Permission>,
    /// Grants that apply to this part of the organisation, or to something in it.
    pub resource: Option<Part>,
    /// Privileged access only.
    pub privileged: bool,
    /// Access that no file states and no file acknowledges.
    pub unmanaged: bool,
    /// The kind of holder, if only one is asked for.
    pub kind: Option<Kind>,
}

impl Filter {
    /// Returns what is asked for. Of a holder, only the grants that are asked for are left.
    #[must_use]
    pub fn of(&self, access: Access) -> Access {
        let holders = access.holders.iter().filter_map(|holder| self.holder(&access, holder)).collect();
        let is_asked_for = self.is_by_grant() || self.unmanaged || self.privileged || !self.users.is_empty();
        let apps = if is_asked_for { Vec::new() } else { access.apps.clone() };
        Access { holders, apps, ..access }
    }

    /// Returns whether the filter chooses single grants.
    fn is_by_grant(&self) -> bool {
        !self.roles.is_empty() || self.can.is_some() || self.resource.is_some()
    }

    fn holder(&self, access: &Access, holder: &Holder) -> Option<Holder> {
        let of_person = holder.person.as_ref().map(Address::user);
        let mut addresses = std::iter::once(&holder.address).chain(&of_person);
        let is_named = self.users.is_empty()
            || addresses.any(|address| self.users.iter().any(|pattern| pattern.covers(address)));
        let is_of_kind = self.kind.is_none_or(|kind| kind == holder.address.kind);
        if !is_named
            || !is_of_kind
            || self.privileged && !holder.privileged
            || self.unmanaged && !holder.is_unmanaged()
        {
            return None;
        }
        let grants: Vec<Grant> =
            holder.grants.iter().filter(|grant| self.grant(access, holder, grant)).cloned().collect();
        let is_shown = !self.is_by_grant() || !grants.is_empty();
        is_shown.then(|| Holder { grants, ..holder.clone() })
    }

    fn grant(&self, access: &Access, holder: &Holder, grant: &Grant) -> bool {
        let has_role = self.roles.is_empty() || grant.role.as_ref().is_some_and(|role| self.roles.contains(role));
        let allows = match (&self.can, &self.resource) {
            (Some(permission), at) => access.can(grant, permission, at.as_ref()),
            (None, Some(at)) => access.applies_to(grant, at),
            (None, None) => true,
        };
        let is_unmanaged = holder.entry.is_none() || grant.place.is_none();
        has_role && allows && (!self.unmanaged || is_unmanaged)
    }
}
