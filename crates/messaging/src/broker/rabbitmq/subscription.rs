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
use super::desk::Desk;
use super::intake::Incoming;
use super::shapes::{self, Shape};
use crate::Error;

/// What RabbitMQ allows for quorum queues.
const MOST: usize = 2000;
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
        let subscribed = subscribing.await.unwrap_or(Err(Error::Closed));
        let ended = match subscribed {
            Ok(subscription) => {
                let (delivered, why) = subscription.take(&desk, lane, &incoming).await;
                if delivered {
                    failures = 0;
                }
                why
            }
            Err(Error::Closed) => return,
            Err(error) => Some(error),
        };
        if desk.stop.is_cancelled() {
            return;
        }
        failures = failures.saturating_add(1);
        let error = ended.map_or_else(|| "the broker cancelled it".to_owned(), |error| error.to_string());
        tracing::warn!(queue = %desk.queue(), ?lane, error, failures, "a subscription ended, subscribing again");
        tokio::select! {
            () = desk.stop.cancelled() => return,
            () = tokio::time::sleep(desk.pause(failures - 1)) => {}
        }
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
}

async fn subscribe(desk: Arc<Desk>, lane: Lane, prefetch: usize) -> Result<Subscription, Error> {
    let link = desk.rabbit.link.consuming();
    // A connection is waited for, but not for ever. What comes after it is bounded, and brought to an end: else
    // a subscription could be left behind that takes messages for nobody.
    tokio::select! {
        biased;
        () = desk.stop.cancelled() => return Err(Error::Closed),
        up = link.up() => drop(up?),
    }
    let shape = shape(&desk, lane);
    // It may have been deleted, which is why we are here again.
    desk.rabbit.sides.ensure_still(&desk.rabbit.link, &shape).await?;
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
    })
}

impl Subscription {
    /// Takes deliveries until it ends; whether there were any, and why it ended (nothing: it was cancelled).
    async fn take(
        mut self,
        desk: &Desk,
        lane: Lane,
        incoming: &mpsc::UnboundedSender<Incoming>,
    ) -> (bool, Option<Error>) {
        let mut delivered = false;
        loop {
            let next = tokio::select! {
                biased;
                () = desk.stop.cancelled() => break,
                next = self.consumer.next() => next,
            };
            match next {
                Some(Ok(delivery)) => {
                    delivered = true;
                    let _ = incoming.send(self.incoming(lane, delivery));
                }
                Some(Err(error)) => {
                    self.lost.cancel();
                    return (delivered, Some(super::refusal::classify(error)));
                }
                None => {
                    // The queue was deleted, say. The channel lives, and so does what came by it.
                    if !self.channel.status().connected() {
                        self.lost.cancel();
                    }
                    return (delivered, None);
                }
            }
        }
        self.end(desk, lane, incoming).await;
        (delivered, None)
    }

    fn incoming(&self, lane: Lane, delivery: lapin::message::Delivery) -> Incoming {
        Incoming {
            delivery,
            lane,
            channel: self.channel.clone(),
            lost: self.lost.clone(),
            places: Vec::new(),
        }
    }

    /// Takes no more, and hands over what is on its way, so that it can be given back.
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
        watch_until_gone(self.channel, self.lost, desk.gone.clone());
    }
}

/// What is in hand is finished after the subscription has ended: somebody has to notice should the channel
/// go meanwhile.
fn watch_until_gone(channel: Channel, lost: CancellationToken, gone: CancellationToken) {
    tokio::spawn(async move {
        while channel.status().connected() {
            tokio::select! {
                () = gone.cancelled() => return,
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
            }
        }
        lost.cancel();
    });
}
