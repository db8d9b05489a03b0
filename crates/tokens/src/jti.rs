//! The identity of one token: what the blacklist remembers instead of the token.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::error::CreateError;
use crate::keys::Keys;

/// 128 bits as 22 characters of base64url (RFC 7519 4.1.7; ASVS 11.5.1 wants 128 random ones).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Jti(String);

impl Jti {
    /// A new one.
    pub fn random() -> Result<Self, CreateError> {
        let mut bytes = [0_u8; 16];
        crate::random::fill(&mut bytes).map_err(CreateError::Random)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The same one each time for the same `seed`: a letter that has to be sent again is then the same letter,
    /// and its link is used up together with its twin's. Nobody without the secret can compute it.
    pub fn derived(keys: &Keys, label: &str, seed: &[u8]) -> Self {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(keys.derive("jti").as_ref()).expect("any length");
        mac.update(label.as_bytes());
        mac.update(b"\0");
        mac.update(seed);
        let tag = mac.finalize().into_bytes();
        Self(URL_SAFE_NO_PAD.encode(&tag[..16]))
    }

    /// One that was made here before and comes back from our own table.
    #[cfg(feature = "store")]
    pub(crate) fn known(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text as it stands in the claim.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Jti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
