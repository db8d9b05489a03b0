//! The elliptic curves that ECDSA signs on here: what JSON, DER and ring call them.

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm,
};

pub(crate) struct Curve {
    /// In JSON (RFC 7518 6.2.1.1).
    pub(crate) name: &'static str,
    /// In DER (RFC 5480 2.1.1.1).
    pub(crate) oid: &'static [u8],
    /// Bytes of the private number, and of each of the point's two.
    pub(crate) bytes: usize,
    pub(crate) signing: &'static EcdsaSigningAlgorithm,
    pub(crate) verifying: &'static EcdsaVerificationAlgorithm,
}

pub(crate) static P256: Curve = Curve {
    name: "P-256",
    oid: &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
    bytes: 32,
    signing: &ECDSA_P256_SHA256_FIXED_SIGNING,
    verifying: &ECDSA_P256_SHA256_FIXED,
};

pub(crate) static P384: Curve = Curve {
    name: "P-384",
    oid: &[0x2b, 0x81, 0x04, 0, 0x22],
    bytes: 48,
    signing: &ECDSA_P384_SHA384_FIXED_SIGNING,
    verifying: &ECDSA_P384_SHA384_FIXED,
};

impl Curve {
    pub(crate) fn by_oid(oid: &[u8]) -> Option<&'static Self> {
        [&P256, &P384].into_iter().find(|curve| curve.oid == oid)
    }
}
