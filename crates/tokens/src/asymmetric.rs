//! Keys with a public half, by `ring`: constant-time, blinded, and in the program's tree for TLS already.

use ring::rand::SystemRandom;
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::{
    ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RSA_PKCS1_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair, RsaParameters,
    UnparsedPublicKey,
};
use zeroize::Zeroizing;

use crate::algorithm::Algorithm;
use crate::curve::Curve;
use crate::error::KeyError;
use crate::jwk::{Jwk, encode, member};

/// What a new pair signs and verifies once.
const PROBE: &[u8] = b"gatepost: do the halves belong together?";
const MISMATCH: KeyError = KeyError::Jwk("it is weak, or its halves do not belong together");

pub(crate) enum KeyPair {
    Rsa {
        pair: RsaKeyPair,
        public: PublicKeyComponents<Vec<u8>>,
        scheme: RsaScheme,
    },
    Ec {
        pair: EcdsaKeyPair,
        curve: &'static Curve,
    },
    Ed25519(Ed25519KeyPair),
}

/// How ring calls one of RSA's algorithms, for each direction.
pub(crate) struct RsaScheme {
    signs: &'static dyn RsaEncoding,
    verifies: &'static RsaParameters,
}

impl RsaScheme {
    fn of(algorithm: Algorithm) -> Option<Self> {
        let (signs, verifies): (&dyn RsaEncoding, _) = match algorithm {
            Algorithm::Rs256 => (&RSA_PKCS1_SHA256, &RSA_PKCS1_2048_8192_SHA256),
            Algorithm::Rs384 => (&RSA_PKCS1_SHA384, &RSA_PKCS1_2048_8192_SHA384),
            Algorithm::Rs512 => (&RSA_PKCS1_SHA512, &RSA_PKCS1_2048_8192_SHA512),
            Algorithm::Ps256 => (&RSA_PSS_SHA256, &RSA_PSS_2048_8192_SHA256),
            Algorithm::Ps384 => (&RSA_PSS_SHA384, &RSA_PSS_2048_8192_SHA384),
            Algorithm::Ps512 => (&RSA_PSS_SHA512, &RSA_PSS_2048_8192_SHA512),
            _ => return None,
        };
        Some(Self { signs, verifies })
    }
}

impl KeyPair {
    pub(crate) fn of(algorithm: Algorithm, jwk: &Jwk) -> Result<Self, KeyError> {
        let crv = jwk.crv.as_deref();
        let pair = match (jwk.kty.as_str(), RsaScheme::of(algorithm), Curve::of(algorithm)) {
            ("RSA", Some(scheme), _) => Self::rsa(jwk, scheme)?,
            ("EC", _, Some(curve)) if crv == Some(curve.name) => Self::ec(jwk, curve)?,
            ("OKP", ..) if algorithm == Algorithm::EdDsa && crv == Some("Ed25519") => Self::ed25519(jwk)?,
            _ => return Err(KeyError::Jwk("its kind and its `alg` do not belong together")),
        };
        // A public half that another private one belongs to would be published, and verify nothing of ours.
        if pair.verify(PROBE, &pair.sign(PROBE)?) {
            Ok(pair)
        } else {
            Err(MISMATCH)
        }
    }

    fn rsa(jwk: &Jwk, scheme: RsaScheme) -> Result<Self, KeyError> {
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
        Ok(Self::Rsa { pair, public, scheme })
    }

    fn ec(jwk: &Jwk, curve: &'static Curve) -> Result<Self, KeyError> {
        let private = member(jwk.d.as_ref(), "`d` is missing")?;
        let mut point = vec![4_u8];
        point.extend_from_slice(&member(jwk.x.as_ref(), "`x` is missing")?);
        point.extend_from_slice(&member(jwk.y.as_ref(), "`y` is missing")?);
        EcdsaKeyPair::from_private_key_and_public_key(curve.signing, &private, &point, &SystemRandom::new())
            .map(|pair| Self::Ec { pair, curve })
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
            Self::Rsa { pair, scheme, .. } => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(scheme.signs, &random, message, &mut signature)
                    .map_err(|_| KeyError::Signing)?;
                Ok(signature)
            }
            Self::Ec { pair, .. } => Ok(pair
                .sign(&random, message)
                .map_err(|_| KeyError::Signing)?
                .as_ref()
                .to_vec()),
            Self::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa { public, scheme, .. } => public.verify(scheme.verifies, message, signature).is_ok(),
            Self::Ec { pair, curve } => UnparsedPublicKey::new(curve.verifying, pair.public_key().as_ref())
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
    match (algorithm, Curve::of(algorithm)) {
        (_, Some(curve)) => ec(curve),
        (Algorithm::EdDsa, _) => ed25519(),
        (rsa, _) if rsa.is_rsa() => crate::rsa_key::generate(),
        (other, _) => Err(KeyError::Unsupported(other)),
    }
}

/// ring gives out a new elliptic key as PKCS #8 only.
fn ec(curve: &Curve) -> Result<Jwk, KeyError> {
    let document =
        EcdsaKeyPair::generate_pkcs8(curve.signing, &SystemRandom::new()).map_err(|_| KeyError::Signing)?;
    crate::pem::pkcs8(&Zeroizing::new(document.as_ref().to_vec()))
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
