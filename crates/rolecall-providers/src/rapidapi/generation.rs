//! Detects the generation of a hub's schema.
//!
//! The vendor publishes neither a schema nor versions. Three sources are known, and they differ: an introspection
//! of January 2023, a client generated in August 2023, and the documentation as it is now. For example, `users`
//! returns a list in the first two and a connection with `nodes` in the last, and only the last has
//! `users(roleInOrgCtx: true)`, which tells each user's role in the organisation. A query for a field that a hub
//! doesn't have fails as a whole.
//!
//! So rolecall asks the hub for its schema, caches the answer for a day, and selects each document by it: an early
//! hub gets `organization_early.graphql`, and its users' roles are then read from the role rows instead. If a hub
//! refuses introspection, the documentation is assumed. If the hub answers that a field doesn't exist, the cached
//! schema is forgotten and the read starts again.

use super::documents::SCHEMA;
use super::wire::{IntrospectedField, IntrospectedType, Introspection};
use super::{ReadError, documents};
use rolecall_graphql::{CallError, Query, Reader};

/// The differences between the generations, as this hub has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub(super) struct Generation {
    pub organization: OrganizationFields,
    /// `users` returns a connection. Otherwise it returns a list.
    pub users_are_connection: bool,
    /// A user has `protected` and `singleAdminOrgs`: the organisations that have no other admin.
    pub has_later_user_fields: bool,
    /// `updateUser` can change the status of another user.
    pub can_change_status: bool,
    /// The values come from the hub's introspection. Otherwise they are those of the documentation.
    pub is_introspected: bool,
}

/// The fields of an organisation that one request can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OrganizationFields {
    /// The teams and the users.
    Early,
    /// Also the counts, the teams of each user, and the apps with the names of their keys.
    Middle,
    /// Also the role of each user in the organisation.
    Documented,
}

/// The generation of the documentation.
const DOCUMENTED: Generation = Generation {
    organization: OrganizationFields::Documented,
    users_are_connection: true,
    has_later_user_fields: true,
    can_change_status: true,
    is_introspected: false,
};

impl Generation {
    /// Returns the query that reads an organisation.
    pub fn organization(self) -> &'static Query {
        match self.organization {
            OrganizationFields::Early => &documents::ORGANIZATION_EARLY,
            OrganizationFields::Middle => &documents::ORGANIZATION_MIDDLE,
            OrganizationFields::Documented => &documents::ORGANIZATION,
        }
    }

    /// Returns the query that reads accounts by their address.
    pub fn users(self) -> &'static Query {
        match (self.users_are_connection, self.has_later_user_fields) {
            (true, _) => &documents::USERS,
            (false, true) => &documents::USERS_LISTED,
            (false, false) => &documents::USERS_EARLY,
        }
    }
}

/// Reads the generation of a hub, or takes it from the cache.
pub(super) async fn read(reader: &Reader) -> Result<Generation, ReadError> {
    match reader.query_cached::<Introspection>(&SCHEMA).await {
        Ok(Introspection { schema: Some(schema) }) => Ok(from_types(&schema.types)),
        Ok(Introspection { schema: None }) => Ok(DOCUMENTED),
        Err(error) if error.refuses_introspection() => Ok(DOCUMENTED),
        Err(error) => Err(ReadError::Call { operation: SCHEMA.name, error }),
    }
}

/// Returns whether the hub refused a document because its schema is different.
pub(super) fn is_schema_mismatch(error: &ReadError) -> bool {
    let ReadError::Call { error: CallError::GraphQl(errors), .. } = error else { return false };
    errors.iter().any(|error| error.code.as_deref() == Some("GRAPHQL_VALIDATION_FAILED"))
}

/// Forgets the cached schema.
pub(super) fn forget(reader: &Reader) {
    reader.forget_cached(&SCHEMA);
}

fn from_types(types: &[IntrospectedType]) -> Generation {
    let named = |name: &str| types.iter().find(|it| it.name.as_deref() == Some(name));
    let field = |type_name: &str, name: &str| -> Option<&IntrospectedField> {
        named(type_name)?.fields.as_ref()?.iter().find(|field| field.name == name)
    };
    let has_argument = |type_name: &str, name: &str, argument: &str| {
        field(type_name, name).is_some_and(|it| it.args.iter().any(|arg| arg.name == argument))
    };
    let has_input_field = |type_name: &str, name: &str| {
        let fields = named(type_name).and_then(|it| it.input_fields.as_ref());
        fields.is_some_and(|fields| fields.iter().any(|field| field.name == name))
    };
    let has_later_user_fields = ["protected", "singleAdminOrgs"].iter().all(|name| field("User", name).is_some());
    let organization_fields = ["numOfTeams", "numOfUsers", "ProjectAcls"];
    let has_middle_fields = has_later_user_fields
        && organization_fields.iter().all(|name| field("Organization", name).is_some())
        && field("Project", "applicationAuthorizations").is_some();
    Generation {
        organization: match (has_middle_fields, has_argument("Organization", "users", "roleInOrgCtx")) {
            (true, true) => OrganizationFields::Documented,
            (true, false) => OrganizationFields::Middle,
            (false, _) => OrganizationFields::Early,
        },
        users_are_connection: has_later_user_fields
            && field("Query", "users").is_some_and(|users| !users.kind.is_list()),
        has_later_user_fields,
        can_change_status: has_input_field("UserUpdateInput", "id")
            && has_input_field("UserUpdateInput", "status"),
        is_introspected: true,
    }
}
