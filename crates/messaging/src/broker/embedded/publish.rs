//! Publishing without a transaction of the caller's: to a queue, or through the exchanges that were declared.

use std::sync::Arc;

use futures_util::future::join_all;
use gatepost_storage::new_id;
use uuid::Uuid;

use super::Embedded;
use crate::{Envelope, Error, Outgoing, PublishError, Route, Topology};

impl Embedded {
    pub(crate) async fn publish(
        &self,
        topology: &Topology,
        route: Route,
        envelope: &Envelope,
    ) -> Result<Uuid, PublishError> {
        route.check()?;
        let id = envelope.id.unwrap_or_else(|| new_id(self.store.now()));
        let queues: Vec<String> = match route.to_queue() {
            Some(queue) => vec![queue.to_owned()],
            None => topology.route(&route.exchange, &route.key, &envelope.headers)?,
        };
        if queues.is_empty() && !route.optional {
            return Err(PublishError::Returned);
        }
        let copies = queues.into_iter().enumerate().map(|(nth, queue)| {
            let id = if nth == 0 { id } else { copy_of(id, &queue) };
            let envelope = Envelope {
                id: Some(id),
                queue,
                ..envelope.clone()
            };
            self.outbox.enqueue(envelope)
        });
        let mut stands = None;
        for enqueued in join_all(copies).await {
            let published = enqueued.map_err(unsure)?;
            stands.get_or_insert(published.id());
        }
        Ok(stands.unwrap_or(id))
    }

    pub(crate) async fn publish_batch(
        &self,
        topology: &Topology,
        batch: Vec<Outgoing>,
    ) -> Vec<Result<Uuid, PublishError>> {
        let each = batch
            .into_iter()
            .map(|outgoing| async move { self.publish(topology, outgoing.route, &outgoing.envelope).await });
        join_all(each).await
    }
}

/// A transaction whose commit was not answered may stand.
fn unsure(error: Error) -> PublishError {
    match error {
        Error::Store(_) | Error::Shared(_) => PublishError::Unknown(Arc::new(error)),
        error => error.into(),
    }
}

/// The id of a message's copy on a further queue, since a row has one queue: the same whenever the message is
/// published again.
fn copy_of(id: Uuid, queue: &str) -> Uuid {
    // FNV-1a over 128 bits. Not against anybody: it spreads names over ids.
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013B;
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    let hash = queue
        .bytes()
        .fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    // Only the random part: the time and the version stay.
    let random = (1_u128 << 62) - 1;
    Uuid::from_u128(id.as_u128() ^ (hash & random))
}
