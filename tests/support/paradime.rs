//! Support for tests with Paradime.

use std::sync::MutexGuard;

use rolecall_model::ProviderName;
use rolecall_providers::Secrets;
use rolecall_sandbox::digest;
use rolecall_sandbox::paradime::{
    OWN_API_KEY, OWN_API_SECRET, Paradime, UserStatus, World, WorldInvitation, WorldUser,
};
use secrecy::SecretString;

use super::rig;

pub struct Workspace;

pub type Rig = rig::Rig<Workspace>;

/// The user to whom rolecall's credential belongs.
pub const OWNER: &str = "own@x.example";

pub const HEAD: &str = "provider: paradime
organization: analytics0000000
endpoint: { env: ENDPOINT }
credentials: { api_key: { env: KEY }, api_secret: { env: SECRET } }
own: { user: own@x.example }
";

impl rig::Platform for Workspace {
    type World = World;
    type Engine = Paradime;
    const NAME: ProviderName = ProviderName::Paradime;
    const HEAD: &'static str = HEAD;

    fn secrets() -> Secrets {
        Secrets::new([
            ("api_key", SecretString::from(OWN_API_KEY)),
            ("api_secret", SecretString::from(OWN_API_SECRET)),
        ])
    }

    fn engine(world: World, clock: rolecall_sandbox::Clock) -> Paradime {
        Paradime::new(world, clock)
    }

    fn world(engine: &Paradime) -> MutexGuard<'_, World> {
        engine.world()
    }
}

/// Returns a workspace with the owner of the credential.
pub fn world() -> World {
    let mut world = World::empty("analytics0000000");
    user(&mut world, OWNER, "ADMIN");
    world
}

pub fn uid(email: &str) -> String {
    digest(&format!("user/{email}"))
}

pub fn user(world: &mut World, email: &str, account_type: &str) {
    world.users.push(WorldUser {
        uid: uid(email),
        email: email.to_owned(),
        name: "First Last".to_owned(),
        account_type: account_type.to_owned(),
        status: UserStatus::Active,
    });
}

pub fn disabled(world: &mut World, email: &str, account_type: &str) {
    user(world, email, account_type);
    world.user_mut(email).unwrap().status = UserStatus::Disabled;
}

pub fn invitation(world: &mut World, email: &str, account_type: &str, status: &str) {
    world.invitations.push(WorldInvitation {
        email: email.to_owned(),
        account_type: account_type.to_owned(),
        status: status.to_owned(),
    });
}
