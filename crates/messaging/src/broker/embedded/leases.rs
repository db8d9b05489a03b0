//! The leases in this process's hands, and the task that renews them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatepost_storage::outbox::Held;
use gatepost_storage::{Store, Timestamp, outbox_claims};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Error;

#[derive(Debug)]
pub(super) struct Leases {
    store: Store,
    length: Duration,
    held: Mutex<HashMap<Held, Lease>>,
}

#[derive(Debug)]
struct Lease {
    until: Timestamp,
    lost: CancellationToken,
}

impl Leases {
    pub(super) fn new(store: &Store, length: Duration) -> Self {
        Self {
            store: store.clone(),
            length,
            held: Mutex::default(),
        }
    }

    pub(super) fn length(&self) -> Duration {
        self.length
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Held, Lease>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a claimed message's lease alive from now on; the token that tells of its loss.
    pub(super) fn add(&self, held: Held, until: Timestamp) -> CancellationToken {
        let lost = CancellationToken::new();
        self.held().insert(
            held,
            Lease {
                until,
                lost: lost.clone(),
            },
        );
        lost
    }

    pub(super) fn remove(&self, held: Held) {
        self.held().remove(&held);
    }

    /// Makes one lease end no earlier than `by` from now.
    pub(super) async fn extend(&self, held: Held, by: Duration) -> Result<bool, Error> {
        let until = self.store.now() + by.max(self.length);
        let won = self.write(vec![held], until).await?;
        Ok(self.note(&[held], &won, until))
    }

    /// Renews all leases three times within their length, for as long as it is polled.
    pub(super) async fn renew(self: Arc<Self>) {
        let mut at = self.store.now() + self.length / 3;
        loop {
            self.store.sleep_until(at).await;
            let now = self.store.now();
            at = now + self.length / 3;
            let until = now + self.length;
            // One that was extended further keeps its end.
            let due: Vec<Held> = self
                .held()
                .iter()
                .filter(|(_, l)| l.until < until)
                .map(|(held, _)| *held)
                .collect();
            if due.is_empty() {
                continue;
            }
            match self.write(due.clone(), until).await {
                Ok(won) => {
                    self.note(&due, &won, until);
                }
                Err(error) => {
                    tracing::warn!(%error, leases = due.len(), "leases could not be renewed");
                    let now = self.store.now();
                    for lease in self.held().values().filter(|lease| lease.until <= now) {
                        lease.lost.cancel();
                    }
                }
            }
        }
    }

    async fn write(&self, held: Vec<Held>, until: Timestamp) -> Result<Vec<Uuid>, gatepost_storage::Error> {
        self.store
            .run_tx("extend_leases", move |tx| {
                let held = held.clone();
                Box::pin(async move { outbox_claims::extend(tx, &held, until).await })
            })
            .await
    }

    /// Notes which of `asked` were still ours; whether all were. What was settled meanwhile is no loss.
    fn note(&self, asked: &[Held], won: &[Uuid], until: Timestamp) -> bool {
        let mut all = true;
        let mut leases = self.held();
        for held in asked {
            if won.contains(&held.id) {
                if let Some(lease) = leases.get_mut(held) {
                    lease.until = until;
                }
            } else {
                all = false;
                if let Some(lease) = leases.remove(held) {
                    lease.lost.cancel();
                }
            }
        }
        all
    }
}
