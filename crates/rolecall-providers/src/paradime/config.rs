//! A Paradime file: its fields, and the checks of their values.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use rolecall_config::parts::{
    AddressText, Checker, EmailText, Field, NameText, RawCredential, RawGuardrails, RawScope, RawSecretEndpoint,
    flag, scope,
};
use rolecall_config::{FileFormat, schema_type};
use rolecall_model::{
    Address, Code, Credential, Desired, DesiredUser, Finding, Manage, Placed, ProviderName, RemoteId, RoleName,
};

/// This file describes who has which access to one workspace at Paradime.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Paradime", deny_unknown_fields)]
#[schemars(extend("patternProperties" = { "^x-": true }))]
pub(super) struct RawParadime {
    /// This field names the platform.
    #[expect(dead_code, reason = "read before the rest, to choose this type")]
    provider: Field<Provider>,
    /// This is the workspace's uid. With a company token it selects the workspace.
    #[schemars(extend("pattern" = "^[!-~]+$"))]
    organization: Field<NameText>,
    /// This mapping names the environment variable with the URL of the GraphQL endpoint. The URL's path contains a
    /// token of your company, so the URL must not be written in the file.
    endpoint: Field<RawSecretEndpoint>,
    /// rolecall signs in to the platform with these credentials.
    credentials: Field<RawCredentials>,
    /// This mapping names the user to whom the credentials belong, because the API doesn't show it. If it is
    /// absent, rolecall can't protect that user.
    own: Option<Field<RawOwn>>,
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
    /// This list names the people. An absent list and an empty list both mean that nobody is listed.
    users: Option<Field<Vec<Field<RawUser>>>>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Provider {
    Paradime,
}

/// The credentials are a token, or an API key with its secret.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "ParadimeCredentials", deny_unknown_fields)]
#[schemars(extend("oneOf" = [
    { "required": ["token"], "properties": { "api_key": false, "api_secret": false } },
    { "required": ["api_key", "api_secret"], "properties": { "token": false } },
]))]
struct RawCredentials {
    /// This is a workspace token (`prdm_wsp_…`) or a company token (`prdm_cmp_…`). Several files can share a
    /// company token. It is needed unless `api_key` is present.
    token: Option<Field<RawCredential>>,
    /// This is an API key of the workspace, which the vendor calls legacy. It is needed unless `token` is present.
    api_key: Option<Field<RawCredential>>,
    /// This is the secret of `api_key`. It is needed together with `api_key`.
    api_secret: Option<Field<RawCredential>>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "ParadimeOwn", deny_unknown_fields)]
struct RawOwn {
    /// The credentials belong to this person. rolecall never disables them and never reduces their access.
    user: Field<EmailText>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "ParadimeManage", deny_unknown_fields)]
struct RawManage {
    /// With `all`, a user who isn't listed is disabled. Default: `listed`.
    users: Option<Field<RawScope>>,
}

/// This entry describes one person.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "ParadimeUser", deny_unknown_fields)]
#[schemars(extend(
    "if" = { "properties": { "absent": { "const": true } }, "required": ["absent"] },
    "then" = { "properties": { "roles": false } },
))]
struct RawUser {
    /// This address identifies the person. Another address means another user.
    email: Field<EmailText>,
    /// This is the user's uid. It is needed only if two users have addresses that differ only in upper and lower
    /// case.
    id: Option<Field<NameText>>,
    /// This is the user's one account type. It is needed to invite. If it is absent, the live account type is
    /// kept.
    #[schemars(with = "Option<Vec<AccountTypeText>>", length(min = 1, max = 1))]
    roles: Option<Field<Vec<Field<NameText>>>>,
    /// If `true`, the person must have no access. rolecall disables them, because the API can't delete users.
    /// Default: `false`.
    absent: Option<Field<bool>>,
}

impl FileFormat for RawParadime {
    fn check(self, checker: &mut Checker<'_>) -> Option<Desired> {
        check(self, checker)
    }
}

/// Checks the decoded file: returns the desired state, or `None` and findings.
fn check(raw: RawParadime, check: &mut Checker<'_>) -> Option<Desired> {
    let RawParadime {
        provider: _,
        organization,
        endpoint,
        credentials,
        own,
        manage,
        guardrails,
        acknowledged,
        reinvite_expired,
        users,
    } = raw;
    let organization = check_workspace(organization, check);
    let endpoint = check.secret_endpoint(endpoint);
    let credentials = check_credentials(credentials, check);
    let own_user = own.and_then(|own| own.value).and_then(|RawOwn { user }| {
        let mark = user.mark;
        check.email(user).map(|user| check.placed(mark, user))
    });
    let manage = match manage.and_then(|manage| manage.value) {
        Some(RawManage { users }) => Manage { users: scope(users), ..Manage::default() },
        None => Manage::default(),
    };
    let guardrails = check.guardrails(guardrails);
    let acknowledged = check.patterns(acknowledged);
    let users = check_users(users, check);
    if let Some(own) = &own_user
        && let Some(absent) = users.iter().find(|user| user.absent && user.email == own.value)
    {
        check.push(
            Finding::error(
                Code::AbsentWithValues,
                absent.place.clone(),
                format!("{} must be removed, but rolecall signs in with their credential.", own.value),
            )
            .hint("Use another user's credential first, and name that user in `own`."),
        );
    }
    let place = check.source.start();
    Some(Desired {
        own_user,
        manage,
        guardrails,
        acknowledged,
        reinvite_expired: flag(reinvite_expired),
        users,
        ..Desired::of(ProviderName::Paradime, place, organization?, endpoint?, credentials?)
    })
}

/// Checks the uid of the workspace. rolecall sends it in a header, so it must consist of visible ASCII characters.
fn check_workspace(field: Field<NameText>, check: &mut Checker<'_>) -> Option<Placed<RemoteId>> {
    let organization = check.organization(field)?;
    if organization.as_str().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(organization);
    }
    let message = "The uid of a workspace consists of letters and digits.";
    check.push(
        Finding::error(Code::InvalidValue, organization.place, message)
            .hint("Write the workspace's uid, not its name."),
    );
    None
}

fn check_credentials(
    field: Field<RawCredentials>,
    check: &mut Checker<'_>,
) -> Option<BTreeMap<&'static str, Placed<Credential>>> {
    let mark = field.mark;
    let RawCredentials { token, api_key, api_secret } = field.value?;
    let report = |code: Code, message: &str, check: &mut Checker<'_>| {
        let place = check.place(mark);
        let hint = "Write either `token`, or `api_key` and `api_secret`.";
        check.push(Finding::error(code, place, message).hint(hint));
        None
    };
    match (&token, &api_key, &api_secret) {
        (Some(_), None, None) | (None, Some(_), Some(_)) => {}
        (Some(_), _, _) => {
            return report(Code::InvalidValue, "There are two credentials, but rolecall needs one.", check);
        }
        (None, Some(_), None) => return report(Code::MissingField, "`api_secret` is missing.", check),
        (None, None, Some(_)) => return report(Code::MissingField, "`api_key` is missing.", check),
        (None, None, None) => return report(Code::MissingField, "The credential is missing.", check),
    }
    check.credentials([("token", token), ("api_key", api_key), ("api_secret", api_secret)])
}

fn check_users(raw: Option<Field<Vec<Field<RawUser>>>>, check: &mut Checker<'_>) -> Vec<DesiredUser> {
    check.entries(raw, Code::DuplicateUser, |raw: RawUser, _, check| {
        let RawUser { email, id, roles, absent } = raw;
        let mark = email.mark;
        let absent = flag(absent);
        check.contradiction(absent, [roles.as_ref().map(|f| (f.mark, "roles"))]);
        let roles = roles.and_then(|field| check_account_type(field, check));
        let id = id.and_then(|field| check.name(field));
        let email = check.email(email)?;
        let address = Address::user(&email).with_id(id.as_ref());
        let user = DesiredUser::named(check.place(mark), email);
        Some((mark, address, DesiredUser { id, roles, absent, ..user }))
    })
}

fn check_account_type(
    field: Field<Vec<Field<NameText>>>,
    check: &mut Checker<'_>,
) -> Option<Placed<BTreeSet<RoleName>>> {
    let list = field.mark;
    let (role, mark) = check.one_role(field, "Keep one. The platform accepts only one.")?;
    check.known_role(&role, mark);
    Some(check.placed(list, BTreeSet::from([role])))
}

schema_type! {
    /// The account type of a Paradime user.
    AccountTypeText: {
        "description": "This is the account type of a Paradime user. Every Paradime plan includes `ADMIN`, `DEVELOPER` and `BUSINESS`. `ANALYST`, `WORKSPACE_ADMIN`, `WORKSPACE_SETTINGS_ADMIN`, `SECURITY_ADMIN` and `BILLING_ADMIN` need the Security pack. Paradime's documentation doesn't describe `SANDBOX_USER`.",
        "enum": [
            "ADMIN", "DEVELOPER", "BUSINESS", "ANALYST", "WORKSPACE_ADMIN", "WORKSPACE_SETTINGS_ADMIN",
            "SECURITY_ADMIN", "BILLING_ADMIN", "SANDBOX_USER",
        ],
    }
}
