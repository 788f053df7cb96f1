//! What each platform can do, how it is read, and what its answers mean. One folder a provider; none knows another.

pub mod bitpanda;
mod distinct;
pub mod hive;
pub mod paradime;
pub mod rapidapi;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use secrecy::SecretString;
use thiserror::Error;

use rolecall_graphql::{CallError, Contexts, Limits, Mutation, Quota, Reader, Redactor, Response};
use rolecall_model::{Change, Desired, HoldReason, Inventory, Live, ProviderName, RemoteId, Rules};

/// The credentials themselves, by the names that the file has for them.
#[derive(Clone, Debug, Default)]
pub struct Secrets(BTreeMap<&'static str, SecretString>);

impl Secrets {
    pub fn new(secrets: impl IntoIterator<Item = (&'static str, SecretString)>) -> Self {
        Self(secrets.into_iter().collect())
    }

    /// One that the file has to name, so that it is there.
    pub fn get(&self, name: &str) -> SecretString {
        self.find(name).cloned().unwrap_or_default()
    }

    /// One that the file may name.
    pub fn find(&self, name: &str) -> Option<&SecretString> {
        self.0.get(name)
    }

    /// All of them, to be kept out of every output.
    pub fn all(&self) -> impl Iterator<Item = SecretString> {
        self.0.values().cloned()
    }
}

/// A credential that isn't what the file calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct UnfitCredential {
    /// As the file has it.
    pub name: &'static str,
    pub why: &'static str,
    /// What to do about it.
    pub hint: &'static str,
}

/// What else is there, to come.
pub type Survey<'a> = Pin<Box<dyn Future<Output = Result<Inventory, ReadError>> + Send + 'a>>;

/// A platform. The pure half, `Rules`, is all that planning sees.
pub trait Provider: Rules {
    fn rules(&self) -> &'static dyn Rules;

    /// The headers that carry the credentials, and choose the organisation where they don't.
    fn headers(&self, secrets: &Secrets, desired: &Desired) -> Result<Contexts, UnfitCredential>;

    /// The id of the key that we call with, where its credential tells.
    fn own_key(&self, _: &Secrets) -> Option<RemoteId> {
        None
    }

    /// How often an operation may be called, where the platform limits it.
    fn quota(&self, _operation: &str) -> Option<Quota> {
        None
    }

    /// How many requests that change something may be under way at once, unless somebody says otherwise.
    fn parallelism(&self) -> usize {
        1
    }

    /// How much goes into one document, where the platform is known to run what is in it one after the other.
    fn batches(&self) -> Option<Limits> {
        None
    }

    /// How often anything at all may be called, where the platform limits that.
    fn budget(&self, _: &Desired) -> Option<Quota> {
        None
    }

    /// About how many requests reading takes, where they are few: once for all organisations, and for this one.
    fn requests_to_read(&self, _: &Desired) -> Option<(usize, usize)> {
        None
    }

    /// Reads the organisation that the file names, gaps declared; and of it only what the file can speak of.
    fn read<'a>(
        &'a self,
        reader: &'a Reader,
        desired: &'a Desired,
    ) -> Pin<Box<dyn Future<Output = Result<Live, ReadError>> + Send + 'a>>;

    /// What a drift report says besides, of an organisation that was read.
    fn survey<'a>(&'a self, _: &'a Reader, _: &'a Desired, _: &'a Live) -> Survey<'a> {
        Box::pin(std::future::ready(Ok(Inventory::default())))
    }

    /// The document of an operation that `lower` named.
    fn document(&self, operation: &str) -> Option<&'static Mutation>;

    /// What the answer to a mutation says became of it.
    fn receipt(
        &self,
        change: &Change,
        mutation: &rolecall_model::Mutation,
        response: &Response,
        redactor: &Redactor,
    ) -> Result<MutationResult, CallError>;

    /// Do answers say so little that the next read decides, even of what the platform said no to?
    fn reads_decide(&self) -> bool {
        false
    }

    /// Is a mutation that was refused for coming too fast known not to have run, so that it may be sent again at once?
    fn repeats_limited(&self) -> bool {
        true
    }

    /// What to do about a read that failed, where more can be said than of any platform.
    fn next_step_of_read(&self, _: &ReadError) -> Option<&'static str> {
        None
    }

    /// What to do about a mutation that failed, where more can be said than of any platform.
    fn next_step(&self, _: &Change, _: &CallError) -> Option<String> {
        None
    }
}

/// A platform's answer to a mutation, understood.
#[derive(Debug)]
pub struct MutationResult {
    /// Of the entity that was made.
    pub id: Option<RemoteId>,
    /// A key's secret, which no other call will ever give.
    pub secret: Option<SecretString>,
    pub verdict: Verdict,
}

/// What the platform's answer shows of the desired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Taken,
    /// Answered without an error, and with another value than was sent.
    NotTaken(String),
    /// The platform won't, for a reason that no read shows and no repetition changes.
    Held(HoldReason),
    /// Done, and in another way than was meant: nothing more may be sent.
    Mismatch(String),
    /// Something was lost that the call should have kept: nothing more may be sent.
    Lost(String),
}

/// Why an organisation couldn't be read.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ReadError {
    #[error("{operation}: {error}")]
    Call { operation: &'static str, error: CallError },
    /// There is none of that id or slug, or not for whoever calls.
    #[error("there is no organisation {organization} that the credential reaches{}", shown(.others))]
    NoOrganization { organization: String, others: Vec<String> },
    /// There is one of that name, and its slug isn't the one that the file has.
    #[error("an organisation of the wished name is there already, and its slug is {slug}, not {organization}")]
    OtherSlug { organization: String, slug: String },
    /// The platform left out what can't be done without.
    #[error("{operation}: the answer lacks `{field}`")]
    Missing { operation: &'static str, field: String },
}

impl ReadError {
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Call { error, .. } => error.next_step(),
            Self::OtherSlug { .. } => "write that slug as `organization`; nothing was made a second time",
            Self::NoOrganization { .. } => {
                "check `organization`, its id or its slug, and that the credential's owner administrates it"
            }
            Self::Missing { .. } => "the API may have changed; report it with the versions of both",
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
    format!("; it reaches {}{more}", others.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", "))
}

/// The provider of that name.
pub fn of(name: ProviderName) -> &'static dyn Provider {
    match name {
        ProviderName::Bitpanda => &bitpanda::Bitpanda,
        ProviderName::Hive => &hive::Hive,
        ProviderName::Paradime => &paradime::Paradime,
        ProviderName::Rapidapi => &rapidapi::RapidApi,
    }
}

/// Its rules alone.
pub fn rules(name: ProviderName) -> &'static dyn Rules {
    of(name).rules()
}
