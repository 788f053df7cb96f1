//! Roles that the platform defines and that an organisation can give to its users.

use std::collections::BTreeSet;

use super::{RemoteId, RoleName};

/// The roles that can be given in the organisation and in its teams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssignableRoles {
    pub organization: Vec<AssignableRole>,
    pub team: Vec<AssignableRole>,
}

/// A role that the platform defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignableRole {
    pub id: RemoteId,
    /// The name that rolecall uses: the role's name, or its key if other roles have the same name.
    pub name: RoleName,
    /// The name at the platform, which need not be unique.
    pub raw_name: RoleName,
    /// The platform's key of the role, which is unique. A file may use it instead of the name.
    pub key: String,
    /// True for the role of users who were given no other role.
    pub default: bool,
    /// True if a user with this role is an admin of the organisation.
    pub admin: bool,
}

impl AssignableRoles {
    /// Returns the role that users have in the organisation if they were given no other.
    pub fn default_in_organization(&self) -> Option<&AssignableRole> {
        self.organization.iter().find(|role| role.default)
    }

    /// Returns the role that users have in a team if they were given no other there.
    pub fn default_in_teams(&self) -> Option<&AssignableRole> {
        self.team.iter().find(|role| role.default)
    }

    /// Returns whether a user with these roles is an admin of the organisation.
    pub fn make_admin(&self, roles: &BTreeSet<RoleName>) -> bool {
        self.organization.iter().any(|role| role.admin && roles.contains(&role.name))
    }
}
