//! `--verbose` and `--otlp`: a run as lines on stderr, and as spans that a collector gets.
//!
//! Every event of rolecall is a line, and every span goes to the collector. Lines don't show spans, and spans have no events,
//! because the events quote errors of platforms.

#[cfg(feature = "otlp")]
mod otlp;

use tracing::{Metadata, Span};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::exit::{Exit, Failure};

/// Starts to log rolecall's own events to stderr, and to send its spans to the collector at this URL.
pub(super) fn start(verbose: u8, collector: Option<&str>) -> Result<(), Failure> {
    let level = match verbose {
        0 => None,
        1 => Some(LevelFilter::INFO),
        _ => Some(LevelFilter::DEBUG),
    };
    let collector = collector.map(otlp::layer).transpose()?;
    if level.is_none() && collector.is_none() {
        return Ok(());
    }
    let lines = level.map(|level| {
        let colour = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(colour)
            .without_time()
            .with_target(false)
            .with_filter(
                filter_fn(move |it| it.is_event() && is_ours(it) && *it.level() <= level)
                    .with_max_level_hint(level),
            )
    });
    tracing_subscriber::registry().with(collector).with(lines).init();
    Ok(())
}

/// Returns whether an event or a span is rolecall's own. Those of HTTP libraries could show headers.
fn is_ours(it: &Metadata<'_>) -> bool {
    it.target().starts_with("rolecall")
}

/// Returns the span of the whole run, whose parent is the one that the environment names. It exists only with `--otlp`.
pub(super) fn root(verb: &str) -> Span {
    let span = tracing::info_span!(
        "run",
        "otel.name" = format!("rolecall {verb}"),
        "rolecall.verb" = verb,
        "rolecall.version" = env!("CARGO_PKG_VERSION"),
        "process.exit.code" = tracing::field::Empty,
        "otel.status_code" = tracing::field::Empty,
    );
    otlp::continue_trace(&span);
    span
}

/// Ends the span of the whole run, and waits until the collector has all spans, or for a few seconds.
pub(super) fn finish(root: Span, exit: Exit) {
    root.record("process.exit.code", exit as i64);
    if !matches!(exit, Exit::Done | Exit::Differences) {
        root.record("otel.status_code", "error");
    }
    drop(root);
    otlp::flush();
}

/// Marks the spans that are open at an interrupt, after which the run ends by itself.
pub(super) fn interrupt() {
    otlp::interrupt(None);
}

/// Ends the spans that are still open, and waits like [`finish`]. The process ends right after it, with this code.
pub(super) fn abandon(exit: Exit) {
    otlp::interrupt(Some(exit as i32));
    otlp::flush();
}

/// Sends what there is when the run is interrupted, for verbs that end at once then. Without a collector, nothing changes.
pub(super) fn watch() {
    otlp::watch();
}

#[cfg(not(feature = "otlp"))]
mod otlp {
    use tracing::Span;
    use tracing_subscriber::layer::Identity;

    use super::Failure;

    pub(super) fn layer(_: &str) -> Result<Identity, Failure> {
        Err(Failure::error("This rolecall was built without the feature `otlp`, which `--otlp` needs.")
            .hint("Released binaries have it. Otherwise, build it with `cargo install --features otlp`."))
    }

    pub(super) fn continue_trace(_: &Span) {}

    pub(super) fn interrupt(_: Option<i32>) {}

    pub(super) fn flush() {}

    pub(super) fn watch() {}
}
