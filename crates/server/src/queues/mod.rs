//! Queues and dead letters, for people and programs that look after them: the same over HTTP and on the command line.
//!
//! With RabbitMQ there are two places: the broker, and the database, where jobs of accounts stay and where letters
//! end that nobody will try again. Whoever looks sees both and need not know which.

mod publish;
mod view;

use gatepost_messaging::{DeadReason, Error, QueueStatus, Queues};
use uuid::Uuid;

use crate::app::App;

pub use self::publish::{Refused, publish};
pub use self::view::{Death, MessageView, QueueView};

/// What stands beside a queue for its dead letters.
const DEAD: &str = ".dead";

/// The queues of every place.
#[derive(Debug, Clone)]
pub struct Desk {
    app: App,
    broker: Queues,
    inside: Option<Queues>,
}

/// A queue, or its dead letters: `email_queue`, `email_queue.dead`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The queue.
    pub queue: String,
    /// Its dead letters are meant.
    pub dead: bool,
}

impl Named {
    /// What somebody means by this name.
    pub fn parse(name: &str) -> Self {
        match name.strip_suffix(DEAD) {
            Some(queue) if !queue.is_empty() => Self {
                queue: queue.to_owned(),
                dead: true,
            },
            _ => Self {
                queue: name.to_owned(),
                dead: false,
            },
        }
    }
}

impl Desk {
    /// Of this program.
    pub fn new(app: &App) -> Self {
        Self {
            app: app.clone(),
            broker: app.broker().queues(),
            inside: app.broker().is_rabbitmq().then(|| Queues::new(&app.store)),
        }
    }

    /// Whether looking at what waits counts as a delivery: on RabbitMQ, which lets nobody look without taking.
    pub fn looking_counts(&self) -> bool {
        self.broker.looking_counts()
    }

    /// Every queue that is known or holds anything, by name.
    ///
    /// # Errors
    /// The database's or the broker's.
    pub async fn list(&self) -> Result<Vec<QueueView>, Error> {
        let at_broker = if self.inside.is_some() {
            "rabbitmq"
        } else {
            "database"
        };
        let mut views: Vec<QueueView> = self
            .broker
            .list()
            .await?
            .into_iter()
            .map(|status| QueueView::new(at_broker, status))
            .collect();
        if let Some(inside) = &self.inside {
            let stored = inside.list().await?.into_iter();
            views.extend(stored.map(|status| QueueView::new("database", status)));
        }
        for name in self.app.broker().topology().queues() {
            if !views.iter().any(|view| view.queue == name) {
                let mut status = QueueStatus::default();
                name.clone_into(&mut status.queue);
                views.push(QueueView::new(at_broker, status));
            }
        }
        views.sort_by(|a, b| (&a.queue, a.place).cmp(&(&b.queue, b.place)));
        Ok(views)
    }

    /// One queue, in each place where it is.
    ///
    /// # Errors
    /// The database's or the broker's.
    pub async fn show(&self, queue: &str) -> Result<Vec<QueueView>, Error> {
        let mut views = self.list().await?;
        views.retain(|view| view.queue == queue);
        Ok(views)
    }

    /// What waits, or what died, in the order of ids; with bodies if they are asked for.
    ///
    /// # Errors
    /// The database's or the broker's.
    pub async fn peek(
        &self,
        named: &Named,
        after: Option<Uuid>,
        limit: u32,
        bodies: bool,
    ) -> Result<Vec<MessageView>, Error> {
        let mut views = Vec::new();
        for queues in self.places() {
            if named.dead {
                let dead = queues.dead_letters(&named.queue, after, limit).await?;
                views.extend(dead.into_iter().map(|dead| MessageView::dead(dead, bodies)));
            } else {
                let waiting = queues.peek(&named.queue, after, limit).await?;
                views.extend(waiting.into_iter().map(|one| MessageView::waiting(one, bodies)));
            }
        }
        views.sort_by_key(|view| view.id);
        // In hand at the broker, and still in the database until its end is known: one message.
        views.dedup_by_key(|view| view.id);
        views.truncate(limit as usize);
        Ok(views)
    }

    /// How many dead letters a queue has.
    ///
    /// # Errors
    /// The database's or the broker's.
    pub async fn dead(&self, queue: &str) -> Result<u64, Error> {
        let mut dead = 0;
        for queues in self.places() {
            dead += queues.status(queue).await?.dead;
        }
        Ok(dead)
    }

    /// Puts one dead letter back, or all, or all with one reason; how many.
    ///
    /// # Errors
    /// The database's or the broker's. Those put back before it stay put back.
    pub async fn replay(
        &self,
        queue: &str,
        id: Option<Uuid>,
        reason: Option<DeadReason>,
    ) -> Result<u64, Error> {
        let mut replayed = 0;
        for queues in self.places() {
            replayed += match id {
                Some(id) => u64::from(queues.replay(queue, id).await?),
                None => queues.replay_all(queue, reason).await?,
            };
        }
        Ok(replayed)
    }

    /// Deletes a dead letter for good; whether there was one.
    ///
    /// # Errors
    /// The database's or the broker's.
    pub async fn discard(&self, queue: &str, id: Uuid) -> Result<bool, Error> {
        for queues in self.places() {
            if queues.discard(queue, id).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn places(&self) -> impl Iterator<Item = &Queues> {
        std::iter::once(&self.broker).chain(&self.inside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_a_queue_or_its_dead_letters() {
        let named = |name: &str| {
            let named = Named::parse(name);
            (named.queue, named.dead)
        };
        assert_eq!(named("email_queue"), ("email_queue".to_owned(), false));
        assert_eq!(named("email_queue.dead"), ("email_queue".to_owned(), true));
        assert_eq!(named(".dead"), (".dead".to_owned(), false));
    }
}
