//! Finds the secrets that a run delivered before it died and couldn't record that.
//!
//! For example, a run writes the secret of `ci` into its file and is killed. The ledger has the fingerprint of the secret and
//! no end of the delivery. The next run finds that secret in the file, so the key is delivered, and no other is created.

use jiff::Timestamp;

use super::Deliveries;
use crate::ledger::{Event, Ledger, LedgerError, Record, facts};
use rolecall_model::{Address, Desired, Facts, Key};
use rolecall_plan::keys::TargetState;
use rolecall_plan::secret_target;

/// A key whose secret was found after the run died that delivered it.
#[derive(Clone, Debug)]
pub struct Found {
    pub key: Address,
    pub to: Vec<String>,
    /// The targets that lack it, and those that can't be read, such as commands.
    pub not_to: Vec<String>,
}

impl Deliveries {
    /// Returns the facts of a ledger, and of the secrets that are found in their targets.
    pub fn facts(&self, desired: &Desired, records: &[Record]) -> Facts {
        let known = facts(records);
        let found = self.found(desired, &known);
        let Some(last) = records.last().filter(|_| !found.is_empty()) else { return known };
        let found = found.into_iter().map(|event| Record { event, ..last.clone() });
        facts(&records.iter().cloned().chain(found).collect::<Vec<_>>())
    }

    /// Records in the ledger the secrets that are found in their targets. Returns for each key which targets have its
    /// secret, and which may lack it.
    ///
    /// # Errors
    ///
    /// Fails if the ledger can't be written.
    pub fn record_found(
        &self,
        desired: &Desired,
        ledger: &mut Ledger,
        run: &str,
        at: Timestamp,
    ) -> Result<Vec<Found>, LedgerError> {
        let found = self.found(desired, &ledger.facts());
        let keys = found.iter().filter_map(|event| match event {
            Event::Delivery { address, id, to, not_to, .. } => {
                Some(Found { key: address.clone().with_id(id), to: to.clone(), not_to: not_to.clone() })
            }
            _ => None,
        });
        let keys = keys.collect();
        ledger.append_all(found.into_iter().map(|event| Record { at, run: run.to_owned(), event }).collect())?;
        Ok(keys)
    }

    /// Returns the ends of the deliveries that runs began and didn't record, if a target has the secret. The other targets
    /// may have it too, such as a command, or a file that was moved.
    fn found(&self, desired: &Desired, facts: &Facts) -> Vec<Event> {
        let doubtful = facts.minted.iter().filter(|(_, minted)| minted.doubtful && !minted.delivered);
        let found = doubtful.filter_map(|(id, minted)| {
            let Key { name, .. } = &minted.requested;
            let receipt = minted.receipt.as_ref()?;
            let secret = receipt.fingerprint.as_ref()?;
            let has_secret = |target: &String| {
                let fingerprint = receipt.encrypted.get(target).unwrap_or(secret);
                matches!(self.state(desired, name, target, fingerprint), Some(Ok(TargetState::Unchanged)))
            };
            let targets = desired.key(name)?.deliver.iter().map(|delivery| secret_target(delivery));
            let (to, not_to): (Vec<String>, Vec<String>) = targets.partition(has_secret);
            (!to.is_empty()).then(|| Event::Delivery {
                mutation: String::new(),
                address: Address::key(name),
                id: id.clone(),
                arrived: true,
                begun: false,
                to,
                not_to,
                fingerprint: Some(secret.clone()),
                encrypted: receipt.encrypted.clone(),
            })
        });
        found.collect()
    }
}
