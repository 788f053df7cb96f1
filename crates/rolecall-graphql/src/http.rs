//! HTTP by reqwest: TLS, proxies, limits. It follows no redirect and repeats no request.

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

/// The headers of each credential, by its [`Context`].
pub type Contexts = BTreeMap<Context, Vec<(&'static str, SecretString)>>;

/// The settings of a connection to an endpoint.
pub struct HttpSettings {
    pub endpoint: Url,
    pub contexts: Contexts,
    pub client: ClientSettings,
}

/// The settings of an HTTP client.
pub struct ClientSettings {
    /// Ignores a proxy that the environment names.
    pub direct: bool,
    pub user_agent: String,
    /// The time that one request may take, from connecting to the last byte.
    pub timeout: Duration,
    /// Certificate authorities to trust in addition to the operating system's, as PEM.
    pub extra_ca: Option<Vec<u8>>,
}

/// The largest answer that is read, in MiB. A list of 10,000 users takes about 3.
const MAX_BODY_MIB: usize = 64;

/// A [`Transport`] over HTTP.
pub struct HttpTransport {
    client: Client,
    endpoint: Url,
    contexts: BTreeMap<Context, HeaderMap>,
}

impl HttpTransport {
    pub fn new(settings: HttpSettings) -> Result<Self, String> {
        let HttpSettings { endpoint, contexts, client: client_settings } = settings;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers
            .insert(ACCEPT, HeaderValue::from_static("application/graphql-response+json, application/json;q=0.9"));
        let contexts = contexts.into_iter().map(|(context, secrets)| {
            let mut all = headers.clone();
            all.extend(secret_headers(secrets)?);
            Ok((context, all))
        });
        let contexts = contexts.collect::<Result<_, String>>()?;
        let plain = client_settings.direct && endpoint.scheme() == "http";
        let client = build(client_settings, plain)?;
        Ok(Self { client, endpoint, contexts })
    }

    async fn exchange(&self, request: &Request) -> Result<Response, TransportError> {
        let body = serde_json::to_vec(request).map_err(|why| TransportError::NotSent(why.to_string()))?;
        let Some(headers) = self.contexts.get(&request.context) else {
            let Context(name) = request.context;
            return Err(TransportError::NotSent(format!("there is no {name} credential")));
        };
        let sent = self.client.post(self.endpoint.clone()).headers(headers.clone()).body(body).send().await;
        let mut answer = sent.map_err(|why| transport_error(&why))?;
        let status = answer.status();
        let header =
            |name: HeaderName| answer.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        if status.is_redirection() {
            let target = header(LOCATION).and_then(|text| self.endpoint.join(text).ok());
            let host = target.as_ref().and_then(Url::host_str).unwrap_or("an unnamed host");
            return Err(TransportError::Redirected(host.to_owned()));
        }
        let content_type = header(CONTENT_TYPE).map(ToOwned::to_owned);
        let retry_after = header(RETRY_AFTER).and_then(retry_after);
        let rate_limit = rate_limit(|name| header(HeaderName::from_static(name)));
        let mut body = Vec::new();
        while let Some(chunk) =
            answer.chunk().await.map_err(|why| TransportError::NoAnswer(innermost_cause(&why)))?
        {
            if body.len() + chunk.len() > MAX_BODY_MIB * 1024 * 1024 {
                return Err(TransportError::TooLarge(MAX_BODY_MIB));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status: status.as_u16(), content_type, retry_after, rate_limit, body })
    }
}

/// Builds an HTTP client that follows no redirect, so that no header reaches another host.
pub fn client(settings: ClientSettings) -> Result<Client, String> {
    build(settings, false)
}

/// Builds an HTTP client. With `plain` it loads no certificate authorities: they aren't needed without TLS, and a
/// minimal container has none.
fn build(settings: ClientSettings, plain: bool) -> Result<Client, String> {
    let ClientSettings { direct, user_agent, timeout, extra_ca } = settings;
    // Only the first call installs the provider. Later ones fail, and that is fine: they are all the same.
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
            return Err("the file of extra certificate authorities has no certificate".to_owned());
        }
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|why| format!("the HTTP client can't be set up: {}", innermost_cause(&why)))
}

fn secret_headers(headers: Vec<(&'static str, SecretString)>) -> Result<HeaderMap, String> {
    let mut sensitive = HeaderMap::new();
    for (name, secret) in headers {
        let mut value = HeaderValue::from_str(secret.expose_secret())
            .map_err(|_| "the credential has a character that an HTTP header can't carry".to_owned())?;
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

/// Parses `Retry-After`: a number of seconds, or a date.
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let seconds = date.as_second() - jiff::Timestamp::now().as_second();
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

/// Reads the rest of the limit from the headers, if they tell both the number of requests and the time. The names
/// are those of the IETF's draft and the older ones with `x-`.
fn rate_limit<'a>(header: impl Fn(&'static str) -> Option<&'a str>) -> Option<RateLimit> {
    const NAMES: &[(&str, &str)] = &[
        ("ratelimit-remaining", "ratelimit-reset"),
        ("x-ratelimit-remaining", "x-ratelimit-reset"),
        ("x-ratelimit-requests-remaining", "x-ratelimit-requests-reset"),
    ];
    NAMES.iter().find_map(|(remaining, reset)| {
        let remaining = header(remaining)?.trim().parse().ok()?;
        let reset: u64 = header(reset)?.trim().parse().ok()?;
        // Some platforms count the seconds from now, others from 1970.
        let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
        let reset = if reset > LONGEST_RESET { reset.saturating_sub(now) } else { reset };
        Some(RateLimit { remaining, reset: Duration::from_secs(reset) })
    })
}

/// A number of seconds that no limit lasts for: three years. A larger number is a date.
const LONGEST_RESET: u64 = 100_000_000;

fn transport_error(why: &reqwest::Error) -> TransportError {
    if why.is_connect() || why.is_builder() {
        TransportError::NotSent(innermost_cause(why))
    } else {
        TransportError::NoAnswer(innermost_cause(why))
    }
}

/// Returns the innermost cause. The outer ones repeat the URL, which may contain a token.
fn innermost_cause(why: &dyn std::error::Error) -> String {
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
