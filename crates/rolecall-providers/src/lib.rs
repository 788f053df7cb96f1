//! The providers: for each platform its rules, how it is read, and how its answers are understood. Each provider
//! has a folder of its own and never uses another.

pub mod bitpanda;
mod distinct;
pub mod hive;
pub mod paradime;
mod permission;
pub mod rapidapi;
mod rows;
pub mod schema;
mod trace;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use secrecy::SecretString;
use thiserror::Error;

pub use permission::{Answered, Permission, Permitted};

use rolecall_config::Format;
use rolecall_graphql::{BatchLimits, CallError, Contexts, Mutation, Quota, Reader, Redactor, Response};
use rolecall_model::{Change, Desired, HoldReason, Inventory, Live, ProviderName, RemoteId, Rules};
use schema::UsedSchema;

/// The values of the credentials, by their names in the file.
#[derive(Clone, Debug, Default)]
pub struct Secrets(BTreeMap<&'static str, SecretString>);

impl Secrets {
    pub fn new(secrets: impl IntoIterator<Item = (&'static str, SecretString)>) -> Self {
        Self(secrets.into_iter().collect())
    }

    /// Returns a credential that the file has to name. The check of the file has made sure that it does.
    pub fn get(&self, name: &str) -> SecretString {
        self.find(name).cloned().unwrap_or_default()
    }

    /// Returns a credential that the file may name.
    pub fn find(&self, name: &str) -> Option<&SecretString> {
        self.0.get(name)
    }

    /// Returns all credentials, so that they can be removed from every output.
    pub fn all(&self) -> impl Iterator<Item = SecretString> {
        self.0.values().cloned()
    }
}

/// A credential that can't be what the file says it is, such as a key where a token belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct UnfitCredential {
    /// Its name in the file.
    pub name: &'static str,
    pub why: &'static str,
    /// Advice for the user.
    pub hint: &'static str,
}

/// The future result of [`Provider::permissions`].
pub type Permissions<'a> = Pin<Box<dyn Future<Output = Vec<Answered>> + Send + 'a>>;

/// The future result of [`Provider::survey`].
pub type Survey<'a> = Pin<Box<dyn Future<Output = Result<Inventory, ReadError>> + Send + 'a>>;

/// The way in which a platform is sent mutations. Each provider has one constant of this type.
#[derive(Debug)]
pub struct Traffic {
    /// The number of mutations in flight at once, unless the user chooses another one.
    pub parallelism: usize,
    /// The limits on a document with several mutations, if the platform is known to run them one after the other.
    /// Without limits every mutation is sent by itself.
    pub batch_limits: Option<BatchLimits>,
    /// The operations that have a limit of their own.
    pub quotas: &'static [(&'static str, Quota)],
    /// Whether a mutation that was answered with HTTP 429 is known not to have run, so that it may be sent again.
    pub retries_rate_limited: bool,
}

impl Traffic {
    /// Returns the limit on one operation, if it has a limit of its own.
    pub fn quota(&self, operation: &str) -> Option<Quota> {
        self.quotas.iter().find(|(name, _)| *name == operation).map(|(_, quota)| *quota)
    }
}

/// A platform: its [`Rules`], which planning uses, and everything that needs its API.
pub trait Provider: Rules {
    fn rules(&self) -> &'static dyn Rules;

    fn traffic(&self) -> &'static Traffic;

    /// Returns the headers of each credential. They also select the organisation, if the credential alone doesn't.
    fn headers(&self, secrets: &Secrets, desired: &Desired) -> Result<Contexts, UnfitCredential>;

    /// Returns the id of rolecall's own key, if the credential contains it.
    fn own_key(&self, _: &Secrets) -> Option<RemoteId> {
        None
    }

    /// Returns the limit on all requests together, if the platform has one.
    fn budget(&self, _: &Desired) -> Option<Quota> {
        None
    }

    /// Returns about how many requests a read needs, if the platform limits them: once for all organisations, and
    /// for this one.
    fn requests_to_read(&self, _: &Desired) -> Option<(usize, usize)> {
        None
    }

    /// Reads the organisation that the file names: everything that the file can describe. Anything that can't be
    /// read is declared as a gap or as an incomplete list.
    ///
    /// Fails if the platform can't be used, or if its answer lacks a value that can't be left open.
    fn read<'a>(
        &'a self,
        reader: &'a Reader,
        desired: &'a Desired,
    ) -> Pin<Box<dyn Future<Output = Result<Live, ReadError>> + Send + 'a>>;

    /// Reads things that rolecall doesn't manage and that a drift report lists, such as apps and other
    /// organisations.
    fn survey<'a>(&'a self, _: &'a Reader, _: &'a Desired, _: &'a Live) -> Survey<'a> {
        Box::pin(std::future::ready(Ok(Inventory::default())))
    }

    /// Tells for each mutation that an apply of this file may need whether the credential may send it: by what a read
    /// has shown, or by asking with a query or a [`Probe`](rolecall_graphql::Probe). Nothing changes.
    fn permissions<'a>(&'a self, reader: &'a Reader, desired: &'a Desired, live: &'a Live) -> Permissions<'a>;

    /// Returns the documents of all mutations, by the names of their fields.
    fn mutations(&self) -> &'static [(&'static str, Mutation)];

    /// Returns the parts of the platform's schema that rolecall uses.
    fn used_schema(&self) -> UsedSchema;

    /// Returns the document of an operation of [`Rules::lower`].
    fn document(&self, operation: &str) -> Option<&'static Mutation> {
        self.mutations().iter().find(|(name, _)| *name == operation).map(|(_, document)| document)
    }

    /// Reads the answer to a mutation.
    ///
    /// Fails if the answer doesn't confirm the mutation. [`CallError::effect`] then says whether the platform may
    /// have acted.
    fn mutation_result(
        &self,
        change: &Change,
        mutation: &rolecall_model::Mutation,
        response: &Response,
        redactor: &Redactor,
    ) -> Result<MutationResult, CallError>;

    /// Returns advice on a failed read that is better than [`ReadError::next_step`], if there is any.
    fn next_step_of_read(&self, _: &ReadError) -> Option<&'static str> {
        None
    }

    /// Returns advice on a failed mutation that is better than [`CallError::next_step`], if there is any.
    fn next_step(&self, _: &Change, _: &CallError) -> Option<String> {
        None
    }
}

/// The answer of a platform to a mutation that it carried out.
#[derive(Debug)]
pub struct MutationResult {
    /// The id of the new entity, if one was created and the answer has it.
    pub id: Option<RemoteId>,
    /// The secret of a new key. No later request can get it again.
    pub secret: Option<SecretString>,
    pub verdict: Verdict,
}

/// Tells whether the answer to a mutation shows the desired value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The answer shows no difference.
    Taken,
    /// The platform reported no error and answered with another value. A full sentence says which.
    NotTaken(String),
    /// The platform refuses the change for a reason that no read shows and no retry changes.
    Held(HoldReason),
    /// The mutation was done in another way than intended, so nothing more may be sent. A sentence without its
    /// period says how.
    Mismatch(String),
    /// The mutation cleared a value that it should have kept, so nothing more may be sent.
    Lost(String),
}

/// The reason why an organisation couldn't be read.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ReadError {
    #[error("{operation}: {error}")]
    Call { operation: &'static str, error: CallError },
    /// The credential reaches no organisation with that id or slug.
    #[error("the credential reaches no organisation {organization}{}", shown(.others))]
    NoOrganization { organization: String, others: Vec<String> },
    /// An organisation with the desired name exists, and its slug isn't the one in the file.
    #[error(
        "an organisation with the desired name exists already, with the slug {slug} instead of {organization}"
    )]
    OtherSlug { organization: String, slug: String },
    /// A list whose pages have no end.
    #[error("{operation}: the list can't be read whole, because {why}")]
    Endless { operation: &'static str, why: &'static str },
    /// The answer lacks a value that a plan can't do without.
    #[error("{operation}: the answer lacks `{field}`")]
    Missing { operation: &'static str, field: String },
}

impl ReadError {
    /// Returns whether the platform refused the credential.
    pub fn is_refused_credential(&self) -> bool {
        matches!(self, Self::Call { error: CallError::CredentialRefused(_), .. })
    }

    /// Returns advice for the user: a full sentence that follows "hint:".
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Call { error: CallError::GraphQl(_) | CallError::Refused(_), .. } => {
                "The platform's message says why. Check the endpoint, `organization` and the credential."
            }
            Self::Call { error, .. } => error.next_step(),
            Self::OtherSlug { .. } => "Write that slug as `organization`. No second organisation was created.",
            Self::NoOrganization { .. } => {
                "Check that `organization` is its id or its slug, and that the credential's owner is an admin of it."
            }
            Self::Endless { .. } => "Report this to the vendor of the platform: its paging doesn't end.",
            Self::Missing { .. } => {
                "The API may have changed. Report this with the versions of rolecall and of the platform."
            }
        }
    }
}

fn shown(others: &[String]) -> String {
    const SHOWN: usize = 10;
    if others.is_empty() {
        return String::new();
    }
    let more = others.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(", and reaches {}{more}", others.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", "))
}

/// A platform in the registry: the file format, and everything that needs its API.
pub struct Definition {
    pub api: &'static dyn Provider,
    pub format: Format,
}

/// Returns the definition of a platform. This is the registry: a new platform gets a line here.
pub fn definition(name: ProviderName) -> &'static Definition {
    match name {
        ProviderName::Bitpanda => &bitpanda::DEFINITION,
        ProviderName::Hive => &hive::DEFINITION,
        ProviderName::Paradime => &paradime::DEFINITION,
        ProviderName::Rapidapi => &rapidapi::DEFINITION,
    }
}

/// Returns the provider of that name.
pub fn of(name: ProviderName) -> &'static dyn Provider {
    definition(name).api
}

/// Returns the rules of the provider of that name.
pub fn rules(name: ProviderName) -> &'static dyn Rules {
    of(name).rules()
}

/// Returns the file format of the provider of that name.
pub fn format(name: ProviderName) -> &'static Format {
    &definition(name).format
}
