//! Support for tests with RapidAPI.

use std::collections::BTreeSet;
use std::sync::MutexGuard;

use rolecall_engine::apply::{FinalState, Report, record_observed};
use rolecall_model::{Address, Effect, Finding, OrganizationPlan, Outcome, ProviderName};
use rolecall_providers::Secrets;
use rolecall_sandbox::rapidapi::{Generation, OWN_PERSONAL_KEY, OWN_TEAM_KEY, RapidApi, RootFields, World};
use secrecy::SecretString;
use serde_json::Value;

use super::rig::{self, Platform, addresses, now};

pub struct Hub;

pub type Rig = rig::Rig<Hub>;

pub const HEAD: &str = "provider: rapidapi
organization: acme
endpoint: https://graphql-platform.p.rapidapi.com/
host: platform-graphql.sandbox.rapidapi.example
credentials: { personal_key: { env: KEY }, team_key: { env: TEAM_KEY } }
";

impl Platform for Hub {
    type World = World;
    type Engine = RapidApi;
    const NAME: ProviderName = ProviderName::Rapidapi;
    const HEAD: &'static str = HEAD;

    fn secrets() -> Secrets {
        Secrets::new([
            ("personal_key", SecretString::from(OWN_PERSONAL_KEY)),
            ("team_key", SecretString::from(OWN_TEAM_KEY)),
        ])
    }

    fn engine(world: World, clock: rolecall_sandbox::Clock) -> RapidApi {
        RapidApi::new(world, clock)
    }

    fn world(engine: &RapidApi) -> MutexGuard<'_, World> {
        engine.world()
    }
}

/// Returns a hub with one organisation, of which the owner of the credentials is an admin. There is no rate limit,
/// because time stands still.
pub fn world() -> World {
    let mut world = World::empty();
    world.add_organization("acme");
    world.switches.rate_limit = 0;
    // The release notes allow one, so that is what rolecall sends if the file doesn't say otherwise.
    world.switches.root_fields = RootFields::One;
    world
}

/// The organisation's id.
pub fn acme(world: &World) -> u64 {
    world.organization("acme").unwrap().id
}

pub fn team(world: &World, name: &str) -> u64 {
    let organization = world.organization("acme").unwrap();
    organization.teams.iter().find(|team| team.name == name && !team.deleted).unwrap().id
}

/// Adds a member to the organisation and to some teams, each with a role by its key.
pub fn member(world: &mut World, email: &str, admin: bool, teams: &[(&str, &str)]) -> u64 {
    let organization = acme(world);
    let known = world.user(email).map(|user| user.id);
    let user = known.unwrap_or_else(|| world.add_user(email));
    world.add_member(organization, user, admin);
    for (name, role) in teams {
        let team = team(world, name);
        world.add_to_team(team, user);
        world.assign("USER_TEAM", role, user, Some(organization), Some(team));
    }
    user
}

pub fn invitation(world: &mut World, email: &str, role: &str, teams: &[&str]) {
    let organization = acme(world);
    let teams: Vec<u64> = teams.iter().map(|name| team(world, name)).collect();
    world.add_invitation(organization, email, role, &teams);
}

/// Returns the teams that a user is in.
pub fn teams_of(world: &World, email: &str) -> Vec<String> {
    let user = world.user(email).unwrap().id;
    let organization = world.organization("acme").unwrap();
    let in_it = organization.teams.iter().filter(|team| world.is_in_team(team.id, user));
    in_it.map(|team| team.name.clone()).collect()
}

/// Returns a hub whose organisation has these teams and its default team.
pub fn with_teams(names: &[&str]) -> World {
    let mut world = world();
    let organization = acme(&world);
    for name in names {
        world.add_team(organization, name);
    }
    world
}

pub fn user(world: &World, email: &str) -> u64 {
    world.user(email).unwrap().id
}

/// Returns the id of a role by its level and key.
pub fn role(world: &World, level: &str, key: &str) -> u64 {
    world.role(level, key).unwrap().id
}

/// Returns the key of a user's role in a team.
pub fn role_in(world: &World, email: &str, name: &str) -> Option<String> {
    let row = world.assignment("USER_TEAM", user(world, email), Some(acme(world)), Some(team(world, name)))?;
    world.role_by_id(row.role).map(|role| role.key.clone())
}

pub fn is_admin(world: &World, email: &str) -> bool {
    world.is_org_admin(acme(world), user(world, email))
}

pub fn is_member(world: &World, email: &str) -> bool {
    world.user(email).is_some_and(|user| world.is_member(acme(world), user.id))
}

pub fn status(world: &World, email: &str) -> String {
    world.user(email).unwrap().status.clone()
}

/// Returns the invitations that can be accepted: address, role and teams.
pub fn invited(world: &World) -> Vec<(String, String, Vec<String>)> {
    let organization = world.organization("acme").unwrap();
    let name = |id: &u64| organization.team(*id).unwrap().name.clone();
    let mut invited: Vec<_> = organization
        .invitations
        .iter()
        .map(|it| (it.email.clone(), it.role.clone(), it.teams.iter().map(name).collect()))
        .collect();
    invited.sort();
    invited
}

/// Returns the operations that were sent with their variables, or with their input if they have one.
pub fn sent<P: Platform>(rig: &rig::Rig<P>) -> Vec<(&'static str, Value)> {
    let input = |variables: Value| variables.get("input").cloned().unwrap_or(variables);
    rig.wire.mutations().into_iter().map(|request| (request.operation_name, input(request.variables))).collect()
}

/// Returns the names of the operations that were sent.
pub fn operations<P: Platform>(rig: &rig::Rig<P>) -> Vec<&'static str> {
    sent(rig).into_iter().map(|(operation, _)| operation).collect()
}

/// Returns the names of all requests, starting at the given one.
pub fn requests<P: Platform>(rig: &rig::Rig<P>, from: usize) -> Vec<&'static str> {
    rig.wire.sent()[from..].iter().map(|request| request.operation_name).collect()
}

/// Returns the outcome of each step.
pub fn outcomes(report: &Report) -> Vec<(&str, Outcome)> {
    report.steps.iter().map(|step| (step.operation.as_str(), step.outcome)).collect()
}

pub fn asserted<P: Platform>(rig: &rig::Rig<P>, address: &str) -> OrganizationPlan {
    let asserted: BTreeSet<Address> = BTreeSet::from([address.parse().unwrap()]);
    rig.plan_from(&rig.read().unwrap(), &asserted, None).unwrap()
}

/// Updates the ledger from what was read, as an apply does before it plans.
pub fn ledger_updates<P: Platform>(rig: &mut rig::Rig<P>) {
    let live = rig.read().unwrap();
    record_observed(&live, rolecall_providers::rules(P::NAME), &mut rig.ledger, "run-x", now()).unwrap();
}

pub fn effects(plan: &OrganizationPlan, address: &str) -> Vec<Effect> {
    let change = plan.sealed.changes.iter().find(|change| change.address.to_string() == address);
    change.unwrap_or_else(|| panic!("{:?}", addresses(plan))).effects.clone()
}

/// Returns the reasons and classes of the holds on an address.
pub fn held(plan: &OrganizationPlan, address: &str) -> Vec<String> {
    let of = plan.sealed.holds.iter().filter(|hold| hold.address.to_string() == address);
    of.map(|hold| format!("{}: {}", hold.class.as_str(), hold.reason)).collect()
}

pub fn findings(world: World, body: &str) -> Vec<Finding> {
    Rig::new(world, body).try_plan().err().unwrap_or_default()
}

/// Returns the plan of a new rig.
pub fn planned(world: World, body: &str) -> OrganizationPlan {
    Rig::new(world, body).plan()
}

/// An empty list of addresses.
pub const NOBODY: Vec<String> = Vec::new();

/// Whether everything was done and the platform is in sync with the file.
pub fn converged(report: &Report) -> bool {
    report.all_done() && matches!(report.final_state, FinalState::InSync { .. })
}

pub fn two_teams(rig: &Rig) -> (u64, u64) {
    let world = rig.world();
    (team(&world, "Payments"), team(&world, "Data"))
}

/// Returns the beginning of a file for another organisation, with the same credentials.
pub fn head_of(organization: impl std::fmt::Display) -> String {
    HEAD.replace("organization: acme", &format!("organization: \"{organization}\""))
}

/// Returns a rig for an organisation of this hub other than `acme`.
pub fn rig_of(organization: impl std::fmt::Display, world: World, body: &str) -> Rig {
    let mut rig = Rig::new(world, "");
    set_file_of(&mut rig, organization, body);
    rig
}

/// Plans from another file, for an organisation other than `acme`.
pub fn set_file_of(rig: &mut Rig, organization: impl std::fmt::Display, body: &str) {
    rig.desired = rig::desired(&format!("{}{body}", head_of(organization)));
}

pub const GENERATIONS: [Generation; 2] = [Generation::August2023, Generation::Documented];

/// Returns a world with one user for each kind of change, and the file that asks for the changes.
pub fn one_of_each_change() -> (World, &'static str) {
    let mut world = with_teams(&["Payments", "Data", "Legacy"]);
    let partners = world.add_organization("partners");
    let up = member(&mut world, "up@x.example", false, &[("Payments", "team-viewer")]);
    world.add_member(partners, up, true);
    member(&mut world, "down@x.example", true, &[("Payments", "team-admin")]);
    member(&mut world, "left@x.example", false, &[("Legacy", "team-viewer")]);
    member(&mut world, "moves@x.example", false, &[("Legacy", "team-viewer"), ("Payments", "team-viewer")]);
    member(&mut world, "stays@x.example", false, &[("Payments", "team-viewer")]);
    invitation(&mut world, "other@x.example", "DEVELOPER", &["Payments"]);
    invitation(&mut world, "unlisted@x.example", "ADMIN", &["Payments"]);
    let body = "manage: { users: all }
guardrails: { min_admins: 2 }
settings: { name: Acme Group }
teams: [{ name: New, description: made }, { name: Data, description: changed }, { name: Legacy, absent: true }]
users:
  - { email: own@acme.example }
  - { email: up@x.example, roles: [Organization Admin] }
  - { email: down@x.example, roles: [Developer], teams: { New: Team Admin, Data: Team Viewer } }
  - { email: moves@x.example, teams: { Data: Team Admin, New: Team Developer } }
  - { email: stays@x.example, roles: [Developer], teams: { Payments: Team Viewer } }
  - { email: other@x.example, roles: [Developer], teams: [Data, New] }
  - { email: new@x.example, roles: [Developer], teams: { New: Team Viewer } }
";
    (world, body)
}

/// Returns a world and a file with twenty users to invite, ten to change and five to remove.
pub fn crowd() -> (World, String) {
    let mut world = with_teams(&["Payments", "Data"]);
    let mut users = Vec::new();
    for index in 0..20 {
        users.push(format!("{{ email: new{index}@x.example, roles: [Developer], teams: [Payments] }}"));
    }
    for index in 0..10 {
        member(&mut world, &format!("u{index}@x.example"), false, &[("Payments", "team-viewer")]);
        users.push(format!("{{ email: u{index}@x.example, teams: {{ Data: Team Admin }} }}"));
    }
    for index in 0..5 {
        member(&mut world, &format!("left{index}@x.example"), false, &[]);
        users.push(format!("{{ email: left{index}@x.example, absent: true }}"));
    }
    world.switches.rate_limit = 10;
    world.switches.minute_millis = 60_000;
    (world, format!("users: [{}]\n", users.join(", ")))
}
