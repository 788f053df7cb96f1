//! The nine roles that a user can have, with the seats and plans that the vendor's pages give them.

use rolecall_model::RoleName;

/// The plan that most roles belong to, by the pages on roles and licences.
const SECURITY_PACK: &str = "Security pack";

/// The kind of seat that a role uses, by the vendor's page on users and licences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    Billed,
    Unbilled,
    /// No page tells the seat of this role.
    Unknown,
}

pub(super) struct AccountType {
    pub name: &'static str,
    pub seat: Seat,
    /// The plan that the role belongs to, if not every plan has it.
    pub plan: Option<&'static str>,
    /// The roles whose permissions it includes, by the vendor's page on roles.
    pub covers: &'static [&'static str],
    /// Whether a user with this role can give more than they have themselves, or change how people sign in. In the
    /// web app every user can give the role that they have.
    pub gives_access: bool,
}

/// The role that allows everything, including workspaces, billing and audit logs.
pub(super) const ADMIN: &str = "ADMIN";

const fn account_type(name: &'static str, seat: Seat) -> AccountType {
    AccountType { name, seat, plan: None, covers: &[], gives_access: false }
}

/// The roles of Paradime's Python SDK 6.9.0. The page on roles describes all but the last.
pub(super) const ACCOUNT_TYPES: &[AccountType] = &[
    AccountType {
        covers: &[
            "DEVELOPER",
            "BUSINESS",
            "ANALYST",
            "WORKSPACE_ADMIN",
            "WORKSPACE_SETTINGS_ADMIN",
            "SECURITY_ADMIN",
            "BILLING_ADMIN",
            "SANDBOX_USER",
        ],
        gives_access: true,
        ..account_type(ADMIN, Seat::Billed)
    },
    AccountType { covers: &["BUSINESS", "ANALYST"], ..account_type("DEVELOPER", Seat::Billed) },
    account_type("BUSINESS", Seat::Unbilled),
    AccountType {
        plan: Some(SECURITY_PACK),
        covers: &["BUSINESS"],
        // No page names its seat. It may use the editor, as the other billed roles may.
        ..account_type("ANALYST", Seat::Billed)
    },
    AccountType {
        plan: Some(SECURITY_PACK),
        covers: &["DEVELOPER", "BUSINESS", "ANALYST", "WORKSPACE_SETTINGS_ADMIN"],
        gives_access: true,
        ..account_type("WORKSPACE_ADMIN", Seat::Billed)
    },
    AccountType {
        plan: Some(SECURITY_PACK),
        gives_access: true,
        ..account_type("WORKSPACE_SETTINGS_ADMIN", Seat::Unbilled)
    },
    AccountType {
        plan: Some(SECURITY_PACK),
        gives_access: true,
        ..account_type("SECURITY_ADMIN", Seat::Unbilled)
    },
    AccountType { plan: Some(SECURITY_PACK), ..account_type("BILLING_ADMIN", Seat::Unbilled) },
    account_type("SANDBOX_USER", Seat::Unknown),
];

/// The names of the roles.
pub(super) const NAMES: [&str; ACCOUNT_TYPES.len()] = {
    let mut names = [""; ACCOUNT_TYPES.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = ACCOUNT_TYPES[index].name;
        index += 1;
    }
    names
};

/// Returns the role of that name, or nothing if it is newer than this list.
pub(super) fn find(role: &RoleName) -> Option<&'static AccountType> {
    ACCOUNT_TYPES.iter().find(|known| known.name == role.as_str())
}
