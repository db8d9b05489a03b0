//! What the operator decides: one typed value, read once at start.
//!
//! Highest first: `GATEPOST__SECTION__KEY` (or the same with `_FILE`: a file's content), `gatepost.toml`
//! (or `--config`), the Python services' variable names, and `config.default.toml`, which is compiled in
//! and lists every key there is. Whatever is not in it is refused by name.
//!
//! ```
//! use gatepost::config::{Config, Origin};
//!
//! let config = Config::load(&Origin::of([("GATEPOST__HTTP__BIND", "127.0.0.1:9000")]))?;
//! assert_eq!(config.http.public_url.as_str(), "http://127.0.0.1:9000");
//! # Ok::<(), gatepost::config::ConfigError>(())
//! ```

mod backends;
mod django;
mod durations;
mod env;
mod error;
mod file;
mod layers;
mod mask;
mod own;
mod parsers;
mod python;
mod read;
mod read_tokens;
mod reader;
mod rules;
mod secret;
mod sections;
mod show;
mod simplejwt;
mod suggest;
#[cfg(test)]
mod tests;
mod topology;
mod values;
mod webhooks;

pub use backends::{Broker, Cache, MailTransport, StorageBackend};
pub use django::DjangoAccounts;
pub(crate) use durations::parse as parse_duration;
pub use error::{ConfigError, Problem};
pub use layers::{Origin, Source};
pub(crate) use secret::make_private_dir;
pub use secret::{SecretError, load_or_make_secret, make_data_dir};
pub use sections::{
    Accounts, Auth, Dialect, DkimKey, Http, Links, Locale, Log, LogFormat, Mail, Migrate, Module, Modules,
    PurposeConfig, Registration, Retention, Shutdown, SmtpLimits, Storage, Tokens, UserSource, Wire,
};
pub use show::Shown;
pub use simplejwt::SimpleJwtConfig;
pub(crate) use values::encode;
pub use values::{LinkTemplate, PublicUrl};
pub use webhooks::{SigningSecret, Webhook};

use std::path::PathBuf;

/// `config.default.toml`, as compiled in: every key, its default, and what goes wrong if it is changed.
pub const DEFAULTS: &str = include_str!("../../../config.default.toml");

/// Everything that can be decided from outside. Made by [`Config::load`] only, so that what is here has been
/// checked: below, nobody parses or doubts a value again.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which parts run. The others' routes answer 404.
    pub modules: Modules,
    /// Where the embedded mode keeps its database, its secret and its log file.
    pub data_dir: PathBuf,
    /// Addresses and who is believed.
    pub http: Http,
    /// Where the links in letters lead.
    pub links: Links,
    /// The database.
    pub storage: Storage,
    /// What carries messages.
    pub broker: Broker,
    /// What instances share for speed, never for safety.
    pub cache: Cache,
    /// Letters: from whom, how, with which templates.
    pub mail: Mail,
    /// Secrets, lifetimes, who a token is from and for.
    pub tokens: Tokens,
    /// The Django project whose tokens are spoken or taken.
    pub simplejwt: SimpleJwtConfig,
    /// Who may register, and with what.
    pub accounts: Accounts,
    /// How long a login can last.
    pub auth: Auth,
    /// Whether callers are slowed down at all (`limits.enabled`).
    pub limits_enabled: bool,
    /// How long what is over is kept.
    pub retention: Retention,
    /// Where the program writes what it does.
    pub log: Log,
    /// Certificates to trust besides the system's (`tls.ca_file`).
    pub tls_ca_file: Option<PathBuf>,
    /// How the program ends.
    pub shutdown: Shutdown,
    /// Who is told of events.
    pub webhooks: Vec<Webhook>,
    /// Exchanges and queues besides ours (`exchanges`, `queues`).
    pub topology: gatepost_messaging::Topology,
    pub(crate) shown: Vec<Shown>,
}

impl Config {
    /// Reads every layer, highest first, and checks the values one by one and together.
    ///
    /// All problems are reported at once, each with its key and where the value came from.
    pub fn load(origin: &Origin) -> Result<Self, ConfigError> {
        let mut reader = reader::Reader::new(layers::merge(origin)?);
        let config = read::read(&mut reader);
        let (shown, mut problems) = reader.finish();
        let Some(mut config) = config else {
            return Err(ConfigError { problems });
        };
        config.shown = shown;
        rules::check(&config, &mut problems);
        simplejwt::check(&config, &mut problems);
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError { problems })
        }
    }

    /// Every key with its value (secrets masked) and where the value came from, in the order of
    /// `config.default.toml`.
    pub fn shown(&self) -> &[Shown] {
        &self.shown
    }

    /// Tells the addresses that were really bound, for `http.bind = "127.0.0.1:0"`: whatever was derived from
    /// the port follows. Changes nothing where `http.public_url` was set.
    pub fn bound_to(&mut self, address: std::net::SocketAddr) {
        self.http.bind = address;
        if !self.http.public_url_is_set {
            let old = std::mem::replace(&mut self.http.public_url, PublicUrl::of_bind(address));
            self.links.rebase(&old, &self.http.public_url);
        }
    }
}
