//! The [`Definition`] of a platform's sandbox, as data: seeds, credentials, switches. Each platform has one in its folder.

use std::sync::Arc;

use serde_json::Value;

use super::{AnySandbox, Store, Switch};
use rolecall_model::{ProviderName, RemoteId};

/// Joins a sandbox and others, by the ids of their organisations.
pub type Join = fn(Arc<dyn AnySandbox>, Vec<(String, Arc<dyn AnySandbox>)>) -> Arc<dyn AnySandbox>;

/// The sandbox of one platform.
pub struct Definition {
    /// The ids of the organisations that it starts with.
    pub seeds: &'static [&'static str],
    /// The credentials that the seeds accept from rolecall: field names of a file, with their values.
    pub own_credentials: fn() -> Vec<(&'static str, &'static str)>,
    /// Other credentials of the seeds, as text for people.
    pub other_credentials: fn() -> String,
    /// The URL path of the endpoint.
    pub path: &'static str,
    /// The host name that the platform's gateway expects in a header, if it expects one.
    pub gateway_host: Option<&'static str>,
    /// The name of the world that all organisations share. `None` if each has its own.
    pub shared_world: Option<&'static str>,
    /// Puts the sandboxes of all organisations at one endpoint, if the platform does so although each has its own
    /// world. The first one is the default.
    pub join: Option<Join>,
    /// The switches, in the order in which help lists them.
    pub switches: &'static [Switch],
    /// Things that can happen in the world besides requests. `--set` takes events like switches.
    pub events: &'static [Switch],
    /// Returns the settings of the switches in a new world, as a JSON object by their names.
    pub defaults: fn() -> Value,
    /// The switch that says how many milliseconds a minute of the rate limit takes.
    pub minute_switch: Option<&'static str>,
    /// A query that shows something of a seed.
    pub sample_query: &'static str,
    /// Returns the newest schema in SDL.
    pub(crate) sdl: fn() -> String,
    /// Opens the sandbox of an organisation from its seed. `None` if the seed can't be read.
    pub(crate) open: fn(organization: &str, store: Store) -> Option<Box<dyn AnySandbox>>,
}

/// Returns the sandbox of a platform. This is the registry: a new platform gets a line here.
pub fn definition(name: ProviderName) -> &'static Definition {
    match name {
        ProviderName::Bitpanda => &super::bitpanda::DEFINITION,
        ProviderName::Hive => &super::hive::DEFINITION,
        ProviderName::Paradime => &super::paradime::DEFINITION,
        ProviderName::Rapidapi => &super::rapidapi::DEFINITION,
    }
}

impl Definition {
    /// Returns the name of the world that contains an organisation. `None` if no seed has the organisation.
    pub fn world_name<'a>(&self, organization: &'a RemoteId) -> Option<&'a str> {
        match self.shared_world {
            Some(shared) => Some(shared),
            None => self.seeds.contains(&organization.as_str()).then_some(organization.as_str()),
        }
    }
}
