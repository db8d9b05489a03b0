//! RabbitMQ.
//!
//! Two connections, each made anew whenever it breaks ([`supervised`]); channels that publish in batches
//! ([`lane`]); queues as data ([`shapes`]) that are made to stand or used as they stand ([`declare`]).

mod connect;
mod consume;
mod declare;
mod lane;
mod link;
pub(crate) mod properties;
mod publisher;
mod refusal;
mod settings;
pub(crate) mod shapes;
mod supervised;

use lapin::types::AMQPValue;
use tokio::sync::watch;
use uuid::Uuid;

pub(crate) use self::consume::{Source, Ticket};
pub(crate) use self::link::Link;
pub(crate) use self::publisher::{Parcel, Publisher};
pub use self::settings::RabbitSettings;
use crate::ids::new_id;
use crate::{BrokerHealth, Drift, Envelope, Error, Outgoing, PublishError, Route, Timestamp, Topology};

/// A RabbitMQ. Cheap to clone; its connections close with the last clone.
#[derive(Clone)]
pub(crate) struct Rabbit {
    link: Link,
    publisher: Publisher,
}

impl std::fmt::Debug for Rabbit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Rabbit").field(self.link.settings()).finish()
    }
}

impl Rabbit {
    /// Begins to connect, in the background.
    pub(crate) fn new(settings: RabbitSettings) -> Self {
        let link = Link::new(settings);
        let publisher = Publisher::start(&link);
        Self { link, publisher }
    }

    /// Waits for the first connection, or for the first reason why there is none.
    pub(crate) async fn first_connection(&self) -> Result<(), Error> {
        let mut health = self.link.health();
        let settled = health.wait_for(|health| health.connected || health.error.is_some());
        if settled.await.is_ok_and(|health| health.connected) {
            return Ok(());
        }
        Err(self.link.publishing().why_down().unwrap_or(Error::Closed))
    }

    pub(crate) async fn declare(&self, topology: &Topology) -> Result<Drift, Error> {
        declare::declare(&self.link, topology).await
    }

    pub(crate) fn health(&self) -> watch::Receiver<BrokerHealth> {
        self.link.health()
    }

    pub(crate) async fn publish(&self, route: Route, envelope: &Envelope) -> Result<Uuid, PublishError> {
        let parcel = self.parcel(route, envelope, 0, None)?;
        let id = parcel.id;
        self.publisher.send_one(parcel).await.map(|()| id)
    }

    pub(crate) async fn publish_batch(&self, batch: Vec<Outgoing>) -> Vec<Result<Uuid, PublishError>> {
        let mut parcels = Vec::with_capacity(batch.len());
        let mut outcomes: Vec<Result<Uuid, PublishError>> = Vec::with_capacity(batch.len());
        for one in batch {
            outcomes.push(
                match self.parcel(one.route, &one.envelope, one.attempts, one.enqueued_at) {
                    Ok(parcel) => {
                        let id = parcel.id;
                        parcels.push(parcel);
                        Ok(id)
                    }
                    Err(error) => Err(error),
                },
            );
        }
        let sent = self.publisher.send(parcels).await;
        for (outcome, sent) in outcomes.iter_mut().filter(|outcome| outcome.is_ok()).zip(sent) {
            if let Err(error) = sent {
                *outcome = Err(error);
            }
        }
        outcomes
    }

    fn parcel(
        &self,
        route: Route,
        envelope: &Envelope,
        attempts: u32,
        enqueued_at: Option<Timestamp>,
    ) -> Result<Parcel, PublishError> {
        let now = self.link.settings().clock.now();
        route.check()?;
        envelope.check_content()?;
        properties::check(envelope, now)?;
        let id = envelope.id.unwrap_or_else(|| new_id(now));
        let tried = (
            properties::header::ATTEMPT,
            AMQPValue::LongLongInt(i64::from(attempts)),
        );
        let extra: &[_] = if attempts == 0 { &[] } else { &[tried] };
        Ok(Parcel {
            id,
            exchange: route.exchange,
            key: route.key,
            mandatory: !route.optional,
            properties: properties::write(envelope, id, enqueued_at.unwrap_or(now), extra),
            body: envelope.body.bytes.clone(),
        })
    }
}
