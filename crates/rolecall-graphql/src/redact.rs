//! Keeps known secrets out of whatever a platform says.

use secrecy::{ExposeSecret, SecretString};

use super::TransportError;

/// Knows the secrets of a run and takes them out of foreign text.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    secrets: Vec<SecretString>,
}

/// Whatever the case of its letters: hosts come in small ones.
fn without(text: &str, secret: &str) -> String {
    // Of ASCII alone, so that both have the same places.
    let (folded, wanted) = (text.to_ascii_lowercase(), secret.to_ascii_lowercase());
    let mut clean = String::new();
    let mut end = 0;
    for (start, found) in folded.match_indices(&wanted) {
        clean.push_str(&text[end..start]);
        clean.push_str(REDACTED);
        end = start + found.len();
    }
    clean.push_str(&text[end..]);
    clean
}

const REDACTED: &str = "[redacted]";

/// A credential shorter than this would blank out ordinary words.
const SHORTEST: usize = 4;

/// One of this length or more is nothing but itself, wherever it stands.
const UNMISTAKABLE: usize = 16;

/// The longest foreign text that is relayed, in characters.
const LONGEST: usize = 500;

impl Redactor {
    pub fn new(secrets: impl IntoIterator<Item = SecretString>) -> Self {
        let long = |secret: &SecretString| secret.expose_secret().len() >= SHORTEST;
        let mut secrets: Vec<SecretString> = secrets.into_iter().filter(long).collect();
        // One may begin with another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
        Self { secrets }
    }

    /// Data is what it is, unless it repeats a secret of ours. Short ones are words of the data itself.
    pub fn clear(&self, body: &mut Vec<u8>) {
        for secret in self.secrets.iter().filter(|secret| secret.expose_secret().len() >= UNMISTAKABLE) {
            let secret = secret.expose_secret().as_bytes();
            let mut start = 0;
            while let Some(found) = body[start..].windows(secret.len()).position(|bytes| bytes == secret) {
                start += found;
                body.splice(start..start + secret.len(), REDACTED.bytes());
                start += REDACTED.len();
            }
        }
    }

    /// The same of a host to which an answer would have us go.
    pub fn clean_error(&self, error: TransportError) -> TransportError {
        match error {
            TransportError::Redirected(host) => TransportError::Redirected(self.clean(&host)),
            TransportError::NotSent(_) | TransportError::NoAnswer(_) | TransportError::TooLarge(_) => error,
        }
    }

    /// Foreign text as it may be shown: no secret of ours, no control characters, not endless.
    pub fn clean(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in &self.secrets {
            clean = without(&clean, secret.expose_secret());
        }
        let mut shown: String =
            clean.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
        if clean.chars().count() > LONGEST {
            shown.push('…');
        }
        shown
    }
}
