//! A sandbox over HTTP, on loopback only.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response as HttpResponse};
use axum::routing::post;
use tokio::net::TcpListener;

use super::{AnySandbox, Headers, Reply};

/// The largest request body that is accepted, in bytes.
const MAX_REQUEST: usize = 4 * 1024 * 1024;

/// Serves the sandbox until the future is dropped. Fails if the listener's address isn't loopback.
pub async fn serve(sandbox: Arc<dyn AnySandbox>, listener: TcpListener) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        return Err(std::io::Error::other("the sandbox listens on loopback only"));
    }
    let router = Router::new()
        .route("/graphql", post(graphql))
        // The path on a self-hosted Hive.
        .route("/graphql-public", post(graphql))
        // The path at Paradime, which contains a token of the company.
        .route("/api/v1/{company}/graphql", post(graphql))
        // The path at RapidAPI's gateway.
        .route("/", post(graphql))
        .layer(axum::extract::DefaultBodyLimit::max(MAX_REQUEST))
        .with_state(sandbox);
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await
}

async fn graphql(
    State(sandbox): State<Arc<dyn AnySandbox>>,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResponse<Body> {
    let text = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    match sandbox.handle(&Headers::new(text), &body).await {
        Reply::Answer(response) => {
            let mut builder = HttpResponse::builder().status(response.status);
            if let Some(kind) = response.content_type {
                builder = builder.header("content-type", kind);
            }
            if let Some(after) = response.retry_after {
                builder = builder.header("retry-after", after.as_secs());
            }
            builder.body(Body::from(response.body)).unwrap_or_default()
        }
        // A body that fails halfway looks to a client like a lost connection.
        Reply::Dropped => {
            let broken = futures_util::stream::once(async {
                Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
            });
            HttpResponse::new(Body::from_stream(broken))
        }
    }
}
