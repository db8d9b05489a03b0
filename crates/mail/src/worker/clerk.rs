//! Who writes the ledger: all that a start, a final dot and an end put down.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use gatepost_storage::outbox::Held;
use gatepost_storage::{Timestamp, deliveries_many};
use uuid::Uuid;

use super::LEASE;
use super::brake::Brake;
use super::health::WorkerHealth;
use super::settle::Note;
use super::start::{Asked, Start};
use super::together::Together;
use crate::Mailer;
use crate::queue::{AccountLetters, MailError};

/// Writes the ledger. Cheap to clone.
#[derive(Clone)]
pub(super) struct Clerk {
    pub(super) mailer: Mailer,
    pub(super) accounts: Arc<dyn AccountLetters>,
    pub(super) health: WorkerHealth,
    pub(super) brake: Brake,
    /// Whether somebody else sends what is taken here: then it ends as `handed_over`.
    pub(super) hands_over: bool,
}

/// The steps that letters take, each with whoever takes it at the same moment.
pub(super) struct Steps {
    pub(super) start: Together<Asked, Start>,
    pub(super) dot: Together<Held, Option<Timestamp>>,
    /// Only those whose dialogue lasts, or who wait for a connection.
    pub(super) renew: Together<Held, ()>,
    pub(super) settle: Together<Note, gatepost_messaging::Outcome>,
}

impl Steps {
    pub(super) fn new() -> Self {
        Self {
            start: Together::new(start).gathering(),
            dot: Together::new(dot),
            renew: Together::new(renew),
            settle: Together::new(settle).gathering(),
        }
    }
}

fn start(clerk: Clerk, asked: Vec<Arc<Asked>>) -> BoxFuture<'static, Result<Vec<Start>, MailError>> {
    Box::pin(async move { clerk.start(asked).await })
}

fn settle(
    clerk: Clerk,
    notes: Vec<Arc<Note>>,
) -> BoxFuture<'static, Result<Vec<gatepost_messaging::Outcome>, MailError>> {
    Box::pin(async move { clerk.settle(notes).await })
}

/// Notes final dots; until when each is ours to send, if it is.
fn dot(clerk: Clerk, held: Vec<Arc<Held>>) -> BoxFuture<'static, Result<Vec<Option<Timestamp>>, MailError>> {
    Box::pin(async move {
        let held: Vec<Held> = held.iter().map(|held| **held).collect();
        let noted = clerk.mailer.store().run_tx("note_dots", move |tx| {
            let (held, until) = (held.clone(), tx.now() + LEASE);
            Box::pin(async move {
                let won: Vec<Uuid> = deliveries_many::note_dot(tx, &held, until).await?;
                let ours = held.iter().map(|held| won.contains(&held.id).then_some(until));
                Ok::<_, MailError>(ours.collect())
            })
        });
        noted.await
    })
}

/// Renews leases. One that is lost stays lost, which its dot will tell.
fn renew(clerk: Clerk, held: Vec<Arc<Held>>) -> BoxFuture<'static, Result<Vec<()>, MailError>> {
    Box::pin(async move {
        let held: Vec<Held> = held.iter().map(|held| **held).collect();
        let count = held.len();
        let renewed = clerk.mailer.store().run_tx("renew_letters", move |tx| {
            let (held, until) = (held.clone(), tx.now() + LEASE);
            Box::pin(async move {
                deliveries_many::extend(tx, &held, until).await?;
                Ok::<_, MailError>(())
            })
        });
        renewed.await?;
        Ok(vec![(); count])
    })
}

impl Clerk {
    /// Starts letters in one transaction.
    pub(super) async fn start(&self, asked: Vec<Arc<Asked>>) -> Result<Vec<Start>, MailError> {
        let clerk = self.clone();
        let started = self.mailer.store().run_tx("start_letters", move |tx| {
            let (clerk, asked) = (clerk.clone(), asked.clone());
            Box::pin(async move { clerk.start_all(tx, &asked).await })
        });
        started.await
    }

    /// Writes down how starts ended, in one transaction with what the queue is told.
    pub(super) async fn settle(
        &self,
        notes: Vec<Arc<Note>>,
    ) -> Result<Vec<gatepost_messaging::Outcome>, MailError> {
        let clerk = self.clone();
        let settled = self.mailer.store().run_tx("settle_letters", move |tx| {
            let (clerk, notes) = (clerk.clone(), notes.clone());
            Box::pin(async move { clerk.settle_all(tx, &notes).await })
        });
        settled.await
    }
}
