//! Removes known secrets from the texts of a platform.

use secrecy::{ExposeSecret, SecretString};

use super::TransportError;

/// The secrets of a run. Removes them from texts that others wrote: errors, headers, bodies.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    secrets: Vec<SecretString>,
}

/// Replaces a secret in a text. The case of letters doesn't matter, because host names come in lower case.
fn without(text: &str, secret: &str) -> String {
    // Changing only ASCII letters keeps all byte positions.
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

/// The length of the shortest secret that is removed. A shorter one would remove ordinary words.
const SHORTEST: usize = 4;

/// The length from which on a secret can't be an ordinary word, so that it is removed from data as well.
const UNMISTAKABLE: usize = 16;

/// The longest text that is shown, in characters.
const LONGEST: usize = 500;

impl Redactor {
    pub fn new(secrets: impl IntoIterator<Item = SecretString>) -> Self {
        let long = |secret: &SecretString| secret.expose_secret().len() >= SHORTEST;
        let mut secrets: Vec<SecretString> = secrets.into_iter().filter(long).collect();
        // A secret may begin with a shorter one.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
        Self { secrets }
    }

    /// Removes long secrets from a body. Short ones stay, since they may be ordinary words of the data.
    pub fn clean_body(&self, body: &mut Vec<u8>) {
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

    /// Removes secrets from the host that a redirect names.
    pub fn clean_error(&self, error: TransportError) -> TransportError {
        match error {
            TransportError::Redirected(host) => TransportError::Redirected(self.clean(&host)),
            TransportError::NotSent(_) | TransportError::NoAnswer(_) | TransportError::TooLarge(_) => error,
        }
    }

    /// Returns a text of somebody else as it may be shown: without secrets and control characters, and not too
    /// long.
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
