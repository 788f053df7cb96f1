//! Sends spans to a collector by OTLP over HTTP: in batches, from a thread of their own, with the HTTP client of everything else.
//! A collector that fails costs one warning, and never changes how a run ends.

use std::collections::BTreeMap;
use std::env::var;
use std::future::Future;
use std::mem::{replace, take};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Context, Key, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, Span as Recorded, SpanData,
    SpanExporter as Exporter, SpanProcessor,
};
use reqwest::header::RETRY_AFTER;
use tokio::runtime::Runtime;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::registry::LookupSpan;
use url::Url;

use super::super::connect::GENERATOR;
use super::super::exit::{Failure, sentence};
use super::super::files;
use super::super::out::talk;
use super::is_ours;
use rolecall_config::is_loopback;
use rolecall_graphql::{ClientSettings, certificate_problem, client, innermost_cause};

/// The longest time that a run waits at its end for the collector.
const LONGEST_END: Duration = Duration::from_secs(3);

/// The time that one request to the collector may take, while the run goes on.
const LONGEST_REQUEST: Duration = Duration::from_secs(10);

/// The number of spans that wait for a slow collector. More are dropped, and counted.
const QUEUE: usize = 16_384;

/// The most bytes of an answer of the collector that are read.
const LONGEST_ANSWER: usize = 64 * 1024;

/// The path of traces below the address of a collector.
const PATH: &str = "/v1/traces";

/// The value of `--otlp` that takes the address from the environment.
const FROM_ENVIRONMENT: &str = "env";

/// The spans of this process, if they are sent.
static SENDING: OnceLock<Sending> = OnceLock::new();

struct Sending {
    provider: SdkTracerProvider,
    endpoint: Url,
    account: Arc<Account>,
    flushed: Mutex<bool>,
}

/// Counts the spans of this process that have ended, and those that the collector has.
#[derive(Debug, Default)]
struct Account {
    ended: AtomicUsize,
    arrived: AtomicUsize,
    /// The last reason why spans didn't arrive.
    why: Mutex<Option<String>>,
}

impl Account {
    fn note(&self, why: String) {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }
}

/// Returns the layer that sends spans to the collector at this URL. No message repeats a header.
pub(super) fn layer<S>(to: &str) -> Result<impl Layer<S>, Failure>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let endpoint = endpoint(to)?;
    let account = Arc::new(Account::default());
    let failed = |why: String| Failure::error(format!("Spans can't be sent to {endpoint}: {why}."));
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client::new(&endpoint, Arc::clone(&account))?)
        .with_endpoint(endpoint.as_str())
        .with_protocol(protocol())
        .with_timeout(LONGEST_REQUEST)
        .with_retry_policy(RetryPolicy::recommended().with_max_retries(2))
        .build()
        .map_err(|why| failed(why.to_string()))?;
    let batches = BatchSpanProcessor::builder(Counting { exporter, account: Arc::clone(&account) })
        .with_batch_config(BatchConfigBuilder::default().with_max_queue_size(QUEUE).build())
        .build();
    let spans = Spans { batches, open: Mutex::default(), account: Arc::clone(&account) };
    let provider = SdkTracerProvider::builder().with_span_processor(spans).with_resource(resource()).build();
    let tracer = provider.tracer("rolecall");
    let _ = SENDING.set(Sending { provider, endpoint, account, flushed: Mutex::default() });
    Ok(tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_context_activation(false)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(|it| it.is_span() && is_ours(it)).with_max_level_hint(LevelFilter::INFO)))
}

/// Returns the value of the first of these variables that is set.
fn variable(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| var(name).ok().filter(|value| !value.is_empty()))
}

/// Returns the URL that spans are posted to.
fn endpoint(to: &str) -> Result<Url, Failure> {
    const OF_TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    const OF_ALL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let invalid = |why: &str| {
        Failure::error(format!("The URL of `--otlp` can't be used: {why}.")).hint(
            "Write the address of a collector that takes OTLP over HTTP, such as http://localhost:4318, or `env`.",
        )
    };
    // The first of these variables is the whole URL.
    let (text, is_whole) = match (to, variable(&[OF_TRACES]), variable(&[OF_ALL])) {
        (FROM_ENVIRONMENT, Some(whole), _) => (whole, true),
        (FROM_ENVIRONMENT, None, Some(text)) => (text, false),
        (FROM_ENVIRONMENT, None, None) => {
            return Err(invalid(&format!("neither {OF_TRACES} nor {OF_ALL} is set")));
        }
        (text, ..) => (text.to_owned(), false),
    };
    let mut url = Url::parse(&text).map_err(|why| invalid(&format!("it is not a URL ({why})")))?;
    let host = url.host_str().unwrap_or_default();
    if !matches!(url.scheme(), "http" | "https") || host.is_empty() {
        return Err(invalid("it begins with neither https:// nor http://"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some()
    {
        return Err(invalid("it has a user, a password, a query or a fragment, and messages show this URL"));
    }
    let has_headers = variable(&["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"]).is_some();
    if url.scheme() == "http" && has_headers && !is_loopback(host) {
        return Err(invalid(&format!("http would send the headers of the environment unencrypted to {host}")));
    }
    if !is_whole && !url.path().ends_with(PATH) {
        let path = format!("{}{PATH}", url.path().trim_end_matches('/'));
        url.set_path(&path);
    }
    Ok(url)
}

/// Returns the form that the environment asks for. Every collector takes the default.
fn protocol() -> Protocol {
    let named = variable(&["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"]);
    if named.as_deref() == Some("http/json") { Protocol::HttpJson } else { Protocol::HttpBinary }
}

/// Returns what all spans have in common: the name and the version of the program, unless the environment says otherwise.
fn resource() -> Resource {
    const NAME: &str = "service.name";
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let builder = Resource::builder().with_attribute(version);
    let found = Resource::builder().build().get(&Key::new(NAME)).map(|name| name.to_string());
    let is_named = found.is_some_and(|name| !name.starts_with("unknown_service"));
    if is_named { builder.build() } else { builder.with_service_name("rolecall").build() }
}

/// Makes a span a part of the trace that `TRACEPARENT` names.
pub(super) fn continue_trace(span: &Span) {
    if !span.is_disabled() {
        let variables = Variables { parent: variable(&["TRACEPARENT"]), state: variable(&["TRACESTATE"]) };
        let _ = span.set_parent(TraceContextPropagator::new().extract_with_context(&Context::new(), &variables));
    }
}

/// The variables by which a CI system names the trace of a job.
struct Variables {
    parent: Option<String>,
    state: Option<String>,
}

impl Extractor for Variables {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => self.parent.as_deref(),
            "tracestate" => self.state.as_deref(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

/// Sends all spans, those that are still open included, and warns if some didn't arrive. An interrupt may come while the run ends
/// by itself: the second of the two waits for the first.
pub(super) fn flush() {
    let Some(Sending { provider, endpoint, account, flushed }) = SENDING.get() else { return };
    let mut flushed = flushed.lock().unwrap_or_else(PoisonError::into_inner);
    if replace(&mut *flushed, true) {
        return;
    }
    let _ = provider.shutdown_with_timeout(LONGEST_END);
    let (ended, arrived) = (account.ended.load(Ordering::Relaxed), account.arrived.load(Ordering::Relaxed));
    if arrived < ended {
        let why = account.why.lock().unwrap_or_else(PoisonError::into_inner).take();
        let why = why.unwrap_or_else(|| "the collector takes too long".to_owned());
        let lost = ended - arrived;
        talk(&format!(
            "warning: {lost} of {ended} spans did not reach {endpoint}: {why}. Nothing else is affected.\n"
        ));
    }
}

/// Sends all spans when Ctrl-C or a CI system ends the run, and ends it with the exit code that shells give the signal.
pub(super) fn watch() {
    if SENDING.get().is_none() {
        return;
    }
    let interrupted = interrupted();
    tokio::spawn(async {
        let code = interrupted.await;
        flush();
        std::process::exit(code);
    });
}

/// Watches the signals from now on, and returns their exit code once one has come.
#[cfg(unix)]
fn interrupted() -> impl Future<Output = i32> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else { return std::future::pending().await };
        tokio::select! {
            _ = interrupt.recv() => 130,
            _ = terminate.recv() => 143,
        }
    }
}

#[cfg(not(unix))]
async fn interrupted() -> i32 {
    match tokio::signal::ctrl_c().await {
        Ok(()) => 130,
        Err(_) => std::future::pending().await,
    }
}

/// Passes on spans that have ended. At the end of the process it ends those that are open, so that no span lacks its parent.
#[derive(Debug)]
struct Spans {
    batches: BatchSpanProcessor,
    /// The spans that are open, as they began.
    open: Mutex<BTreeMap<[u8; 8], SpanData>>,
    account: Arc<Account>,
}

impl Spans {
    fn open(&self) -> std::sync::MutexGuard<'_, BTreeMap<[u8; 8], SpanData>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass_on(&self, span: SpanData) {
        self.account.ended.fetch_add(1, Ordering::Relaxed);
        self.batches.on_end(span);
    }
}

impl SpanProcessor for Spans {
    fn on_start(&self, span: &mut Recorded, _: &Context) {
        if let Some(data) = span.exported_data() {
            self.open().insert(data.span_context.span_id().to_bytes(), data);
        }
    }

    fn on_end(&self, span: SpanData) {
        self.open().remove(&span.span_context.span_id().to_bytes());
        self.pass_on(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        let open = take(&mut *self.open());
        for mut span in open.into_values() {
            span.end_time = SystemTime::now();
            span.attributes.push(KeyValue::new("rolecall.interrupted", true));
            self.pass_on(span);
        }
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// Counts the spans that the collector took.
#[derive(Debug)]
struct Counting {
    exporter: SpanExporter,
    account: Arc<Account>,
}

impl Exporter for Counting {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.exporter.export(batch).await;
        if exported.is_ok() {
            self.account.arrived.fetch_add(spans, Ordering::Relaxed);
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Posts batches with our HTTP client, on the thread of the batches. That thread has a runtime of its own, so that it can send
/// while the run ends.
#[derive(Debug)]
struct Client {
    http: reqwest::Client,
    runtime: Runtime,
    account: Arc<Account>,
}

impl Client {
    fn new(endpoint: &Url, account: Arc<Account>) -> Result<Self, Failure> {
        let certificates = variable(&["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"]);
        let extra_ca = certificates.map(|file| files::read_text(file.as_ref())).transpose()?;
        let settings = ClientSettings {
            direct: endpoint.host_str().is_some_and(is_loopback),
            user_agent: GENERATOR.to_owned(),
            timeout: LONGEST_REQUEST,
            extra_ca: extra_ca.map(String::into_bytes),
        };
        let client = client(settings).map_err(|why| Failure::error(sentence(why)))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|why| Failure::error(format!("The runtime of `--otlp` can't be started: {why}.")))?;
        Ok(Self { http: client, runtime, account })
    }

    async fn post(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.http.execute(request.try_into()?).await;
        let mut answer = sent.inspect_err(|why| {
            let untrusted =
                certificate_problem(why).map(|problem| format!("its certificate isn't trusted: {problem}"));
            self.account.note(untrusted.unwrap_or_else(|| innermost_cause(why)));
        })?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        if !answer.status().is_success() {
            self.account.note(format!("it answered with HTTP status {}", answer.status().as_u16()));
        }
        if let Some(wait) = answer.headers().get(RETRY_AFTER) {
            response.headers_mut().insert(RETRY_AFTER, wait.clone());
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await?
            && body.len() + chunk.len() <= LONGEST_ANSWER
        {
            body.extend_from_slice(&chunk);
        }
        *response.body_mut() = body.into();
        Ok(response)
    }
}

impl HttpClient for Client {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move { self.runtime.block_on(self.post(request)) })
    }
}
