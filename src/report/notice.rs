//! Writes the message that reports how drift has changed.

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

/// The form of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NoticeFormat {
    /// JSON for programs; see `rolecall schema notice`
    Json,
    /// A body for an incoming webhook of Slack, or of a service that understands the same
    Slack,
}

/// A message: how drift has changed since the previous message.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Notice<'a> {
    pub format_version: &'a str,
    /// The program that wrote it.
    pub generator: &'a str,
    /// The whole message in words.
    pub text: String,
    /// The organisations whose drift has changed.
    pub organizations: Vec<Noticed<'a>>,
}

/// The drift of one organisation.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Noticed<'a> {
    pub provider: ProviderName,
    pub organization: &'a RemoteId,
    /// Every address that an apply would change, without what an earlier apply has left to do.
    pub differences: Vec<&'a Address>,
    /// Every address that needs attention.
    pub blocked: BTreeSet<&'a Address>,
    /// Addresses of either list that are new since the previous message, or differ in another way.
    pub new: &'a BTreeSet<Address>,
    /// Addresses of either list in the previous message that no longer differ.
    pub gone: &'a BTreeSet<Address>,
}

/// The number of addresses of each list that `text` names.
const LISTED: usize = 20;

/// Writes the body of a message.
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
        differences: drift_delta.plan.differences().map(|change| &change.address).collect(),
        blocked: blocked.map(|hold| &hold.address).collect(),
        new: &drift_delta.appeared,
        gone: &drift_delta.disappeared,
    }
}

fn text(drift_delta: &[DriftDelta<'_>]) -> String {
    let mut text = String::new();
    for DriftDelta { plan, appeared, disappeared } in drift_delta {
        let Verdict { headline, rest } = drift_verdict(plan);
        let _ = writeln!(text, "{}: {headline}{rest}", name(plan));
        for (what, addresses) in [("new", appeared), ("gone", disappeared)] {
            if !addresses.is_empty() {
                let _ = writeln!(text, "  {what}: {}", first(addresses.iter(), LISTED, clean));
            }
        }
    }
    text
}
