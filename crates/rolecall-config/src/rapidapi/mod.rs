//! A RapidAPI file: what may be typed, and what of it is true.

mod entities;
mod teams;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::{Checker, flag, scope};
use super::field::Field;
use super::guardrails::RawGuardrails;
use super::raw::{EmailText, HostText, NameText, RawCredential, RawEndpoint, RawScope};
use entities::{check_settings, check_teams, check_users};
use rolecall_model::{Allowance, Code, Desired, Finding, Manage, Place, Placed, ProviderName, list_of, quote};
use teams::RawTeams;

/// Access to one organisation on a RapidAPI Enterprise Hub.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Rapidapi", deny_unknown_fields)]
#[schemars(extend(
    "if" = {
        "properties": { "settings": { "properties": { "absent": { "const": true } }, "required": ["absent"] } },
        "required": ["settings"],
    },
    "then" = { "properties": { "teams": { "maxItems": 0 }, "users": { "maxItems": 0 } } },
))]
pub struct RawRapidapi {
    /// The platform.
    #[expect(dead_code, reason = "read before the rest, to choose this type")]
    provider: Field<Provider>,
    /// The organisation's slug, as it stands in the address of its page, or its id.
    organization: Field<NameText>,
    /// The URL of the GraphQL Platform API, as the hub's sample code has it.
    endpoint: Field<RawEndpoint>,
    /// What the hub's sample code sends as `x-rapidapi-host`.
    host: Field<HostText>,
    /// What rolecall calls the platform with.
    credentials: Field<RawCredentials>,
    /// Which of them changes are sent with, as the vendor doesn't say. Default: the team's, where there is one.
    changes_with: Option<Field<RawKeyName>>,
    /// How many requests the hub lets a person send in a minute. Default 10.
    #[schemars(extend("minimum" = 1, "maximum" = 6000))]
    requests_per_minute: Option<Field<u32>>,
    /// Does the hub take several fields at the root of one query? The vendor's release notes say no, a later page asks
    /// for four. Default false.
    several_root_fields: Option<Field<bool>>,
    /// The role in the organisation that makes an admin, by its name or its key. Needed only where not exactly one is
    /// called so.
    admin_role: Option<Field<NameText>>,
    /// Whom the file speaks for. Absent: for those who are listed.
    manage: Option<Field<RawManage>>,
    /// Limits that hold whatever the rest of the file wishes. Absent: those that are the default hold.
    guardrails: Option<Field<RawGuardrails>>,
    /// What isn't done unless it is named here, as nothing brings it back. Default: none of it.
    allow: Option<Field<Vec<Field<RawAllowance>>>>,
    /// Send another invitation to whoever was seen invited and is gone? Default false.
    reinvite_expired: Option<Field<bool>>,
    /// The organisation itself. Absent: it is left as it is, and has to be there.
    settings: Option<Field<RawSettings>>,
    /// The organisation's teams. Absent and empty mean the same: none is listed.
    teams: Option<Field<Vec<Field<RawTeam>>>>,
    /// The people. Absent and empty mean the same: nobody is listed.
    users: Option<Field<Vec<Field<RawUser>>>>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum Provider {
    Rapidapi,
}

/// A team's key shows who is invited, a person's what only administrators of the hub may see.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "RapidapiCredentials", deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "as the vendor calls them")]
struct RawCredentials {
    /// The key of one's own account: of an administrator of the hub. Needed for the status of accounts.
    personal_key: Option<Field<RawCredential>>,
    /// The key of an app of a team of the organisation. Needed for what only a team's key may call, such as who is
    /// invited.
    team_key: Option<Field<RawCredential>>,
    /// The own key of whoever calls with the team's. Default: the personal key.
    identity_key: Option<Field<RawCredential>>,
}

/// A key that changes are sent with.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename = "RapidapiKeyName", rename_all = "snake_case")]
enum RawKeyName {
    /// The key of one's own account.
    PersonalKey,
    /// The team's, with the identity key beside it.
    TeamKey,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "RapidapiManage", deny_unknown_fields)]
struct RawManage {
    /// With `all`, a team that isn't listed is deleted. Default `listed`.
    teams: Option<Field<RawScope>>,
    /// With `all`, whoever isn't listed leaves the organisation. Default `listed`.
    users: Option<Field<RawScope>>,
}

/// Something that nothing brings back.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename = "RapidapiAllowance", rename_all = "kebab-case")]
enum RawAllowance {
    /// A user whose `status` is `deleted` loses their account, everywhere and for good.
    UserDeletion,
    /// The team that came with the organisation, or its last one, may be deleted.
    DefaultTeamDeletion,
}

/// The organisation itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "RapidapiSettings", deny_unknown_fields)]
#[schemars(extend(
    "if" = { "properties": { "absent": { "const": true } }, "required": ["absent"] },
    "then" = { "properties": {
        "name": false, "email": false, "seats": false, "description": false, "thumbnail": false, "create": false,
    } },
))]
struct RawSettings {
    /// What it is called. Needed to make the organisation. Absent keeps what is live.
    name: Option<Field<NameText>>,
    /// Where invoices and notices go. Needed to make the organisation. Absent keeps what is live.
    email: Option<Field<EmailText>>,
    /// How many people there may be, which is what is paid for. Needed to make the organisation. Absent keeps what is
    /// live.
    #[schemars(extend("minimum" = 1))]
    seats: Option<Field<u32>>,
    /// What it is for. Absent keeps what is live.
    description: Option<Field<NameText>>,
    /// The picture: a URL, or a path on the hub's server. Absent keeps what is live.
    thumbnail: Option<Field<NameText>>,
    /// May the organisation be made, if there is none of this slug? Default false.
    create: Option<Field<bool>>,
    /// There must be no such organisation: it is deleted with its teams, apps and APIs, once `apply` was given its name
    /// with `--confirm-deletion`. Default false.
    absent: Option<Field<bool>>,
}

/// A team. It is known by its name, which no call of rolecall's changes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "RapidapiTeam", deny_unknown_fields)]
#[schemars(extend(
    "if" = { "properties": { "absent": { "const": true } }, "required": ["absent"] },
    "then" = { "properties": { "description": false, "thumbnail": false } },
))]
struct RawTeam {
    /// What the team is called. Another name is another team.
    name: Field<NameText>,
    /// What it is for. Absent keeps what is live.
    description: Option<Field<NameText>>,
    /// The picture: a URL, or a path on the hub's server. Absent keeps what is live.
    thumbnail: Option<Field<NameText>>,
    /// There must be no such team: it is deleted with its apps and APIs. Default false.
    absent: Option<Field<bool>>,
}

/// A person.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "RapidapiUser", deny_unknown_fields)]
#[schemars(extend(
    "if" = { "properties": { "absent": { "const": true } }, "required": ["absent"] },
    "then" = { "properties": { "roles": false, "teams": false } },
    "else" = { "properties": { "status": { "enum": ["active", "deactivated"] } } },
))]
struct RawUser {
    /// Who it is. Another address is another user.
    email: Field<EmailText>,
    /// The one role that they have in the organisation, by its name or its key. Absent keeps what is live; needed to
    /// invite; `[]` is the hub's default role.
    #[schemars(length(max = 1))]
    roles: Option<Field<Vec<Field<NameText>>>>,
    /// The exact set of their teams: each with their role there, or a list of names where the roles are as they are.
    /// Absent keeps what is live; needed to invite. Of whoever administrates the organisation it isn't looked at, as
    /// they are in every team.
    teams: Option<Field<RawTeams>>,
    /// Of their account, in all of the hub. Absent keeps what is live. `deleted` needs `absent: true`, and
    /// `allow: [user-deletion]`.
    status: Option<Field<RawStatus>>,
    /// The person must not be in the organisation: they leave it, and stay what they are elsewhere. Default false.
    absent: Option<Field<bool>>,
}

/// The status of an account, in all of the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename = "RapidapiStatus", rename_all = "lowercase")]
enum RawStatus {
    /// Can sign in.
    Active,
    /// Can't sign in, and takes no seat. Personal subscriptions are dropped.
    Deactivated,
    /// Is gone, for good.
    Deleted,
}

/// Step two: what was typed becomes a wish, or findings.
pub(super) fn check(raw: RawRapidapi, check: &mut Checker<'_>) -> Option<Desired> {
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
        allow,
        reinvite_expired,
        settings,
        teams,
        users,
    } = raw;
    let organization = check.organization(organization);
    let endpoint = check.endpoint(endpoint);
    let host = check_host(host, check);
    let credentials_at = check.place(credentials.mark);
    let credentials = credentials.value.and_then(|RawCredentials { personal_key, team_key, identity_key }| {
        check.credentials([("personal_key", personal_key), ("team_key", team_key), ("identity_key", identity_key)])
    });
    let changes_with = changes_with.and_then(|field| field.value).map(|name| match name {
        RawKeyName::PersonalKey => "personal_key",
        RawKeyName::TeamKey => "team_key",
    });
    let requests_per_minute = requests_per_minute.and_then(|field| check_pace(field, check));
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
    let allowed = allow.and_then(|field| field.value).unwrap_or_default();
    let allowed: BTreeSet<Allowance> = allowed
        .into_iter()
        .filter_map(|item| item.value)
        .map(|allowance| match allowance {
            RawAllowance::UserDeletion => Allowance::UserDeletion,
            RawAllowance::DefaultTeamDeletion => Allowance::DefaultTeamDeletion,
        })
        .collect();
    let itself = settings.and_then(|field| check_settings(field, organization.as_ref(), check));
    let gone = itself.as_ref().is_some_and(|itself| itself.absent);
    let some_teams = teams.as_ref().filter(|field| field.value.as_ref().is_some_and(|list| !list.is_empty()));
    let some_users = users.as_ref().filter(|field| field.value.as_ref().is_some_and(|list| !list.is_empty()));
    check.contradiction(
        gone,
        [some_teams.map(|field| (field.mark, "teams")), some_users.map(|field| (field.mark, "users"))],
    );
    let teams = check_teams(teams, check);
    let users = check_users(users, &teams, &allowed, check);
    let place = check.source.start();
    let desired = Desired {
        host: Some(host?),
        changes_with,
        requests_per_minute,
        several_root_fields: flag(several_root_fields),
        admin_role,
        manage,
        guardrails,
        allowed,
        reinvite_expired: flag(reinvite_expired),
        itself,
        teams,
        users,
        ..Desired::of(ProviderName::Rapidapi, place, organization?, endpoint?, credentials?)
    };
    check_callable(&desired, credentials_at, check);
    Some(desired)
}

/// It travels in a header, and chooses who gets to see the key.
fn check_host(field: Field<HostText>, check: &mut Checker<'_>) -> Option<Placed<String>> {
    let mark = field.mark;
    let HostText(host) = field.value?;
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if !host.is_empty() && host.chars().all(usual) && !host.starts_with('.') {
        return Some(check.placed(mark, host));
    }
    let message = format!("{} is no name of a host", quote(&host));
    check.invalid(mark, message, "write it as the hub's sample code has it, without https://");
    None
}

fn check_pace(Field { mark, value }: Field<u32>, check: &mut Checker<'_>) -> Option<u32> {
    const MOST: u32 = 6000;
    let requests = value?;
    if (1..=MOST).contains(&requests) {
        return Some(requests);
    }
    let message = format!("{requests} requests a minute can't be kept to");
    check.invalid(mark, message, "write a number from 1 to 6000; the vendor's limit is 10");
    None
}

/// Says which calls can't be made, before any is.
fn check_callable(desired: &Desired, place: Place, check: &mut Checker<'_>) {
    let names: BTreeSet<&str> = desired.credentials.keys().copied().collect();
    let lacking = check.rules.uncallable(&names, desired);
    if lacking.is_empty() {
        return;
    }
    let team = names.contains("team_key") && (names.contains("identity_key") || names.contains("personal_key"));
    let hint = match (team, names.contains("personal_key")) {
        (false, false) => "name a `team_key` and a `personal_key`, or an `identity_key` beside the team's",
        (false, true) => "name a `team_key` too: who is invited is shown to teams alone",
        (true, _) => "name a `personal_key` of an administrator of the hub",
    };
    let mut message = format!("with these credentials nothing can call {}", list_of(&lacking, "and"));
    let mut place = place;
    // Where one entry alone asks for it, that is where to look.
    let by_status = desired.users.iter().filter(|user| user.enabled.is_some() || user.deleted);
    if let (["updateUser"], Some(first)) = (&lacking[..], by_status.min_by_key(|user| user.place.line)) {
        message.push_str(", which a `status` asks for");
        place = first.place.clone();
    }
    check.push(Finding::error(Code::MissingCredential, place, message).hint(hint));
}
