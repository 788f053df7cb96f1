//! The spans of this process: those that are open, and the number of those that the collector has.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use opentelemetry::trace::Status;
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, Span as Recorded, SpanData, SpanExporter as Exporter, SpanProcessor,
};

/// Counts the spans of this process that have ended, those that were sent, and those of them that the collector rejected.
#[derive(Debug, Default)]
pub struct Account {
    ended: AtomicUsize,
    sent: AtomicUsize,
    rejected: AtomicUsize,
    /// The last reason why spans didn't arrive.
    why: Mutex<Option<String>>,
}

impl Account {
    pub fn note(&self, why: String) {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }

    pub fn reject(&self, spans: usize, why: &str) {
        if spans > 0 {
            self.rejected.fetch_add(spans, Ordering::Relaxed);
            let why = why.trim_end_matches('.');
            self.note(if why.is_empty() {
                "it rejected them".to_owned()
            } else {
                format!("it rejected them: {why}")
            });
        }
    }

    /// Returns how many of all spans the collector doesn't have, and the number of all.
    pub fn missing(&self) -> (usize, usize) {
        let [ended, sent, rejected] =
            [&self.ended, &self.sent, &self.rejected].map(|number| number.load(Ordering::Relaxed));
        (ended.saturating_sub(sent.saturating_sub(rejected)), ended)
    }

    pub fn why(&self) -> Option<String> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The attribute of spans that were open when the run was interrupted.
const INTERRUPTED: &str = "rolecall.interrupted";

fn has(span: &SpanData, name: &str) -> bool {
    span.attributes.iter().any(|attribute| attribute.key.as_str() == name)
}

/// The spans that are open, as they began.
#[derive(Debug, Default)]
pub struct Open(Mutex<BTreeMap<[u8; 8], SpanData>>);

impl Open {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<[u8; 8], SpanData>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks the spans that are open now. `exit`: the run ends with this code, before its own span could tell it.
    pub fn interrupt(&self, exit: Option<i32>) {
        for span in self.lock().values_mut() {
            if !has(span, INTERRUPTED) {
                span.attributes.push(KeyValue::new(INTERRUPTED, true));
            }
            if let Some(code) = exit.filter(|_| has(span, "rolecall.verb")) {
                span.attributes.push(KeyValue::new("process.exit.code", i64::from(code)));
                span.status = Status::error("");
            }
        }
    }
}

/// Passes on spans that have ended. At the end of the process it ends those that are open, so that no span lacks its parent.
#[derive(Debug)]
pub struct Spans {
    pub batches: BatchSpanProcessor,
    pub open: Arc<Open>,
    pub account: Arc<Account>,
}

impl Spans {
    fn pass_on(&self, span: SpanData) {
        self.account.ended.fetch_add(1, Ordering::Relaxed);
        self.batches.on_end(span);
    }
}

impl SpanProcessor for Spans {
    fn on_start(&self, span: &mut Recorded, _: &Context) {
        if let Some(data) = span.exported_data() {
            self.open.lock().insert(data.span_context.span_id().to_bytes(), data);
        }
    }

    fn on_end(&self, mut span: SpanData) {
        // A span that isn't open was passed on at the end of the process.
        let Some(begun) = self.open.lock().remove(&span.span_context.span_id().to_bytes()) else { return };
        if has(&begun, INTERRUPTED) {
            span.attributes.push(KeyValue::new(INTERRUPTED, true));
        }
        self.pass_on(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.open.interrupt(None);
        let open = take(&mut *self.open.lock());
        for mut span in open.into_values() {
            span.end_time = SystemTime::now();
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
pub struct Counting {
    pub exporter: SpanExporter,
    pub account: Arc<Account>,
}

impl Exporter for Counting {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let exported = self.exporter.export(batch).await;
        if exported.is_ok() {
            self.account.sent.fetch_add(spans, Ordering::Relaxed);
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
