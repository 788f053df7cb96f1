//! `--ledger`: a file, or a folder in a store.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use secrecy::SecretString;
use url::Url;

use super::Connection;
use super::connect::{GENERATOR, extra_ca};
use super::exit::{Failure, sentence};
use rolecall_config::is_loopback;
use rolecall_engine::ledger::{Endpoint, LedgerHome, Objects, Store};
use rolecall_graphql::{ClientSettings, client};

/// The variable with the token for an HTTP endpoint.
const TOKEN: &str = "ROLECALL_LEDGER_TOKEN";

/// The time after which a request to a store is repeated. The lock has to be renewed meanwhile.
const LONGEST_REQUEST: Duration = Duration::from_secs(15);

/// The value of `--ledger`.
#[derive(Clone, Debug)]
pub(super) enum LedgerPlace {
    File(PathBuf),
    Url(String),
}

impl From<PathBuf> for LedgerPlace {
    fn from(path: PathBuf) -> Self {
        match path.to_str() {
            Some(text) if text.contains("://") => Self::Url(text.to_owned()),
            _ => Self::File(path),
        }
    }
}

impl fmt::Display for LedgerPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Url(url) => f.write_str(url),
        }
    }
}

impl LedgerPlace {
    /// Returns the file, unless it is a store.
    pub fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::File(path) => Some(path),
            Self::Url(_) => None,
        }
    }

    /// Returns the home of the ledger with this name. A file has only one ledger, and needs no name.
    pub fn home(&self, name: &str, connection: &Connection) -> Result<LedgerHome, Failure> {
        match self {
            Self::File(path) => Ok(LedgerHome::File(path.clone())),
            Self::Url(url) => {
                let store = store(url, connection.timeout(), extra_ca(connection)?)?;
                Ok(LedgerHome::Store(store, name.to_owned()))
            }
        }
    }
}

/// Opens the store of a URL.
fn store(text: &str, timeout: Duration, extra_ca: Option<Vec<u8>>) -> Result<Store, Failure> {
    let invalid = |why: String| {
        Failure::error(format!("The URL of `--ledger` can't be used: {why}."))
            .hint("Write a folder of a bucket, such as s3://bucket/rolecall, or of an HTTP endpoint, such as https://ledger.example/rolecall.")
    };
    let url = Url::parse(text).map_err(|why| invalid(format!("it is not a URL ({why})")))?;
    if url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("it has a password, a query or a fragment, and messages show this URL".to_owned()));
    }
    let host = url.host_str().unwrap_or_default();
    let direct = is_loopback(host);
    let client = client(ClientSettings {
        direct,
        user_agent: GENERATOR.to_owned(),
        timeout: timeout.min(LONGEST_REQUEST),
        extra_ca,
    });
    let client = client.map_err(|why| Failure::error(sentence(why)))?;
    let objects: Arc<dyn Objects> = match url.scheme() {
        "http" if !direct => {
            return Err(invalid(format!("http would send names and addresses unencrypted to {host}")));
        }
        "http" | "https" => {
            let token = std::env::var(TOKEN).ok().map(SecretString::from);
            Arc::new(Endpoint::new(client, text, token.as_ref()).map_err(invalid)?)
        }
        _ => bucket(client, &url).map_err(invalid)?,
    };
    Ok(Store::new(objects, text.to_owned()))
}

#[cfg(feature = "object-store")]
fn bucket(client: Client, url: &Url) -> Result<Arc<dyn Objects>, String> {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Ok(Arc::new(rolecall_engine::ledger::Bucket::new(client, url, variables)?))
}

#[cfg(not(feature = "object-store"))]
fn bucket(_: Client, url: &Url) -> Result<Arc<dyn Objects>, String> {
    Err(format!(
        "this rolecall was built without the feature `object-store`, which {}:// needs; released binaries have it",
        url.scheme()
    ))
}

/// Returns the ledger that `show` was given, if that is the URL of one, as messages show it.
pub(super) fn named(path: &Path) -> Option<Result<LedgerHome, Failure>> {
    let url = path.to_str().filter(|text| text.contains("://"))?;
    let (folder, name) = url.rsplit_once('/')?;
    let name = name.strip_suffix(".jsonl").unwrap_or(name);
    Some(store(folder, Duration::from_secs(60), None).map(|store| LedgerHome::Store(store, name.to_owned())))
}
