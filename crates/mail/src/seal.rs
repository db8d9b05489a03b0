//! Sealing what waits: letters on a queue, captured mail, addresses in jobs.
//!
//! XChaCha20-Poly1305 under a key derived (HKDF-SHA256) from the program's secret. What a sealed
//! text belongs to is bound to it as associated data, so that it cannot be moved to another
//! letter, another recipient or another expiry.

use std::fmt;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use uuid::Uuid;

use crate::EmailAddress;

/// Shortest secret in bytes (RFC 2104 3: not below the hash's length).
const MIN_SECRET: usize = 32;
const VERSION: u8 = 1;
const KEY_ID: usize = 8;
const NONCE: usize = 24;

/// What a sealed letter belongs to. Another message id, letter, recipient or expiry does not open it.
#[derive(Debug, Clone, Copy)]
pub struct Bound<'a> {
    /// The message's id.
    pub message_id: Uuid,
    /// The letter's template.
    pub letter: &'a str,
    /// Everybody it goes to, in order.
    pub recipients: &'a [EmailAddress],
    /// Microseconds since the epoch, if it expires.
    pub expires_at: Option<i64>,
}

/// Seals with the current key and opens with the current and the previous ones.
#[derive(Clone)]
pub struct Sealer {
    // Newest first; never empty.
    keys: Arc<[Key]>,
}

struct Key {
    id: [u8; KEY_ID],
    cipher: XChaCha20Poly1305,
    addresses: [u8; 32],
    bounces: [u8; 32],
}

/// Why something cannot be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// A secret shorter than 32 bytes.
    #[error("a secret to seal with has 32 bytes or more")]
    ShortSecret,
    /// Sealed with a key that is neither the current one nor among the previous ones.
    #[error("sealed with a secret that this program does not have: add it to tokens.previous_secrets")]
    UnknownKey,
    /// Changed, cut off, or moved away from what it belonged to.
    #[error("the sealed text was changed or belongs to something else")]
    Forged,
    /// The operating system gave no random bytes.
    #[error("no randomness from the operating system")]
    NoRandomness,
}

impl Sealer {
    /// Keys from the program's secret and from the ones it had before.
    pub fn new(secret: &SecretString, previous: &[SecretString]) -> Result<Self, SealError> {
        let keys = std::iter::once(secret)
            .chain(previous)
            .map(Key::derive)
            .collect::<Result<_, _>>()?;
        Ok(Self { keys })
    }

    /// Seals a letter's content to what it belongs to.
    pub fn seal(&self, bound: &Bound<'_>, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        self.seal_with(plain, |key| bound.associated(key))
    }

    /// Opens what [`seal`](Self::seal) made, if it still belongs to the same.
    pub fn open(&self, bound: &Bound<'_>, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        self.open_with(sealed, |key| bound.associated(key))
    }

    /// Seals something else under a name of your own, bound to an id.
    ///
    /// The name keeps kinds apart: what was sealed as one cannot be opened as another.
    pub fn seal_as(&self, name: &str, id: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        self.seal_with(plain, |key| fields(&[b"named", key, name.as_bytes(), id]))
    }

    /// Opens what [`seal_as`](Self::seal_as) made under the same name and id.
    pub fn open_as(&self, name: &str, id: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        self.open_with(sealed, |key| fields(&[b"named", key, name.as_bytes(), id]))
    }

    /// The address in a form that can be looked up but not read: HMAC-SHA256 of its canonical form.
    pub fn address_hash(&self, address: &EmailAddress) -> [u8; 32] {
        self.keys[0].hash(address)
    }

    /// The same under the current and every previous key, newest first: to look up what was
    /// written before the secret was changed.
    pub fn address_hashes(&self, address: &EmailAddress) -> Vec<[u8; 32]> {
        self.keys.iter().map(|key| key.hash(address)).collect()
    }

    /// What proves that a bounce address of this delivery was made here.
    pub(crate) fn bounce_code(&self, delivery: Uuid) -> [u8; 32] {
        self.keys[0].bounce(delivery).finalize().into_bytes().into()
    }

    /// Whether these are the first bytes of such a code, under the current key or one before it.
    pub(crate) fn is_bounce_code(&self, delivery: Uuid, code: &[u8]) -> bool {
        self.keys
            .iter()
            .any(|key| key.bounce(delivery).verify_truncated_left(code).is_ok())
    }

    fn seal_with(&self, plain: &[u8], associated: impl Fn(&[u8]) -> Vec<u8>) -> Result<Vec<u8>, SealError> {
        let key = &self.keys[0];
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| SealError::NoRandomness)?;
        let payload = Payload {
            msg: plain,
            aad: &associated(&key.id),
        };
        let body = key
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| SealError::Forged)?;
        Ok([&[VERSION], key.id.as_slice(), &nonce, &body].concat())
    }

    fn open_with(&self, sealed: &[u8], associated: impl Fn(&[u8]) -> Vec<u8>) -> Result<Vec<u8>, SealError> {
        let (version, rest) = sealed.split_first().ok_or(SealError::Forged)?;
        if *version != VERSION {
            return Err(SealError::Forged);
        }
        let (id, rest) = rest.split_first_chunk::<KEY_ID>().ok_or(SealError::Forged)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE>().ok_or(SealError::Forged)?;
        let key = self
            .keys
            .iter()
            .find(|key| key.id == *id)
            .ok_or(SealError::UnknownKey)?;
        let payload = Payload {
            msg: body,
            aad: &associated(id),
        };
        key.cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| SealError::Forged)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({} keys)", self.keys.len())
    }
}

impl Key {
    fn derive(secret: &SecretString) -> Result<Self, SealError> {
        let secret = secret.expose_secret().as_bytes();
        if secret.len() < MIN_SECRET {
            return Err(SealError::ShortSecret);
        }
        let hkdf = Hkdf::<Sha256>::new(Some(b"gatepost mail"), secret);
        let expand = |info: &[u8], out: &mut [u8]| {
            // HKDF-SHA256 fails only above 255 blocks of 32 bytes; we take one.
            #[expect(clippy::expect_used, reason = "32 bytes at most, far below HKDF's limit")]
            hkdf.expand(info, out).expect("a short output");
        };
        let (mut id, mut sealing, mut addresses, mut bounces) = ([0; KEY_ID], [0; 32], [0; 32], [0; 32]);
        expand(b"key id v1", &mut id);
        expand(b"seal v1", &mut sealing);
        expand(b"addresses v1", &mut addresses);
        expand(b"bounces v1", &mut bounces);
        Ok(Self {
            id,
            cipher: XChaCha20Poly1305::new(&sealing.into()),
            addresses,
            bounces,
        })
    }

    fn hash(&self, address: &EmailAddress) -> [u8; 32] {
        let mut mac = mac(&self.addresses);
        mac.update(address.canonical().as_bytes());
        mac.finalize().into_bytes().into()
    }

    fn bounce(&self, delivery: Uuid) -> Hmac<Sha256> {
        let mut mac = mac(&self.bounces);
        mac.update(delivery.as_bytes());
        mac
    }
}

fn mac(key: &[u8; 32]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("any length")
}

impl Bound<'_> {
    fn associated(&self, key_id: &[u8]) -> Vec<u8> {
        let expiry = self.expires_at.map(i64::to_be_bytes);
        let mut parts: Vec<&[u8]> = vec![
            b"letter",
            key_id,
            self.message_id.as_bytes(),
            self.letter.as_bytes(),
            expiry.as_ref().map_or(&[], |bytes| bytes.as_slice()),
        ];
        parts.extend(self.recipients.iter().map(|address| address.as_str().as_bytes()));
        fields(&parts)
    }
}

/// Each field with its length before it, so that no two lists of fields read the same.
fn fields(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(&(part.len() as u64).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text.repeat(32))
    }

    fn sealer() -> Sealer {
        Sealer::new(&secret("a"), &[]).unwrap()
    }

    #[test]
    fn opens_only_what_it_belongs_to() {
        let to: Vec<EmailAddress> = vec!["a@example.com".parse().unwrap(), "b@example.com".parse().unwrap()];
        let bound = Bound {
            message_id: Uuid::from_u128(1),
            letter: "invoice",
            recipients: &to,
            expires_at: Some(5),
        };
        let sealed = sealer().seal(&bound, b"secret link").unwrap();
        assert_eq!(sealer().open(&bound, &sealed).unwrap(), b"secret link");

        let swapped: Vec<EmailAddress> = to.iter().rev().cloned().collect();
        for other in [
            Bound {
                message_id: Uuid::from_u128(2),
                ..bound
            },
            Bound {
                letter: "other",
                ..bound
            },
            Bound {
                recipients: &to[..1],
                ..bound
            },
            Bound {
                recipients: &swapped,
                ..bound
            },
            Bound {
                expires_at: Some(6),
                ..bound
            },
            Bound {
                expires_at: None,
                ..bound
            },
        ] {
            assert_eq!(
                sealer().open(&other, &sealed),
                Err(SealError::Forged),
                "{other:?}"
            );
        }
    }

    #[test]
    fn every_changed_byte_is_seen() {
        let sealed = sealer().seal_as("job", b"1", b"text").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(sealer().open_as("job", b"1", &changed).is_err(), "byte {at}");
            assert!(
                sealer().open_as("job", b"1", &sealed[..at]).is_err(),
                "cut at {at}"
            );
        }
        assert!(sealer().open_as("inbox", b"1", &sealed).is_err());
        assert!(sealer().open_as("job", b"2", &sealed).is_err());
    }

    #[test]
    fn a_previous_secret_still_opens_and_looks_up() {
        let sealed = sealer().seal_as("job", b"1", b"text").unwrap();
        let address = "a@example.com".parse().unwrap();
        let newer = Sealer::new(&secret("b"), &[secret("a")]).unwrap();
        assert_eq!(newer.open_as("job", b"1", &sealed).unwrap(), b"text");
        assert!(
            newer
                .address_hashes(&address)
                .contains(&sealer().address_hash(&address))
        );

        let stranger = Sealer::new(&secret("b"), &[]).unwrap();
        assert_eq!(stranger.open_as("job", b"1", &sealed), Err(SealError::UnknownKey));
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert!(matches!(
            Sealer::new(&SecretString::from("short"), &[]),
            Err(SealError::ShortSecret)
        ));
    }
}
