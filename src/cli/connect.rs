//! Connects to the organisation that a file describes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use url::Url;

use super::Connection;
use super::connection_pool::tell_stored;
use super::connection_pool::{ConnectionPool, PlatformConnection};
use super::credential;
use super::exit::{Failure, sentence};
use super::files;
use rolecall_config::is_loopback;
use rolecall_engine::apply::{Deliveries, sign_in};
use rolecall_engine::ledger::{LedgerError, LedgerHome, OrganizationLock};
use rolecall_graphql::storage::{Cache, private};
use rolecall_graphql::{
    Backoff, ClientSettings, Context, Contexts, HttpSettings, Quota, Quotas, Reader, Redactor, Transport,
};
use rolecall_model::{Code, Desired, Finding, ProviderName, Quirk, RemoteId, Rules, SignIn, Site};
use rolecall_providers::{Provider, Secrets};

/// The name and version of rolecall, as platforms and plans get it.
pub(super) const GENERATOR: &str = concat!("rolecall/", env!("CARGO_PKG_VERSION"));

/// The folder of everything that is kept between runs.
pub(super) const FOLDER: &str = ".rolecall";

/// The connection to one organisation.
pub(super) struct Connected {
    pub provider: &'static dyn Provider,
    pub transport: Arc<dyn Transport>,
    pub reader: Reader,
    pub redactor: Redactor,
    pub backoff: Backoff,
    pub quotas: Arc<Quotas>,
    /// The key that rolecall signs in with, as far as the credential tells.
    pub caller: SignIn,
    pub site: Site,
    /// Whether the platform is reached over TLS.
    pub is_encrypted: bool,
    /// The folder of everything that is kept between runs.
    folder: PathBuf,
    /// The name of the sandbox's world. `None` for a platform.
    world: Option<String>,
    pub ledger: LedgerHome,
    pub deliveries: Deliveries,
    /// This machine's part of the rate limit, if the platform has one.
    pub quota: Option<Quota>,
    /// The cache between runs, for platforms with a rate limit.
    pub cache: Option<Cache>,
    /// A digest of the endpoint and of everything that is sent with each request. On platforms whose requests
    /// don't name the organisation, equal digests mean the same organisation.
    pub credential_fingerprint: [u8; 32],
    /// A digest of the endpoint and the host. An id means the same entity for every credential of one platform.
    pub platform: [u8; 32],
}

impl Connected {
    /// Returns everything that an apply on this organisation may hold locked: its ledger all the time, and the lock of the
    /// organisation while it sends.
    pub fn locks(&self, id: &RemoteId) -> Vec<LedgerHome> {
        std::iter::once(self.ledger.clone()).chain(self.lock_files(id).into_iter().map(LedgerHome::File)).collect()
    }

    /// Returns the places of the lock of an organisation, the best first.
    fn lock_files(&self, id: &RemoteId) -> Vec<PathBuf> {
        if let Some(world) = &self.world {
            // Each folder has a sandbox of its own.
            return vec![self.folder.join(format!("cache/{world}.lock"))];
        }
        let provider = self.provider.capabilities().provider;
        let name = format!("{provider}-{}-{}.lock", short_digest(&self.platform), file_name(id));
        user_folders().iter().map(|folder| folder.join(&name)).collect()
    }

    /// Acquires the lock that an apply holds on an organisation. Applies in other folders of this machine have to
    /// find it, so it is in a folder of the user. The id names the organisation, because files may use its slug.
    pub fn lock(&self, id: &RemoteId) -> Result<OrganizationLock, LedgerError> {
        let mut failed = None;
        for file in self.lock_files(id) {
            match OrganizationLock::acquire(&file) {
                Err(why @ LedgerError::Io { .. }) if self.world.is_none() => failed = Some(why),
                locked => return locked,
            }
        }
        Err(failed.unwrap_or_else(|| LedgerError::Io {
            path: "the lock of the organisation".to_owned(),
            why: io::Error::other("there is no folder for it: set HOME or XDG_RUNTIME_DIR"),
        }))
    }
}

/// Returns the folders of this user that every process of the user finds, the best first. The folder of the session
/// isn't the first, because a scheduled job has none.
fn user_folders() -> Vec<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    let mut folders: Vec<PathBuf> =
        state.into_iter().chain(absolute("XDG_RUNTIME_DIR")).map(|folder| folder.join("rolecall")).collect();
    folders.extend(temporary_folder());
    folders
}

/// Returns a folder of this user among the temporary files. Everybody can create folders there, so it is only used
/// if it belongs to this user alone.
#[cfg(unix)]
fn temporary_folder() -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let user = tempfile::tempfile().and_then(|file| file.metadata()).ok()?.uid();
    let folder = std::env::temp_dir().join(format!("rolecall-{user}"));
    private::create_folder(&folder).ok()?;
    let found = std::fs::symlink_metadata(&folder).ok()?;
    (found.is_dir() && found.uid() == user && found.mode() & 0o777 == 0o700).then_some(folder)
}

#[cfg(not(unix))]
fn temporary_folder() -> Option<PathBuf> {
    // There, each user has a folder of temporary files.
    Some(std::env::temp_dir().join("rolecall"))
}

/// Opens the connection that the file describes.
pub(super) async fn connect(
    desired: &Desired,
    connection: &Connection,
    pool: &ConnectionPool,
    resume: bool,
) -> Result<Connected, Failure> {
    let provider = rolecall_providers::of(desired.provider);
    let endpoint = credential::endpoint(desired, provider.rules());
    let endpoint = match credential::host(desired, provider.rules()) {
        Ok(()) => endpoint.map_err(|finding| vec![finding]),
        Err(untrusted) => Err(endpoint.err().into_iter().chain([untrusted]).collect()),
    };
    let secrets = match &endpoint {
        // The credential is not even looked up if the host is not trusted with it.
        Ok(_) => credential::credentials(desired, connection.commands).await,
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
    let config = ConnectionConfig {
        site: site(&host, &endpoint, provider.rules()),
        endpoint,
        secrets,
        extra_ca: extra_ca(connection)?,
        folder: Path::new(FOLDER),
        deliveries: Deliveries {
            allow_commands: connection.commands.allow_commands,
            below: None,
            timeout: connection.timeout(),
        },
        minute: Duration::from_secs(60),
        world: None,
        resume,
    };
    config.open(desired, connection, pool)
}

/// Opens the connection to the embedded sandbox.
#[cfg(feature = "sandbox")]
pub(super) async fn sandbox(
    desired: &Desired,
    connection: &Connection,
    pool: &ConnectionPool,
    resume: bool,
) -> Result<Connected, Failure> {
    super::embedded::connect(desired, connection, pool, resume).await
}

/// Fails, because there is no sandbox.
#[cfg(not(feature = "sandbox"))]
pub(super) async fn sandbox(
    _: &Desired,
    _: &Connection,
    _: &ConnectionPool,
    _: bool,
) -> Result<Connected, Failure> {
    Err(Failure::error("This rolecall was built without the sandbox.").hint("Build it with the default features."))
}

/// The parts of a connection, to a platform or to the sandbox.
pub(super) struct ConnectionConfig<'a> {
    pub endpoint: Url,
    pub secrets: Secrets,
    pub site: Site,
    pub extra_ca: Option<Vec<u8>>,
    /// The folder of ledgers and caches.
    pub folder: &'a Path,
    pub deliveries: Deliveries,
    /// The length of a minute of rate limits. The sandbox has a shorter one.
    pub minute: Duration,
    /// The name of the sandbox's world and of its cache files. `None` for a platform: there, the names come from the
    /// platform and the credential.
    pub world: Option<String>,
    /// Whether this run continues an interrupted read of an earlier one.
    pub resume: bool,
}

impl ConnectionConfig<'_> {
    /// Opens the connection, or returns the one that this run has opened before.
    pub fn open(
        self,
        desired: &Desired,
        connection: &Connection,
        pool: &ConnectionPool,
    ) -> Result<Connected, Failure> {
        let Self { endpoint, secrets, site, extra_ca, folder, deliveries, minute, world, resume } = self;
        let provider = rolecall_providers::of(desired.provider);
        let contexts = provider.headers(&secrets, desired).map_err(|unfit| {
            let place = desired.credentials.get(unfit.name).map_or(&desired.place, |credential| &credential.place);
            let finding = Finding::error(Code::UnfitCredential, place.clone(), unfit.why).hint(unfit.hint);
            Failure::findings(vec![finding])
        })?;
        let (credential_fingerprint, platform) =
            (credential_fingerprint(&endpoint, &contexts), platform(&endpoint, desired));
        let hidden = if provider.has(Quirk::SecretPath) { secret_parts(&endpoint) } else { Vec::new() };
        let is_encrypted = endpoint.scheme() == "https";
        let settings = HttpSettings {
            client: ClientSettings {
                // Requests to loopback skip the proxy. Plain HTTP is allowed for them only because they don't
                // leave the machine.
                direct: endpoint.host_str().is_some_and(is_loopback),
                user_agent: GENERATOR.to_owned(),
                timeout: connection.timeout(),
                extra_ca,
            },
            endpoint,
            contexts,
        };
        let quota = provider.budget(desired).map(|quota| pool.share(quota)).map(|quota| {
            let scale = minute.as_secs_f64() / 60.0;
            Quota { window: quota.window.mul_f64(scale), ..quota }
        });
        let limited = quota.map(|quota| {
            let name =
                |digest| world.clone().unwrap_or_else(|| format!("{}-{}", desired.provider, short_digest(digest)));
            let names = (name(&platform), name(&credential_fingerprint));
            (quota, Cache::new(folder.join("cache"), names.0, names.1, tell_stored))
        });
        let opened = pool
            .open(credential_fingerprint, settings, limited, resume)
            .map_err(|why| Failure::error(sentence(why)))?;
        let PlatformConnection { transport, quotas, run_cache, cache, checkpoint } = opened;
        let caller = sign_in(provider, &secrets);
        let redactor = Redactor::new(secrets.all().chain(hidden));
        let backoff = Backoff::with_seed(seed());
        let mut reader = Reader::new(transport.clone(), redactor.clone(), backoff).with_run_cache(run_cache);
        if let Some(cache) = &cache {
            reader = reader.with_response_cache(Arc::new(cache.clone()));
        }
        if let Some(checkpoint) = checkpoint {
            reader = reader.with_checkpoint(checkpoint);
        }
        let ledger = ledger_of(folder, desired, connection)?;
        Ok(Connected {
            provider,
            transport,
            reader,
            redactor,
            backoff,
            quotas,
            caller,
            site,
            is_encrypted,
            folder: folder.to_owned(),
            world,
            ledger,
            deliveries,
            quota,
            cache,
            credential_fingerprint,
            platform,
        })
    }
}

/// Returns the digest of an endpoint and of the headers of every context.
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

/// Returns the digest of an endpoint and the host that a gateway passes requests on to.
fn platform(endpoint: &Url, desired: &Desired) -> [u8; 32] {
    let host = desired.host.as_ref().map_or("", |host| &host.value);
    Sha256::new()
        .chain_update(endpoint.as_str())
        .chain_update([0])
        .chain_update(host.to_lowercase())
        .finalize()
        .into()
}

/// Returns the first 8 bytes of a digest in hex, for names of files.
fn short_digest(digest: &[u8; 32]) -> String {
    let shown = digest.first_chunk().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(shown))
}

/// Returns what must not be shown of an endpoint with a secret path: the path as a whole, and its parts. Parts
/// that every such path has are not secret.
fn secret_parts(endpoint: &Url) -> Vec<SecretString> {
    let path = endpoint.path();
    let parts = path.split('/').filter(|part| !matches!(*part, "api" | "graphql"));
    std::iter::once(path).chain(parts).map(SecretString::from).collect()
}

/// Reads the file of `--ca-file`.
pub(super) fn extra_ca(connection: &Connection) -> Result<Option<Vec<u8>>, Failure> {
    let Some(path) = &connection.ca_file else { return Ok(None) };
    files::read_text(path).map(|text| Some(text.into_bytes()))
}

/// Returns what may be shown of an endpoint. If the path is secret, this is a short digest of it, which is enough
/// to see that the path has changed, and too short to find a random token from it.
pub(super) fn site(host: &str, endpoint: &Url, rules: &dyn Rules) -> Site {
    let path_digest = rules.has(Quirk::SecretPath).then(|| {
        let digest = Sha256::digest(endpoint.path().as_bytes());
        let shown = digest.first_chunk().copied().unwrap_or_default();
        format!("{:08x}", u32::from_be_bytes(shown))
    });
    Site { host: host.to_owned(), path_digest }
}

/// Returns the path of an organisation's ledger below a folder.
pub(super) fn ledger_path(folder: &Path, provider: ProviderName, organization: &RemoteId) -> PathBuf {
    folder.join("ledger").join(format!("{}.jsonl", ledger_name(provider, organization)))
}

/// Returns the name of an organisation's ledger.
fn ledger_name(provider: ProviderName, organization: &RemoteId) -> String {
    format!("{provider}-{}", file_name(organization))
}

/// Returns the ledger of this run: the one of `--ledger`, or else the organisation's own below a folder.
pub(super) fn ledger_of(folder: &Path, desired: &Desired, connection: &Connection) -> Result<LedgerHome, Failure> {
    match &connection.ledger {
        Some(place) => place.home(&ledger_name(desired.provider, &desired.organization), connection),
        None => Ok(LedgerHome::File(ledger_path(folder, desired.provider, &desired.organization))),
    }
}

/// Returns an organisation's id with only characters that are safe in the name of a file.
pub(super) fn file_name(organization: &RemoteId) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    organization.as_str().chars().map(safe).collect()
}

/// Returns a seed that differs from run to run. It is for the jitter of retries only.
fn seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(std::process::id()) ^ u64::from(since.subsec_nanos())
}
