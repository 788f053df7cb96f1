//! A GraphQL Hive file: its fields, and the checks of their values.

mod entities;
mod resources;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use entities::{check_containment, check_keys, check_role_name, check_roles, check_users};
use resources::RawResources;
use rolecall_config::parts::{
    AddressText, Checker, DescriptionText, EmailText, Field, NameText, OneOrMore, RawCredential, RawDelivery,
    RawEndpoint, RawGuardrails, RawScope, flag, scope,
};
use rolecall_config::{FileFormat, schema_type};
use rolecall_model::{Desired, Manage, Placed, ProviderName, RoleName};

/// This file describes who has which access to one organisation on GraphQL Hive, in the cloud or self-hosted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Hive", deny_unknown_fields)]
#[schemars(extend("patternProperties" = { "^x-": true }))]
pub(super) struct RawHive {
    /// This field names the platform.
    #[expect(dead_code, reason = "read before the rest, to choose this type")]
    provider: Field<Provider>,
    /// This is the organisation's slug, as the URL of the web app contains it.
    #[schemars(extend("pattern" = "^[a-z0-9_-]+$"))]
    organization: Field<NameText>,
    /// This is the GraphQL endpoint, including its path. In the cloud it is
    /// `https://api.graphql-hive.com/graphql`. On your own server the path is `/graphql-public`.
    endpoint: Field<RawEndpoint>,
    /// rolecall signs in to the platform with these credentials.
    credentials: Field<RawCredentials>,
    /// This mapping decides what happens to entities that the file doesn't list. If it is absent, they stay as
    /// they are.
    manage: Option<Field<RawManage>>,
    /// These limits apply to every plan, whatever the rest of the file says. If they are absent, their defaults
    /// apply.
    guardrails: Option<Field<RawGuardrails>>,
    /// Privileged access is known and stays as it is, although no entry writes it. Without this, it is drift. `*`
    /// stands for any text. Default: none.
    acknowledged: Option<Field<Vec<Field<AddressText>>>>,
    /// If `true`, rolecall sends another invitation to a person whose invitation has expired. Default: `false`.
    reinvite_expired: Option<Field<bool>>,
    /// A member who must be removed gets this role, because the API can't remove members. The role allows nothing.
    /// rolecall creates it when it is first needed. Default: `No access`.
    #[schemars(with = "Option<RoleNameText>")]
    containment_role: Option<Field<NameText>>,
    /// This list names the roles that the organisation has defined. An absent list and an empty list both mean
    /// that no role is listed.
    roles: Option<Field<Vec<Field<RawRole>>>>,
    /// This list names the people. An absent list and an empty list both mean that nobody is listed.
    users: Option<Field<Vec<Field<RawUser>>>>,
    /// This list names the organisation's access tokens. An absent list and an empty list both mean that no token
    /// is listed. rolecall reads the tokens only if one is listed, or if `manage` has `keys: all`.
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
    /// This is an organisation access token (`hvo1/…`) for all resources. It needs the permissions
    /// `organization:describe`, `member:describe`, `member:modify` and `project:describe`. If the file has keys,
    /// it also needs `accessToken:modify`.
    token: Field<RawCredential>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "HiveManage", deny_unknown_fields)]
struct RawManage {
    /// With `all`, a role that isn't listed is deleted. Default: `listed`.
    roles: Option<Field<RawScope>>,
    /// With `all`, a member who isn't listed loses all access. Default: `listed`.
    users: Option<Field<RawScope>>,
    /// With `all`, a token that isn't listed is deleted. Default: `listed`.
    keys: Option<Field<RawScope>>,
}

/// This entry describes one role that the organisation has defined. The built-in roles Admin and Viewer can't be
/// listed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "HiveRole", deny_unknown_fields)]
#[schemars(extend(
    "if" = { "properties": { "absent": { "const": true } }, "required": ["absent"] },
    "then" = { "properties": { "previously": false, "permissions": false, "description": false } },
))]
struct RawRole {
    /// This is the role's name. Another name means another role, unless `previously` has the earlier one.
    #[schemars(with = "RoleNameText")]
    name: Field<NameText>,
    /// These are names that the role had before. If `name` isn't live and one of these is, rolecall renames that
    /// role, and everybody keeps it. If `name` is live, they do nothing. Default: none.
    previously: Option<Field<Vec<Field<NameText>>>>,
    /// This text describes the role. It is needed to create the role. If it is absent, the live description is
    /// kept.
    #[schemars(extend("minLength" = 2, "maxLength" = 256))]
    description: Option<Field<DescriptionText>>,
    /// This is the exact set of permissions, such as `[project:describe]`. It is needed to create the role. If it
    /// is absent, the live permissions are kept. `[]` allows nothing.
    permissions: Option<Field<Vec<Field<NameText>>>>,
    /// If `true`, the role must not exist. rolecall deletes it when no member has it. Default: `false`.
    absent: Option<Field<bool>>,
}

/// This entry describes one person.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "HiveUser", deny_unknown_fields)]
#[schemars(extend(
    "if" = { "properties": { "absent": { "const": true } }, "required": ["absent"] },
    "then" = { "properties": { "roles": false, "resources": false } },
))]
struct RawUser {
    /// This address identifies the person. Another address means another user.
    #[schemars(extend("maxLength" = 128))]
    email: Field<EmailText>,
    /// This is the user's id. It is needed only if two members have the same address.
    id: Option<Field<NameText>>,
    /// This is the member's one role. It is needed to invite. If it is absent, the live role is kept.
    #[schemars(length(min = 1, max = 1))]
    roles: Option<Field<Vec<Field<NameText>>>>,
    /// These are the resources that the role applies to: `all`, or a tree of projects, targets, services and app
    /// deployments. They are needed to invite. If they are absent, the live resources are kept.
    resources: Option<Field<RawResources>>,
    /// If `true`, the person must have no access. They get a role that allows nothing, because the API can't
    /// remove members. Default: `false`.
    absent: Option<Field<bool>>,
}

/// This entry describes one access token of the organisation.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "HiveKey", deny_unknown_fields)]
#[schemars(extend(
    "if" = { "properties": { "absent": { "const": true } }, "required": ["absent"] },
    "then" = { "properties": { "description": false, "permissions": false, "resources": false, "deliver": false } },
))]
struct RawKey {
    /// This is the token's title. Another title means another token.
    #[schemars(with = "TitleText")]
    name: Field<NameText>,
    /// This is the token's id. It selects one of several tokens with the same title. If it is absent, the entry
    /// means the live token of that title.
    id: Option<Field<NameText>>,
    /// This text describes the token. Default: no description. The API can't change it later. A changed
    /// description alone doesn't create a successor.
    #[schemars(extend("maxLength" = 248))]
    description: Option<Field<DescriptionText>>,
    /// This is the exact set of permissions. It is needed to create the token. If a live token has other
    /// permissions, rolecall creates a successor.
    permissions: Option<Field<Vec<Field<NameText>>>>,
    /// These are the resources that the token applies to. They are needed to create the token. If a live token has
    /// other resources, rolecall creates a successor.
    resources: Option<Field<RawResources>>,
    /// rolecall delivers the secret of a new token here, or to each place of a list. It is needed to create the token.
    deliver: Option<Field<OneOrMore<RawDelivery>>>,
    /// If `true`, the token must not exist. rolecall deletes it. Default: `false`.
    absent: Option<Field<bool>>,
}

/// The default of `containment_role`.
const CONTAINMENT_ROLE: &str = "No access";

impl FileFormat for RawHive {
    fn check(self, checker: &mut Checker<'_>) -> Option<Desired> {
        check(self, checker)
    }
}

/// Checks the decoded file: returns the desired state, or `None` and findings.
fn check(raw: RawHive, check: &mut Checker<'_>) -> Option<Desired> {
    let RawHive {
        provider: _,
        organization,
        endpoint,
        credentials,
        manage,
        guardrails,
        acknowledged,
        reinvite_expired,
        containment_role,
        roles,
        users,
        keys,
    } = raw;
    let mark = organization.mark;
    let organization = check.slug(organization).map(|slug| check.placed(mark, slug));
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
    let acknowledged = check.patterns(acknowledged);
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
        acknowledged,
        reinvite_expired: flag(reinvite_expired),
        containment_role,
        roles,
        users,
        keys,
        ..Desired::of(ProviderName::Hive, place, organization?, endpoint?, credentials?)
    })
}

schema_type! {
    /// The name of a Hive role. The form follows the rules of the Hive server.
    RoleNameText: {
        "description": "This is the name of a Hive role. The server requires that it doesn't begin with a lower-case letter, and reserves `Admin` and `Viewer`.",
        "type": "string", "minLength": 2, "maxLength": 64, "not": { "enum": ["Admin", "Viewer"] },
        "pattern": r"^[^a-z\s]",
    }
}

schema_type! {
    /// The title of a Hive access token. The form follows the rules of the Hive server.
    TitleText: {
        "description": "This is the title of a Hive access token. It consists of letters, digits, spaces, `_` and `-`, and has no space at either end.",
        "type": "string", "minLength": 2, "maxLength": 100,
        "pattern": "^[a-zA-Z0-9_-][ a-zA-Z0-9_-]*[a-zA-Z0-9_-]$",
    }
}
