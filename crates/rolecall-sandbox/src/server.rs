//! A sandbox over HTTP, on loopback only.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response as HttpResponse, StatusCode, Uri};
use axum::routing::post;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::{AnySandbox, Headers, METHOD, Reply};

/// The largest request body that is accepted, in bytes.
const MAX_REQUEST: usize = 4 * 1024 * 1024;

/// Serves the sandbox until the future is dropped. Fails if the listener's address isn't loopback.
pub async fn serve(sandbox: Arc<dyn AnySandbox>, listener: TcpListener) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        return Err(std::io::Error::other("the sandbox listens on loopback only"));
    }
    let router = Router::new()
        .route("/graphql", post(graphql).get(graphql))
        // The path on a self-hosted Hive.
        .route("/graphql-public", post(graphql).get(graphql))
        // The path at Paradime, which contains a token of the company.
        .route("/api/v1/{company}/graphql", post(graphql).get(graphql))
        // The path at RapidAPI's gateway.
        .route("/", post(graphql).get(graphql))
        .fallback(not_found)
        .layer(axum::extract::DefaultBodyLimit::max(MAX_REQUEST))
        .with_state(sandbox);
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await
}

async fn graphql(
    State(sandbox): State<Arc<dyn AnySandbox>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResponse<Body> {
    let text = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let is_get = method == Method::GET;
    let headers = Headers::new(text.chain(is_get.then_some((METHOD, "GET"))));
    let body = if is_get { body_of(uri.query().unwrap_or_default()).into() } else { body };
    match sandbox.handle(&headers, &body).await {
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

/// Returns the body that means the same as the parameters of a GET request.
fn body_of(parameters: &str) -> Vec<u8> {
    let parameters = url::form_urlencoded::parse(parameters.as_bytes());
    let fields: Map<String, Value> = parameters
        .map(|(name, text)| {
            let is_json = matches!(&*name, "variables" | "extensions");
            let value = is_json.then(|| serde_json::from_str(&text).ok()).flatten();
            (name.into_owned(), value.unwrap_or_else(|| text.into()))
        })
        .collect();
    Value::Object(fields).to_string().into_bytes()
}

async fn not_found(method: Method, uri: Uri) -> HttpResponse<Body> {
    let message = format!("Route {method}:{} not found", uri.path());
    let body = json!({ "message": message, "error": "Not Found", "statusCode": 404 });
    let builder = HttpResponse::builder().status(StatusCode::NOT_FOUND).header("content-type", "application/json");
    builder.body(Body::from(body.to_string())).unwrap_or_default()
}
