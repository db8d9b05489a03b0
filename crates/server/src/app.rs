//! Everything wired, top to bottom, in one function.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use gatepost_mail::seal::Sealer;
use gatepost_mail::{Dkim, Mailer, MailerSettings, Sender, Site, Templates};
use gatepost_messaging::{Broker, Events, Outbox};
use gatepost_storage::django_tables::DjangoTablesError;
use gatepost_storage::{Clock, MigrationState, Set, Store, StoreOptions, Timestamp};
use gatepost_tokens::simplejwt::SettingsError;
use gatepost_tokens::{Keys, PurposeSpec, SessionLimits, TokenService, Tokens};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OnceCell;

use crate::accounts::hasher::{Cost, Hasher};
use crate::accounts::password::Policy;
use crate::broker::{self, Carrier};
use crate::cache::{CacheError, Limits, Redis};
use crate::config::{self, Config, Migrate, UserSource, Wire};
use crate::django;
use crate::events;
use crate::http::pages::{PageError, Pages};
use crate::keys;
use crate::lifecycle::Lifecycle;
use crate::mail_files;
use crate::metrics::Metrics;
use crate::service::known_keys::KnownKeys;

/// The program, built and not yet serving. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What handlers, workers and commands use.
pub struct Parts {
    /// What the program was told.
    pub config: Config,
    /// What it remembers.
    pub store: Store,
    /// Tokens, sessions, and what is revoked.
    pub tokens: TokenService,
    /// Takes letters.
    pub mailer: Mailer,
    /// Signs letters, if there is a key.
    pub dkim: Dkim,
    /// Takes messages.
    pub outbox: Outbox,
    /// What happened, for other programs.
    pub events: Events,
    /// Gives what never leaves the database to those who handle it.
    pub inside: Broker,
    /// Opened when it is first needed: a command that only writes rows connects to nothing.
    carrier: Carrier,
    broker: OnceLock<Broker>,
    /// The hosted pages.
    pub pages: Pages,
    /// Seals what waits in a queue; hashes addresses for limits.
    pub sealer: Sealer,
    /// Passwords, slowly.
    pub hasher: Hasher,
    /// Which passwords may be chosen.
    pub policy: Policy,
    /// API keys, for a moment.
    pub(crate) api_keys: KnownKeys,
    /// How often something may be asked.
    pub limits: Limits,
    /// How far the worker's start on a job is drawn out by chance.
    pub(crate) scatter: Duration,
    /// Done when there is a key of `tokens.algorithm`.
    signing: OnceCell<()>,
    /// What all instances share for speed, if there is one.
    pub cache: Option<Redis>,
    /// Where the process is in its life.
    pub lifecycle: Lifecycle,
    /// What it counts.
    pub metrics: Arc<Metrics>,
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
    /// The secret does not do for signing.
    #[error("tokens.secret cannot be used: {0}")]
    Keys(#[from] gatepost_tokens::KeyError),
    /// A purpose of the configuration is not possible.
    #[error("tokens.purposes: {0}")]
    Purpose(#[from] gatepost_tokens::PurposeError),
    /// What is set about simplejwt can't be followed.
    #[error("simplejwt: {0}")]
    SimpleJwt(#[from] SettingsError),
    /// Django's tables are not as they should be.
    #[error("simplejwt.schema: {0}")]
    DjangoTables(#[from] DjangoTablesError),
    /// The keys that sign could not be made or read.
    #[error("tokens.algorithm: {0}")]
    SigningKeys(#[from] gatepost_tokens::KeyStoreError),
    /// The database knows another secret.
    #[error(transparent)]
    OtherSecret(#[from] gatepost_tokens::SecretError),
    /// A template does not render.
    #[error("mail.templates_dir: {0}")]
    Templates(#[from] gatepost_mail::Error),
    /// `mail.from` is no sender.
    #[error("mail.from: {0}")]
    From(#[from] gatepost_mail::AddressError),
    /// A page does not render.
    #[error(transparent)]
    Pages(#[from] PageError),
    /// A DKIM key cannot be used.
    #[error("mail.dkim: {0}")]
    Dkim(#[from] gatepost_mail::DkimError),
    /// The picture for `cid:logo` cannot be used.
    #[error("mail.logo_file: {0}")]
    Logo(#[from] mail_files::LogoError),
    /// Redis cannot be used.
    #[error("cache.url {0}")]
    Cache(#[from] CacheError),
    /// The queues could not be declared.
    #[error(transparent)]
    Queues(#[from] gatepost_messaging::Error),
    /// The database could not be opened or brought up to date.
    #[error(transparent)]
    Storage(#[from] gatepost_storage::Error),
}

impl BuildError {
    /// Whether it makes sense to try again later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Storage(error) | Self::DjangoTables(DjangoTablesError::Storage(error)) => {
                error.is_transient()
            }
            Self::SigningKeys(error) => error.is_transient(),
            _ => false,
        }
    }
}

/// What tests put in place of the real thing.
#[derive(Debug, Clone)]
pub struct Wiring {
    /// The clock of everything.
    pub clock: Clock,
    /// What a password hash costs.
    pub hash_cost: Cost,
    /// The worker begins a job after a time drawn between nothing and this, so that what it does for a known
    /// address and not for an unknown one shows in no answer that is given meanwhile. 250 ms by default.
    pub scatter: Duration,
}

impl Default for Wiring {
    fn default() -> Self {
        Self {
            clock: Clock::default(),
            hash_cost: Cost::default(),
            scatter: Duration::from_millis(250),
        }
    }
}

impl App {
    /// Put the program together: open what it needs, bring an embedded database up to date.
    pub async fn build(config: Config) -> Result<Self, BuildError> {
        Self::build_with(config, Wiring::default()).await
    }

    /// The same, with another clock or a cheaper hash.
    pub async fn build_with(config: Config, wiring: Wiring) -> Result<Self, BuildError> {
        config::make_data_dir(&config)?;
        let secret = config::load_or_make_secret(&config)?;
        let store = open_store(&config, wiring.clock).await?;
        let sealer = Sealer::new(&secret, &config.tokens.previous_secrets)?;
        let tokens = token_service(&config, &secret, &store)?;
        let from: Sender = config.mail.from.parse()?;
        let site = from.name.clone().unwrap_or_else(|| "Gatepost".to_owned());
        let mailer = mailer(&config, from, &store, &sealer)?;
        let cache = match &config.cache {
            config::Cache::Memory => None,
            config::Cache::Redis { url } => Some(Redis::new(url, config.tls_ca_file.as_deref())?),
        };
        // A key of its own, so that what limits count by tells nothing about anything else.
        let counted_by = tokens.tokens().keys().derive("gatepost limits");
        let limits = match &cache {
            _ if !config.limits_enabled => Limits::off(),
            None => Limits::memory(counted_by),
            Some(redis) => Limits::redis(counted_by, redis.clone()),
        };
        let service = [site.as_str(), "gatepost", host(config.http.public_url.as_str())];
        let app = Self(Arc::new(Parts {
            api_keys: KnownKeys::new(&store),
            dkim: mail_files::dkim(&config)?,
            outbox: Outbox::new(&store),
            events: Events::new(&store),
            pages: Pages::new()?.with_site(&site),
            policy: Policy::new(config.accounts.min_password_length, &service),
            hasher: hasher(&config, wiring.hash_cost, &tokens),
            scatter: wiring.scatter,
            lifecycle: Lifecycle::default(),
            metrics: Arc::default(),
            inside: broker::inside(&store)?,
            carrier: Carrier::new(&config, &store)?,
            broker: OnceLock::new(),
            signing: OnceCell::new(),
            config,
            store,
            tokens,
            mailer,
            sealer,
            limits,
            cache,
        }));
        app.become_ready().await?;
        Ok(app)
    }

    /// Bring the database up to date where that is ours to do, and make sure that it knows our secret. Where
    /// the database is not up to date the program is built all the same, says so at `/readyz`, and looks again.
    pub(crate) async fn become_ready(&self) -> Result<bool, BuildError> {
        if !self.lifecycle.is_migrated() && is_migrated(&self.config, &self.store).await? {
            if self.config.uses_simplejwt() {
                let simplejwt = &self.config.simplejwt;
                let named_by = simplejwt.settings.user_id_column();
                self.store
                    .share_django_tables(&simplejwt.schema, named_by)
                    .await?;
            }
            self.tokens.claim_secret().await?;
            self.lifecycle.set_migrated();
        }
        Ok(self.lifecycle.is_migrated())
    }

    /// Become ready to make and check tokens: as [`become_ready`](Self::become_ready), and with the key that
    /// `tokens.algorithm` asks for. Only who serves makes one: a command may be run without the whole configuration.
    pub(crate) async fn become_ready_to_serve(&self) -> Result<bool, BuildError> {
        if !self.become_ready().await? {
            return Ok(false);
        }
        self.signing
            .get_or_try_init(|| keys::ensure(self))
            .await
            .map_err(BuildError::from)?;
        Ok(true)
    }

    /// Accept the secret of this configuration, whatever the database knows: what other secrets signed or sealed
    /// is dead then, except of those in `tokens.previous_secrets`.
    pub async fn adopt_secret(config: &Config, store: &Store) -> Result<(), BuildError> {
        let secret = config::load_or_make_secret(config)?;
        token_service(config, &secret, store)?.adopt_secret().await?;
        Ok(())
    }

    /// What carries messages: the broker of `broker.url`. RabbitMQ is connected to from the first call on, in the
    /// background, within a tokio runtime.
    pub fn broker(&self) -> &Broker {
        self.broker
            .get_or_init(|| self.carrier.open(&self.config, &self.store))
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
        pooler: config.storage.pooler,
        listen_url: config
            .storage
            .listen_url
            .as_ref()
            .map(|url| url.expose_secret().to_owned()),
        clock,
        users: config.accounts.user_table(config.mail.locale),
    };
    Store::open(config.storage.url().expose_secret(), options).await
}

/// Our own table's passwords are brought up to date as people log in; another program's stay as it wrote them.
fn hasher(config: &Config, cost: Cost, tokens: &TokenService) -> Hasher {
    let accounts = &config.accounts;
    let hasher = match accounts.source {
        UserSource::Own => Hasher::for_this_machine(cost),
        UserSource::Django => Hasher::for_this_machine(accounts.django.hasher).leaving_others(),
    };
    hasher
        .comparing_legacy(accounts.legacy_hashes)
        .drawing_under(tokens.tokens().keys().derive("gatepost nobody's password"))
}

fn token_service(config: &Config, secret: &SecretString, store: &Store) -> Result<TokenService, BuildError> {
    let mut keys = Keys::from_secret(secret.expose_secret())?;
    for previous in &config.tokens.previous_secrets {
        keys = keys.with_previous(previous.expose_secret())?;
    }
    let mut tokens = Tokens::new(keys)
        .issuer(config.tokens.issuer.as_str())
        .audience(config.tokens.audience.as_str());
    for (name, purpose) in &config.tokens.purposes {
        tokens = tokens.purpose(PurposeSpec {
            name: name.clone(),
            lifetime: purpose.lifetime,
            one_time: purpose.one_time,
        })?;
    }
    let limits = SessionLimits {
        absolute: config.auth.session_max_age,
        ..SessionLimits::default()
    };
    let service = TokenService::new(tokens, store)
        .with_limits(limits)
        .on_session_end(|tx, ended| events::session_ended(tx, ended))
        .on_key_change(|tx, change| keys::note(tx, keys::SERVICE, change));
    Ok(django::with_simplejwt(service, config)?)
}

/// What the letters of this installation look like; not checked.
pub(crate) fn templates(config: &Config) -> Result<Templates, gatepost_mail::Error> {
    let templates = match &config.mail.templates_dir {
        Some(folder) => Templates::folder(folder)?,
        None => Templates::built_in()?,
    };
    let name = config
        .mail
        .from
        .parse::<Sender>()
        .ok()
        .and_then(|sender| sender.name);
    let site = Site::new(name.unwrap_or_else(|| "Gatepost".to_owned()));
    Ok(templates.with_site(site.url(config.http.public_url.as_str())))
}

fn mailer(config: &Config, from: Sender, store: &Store, sealer: &Sealer) -> Result<Mailer, BuildError> {
    let templates = templates(config)?;
    // Every letter in every language, now rather than when it is to be sent.
    templates.check_all()?;
    let settings = MailerSettings {
        allowed_from: config.mail.allowed_from.clone(),
        default_locale: config.mail.locale.as_str().to_owned(),
        events: true,
        python_wire: config.mail.wire == Wire::Python,
        logo: mail_files::logo(config)?,
        bounce_address: config.mail.bounce_address.clone(),
        ..MailerSettings::new(from)
    };
    Ok(Mailer::new(store, templates, sealer.clone(), settings))
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

/// The host of a URL: what the service is called.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    authority.split(':').next().unwrap_or(authority)
}
