//! Putting dead letters back, and deleting them.

use std::time::Duration;

use lapin::message::BasicGetMessage;
use uuid::Uuid;

use super::copy::{self, Copy};
use super::inspect::{self, Inspector, MOST};
use super::properties::header;
use super::publisher::{Content, Parcel};
use super::scan::{self, Look, Scan};
use super::shapes;
use crate::{DeadReason, Error, Timestamp};

/// Dead letters put back together.
const BATCH: usize = 128;

impl Inspector {
    /// Puts back one dead letter.
    pub(crate) async fn replay(&self, queue: &str, id: Uuid) -> Result<bool, Error> {
        Ok(self.replay_where(queue, 1, |found, _| found == id).await? == 1)
    }

    /// Puts back all dead letters, or those with one reason.
    pub(crate) async fn replay_all(&self, queue: &str, reason: Option<DeadReason>) -> Result<u64, Error> {
        self.replay_where(queue, u64::MAX, |_, why| {
            reason.is_none_or(|reason| why == Some(reason.as_str()))
        })
        .await
    }

    async fn replay_where(
        &self,
        queue: &str,
        most: u64,
        wanted: impl Fn(Uuid, Option<&str>) -> bool,
    ) -> Result<u64, Error> {
        let config = self.topology().config(queue);
        let rabbit = &self.rabbit;
        rabbit
            .sides
            .ensure(&rabbit.link, &shapes::main(queue, &config))
            .await?;
        let (look, dead) = (Look::open(&rabbit.link).await?, shapes::dead_name(queue));
        let Some(mut scan) = look.scan(&dead, u64::MAX).await? else {
            return Ok(0);
        };
        let (mut replayed, mut batch, mut over) = (0, Vec::new(), false);
        while !over {
            match scan.next().await? {
                Some(message) => {
                    let properties = &message.delivery.properties;
                    let id = inspect::id(properties, &message.delivery.data);
                    let why = copy::text(properties, copy::DEAD_REASON);
                    if wanted(id, why.as_deref()) {
                        batch.push((id, message));
                    }
                    over = replayed + batch.len() as u64 >= most;
                }
                None => over = true,
            }
            if batch.len() >= BATCH || over {
                replayed += self.put_back(&scan, queue, std::mem::take(&mut batch)).await?;
            }
        }
        scan.finish().await?;
        Ok(replayed)
    }

    /// Confirmed on the queue first, and only then taken from the dead letters.
    async fn put_back(
        &self,
        scan: &Scan<'_>,
        queue: &str,
        batch: Vec<(Uuid, BasicGetMessage)>,
    ) -> Result<u64, Error> {
        let now = self.rabbit.now();
        let parcels = batch.iter().map(|(id, message)| parcel(queue, *id, message, now));
        let sent = self.rabbit.publisher.send(parcels.collect()).await;
        let mut failed = None;
        let mut put_back = 0;
        for ((_, message), sent) in batch.into_iter().zip(sent) {
            match sent {
                Ok(()) => {
                    scan.take(&message).await?;
                    put_back += 1;
                }
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(put_back),
        }
    }

    /// Deletes a dead letter.
    pub(crate) async fn discard(&self, queue: &str, id: Uuid) -> Result<bool, Error> {
        let look = Look::open(&self.rabbit.link).await?;
        self.take_out(&look, &shapes::dead_name(queue), id).await
    }

    /// Takes back a message that waits.
    pub(crate) async fn cancel(&self, queue: &str, id: Uuid) -> Result<bool, Error> {
        let look = Look::open(&self.rabbit.link).await?;
        for place in self.waiting_places(queue) {
            if !self.rabbit.sides.is_missing(&place) && self.take_out(&look, &place, id).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn take_out(&self, look: &Look<'_>, from: &str, id: Uuid) -> Result<bool, Error> {
        let Some(mut scan) = look.scan(from, MOST).await? else {
            self.rabbit.sides.missing(from);
            return Ok(false);
        };
        let mut taken = false;
        while !taken && let Some(message) = scan.next().await? {
            if inspect::id(&message.delivery.properties, &message.delivery.data) == id {
                taken = scan.take(&message).await?;
            }
        }
        scan.finish().await?;
        Ok(taken)
    }

    /// Deletes dead letters that were kept for so long; the oldest lie at the head.
    pub(crate) async fn sweep(&self, kept: Duration) -> Result<u64, Error> {
        let before = self.rabbit.now() - kept;
        let mut swept = 0;
        for queue in self.topology().queues() {
            let name = shapes::dead_name(queue);
            if self.rabbit.sides.is_missing(&name) {
                continue;
            }
            let Some(count) = scan::count(&self.rabbit.link, &name).await? else {
                self.rabbit.sides.missing(&name);
                continue;
            };
            if count.ready == 0 {
                continue;
            }
            let look = Look::open(&self.rabbit.link).await?;
            let Some(mut scan) = look.scan(&name, u64::MAX).await? else {
                continue;
            };
            while let Some(message) = scan.next().await? {
                // One that the broker gave up says nothing of when: it stays for a person.
                match copy::moment(&message.delivery.properties, copy::DIED_AT) {
                    Some(died_at) if died_at < before => {
                        scan.take(&message).await?;
                        swept += 1;
                    }
                    _ => break,
                }
            }
            scan.finish().await?;
        }
        Ok(swept)
    }
}

/// The same message under the same id, with its tries counted from nothing.
fn parcel(queue: &str, id: Uuid, message: &BasicGetMessage, now: Timestamp) -> Parcel {
    let original = &message.delivery.properties;
    let detail = copy::text(original, copy::DEAD_DETAIL).unwrap_or_default();
    let properties = Copy::of(original, id)
        .without(copy::ATTEMPT)
        .without(copy::STARTS)
        .without(copy::NOT_BEFORE)
        .without(copy::DEAD_REASON)
        .without(copy::DEAD_DETAIL)
        .without(copy::DIED_AT)
        .text(copy::LAST_ERROR, &detail)
        .moment(copy::REPLAYED_AT, now)
        .moment(header::ENQUEUED_AT, now)
        .properties();
    Parcel {
        id,
        exchange: String::new(),
        key: queue.to_owned(),
        mandatory: true,
        properties,
        body: Content::Own(message.delivery.data.clone()),
    }
}
