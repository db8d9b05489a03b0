//! [`TokenService`]: the pure tokens together with what a database remembers about them.

use std::sync::Arc;

use gatepost_storage::{Store, Tx, generations};
use serde_json::{Map, Value};

use crate::claims::Subject;
use crate::clock::Clock;
use crate::config::SessionLimits;
use crate::counts::{Counts, Op, TokenCount};
use crate::ended::EndHook;
use crate::error::{CreateError, ServiceError};
use crate::issue::{Minted, NewToken};
use crate::keeper::Keeper;
use crate::key_change::KeyHook;
use crate::purpose::{Access, Purpose, PurposeSpec, Refresh};
use crate::revocations::Revocations;
use crate::sight::Sights;
use crate::tokens::Tokens;

/// Makes, uses up and revokes tokens, and keeps sessions. Cheap to clone; clones are one service.
///
/// What takes a connection joins the caller's transaction: it holds if that commits. Functions that end in `_in`
/// take a [`Tx`]; their namesakes take any connection of the store's kind of database.
///
/// ```
/// use gatepost_storage::{Set, Store, StoreOptions};
/// use gatepost_tokens::{Activate, Keys, Refused, TokenService, Tokens};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let url = format!("sqlite://{}/gatepost.db", folder.path().display());
/// let store = Store::open(&url, StoreOptions::default()).await?;
/// store.migrate(&[Set::Tokens]).await?;
/// let keys = Keys::from_secret("0123456789abcdef0123456789abcdef")?;
/// let service = TokenService::new(Tokens::new(keys), &store);
///
/// let link = service.create::<Activate>(42).await?.raw;
/// let press = || {
///     let (service, link) = (service.clone(), link.clone());
///     store.run_tx("activate", move |tx| {
///         let (service, link) = (service.clone(), link.clone());
///         Box::pin(async move {
///             let user: i64 = service.verify_in::<Activate>(tx, &link).await?.subject()?;
///             // ... and here, in the same transaction, what the token permits.
///             Ok::<_, Refused>(user)
///         })
///     })
/// };
/// assert_eq!(press().await?, 42);
/// assert_eq!(press().await.unwrap_err(), Refused::Used);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TokenService {
    pub(crate) tokens: Tokens,
    pub(crate) store: Store,
    pub(crate) limits: SessionLimits,
    pub(crate) revocations: Revocations,
    pub(crate) sights: Arc<Sights>,
    pub(crate) ended: EndHook,
    pub(crate) changed: KeyHook,
    pub(crate) counts: Arc<Counts>,
    #[cfg(feature = "simplejwt")]
    pub(crate) dialect: Option<Arc<crate::dialect::Dialect>>,
}

impl TokenService {
    /// Over this store, whose clock the tokens go by from here on: all instances agree on it. Call it where a Tokio
    /// runtime runs: on PostgreSQL it listens for other instances' revocations.
    pub fn new(tokens: Tokens, store: &Store) -> Self {
        let clock = store.clone();
        let tokens = tokens.with_clock(Clock::new(move || clock.now().as_secs()));
        Self {
            counts: Arc::new(Counts::new(&tokens)),
            revocations: Revocations::new(store, Keeper::new(tokens.clone())),
            tokens,
            store: store.clone(),
            limits: SessionLimits::default(),
            sights: Arc::default(),
            ended: EndHook::default(),
            changed: KeyHook::default(),
            #[cfg(feature = "simplejwt")]
            dialect: None,
        }
    }

    /// Other limits for sessions. Those that are under way keep their absolute end.
    #[must_use]
    pub fn with_limits(mut self, limits: SessionLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The pure part.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The limits of sessions.
    pub fn limits(&self) -> SessionLimits {
        self.limits
    }

    /// What this instance knows to be revoked.
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// What was done with tokens since this service was made, as far as it happened: for metrics. A transaction that
    /// was run again, or rolled back by its caller, counts as often as it was tried.
    pub fn counts(&self) -> impl Iterator<Item = TokenCount<'_>> {
        self.counts.read()
    }

    /// A token for `P` about `subject` that carries its current generation.
    pub async fn create<P: Purpose<Extra = ()>>(
        &self,
        subject: impl Into<Subject>,
    ) -> Result<Minted, ServiceError> {
        let new = NewToken::new(subject);
        let generation = self
            .read_generation(new.subject.as_str(), &self.tokens.keyed::<P>().spec)
            .await;
        let minted =
            generation.and_then(|generation| Ok(self.tokens.mint::<P>(&new.generation(generation))?));
        self.counts.note_service(P::NAME, Op::Create, minted)
    }

    /// A token for `P` with everything about it chosen; the generation is filled in unless it was chosen too.
    pub async fn create_in<P: Purpose>(
        &self,
        tx: &mut Tx<'_>,
        new: NewToken<P::Extra>,
    ) -> Result<Minted, ServiceError> {
        let new = self.prepare(tx, &self.tokens.keyed::<P>().spec, new).await;
        let minted = new.and_then(|new| Ok(self.tokens.mint::<P>(&new)?));
        self.counts.note_service(P::NAME, Op::Create, minted)
    }

    /// As [`create_in`](Self::create_in) for a purpose that is only known at run time.
    pub async fn create_named_in(
        &self,
        tx: &mut Tx<'_>,
        name: &str,
        new: NewToken<Map<String, Value>>,
    ) -> Result<Minted, ServiceError> {
        let keyed = self
            .tokens
            .keyed_named(name)
            .ok_or_else(|| CreateError::UnknownPurpose(name.to_owned()))?;
        #[cfg(feature = "simplejwt")]
        if let Some(minted) = self.create_theirs(tx, name, &new).await? {
            return Ok(minted);
        }
        let new = self.prepare(tx, &keyed.spec, new).await;
        let minted = new.and_then(|new| Ok(self.tokens.mint_named(name, &new)?));
        self.counts.note_service(name, Op::Create, minted)
    }

    async fn prepare<E>(
        &self,
        tx: &mut Tx<'_>,
        spec: &PurposeSpec,
        new: NewToken<E>,
    ) -> Result<NewToken<E>, ServiceError> {
        // The news of a revocation is kept as long as an access token may live, so none may live longer.
        if let Some(lifetime) = new.lifetime
            && spec.class() == "session"
            && lifetime > spec.lifetime
        {
            return Err(CreateError::Lifetime(lifetime).into());
        }
        self.revocations.read_keys_in(tx).await?;
        if new.generation.is_some() {
            return Ok(new);
        }
        let generation = generations::current(tx, new.subject.as_str(), spec.class()).await?;
        Ok(new.generation(generation))
    }

    async fn read_generation(&self, subject: &str, spec: &PurposeSpec) -> Result<i64, ServiceError> {
        let (subject, class) = (subject.to_owned(), spec.class().to_owned());
        let revocations = self.revocations.clone();
        let read = self.store.read("generation", |tx| {
            Box::pin(async move {
                revocations.read_keys_in(tx).await?;
                generations::current(tx, &subject, &class).await
            })
        });
        Ok(read.await?)
    }

    /// How long an access token lives.
    pub(crate) fn access_lifetime(&self) -> std::time::Duration {
        self.tokens.keyed::<Access>().spec.lifetime
    }

    /// How long a refresh token lives: its purpose's lifetime, or the session's idle limit if that is shorter.
    pub(crate) fn refresh_lifetime(&self) -> std::time::Duration {
        let lifetime = self.tokens.keyed::<Refresh>().spec.lifetime;
        self.limits.idle.map_or(lifetime, |idle| idle.min(lifetime))
    }
}
