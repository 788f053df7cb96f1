//! Support for tests with GraphQL Hive.

use std::sync::MutexGuard;

use jiff::Timestamp;
use rolecall_model::ProviderName;
use rolecall_providers::Secrets;
use rolecall_sandbox::hive::{
    Assignment, AuthProvider, Hive, OWN_CREDENTIAL, ProjectKind, World, WorldInvitation, WorldMember,
    WorldProject, WorldRole, WorldTarget,
};
use secrecy::SecretString;

use super::rig::{self, now};

pub struct Console;

pub type Rig = rig::Rig<Console>;

pub const HEAD: &str = "provider: hive
organization: acme
endpoint: https://api.graphql-hive.com/graphql
credentials: { token: { env: TOKEN } }
";

impl rig::Platform for Console {
    type World = World;
    type Engine = Hive;
    const NAME: ProviderName = ProviderName::Hive;
    const HEAD: &'static str = HEAD;

    fn secrets() -> Secrets {
        Secrets::new([("token", SecretString::from(OWN_CREDENTIAL.trim_start_matches("Bearer ")))])
    }

    fn engine(world: World, clock: rolecall_sandbox::Clock) -> Hive {
        Hive::new(world, clock)
    }

    fn world(engine: &Hive) -> MutexGuard<'_, World> {
        engine.world()
    }
}

/// Returns an id in the platform's format.
pub fn uuid(seed: &str) -> String {
    let digest = rolecall_sandbox::digest(seed);
    format!("{}-{}-4{}-a{}-{}", &digest[..8], &digest[8..12], &digest[13..16], &digest[17..20], &digest[20..32])
}

fn past() -> Timestamp {
    "2025-01-01T00:00:00Z".parse().unwrap()
}

/// Returns an organisation with its owner and three projects of two targets each.
pub fn world() -> World {
    let mut world = World::empty("acme");
    let projects =
        [("shop", ProjectKind::Federation), ("blog", ProjectKind::Single), ("mobile", ProjectKind::Stitching)];
    for (slug, kind) in projects {
        let target = |name: &str| WorldTarget { id: uuid(&format!("{slug}/{name}")), slug: name.to_owned() };
        let targets = vec![target("production"), target("staging")];
        world.projects.push(WorldProject { id: uuid(slug), slug: slug.to_owned(), kind, targets });
    }
    world
}

pub fn role(world: &mut World, name: &str, permissions: &[&str]) -> String {
    let id = uuid(&format!("role/{name}"));
    world.roles.push(WorldRole {
        id: id.clone(),
        name: name.to_owned(),
        description: format!("About {name}"),
        locked: false,
        permissions: permissions.iter().map(ToString::to_string).collect(),
    });
    id
}

pub fn member(world: &mut World, email: &str, role: &str, resources: Assignment) {
    let role_id = world.role(role).unwrap().id.clone();
    let number = i64::try_from(world.members.len()).unwrap();
    world.members.push(WorldMember {
        user_id: uuid(&format!("user/{email}/{number}")),
        email: email.to_owned(),
        display_name: email.to_owned(),
        provider: AuthProvider::UsernamePassword,
        role_id,
        resources,
        created_at: past() + jiff::SignedDuration::from_secs(number * 61),
        provisioned: false,
    });
}

pub fn invitation(world: &mut World, email: &str, role: &str) {
    let role_id = world.role(role).unwrap().id.clone();
    let created_at = now() - jiff::SignedDuration::from_hours(24);
    world.invitations.push(WorldInvitation {
        email: email.to_owned(),
        role_id,
        resources: Assignment::All,
        code: format!("redeem-code-of-{email}"),
        created_at,
        expires_at: created_at + jiff::SignedDuration::from_hours(24 * 7),
    });
}
