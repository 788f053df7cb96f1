//! Roles that others than the organisation make, and that can be given in it.

use std::collections::BTreeSet;

use super::{RemoteId, RoleName};

/// Roles that can be given, by where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssignableRoles {
    pub organization: Vec<AssignableRole>,
    pub team: Vec<AssignableRole>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignableRole {
    pub id: RemoteId,
    /// What it is called here: its name, or its key where others have the same name.
    pub name: RoleName,
    /// As the platform has it.
    pub raw_name: RoleName,
    /// The other way to say it.
    pub key: String,
    /// Whoever has been given no other has it.
    pub default: bool,
    /// Whoever has it administrates the organisation.
    pub admin: bool,
}

impl AssignableRoles {
    /// The role in the organisation of whoever has been given no other.
    pub fn by_default(&self) -> Option<&AssignableRole> {
        self.organization.iter().find(|role| role.default)
    }

    /// The role in a team of whoever has been given no other there.
    pub fn by_default_in_teams(&self) -> Option<&AssignableRole> {
        self.team.iter().find(|role| role.default)
    }

    /// Does whoever has these administrate the organisation?
    pub fn make_admin(&self, roles: &BTreeSet<RoleName>) -> bool {
        self.organization.iter().any(|role| role.admin && roles.contains(&role.name))
    }
}
