//! What is hashed when there is nobody of that name.
//!
//! Accounts that came from Django bring hashes of several kinds, whose checks take from 20 ms to a second. If an
//! unknown address always cost the same, the time of the answer would tell who is known. So an unknown address gets a
//! kind and cost of its own, always the same, drawn under a key in the proportions in which they are stored: by its
//! time it looks like any of the others.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use gatepost_storage::{Error, Store, Timestamp, users};
use gatepost_tokens::DerivedKey;
use hmac::Mac;

use super::stored_hash::{Shape, StoredHash};
use crate::keyed;

/// How many stored passwords are looked at.
const LOOKED_AT: i64 = 1_000;
/// How long what was seen holds. Kinds change as people log in: over days.
const HOLDS: Duration = Duration::from_secs(600);

/// The kinds that are stored, and who of the unknown gets which. Clones share it.
#[derive(Clone)]
pub(super) struct Nobody {
    key: Option<Arc<DerivedKey>>,
    seen: Arc<RwLock<Seen>>,
}

/// Holds a key.
impl std::fmt::Debug for Nobody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nobody").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Seen {
    at: Option<Timestamp>,
    /// In an order that does not change, so that few of the unknown change their kind when a share does.
    shares: BTreeMap<Shape, u64>,
}

impl Nobody {
    /// Draws under `key`; without one everybody unknown costs what is usual today.
    pub(super) fn new(key: Option<DerivedKey>) -> Self {
        Self {
            key: key.map(Arc::new),
            seen: Arc::default(),
        }
    }

    /// The kind and cost for `name`, of which there is nobody.
    pub(super) fn shape(&self, name: &str, today: Shape) -> Shape {
        let Some(key) = &self.key else { return today };
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        let all: u64 = seen.shares.values().sum();
        if all == 0 {
            return today;
        }
        let mac = keyed::mac(key.as_bytes(), "nobody", name.as_bytes()).finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&mac.into_bytes()[..8]);
        let mut drawn = u64::from_be_bytes(first) % all;
        for (shape, share) in &seen.shares {
            if drawn < *share {
                return *shape;
            }
            drawn -= share;
        }
        today
    }

    /// Looks at what is stored, if that was not done lately.
    pub(super) async fn look(&self, store: &Store, counts: impl Fn(Shape) -> bool) -> Result<(), Error> {
        let now = store.now();
        let is_fresh = |seen: &Seen| seen.at.is_some_and(|at| now < at + HOLDS);
        if self.key.is_none() || is_fresh(&self.seen.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        let stored = store
            .read("look_at_passwords", |tx| {
                Box::pin(users::some_passwords(tx, LOOKED_AT))
            })
            .await?;
        let mut shares = BTreeMap::new();
        for text in stored {
            if let Ok(Some(hash)) = StoredHash::parse(&text)
                && counts(hash.shape())
            {
                *shares.entry(hash.shape()).or_default() += 1;
            }
        }
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = Seen {
            at: Some(now),
            shares,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::stored_hash::Cost;

    #[test]
    fn the_unknown_are_as_mixed_as_the_known_and_stay_what_they_are() {
        let today = Shape::from(Cost::default());
        let keys = gatepost_tokens::Keys::from_secret("0123456789abcdef0123456789abcdef").unwrap();
        let nobody = Nobody::new(Some(keys.derive("test")));
        assert_eq!(nobody.shape("ann", today), today, "nothing is stored");
        nobody.seen.write().unwrap().shares = BTreeMap::from([(today, 300), (Shape::DJANGO, 700)]);
        let names: Vec<String> = (0..2_000).map(|n| format!("{n}@example.com")).collect();
        let django = names
            .iter()
            .filter(|name| nobody.shape(name, today) == Shape::DJANGO)
            .count();
        assert!((1_300..1_500).contains(&django), "{django} of 2000, not 1400");
        // One more of a kind moves hardly anybody.
        let before: Vec<Shape> = names.iter().map(|name| nobody.shape(name, today)).collect();
        nobody.seen.write().unwrap().shares = BTreeMap::from([(today, 310), (Shape::DJANGO, 690)]);
        let moved = names
            .iter()
            .zip(before)
            .filter(|(name, before)| nobody.shape(name, today) != *before)
            .count();
        assert!(moved < 60, "{moved}");
    }
}
