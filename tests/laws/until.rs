//! The law of access that ends: no grant outlives its date by more than one run, and nothing ends before its date.
//!
//! The oracle is that of [`Organization`]. It knows what the files give to everybody at a time, and no code of rolecall.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{TestCaseError, TestRunner};
use rolecall_model::{
    Address, Cause, Email, Finding, HoldClass, Limit, NearEnding, OrganizationPlan, Removals, Seen,
};
use rolecall_plan::{Selection, near_endings, select};
use rolecall_sandbox::hive::Assignment;
use rolecall_sandbox::paradime::UserStatus;

use crate::people::{Organization, PEOPLE, Said, bytes, times};
use crate::support::bitpanda::Custody;
use crate::support::files::loaded;
use crate::support::hive::Console;
use crate::support::paradime::Workspace;
use crate::support::rapidapi::Hub;
use crate::support::rig::{Fate, Platform, Rig};
use crate::support::{bitpanda, hive, paradime, rapidapi};
use crate::{Law, fates, few};

/// Roles and teams, as `ADMIN` and `team/Shop`.
type Grants = BTreeSet<String>;

/// A platform whose organisations have what the generated files name.
trait Dated: Platform {
    /// The roles that the files give.
    const ROLES: &'static [&'static str];
    /// Returns an organisation with two admins whom no file lists.
    fn organization() -> Self::World;
    /// Makes somebody a member with this role and in these teams, whatever they had.
    fn put(world: &mut Self::World, email: &str, role: &str, teams: &[&str]);
    fn invite(world: &mut Self::World, email: &str, role: &str, teams: &[&str]);
    fn accept(world: &mut Self::World, email: &str);
    /// Returns what a member has. `None` for somebody without access.
    fn held(world: &Self::World, email: &str) -> Option<Grants>;
    /// Returns what an open invitation gives.
    fn invited(world: &Self::World, email: &str) -> Option<Grants>;
    /// Adds a key or a team.
    fn name(world: &mut Self::World, name: &str);
    fn has_named(world: &Self::World, name: &str) -> bool;
}

fn words<'a>(items: impl IntoIterator<Item = &'a str>) -> Grants {
    items.into_iter().map(ToOwned::to_owned).collect()
}

impl Dated for Custody {
    const ROLES: &'static [&'static str] = &["CLUSTER_OPS", "CLUSTER_MANAGER", "SIGNER"];

    fn organization() -> Self::World {
        let mut world = bitpanda::world();
        world.users.extend(["one", "two"].map(|name| bitpanda::user(&format!("{name}@x.example"), &["ADMIN"])));
        world
    }

    fn put(world: &mut Self::World, email: &str, role: &str, _: &[&str]) {
        world.users.retain(|user| user.email != email);
        world.users.push(bitpanda::user(email, &[role]));
    }

    /// The list hides invitations, so nobody can know those of others.
    fn invite(_: &mut Self::World, _: &str, _: &str, _: &[&str]) {}

    fn accept(world: &mut Self::World, email: &str) {
        if let Some(user) = world.user_mut(email) {
            user.accepted = true;
        }
    }

    fn held(world: &Self::World, email: &str) -> Option<Grants> {
        let user = world.user(email).filter(|user| user.enabled && user.accepted)?;
        Some(user.roles.clone())
    }

    fn invited(world: &Self::World, email: &str) -> Option<Grants> {
        let user = world.user(email).filter(|user| user.enabled && !user.accepted)?;
        Some(user.roles.clone())
    }

    fn name(world: &mut Self::World, name: &str) {
        world.keys.push(bitpanda::key(name, name, &["SIGNER"], name));
    }

    fn has_named(world: &Self::World, name: &str) -> bool {
        world.keys.iter().any(|key| key.name == name && key.enabled)
    }
}

impl Dated for Console {
    const ROLES: &'static [&'static str] = &["Red", "Green"];

    fn organization() -> Self::World {
        let mut world = hive::world();
        world.projects[1].slug = "bank".to_owned();
        world.projects[1].kind = world.projects[0].kind;
        hive::role(&mut world, "Red", &["project:describe", "schemaCheck:approve"]);
        hive::role(&mut world, "Green", &["project:describe"]);
        for name in ["one", "two"] {
            hive::member(&mut world, &format!("{name}@x.example"), "Admin", Assignment::All);
        }
        world
    }

    fn put(world: &mut Self::World, email: &str, role: &str, _: &[&str]) {
        world.members.retain(|member| member.email != email);
        hive::member(world, email, role, Assignment::All);
    }

    fn invite(world: &mut Self::World, email: &str, role: &str, _: &[&str]) {
        hive::invitation(world, email, role);
    }

    fn accept(world: &mut Self::World, email: &str) {
        world.accept(email);
    }

    fn held(world: &Self::World, email: &str) -> Option<Grants> {
        let member = world.member(email)?;
        let role = world.role_by_id(&member.role_id).unwrap();
        let is_empty = matches!(&member.resources, Assignment::Granular(projects) if projects.is_empty());
        (!role.permissions.is_empty() || !is_empty).then(|| words([&*role.name]))
    }

    fn invited(world: &Self::World, email: &str) -> Option<Grants> {
        let open = world.invitations.iter().find(|open| open.email == email)?;
        Some(words([&*world.role_by_id(&open.role_id).unwrap().name]))
    }

    fn name(world: &mut Self::World, name: &str) {
        let mut token = world.tokens[0].clone();
        (token.id, token.title, token.digest) = (hive::uuid(name), name.to_owned(), name.to_owned());
        world.tokens.push(token);
    }

    fn has_named(world: &Self::World, name: &str) -> bool {
        world.tokens.iter().any(|token| token.title == name)
    }
}

impl Dated for Workspace {
    const ROLES: &'static [&'static str] = &["ADMIN", "BUSINESS"];

    fn organization() -> Self::World {
        let mut world = paradime::world();
        for name in ["one", "two"] {
            paradime::user(&mut world, &format!("{name}@x.example"), "ADMIN");
        }
        world
    }

    fn put(world: &mut Self::World, email: &str, role: &str, _: &[&str]) {
        world.users.retain(|user| user.email != email);
        paradime::user(world, email, role);
    }

    fn invite(world: &mut Self::World, email: &str, role: &str, _: &[&str]) {
        paradime::invitation(world, email, role, "SENT");
    }

    fn accept(world: &mut Self::World, email: &str) {
        world.accept(email);
    }

    fn held(world: &Self::World, email: &str) -> Option<Grants> {
        let user = world.user(email).filter(|user| user.status == UserStatus::Active)?;
        Some(words([&*user.account_type]))
    }

    fn invited(world: &Self::World, email: &str) -> Option<Grants> {
        world.invitation(email).map(|open| words([&*open.account_type]))
    }

    fn name(_: &mut Self::World, _: &str) {}

    fn has_named(_: &Self::World, _: &str) -> bool {
        false
    }
}

impl Dated for Hub {
    const ROLES: &'static [&'static str] = &["Developer", "Organization Admin"];

    fn organization() -> Self::World {
        let mut world = rapidapi::with_teams(&["Shop", "Bank", "Post"]);
        for name in ["one", "two"] {
            rapidapi::member(&mut world, &format!("{name}@x.example"), true, &[]);
        }
        world
    }

    fn put(world: &mut Self::World, email: &str, role: &str, teams: &[&str]) {
        let organization = rapidapi::acme(world);
        if let Some(user) = world.user(email).map(|user| user.id) {
            let found = world.organization_mut(organization).unwrap();
            found.members.retain(|member| member.user != user);
            for team in &mut found.teams {
                team.members.retain(|member| *member != user);
            }
            world.assignments.retain(|row| row.entity != user);
        }
        let teams: Vec<(&str, &str)> = teams.iter().map(|team| (*team, "team-viewer")).collect();
        rapidapi::member(world, email, role != "Developer", &teams);
    }

    fn invite(world: &mut Self::World, email: &str, role: &str, teams: &[&str]) {
        rapidapi::invitation(world, email, if role == "Developer" { "DEVELOPER" } else { "ADMIN" }, teams);
    }

    fn accept(world: &mut Self::World, email: &str) {
        let organization = rapidapi::acme(world);
        world.accept(organization, email);
    }

    fn held(world: &Self::World, email: &str) -> Option<Grants> {
        let user = world.user(email)?;
        let found = world.organization("acme")?;
        world.team_access(found.id).get(&user.id.to_string())?;
        let is_admin = world.is_org_admin(found.id, user.id);
        let teams = found.teams.iter().filter(|team| !is_admin && world.is_in_team(team.id, user.id));
        let role = if is_admin { "Organization Admin" } else { "Developer" };
        Some(teams.map(|team| format!("team/{}", team.name)).chain([role.to_owned()]).collect())
    }

    fn invited(world: &Self::World, email: &str) -> Option<Grants> {
        let (_, role, teams) = rapidapi::invited(world).into_iter().find(|(open, _, _)| open == email)?;
        let role = if role == "ADMIN" { "Organization Admin" } else { "Developer" };
        Some(teams.iter().map(|team| format!("team/{team}")).chain([role.to_owned()]).collect())
    }

    fn name(world: &mut Self::World, name: &str) {
        let organization = rapidapi::acme(world);
        world.add_team(organization, name);
    }

    fn has_named(world: &Self::World, name: &str) -> bool {
        let found = world.organization("acme").unwrap();
        found.teams.iter().any(|team| team.name == name && !team.deleted)
    }
}

/// The start of somebody: nothing, an open invitation, or a membership.
#[derive(Clone, Copy, Debug)]
enum Start {
    Nobody,
    Invited(usize),
    Member(usize),
}

/// An organisation, its files, and the runs.
#[derive(Clone, Debug)]
struct Scene {
    files: Vec<u8>,
    people: Vec<Start>,
    named: Vec<bool>,
    min_admins: usize,
    runs: Vec<Run>,
}

/// What happens at one of the [`instants`].
#[derive(Clone, Debug)]
struct Run {
    /// Whether it is `apply --leftovers`. `None` for a run that is missed.
    leftovers: Option<bool>,
    /// Whether everybody accepts their invitation before the run.
    accepts: bool,
    /// Somebody who gets another role by hand before the run.
    by_hand: Option<(usize, usize)>,
    fates: Vec<Fate>,
}

/// Returns the start, the times at which something ends and a second before each, and some days between and after them.
fn instants() -> BTreeSet<Timestamp> {
    let others = ["2026-11-21T12:00:00Z", "2026-11-23T08:00:00Z", "2026-11-26T09:30:00Z", "2026-12-04T00:00:00Z"];
    times().into_iter().chain(others.map(|time| time.parse().unwrap())).collect()
}

fn scenes() -> impl Strategy<Value = Scene> {
    let start = prop_oneof![
        1 => Just(Start::Nobody),
        1 => (0..3_usize).prop_map(Start::Invited),
        3 => (0..3_usize).prop_map(Start::Member),
    ];
    let run = (
        prop_oneof![3 => Just(None), 1 => Just(Some(false)), 2 => Just(Some(true))],
        proptest::bool::weighted(0.3),
        proptest::option::weighted(0.2, (0..=PEOPLE, 0..3_usize)),
        prop_oneof![3 => Just(Vec::new()), 1 => fates()],
    );
    let run = run.prop_map(|(leftovers, accepts, by_hand, fates)| Run { leftovers, accepts, by_hand, fates });
    (
        bytes(),
        proptest::collection::vec(start, PEOPLE + 1),
        proptest::collection::vec(any::<bool>(), 3),
        0..4_usize,
        proptest::collection::vec(run, instants().len()),
        proptest::bool::weighted(0.8),
    )
        .prop_map(|(files, people, named, min_admins, mut runs, applied)| {
            if applied {
                // Mostly, the organisation is as the files say before anything has ended.
                runs[0] = Run { leftovers: Some(false), accepts: false, by_hand: None, fates: Vec::new() };
                runs[1].accepts = true;
            }
            Scene { files, people, named, min_admins, runs }
        })
}

/// The state of somebody: what they have, and what an open invitation gives them.
type State = (Option<Grants>, Option<Grants>);

/// What the files give somebody, by the oracle.
#[derive(Clone, Debug, PartialEq)]
enum Given {
    Nothing,
    Gone,
    /// Roles and teams, where the files say something of them, and whether the user can sign in.
    Has(Option<Grants>, Option<Grants>, Option<bool>),
}

impl Given {
    fn at(organization: &Organization, person: usize, now: Timestamp) -> Option<Self> {
        Some(match organization.of_person(person, now)? {
            Said::Nothing => Self::Nothing,
            Said::Gone => Self::Gone,
            Said::Has(values) => {
                let (roles, teams) = values.grants();
                Self::Has(roles, teams, values.flag)
            }
        })
    }

    fn gives(&self, grant: &str) -> bool {
        match self {
            Self::Has(roles, teams, _) => {
                let list = if grant.starts_with("team/") { teams } else { roles };
                list.as_ref().is_some_and(|list| list.contains(grant))
            }
            Self::Nothing | Self::Gone => false,
        }
    }

    /// Whether a run must not take this from somebody who has it.
    fn keeps(&self, grant: &str) -> bool {
        match self {
            Self::Has(_, _, Some(false)) | Self::Gone => false,
            Self::Has(roles, teams, _) => {
                let list = if grant.starts_with("team/") { teams } else { roles };
                list.as_ref().is_none_or(|list| list.contains(grant))
            }
            Self::Nothing => true,
        }
    }
}

/// Returns when a grant has ended for somebody: the instant from which the files no longer give it, and did before.
/// Without `grant`, when all access has ended.
fn ended(organization: &Organization, person: usize, grant: Option<&str>, now: Timestamp) -> Option<Timestamp> {
    let mut end = None;
    let mut given = None;
    for at in times().into_iter().filter(|at| *at <= now).chain([now]) {
        let is = Given::at(organization, person, at)?;
        let is_given = match grant {
            Some(grant) => is.gives(grant),
            None => is != Given::Gone,
        };
        if given == Some(true) && !is_given {
            end = Some(at);
        }
        given = Some(is_given);
        if is_given {
            end = None;
        }
    }
    end
}

/// The number of times that something was seen.
type Count = BTreeMap<&'static str, usize>;

fn nothing_outlives_its_date<P: Dated>(scene: &Scene, seen: &mut Count) -> Law {
    let organization = Organization::new(P::NAME, &scene.files);
    let (head, files) = organization.files();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let email = |person: usize| organization.address(person).to_lowercase();
    let mut rig = Rig::<P>::new(start::<P>(scene, &organization), "");
    for (at, run) in instants().into_iter().zip(&scene.runs) {
        if let Some((person, role)) = run.by_hand {
            let is_member = P::held(&rig.world(), &email(person)).is_some();
            if is_member {
                P::put(&mut rig.world(), &email(person), P::ROLES[role % P::ROLES.len()], &["Bank"]);
            }
        }
        if run.accepts {
            for person in 0..=PEOPLE {
                P::accept(&mut rig.world(), &email(person));
            }
        }
        let Some(leftovers) = run.leftovers else { continue };
        let found = loaded(&head, &files, at);
        // Groups may contradict each other at a time.
        let desired = found.files[0].desired.clone().filter(|_| !found.findings.iter().any(Finding::is_error));
        let Some(desired) = desired else { continue };
        rig.desired = desired;
        rig.desired.guardrails.max_removals = Removals::same_for_each(Limit::Number(0));
        if !leftovers {
            rig.desired.guardrails.max_removals = Removals::same_for_each(Limit::Number(usize::MAX));
        }
        rig.desired.guardrails.min_admins = scene.min_admins;
        rig.now = at;
        let states = |rig: &Rig<P>| -> Vec<State> {
            let world = rig.world();
            (0..=PEOPLE)
                .map(|person| (P::held(&world, &email(person)), P::invited(&world, &email(person))))
                .collect()
        };
        let named = |rig: &Rig<P>| -> Vec<bool> {
            (0..3).map(|at| P::has_named(&rig.world(), &format!("name {at}"))).collect()
        };
        let (before, named_before) = (states(&rig), named(&rig));
        let live = rig.read().unwrap();
        let Ok(whole) = rig.planned(&live, &BTreeSet::new(), None) else { continue };
        let whole = whole.plan;
        let plan = if leftovers {
            let selection = Selection { leftovers: true, ..Selection::default() };
            let chosen = select(&whole.sealed, &selection).unwrap();
            rig.planned(&live, &BTreeSet::new(), Some(&chosen)).unwrap().plan
        } else {
            whole.clone()
        };
        let shown = |rig: &Rig<P>, why: &str| {
            let all = std::iter::once(("x.yaml", head.as_str())).chain(files.iter().copied());
            let all: String = all.map(|(path, text)| format!("# {path}\n{text}")).collect();
            TestCaseError::fail(format!(
                "at {at}: {why}\n{all}\nbefore {before:?}\nafter {:?}\nchanges {:#?}\nholds {:#?}\nrefusals {:?}",
                states(rig),
                whole.sealed.changes,
                whole.sealed.holds,
                plan.refusals
            ))
        };
        if !plan.refusals.is_empty() {
            *seen.entry("a refusal").or_default() += 1;
            continue;
        }
        let near = near_endings(&rig.desired, &plan, at, SignedDuration::from_hours(24 * 14));
        rig.wire.set_fates(&run.fates);
        let report = rig.apply_plan(&plan).unwrap();
        rig.wire.set_fates(&[]);
        let (after, named_after) = (states(&rig), named(&rig));
        for person in 0..=PEOPLE {
            let given = Given::at(&organization, person, at).unwrap();
            let (had, has) = (&before[person], &after[person]);
            let is_there = |grant: &str| {
                (0..3).all(|name| grant != format!("team/name {name}") || organization.is_named(name, at))
            };
            not_before_its_date(&given, had, has, &is_there)
                .map_err(|why| shown(&rig, &format!("{} {why}", email(person))))?;
            let ended = overdue(&organization, person, had, at);
            if ended.is_empty() {
                continue;
            }
            *seen.entry(if leftovers { "ended, leftovers" } else { "ended, apply" }).or_default() += 1;
            let address = Email::parse(&email(person)).unwrap();
            let people = [Address::user(&address), Address::invitation(&address)];
            let is_theirs = |address: &Address| people.iter().any(|theirs| theirs.covers(address));
            said(&ended, &near, &plan, at, &is_theirs)
                .map_err(|why| shown(&rig, &format!("{} {why}", email(person))))?;
            if !report.all_done() {
                *seen.entry("a failure").or_default() += 1;
                continue;
            }
            let left = overdue(&organization, person, has, at);
            if left.is_empty() {
                *seen.entry("taken").or_default() += 1;
                continue;
            }
            let blocked =
                whole.sealed.holds.iter().any(|hold| is_theirs(&hold.address) && hold.class != HoldClass::Ignored);
            let to_review = leftovers
                && whole.sealed.changes.iter().any(|change| is_theirs(&change.address) && !change.is_leftover())
                && goes_beyond(&given, had, &ended, &whole, &is_theirs);
            if to_review || blocked {
                *seen.entry(if to_review { "to be reviewed" } else { "held" }).or_default() += 1;
                continue;
            }
            return Err(shown(&rig, &format!("{} still has {left:?}", email(person))));
        }
        for name in 0..3 {
            let may_be = organization.is_named(name, at);
            let shown = |why: &str| Err(shown(&rig, &format!("name {name} {why}")));
            if named_before[name] && !named_after[name] && may_be {
                return shown("was removed");
            }
            let has_ended = !may_be && organization.is_named(name, Timestamp::MIN);
            let address = format!("name {name}");
            let blocked = whole.sealed.holds.iter().any(|hold| *hold.address.name == *address);
            if report.all_done() && has_ended && named_after[name] && !blocked {
                return shown("is still there");
            }
            *seen.entry("a key or team").or_default() += usize::from(has_ended && named_before[name]);
        }
    }
    Ok(())
}

fn start<P: Dated>(scene: &Scene, organization: &Organization) -> P::World {
    let mut world = P::organization();
    for (at, there) in scene.named.iter().enumerate() {
        if *there {
            P::name(&mut world, &format!("name {at}"));
        }
    }
    for (person, start) in scene.people.iter().enumerate() {
        let email = organization.address(person).to_lowercase();
        let role = |role: usize| P::ROLES[role % P::ROLES.len()];
        match *start {
            Start::Nobody => {}
            Start::Invited(given) => P::invite(&mut world, &email, role(given), &["Shop"]),
            Start::Member(given) => P::put(&mut world, &email, role(given), &["Shop"]),
        }
    }
    world
}

/// No run takes what the files still give.
fn not_before_its_date(
    given: &Given,
    (had, was_invited): &State,
    (has, is_invited): &State,
    is_there: &dyn Fn(&str) -> bool,
) -> Result<(), String> {
    let none = Grants::new();
    for grant in had.as_ref().unwrap_or(&none) {
        // An admin of an organisation is in all its teams, which are no grants of their own.
        let is_replaced = grant.starts_with("team/")
            && has.as_ref().is_some_and(|has| has.iter().any(|grant| grant == "Organization Admin"));
        if given.keeps(grant)
            && is_there(grant)
            && !is_replaced
            && !has.as_ref().is_some_and(|has| has.contains(grant))
        {
            return Err(format!("has lost {grant}, which {given:?} keeps"));
        }
    }
    let is_gone = was_invited.is_some() && is_invited.is_none() && has.is_none();
    let is_out = matches!(given, Given::Gone | Given::Has(_, _, Some(false)));
    if is_gone && !is_out { Err("is no longer invited".to_owned()) } else { Ok(()) }
}

/// Returns what somebody has and that has ended, with the end of each. `None` stands for all access.
fn overdue(
    organization: &Organization,
    person: usize,
    state: &State,
    now: Timestamp,
) -> Vec<(Option<String>, Timestamp)> {
    let (held, invited) = state;
    let grants = held.iter().chain(invited).flatten();
    let parts =
        grants.filter_map(|grant| Some((Some(grant.clone()), ended(organization, person, Some(grant), now)?)));
    let all = ended(organization, person, None, now).filter(|_| held.is_some() || invited.is_some());
    all.map(|end| (None, end)).into_iter().chain(parts).collect()
}

/// A plan that takes or holds what has ended tells it, and for how long no run has taken it.
fn said(
    overdue: &[(Option<String>, Timestamp)],
    near: &[NearEnding],
    plan: &OrganizationPlan,
    now: Timestamp,
    is_theirs: &dyn Fn(&Address) -> bool,
) -> Result<(), String> {
    let is_taken = |cause: &Cause| matches!(cause, Cause::Ended { .. });
    let mut changes = plan.sealed.changes.iter();
    if !changes.any(|change| is_theirs(&change.address) && is_taken(&change.cause)) {
        return Ok(());
    }
    for (grant, end) in overdue {
        let mut told = near.iter().filter(|near| is_theirs(&near.ending.address));
        let days = -(now.duration_since(*end).as_hours() / 24) - 1;
        let is_told = told.any(|near| near.ending.until.instant() == *end && near.days == days);
        if !is_told {
            return Err(format!("nothing tells that {grant:?} ended at {end}, {days} days: {near:?}"));
        }
    }
    Ok(())
}

/// Whether the change of somebody does more than take what has ended, so that it has to be reviewed.
fn goes_beyond(
    given: &Given,
    (had, invited): &State,
    overdue: &[(Option<String>, Timestamp)],
    plan: &OrganizationPlan,
    is_theirs: &dyn Fn(&Address) -> bool,
) -> bool {
    let has_ended = |grant: &str| overdue.iter().any(|(ended, _)| ended.as_deref() == Some(grant));
    let Given::Has(roles, teams, flag) = given else { return false };
    let none = Grants::new();
    let had = had.as_ref().or(invited.as_ref()).unwrap_or(&none);
    let more = had.iter().any(|grant| !given.keeps(grant) && !has_ended(grant));
    let wanted = roles.iter().chain(teams).flatten();
    let less = wanted.into_iter().any(|grant| !had.contains(grant));
    let changes = plan.sealed.changes.iter().filter(|change| is_theirs(&change.address));
    let others =
        changes.filter_map(|change| Some((change.before.as_ref()?.user()?, change.after.as_ref()?.user()?)));
    let mut others = others.filter(|(before, after)| {
        before.resources != after.resources
            || before.enabled != after.enabled && before.enabled != Seen::Unreadable
    });
    more || less || *flag == Some(false) || others.next().is_some()
}

proptest! {
    #![proptest_config(few())]

    #[test]
    fn bitpanda(scene in scenes()) {
        nothing_outlives_its_date::<Custody>(&scene, &mut Count::new())?;
    }

    #[test]
    fn hive(scene in scenes()) {
        nothing_outlives_its_date::<Console>(&scene, &mut Count::new())?;
    }

    #[test]
    fn paradime(scene in scenes()) {
        nothing_outlives_its_date::<Workspace>(&scene, &mut Count::new())?;
    }

    #[test]
    fn rapidapi(scene in scenes()) {
        nothing_outlives_its_date::<Hub>(&scene, &mut Count::new())?;
    }
}

/// Checks that the generated scenes have what the law is about.
#[test]
fn the_generated_scenes_have_something_to_say() {
    let mut runner = TestRunner::deterministic();
    let mut seen = Count::new();
    for _ in 0..8 {
        let scene = scenes().new_tree(&mut runner).unwrap().current();
        nothing_outlives_its_date::<Custody>(&scene, &mut seen).unwrap();
        nothing_outlives_its_date::<Console>(&scene, &mut seen).unwrap();
    }
    for what in ["ended, apply", "ended, leftovers", "taken", "a failure", "a key or team"] {
        assert!(seen.get(what).is_some_and(|count| *count >= 3), "{what}: {seen:?}");
    }
}

/// Returns what the first person has after the scheduled job has run at the end of 2026. The people file has them in two
/// groups, in the first one until a date.
fn left_by_leftovers<P: Dated>(world: P::World, users: &str) -> Option<Grants> {
    let mut rig = Rig::<P>::new(world, "");
    let people = "kind: people
people: [{ email: p@x.example }]
groups: [{ name: a, members: [{ person: p@x.example, until: 2026-11-30 }] }, { name: b, members: [p@x.example] }]
";
    let head = format!("{}include: [people.yaml]\nusers: [{users}]\n", P::HEAD);
    rig.now = "2026-12-31T00:00:00Z".parse().unwrap();
    let found = loaded(&head, &[("people.yaml", people)], rig.now);
    assert!(found.findings.is_empty(), "{:#?}", found.findings);
    rig.desired = found.files[0].desired.clone().unwrap();
    let live = rig.read().unwrap();
    let whole = rig.planned(&live, &BTreeSet::new(), None).unwrap().plan;
    let chosen = select(&whole.sealed, &Selection { leftovers: true, ..Selection::default() }).unwrap();
    let plan = rig.planned(&live, &BTreeSet::new(), Some(&chosen)).unwrap().plan;
    assert!(rig.apply_plan(&plan).unwrap().all_done());
    P::held(&rig.world(), "p@x.example")
}

/// One group gave a role until a date, and another one says nothing of roles. It doesn't keep the role.
#[test]
fn what_a_group_gave_until_a_date_is_not_kept_by_another_group() {
    let mut world = Custody::organization();
    Custody::put(&mut world, "p@x.example", "SIGNER", &[]);
    let users = "{ group: a, roles: [SIGNER] }, { group: b, enabled: true }";
    assert_eq!(left_by_leftovers::<Custody>(world, users), Some(Grants::new()));
    // Where a user has one role, nothing is left without it.
    let mut world = Console::organization();
    Console::put(&mut world, "p@x.example", "Red", &[]);
    let users = "{ group: a, roles: [Red], resources: all }, { group: b, resources: all }";
    assert_eq!(left_by_leftovers::<Console>(world, users), None);
    let mut world = Workspace::organization();
    Workspace::put(&mut world, "p@x.example", "ADMIN", &[]);
    assert_eq!(left_by_leftovers::<Workspace>(world, "{ group: a, roles: [ADMIN] }, { group: b }"), None);
    let mut world = Hub::organization();
    Hub::put(&mut world, "p@x.example", "Developer", &["Bank"]);
    let users = "{ group: a, teams: [Bank] }, { group: b, roles: [Developer] }";
    assert_eq!(left_by_leftovers::<Hub>(world, users), Some(words(["Developer"])));
    // The same where an entry of their own has ended.
    let mut world = Hub::organization();
    Hub::put(&mut world, "p@x.example", "Developer", &["Bank"]);
    let users = "{ email: p@x.example, roles: [Developer], teams: [Bank], until: 2026-11-30 }, { group: b, roles: [Developer] }";
    assert_eq!(left_by_leftovers::<Hub>(world, users), Some(words(["Developer"])));
}

/// An admin is in every team. Those teams go with the role, without a review.
#[test]
fn an_admin_whose_role_has_ended_leaves_the_teams_that_came_with_it() {
    let mut world = Hub::organization();
    Hub::put(&mut world, "p@x.example", "Organization Admin", &[]);
    let users = "{ email: p@x.example, roles: [Organization Admin], until: 2026-11-30 }, { group: b, roles: [Developer], teams: [Shop] }";
    assert_eq!(left_by_leftovers::<Hub>(world, users), Some(words(["Developer", "team/Shop"])));
}

/// An invitation gives the default role in a team until the role of the file follows. The membership ends all the same.
#[test]
fn a_team_ends_where_somebody_still_has_the_default_role_of_an_invitation() {
    for (role, left) in
        [("team-developer", words(["Developer"])), ("team-viewer", words(["Developer", "team/Bank"]))]
    {
        let mut world = Hub::organization();
        rapidapi::member(&mut world, "p@x.example", false, &[("Bank", role)]);
        let users =
            "{ email: p@x.example, roles: [Developer], teams: { Bank: { role: Team Admin, until: 2026-11-30 } } }";
        assert_eq!(left_by_leftovers::<Hub>(world, users), Some(left), "{role}");
    }
}
