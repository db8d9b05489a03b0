//! Closed sets of backends. What belongs to one cannot be written with another.

use std::path::PathBuf;

use gatepost_mail::transport::TransportError;
use gatepost_mail::transport::smtp::SmtpSpec;
use gatepost_messaging::RabbitSettings;
use secrecy::{ExposeSecret, SecretString};

use crate::cache::check_url;

/// The database.
#[derive(Clone, Debug)]
pub enum StorageBackend {
    /// A file.
    Sqlite {
        /// The file. Its folder is made if it is missing.
        path: PathBuf,
    },
    /// A server.
    Postgres {
        /// With user and password.
        url: SecretString,
    },
}

impl StorageBackend {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("postgres" | "postgresql", _)) if text.contains("://") => {
                Ok(Self::Postgres { url: text.into() })
            }
            Some(("sqlite", rest)) => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.is_empty() || path.contains("memory:") {
                    return Err(
                        "must name a file, so that nothing is lost at the end: sqlite://gatepost.db"
                            .to_owned(),
                    );
                }
                if path.contains('?') {
                    return Err("takes a path and no parameters: sqlite://gatepost.db".to_owned());
                }
                Ok(Self::Sqlite { path: path.into() })
            }
            _ => Err("must be sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE".to_owned()),
        }
    }

    /// What `Store::open` takes.
    pub fn url(&self) -> SecretString {
        match self {
            Self::Sqlite { path } => format!("sqlite://{}", path.display()).into(),
            Self::Postgres { url } => url.clone(),
        }
    }
}

/// What carries messages.
#[derive(Clone, Debug)]
pub enum Broker {
    /// Rows in the database.
    Embedded,
    /// RabbitMQ.
    Amqp {
        /// With user, password and virtual host.
        url: SecretString,
    },
}

impl Broker {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            None if text == "embedded" => Ok(Self::Embedded),
            // What is wrong with it is not repeated: it holds a password.
            Some(("amqp" | "amqps", _)) if RabbitSettings::new(text).is_err() => Err(
                "is not amqp://USER:PASSWORD@HOST:PORT/VHOST; are user, password and virtual host percent-encoded?"
                    .to_owned(),
            ),
            Some(("amqp" | "amqps", rest)) if !rest.is_empty() => Ok(Self::Amqp { url: text.into() }),
            _ => Err("must be \"embedded\", amqp://... or amqps://...".to_owned()),
        }
    }
}

/// What instances share for speed.
#[derive(Clone, Debug)]
pub enum Cache {
    /// Each its own.
    Memory,
    /// Redis.
    Redis {
        /// With password.
        url: SecretString,
    },
}

impl Cache {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            None if text == "memory" => Ok(Self::Memory),
            Some(("redis" | "rediss", _)) => match check_url(text) {
                Ok(()) => Ok(Self::Redis { url: text.into() }),
                Err(error) => Err(error.to_string()),
            },
            _ => Err("must be \"memory\", redis://... or rediss://...".to_owned()),
        }
    }
}

/// How letters leave.
#[derive(Clone, Debug)]
pub enum MailTransport {
    /// Not at all: kept in the database, sealed, for the console and the tests.
    Capture,
    /// One file each.
    File {
        /// The folder. Made if it is missing.
        dir: PathBuf,
    },
    /// A server takes them, or several that stand in for one another.
    Smtp {
        /// With user and password; several with commas between them.
        url: SecretString,
    },
}

impl MailTransport {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "capture" => Ok(Self::Capture),
            Some(("file", dir)) if !dir.trim_start_matches('/').is_empty() => Ok(Self::File {
                dir: dir.strip_prefix("//").unwrap_or(dir).into(),
            }),
            Some(("smtp" | "smtps", rest)) if rest.starts_with("//") => {
                // What it says repeats no part of the URL.
                SmtpSpec::parse_all(text).map_err(|error| match error {
                    TransportError::Spec(why) => why,
                    other => other.to_string(),
                })?;
                Ok(Self::Smtp { url: text.into() })
            }
            _ => Err(
                "must be \"capture\", file:DIR, smtp://user:pass@host:587?tls=required or smtps://..., \
                 the last two also several times with commas between them"
                    .to_owned(),
            ),
        }
    }

    /// The text that `gatepost_mail::Transport::parse` takes.
    pub fn spec(&self) -> SecretString {
        match self {
            Self::Capture => "capture".into(),
            Self::File { dir } => format!("file:{}", dir.display()).into(),
            Self::Smtp { url } => url.expose_secret().into(),
        }
    }
}
