//! Whether the broker still has what was handed over to it.
//!
//! A queue can be deleted, purged or lost with a disk, and nobody is told. So it is looked at now and then: how many
//! messages lie ready there, against how many rows say that they were handed over and have not ended. Those that
//! are missing are in the hands of consumers, or lost. In hand they are for a moment; so the ones that were handed
//! over first are taken back when there are more of them than hands can hold, or when it has taken too long. What is
//! published twice by this is dropped by whoever handles it. Messages that simply wait, however many and however
//! long, are not touched.

use std::time::Duration;

use gatepost_storage::Timestamp;
use gatepost_storage::outbox_handed::{self, TakeBack};
use tokio_util::sync::CancellationToken;

use super::Plan;
use super::health::Counted;
use crate::{Error, TOPIC, Topology};

/// How often.
const EVERY: Duration = Duration::from_secs(3);
/// What was handed over since then may not lie ready yet, as the clocks of instances differ a little.
const SETTLED: Duration = Duration::from_secs(1);
/// Messages that one consumer may have in hand.
const HANDS: u64 = 300;
/// Rows that one transaction takes back.
const BATCH: u64 = 1000;

/// Looks until `stop`.
pub(super) async fn run(plan: &Plan, stop: &CancellationToken) {
    if plan.held.is_empty() {
        return;
    }
    while tokio::time::timeout(EVERY, stop.cancelled()).await.is_err() {
        if !plan.broker.health().connected {
            continue;
        }
        let looked = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            looked = all(plan) => looked,
        };
        if let Err(error) = looked {
            tracing::warn!(%error, "it could not be seen whether the broker has what was handed over, trying again");
        }
    }
}

/// Looks at every held queue; how many messages were taken back.
pub(super) async fn all(plan: &Plan) -> Result<u64, Error> {
    let mut back = 0;
    for queue in plan.held.iter() {
        back += one(plan, queue).await?;
    }
    Ok(back)
}

async fn one(plan: &Plan, queue: &str) -> Result<u64, Error> {
    let before = plan.store.now() - SETTLED;
    if handed(plan, queue, before).await? == 0 {
        return Ok(0);
    }
    let Some(depth) = plan.broker.depth(queue).await? else {
        tracing::error!(
            queue,
            "the queue is gone with all that was in it: it is declared again, and its messages follow"
        );
        let config = plan.broker.topology().config(queue);
        // A new queue is as it was asked for.
        let _ = plan
            .broker
            .declare(&Topology::new().queue(queue, |_| config))
            .await?;
        return take_back(plan, queue, before, u64::MAX, false).await;
    };
    // Counted after the look: what ended meanwhile is not missing.
    let handed = handed(plan, queue, before).await?;
    let missing = handed.saturating_sub(depth.ready);
    if missing == 0 {
        return Ok(0);
    }
    let many = missing > HANDS.saturating_mul(depth.consumers + 1);
    if many {
        tracing::error!(
            queue,
            missing,
            "the broker has fewer messages than were handed over to it: they are published again"
        );
    }
    take_back(plan, queue, before, missing, !many).await
}

async fn handed(plan: &Plan, queue: &str, before: Timestamp) -> Result<u64, Error> {
    let queue = queue.to_owned();
    let count = plan.store.read("count_handed_over", |tx| {
        Box::pin(async move { outbox_handed::count(tx, &queue, before).await })
    });
    Ok(u64::try_from(count.await?).unwrap_or(0))
}

/// Takes back messages among the `first` ones that were handed over, all of them or those that are doubted.
async fn take_back(
    plan: &Plan,
    queue: &str,
    before: Timestamp,
    first: u64,
    doubted: bool,
) -> Result<u64, Error> {
    let (mut left, mut taken) = (first, 0);
    loop {
        // The doubted ones are looked for among all that are missing; the rest in portions from the front.
        let limit = if doubted {
            left.min(10 * BATCH)
        } else {
            left.min(BATCH)
        };
        let back = TakeBack {
            queue: queue.to_owned(),
            before,
            doubted,
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
        };
        let count = plan
            .store
            .run_tx("take_back", move |tx| {
                let back = back.clone();
                tx.wake(TOPIC);
                Box::pin(async move { outbox_handed::take_back(tx, &back).await })
            })
            .await?;
        taken += count;
        left = left.saturating_sub(count);
        if count == 0 || left == 0 || doubted {
            plan.health.add(Counted::TakenBack, taken);
            return Ok(taken);
        }
    }
}
