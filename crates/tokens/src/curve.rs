//! The elliptic curves that ECDSA signs on here: what JSON, DER and ring call them.

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm,
};

use crate::algorithm::Algorithm;

pub(crate) struct Curve {
    /// What signs on it, and on no other.
    algorithm: Algorithm,
    /// In JSON (RFC 7518 6.2.1.1).
    pub(crate) name: &'static str,
    /// In DER (RFC 5480 2.1.1.1).
    pub(crate) oid: &'static [u8],
    /// Bytes of the private number, and of each of the point's two.
    pub(crate) bytes: usize,
    pub(crate) signing: &'static EcdsaSigningAlgorithm,
    pub(crate) verifying: &'static EcdsaVerificationAlgorithm,
}

static P256: Curve = Curve {
    algorithm: Algorithm::Es256,
    name: "P-256",
    oid: &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
    bytes: 32,
    signing: &ECDSA_P256_SHA256_FIXED_SIGNING,
    verifying: &ECDSA_P256_SHA256_FIXED,
};

static P384: Curve = Curve {
    algorithm: Algorithm::Es384,
    name: "P-384",
    oid: &[0x2b, 0x81, 0x04, 0, 0x22],
    bytes: 48,
    signing: &ECDSA_P384_SHA384_FIXED_SIGNING,
    verifying: &ECDSA_P384_SHA384_FIXED,
};

impl Curve {
    const ALL: [&'static Self; 2] = [&P256, &P384];

    pub(crate) fn of(algorithm: Algorithm) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|curve| curve.algorithm == algorithm)
    }

    pub(crate) fn by_oid(oid: &[u8]) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|curve| curve.oid == oid)
    }
}
