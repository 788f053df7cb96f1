//! RapidAPI for tests.

use std::sync::{Arc, MutexGuard};

use rolecall::model::ProviderName;
use rolecall::provider::Secrets;
use rolecall::sandbox::rapidapi::{OWN_PERSONAL_KEY, OWN_TEAM_KEY, RapidApi, World};
use secrecy::SecretString;

use super::rig::{self, now};

pub struct Hub;

pub type Rig = rig::Rig<Hub>;

pub const HEAD: &str = "provider: rapidapi
organization: acme
endpoint: https://graphql-platform.p.rapidapi.com/
host: platform-graphql.sandbox.rapidapi.example
credentials: { personal_key: { env: KEY }, team_key: { env: TEAM_KEY } }
";

impl rig::Platform for Hub {
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

    fn engine(world: World) -> RapidApi {
        RapidApi::new(world, Arc::new(now))
    }

    fn world(engine: &RapidApi) -> MutexGuard<'_, World> {
        engine.world()
    }
}

/// A hub with one organisation, which the owner of the credentials administrates. Nothing is limited, as time stands
/// still.
pub fn world() -> World {
    let mut world = World::empty();
    world.add_organization("acme");
    world.switches.rate_limit = 0;
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

/// A member with a role, by its key, in each of some teams.
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

/// The teams that somebody is in.
pub fn teams_of(world: &World, email: &str) -> Vec<String> {
    let user = world.user(email).unwrap().id;
    let organization = world.organization("acme").unwrap();
    let in_it = organization.teams.iter().filter(|team| world.is_in_team(team.id, user));
    in_it.map(|team| team.name.clone()).collect()
}
