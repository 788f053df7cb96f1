//! Findings and broken guardrails at their places, for code scanning
//! (SARIF 2.1.0, <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::activity::{alarm, dated_activity};
use super::github::parts;
use super::origin::hold_origin;
use super::outline::{name, overdue_since};
use super::style::clean;
use rolecall_model::{Address, Finding, HoldClass, OrganizationPlan, Plan, Severity, Warning};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// One result.
struct Found {
    rule: String,
    /// The address of the page that explains the rule.
    help: String,
    level: &'static str,
    message: String,
    /// The file, line and column.
    places: Vec<(String, usize, usize)>,
}

pub(super) fn findings(findings: &[Finding]) -> String {
    let found = findings.iter().map(|Finding { code, severity, place, message, hint, .. }| Found {
        rule: code.to_string(),
        help: format!("docs/findings.md#{code}"),
        level: severity.as_str(),
        message: with_hint(message, hint.as_ref()),
        places: vec![(place.file.to_string(), place.line, place.column)],
    });
    document(&found.collect::<Vec<_>>())
}

fn with_hint(message: &str, hint: Option<&String>) -> String {
    match hint {
        Some(hint) => format!("{} Hint: {}", clean(message), clean(hint)),
        None => clean(message),
    }
}

/// Writes the warnings of a plan, and the guardrails that it breaks, at the places in the files that ask for the
/// changes that break them, and what needs attention.
pub(super) fn plan(plan: &Plan) -> String {
    let mut found = Vec::new();
    for organization in &plan.organizations {
        found.extend(organization.warnings.iter().map(|Warning { code, place, message, hint }| Found {
            rule: code.clone(),
            help: format!("docs/findings.md#{code}"),
            level: Severity::Warning.as_str(),
            message: with_hint(message, hint.as_ref()),
            places: parts(place).map(|(file, line, column)| (file.to_owned(), line, column)).into_iter().collect(),
        }));
        for refusal in &organization.refusals {
            let places =
                refusal.addresses.iter().filter_map(|address| organization.places.get(&address.to_string()));
            let places = places.filter_map(|place| parts(place));
            found.push(Found {
                rule: format!("guardrail-{}", refusal.guardrail.as_str().replace('_', "-")),
                help: "`guardrails` in docs/file.md".to_owned(),
                level: "error",
                message: format!("{}: {}", name(organization), clean(&refusal.message)),
                places: places.map(owned).collect(),
            });
        }
        found.extend(organization.overdue.iter().map(|(address, since)| Found {
            rule: "overdue".to_owned(),
            help: "docs/drift-reported.md#an-overdue-rotation".to_owned(),
            level: "warning",
            message: format!("{}: {}: {}", name(organization), clean(address), overdue_since(*since)),
            places: place_of(organization, address),
        }));
        let silent = !organization.activity.silent.is_empty();
        found.extend(alarm(&organization.activity, dated_activity).map(|line| Found {
            rule: if silent { "silence" } else { "credential-ends" }.to_owned(),
            help: "docs/drift-reported.md#no-drift-was-reported".to_owned(),
            level: "warning",
            message: format!("{}: {line}", name(organization)),
            places: Vec::new(),
        }));
        // Privileged access that the file doesn't write has a place, because somebody has to write it there.
        for hold in organization.sealed.holds.iter().filter(|hold| hold.class == HoldClass::Blocked) {
            found.push(Found {
                rule: "needs-attention".to_owned(),
                help: "docs/drift-reported.md".to_owned(),
                level: "warning",
                message: format!(
                    "{}: {}: {}{}",
                    name(organization),
                    clean(&hold.address),
                    clean(&hold.reason),
                    hold_origin(organization, hold)
                ),
                places: place_of(organization, &hold.address),
            });
        }
    }
    document(&found)
}

/// Returns the place of the entry that an entity has in the files, if there is one.
fn place_of(organization: &OrganizationPlan, address: &Address) -> Vec<(String, usize, usize)> {
    let place = organization.places.get(&address.to_string());
    place.and_then(|place| parts(place)).into_iter().map(owned).collect()
}

fn owned((file, line, column): (&str, usize, usize)) -> (String, usize, usize) {
    (file.to_owned(), line, column)
}

fn document(found: &[Found]) -> String {
    let rules: BTreeMap<&str, Value> =
        found.iter().map(|one| (&*one.rule, json!({ "id": one.rule, "help": { "text": one.help } }))).collect();
    let results: Vec<Value> = found.iter().map(result).collect();
    let driver = json!({
        "name": env!("CARGO_PKG_NAME"),
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": rules.values().collect::<Vec<_>>(),
    });
    let run = json!({ "tool": { "driver": driver }, "columnKind": "unicodeCodePoints", "results": results });
    let document = json!({ "$schema": SCHEMA, "version": "2.1.0", "runs": [run] });
    super::json(&document)
}

fn result(found: &Found) -> Value {
    let location = |(file, line, column): &(String, usize, usize)| {
        json!({ "physicalLocation": {
            "artifactLocation": { "uri": uri(file) },
            "region": { "startLine": line, "startColumn": column },
        } })
    };
    let locations: Vec<Value> = found.places.iter().map(location).collect();
    json!({
        "ruleId": found.rule,
        "level": found.level,
        "message": { "text": found.message },
        "locations": locations,
    })
}

/// Returns a relative path as a relative reference, and an absolute path as a `file:` URL.
fn uri(file: &str) -> String {
    let mut uri = String::from(if file.starts_with('/') { "file://" } else { "" });
    for byte in file.trim_start_matches("./").replace('\\', "/").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            other => {
                let _ = write!(uri, "%{other:02X}");
            }
        }
    }
    uri
}
