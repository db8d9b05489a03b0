//! What a hash costs whoever checks it: its kind with its parameters, without salt and hash.

use super::argon::Cost;
use super::pbkdf2::Digest;
use super::plain::Plain;

/// The kind and the cost of a stored password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// `argon2`.
    Argon2 {
        /// Argon2id; else the older Argon2i.
        id: bool,
        /// Memory, passes, lanes.
        cost: Cost,
    },
    /// `pbkdf2_sha256`, `pbkdf2_sha1`.
    Pbkdf2 {
        /// What is iterated.
        digest: Digest,
        /// How often.
        iterations: u32,
    },
    /// `bcrypt_sha256`, `bcrypt`.
    Bcrypt {
        /// The password goes in as the hexadecimal SHA-256 of itself; else cut at 72 bytes.
        sha256: bool,
        /// `a`, `b` or `y`: what wrote it. All three are computed alike.
        minor: u8,
        /// Two to the power of this many rounds.
        rounds: u8,
    },
    /// `scrypt`.
    Scrypt {
        /// The logarithm of N.
        log_n: u8,
        /// r.
        block: u32,
        /// p.
        parallel: u32,
    },
    /// A single digest, of Django's tests or of its first years. Worth next to nothing.
    Plain(Plain),
}

impl Shape {
    /// What Django 5.2 writes unless a project says otherwise.
    pub const DJANGO: Self = Self::Pbkdf2 {
        digest: Digest::Sha256,
        iterations: 1_000_000,
    };

    /// Whether whoever has the table has the passwords as good as read: compared only where that is asked for.
    pub fn is_legacy(self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// What Django calls the kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::Argon2 { .. } => "argon2",
            Self::Pbkdf2 {
                digest: Digest::Sha256,
                ..
            } => "pbkdf2_sha256",
            Self::Pbkdf2 {
                digest: Digest::Sha1, ..
            } => "pbkdf2_sha1",
            Self::Bcrypt { sha256: true, .. } => "bcrypt_sha256",
            Self::Bcrypt { sha256: false, .. } => "bcrypt",
            Self::Scrypt { .. } => "scrypt",
            Self::Plain(plain) => plain.name(),
        }
    }

    pub(super) fn hash_bytes(self) -> usize {
        match self {
            Self::Argon2 { .. } => 32,
            Self::Pbkdf2 { digest, .. } => digest.bytes(),
            Self::Bcrypt { .. } => super::bcrypt::HASH_BYTES,
            Self::Scrypt { .. } => super::scrypt::HASH_BYTES,
            Self::Plain(plain) => plain.bytes(),
        }
    }
}

impl From<Cost> for Shape {
    fn from(cost: Cost) -> Self {
        Self::Argon2 { id: true, cost }
    }
}
