//! RabbitMQ.
//!
//! Two connections, each made anew whenever it breaks ([`supervised`]); channels that publish in batches
//! ([`lane`]); queues as data ([`shapes`]) that are made to stand or used as they stand ([`declare`]);
//! subscriptions that come back, and what becomes of each message ([`consume`]).

#[cfg(feature = "store")]
mod book;
mod connect;
mod consume;
mod copy;
mod counts;
mod declare;
mod desk;
mod fanout;
mod hands;
mod inspect;
mod intake;
mod ladder;
mod lane;
mod later;
mod link;
mod mend;
#[cfg(feature = "store")]
mod noter;
mod pending;
mod porter;
pub(crate) mod properties;
mod publisher;
mod refusal;
mod scan;
mod settings;
pub(crate) mod shapes;
mod sides;
mod subscription;
mod supervised;
mod ticket;

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use lapin::types::AMQPValue;
use tokio::sync::watch;
use uuid::Uuid;

pub(crate) use self::consume::{Source, Ticket};
use self::counts::Counts;
pub(crate) use self::fanout::Fanout;
pub(crate) use self::inspect::Inspector;
pub(crate) use self::link::Link;
use self::publisher::Content;
pub(crate) use self::publisher::{Parcel, Publisher};
pub use self::settings::RabbitSettings;
use self::sides::Sides;
use crate::ids::new_id;
use crate::{BrokerHealth, Drift, Envelope, Error, Outgoing, PublishError, Route, Timestamp, Topology};

/// A RabbitMQ. Cheap to clone; its connections close with the last clone.
#[derive(Clone)]
pub(crate) struct Rabbit {
    link: Link,
    publisher: Publisher,
    known: Arc<RwLock<Topology>>,
    /// Which queues are known to be there.
    sides: Sides,
    /// What this process has in hand.
    counts: Counts,
    /// Who listens to broadcasts.
    fanout: fanout::Shared,
    /// The database beside it.
    #[cfg(feature = "store")]
    store: Option<gatepost_storage::Store>,
}

impl std::fmt::Debug for Rabbit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Rabbit").field(self.link.settings()).finish()
    }
}

impl Rabbit {
    /// Begins to connect, in the background; what is `known` is declared at each connection.
    pub(crate) fn new(settings: RabbitSettings, known: &Arc<RwLock<Topology>>) -> Self {
        let link = Link::new(settings);
        let publisher = Publisher::start(&link);
        let states = link.publishing().watch();
        tokio::spawn(declare::keep(link.downgrade(), states, Arc::clone(known)));
        Self {
            link,
            publisher,
            known: Arc::clone(known),
            sides: Sides::default(),
            counts: Counts::default(),
            fanout: fanout::Shared::default(),
            #[cfg(feature = "store")]
            store: None,
        }
    }

    #[cfg(feature = "store")]
    pub(crate) fn set_store(&mut self, store: &gatepost_storage::Store) {
        self.store = Some(store.clone());
    }

    /// The time, by the database's clock if there is one.
    fn now(&self) -> Timestamp {
        #[cfg(feature = "store")]
        if let Some(store) = &self.store {
            return store.now();
        }
        self.link.settings().clock.now()
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

    #[cfg(feature = "store")]
    pub(crate) async fn depth(&self, queue: &str) -> Result<Option<super::Depth>, Error> {
        declare::look(&self.link, queue).await
    }

    pub(crate) fn health(&self) -> watch::Receiver<BrokerHealth> {
        self.link.health()
    }

    pub(crate) async fn publish(&self, route: Route, envelope: &Envelope) -> Result<Uuid, PublishError> {
        let content = || Content::Own(envelope.body.bytes.clone());
        let parcel = self.parcel(&route, envelope, &Past::default(), content()).await?;
        let id = parcel.id;
        let sent = self.publisher.send_one(parcel).await;
        if matches!(sent, Err(PublishError::Returned)) && self.stand_again(&route).await {
            let envelope = envelope.clone().id(id);
            let parcel = self
                .parcel(&route, &envelope, &Past::default(), content())
                .await?;
            return self.publisher.send_one(parcel).await.map(|()| id);
        }
        sent.map(|()| id)
    }

    pub(crate) async fn publish_batch(&self, mut batch: Vec<Outgoing>) -> Vec<Result<Uuid, PublishError>> {
        let now = self.now();
        for one in &mut batch {
            one.envelope.id.get_or_insert_with(|| new_id(now));
        }
        let batch = Arc::new(batch);
        let mut outcomes = self.send_all(&batch, |_| true).await;
        let mut lost: Vec<&Route> = batch
            .iter()
            .zip(&outcomes)
            .filter(|(_, outcome)| matches!(outcome, Some(Err(PublishError::Returned))))
            .map(|(one, _)| &one.route)
            .collect();
        lost.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        lost.dedup();
        let mut back = HashSet::new();
        for route in lost {
            if self.stand_again(route).await {
                back.insert(route);
            }
        }
        if !back.is_empty() {
            let returned: Vec<bool> = outcomes
                .iter()
                .map(|outcome| matches!(outcome, Some(Err(PublishError::Returned))))
                .collect();
            let again = |nth: usize| returned[nth] && back.contains(&batch[nth].route);
            for (outcome, second) in outcomes.iter_mut().zip(self.send_all(&batch, again).await) {
                if second.is_some() {
                    *outcome = second;
                }
            }
        }
        outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or(Err(PublishError::NotRequested)))
            .collect()
    }

    /// Sends those of a batch that are chosen by their place; `None` for the others.
    async fn send_all(
        &self,
        batch: &Arc<Vec<Outgoing>>,
        chosen: impl Fn(usize) -> bool,
    ) -> Vec<Option<Result<Uuid, PublishError>>> {
        let mut outcomes: Vec<Option<Result<Uuid, PublishError>>> = batch.iter().map(|_| None).collect();
        let mut sent = Vec::with_capacity(batch.len());
        let mut sending = self.publisher.batch();
        for (nth, one) in batch.iter().enumerate().filter(|(nth, _)| chosen(*nth)) {
            let content = Content::Of(Arc::clone(batch), nth);
            match self
                .parcel(&one.route, &one.envelope, &Past::of(one), content)
                .await
            {
                Ok(parcel) => {
                    sent.push((nth, parcel.id));
                    sending.add(parcel).await;
                }
                Err(error) => outcomes[nth] = Some(Err(error)),
            }
        }
        for ((nth, id), outcome) in sent.into_iter().zip(sending.outcomes().await) {
            outcomes[nth] = Some(outcome.map(|()| id));
        }
        outcomes
    }

    /// Whether the queue of this route is one of ours that somebody deleted, and stands again.
    async fn stand_again(&self, route: &Route) -> bool {
        let Some(queue) = route.to_queue() else {
            return false;
        };
        let config = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            if known.queues().all(|name| name != queue) {
                return false;
            }
            known.config(queue)
        };
        tracing::error!(
            queue,
            "a queue was deleted, what was in it is lost; it is declared again"
        );
        match declare::ensure(&self.link, &shapes::main(queue, &config)).await {
            Ok(_) => true,
            Err(error) => {
                tracing::error!(queue, %error, "the queue could not be declared again");
                false
            }
        }
    }

    async fn parcel(
        &self,
        route: &Route,
        envelope: &Envelope,
        past: &Past,
        body: Content,
    ) -> Result<Parcel, PublishError> {
        let now = self.now();
        route.check()?;
        envelope.check_content()?;
        properties::check(envelope)?;
        let id = envelope.id.unwrap_or_else(|| new_id(now));
        let number = AMQPValue::LongLongInt;
        let mut extra = Vec::new();
        if past.attempts > 0 {
            extra.push((properties::header::ATTEMPT, number(i64::from(past.attempts))));
        }
        if let Some(at) = past.again_at {
            extra.push((copy::AGAIN_AT, number(at.as_micros())));
        }
        let mut key = route.key.clone();
        if let Some(at) = envelope.not_before.filter(|at| *at > now) {
            key = self.wait_for_it(route, at, now).await?;
            extra.push((copy::NOT_BEFORE, number(at.as_micros())));
        }
        Ok(Parcel {
            id,
            exchange: route.exchange.clone(),
            key,
            mandatory: !route.optional,
            properties: properties::write(envelope, id, past.enqueued_at.unwrap_or(now), &extra),
            body,
        })
    }
}

/// What a message went through before it goes.
#[derive(Default)]
struct Past {
    attempts: u32,
    enqueued_at: Option<Timestamp>,
    again_at: Option<Timestamp>,
}

impl Past {
    fn of(outgoing: &Outgoing) -> Self {
        Self {
            attempts: outgoing.attempts,
            enqueued_at: outgoing.enqueued_at,
            again_at: outgoing.again_at,
        }
    }
}
