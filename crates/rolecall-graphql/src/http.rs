//! HTTP by reqwest: TLS, proxies, limits. Nothing is followed and nothing repeated here.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{Context, RateLimit, Request, Response, Transport, TransportError};

/// Headers that carry a credential, for each of those that an operation may be sent with.
pub type Contexts = BTreeMap<Context, Vec<(&'static str, SecretString)>>;

/// How to reach an endpoint.
pub struct HttpSettings {
    pub endpoint: Url,
    pub contexts: Contexts,
    pub client: ClientSettings,
}

/// How to speak HTTP.
pub struct ClientSettings {
    /// Go there directly, whatever proxy the environment names.
    pub direct: bool,
    pub user_agent: String,
    /// For one request, from connecting to the last byte.
    pub timeout: Duration,
    /// Certificate authorities beside the operating system's, as PEM.
    pub extra_ca: Option<Vec<u8>>,
}

/// The largest answer that is read, in MiB. 10,000 users take about 3.
const MAX_BODY_MIB: usize = 64;

pub struct HttpTransport {
    client: Client,
    endpoint: Url,
    contexts: BTreeMap<Context, HeaderMap>,
}

impl HttpTransport {
    pub fn new(settings: HttpSettings) -> Result<Self, String> {
        let HttpSettings { endpoint, contexts, client: how } = settings;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers
            .insert(ACCEPT, HeaderValue::from_static("application/graphql-response+json, application/json;q=0.9"));
        let contexts = contexts.into_iter().map(|(context, with)| {
            let mut all = headers.clone();
            all.extend(secret_headers(with)?);
            Ok((context, all))
        });
        let contexts = contexts.collect::<Result<_, String>>()?;
        let plain = how.direct && endpoint.scheme() == "http";
        let client = build(how, plain)?;
        Ok(Self { client, endpoint, contexts })
    }

    async fn exchange(&self, request: &Request) -> Result<Response, TransportError> {
        let body = serde_json::to_vec(request).map_err(|why| TransportError::NotSent(why.to_string()))?;
        let Some(headers) = self.contexts.get(&request.context) else {
            let Context(name) = request.context;
            return Err(TransportError::NotSent(format!("there is no {name} credential to send it with")));
        };
        let sent = self.client.post(self.endpoint.clone()).headers(headers.clone()).body(body).send().await;
        let mut answer = sent.map_err(|why| transport_error(&why))?;
        let status = answer.status();
        let header =
            |name: HeaderName| answer.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        if status.is_redirection() {
            let target = header(LOCATION).and_then(|text| self.endpoint.join(text).ok());
            let host = target.as_ref().and_then(Url::host_str).unwrap_or("an unnamed place");
            return Err(TransportError::Redirected(host.to_owned()));
        }
        let content_type = header(CONTENT_TYPE).map(ToOwned::to_owned);
        let retry_after = header(RETRY_AFTER).and_then(retry_after);
        let rate_limit = rate_limit(|name| header(HeaderName::from_static(name)));
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|why| TransportError::NoAnswer(chain(&why)))? {
            if body.len() + chunk.len() > MAX_BODY_MIB * 1024 * 1024 {
                return Err(TransportError::TooLarge(MAX_BODY_MIB));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status: status.as_u16(), content_type, retry_after, rate_limit, body })
    }
}

/// A client that follows no redirect, so that no header travels on.
pub fn client(settings: ClientSettings) -> Result<Client, String> {
    build(settings, false)
}

/// `plain` is for what never goes over TLS, and so needs no authorities: an empty folder has none.
fn build(settings: ClientSettings, plain: bool) -> Result<Client, String> {
    let ClientSettings { direct, user_agent, timeout, extra_ca } = settings;
    // Several in one process are fine: only the first is taken, and all are the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(user_agent)
        .redirect(Policy::none())
        .connect_timeout(timeout.min(Duration::from_secs(10)))
        .timeout(timeout);
    if direct {
        builder = builder.no_proxy();
    }
    if plain {
        builder = builder.tls_certs_only([]);
    }
    if let Some(pem) = extra_ca {
        let certificates = Certificate::from_pem_bundle(&pem)
            .map_err(|why| format!("the extra certificate authorities can't be read: {why}"))?;
        if certificates.is_empty() {
            return Err("the file of extra certificate authorities holds no certificate".to_owned());
        }
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|why| format!("HTTP can't be set up: {}", chain(&why)))
}

fn secret_headers(headers: Vec<(&'static str, SecretString)>) -> Result<HeaderMap, String> {
    let mut sensitive = HeaderMap::new();
    for (name, secret) in headers {
        let mut value = HeaderValue::from_str(secret.expose_secret())
            .map_err(|_| "the credential holds a character that no HTTP header can carry".to_owned())?;
        value.set_sensitive(true);
        sensitive.insert(HeaderName::from_static(name), value);
    }
    Ok(sensitive)
}

impl Transport for HttpTransport {
    fn send<'a>(
        &'a self,
        request: &'a Request,
    ) -> Pin<Box<dyn Future<Output = Result<Response, TransportError>> + Send + 'a>> {
        Box::pin(self.exchange(request))
    }
}

/// Seconds, or a date.
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let seconds = date.as_second() - jiff::Timestamp::now().as_second();
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// What is left of a limit, where the platform says both how much and for how long. The names are those of the IETF's
/// draft and of what was usual before it.
fn rate_limit<'a>(header: impl Fn(&'static str) -> Option<&'a str>) -> Option<RateLimit> {
    const NAMES: &[(&str, &str)] = &[
        ("ratelimit-remaining", "ratelimit-reset"),
        ("x-ratelimit-remaining", "x-ratelimit-reset"),
        ("x-ratelimit-requests-remaining", "x-ratelimit-requests-reset"),
    ];
    NAMES.iter().find_map(|(remaining, reset)| {
        let remaining = header(remaining)?.trim().parse().ok()?;
        let reset: u64 = header(reset)?.trim().parse().ok()?;
        // Some count seconds from now, others from 1970.
        let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
        let reset = if reset > YEARS { reset.saturating_sub(now) } else { reset };
        Some(RateLimit { remaining, reset: Duration::from_secs(reset) })
    })
}

/// No limit lasts for so many seconds.
const YEARS: u64 = 100_000_000;

fn transport_error(why: &reqwest::Error) -> TransportError {
    if why.is_connect() || why.is_builder() {
        TransportError::NotSent(chain(why))
    } else {
        TransportError::NoAnswer(chain(why))
    }
}

/// The innermost cause: the outer ones repeat the URL, which may hold a token.
fn chain(why: &dyn std::error::Error) -> String {
    let mut cause = why;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = cause.to_string();
    if std::ptr::addr_eq(std::ptr::from_ref(cause), std::ptr::from_ref(why)) {
        "the request failed".to_owned()
    } else {
        text
    }
}
