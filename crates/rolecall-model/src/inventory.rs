//! The [`Inventory`]: things that a drift report lists and that rolecall doesn't manage.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Address, Expiry};

/// Things that a drift report lists and that rolecall sees but doesn't manage: apps, organisations without a file,
/// and the expiry dates of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inventory {
    /// Apps of the organisation, sorted by owner and name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apps: Vec<App>,
    /// Organisations that the credential can read and that no file describes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub organizations: Vec<String>,
    /// The expiry of each working key, if the platform shows it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expiring: BTreeMap<Address, Expiry>,
}

/// An app that calls APIs through the platform.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct App {
    /// The team or the user that owns the app.
    pub owner: String,
    pub name: String,
    /// The app's id at the platform.
    pub id: String,
    /// The app's keys. Absent if they were not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<AppKey>>,
}

/// A key of an app. Its value is never read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct AppKey {
    pub name: String,
    /// The type of the key, such as `RAPIDAPI` or `OAUTH2`.
    #[serde(rename = "type")]
    pub kind: String,
}
