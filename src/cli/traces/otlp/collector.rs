//! The collector that spans are sent to: its URL, its headers, and the HTTP client that posts to it.

use std::env::var;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::Protocol;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use percent_encoding::percent_decode_str;
use prost::Message as _;
use reqwest::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
    RETRY_AFTER, TRANSFER_ENCODING, USER_AGENT,
};
use secrecy::SecretString;
use serde_json::Value;
use tokio::runtime::Runtime;
use url::Url;

use super::spans::Account;
use crate::cli::connect::GENERATOR;
use crate::cli::exit::{Failure, sentence};
use crate::cli::files;
use crate::cli::out::talk;
use rolecall_config::is_loopback;
use rolecall_graphql::{ClientSettings, Redactor, certificate_problem, client, innermost_cause};

/// The time that one request to the collector may take, while the run goes on.
pub const LONGEST_REQUEST: Duration = Duration::from_secs(10);

/// The most bytes of an answer of the collector that are read.
const LONGEST_ANSWER: usize = 64 * 1024;

/// The path of traces below the address of a collector.
const PATH: &str = "/v1/traces";

/// The value of `--otlp` that takes the address from the environment.
const FROM_ENVIRONMENT: &str = "env";

/// The variables of headers for the collector. Of each pair of variables, the first one that is set counts.
const HEADERS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"];

/// The headers that rolecall sets itself. A request with others in their place would not be understood.
const OWN_HEADERS: [HeaderName; 7] =
    [CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING, USER_AGENT];

/// Returns the first of these variables that is set, with its value.
pub fn variable<const N: usize>(names: [&'static str; N]) -> Option<(&'static str, String)> {
    let set = |name| Some((name, var(name).ok().filter(|value| !value.is_empty())?));
    names.into_iter().find_map(set)
}

/// Returns the URL that spans are posted to.
pub fn endpoint(to: &str) -> Result<Url, Failure> {
    const OF_TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    const OF_ALL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let (named, text) = match (to, variable([OF_TRACES, OF_ALL])) {
        (FROM_ENVIRONMENT, found) => found.unwrap_or_default(),
        (text, _) => ("`--otlp`", text.to_owned()),
    };
    let hint = "Write the address of a collector that takes OTLP over HTTP, such as http://localhost:4318.";
    if named.is_empty() {
        let why = format!("`--otlp env` finds no URL: neither {OF_TRACES} nor {OF_ALL} is set.");
        return Err(Failure::error(why).hint(hint));
    }
    let invalid = |why: &str| Failure::error(format!("The URL of {named} can't be used: {why}.")).hint(hint);
    let mut url = Url::parse(&text).map_err(|why| invalid(&format!("it is not a URL ({why})")))?;
    let host = url.host_str().unwrap_or_default();
    if !matches!(url.scheme(), "http" | "https") || host.is_empty() {
        return Err(invalid("it begins with neither https:// nor http://"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some()
    {
        return Err(invalid("it has a user, a password, a query or a fragment, and messages show this URL"));
    }
    if let Some((headers, _)) = variable(HEADERS).filter(|_| url.scheme() == "http" && !is_loopback(host)) {
        return Err(invalid(&format!("http would send the headers of {headers} unencrypted to {host}")));
    }
    // The variable of traces has the whole URL.
    if named != OF_TRACES {
        let path = url.path().trim_end_matches('/');
        let path = format!("{}{PATH}", path.strip_suffix(PATH).unwrap_or(path));
        url.set_path(&path);
    }
    Ok(url)
}

/// Returns the form that the environment asks for. Every collector takes the default.
pub fn protocol() -> Protocol {
    if is_json() { Protocol::HttpJson } else { Protocol::HttpBinary }
}

fn is_json() -> bool {
    let named = variable(["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"]);
    named.is_some_and(|(_, name)| name == "http/json")
}

/// Returns the headers of the environment. One warning tells which of them aren't sent, by their numbers, because a header may
/// be a secret.
fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some((variable, text)) = variable(HEADERS) else { return headers };
    let mut problems = Vec::new();
    for (index, entry) in text.split(',').enumerate().filter(|(_, entry)| !entry.trim().is_empty()) {
        match header(entry) {
            Ok((name, value)) => drop(headers.insert(name, value)),
            Err(why) => problems.push(format!("number {} {why}", index + 1)),
        }
    }
    if !problems.is_empty() {
        let problems = problems.join(", ");
        talk(&format!("warning: Some headers of {variable} are not sent to the collector: {problems}.\n"));
    }
    headers
}

/// Parses NAME=VALUE, where the value may have escapes such as `%20`.
fn header(entry: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let (name, value) = entry.split_once('=').ok_or("has no `=`")?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| "has no valid name")?;
    if OWN_HEADERS.contains(&name) {
        return Err("is one that rolecall sets itself");
    }
    let value: Vec<u8> = percent_decode_str(value.trim()).collect();
    let mut value = HeaderValue::from_bytes(&value).map_err(|_| "has no valid value")?;
    if value.is_empty() {
        return Err("has no value");
    }
    value.set_sensitive(true);
    Ok((name, value))
}

/// Returns how many spans a collector has rejected, and why, although it answered with success.
fn rejected(body: &[u8], is_json: bool) -> Option<(usize, String)> {
    if !is_json {
        let partial = ExportTraceServiceResponse::decode(body).ok()?.partial_success?;
        return Some((usize::try_from(partial.rejected_spans).ok()?, partial.error_message));
    }
    let answer: Value = serde_json::from_slice(body).ok()?;
    let partial = answer.get("partialSuccess")?;
    let number = partial.get("rejectedSpans")?;
    // The JSON of protobuf has numbers of 64 bits as texts.
    let number = number.as_u64().or_else(|| number.as_str()?.parse().ok())?;
    let why = partial.get("errorMessage").and_then(Value::as_str).unwrap_or_default();
    Some((usize::try_from(number).ok()?, why.to_owned()))
}

/// Posts batches with our HTTP client, on the thread of the batches. That thread has a runtime of its own, so that it can send
/// while the run ends.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    is_json: bool,
    headers: HeaderMap,
    redactor: Redactor,
    runtime: Runtime,
    account: Arc<Account>,
}

impl Client {
    pub fn new(endpoint: &Url, account: Arc<Account>) -> Result<Self, Failure> {
        let file = variable(["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"]);
        let failed = |why: String| match &file {
            Some((name, _)) => Failure::error(format!("{name} names a file that can't be used. {why}")),
            None => Failure::error(why),
        };
        let extra_ca = file.as_ref().map(|(_, path)| files::read_text(path.as_ref())).transpose();
        let settings = ClientSettings {
            direct: endpoint.host_str().is_some_and(is_loopback),
            user_agent: GENERATOR.to_owned(),
            timeout: LONGEST_REQUEST,
            extra_ca: extra_ca.map_err(|why| failed(why.to_string()))?.map(String::into_bytes),
        };
        let http = client(settings).map_err(|why| failed(sentence(why)))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|why| Failure::error(format!("The runtime of `--otlp` can't be started: {why}.")))?;
        let headers = headers();
        let secret = |value: &HeaderValue| Some(SecretString::from(value.to_str().ok()?));
        let redactor = Redactor::new(headers.values().filter_map(secret));
        Ok(Self { http, is_json: is_json(), headers, redactor, runtime, account })
    }

    async fn post(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // The library has added the headers of the environment, in the place of its own ones if they have the same names.
        let kind = if self.is_json { "application/json" } else { "application/x-protobuf" };
        request.headers_mut().clone_from(&self.headers);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        let sent = self.http.execute(request.try_into()?).await;
        let mut answer = sent.inspect_err(|why| {
            let untrusted =
                certificate_problem(why).map(|problem| format!("its certificate isn't trusted: {problem}"));
            self.account.note(untrusted.unwrap_or_else(|| innermost_cause(why)));
        })?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        if !answer.status().is_success() {
            self.account.note(format!("it answered with HTTP status {}", answer.status().as_u16()));
        }
        if let Some(wait) = answer.headers().get(RETRY_AFTER) {
            response.headers_mut().insert(RETRY_AFTER, wait.clone());
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await?
            && body.len() + chunk.len() <= LONGEST_ANSWER
        {
            body.extend_from_slice(&chunk);
        }
        if let Some((spans, why)) = rejected(&body, self.is_json).filter(|_| answer.status().is_success()) {
            self.account.reject(spans, &self.redactor.clean(&why));
        }
        *response.body_mut() = body.into();
        Ok(response)
    }
}

impl HttpClient for Client {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move { self.runtime.block_on(self.post(request)) })
    }
}
