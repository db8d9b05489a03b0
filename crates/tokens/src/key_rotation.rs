//! Replacing keys, by hand and on a schedule, and retiring them.

use std::time::Duration;

use gatepost_storage::Tx;
use gatepost_storage::signing_keys::{self, SigningKeyRow};

use crate::algorithm::Algorithm;
use crate::error::KeyStoreError;
use crate::key_change::KeyChange;
use crate::key_store::{KeyInfo, TRIES, generated, next_number};
use crate::ring_plan::{KeyState, Planned, plan, purposes};
use crate::seal;
use crate::service::TokenService;

impl TokenService {
    /// Makes the next key of the same kind and for the same purposes as this one, which may be a derived one.
    pub async fn rotate_key(&self, kid: &str, announced_for: Duration) -> Result<KeyInfo, KeyStoreError> {
        let old = self.key(kid).await?;
        let purposes: Vec<_> = old.purposes.iter().map(String::as_str).collect();
        self.generate_key(old.algorithm.parse()?, &purposes, announced_for)
            .await
    }

    /// Makes the next key of each that has signed, or will have when the next one is announced, for `every`. Safe to
    /// call from every instance as often as one likes: one of them makes the key. Also seals with the current secret
    /// what a previous one has sealed.
    pub async fn rotate_due(
        &self,
        every: Duration,
        announced_for: Duration,
    ) -> Result<Vec<KeyInfo>, KeyStoreError> {
        self.tend_keys().await?;
        let mut made = Vec::new();
        for _ in 0..TRIES {
            let now = self.store.now();
            let rows = self
                .store
                .read("keys_due", |tx| Box::pin(signing_keys::list(tx)))
                .await?;
            let due = plan(&rows, now)
                .into_iter()
                .find(|key| {
                    key.newest
                        && key.row.sealed.is_some()
                        && key.row.signs_from + every <= now + announced_for
                })
                .map(|key| key.row.clone());
            let Some(old) = due else { break };
            let next = generated(old.algorithm.parse()?).await?;
            let kid = next.kid().to_owned();
            let service = self.clone();
            // Put behind the very rows that were looked at: another instance's key makes this one's place taken.
            let put: Result<bool, KeyStoreError> = self
                .store
                .run_tx("rotate_key", move |tx| {
                    let (service, rows, next) = (service.clone(), rows.clone(), next.clone());
                    let purposes = old.purposes.clone();
                    Box::pin(async move { service.put(tx, &rows, &next, &purposes, announced_for).await })
                })
                .await;
            if put? {
                made.push(self.key(&kid).await?);
            }
        }
        Ok(made)
    }

    /// The key counts no more, on every instance within a second: what it signed is dead. A derived key too.
    ///
    /// # Errors
    /// [`KeyStoreError::InUse`] if nothing else signs for one of its purposes: rotate it first.
    pub async fn retire_key(&self, kid: &str) -> Result<KeyInfo, KeyStoreError> {
        for _ in 0..TRIES {
            let (service, name) = (self.clone(), kid.to_owned());
            let retired: Result<bool, KeyStoreError> = self
                .store
                .run_tx("retire_key", move |tx| {
                    let (service, kid) = (service.clone(), name.clone());
                    Box::pin(async move { service.retire_in(tx, &kid).await })
                })
                .await;
            if retired? {
                return self.key(kid).await;
            }
        }
        Err(KeyStoreError::Busy)
    }

    async fn retire_in(&self, tx: &mut Tx<'_>, kid: &str) -> Result<bool, KeyStoreError> {
        let now = tx.now();
        let rows = signing_keys::list_locked(tx).await?;
        let planned = plan(&rows, now);
        if let Some(key) = planned.iter().find(|key| key.row.kid == kid) {
            if key.row.retired_at.is_some() {
                return Ok(true);
            }
            if key.state == KeyState::Signing {
                return Err(KeyStoreError::InUse(kid.to_owned()));
            }
            let retired = signing_keys::retire(tx, kid).await?;
            if retired {
                self.tell_key(tx, KeyChange::retired(key.row)).await?;
            }
            return Ok(retired);
        }
        let Some((_, purpose, current)) = self.tokens.derived_keys().into_iter().find(|key| key.0 == kid)
        else {
            return Err(KeyStoreError::Unknown(kid.to_owned()));
        };
        let signs = |key: &Planned<'_>| {
            key.state == KeyState::Signing && purposes(key.row).any(|name| name == purpose)
        };
        if current && !planned.iter().any(signs) {
            return Err(KeyStoreError::InUse(kid.to_owned()));
        }
        let row = SigningKeyRow {
            kid: kid.to_owned(),
            number: next_number(&rows),
            algorithm: Algorithm::Hs256.to_string(),
            purposes: purpose,
            sealed: None,
            sealed_by: None,
            lives: 0,
            created_at: now,
            signs_from: now,
            retired_at: Some(now),
        };
        let retired = signing_keys::insert(tx, &row).await?;
        if retired {
            self.tell_key(tx, KeyChange::retired(&row)).await?;
        }
        Ok(retired)
    }

    /// Notes longer lifetimes, seals anew after a change of the secret, and forgets what has long counted no more.
    /// Part of [`rotate_due`](Self::rotate_due); for who rotates by hand.
    pub async fn tend_keys(&self) -> Result<(), KeyStoreError> {
        let service = self.clone();
        self.store
            .run_tx("tend_keys", move |tx| {
                let service = service.clone();
                Box::pin(async move {
                    let now = tx.now();
                    let keys = service.tokens.keys();
                    let rows = signing_keys::list(tx).await?;
                    for planned in plan(&rows, now) {
                        let row = planned.row;
                        if planned.is_forgettable(now) {
                            signing_keys::forget(tx, &row.kid).await?;
                            continue;
                        }
                        let lives = service.lives(&row.purposes);
                        if planned.newest && row.lives < lives {
                            signing_keys::raise_lives(tx, &row.kid, lives).await?;
                        }
                        if let Some(by) = row.sealed_by.as_deref()
                            && by != keys.fingerprint()
                            && let Ok(key) = seal::open(keys, row)
                        {
                            let sealed = seal::seal(keys, &key, &row.purposes)?;
                            signing_keys::reseal(tx, &row.kid, by, &sealed, keys.fingerprint()).await?;
                        }
                    }
                    Ok::<_, KeyStoreError>(())
                })
            })
            .await
    }
}
