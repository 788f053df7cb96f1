//! The field `guardrails` of a file, and its checks.
//!
//! An exception lets one reviewed plan through although it breaks guardrails. For example, twelve of twenty users
//! leave at once. The plan would take access from more than 25% of the users, so `max_removals` refuses it, and
//! the report prints an entry for the file:
//!
//! ```yaml
//! guardrails:
//!   exceptions:
//!     - { plan: "sha256:4f0c…", rails: [max_removals], until: 2026-12-04, reason: the Graz office closes }
//! ```
//!
//! A reviewer merges it, and the same plan is applied. The exception names the seal of that plan, so it lets no
//! other plan through: if a thirteenth user is removed meanwhile, the plan has another seal and is refused again.
//! It ends with its last day, and overrides only the guardrails that it names. It never overrides a limit of the
//! command line. This module checks only the form of an exception. The planner decides whether it fits a plan.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::check::Checker;
use super::field::Field;
use super::raw::{AddressText, DateText, LineText, NameText, PercentText, SealText};
use super::source::Sources;
use rolecall_model::{
    Code, Exception, Finding, Guardrail, Guardrails, Kind, Limit, Pattern, Place, Quirk, Removals, list_of, quote,
    sentence,
};

/// These limits apply to every plan, whatever the rest of the file says.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Guardrails", deny_unknown_fields)]
pub struct RawGuardrails {
    /// A plan must leave at least this number of usable admins. If there are fewer already, a plan must not reduce
    /// their number. Default: 1.
    min_admins: Option<Field<u32>>,
    /// At most this many users, keys, roles and teams each may lose access, or a part of it, in one plan. Default:
    /// `{ share: 25%, at_least: 2 }`.
    max_removals: Option<Field<RawRemovals>>,
    /// If `true`, no plan takes from rolecall's own user or its own key what rolecall needs. Default: `true`.
    /// RapidAPI accepts only `true`.
    require_self: Option<Field<bool>>,
    /// rolecall never changes these entities. `*` stands for any text. Default: none.
    protected: Option<Field<Vec<Field<AddressText>>>>,
    /// Each exception lets one reviewed plan through. A plan that a guardrail refuses prints the entry to add
    /// here. Default: none.
    exceptions: Option<Field<Vec<Field<RawException>>>>,
}

/// An exception lets one plan through although it breaks guardrails.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Exception", deny_unknown_fields)]
struct RawException {
    /// This is the seal of the plan.
    plan: Field<SealText>,
    /// The exception overrides these guardrails.
    #[schemars(length(min = 1))]
    rails: Field<Vec<Field<RawRail>>>,
    /// The exception applies up to the end of this day, in UTC.
    until: Field<DateText>,
    /// This text explains the exception. rolecall writes it to the ledger.
    #[schemars(with = "LineText")]
    reason: Field<NameText>,
}

/// An exception can override one of these guardrails.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Guardrail", rename_all = "snake_case")]
enum RawRail {
    /// This guardrail limits how many entities may lose access in one plan.
    MaxRemovals,
    /// This guardrail limits how few usable admins a plan may leave.
    MinAdmins,
}

/// One limit for all collections, or a mapping with a limit for each.
#[derive(Clone, Debug)]
enum RawRemovals {
    Each(RawLimit),
    ByKind(Box<RawByKind>),
}

/// This mapping sets a limit for each collection.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "MaxRemovals", deny_unknown_fields)]
struct RawByKind {
    /// This limit counts deleted teams. Default: as for all. Only RapidAPI accepts it.
    teams: Option<Field<RawLimit>>,
    /// This limit counts deleted roles. Default: as for all. Only Hive accepts it.
    roles: Option<Field<RawLimit>>,
    /// This limit counts users who lose access, or a part of it. Default: as for all.
    users: Option<Field<RawLimit>>,
    /// This limit counts keys that are disabled or deleted. Default: as for all. Only Bitpanda and Hive accept it.
    keys: Option<Field<RawLimit>>,
    // The fields of one limit for all collections.
    #[schemars(skip)]
    share: Option<Field<PercentText>>,
    #[schemars(skip)]
    at_least: Option<Field<u32>>,
}

/// A limit, before its check.
#[derive(Clone, Debug)]
pub enum RawLimit {
    Text(String),
    Share(RawShare),
}

/// This limit is a percentage of the live entities, and a number that it allows even if the percentage is less.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename = "Share", deny_unknown_fields)]
pub struct RawShare {
    /// This is the percentage, such as `25%`. It is rounded down.
    #[schemars(required)]
    share: Option<Field<PercentText>>,
    /// The limit always allows this number. Default: 1.
    at_least: Option<Field<u32>>,
}

struct LimitVisitor;

const A_LIMIT: &str = "a percentage such as 25%, a number, or a mapping with share and at_least";

impl<'de> Visitor<'de> for LimitVisitor {
    type Value = RawLimit;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(A_LIMIT)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RawLimit, E> {
        Ok(RawLimit::Text(text.to_owned()))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<RawLimit, E> {
        Ok(RawLimit::Text(number.to_string()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawLimit, A::Error> {
        RawShare::deserialize(MapAccessDeserializer::new(map)).map(RawLimit::Share)
    }
}

impl<'de> Deserialize<'de> for RawLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LimitVisitor)
    }
}

impl<'de> Deserialize<'de> for RawRemovals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RemovalsVisitor;

        impl<'de> Visitor<'de> for RemovalsVisitor {
            type Value = RawRemovals;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a percentage such as 25%, a number, or a mapping of collections to these")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RawRemovals, E> {
                LimitVisitor.visit_str(text).map(RawRemovals::Each)
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<RawRemovals, E> {
                LimitVisitor.visit_u64(number).map(RawRemovals::Each)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawRemovals, A::Error> {
                RawByKind::deserialize(MapAccessDeserializer::new(map)).map(|by| RawRemovals::ByKind(Box::new(by)))
            }
        }

        deserializer.deserialize_any(RemovalsVisitor)
    }
}

impl JsonSchema for RawLimit {
    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let share = generator.subschema_for::<RawShare>();
        json_schema!({
            "description": "This is a number, or a percentage of the live entities such as `25%`. A percentage is rounded down, and is at least one. `{ share: 25%, at_least: 3 }` raises that minimum.",
            "anyOf": [
                { "type": "string", "pattern": "^(100|[1-9]?[0-9])%$" },
                { "type": "integer", "minimum": 0 },
                share,
            ],
        })
    }
}

impl JsonSchema for RawRemovals {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Removals".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<RawLimit>();
        let each = generator.subschema_for::<RawByKind>();
        json_schema!({ "anyOf": [one, each] })
    }
}

impl Checker<'_> {
    pub fn guardrails(&mut self, field: Option<Field<RawGuardrails>>) -> Guardrails {
        let mut guardrails = Guardrails::default();
        let Some(RawGuardrails { min_admins, max_removals, require_self, protected, exceptions }) =
            field.and_then(|field| field.value)
        else {
            return guardrails;
        };
        if let Some(number) = min_admins.and_then(|field| field.value) {
            guardrails.min_admins = number as usize;
        }
        if let Some(removals) = max_removals.and_then(|field| self.removals(field)) {
            guardrails.max_removals = removals;
        }
        if let Some(Field { mark, value: Some(false) }) = require_self {
            guardrails.require_self = false;
            if self.rules.has(Quirk::RequiresSelf) {
                let message =
                    format!("rolecall always protects its own access on {}.", self.rules.capabilities().provider);
                self.invalid(
                    mark,
                    message,
                    "Remove the line. Change rolecall's own access manually, with another credential.",
                );
            }
        }
        guardrails.protected = self.patterns(protected);
        let exceptions = exceptions.and_then(|field| field.value).unwrap_or_default();
        guardrails.exceptions = exceptions.into_iter().filter_map(|field| self.exception(field)).collect();
        guardrails
    }

    /// Checks patterns of addresses, and returns each with its place.
    pub fn patterns(&mut self, field: Option<Field<Vec<Field<AddressText>>>>) -> BTreeMap<Pattern, Place> {
        let mut patterns = BTreeMap::new();
        for item in field.and_then(|field| field.value).unwrap_or_default() {
            let Some(AddressText(text)) = item.value else { continue };
            match text.parse::<Pattern>() {
                Ok(pattern) if !self.rules.capabilities().kinds.contains(&pattern.kind()) => {
                    let known: Vec<&str> =
                        self.rules.capabilities().kinds.iter().map(|kind| kind.as_str()).collect();
                    let hint = format!(
                        "Addresses on {} start with {}.",
                        self.rules.capabilities().provider,
                        list_of(&known, "or")
                    );
                    self.invalid(
                        item.mark,
                        format!("{} is not an address on this platform.", quote(&text)),
                        &hint,
                    );
                }
                Ok(pattern) => {
                    let place = self.place(item.mark);
                    patterns.insert(pattern, place);
                }
                Err(why) => {
                    self.invalid(item.mark, format!("{} is not an address.", quote(&text)), &sentence(&why));
                }
            }
        }
        patterns
    }

    fn exception(&mut self, Field { mark, value }: Field<RawException>) -> Option<Exception> {
        let RawException { plan, rails, until, reason } = value?;
        let (plan_mark, until_mark, rails_mark) = (plan.mark, until.mark, rails.mark);
        let plan = plan.value.and_then(|SealText(seal)| {
            let digits = seal.strip_prefix("sha256:").filter(|digits| digits.len() == 64);
            let is_seal = digits.is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
            if !is_seal {
                let message = format!("{} is not the seal of a plan.", quote(&seal));
                self.invalid(
                    plan_mark,
                    message,
                    "Copy it from the report of the plan: `sha256:…` with 64 digits.",
                );
            }
            is_seal.then_some(seal)
        });
        let until = until.value.and_then(|DateText(text)| {
            let parsed = text.parse::<Date>().ok();
            let date = parsed.filter(|_| text.len() == 10);
            if date.is_none() {
                let like = parsed.map_or_else(|| "2027-04-30".to_owned(), |date| date.to_string());
                let hint = format!("Write it like `{like}`.");
                self.invalid(until_mark, format!("{} is not a date.", quote(&text)), &hint);
            }
            date
        });
        let named = rails.value?;
        let guardrails: BTreeSet<Guardrail> = named
            .iter()
            .filter_map(|guardrail| guardrail.value)
            .map(|guardrail| match guardrail {
                RawRail::MaxRemovals => Guardrail::MaxRemovals,
                RawRail::MinAdmins => Guardrail::MinAdmins,
            })
            .collect();
        if named.is_empty() {
            self.invalid(
                rails_mark,
                "The exception names no guardrail.".to_owned(),
                "Name the guardrails that the plan breaks, such as `[max_removals]`.",
            );
        }
        let reason = self.text(reason)?;
        Some(Exception { place: self.place(mark), plan: plan?, guardrails, until: until?, reason })
    }

    fn removals(&mut self, Field { mark, value }: Field<RawRemovals>) -> Option<Removals> {
        let by_kind = match value? {
            RawRemovals::Each(limit) => {
                return self.limit(Field { mark, value: Some(limit) }).map(Removals::same_for_each);
            }
            RawRemovals::ByKind(by_kind) => *by_kind,
        };
        let RawByKind { teams, roles, users, keys, share, at_least } = by_kind;
        let by_kind = [(Kind::Team, teams), (Kind::Role, roles), (Kind::User, users), (Kind::Key, keys)];
        if share.is_some() || at_least.is_some() {
            if by_kind.iter().any(|(_, field)| field.is_some()) {
                let message =
                    "`max_removals` has one limit for all, and limits for single collections.".to_owned();
                self.invalid(mark, message, "Write a limit for each collection, or one limit for all of them.");
                return None;
            }
            let limit = Some(RawLimit::Share(RawShare { share, at_least }));
            return self.limit(Field { mark, value: limit }).map(Removals::same_for_each);
        }
        let mut limits = BTreeMap::new();
        for (kind, field) in by_kind {
            let Some(field) = field else { continue };
            if !self.rules.capabilities().kinds.contains(&kind) {
                let message =
                    format!("rolecall manages no {}s on {}.", kind.as_str(), self.rules.capabilities().provider);
                self.invalid(field.mark, message, "Remove the line.");
                continue;
            }
            limits.extend(self.limit(field).map(|limit| (kind, limit)));
        }
        Some(Removals::new(limits))
    }

    fn limit(&mut self, field: Field<RawLimit>) -> Option<Limit> {
        limit(field, self.source, &mut self.findings)
    }
}

/// Checks a limit on removals.
pub fn limit(
    Field { mark, value }: Field<RawLimit>,
    sources: Sources<'_>,
    findings: &mut Vec<Finding>,
) -> Option<Limit> {
    let mut invalid = |mark, message: String, hint: &str| {
        findings.push(Finding::error(Code::InvalidValue, sources.place(mark), message).hint(hint));
    };
    let RawShare { share, at_least } = match value? {
        RawLimit::Share(share) => share,
        RawLimit::Text(text) => {
            let limit = text.parse();
            if limit.is_err() {
                invalid(
                    mark,
                    format!("{} is not a limit.", quote(&text)),
                    "Write a percentage such as `25%`, or a number.",
                );
            }
            return limit.ok();
        }
    };
    let Some(share) = share else {
        invalid(mark, "The limit lacks `share`.".to_owned(), "Write `{ share: 25%, at_least: 3 }`, or a number.");
        return None;
    };
    let PercentText(text) = share.value?;
    let Ok(Limit::Share { percent, at_least: one }) = text.parse() else {
        let is_number = text.parse::<u8>().is_ok_and(|number| number <= 100);
        let example = if is_number { format!("{text}%") } else { "25%".to_owned() };
        let hint = format!("Write a percentage such as `{example}`.");
        invalid(share.mark, format!("{} is not a share.", quote(&text)), &hint);
        return None;
    };
    let at_least = match at_least {
        Some(field) => field.value? as usize,
        None => one,
    };
    Some(Limit::Share { percent, at_least })
}
