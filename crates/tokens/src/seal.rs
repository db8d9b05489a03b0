//! Private keys at rest: XChaCha20-Poly1305 under a key derived from the secret, bound to what the row says of it.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use gatepost_storage::signing_keys::SigningKeyRow;
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use crate::error::{KeyError, KeyStoreError};
use crate::keys::{DerivedKey, Keys};
use crate::signing_key::SigningKey;

const LABEL: &str = "gatepost signing keys";
const NONCE: usize = 24;

/// Sealed with the current secret, for a row that says this.
pub(crate) fn seal(keys: &Keys, key: &SigningKey, purposes: &str) -> Result<Vec<u8>, KeyStoreError> {
    let mut sealed = vec![0; NONCE];
    crate::random::fill(&mut sealed).map_err(KeyError::Random)?;
    let nonce = XNonce::try_from(sealed.as_slice()).map_err(|_| unsealable(key.kid()))?;
    let json = key.to_jwk();
    let payload = Payload {
        msg: json.expose_secret().as_bytes(),
        aad: &bound(key.kid(), key.algorithm().as_str(), purposes),
    };
    let text = cipher(&keys.derive(LABEL)).encrypt(&nonce, payload);
    sealed.extend_from_slice(&text.map_err(|_| unsealable(key.kid()))?);
    Ok(sealed)
}

/// The row's key, if one of our secrets has sealed it and the row is as it was then.
pub(crate) fn open(keys: &Keys, row: &SigningKeyRow) -> Result<SigningKey, KeyStoreError> {
    let lost = || unsealable(&row.kid);
    let (sealed, by) = row
        .sealed
        .as_ref()
        .zip(row.sealed_by.as_deref())
        .ok_or_else(lost)?;
    let mine = std::iter::once(keys.fingerprint())
        .chain(keys.previous_fingerprints())
        .position(|known| known == by)
        .ok_or_else(lost)?;
    let derived = keys.derive_all(LABEL).into_iter().nth(mine).ok_or_else(lost)?;
    let (nonce, text) = sealed.split_at_checked(NONCE).ok_or_else(lost)?;
    let nonce = XNonce::try_from(nonce).map_err(|_| lost())?;
    let payload = Payload {
        msg: text,
        aad: &bound(&row.kid, &row.algorithm, &row.purposes),
    };
    let json = Zeroizing::new(cipher(&derived).decrypt(&nonce, payload).map_err(|_| lost())?);
    let key = SigningKey::from_jwk(std::str::from_utf8(&json).map_err(|_| lost())?)?;
    if key.kid() == row.kid && key.algorithm().as_str() == row.algorithm {
        Ok(key)
    } else {
        Err(lost())
    }
}

fn cipher(key: &DerivedKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.as_bytes().into())
}

/// Neither part holds a zero byte. Who can write to the table can't give a key another purpose.
fn bound(kid: &str, algorithm: &str, purposes: &str) -> Vec<u8> {
    [kid, algorithm, purposes].join("\0").into_bytes()
}

fn unsealable(kid: &str) -> KeyStoreError {
    KeyStoreError::Sealed(kid.to_owned())
}
