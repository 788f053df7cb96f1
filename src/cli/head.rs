//! An organisation that has no file yet: `PROVIDER ORGANISATION` on the command line.

use std::path::Path;

use super::exit::Failure;
use rolecall_config::{HeadError, Loaded, load_text};
use rolecall_model::{ProviderName, list_of, nearest, quote};

/// Returns the provider and the organisation, if two words name them. A file or a folder with the first name wins.
pub(super) fn named<'a>(words: &[&'a Path]) -> Option<(ProviderName, &'a str)> {
    let [provider, organization] = words else { return None };
    let name = ProviderName::parse(provider.to_str()?)?;
    (!provider.exists()).then_some((name, organization.to_str()?))
}

/// Returns the text of the smallest file for an organisation. It names credentials and the endpoint, and lists nobody.
pub(super) fn text(
    provider: ProviderName,
    organization: &str,
    endpoint: Option<&str>,
    sandbox: bool,
) -> Result<String, Failure> {
    let head = &rolecall_providers::format(provider).head;
    head.text(organization, endpoint, sandbox).map_err(|error| match error {
        HeadError::NoEndpoint(endpoints) => {
            Failure::error(format!("`{provider}` has several endpoints, and none is named."))
                .hint(format!("Name one with `--endpoint`. The vendor documents {}.", list_of(endpoints, "and")))
        }
        HeadError::SecretEndpoint => {
            Failure::error(format!("The endpoint of `{provider}` is a secret, so a file can't contain it."))
                .hint("Leave out `--endpoint`. The file names an environment variable that holds the URL.")
        }
    })
}

/// Loads the smallest file for an organisation. Findings show it by the name of the organisation.
pub(super) fn load(provider: ProviderName, organization: &str, text: &str) -> Loaded {
    load_text(&format!("{provider} {organization}"), text, rolecall_providers::format)
}

/// Returns the provider with this name.
pub(super) fn provider(word: &str) -> Result<ProviderName, Failure> {
    ProviderName::parse(word).ok_or_else(|| {
        let names: Vec<&str> = ProviderName::ALL.iter().map(|name| name.as_str()).collect();
        let near = nearest(word, names.iter().copied()).map(|near| format!("Did you mean `{near}`? "));
        Failure::error(format!("There is no provider {}.", quote(word))).hint(format!(
            "{}The providers are {}.",
            near.unwrap_or_default(),
            list_of(&names, "and")
        ))
    })
}
