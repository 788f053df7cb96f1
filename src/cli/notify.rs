//! One message where drift is another than it was, and none where it isn't.

use std::path::{Path, PathBuf};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use clap::Args;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode};
use url::Url;

use super::connect::{GENERATOR, extra_ca};
use super::exit::Failure;
use super::files::{self, Readers};
use super::out::Out;
use super::{Connection, planfile};
use crate::desired::is_loopback;
use crate::graphql::{ClientSettings, client};
use crate::model::{Identity, Plan};
use crate::plan::news;
use crate::report::{self, NoticeFormat, notice};

/// Who is told of drift, and what they were told last.
#[derive(Clone, Debug, Args)]
pub(super) struct Notify {
    /// Post one message to this URL where the set of drift is another than --previous has it, and none where it isn't.
    /// HTTPS, or http on loopback. Only its host is ever shown.
    #[arg(long = "notify", value_name = "URL", requires = "previous")]
    url: Option<String>,
    /// The form of the message.
    #[arg(long = "notify-format", value_enum, default_value = "json", requires = "url")]
    form: NoticeFormat,
    /// The drift that was told of last. Need not exist; written anew once this one was told. Of what can't be read this
    /// time it keeps what it has.
    #[arg(long, value_name = "FILE", requires = "url")]
    previous: Option<PathBuf>,
}

/// Where a message goes.
struct Receiver {
    url: Url,
    client: Client,
}

impl Notify {
    /// Before anything is read: what couldn't be told anyway.
    pub fn check(&self, connection: &Connection) -> Result<Option<Teller<'_>>, Failure> {
        let (Some(url), Some(previous)) = (&self.url, &self.previous) else { return Ok(None) };
        let receiver = Receiver::new(url, connection)?;
        let before =
            if previous.exists() { Some(planfile::parse(previous, &files::read_text(previous)?)?) } else { None };
        Ok(Some(Teller { receiver, format: self.form, previous, before }))
    }
}

/// Tells of drift.
pub(super) struct Teller<'a> {
    receiver: Receiver,
    format: NoticeFormat,
    previous: &'a Path,
    before: Option<Plan>,
}

impl Teller<'_> {
    /// `is_wanted`: is this an organisation that the files still speak of?
    pub async fn tell(self, plan: &Plan, is_wanted: impl Fn(&Identity) -> bool, out: &Out) -> Result<(), Failure> {
        let Self { receiver, format, previous, before } = self;
        let news = news(plan, before.as_ref());
        if !news.is_empty() {
            let host = receiver.url.host_str().unwrap_or_default();
            receiver.post(notice(plan, &news, format)).await.map_err(|why| {
                Failure::error(format!("{host} could not be told of the drift: {why}"))
                    .hint(format!("{} is left as it was, so that the next run tells of it", previous.display()))
            })?;
            out.talk(&format!("{} told what is new\n", report::clean(host)));
        }
        let mut told = plan.clone();
        let read: Vec<&Identity> = plan.organizations.iter().map(|one| &one.sealed.identity).collect();
        let unread = before.into_iter().flat_map(|before| before.organizations).filter(|one| {
            let identity = &one.sealed.identity;
            is_wanted(identity) && !read.iter().any(|other| other.is_same_organization(identity))
        });
        told.organizations.extend(unread);
        told.organizations.sort_by(|a, b| a.sealed.identity.cmp(&b.sealed.identity));
        files::write_text(previous, &report::plan_json(&told), Readers::Owner)
    }
}

impl Receiver {
    /// The URL itself may be what lets one post, so it stands in no message.
    fn new(text: &str, connection: &Connection) -> Result<Self, Failure> {
        let refused = |why: String| {
            Failure::error(format!("--notify: {why}")).hint("write a URL like https://hooks.example/services/…")
        };
        let url = Url::parse(text).map_err(|why| refused(format!("this is no URL: {why}")))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let loopback = is_loopback(&host);
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(refused(format!("names and addresses would travel to {host} in the clear"))),
            scheme => return Err(refused(format!("a message can't be posted by {scheme}"))),
        }
        let client = client(ClientSettings {
            direct: loopback,
            user_agent: GENERATOR.to_owned(),
            timeout: connection.timeout(),
            extra_ca: extra_ca(connection)?,
        });
        Ok(Self { url, client: client.map_err(Failure::error)? })
    }

    /// Again only where it certainly wasn't taken: a message that comes twice is worse than one that comes with the
    /// next run.
    async fn post(&self, body: String) -> Result<(), String> {
        let waits = ExponentialBuilder::default().with_min_delay(Duration::from_millis(500)).with_max_times(3);
        let attempt = || self.attempt(body.clone());
        attempt.retry(waits).when(|refused| refused.again).await.map_err(|refused| refused.why)
    }

    async fn attempt(&self, body: String) -> Result<(), Refused> {
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        let answer = request.send().await.map_err(|why| Refused {
            again: why.is_connect(),
            why: if why.is_timeout() { "no answer in time".to_owned() } else { cause(&why.without_url()) },
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let again = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        Err(Refused { again, why: format!("HTTP {}", status.as_u16()) })
    }
}

/// A message that wasn't taken.
struct Refused {
    why: String,
    /// Is another try of use?
    again: bool,
}

/// What is at the bottom of an error.
fn cause(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
