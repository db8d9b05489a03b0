//! How to reach a RabbitMQ, and how long to be patient with it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use lapin::uri::AMQPUri;

use crate::{Clock, Error, Random};

/// How to reach a RabbitMQ. Its `Debug` and its errors show no password.
#[derive(Clone)]
pub struct RabbitSettings {
    pub(crate) uri: AMQPUri,
    pub(crate) name: String,
    pub(crate) heartbeat: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) patience: Duration,
    pub(crate) confirm_timeout: Duration,
    pub(crate) channels: usize,
    pub(crate) window: usize,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
}

impl RabbitSettings {
    /// From a URL: `amqp://user:password@host:5672/vhost`, or `amqps://` for TLS (port 5671). User, password
    /// and virtual host are percent-encoded; `guest`, `guest` and `/` if left out. A path of `/` alone is the
    /// virtual host `/` as well, as pika reads it. `?heartbeat=5` is heard.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn new(url: &str) -> Result<Self, Error> {
        let invalid = |why| Error::Invalid {
            what: "broker URL",
            why,
        };
        if !(url.starts_with("amqp://") || url.starts_with("amqps://")) {
            return Err(invalid("it has to begin with amqp:// or amqps://"));
        }
        // What the parser says may quote the URL, which holds a password.
        let mut uri: AMQPUri = url.parse().map_err(|_| {
            invalid("it is not amqp://user:password@host:port/vhost (is everything percent-encoded?)")
        })?;
        if uri.vhost.is_empty() {
            "/".clone_into(&mut uri.vhost);
        }
        // The parser takes an IPv6 address for a missing host, and a missing host for localhost.
        let authority = url.split("://").nth(1).unwrap_or_default();
        let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        if let Some((address, _)) = host.strip_prefix('[').and_then(|host| host.split_once(']')) {
            address.clone_into(&mut uri.authority.host);
        } else if host.is_empty() || host.starts_with(':') {
            return Err(invalid("it names no host"));
        }
        let heartbeat = uri.query.heartbeat.unwrap_or(10).clamp(1, 60);
        Ok(Self {
            uri,
            name: "gatepost".to_owned(),
            heartbeat: Duration::from_secs(u64::from(heartbeat)),
            connect_timeout: Duration::from_secs(10),
            patience: Duration::from_secs(10),
            confirm_timeout: Duration::from_secs(10),
            channels: 4,
            window: 128,
            ca_file: None,
            clock: Clock::system(),
            random: Random::system(),
        })
    }

    /// What the broker's lists of connections say of us: `gatepost` by default. The purpose of each
    /// connection is added.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How often both sides show that they are alive, in whole seconds from 1 to 60: 10 s by default. A
    /// broker that is silent for two of these is taken for gone.
    #[must_use]
    pub fn heartbeat(mut self, every: Duration) -> Self {
        self.heartbeat = Duration::from_secs(every.as_secs().clamp(1, 60));
        self
    }

    /// How long connecting, TLS and the handshake may take together: 10 s by default.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a message waits for a connection, and for a broker that takes messages, until it is not sent:
    /// 10 s by default. Also the time that any other request to the broker may take.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How long a message that went out waits for its confirm until it is unknown what became of it: 10 s by
    /// default.
    #[must_use]
    pub fn confirm_timeout(mut self, timeout: Duration) -> Self {
        self.confirm_timeout = timeout;
        self
    }

    /// Channels that publish side by side: 4 by default.
    #[must_use]
    pub fn channels(mut self, channels: usize) -> Self {
        self.channels = channels.clamp(1, 64);
        self
    }

    /// Messages under way on each of these at most: 128 by default.
    #[must_use]
    pub fn window(mut self, messages: usize) -> Self {
        self.window = messages.clamp(1, 4096);
        self
    }

    /// A file of certificates (PEM) that are trusted beside the system's, for `amqps`.
    #[must_use]
    pub fn ca_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(file.into());
        self
    }

    /// Takes the time from somewhere else: a store's clock, so that all parts of a program agree.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Takes jitter from somewhere else, for tests.
    #[must_use]
    pub fn random(mut self, random: Random) -> Self {
        self.random = random;
        self
    }

    /// `host:port/vhost`, for log lines.
    pub fn address(&self) -> String {
        format!(
            "{}:{}/{}",
            self.uri.authority.host,
            self.uri.authority.port,
            self.uri.vhost.trim_start_matches('/')
        )
    }
}

impl fmt::Debug for RabbitSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitSettings")
            .field("address", &self.address())
            .field("user", &self.uri.authority.userinfo.username)
            .field("name", &self.name)
            .field("heartbeat", &self.heartbeat)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_who_where_and_which_virtual_host() {
        for (url, user, password, host, port, vhost) in [
            ("amqp://mq", "guest", "guest", "mq", 5672, "/"),
            ("amqp://mq/", "guest", "guest", "mq", 5672, "/"),
            (
                "amqps://app:p%40ss@mq.example:5999/prod%2Feu",
                "app",
                "p@ss",
                "mq.example",
                5999,
                "prod/eu",
            ),
            ("amqps://mq/%2f", "guest", "guest", "mq", 5671, "/"),
            ("amqp://u:p@[::1]:5673/v", "u", "p", "::1", 5673, "v"),
            ("amqp://127.0.0.1:5673", "guest", "guest", "127.0.0.1", 5673, "/"),
        ] {
            let uri = RabbitSettings::new(url).expect(url).uri;
            assert_eq!(uri.authority.userinfo.username, user, "{url}");
            assert_eq!(uri.authority.userinfo.password, password, "{url}");
            assert_eq!(uri.authority.host, host, "{url}");
            assert_eq!((uri.authority.port, uri.vhost.as_str()), (port, vhost), "{url}");
        }
    }

    #[test]
    fn a_bad_url_is_refused_and_its_password_not_repeated() {
        for url in [
            "http://u:s3cret@mq",
            "amqp://u:s3cret@",
            "amqp://u:s3cret@mq:port",
            "amqp://:5672",
            "mq",
        ] {
            let error = RabbitSettings::new(url).expect_err(url);
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn settings_show_no_password() {
        let settings = RabbitSettings::new("amqp://u:s3cret@mq/v").expect("is fine");
        assert!(!format!("{settings:?}").contains("s3cret"));
        assert_eq!(settings.address(), "mq:5672/v");
    }
}
