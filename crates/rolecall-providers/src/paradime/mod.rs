//! Paradime: the users of one workspace.
//!
//! Facts are from the vendor's documentation (docs.paradime.io, as of 2026) and from its own clients: the Python SDK
//! paradime-io 6.9.0 and the provider for Airflow. There is no published schema. Little of what people do with users can
//! be done through this API; the rest is left to a person, with where to click.

mod account_type;
mod documents;
mod read;
mod receipt;
mod rules;
mod wire;

use std::future::Future;
use std::pin::Pin;

use secrecy::{ExposeSecret, SecretString};

pub use documents::{MUTATIONS, QUERIES};

use super::{MutationResult, Provider, ReadError, Secrets, UnfitCredential};
use rolecall_graphql::{CallError, Context, Contexts, Mutation, Reader, Redactor, Response};
use rolecall_model::{Change, Desired, Live, Rules};

/// The provider.
#[derive(Clone, Copy, Debug)]
pub struct Paradime;

// How the vendor's Python SDK 6.9.0 knows its tokens.
const TOKEN: &str = "prdm_";
const WORKSPACE_TOKEN: &str = "prdm_wsp_";
const COMPANY_TOKEN: &str = "prdm_cmp_";

impl Provider for Paradime {
    fn rules(&self) -> &'static dyn Rules {
        &Self
    }

    fn headers(&self, secrets: &Secrets, desired: &Desired) -> Result<Contexts, UnfitCredential> {
        let Some(token) = secrets.find("token") else {
            return pair(secrets).map(only);
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
                    why: "this is no token of Paradime's: those of a workspace begin with `prdm_wsp_`, those of a company with `prdm_cmp_`",
                    hint: "a key and its secret go under `api_key` and `api_secret`",
                });
            }
        }
        Ok(only(headers))
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
        _: &Change,
        mutation: &rolecall_model::Mutation,
        response: &Response,
        redactor: &Redactor,
    ) -> Result<MutationResult, CallError> {
        receipt::receipt(mutation, response, redactor)
    }

    fn reads_decide(&self) -> bool {
        true
    }

    fn repeats_limited(&self) -> bool {
        // No limit is documented, and so nothing of what one would mean.
        false
    }

    fn next_step(&self, change: &Change, error: &CallError) -> Option<String> {
        receipt::next_step(self.rules(), change, error)
    }
}

fn only(headers: Vec<(&'static str, SecretString)>) -> Contexts {
    Contexts::from([(Context::ONLY, headers)])
}

fn is_token(text: &str, kind: &str) -> bool {
    text.strip_prefix(kind).is_some_and(|rest| !rest.is_empty())
}

/// What the vendor calls legacy by now. It was made in a workspace, and reaches no other.
fn pair(secrets: &Secrets) -> Result<Vec<(&'static str, SecretString)>, UnfitCredential> {
    let names = [("x-api-key", "api_key"), ("x-api-secret", "api_secret")];
    for (_, name) in names {
        if secrets.get(name).expose_secret().starts_with(TOKEN) {
            return Err(UnfitCredential { name, why: "this is a token, and no key", hint: "name it as `token`" });
        }
    }
    Ok(names.into_iter().map(|(header, name)| (header, secrets.get(name))).collect())
}
