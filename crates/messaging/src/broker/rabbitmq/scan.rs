//! Going through a queue's messages one by one, without a consumer.
//!
//! AMQP has no way of looking at a message but to take it. What is taken here is out of sight of consumers
//! until the scan ends, comes back at its old place, and counts as delivered once more. How many there are the
//! broker tells a little late (acknowledgements to quorum queues take effect after it has answered), so a scan goes
//! on until there is no more: what is taken stays taken until the end.
//!
//! It has a connection of its own for as long as it lasts. A quorum queue that does not answer (seen with RabbitMQ
//! 3.10: one that was declared in the second before the broker was killed) holds up the channel, and after a minute
//! the broker closes the whole connection: consumers must not be on it.

use lapin::message::BasicGetMessage;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, options::QueueDeclareOptions};

use super::connect::connect;
use super::lane::short;
use super::link::Link;
use super::refusal::{self, unreachable};
use crate::Error;

/// How a queue stands, as far as AMQP tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Messages that could be handled now.
    pub(super) ready: u64,
    /// Consumers.
    pub(super) consumers: u64,
}

/// How a queue stands; nothing if there is none of that name.
pub(super) async fn count(link: &Link, queue: &str) -> Result<Option<Count>, Error> {
    let (channel, _) = link.consuming().channel_soon().await?;
    ask(link, &channel, queue).await
}

async fn ask(link: &Link, channel: &Channel, queue: &str) -> Result<Option<Count>, Error> {
    let options = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    // A refusal closes the channel, which is what it was made for.
    let asked = async {
        match channel
            .queue_declare(short(queue), options, FieldTable::default())
            .await
        {
            Ok(found) => Ok(Some(found)),
            Err(error) if refusal::is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    };
    Ok(answer(link, queue, asked).await?.map(|found| Count {
        ready: u64::from(found.message_count()),
        consumers: u64::from(found.consumer_count()),
    }))
}

/// Waits for what the broker says of a queue, but not for ever.
async fn answer<T>(
    link: &Link,
    queue: &str,
    request: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Error> {
    match tokio::time::timeout(link.settings().patience, request).await {
        Ok(answered) => answered.map_err(refusal::classify),
        Err(_) => Err(unreachable(format!(
            "queue {queue:?} does not answer; if it stays so while others do, RabbitMQ has lost hold of it: delete it"
        ))),
    }
}

/// A connection for looking into queues. It ends when this is dropped.
pub(super) struct Look<'a> {
    link: &'a Link,
    connection: Connection,
}

impl<'a> Look<'a> {
    /// Connects; if that fails, it fails.
    pub(super) async fn open(link: &'a Link) -> Result<Self, Error> {
        let connection = connect(link.settings(), "looking").await?;
        Ok(Self { link, connection })
    }

    /// A walk through at most `most` messages of a queue; nothing if there is no such queue.
    pub(super) async fn scan<'q>(&'q self, queue: &'q str, most: u64) -> Result<Option<Scan<'q>>, Error> {
        let channel = answer(self.link, queue, self.connection.create_channel()).await?;
        if ask(self.link, &channel, queue).await?.is_none() {
            return Ok(None);
        }
        Ok(Some(Scan {
            link: self.link,
            channel,
            queue,
            left: most,
        }))
    }
}

/// A walk through a queue, from its head and once at most.
pub(super) struct Scan<'q> {
    link: &'q Link,
    channel: Channel,
    queue: &'q str,
    left: u64,
}

impl Scan<'_> {
    /// The next message, to be acknowledged or left.
    pub(super) async fn next(&mut self) -> Result<Option<BasicGetMessage>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let get = self
            .channel
            .basic_get(short(self.queue), BasicGetOptions::default());
        answer(self.link, self.queue, get).await
    }

    /// Takes a message out of the queue.
    pub(super) async fn take(&self, message: &BasicGetMessage) -> Result<bool, Error> {
        let ack = message.delivery.acker.ack(BasicAckOptions::default());
        answer(self.link, self.queue, ack).await
    }

    /// Gives back what was not acknowledged. (Should this never be called, the end of the channel does.)
    pub(super) async fn finish(self) -> Result<(), Error> {
        let all = BasicNackOptions {
            multiple: true,
            requeue: true,
        };
        answer(self.link, self.queue, self.channel.basic_nack(0, all)).await?;
        // The broker answers this after it has read the above.
        ask(self.link, &self.channel, self.queue).await.map(drop)
    }
}
