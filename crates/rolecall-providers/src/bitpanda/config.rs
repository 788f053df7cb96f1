//! A Bitpanda Custody file: its fields, and the checks of their values.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use rolecall_config::FileFormat;
use rolecall_config::parts::{
    AddressText, Checker, EmailText, Field, InstantText, LineText, NameText, OneOrMore, RawCredential,
    RawDelivery, RawEndpoint, RawGuardrails, RawScope, flag, scope,
};
use rolecall_model::{Address, Code, Desired, DesiredKey, DesiredUser, Manage, ProviderName};

/// This file describes who has which access to one organisation at Bitpanda Enterprise Custody.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Bitpanda", deny_unknown_fields)]
#[schemars(extend("patternProperties" = { "^x-": true }))]
pub(super) struct RawBitpanda {
    /// This field names the platform.
    #[expect(dead_code, reason = "read before the rest, to choose this type")]
    provider: Field<Provider>,
    /// This is the organisation's id. If the live organisation has another id, the run stops.
    organization: Field<NameText>,
    /// This is the GraphQL endpoint. There is no default.
    endpoint: Field<RawEndpoint>,
    /// rolecall signs in to the platform with these credentials.
    credentials: Field<RawCredentials>,
    /// This mapping names the key that rolecall signs in with, because the API doesn't show it. If it is absent,
    /// rolecall never disables a live admin key.
    own: Option<Field<RawOwn>>,
    /// This mapping decides what happens to entities that the file doesn't list. If it is absent, they stay as
    /// they are.
    manage: Option<Field<RawManage>>,
    /// These limits apply to every plan, whatever the rest of the file says. If they are absent, their defaults
    /// apply.
    guardrails: Option<Field<RawGuardrails>>,
    /// This list allows what a mistake may look like. If it is absent, nothing of it is allowed.
    allow: Option<Field<Vec<Field<RawAllowance>>>>,
    /// Privileged access is known and stays as it is, although no entry writes it. Without this, it is drift. `*`
    /// stands for any text. Default: none.
    acknowledged: Option<Field<Vec<Field<AddressText>>>>,
    /// If `true`, rolecall sends another invitation to a person whose invitation was listed earlier and has
    /// disappeared. Default: `false`.
    reinvite_expired: Option<Field<bool>>,
    /// This list names the people. An absent list and an empty list both mean that nobody is listed.
    users: Option<Field<Vec<Field<RawUser>>>>,
    /// This list names the organisation's API keys. An absent list and an empty list both mean that no key is
    /// listed.
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
    /// This is an organisation API key with the role `ADMIN`. Even reading needs that role.
    api_key: Field<RawCredential>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "BitpandaOwn", deny_unknown_fields)]
struct RawOwn {
    /// This is the id (`apiKeyId`) of rolecall's own key. Without it, rolecall never disables a live admin key.
    key: Field<NameText>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "BitpandaManage", deny_unknown_fields)]
struct RawManage {
    /// With `all`, a user who isn't listed is disabled. Default: `listed`.
    users: Option<Field<RawScope>>,
    /// With `all`, a key that isn't listed is disabled. Default: `listed`.
    keys: Option<Field<RawScope>>,
}

/// This word allows what a mistake may look like.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename = "BitpandaAllowance", rename_all = "kebab-case")]
enum RawAllowance {
    /// The file may contain roles that rolecall doesn't know. A name that differs from a known role by one letter, or
    /// by its case, is then a warning instead of an error.
    UnknownRoles,
}

/// This entry describes one person.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "BitpandaUser", deny_unknown_fields)]
#[schemars(extend(
    "if" = { "properties": { "absent": { "const": true } }, "required": ["absent"] },
    "then" = { "properties": { "roles": false, "enabled": false } },
))]
struct RawUser {
    /// This address identifies the person. Another address means another user.
    email: Field<EmailText>,
    /// The invitation contains this name, so it is needed to invite. The API can't change it later.
    #[schemars(with = "Option<LineText>")]
    first_name: Option<Field<NameText>>,
    /// The invitation contains this name, so it is needed to invite. The API can't change it later.
    #[schemars(with = "Option<LineText>")]
    last_name: Option<Field<NameText>>,
    /// The invitation contains this phone number. Put it in quotes: `"+430000000000"`. If it is absent, the
    /// invitation has none. The API can't change it later.
    #[schemars(with = "Option<LineText>")]
    phone: Option<Field<NameText>>,
    /// This is the exact set of roles: the user loses each role that isn't listed. It is needed to invite. If it
    /// is absent, the live roles are kept. `[]` removes all roles.
    roles: Option<Field<Vec<Field<NameText>>>>,
    /// `true` means that the person can sign in. The API never shows this value, and every update writes it. So it is
    /// needed to update. If it is absent, the person isn't counted as a usable admin.
    enabled: Option<Field<bool>>,
    /// If `true`, the person must have no access. rolecall disables them, because the API can't delete users.
    /// Default: `false`.
    absent: Option<Field<bool>>,
}

/// This entry describes one API key of the organisation.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "BitpandaKey", deny_unknown_fields)]
#[schemars(extend(
    "if" = { "properties": { "absent": { "const": true } }, "required": ["absent"] },
    "then" = { "properties": { "roles": false, "expires": false, "deliver": false } },
))]
struct RawKey {
    /// This is the key's name. Another name means another key.
    name: Field<NameText>,
    /// This is the key's id (`apiKeyId`). It selects one of several keys with the same name, or a disabled key
    /// that must be enabled again. If it is absent, the entry means the live key of that name.
    id: Option<Field<NameText>>,
    /// This is the exact set of roles. It is needed to create the key. If a live key has other roles, rolecall
    /// creates a successor.
    roles: Option<Field<Vec<Field<NameText>>>>,
    /// The key expires at this time. It is needed to create the key. If a live key has another expiry, rolecall
    /// creates a successor.
    expires: Option<Field<InstantText>>,
    /// rolecall delivers the secret of a new key here, or to each place of a list. It is needed to create the key.
    deliver: Option<Field<OneOrMore<RawDelivery>>>,
    /// If `true`, the key must not work. rolecall disables it, because the API can't delete keys. Default:
    /// `false`.
    absent: Option<Field<bool>>,
}

impl FileFormat for RawBitpanda {
    fn check(self, checker: &mut Checker<'_>) -> Option<Desired> {
        check(self, checker)
    }
}

/// Checks the decoded file: returns the desired state, or `None` and findings.
fn check(raw: RawBitpanda, check: &mut Checker<'_>) -> Option<Desired> {
    let RawBitpanda {
        provider: _,
        organization,
        endpoint,
        credentials,
        own,
        manage,
        guardrails,
        acknowledged,
        allow,
        reinvite_expired,
        users,
        keys,
    } = raw;
    let allowed = allow.and_then(|field| field.value).unwrap_or_default();
    check.allows_unknown_roles = allowed.iter().any(|item| matches!(item.value, Some(RawAllowance::UnknownRoles)));
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
    let acknowledged = check.patterns(acknowledged);
    let users = check_users(users, check);
    let keys = check_keys(keys, check);
    let place = check.source.start();
    Some(Desired {
        own_key,
        manage,
        guardrails,
        acknowledged,
        reinvite_expired: flag(reinvite_expired),
        users,
        keys,
        ..Desired::of(ProviderName::Bitpanda, place, organization?, endpoint?, credentials?)
    })
}

fn check_users(raw: Option<Field<Vec<Field<RawUser>>>>, check: &mut Checker<'_>) -> Vec<DesiredUser> {
    check.entries(raw, Code::DuplicateUser, |raw: RawUser, _, check| {
        let RawUser { email, first_name, last_name, phone, roles, enabled, absent } = raw;
        let place = check.place(email.mark);
        let email_mark = email.mark;
        let absent = flag(absent);
        let email = check.email(email);
        check.contradiction(
            absent,
            [roles.as_ref().map(|f| (f.mark, "roles")), enabled.as_ref().map(|f| (f.mark, "enabled"))],
        );
        let first_name = first_name.and_then(|field| check.text(field));
        let last_name = last_name.and_then(|field| check.text(field));
        let phone = phone.and_then(|field| check.text(field));
        let roles = roles.and_then(|field| {
            let mark = field.mark;
            check.roles(field).map(|roles| check.placed(mark, roles))
        });
        let email = email?;
        let enabled = enabled.and_then(|field| field.value);
        let address = Address::user(&email);
        let user = DesiredUser::named(place, email);
        Some((email_mark, address, DesiredUser { first_name, last_name, phone, roles, enabled, absent, ..user }))
    })
}

fn check_keys(raw: Option<Field<Vec<Field<RawKey>>>>, check: &mut Checker<'_>) -> Vec<DesiredKey> {
    check.entries(raw, Code::DuplicateKey, |raw: RawKey, _, check| {
        let RawKey { name, id, roles, expires, deliver, absent } = raw;
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
        let deliver = deliver.map(|field| check.deliveries(field)).unwrap_or_default();
        let name = name?;
        let place = check.place(name_mark);
        let address = Address::key(&name).with_id(id.as_ref());
        Some((
            name_mark,
            address,
            DesiredKey {
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
            },
        ))
    })
}
