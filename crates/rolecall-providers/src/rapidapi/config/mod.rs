//! A RapidAPI file: its fields, and the checks of their values.

mod entities;
mod teams;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::settings;
use entities::{check_settings, check_teams, check_users};
use rolecall_config::FileFormat;
use rolecall_config::parts::{
    AddressText, Checker, EmailText, Field, HostText, LineText, NameText, RawCredential, RawEndpoint,
    RawGuardrails, RawScope, flag, scope,
};
use rolecall_model::{Allowance, Code, Desired, Finding, Manage, Place, Placed, ProviderName, list_of, quote};
use teams::RawTeams;

/// This file describes who has which access to one organisation on a RapidAPI Enterprise Hub.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Rapidapi", deny_unknown_fields)]
#[schemars(extend("patternProperties" = { "^x-": true }))]
#[schemars(extend(
    "if" = {
        "properties": { "settings": { "properties": { "absent": { "const": true } }, "required": ["absent"] } },
        "required": ["settings"],
    },
    "then" = { "properties": { "teams": { "maxItems": 0 }, "users": { "maxItems": 0 } } },
))]
pub(super) struct RawRapidapi {
    /// This field names the platform.
    #[expect(dead_code, reason = "read before the rest, to choose this type")]
    provider: Field<Provider>,
    /// This is the organisation's slug, as the URL of its page contains it, or its id.
    organization: Field<NameText>,
    /// This is the URL of the GraphQL Platform API. Copy it from the hub's sample code.
    endpoint: Field<RawEndpoint>,
    /// This is the value of the header `x-rapidapi-host`. Copy it from the hub's sample code.
    host: Field<HostText>,
    /// rolecall signs in to the platform with these credentials.
    credentials: Field<RawCredentials>,
    /// rolecall sends changes with this key. The vendor doesn't document which key they need. Default: `team_key`,
    /// or `personal_key` if there is no `team_key`.
    changes_with: Option<Field<RawKeyName>>,
    /// The hub accepts this number of requests from one person in a minute. Default: 10.
    #[schemars(extend("minimum" = 1, "maximum" = 6000))]
    requests_per_minute: Option<Field<u32>>,
    /// If `true`, rolecall asks for several root fields in one query, which saves requests. The vendor's release
    /// notes forbid that, but a later page of the vendor does it. Default: `false`.
    several_root_fields: Option<Field<bool>>,
    /// A user with this role in the organisation is an admin. It is a role's name or key. It is needed only if no
    /// role, or more than one role, has `admin` in its name.
    admin_role: Option<Field<NameText>>,
    /// This mapping decides what happens to entities that the file doesn't list. If it is absent, they stay as
    /// they are.
    manage: Option<Field<RawManage>>,
    /// These limits apply to every plan, whatever the rest of the file says. If they are absent, their defaults
    /// apply.
    guardrails: Option<Field<RawGuardrails>>,
    /// Privileged access is known and stays as it is, although no entry writes it. Without this, it is drift. `*`
    /// stands for any text. Default: none.
    acknowledged: Option<Field<Vec<Field<AddressText>>>>,
    /// This list permits actions that can't be undone. Default: none of them is permitted.
    allow: Option<Field<Vec<Field<RawAllowance>>>>,
    /// If `true`, rolecall sends another invitation to a person whose invitation was listed earlier and has
    /// disappeared. Default: `false`.
    reinvite_expired: Option<Field<bool>>,
    /// This mapping describes the organisation itself. If it is absent, the organisation must exist and isn't
    /// changed.
    settings: Option<Field<RawSettings>>,
    /// This list names the organisation's teams. An absent list and an empty list both mean that no team is
    /// listed.
    teams: Option<Field<Vec<Field<RawTeam>>>>,
    /// This list names the people. An absent list and an empty list both mean that nobody is listed.
    users: Option<Field<Vec<Field<RawUser>>>>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Provider {
    Rapidapi,
}

/// The hub answers a team's key and a person's key differently. Only a team's key shows invitations. Only the key
/// of a hub administrator can change the status of accounts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "RapidapiCredentials", deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "as the vendor calls them")]
struct RawCredentials {
    /// This is the key of a personal account of a hub administrator. It is needed if the file has a `status`.
    personal_key: Option<Field<RawCredential>>,
    /// This is the key of an app that belongs to a team of the organisation. It is needed in every file, because
    /// only a team's key can list invitations.
    team_key: Option<Field<RawCredential>>,
    /// This is the personal key of the user who signs in with `team_key`. Default: the value of `personal_key`.
    identity_key: Option<Field<RawCredential>>,
}

/// rolecall sends changes with one of these keys.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename = "RapidapiKeyName", rename_all = "snake_case")]
enum RawKeyName {
    /// rolecall sends changes with the key of the personal account.
    PersonalKey,
    /// rolecall sends changes with the team's key, together with the identity key.
    TeamKey,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "RapidapiManage", deny_unknown_fields)]
struct RawManage {
    /// With `all`, a team that isn't listed is deleted. Default: `listed`.
    teams: Option<Field<RawScope>>,
    /// With `all`, a user who isn't listed is removed from the organisation. Default: `listed`.
    users: Option<Field<RawScope>>,
}

/// These actions can't be undone.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename = "RapidapiAllowance", rename_all = "kebab-case")]
enum RawAllowance {
    /// rolecall may delete the account of a user whose `status` is `deleted`. The user loses it in every
    /// organisation.
    UserDeletion,
    /// rolecall may delete the team that was created with the organisation, and the last team.
    DefaultTeamDeletion,
}

/// This mapping describes the organisation itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "RapidapiSettings", deny_unknown_fields)]
#[schemars(extend(
    "if" = { "properties": { "absent": { "const": true } }, "required": ["absent"] },
    "then" = { "properties": {
        "name": false, "email": false, "seats": false, "description": false, "thumbnail": false, "create": false,
    } },
))]
struct RawSettings {
    /// This is the organisation's name. It is needed to create the organisation. If it is absent, the live name is
    /// kept.
    #[schemars(with = "Option<LineText>")]
    name: Option<Field<NameText>>,
    /// The hub sends invoices and notices to this address. It is needed to create the organisation. If it is
    /// absent, the live address is kept.
    email: Option<Field<EmailText>>,
    /// The organisation pays for this number of people. It is needed to create the organisation. If it is absent,
    /// the live number is kept.
    #[schemars(extend("minimum" = 1))]
    seats: Option<Field<u32>>,
    /// This text describes the organisation. If it is absent, the live description is kept.
    #[schemars(with = "Option<LineText>")]
    description: Option<Field<NameText>>,
    /// This is the picture: a URL, or a path on the hub's server. If it is absent, the live picture is kept.
    #[schemars(with = "Option<LineText>")]
    thumbnail: Option<Field<NameText>>,
    /// If `true`, rolecall creates the organisation when no organisation has this slug. Default: `false`.
    create: Option<Field<bool>>,
    /// If `true`, the organisation must not exist. rolecall deletes it with its teams, apps and APIs. `apply`
    /// first asks for its name, on the terminal or with `--confirm-deletion`. Default: `false`.
    absent: Option<Field<bool>>,
}

/// This entry describes one team.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "RapidapiTeam", deny_unknown_fields)]
#[schemars(extend(
    "if" = { "properties": { "absent": { "const": true } }, "required": ["absent"] },
    "then" = { "properties": { "previously": false, "description": false, "thumbnail": false } },
))]
struct RawTeam {
    /// This is the team's name. Another name means another team, unless `previously` has the earlier one.
    name: Field<NameText>,
    /// These are names that the team had before. If `name` isn't live and one of these is, rolecall renames that
    /// team, and everybody stays in it. If `name` is live, they do nothing. Default: none.
    previously: Option<Field<Vec<Field<NameText>>>>,
    /// This text describes the team. If it is absent, the live description is kept.
    #[schemars(with = "Option<LineText>")]
    description: Option<Field<NameText>>,
    /// This is the picture: a URL, or a path on the hub's server. If it is absent, the live picture is kept.
    #[schemars(with = "Option<LineText>")]
    thumbnail: Option<Field<NameText>>,
    /// If `true`, the team must not exist. rolecall deletes it with its apps and APIs. Default: `false`.
    absent: Option<Field<bool>>,
}

/// This entry describes one person.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "RapidapiUser", deny_unknown_fields)]
#[schemars(extend(
    "if" = { "properties": { "absent": { "const": true } }, "required": ["absent"] },
    "then" = { "properties": { "roles": false, "teams": false } },
    "else" = { "properties": { "status": { "enum": ["active", "deactivated"] } } },
))]
struct RawUser {
    /// This address identifies the person. Another address means another user.
    email: Field<EmailText>,
    /// This is the user's one role in the organisation, by its name or its key. It is needed to invite. If it is
    /// absent, the live role is kept. `[]` means the hub's default role.
    #[schemars(length(max = 1))]
    roles: Option<Field<Vec<Field<NameText>>>>,
    /// This is the exact set of the user's teams. It is needed to invite. If it is absent, the live teams are
    /// kept. rolecall ignores it for admins of the organisation, because they are in every team.
    teams: Option<Field<RawTeams>>,
    /// This is the status of the user's account in the whole hub. If it is absent, the live status is kept.
    /// `deleted` also requires `absent: true` and `allow: [user-deletion]`.
    status: Option<Field<RawStatus>>,
    /// If `true`, the person must not be in the organisation. rolecall removes them from it. Their account and
    /// their other organisations stay as they are. Default: `false`.
    absent: Option<Field<bool>>,
}

/// This is the status of an account in the whole hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename = "RapidapiStatus", rename_all = "lowercase")]
enum RawStatus {
    /// The person can sign in.
    Active,
    /// The person can't sign in and uses no seat. The hub deletes their personal subscriptions.
    Deactivated,
    /// The hub deletes the account. Nothing restores it.
    Deleted,
}

impl FileFormat for RawRapidapi {
    fn check(self, checker: &mut Checker<'_>) -> Option<Desired> {
        check(self, checker)
    }
}

/// Checks the decoded file: returns the desired state, or `None` and findings.
fn check(raw: RawRapidapi, check: &mut Checker<'_>) -> Option<Desired> {
    let RawRapidapi {
        provider: _,
        organization,
        endpoint,
        host,
        credentials,
        changes_with,
        requests_per_minute,
        several_root_fields,
        admin_role,
        manage,
        guardrails,
        acknowledged,
        allow,
        reinvite_expired,
        settings: organization_settings,
        teams,
        users,
    } = raw;
    let organization = check.organization(organization);
    let endpoint = check.endpoint(endpoint);
    let host = check_host(host, check);
    let credentials_place = check.place(credentials.mark);
    let credentials = credentials.value.and_then(|RawCredentials { personal_key, team_key, identity_key }| {
        check.credentials([("personal_key", personal_key), ("team_key", team_key), ("identity_key", identity_key)])
    });
    let changes_with = changes_with.map(|Field { mark, value }| Field {
        mark,
        value: value.map(|name| match name {
            RawKeyName::PersonalKey => "personal_key",
            RawKeyName::TeamKey => "team_key",
        }),
    });
    let requests_per_minute = requests_per_minute.map(|field| check_requests_per_minute(field, check));
    let settings = settings::collect(changes_with, requests_per_minute, several_root_fields, check);
    let admin_role = admin_role.and_then(|field| {
        let mark = field.mark;
        check.name(field).map(|role| check.placed(mark, role))
    });
    let manage = match manage.and_then(|manage| manage.value) {
        Some(RawManage { teams, users }) => {
            Manage { teams: scope(teams), users: scope(users), ..Manage::default() }
        }
        None => Manage::default(),
    };
    let guardrails = check.guardrails(guardrails);
    let acknowledged = check.patterns(acknowledged);
    let allowed = allow.and_then(|field| field.value).unwrap_or_default();
    let allowed: BTreeSet<Allowance> = allowed
        .into_iter()
        .filter_map(|item| item.value)
        .map(|allowance| match allowance {
            RawAllowance::UserDeletion => Allowance::UserDeletion,
            RawAllowance::DefaultTeamDeletion => Allowance::DefaultTeamDeletion,
        })
        .collect();
    let organization_entity =
        organization_settings.and_then(|field| check_settings(field, organization.as_ref(), check));
    let deleted = organization_entity.as_ref().is_some_and(|organization| organization.absent);
    let some_teams = teams.as_ref().filter(|field| field.value.as_ref().is_some_and(|list| !list.is_empty()));
    let some_users = users.as_ref().filter(|field| field.value.as_ref().is_some_and(|list| !list.is_empty()));
    check.contradiction(
        deleted,
        [some_teams.map(|field| (field.mark, "teams")), some_users.map(|field| (field.mark, "users"))],
    );
    let teams = check_teams(teams, check);
    let users = check_users(users, &teams, &allowed, check);
    let place = check.source.start();
    let desired = Desired {
        host: Some(host?),
        settings,
        admin_role,
        manage,
        guardrails,
        acknowledged,
        allowed,
        reinvite_expired: flag(reinvite_expired),
        organization_entity,
        teams,
        users,
        ..Desired::of(ProviderName::Rapidapi, place, organization?, endpoint?, credentials?)
    };
    check_callable(&desired, credentials_place, check);
    Some(desired)
}

/// Checks the host name. rolecall sends it in a header, and it decides which server receives the key.
fn check_host(field: Field<HostText>, check: &mut Checker<'_>) -> Option<Placed<String>> {
    let mark = field.mark;
    let HostText(host) = field.value?;
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if !host.is_empty() && host.chars().all(usual) && !host.starts_with('.') {
        return Some(check.placed(mark, host));
    }
    let message = format!("{} is not a host name.", quote(&host));
    check.invalid(mark, message, "Copy it from the hub's sample code, without `https://`.");
    None
}

fn check_requests_per_minute(Field { mark, value }: Field<u32>, check: &mut Checker<'_>) -> Field<u32> {
    const MOST: u32 = 6000;
    if let Some(requests) = value.filter(|requests| !(1..=MOST).contains(requests)) {
        let message = format!("rolecall can't send {requests} requests in a minute.");
        check.invalid(mark, message, "Write a number from 1 to 6000. The vendor's limit is 10.");
    }
    Field { mark, value }
}

/// Reports the operations that the file needs and that none of its credentials can send.
fn check_callable(desired: &Desired, place: Place, check: &mut Checker<'_>) {
    let names: BTreeSet<&str> = desired.credentials.keys().copied().collect();
    let operations = check.rules.uncallable(&names, desired);
    if operations.is_empty() {
        return;
    }
    let has_team_key =
        names.contains("team_key") && (names.contains("identity_key") || names.contains("personal_key"));
    let hint = match (has_team_key, names.contains("personal_key")) {
        (false, false) => "Add a `team_key` and a `personal_key`, or a `team_key` and an `identity_key`.",
        (false, true) => "Add a `team_key`. The hub shows invitations only to a team's key.",
        (true, _) => "Add the `personal_key` of an administrator of the hub.",
    };
    let mut message = format!("None of the credentials can send {}", list_of(&operations, "or"));
    let mut place = place;
    // If only a `status` needs the operation, the finding points to the first one.
    let by_status = desired.users.iter().filter(|user| user.enabled.is_some() || user.deleted);
    if let (["updateUser"], Some(first)) = (&operations[..], by_status.min_by_key(|user| user.place.line)) {
        message.push_str(", which a `status` needs");
        place = first.place.clone();
    }
    message.push('.');
    check.push(Finding::error(Code::MissingCredential, place, message).hint(hint));
}
