//! HTTP by reqwest: TLS, proxies, limits. It follows no redirect and repeats no request.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
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

/// The HTTP clients that the connections of a run share, because each of them keeps the certificate authorities in memory.
/// A client has no credential: each request brings the headers of its own.
#[derive(Default)]
pub struct Clients(Mutex<BTreeMap<(bool, bool), Client>>);

impl Clients {
    fn of(&self, settings: ClientSettings, plain: bool) -> Result<Client, String> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (settings.direct, plain);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = build(settings, plain)?;
        clients.insert(key, client.clone());
        Ok(client)
    }
}

/// A [`Transport`] over HTTP.
pub struct HttpTransport {
    client: Client,
    endpoint: Url,
    contexts: BTreeMap<Context, HeaderMap>,
}

impl HttpTransport {
    pub fn new(settings: HttpSettings) -> Result<Self, String> {
        Self::sharing(settings, &Clients::default())
    }

    /// Opens a connection with one of these clients. The settings of all of them differ at most in `direct`.
    pub fn sharing(settings: HttpSettings, clients: &Clients) -> Result<Self, String> {
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
        let client = clients.of(client_settings, plain)?;
        Ok(Self { client, endpoint, contexts })
    }

    async fn exchange(&self, request: &Request) -> Result<Response, TransportError> {
        let body = serde_json::to_vec(request).map_err(|why| TransportError::NotSent(why.to_string()))?;
        let Some(headers) = self.contexts.get(&request.context) else {
            let Context(name) = request.context;
            return Err(TransportError::NotSent(format!("there is no {name} credential")));
        };
        let span = tracing::Span::current();
        span.record("server.address", self.endpoint.host_str());
        span.record("server.port", self.endpoint.port_or_known_default().map(i64::from));
        let sent = self.client.post(self.endpoint.clone()).headers(headers.clone()).body(body).send().await;
        let mut answer = sent.map_err(|why| transport_error(&why))?;
        let status = answer.status();
        let header =
            |name: HeaderName| answer.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        if status.is_redirection() {
            let target = header(LOCATION).and_then(|text| self.endpoint.join(text).ok());
            let shown = target.filter(Url::has_host).and_then(without_secrets);
            return Err(TransportError::Redirected(shown.unwrap_or_else(|| "an unnamed host".to_owned())));
        }
        let content_type = header(CONTENT_TYPE).map(ToOwned::to_owned);
        let now = jiff::Timestamp::now();
        let retry_after = header(RETRY_AFTER).and_then(|text| retry_after(text, now));
        let date = header(DATE).and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
        let clock_skew = date.map(|date| date.timestamp().duration_since(now));
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
        Ok(Response { status: status.as_u16(), content_type, retry_after, rate_limit, clock_skew, body })
    }
}

/// Returns an address without its query and the user's name and password, which may be secrets.
fn without_secrets(mut url: Url) -> Option<String> {
    (url.set_username("").and_then(|()| url.set_password(None))).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    Some(url.into())
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

/// Parses `Retry-After`: a number of seconds, with a fraction or without, or a date in one of the forms of HTTP. A
/// number that is too large means the longest time there is.
fn retry_after(text: &str, now: jiff::Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        let is_number = seconds.is_finite() || text.bytes().all(|byte| byte.is_ascii_digit());
        return is_number.then(|| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX));
    }
    let since = |date: jiff::Timestamp| u64::try_from(date.as_second() - now.as_second()).unwrap_or(0);
    if let Ok(date) = jiff::fmt::rfc2822::parse(text) {
        return Some(Duration::from_secs(since(date.timestamp())));
    }
    let date = FORMS.iter().find_map(|form| jiff::civil::DateTime::strptime(form, text).ok())?;
    // The last days of the year 9999 are no instants any more.
    let date = date.to_zoned(jiff::tz::TimeZone::UTC);
    Some(date.map_or(Duration::MAX, |date| Duration::from_secs(since(date.timestamp()))))
}

/// The forms of a date in HTTP: the usual one, and two older ones.
const FORMS: &[&str] = &["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// Reads the rest of the limit from the headers, and the time until there is more, if they tell it. The names are those of the IETF's draft and the older ones with `x-`.
fn rate_limit<'a>(header: impl Fn(&'static str) -> Option<&'a str>) -> Option<RateLimit> {
    const NAMES: &[(&str, &str)] = &[
        ("ratelimit-remaining", "ratelimit-reset"),
        ("x-ratelimit-remaining", "x-ratelimit-reset"),
        ("x-ratelimit-requests-remaining", "x-ratelimit-requests-reset"),
    ];
    NAMES.iter().find_map(|(remaining, reset)| {
        let remaining = header(remaining)?.trim().parse().ok()?;
        let reset: u64 = header(reset).and_then(|text| text.trim().parse().ok()).unwrap_or_default();
        // Some platforms count the seconds from now, others from 1970.
        let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
        let reset = if reset > LONGEST_RESET { reset.saturating_sub(now) } else { reset };
        Some(RateLimit { remaining, reset: Duration::from_secs(reset) })
    })
}

/// A number of seconds that no limit lasts for: three years. A larger number is a date.
const LONGEST_RESET: u64 = 100_000_000;

fn transport_error(why: &reqwest::Error) -> TransportError {
    if let Some(problem) = certificate_problem(why) {
        TransportError::Untrusted(problem)
    } else if why.is_connect() || why.is_builder() {
        TransportError::NotSent(innermost_cause(why))
    } else {
        TransportError::NoAnswer(innermost_cause(why))
    }
}

/// Returns why the certificate of a server isn't trusted, if that is the reason of an error. Another attempt
/// doesn't help then.
pub fn certificate_problem(why: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut cause = Some(why);
    while let Some(error) = cause {
        match error.downcast_ref() {
            Some(rustls::Error::InvalidCertificate(problem)) => return Some(describe_certificate(problem)),
            Some(rustls::Error::NoCertificatesPresented) => return Some("the server has none".to_owned()),
            _ => {}
        }
        // An I/O error names as its source what is below the error that it wraps.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = wrapped.map(|inner| -> &(dyn std::error::Error + 'static) { inner }).or_else(|| error.source());
    }
    None
}

fn describe_certificate(problem: &rustls::CertificateError) -> String {
    use rustls::CertificateError as Problem;
    let text = match problem {
        Problem::UnknownIssuer => "no authority that is trusted here has signed it",
        Problem::Expired | Problem::ExpiredContext { .. } => "it has expired",
        Problem::NotValidYet | Problem::NotValidYetContext { .. } => {
            "it isn't valid yet; check the clock of this machine"
        }
        Problem::NotValidForName | Problem::NotValidForNameContext { .. } => "it is for another host",
        Problem::Revoked => "it was revoked",
        // webpki has no variant of its own for it here.
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "it is the certificate of an authority, which a server can't use; create one for the server, signed by that authority"
        }
        _ => "it is damaged or has a form that isn't supported",
    };
    text.to_owned()
}

/// Returns the innermost cause. The outer ones repeat the URL, which may contain a token.
pub fn innermost_cause(why: &dyn std::error::Error) -> String {
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_read_in_every_form() {
        let now: jiff::Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        let seconds = |text: &str| retry_after(text, now).map(|wait| wait.as_secs_f64());
        for (text, wait) in [
            ("7", 7.0),
            (" 7 ", 7.0),
            ("2.5", 2.5),
            ("-3", 0.0),
            ("Sat, 28 Nov 2026 12:00:30 GMT", 30.0),
            ("Saturday, 28-Nov-26 12:00:30 GMT", 30.0),
            ("Sat Nov 28 12:00:30 2026", 30.0),
            ("Sat, 28 Nov 2026 11:00:00 GMT", 0.0),
        ] {
            assert_eq!(seconds(text), Some(wait), "{text}");
        }
        for far in ["99999999999999999999999999", "1e300", &"9".repeat(400)] {
            assert_eq!(retry_after(far, now), Some(Duration::MAX), "{far}");
        }
        assert!(retry_after("Fri, 31 Dec 9999 23:59:59 GMT", now).unwrap() > Duration::from_secs(1_000_000_000));
        for other in ["soon", "", "nan", "inf"] {
            assert_eq!(retry_after(other, now), None, "{other}");
        }
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_told_in_words() {
        use rustls::CertificateError as Problem;
        let authority = Problem::Other(rustls::OtherError(std::sync::Arc::new(Wrong("CaUsedAsEndEntity"))));
        for (problem, words) in [
            (Problem::UnknownIssuer, "no authority that is trusted here has signed it"),
            (Problem::Expired, "it has expired"),
            (authority, "it is the certificate of an authority"),
            (Problem::BadEncoding, "it is damaged"),
        ] {
            // The libraries wrap the error twice.
            let error = std::io::Error::other(rustls::Error::InvalidCertificate(problem));
            let error = std::io::Error::other(error);
            let told = certificate_problem(&error).unwrap();
            assert!(told.starts_with(words), "{told}");
        }
        assert_eq!(certificate_problem(&std::io::Error::other("reset")), None);
    }

    #[derive(Debug)]
    #[expect(dead_code, reason = "only its name is shown")]
    struct Wrong(&'static str);

    impl std::fmt::Display for Wrong {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("wrong")
        }
    }

    impl std::error::Error for Wrong {}

    #[test]
    fn a_used_up_limit_is_read_without_the_time_of_its_reset() {
        let read = |wanted: &[(&'static str, &'static str)]| {
            rate_limit(|name| wanted.iter().find(|(header, _)| *header == name).map(|(_, value)| *value))
        };
        let used_up = |reset| Some(RateLimit { remaining: 0, reset: Duration::from_secs(reset) });
        assert_eq!(read(&[("x-ratelimit-remaining", "0")]), used_up(0));
        assert_eq!(read(&[("ratelimit-remaining", "0"), ("ratelimit-reset", "9")]), used_up(9));
        assert_eq!(read(&[("x-ratelimit-reset", "9")]), None);
    }
}
