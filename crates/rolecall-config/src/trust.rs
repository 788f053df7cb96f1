//! Compares files with trusted files: those of a pull request with those of the branch that it will be merged
//! into. Reports each difference that decides who receives a credential or a secret, or how safe an apply is.

use std::collections::{BTreeMap, BTreeSet};

use super::files::is_below_link;
use super::{Format, Loaded, LoadedFile, node};
use rolecall_model::{
    Code, Credential, Delivery, Desired, DesiredKey, Exception, Finding, Guardrails, KeyName, Manage, Pattern,
    PeopleDirectory, Place, Placed, ProviderName, Quirk, RemoteId, Scope, Tolerated,
};

/// Returns a finding for each part of these files that a person must approve before rolecall uses a credential for
/// them.
pub fn needing_approval(
    loaded: &Loaded,
    trusted: &Loaded,
    formats: impl Fn(ProviderName) -> &'static Format,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &loaded.files {
        let Some(desired) = &file.desired else { continue };
        if formats(desired.provider).rules.has(Quirk::ReadsAsAdmin) {
            let message = format!("Reading {} needs the credential of an admin.", desired.provider);
            findings.push(finding(desired.place.clone(), &message));
        }
        if let Some((_, before)) = trusted.counterpart(desired) {
            compare(file, (desired, before), &mut findings);
        } else {
            let message = format!("No trusted file describes {} {}.", desired.provider, *desired.organization);
            findings.push(finding(desired.organization.place.clone(), &message));
        }
    }
    // A file with an error may describe any organisation.
    let all_known = loaded.files.iter().all(|file| file.desired.is_some());
    let before = trusted.files.iter().filter_map(|file| file.desired.as_ref());
    for before in before.filter(|_| all_known) {
        // After the merge, no file would manage this organisation.
        if loaded.counterpart(before).is_none() {
            let message = format!("No file describes {} {} any more.", before.provider, *before.organization);
            findings.push(finding(before.organization.place.clone(), &message));
        }
    }
    findings.sort_by(|a, b| a.place.cmp(&b.place));
    findings
}

fn finding(place: Place, message: &str) -> Finding {
    Finding::warning(Code::NeedsApproval, place, message)
        .hint("A reviewer must approve it before rolecall uses a credential for this file.")
}

/// Returns the places of fields such as `guardrails.min_admins`. The place of one that the file doesn't have is that of the
/// field around it, or the start of the file.
fn places(file: &LoadedFile) -> impl Fn(&str) -> Place + use<'_> {
    let root = node::parse(&file.source).0.ok();
    move |path| {
        let (mut node, mut place) = (root.as_ref(), file.source.start());
        for name in path.split('.') {
            node = node.and_then(|node| node.field(name));
            place = node.map_or(place, |node| file.source.place(node.mark));
        }
        place
    }
}

/// Compares every field of two desired states, so that each new field needs a decision here.
fn compare(file: &LoadedFile, (desired, before): (&Desired, &Desired), findings: &mut Vec<Finding>) {
    let place_of = places(file);
    let Desired {
        provider: _,
        place,
        organization: _,
        endpoint,
        credentials,
        own_key,
        own_user,
        guardrails,
        acknowledged,
        host,
        settings,
        admin_role,
        allowed,
        keys,
        manage,
        // The plan shows the effect of these fields, and the guardrails limit it.
        reinvite_expired: _,
        containment_role: _,
        organization_entity: _,
        teams: _,
        roles: _,
        users: _,
        reads: _,
        tolerated,
        notes: _,
        endings: _,
        memberships: _,
        people: _,
        directories,
        left: _,
        // The plan shows each step.
        rotations: _,
    } = desired;
    let mut changed = |is_same: bool, place: &Place, what: &str| {
        if !is_same {
            findings.push(finding(place.clone(), &format!("{what} differs from the trusted file.")));
        }
    };
    changed(
        endpoint.value == before.endpoint.value,
        &endpoint.place,
        "`endpoint`, which receives the credential,",
    );
    let host_place = host.as_ref().map_or(place, |host| &host.place);
    changed(
        value(host.as_ref()) == value(before.host.as_ref()),
        host_place,
        "`host`, which receives the credential,",
    );
    let credentials_place = credentials.values().map(|credential| &credential.place).min().unwrap_or(place);
    let sources = |all: &BTreeMap<&'static str, Placed<Credential>>| -> Vec<(&'static str, Credential)> {
        all.iter().map(|(name, credential)| (*name, credential.value.clone())).collect()
    };
    changed(sources(credentials) == sources(&before.credentials), credentials_place, "`credentials`");
    let names: BTreeSet<&'static str> = settings.keys().chain(before.settings.keys()).copied().collect();
    for name in names {
        let (now, then) = (settings.get(name), before.settings.get(name));
        let sensitive = now.or(then).is_some_and(|setting| setting.sensitive);
        let is_same = now.map(|setting| &setting.value) == then.map(|setting| &setting.value);
        changed(is_same || !sensitive, now.map_or(place, |setting| &setting.place), &format!("`{name}`"));
    }
    let own_place = own_key.as_ref().map(|own| &own.place).or(own_user.as_ref().map(|own| &own.place));
    let is_own = value(own_key.as_ref()) == value(before.own_key.as_ref())
        && value(own_user.as_ref()) == value(before.own_user.as_ref());
    changed(is_own, own_place.unwrap_or(place), "`own`");
    let admin_place = admin_role.as_ref().map_or(place, |role| &role.place);
    changed(value(admin_role.as_ref()) == value(before.admin_role.as_ref()), admin_place, "`admin_role`");
    changed(*allowed == before.allowed, &place_of("allow"), "`allow`");
    compare_scopes(&place_of, *manage, before.manage, &mut changed);
    let patterns = |all: &BTreeMap<Pattern, Place>| all.keys().cloned().collect::<Vec<_>>();
    for entry in tolerated {
        let known = |other: &Tolerated| {
            (&other.email, &other.roles, other.until) == (&entry.email, &entry.roles, entry.until)
        };
        changed(before.tolerated.iter().any(known), &entry.place, "`tolerated`");
    }
    let asked = |all: &[PeopleDirectory]| -> Vec<PeopleDirectory> {
        let place = Place::start_of("");
        all.iter().map(|it| PeopleDirectory { place: place.clone(), people: None, ..it.clone() }).collect()
    };
    let directory_place = directories.first().map_or(place, |directory| &directory.place);
    changed(asked(directories) == asked(&before.directories), directory_place, "The directory of `people`");
    let acknowledged_place = acknowledged.values().min().unwrap_or(place);
    changed(patterns(acknowledged) == patterns(&before.acknowledged), acknowledged_place, "`acknowledged`");
    compare_guardrails(&place_of, guardrails, &before.guardrails, &mut changed);
    for key in keys {
        let trusted = before.keys.iter().find(|other| name(other) == name(key));
        let is_same = deliveries(Some(key)) == deliveries(trusted);
        changed(is_same, &key.place, &format!("`deliver` of key/{}, which receives a secret,", key.name));
        for delivery in key.deliver.iter().filter(|delivery| delivery.file().is_some_and(is_below_link)) {
            changed(
                false,
                &delivery.place,
                &format!("`deliver` of key/{} is a link, so its target perhaps", key.name),
            );
        }
    }
}

/// Reports each collection from which rolecall removes what the file doesn't list, and didn't before.
fn compare_scopes(
    place_of: &impl Fn(&str) -> Place,
    manage: Manage,
    before: Manage,
    changed: &mut impl FnMut(bool, &Place, &str),
) {
    let Manage { teams, roles, users, keys } = manage;
    let scopes = [
        (teams, before.teams, "manage.teams"),
        (roles, before.roles, "manage.roles"),
        (users, before.users, "manage.users"),
        (keys, before.keys, "manage.keys"),
    ];
    for (scope, before, field) in scopes {
        let widens = scope == Scope::All && before != Scope::All;
        changed(!widens, &place_of(field), &format!("`{field}`, by which all that isn't listed is removed,"));
    }
}

fn compare_guardrails(
    place_of: &impl Fn(&str) -> Place,
    guardrails: &Guardrails,
    before: &Guardrails,
    changed: &mut impl FnMut(bool, &Place, &str),
) {
    let Guardrails { min_admins, max_removals, asked_admins: _, require_self, protected, exceptions } = guardrails;
    let patterns = |all: &BTreeMap<Pattern, Place>| all.keys().cloned().collect::<Vec<_>>();
    let fields = [
        (*min_admins == before.min_admins, "guardrails.min_admins"),
        (*max_removals == before.max_removals, "guardrails.max_removals"),
        (*require_self == before.require_self, "guardrails.require_self"),
        (patterns(protected) == patterns(&before.protected), "guardrails.protected"),
    ];
    for (is_same, field) in fields {
        changed(is_same, &place_of(field), &format!("`{field}`"));
    }
    for exception in exceptions {
        let is_known = before.exceptions.iter().any(|other| same_exception(exception, other));
        changed(is_known, &exception.place, "`guardrails.exceptions`");
    }
}

fn same_exception(one: &Exception, other: &Exception) -> bool {
    let Exception { place: _, plan, guardrails, until, reason: _ } = one;
    (plan, guardrails, until) == (&other.plan, &other.guardrails, &other.until)
}

fn name(key: &DesiredKey) -> (&KeyName, Option<&RemoteId>) {
    (&key.name, key.id.as_ref())
}

fn deliveries(key: Option<&DesiredKey>) -> Vec<&Delivery> {
    key.iter().flat_map(|key| &key.deliver).map(|delivery| &delivery.value).collect()
}

fn value<T>(placed: Option<&Placed<T>>) -> Option<&T> {
    placed.map(|placed| &placed.value)
}
