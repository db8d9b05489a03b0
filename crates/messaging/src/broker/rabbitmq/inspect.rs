//! Looking at queues.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use lapin::BasicProperties;
use uuid::Uuid;

use super::Rabbit;
use super::copy;
use super::ladder::Ladder;
use super::properties;
use super::scan::{self, Look};
use super::shapes;
use crate::queues::{DeadLetter, QueueStatus, Waiting};
use crate::{Error, Timestamp, Topology};

/// Messages of one queue that a look goes through at most.
pub(super) const MOST: u64 = 10_000;

/// The queues of a RabbitMQ, as far as this process knows of them.
#[derive(Clone, Debug)]
pub(crate) struct Inspector {
    pub(super) rabbit: Rabbit,
    topology: Arc<RwLock<Topology>>,
}

impl Inspector {
    pub(crate) fn new(rabbit: Rabbit, topology: Arc<RwLock<Topology>>) -> Self {
        Self { rabbit, topology }
    }

    pub(super) fn topology(&self) -> Topology {
        self.topology
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The names of the queues that wait for their hour.
    fn rungs(&self, queue: &str) -> Vec<String> {
        let ladder = Ladder::new(self.topology().config(queue).retry.delays());
        let names = ladder
            .rungs()
            .iter()
            .map(|delay| shapes::rung_name(queue, *delay));
        names.collect()
    }

    /// Every queue that was declared or is consumed by this process, and is there.
    pub(crate) async fn list(&self) -> Result<Vec<QueueStatus>, Error> {
        let topology = self.topology();
        let mut names: BTreeSet<String> = topology.queues().map(str::to_owned).collect();
        names.extend(self.rabbit.counts.queues());
        let mut list = Vec::with_capacity(names.len());
        for name in names {
            if let Some(status) = self.look(&name).await? {
                list.push(status);
            }
        }
        Ok(list)
    }

    pub(crate) async fn status(&self, queue: &str) -> Result<QueueStatus, Error> {
        Ok(self.look(queue).await?.unwrap_or_else(|| QueueStatus {
            queue: queue.to_owned(),
            ..QueueStatus::default()
        }))
    }

    async fn look(&self, queue: &str) -> Result<Option<QueueStatus>, Error> {
        let Some(main) = scan::count(&self.rabbit.link, queue).await? else {
            return Ok(None);
        };
        let suspects = self.count_if_there(&shapes::suspects_name(queue)).await?;
        let dead = self.count_if_there(&shapes::dead_name(queue)).await?;
        let mut delayed = 0;
        for rung in self.rungs(queue) {
            delayed += self.count_if_there(&rung).await?;
        }
        Ok(Some(QueueStatus {
            queue: queue.to_owned(),
            ready: main.ready + suspects,
            delayed,
            in_hand: self.rabbit.counts.of(queue),
            dead,
            oldest: None,
            consumers: Some(main.consumers),
        }))
    }

    /// Messages of a queue that need not be there. One that is missing is not asked for again at once: each
    /// such question is an error in the broker's log.
    async fn count_if_there(&self, queue: &str) -> Result<u64, Error> {
        if self.rabbit.sides.is_missing(queue) {
            return Ok(0);
        }
        let Some(count) = scan::count(&self.rabbit.link, queue).await? else {
            self.rabbit.sides.missing(queue);
            return Ok(0);
        };
        Ok(count.ready)
    }

    /// What waits: now, under suspicion, and for its hour.
    pub(crate) async fn peek(
        &self,
        queue: &str,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Waiting>, Error> {
        let mut first = First::new(after, limit);
        let look = Look::open(&self.rabbit.link).await?;
        for name in self.waiting_places(queue) {
            self.walk(&look, &name, |message, properties, body| {
                first.add(message, || waiting(properties, body, self.rabbit.now()));
            })
            .await?;
        }
        Ok(first.found.into_values().collect())
    }

    pub(crate) async fn get(&self, queue: &str, id: Uuid) -> Result<Option<Waiting>, Error> {
        let mut found = None;
        let look = Look::open(&self.rabbit.link).await?;
        for name in self.waiting_places(queue) {
            self.walk(&look, &name, |message, properties, body| {
                if message == id {
                    found = Some(waiting(properties, body, self.rabbit.now()));
                }
            })
            .await?;
        }
        Ok(found)
    }

    pub(crate) async fn dead_letters(
        &self,
        queue: &str,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, Error> {
        let mut first = First::new(after, limit);
        let look = Look::open(&self.rabbit.link).await?;
        self.walk(&look, &shapes::dead_name(queue), |message, properties, body| {
            first.add(message, || {
                dead_letter(queue, properties, body, self.rabbit.now())
            });
        })
        .await?;
        Ok(first.found.into_values().collect())
    }

    pub(super) fn waiting_places(&self, queue: &str) -> Vec<String> {
        let mut places = vec![queue.to_owned(), shapes::suspects_name(queue)];
        places.extend(self.rungs(queue));
        places
    }

    /// Shows every message of a queue, and gives all of them back.
    async fn walk(
        &self,
        look: &Look<'_>,
        queue: &str,
        mut show: impl FnMut(Uuid, &BasicProperties, Vec<u8>),
    ) -> Result<(), Error> {
        if self.rabbit.sides.is_missing(queue) {
            return Ok(());
        }
        let Some(mut scan) = look.scan(queue, MOST).await? else {
            self.rabbit.sides.missing(queue);
            return Ok(());
        };
        while let Some(message) = scan.next().await? {
            let delivery = message.delivery;
            let id = id(&delivery.properties, &delivery.data);
            show(id, &delivery.properties, delivery.data);
        }
        scan.finish().await
    }
}

/// The message's id, or one made of its body for those that came without: the same at every look.
pub(super) fn id(properties: &BasicProperties, body: &[u8]) -> Uuid {
    let given = properties.message_id().as_ref();
    let given = given.map_or(Uuid::nil(), |id| properties::id_of(id.as_str()));
    if given.is_nil() {
        properties::id_of_bytes(body)
    } else {
        given
    }
}

/// The first few after an id.
struct First<T> {
    after: Option<Uuid>,
    limit: usize,
    found: BTreeMap<Uuid, T>,
}

impl<T> First<T> {
    fn new(after: Option<Uuid>, limit: usize) -> Self {
        Self {
            after,
            limit,
            found: BTreeMap::new(),
        }
    }

    fn add(&mut self, id: Uuid, read: impl FnOnce() -> T) {
        if self.after.is_some_and(|after| id <= after) {
            return;
        }
        if self.found.len() == self.limit && self.found.last_key_value().is_none_or(|(last, _)| *last <= id) {
            return;
        }
        self.found.insert(id, read());
        if self.found.len() > self.limit {
            self.found.pop_last();
        }
    }
}

fn waiting(properties: &BasicProperties, body: Vec<u8>, now: Timestamp) -> Waiting {
    let id = id(properties, &body);
    let received = properties::read(properties, body, now);
    Waiting {
        id,
        kind: received.kind,
        headers: received.headers,
        body: received.body,
        priority: received.priority,
        enqueued_at: received.enqueued_at,
        visible_at: copy::moment(properties, copy::NOT_BEFORE).unwrap_or(received.enqueued_at),
        expires_at: received.expires_at,
        in_hand: false,
        attempts: received.attempts,
        last_error: copy::text(properties, copy::LAST_ERROR),
    }
}

/// A dead letter as it lies there. One that the broker itself gave up says why in the broker's own words.
pub(super) fn dead_letter(
    queue: &str,
    properties: &BasicProperties,
    body: Vec<u8>,
    now: Timestamp,
) -> DeadLetter {
    let id = id(properties, &body);
    let received = properties::read(properties, body, now);
    let by_the_broker = copy::text(properties, "x-first-death-reason");
    let detail = match (&by_the_broker, copy::text(properties, copy::DEAD_DETAIL)) {
        (_, Some(detail)) => detail,
        (Some(reason), None) => format!("the broker gave it up: {reason}"),
        (None, None) => String::new(),
    };
    DeadLetter {
        id,
        queue: queue.to_owned(),
        kind: received.kind,
        headers: received.headers,
        body: received.body,
        priority: received.priority,
        enqueued_at: received.enqueued_at,
        expires_at: received.expires_at,
        reason: copy::text(properties, copy::DEAD_REASON)
            .or(by_the_broker)
            .unwrap_or_default(),
        detail,
        attempts: received.attempts,
        starts: copy::count(properties, copy::STARTS),
        died_at: copy::moment(properties, copy::DIED_AT).unwrap_or(received.enqueued_at),
    }
}
