//! The ring: keys of their own, beside those that are derived from the secret.
//!
//! A token's header names one key, and that key alone may verify it: by its name, its algorithm and the purposes
//! that it is for. Rings are replaced whole, at run time too, and every clone of [`Tokens`] sees the new one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Value, json};

use crate::error::KeyError;
use crate::purpose::{is_purpose_name, typ_of};
use crate::signing_key::SigningKey;
use crate::tokens::{Key, Tokens, encoded_header};

/// A key and what it may do, from when and until when.
#[derive(Debug, Clone)]
pub struct RingKey {
    /// The key.
    pub key: SigningKey,
    /// The names of the purposes whose tokens it signs.
    pub purposes: Vec<String>,
    /// From which second since 1970 on it signs. Before that it only verifies, so that everybody has learnt of it.
    pub signs_from: i64,
    /// From which second since 1970 on it verifies no more; none while it may still sign.
    pub verifies_until: Option<i64>,
}

/// The keys besides the derived ones, and the names of derived ones that count no more.
#[derive(Debug, Clone, Default)]
pub struct KeyRing {
    keys: Vec<RingKey>,
    retired: BTreeSet<String>,
}

impl KeyRing {
    /// No keys: everything is signed and verified by the secret's.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this key for these purposes, from now on and for good.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn with(mut self, key: SigningKey, purposes: &[&str]) -> Result<Self, KeyError> {
        self.insert(RingKey {
            key,
            purposes: purposes.iter().map(|name| (*name).to_owned()).collect(),
            signs_from: 0,
            verifies_until: None,
        })?;
        Ok(self)
    }

    /// Adds a key. Of those that may sign for a purpose, the one with the latest `signs_from` does; of equal ones the
    /// one that was added last.
    ///
    /// # Errors
    /// [`KeyError::Twice`] if there is one of that name; [`KeyError::Purposes`] if it is for nothing, or for what
    /// could be no purpose.
    pub fn insert(&mut self, key: RingKey) -> Result<(), KeyError> {
        if self.keys.iter().any(|known| known.key.kid() == key.key.kid()) {
            return Err(KeyError::Twice);
        }
        if key.purposes.is_empty() || !key.purposes.iter().all(|name| is_purpose_name(name)) {
            return Err(KeyError::Purposes(key.purposes.join(" ")));
        }
        self.keys.push(key);
        Ok(())
    }

    /// A derived key of this name signs and verifies no more.
    pub fn retire_derived(&mut self, kid: impl Into<String>) {
        self.retired.insert(kid.into());
    }

    /// The keys.
    pub fn keys(&self) -> &[RingKey] {
        &self.keys
    }
}

/// A key with the header that it writes for one purpose.
pub(crate) struct Entry {
    pub(crate) key: SigningKey,
    pub(crate) header: String,
    pub(crate) signs_from: i64,
    pub(crate) verifies_until: Option<i64>,
}

/// A ring made ready: by purpose, the newest key first.
#[derive(Default)]
pub(crate) struct Ready {
    by_purpose: BTreeMap<String, Vec<Arc<Entry>>>,
    retired: BTreeSet<String>,
    ring: KeyRing,
}

/// The ring that all clones of one [`Tokens`] share.
#[derive(Default)]
pub(crate) struct SharedRing {
    /// Whether there is anything in it: without a ring, checks take no lock.
    some: AtomicBool,
    /// How often it was replaced.
    turn: AtomicU64,
    ready: RwLock<Arc<Ready>>,
}

impl Ready {
    fn new(ring: KeyRing) -> Self {
        let mut by_purpose: BTreeMap<String, Vec<Arc<Entry>>> = BTreeMap::new();
        for key in ring.keys.iter().rev() {
            for purpose in &key.purposes {
                let entry = Entry {
                    header: encoded_header(key.key.algorithm(), &typ_of(purpose), key.key.kid()),
                    key: key.key.clone(),
                    signs_from: key.signs_from,
                    verifies_until: key.verifies_until,
                };
                by_purpose
                    .entry(purpose.clone())
                    .or_default()
                    .push(Arc::new(entry));
            }
        }
        for entries in by_purpose.values_mut() {
            entries.sort_by_key(|entry| std::cmp::Reverse(entry.signs_from));
        }
        Self {
            by_purpose,
            retired: ring.retired.clone(),
            ring,
        }
    }

    fn of(&self, purpose: &str) -> &[Arc<Entry>] {
        self.by_purpose.get(purpose).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn is_retired(&self, key: &Key) -> bool {
        self.retired.contains(&key.kid)
    }

    /// The one key whose header the token starts with.
    pub(crate) fn verifier(&self, purpose: &str, raw: &str, now: i64) -> Option<&Arc<Entry>> {
        self.of(purpose)
            .iter()
            .find(|entry| raw.starts_with(&entry.header))
            .filter(|entry| entry.lives(now))
    }

    /// The newest key that signs by now.
    pub(crate) fn signer(&self, purpose: &str, now: i64) -> Option<&Arc<Entry>> {
        self.of(purpose)
            .iter()
            .find(|entry| entry.signs_from <= now && entry.lives(now))
    }

    pub(crate) fn named(&self, purpose: &str, kid: &str, now: i64) -> Option<&Arc<Entry>> {
        self.of(purpose)
            .iter()
            .find(|entry| entry.key.kid() == kid && entry.lives(now))
    }
}

impl Entry {
    fn lives(&self, now: i64) -> bool {
        self.verifies_until.is_none_or(|until| now < until)
    }
}

impl SharedRing {
    pub(crate) fn get(&self) -> Option<Arc<Ready>> {
        if !self.some.load(Ordering::Acquire) {
            return None;
        }
        Some(Arc::clone(
            &self.ready.read().unwrap_or_else(PoisonError::into_inner),
        ))
    }

    fn set(&self, ring: KeyRing) {
        let some = !ring.keys.is_empty() || !ring.retired.is_empty();
        *self.ready.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Ready::new(ring));
        self.some.store(some, Ordering::Release);
        self.turn.fetch_add(1, Ordering::Release);
    }
}

impl Tokens {
    /// With these keys beside the derived ones. Where one of them is for a purpose, it signs that purpose's tokens.
    #[must_use]
    pub fn with_ring(self, ring: KeyRing) -> Self {
        self.set_ring(ring);
        self
    }

    /// Replaces the ring, for every clone of these tokens.
    pub fn set_ring(&self, ring: KeyRing) {
        self.ring.set(ring);
    }

    /// The ring as it is now.
    pub fn key_ring(&self) -> KeyRing {
        self.ring
            .get()
            .map_or_else(KeyRing::new, |ready| ready.ring.clone())
    }

    /// Changes when the ring does.
    #[cfg(feature = "store")]
    pub(crate) fn ring_turn(&self) -> u64 {
        self.ring.turn.load(Ordering::Acquire)
    }

    /// The JWKS document (RFC 7517 5): the public half of every key that signs, will sign, or still verifies. Nothing
    /// of the HMAC keys.
    pub fn jwks(&self) -> Value {
        let now = self.clock.now();
        let ring = self.key_ring();
        let mut keys: Vec<_> = ring
            .keys
            .iter()
            .filter(|key| key.verifies_until.is_none_or(|until| now < until))
            .collect();
        keys.sort_by_key(|key| std::cmp::Reverse(key.signs_from));
        let keys: Vec<_> = keys.into_iter().filter_map(|key| key.key.public_jwk()).collect();
        json!({ "keys": keys })
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}
