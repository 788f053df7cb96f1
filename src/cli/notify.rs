//! One message where drift is another than it was, and none where it isn't.

use std::path::{Path, PathBuf};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use clap::Args;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode};
use serde_json::Value;
use url::Url;

use super::connect::{GENERATOR, extra_ca};
use super::exit::Failure;
use super::files::{self, Pending, Readers};
use super::out::Out;
use super::{Connection, planfile};
use crate::report::{self, NoticeFormat, notice};
use rolecall_config::is_loopback;
use rolecall_graphql::{ClientSettings, client};
use rolecall_model::{Identity, Plan};
use rolecall_plan::{ReportedDrift, drift_delta};

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
    /// What was told last, as this option keeps it, or a drift report in JSON. Need not exist; written anew once this
    /// drift was told. Of what can't be read this time it keeps what it has.
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
        let before = if previous.exists() { earlier(previous)? } else { None };
        files::check_writable(previous)?;
        Ok(Some(Teller { receiver, form: self.form, previous, before }))
    }
}

/// Tells of drift.
pub(super) struct Teller<'a> {
    receiver: Receiver,
    form: NoticeFormat,
    previous: &'a Path,
    before: Option<ReportedDrift>,
}

impl Teller<'_> {
    /// `is_wanted`: is this an organisation that the files still speak of?
    pub async fn tell(self, plan: &Plan, is_wanted: impl Fn(&Identity) -> bool, out: &Out) -> Result<(), Failure> {
        let Self { receiver, form, previous, before } = self;
        let (drift_delta, mut told) = drift_delta(plan, before.as_ref());
        told.organizations.retain(|one| is_wanted(&one.identity));
        let text = report::json(&told);
        // On disk before the message goes out, so that it isn't sent again and again for want of room.
        let kept = Pending::new(previous, &text, Readers::Owner)?;
        if !drift_delta.is_empty() {
            let host = receiver.url.host_str().unwrap_or_default();
            receiver.post(notice(plan, &drift_delta, form)).await.map_err(|why| {
                Failure::error(format!("{host} could not be told of the drift: {why}"))
                    .hint(format!("{} is left as it was, so that the next run tells of it", previous.display()))
            })?;
            out.talk(&format!("{} told what is new\n", report::clean(host)));
        }
        kept.commit()
    }
}

/// What was told before: as this option keeps it, or all of a drift report. None: nothing was.
fn earlier(path: &Path) -> Result<Option<ReportedDrift>, Failure> {
    let text = files::read_text(path)?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    let is_told = value.pointer("/organizations/0/differences").is_some();
    let is_empty = value["organizations"].as_array().is_some_and(Vec::is_empty);
    if !is_told && !is_empty {
        return Ok(Some(ReportedDrift::all(&planfile::parse(path, &text)?)));
    }
    let told: ReportedDrift = serde_json::from_value(value)
        .map_err(|why| Failure::error(format!("{} can't be read: {why}", path.display())))?;
    planfile::check_version(path, &told.format_version)?;
    Ok(Some(told))
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
