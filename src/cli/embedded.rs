//! Runs with `--sandbox`: the embedded server over real HTTP, on a free port of the loopback.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::net::TcpListener;
use url::Url;

use super::Connection;
use super::connect::{Connected, ConnectionConfig, file_name, ledger_path, site};
use super::connection_pool::ConnectionPool;
use super::exit::Failure;
use rolecall_engine::apply::Deliveries;
use rolecall_model::{Desired, Endpoint, Place, Placed, ProviderName, RemoteId};
use rolecall_providers::Secrets;
use rolecall_sandbox::paradime::Company;
use rolecall_sandbox::{Served, Store, own_credentials, seed_names, serve};

/// Everything of the sandbox is below this folder.
pub(super) const FOLDER: &str = ".rolecall/sandbox";

/// The host that plans made here carry: they never apply elsewhere, nor the reverse.
const HOST: &str = "sandbox";

/// The world of an organisation, with what is kept of it.
pub(super) fn open(
    provider: ProviderName,
    organization: &RemoteId,
    reset: bool,
) -> Result<Arc<dyn Served>, Failure> {
    let store = Store::in_folder(Path::new(FOLDER), provider, organization)
        .map_err(|why| Failure::error(why.to_string()).hint("write one of these as `organization`"))?;
    let sandbox = rolecall_sandbox::open(provider, organization, store).map_err(Failure::error)?;
    if reset {
        let world = rolecall_sandbox::world_of(provider, organization);
        let seeds = seed_names(provider).iter().map(|seed| RemoteId::seen(*seed));
        for neighbour in seeds.filter(|seed| rolecall_sandbox::world_of(provider, seed) == world) {
            forget(provider, &neighbour);
        }
        forget(provider, organization);
        let _ = std::fs::remove_dir_all(Path::new(FOLDER).join("cache"));
        sandbox.reset().map_err(Failure::error)?;
    }
    Ok(Arc::from(sandbox))
}

/// Ledger and deliveries speak of a world that is gone.
fn forget(provider: ProviderName, organization: &RemoteId) {
    let _ = std::fs::remove_file(ledger_path(Path::new(FOLDER), provider, organization));
    let _ = std::fs::remove_dir_all(delivered(organization));
}

/// What one server has: the organisation, or the provider's first and whatever else is reached at the same endpoint.
pub(super) fn open_all(
    provider: ProviderName,
    organization: Option<&str>,
    reset: bool,
) -> Result<(RemoteId, Arc<dyn Served>), Failure> {
    let seeds = seed_names(provider);
    let first = RemoteId::seen(organization.or(seeds.first().copied()).unwrap_or_default());
    let served = open(provider, &first, reset)?;
    if provider != ProviderName::Paradime || organization.is_some() {
        return Ok((first, served));
    }
    let mut others = Vec::new();
    for seed in seeds.iter().filter(|seed| **seed != first.as_str()) {
        others.push(((*seed).to_owned(), open(provider, &RemoteId::seen(*seed), reset)?));
    }
    Ok((first, Arc::new(Company::new(served, others))))
}

/// What opens a provider's seeds.
pub(super) fn own_secrets(provider: ProviderName) -> Secrets {
    Secrets::new(own_credentials(provider).into_iter().map(|(name, secret)| (name, SecretString::from(secret))))
}

/// The least that can be said of a provider's seed.
pub(super) fn sandbox_desired(provider: ProviderName, organization: &RemoteId) -> Desired {
    let place = Place::start_of("the sandbox");
    let organization = Placed { value: organization.clone(), place: place.clone() };
    let endpoint = Placed { value: Endpoint::Url(String::new()), place: place.clone() };
    within(Desired::of(provider, place, organization, endpoint, BTreeMap::new()))
}

/// The desired as it is sent to the sandbox, which has a name of its own.
fn within(desired: Desired) -> Desired {
    let host = rolecall_sandbox::host(desired.provider)
        .map(|host| Placed { value: host.to_owned(), place: desired.place.clone() });
    Desired { host, ..desired }
}

/// Where secrets that were minted in the sandbox go.
fn delivered(organization: &RemoteId) -> PathBuf {
    Path::new(FOLDER).join("delivered").join(file_name(organization))
}

/// How long a minute of the sandbox's is, where something is limited in one: nobody wants to wait for a demonstration.
const MINUTE: Duration = Duration::from_secs(1);

pub(super) async fn connect(
    desired: &Desired,
    connection: &Connection,
    lines: &ConnectionPool,
    resume: bool,
) -> Result<Connected, Failure> {
    let provider = desired.provider;
    let world =
        rolecall_sandbox::world_of(provider, &desired.organization).unwrap_or(desired.organization.as_str());
    let start = async || {
        let sandbox = open(provider, &desired.organization, connection.reset)?;
        let switches = rolecall_sandbox::minute(provider, MINUTE);
        if !switches.is_empty() {
            sandbox.set(&switches).map_err(Failure::error)?;
        }
        let failed = |why: std::io::Error| Failure::error(format!("the sandbox can't listen: {why}"));
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        tokio::spawn(serve(sandbox, listener));
        Url::parse(&format!("http://{address}{}", rolecall_sandbox::path(provider)))
            .map_err(|why| Failure::error(why.to_string()))
    };
    let endpoint = lines.sandbox(&format!("{provider}-{world}"), start).await?;
    let way = ConnectionConfig {
        secrets: own_secrets(desired.provider),
        site: site(HOST, &endpoint, rolecall_providers::rules(desired.provider)),
        endpoint,
        extra_ca: None,
        folder: Path::new(FOLDER),
        deliveries: Deliveries { allow_commands: false, below: Some(delivered(&desired.organization)) },
        minute: MINUTE,
        cache: Some(format!("{provider}-{world}")),
        resume,
    };
    way.open(&within(desired.clone()), connection, lines)
}
