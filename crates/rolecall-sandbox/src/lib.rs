//! The platforms' APIs as real GraphQL servers over an in-memory world, traps included.
//!
//! What a platform does is documented on the vendor's pages; where it isn't, there is a switch, and rolecall has to
//! be right under each setting. Loopback only.

pub mod bitpanda;
mod fault;
pub mod hive;
mod in_process;
pub mod paradime;
pub mod rapidapi;
mod server;
mod store;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition};
use async_graphql::{Request as GraphQlRequest, Variables};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub use fault::{Fault, FaultKind};
pub use in_process::InProcess;
pub use server::serve;
pub use store::{Store, StoreError, seed_names, world_of};

use rolecall_graphql::Response;
use rolecall_model::{ProviderName, RemoteId};

/// What a provider's sandbox has to be able to do.
pub trait Engine: Send + Sync {
    /// What the platform knows, switches included.
    type World: Serialize + DeserializeOwned;

    fn shared(&self) -> &Shared<Self::World>;

    /// Answers one request against the world, for whoever sends these headers.
    fn respond(&self, headers: &Headers, request: GraphQlRequest) -> impl Future<Output = Response> + Send;

    /// Sets `name=value` among the world's switches.
    fn set(&self, assignment: &str) -> Result<(), String>;

    /// The world as it is kept on disk.
    fn save(&self) -> Value {
        serde_json::to_value(&*self.shared().lock()).unwrap_or(Value::Null)
    }

    /// The world as it was kept on disk.
    fn load(&self, saved: &Value) -> Result<(), String> {
        let world = Self::World::deserialize(saved)
            .map_err(|why| format!("the saved world can't be read: {why}; start it anew with --reset"))?;
        *self.shared().lock() = world;
        Ok(())
    }
}

/// A world that its engine and its schema share.
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

/// The credentials with which rolecall calls a provider's seeds, by the names that the file has for them.
pub fn own_credentials(provider: ProviderName) -> Vec<(&'static str, &'static str)> {
    match provider {
        ProviderName::Bitpanda => vec![("api_key", bitpanda::OWN_KEY_SECRET)],
        ProviderName::Hive => vec![("token", hive::OWN_CREDENTIAL.trim_start_matches("Bearer "))],
        ProviderName::Paradime => {
            vec![("api_key", paradime::OWN_API_KEY), ("api_secret", paradime::OWN_API_SECRET)]
        }
        ProviderName::Rapidapi => {
            vec![("personal_key", rapidapi::OWN_PERSONAL_KEY), ("team_key", rapidapi::OWN_TEAM_KEY)]
        }
    }
}

/// Where a provider has its endpoint.
pub fn path(provider: ProviderName) -> &'static str {
    match provider {
        ProviderName::Bitpanda | ProviderName::Hive => "/graphql",
        ProviderName::Paradime => paradime::PATH,
        ProviderName::Rapidapi => "/",
    }
}

/// What a provider's gateway calls its API, where it asks for that.
pub fn host(provider: ProviderName) -> Option<&'static str> {
    match provider {
        ProviderName::Bitpanda | ProviderName::Hive | ProviderName::Paradime => None,
        ProviderName::Rapidapi => Some(rapidapi::HOST),
    }
}

/// The switches that make a minute so long, where something is limited in one.
pub fn minute(provider: ProviderName, length: Duration) -> Vec<String> {
    match provider {
        ProviderName::Bitpanda | ProviderName::Hive | ProviderName::Paradime => Vec::new(),
        ProviderName::Rapidapi => vec![format!("minute-millis={}", length.as_millis())],
    }
}

/// The sandbox of an organisation that a seed has.
pub fn open(provider: ProviderName, organization: &RemoteId, store: Store) -> Result<Box<dyn Served>, String> {
    let unreadable = || "the sandbox's seed can't be read".to_owned();
    match provider {
        ProviderName::Bitpanda => {
            let world = bitpanda::World::seed(organization.as_str()).ok_or_else(unreadable)?;
            Ok(Box::new(Sandbox::new(bitpanda::Bitpanda::new(world, system_clock()), store)))
        }
        ProviderName::Hive => {
            let world = hive::World::seed(organization.as_str()).ok_or_else(unreadable)?;
            Ok(Box::new(Sandbox::new(hive::Hive::new(world, system_clock()), store)))
        }
        ProviderName::Paradime => {
            let world = paradime::World::seed(organization.as_str()).ok_or_else(unreadable)?;
            Ok(Box::new(Sandbox::new(paradime::Paradime::new(world, system_clock()), store)))
        }
        ProviderName::Rapidapi => {
            let world = rapidapi::World::seed().ok_or_else(unreadable)?;
            Ok(Box::new(Sandbox::new(rapidapi::RapidApi::new(world, system_clock()), store)))
        }
    }
}

/// A served world with its faults.
pub struct Sandbox<E> {
    pub engine: E,
    store: Store,
    faults: Mutex<Vec<Fault>>,
    /// One request after the other: the world on disk is read before and written after each.
    turn: tokio::sync::Mutex<()>,
}

/// What a request says beside its body, by names in small letters.
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

/// A sandbox, whatever its provider.
pub trait Served: Send + Sync {
    /// Answers one HTTP request.
    fn handle<'a>(
        &'a self,
        headers: &'a Headers,
        body: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Reply> + Send + 'a>>;

    /// Starts the world anew, for every process that shares it.
    fn reset(&self) -> Result<(), String>;

    /// Sets switches, each as `name=value`, and keeps them.
    fn set(&self, assignments: &[String]) -> Result<(), String>;

    fn add_fault(&self, fault: Fault);
}

impl<E: Engine> Served for Sandbox<E> {
    fn handle<'a>(
        &'a self,
        headers: &'a Headers,
        body: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Reply> + Send + 'a>> {
        Box::pin(self.answer(headers, body))
    }

    fn reset(&self) -> Result<(), String> {
        let _lock = self.store.lock().map_err(|why| why.to_string())?;
        self.store.write(&self.engine.save()).map_err(|why| why.to_string())
    }

    fn set(&self, assignments: &[String]) -> Result<(), String> {
        self.change(|engine| assignments.iter().try_for_each(|assignment| engine.set(assignment)))
    }

    fn add_fault(&self, fault: Fault) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }
}

/// What becomes of a request.
pub enum Reply {
    Answer(Response),
    /// The connection ends here.
    Dropped,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireRequest {
    query: String,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Value,
}

impl<E: Engine> Sandbox<E> {
    pub fn new(engine: E, store: Store) -> Self {
        Self { engine, store, faults: Mutex::new(Vec::new()), turn: tokio::sync::Mutex::new(()) }
    }

    /// Changes the world by another hand, and keeps it.
    pub fn change<T>(&self, change: impl FnOnce(&E) -> Result<T, String>) -> Result<T, String> {
        let _lock = self.store.lock().map_err(|why| why.to_string())?;
        if let Some(saved) = self.store.read().map_err(|why| why.to_string())? {
            self.engine.load(&saved)?;
        }
        let done = change(&self.engine)?;
        self.store.write(&self.engine.save()).map_err(|why| why.to_string())?;
        Ok(done)
    }

    async fn answer(&self, headers: &Headers, body: &[u8]) -> Reply {
        let Ok(wire) = serde_json::from_slice::<WireRequest>(body) else {
            return Reply::Answer(answer(
                400,
                &json!({ "errors": [{ "message": "the body is no GraphQL request" }] }),
            ));
        };
        let faults = self.due(&wire.query);
        for fault in &faults {
            match fault {
                FaultKind::Latency(wait) => tokio::time::sleep(*wait).await,
                FaultKind::Status(status) => {
                    return Reply::Answer(answer(*status, &json!({ "message": "fault" })));
                }
                FaultKind::RateLimit(after) => {
                    let mut limited = answer(429, &json!({ "message": "Too Many Requests" }));
                    limited.retry_after = Some(*after);
                    return Reply::Answer(limited);
                }
                FaultKind::DropBefore => return Reply::Dropped,
                FaultKind::Errors => {
                    let errors = json!([{ "message": "REFUSED: fault on demand" }]);
                    return Reply::Answer(answer(200, &json!({ "data": null, "errors": errors })));
                }
                FaultKind::Html => {
                    let page = b"<!doctype html><title>Sign in</title>".to_vec();
                    let content_type = Some("text/html".to_owned());
                    return Reply::Answer(Response { content_type, ..Response::new(200, page) });
                }
                FaultKind::DropAfter | FaultKind::Partial | FaultKind::Truncate => {}
            }
        }
        let mut response = match self.act(headers, wire).await {
            Ok(response) => response,
            Err(why) => return Reply::Answer(answer(500, &json!({ "message": why }))),
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

    async fn act(&self, headers: &Headers, wire: WireRequest) -> Result<Response, String> {
        let _turn = self.turn.lock().await;
        let lock = self.store.lock().map_err(|why| why.to_string())?;
        if let Some(saved) = self.store.read().map_err(|why| why.to_string())? {
            self.engine.load(&saved)?;
        }
        let mut request = GraphQlRequest::new(wire.query).variables(Variables::from_json(wire.variables));
        if let Some(name) = wire.operation_name {
            request = request.operation_name(name);
        }
        if self.store.is_memory() {
            return Ok(self.engine.respond(headers, request).await);
        }
        let before = self.engine.save();
        let answered = self.engine.respond(headers, request).await;
        let after = self.engine.save();
        if before != after {
            self.store.write(&after).map_err(|why| why.to_string())?;
        }
        drop(lock);
        Ok(answered)
    }

    /// The faults that meet this request, each used up by one.
    fn due(&self, query: &str) -> Vec<FaultKind> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        for fault in faults.iter_mut().filter(|fault| fault.meets(query)) {
            fault.times = fault.times.saturating_sub(1);
            due.push(fault.kind.clone());
        }
        faults.retain(|fault| fault.times > 0);
        due
    }
}

/// The operation that is asked for.
fn chosen<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Option<&'a OperationDefinition> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), _) => Some(&operation.node),
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name).map(|it| &it.node),
        (DocumentOperations::Multiple(operations), None) => {
            operations.values().next().filter(|_| operations.len() == 1).map(|it| &it.node)
        }
    }
}

/// A JSON answer.
pub fn answer(status: u16, body: &Value) -> Response {
    let content_type = Some("application/json".to_owned());
    Response { content_type, ..Response::new(status, body.to_string().into_bytes()) }
}

fn add_error(response: &mut Response) {
    if let Ok(mut body) = serde_json::from_slice::<Value>(&response.body) {
        body["errors"] = json!([{ "message": "a part could not be had" }]);
        response.body = body.to_string().into_bytes();
    }
}

/// A credential as the world keeps it.
pub fn digest(secret: &str) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(secret.as_bytes()) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Sets `name=value` in a settings struct, through its JSON.
pub fn set<T: Serialize + DeserializeOwned>(settings: &mut T, assignment: &str) -> Result<(), String> {
    let (name, text) = assignment.split_once('=').ok_or_else(|| format!("`{assignment}` is no NAME=VALUE"))?;
    let mut value = serde_json::to_value(&*settings).map_err(|why| why.to_string())?;
    let fields = value.as_object_mut().ok_or("these settings have no names")?;
    if !fields.contains_key(name) {
        let known: Vec<&str> = fields.keys().map(String::as_str).collect();
        return Err(format!("there is no switch `{name}`; there are {}", known.join(", ")));
    }
    let parsed = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    fields.insert(name.to_owned(), parsed);
    *settings = serde_json::from_value(value).map_err(|why| format!("`{name}` can't be `{text}`: {why}"))?;
    Ok(())
}

/// The time, so that tests can choose it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The time as it is.
pub fn system_clock() -> Clock {
    Arc::new(Timestamp::now)
}

/// The longest wait that a fault may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
