//! Bitpanda Enterprise Custody: organisation management.
//!
//! Facts come from the vendor's page "Organisation Management" (documentation.bitpandaenterprise.com, as of
//! 2026-05-06) unless a comment says otherwise. That page shows sample variables and sample answers, and no
//! schema.

mod config;
mod documents;
mod mutation_result;
mod permissions;
mod read;
mod rules;
mod wire;

use std::future::Future;
use std::pin::Pin;

pub use documents::{DOCUMENTED_QUERIES, GUESSED_TYPES, LIST_USERS_PAGE, MUTATIONS};

use super::schema::UsedSchema;
use super::{Definition, MutationResult, Permissions, Provider, ReadError, Secrets, Traffic, UnfitCredential};
use rolecall_config::{Format, Head};
use rolecall_graphql::{CallError, Context, Contexts, Mutation, Reader, Redactor, Response};
use rolecall_model::{Change, Desired, Live, Rules};

/// The provider for Bitpanda Enterprise Custody.
#[derive(Clone, Copy, Debug)]
pub struct Bitpanda;

/// The parts of the schema that rolecall uses.
const USED: &str = include_str!("used.txt");

/// The platform in the registry.
pub static DEFINITION: Definition =
    Definition { api: &Bitpanda, format: Format::of::<config::RawBitpanda>(&Bitpanda, HEAD) };

const HEAD: Head = Head {
    text: include_str!("head.yaml"),
    endpoints: &[
        "https://tapi-sandbox.trustology-test.com/graphql",
        "https://tapi-production.trustology-prod.com/graphql",
        "https://tapi-preprod.trustology-test.com/graphql",
    ],
};

/// The platform refuses bursts, and no page says how many requests make one.
const TRAFFIC: Traffic = Traffic { parallelism: 2, batch_limits: None, quotas: &[], retries_rate_limited: true };

impl Provider for Bitpanda {
    fn rules(&self) -> &'static dyn Rules {
        &Self
    }

    fn traffic(&self) -> &'static Traffic {
        &TRAFFIC
    }

    fn headers(&self, secrets: &Secrets, _: &Desired) -> Result<Contexts, UnfitCredential> {
        Ok(Contexts::from([(Context::ONLY, vec![("x-api-key", secrets.get("api_key"))])]))
    }

    fn read<'a>(
        &'a self,
        reader: &'a Reader,
        _: &'a Desired,
    ) -> Pin<Box<dyn Future<Output = Result<Live, ReadError>> + Send + 'a>> {
        Box::pin(read::read(reader))
    }

    fn permissions<'a>(&'a self, _: &'a Reader, desired: &'a Desired, _: &'a Live) -> Permissions<'a> {
        Box::pin(std::future::ready(permissions::permissions(desired)))
    }

    fn next_step_of_read(&self, error: &ReadError) -> Option<&'static str> {
        permissions::next_step_of_read(error)
    }

    fn mutations(&self) -> &'static [(&'static str, Mutation)] {
        MUTATIONS
    }

    fn used_schema(&self) -> UsedSchema {
        UsedSchema { generations: &[USED], context: Context::ONLY }
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
