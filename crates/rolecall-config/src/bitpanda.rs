//! A Bitpanda Custody file: what may be typed, and what of it is true.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::{Checker, Unique, flag, scope};
use super::delivery::Targets;
use super::field::Field;
use super::guardrails::RawGuardrails;
use super::raw::{EmailText, InstantText, NameText, RawCredential, RawDelivery, RawEndpoint, RawScope};
use rolecall_model::{Address, Code, Desired, DesiredKey, DesiredUser, Finding, Manage, ProviderName};

/// Access to one organisation at Bitpanda Enterprise Custody.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Bitpanda", deny_unknown_fields)]
pub struct RawBitpanda {
    /// The platform.
    #[expect(dead_code, reason = "read before the rest, to choose this type")]
    provider: Field<Provider>,
    /// The organisation's id. A live organisation with another id stops the run.
    organization: Field<NameText>,
    /// The GraphQL endpoint. There is no default.
    endpoint: Field<RawEndpoint>,
    /// What rolecall calls the platform with.
    credentials: Field<RawCredentials>,
    /// What of these credentials is ours, which the API can't tell. Absent: no live admin key is ever disabled.
    own: Option<Field<RawOwn>>,
    /// Whom the file speaks for. Absent: for those who are listed.
    manage: Option<Field<RawManage>>,
    /// Limits that hold whatever the rest of the file wishes. Absent: those that are the default hold.
    guardrails: Option<Field<RawGuardrails>>,
    /// Send another invitation to whoever was seen invited and is gone? Default false.
    reinvite_expired: Option<Field<bool>>,
    /// The people. Absent and empty mean the same: nobody is listed.
    users: Option<Field<Vec<Field<RawUser>>>>,
    /// The organisation's API keys. Absent and empty mean the same: none is listed.
    keys: Option<Field<Vec<Field<RawKey>>>>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Provider {
    Bitpanda,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "BitpandaCredentials", deny_unknown_fields)]
struct RawCredentials {
    /// An organisation API key that holds `ADMIN`. Even reading needs one.
    api_key: Field<RawCredential>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "BitpandaOwn", deny_unknown_fields)]
struct RawOwn {
    /// The id (`apiKeyId`) of the key that rolecall calls with. Without it, no live admin key is ever disabled.
    key: Field<NameText>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "BitpandaManage", deny_unknown_fields)]
struct RawManage {
    /// With `all`, whoever isn't listed is disabled. Default `listed`.
    users: Option<Field<RawScope>>,
    /// With `all`, a key that isn't listed is disabled. Default `listed`.
    keys: Option<Field<RawScope>>,
}

/// A person.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "BitpandaUser", deny_unknown_fields)]
#[schemars(extend(
    "if" = { "properties": { "absent": { "const": true } }, "required": ["absent"] },
    "then" = { "properties": { "roles": false, "enabled": false } },
    "else" = { "required": ["enabled"] },
))]
struct RawUser {
    /// Who it is. Another address is another user.
    email: Field<EmailText>,
    /// Needed to invite. The API can't change it later.
    first_name: Option<Field<NameText>>,
    /// Needed to invite. The API can't change it later.
    last_name: Option<Field<NameText>>,
    /// Such as `"+430000000000"`, quoted. Absent: the invitation has none. The API can't change it later.
    phone: Option<Field<NameText>>,
    /// The exact set: a role that isn't listed is taken away. Needed to invite. Absent keeps what is live; `[]` takes all
    /// away.
    roles: Option<Field<Vec<Field<NameText>>>>,
    /// May the person sign in? The platform never shows it and every update writes it, so it has to be declared.
    enabled: Option<Field<bool>>,
    /// The person must have no access: they are disabled, as the API can't delete. Default false.
    absent: Option<Field<bool>>,
}

/// An API key of the organisation.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "BitpandaKey", deny_unknown_fields)]
#[schemars(extend(
    "if" = { "properties": { "absent": { "const": true } }, "required": ["absent"] },
    "then" = { "properties": { "roles": false, "expires": false, "deliver": false } },
))]
struct RawKey {
    /// What the key is called. Another name is another key.
    name: Field<NameText>,
    /// The key's id (`apiKeyId`), to tell namesakes apart or to enable a disabled key again. Absent: the live key of that
    /// name.
    id: Option<Field<NameText>>,
    /// The exact set. Needed to mint. A live key with another set is replaced by a successor.
    roles: Option<Field<Vec<Field<NameText>>>>,
    /// Needed to mint. A live key with another expiry is replaced by a successor.
    expires: Option<Field<InstantText>>,
    /// Where the secret goes. Needed to mint.
    deliver: Option<Field<RawDelivery>>,
    /// No such key may work: it is disabled, as the API can't delete. Default false.
    absent: Option<Field<bool>>,
}

/// Step two: what was typed becomes a wish, or findings.
pub(super) fn check(raw: RawBitpanda, check: &mut Checker<'_>) -> Option<Desired> {
    let RawBitpanda {
        provider: _,
        organization,
        endpoint,
        credentials,
        own,
        manage,
        guardrails,
        reinvite_expired,
        users,
        keys,
    } = raw;
    let organization = check.organization(organization);
    let endpoint = check.endpoint(endpoint);
    let api_key = credentials.value.and_then(|credentials| check.credential(credentials.api_key));
    let credentials = api_key.map(|api_key| BTreeMap::from([("api_key", api_key)]));
    let own_key = own.and_then(|own| own.value).and_then(|RawOwn { key }| {
        let mark = key.mark;
        check.name(key).map(|key| check.placed(mark, key))
    });
    let manage = match manage.and_then(|manage| manage.value) {
        Some(RawManage { users, keys }) => Manage { users: scope(users), keys: scope(keys), ..Manage::default() },
        None => Manage::default(),
    };
    let guardrails = check.guardrails(guardrails);
    let users = check_users(users, check);
    let keys = check_keys(keys, check);
    let place = check.source.start();
    Some(Desired {
        own_key,
        manage,
        guardrails,
        reinvite_expired: flag(reinvite_expired),
        users,
        keys,
        ..Desired::of(ProviderName::Bitpanda, place, organization?, endpoint?, credentials?)
    })
}

fn check_users(raw: Option<Field<Vec<Field<RawUser>>>>, check: &mut Checker<'_>) -> Vec<DesiredUser> {
    let mut users = Vec::new();
    let mut unique = Unique::new(Code::DuplicateUser);
    for Field { mark, value } in raw.and_then(|field| field.value).unwrap_or_default() {
        let Some(RawUser { email, first_name, last_name, phone, roles, enabled, absent }) = value else {
            continue;
        };
        let place = check.place(email.mark);
        let email_mark = email.mark;
        let absent = flag(absent);
        let email = check.email(email);
        check.contradiction(
            absent,
            [roles.as_ref().map(|f| (f.mark, "roles")), enabled.as_ref().map(|f| (f.mark, "enabled"))],
        );
        if enabled.is_none() && !absent {
            check.push(
                Finding::error(Code::EnabledNotDeclared, check.place(mark), "`enabled` isn't declared for this user")
                    .hint("add `enabled: true` or `enabled: false`: the platform never shows it, and every update writes it"),
            );
        }
        let first_name = first_name.and_then(|field| check.text(field));
        let last_name = last_name.and_then(|field| check.text(field));
        let phone = phone.and_then(|field| check.text(field));
        let roles = roles.and_then(|field| {
            let mark = field.mark;
            check.roles(field).map(|roles| check.placed(mark, roles))
        });
        let Some(email) = email else { continue };
        if !unique.admit(check, email.key().to_owned(), email_mark, &Address::user(&email).to_string()) {
            continue;
        }
        let enabled = enabled.and_then(|field| field.value);
        let user = DesiredUser::named(place, email);
        users.push(DesiredUser { first_name, last_name, phone, roles, enabled, absent, ..user });
    }
    users.sort_by(|a, b| a.email.cmp(&b.email));
    users
}

fn check_keys(raw: Option<Field<Vec<Field<RawKey>>>>, check: &mut Checker<'_>) -> Vec<DesiredKey> {
    let mut keys = Vec::new();
    let mut unique = Unique::new(Code::DuplicateKey);
    let mut targets = Targets::default();
    for Field { mark: _, value } in raw.and_then(|field| field.value).unwrap_or_default() {
        let Some(RawKey { name, id, roles, expires, deliver, absent }) = value else {
            continue;
        };
        let name_mark = name.mark;
        let absent = flag(absent);
        check.contradiction(
            absent,
            [
                roles.as_ref().map(|f| (f.mark, "roles")),
                expires.as_ref().map(|f| (f.mark, "expires")),
                deliver.as_ref().map(|f| (f.mark, "deliver")),
            ],
        );
        let name = check.name(name);
        let id = id.and_then(|field| check.name(field));
        let roles = roles.and_then(|field| check.roles(field));
        let expires = expires.and_then(|field| {
            let mark = field.mark;
            check.instant(field).map(|expires| check.placed(mark, expires))
        });
        let deliver = deliver.and_then(|field| targets.delivery(field, check));
        let Some(name) = name else { continue };
        let address = Address::key(&name).with_id(id.as_ref());
        if !unique.admit(check, address.to_string(), name_mark, &address.to_string()) {
            continue;
        }
        let place = check.place(name_mark);
        keys.push(DesiredKey {
            place,
            name,
            id,
            description: None,
            roles,
            permissions: None,
            resources: None,
            expires,
            absent,
            deliver,
        });
    }
    keys.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    keys
}
