//! A drift report as metrics, in Prometheus' text format, for a file that a node exporter picks up
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
//!
//! The format is written here, because the client library gives no order to the series of a family.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::keys::KeysReport;
use rolecall_model::{
    Address, Change, Expiry, Hold, HoldClass, Identity, Kind, OrganizationPlan, Plan, ProviderName, RemoteId,
};
use rolecall_plan::keys::{KeyStage, KeyStatus, Keys};

/// A value with the labels that a series has in addition to the common ones.
type Series = (Vec<(&'static str, String)>, i64);

/// One metric: its name, its description, and its series for an organisation.
struct Metric {
    name: &'static str,
    help: &'static str,
    series: fn(&OrganizationPlan) -> Vec<Series>,
}

/// The name and the description of a metric that `drift` and `keys` write.
const KEY_EXPIRY: (&str, &str) =
    ("rolecall_key_expiry_timestamp_seconds", "When a key that isn't disabled ends, where the platform tells.");

/// The name and the description of another one.
const LAST_SUCCESS: (&str, &str) =
    ("rolecall_last_success_timestamp_seconds", "When the organisation was last read without an error.");

const METRICS: &[Metric] = &[
    Metric {
        name: "rolecall_differences",
        help: "Entities that an apply would change, without the leftovers.",
        series: |plan| by_kind(plan.differences()),
    },
    Metric {
        name: "rolecall_leftovers",
        help: "Entities that an earlier apply began to change, and that are still to do. They are no drift.",
        series: |plan| by_kind(plan.leftovers()),
    },
    Metric {
        name: "rolecall_holds",
        help: "Entities that rolecall skips. Only blocked ones are drift.",
        series: |plan| {
            let classes = [HoldClass::Blocked, HoldClass::Waiting, HoldClass::Ignored];
            let all = Kind::ALL.iter().flat_map(|kind| classes.map(|class| (*kind, class)));
            let labels = |kind: Kind, class: HoldClass| {
                vec![("kind", kind.as_str().to_owned()), ("class", class.as_str().to_owned())]
            };
            let count = |kind: Kind, class: HoldClass| {
                let is_it = |hold: &&Hold| hold.address.kind == kind && hold.class == class;
                plan.sealed.holds.iter().filter(is_it).count()
            };
            all.map(|(kind, class)| (labels(kind, class), number(count(kind, class)))).collect()
        },
    },
    Metric {
        name: KEY_EXPIRY.0,
        help: KEY_EXPIRY.1,
        series: |plan| {
            let expiring = plan.inventory.iter().flat_map(|inventory| &inventory.expiring);
            expiring.map(|(key, expires)| (vec![("key", key.to_string())], expires.as_second())).collect()
        },
    },
    Metric {
        name: "rolecall_read_requests",
        help: "Requests that reading took.",
        series: |plan| vec![(Vec::new(), number(plan.requests))],
    },
];

fn by_kind<'a>(changes: impl Iterator<Item = &'a Change>) -> Vec<Series> {
    let changes: Vec<&Change> = changes.collect();
    let count = |kind: Kind| changes.iter().filter(|change| change.address.kind == kind).count();
    Kind::ALL.iter().map(|kind| (vec![("kind", kind.as_str().to_owned())], number(count(*kind)))).collect()
}

/// A metric of which the file keeps the old value while an organisation can't be read.
struct KeptMetric {
    name: &'static str,
    help: &'static str,
    value: fn(&OrganizationPlan, Timestamp) -> Option<i64>,
}

const KEPT_METRICS: &[KeptMetric] = &[
    KeptMetric {
        name: "rolecall_last_apply_timestamp_seconds",
        help: "When the last good apply ended, by the ledger.",
        value: |plan, _| Some(plan.activity.last_apply?.at.as_second()),
    },
    KeptMetric {
        name: "rolecall_last_drift_timestamp_seconds",
        help: "When the ledger last recorded a drift run, this one included.",
        value: |plan, _| Some(plan.activity.last_drift?.at.as_second()),
    },
    KeptMetric {
        name: "rolecall_credential_expires_timestamp_seconds",
        help: "When the credential of rolecall ends, where the platform tells.",
        value: |plan, _| Some(plan.activity.credential_expires?.at.as_second()),
    },
    KeptMetric { name: LAST_SUCCESS.0, help: LAST_SUCCESS.1, value: |_, now| Some(now.as_second()) },
];

/// Writes the metrics of a drift report made at `now`. For `unread` organisations, the times are kept from `before`, the file
/// of the previous run.
pub fn metrics(plan: &Plan, now: Timestamp, unread: &[(ProviderName, RemoteId)], before: &str) -> String {
    let mut text = String::new();
    for Metric { name, help, series } in METRICS {
        push_head(&mut text, name, help);
        for organization in &plan.organizations {
            push_series(&mut text, name, &organization.sealed.identity, series(organization));
        }
    }
    for KeptMetric { name, help, value } in KEPT_METRICS {
        let read = plan.organizations.iter().filter_map(|plan| {
            let identity = &plan.sealed.identity;
            let series = series_of(name, identity.provider, &identity.organization, &[]);
            Some(format!("{series} {}", value(plan, now)?))
        });
        let kept = unread.iter().filter_map(|(provider, organization)| {
            let series = series_of(name, *provider, organization, &[]);
            before.lines().find(|line| line.starts_with(&format!("{series} "))).map(ToOwned::to_owned)
        });
        let mut lines: Vec<String> = read.chain(kept).collect();
        lines.sort();
        push_head(&mut text, name, help);
        for line in lines {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

/// A metric of keys: its name, its description, and its value for a key.
type KeyMetric = ((&'static str, &'static str), fn(&KeyStatus, Timestamp) -> Option<i64>);

const KEY_METRICS: [KeyMetric; 3] = [
    (("rolecall_key_age_seconds", "The age of a key, or how long it has been seen at least."), |key, _| {
        key.age_seconds
    }),
    (KEY_EXPIRY, |key, _| key.access.expires.filter(|_| key.id.is_some()).map(Expiry::as_second)),
    (
        (
            "rolecall_key_next_step_timestamp_seconds",
            "When the next step of a key is due, or the key ends. What the next apply does is due now.",
        ),
        |key, now| key.due(now).map(Timestamp::as_second),
    ),
];

/// Writes the metrics of keys. A disabled key has none. For organisations that are not `read`, the series are kept from
/// `before`, the file of the previous run.
///
/// `drift` writes two of these metrics too. A collector refuses a series that two files have, so these have the label
/// `verb`.
pub fn key_metrics(report: &KeysReport, unread: &[(ProviderName, RemoteId)], before: &str) -> String {
    let read: Vec<&Keys> = report
        .organizations
        .iter()
        .filter(|keys| !unread.contains(&(keys.identity.provider, keys.identity.organization.clone())))
        .collect();
    let verb = |(name, _): (&str, &str)| {
        let is_shared = name == KEY_EXPIRY.0 || name == LAST_SUCCESS.0;
        is_shared.then(|| ("verb", "keys".to_owned()))
    };
    let of_keys = KEY_METRICS.map(|(metric, value)| {
        let of_key = move |organization: &Keys, key: &KeyStatus| {
            let address = Address::key(&key.name).with_id(&key.id);
            let labels = verb(metric).into_iter().chain([("key", address.to_string())]).collect();
            Some((organization.identity.clone(), (labels, value(key, report.at)?)))
        };
        let enabled = |key: &&KeyStatus| key.stage != KeyStage::Disabled;
        let all =
            read.iter().flat_map(|keys| keys.keys.iter().filter(enabled).filter_map(|key| of_key(keys, key)));
        (metric, all.collect::<Vec<(Identity, Series)>>())
    });
    let success =
        |keys: &&Keys| (keys.identity.clone(), (verb(LAST_SUCCESS).into_iter().collect(), report.at.as_second()));
    let last: Vec<(Identity, Series)> = read.iter().map(success).collect();
    let mut text = String::new();
    for ((name, help), series) in of_keys.into_iter().chain([(LAST_SUCCESS, last)]) {
        push_head(&mut text, name, help);
        for (identity, series) in series {
            push_series(&mut text, name, &identity, [series]);
        }
        for (provider, organization) in unread {
            let start = series_of(name, *provider, organization, &[]);
            let start = start.trim_end_matches('}');
            let is_kept = |line: &&str| {
                line.strip_prefix(start).is_some_and(|rest| rest.starts_with(',') || rest.starts_with('}'))
            };
            for line in before.lines().filter(is_kept) {
                let _ = writeln!(text, "{line}");
            }
        }
    }
    text
}

/// Writes the values of one metric for an organisation.
fn push_series(text: &mut String, name: &str, identity: &Identity, series: impl IntoIterator<Item = Series>) {
    for (labels, value) in series {
        let line = series_of(name, identity.provider, &identity.organization, &labels);
        let _ = writeln!(text, "{line} {value}");
    }
}

fn push_head(text: &mut String, name: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
}

fn series_of(
    name: &str,
    provider: ProviderName,
    organization: &RemoteId,
    more: &[(&'static str, String)],
) -> String {
    let mut text = format!("{name}{{provider=\"{provider}\",organization=\"{}\"", escaped(organization.as_str()));
    for (label, value) in more {
        let _ = write!(text, ",{label}=\"{}\"", escaped(value));
    }
    text.push('}');
    text
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
