//! The roles that a user can have: one of nine, whose names and plans are the vendor's.

use rolecall_model::RoleName;

/// What all roles but three are part of, by the pages on roles and licences.
const SECURITY_PACK: &str = "Security pack";

/// What a role costs, by the vendor's page on users and licences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    Billed,
    Unbilled,
    /// No page says.
    Unknown,
}

pub(super) struct AccountType {
    pub name: &'static str,
    pub seat: Seat,
    /// The plan that it is part of, where not every customer has it.
    pub plan: Option<&'static str>,
    /// What whoever has it can do as well, by the vendor's page on roles.
    pub covers: &'static [&'static str],
    /// May give more than they have, or change how people sign in. In the web app everybody may give what they have.
    pub gives_access: bool,
}

/// Everything, workspaces, billing and audit logs included.
pub(super) const ADMIN: &str = "ADMIN";

const fn account_type(name: &'static str, seat: Seat) -> AccountType {
    AccountType { name, seat, plan: None, covers: &[], gives_access: false }
}

/// As Paradime's Python SDK 6.9.0 knows them. The page on roles describes all of them but the last.
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
        // No page names its seat; it works in the editor, as those do who are billed.
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

/// Their names alone.
pub(super) const NAMES: [&str; ACCOUNT_TYPES.len()] = {
    let mut names = [""; ACCOUNT_TYPES.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = ACCOUNT_TYPES[index].name;
        index += 1;
    }
    names
};

/// One of the nine. None: it came after them.
pub(super) fn find(role: &RoleName) -> Option<&'static AccountType> {
    ACCOUNT_TYPES.iter().find(|known| known.name == role.as_str())
}
