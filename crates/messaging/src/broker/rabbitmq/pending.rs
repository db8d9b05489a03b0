//! Takes what is there now, and no more: for tests and tools.

use std::sync::Arc;

use lapin::Channel;
use lapin::message::BasicGetMessage;
use lapin::options::BasicGetOptions;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::consume::Lane;
use super::desk::Desk;
use super::intake::Incoming;
use super::subscription::shape;
use crate::Error;

pub(super) async fn run(desk: Arc<Desk>, prefetch: usize, incoming: mpsc::UnboundedSender<Incoming>) {
    let mut fetch = Fetch {
        room: Arc::new(Semaphore::new(prefetch)),
        alone: Arc::new(Semaphore::new(1)),
        prefetch: u32::try_from(prefetch).unwrap_or(u32::MAX),
        desk,
        incoming,
    };
    let mut failures = 0;
    loop {
        let desk = Arc::clone(&fetch.desk);
        let ended = tokio::select! {
            biased;
            () = desk.stop.cancelled() => return,
            ended = fetch.all() => ended,
        };
        let error = match ended {
            Ok(()) | Err(Error::Closed) => return,
            Err(error) => error,
        };
        failures += 1;
        tracing::warn!(queue = %desk.queue(), %error, failures, "messages could not be fetched, trying again");
        tokio::select! {
            () = desk.stop.cancelled() => return,
            () = tokio::time::sleep(desk.pause(failures)) => {}
        }
    }
}

struct Fetch {
    desk: Arc<Desk>,
    incoming: mpsc::UnboundedSender<Incoming>,
    room: Arc<Semaphore>,
    /// One suspect at a time.
    alone: Arc<Semaphore>,
    prefetch: u32,
}

impl Fetch {
    async fn all(&mut self) -> Result<(), Error> {
        for lane in [Lane::Queue, Lane::Suspects] {
            let shape = shape(&self.desk, lane);
            self.desk
                .rabbit
                .sides
                .ensure(&self.desk.rabbit.link, &shape)
                .await?;
        }
        let (channel, _) = self.desk.rabbit.link.consuming().channel().await?;
        self.desk.keep(&channel);
        let lost = self.desk.gone.child_token();
        // Should this end in an error, the channel is gone.
        let guard = lost.clone().drop_guard();
        loop {
            let nothing_in_hand = self.room.available_permits() == self.prefetch as usize;
            if self.one(&channel, &lost).await? {
                continue;
            }
            if nothing_in_hand {
                guard.disarm();
                return Ok(());
            }
            // What is in hand may make something new.
            let all = self.room.acquire_many(self.prefetch).await;
            drop(all.map_err(|_| Error::Closed)?);
        }
    }

    /// Fetches one message, if there is one.
    async fn one(&self, channel: &Channel, lost: &CancellationToken) -> Result<bool, Error> {
        let place = Arc::clone(&self.room).acquire_owned().await;
        let mut places = vec![place.map_err(|_| Error::Closed)?];
        let mut lane = Lane::Queue;
        let mut got = self.get(channel, lane).await?;
        if got.is_none()
            && let Ok(alone) = Arc::clone(&self.alone).try_acquire_owned()
        {
            places.push(alone);
            lane = Lane::Suspects;
            got = self.get(channel, lane).await?;
        }
        let Some(got) = got else { return Ok(false) };
        let _ = self.incoming.send(Incoming {
            delivery: got.delivery,
            lane,
            channel: channel.clone(),
            lost: lost.clone(),
            in_hand: None,
            doubtful: false,
            places,
        });
        Ok(true)
    }

    async fn get(&self, channel: &Channel, lane: Lane) -> Result<Option<BasicGetMessage>, Error> {
        let queue = shape(&self.desk, lane).name;
        let get = channel.basic_get(queue.as_str().into(), BasicGetOptions::default());
        self.desk.rabbit.link.consuming().within(get).await
    }
}
