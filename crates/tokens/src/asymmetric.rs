//! Keys with a public half, by `ring`: constant-time, blinded, and in the program's tree for TLS already.

use ring::rand::SystemRandom;
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256,
    RsaKeyPair, UnparsedPublicKey,
};
use zeroize::Zeroizing;

use crate::algorithm::Algorithm;
use crate::error::KeyError;
use crate::jwk::{Jwk, encode, member};

/// What a new pair signs and verifies once.
const PROBE: &[u8] = b"gatepost: do the halves belong together?";
const MISMATCH: KeyError = KeyError::Jwk("it is weak, or its halves do not belong together");

pub(crate) enum KeyPair {
    Rsa {
        pair: RsaKeyPair,
        public: PublicKeyComponents<Vec<u8>>,
        pss: bool,
    },
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl KeyPair {
    pub(crate) fn of(algorithm: Algorithm, jwk: &Jwk) -> Result<Self, KeyError> {
        let crv = jwk.crv.as_deref();
        let pair = match (algorithm, jwk.kty.as_str(), crv) {
            (Algorithm::Rs256 | Algorithm::Ps256, "RSA", _) => Self::rsa(jwk, algorithm == Algorithm::Ps256)?,
            (Algorithm::Es256, "EC", Some("P-256")) => Self::p256(jwk)?,
            (Algorithm::EdDsa, "OKP", Some("Ed25519")) => Self::ed25519(jwk)?,
            _ => return Err(KeyError::Jwk("its kind and its `alg` do not belong together")),
        };
        // A public half that another private one belongs to would be published, and verify nothing of ours.
        if pair.verify(PROBE, &pair.sign(PROBE)?) {
            Ok(pair)
        } else {
            Err(MISMATCH)
        }
    }

    fn rsa(jwk: &Jwk, pss: bool) -> Result<Self, KeyError> {
        let public = PublicKeyComponents {
            n: member(jwk.n.as_ref(), "`n` is missing")?.to_vec(),
            e: member(jwk.e.as_ref(), "`e` is missing")?.to_vec(),
        };
        let [d, p, q, dp, dq, qi] = [&jwk.d, &jwk.p, &jwk.q, &jwk.dp, &jwk.dq, &jwk.qi]
            .map(|part| member(part.as_ref(), "an RSA key has d, p, q, dp, dq and qi"));
        let (d, p, q, dp, dq, qi) = (d?, p?, q?, dp?, dq?, qi?);
        let pair = RsaKeyPair::from_components(&KeyPairComponents {
            public_key: PublicKeyComponents {
                n: public.n.as_slice(),
                e: public.e.as_slice(),
            },
            d: d.as_slice(),
            p: p.as_slice(),
            q: q.as_slice(),
            dP: dp.as_slice(),
            dQ: dq.as_slice(),
            qInv: qi.as_slice(),
        })
        .map_err(|_| MISMATCH)?;
        Ok(Self::Rsa { pair, public, pss })
    }

    fn p256(jwk: &Jwk) -> Result<Self, KeyError> {
        let private = member(jwk.d.as_ref(), "`d` is missing")?;
        let mut point = vec![4_u8];
        point.extend_from_slice(&member(jwk.x.as_ref(), "`x` is missing")?);
        point.extend_from_slice(&member(jwk.y.as_ref(), "`y` is missing")?);
        EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &private,
            &point,
            &SystemRandom::new(),
        )
        .map(Self::P256)
        .map_err(|_| MISMATCH)
    }

    fn ed25519(jwk: &Jwk) -> Result<Self, KeyError> {
        let seed = member(jwk.d.as_ref(), "`d` is missing")?;
        let public = member(jwk.x.as_ref(), "`x` is missing")?;
        Ed25519KeyPair::from_seed_and_public_key(&seed, &public)
            .map(Self::Ed25519)
            .map_err(|_| MISMATCH)
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa { pair, pss, .. } => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let padding: &dyn ring::signature::RsaEncoding =
                    if *pss { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                pair.sign(padding, &random, message, &mut signature)
                    .map_err(|_| KeyError::Signing)?;
                Ok(signature)
            }
            Self::P256(pair) => Ok(pair
                .sign(&random, message)
                .map_err(|_| KeyError::Signing)?
                .as_ref()
                .to_vec()),
            Self::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa { public, pss, .. } => {
                let rule = if *pss {
                    &RSA_PSS_2048_8192_SHA256
                } else {
                    &RSA_PKCS1_2048_8192_SHA256
                };
                public.verify(rule, message, signature).is_ok()
            }
            Self::P256(pair) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref())
                .verify(message, signature)
                .is_ok(),
            Self::Ed25519(pair) => UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref())
                .verify(message, signature)
                .is_ok(),
        }
    }
}

/// A new private key, as JSON.
pub(crate) fn generate(algorithm: Algorithm) -> Result<Jwk, KeyError> {
    match algorithm {
        Algorithm::Es256 => p256(),
        Algorithm::EdDsa => ed25519(),
        Algorithm::Rs256 | Algorithm::Ps256 => crate::rsa_key::generate(),
        other => Err(KeyError::Unsupported(other)),
    }
}

/// ring gives out a new P-256 key only as PKCS #8, in which the private number and the point have their fixed places
/// (RFC 5915): read by those, and checked when the key is put together again.
fn p256() -> Result<Jwk, KeyError> {
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .map_err(|_| KeyError::Signing)?;
    let der = Zeroizing::new(document.as_ref().to_vec());
    let (Some(private), Some(point)) = (der.get(36..68), der.get(der.len().saturating_sub(64)..)) else {
        return Err(MISMATCH);
    };
    Ok(Jwk {
        kty: "EC".to_owned(),
        crv: Some("P-256".to_owned()),
        x: point.get(..32).map(encode),
        y: point.get(32..).map(encode),
        d: Some(encode(private).into()),
        ..Jwk::default()
    })
}

fn ed25519() -> Result<Jwk, KeyError> {
    let mut seed = Zeroizing::new([0_u8; 32]);
    crate::random::fill(seed.as_mut()).map_err(KeyError::Random)?;
    let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).map_err(|_| MISMATCH)?;
    Ok(Jwk {
        kty: "OKP".to_owned(),
        crv: Some("Ed25519".to_owned()),
        x: Some(encode(pair.public_key().as_ref())),
        d: Some(encode(seed.as_ref()).into()),
        ..Jwk::default()
    })
}
