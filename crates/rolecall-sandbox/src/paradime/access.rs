//! Who calls, and what they may do.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_graphql::{Context, Error, Result};
use serde::{Deserialize, Serialize};

use super::super::{Headers, digest};
use super::world::World;

/// The pair that the documentation describes: the key is no secret.
pub const OWN_API_KEY: &str = "sandbox-own-key";
pub const OWN_API_SECRET: &str = "sandbox-own-secret";

/// A token of the workspace.
pub const OWN_WORKSPACE_TOKEN: &str = "prdm_wsp_sandbox-own-token";

/// A token of the company, which needs the header that chooses a workspace.
pub const OWN_COMPANY_TOKEN: &str = "prdm_cmp_sandbox-own-token";

// How Paradime's Python SDK 6.9.0 knows the tokens.
const OF_WORKSPACE: &str = "prdm_wsp_";
const OF_COMPANY: &str = "prdm_cmp_";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldCredential {
    pub name: String,
    pub kind: CredentialKind,
    /// Of the secret or the token, which nobody keeps.
    pub digest: String,
    pub capabilities: BTreeSet<Capability>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum CredentialKind {
    Pair { key: String },
    Workspace,
    Company,
}

/// As the page on API keys names them, as far as they concern users, workspaces and the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    UserManagementAdmin,
    UserMetadataViewer,
    WorkspaceMetadataViewer,
    AuditLogsViewer,
}

/// Whoever lists users.
pub const USERS: &[Capability] = &[Capability::UserManagementAdmin, Capability::UserMetadataViewer];

/// The page on workspaces asks for the capabilities of users, the page on keys has one of their own: either will do.
pub const WORKSPACES: &[Capability] =
    &[Capability::UserManagementAdmin, Capability::UserMetadataViewer, Capability::WorkspaceMetadataViewer];

pub const AUDIT_LOG: &[Capability] = &[Capability::AuditLogsViewer];

/// Whoever changes users.
pub const CHANGES: &[Capability] = &[Capability::UserManagementAdmin];

/// What rolecall's own credentials are in each seed.
pub(super) fn own_credentials() -> Vec<WorldCredential> {
    let pair = CredentialKind::Pair { key: OWN_API_KEY.to_owned() };
    [
        ("rolecall", pair, OWN_API_SECRET),
        ("rolecall-workspace", CredentialKind::Workspace, OWN_WORKSPACE_TOKEN),
        ("rolecall-company", CredentialKind::Company, OWN_COMPANY_TOKEN),
    ]
    .map(|(name, kind, secret)| WorldCredential {
        name: name.to_owned(),
        kind,
        digest: digest(secret),
        capabilities: [Capability::UserManagementAdmin, Capability::AuditLogsViewer].into(),
    })
    .to_vec()
}

/// Whoever sent a request.
pub struct Caller {
    capabilities: BTreeSet<Capability>,
    /// Something was asked for that needs another capability.
    refused: AtomicBool,
}

impl Caller {
    pub fn of(world: &World, headers: &Headers) -> Option<Self> {
        let found = match headers.get("authorization") {
            Some(shown) => by_token(world, shown, headers.get("x-paradime-workspace")),
            None => by_pair(world, headers.get("x-api-key")?, headers.get("x-api-secret")?),
        };
        let capabilities = found?.capabilities.clone();
        Some(Self { capabilities, refused: AtomicBool::new(false) })
    }

    pub fn was_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    fn require(&self, any_of: &[Capability]) -> Result<()> {
        if any_of.iter().any(|capability| self.capabilities.contains(capability)) {
            return Ok(());
        }
        self.refused.store(true, Ordering::Relaxed);
        Err(Error::new(LACKS))
    }
}

/// What a caller without the capability is told.
pub const LACKS: &str = "this API key lacks the capability";

pub fn require(context: &Context<'_>, any_of: &[Capability]) -> Result<()> {
    context.data::<Arc<Caller>>()?.require(any_of)
}

/// The clients send the workspace with the other kinds too, if they know one: there it says nothing.
fn by_token<'a>(world: &'a World, shown: &str, workspace: Option<&str>) -> Option<&'a WorldCredential> {
    let (scheme, token) = shown.split_once(' ')?;
    let kind = if token.starts_with(OF_COMPANY) && workspace == Some(&world.workspace.uid) {
        CredentialKind::Company
    } else if token.starts_with(OF_WORKSPACE) {
        CredentialKind::Workspace
    } else {
        return None;
    };
    let digest = digest(token);
    let fits = |it: &&WorldCredential| it.kind == kind && it.digest == digest;
    world.credentials.iter().find(fits).filter(|_| scheme.eq_ignore_ascii_case("bearer"))
}

/// Is this the token of a company, which reaches more than one workspace?
pub(super) fn is_of_company(headers: &Headers) -> bool {
    let shown = headers.get("authorization").and_then(|shown| shown.split_once(' '));
    shown.is_some_and(|(_, token)| token.starts_with(OF_COMPANY))
}

fn by_pair<'a>(world: &'a World, key: &str, secret: &str) -> Option<&'a WorldCredential> {
    let (kind, digest) = (CredentialKind::Pair { key: key.to_owned() }, digest(secret));
    world.credentials.iter().find(|it| it.kind == kind && it.digest == digest)
}
