//! The receipt of a delivery: a fingerprint of the secret, and whether a target still has the secret.
//!
//! A fingerprint is safe to keep and to show. It is the first 64 bits of a SHA-256, and the platform draws at least 128
//! random bits for a secret, so nobody can find the secret by trying. It would not be safe for a password that a person
//! chose. Two secrets have the same fingerprint once in 2^64 times.

use std::fmt::Write as _;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::{Deliveries, content, env_file, env_text};
use rolecall_model::{Delivery, Desired, KeyName, SignIn};
use rolecall_plan::keys::TargetState;
use rolecall_plan::secret_target;
use rolecall_providers::{Provider, Secrets};

/// The number of bytes of the hash that a fingerprint has.
const BYTES: usize = 8;

/// Returns the fingerprint of a secret: `sha256:` and 16 hex digits.
pub(crate) fn fingerprint(secret: &SecretString) -> String {
    of_bytes(secret.expose_secret().as_bytes())
}

/// Returns what the credentials tell about the key that rolecall signs in with.
pub fn sign_in(provider: &dyn Provider, secrets: &Secrets) -> SignIn {
    SignIn { id: provider.own_key(secrets), fingerprints: secrets.all().map(|it| fingerprint(&it)).collect() }
}

pub(super) fn of_bytes(secret: &[u8]) -> String {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(secret).iter().take(BYTES) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl Deliveries {
    /// Returns whether a target still has the secret with this fingerprint, or the encrypted file with it. `None` if it is
    /// no file or no variable that the entry of the key names, and an error if it can't be read.
    pub fn state(
        &self,
        desired: &Desired,
        name: &KeyName,
        target: &str,
        fingerprint: &str,
    ) -> Option<Result<TargetState, String>> {
        let deliveries = &desired.key(name)?.deliver;
        let (index, delivery) =
            deliveries.iter().enumerate().find(|(_, delivery)| secret_target(delivery) == target)?;
        let path = match &self.below {
            Some(below) => super::path_below(below, delivery, name, index),
            None => delivery.file()?.to_owned(),
        };
        let found = match &**delivery {
            Delivery::File(_) => content(&path),
            Delivery::Age { .. } if self.below.is_none() => content(&path),
            Delivery::EnvFile { file: _, name } => match env_text(&path) {
                Ok(text) => match env_file::value(&text, name) {
                    Ok(value) => Ok(value.map(|value| Zeroizing::new(value.as_bytes().to_vec()))),
                    Err(_) => return Some(Ok(TargetState::Changed)),
                },
                Err(why) => Err(why),
            },
            Delivery::Command(_) | Delivery::Age { .. } => return None,
        };
        Some(found.map(|found| match found {
            None => TargetState::Missing,
            // An editor may have ended the line.
            Some(secret) if of_bytes(secret.trim_ascii_end()) == fingerprint => TargetState::Unchanged,
            Some(_) => TargetState::Changed,
        }))
    }
}
