//! Mail that other programs put on the queue of RabbitMQ: which delivery a message belongs to.
//!
//! Python publishers give no message id. A message that comes for the first time is a letter of its own, also if
//! another has the same words. One that is delivered again is known by its body. An id that a publisher gave counts
//! only together with the body: whoever reuses one for other words loses none.

use std::time::Duration;

use gatepost_messaging::{Body, Delivery as Message};
use gatepost_storage::deliveries_foreign::{self, Foreign};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::Desk;
use crate::queue::MailError;

/// How far back a message that is delivered again is looked for.
const RECENT: Duration = Duration::from_mins(15);
/// Where Python's consumers count their tries.
const RETRY_COUNT: &str = "x-retry-count";
/// Tries of others that count, so that one of ours is left.
const MOST_TRIED: i64 = 11;

impl Desk {
    /// Which delivery the message is for.
    pub(super) async fn identify(&self, message: &Message<Body>) -> Result<Foreign, MailError> {
        let digest: [u8; 32] = Sha256::digest(&message.message.bytes).into();
        let tried = message
            .headers
            .get(RETRY_COUNT)
            .and_then(|count| count.trim().parse::<i64>().ok())
            .map_or(0, |count| count.clamp(0, MOST_TRIED));
        let known = |id| Foreign { id, digest, tried };
        if message.fresh_id && !message.redelivered {
            return Ok(known(message.id));
        }
        let (given, fresh, queue) = (message.id, message.fresh_id, message.queue.clone());
        let found = self.clerk.mailer.store().run_tx("identify_letter", move |tx| {
            let queue = queue.clone();
            Box::pin(async move {
                if deliveries_foreign::is_of(tx, given, &digest).await? {
                    // An id that we gave to a message without one.
                    return Ok(Some(given));
                }
                if fresh {
                    let since = tx.now() - RECENT;
                    deliveries_foreign::recognise(tx, &queue, &digest, since).await
                } else {
                    Ok(Some(derived(given, &digest)))
                }
            })
        });
        let found: Option<Uuid> = found.await?;
        let id = found.unwrap_or(given);
        if fresh && found.is_some() {
            // The ledger keeps it.
            message.ack().rename(id);
        }
        Ok(known(id))
    }
}

/// The delivery of a message that another program gave an id.
pub(super) fn derived(given: Uuid, digest: &[u8; 32]) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(b"gatepost foreign mail");
    hash.update(given.as_bytes());
    hash.update(digest);
    let hash: [u8; 32] = hash.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    // An id that tells its hour stays in its place in lists.
    bytes[..6].copy_from_slice(&given.as_bytes()[..6]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// The same for a message among the dead letters, of which it isn't known who gave the id.
pub(super) fn candidates(id: Uuid, body: &[u8]) -> [Uuid; 2] {
    [id, derived(id, &Sha256::digest(body).into())]
}
