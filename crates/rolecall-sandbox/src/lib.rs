//! The platforms' APIs as real GraphQL servers over an in-memory world, including their traps.
//!
//! The sandbox does what the vendor's pages document. Where they leave something open, a switch selects the
//! behaviour, and rolecall has to be right under each setting. The servers listen on loopback only.

pub mod bitpanda;
mod changes;
mod definition;
mod engine;
mod fault;
pub mod hive;
mod in_process;
pub mod paradime;
pub mod rapidapi;
mod server;
mod store;
mod switch;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use changes::Recorded;
pub use definition::{Definition, definition};
use engine::Answer;
pub use engine::Request;
pub use fault::{FAULTS, Fault, FaultKind, FaultSyntax};
pub use in_process::InProcess;
pub use server::serve;
use store::{Lock, Seen};
pub use store::{Store, StoreError};
pub use switch::Switch;

use rolecall_graphql::Response;
use rolecall_model::{ProviderName, RemoteId};

/// The part of a sandbox that differs between providers.
pub trait Engine: Send + Sync {
    /// The platform's state, including the switches.
    type World: Clone + Recorded + Serialize + DeserializeOwned + Send;

    fn shared(&self) -> &Shared<Self::World>;

    /// Answers one request, with the access of the credential in `headers`.
    fn respond(&self, headers: &Headers, request: Request) -> Response;

    /// Returns the answer to a request that the platform refuses before it reads the document. `None` if it reads it.
    fn refuse_unread(&self, headers: &Headers, body: &[u8]) -> Option<Response> {
        let _ = body;
        (headers.get(METHOD) == Some("GET")).then(|| Response::new(405, Vec::new()))
    }

    /// Sets a switch of the world, written as `name=value`.
    fn set(&self, assignment: &str) -> Result<(), String>;

    /// Returns the world as JSON, as it is stored on disk.
    fn save(&self) -> Value {
        serde_json::to_value(&*self.shared().lock()).unwrap_or(Value::Null)
    }

    /// Replaces the world by one that [`Engine::save`] returned.
    fn load(&self, saved: &Value) -> Result<(), String> {
        let world = Self::World::deserialize(saved).map_err(|why| why.to_string())?;
        *self.shared().lock() = world;
        Ok(())
    }
}

/// A world that an engine shares with its GraphQL schema.
pub struct Shared<W> {
    world: Arc<Mutex<W>>,
    clock: Clock,
}

impl<W> Shared<W> {
    fn new(world: W, clock: Clock) -> Self {
        Self { world: Arc::new(Mutex::new(world)), clock }
    }

    fn lock(&self) -> MutexGuard<'_, W> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W> Clone for Shared<W> {
    fn clone(&self) -> Self {
        Self { world: Arc::clone(&self.world), clock: Arc::clone(&self.clock) }
    }
}

/// Opens the sandbox of an organisation from the provider's seeds.
pub fn open(provider: ProviderName, organization: &RemoteId, store: Store) -> Result<Box<dyn AnySandbox>, String> {
    let opened = (definition(provider).open)(organization.as_str(), store);
    opened.ok_or_else(|| "the sandbox's built-in seed can't be read".to_owned())
}

/// A world behind an HTTP interface, with injected faults.
pub struct Sandbox<E: Engine> {
    pub engine: E,
    store: Store,
    saved: Mutex<Option<Saved<E::World>>>,
    faults: Mutex<Vec<Fault>>,
    /// Serialises requests: the stored world is read before each request and written after it.
    one_request: tokio::sync::Mutex<()>,
}

/// The stored world as this process last read or wrote it.
struct Saved<W> {
    world: W,
    seen: Seen,
    /// The length of the snapshot, in bytes.
    snapshot: usize,
    /// The length of the log, in bytes.
    log: usize,
}

/// The length up to which a world is written whole at each change, so that people see the current state in its file.
const SMALL_WORLD: usize = 64 * 1024;

/// The name of the header that says `GET` in a request of this method. No real header can have it.
pub const METHOD: &str = ":method";

/// The headers of a request, by lower-case names.
#[derive(Clone, Debug, Default)]
pub struct Headers(BTreeMap<String, String>);

impl Headers {
    pub fn new<N: Into<String>, V: Into<String>>(headers: impl IntoIterator<Item = (N, V)>) -> Self {
        let lower = |name: N| Into::<String>::into(name).to_lowercase();
        Self(headers.into_iter().map(|(name, value)| (lower(name), value.into())).collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// A sandbox of any provider. [`Sandbox`] implements this for every [`Engine`].
pub trait AnySandbox: Send + Sync {
    /// Answers one HTTP request.
    fn handle<'a>(
        &'a self,
        headers: &'a Headers,
        body: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Reply> + Send + 'a>>;

    /// Resets the stored world to the seed, also for other processes that share it.
    fn reset(&self) -> Result<(), String>;

    /// Sets switches, each written as `name=value`, and stores them.
    fn set(&self, assignments: &[String]) -> Result<(), String>;

    fn add_fault(&self, fault: Fault);
}

impl<E: Engine> AnySandbox for Sandbox<E> {
    fn handle<'a>(
        &'a self,
        headers: &'a Headers,
        body: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Reply> + Send + 'a>> {
        Box::pin(self.process(headers, body))
    }

    fn reset(&self) -> Result<(), String> {
        let Some(mut lock) = self.lock()? else { return Ok(()) };
        *self.saved() = Some(self.snapshot(&mut lock)?);
        Ok(())
    }

    fn set(&self, assignments: &[String]) -> Result<(), String> {
        self.change(|engine| assignments.iter().try_for_each(|assignment| engine.set(assignment)))
    }

    fn add_fault(&self, fault: Fault) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }
}

/// The outcome of a request.
pub enum Reply {
    Answer(Response),
    /// The connection closes without an answer.
    Dropped,
}

impl<E: Engine> Sandbox<E> {
    pub fn new(engine: E, store: Store) -> Self {
        let (saved, faults) = (Mutex::default(), Mutex::default());
        Self { engine, store, saved, faults, one_request: tokio::sync::Mutex::new(()) }
    }

    /// Changes the world without a request, as somebody else's edit does, and stores it.
    pub fn change<T>(&self, change: impl FnOnce(&E) -> Result<T, String>) -> Result<T, String> {
        let mut lock = self.load()?;
        let done = change(&self.engine)?;
        self.save(lock.as_mut())?;
        Ok(done)
    }

    fn lock(&self) -> Result<Option<Lock>, String> {
        self.store.lock().map_err(|why| why.to_string())
    }

    fn saved(&self) -> MutexGuard<'_, Option<Saved<E::World>>> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the stored world. Reads it, unless it is as this process saw it last.
    fn load(&self) -> Result<Option<Lock>, String> {
        let Some(mut lock) = self.lock()? else { return Ok(None) };
        let mut saved = self.saved();
        if saved.as_ref().is_some_and(|saved| saved.seen == lock.seen()) {
            return Ok(Some(lock));
        }
        if let Some(stored) = lock.read().map_err(|why| why.to_string())? {
            self.engine.load(&stored.world).map_err(|why| lock.damaged(&why).to_string())?;
            // Another process may have died while it wrote the log.
            *saved = Some(if stored.log > 0 {
                self.snapshot(&mut lock)?
            } else {
                let world = self.engine.shared().lock().clone();
                Saved { world, seen: lock.seen(), snapshot: stored.snapshot, log: 0 }
            });
        }
        Ok(Some(lock))
    }

    /// Stores what changed in the world since it was read. `None` in memory.
    fn save(&self, lock: Option<&mut Lock>) -> Result<(), String> {
        let Some(lock) = lock else { return Ok(()) };
        let mut stored = self.saved();
        let Some(saved) = &mut *stored else {
            *stored = Some(self.snapshot(lock)?);
            return Ok(());
        };
        let changes = self.engine.shared().lock().changes(&mut saved.world);
        if changes.is_empty() {
            return Ok(());
        }
        if saved.snapshot <= SMALL_WORLD || saved.log > saved.snapshot {
            *saved = self.snapshot(lock)?;
            return Ok(());
        }
        let line = serde_json::to_vec(&changes).map_err(|why| why.to_string())?;
        saved.log += lock.append(&line, saved.log == 0).map_err(|why| why.to_string())?;
        saved.seen = lock.seen();
        Ok(())
    }

    /// Writes the whole world.
    fn snapshot(&self, lock: &mut Lock) -> Result<Saved<E::World>, String> {
        let world = self.engine.shared().lock().clone();
        let text = serde_json::to_vec_pretty(&world).map_err(|why| why.to_string())?;
        lock.write(&text).map_err(|why| why.to_string())?;
        Ok(Saved { world, seen: lock.seen(), snapshot: text.len(), log: 0 })
    }

    async fn process(&self, headers: &Headers, body: &[u8]) -> Reply {
        if let Some(refused) = self.engine.refuse_unread(headers, body) {
            return Reply::Answer(refused);
        }
        let Ok(request) = serde_json::from_slice::<Request>(body) else {
            return Reply::Answer(json_response(
                400,
                &json!({ "errors": [{ "message": "the body is no GraphQL request" }] }),
            ));
        };
        let faults = self.take_faults(&request.query);
        for fault in &faults {
            match fault {
                FaultKind::Latency(wait) => tokio::time::sleep(*wait).await,
                FaultKind::Status(status) => {
                    return Reply::Answer(json_response(*status, &json!({ "message": "fault" })));
                }
                FaultKind::RateLimit(after) => {
                    let mut limited = json_response(429, &json!({ "message": "Too Many Requests" }));
                    limited.retry_after = Some(*after);
                    return Reply::Answer(limited);
                }
                FaultKind::DropBefore => return Reply::Dropped,
                FaultKind::Errors => {
                    let errors = json!([{ "message": "REFUSED: fault on demand" }]);
                    return Reply::Answer(json_response(200, &json!({ "data": null, "errors": errors })));
                }
                FaultKind::Html => {
                    let page = b"<!doctype html><title>Sign in</title>".to_vec();
                    let content_type = Some("text/html".to_owned());
                    return Reply::Answer(Response { content_type, ..Response::new(200, page) });
                }
                FaultKind::DropAfter | FaultKind::Partial | FaultKind::Truncate => {}
            }
        }
        let mut response = match self.execute(headers, request).await {
            Ok(response) => response,
            Err(why) => return Reply::Answer(json_response(500, &json!({ "message": why }))),
        };
        for fault in &faults {
            match fault {
                FaultKind::DropAfter => return Reply::Dropped,
                FaultKind::Partial => add_error(&mut response),
                FaultKind::Truncate => response.body.truncate(response.body.len() / 2),
                FaultKind::Latency(_)
                | FaultKind::Status(_)
                | FaultKind::RateLimit(_)
                | FaultKind::DropBefore
                | FaultKind::Errors
                | FaultKind::Html => {}
            }
        }
        Reply::Answer(response)
    }

    async fn execute(&self, headers: &Headers, request: Request) -> Result<Response, String> {
        let _one_request = self.one_request.lock().await;
        let mut lock = self.load()?;
        let response = self.engine.respond(headers, request);
        self.save(lock.as_mut())?;
        Ok(response)
    }

    /// Returns the faults that hit this request, and uses each of them up once.
    fn take_faults(&self, query: &str) -> Vec<FaultKind> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hits = Vec::new();
        for fault in faults.iter_mut().filter(|fault| fault.hits(query)) {
            fault.times = fault.times.saturating_sub(1);
            hits.push(fault.kind.clone());
        }
        faults.retain(|fault| fault.times > 0);
        hits
    }
}

/// Brings the file up to date when the sandbox ends.
impl<E: Engine> Drop for Sandbox<E> {
    fn drop(&mut self) {
        if self.saved().as_ref().is_some_and(|saved| saved.log > 0) {
            let _ = self.load().and_then(|lock| match lock {
                Some(mut lock) if self.saved().as_ref().is_some_and(|saved| saved.log > 0) => {
                    self.snapshot(&mut lock).map(drop)
                }
                _ => Ok(()),
            });
        }
    }
}

/// Returns a response with a JSON body.
pub fn json_response(status: u16, body: &impl Serialize) -> Response {
    let content_type = Some("application/json".to_owned());
    Response { content_type, ..Response::new(status, serde_json::to_vec(body).unwrap_or_default()) }
}

fn add_error(response: &mut Response) {
    if let Ok(mut answer) = serde_json::from_slice::<Answer>(&response.body) {
        answer.errors = Some(json!([{ "message": "a part could not be had" }]));
        response.body = serde_json::to_vec(&answer).unwrap_or_default();
    }
}

/// Returns the SHA-256 of a secret in hexadecimal digits. The world stores credentials in this form.
pub fn digest(secret: &(impl AsRef<[u8]> + ?Sized)) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(secret) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A source of the current time, so that tests can set it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Returns the clock of the operating system.
pub fn system_clock() -> Clock {
    Arc::new(Timestamp::now)
}

/// The longest latency that a fault may add.
const MAX_LATENCY: Duration = Duration::from_secs(600);
