//! From a file to a connection with what it describes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use url::Url;

use super::Connection;
use super::cache::Cache;
use super::connection_pool::{ConnectionPool, PlatformConnection};
use super::credential;
use super::exit::Failure;
use super::files;
use rolecall_config::is_loopback;
use rolecall_engine::apply::Deliveries;
use rolecall_graphql::{
    Backoff, ClientSettings, Context, Contexts, HttpSettings, Quota, Quotas, Reader, Redactor, Transport,
};
use rolecall_model::{Code, Desired, Finding, ProviderName, RemoteId, Rules, Site};
use rolecall_providers::{Provider, Secrets};

/// What we call ourselves, to platforms and in plans.
pub(super) const GENERATOR: &str = concat!("rolecall/", env!("CARGO_PKG_VERSION"));

/// A way to one organisation.
pub(super) struct Connected {
    pub provider: &'static dyn Provider,
    pub transport: Arc<dyn Transport>,
    pub reader: Reader,
    pub redactor: Redactor,
    pub backoff: Backoff,
    pub quotas: Arc<Quotas>,
    /// The key that we call with, where the credential tells.
    pub caller: Option<RemoteId>,
    pub site: Site,
    /// Where all that is kept is.
    pub folder: PathBuf,
    pub ledger: PathBuf,
    pub deliveries: Deliveries,
    /// What is kept between runs, where requests are few.
    pub cache: Option<Cache>,
    /// Of the endpoint and all that is sent with each request: what is the same there reaches the same organisation,
    /// where nothing else names it.
    pub credential_fingerprint: [u8; 32],
    /// Of the endpoint and the host alone: whatever the credential, an id means the same there.
    pub platform: [u8; 32],
}

impl Connected {
    /// What stands for an organisation, by its own id, while it is changed.
    pub fn lock_of(&self, provider: ProviderName, id: &RemoteId) -> PathBuf {
        self.folder.join("cache").join(format!("{provider}-{}-{}.lock", shown(&self.platform), file_name(id)))
    }
}

/// Opens the way that the file describes.
pub(super) async fn connect(
    desired: &Desired,
    connection: &Connection,
    lines: &ConnectionPool,
    resume: bool,
) -> Result<Connected, Failure> {
    let provider = rolecall_providers::of(desired.provider);
    let endpoint = credential::endpoint(desired, provider.rules());
    let endpoint = match credential::host(desired, provider.rules()) {
        Ok(()) => endpoint.map_err(|finding| vec![finding]),
        Err(untrusted) => Err(endpoint.err().into_iter().chain([untrusted]).collect()),
    };
    let secrets = match &endpoint {
        // A credential is not even looked up for a host that may not see it.
        Ok(_) => credential::credentials(desired, connection.allow_commands).await,
        Err(_) => Ok(Secrets::default()),
    };
    let (endpoint, secrets) = match (endpoint, secrets) {
        (Ok(endpoint), Ok(secrets)) => (endpoint, secrets),
        (endpoint, secrets) => {
            let findings = endpoint.err().into_iter().chain(secrets.err()).flatten().collect();
            return Err(Failure::findings(findings));
        }
    };
    let host = endpoint.host_str().unwrap_or_default().to_lowercase();
    let way = ConnectionConfig {
        site: site(&host, &endpoint, provider.rules()),
        endpoint,
        secrets,
        extra_ca: extra_ca(connection)?,
        folder: Path::new(".rolecall"),
        deliveries: Deliveries { allow_commands: connection.allow_commands, below: None },
        minute: Duration::from_secs(60),
        cache: None,
        resume,
    };
    way.open(desired, connection, lines)
}

/// What a connection is made of, be it to a vendor or to the sandbox.
pub(super) struct ConnectionConfig<'a> {
    pub endpoint: Url,
    pub secrets: Secrets,
    pub site: Site,
    pub extra_ca: Option<Vec<u8>>,
    /// Where ledgers are kept.
    pub folder: &'a Path,
    pub deliveries: Deliveries,
    /// How long a minute is: the sandbox's is shorter.
    pub minute: Duration,
    /// What is kept between runs is called so. None: after what reaches the platform.
    pub cache: Option<String>,
    /// Does this run go on where an earlier read broke off?
    pub resume: bool,
}

impl ConnectionConfig<'_> {
    pub fn open(
        self,
        desired: &Desired,
        connection: &Connection,
        lines: &ConnectionPool,
    ) -> Result<Connected, Failure> {
        let Self { endpoint, secrets, site, extra_ca, folder, deliveries, minute, cache, resume } = self;
        let provider = rolecall_providers::of(desired.provider);
        let contexts = provider.headers(&secrets, desired).map_err(|unfit| {
            let place = desired.credentials.get(unfit.name).map_or(&desired.place, |credential| &credential.place);
            let finding = Finding::error(Code::UnfitCredential, place.clone(), unfit.why).hint(unfit.hint);
            Failure::findings(vec![finding])
        })?;
        let (credential_fingerprint, platform) =
            (credential_fingerprint(&endpoint, &contexts), platform(&endpoint, desired));
        let hidden = if provider.has_secret_path() { secret_parts(&endpoint) } else { Vec::new() };
        let settings = HttpSettings {
            client: ClientSettings {
                // Plain HTTP is allowed there because it doesn't leave the machine; through a proxy it would.
                direct: endpoint.host_str().is_some_and(is_loopback),
                user_agent: GENERATOR.to_owned(),
                timeout: connection.timeout(),
                extra_ca,
            },
            endpoint,
            contexts,
        };
        let quota = provider.budget(desired).map(|quota| {
            let scale = minute.as_secs_f64() / 60.0;
            Quota { window: quota.window.mul_f64(scale), ..quota }
        });
        let limited = quota.map(|quota| {
            let name = |digest| cache.clone().unwrap_or_else(|| format!("{}-{}", desired.provider, shown(digest)));
            (quota, Cache::new(folder, name(&platform), name(&credential_fingerprint)))
        });
        let line = lines.open(credential_fingerprint, settings, limited, resume).map_err(Failure::error)?;
        let PlatformConnection { transport, quotas, kept, cache, spool } = line;
        let caller = provider.own_key(&secrets);
        let redactor = Redactor::new(secrets.all().chain(hidden));
        let backoff = Backoff::with_seed(seed());
        let mut reader = Reader::new(transport.clone(), redactor.clone(), backoff).sharing(kept);
        if let Some(cache) = &cache {
            reader = reader.with_shelf(Arc::new(cache.clone()));
        }
        if let Some(spool) = spool {
            reader = reader.resuming(spool);
        }
        let own_ledger = || ledger_path(folder, desired.provider, &desired.organization);
        let ledger = connection.ledger.clone().unwrap_or_else(own_ledger);
        Ok(Connected {
            provider,
            transport,
            reader,
            redactor,
            backoff,
            quotas,
            caller,
            site,
            folder: folder.to_owned(),
            ledger,
            deliveries,
            cache,
            credential_fingerprint,
            platform,
        })
    }
}

fn credential_fingerprint(endpoint: &Url, contexts: &Contexts) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(endpoint.as_str());
    for (Context(context), headers) in contexts {
        digest.update([1]);
        digest.update(context);
        for (name, value) in headers {
            digest.update([0]);
            digest.update(name);
            digest.update([0]);
            digest.update(value.expose_secret());
        }
    }
    digest.finalize().into()
}

fn platform(endpoint: &Url, desired: &Desired) -> [u8; 32] {
    let host = desired.host.as_ref().map_or("", |host| &host.value);
    Sha256::new()
        .chain_update(endpoint.as_str())
        .chain_update([0])
        .chain_update(host.to_lowercase())
        .finalize()
        .into()
}

/// So much of a digest as tells it from others.
fn shown(digest: &[u8; 32]) -> String {
    let shown = digest.first_chunk().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(shown))
}

/// What of a secret path must not be shown, as a whole and in its parts. Words that all such paths have are none.
fn secret_parts(endpoint: &Url) -> Vec<SecretString> {
    let path = endpoint.path();
    let parts = path.split('/').filter(|part| !matches!(*part, "api" | "graphql"));
    std::iter::once(path).chain(parts).map(SecretString::from).collect()
}

pub(super) fn extra_ca(connection: &Connection) -> Result<Option<Vec<u8>>, Failure> {
    let Some(path) = &connection.ca_file else { return Ok(None) };
    files::read_text(path).map(|text| Some(text.into_bytes()))
}

/// What may be shown of an endpoint. Of a digest so much that another path is seen to be another; a token can't be found
/// from it, if it is one that can't be guessed.
pub(super) fn site(host: &str, endpoint: &Url, rules: &dyn Rules) -> Site {
    let path_digest = rules.has_secret_path().then(|| {
        let digest = Sha256::digest(endpoint.path().as_bytes());
        let shown = digest.first_chunk().copied().unwrap_or_default();
        format!("{:08x}", u32::from_be_bytes(shown))
    });
    Site { host: host.to_owned(), path_digest }
}

/// Where an organisation's ledger is kept below a folder.
pub(super) fn ledger_path(folder: &Path, provider: ProviderName, organization: &RemoteId) -> PathBuf {
    folder.join("ledger").join(format!("{provider}-{}.jsonl", file_name(organization)))
}

/// An organisation's id as a part of a file's name.
pub(super) fn file_name(organization: &RemoteId) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    organization.as_str().chars().map(safe).collect()
}

/// Different from run to run, for jitter only.
fn seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(std::process::id()) ^ u64::from(since.subsec_nanos())
}
