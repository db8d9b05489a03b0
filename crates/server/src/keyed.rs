//! Hashes under a key, of which whoever sees them learns nothing without it.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// HMAC-SHA256 under `key` of two texts, kept apart by a NUL that neither label holds.
pub(crate) fn mac(key: &[u8], label: &str, text: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(label.as_bytes());
    mac.update(&[0]);
    mac.update(text);
    mac
}
