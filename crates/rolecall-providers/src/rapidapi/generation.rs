//! Detects the generation of a hub's schema.
//!
//! The vendor publishes neither a schema nor versions. The documentation and a client that was generated in August
//! 2023 differ: `users` returns a connection with `nodes`, or a list, and only the documentation has
//! `users(roleInOrgCtx: true)`, which shows each user's role in the organisation. A query for a field that a hub
//! doesn't have fails as a whole.
//!
//! So rolecall asks the hub for its schema, caches the answer for a day, and selects each document by it. For
//! example, a hub without `roleInOrgCtx` gets `organization_without_roles.graphql`, and the roles of its users are
//! then read from the role rows. If a hub refuses introspection, the documentation is assumed. If the hub answers
//! that a field doesn't exist, the cached schema is forgotten and the read starts again. A hub without a field that
//! rolecall needs is too old, and the error names the field.

use super::super::schema::new_inputs;
use super::documents::SCHEMA;
use super::read::missing;
use super::wire::{IntrospectedField, IntrospectedType, Introspection};
use super::{ReadError, USED, context, documents};
use rolecall_graphql::{CallError, Query, Reader};
use rolecall_model::{Desired, Kind, ReadOnly};

/// The fields that every read asks for, and that hubs didn't have before August 2023.
const NEEDED: &[(&str, &str)] = &[
    ("Organization", "ProjectAcls"),
    ("Organization", "numOfTeams"),
    ("Organization", "numOfUsers"),
    ("Project", "applicationAuthorizations"),
    ("User", "protected"),
    ("User", "singleAdminOrgs"),
];

/// The further fields that are needed if the file describes accounts.
const NEEDED_FOR_ACCOUNTS: &[(&str, &str)] = &[("UserUpdateInput", "id"), ("UserUpdateInput", "status")];

/// The differences between the generations, as a hub has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation {
    /// `users` returns a connection. Otherwise it returns a list.
    pub users_are_connection: bool,
    /// The users of an organisation show their roles in it.
    pub users_have_roles: bool,
}

/// The generation of the documentation.
pub(super) const DOCUMENTED: Generation = Generation { users_are_connection: true, users_have_roles: true };

impl Generation {
    /// Returns the query that reads an organisation.
    pub fn organization(self) -> &'static Query {
        if self.users_have_roles { &documents::ORGANIZATION } else { &documents::ORGANIZATION_WITHOUT_ROLES }
    }

    /// Returns the query that reads accounts by their address.
    pub fn users(self) -> &'static Query {
        if self.users_are_connection { &documents::USERS } else { &documents::USERS_LISTED }
    }
}

/// Reads the generation of a hub, or takes it from the cache, and what must not be updated because the hub has inputs that
/// rolecall doesn't know. Returns nothing if the hub refuses introspection.
pub(super) async fn read(
    reader: &Reader,
    desired: &Desired,
) -> Result<Option<(Generation, Vec<ReadOnly>)>, ReadError> {
    match reader.query_cached::<Introspection>(&SCHEMA).await {
        Ok(Introspection { schema: Some(schema) }) => {
            // The hub may be updated before the cached schema expires.
            let generation = from_types(&schema.types, desired).inspect_err(|_| forget(reader))?;
            Ok(Some((generation, read_only(&schema.types))))
        }
        Ok(Introspection { schema: None }) => Ok(None),
        Err(error) if error.refuses_introspection() => Ok(None),
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

/// Returns what must not be updated. The rows of roles are replaced whole. The other updates are partial, by the
/// documentation.
fn read_only(types: &[IntrospectedType]) -> Vec<ReadOnly> {
    let replaced = [("UserRolesUpdateInput", "updateUserRoles"), ("EntityRoleInput", "upsertEntityRole")];
    let new = |(name, operation): (&str, &str)| {
        let input = types.iter().find(|it| it.name.as_deref() == Some(name))?;
        let names = input.input_fields.iter().flatten().map(|field| &*field.name);
        let new = new_inputs(USED, operation, names);
        (!new.is_empty()).then(|| ReadOnly::new_input(Kind::User, operation, &new))
    };
    replaced.into_iter().filter_map(new).collect()
}

fn from_types(types: &[IntrospectedType], desired: &Desired) -> Result<Generation, ReadError> {
    let named = |name: &str| types.iter().find(|it| it.name.as_deref() == Some(name));
    let field = |type_name: &str, name: &str| -> Option<&IntrospectedField> {
        named(type_name)?.fields.iter().flatten().find(|field| field.name == name)
    };
    let has = |type_name: &str, name: &str| {
        let inputs = named(type_name).and_then(|it| it.input_fields.as_ref());
        field(type_name, name).is_some() || inputs.into_iter().flatten().any(|input| input.name == name)
    };
    let for_accounts = if context::changes_accounts(desired) { NEEDED_FOR_ACCOUNTS } else { &[] };
    // No document contains these names of types, so a hub may have others.
    let lacks = |type_name: &str, name: &str| named(type_name).is_some() && !has(type_name, name);
    if let Some((type_name, name)) = NEEDED.iter().chain(for_accounts).find(|(it, name)| lacks(it, name)) {
        return Err(missing(&SCHEMA, format!("{type_name}.{name}")));
    }
    let arguments = field("Organization", "users").map(|users| &users.args);
    Ok(Generation {
        users_are_connection: field("Query", "users").is_some_and(|users| !users.kind.is_list()),
        users_have_roles: arguments.into_iter().flatten().any(|argument| argument.name == "roleInOrgCtx")
            && has("User", "role")
            && has("EntityRole", "role"),
    })
}
