//! The sections of the configuration, as types.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use gatepost_mail::EmailAddress;
use gatepost_storage::{Pooler, UserTable};
use gatepost_tokens::Algorithm;
use ipnet::IpNet;
use secrecy::SecretString;

use super::django::DjangoAccounts;
use super::{LinkTemplate, MailTransport, PublicUrl, StorageBackend};

/// A part of the program whose routes can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Module {
    /// Registration, login, sessions.
    Accounts,
    /// Tokens for other programs.
    Tokens,
    /// Letters.
    Mail,
    /// Queues.
    Messaging,
    /// Chat rooms.
    Chat,
    /// The console.
    Console,
}

/// The parts that run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modules(pub(crate) BTreeSet<Module>);

impl Modules {
    /// Whether the part runs.
    pub fn has(&self, module: Module) -> bool {
        self.0.contains(&module)
    }
}

/// Addresses and who is believed.
#[derive(Clone, Debug)]
pub struct Http {
    /// Where to listen. Port 0 takes any that is free; see [`super::Config::bound_to`].
    pub bind: SocketAddr,
    /// Where metrics, console, docs and the API-key routes listen, if not at `bind`.
    pub admin_bind: Option<SocketAddr>,
    /// What links start with.
    pub public_url: PublicUrl,
    /// Whether `public_url` was decided by somebody, or made from `bind`.
    pub public_url_is_set: bool,
    /// Networks whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins whose pages may call the API, exact.
    pub cors_origins: Vec<String>,
}

/// Where the links in letters lead.
#[derive(Clone, Debug)]
pub struct Links {
    /// Of `activate_account`.
    pub activate: LinkTemplate,
    /// Of `reset_password`.
    pub reset_password: LinkTemplate,
    /// Of the letter that confirms a new address.
    pub confirm_email: LinkTemplate,
    /// Of `invitation`.
    pub invitation: LinkTemplate,
}

impl Links {
    pub(crate) fn rebase(&mut self, old: &PublicUrl, new: &PublicUrl) {
        for link in [
            &mut self.activate,
            &mut self.reset_password,
            &mut self.confirm_email,
            &mut self.invitation,
        ] {
            link.rebase(old, new);
        }
    }
}

/// What to do at start with a database that is older than the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migrate {
    /// Bring it up to date.
    Auto,
    /// Set an empty one up; with an older one, be not ready until `gatepost migrate` ran.
    Check,
}

/// The database.
#[derive(Clone, Debug)]
pub struct Storage {
    /// Which one.
    pub backend: StorageBackend,
    /// Schema of all our tables; a prefix of their names on SQLite.
    pub schema: String,
    /// How long a session lasts behind the URL.
    pub pooler: Pooler,
    /// A direct connection for notifications, past a pooler.
    pub listen_url: Option<SecretString>,
    /// Connections to PostgreSQL at most.
    pub max_connections: u32,
    /// What to do with an older one.
    pub migrate: Migrate,
}

impl Storage {
    /// What `Store::open` takes.
    pub fn url(&self) -> SecretString {
        self.backend.url()
    }
}

/// How letters are put on the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// As intents, for our worker.
    Gatepost,
    /// Rendered, for a Python consumer.
    Python,
}

/// A language of letters and pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locale {
    /// English.
    En,
    /// Russian.
    Ru,
    /// Ukrainian.
    Uk,
}

impl Locale {
    /// As folders and `lang` attributes have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ru => "ru",
            Self::Uk => "uk",
        }
    }
}

/// Letters.
#[derive(Clone, Debug)]
pub struct Mail {
    /// How they leave.
    pub transport: MailTransport,
    /// The sender, as `Name <address>`.
    pub from: String,
    /// Senders that callers may name: addresses, or `@domain`. Empty: any.
    pub allowed_from: Vec<String>,
    /// Where letters come back to, each with a tag of its delivery; the sender if none.
    pub bounce_address: Option<EmailAddress>,
    /// The queue that is shared with the Python services.
    pub queue: String,
    /// How they are put on the queue.
    pub wire: Wire,
    /// Templates that override or add.
    pub templates_dir: Option<PathBuf>,
    /// The language where nobody named one.
    pub locale: Locale,
    /// A picture for `cid:logo`.
    pub logo_file: Option<PathBuf>,
    /// How much is asked of mail servers.
    pub smtp: SmtpLimits,
    /// What letters are signed with.
    pub dkim: Vec<DkimKey>,
}

/// How much is asked of mail servers and receivers at once. 0: no limit.
#[derive(Clone, Debug)]
pub struct SmtpLimits {
    /// Connections to each server at most.
    pub connections: u32,
    /// Letters a second to each server.
    pub rate: u32,
    /// Letters to one recipient domain at once.
    pub domain_connections: u32,
    /// Letters a second to one recipient domain.
    pub domain_rate: u32,
    /// Where the token of `auth=xoauth2` stands.
    pub token_file: Option<PathBuf>,
}

/// One signature.
#[derive(Clone, Debug)]
pub struct DkimKey {
    /// The signing domain.
    pub domain: String,
    /// The name of the public key's record: `<selector>._domainkey.<domain>`.
    pub selector: String,
    /// The private key, PEM.
    pub key_file: PathBuf,
}

/// The form of tokens and tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Ours.
    Gatepost,
    /// djangorestframework-simplejwt's.
    Simplejwt,
}

/// One purpose of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurposeConfig {
    /// How long a token lives.
    pub lifetime: Duration,
    /// Whether the first use uses it up.
    pub one_time: bool,
}

/// Secrets, lifetimes, who tokens are from and for.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The secret, if it is given; else it is in `data_dir`: see [`super::load_or_make_secret`].
    pub secret: Option<SecretString>,
    /// Earlier ones, which still verify and open.
    pub previous_secrets: Vec<SecretString>,
    /// The form of new tokens.
    pub dialect: Dialect,
    /// Other forms that are still verified.
    pub accept: Vec<Dialect>,
    /// How access tokens are signed.
    pub algorithm: Algorithm,
    /// How long a key of its own signs before the next one does, an hour or more; none: until somebody rotates it.
    pub rotate_every: Option<Duration>,
    /// Who tokens are from: `tokens.issuer`, else `http.public_url` if it is set, else `gatepost`.
    pub issuer: String,
    /// Whom tokens are for, in the same way.
    pub audience: String,
    /// By name: the built-in ones, and the user's own.
    pub purposes: BTreeMap<String, PurposeConfig>,
}

/// Who may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Anybody.
    Open,
    /// Who was invited by an operator or a program.
    Invite,
    /// Nobody, invited or not; operators and programs make accounts.
    Closed,
}

/// Whose table the users are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserSource {
    /// Ours.
    Own,
    /// A Django project's.
    Django,
}

/// Who may register, and with what.
#[derive(Clone, Debug)]
pub struct Accounts {
    /// Whose table the users are in.
    pub source: UserSource,
    /// Who may register.
    pub registration: Registration,
    /// Characters (code points) at least, 8 or more.
    pub min_password_length: usize,
    /// Whether passwords stored as a single digest (`md5`, `sha1`) are compared.
    pub legacy_hashes: bool,
    /// Where a Django project keeps its users, and how it signs its links.
    pub django: DjangoAccounts,
}

impl Accounts {
    /// The table of users, as the store takes it.
    pub(crate) fn user_table(&self, locale: Locale) -> UserTable {
        match self.source {
            UserSource::Own => UserTable::Own,
            UserSource::Django => self.django.user_table(locale.as_str()),
        }
    }

    /// Whether somebody whose account was made and never activated can ask for the letter.
    pub(crate) fn sends_activation_again(&self) -> bool {
        self.source == UserSource::Own || self.django.resend_activation
    }
}

/// How long a login can last.
#[derive(Clone, Debug)]
pub struct Auth {
    /// The refresh token in a `__Host-` cookie.
    pub refresh_cookie: bool,
    /// From login to the end of the session, however busy it is. (Idle sessions end with their refresh token.)
    pub session_max_age: Duration,
}

/// How long what is over is kept.
#[derive(Clone, Debug)]
pub struct Retention {
    /// Deliveries.
    pub mail: Duration,
    /// Events.
    pub events: Duration,
    /// The audit trail.
    pub audit: Duration,
}

/// How log lines look on the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For a person.
    Text,
    /// One object a line.
    Json,
}

/// Where the program writes what it does.
#[derive(Clone, Debug)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// How lines look on the console.
    pub format: LogFormat,
    /// The file, absolute or under `data_dir` already; `None` if it is turned off.
    pub file: Option<PathBuf>,
}

/// How the program ends.
#[derive(Clone, Debug)]
pub struct Shutdown {
    /// How long to answer on while saying "not ready".
    pub drain: Duration,
    /// How long what is under way may take after that.
    pub timeout: Duration,
}
