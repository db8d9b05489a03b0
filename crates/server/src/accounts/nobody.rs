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

    /// Whatever a table from Django holds: the work for somebody unknown is that of one of the kinds and costs there, each
    /// as often as it is stored, and never that of a kind which nobody has.
    #[tokio::test]
    async fn the_unknown_cost_what_the_stored_ones_cost() {
        use crate::accounts::stored_hash::Digest;
        use gatepost_storage::users::UserRow;
        use gatepost_storage::{Clock, Json, Set, StoreOptions, imported_users, new_id};

        let kinds = [
            (
                60,
                "pbkdf2_sha256$600000$saltsaltsaltsaltsalt22$gO2QBfDGYVYjWMWu8/Vd5fKzH8Jg+zluhGr0LyKkkY0=",
            ),
            (
                25,
                "bcrypt_sha256$$2b$12$abcdefghijklmnopqrstuuIvyWZlBcE3WoQXKqRnwrLYJ6nenE0Bq",
            ),
            (
                10,
                "argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdHNhbHRzYWx0c2FsdHNhbHQyMg$br7jtpWWN7mjnlGbyDHk17J/PBBhoVJnWnZO7iPzL6M",
            ),
            (3, "!Xs8dHjW2mYpqkzcuRoLxwTn4EFbvs1ADgKiJhGfC"),
            (2, "md5$salt$0123456789abcdef0123456789abcdef"),
        ];
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("gatepost.db").display());
        let store = Store::open(&url, StoreOptions::default()).await.unwrap();
        store.migrate(&Set::ALL).await.unwrap();
        let now = Clock::system().now();
        let stored = kinds
            .into_iter()
            .flat_map(|(count, text)| std::iter::repeat_n(text, count));
        let rows: Vec<UserRow> = stored
            .enumerate()
            .map(|(nth, password)| UserRow {
                id: new_id(now).into(),
                email: format!("{nth}@example.com"),
                email_canonical: format!("{nth}@example.com"),
                password: password.to_owned(),
                active: true,
                locale: "en".to_owned(),
                profile: Json(serde_json::json!({})),
                created_at: now,
                updated_at: now,
                activated_at: None,
                password_changed_at: None,
                last_login_at: None,
            })
            .collect();
        let rows = Arc::new(rows);
        let made = store.run_tx("fill", move |tx| {
            let rows = Arc::clone(&rows);
            Box::pin(async move { imported_users::insert_many(tx, &rows).await })
        });
        assert_eq!(made.await.unwrap().len(), 100);

        let today = Shape::from(Cost::default());
        let keys = gatepost_tokens::Keys::from_secret("0123456789abcdef0123456789abcdef").unwrap();
        let nobody = Nobody::new(Some(keys.derive("test")));
        nobody.look(&store, |shape| !shape.is_legacy()).await.unwrap();
        let mut drawn: BTreeMap<Shape, u32> = BTreeMap::new();
        for nth in 0..1_900 {
            *drawn
                .entry(nobody.shape(&format!("unknown-{nth}"), today))
                .or_default() += 1;
        }
        let pbkdf2 = Shape::Pbkdf2 {
            digest: Digest::Sha256,
            iterations: 600_000,
        };
        assert_eq!(drawn.len(), 3, "{drawn:?}");
        // Of the 95 that can be compared; 1,900 drawn, so twenty for each.
        assert!((1_100..1_300).contains(&drawn[&pbkdf2]), "{drawn:?}");
        let others: Vec<u32> = drawn
            .iter()
            .filter(|(shape, _)| **shape != pbkdf2)
            .map(|(_, n)| *n)
            .collect();
        assert!(others.iter().any(|n| (420..580).contains(n)), "{drawn:?}");
        assert!(others.iter().any(|n| (140..260).contains(n)), "{drawn:?}");
        assert!(!drawn.contains_key(&today), "nobody has that kind: {drawn:?}");
    }
}
