//! Sends spans to a collector by OTLP over HTTP: in batches, from a thread of their own, with the HTTP client of everything else.
//! A collector that fails costs one warning, and never changes how a run ends.

mod collector;
mod spans;

use std::future::Future;
use std::mem::replace;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Context, Key, KeyValue};
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::registry::LookupSpan;
use url::Url;

use super::super::exit::Failure;
use super::super::out::talk;
use super::is_ours;
use collector::{Client, LONGEST_REQUEST, endpoint, protocol, variable};
use spans::{Account, Counting, Open, Spans};

/// The longest time that a run waits at its end for the collector.
const LONGEST_END: Duration = Duration::from_secs(3);

/// The number of spans that wait for a slow collector. More are dropped, and counted.
const QUEUE: usize = 16_384;

/// The spans of this process, if they are sent.
static SENDING: OnceLock<Sending> = OnceLock::new();

struct Sending {
    provider: SdkTracerProvider,
    endpoint: Url,
    open: Arc<Open>,
    account: Arc<Account>,
    flushed: Mutex<bool>,
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
    let open = Arc::<Open>::default();
    let spans = Spans { batches, open: Arc::clone(&open), account: Arc::clone(&account) };
    let provider = SdkTracerProvider::builder().with_span_processor(spans).with_resource(resource()).build();
    let tracer = provider.tracer("rolecall");
    let _ = SENDING.set(Sending { provider, endpoint, open, account, flushed: Mutex::default() });
    // A span starts when its work begins, and not when it ends: an interrupt has to find it open.
    Ok(tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_context_activation(true)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(filter_fn(|it| it.is_span() && is_ours(it)).with_max_level_hint(LevelFilter::INFO)))
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
        let value = |name| Some(variable([name])?.1);
        let variables = Variables { parent: value("TRACEPARENT"), state: value("TRACESTATE") };
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
    let Some(Sending { provider, endpoint, open: _, account, flushed }) = SENDING.get() else { return };
    let mut flushed = flushed.lock().unwrap_or_else(PoisonError::into_inner);
    if replace(&mut *flushed, true) {
        return;
    }
    let _ = provider.shutdown_with_timeout(LONGEST_END);
    let (missing, all) = account.missing();
    if missing > 0 {
        let why = account.why().unwrap_or_else(|| "the collector takes too long".to_owned());
        talk(&format!(
            "warning: {missing} of {all} spans did not reach {endpoint}: {why}. Nothing else is affected.\n"
        ));
    }
}

/// Marks the spans that an interrupt finds open. `exit`: it ends the run at once, with this code.
pub(super) fn interrupt(exit: Option<i32>) {
    if let Some(Sending { open, .. }) = SENDING.get() {
        open.interrupt(exit);
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
        interrupt(Some(code));
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
