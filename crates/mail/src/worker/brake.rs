//! What people have paused, as a worker sees it.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use gatepost_storage::mail_pauses::{self, ALL};
use tokio::sync::watch;

use crate::Mailer;
use crate::queue::PAUSES_TOPIC;

/// How often the table is read, whether or not a wake came: a pause holds everywhere within a second.
const LOOK: Duration = Duration::from_millis(400);

/// How long a letter of a paused template is put off. When the pause ends it is let go at once; this is for
/// messages of other programs, which only their broker can hold.
pub(super) const PAUSED: Duration = Duration::from_mins(5);

/// What is paused; clones see the same.
#[derive(Debug, Clone)]
pub(super) struct Brake(Arc<watch::Sender<BTreeSet<String>>>);

impl Brake {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeSet::new())))
    }

    /// Whether letters of this template wait.
    pub(super) fn holds(&self, template: &str) -> bool {
        let paused = self.0.borrow();
        paused.contains(ALL) || paused.contains(template)
    }

    /// Whether all letters wait.
    pub(super) fn holds_all(&self) -> bool {
        self.0.borrow().contains(ALL)
    }

    /// Waits until all letters wait, or until they no longer do.
    pub(super) async fn until(&self, all: bool) {
        let mut watching = self.0.subscribe();
        // This holds the sender, so that the wait never fails.
        let _ = watching.wait_for(|paused| paused.contains(ALL) == all).await;
    }

    /// Reads the table. What can't be read stays as it was: no letter starts without the database either, and
    /// a start asks the table once more.
    pub(super) async fn look(&self, mailer: &Mailer) {
        let paused = mailer
            .store()
            .read("look_at_mail_pauses", |tx| Box::pin(mail_pauses::list(tx)));
        match paused.await {
            Ok(rows) => {
                let paused: BTreeSet<String> = rows.into_iter().map(|row| row.template).collect();
                self.0.send_if_modified(|known| {
                    let news = *known != paused;
                    if news {
                        let templates: Vec<&str> = paused.iter().map(|t| named(t)).collect();
                        tracing::info!(?templates, "the pause of letters changed");
                    }
                    *known = paused;
                    news
                });
            }
            Err(error) => tracing::debug!(%error, "what is paused can't be read"),
        }
    }

    /// Keeps looking.
    pub(super) async fn watch(&self, mailer: &Mailer) -> Infallible {
        let mut wakes = mailer.store().subscribe(PAUSES_TOPIC);
        loop {
            self.look(mailer).await;
            tokio::select! {
                () = wakes.wait() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

fn named(template: &str) -> &str {
    if template == ALL { "all" } else { template }
}
