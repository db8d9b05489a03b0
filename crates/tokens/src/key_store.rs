//! The ring in the database: making and listing keys, from any instance.

use std::time::Duration;

use gatepost_storage::signing_keys::{self, SigningKeyRow};
use gatepost_storage::{Timestamp, Tx};
use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::error::{KeyStoreError, Unavailable};
use crate::key_change::KeyChange;
use crate::purpose::{MAX_LIFETIME, class_of, is_purpose_name};
use crate::ring_plan::{KeyState, Planned, plan, purposes};
use crate::seal;
use crate::service::TokenService;
use crate::sessions::seconds;
use crate::signing_key::SigningKey;

/// How long a key is known before it signs: three times the minutes for which others may keep the JWKS document.
pub const ANNOUNCED_FOR: Duration = Duration::from_mins(15);
/// So long every instance may take to learn of a key, and as long again.
pub const ANNOUNCED_AT_LEAST: Duration = Duration::from_secs(2);

/// How often to try again when another instance adds a key at the same moment.
pub(crate) const TRIES: usize = 5;

/// A key, as `gatepost key list` shows it. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its name.
    pub kid: String,
    /// What it signs with.
    pub algorithm: String,
    /// The purposes it is for.
    pub purposes: Vec<String>,
    /// Where it stands.
    pub state: KeyState,
    /// Whether it is derived from the secret, instead of a key of its own.
    pub derived: bool,
    /// When it was made; unknown of a derived key.
    pub created_at: Option<Timestamp>,
    /// From when on it signs, or signed; unknown of a derived key.
    pub signs_from: Option<Timestamp>,
    /// From when on it counts no more; none while it may sign.
    pub verifies_until: Option<Timestamp>,
}

impl TokenService {
    /// Makes a key for these purposes, which signs their tokens after `announced_for` (0 s: at once; instances that
    /// have not heard of it refuse its tokens for up to a second). The key before it verifies until the last token
    /// that it signed is dead.
    ///
    /// # Errors
    /// [`KeyStoreError::Key`] if there can be no such key.
    pub async fn generate_key(
        &self,
        algorithm: Algorithm,
        purposes: &[&str],
        announced_for: Duration,
    ) -> Result<KeyInfo, KeyStoreError> {
        self.joined(purposes)?;
        self.add_key(generated(algorithm).await?, purposes, announced_for)
            .await
    }

    /// As [`generate_key`](Self::generate_key), with a key that was made elsewhere.
    pub async fn add_key(
        &self,
        key: SigningKey,
        purposes: &[&str],
        announced_for: Duration,
    ) -> Result<KeyInfo, KeyStoreError> {
        let (purposes, kid) = (self.joined(purposes)?, key.kid().to_owned());
        for _ in 0..TRIES {
            let (service, key, purposes) = (self.clone(), key.clone(), purposes.clone());
            let added = self
                .store
                .run_tx("add_key", move |tx| {
                    let (service, key, purposes) = (service.clone(), key.clone(), purposes.clone());
                    Box::pin(async move {
                        let rows = signing_keys::list(tx).await?;
                        if rows.iter().any(|row| row.kid == key.kid()) {
                            return Err(KeyStoreError::Known(key.kid().to_owned()));
                        }
                        service.put(tx, &rows, &key, &purposes, announced_for).await
                    })
                })
                .await?;
            if added {
                return self.key(&kid).await;
            }
        }
        Err(KeyStoreError::Busy)
    }

    /// Makes sure, at start, that tokens of these purposes are signed with this algorithm; the key that was made for
    /// it, if one had to be. It signs at once: call it before the first token is made. For HS256 the derived keys do,
    /// unless another key stands in their place.
    pub async fn ensure_key(
        &self,
        algorithm: Algorithm,
        purposes: &[&str],
    ) -> Result<Option<KeyInfo>, KeyStoreError> {
        let joined = self.joined(purposes)?;
        let rows = self
            .store
            .read("ensured_keys", |tx| Box::pin(signing_keys::list(tx)))
            .await?;
        if stands(&plan(&rows, self.store.now()), algorithm, &joined) {
            self.learn_keys().await.map_err(KeyStoreError::Unread)?;
            return Ok(None);
        }
        // Only now: an RSA key takes a second.
        let fresh = generated(algorithm).await?;
        let kid = fresh.kid().to_owned();
        for _ in 0..TRIES {
            let (service, fresh, joined) = (self.clone(), fresh.clone(), joined.clone());
            let put: Result<Option<bool>, KeyStoreError> = self
                .store
                .run_tx("ensure_key", move |tx| {
                    let (service, fresh, joined) = (service.clone(), fresh.clone(), joined.clone());
                    Box::pin(async move {
                        let rows = signing_keys::list(tx).await?;
                        if stands(&plan(&rows, tx.now()), algorithm, &joined) {
                            return Ok(None);
                        }
                        service
                            .put(tx, &rows, &fresh, &joined, Duration::ZERO)
                            .await
                            .map(Some)
                    })
                })
                .await;
            match put? {
                None => {
                    self.learn_keys().await.map_err(KeyStoreError::Unread)?;
                    return Ok(None);
                }
                Some(true) => return self.key(&kid).await.map(Some),
                Some(false) => {}
            }
        }
        Err(KeyStoreError::Busy)
    }

    /// Every key, the derived ones first, then in the order in which they were made.
    pub async fn list_keys(&self) -> Result<Vec<KeyInfo>, KeyStoreError> {
        let rows = self
            .store
            .read("list_keys", |tx| Box::pin(signing_keys::list(tx)))
            .await?;
        let planned = plan(&rows, self.store.now());
        let signed: Vec<_> = planned
            .iter()
            .filter(|key| key.row.sealed.is_some() && key.state == KeyState::Signing)
            .flat_map(|key| purposes(key.row))
            .collect();
        let mut list: Vec<_> = self
            .tokens
            .derived_keys()
            .into_iter()
            .map(|(kid, purpose, current)| KeyInfo {
                state: if rows.iter().any(|row| row.kid == kid && row.sealed.is_none()) {
                    KeyState::Retired
                } else if current && !signed.contains(&purpose.as_str()) {
                    KeyState::Signing
                } else {
                    KeyState::Verifying
                },
                kid,
                algorithm: Algorithm::Hs256.to_string(),
                purposes: vec![purpose],
                derived: true,
                created_at: None,
                signs_from: None,
                verifies_until: None,
            })
            .collect();
        list.extend(planned.iter().filter(|key| key.row.sealed.is_some()).map(info));
        Ok(list)
    }

    /// Adds a row behind these; whether nobody else has added one meanwhile.
    pub(crate) async fn put(
        &self,
        tx: &mut Tx<'_>,
        rows: &[SigningKeyRow],
        key: &SigningKey,
        purposes: &str,
        announced_for: Duration,
    ) -> Result<bool, KeyStoreError> {
        let now = tx.now();
        let row = SigningKeyRow {
            kid: key.kid().to_owned(),
            number: next_number(rows),
            algorithm: key.algorithm().to_string(),
            sealed: Some(seal::seal(self.tokens.keys(), key, purposes)?),
            sealed_by: Some(self.tokens.keys().fingerprint().to_owned()),
            lives: self.lives(purposes),
            purposes: purposes.to_owned(),
            created_at: now,
            signs_from: now + announced_for,
            retired_at: None,
        };
        let put = signing_keys::insert(tx, &row).await?;
        if put {
            self.tell_key(tx, KeyChange::made(key, purposes)).await?;
        }
        Ok(put)
    }

    /// Makes sure that this instance knows the keys as they are in the database, or were a second ago.
    ///
    /// # Errors
    /// [`Unavailable`] if the database does not answer.
    pub async fn learn_keys(&self) -> Result<(), Unavailable> {
        self.revocations.be_fresh().await
    }

    /// The JWKS document, for everybody to read: of the keys that stand now or, while the database does not answer,
    /// of those that this instance knew last.
    ///
    /// # Errors
    /// [`Unavailable`] if this instance never learnt of any: a document without them would be kept by whoever asked.
    pub async fn published_keys(&self) -> Result<Value, Unavailable> {
        match self.learn_keys().await {
            Err(error) if !self.revocations.has_read() => Err(error),
            _ => Ok(self.tokens.jwks()),
        }
    }

    /// What stands now, once this instance has read it too.
    pub(crate) async fn key(&self, kid: &str) -> Result<KeyInfo, KeyStoreError> {
        self.learn_keys().await.map_err(KeyStoreError::Unread)?;
        let found = self.list_keys().await?.into_iter().find(|key| key.kid == kid);
        found.ok_or_else(|| KeyStoreError::Unknown(kid.to_owned()))
    }

    /// For how many seconds a token of these purposes may live. Access, refresh and socket tokens never get more than
    /// their purpose has; any other may be made with a lifetime of its own.
    pub(crate) fn lives(&self, purposes: &str) -> i64 {
        let one = |name: &str| {
            let own = self.tokens.keyed_named(name).map(|keyed| keyed.spec.lifetime);
            match own {
                Some(own) if class_of(name) == "session" => own,
                _ => MAX_LIFETIME,
            }
        };
        purposes.split(' ').map(one).max().map_or(0, seconds)
    }

    /// In one order and once each, so that they compare.
    fn joined(&self, purposes: &[&str]) -> Result<String, KeyStoreError> {
        let mut names = purposes.to_vec();
        names.sort_unstable();
        names.dedup();
        let known = |name: &&&str| is_purpose_name(name) && self.tokens.keyed_named(name).is_some();
        if names.is_empty() || names.iter().filter(known).count() < names.len() {
            return Err(crate::error::KeyError::Purposes(names.join(" ")).into());
        }
        Ok(names.join(" "))
    }
}

/// Whether every purpose's newest key signs so. Without any key the derived ones do, with HS256.
fn stands(planned: &[Planned<'_>], algorithm: Algorithm, wanted: &str) -> bool {
    wanted.split(' ').all(|purpose| {
        let newest = planned
            .iter()
            .filter(|key| key.row.sealed.is_some() && key.row.retired_at.is_none())
            .filter(|key| purposes(key.row).any(|name| name == purpose))
            .max_by_key(|key| (key.row.signs_from, key.row.number));
        newest.map_or(algorithm == Algorithm::Hs256, |key| {
            key.row.algorithm == algorithm.as_str()
        })
    })
}

/// A new key. One for RSA is searched for on a thread of its own, since nobody else could go on meanwhile.
pub(crate) async fn generated(algorithm: Algorithm) -> Result<SigningKey, KeyStoreError> {
    if !algorithm.is_rsa() {
        return Ok(SigningKey::generate(algorithm)?);
    }
    let search = tokio::task::spawn_blocking(move || SigningKey::generate(algorithm));
    match search.await {
        Ok(key) => Ok(key?),
        Err(ended) => Err(KeyStoreError::Unmade(Unavailable::new(ended))),
    }
}

pub(crate) fn next_number(rows: &[SigningKeyRow]) -> i64 {
    rows.iter().map(|row| row.number).max().unwrap_or(0) + 1
}

fn info(key: &Planned<'_>) -> KeyInfo {
    KeyInfo {
        kid: key.row.kid.clone(),
        algorithm: key.row.algorithm.clone(),
        purposes: purposes(key.row).map(str::to_owned).collect(),
        state: key.state,
        derived: false,
        created_at: Some(key.row.created_at),
        signs_from: Some(key.row.signs_from),
        verifies_until: key.verifies_until,
    }
}
