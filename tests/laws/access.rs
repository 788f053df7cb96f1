//! Laws of access: a report says of everybody what the platform itself allows them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rolecall::report::{Format, Layout, Subject, render};
use rolecall_model::{AccessChange, Change, Facts, Kind, Limited, Live, Plan, Seen, Site, composed};
use rolecall_plan::access::{Access, Holder, Status, access, access_after, delta};
use rolecall_plan::{PlanInput, renamed};
use serde_json::Value;

use crate::lawful::{FileBody, Lawful};
use crate::support::rig::{Rig, now};
use crate::{Law, planned};

/// Calls with the input of a plan for this organisation, of which everything is read.
fn with_input<P: Lawful, T>(rig: &Rig<P>, live: &Live, then: impl FnOnce(&PlanInput<'_>) -> T) -> T {
    let caller = rolecall_engine::apply::sign_in(rolecall_providers::of(P::NAME), &P::secrets());
    then(&PlanInput {
        desired: &rig.desired,
        live,
        facts: &Facts::default(),
        rules: rolecall_providers::rules(P::NAME),
        site: &Site::host("sandbox"),
        asserted: &BTreeSet::new(),
        only: None,
        approved: None,
        caller: Some(&caller),
        now: now(),
    })
}

fn read<P: Lawful>(world: P::World, file: &FileBody) -> (Rig<P>, Live) {
    let mut rig = P::rig(world, file);
    rig.desired.reads = Kind::ALL.iter().copied().collect();
    let live = rig.read().unwrap();
    (rig, live)
}

/// Returns the texts in one form of Unicode. Names of roles and teams are equal in every form.
fn in_one_form(texts: &BTreeSet<String>) -> BTreeSet<String> {
    texts.iter().map(|text| composed(text).into_owned()).collect()
}

fn of_kind(access: &Access, kind: Kind) -> impl Iterator<Item = &Holder> {
    access.holders.iter().filter(move |holder| holder.address.kind == kind)
}

/// Everybody whom the platform lists is in the report once, with exactly what the platform allows them. The order of
/// lists and pages changes nothing.
pub fn who_has_what_is_what_the_platform_says<P: Lawful>(world: &P::World, file: &FileBody, seed: u64) -> Law {
    let (rig, live) = read::<P>(world.clone(), file);
    let found = with_input(&rig, &live, access);
    // Somebody whose row can't be read is in the report by that row.
    let mut expected = P::may(world);
    for row in found.unreadable.iter().filter(|row| row.address.kind == Kind::User) {
        let at = expected.iter().position(|(email, _)| *email == row.address.name);
        expected.remove(at.unwrap_or_else(|| panic!("{} isn't listed", row.address)));
    }
    let mut expected: Vec<_> = expected.into_iter().map(|(email, may)| (email, in_one_form(&may))).collect();
    expected.sort();
    let may = |user: &Holder| (user.address.name.to_string(), in_one_form(&P::shown(world, &found, user)));
    let mut shown: Vec<(String, BTreeSet<String>)> = of_kind(&found, Kind::User).map(may).collect();
    shown.sort();
    prop_assert_eq!(&shown, &expected);
    if found.knows_permissions() {
        for user in of_kind(&found, Kind::User) {
            questions_have_the_right_answers(&found, user, &P::shown(world, &found, user))?;
        }
    }
    let mut invited = P::invited(world);
    invited.sort();
    let shown: Vec<String> =
        of_kind(&found, Kind::Invitation).map(|holder| holder.address.name.to_string()).collect();
    prop_assert_eq!(shown, invited);
    let working = of_kind(&found, Kind::Key).filter(|key| key.status != Status::Disabled).count();
    let unreadable = found.unreadable.iter().filter(|row| row.address.kind == Kind::Key).count();
    prop_assert!(working + unreadable >= P::live_secrets(world).len());
    let (other, other_live) = read::<P>(P::shuffled(world, seed), file);
    let shuffled = with_input(&other, &other_live, access);
    prop_assert_eq!(found.holders, shuffled.holders);
    prop_assert_eq!(found.unreadable, shuffled.unreadable);
    Ok(())
}

/// Parts of an organisation, of which some exist and some don't.
const PARTS: &[&str] = &[
    "organization",
    "shop",
    "blog",
    "elsewhere",
    "shop/production",
    "mobile/staging",
    "blog/elsewhere",
    "shop/production/services/cart",
    "shop/production/services/elsewhere",
    "mobile/staging/services/users",
    "shop/staging/apps/web",
];

/// A question whether somebody may do something somewhere has the answer that all of their abilities have, one by one.
/// The abilities are those that the platform allows, in the words of the sandbox.
fn questions_have_the_right_answers(found: &Access, user: &Holder, may: &BTreeSet<String>) -> Law {
    let allowed: Vec<(&str, String)> = may
        .iter()
        .map(|it| it.split_once(" @ ").unwrap())
        .map(|(permission, place)| (permission, place.replace("service:", "services/").replace("app:", "apps/")))
        .collect();
    let is_within = |place: &str, part: &str| {
        let (mut place, mut part) = (place.split('/'), part.split('/'));
        loop {
            match (place.next(), part.next()) {
                (Some("*") | None, _) | (_, None) => return true,
                (Some(one), Some(other)) if one != other => return false,
                (Some(_), Some(_)) => {}
            }
        }
    };
    for permission in found.permissions.keys() {
        for part in PARTS {
            let mut places = allowed.iter().filter(|(it, _)| *it == permission.as_str()).map(|(_, place)| place);
            // The organisation is no part of itself, and no part contains it.
            let is_at = |place: &String| match (*part, place.as_str()) {
                ("organization", place) => place == "organization",
                (_, "organization") => false,
                (part, place) => is_within(place, part),
            };
            let expected = places.any(is_at);
            let at = part.parse().unwrap();
            let answer = user.grants.iter().any(|grant| found.can(grant, permission, Some(&at)));
            prop_assert_eq!(answer, expected, "{} {} at {}", user.address, permission, part);
        }
    }
    Ok(())
}

/// Returns abilities in the words of [`Lawful::may`].
fn words<P: Lawful>(abilities: &[Limited]) -> BTreeSet<String> {
    let words =
        abilities.iter().map(|Limited { ability, .. }| format!("{} @ {}", P::word(&ability.may), ability.at));
    in_one_form(&words.collect())
}

/// Returns what these texts allow somewhere where those texts don't allow it. All services of a target are each of them.
fn beyond<'a>(these: &'a BTreeSet<String>, those: &BTreeSet<String>) -> BTreeSet<&'a str> {
    let is_in = |text: &str| {
        let all = text.rsplit_once(':').map(|(start, _)| format!("{start}:*"));
        those.contains(text) || all.is_some_and(|all| those.contains(&all))
    };
    these.iter().filter(|text| !is_in(text)).map(|text| text.split_once(" @ ").unwrap().0).collect()
}

/// A plan says what somebody may do afterwards and no longer: the difference between a report before it and one after it.
pub fn what_changes_is_the_difference<P: Lawful>(mut world: P::World, file: &FileBody) -> Law {
    P::remove_unknowable(&mut world);
    let (mut rig, live) = read::<P>(world.clone(), file);
    let Some(plan) = planned(&rig) else { return Ok(()) };
    // What the file renames has its new name in both.
    let before = with_input(&rig, &renamed(&rig.desired, &live), access);
    let foreseen = with_input(&rig, &live, |input| access_after(input, &plan.sealed.changes));
    // The plan looks only at those whom its changes touch, and misses nobody.
    prop_assert_eq!(&plan.access, &delta(&before, &foreseen));
    let report = rig.apply_plan(&plan).unwrap();
    if !report.all_done() {
        // Some changes wait for a second person.
        return Ok(());
    }
    let live = rig.read().unwrap();
    let after = with_input(&rig, &live, access);
    // Whoever is invited isn't a member yet, and how the platform lists them differs.
    let people = |access: &Access| -> BTreeMap<String, BTreeSet<String>> {
        let users = of_kind(access, Kind::User).filter(|user| user.status.works());
        users.map(|user| (user.address.to_string(), in_one_form(&P::shown(&rig.world(), access, user)))).collect()
    };
    let (had, has, foretold) = (people(&before), people(&after), people(&foreseen));
    // The platform doesn't say whether an admin of the organisation stays in its teams.
    let is_unsure = |change: &&Change| format!("{:?}", change.effects).contains("may-leave-teams");
    let unsure: Vec<String> =
        plan.sealed.changes.iter().filter(is_unsure).map(|change| change.address.to_string()).collect();
    let has = |user: &str| has.get(user).cloned().unwrap_or_default();
    for (user, had) in had.iter().filter(|(user, _)| !unsure.contains(user)) {
        let foretold = foretold.get(user).cloned().unwrap_or_default();
        // Where the platform doesn't show who is disabled, it shows roles that nobody can use.
        let is_disabled = foretold.is_empty() && live.users.items.iter().any(|it| it.enabled == Seen::Unreadable);
        prop_assert!(is_disabled || has(user) == foretold, "{} had {:?}", user, had);
    }
    for (address, AccessChange { gains, loses }) in delta(&before, &foreseen) {
        prop_assert!(!gains.is_empty() || !loses.is_empty(), "{}", address);
        let Some(had) = had.get(&address.to_string()) else { continue };
        let has = foretold.get(&address.to_string()).cloned().unwrap_or_default();
        prop_assert!(has != *had, "{}", address);
        let (gains, loses) = (words::<P>(&gains), words::<P>(&loses));
        prop_assert_eq!(beyond(&gains, &loses), beyond(&has, had), "{} had {:?} has {:?}", address, had, has);
        prop_assert_eq!(beyond(&loses, &gains), beyond(had, &has), "{} had {:?} has {:?}", address, had, has);
    }
    Ok(())
}

/// Returns the number before some words of the risk line, such as `2 lose all access`.
fn said(risk: &str, one: &str, several: &str) -> usize {
    let count = risk.split("; ").filter(|clause| clause.ends_with(one) || clause.ends_with(several));
    count.map(|clause| clause.split(' ').next().unwrap().parse::<usize>().unwrap()).sum()
}

/// The first line of a comment counts whom the table lists, and both say what the JSON says.
pub fn the_risk_is_that_of_the_table_and_of_the_json<P: Lawful>(world: P::World, file: &FileBody) -> Law {
    let Some(plan) = planned(&P::rig(world, file)) else { return Ok(()) };
    let json = serde_json::to_value(&plan).unwrap();
    let comment =
        render(Subject::Plan(&Plan::new("law", vec![plan])), Format::Markdown, Layout::default()).unwrap();
    let risk = comment.lines().find(|line| line.starts_with("**")).unwrap().trim_matches(['*', '.']);

    let of_people = risk.split_once(" key").map_or(risk, |(people, _)| people);

    let of_person = |address: &str| address.starts_with("user/") || address.starts_with("invitation/");
    let name = |address: &str| address.split(['/', '#']).nth(1).unwrap_or_default().to_owned();
    let changes = json["sealed"]["changes"].as_array().unwrap();
    let address = |change: &Value| change["address"].as_str().unwrap().to_owned();
    let changed: Vec<&Value> = changes.iter().filter(|change| of_person(&address(change))).collect();
    let mut people: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for change in &changed {
        people.entry(name(&address(change))).or_default().push(change);
    }
    let access = json["access"].as_object().into_iter().flatten().filter(|(address, _)| of_person(address));
    let followers = access.clone().filter(|(address, _)| !people.contains_key(&name(address))).count();
    let invited = changes.iter().filter_map(|change| change["after"]["invites"].as_array()).flatten().count();

    let table = comment.split("| person |").nth(1).unwrap_or_default();
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with("| ")).collect();
    prop_assert_eq!(rows.len(), changed.len() + followers + invited, "{}", comment);

    let is = |change: &Value, effect: &str| {
        change["effects"].as_array().into_iter().flatten().any(|one| one["is"] == effect)
    };
    let mails = changes.iter().filter(|change| is(change, "sends-mail")).count() + invited;
    let counted = rows.iter().filter(|row| row.ends_with("| **1 mail** |")).count();
    prop_assert_eq!((said(risk, " mail", " mails"), counted), (mails, mails), "{}", comment);

    // Somebody who is invited again gains what their earlier invitation loses.
    let with = |privilege: &str| -> BTreeSet<String> {
        let all = json["privileged"].as_object().into_iter().flatten();
        let of_it = all.filter(|(address, one)| of_person(address) && **one == privilege);
        of_it.map(|(address, _)| name(address)).collect()
    };
    let gains: Vec<String> = with("gains").difference(&with("loses")).cloned().collect();
    let loses: Vec<String> = with("loses").difference(&with("gains")).cloned().collect();
    let takes = ["disable", "remove-access", "cancel", "remove", "delete"];
    let gone = |changes: &Vec<&Value>| {
        let works = |change: &&&Value| {
            change["cause"]["is"] != "already-member"
                && change["before"]["enabled"] != false
                && change["before"]["outside"] != true
        };
        changes.iter().all(|change| takes.contains(&change["action"].as_str().unwrap()))
            && changes.iter().any(|change| works(&change))
    };
    // A role that stays may become one of an admin.
    let gone = people.iter().filter(|(name, changes)| gone(changes) && !gains.contains(name)).count();
    prop_assert_eq!(said(of_people, " loses all access", " lose all access"), gone, "{}", comment);
    prop_assert_eq!(said(of_people, " becomes admin", " become admin"), gains.len(), "{:?} {}", gains, comment);
    let no_longer = ["", " and loses all access", " and lose all access"]
        .map(|end| said(of_people, &format!(" is no longer admin{end}"), &format!(" are no longer admin{end}")));
    prop_assert_eq!(no_longer.iter().sum::<usize>(), loses.len(), "{:?} {}", loses, comment);
    let nobody = people.is_empty() && followers + invited == 0;
    prop_assert!(!nobody || !risk.contains("person") && !risk.contains("people"), "{}", comment);
    Ok(())
}
