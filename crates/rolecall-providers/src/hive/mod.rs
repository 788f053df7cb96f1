//! GraphQL Hive's public management API: roles, members, invitations, organisation access tokens.
//!
//! Facts are from the vendor's documentation and source (graphql-hive/console) as of 2026, and where a comment says
//! so measured on a self-hosted Hive 8.1.2.

mod documents;
mod list;
mod read;
mod receipt;
mod resources;
mod rules;
mod token;
mod wire;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

pub use documents::{MUTATIONS, QUERIES};

use super::{MutationResult, Provider, ReadError, Secrets, UnfitCredential, Verdict};
use rolecall_graphql::{CallError, Context, Contexts, Limits, Mutation, Quota, Reader, Redactor, Response};
use rolecall_model::{Change, Desired, Live, RemoteId, Rules};

/// The provider.
#[derive(Clone, Copy, Debug)]
pub struct Hive;

/// Invitations of one token, whatever their answer (measured on Hive 8.1.2).
const INVITATIONS: Quota = Quota { calls: 6, window: Duration::from_secs(5) };

/// Measured on Hive 8.1.2, which runs the fields of a mutation one after the other and stops at the first that throws;
/// the cost is the public gateway's.
const BATCHES: Limits = Limits { aliases: 20, tokens: 800, cost: 1000 };

impl Provider for Hive {
    fn rules(&self) -> &'static dyn Rules {
        &Self
    }

    fn headers(&self, secrets: &Secrets, _: &Desired) -> Result<Contexts, UnfitCredential> {
        // Exactly this case: `bearer` counts as no token (measured on Hive 8.1.2).
        let bearer = format!("Bearer {}", secrets.get("token").expose_secret());
        Ok(Contexts::from([(Context::ONLY, vec![("authorization", SecretString::from(bearer))])]))
    }

    fn own_key(&self, secrets: &Secrets) -> Option<RemoteId> {
        token::id_of(secrets.get("token").expose_secret())
    }

    fn quota(&self, operation: &str) -> Option<Quota> {
        (operation == "inviteToOrganizationByEmail").then_some(INVITATIONS)
    }

    fn parallelism(&self) -> usize {
        4
    }

    fn batches(&self) -> Option<Limits> {
        Some(BATCHES)
    }

    fn read<'a>(
        &'a self,
        reader: &'a Reader,
        desired: &'a Desired,
    ) -> Pin<Box<dyn Future<Output = Result<Live, ReadError>> + Send + 'a>> {
        Box::pin(read::read(reader, desired))
    }

    fn document(&self, operation: &str) -> Option<&'static Mutation> {
        documents::mutation(operation)
    }

    fn receipt(
        &self,
        change: &Change,
        mutation: &rolecall_model::Mutation,
        response: &Response,
        redactor: &Redactor,
    ) -> Result<MutationResult, CallError> {
        receipt::receipt(change, mutation, response, redactor)
    }
}
