//! The head of a new file: everything that says which organisation it describes and how to reach it.

use super::super::write::{Yaml, section};

/// The head of a platform's files, for an organisation that has no file yet.
#[derive(Debug)]
pub struct Head {
    /// The text, with comments for people. `{organization}`, `{endpoint}` and `{host}` stand for values.
    pub text: &'static str,
    /// The endpoints that the vendor documents. One of several must be chosen. There is none if the URL is a secret
    /// that stands in an environment variable.
    pub endpoints: &'static [&'static str],
}

/// The reason why a head can't be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// The vendor documents several endpoints, and none was chosen.
    NoEndpoint(&'static [&'static str]),
    /// The file of this platform can't contain the URL.
    SecretEndpoint,
}

impl Head {
    /// Returns the text for an organisation. `any_endpoint`: without an endpoint, take the first one. The sandbox
    /// has none of its own.
    pub fn text(
        &self,
        organization: &str,
        endpoint: Option<&str>,
        any_endpoint: bool,
    ) -> Result<String, HeadError> {
        let endpoint = match (endpoint, self.endpoints) {
            (Some(_), []) => return Err(HeadError::SecretEndpoint),
            (Some(endpoint), _) => endpoint,
            (None, []) => "",
            (None, [only]) => only,
            (None, [first, ..]) if any_endpoint => first,
            (None, several) => return Err(HeadError::NoEndpoint(several)),
        };
        let after_scheme = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
        let host = after_scheme.split(['/', ':']).next().unwrap_or_default();
        let values = [("{organization}", organization), ("{endpoint}", endpoint), ("{host}", host)];
        // All at once, so that no value is searched for the name of another.
        let mut text = String::new();
        let mut rest = self.text;
        while let Some((at, (name, value))) =
            values.iter().filter_map(|value| Some((rest.find(value.0)?, value))).min_by_key(|(at, _)| *at)
        {
            text.push_str(&rest[..at]);
            let written = section("x", &Yaml::text(value));
            text.push_str(written.strip_prefix("x:").unwrap_or(&written).trim());
            rest = &rest[at + name.len()..];
        }
        text.push_str(rest);
        Ok(text)
    }
}
