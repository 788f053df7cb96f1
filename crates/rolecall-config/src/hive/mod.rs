//! A GraphQL Hive file: what may be typed, and what of it is true.

mod entities;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::{Checker, flag, scope};
use super::field::Field;
use super::guardrails::RawGuardrails;
use super::raw::{
    DescriptionText, EmailText, NameText, RawCredential, RawDelivery, RawEndpoint, RawScope, RoleNameText,
    TitleText,
};
use super::resources::RawResources;
use entities::{check_containment, check_keys, check_role_name, check_roles, check_users};
use rolecall_model::{Desired, Manage, Placed, ProviderName, RoleName};

/// Access to one organisation on GraphQL Hive, in the cloud or self-hosted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Hive", deny_unknown_fields)]
pub struct RawHive {
    /// The platform.
    #[expect(dead_code, reason = "read before the rest, to choose this type")]
    provider: Field<Provider>,
    /// The organisation's slug, as it stands in the web app's address.
    organization: Field<NameText>,
    /// The GraphQL endpoint, path included: `https://api.graphql-hive.com/graphql` in the cloud, `/graphql-public`
    /// of one's own server.
    endpoint: Field<RawEndpoint>,
    /// What rolecall calls the platform with.
    credentials: Field<RawCredentials>,
    /// Whom the file speaks for. Absent: for those who are listed.
    manage: Option<Field<RawManage>>,
    /// Limits that hold whatever the rest of the file wishes. Absent: those that are the default hold.
    guardrails: Option<Field<RawGuardrails>>,
    /// Send another invitation to whoever let one run out? Default false.
    reinvite_expired: Option<Field<bool>>,
    /// The role that is given to whoever must go, since no call removes a member. It allows nothing, and is made where
    /// it is needed. Default `No access`.
    #[schemars(with = "Option<RoleNameText>")]
    containment_role: Option<Field<NameText>>,
    /// The organisation's own roles. Absent and empty mean the same: none is listed.
    roles: Option<Field<Vec<Field<RawRole>>>>,
    /// The people. Absent and empty mean the same: nobody is listed.
    users: Option<Field<Vec<Field<RawUser>>>>,
    /// The organisation's access tokens. Absent and empty mean the same: none is listed. They are read only if one is
    /// listed or all are managed.
    keys: Option<Field<Vec<Field<RawKey>>>>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Provider {
    Hive,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "HiveCredentials", deny_unknown_fields)]
struct RawCredentials {
    /// An organisation access token (`hvo1/…`) on all resources that may `organization:describe`, `member:describe`,
    /// `member:modify`, `project:describe`, and `accessToken:modify` where the file has keys.
    token: Field<RawCredential>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "HiveManage", deny_unknown_fields)]
struct RawManage {
    /// With `all`, a role that isn't listed is deleted. Default `listed`.
    roles: Option<Field<RawScope>>,
    /// With `all`, whoever isn't listed loses all access. Default `listed`.
    users: Option<Field<RawScope>>,
    /// With `all`, a token that isn't listed is deleted. Default `listed`.
    keys: Option<Field<RawScope>>,
}

/// A role of the organisation's own. Admin and Viewer are built in and can't be listed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "HiveRole", deny_unknown_fields)]
#[schemars(extend(
    "if" = { "properties": { "absent": { "const": true } }, "required": ["absent"] },
    "then" = { "properties": { "permissions": false, "description": false } },
))]
struct RawRole {
    /// What the role is called. Another name is another role.
    #[schemars(with = "RoleNameText")]
    name: Field<NameText>,
    /// What it is for. Needed to make the role; absent keeps what is live.
    #[schemars(extend("minLength" = 2, "maxLength" = 256))]
    description: Option<Field<DescriptionText>>,
    /// The exact set, such as `[project:describe]`. Needed to make the role; absent keeps what is live; `[]` allows nothing.
    permissions: Option<Field<Vec<Field<NameText>>>>,
    /// There must be no such role. It is deleted once nobody has it. Default false.
    absent: Option<Field<bool>>,
}

/// A person.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "HiveUser", deny_unknown_fields)]
#[schemars(extend(
    "if" = { "properties": { "absent": { "const": true } }, "required": ["absent"] },
    "then" = { "properties": { "roles": false, "resources": false } },
))]
struct RawUser {
    /// Who it is. Another address is another user.
    #[schemars(extend("maxLength" = 128))]
    email: Field<EmailText>,
    /// The user's id. Needed only where two members have one address.
    id: Option<Field<NameText>>,
    /// The one role that a member has. Absent keeps what is live; needed to invite.
    #[schemars(length(min = 1, max = 1))]
    roles: Option<Field<Vec<Field<NameText>>>>,
    /// `all`, or a tree of projects, targets, services and app deployments. Absent keeps what is live; needed to invite.
    resources: Option<Field<RawResources>>,
    /// The person must have no access: they keep a role that allows nothing, as the API can't remove them. Default false.
    absent: Option<Field<bool>>,
}

/// An organisation access token.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "HiveKey", deny_unknown_fields)]
#[schemars(extend(
    "if" = { "properties": { "absent": { "const": true } }, "required": ["absent"] },
    "then" = { "properties": { "description": false, "permissions": false, "resources": false, "deliver": false } },
))]
struct RawKey {
    /// The token's title. Another title is another token.
    #[schemars(with = "TitleText")]
    name: Field<NameText>,
    /// The token's id, to tell namesakes apart. Absent: the live token of that name.
    id: Option<Field<NameText>>,
    /// What it is for. Default: none. It can't be changed later, and another one here mints no successor.
    #[schemars(extend("maxLength" = 248))]
    description: Option<Field<DescriptionText>>,
    /// The exact set. Needed to mint. A live token with another set is replaced by a successor.
    permissions: Option<Field<Vec<Field<NameText>>>>,
    /// `all`, or a tree. Needed to mint. A live token with other resources is replaced by a successor.
    resources: Option<Field<RawResources>>,
    /// Where the secret goes. Needed to mint.
    deliver: Option<Field<RawDelivery>>,
    /// No such token may work: it is deleted. Default false.
    absent: Option<Field<bool>>,
}

/// The role that holds whoever must go, where the file names none.
const CONTAINMENT_ROLE: &str = "No access";

/// Step two: what was typed becomes a wish, or findings.
pub(super) fn check(raw: RawHive, check: &mut Checker<'_>) -> Option<Desired> {
    let RawHive {
        provider: _,
        organization,
        endpoint,
        credentials,
        manage,
        guardrails,
        reinvite_expired,
        containment_role,
        roles,
        users,
        keys,
    } = raw;
    let organization = check.organization(organization);
    let endpoint = check.endpoint(endpoint);
    let token = credentials.value.and_then(|credentials| check.credential(credentials.token));
    let credentials = token.map(|token| BTreeMap::from([("token", token)]));
    let manage = match manage.and_then(|manage| manage.value) {
        Some(RawManage { roles, users, keys }) => {
            Manage { roles: scope(roles), users: scope(users), keys: scope(keys), ..Manage::default() }
        }
        None => Manage::default(),
    };
    let guardrails = check.guardrails(guardrails);
    let containment_role = match containment_role {
        Some(field) => {
            let mark = field.mark;
            let name = check.name(field).filter(|name| check_role_name(name, mark, check));
            name.map(|name| check.placed(mark, name))
        }
        None => Some(Placed { value: RoleName::seen(CONTAINMENT_ROLE), place: check.source.start() }),
    };
    let roles = check_roles(roles, check);
    if let Some(name) = &containment_role {
        check_containment(name, &roles, check);
    }
    let users = check_users(users, &roles, check);
    let keys = check_keys(keys, check);
    let place = check.source.start();
    Some(Desired {
        manage,
        guardrails,
        reinvite_expired: flag(reinvite_expired),
        containment_role,
        roles,
        users,
        keys,
        ..Desired::of(ProviderName::Hive, place, organization?, endpoint?, credentials?)
    })
}
