//! Keys: one strong secret, and from it a key of its own for every purpose.
//!
//! HKDF-SHA256 (RFC 5869) over the secret gives each purpose an HS256 key and a key id, so a token of one
//! purpose does not even verify as another, and what leaks through one key says nothing about the rest.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use secrecy::SecretString;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::KeyError;

/// The fewest bytes a secret may have (RFC 7518 3.2: as many as the hash).
pub const MIN_SECRET_BYTES: usize = 32;

/// Separates our keys from those that another program might derive from the same secret.
const SALT: &[u8] = b"gatepost tokens 1";

/// The secret that signs, and those that only verify. Never printed; `Debug` shows fingerprints.
#[derive(Clone)]
pub struct Keys {
    /// The current secret first, then the previous ones in the order given. Never empty.
    secrets: Vec<Secret>,
}

#[derive(Clone)]
pub(crate) struct Secret {
    prk: Zeroizing<[u8; 32]>,
    fingerprint: String,
}

/// 32 bytes derived from the secret for one use; erased when dropped, never printed.
#[derive(Clone)]
pub struct DerivedKey(Zeroizing<[u8; 32]>);

impl Keys {
    /// Signs and verifies with this secret: at least 32 bytes, made at random.
    pub fn from_secret(secret: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Ok(Self {
            secrets: vec![Secret::new(secret.as_ref())?],
        })
    }

    /// Verifies with this secret too, which signed before the current one.
    pub fn with_previous(mut self, secret: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let secret = Secret::new(secret.as_ref())?;
        if self
            .secrets
            .iter()
            .any(|known| known.fingerprint == secret.fingerprint)
        {
            return Err(KeyError::Twice);
        }
        self.secrets.push(secret);
        Ok(self)
    }

    /// A new secret: 32 random bytes, written as 43 characters of base64url.
    pub fn generate_secret() -> Result<SecretString, KeyError> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        crate::random::fill(bytes.as_mut()).map_err(KeyError::Random)?;
        Ok(SecretString::from(URL_SAFE_NO_PAD.encode(bytes.as_ref())))
    }

    /// Says which secret signs, without saying anything about it; the database keeps it, to refuse another one.
    pub fn fingerprint(&self) -> &str {
        &self.secrets[0].fingerprint
    }

    /// The fingerprints of the secrets that only verify.
    pub fn previous_fingerprints(&self) -> impl Iterator<Item = &str> {
        self.secrets
            .iter()
            .skip(1)
            .map(|secret| secret.fingerprint.as_str())
    }

    /// A key for another use of the same secret (to seal, to hash addresses), named by `label`.
    pub fn derive(&self, label: &str) -> DerivedKey {
        self.secrets[0].derive(label)
    }

    /// As [`derive`](Self::derive) for every secret, the current one first: what previous ones sealed can be opened.
    pub fn derive_all(&self, label: &str) -> Vec<DerivedKey> {
        self.secrets.iter().map(|secret| secret.derive(label)).collect()
    }

    pub(crate) fn secrets(&self) -> &[Secret] {
        &self.secrets
    }
}

impl Secret {
    fn new(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(KeyError::TooShort(secret.len()));
        }
        let (prk, _) = Hkdf::<Sha256>::extract(Some(SALT), secret);
        let mut own = Self {
            prk: Zeroizing::new(prk.into()),
            fingerprint: String::new(),
        };
        own.fingerprint = URL_SAFE_NO_PAD.encode(own.expand::<16>("fingerprint", ""));
        Ok(own)
    }

    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The key that signs tokens of `purpose`.
    pub(crate) fn signing_key(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.expand("hs256", purpose))
    }

    /// The `kid` of that key: 12 characters, from the secret but of no use to find it.
    pub(crate) fn key_id(&self, purpose: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.expand::<9>("kid", purpose))
    }

    fn derive(&self, label: &str) -> DerivedKey {
        DerivedKey(Zeroizing::new(self.expand("derive", label)))
    }

    fn expand<const N: usize>(&self, kind: &str, name: &str) -> [u8; N] {
        let mut out = [0_u8; N];
        #[expect(
            clippy::expect_used,
            reason = "32 bytes are a pseudo-random key, and N is far below 255 hashes"
        )]
        {
            let hkdf = Hkdf::<Sha256>::from_prk(self.prk.as_ref()).expect("32 bytes");
            // The zero byte keeps ("a", "bc") and ("ab", "c") apart; neither part holds one.
            hkdf.expand_multi_info(&[kind.as_bytes(), b"\0", name.as_bytes()], &mut out)
                .expect("short output");
        }
        out
    }
}

impl AsRef<[u8]> for DerivedKey {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref()
    }
}

impl DerivedKey {
    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.secrets.iter().map(|secret| &secret.fingerprint))
            .finish()
    }
}

impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DerivedKey(..)")
    }
}
