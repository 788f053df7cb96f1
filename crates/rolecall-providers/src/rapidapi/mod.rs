//! RapidAPI Enterprise Hub: an organisation, its teams and its people, over the GraphQL Platform API.
//!
//! Facts come from the vendor's documentation (docs.rapidapi.com, as of 2026), from an introspection of January
//! 2023 and from a client generated in August 2023 (dapalex/py-graphql-mapper). There is no published schema, and
//! the three disagree: see the module `generation`.

mod config;
mod context;
mod documents;
mod generation;
mod lower;
mod mutation_result;
mod number;
mod permissions;
mod read;
mod rules;
mod settings;
mod shows;
mod wire;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

pub use context::OPERATIONS;
pub use documents::{MUTATIONS, QUERIES, QUERIES_BY_GENERATION};

use super::schema::UsedSchema;
use super::{
    Definition, MutationResult, Permissions, Provider, ReadError, Secrets, Survey, Traffic, UnfitCredential,
};
use context::{CHANGES, EITHER, IDENTITY_KEY, PERSONAL, PERSONAL_KEY, TEAM, TEAM_KEY};
use rolecall_config::{Format, Head};
use rolecall_graphql::{CallError, Contexts, Mutation, Quota, Reader, Redactor, Response};
use rolecall_model::{Change, Desired, Live, Rules};

/// The number of requests that a hub accepts from a person each minute, by the release notes of December 2022.
const REQUESTS_PER_MINUTE: usize = 10;

/// The provider for RapidAPI Enterprise Hub.
#[derive(Clone, Copy, Debug)]
pub struct RapidApi;

/// The platform in the registry.
pub static DEFINITION: Definition =
    Definition { api: &RapidApi, format: Format::of::<config::RawRapidapi>(&RapidApi, HEAD) };

const HEAD: Head =
    Head { text: include_str!("head.yaml"), endpoints: &["https://graphql-platform.p.rapidapi.com/"] };

/// The parts of the schema of the documentation that rolecall uses.
const USED: &str = include_str!("used-documented.txt");

const TRAFFIC: Traffic = Traffic { parallelism: 1, batch_limits: None, quotas: &[], retries_rate_limited: true };

impl Provider for RapidApi {
    fn rules(&self) -> &'static dyn Rules {
        &Self
    }

    fn traffic(&self) -> &'static Traffic {
        &TRAFFIC
    }

    fn headers(&self, secrets: &Secrets, desired: &Desired) -> Result<Contexts, UnfitCredential> {
        let host = || {
            let host = desired.host.as_ref().map(|host| host.value.clone()).unwrap_or_default();
            ("x-rapidapi-host", SecretString::from(host))
        };
        let key = |secret: &SecretString| ("x-rapidapi-key", secret.clone());
        let personal = secrets.find(PERSONAL_KEY);
        let identity = secrets.find(IDENTITY_KEY).or(personal);
        let (team, mut contexts) = (secrets.find(TEAM_KEY), Contexts::new());
        if let (Some(personal), Some(team)) = (personal, team)
            && personal.expose_secret() == team.expose_secret()
        {
            return Err(UnfitCredential {
                name: TEAM_KEY,
                why: "This key equals `personal_key`.",
                hint: "Find a team's key on the page of one of the team's apps, under Authorization.",
            });
        }
        if let (Some(team), Some(identity)) = (team, identity) {
            contexts.insert(TEAM, vec![host(), key(team), ("x-rapidapi-identity-key", identity.clone())]);
        }
        if let Some(personal) = personal {
            contexts.insert(PERSONAL, vec![host(), key(personal)]);
        }
        let known: BTreeSet<&str> = [PERSONAL_KEY, TEAM_KEY, IDENTITY_KEY]
            .into_iter()
            .filter(|name| secrets.find(name).is_some())
            .collect();
        let changes = contexts.get(&context::changes(&known, desired)).cloned();
        let either = contexts.get(&PERSONAL).or(contexts.get(&TEAM)).cloned();
        contexts.extend(changes.map(|headers| (CHANGES, headers)));
        contexts.extend(either.map(|headers| (EITHER, headers)));
        Ok(contexts)
    }

    fn budget(&self, desired: &Desired) -> Option<Quota> {
        let requests = settings::requests_per_minute(desired).unwrap_or(REQUESTS_PER_MINUTE);
        Some(Quota { requests, window: Duration::from_secs(60) })
    }

    fn requests_to_read(&self, desired: &Desired) -> Option<(usize, usize)> {
        Some(read::requests(desired))
    }

    fn read<'a>(
        &'a self,
        reader: &'a Reader,
        desired: &'a Desired,
    ) -> Pin<Box<dyn Future<Output = Result<Live, ReadError>> + Send + 'a>> {
        Box::pin(read::read(reader, desired))
    }

    fn survey<'a>(&'a self, reader: &'a Reader, desired: &'a Desired, live: &'a Live) -> Survey<'a> {
        Box::pin(read::survey(reader, desired, live))
    }

    fn permissions<'a>(&'a self, reader: &'a Reader, desired: &'a Desired, live: &'a Live) -> Permissions<'a> {
        Box::pin(permissions::permissions(reader, desired, live))
    }

    fn mutations(&self) -> &'static [(&'static str, Mutation)] {
        MUTATIONS
    }

    fn used_schema(&self) -> UsedSchema {
        UsedSchema { generations: &[include_str!("used-2023-08.txt"), USED], context: EITHER }
    }

    fn mutation_result(
        &self,
        change: &Change,
        mutation: &rolecall_model::Mutation,
        response: &Response,
        redactor: &Redactor,
    ) -> Result<MutationResult, CallError> {
        mutation_result::mutation_result(change, mutation, response, redactor)
    }

    fn next_step_of_read(&self, error: &ReadError) -> Option<&'static str> {
        mutation_result::next_step_of_read(error)
    }

    fn next_step(&self, change: &Change, error: &CallError) -> Option<String> {
        mutation_result::next_step(change, error)
    }
}
