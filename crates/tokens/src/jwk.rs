//! A key as JSON (RFC 7517): how it is kept, sealed, and how its public half is published.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::KeyError;

/// The members that our kinds of keys have; others are ignored (RFC 7517 4). What is private is erased when dropped.
#[derive(Default, Clone, Serialize, Deserialize)]
pub(crate) struct Jwk {
    pub(crate) kty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) e: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) alg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) k: Option<Private>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) d: Option<Private>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p: Option<Private>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) q: Option<Private>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dp: Option<Private>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dq: Option<Private>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) qi: Option<Private>,
}

impl Jwk {
    pub(crate) fn parse(json: &str) -> Result<Self, KeyError> {
        // The parser's message would quote what it could not read.
        serde_json::from_str(json).map_err(|_| KeyError::Jwk("it is no JSON object with `kty`"))
    }

    pub(crate) fn to_secret(&self) -> SecretString {
        let mut json = Zeroizing::new(String::new());
        if let Ok(text) = serde_json::to_string(self) {
            *json = text;
        }
        SecretString::from(json.as_str())
    }

    /// Without what signs.
    pub(crate) fn public(&self) -> Self {
        Self {
            kty: self.kty.clone(),
            crv: self.crv.clone(),
            x: self.x.clone(),
            y: self.y.clone(),
            n: self.n.clone(),
            e: self.e.clone(),
            usage: Some("sig".to_owned()),
            alg: self.alg.clone(),
            kid: self.kid.clone(),
            ..Self::default()
        }
    }

    /// The thumbprint of RFC 7638: the same key has the same name, whoever computes it.
    pub(crate) fn thumbprint(&self) -> Option<String> {
        let [crv, x, y, n, e] = [&self.crv, &self.x, &self.y, &self.n, &self.e].map(Option::as_deref);
        let text = match (self.kty.as_str(), crv, x, y, n, e) {
            ("EC", Some(crv), Some(x), Some(y), ..) => {
                format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            ("OKP", Some(crv), Some(x), ..) => format!(r#"{{"crv":"{crv}","kty":"OKP","x":"{x}"}}"#),
            ("RSA", .., Some(n), Some(e)) => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
            _ => return None,
        };
        Some(encode(Sha256::digest(text.as_bytes())))
    }
}

/// A member that is erased when dropped.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Private(String);

impl Drop for Private {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl From<String> for Private {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl AsRef<str> for Private {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of a member that has to be there.
pub(crate) fn member(
    value: Option<&impl AsRef<str>>,
    missing: &'static str,
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let text = value.ok_or(KeyError::Jwk(missing))?;
    let bytes = URL_SAFE_NO_PAD
        .decode(text.as_ref())
        .map_err(|_| KeyError::Jwk("a member is not base64url without padding"))?;
    Ok(Zeroizing::new(bytes))
}
