//! The settings that only RapidAPI has. `config` writes them into a [`Desired`], and the rest of this folder asks here.

use std::collections::BTreeMap;

use rolecall_config::parts::{Checker, Field};
use rolecall_model::{Desired, Setting, SettingValue};

const CHANGES_WITH: &str = "changes_with";
const REQUESTS_PER_MINUTE: &str = "requests_per_minute";
const SEVERAL_ROOT_FIELDS: &str = "several_root_fields";

/// Collects the settings that a file writes. Another key that sends changes needs a person's approval.
pub(super) fn collect(
    changes_with: Option<Field<&'static str>>,
    requests_per_minute: Option<Field<u32>>,
    several_root_fields: Option<Field<bool>>,
    check: &Checker<'_>,
) -> BTreeMap<&'static str, Setting> {
    let setting = |mark, value, sensitive| Setting { place: check.place(mark), value, sensitive };
    let key = changes_with
        .and_then(|Field { mark, value }| Some((CHANGES_WITH, setting(mark, SettingValue::Text(value?), true))));
    let requests = requests_per_minute.and_then(|Field { mark, value }| {
        Some((REQUESTS_PER_MINUTE, setting(mark, SettingValue::Number(value?), false)))
    });
    let several = several_root_fields.and_then(|Field { mark, value }| {
        value.filter(|several| *several)?;
        Some((SEVERAL_ROOT_FIELDS, setting(mark, SettingValue::Flag(true), false)))
    });
    key.into_iter().chain(requests).chain(several).collect()
}

/// Returns the name of the credential that sends changes, if the file chooses one.
pub(super) fn changes_with(desired: &Desired) -> Option<&'static str> {
    match desired.settings.get(CHANGES_WITH)?.value {
        SettingValue::Text(name) => Some(name),
        SettingValue::Flag(_) | SettingValue::Number(_) => None,
    }
}

/// Returns the number of requests that the hub accepts from one person in a minute, if the file says it.
pub(super) fn requests_per_minute(desired: &Desired) -> Option<usize> {
    match desired.settings.get(REQUESTS_PER_MINUTE)?.value {
        SettingValue::Number(number) => usize::try_from(number).ok(),
        SettingValue::Flag(_) | SettingValue::Text(_) => None,
    }
}

/// Returns whether the hub accepts queries with several root fields.
pub(super) fn has_several_root_fields(desired: &Desired) -> bool {
    desired.settings.contains_key(SEVERAL_ROOT_FIELDS)
}
