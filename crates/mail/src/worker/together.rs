//! Letters that come to the same step at the same moment take it in one transaction: a commit costs a
//! database more than what most letters write in it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::clerk::Clerk;
use crate::queue::MailError;

/// Letters in one transaction at most. More gain nothing and make the first wait.
const MOST: usize = 128;
/// After a transaction of so many, the next one waits a moment for more of them: every transaction costs the database
/// some ten letters' worth of work of its own. Whoever sends a letter now and then never waits.
const BUSY: usize = 6;
/// How long: less than what it takes to talk to a mail server.
const MOMENT: Duration = Duration::from_millis(3);

/// Takes a step for many, in one transaction; what it gave for each, in their order.
type Run<I, O> = fn(Clerk, Vec<Arc<I>>) -> BoxFuture<'static, Result<Vec<O>, MailError>>;
type Item<I, O> = (Arc<I>, oneshot::Sender<Result<O, MailError>>);

/// One step that letters take together. While a transaction runs, the next ones gather.
pub(super) struct Together<I, O> {
    run: Run<I, O>,
    /// Whether a busy step waits for more of them. Not where each holds a connection to a mail server meanwhile.
    gathers: bool,
    // The way to the task, which the first letter starts and which ends with this.
    way: Mutex<Option<mpsc::UnboundedSender<Item<I, O>>>>,
}

impl<I: Send + Sync + 'static, O: Send + 'static> Together<I, O> {
    pub(super) fn new(run: Run<I, O>) -> Self {
        Self {
            run,
            gathers: false,
            way: Mutex::default(),
        }
    }

    /// Waits a moment for more while there are many.
    pub(super) fn gathering(mut self) -> Self {
        self.gathers = true;
        self
    }

    /// Takes the step with whoever else is waiting for it.
    pub(super) async fn ask(&self, clerk: &Clerk, item: I) -> Result<O, MailError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.way(clerk).send((Arc::new(item), answer));
        let closed = || MailError::from(gatepost_messaging::Error::Closed);
        sent.map_err(|_| closed())?;
        answered.await.unwrap_or_else(|_| Err(closed()))
    }

    fn way(&self, clerk: &Clerk) -> mpsc::UnboundedSender<Item<I, O>> {
        let mut way = self.way.lock().unwrap_or_else(PoisonError::into_inner);
        match &*way {
            // A task whose runtime has gone is closed; the next letter starts another.
            Some(open) if !open.is_closed() => open.clone(),
            _ => {
                let (sender, items) = mpsc::unbounded_channel();
                tokio::spawn(serve(clerk.clone(), self.run, self.gathers, items));
                *way = Some(sender.clone());
                sender
            }
        }
    }
}

async fn serve<I: Send + Sync, O>(
    clerk: Clerk,
    run: Run<I, O>,
    gathers: bool,
    mut items: mpsc::UnboundedReceiver<Item<I, O>>,
) {
    let mut batch = Vec::with_capacity(MOST);
    let mut before = 0;
    while items.recv_many(&mut batch, MOST).await > 0 {
        if gathers && before >= BUSY && batch.len() < MOST {
            tokio::time::sleep(MOMENT).await;
            while batch.len() < MOST
                && let Ok(item) = items.try_recv()
            {
                batch.push(item);
            }
        }
        before = batch.len();
        let (asked, answers): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
        match run(clerk.clone(), asked.clone()).await {
            Ok(done) => {
                for (answer, done) in answers.into_iter().zip(done) {
                    let _ = answer.send(Ok(done));
                }
            }
            Err(error) if answers.len() == 1 || error.is_transient() => {
                let error = Arc::new(error);
                for answer in answers {
                    let _ = answer.send(Err(MailError::Together(Arc::clone(&error))));
                }
            }
            // One of them is at fault; it shall not keep the others.
            Err(_) => {
                for (item, answer) in asked.into_iter().zip(answers) {
                    let done = run(clerk.clone(), vec![item]).await;
                    let _ = answer.send(done.and_then(|mut done| {
                        done.pop().ok_or_else(|| gatepost_messaging::Error::Closed.into())
                    }));
                }
            }
        }
    }
}
