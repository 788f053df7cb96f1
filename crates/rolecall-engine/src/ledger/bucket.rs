//! Objects of a bucket: at S3 and what is compatible with it, Google Cloud Storage, and Azure.

use std::future::Future;
use std::pin::Pin;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::client::{
    ClientConfigKey, ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest,
    HttpResponse, HttpService,
};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path;
use object_store::{
    Error, ObjectStore, ObjectStoreExt, ObjectStoreScheme, PutMode, PutOptions, PutPayload, PutResult,
    RetryConfig, UpdateVersion,
};
use reqwest::Client;
use reqwest::header::{ACCEPT_ENCODING, HeaderValue};
use rolecall_config::is_loopback;
use url::Url;

use super::store::{Answer, Objects, StoreError, Tag};

/// A part of a bucket.
#[derive(Debug)]
pub struct Bucket {
    store: Box<dyn ObjectStore>,
    folder: Path,
}

impl Bucket {
    /// Opens the bucket of a URL. `variables` are those of the environment that configure it and have its credentials.
    ///
    /// # Errors
    ///
    /// Fails if the URL names no bucket, or a variable is missing or has a wrong form.
    pub fn new(
        client: Client,
        url: &Url,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, String> {
        let (scheme, folder) = ObjectStoreScheme::parse(url).map_err(|why| innermost(&why))?;
        let (url, connector) = (url.to_string(), Connector(client));
        // Each request is attempted once: the caller repeats it, and has to know that it did.
        let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let variables = variables.map(|(name, value)| (name.to_ascii_lowercase(), value));
        macro_rules! open {
            ($builder:ty, $key:ty, $prefix:literal) => {{
                let own = variables.filter(|(name, _)| name.starts_with($prefix));
                let known = own.filter_map(|(name, value)| Some((name.parse::<$key>().ok()?, value)));
                let builder =
                    known.fold(<$builder>::new(), |builder, (key, value)| builder.with_config(key, value));
                let builder = builder.with_url(url).with_retry(retry).with_http_connector(connector);
                builder.build().map(|store| -> Box<dyn ObjectStore> { Box::new(store) })
            }};
        }
        let store = match scheme {
            ObjectStoreScheme::AmazonS3 => open!(AmazonS3Builder, AmazonS3ConfigKey, "aws_"),
            ObjectStoreScheme::GoogleCloudStorage => open!(GoogleCloudStorageBuilder, GoogleConfigKey, "google_"),
            ObjectStoreScheme::MicrosoftAzure => open!(MicrosoftAzureBuilder, AzureConfigKey, "azure_"),
            _ => return Err("rolecall knows no bucket with such an address".to_owned()),
        };
        Ok(Self { store: store.map_err(|why| innermost(&why))?, folder })
    }

    fn object(&self, name: &str) -> Path {
        self.folder.clone().join(name)
    }
}

impl Objects for Bucket {
    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<(Vec<u8>, Tag)>> {
        Box::pin(async move {
            let found = match self.store.get(&self.object(name)).await {
                Ok(found) => found,
                Err(Error::NotFound { .. }) => return Ok(None),
                Err(why) => return Err(failed(&why)),
            };
            let tag = tag(found.meta.e_tag.as_deref(), found.meta.version.as_deref());
            let content = found.bytes().await.map_err(|why| failed(&why))?;
            Ok(Some((content.to_vec(), tag)))
        })
    }

    fn put<'a>(&'a self, name: &'a str, content: Vec<u8>, replaces: Option<&'a Tag>) -> Answer<'a, Tag> {
        Box::pin(async move {
            let mode = replaces.map_or(PutMode::Create, |tag| PutMode::Update(version(tag)));
            let options = PutOptions { mode, ..PutOptions::default() };
            match self.store.put_opts(&self.object(name), PutPayload::from(content), options).await {
                Ok(PutResult { e_tag, version, .. }) => Ok(tag(e_tag.as_deref(), version.as_deref())),
                Err(Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotModified { .. }) => {
                    Err(StoreError::Conflict)
                }
                Err(why) => Err(failed(&why)),
            }
        })
    }
}

/// Joins both forms of a version. Google Cloud Storage compares the one, the others compare the other.
fn tag(e_tag: Option<&str>, version: Option<&str>) -> Tag {
    Tag(format!("{}\n{}", e_tag.unwrap_or_default(), version.unwrap_or_default()))
}

fn version(Tag(tag): &Tag) -> UpdateVersion {
    let (e_tag, version) = tag.split_once('\n').unwrap_or((tag, ""));
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    UpdateVersion { e_tag: given(e_tag), version: given(version) }
}

fn failed(why: &Error) -> StoreError {
    let may_pass = matches!(why, Error::Generic { .. });
    StoreError::Failed { why: format!("the store says: {}", innermost(why)), may_pass }
}

/// Returns the innermost cause. The outer ones repeat the address.
fn innermost(why: &dyn std::error::Error) -> String {
    let mut cause = why;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = cause.to_string();
    // A store explains itself in XML. One line of it is for people.
    let message = text.split_once("<Message>").and_then(|(_, rest)| rest.split(['<', '\n']).next());
    let status = text.split(": <").next().unwrap_or(&text);
    message.map_or_else(|| text.clone(), |message| format!("{status}: {}", message.trim().trim_end_matches('.')))
}

/// Lets buckets use the same HTTP client as everything else.
#[derive(Debug)]
struct Connector(Client);

#[derive(Debug)]
struct Service {
    client: Client,
    allows_http: bool,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let allows_http =
            options.get_config_value(&ClientConfigKey::AllowHttp).is_some_and(|value| value == "true");
        Ok(HttpClient::new(Service { client: self.0.clone(), allows_http }))
    }
}

impl Service {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let host = parts.uri.host().unwrap_or_default();
        if parts.uri.scheme_str() != Some("https") && !self.allows_http && !is_loopback(host) {
            let why = "its address is not encrypted; use https, or set the variable that allows http".to_owned();
            return Err(HttpError::new(HttpErrorKind::Unknown, std::io::Error::other(why)));
        }
        let url = parts
            .uri
            .to_string()
            .parse()
            .map_err(|why| HttpError::new::<url::ParseError>(HttpErrorKind::Unknown, why))?;
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        request.headers_mut().entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
        *request.body_mut() = Some(reqwest::Body::wrap(body));
        let answer = self.client.execute(request).await.map_err(unanswered)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut response = HttpResponse::new(answer.bytes().await.map_err(unanswered)?.into());
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        Ok(response)
    }
}

fn unanswered(why: reqwest::Error) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, why.without_url())
}

impl HttpService for Service {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(self.exchange(request))
    }
}
