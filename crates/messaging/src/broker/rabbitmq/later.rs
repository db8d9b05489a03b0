//! Messages that are published before their hour.

use super::ladder::Ladder;
use super::{Rabbit, declare, shapes};
use crate::{Error, PublishError, Route, Timestamp};

impl Rabbit {
    /// The queue beside the one that a message is for, from which it flows on towards its hour.
    pub(super) async fn wait_for_it(
        &self,
        route: &Route,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<String, Error> {
        let Some(queue) = route.to_queue() else {
            return Err(Error::Invalid {
                what: "not_before",
                why: "RabbitMQ's exchanges deliver at once: a delayed message goes to a queue, or needs the outbox",
            });
        };
        let Some(rung) = Ladder::new(&[]).step(at, now).rung else {
            return Ok(queue.to_owned());
        };
        // What waits comes back to this queue. If there were none, nobody would learn of it.
        if !declare::stands(&self.link, queue).await? {
            return Err(PublishError::Returned.into());
        }
        let shape = shapes::rung(queue, rung);
        self.sides.ensure(&self.link, &shape).await?;
        Ok(shape.name)
    }
}
