//! The settings in an undo file: the fields that aren't entities.

use std::collections::{BTreeMap, BTreeSet};

use super::super::write::Yaml;
use super::UndoInput;
use rolecall_model::{
    Address, Credential, Desired, Endpoint, Guardrails, Kind, Limit, LiveKey, LiveUser, Placed, RoleName, Setting,
    SettingValue,
};

/// Copies the settings of the original file, in the order of the examples. `manage` is left out, so that the file
/// touches only listed entities. `allow` is left out, so that it permits nothing irreversible. `known`: further addresses
/// that are acknowledged.
pub(super) fn settings(desired: &Desired, known: BTreeSet<String>) -> Vec<(&'static str, Yaml)> {
    let Desired {
        provider,
        place: _,
        organization,
        endpoint,
        credentials,
        own_key,
        own_user,
        manage: _,
        guardrails,
        acknowledged,
        reinvite_expired,
        containment_role,
        host,
        settings,
        admin_role,
        allowed: _,
        organization_entity: _,
        teams: _,
        roles: _,
        users: _,
        keys: _,
        reads: _,
        tolerated: _,
        notes: _,
        endings: _,
        memberships: _,
        people: _,
        directories: _,
        rotations: _,
        left: _,
    } = desired;
    let single = |name: &str, value: Yaml| Yaml::flow([(name.to_owned(), value)]);
    let endpoint = match &endpoint.value {
        Endpoint::Url(url) => Yaml::text(url),
        Endpoint::Env(name) => single("env", Yaml::text(name)),
    };
    let own = match (own_key, own_user) {
        (Some(key), _) => Some(single("key", Yaml::text(&**key))),
        (None, Some(user)) => Some(single("user", Yaml::text(&**user))),
        (None, None) => None,
    };
    let acknowledged: BTreeSet<String> = acknowledged.keys().map(ToString::to_string).chain(known).collect();
    let text = |value: Option<String>| value.map(Yaml::Text);
    let setting = |setting: &Setting| match setting.value {
        SettingValue::Flag(flag) => Yaml::Bool(flag),
        SettingValue::Number(number) => Yaml::Number(number.into()),
        SettingValue::Text(value) => Yaml::text(value),
    };
    let head = [
        ("provider", Some(Yaml::text(provider))),
        ("organization", Some(Yaml::text(&**organization))),
        ("endpoint", Some(endpoint)),
        ("host", text(host.as_ref().map(|host| host.value.clone()))),
        ("credentials", Some(references(credentials))),
    ];
    let platform = settings.iter().map(|(name, value)| (*name, Some(setting(value))));
    let fields = [
        ("admin_role", text(admin_role.as_ref().map(|role| role.to_string()))),
        ("own", own),
        ("guardrails", Some(limits(guardrails))),
        ("acknowledged", (!acknowledged.is_empty()).then(|| Yaml::names(acknowledged))),
        ("reinvite_expired", reinvite_expired.then_some(Yaml::Bool(true))),
        ("containment_role", text(containment_role.as_ref().map(|role| role.to_string()))),
    ];
    head.into_iter().chain(platform).chain(fields).filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Returns the users and keys with privileged access that the original file lists and the plan leaves as they are. The undo file
/// doesn't say what they have, so a plan with it would ask who has given it to them.
pub(super) fn known(input: &UndoInput<'_>) -> BTreeSet<String> {
    let changes = input.plan.sealed.changes.iter();
    let changed: BTreeSet<(bool, &str)> =
        changes.map(|change| (change.address.kind == Kind::Key, &*change.address.name)).collect();
    let mut known: Vec<Address> = Vec::new();
    for desired in input.desired.users.iter().filter(|desired| !desired.absent) {
        let is_meant = |user: &&LiveUser| desired.id.as_ref().is_none_or(|id| *id == user.id);
        let mut users = input.live.users_of(&desired.email).filter(is_meant);
        if !changed.contains(&(false, desired.email.key()))
            && users.any(|user| gives_privilege(input, &user.roles))
        {
            known.push(Address::user(&desired.email).with_id(&desired.id));
        }
    }
    for desired in input.desired.keys.iter().filter(|desired| !desired.absent) {
        let is_meant = |key: &&LiveKey| desired.id.as_ref().is_none_or(|id| *id == key.id);
        let is_privileged = |key: &LiveKey| {
            key.roles.as_ref().is_some_and(|roles| gives_privilege(input, roles))
                || key.permissions.as_ref().is_some_and(|these| input.format.rules.is_privileged(these))
        };
        let mut keys = input.live.keys_named(&desired.name).filter(is_meant);
        if !changed.contains(&(true, desired.name.as_str())) && keys.any(is_privileged) {
            known.push(Address::key(&desired.name).with_id(&desired.id));
        }
    }
    // As a pattern, a star would stand for any text.
    known.into_iter().map(|address| address.to_string()).filter(|address| !address.contains('*')).collect()
}

/// Returns whether these roles may give privileged access.
fn gives_privilege(input: &UndoInput<'_>, roles: &BTreeSet<RoleName>) -> bool {
    let (rules, live) = (input.format.rules, input.live);
    let is_privileged =
        |role: &RoleName| live.role(role).is_none_or(|role| rules.is_privileged(&role.permissions));
    rules.gives_access(live, roles) || live.roles.is_some() && roles.iter().any(is_privileged)
}

/// Returns the place of each credential, as in the original file.
fn references(credentials: &BTreeMap<&'static str, Placed<Credential>>) -> Yaml {
    let reference = |credential: &Credential| match credential {
        Credential::Env(name) => ("env".to_owned(), Yaml::text(name)),
        Credential::File(path) => ("file".to_owned(), Yaml::text(path.display())),
        Credential::Command(words) => ("command".to_owned(), Yaml::names(words)),
    };
    let named = |(name, credential): (&&str, &Placed<Credential>)| {
        ((*name).to_owned(), Yaml::flow([reference(&credential.value)]))
    };
    Yaml::Map(credentials.iter().map(named).collect())
}

/// Returns the guardrails of this run. Exceptions are left out, because each is for one plan.
fn limits(guardrails: &Guardrails) -> Yaml {
    let Guardrails { min_admins, max_removals, require_self, protected, exceptions: _, asked_admins: _ } =
        guardrails;
    let mut fields = vec![("min_admins".to_owned(), Yaml::Number(*min_admins as u64))];
    let limit = |limit: &Limit| match limit {
        Limit::Share { at_least: 1, .. } => Yaml::text(limit),
        Limit::Share { percent, at_least } => Yaml::flow([
            ("share".to_owned(), Yaml::text(format!("{percent}%"))),
            ("at_least".to_owned(), Yaml::Number(*at_least as u64)),
        ]),
        Limit::Number(number) => Yaml::Number(*number as u64),
    };
    let written = max_removals.by_kind();
    let first = written.values().next();
    let alike = written.len() == Kind::ALL.len() && written.values().all(|limit| Some(limit) == first);
    match first {
        Some(first) if alike => fields.push(("max_removals".to_owned(), limit(first))),
        Some(_) => {
            let each = written.iter().map(|(kind, of)| (format!("{}s", kind.as_str()), limit(of)));
            fields.push(("max_removals".to_owned(), Yaml::flow(each)));
        }
        None => {}
    }
    if !require_self {
        fields.push(("require_self".to_owned(), Yaml::Bool(false)));
    }
    if !protected.is_empty() {
        fields.push(("protected".to_owned(), Yaml::names(protected.keys())));
    }
    Yaml::Map(fields)
}
