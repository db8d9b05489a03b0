//! Taking back what was handed over to another broker, once its queue is consumed from the database again.
//!
//! Nothing asks that broker: what lies there has its row here. A process that still hands messages over while
//! instances change from one broker to the other is seen to again and again.

use std::sync::Arc;
use std::time::Duration;

use gatepost_storage::Store;
use gatepost_storage::outbox_handed::{self, TakeBack};

use crate::{Error, TOPIC};

/// How often it is looked again, and how old a handing-over has to be then.
const AGAIN: Duration = Duration::from_secs(30);
/// Rows that one transaction takes back.
const BATCH: i64 = 1000;

/// Takes back all that was handed over `age` ago or earlier.
pub(super) async fn all(store: &Store, queue: &str, age: Duration) -> Result<(), Error> {
    let mut taken = 0;
    loop {
        let back = TakeBack {
            queue: queue.to_owned(),
            before: store.now() - age,
            doubted: false,
            limit: BATCH,
        };
        let count = store
            .run_tx("take_back", move |tx| {
                let back = back.clone();
                Box::pin(async move {
                    let count = outbox_handed::take_back(tx, &back).await?;
                    if count > 0 {
                        tx.wake(TOPIC);
                    }
                    Ok::<_, gatepost_storage::Error>(count)
                })
            })
            .await?;
        taken += count;
        if count == 0 {
            break;
        }
    }
    if taken > 0 {
        tracing::warn!(
            queue,
            taken,
            "messages were taken back from another broker: they are handled here"
        );
    }
    Ok(())
}

/// Looks again and again, for as long as it is polled.
pub(super) async fn keep(store: Store, queue: Arc<str>) {
    loop {
        tokio::time::sleep(AGAIN).await;
        let (asked, before) = (Arc::clone(&queue), store.now() - AGAIN);
        let found = store.read("count_handed_over", move |tx| {
            Box::pin(async move { outbox_handed::count(tx, &asked, before).await })
        });
        let done = match found.await {
            Ok(0) => continue,
            Ok(_) => all(&store, &queue, AGAIN).await,
            Err(error) => Err(Error::from(error)),
        };
        if let Err(error) = done {
            tracing::debug!(%queue, %error, "it could not be seen whether another broker has messages of this queue");
        }
    }
}
