//! Keeps the ring in memory as the table has it, with every reading of the revocation log.

use std::sync::{Mutex, PoisonError};

use gatepost_storage::signing_keys::{self, SigningKeyRow, Version};
use gatepost_storage::{Error, Timestamp, Tx};

use crate::ring::{KeyRing, RingKey};
use crate::ring_plan::{plan, purposes};
use crate::seal;
use crate::tokens::Tokens;

pub(crate) struct Keeper {
    tokens: Tokens,
    known: Mutex<Option<Version>>,
}

/// What a reading found, if it differs from what is in memory.
pub(crate) struct Found {
    version: Version,
    rows: Vec<SigningKeyRow>,
}

impl Keeper {
    pub(crate) fn new(tokens: Tokens) -> Self {
        Self {
            tokens,
            known: Mutex::new(None),
        }
    }

    /// One small statement, unless something has changed.
    pub(crate) async fn read(&self, tx: &mut Tx<'_>) -> Result<Option<Found>, Error> {
        let version = signing_keys::version(tx).await?;
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody ever made a key: a ring that the caller has put there by hand stays.
        if known == Some(version) || (known.is_none() && version == (0, 0, 0)) {
            return Ok(None);
        }
        Ok(Some(Found {
            version,
            rows: signing_keys::list(tx).await?,
        }))
    }

    pub(crate) fn apply(&self, found: &Found, now: Timestamp) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.tokens.set_ring(self.ring(&found.rows, now));
        *known = Some(found.version);
    }

    fn ring(&self, rows: &[SigningKeyRow], now: Timestamp) -> KeyRing {
        let mut ring = KeyRing::new();
        for planned in plan(rows, now) {
            let row = planned.row;
            if row.sealed.is_none() {
                ring.retire_derived(row.kid.as_str());
                continue;
            }
            if !planned.counts() {
                continue;
            }
            let key = seal::open(self.tokens.keys(), row).and_then(|key| {
                ring.insert(RingKey {
                    key,
                    purposes: purposes(row).map(str::to_owned).collect(),
                    signs_from: row.signs_from.as_secs(),
                    verifies_until: planned.verifies_until.map(Timestamp::as_secs),
                })
                .map_err(Into::into)
            });
            if let Err(error) = key {
                tracing::warn!(kid = row.kid, %error, "a signing key can't be used: what it signed is refused");
            }
        }
        ring
    }
}
