//! Tokens that only somebody with the key could make, and that must be refused all the same.

#![allow(
    dead_code,
    reason = "two test binaries share it, and each takes what it needs"
)]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepost_tokens::{Access, Refused, Tokens};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

pub(crate) const SECRET: &[u8] = b"for tests only: everybody knows this secret";

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The key of one purpose, derived here by the recipe in docs/tokens.md and not by the crate's own code.
pub(crate) fn key_of(purpose: &str) -> [u8; 32] {
    let (_, hkdf) = hkdf::Hkdf::<Sha256>::extract(Some(b"gatepost tokens 1"), SECRET);
    let mut key = [0; 32];
    hkdf.expand(format!("hs256\0{purpose}").as_bytes(), &mut key)
        .unwrap();
    key
}

pub(crate) fn sign(key: &[u8], header: &str, payload: &str) -> String {
    let message = format!("{}.{}", encode(header), encode(payload));
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message.as_bytes());
    format!("{message}.{}", encode(mac.finalize().into_bytes()))
}

pub(crate) fn part(raw: &str, index: usize) -> String {
    let bytes = URL_SAFE_NO_PAD
        .decode(raw.split('.').nth(index).unwrap())
        .unwrap();
    String::from_utf8(bytes).unwrap()
}

pub(crate) fn json(raw: &str, index: usize) -> Value {
    serde_json::from_str(&part(raw, index)).unwrap()
}

/// Why it is no access token; it must be no token of any other purpose either.
pub(crate) fn refused(tokens: &Tokens, raw: &str) -> Refused {
    let typed = tokens.check::<Access>(raw).unwrap_err();
    assert!(tokens.check_any(raw).is_err(), "{raw}");
    typed
}

/// A forgery with the right key: only what is inside can give it away.
pub(crate) fn with_payload(raw: &str, payload: &str) -> String {
    sign(&key_of("access"), &part(raw, 0), payload)
}
