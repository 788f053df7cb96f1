//! Credentials, and the access of the caller.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::super::{Headers, digest};
use super::world::World;

/// The pair of key and secret that the documentation describes. Only the second is secret.
pub const OWN_API_KEY: &str = "sandbox-own-key";
pub const OWN_API_SECRET: &str = "sandbox-own-secret";

/// A token of one workspace.
pub const OWN_WORKSPACE_TOKEN: &str = "prdm_wsp_sandbox-own-token";

/// A token of the company. A header selects the workspace.
pub const OWN_COMPANY_TOKEN: &str = "prdm_cmp_sandbox-own-token";

// The prefixes by which Paradime's Python SDK 6.9.0 recognises tokens.
const WORKSPACE_PREFIX: &str = "prdm_wsp_";
const COMPANY_PREFIX: &str = "prdm_cmp_";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldCredential {
    pub name: String,
    pub kind: CredentialKind,
    /// The [`digest`] of the secret or the token, which isn't stored itself.
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

/// A capability of an API key, named as on the page about keys. Only those for users, workspaces and the audit log
/// exist here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    UserManagementAdmin,
    UserMetadataViewer,
    WorkspaceMetadataViewer,
    AuditLogsViewer,
}

/// The capabilities that allow listing users: any of these.
pub const LIST_USERS: &[Capability] = &[Capability::UserManagementAdmin, Capability::UserMetadataViewer];

/// The capabilities that allow listing workspaces. The page on workspaces asks for those of users and the page on
/// keys lists one of its own, so any of these is accepted.
pub const LIST_WORKSPACES: &[Capability] =
    &[Capability::UserManagementAdmin, Capability::UserMetadataViewer, Capability::WorkspaceMetadataViewer];

pub const READ_AUDIT_LOG: &[Capability] = &[Capability::AuditLogsViewer];

/// The capability that allows changing users.
pub const CHANGE_USERS: &[Capability] = &[Capability::UserManagementAdmin];

/// Returns rolecall's own credentials, which each seed accepts.
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

/// The sender of a request.
pub struct Caller {
    capabilities: BTreeSet<Capability>,
}

impl Caller {
    pub fn of(world: &World, headers: &Headers) -> Option<Self> {
        let found = match headers.get("authorization") {
            Some(shown) => by_token(world, shown, headers.get("x-paradime-workspace")),
            None => by_pair(world, headers.get("x-api-key")?, headers.get("x-api-secret")?),
        };
        Some(Self { capabilities: found?.capabilities.clone() })
    }

    pub fn has_one_of(&self, capabilities: &[Capability]) -> bool {
        capabilities.iter().any(|capability| self.capabilities.contains(capability))
    }
}

/// Finds the credential of a bearer token. Clients may send the workspace header with every kind of credential;
/// only a company token uses it.
fn by_token<'a>(world: &'a World, header: &str, workspace: Option<&str>) -> Option<&'a WorldCredential> {
    let (scheme, token) = header.split_once(' ')?;
    let kind = if token.starts_with(COMPANY_PREFIX) && workspace == Some(&world.workspace.uid) {
        CredentialKind::Company
    } else if token.starts_with(WORKSPACE_PREFIX) {
        CredentialKind::Workspace
    } else {
        return None;
    };
    let digest = digest(token);
    let fits = |it: &&WorldCredential| it.kind == kind && it.digest == digest;
    world.credentials.iter().find(fits).filter(|_| scheme.eq_ignore_ascii_case("bearer"))
}

/// Whether the request carries a company token, which can reach several workspaces.
pub(super) fn has_company_token(headers: &Headers) -> bool {
    let header = headers.get("authorization").and_then(|header| header.split_once(' '));
    header.is_some_and(|(_, token)| token.starts_with(COMPANY_PREFIX))
}

fn by_pair<'a>(world: &'a World, key: &str, secret: &str) -> Option<&'a WorldCredential> {
    let (kind, digest) = (CredentialKind::Pair { key: key.to_owned() }, digest(secret));
    world.credentials.iter().find(|it| it.kind == kind && it.digest == digest)
}
