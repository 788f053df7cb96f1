//! Keeps known secrets out of whatever a platform says.

use secrecy::{ExposeSecret, SecretString};

/// Knows the secrets of a run and takes them out of foreign text.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    secrets: Vec<SecretString>,
}

/// A credential shorter than this would blank out ordinary words.
const SHORTEST: usize = 4;

/// The longest foreign text that is relayed, in characters.
const LONGEST: usize = 500;

impl Redactor {
    pub fn new(secrets: impl IntoIterator<Item = SecretString>) -> Self {
        let secrets = secrets.into_iter().filter(|secret| secret.expose_secret().len() >= SHORTEST).collect();
        Self { secrets }
    }

    /// Foreign text as it may be shown: no secret of ours, no control characters, not endless.
    pub fn clean(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in &self.secrets {
            clean = clean.replace(secret.expose_secret(), "[redacted]");
        }
        let mut shown: String =
            clean.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
        if clean.chars().count() > LONGEST {
            shown.push('…');
        }
        shown
    }
}
