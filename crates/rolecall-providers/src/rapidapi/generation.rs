//! Which generation of the schema a hub has.
//!
//! The vendor publishes no schema and no versions. An introspection of January 2023, a client generated in August 2023,
//! and the documentation as it stands later differ in names and shapes; a hub is asked for its own.

use super::documents::SCHEMA;
use super::wire::{IntrospectedField, IntrospectedType, Introspection};
use super::{ReadError, documents};
use rolecall_graphql::{CallError, Query, Reader};

/// What of the later generations this hub has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub(super) struct Generation {
    pub organization: Tells,
    /// `users` is a connection, and no list.
    pub connection: bool,
    /// Users tell whether they are protected, and which organisations they alone administrate.
    pub later_user: bool,
    /// `updateUser` takes the status of somebody else.
    pub changes_status: bool,
    /// By what the hub says of itself. Otherwise it is taken to be as the documentation has it.
    pub told: bool,
}

/// How much an organisation tells at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tells {
    /// Its teams and users.
    Little,
    /// And its counts, the teams of its users, its apps with the names of their keys.
    Much,
    /// And which role each of its users has in it.
    Roles,
}

/// As the documentation has it.
const DOCUMENTED: Generation = Generation {
    organization: Tells::Roles,
    connection: true,
    later_user: true,
    changes_status: true,
    told: false,
};

impl Generation {
    pub fn organization(self) -> &'static Query {
        match self.organization {
            Tells::Little => &documents::ORGANIZATION_EARLY,
            Tells::Much => &documents::ORGANIZATION_MIDDLE,
            Tells::Roles => &documents::ORGANIZATION,
        }
    }

    pub fn users(self) -> &'static Query {
        match (self.connection, self.later_user) {
            (true, _) => &documents::USERS,
            (false, true) => &documents::USERS_LISTED,
            (false, false) => &documents::USERS_EARLY,
        }
    }
}

pub(super) async fn read(reader: &Reader) -> Result<Generation, ReadError> {
    match reader.query_lasting::<Introspection>(&SCHEMA).await {
        Ok(Introspection { schema: Some(schema) }) => Ok(of(&schema.types)),
        Ok(Introspection { schema: None })
        | Err(CallError::GraphQl(_) | CallError::Partial(_) | CallError::Shape { .. } | CallError::NoData) => {
            Ok(DOCUMENTED)
        }
        Err(CallError::Status { status: 400, .. }) => Ok(DOCUMENTED),
        Err(error) => Err(ReadError::Call { operation: SCHEMA.name, error }),
    }
}

/// Does the hub say that it hasn't what was asked for?
pub(super) fn is_of_another(error: &ReadError) -> bool {
    let ReadError::Call { error: CallError::GraphQl(errors), .. } = error else { return false };
    errors.iter().any(|error| error.code.as_deref() == Some("GRAPHQL_VALIDATION_FAILED"))
}

/// Asks anew next time.
pub(super) fn forget(reader: &Reader) {
    reader.forget_lasting(&SCHEMA);
}

fn of(types: &[IntrospectedType]) -> Generation {
    let named = |name: &str| types.iter().find(|it| it.name.as_deref() == Some(name));
    let field = |of: &str, name: &str| -> Option<&IntrospectedField> {
        named(of)?.fields.as_ref()?.iter().find(|field| field.name == name)
    };
    let argument = |of: &str, name: &str, wanted: &str| {
        field(of, name).is_some_and(|it| it.args.iter().any(|arg| arg.name == wanted))
    };
    let input = |of: &str, wanted: &str| {
        let fields = named(of).and_then(|it| it.input_fields.as_ref());
        fields.is_some_and(|fields| fields.iter().any(|field| field.name == wanted))
    };
    let later_user = ["protected", "singleAdminOrgs"].iter().all(|name| field("User", name).is_some());
    let organization = ["numOfTeams", "numOfUsers", "ProjectAcls"];
    let much = later_user
        && organization.iter().all(|name| field("Organization", name).is_some())
        && field("Project", "applicationAuthorizations").is_some();
    Generation {
        organization: match (much, argument("Organization", "users", "roleInOrgCtx")) {
            (true, true) => Tells::Roles,
            (true, false) => Tells::Much,
            (false, _) => Tells::Little,
        },
        connection: later_user && field("Query", "users").is_some_and(|users| !users.kind.is_list()),
        later_user,
        changes_status: input("UserUpdateInput", "id") && input("UserUpdateInput", "status"),
        told: true,
    }
}
