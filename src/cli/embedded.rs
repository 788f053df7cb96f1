//! Runs with `--sandbox`: the embedded server over real HTTP, on a free port of loopback.

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
use super::exit::{Failure, sentence};
use rolecall_engine::apply::Deliveries;
use rolecall_engine::ledger::archive_path;
use rolecall_model::{Desired, Endpoint, Place, Placed, ProviderName, RemoteId, SANDBOX_HOST};
use rolecall_providers::Secrets;
use rolecall_sandbox::{AnySandbox, Store, definition, serve};

/// The folder of everything that the sandbox keeps.
pub(super) const FOLDER: &str = ".rolecall/sandbox";

/// Opens the world of an organisation. `reset`: restore its first state, and delete its ledgers, deliveries and
/// caches.
pub(super) fn open(
    provider: ProviderName,
    organization: &RemoteId,
    reset: bool,
) -> Result<Arc<dyn AnySandbox>, Failure> {
    let store = Store::in_folder(Path::new(FOLDER), provider, organization)
        .map_err(|why| Failure::error(sentence(why)).hint("Write one of these as `organization`."))?;
    let sandbox =
        rolecall_sandbox::open(provider, organization, store).map_err(|why| Failure::error(sentence(why)))?;
    if reset {
        let world = definition(provider).world_name(organization);
        let seeds = definition(provider).seeds.iter().map(|seed| RemoteId::seen(*seed));
        for other in seeds.filter(|seed| definition(provider).world_name(seed) == world) {
            forget(provider, &other);
        }
        forget(provider, organization);
        let _ = std::fs::remove_dir_all(Path::new(FOLDER).join("cache"));
        sandbox.reset().map_err(|why| Failure::error(sentence(why)))?;
    }
    // Without a change, it just reads its world, or writes it if there is none yet. Requests could only tell that it failed.
    sandbox.set(&[]).map_err(|why| Failure::error(sentence(why)))?;
    Ok(Arc::from(sandbox))
}

/// Deletes the ledger and the deliveries of an organisation, because they belong to the world before a reset.
fn forget(provider: ProviderName, organization: &RemoteId) {
    let ledger = ledger_path(Path::new(FOLDER), provider, organization);
    let _ = std::fs::remove_file(archive_path(&ledger));
    let _ = std::fs::remove_file(ledger);
    let _ = std::fs::remove_dir_all(delivered(organization));
}

/// Opens what one server serves: the organisation, or otherwise the provider's first one with all others at the
/// same endpoint. Returns the id of the first, too.
pub(super) fn open_all(
    provider: ProviderName,
    organization: Option<&str>,
    reset: bool,
) -> Result<(RemoteId, Arc<dyn AnySandbox>), Failure> {
    let seeds = definition(provider).seeds;
    let first = RemoteId::seen(organization.or(seeds.first().copied()).unwrap_or_default());
    let served = open(provider, &first, reset)?;
    let Some(join) = definition(provider).join.filter(|_| organization.is_none()) else {
        return Ok((first, served));
    };
    let mut others = Vec::new();
    for seed in seeds.iter().filter(|seed| **seed != first.as_str()) {
        others.push(((*seed).to_owned(), open(provider, &RemoteId::seen(*seed), reset)?));
    }
    Ok((first, join(served, others)))
}

/// Returns the credentials of a provider's seeds.
pub(super) fn own_secrets(provider: ProviderName) -> Secrets {
    Secrets::new(
        (definition(provider).own_credentials)()
            .into_iter()
            .map(|(name, secret)| (name, SecretString::from(secret))),
    )
}

/// Returns the smallest file for a provider's seed, as if it had been loaded.
pub(super) fn sandbox_desired(provider: ProviderName, organization: &RemoteId) -> Desired {
    let place = Place::start_of("the sandbox");
    let organization = Placed { value: organization.clone(), place: place.clone() };
    let endpoint = Placed { value: Endpoint::Url(String::new()), place: place.clone() };
    within(Desired::of(provider, place, organization, endpoint, BTreeMap::new()))
}

/// Returns the desired state with the host name that the sandbox expects.
fn within(desired: Desired) -> Desired {
    let host = definition(desired.provider)
        .gateway_host
        .map(|host| Placed { value: host.to_owned(), place: desired.place.clone() });
    Desired { host, ..desired }
}

/// Returns the folder to which the sandbox delivers secrets.
fn delivered(organization: &RemoteId) -> PathBuf {
    Path::new(FOLDER).join("delivered").join(file_name(organization))
}

/// The length of a minute of the sandbox's rate limits. It is short, so that trying things out doesn't take long.
const MINUTE: Duration = Duration::from_secs(1);

/// Starts the sandbox of the organisation's world, unless it is running, and connects to it.
pub(super) async fn connect(
    desired: &Desired,
    connection: &Connection,
    pool: &ConnectionPool,
    resume: bool,
) -> Result<Connected, Failure> {
    let provider = desired.provider;
    let world = definition(provider).world_name(&desired.organization).unwrap_or(desired.organization.as_str());
    let start = async || {
        let sandbox = open(provider, &desired.organization, connection.reset)?;
        let switch = definition(provider).minute_switch;
        let switches: Vec<String> = switch.iter().map(|name| format!("{name}={}", MINUTE.as_millis())).collect();
        if !switches.is_empty() {
            sandbox.set(&switches).map_err(|why| Failure::error(sentence(why)))?;
        }
        let failed = |why: std::io::Error| Failure::error(format!("The sandbox can't listen on a port: {why}."));
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        tokio::spawn(serve(sandbox, listener));
        Url::parse(&format!("http://{address}{}", definition(provider).path))
            .map_err(|why| Failure::error(sentence(why)))
    };
    let endpoint = pool.sandbox(&format!("{provider}-{world}"), start).await?;
    let config = ConnectionConfig {
        secrets: own_secrets(desired.provider),
        site: site(SANDBOX_HOST, &endpoint, rolecall_providers::rules(desired.provider)),
        endpoint,
        extra_ca: None,
        folder: Path::new(FOLDER),
        deliveries: Deliveries { below: Some(delivered(&desired.organization)), ..Deliveries::default() },
        minute: MINUTE,
        world: Some(format!("{provider}-{world}")),
        resume,
    };
    config.open(&within(desired.clone()), connection, pool)
}
