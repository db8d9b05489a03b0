//! Private keys.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::DkimError;

/// `SEQUENCE { OID rsaEncryption, NULL }`.
const RSA_ALGORITHM: [u8; 15] = [
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];

#[derive(Clone)]
pub(super) enum Key {
    Rsa(Arc<RsaKeyPair>),
    Ed25519(Arc<Ed25519KeyPair>),
}

impl Key {
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, DkimError> {
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| DkimError::Key)?;
        match &der {
            PrivateKeyDer::Pkcs1(rsa) => {
                let pair = RsaKeyPair::from_der(rsa.secret_pkcs1_der()).map_err(|_| DkimError::Key)?;
                Ok(Self::Rsa(Arc::new(pair)))
            }
            PrivateKeyDer::Pkcs8(any) => {
                let der = any.secret_pkcs8_der();
                // openssl writes Ed25519 keys without the public half.
                if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
                    return Ok(Self::Ed25519(Arc::new(pair)));
                }
                let pair = RsaKeyPair::from_pkcs8(der).map_err(|_| DkimError::Key)?;
                Ok(Self::Rsa(Arc::new(pair)))
            }
            _ => Err(DkimError::Key),
        }
    }

    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "rsa-sha256",
            Self::Ed25519(_) => "ed25519-sha256",
        }
    }

    pub(super) fn sign(&self, input: &[u8]) -> Result<Vec<u8>, DkimError> {
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature)
                    .map_err(|_| DkimError::Sign)?;
                Ok(signature)
            }
            // RFC 8463 3: what Ed25519 signs is the hash.
            Self::Ed25519(pair) => Ok(pair.sign(&Sha256::digest(input)).as_ref().to_vec()),
        }
    }

    /// The content of the record that verifiers look for.
    pub(super) fn record(&self) -> String {
        match self {
            Self::Rsa(pair) => {
                let public = STANDARD.encode(public_key_info(pair.public_key().as_ref()));
                format!("v=DKIM1; k=rsa; p={public}")
            }
            Self::Ed25519(pair) => {
                format!(
                    "v=DKIM1; k=ed25519; p={}",
                    STANDARD.encode(pair.public_key().as_ref())
                )
            }
        }
    }
}

/// The `SubjectPublicKeyInfo` (RFC 5280 4.1.2.7) around a PKCS #1 public key.
fn public_key_info(pkcs1: &[u8]) -> Vec<u8> {
    let mut bits = vec![0];
    bits.extend_from_slice(pkcs1);
    let mut content = RSA_ALGORITHM.to_vec();
    content.extend(der(0x03, &bits));
    der(0x30, &content)
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len().to_be_bytes();
    let length = &length[length
        .iter()
        .position(|byte| *byte != 0)
        .unwrap_or(length.len() - 1)..];
    if content.len() >= 128 {
        out.push(0x80 | u8::try_from(length.len()).unwrap_or(8));
    }
    out.extend_from_slice(length);
    out.extend_from_slice(content);
    out
}
