//! The one door for texts that others wrote: what a platform, a gateway, a library or a file says goes through it
//! before it reaches a message, a plan, a report or the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::TransportError;

/// The secrets of a run. Removes them from texts that others wrote: errors, headers, bodies.
///
/// A part of a secret is removed as well. For example, the token is `prdm_wsp_0123456789abcdef`, and the platform
/// says `no such token: 0123456789abcdef`. Every nine characters in a row of that text are also in the token, so
/// the text is shown as `no such token: [redacted]`. Escapes are read first, so that `hvo1\/QUJD` and `hvo1%2FQUJD`
/// are found as `hvo1/QUJD`.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Looks for secrets in words that a person reads.
    words: Pieces,
    /// Looks for each secret in data.
    data: Vec<Pieces>,
}

/// A redactor is shown without the secrets that it knows.
impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

const REDACTED: &str = "[redacted]";

/// The length of the shortest secret that is removed. A shorter one would remove ordinary words.
const SHORTEST: usize = 4;

/// The length from which on a part of a secret is removed from words.
const PIECE: usize = 9;

/// The length from which on a secret can't be a name or an address, so that it is removed from data as well.
const UNMISTAKABLE: usize = 16;

/// The longest text that is shown, in characters.
const LONGEST: usize = 500;

/// The part of a text that is looked at, in bytes. It is much longer than the part that is shown.
const LOOKED_AT: usize = 64 * 1024;

impl Redactor {
    pub fn new(secrets: impl IntoIterator<Item = SecretString>) -> Self {
        let mut redactor = Self::default();
        for secret in secrets {
            redactor.add(secret.expose_secret());
        }
        redactor
    }

    fn add(&mut self, secret: &str) {
        let length = secret.len();
        if length >= SHORTEST {
            // The case of letters doesn't matter in words, because host names come in lower case.
            self.words.add(secret, length.min(PIECE), true);
        }
        if length >= UNMISTAKABLE {
            // A secret without its fixed beginning is still most of it. A shorter part stays in data: it may be a
            // part of a name, or of a new key's secret, which has to be delivered as it is.
            let mut data = Pieces { least: (length * 3 / 4).max(UNMISTAKABLE), ..Pieces::default() };
            data.add(secret, UNMISTAKABLE, false);
            self.data.push(data);
        }
    }

    /// Returns a redactor that also removes the strings of an answer from words. The answer to a mutation that
    /// creates a key has a secret that nobody knows yet, and an error beside it may repeat it.
    #[must_use]
    pub fn with_strings_of(&self, body: &[u8]) -> Self {
        let mut redactor = self.clone();
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut values = Vec::from_iter(body.get("data"));
        while let Some(value) = values.pop() {
            match value {
                Value::String(text) if text.len() >= PIECE => {
                    redactor.words.add(text, PIECE, true);
                }
                Value::Array(items) => values.extend(items),
                // A refusal within the data is one of the texts to be shown.
                Value::Object(fields) => {
                    values.extend(fields.iter().filter(|(name, _)| *name != "error").map(|(_, value)| value));
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        redactor
    }

    /// Removes long secrets from a body. Short ones stay, since they may be ordinary words of the data.
    pub fn clean_body(&self, body: &mut Vec<u8>) {
        for secret in &self.data {
            if let Some(clean) = secret.remove(body, false) {
                *body = clean;
            }
        }
    }

    /// Removes secrets from the words of a peer or a library about a request that has no answer.
    pub fn clean_error(&self, error: TransportError) -> TransportError {
        match error {
            TransportError::NotSent(why) => TransportError::NotSent(self.clean(&why)),
            TransportError::NoAnswer(why) => TransportError::NoAnswer(self.clean(&why)),
            TransportError::Untrusted(why) => TransportError::Untrusted(self.clean(&why)),
            TransportError::Redirected(to) => TransportError::Redirected(self.clean(&to)),
            TransportError::TooLarge(_) => error,
        }
    }

    /// Returns a text of somebody else as it may be shown: without secrets and control characters, and not too
    /// long.
    pub fn clean(&self, text: &str) -> String {
        let end = (0..=LOOKED_AT.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let looked_at = &text[..end];
        let clean = self.words.remove(looked_at.as_bytes(), true);
        let clean =
            clean.map_or_else(|| looked_at.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned());
        let mut shown: String =
            clean.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
        if looked_at.len() < text.len() || clean.chars().nth(LONGEST).is_some() {
            shown.push('…');
        }
        shown
    }
}

/// The parts of secrets that are looked for.
#[derive(Clone, Default)]
struct Pieces {
    /// The parts by their length. A part is stored as the number that its bytes form.
    parts: BTreeMap<usize, BTreeSet<u128>>,
    /// The least number of characters in a row that are removed.
    least: usize,
}

/// Characters in a row that are in a secret: their numbers, and their place in the text.
struct Run {
    characters: Range<usize>,
    bytes: Range<usize>,
}

impl Pieces {
    /// Adds every part of a secret that has this length, which is 16 at most. With `fold` the case of ASCII letters
    /// doesn't matter.
    fn add(&mut self, secret: &str, length: usize, fold: bool) {
        // Escapes are read here as in every text, so that a secret that contains one is found as well.
        let bytes = Unescaped(secret.as_bytes()).map(|(byte, _)| byte);
        let bytes: Vec<u8> = bytes.map(|byte| if fold { byte.to_ascii_lowercase() } else { byte }).collect();
        let length = length.min(bytes.len());
        let number = |part: &[u8]| part.iter().fold(0, |number, byte| number << 8 | u128::from(*byte));
        self.parts.entry(length).or_default().extend(bytes.windows(length.max(1)).map(number));
    }

    /// Returns a text without the parts, or nothing if it has none. With `fold` the case of ASCII letters doesn't
    /// matter. Every byte is looked at once, so a text of nothing but secrets takes no longer than another one.
    fn remove(&self, text: &[u8], fold: bool) -> Option<Vec<u8>> {
        if self.parts.is_empty() {
            return None;
        }
        let (mut clean, mut copied) = (Vec::new(), 0);
        let mut replace = |run: Run| {
            if run.characters.len() >= self.least {
                clean.extend_from_slice(&text[copied..run.bytes.start]);
                clean.extend_from_slice(REDACTED.as_bytes());
                copied = run.bytes.end;
            }
        };
        let mut run: Option<Run> = None;
        // The last 16 bytes, as a number, and where each begins in the text.
        let (mut last, mut starts) = (0_u128, [0; UNMISTAKABLE]);
        let mut position = 0;
        for (count, (byte, length)) in Unescaped(text).enumerate() {
            let byte = if fold { byte.to_ascii_lowercase() } else { byte };
            last = last << 8 | u128::from(byte);
            starts[count % UNMISTAKABLE] = position;
            position += length;
            let end = count + 1;
            let is_piece = |(length, parts): &(&usize, &BTreeSet<u128>)| {
                end >= **length && parts.contains(&(last & (u128::MAX >> (8 * (UNMISTAKABLE - **length)))))
            };
            let Some((length, _)) = self.parts.iter().rev().find(is_piece) else { continue };
            let first = end - length;
            let start = starts[first % UNMISTAKABLE];
            match &mut run {
                Some(Run { characters, bytes }) if first <= characters.end => {
                    *characters = characters.start.min(first)..end;
                    *bytes = bytes.start.min(start)..position;
                }
                earlier => {
                    let next = Run { characters: first..end, bytes: start..position };
                    earlier.replace(next).map(&mut replace);
                }
            }
        }
        run.map(&mut replace);
        (copied > 0).then(|| {
            clean.extend_from_slice(&text[copied..]);
            clean
        })
    }
}

/// The bytes of a text with its escapes read, each with the number of bytes that it takes in the text. The escapes
/// are those of JSON and of URLs. A character outside of ASCII can't be in a secret, so its escape stands for a byte
/// that no secret has.
struct Unescaped<'a>(&'a [u8]);

impl Iterator for Unescaped<'_> {
    type Item = (u8, usize);

    fn next(&mut self) -> Option<Self::Item> {
        const NOT_ASCII: u8 = 0xff;
        let hex = |digits: Option<&[u8]>| {
            let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
            u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
        };
        let ascii = |code: u32| u8::try_from(code).ok().filter(u8::is_ascii).unwrap_or(NOT_ASCII);
        let (byte, length) = match *self.0 {
            [] => return None,
            [b'\\', b'u', ..] => hex(self.0.get(2..6)).map_or((b'\\', 1), |code| (ascii(code), 6)),
            [b'\\', escaped @ (b'/' | b'"' | b'\\'), ..] => (escaped, 2),
            [b'%', ..] => hex(self.0.get(1..3)).map_or((b'%', 1), |code| (ascii(code), 3)),
            [byte, ..] => (byte, 1),
        };
        self.0 = &self.0[length..];
        Some((byte, length))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const TOKEN: &str = "hvo1/N2YwYzJk+WUtNWI2YS00/zNkLThlOWYtMGExYjJjM2Q0ZTVm==";

    fn redactor(secrets: &[&str]) -> Redactor {
        Redactor::new(secrets.iter().copied().map(SecretString::from))
    }

    fn body(secret: &str, body: &str) -> String {
        let mut bytes = body.as_bytes().to_vec();
        redactor(&[secret]).clean_body(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_secret_is_removed_wherever_it_stands() {
        let redactor = redactor(&["0123456789abcdef", "ab/cd"]);
        for (text, shown) in [
            ("0123456789abcdef", "[redacted]"),
            ("key 0123456789ABCDEF is odd", "key [redacted] is odd"),
            ("0123456789abcdef0123456789abcdef", "[redacted]"),
            ("(0123456789abcdef) and (0123456789abcdef)", "([redacted]) and ([redacted])"),
            ("short AB/CD too", "short [redacted] too"),
            ("nothing here\u{1b}[2J", "nothing here [2J"),
        ] {
            assert_eq!(redactor.clean(text), shown);
        }
    }

    #[test]
    fn a_part_of_more_than_eight_characters_is_removed() {
        let redactor = redactor(&["prdm_wsp_0123456789abcdefSECRET"]);
        assert_eq!(redactor.clean("no such token: 0123456789abcdefSECRET"), "no such token: [redacted]");
        assert_eq!(redactor.clean("it ends with cdefSECRET."), "it ends with [redacted].");
        // Eight characters may be a word.
        assert_eq!(redactor.clean("01234567 and prdm_wsp"), "01234567 and prdm_wsp");
    }

    #[test]
    fn escaped_forms_are_found() {
        let redactor = redactor(&[TOKEN]);
        let percent = TOKEN.replace('/', "%2F").replace('+', "%2b").replace('=', "%3D");
        let json = TOKEN.replace('/', "\\/").replace('h', "\\u0068");
        for form in [percent, json] {
            assert_eq!(redactor.clean(&format!("<{form}>")), "<[redacted]>", "{form}");
            assert_eq!(body(TOKEN, &format!("{{\"a\":\"{form}\"}}")), "{\"a\":\"[redacted]\"}", "{form}");
        }
        // A secret that contains something like an escape is found as well.
        assert_eq!(
            Redactor::new([SecretString::from("a%41b\\/cdefgh")]).clean("x a%41b\\/cdefgh"),
            "x [redacted]"
        );
    }

    #[test]
    fn data_keeps_what_may_be_a_name() {
        assert_eq!(body("deploy-prod-acme-2026", "{\"name\":\"deploy-prod\"}"), "{\"name\":\"deploy-prod\"}");
        assert_eq!(body("deploy-prod-acme-2026", "[\"deploy-prod-acme-2026\"]"), "[\"[redacted]\"]");
        assert_eq!(body("short", "short"), "short");
        // A new key begins as the credential does, and has to be delivered as it is.
        let new = "{\"orgApiKey\":\"bp_live_f8588dc7-e1ce_ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ\"}";
        assert_eq!(body("bp_live_f8588dc7-e1ce_0123456789abcdef0123456789abcdef", new), new);
        assert_eq!(body(TOKEN, "{\"a\":\"caf\\u00e9 \\ud83d\\ude00\"}"), "{\"a\":\"caf\\u00e9 \\ud83d\\ude00\"}");
    }

    #[test]
    fn a_new_secret_is_removed_from_the_errors_beside_it() {
        let body = r#"{"data":{"a":{"orgApiKey":"fresh-secret-1","error":{"message":"could not be stored"}}}}"#;
        let redactor = redactor(&[]).with_strings_of(body.as_bytes());
        assert_eq!(redactor.clean("fresh-secret-1 could not be stored"), "[redacted] could not be stored");
    }

    #[test]
    fn a_text_is_cut_where_it_is_long() {
        let shown = redactor(&["0123456789abcdef"]).clean(&"é".repeat(100_000));
        assert_eq!(shown, format!("{}…", "é".repeat(LONGEST)));
        assert_eq!(redactor(&[]).clean(&"x".repeat(LONGEST)), "x".repeat(LONGEST));
    }

    /// A body of nothing but secrets took half an hour.
    #[test]
    fn the_time_grows_with_the_length_alone() {
        let mut bytes = TOKEN.repeat(8 * 1024 * 1024 / TOKEN.len()).into_bytes();
        redactor(&[TOKEN]).clean_body(&mut bytes);
        assert_eq!(bytes, b"[redacted]");
    }
}
