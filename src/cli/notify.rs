//! `--notify`: posts one message if drift differs from what was reported before.

use std::path::{Path, PathBuf};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use clap::{Args, ValueHint};
use jiff::Timestamp;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode};
use serde_json::Value;
use url::Url;

use super::connect::{GENERATOR, extra_ca};
use super::exit::{Failure, sentence};
use super::files::{self, Pending, Readers};
use super::out::Out;
use super::{Connection, NOTIFICATION, planfile};
use crate::report::{self, NoticeFormat, notice};
use rolecall_config::is_loopback;
use rolecall_graphql::{ClientSettings, certificate_problem, client};
use rolecall_model::{Identity, Plan};
use rolecall_plan::{ReportedDrift, drift_delta};

/// Options that say who is notified of drift, and what was reported to them before.
#[derive(Clone, Debug, Args)]
pub(super) struct Notify {
    /// Post one message to this URL if drift differs from --previous. Only the host of the URL is ever shown.
    #[arg(
        long = "notify",
        value_name = "URL",
        requires = "previous",
        value_hint = ValueHint::Url,
        help_heading = NOTIFICATION
    )]
    url: Option<String>,
    /// Post the message in this format.
    #[arg(
        long = "notify-format",
        value_name = "FORMAT",
        value_enum,
        default_value = "json",
        requires = "url",
        help_heading = NOTIFICATION
    )]
    notice_format: NoticeFormat,
    /// Keep in this file what was reported before; it is created if it is missing, and a drift report in JSON also
    /// fits.
    #[arg(long, value_name = "FILE", requires = "url", help_heading = NOTIFICATION)]
    previous: Option<PathBuf>,
    /// Link to this page from the message. Without it, the message links to the job of the CI system, if its variables say
    /// where that is.
    #[arg(long, value_name = "URL", requires = "url", value_hint = ValueHint::Url, help_heading = NOTIFICATION)]
    link: Option<String>,
}

/// The receiver of messages.
struct Receiver {
    url: Url,
    client: Client,
}

impl Notify {
    /// Checks the options before anything is read. Returns `None` without `--notify`.
    pub fn check(&self, connection: &Connection) -> Result<Option<Notifier<'_>>, Failure> {
        let (Some(url), Some(previous)) = (&self.url, &self.previous) else { return Ok(None) };
        let receiver = Receiver::new(url, connection)?;
        let link = match &self.link {
            Some(link) => Some(report::page(link).ok_or_else(|| {
                Failure::error(format!("`--link` is not the URL of a page: {}.", report::clean(link)))
                    .hint("Write a URL like https://ci.example/jobs/4711")
            })?),
            None => report::ci_page(|name| std::env::var(name).ok()),
        };
        let before = if previous.exists() { read_previous(previous)? } else { None };
        files::check_writable(previous)?;
        Ok(Some(Notifier { receiver, format: self.notice_format, previous, link, before }))
    }
}

/// Notifies a receiver of drift.
pub(super) struct Notifier<'a> {
    receiver: Receiver,
    format: NoticeFormat,
    previous: &'a Path,
    /// The page of this run.
    link: Option<String>,
    before: Option<ReportedDrift>,
}

impl Notifier<'_> {
    /// Posts a message if the drift of the plan differs from what was reported before, and remembers the drift as
    /// reported. `at` is the time of the run. `desired` returns the hash of what the files ask for; organisations that no file
    /// describes any more are forgotten.
    pub async fn notify(
        self,
        plan: &Plan,
        at: Timestamp,
        desired: impl Fn(&Identity) -> Option<String>,
        out: &Out,
    ) -> Result<(), Failure> {
        let Self { receiver, format, previous, link, before } = self;
        let (delta, mut reported) = drift_delta(plan, before.as_ref(), at, &desired);
        reported.organizations.retain(|organization| desired(&organization.identity).is_some());
        let text = report::json(&reported);
        // The file is on disk before the message is posted. Otherwise a full disk would repeat the message at
        // every run.
        let pending = Pending::new(previous, &text, Readers::Owner)?;
        if !delta.is_empty() {
            let host = receiver.url.host_str().unwrap_or_default();
            receiver.post(notice(plan, &delta, link.as_deref(), format)).await.map_err(|why| {
                Failure::error(format!("The receiver {host} could not be notified of the drift: {why}.")).hint(
                    format!(
                        "The file {} is unchanged, so the next run posts the message again.",
                        previous.display()
                    ),
                )
            })?;
            out.talk(&format!("The receiver {} was notified of new drift.\n", report::clean(host)));
        }
        pending.commit()
    }
}

/// Reads what was reported before, from a file that `--previous` keeps or from a drift report. `None` if the file
/// is empty.
fn read_previous(path: &Path) -> Result<Option<ReportedDrift>, Failure> {
    let text = files::read_text(path)?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    let Some(organizations) = value["organizations"].as_array() else {
        let why = format!(
            "The file {} of `--previous` is neither a drift report nor what an earlier run kept there.",
            path.display()
        );
        return Err(Failure::error(why).hint(
            "Name another file, or delete this one. Without it, the next message has everything that differs.",
        ));
    };
    let is_reported = value.pointer("/organizations/0/differences").is_some();
    let is_empty = organizations.is_empty();
    if !is_reported && !is_empty {
        return Ok(Some(ReportedDrift::all(&planfile::parse(path, &text)?)));
    }
    let reported: ReportedDrift = serde_json::from_str(&text)
        .map_err(|why| Failure::error(format!("The file {} can't be read: {why}.", path.display())))?;
    planfile::check_version(path, &reported.format_version)?;
    Ok(Some(reported))
}

impl Receiver {
    /// Checks the URL. No message shows it, because the URL itself may be a secret that lets people post.
    fn new(text: &str, connection: &Connection) -> Result<Self, Failure> {
        let invalid = |why: String| {
            Failure::error(format!("The URL of `--notify` can't be used: {why}."))
                .hint("Write a URL like https://hooks.example/services/…")
        };
        let url = Url::parse(text).map_err(|why| invalid(format!("it is not a URL ({why})")))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let loopback = is_loopback(&host);
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => {
                return Err(invalid(format!("http would send names and addresses unencrypted to {host}")));
            }
            scheme => return Err(invalid(format!("a message can't be posted with {scheme}"))),
        }
        let client = client(ClientSettings {
            direct: loopback,
            user_agent: GENERATOR.to_owned(),
            timeout: connection.timeout(),
            extra_ca: extra_ca(connection)?,
        });
        Ok(Self { url, client: client.map_err(|why| Failure::error(sentence(why)))? })
    }

    /// Posts the message. Retries only if the receiver certainly did not take it: a message that comes twice is
    /// worse than one that comes with the next run.
    async fn post(&self, body: String) -> Result<(), String> {
        let waits = ExponentialBuilder::default().with_min_delay(Duration::from_millis(500)).with_max_times(3);
        let attempt = || self.attempt(body.clone());
        attempt.retry(waits).when(|refused| refused.can_retry).await.map_err(|refused| refused.why)
    }

    async fn attempt(&self, body: String) -> Result<(), Refused> {
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        let answer = request.send().await.map_err(|why| {
            let certificate = certificate_problem(&why);
            Refused { can_retry: why.is_connect() && certificate.is_none(), why: kind(&why, certificate) }
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let can_retry = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        Err(Refused { can_retry, why: format!("HTTP {}", status.as_u16()) })
    }
}

/// An attempt to post that failed.
struct Refused {
    why: String,
    /// Whether the receiver certainly did not take the message, so that another attempt is safe.
    can_retry: bool,
}

/// Returns the kind of an error. The words of an error aren't shown, because the receiver may have said them, and
/// the receiver knows the whole URL.
fn kind(error: &reqwest::Error, certificate: Option<String>) -> String {
    match certificate {
        Some(problem) => format!("its certificate isn't trusted: {problem}"),
        None if error.is_timeout() => "no answer in time".to_owned(),
        None if error.is_connect() => "no connection".to_owned(),
        None => "the connection failed before an answer came".to_owned(),
    }
}
