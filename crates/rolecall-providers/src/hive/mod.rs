//! GraphQL Hive's public management API: roles, members, invitations, organisation access tokens.
//!
//! Facts come from the vendor's documentation and source (graphql-hive/console) as of 2026. Where a comment says
//! so, they were measured on a self-hosted Hive 8.1.2.

mod config;
mod documents;
mod list;
mod mutation_result;
mod permissions;
mod read;
mod resources;
mod rules;
mod token;
mod wire;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

pub use documents::{MUTATIONS, QUERIES};

use super::schema::UsedSchema;
use super::{
    Definition, MutationResult, Permissions, Provider, ReadError, Secrets, Traffic, UnfitCredential, Verdict,
};
use rolecall_config::{Format, Head};
use rolecall_graphql::{BatchLimits, CallError, Context, Contexts, Mutation, Quota, Reader, Redactor, Response};
use rolecall_model::{Change, Desired, Live, RemoteId, Rules};

/// The provider for GraphQL Hive.
#[derive(Clone, Copy, Debug)]
pub struct Hive;

/// The limit on invitations for each token. Refused and failed ones count, too (measured on Hive 8.1.2).
const INVITATIONS: Quota = Quota { requests: 6, window: Duration::from_secs(5) };

/// The limits on a batch. Hive 8.1.2 runs the fields of a mutation one after the other and stops at the first that
/// throws (measured). The cost is the limit of the public gateway.
const BATCH_LIMITS: BatchLimits = BatchLimits { aliases: 20, tokens: 800, cost: 1000 };

/// The platform in the registry.
pub static DEFINITION: Definition = Definition { api: &Hive, format: Format::of::<config::RawHive>(&Hive, HEAD) };

const HEAD: Head = Head { text: include_str!("head.yaml"), endpoints: &["https://api.graphql-hive.com/graphql"] };

/// The parts of the newest schema that rolecall uses.
const USED: &str = include_str!("used-newest.txt");

const TRAFFIC: Traffic = Traffic {
    parallelism: 4,
    batch_limits: Some(BATCH_LIMITS),
    quotas: &[("inviteToOrganizationByEmail", INVITATIONS)],
    retries_rate_limited: true,
};

impl Provider for Hive {
    fn rules(&self) -> &'static dyn Rules {
        &Self
    }

    fn traffic(&self) -> &'static Traffic {
        &TRAFFIC
    }

    fn headers(&self, secrets: &Secrets, _: &Desired) -> Result<Contexts, UnfitCredential> {
        // Case matters: the server ignores `bearer` (measured on Hive 8.1.2).
        let bearer = format!("Bearer {}", secrets.get("token").expose_secret());
        Ok(Contexts::from([(Context::ONLY, vec![("authorization", SecretString::from(bearer))])]))
    }

    fn own_key(&self, secrets: &Secrets) -> Option<RemoteId> {
        token::id_of(secrets.get("token").expose_secret())
    }

    fn read<'a>(
        &'a self,
        reader: &'a Reader,
        desired: &'a Desired,
    ) -> Pin<Box<dyn Future<Output = Result<Live, ReadError>> + Send + 'a>> {
        Box::pin(read::read(reader, desired))
    }

    fn permissions<'a>(&'a self, _: &'a Reader, desired: &'a Desired, live: &'a Live) -> Permissions<'a> {
        Box::pin(std::future::ready(permissions::permissions(desired, live)))
    }

    fn next_step_of_read(&self, error: &ReadError) -> Option<&'static str> {
        permissions::next_step_of_read(error)
    }

    fn mutations(&self) -> &'static [(&'static str, Mutation)] {
        MUTATIONS
    }

    fn used_schema(&self) -> UsedSchema {
        UsedSchema { generations: &[include_str!("used-8.1.2.txt"), USED], context: Context::ONLY }
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
}
