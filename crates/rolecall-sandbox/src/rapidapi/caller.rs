//! Credentials, and the access of the caller.

use serde::{Deserialize, Serialize};

use super::super::{Headers, digest};
use super::switches::MutationContext;
use super::world::{ACTIVE, World};

/// The value that the `x-rapidapi-host` header must have.
pub const HOST: &str = "platform-graphql.sandbox.rapidapi.example";

/// The key of the own user's personal account.
pub const OWN_PERSONAL_KEY: &str = "sandbox-own-personal-key";

/// The key of the team for which the own user calls.
pub const OWN_TEAM_KEY: &str = "sandbox-own-team-key";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldCredential {
    /// The [`digest`] of the key, which isn't stored itself.
    pub digest: String,
    /// The owner of the personal account. A team's key ignores it: the identity key says which user calls.
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

/// The error of a refused mutation or field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub code: &'static str,
    pub message: String,
}

/// The codes, except `FORBIDDEN`, were seen from the same API behind the public site. `FORBIDDEN` and the messages
/// are ours.
impl ApiError {
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

/// The sender of a request: a user, with a personal key or with a team's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub user: u64,
    pub team: Option<u64>,
}

impl Caller {
    /// Finds the caller. The key selects the context; a team's key needs the key of a personal account beside it
    /// (docs.rapidapi.com, Authorization). The error messages are ours.
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

    /// Checks that the caller is an environment admin with a personal key, as the hub's administration requires.
    pub fn require_environment_admin(self, world: &World) -> Result<(), ApiError> {
        let may = self.team.is_none() && self.is_environment_admin(world);
        may.then_some(()).ok_or(ApiError::forbidden("this needs the personal key of an environment admin"))
    }

    pub fn require_team_context(self) -> Result<(), ApiError> {
        self.team.map(|_| ()).ok_or(ApiError::forbidden("this needs a team's key, and an identity key"))
    }

    /// Checks that the caller is a member of the organisation.
    pub fn require_member(self, world: &World, organization: u64) -> Result<(), ApiError> {
        let may = world.is_member(organization, self.user);
        may.then_some(()).ok_or(ApiError::forbidden("this needs a member of the organization"))
    }

    /// Checks that the caller may read the organisation.
    pub fn require_read(self, world: &World, organization: u64) -> Result<(), ApiError> {
        let may = world.is_member(organization, self.user) || self.is_environment_admin(world);
        may.then_some(()).ok_or(ApiError::forbidden("this needs a member of the organization"))
    }

    /// Checks that the caller may read what only admins of the organisation see.
    pub fn require_admin_read(self, world: &World, organization: u64) -> Result<(), ApiError> {
        let may = world.is_org_admin(organization, self.user) || self.is_environment_admin(world);
        may.then_some(()).ok_or(ApiError::forbidden("this needs an admin of the organization"))
    }

    /// Checks that the caller may read the keys of an app. The keys of a team's app are for members of the team
    /// who call with a team's key (docs.rapidapi.com, Apps and Authorizations).
    pub fn require_key_read(self, world: &World, owner: u64) -> Result<(), ApiError> {
        if world.team(owner).is_none() {
            return if self.user == owner { Ok(()) } else { self.require_environment_admin(world) };
        }
        self.require_team_context()?;
        let may = world.is_in_team(owner, self.user);
        may.then_some(()).ok_or(ApiError::forbidden("this needs a member of the team"))
    }

    /// Checks the same for an app that is read through its organisation. The organisation's admins may read those
    /// keys too.
    pub fn require_key_read_in_organization(self, world: &World, owner: u64) -> Result<(), ApiError> {
        match world.team(owner) {
            Some((organization, _)) if self.require_admin_read(world, organization.id).is_ok() => Ok(()),
            _ => self.require_key_read(world, owner),
        }
    }

    /// Checks that the caller may change the organisation.
    pub fn require_write(self, world: &World, organization: u64) -> Result<(), ApiError> {
        let anywhere = world.switches.environment_admin_mutates_anywhere && self.is_environment_admin(world);
        let may = anywhere || world.is_org_admin(organization, self.user);
        may.then_some(()).ok_or(ApiError::forbidden("this needs an admin of the organization"))
    }

    /// Checks that mutations work with this kind of key.
    pub fn require_mutation_context(self, world: &World) -> Result<(), ApiError> {
        match (world.switches.mutation_context, self.team) {
            (MutationContext::Team, None) => Err(ApiError::forbidden("mutations need a team's key")),
            (MutationContext::Personal, Some(_)) => Err(ApiError::forbidden("mutations need a personal key")),
            (MutationContext::Any, _) | (MutationContext::Team, Some(_)) | (MutationContext::Personal, None) => {
                Ok(())
            }
        }
    }
}
