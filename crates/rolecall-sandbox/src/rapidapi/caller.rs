//! Who calls, and what they may do.

use serde::{Deserialize, Serialize};

use super::super::{Headers, digest};
use super::switches::MutationContext;
use super::world::{ACTIVE, World};

/// What the header for the host has to say.
pub const HOST: &str = "platform-graphql.sandbox.rapidapi.example";

/// The key of the own user's personal account.
pub const OWN_PERSONAL_KEY: &str = "sandbox-own-personal-key";

/// The key of the team that the own user calls for.
pub const OWN_TEAM_KEY: &str = "sandbox-own-team-key";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldCredential {
    /// Of the key, which nobody keeps.
    pub digest: String,
    /// Whose personal account it is. Of a team's key this counts for nothing: the identity key says who calls.
    pub user: u64,
    pub team: Option<u64>,
}

impl WorldCredential {
    pub fn personal(key: &str, user: u64) -> Self {
        Self { digest: digest(key), user, team: None }
    }

    pub fn of_team(key: &str, team: u64) -> Self {
        Self { digest: digest(key), user: 0, team: Some(team) }
    }
}

/// Why nothing was done, or nothing is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub code: &'static str,
    pub message: String,
}

/// The codes as the same graph has them behind the public site, but for the last. The words are ours.
impl Refused {
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self { code: "BAD_USER_INPUT", message: message.into() }
    }

    pub fn unprocessable(message: impl Into<String>) -> Self {
        Self { code: "UNPROCESSABLE_ENTITY", message: message.into() }
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self { code: "FORBIDDEN", message: message.into() }
    }
}

/// Whoever sent a request: a user, in person or for a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub user: u64,
    pub team: Option<u64>,
}

impl Caller {
    /// The key chooses the context, and a team's needs the key of a person beside it. docs.rapidapi.com,
    /// Authorization. What is wrong with them otherwise is said in words of ours.
    pub fn of(world: &World, headers: &Headers) -> Result<Self, &'static str> {
        let found = |name: &str| {
            let digest = digest(headers.get(name)?);
            world.credentials.iter().find(|it| it.digest == digest)
        };
        let key =
            found("x-rapidapi-key").ok_or("Invalid API key. Go to the hub's documentation for more info.")?;
        let user = if key.team.is_some() {
            let identity = found("x-rapidapi-identity-key").filter(|identity| identity.team.is_none());
            identity.ok_or("Invalid identity key: a team's key needs one of a personal account.")?.user
        } else {
            key.user
        };
        let active = world.user_by_id(user).is_some_and(|user| user.status == ACTIVE);
        if active { Ok(Self { user, team: key.team }) } else { Err("Invalid API key: the account isn't active.") }
    }

    pub fn is_environment_admin(self, world: &World) -> bool {
        world.is_environment_admin(self.user)
    }

    /// As the pages of the hub's administration ask for it: with a personal key.
    pub fn require_hub(self, world: &World) -> Result<(), Refused> {
        let may = self.team.is_none() && self.is_environment_admin(world);
        may.then_some(()).ok_or(Refused::forbidden("this needs the personal key of an environment admin"))
    }

    pub fn require_team_context(self) -> Result<(), Refused> {
        self.team.map(|_| ()).ok_or(Refused::forbidden("this needs a team's key, and an identity key"))
    }

    /// Are they in an organisation?
    pub fn require_member(self, world: &World, organization: u64) -> Result<(), Refused> {
        let may = world.is_member(organization, self.user);
        may.then_some(()).ok_or(Refused::forbidden("this needs a member of the organization"))
    }

    /// May they see an organisation?
    pub fn require_sight(self, world: &World, organization: u64) -> Result<(), Refused> {
        let may = world.is_member(organization, self.user) || self.is_environment_admin(world);
        may.then_some(()).ok_or(Refused::forbidden("this needs a member of the organization"))
    }

    /// May they see what its admins see?
    pub fn require_reader(self, world: &World, organization: u64) -> Result<(), Refused> {
        let may = world.is_org_admin(organization, self.user) || self.is_environment_admin(world);
        may.then_some(()).ok_or(Refused::forbidden("this needs an admin of the organization"))
    }

    /// May they change an organisation?
    pub fn require_admin(self, world: &World, organization: u64) -> Result<(), Refused> {
        let anywhere = world.switches.environment_admin_mutates_anywhere && self.is_environment_admin(world);
        let may = anywhere || world.is_org_admin(organization, self.user);
        may.then_some(()).ok_or(Refused::forbidden("this needs an admin of the organization"))
    }

    /// Is this the kind of key that mutations work with?
    pub fn require_context_of_mutations(self, world: &World) -> Result<(), Refused> {
        match (world.switches.mutation_context, self.team) {
            (MutationContext::Team, None) => Err(Refused::forbidden("mutations need a team's key")),
            (MutationContext::Personal, Some(_)) => Err(Refused::forbidden("mutations need a personal key")),
            (MutationContext::Any, _) | (MutationContext::Team, Some(_)) | (MutationContext::Personal, None) => {
                Ok(())
            }
        }
    }
}
