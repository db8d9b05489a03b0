//! Which family a `jti` belongs to, told by its first 64 bits: 60 that were drawn and 4 that say "version 4".

use gatepost_storage::Timestamp;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::error::CreateError;

/// The lower half of every family's id, so that it is a UUID and no session of ours has it.
const LOWER: u64 = 0x8000_0000_0000_0000;

/// A family that goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Family {
    pub(crate) id: Uuid,
    /// When it ends, however often it is refreshed.
    pub(crate) absolute_at: Timestamp,
}

impl Family {
    /// No token of the family outlives it.
    pub(crate) fn cut(self, exp: i64) -> i64 {
        exp.min(self.absolute_at.as_secs())
    }
}

/// The family of a token with this `jti`. Where a project makes others than `uuid4().hex`, each is a family of its own.
pub(crate) fn of(jti: &str) -> Uuid {
    let hex = jti.len() == 32 && jti.bytes().all(|byte| byte.is_ascii_hexdigit());
    let upper = jti.get(..16).filter(|_| hex);
    if let Some(upper) = upper.and_then(|upper| u64::from_str_radix(upper, 16).ok()) {
        return Uuid::from_u64_pair(upper, LOWER);
    }
    let digest: [u8; 32] = Sha256::digest(jti.as_bytes()).into();
    named(u64::from_be_bytes(*digest.first_chunk().unwrap_or(&[0; 8])))
}

fn named(bits: u64) -> Uuid {
    Uuid::from_u64_pair(bits & !0xf000 | 0x4000, LOWER)
}

/// Whether the id is a family's.
pub(crate) fn is_one(id: Uuid) -> bool {
    id.as_u64_pair().1 == LOWER
}

/// A new one.
pub(crate) fn new() -> Result<Uuid, CreateError> {
    Ok(named(u64::from_be_bytes(random()?)))
}

/// A `jti` of the family, as `uuid4().hex` would write one.
pub(crate) fn member(family: Uuid) -> Result<String, CreateError> {
    let drawn = u64::from_be_bytes(random()?);
    let lower = drawn & 0x3fff_ffff_ffff_ffff | LOWER;
    Ok(Uuid::from_u64_pair(family.as_u64_pair().0, lower)
        .simple()
        .to_string())
}

fn random() -> Result<[u8; 8], CreateError> {
    let mut bytes = [0; 8];
    crate::random::fill(&mut bytes).map_err(CreateError::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_look_like_any_uuid4_and_know_their_family() {
        let family = new().unwrap();
        let (one, two) = (member(family).unwrap(), member(family).unwrap());
        assert_ne!(one, two);
        for jti in [&one, &two] {
            assert_eq!(of(jti), family);
            let uuid: Uuid = jti.parse().unwrap();
            assert_eq!(
                (uuid.get_version_num(), uuid.get_variant()),
                (4, uuid::Variant::RFC4122)
            );
        }
        assert!(is_one(family));
        let others = ["x", "y", &"é".repeat(16), "6ba7b810-9dad-41d1-80b4-00c04fd430c8"].map(of);
        assert!(
            others
                .iter()
                .all(|other| is_one(*other) && other.get_version_num() == 4)
        );
        assert_eq!(of("x"), others[0]);
        assert_ne!(others[0], others[1]);
    }
}
