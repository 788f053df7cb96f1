//! Organisation access tokens: `hvo1/`, followed by the base64 of `<token id>:<secret>` (measured on Hive 8.1.2).

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::zeroize::Zeroize;

use rolecall_model::RemoteId;

const PREFIX: &str = "hvo1/";

/// Returns the id that a token contains, or nothing if the token is of another kind.
pub(super) fn id_of(token: &str) -> Option<RemoteId> {
    // The `=` at the end of a token may get lost when it is copied.
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let mut decoded = GeneralPurpose::new(&STANDARD, config).decode(token.strip_prefix(PREFIX)?).ok()?;
    let id = std::str::from_utf8(&decoded).ok().and_then(|text| text.split_once(':')).map(|(id, _)| id.to_owned());
    decoded.zeroize();
    id.filter(|id| !id.is_empty()).map(RemoteId::seen)
}
