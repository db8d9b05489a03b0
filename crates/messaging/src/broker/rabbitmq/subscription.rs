//! Sees to it that deliveries come: subscribes, and again whenever that ended.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::consume::Lane;
use super::declare;
use super::desk::Desk;
use super::intake::Incoming;
use super::shapes::{self, Shape};
use crate::Error;

/// What RabbitMQ allows for quorum queues.
const MOST: usize = 2000;
/// How often a channel is looked at that takes nothing more.
const LOOK: Duration = Duration::from_millis(200);
/// How long the rest of what was on its way is waited for at the end.
const REST: Duration = Duration::from_secs(2);

pub(super) async fn run(
    desk: Arc<Desk>,
    lane: Lane,
    prefetch: usize,
    incoming: mpsc::UnboundedSender<Incoming>,
) {
    let mut failures = 0_u32;
    while !desk.stop.is_cancelled() {
        // Not to be cut off: lapin keeps a subscription alive that nobody waited for.
        let subscribing = tokio::spawn(subscribe(Arc::clone(&desk), lane, prefetch));
        let why = match subscribing.await.unwrap_or(Err(Error::Closed)) {
            Ok(subscription) => match subscription.take(&desk, lane, &incoming).await {
                Ended::Stopped => return,
                Ended::Quiet => {
                    failures = 0;
                    continue;
                }
                Ended::Broken { delivered, why } => {
                    if delivered {
                        failures = 0;
                    }
                    why
                }
            },
            Err(Error::Closed) => return,
            Err(error) => error.to_string(),
        };
        if desk.stop.is_cancelled() {
            return;
        }
        tracing::warn!(queue = %desk.queue(), ?lane, why, failures, "a subscription ended, subscribing again");
        tokio::select! {
            () = desk.stop.cancelled() => return,
            () = tokio::time::sleep(desk.pause(failures)) => {}
        }
        failures = failures.saturating_add(1);
    }
}

/// The queue that a lane takes from.
pub(super) fn shape(desk: &Desk, lane: Lane) -> Shape {
    match lane {
        Lane::Queue => shapes::main(desk.queue(), &desk.config),
        Lane::Suspects => shapes::suspects(desk.queue()),
    }
}

struct Subscription {
    channel: Channel,
    consumer: Consumer,
    lost: CancellationToken,
    /// Cloned for each message in hand that came by this.
    in_hand: Arc<()>,
    /// So many deliveries may be of messages that were delivered before, whatever the broker says of them.
    doubtful: u64,
}

async fn subscribe(desk: Arc<Desk>, lane: Lane, prefetch: usize) -> Result<Subscription, Error> {
    let link = desk.rabbit.link.consuming();
    // A connection is waited for, but not for ever. What comes after it is bounded, and brought to an end: else
    // a subscription could be left behind that takes messages for nobody.
    let after_outage = tokio::select! {
        biased;
        () = desk.stop.cancelled() => return Err(Error::Closed),
        up = link.up() => up?.after_outage,
    };
    let shape = shape(&desk, lane);
    // It may have been deleted, which is why we are here again.
    desk.rabbit.sides.ensure_still(&desk.rabbit.link, &shape).await?;
    // A broker that was killed calls new what it gives out again: all of that is on the queue now.
    let there = if after_outage {
        declare::look(&desk.rabbit.link, &shape.name).await?
    } else {
        None
    };
    let (channel, _) = link.channel().await?;
    let prefetch = u16::try_from(prefetch.min(MOST)).unwrap_or(u16::MAX);
    link.within(channel.basic_qos(prefetch, BasicQosOptions::default()))
        .await?;
    let consumer = link
        .within(channel.basic_consume(
            shape.name.as_str().into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        ))
        .await?;
    desk.keep(&channel);
    Ok(Subscription {
        channel,
        consumer,
        lost: desk.gone.child_token(),
        in_hand: Arc::default(),
        doubtful: there.map_or(0, |depth| depth.ready),
    })
}

/// Why nothing more comes by a subscription.
enum Ended {
    /// We are stopping.
    Stopped,
    /// Nothing came for a while, which is a good moment to renew it.
    Quiet,
    /// It broke, after some deliveries or none.
    Broken { delivered: bool, why: String },
}

impl Subscription {
    /// Takes deliveries until it ends, and lets no subscription grow old in silence: RabbitMQ 3.10 does not always
    /// tell the consumer of a quorum queue that was deleted and made again at once, and keeps what comes for it
    /// in a hand that is not there. Only the end of the channel frees that.
    async fn take(mut self, desk: &Desk, lane: Lane, incoming: &mpsc::UnboundedSender<Incoming>) -> Ended {
        let mut delivered = false;
        let quiet = desk.rabbit.link.settings().heartbeat;
        loop {
            let next = tokio::select! {
                biased;
                () = desk.stop.cancelled() => {
                    self.end(desk, lane, incoming).await;
                    return Ended::Stopped;
                }
                next = self.consumer.next() => next,
                () = tokio::time::sleep(quiet) => {
                    self.end(desk, lane, incoming).await;
                    return Ended::Quiet;
                }
            };
            match next {
                Some(Ok(delivery)) => {
                    delivered = true;
                    let _ = incoming.send(self.incoming(lane, delivery));
                    self.doubtful = self.doubtful.saturating_sub(1);
                }
                Some(Err(error)) => {
                    desk.hands.sift(desk.now());
                    self.lost.cancel();
                    let why = super::refusal::classify(error).to_string();
                    return Ended::Broken { delivered, why };
                }
                None => {
                    // The queue was deleted, say. The channel lives, and so does what came by it.
                    let why = "the broker cancelled it".to_owned();
                    desk.hands.sift(desk.now());
                    self.retire(desk);
                    return Ended::Broken { delivered, why };
                }
            }
        }
    }

    fn incoming(&self, lane: Lane, delivery: lapin::message::Delivery) -> Incoming {
        Incoming {
            delivery,
            lane,
            channel: self.channel.clone(),
            lost: self.lost.clone(),
            in_hand: Some(Arc::clone(&self.in_hand)),
            doubtful: self.doubtful > 0,
            places: Vec::new(),
        }
    }

    /// Takes no more, and hands over what is on its way.
    async fn end(mut self, desk: &Desk, lane: Lane, incoming: &mpsc::UnboundedSender<Incoming>) {
        let cancel = self
            .channel
            .basic_cancel(self.consumer.tag(), BasicCancelOptions::default());
        let cancelled = desk.rabbit.link.consuming().within(cancel).await.is_ok();
        loop {
            let next = if cancelled {
                tokio::time::timeout(REST, self.consumer.next())
                    .await
                    .ok()
                    .flatten()
            } else {
                self.consumer.next().now_or_never().flatten()
            };
            let Some(Ok(delivery)) = next else { break };
            let _ = incoming.send(self.incoming(lane, delivery));
        }
        self.retire(desk);
    }

    /// Closes the channel once nothing is in hand that came by it, and tells those at work should it go before.
    fn retire(self, desk: &Desk) {
        let Self {
            channel,
            lost,
            in_hand,
            ..
        } = self;
        let gone = desk.gone.clone();
        tokio::spawn(async move {
            while channel.status().connected() {
                if Arc::strong_count(&in_hand) == 1 {
                    let _ = channel.close(200, "bye".into()).await;
                    return;
                }
                tokio::select! {
                    () = gone.cancelled() => return,
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
            lost.cancel();
        });
    }
}
