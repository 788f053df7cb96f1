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

use crate::dated::{Dated, Grants, words};
use crate::people::{Organization, PEOPLE, Said, bytes, times};
use crate::support::bitpanda::Custody;
use crate::support::files::loaded;
use crate::support::hive::Console;
use crate::support::paradime::Workspace;
use crate::support::rapidapi::{self, Hub};
use crate::support::rig::{Fate, Rig};
use crate::{Law, fates, few};

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
                // At RapidAPI, an empty list stands for the default role. No other platform has a role of this name.
                let by_default = |list: &Grants| list.is_empty() && grant == "Developer";
                list.as_ref().is_some_and(|list| list.contains(grant) || by_default(list))
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

/// A run that has sent its plan.
struct Ran<'a> {
    organization: &'a Organization,
    at: Timestamp,
    leftovers: bool,
    /// The plan before the selection.
    whole: &'a OrganizationPlan,
    plan: &'a OrganizationPlan,
    near: Vec<NearEnding>,
    all_done: bool,
    /// The state of each person, and whether each key or team exists.
    before: (Vec<State>, Vec<bool>),
    after: (Vec<State>, Vec<bool>),
}

fn nothing_outlives_its_date<P: Dated>(scene: &Scene, seen: &mut Count) -> Law {
    let organization = Organization::new(P::NAME, &scene.files);
    let (head, files) = organization.files();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let email = |person: usize| organization.address(person).to_lowercase();
    let mut rig = Rig::<P>::new(start::<P>(scene, &organization), "");
    let states = |rig: &Rig<P>| -> (Vec<State>, Vec<bool>) {
        let world = rig.world();
        let state = |person| (P::held(&world, &email(person)), P::invited(&world, &email(person)));
        let named = (0..3).map(|at| P::has_named(&world, &format!("name {at}")));
        ((0..=PEOPLE).map(state).collect(), named.collect())
    };
    for (at, run) in instants().into_iter().zip(&scene.runs) {
        run.events(&mut rig, &email);
        let Some(leftovers) = run.leftovers else { continue };
        let found = loaded(&head, &files, at);
        // Groups may contradict each other at a time.
        let desired = found.files[0].desired.clone().filter(|_| !found.findings.iter().any(Finding::is_error));
        let Some(desired) = desired else { continue };
        rig.desired = desired;
        // What ends doesn't count against the limit.
        let removals = if leftovers { 0 } else { usize::MAX };
        rig.desired.guardrails.max_removals = Removals::same_for_each(Limit::Number(removals));
        rig.desired.guardrails.min_admins = scene.min_admins;
        rig.now = at;
        let before = states(&rig);
        let live = rig.read().unwrap();
        let Ok(planned) = rig.planned(&live, &BTreeSet::new(), None) else { continue };
        let whole = planned.plan;
        let selection = Selection { leftovers, ..Selection::default() };
        let chosen = select(&whole.sealed, &selection).unwrap();
        let plan = rig.planned(&live, &BTreeSet::new(), Some(&chosen)).unwrap().plan;
        if !plan.refusals.is_empty() {
            *seen.entry("a refusal").or_default() += 1;
            continue;
        }
        let near = near_endings(&rig.desired, &plan, at, SignedDuration::from_hours(24 * 14));
        rig.wire.set_fates(&run.fates);
        let all_done = rig.apply_plan(&plan).unwrap().all_done();
        rig.wire.set_fates(&[]);
        let after = states(&rig);
        let ran = Ran {
            organization: &organization,
            at,
            leftovers,
            whole: &whole,
            plan: &plan,
            near,
            all_done,
            before,
            after,
        };
        ran.people(seen).and_then(|()| ran.named(seen)).map_err(|why| {
            let all = std::iter::once(("x.yaml", head.as_str())).chain(files.iter().copied());
            let all: Vec<String> = all.map(|(path, text)| format!("# {path}\n{text}")).collect();
            let Ran { before, after, whole, .. } = &ran;
            let all = all.concat();
            TestCaseError::fail(format!("at {at}: {why}\n{all}\n{before:?}\n{after:?}\n{:#?}", whole.sealed))
        })?;
    }
    Ok(())
}

impl Run {
    /// Makes what happens before the run.
    fn events<P: Dated>(&self, rig: &mut Rig<P>, email: &dyn Fn(usize) -> String) {
        let mut world = rig.world();
        if let Some((person, role)) = self.by_hand
            && P::held(&world, &email(person)).is_some()
        {
            P::put(&mut world, &email(person), P::ROLES[role % P::ROLES.len()], &["Bank"]);
        }
        for person in (0..=PEOPLE).filter(|_| self.accepts) {
            P::accept(&mut world, &email(person));
        }
    }
}

impl Ran<'_> {
    /// Checks what people have after the run.
    fn people(&self, seen: &mut Count) -> Result<(), String> {
        let Self { organization, at, leftovers, whole, .. } = *self;
        for person in 0..=PEOPLE {
            let given = Given::at(organization, person, at).unwrap();
            let (had, has) = (&self.before.0[person], &self.after.0[person]);
            let named = organization.address(person).to_lowercase();
            let is_there = |grant: &str| {
                (0..3).all(|name| grant != format!("team/name {name}") || organization.is_named(name, at))
            };
            not_before_its_date(&given, had, has, &is_there).map_err(|why| format!("{named} {why}"))?;
            let ended = overdue(organization, person, had, at);
            if ended.is_empty() {
                continue;
            }
            *seen.entry(if leftovers { "ended, leftovers" } else { "ended, apply" }).or_default() += 1;
            let email = Email::parse(&named).unwrap();
            let people = [Address::user(&email), Address::invitation(&email)];
            let is_theirs = |address: &Address| people.iter().any(|theirs| theirs.covers(address));
            said(&ended, &self.near, self.plan, at, &is_theirs).map_err(|why| format!("{named} {why}"))?;
            let left = overdue(organization, person, has, at);
            let holds = whole.sealed.holds.iter();
            let mut blocked = holds.filter(|hold| is_theirs(&hold.address) && hold.class != HoldClass::Ignored);
            let mut changes = whole.sealed.changes.iter().filter(|change| is_theirs(&change.address));
            let to_review = leftovers
                && changes.any(|change| !change.is_leftover())
                && goes_beyond(&given, had, &ended, whole, &is_theirs);
            let became = match () {
                () if !self.all_done => "a failure",
                () if left.is_empty() => "taken",
                () if to_review => "to be reviewed",
                () if blocked.next().is_some() => "held",
                () => return Err(format!("{named} still has {left:?}")),
            };
            *seen.entry(became).or_default() += 1;
        }
        Ok(())
    }

    /// Checks which keys and teams are there after the run.
    fn named(&self, seen: &mut Count) -> Result<(), String> {
        for name in 0..3 {
            let (was, is) = (self.before.1[name], self.after.1[name]);
            let may_be = self.organization.is_named(name, self.at);
            if was && !is && may_be {
                return Err(format!("name {name} was removed"));
            }
            let has_ended = !may_be && self.organization.is_named(name, Timestamp::MIN);
            let mut holds = self.whole.sealed.holds.iter();
            let is_held = holds.any(|hold| *hold.address.name == format!("name {name}"));
            if self.all_done && has_ended && is && !is_held {
                return Err(format!("name {name} is still there"));
            }
            *seen.entry("a key or team").or_default() += usize::from(has_ended && was);
        }
        Ok(())
    }
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
