//! One message on what is new in a drift report, for whoever is told of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::outline::{Verdict, drift_verdict, name};
use super::style::{clean, first};
use rolecall_model::{Address, HoldClass, Plan, ProviderName, RemoteId};
use rolecall_plan::DriftDelta;

/// For whom a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NoticeFormat {
    /// For programs; see `rolecall schema notice`.
    Json,
    /// For an incoming webhook of Slack, or of what understands the same.
    Slack,
}

/// What has become of drift since the message before.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Notice<'a> {
    pub format_version: &'a str,
    /// The program that wrote it.
    pub generator: &'a str,
    /// All of it in words.
    pub text: String,
    /// Those whose drift is another than it was.
    pub organizations: Vec<Noticed<'a>>,
}

/// The drift of one organisation.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Noticed<'a> {
    pub provider: ProviderName,
    pub organization: &'a RemoteId,
    /// All that an apply would change.
    pub differences: Vec<&'a Address>,
    /// All that somebody has to see to.
    pub blocked: BTreeSet<&'a Address>,
    /// What of both wasn't there before, or was otherwise.
    pub new: &'a BTreeSet<Address>,
    /// What of both was there before, if nothing of the same address is new.
    pub gone: &'a BTreeSet<Address>,
}

/// So many addresses of each list are told in words.
const TOLD: usize = 20;

/// The body of a message.
pub fn notice(plan: &Plan, drift_delta: &[DriftDelta<'_>], format: NoticeFormat) -> String {
    let text = text(drift_delta);
    let body = match format {
        NoticeFormat::Json => {
            let organizations = drift_delta.iter().map(noticed).collect();
            serde_json::to_string(&Notice {
                format_version: &plan.format_version,
                generator: &plan.generator,
                text,
                organizations,
            })
        }
        NoticeFormat::Slack => {
            // Three characters are markup to Slack (https://docs.slack.dev/messaging/formatting-message-text); the
            // rest of what could be is turned off.
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            serde_json::to_string(&json!({
                "text": escaped,
                "mrkdwn": false,
                "link_names": false,
                "unfurl_links": false,
                "unfurl_media": false,
            }))
        }
    };
    body.unwrap_or_default()
}

fn noticed<'a>(drift_delta: &'a DriftDelta<'a>) -> Noticed<'a> {
    let sealed = &drift_delta.plan.sealed;
    let blocked = sealed.holds.iter().filter(|hold| hold.class == HoldClass::Blocked);
    Noticed {
        provider: sealed.identity.provider,
        organization: &sealed.identity.organization,
        differences: sealed.changes.iter().map(|change| &change.address).collect(),
        blocked: blocked.map(|hold| &hold.address).collect(),
        new: &drift_delta.appeared,
        gone: &drift_delta.disappeared,
    }
}

fn text(drift_delta: &[DriftDelta<'_>]) -> String {
    let mut text = String::new();
    for DriftDelta { plan, appeared, gone } in drift_delta {
        let Verdict { headline, rest } = drift_verdict(plan);
        let _ = writeln!(text, "{}: {headline}{rest}", name(plan));
        for (what, addresses) in [("new", appeared), ("gone", gone)] {
            if !addresses.is_empty() {
                let _ = writeln!(text, "  {what}: {}", first(addresses.iter(), TOLD, clean));
            }
        }
    }
    text
}
