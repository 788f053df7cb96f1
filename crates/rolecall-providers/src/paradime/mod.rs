//! Paradime: the users of one workspace.
//!
//! Facts come from the vendor's documentation (docs.paradime.io, as of 2026) and from its own clients: the Python
//! SDK paradime-io 6.9.0 and the provider for Airflow. There is no published schema. The API can only invite a
//! user, change their role and disable them. For everything else rolecall tells the user where to click in the web
//! app.

mod account_type;
mod config;
mod documents;
mod mutation_result;
mod permissions;
mod read;
mod rules;
mod wire;

use std::future::Future;
use std::pin::Pin;

use secrecy::{ExposeSecret, SecretString};

pub use documents::{MUTATIONS, QUERIES};

use super::schema::UsedSchema;
use super::{Definition, MutationResult, Permissions, Provider, ReadError, Secrets, Traffic, UnfitCredential};
use rolecall_config::{Format, Head};
use rolecall_graphql::{CallError, Context, Contexts, Mutation, Reader, Redactor, Response};
use rolecall_model::{Change, Desired, Live, Rules};

/// The provider for Paradime.
#[derive(Clone, Copy, Debug)]
pub struct Paradime;

// The prefixes by which the vendor's Python SDK 6.9.0 recognises its tokens.
const TOKEN: &str = "prdm_";
const WORKSPACE_TOKEN: &str = "prdm_wsp_";
const COMPANY_TOKEN: &str = "prdm_cmp_";

/// The platform in the registry.
pub static DEFINITION: Definition =
    Definition { api: &Paradime, format: Format::of::<config::RawParadime>(&Paradime, HEAD) };

const HEAD: Head = Head { text: include_str!("head.yaml"), endpoints: &[] };

/// No limit is documented, so it isn't known whether a mutation that was answered with HTTP 429 ran.
const TRAFFIC: Traffic = Traffic { parallelism: 1, batch_limits: None, quotas: &[], retries_rate_limited: false };

impl Provider for Paradime {
    fn rules(&self) -> &'static dyn Rules {
        &Self
    }

    fn traffic(&self) -> &'static Traffic {
        &TRAFFIC
    }

    fn headers(&self, secrets: &Secrets, desired: &Desired) -> Result<Contexts, UnfitCredential> {
        let Some(token) = secrets.find("token") else {
            return key_and_secret(secrets).map(single_context);
        };
        let bearer = SecretString::from(format!("Bearer {}", token.expose_secret()));
        let mut headers = vec![("authorization", bearer)];
        match token.expose_secret() {
            text if is_token(text, WORKSPACE_TOKEN) => {}
            text if is_token(text, COMPANY_TOKEN) => {
                headers.push(("x-paradime-workspace", SecretString::from(desired.organization.as_str())));
            }
            _ => {
                return Err(UnfitCredential {
                    name: "token",
                    why: "This is not a Paradime token. A workspace token begins with `prdm_wsp_`, a company token with `prdm_cmp_`.",
                    hint: "Write a key and its secret as `api_key` and `api_secret`.",
                });
            }
        }
        Ok(single_context(headers))
    }

    fn read<'a>(
        &'a self,
        reader: &'a Reader,
        desired: &'a Desired,
    ) -> Pin<Box<dyn Future<Output = Result<Live, ReadError>> + Send + 'a>> {
        Box::pin(read::read(reader, desired))
    }

    fn permissions<'a>(&'a self, reader: &'a Reader, desired: &'a Desired, _: &'a Live) -> Permissions<'a> {
        Box::pin(permissions::permissions(reader, desired))
    }

    fn next_step_of_read(&self, error: &ReadError) -> Option<&'static str> {
        permissions::next_step_of_read(error)
    }

    fn mutations(&self) -> &'static [(&'static str, Mutation)] {
        MUTATIONS
    }

    fn used_schema(&self) -> UsedSchema {
        UsedSchema { generations: &[include_str!("used.txt")], context: Context::ONLY }
    }

    fn mutation_result(
        &self,
        _: &Change,
        mutation: &rolecall_model::Mutation,
        response: &Response,
        redactor: &Redactor,
    ) -> Result<MutationResult, CallError> {
        mutation_result::mutation_result(mutation, response, redactor)
    }

    fn next_step(&self, change: &Change, error: &CallError) -> Option<String> {
        mutation_result::next_step(self.rules(), change, error)
    }
}

fn single_context(headers: Vec<(&'static str, SecretString)>) -> Contexts {
    Contexts::from([(Context::ONLY, headers)])
}

fn is_token(text: &str, kind: &str) -> bool {
    text.strip_prefix(kind).is_some_and(|rest| !rest.is_empty())
}

/// Returns the headers of a key and its secret, which the vendor now calls legacy. They were created in one
/// workspace and reach only that one.
fn key_and_secret(secrets: &Secrets) -> Result<Vec<(&'static str, SecretString)>, UnfitCredential> {
    let names = [("x-api-key", "api_key"), ("x-api-secret", "api_secret")];
    for (_, name) in names {
        if secrets.get(name).expose_secret().starts_with(TOKEN) {
            return Err(UnfitCredential {
                name,
                why: "This is a token and not a key.",
                hint: "Write it as `token`.",
            });
        }
    }
    Ok(names.into_iter().map(|(header, name)| (header, secrets.get(name))).collect())
}
