//! Divides organisations among shards.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::seal::hash;
use rolecall_model::{ProviderName, RemoteId, Shard};

/// An organisation by its platform and its name in the files.
pub type OrganizationName = (ProviderName, RemoteId);

/// All organisations of some files, in the order in which shards divide them.
///
/// The order is that of the hashes of their names, and each shard gets an equal slice. So the sizes of two shards differ by
/// one at most. For example, four shards have 250 of 1,000 organisations each. A new organisation goes into one slice, and
/// each of the others moves its bounds by one place at most: four shards exchange at most three organisations. A plain hash
/// of the name would move none, and would give one of the shards about 270. The hash also spreads the organisations of a
/// slow platform.
#[derive(Clone, Debug)]
pub struct Fleet {
    order: Vec<([u8; 32], OrganizationName)>,
}

impl Fleet {
    pub fn of(organizations: impl IntoIterator<Item = OrganizationName>) -> Self {
        let hashed = |(provider, organization): OrganizationName| {
            let name = format!("{provider}:{organization}");
            (Sha256::digest(name).into(), (provider, organization))
        };
        let mut order: Vec<_> = organizations.into_iter().map(hashed).collect();
        order.sort();
        order.dedup();
        Self { order }
    }

    /// Returns the number of all organisations.
    pub fn organizations(&self) -> usize {
        self.order.len()
    }

    /// Returns the organisations of one shard.
    pub fn part(&self, shard: Shard) -> BTreeSet<OrganizationName> {
        let all = self.order.iter().enumerate();
        let part = all.filter(|(position, _)| shard.has(*position, self.order.len()));
        part.map(|(_, (_, name))| name.clone()).collect()
    }

    /// Returns `sha256:` and the hash of all names, by which two runs see that they have the same organisations.
    pub fn digest(&self) -> String {
        let names = self.order.iter().map(|(_, (provider, organization))| format!("{provider}:{organization}"));
        hash(&names.collect::<Vec<_>>().into())
    }
}
