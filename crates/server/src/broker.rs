//! Which broker carries messages, what queues it has, and which messages never leave the database.

use gatepost_mail::worker::note_dead;
use gatepost_mail::{MAIL_BULK_QUEUE, MAIL_QUEUE, MAIL_REQUESTS_QUEUE};
use gatepost_messaging::{Broker, Clock, Dispatcher, Error, QueueConfig, RabbitSettings, Topology};
use gatepost_storage::Store;
use secrecy::ExposeSecret;

use crate::accounts::{jobs, work};
use crate::app::App;
use crate::config::{self, Config, Wire};

/// The broker that `broker.url` names, checked and not connected to.
#[derive(Debug)]
pub(crate) enum Carrier {
    Embedded,
    Rabbit(Box<RabbitSettings>),
}

impl Carrier {
    pub(crate) fn new(config: &Config, store: &Store) -> Result<Self, Error> {
        // Names that no broker takes are found out now.
        Broker::embedded(store).make_known(&topology(config))?;
        let config::Broker::Amqp { url } = &config.broker else {
            return Ok(Self::Embedded);
        };
        if let Some(file) = &config.tls_ca_file
            && std::fs::File::open(file).is_err()
        {
            return Err(Error::Invalid {
                what: "file of tls.ca_file",
                why: "it can't be read",
            });
        }
        let clock = store.clone();
        let settings = RabbitSettings::new(url.expose_secret())?
            .name(name())
            .clock(Clock::from_fn(move || clock.now()));
        Ok(Self::Rabbit(Box::new(match &config.tls_ca_file {
            Some(file) => settings.ca_file(file.clone()),
            None => settings,
        })))
    }

    /// RabbitMQ is connected to in the background, whether it is there now or not; its queues are declared at every
    /// connection, and whatever stands otherwise is used as it is, with a warning.
    #[expect(clippy::expect_used, reason = "the same names were checked in `new`")]
    pub(crate) fn open(&self, config: &Config, store: &Store) -> Broker {
        let broker = match self {
            Self::Embedded => Broker::embedded(store),
            Self::Rabbit(settings) => Broker::rabbitmq((**settings).clone()).with_store(store),
        };
        broker.make_known(&topology(config)).expect("plain names");
        broker
    }
}

/// The broker of what stays in the database, whatever carries the rest: jobs of accounts, which do nothing but write
/// there, and what other programs ask for in their own SQL. No other broker could lose them.
pub(crate) fn inside(store: &Store) -> Result<Broker, Error> {
    let broker = Broker::embedded(store);
    broker.make_known(&Topology::new().queue(jobs::QUEUE, work::queue))?;
    Ok(broker)
}

/// What the configuration names, our queues of letters, and the one that is shared with the Python services: without
/// any argument of ours, so that theirs may declare it as well.
fn topology(config: &Config) -> Topology {
    let shared = config
        .topology
        .clone()
        .queue(&config.mail.queue, QueueConfig::plain);
    match config.mail.wire {
        Wire::Gatepost => shared.queue(MAIL_QUEUE, |q| q).queue(MAIL_BULK_QUEUE, |q| q),
        Wire::Python => shared,
    }
}

/// Moves the outbox to the broker. A letter's row stays until the ledger has its end, so that a broker that loses
/// our queue loses no letter.
pub(crate) fn dispatcher(app: &App) -> Dispatcher {
    let mailer = app.mailer.clone();
    let dispatcher = app
        .broker()
        .dispatch(&app.store)
        .except(jobs::QUEUE)
        .except(MAIL_REQUESTS_QUEUE)
        .on_dead(move |tx, dead| note_dead(mailer.clone(), tx, dead));
    match app.config.mail.wire {
        Wire::Gatepost => dispatcher.hold(MAIL_QUEUE).hold(MAIL_BULK_QUEUE),
        // Rendered onto `mail.queue` by whoever claims the rows.
        Wire::Python => dispatcher.except(MAIL_QUEUE).except(MAIL_BULK_QUEUE),
    }
}

/// What the broker's lists of connections say of us.
fn name() -> String {
    let host = std::env::var("HOSTNAME")
        .ok()
        .or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok());
    let host = host.as_deref().map(str::trim).filter(|host| !host.is_empty());
    format!("gatepost {} {}", host.unwrap_or("?"), std::process::id())
}
