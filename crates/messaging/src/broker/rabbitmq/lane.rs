//! One channel that publishes, a batch at a time.
//!
//! A batch ends before the next one begins, so that what the broker gives back during a batch belongs to it and
//! is known by its message id. lapin hands a returned message to whichever confirm comes next, on a busy channel
//! that of another message. Several lanes side by side keep the broker busy while each waits for its batch.

use std::collections::{HashSet, VecDeque};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Confirmation, ExchangeKind};
use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use super::publisher::{Load, Loads, Parcel, same};
use super::refusal::{self, unreachable};
use super::supervised::{Generation, State, Supervised};
use crate::{Error, PublishError};

pub(super) struct Lane {
    link: Supervised,
    loads: Arc<Mutex<Loads>>,
    open: Option<Open>,
}

/// A channel that confirms.
struct Open {
    channel: Channel,
    generation: Generation,
    /// Exchanges that are there. To publish to one that is not closes the channel and takes along everything
    /// that is under way on it, so each is asked for before its first message.
    exchanges: HashSet<String>,
}

/// How a message's confirm came.
enum Confirmed {
    Ack,
    Nack,
    NotRequested,
    Failed(Arc<Error>),
}

impl Lane {
    pub(super) fn new(link: Supervised, loads: Arc<Mutex<Loads>>) -> Self {
        Self {
            link,
            loads,
            open: None,
        }
    }

    pub(super) async fn run(mut self) {
        let window = self.link.settings().window;
        loop {
            let loads = self.loads.lock().await.take(window).await;
            if loads.is_empty() {
                return;
            }
            self.publish(loads).await;
        }
    }

    /// Publishes a batch and tells everyone what became of theirs.
    async fn publish(&mut self, loads: Vec<Load>) {
        // All of them came at about the same time.
        let Some(until) = loads.iter().map(|load| load.until).min() else {
            return;
        };
        let mut parcels = Vec::with_capacity(loads.iter().map(|load| load.parcels.len()).sum());
        let mut answers = Vec::with_capacity(loads.len());
        for load in loads {
            answers.push((load.parcels.len(), load.answer));
            parcels.extend(load.parcels);
        }
        let mut outcomes = Vec::with_capacity(parcels.len());
        // An id that comes twice begins another round: one of two could not be told from the other.
        for round in rounds(parcels) {
            outcomes.extend(match self.ready(until).await {
                Ok(()) => self.send(round).await,
                Err(error) => same(round.len(), &PublishError::NotSent(Arc::new(error))),
            });
        }
        let mut outcomes = outcomes.into_iter();
        for (count, answer) in answers {
            let _ = answer.send(outcomes.by_ref().take(count).collect());
        }
    }

    /// Waits for a channel on a connection that takes messages. Where there is one it is taken, however late it
    /// is.
    async fn ready(&mut self, until: Instant) -> Result<(), Error> {
        let taking = self.link.up_and(|up| up.blocked.is_none());
        let Ok(up) = tokio::time::timeout_at(until, taking).await else {
            return Err(why_not(&self.link.watch().borrow()));
        };
        let up = up?;
        let usable = self
            .open
            .as_ref()
            .is_some_and(|open| open.generation == up.generation && open.channel.status().connected());
        if !usable {
            self.open = None;
            let channel = self.link.within(up.connection.create_channel()).await?;
            self.link
                .within(channel.confirm_select(ConfirmSelectOptions::default()))
                .await?;
            self.open = Some(Open {
                channel,
                generation: up.generation,
                exchanges: HashSet::new(),
            });
        }
        Ok(())
    }

    async fn send(&mut self, parcels: Vec<Parcel>) -> Vec<Result<(), PublishError>> {
        let missing = self.missing_exchanges(&parcels).await;
        let Some(open) = &self.open else {
            let error = unreachable("the channel was closed");
            return same(parcels.len(), &PublishError::NotSent(Arc::new(error)));
        };
        let mut outcomes = Vec::with_capacity(parcels.len());
        let mut ids = Vec::with_capacity(parcels.len());
        let mut confirms = VecDeque::with_capacity(parcels.len());
        for (nth, parcel) in parcels.into_iter().enumerate() {
            ids.push(parcel.id);
            if missing.contains(&parcel.exchange) {
                let error = Error::NoExchange(parcel.exchange);
                outcomes.push(Some(Err(PublishError::NotSent(Arc::new(error)))));
            } else {
                outcomes.push(None);
                confirms.push_back(Box::pin(confirm(&open.channel, nth, parcel)));
            }
        }
        let mut deadline = pin!(tokio::time::sleep(self.link.settings().confirm_timeout));
        let mut returned = HashSet::new();
        let mut confirmed: Vec<Option<Confirmed>> = ids.iter().map(|_| None).collect();
        let mut sent = false;
        // Confirms come about in the order in which the messages went. So it is waited for the first, and for others
        // only to be sent, and at the very end.
        let late = poll_fn(|cx| {
            let over = deadline.as_mut().poll(cx).is_ready();
            let all = over || !std::mem::replace(&mut sent, true);
            let mut nth = 0;
            while let Some(next) = confirms.get_mut(nth) {
                match next.as_mut().poll(cx) {
                    Poll::Ready((which, how, back)) => {
                        confirmed[which] = Some(how);
                        returned.extend(back);
                        drop(confirms.remove(nth));
                    }
                    Poll::Pending if all => nth += 1,
                    Poll::Pending => break,
                }
            }
            match (confirms.is_empty(), over) {
                (true, _) => Poll::Ready(false),
                (false, true) => Poll::Ready(true),
                (false, false) => Poll::Pending,
            }
        })
        .await;
        drop(confirms);
        if late {
            self.give_up();
        }
        let each = ids.into_iter().zip(confirmed).zip(outcomes);
        each.map(|((id, how), outcome)| outcome.unwrap_or_else(|| judge(id, how, &returned)))
            .collect()
    }

    /// Leaves a channel whose confirms did not come, so that late ones meet nobody.
    fn give_up(&mut self) {
        if let Some(open) = self.open.take() {
            tokio::spawn(async move {
                let close = open.channel.close(200, "confirms did not come".into());
                let _ = tokio::time::timeout(Duration::from_secs(30), close).await;
            });
        }
    }

    /// The exchanges of these that are not there.
    async fn missing_exchanges(&mut self, parcels: &[Parcel]) -> HashSet<String> {
        let mut missing = HashSet::new();
        for parcel in parcels {
            if let Some(open) = &mut self.open
                && !parcel.exchange.is_empty()
                && !open.exchanges.contains(&parcel.exchange)
                && !missing.contains(&parcel.exchange)
            {
                match exists(&self.link, open.generation, &parcel.exchange).await {
                    Ok(true) => {
                        open.exchanges.insert(parcel.exchange.clone());
                    }
                    Ok(false) => {
                        missing.insert(parcel.exchange.clone());
                    }
                    // Then what comes next fails as well, and says so.
                    Err(error) => tracing::debug!(%error, "an exchange could not be asked for"),
                }
            }
        }
        missing
    }
}

/// Cuts a batch, in its order, where an id would come twice.
fn rounds(parcels: Vec<Parcel>) -> Vec<Vec<Parcel>> {
    let mut seen = HashSet::with_capacity(parcels.len());
    if parcels.iter().all(|parcel| seen.insert(parcel.id)) {
        return vec![parcels];
    }
    seen.clear();
    let (mut rounds, mut round) = (Vec::new(), Vec::new());
    for parcel in parcels {
        if !seen.insert(parcel.id) {
            rounds.push(std::mem::take(&mut round));
            seen.clear();
            seen.insert(parcel.id);
        }
        round.push(parcel);
    }
    rounds.push(round);
    rounds
}

/// Publishes one message and waits for its confirm. The first poll puts it into the connection's buffer, in the
/// order in which they are polled.
async fn confirm(channel: &Channel, nth: usize, parcel: Parcel) -> (usize, Confirmed, Option<Uuid>) {
    let options = BasicPublishOptions {
        mandatory: parcel.mandatory,
        immediate: false,
    };
    let (exchange, key) = (short(parcel.exchange), short(parcel.key));
    let published = channel.basic_publish(exchange, key, options, &parcel.body, parcel.properties);
    let confirmed = match published.await {
        Ok(confirm) => confirm.await,
        Err(error) => Err(error),
    };
    let (how, back) = match confirmed {
        Ok(Confirmation::Ack(back)) => (Confirmed::Ack, back),
        Ok(Confirmation::Nack(back)) => (Confirmed::Nack, back),
        Ok(Confirmation::NotRequested) => (Confirmed::NotRequested, None),
        Err(error) => (Confirmed::Failed(Arc::new(refusal::classify(error))), None),
    };
    // Whose it is says only its id.
    let back = back.and_then(|back| {
        let id = back.properties.message_id().as_ref()?;
        Uuid::try_parse(id.as_str()).ok()
    });
    (nth, how, back)
}

fn judge(id: Uuid, how: Option<Confirmed>, returned: &HashSet<Uuid>) -> Result<(), PublishError> {
    match how {
        Some(Confirmed::Ack) if returned.contains(&id) => Err(PublishError::Returned),
        Some(Confirmed::Ack) => Ok(()),
        Some(Confirmed::Nack) => Err(PublishError::Nacked),
        Some(Confirmed::NotRequested) => Err(PublishError::NotRequested),
        Some(Confirmed::Failed(error)) => Err(PublishError::Unknown(error)),
        None => {
            let error = unreachable("the confirm did not come in time");
            Err(PublishError::Unknown(Arc::new(error)))
        }
    }
}

/// Whether an exchange is there; asked on a channel of its own, which the answer "no" closes.
async fn exists(link: &Supervised, generation: Generation, exchange: &str) -> Result<bool, Error> {
    let up = link.up().await?;
    if up.generation != generation {
        return Err(unreachable("the connection was closed"));
    }
    let channel = link.within(up.connection.create_channel()).await?;
    let options = ExchangeDeclareOptions {
        passive: true,
        ..ExchangeDeclareOptions::default()
    };
    let asked = channel.exchange_declare(
        short(exchange),
        ExchangeKind::Direct,
        options,
        FieldTable::default(),
    );
    match tokio::time::timeout(link.settings().patience, asked).await {
        Ok(Ok(())) => {
            tokio::spawn(async move { channel.close(200, "bye".into()).await });
            Ok(true)
        }
        Ok(Err(error)) if refusal::is_not_found(&error) => Ok(false),
        Ok(Err(error)) => Err(refusal::classify(error)),
        Err(_) => Err(unreachable("it did not answer in time")),
    }
}

/// Why no message can go out at the moment.
fn why_not(state: &State) -> Error {
    match state {
        State::Up(up) => Error::Blocked {
            why: up.blocked.as_deref().unwrap_or("it was blocked").to_owned(),
        },
        State::Down { error: Some(error) } => unreachable(error.to_string()),
        State::Down { error: None } => unreachable("there is no connection yet"),
    }
}

/// A name that was checked to be short enough.
pub(super) fn short(name: impl Into<String>) -> ShortString {
    ShortString::try_new(name).unwrap_or_default()
}
