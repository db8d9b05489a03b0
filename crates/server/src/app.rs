//! Everything wired, top to bottom, in one function.

use std::ops::Deref;
use std::sync::Arc;

use gatepost_mail::seal::Sealer;
use gatepost_storage::{Clock, MigrationState, Set, Store, StoreOptions, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use crate::accounts::hasher::{Cost, Hasher};
use crate::accounts::password::Policy;
use crate::cache::Limits;
use crate::config::{self, Config, Migrate};
use crate::lifecycle::Lifecycle;

/// The program, built and not yet serving. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What handlers, workers and commands use.
pub struct Parts {
    /// What the program was told.
    pub config: Config,
    /// What it remembers.
    pub store: Store,
    /// Seals what waits in a queue; hashes addresses for limits.
    pub sealer: Sealer,
    /// Passwords, slowly.
    pub hasher: Hasher,
    /// Which passwords may be chosen.
    pub policy: Policy,
    /// How often something may be asked.
    pub limits: Limits,
    /// Where the process is in its life.
    pub lifecycle: Lifecycle,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// The program could not be put together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The configuration asks for what this release does not have.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    /// The secret could not be read or made.
    #[error(transparent)]
    Secret(#[from] config::SecretError),
    /// The secret does not do for sealing.
    #[error("tokens.secret cannot be used: {0}")]
    Seal(#[from] gatepost_mail::seal::SealError),
    /// The database could not be opened or brought up to date.
    #[error(transparent)]
    Storage(#[from] gatepost_storage::Error),
}

impl BuildError {
    /// Whether it makes sense to try again later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Storage(error) if error.is_transient())
    }
}

/// What tests put in place of the real thing.
#[derive(Debug, Clone, Default)]
pub struct Wiring {
    /// The clock of everything.
    pub clock: Clock,
    /// What a password hash costs.
    pub hash_cost: Cost,
}

impl App {
    /// Put the program together: open what it needs, bring an embedded database up to date.
    pub async fn build(config: Config) -> Result<Self, BuildError> {
        Self::build_with(config, Wiring::default()).await
    }

    /// The same, with another clock or a cheaper hash.
    pub async fn build_with(config: Config, wiring: Wiring) -> Result<Self, BuildError> {
        config.ready_to_serve()?;
        config::make_data_dir(&config)?;
        let secret = config::load_or_make_secret(&config)?;
        let store = open_store(&config, wiring.clock).await?;
        let sealer = Sealer::new(&secret, &config.tokens.previous_secrets)?;
        let limits = if config.limits_enabled {
            Limits::memory(limits_key(&secret))
        } else {
            Limits::off()
        };
        let policy = Policy::new(
            config.accounts.min_password_length,
            &["gatepost", host(config.http.public_url.as_str())],
        );
        let lifecycle = Lifecycle::default();
        if is_migrated(&config, &store).await? {
            lifecycle.set_migrated();
        }
        Ok(Self(Arc::new(Parts {
            store,
            sealer,
            hasher: Hasher::for_this_machine(wiring.hash_cost),
            policy,
            limits,
            lifecycle,
            config,
        })))
    }

    /// The time, as everything here sees it.
    pub fn now(&self) -> Timestamp {
        self.store.now()
    }
}

async fn open_store(config: &Config, clock: Clock) -> Result<Store, gatepost_storage::Error> {
    let options = StoreOptions {
        schema: config.storage.schema.clone(),
        max_connections: config.storage.max_connections,
        listen_url: config
            .storage
            .listen_url
            .as_ref()
            .map(|url| url.expose_secret().to_owned()),
        clock,
    };
    Store::open(config.storage.url().expose_secret(), options).await
}

/// Bring the database up to date where that is ours to do; whether it is.
async fn is_migrated(config: &Config, store: &Store) -> Result<bool, gatepost_storage::Error> {
    if config.storage.migrate == Migrate::Auto || store.is_empty().await? {
        store.migrate(&Set::ALL).await?;
        return Ok(true);
    }
    let status = store.migration_status(&Set::ALL).await?;
    Ok(status
        .iter()
        .all(|migration| migration.state != MigrationState::Pending))
}

/// A key of its own, so that what limits count by tells nothing about anything else.
fn limits_key(secret: &SecretString) -> [u8; 32] {
    use hmac::{Hmac, KeyInit, Mac};
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac =
        Hmac::<sha2::Sha256>::new_from_slice(secret.expose_secret().as_bytes()).expect("any length");
    mac.update(b"gatepost limits");
    mac.finalize().into_bytes().into()
}

/// The host of a URL: what the service is called.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    authority.split(':').next().unwrap_or(authority)
}
