//! Objects that are written only if nobody else has written them meanwhile. Buckets and HTTP endpoints are such stores.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use thiserror::Error;
use tokio::runtime::{Builder, Runtime};

/// The version of an object. It changes with the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(pub String);

/// The reason why an object wasn't read or written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The object isn't the one that was to be replaced.
    #[error("another process has written to it meanwhile")]
    Conflict,
    /// `may_pass` is true if another attempt can help. The request may have had an effect then.
    #[error("{why}")]
    Failed { why: String, may_pass: bool },
}

pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Reads and writes objects by their names. Each call is one request.
pub trait Objects: fmt::Debug + Send + Sync {
    /// Returns the content of an object and its tag, or `None` if it doesn't exist.
    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<(Vec<u8>, Tag)>>;

    /// Writes an object if it still has this tag, or without a tag if it doesn't exist. It is stored once this returns.
    fn put<'a>(&'a self, name: &'a str, content: Vec<u8>, replaces: Option<&'a Tag>) -> Answer<'a, Tag>;
}

/// The waits before further attempts, in milliseconds.
const WAITS: [u64; 4] = [0, 200, 600, 1800];

/// A folder of objects.
#[derive(Clone, Debug)]
pub struct Store {
    objects: Arc<dyn Objects>,
    /// The address, as messages show it.
    shown: String,
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown.trim_end_matches('/'))
    }
}

impl Store {
    pub fn new(objects: Arc<dyn Objects>, shown: String) -> Self {
        Self { objects, shown }
    }

    /// Reads an object, and tries again if an attempt fails.
    pub(super) async fn get(&self, name: &str) -> Result<Option<(Vec<u8>, Tag)>, StoreError> {
        let mut failed = StoreError::Conflict;
        for wait in WAITS {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            match self.objects.get(name).await {
                Err(why @ StoreError::Failed { may_pass: true, .. }) => failed = why,
                answered => return answered,
            }
        }
        Err(failed)
    }

    /// Writes an object, and tries again if an attempt fails. An attempt without an answer may have written it.
    pub(super) async fn put(&self, name: &str, content: &[u8], replaces: Option<&Tag>) -> Result<Tag, StoreError> {
        let mut failed = None;
        for wait in WAITS {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            match self.objects.put(name, content.to_vec(), replaces).await {
                Err(why @ StoreError::Failed { may_pass: true, .. }) => failed = Some(why),
                Err(StoreError::Conflict) if failed.is_some() => {
                    return match self.get(name).await? {
                        Some((found, tag)) if found == content => Ok(tag),
                        _ => Err(StoreError::Conflict),
                    };
                }
                answered => return answered,
            }
        }
        Err(failed.unwrap_or(StoreError::Conflict))
    }
}

/// Runs a future on the threads of stores and waits for it, also where no future can be awaited.
pub(super) fn wait<T: Send + 'static>(
    future: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    let failed = |why: String| StoreError::Failed { why, may_pass: false };
    let (sender, receiver) = mpsc::channel();
    runtime()?.spawn(async move { sender.send(future.await) });
    receiver.recv().map_err(|why| failed(why.to_string()))?
}

/// Returns the runtime of stores. It is not the one of the platforms' requests, which waits while the ledger is written; the
/// lock has to be renewed meanwhile.
pub(super) fn runtime() -> Result<&'static Runtime, StoreError> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let build =
        || Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(|why| why.to_string());
    RUNTIME.get_or_init(build).as_ref().map_err(|why| StoreError::Failed { why: why.clone(), may_pass: false })
}
