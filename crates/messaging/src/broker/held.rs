//! The outbox's side of messages that came over another broker: their rows end, wait or die with what the handler
//! says, in the same transaction.

use std::collections::HashSet;

use gatepost_storage::dead_letters::{self, Burial};
use gatepost_storage::outbox::Held;
use gatepost_storage::outbox_claims::Again;
use gatepost_storage::{Tx, outbox_handed};
use uuid::Uuid;

use crate::verdict::Verdict;
use crate::{Error, TOPIC};

/// Writes what becomes of messages into their rows. The ids for which that was all, so that the broker's copy has
/// only to be acknowledged; for the others, which have no row, the broker itself keeps what comes next.
pub(crate) async fn settle(tx: &mut Tx<'_>, items: &[(Uuid, Verdict)]) -> Result<HashSet<Uuid>, Error> {
    let (mut done, mut again, mut dead) = (Vec::new(), Vec::new(), Vec::new());
    for (id, verdict) in items {
        // Nobody's lease: a dispatcher that has not noted yet that it published the message may hold the row.
        let held = Held {
            id: *id,
            lease: Uuid::nil(),
        };
        match verdict {
            Verdict::Done => done.push(*id),
            Verdict::Release => {}
            Verdict::Again { at, counted, reason } => again.push(Again {
                held,
                at: *at,
                counted: i64::from(*counted),
                error: reason.clone(),
            }),
            Verdict::Dead {
                reason,
                detail,
                counted,
            } => dead.push(Burial {
                held,
                reason: reason.as_str().to_owned(),
                detail: detail.clone(),
                counted: i64::from(*counted),
            }),
        }
    }
    outbox_handed::end(tx, &done).await?;
    let mut said: HashSet<Uuid> = done.into_iter().collect();
    said.extend(outbox_handed::postpone(tx, &again).await?);
    said.extend(dead_letters::bury_handed(tx, &dead).await?);
    if !again.is_empty() {
        // A dispatcher has to wait for the new hour.
        tx.wake(TOPIC);
    }
    Ok(said)
}
