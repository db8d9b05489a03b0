//! Checking a token: text in, a typed token or a typed refusal out. No I/O.
//!
//! RFC 8725 by construction. The keys are those of the purpose that was asked for, each key has one algorithm, and
//! the header must be the very bytes that one of these keys writes, which then alone may verify: `none`, another algorithm, `crit`, `jku`, `x5u` or a
//! strange `kid` never get as far as being read. The signature is compared before the payload is looked at.

use std::marker::PhantomData;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac as _;
use serde::Deserialize;
use serde::de::value::{Error as ValueError, UnitDeserializer};
use serde_json::{Map, Value};

use crate::claims::{AnyToken, Claims, Read, SessionRef, Token};
use crate::error::Refused;
use crate::issue::MAX_TOKEN_BYTES;
use crate::purpose::{Purpose, name_of_typ};
use crate::ring::Entry;
use crate::tokens::{Key, Keyed, Tokens};

/// 32 bytes in base64url.
const SIGNATURE_CHARS: usize = 43;
/// The last second of the year 9999: what is later is nonsense, not a lifetime.
const LAST_SECOND: i64 = 253_402_300_799;
/// No header of ours is longer: a purpose's name has at most 48 bytes.
const MAX_HEADER_CHARS: usize = 200;

impl Tokens {
    /// The token, if it is one of ours for `P` and has time left. Whether it was used or revoked is not asked:
    /// that takes a store.
    pub fn check<P: Purpose>(&self, raw: &str) -> Result<Token<P>, Refused> {
        let keyed = self.keyed::<P>();
        let payload = self.payload(&keyed, raw)?;
        let (claims, extra) = self.read(&keyed, &payload)?;
        Ok(Token {
            claims,
            extra,
            purpose: PhantomData,
        })
    }

    /// The token, if it is one of ours for any purpose that is known here.
    pub fn check_any(&self, raw: &str) -> Result<AnyToken, Refused> {
        // Most begin with a header that is known by heart; the others' has to be read.
        let keyed = self
            .keyed_by_header(raw)
            .or_else(|| self.keyed_named(&claimed_purpose(raw)?))
            .ok_or(Refused::Malformed)?;
        let payload = self.payload(&keyed, raw)?;
        let (claims, extra) = self.read::<Option<Map<String, Value>>>(&keyed, &payload)?;
        Ok(AnyToken {
            purpose: keyed.spec.clone(),
            claims,
            extra: extra.unwrap_or_default(),
        })
    }

    /// The payload's JSON, once its signature is found good.
    fn payload(&self, keyed: &Keyed, raw: &str) -> Result<Vec<u8>, Refused> {
        if raw.len() > MAX_TOKEN_BYTES {
            return Err(Refused::Malformed);
        }
        let ring = self.ring.get();
        if let Some(key) = keyed.derived.iter().find(|key| raw.starts_with(&key.header)) {
            if ring.is_some_and(|ring| ring.is_retired(key)) {
                return Err(Refused::Malformed);
            }
            return open(key, raw).ok_or(Refused::Malformed);
        }
        if let Some(ring) = ring
            && let Some(entry) = ring.verifier(&keyed.spec.name, raw, self.clock.now())
        {
            return open_by(entry, raw).ok_or(Refused::Malformed);
        }
        Err(self.why_not(raw))
    }

    /// A token that none of a purpose's keys made: for another purpose, as far as it says so itself, or none of ours.
    fn why_not(&self, raw: &str) -> Refused {
        let Some(other) = claimed_purpose(raw).and_then(|name| self.keyed_named(&name)) else {
            return Refused::Malformed;
        };
        let known = other.derived.iter().any(|key| raw.starts_with(&key.header))
            || self
                .ring
                .get()
                .is_some_and(|ring| ring.verifier(&other.spec.name, raw, self.clock.now()).is_some());
        if known {
            Refused::WrongPurpose
        } else {
            Refused::Malformed
        }
    }

    /// Whether the token is of a purpose known here, by a key that is not.
    #[cfg(feature = "store")]
    pub(crate) fn asks_for_unknown_key(&self, raw: &str) -> bool {
        raw.len() <= MAX_TOKEN_BYTES
            && claimed_purpose(raw)
                .and_then(|name| self.keyed_named(&name))
                .is_some_and(|keyed| {
                    let now = self.clock.now();
                    !keyed.derived.iter().any(|key| raw.starts_with(&key.header))
                        && self
                            .ring
                            .get()
                            .is_none_or(|ring| ring.verifier(&keyed.spec.name, raw, now).is_none())
                })
    }

    fn read<'de, E: Deserialize<'de>>(
        &self,
        keyed: &Keyed,
        payload: &'de [u8],
    ) -> Result<(Claims, E), Refused> {
        let read: Read<'de, E> = serde_json::from_slice(payload).map_err(|_| Refused::Malformed)?;
        if read.token_type != keyed.spec.name {
            return Err(Refused::WrongPurpose);
        }
        let times = 0 < read.exp && read.exp <= LAST_SECOND && read.iat < read.exp;
        if read.iss != *self.issuer || read.aud != *self.audience || read.user_id != read.sub || !times {
            return Err(Refused::Malformed);
        }
        let session = match (read.sid, read.rot) {
            (Some(sid), Some(rotation)) => Some(SessionRef {
                sid: sid.into_owned(),
                rotation,
            }),
            (None, None) => None,
            _ => return Err(Refused::Malformed),
        };
        let now = self.clock.now();
        if now >= read.exp {
            return Err(Refused::Expired);
        }
        if read.nbf.is_some_and(|nbf| now < nbf) {
            return Err(Refused::Malformed);
        }
        let extra = match read.ext {
            Some(extra) => extra,
            None => E::deserialize(UnitDeserializer::<ValueError>::new()).map_err(|_| Refused::Malformed)?,
        };
        let claims = Claims {
            subject: read.sub.into_owned(),
            jti: read.jti.into_owned(),
            issued_at: read.iat,
            expires_at: read.exp,
            session,
            generation: read.generation,
            keep_until: read.keep,
        };
        Ok((claims, extra))
    }
}

/// Verifies the signature of a token that starts with the key's header, then decodes its payload. Both in the one
/// legal spelling: no padding, no stray bits in the last character (RFC 7515 2).
fn open(key: &Key, raw: &str) -> Option<Vec<u8>> {
    let dot = raw.len().checked_sub(SIGNATURE_CHARS + 1)?;
    if dot < key.header.len() || raw.as_bytes()[dot] != b'.' {
        return None;
    }
    let mut signature = [0_u8; 33];
    let length = URL_SAFE_NO_PAD
        .decode_slice(&raw.as_bytes()[dot + 1..], &mut signature)
        .ok()?;
    let mut mac = key.mac.clone();
    mac.update(&raw.as_bytes()[..dot]);
    mac.verify_slice(&signature[..length]).ok()?;
    URL_SAFE_NO_PAD
        .decode(&raw.as_bytes()[key.header.len()..dot])
        .ok()
}

/// As [`open`], with a key of the ring, whose signatures may have another length.
fn open_by(entry: &Entry, raw: &str) -> Option<Vec<u8>> {
    let dot = raw.rfind('.').filter(|dot| *dot >= entry.header.len())?;
    let signature = URL_SAFE_NO_PAD.decode(&raw.as_bytes()[dot + 1..]).ok()?;
    if !entry.key.verify(&raw.as_bytes()[..dot], &signature) {
        return None;
    }
    URL_SAFE_NO_PAD
        .decode(&raw.as_bytes()[entry.header.len()..dot])
        .ok()
}

/// A header, read only to tell the bearer of a refused token more, and to find the purpose where any will do.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    #[serde(rename = "alg")]
    _alg: String,
    typ: String,
    #[serde(rename = "kid")]
    _kid: String,
}

pub(crate) fn claimed_purpose(raw: &str) -> Option<String> {
    let (header, _) = raw.split_once('.')?;
    if header.len() > MAX_HEADER_CHARS {
        return None;
    }
    let json = URL_SAFE_NO_PAD.decode(header).ok()?;
    let header: Header = serde_json::from_slice(&json).ok()?;
    name_of_typ(&header.typ).map(str::to_owned)
}
