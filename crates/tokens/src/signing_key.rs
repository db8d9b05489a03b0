//! One key with its name and its one algorithm.

use std::fmt;
use std::sync::Arc;

use hmac::Hmac;
use secrecy::SecretString;
use serde_json::Value;
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use crate::algorithm::Algorithm;
#[cfg(feature = "asymmetric")]
use crate::asymmetric::KeyPair;
use crate::error::KeyError;
use crate::jwk::{Jwk, encode, member};

/// A key that signs and verifies with exactly one algorithm. Cheap to clone; never printed.
#[derive(Clone)]
pub struct SigningKey(Arc<Inner>);

struct Inner {
    kid: String,
    algorithm: Algorithm,
    jwk: Jwk,
    material: Material,
}

/// HMACs with the key already absorbed: cloned for each token.
enum Material {
    Hs256(Hmac<Sha256>),
    Hs384(Hmac<Sha384>),
    Hs512(Hmac<Sha512>),
    #[cfg(feature = "asymmetric")]
    Pair(Box<KeyPair>),
}

impl SigningKey {
    /// A new key, made of the system's random bytes. An RSA key (2048 bits) takes about a second.
    ///
    /// # Errors
    /// [`KeyError::Unsupported`] for an algorithm with a public key if the feature `asymmetric` is off.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        loop {
            let key = Self::any(algorithm)?;
            // One in 64 thumbprints begins so, and would be taken for an option on a command line.
            if !key.kid().starts_with('-') {
                return Ok(key);
            }
        }
    }

    fn any(algorithm: Algorithm) -> Result<Self, KeyError> {
        if algorithm.is_public() {
            #[cfg(feature = "asymmetric")]
            return Self::from_parts(algorithm, crate::asymmetric::generate(algorithm)?);
            #[cfg(not(feature = "asymmetric"))]
            return Err(KeyError::Unsupported(algorithm));
        }
        let mut bytes = Zeroizing::new([0_u8; 64]);
        crate::random::fill(bytes.as_mut()).map_err(KeyError::Random)?;
        Self::hmac(algorithm, &bytes[..algorithm.hash_bytes()])
    }

    /// An HMAC key of these bytes: at least as many as the hash has (RFC 7518 3.2), made at random.
    pub fn hmac(algorithm: Algorithm, key: &[u8]) -> Result<Self, KeyError> {
        let jwk = Jwk {
            kty: "oct".to_owned(),
            k: Some(encode(key).into()),
            ..Jwk::default()
        };
        Self::from_parts(algorithm, jwk)
    }

    /// A private key as JSON (RFC 7517), which must say its `alg`. A `kid` in it is kept.
    ///
    /// # Errors
    /// [`KeyError::Jwk`] if it is not whole, if its halves do not belong together, or if it is weak: RSA under 2048
    /// bits, HMAC shorter than its hash.
    pub fn from_jwk(json: &str) -> Result<Self, KeyError> {
        let jwk = Jwk::parse(json)?;
        let algorithm = jwk
            .alg
            .as_deref()
            .ok_or(KeyError::Jwk("it does not say its `alg`"))?;
        Self::from_parts(algorithm.parse()?, jwk)
    }

    /// A private key as PEM: PKCS #8 (`BEGIN PRIVATE KEY`), or what OpenSSL wrote before (`BEGIN RSA PRIVATE KEY`,
    /// `BEGIN EC PRIVATE KEY`). It does not say what it signs with, so the caller does.
    ///
    /// # Errors
    /// [`KeyError::Pem`] if it can't be read; else as [`from_jwk`](Self::from_jwk).
    #[cfg(feature = "asymmetric")]
    pub fn from_pem(algorithm: Algorithm, text: &str) -> Result<Self, KeyError> {
        Self::from_parts(algorithm, crate::pem::parse(text)?)
    }

    /// A key that another program has chosen. Under 32 bytes it could be guessed; shorter than the hash it is weaker
    /// than it might be, which Django's secret keys are for HS512.
    #[cfg(feature = "simplejwt")]
    pub(crate) fn hmac_of_any_length(algorithm: Algorithm, key: &[u8]) -> Result<Self, KeyError> {
        if key.len() < crate::keys::MIN_SECRET_BYTES {
            return Err(KeyError::TooShort(key.len()));
        }
        let material = Material::hmac(algorithm, key)?;
        Ok(Self(Arc::new(Inner {
            kid: material.name(),
            algorithm,
            jwk: Jwk::default(),
            material,
        })))
    }

    fn from_parts(algorithm: Algorithm, mut jwk: Jwk) -> Result<Self, KeyError> {
        if let Some(usage) = jwk.usage.as_deref()
            && usage != "sig"
        {
            return Err(KeyError::Jwk("its `use` is not `sig`"));
        }
        let material = Material::of(algorithm, &jwk)?;
        let kid = match jwk.kid.take() {
            Some(kid) if is_kid(&kid) => kid,
            Some(_) => {
                return Err(KeyError::Jwk(
                    "its `kid` has other characters than A-Z a-z 0-9 - _ or more than 64",
                ));
            }
            None => match jwk.thumbprint() {
                Some(thumbprint) => thumbprint,
                // Of an HMAC key, a keyed hash of a fixed text: no help to find the key.
                None => material.name(),
            },
        };
        jwk.kid = Some(kid.clone());
        jwk.alg = Some(algorithm.as_str().to_owned());
        Ok(Self(Arc::new(Inner {
            kid,
            algorithm,
            jwk,
            material,
        })))
    }

    /// The name under which a header asks for this key: the thumbprint of RFC 7638 for a key with a public half.
    pub fn kid(&self) -> &str {
        &self.0.kid
    }

    /// What it signs with, and nothing else.
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// The whole key as JSON, the private half included.
    pub fn to_jwk(&self) -> SecretString {
        self.0.jwk.to_secret()
    }

    /// The public half as JSON, for a JWKS document; none of an HMAC key, whose only half is private.
    pub fn public_jwk(&self) -> Option<Value> {
        if !self.0.algorithm.is_public() {
            return None;
        }
        serde_json::to_value(self.0.jwk.public()).ok()
    }

    /// The signature of these bytes.
    ///
    /// # Errors
    /// [`KeyError::Signing`] if the system gave no random bytes for an algorithm that needs some: all with a public key but `EdDSA`.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.0.material {
            Material::Hs256(mac) => Ok(tag(mac, message)),
            Material::Hs384(mac) => Ok(tag(mac, message)),
            Material::Hs512(mac) => Ok(tag(mac, message)),
            #[cfg(feature = "asymmetric")]
            Material::Pair(pair) => pair.sign(message),
        }
    }

    /// Whether this key signed these bytes so. HMACs are compared whole and in constant time.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0.material {
            Material::Hs256(mac) => holds(mac, message, signature),
            Material::Hs384(mac) => holds(mac, message, signature),
            Material::Hs512(mac) => holds(mac, message, signature),
            #[cfg(feature = "asymmetric")]
            Material::Pair(pair) => pair.verify(message, signature),
        }
    }
}

impl Material {
    fn of(algorithm: Algorithm, jwk: &Jwk) -> Result<Self, KeyError> {
        if algorithm.is_public() {
            #[cfg(feature = "asymmetric")]
            return Ok(Self::Pair(Box::new(KeyPair::of(algorithm, jwk)?)));
            #[cfg(not(feature = "asymmetric"))]
            return Err(KeyError::Unsupported(algorithm));
        }
        // A public key in the place of an HMAC key is what key confusion is made of.
        if jwk.kty != "oct" {
            return Err(KeyError::Jwk("a key for HMAC is of the kind `oct`"));
        }
        let bytes = member(jwk.k.as_ref(), "`k` is missing")?;
        if bytes.len() < algorithm.hash_bytes() {
            return Err(KeyError::Jwk(
                "a key for HMAC has at least as many bytes as its hash",
            ));
        }
        Self::hmac(algorithm, &bytes)
    }

    fn hmac(algorithm: Algorithm, key: &[u8]) -> Result<Self, KeyError> {
        Ok(match algorithm {
            Algorithm::Hs384 => Self::Hs384(absorbed(key)?),
            Algorithm::Hs512 => Self::Hs512(absorbed(key)?),
            _ => Self::Hs256(absorbed(key)?),
        })
    }

    fn name(&self) -> String {
        const TEXT: &[u8] = b"gatepost kid";
        let whole = match self {
            Self::Hs256(mac) => tag(mac, TEXT),
            Self::Hs384(mac) => tag(mac, TEXT),
            Self::Hs512(mac) => tag(mac, TEXT),
            #[cfg(feature = "asymmetric")]
            Self::Pair(_) => Vec::new(),
        };
        encode(&whole[..whole.len().min(12)])
    }
}

fn absorbed<M: hmac::KeyInit>(key: &[u8]) -> Result<M, KeyError> {
    M::new_from_slice(key).map_err(|_| KeyError::Jwk("a key for HMAC"))
}

fn tag<M: hmac::Mac + Clone>(mac: &M, message: &[u8]) -> Vec<u8> {
    let mut mac = mac.clone();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn holds<M: hmac::Mac + Clone>(mac: &M, message: &[u8], signature: &[u8]) -> bool {
    let mut mac = mac.clone();
    mac.update(message);
    mac.verify_slice(signature).is_ok()
}

/// Goes into headers and URLs as it is (RFC 8725 3.10).
pub(crate) fn is_kid(kid: &str) -> bool {
    (1..=64).contains(&kid.len())
        && kid
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.0.kid)
            .field("algorithm", &self.0.algorithm.as_str())
            .finish_non_exhaustive()
    }
}
