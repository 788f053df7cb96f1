//! Spans of requests and of waits. They name operations and count bytes. They never have a variable, a header, or a text that
//! the platform sent: those may contain addresses and secrets.

use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use super::{CallError, Request, Response, Transport, TransportError};

/// Sends a request once, within a span of its own. Returns the span, so that [`failed`] can tell what the answer meant.
/// `resends` is the number of earlier attempts, and `causes` are the spans of further mutations in the same document.
pub async fn send(
    transport: &dyn Transport,
    request: &Request,
    resends: usize,
    causes: impl IntoIterator<Item = &Span>,
) -> (Span, Result<Response, TransportError>) {
    let span = request_span(request, resends);
    for cause in causes {
        span.follows_from(cause);
    }
    let answer = transport.send(request).instrument(span.clone()).await;
    match &answer {
        Ok(response) => {
            span.record("http.response.status_code", i64::from(response.status));
            span.record("http.response.body.size", number(response.body.len()));
        }
        Err(error) => mark(&span, error.kind()),
    }
    (span, answer)
}

/// Marks the span of a request whose answer is an error.
pub fn failed(span: &Span, error: &CallError) {
    mark(span, error.kind());
}

fn mark(span: &Span, kind: &str) {
    span.record("error.type", kind);
    span.record("otel.status_code", "error");
}

/// Returns the span of one attempt. The transport adds the server that it sends to.
fn request_span(request: &Request, resends: usize) -> Span {
    let kind = || if request.query.trim_start().starts_with("mutation") { "mutation" } else { "query" };
    tracing::info_span!(
        "request",
        "otel.name" = format!("{} {}", kind(), request.operation_name),
        "otel.kind" = "client",
        "graphql.operation.name" = request.operation_name,
        "graphql.operation.type" = kind(),
        "http.request.method" = "POST",
        "http.request.resend_count" = (resends > 0).then(|| number(resends)),
        "http.response.status_code" = Empty,
        "http.response.body.size" = Empty,
        "server.address" = Empty,
        "server.port" = Empty,
        "error.type" = Empty,
        "otel.status_code" = Empty,
    )
}

/// Returns a number as spans have it. Others would become texts.
pub fn number(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Returns the span of a wait before a request. `reason` says who asks for it.
pub fn wait_span(reason: &'static str) -> Span {
    tracing::info_span!("wait", "rolecall.wait.reason" = reason)
}
