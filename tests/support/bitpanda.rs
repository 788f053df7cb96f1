//! Support for tests with Bitpanda Custody.

use std::sync::MutexGuard;

use rolecall_model::ProviderName;
use rolecall_providers::Secrets;
use rolecall_sandbox::bitpanda::{Bitpanda, World, WorldKey, WorldUser};
use rolecall_sandbox::digest;
use secrecy::SecretString;

use super::rig;

pub const ORGANIZATION: &str = "org-1";
pub const OWN_SECRET: &str = "own-secret";

pub struct Custody;

pub type Rig = rig::Rig<Custody>;

impl rig::Platform for Custody {
    type World = World;
    type Engine = Bitpanda;
    const NAME: ProviderName = ProviderName::Bitpanda;
    const HEAD: &'static str = HEAD;

    fn secrets() -> Secrets {
        Secrets::new([("api_key", SecretString::from(OWN_SECRET))])
    }

    fn engine(world: World, clock: rolecall_sandbox::Clock) -> Bitpanda {
        Bitpanda::new(world, clock)
    }

    fn world(engine: &Bitpanda) -> MutexGuard<'_, World> {
        engine.world()
    }
}

/// Returns a world with rolecall's own key.
pub fn world() -> World {
    let mut world = World::empty(ORGANIZATION);
    world.keys.push(key("own", "rolecall", &["ADMIN"], OWN_SECRET));
    world
}

pub fn user(email: &str, roles: &[&str]) -> WorldUser {
    WorldUser {
        id: format!("id-{email}"),
        email: email.to_owned(),
        first_name: Some("First".to_owned()),
        last_name: Some("Last".to_owned()),
        phone: Some("+43".to_owned()),
        roles: roles.iter().map(ToString::to_string).collect(),
        enabled: true,
        accepted: true,
        created_at: "2025-01-01T00:00:00Z".parse().unwrap(),
    }
}

pub fn key(id: &str, name: &str, roles: &[&str], secret: &str) -> WorldKey {
    WorldKey {
        id: id.to_owned(),
        name: name.to_owned(),
        roles: roles.iter().map(ToString::to_string).collect(),
        expires: "2030-01-01T00:00:00Z".parse().unwrap(),
        enabled: true,
        digest: digest(secret),
    }
}

/// The beginning of every test's file.
pub const HEAD: &str = "provider: bitpanda
organization: org-1
endpoint: https://tapi-sandbox.trustology-test.com/graphql
credentials: { api_key: { env: KEY } }
own: { key: own }
";
