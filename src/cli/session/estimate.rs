//! How long requests to platforms with a rate limit take.

use std::collections::BTreeMap;

use super::Session;
use crate::cli::connect::Connected;
use crate::cli::organization::Organization;
use crate::cli::out::Out;
use crate::report;
use rolecall_graphql::Quota;

impl Session<'_> {
    /// Prints how long reading will take, if a rate limit determines it.
    pub(super) fn estimate(&self, organizations: &[Organization<'_>], out: &Out) {
        // Some answers serve all organisations of one credential. All credentials share the rate limit of the
        // platform.
        let mut connections: BTreeMap<([u8; 32], [u8; 32]), usize> = BTreeMap::new();
        let mut platforms: BTreeMap<[u8; 32], (usize, Quota)> = BTreeMap::new();
        for organization in organizations {
            let Connected { provider, credential_fingerprint, platform, quota, .. } = &*organization.connected;
            let Some(quota) = *quota else { continue };
            let Some((once, each)) = provider.requests_to_read(organization.desired) else { continue };
            let requests = connections.entry((*platform, *credential_fingerprint)).or_insert(0);
            *requests = (*requests).max(once) + each;
            let (read, slowest) = platforms.entry(*platform).or_insert((0, quota));
            *read += 1;
            slowest.requests = slowest.requests.min(quota.requests);
        }
        for (platform, (read, quota)) in platforms {
            let requests: usize =
                connections.iter().filter(|((of, _), _)| *of == platform).map(|(_, requests)| requests).sum();
            let answered = connections
                .keys()
                .filter(|(of, _)| *of == platform)
                .map(|(_, credential_fingerprint)| self.pool.resumable_answers(credential_fingerprint))
                .sum();
            let first = organizations.iter().find(|organization| organization.connected.platform == platform);
            let Some(cache) = first.and_then(|organization| organization.connected.cache.as_ref()) else {
                continue;
            };
            let estimate = self.pool.estimate(cache, requests.saturating_sub(answered), quota);
            out.talk(&format!("Reading {}: {estimate}.\n", report::plural(read, "organisation")));
        }
    }

    /// Prints how long sending and verifying will take, if a rate limit determines it.
    pub fn estimate_apply(&self, organization: &Organization<'_>, mutations: usize, out: &Out) {
        let Connected { provider, quota, cache, .. } = &*organization.connected;
        let Some(quota) = *quota else { return };
        let Some((_, read)) = provider.requests_to_read(organization.desired) else { return };
        let Some(cache) = cache else { return };
        let what = report::plural(mutations, "mutation");
        let estimate = self.pool.estimate(cache, mutations + read, quota);
        out.talk(&format!("Sending and verifying {what}: {estimate}.\n"));
    }
}
