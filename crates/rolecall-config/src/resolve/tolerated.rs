//! Access that somebody gave by hand and that a file tolerates for a while.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::check::Checker;
use super::super::decode::decode;
use super::super::field::Field;
use super::super::node::Located;
use super::super::raw::{AddressText, LineText, NameText, UntilText};
use super::entries::{note, until};
use rolecall_model::{Address, Email, Kind, KnownRoles, RoleName, Tolerated, quote};

/// This entry tolerates roles that a person got in the web app, for example in an incident.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Tolerated", deny_unknown_fields)]
pub struct RawTolerated {
    /// This is the address of the person, such as `user/sam@acme.example`, with their address on this platform.
    address: Field<AddressText>,
    /// These roles are tolerated. rolecall neither gives them nor takes them before the end.
    roles: Field<Vec<Field<NameText>>>,
    /// The roles are tolerated until this time: a last day in UTC, or an instant. Afterwards they are drift.
    until: Field<UntilText>,
    /// This text says why, and is shown in every report.
    #[schemars(with = "LineText")]
    reason: Field<NameText>,
}

/// Checks the field `tolerated`.
pub fn check_tolerated(list: &Located, check: &mut Checker<'_>) -> Vec<Tolerated> {
    let decoded = decode::<Vec<Field<RawTolerated>>>(check.source, list, &mut check.findings).unwrap_or_default();
    decoded.into_iter().filter_map(|entry| check_one(entry.value?, check)).collect()
}

fn check_one(raw: RawTolerated, check: &mut Checker<'_>) -> Option<Tolerated> {
    let RawTolerated { address, roles, until: ends, reason } = raw;
    let mark = address.mark;
    let AddressText(text) = address.value?;
    let email = match text.parse::<Address>() {
        Ok(Address { kind: Kind::User, name, id: None }) => Email::parse(&name).ok(),
        _ => None,
    };
    if email.is_none() {
        let hint = "Write the address of one person, like `user/sam@acme.example`.";
        check.invalid(mark, format!("{} is not the address of a person.", quote(&text)), hint);
    }
    let list = roles.mark;
    let roles = names(roles, check);
    if roles.as_ref().is_some_and(BTreeSet::is_empty) {
        check.invalid(list, "No role is listed.".to_owned(), "List the roles that are tolerated.");
    }
    let ends = until(ends, check.source, &mut check.findings);
    let reason = note(reason, check.source, &mut check.findings);
    Some(Tolerated { place: check.place(mark), email: email?, roles: roles?, until: ends?.until, reason: reason? })
}

/// Checks the roles. Where organisations define their own roles, any name may be one.
fn names(field: Field<Vec<Field<NameText>>>, check: &mut Checker<'_>) -> Option<BTreeSet<RoleName>> {
    if !matches!(check.rules.capabilities().known_roles, KnownRoles::Open(&[])) {
        return check.roles(field);
    }
    field.value?.into_iter().map(|item| check.name::<RoleName>(item)).collect()
}
