//! A sandbox over HTTP, on loopback.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response as HttpResponse};
use axum::routing::post;
use tokio::net::TcpListener;

use super::{Headers, Reply, Served};

/// The largest request that is read, in bytes.
const MAX_REQUEST: usize = 4 * 1024 * 1024;

/// Serves until the future is dropped.
pub async fn serve(sandbox: Arc<dyn Served>, listener: TcpListener) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        return Err(std::io::Error::other("the sandbox listens on loopback only"));
    }
    let router = Router::new()
        .route("/graphql", post(graphql))
        // Where a Hive of one's own has it.
        .route("/graphql-public", post(graphql))
        // Where Paradime has it, below a token of the company.
        .route("/api/v1/{company}/graphql", post(graphql))
        // Where RapidAPI's gateway has it.
        .route("/", post(graphql))
        .layer(axum::extract::DefaultBodyLimit::max(MAX_REQUEST))
        .with_state(sandbox);
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await
}

async fn graphql(State(sandbox): State<Arc<dyn Served>>, headers: HeaderMap, body: Bytes) -> HttpResponse<Body> {
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
        // A body that breaks off is what a client sees of a connection that died.
        Reply::Dropped => {
            let broken = futures_util::stream::once(async {
                Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
            });
            HttpResponse::new(Body::from_stream(broken))
        }
    }
}
