//! Who is told of events, as configured: each by a relay of its own, so that one who is slow or gone holds up nobody
//! else.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gatepost_messaging::events::{Backoff, Receiver, Relay, Told};
use gatepost_messaging::{Error, Event, Random, Retry};
use tokio_util::sync::CancellationToken;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};

use super::EXCHANGE;
use super::exchange::Exchange;
use super::webhook::Hook;
use crate::app::App;
use crate::config;

/// A webhook is tried for so long; then the event is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 3600);
/// When a webhook that failed is tried again, in seconds.
const WEBHOOK_DELAYS: [u64; 8] = [5, 30, 120, 600, 1_800, 3_600, 7_200, 10_800];
/// When the exchange is tried again, in seconds. It is tried for as long as events are kept.
const EXCHANGE_DELAYS: [u64; 4] = [1, 2, 5, 15];
/// Events that are published to the exchange at once.
const AT_ONCE: usize = 100;

/// A relay and whom it tells.
#[derive(Debug)]
pub struct Line {
    relay: Relay,
    to: To,
}

#[derive(Debug)]
enum To {
    Webhook(Box<Hook>),
    Exchange(Exchange),
}

impl Receiver for To {
    async fn tell(&self, events: &[Event]) -> Told {
        match self {
            Self::Webhook(hook) => hook.tell(events).await,
            Self::Exchange(exchange) => exchange.tell(events).await,
        }
    }
}

impl Line {
    /// Tells until `stop`.
    pub async fn run_until(&self, stop: CancellationToken) {
        self.relay.run_until(&self.to, stop).await;
    }

    /// Tells what can be told now.
    ///
    /// # Errors
    /// The database's.
    pub async fn run_pending(&self) -> Result<(), Error> {
        self.relay.run_pending(&self.to).await
    }

    /// Takes jitter from somewhere else, for tests.
    #[must_use]
    pub fn with_random(mut self, random: Random) -> Self {
        self.relay = self.relay.with_random(random);
        self
    }
}

/// One for each webhook, and one for the exchange: with a broker of its own, or where a queue is bound to it.
///
/// # Errors
/// `tls.ca_file` can't be read.
pub fn all(app: &App) -> io::Result<Vec<Line>> {
    let mut lines = Vec::new();
    let bound = app
        .config
        .topology
        .bindings()
        .any(|binding| binding.exchange == EXCHANGE);
    if bound || !matches!(app.config.broker, config::Broker::Embedded) {
        let backoff = Backoff {
            retry: ladder(&EXCHANGE_DELAYS),
            give_up_after: None,
        };
        lines.push(Line {
            relay: Relay::new(&app.events, "exchange", backoff).at_once(AT_ONCE),
            to: To::Exchange(Exchange::new(app.broker())),
        });
    }
    if app.config.webhooks.is_empty() {
        return Ok(lines);
    }
    let tls = TlsConfig::builder()
        .root_certs(trusted(app.config.tls_ca_file.as_deref())?)
        .build();
    for webhook in &app.config.webhooks {
        let backoff = Backoff {
            retry: ladder(&WEBHOOK_DELAYS),
            give_up_after: Some(GIVE_UP_AFTER),
        };
        let relay = Relay::new(&app.events, format!("webhook:{}", webhook.name), backoff);
        lines.push(Line {
            relay: relay.only(webhook.events.clone()),
            to: To::Webhook(Box::new(Hook::new(webhook, &app.store, tls.clone()))),
        });
    }
    Ok(lines)
}

fn ladder(seconds: &[u64]) -> Retry {
    let delays: Vec<Duration> = seconds.iter().copied().map(Duration::from_secs).collect();
    Retry::ladder(&delays).jitter(0.2)
}

/// The system's certificates, and those of `tls.ca_file`.
fn trusted(ca_file: Option<&Path>) -> io::Result<RootCerts> {
    let mut certificates: Vec<Certificate<'static>> = rustls_native_certs::load_native_certs()
        .certs
        .iter()
        .map(|der| Certificate::from_der(der).to_owned())
        .collect();
    if let Some(path) = ca_file {
        let pem = std::fs::read(path)?;
        for item in ureq::tls::parse_pem(&pem) {
            match item {
                Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
                Ok(_) => {}
                Err(_) => {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("tls.ca_file {} is not PEM", path.display()),
                    ));
                }
            }
        }
    }
    Ok(RootCerts::Specific(Arc::new(certificates)))
}
