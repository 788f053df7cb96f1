//! Token keys: `hvo1/`, then the base64 of `id:secret`.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PREFIX: &str = "hvo1/";

/// Returns the key of a token.
pub fn encode(id: &str, secret: &str) -> String {
    format!("{PREFIX}{}", base64(&format!("{id}:{secret}")))
}

/// Returns the token's id and secret. `None` if this isn't a key.
pub fn decode(key: &str) -> Option<(String, String)> {
    let text = from_base64(key.strip_prefix(PREFIX)?)?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

pub fn base64(text: &str) -> String {
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | chunk.get(at).map_or(0, |byte| u32::from(*byte)));
        for at in 0..4_usize {
            let index = (bits >> (18 - 6 * at)) & 63;
            let letter = ALPHABET.get(index as usize).map_or('=', |letter| char::from(*letter));
            encoded.push(if at <= chunk.len() { letter } else { '=' });
        }
    }
    encoded
}

pub fn from_base64(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0_u32);
    for letter in text.trim_end_matches('=').bytes() {
        let index = ALPHABET.iter().position(|known| *known == letter)?;
        bits = (bits << 6 | u32::try_from(index).ok()?) & 0xFFFF;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xFF).ok()?);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Returns the part of a key that the platform keeps showing.
pub fn first_characters(key: &str) -> String {
    key.chars().take(10).collect()
}
