//! Going through a queue's messages one by one, without a consumer.
//!
//! AMQP has no way of looking at a message but to take it. What is taken here is out of sight of consumers
//! until the scan ends, comes back at its old place, and counts as delivered once more. How many there are the
//! broker tells a little late (acknowledgements to quorum queues take effect after it has answered), so a scan goes
//! on until there is no more: what is taken stays taken until the end.

use lapin::message::BasicGetMessage;
use lapin::options::{BasicGetOptions, BasicNackOptions};
use lapin::types::FieldTable;
use lapin::{Channel, options::QueueDeclareOptions};

use super::lane::short;
use super::link::Link;
use super::refusal;
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
    let (channel, _) = link.consuming().channel().await?;
    ask(link, &channel, queue).await
}

async fn ask(link: &Link, channel: &Channel, queue: &str) -> Result<Option<Count>, Error> {
    let options = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    // A refusal closes the channel, which is what it was made for.
    let asked = link.consuming().within(async {
        match channel
            .queue_declare(short(queue), options, FieldTable::default())
            .await
        {
            Ok(found) => Ok(Some(found)),
            Err(error) if refusal::is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    });
    Ok(asked.await?.map(|found| Count {
        ready: u64::from(found.message_count()),
        consumers: u64::from(found.consumer_count()),
    }))
}

/// A walk through a queue, from its head and once at most.
pub(super) struct Scan<'a> {
    link: &'a Link,
    channel: Channel,
    queue: String,
    left: u64,
}

impl<'a> Scan<'a> {
    /// At most `most` messages; nothing if there is no such queue.
    pub(super) async fn start(link: &'a Link, queue: &str, most: u64) -> Result<Option<Self>, Error> {
        let (channel, _) = link.consuming().channel().await?;
        if ask(link, &channel, queue).await?.is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            link,
            channel,
            queue: queue.to_owned(),
            left: most,
        }))
    }

    /// The next message, to be acknowledged or left.
    pub(super) async fn next(&mut self) -> Result<Option<BasicGetMessage>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let get = self
            .channel
            .basic_get(short(&self.queue), BasicGetOptions::default());
        self.link.consuming().within(get).await
    }

    /// Gives back what was not acknowledged. (Should this never be called, the end of the channel does.)
    pub(super) async fn finish(self) -> Result<(), Error> {
        let all = BasicNackOptions {
            multiple: true,
            requeue: true,
        };
        self.link
            .consuming()
            .within(self.channel.basic_nack(0, all))
            .await?;
        // The broker answers this after it has read the above.
        ask(self.link, &self.channel, &self.queue).await.map(drop)
    }
}
