//! What everybody who serves one consumer shares, and the carrying of messages from queue to queue.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::options::BasicQosOptions;
use lapin::{BasicProperties, Channel};
use tokio_util::sync::CancellationToken;

use super::Rabbit;
#[cfg(feature = "store")]
use super::book::Book;
use super::counts::Counted;
use super::hands::{Hands, Slot};
use super::ladder::Ladder;
use super::publisher::{Content, Parcel};
use super::shapes::Shape;
use crate::broker::Want;
use crate::{Error, PublishError, QueueConfig, Timestamp};

/// The first pause after a failed attempt, at most, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long the last answer of a channel is waited for.
const HEARD: Duration = Duration::from_secs(2);
/// Channels that are kept open for what came by them; older ones have nothing in hand any more.
const CHANNELS: usize = 16;

pub(super) struct Desk {
    pub(super) rabbit: Rabbit,
    pub(super) config: Arc<QueueConfig>,
    pub(super) ladder: Ladder,
    pub(super) hands: Arc<Hands>,
    /// Nothing new is begun.
    pub(super) stop: CancellationToken,
    /// The consumer is gone, as if its process had died.
    pub(super) gone: CancellationToken,
    #[cfg(feature = "store")]
    pub(super) book: Book,
    queue: Arc<str>,
    channels: Mutex<Vec<Channel>>,
}

impl Desk {
    pub(super) fn new(
        rabbit: Rabbit,
        want: Want,
        stop: CancellationToken,
        gone: CancellationToken,
    ) -> Result<Self, Error> {
        Ok(Self {
            ladder: Ladder::new(want.config.retry.delays()),
            hands: Arc::new(Hands::new(gone.clone())),
            queue: want.queue.as_str().into(),
            #[cfg(feature = "store")]
            book: Book::open(&rabbit, &want)?,
            config: want.config,
            stop,
            gone,
            channels: Mutex::default(),
            rabbit,
        })
    }

    pub(super) fn queue(&self) -> &Arc<str> {
        &self.queue
    }

    pub(super) fn now(&self) -> Timestamp {
        #[cfg(feature = "store")]
        if let Some(store) = self.book.store() {
            return store.now();
        }
        self.rabbit.now()
    }

    pub(super) fn counted(&self) -> Counted {
        self.rabbit.counts.one(&self.queue)
    }

    /// Keeps a channel open until the consumer is gone.
    pub(super) fn keep(&self, channel: &Channel) {
        if self.gone.is_cancelled() {
            return end(channel.clone());
        }
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.retain(|channel| channel.status().connected());
        if channels.len() >= CHANNELS {
            channels.remove(0);
        }
        channels.push(channel.clone());
    }

    /// Waits until the broker has read what was acknowledged and given back. That is written without an answer;
    /// what is asked after it is answered after it.
    pub(super) async fn heard(&self) {
        let channels = {
            let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
            channels.clone()
        };
        for channel in channels.iter().filter(|channel| channel.status().connected()) {
            let asked = channel.basic_qos(1, BasicQosOptions::default());
            // Closed meanwhile, it has been read as well.
            let _ = tokio::time::timeout(HEARD, asked).await;
        }
    }

    /// Closes the channels, upon which the broker takes back what is in hand.
    pub(super) fn close(&self) {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.drain(..).for_each(end);
        self.hands.close();
    }

    /// How long to wait after so many failures in a row.
    pub(super) fn pause(&self, failures: u32) -> Duration {
        let longest = FIRST_PAUSE
            .saturating_mul(1 << failures.min(8))
            .min(LONGEST_PAUSE);
        longest.mul_f64(0.5 + self.rabbit.link.settings().random.next() / 2.0)
    }

    /// Puts a copy of a message in hand onto another queue and has it confirmed. It is tried for as long as the
    /// message is ours: while the broker takes none, the message is best kept in hand.
    ///
    /// False if the message is not ours any more.
    pub(super) async fn carry(
        &self,
        slot: &Slot,
        to: &Shape,
        properties: &BasicProperties,
    ) -> Result<bool, Error> {
        let mut failures = 0;
        loop {
            if !slot.alive() {
                return Ok(false);
            }
            let Err(error) = self.try_to_carry(slot, to, properties).await else {
                return Ok(true);
            };
            failures += 1;
            if self.stop.is_cancelled() {
                return Err(error);
            }
            if failures > 1 {
                tracing::warn!(queue = %self.queue, to = %to.name, id = %slot.id, %error, failures, "a copy of a message could not be put onto another queue, trying again");
            }
            tokio::select! {
                () = tokio::time::sleep(self.pause(failures)) => {}
                () = self.stop.cancelled() => {}
                () = slot.lost.cancelled() => {}
            }
        }
    }

    async fn try_to_carry(&self, slot: &Slot, to: &Shape, properties: &BasicProperties) -> Result<(), Error> {
        self.rabbit.sides.ensure(&self.rabbit.link, to).await?;
        let parcel = Parcel {
            id: slot.id,
            exchange: String::new(),
            key: to.name.clone(),
            mandatory: true,
            properties: properties.clone(),
            body: Content::Own(slot.original.body.clone()),
        };
        let sent = self.rabbit.publisher.send_one(parcel).await;
        if matches!(sent, Err(PublishError::Returned)) {
            // Deleted since it was made.
            self.rabbit.sides.forget(&to.name);
        }
        Ok(sent?)
    }
}

/// Closes a channel. To drop it would do the same, but not while lapin itself holds on to a consumer of it.
fn end(channel: Channel) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(async move { channel.close(200, "bye".into()).await });
    }
}
