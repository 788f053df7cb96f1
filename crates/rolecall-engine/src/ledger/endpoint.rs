//! Objects of an HTTP endpoint: GET and PUT with `ETag`, `If-Match` and `If-None-Match`.

use std::fmt;

use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, ETAG, HeaderMap, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};

use super::store::{Answer, Objects, StoreError, Tag};
use rolecall_graphql::{certificate_problem, innermost_cause};

/// An HTTP endpoint that keeps objects below its address.
pub struct Endpoint {
    client: Client,
    /// The address, without a slash at its end.
    address: String,
    headers: HeaderMap,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// # Errors
    ///
    /// Fails if a header can't carry the token.
    pub fn new(client: Client, address: &str, token: Option<&SecretString>) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        // A server that compresses an answer may change its tag.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(token) = token {
            let value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
            let mut value = value.map_err(|_| "the token has a character that an HTTP header can't carry")?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(Self { client, address: address.trim_end_matches('/').to_owned(), headers })
    }

    fn object(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, StoreError> {
        request.headers(self.headers.clone()).send().await.map_err(|why| unanswered(&why))
    }
}

impl Objects for Endpoint {
    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<(Vec<u8>, Tag)>> {
        Box::pin(async move {
            let answer = self.send(self.client.get(self.object(name))).await?;
            match answer.status() {
                StatusCode::NOT_FOUND => Ok(None),
                StatusCode::OK => {
                    let tag = tag(&answer)?;
                    let content = answer.bytes().await.map_err(|why| unanswered(&why))?;
                    Ok(Some((content.to_vec(), tag)))
                }
                status => Err(refused(status)),
            }
        })
    }

    fn put<'a>(&'a self, name: &'a str, content: Vec<u8>, replaces: Option<&'a Tag>) -> Answer<'a, Tag> {
        Box::pin(async move {
            let request = self.client.put(self.object(name)).body(content);
            let request = match replaces {
                Some(Tag(tag)) => request.header(IF_MATCH, tag),
                None => request.header(IF_NONE_MATCH, "*"),
            };
            let answer = self.send(request).await?;
            match answer.status() {
                StatusCode::PRECONDITION_FAILED => Err(StoreError::Conflict),
                StatusCode::NOT_FOUND if replaces.is_some() => Err(StoreError::Conflict),
                status if status.is_success() => tag(&answer),
                status => Err(refused(status)),
            }
        })
    }
}

fn tag(answer: &Response) -> Result<Tag, StoreError> {
    let tag = answer.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| !tag.starts_with("W/"));
    let why = "the store answers without a strong `ETag`, so it can't tell two versions apart";
    tag.map(|tag| Tag(tag.to_owned())).ok_or_else(|| StoreError::Failed { why: why.to_owned(), may_pass: false })
}

fn refused(status: StatusCode) -> StoreError {
    let passes = [StatusCode::CONFLICT, StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    StoreError::Failed {
        why: format!("the store answered HTTP {}", status.as_u16()),
        may_pass: status.is_server_error() || passes.contains(&status),
    }
}

pub(super) fn unanswered(why: &reqwest::Error) -> StoreError {
    match certificate_problem(why) {
        Some(problem) => {
            let why = format!("the certificate of the store isn't trusted: {problem}");
            StoreError::Failed { why, may_pass: false }
        }
        None => StoreError::Failed {
            why: format!("the store did not answer: {}", innermost_cause(why)),
            may_pass: true,
        },
    }
}
