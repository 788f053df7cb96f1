//! What is there beside access, to be seen and not to be managed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Address, Expiry};

/// What a drift report says besides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inventory {
    /// Sorted by owner and name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apps: Vec<App>,
    /// Other organisations that the credential sees and no file names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub organizations: Vec<String>,
    /// When keys that work end, where the platform tells.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expiring: BTreeMap<Address, Expiry>,
}

/// What calls APIs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct App {
    /// The team or the person whose it is.
    pub owner: String,
    pub name: String,
    /// Its id at the platform.
    pub id: String,
    /// None: not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<AppKey>>,
}

/// A key of an app. Its value is never read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct AppKey {
    pub name: String,
    /// Such as `RAPIDAPI` or `OAUTH2`.
    #[serde(rename = "type")]
    pub kind: String,
}
