//! Making a topology stand, and saying what stands otherwise. Nothing is ever changed or deleted.
//!
//! At each new connection what was declared is made to stand again: the broker may have lost it.
//!
//! Every look and every declaration has a channel of its own, since a refusal (404, 406) closes it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::AMQPSoftError;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind as LapinExchange};
use tokio::sync::watch;

use super::lane::short;
use super::link::{Link, WeakLink};
use super::refusal;
use super::shapes::{self, Shape};
use super::supervised::State;
use crate::broker::Depth;
use crate::{Binding, Difference, Drift, Error, ExchangeKind, Match, Topology};

/// Pause after a failure to declare again.
const AGAIN: Duration = Duration::from_secs(1);
/// More differences than a queue has properties.
const MOST_DIFFERENCES: usize = 16;

/// Makes all of it stand.
pub(super) async fn declare(link: &Link, topology: &Topology) -> Result<Drift, Error> {
    let mut drift = Drift::default();
    for (name, kind) in topology.exchanges() {
        drift.differences.extend(ensure_exchange(link, name, kind).await?);
    }
    for queue in topology.queues() {
        for shape in shapes::of(queue, &topology.config(queue)) {
            drift.differences.extend(ensure(link, &shape).await?);
        }
    }
    for binding in topology.bindings() {
        bind(link, binding).await?;
    }
    for difference in &drift.differences {
        tracing::warn!("{difference}; it is used as it is");
    }
    Ok(drift)
}

/// Sees to it that whatever is known stands, also on a broker that comes back empty, until the link is gone.
pub(super) async fn keep(link: WeakLink, mut states: watch::Receiver<State>, known: Arc<RwLock<Topology>>) {
    let mut done = 0;
    loop {
        let generation = match &*states.borrow_and_update() {
            State::Up(up) => up.generation,
            State::Down { .. } => done,
        };
        if generation != done
            && let Some(link) = link.upgrade()
        {
            let topology = known.read().unwrap_or_else(PoisonError::into_inner).clone();
            match renew(&link, &topology).await {
                Ok(()) => done = generation,
                Err(error) => {
                    tracing::warn!(%error, "queues could not be declared, trying again");
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            }
        }
        if states.changed().await.is_err() {
            return;
        }
    }
}

/// Makes what is missing. What stands otherwise was told when it was declared.
async fn renew(link: &Link, topology: &Topology) -> Result<(), Error> {
    for (name, kind) in topology.exchanges() {
        let _ = ensure_exchange(link, name, kind).await?;
    }
    for queue in topology.queues() {
        for shape in shapes::of(queue, &topology.config(queue)) {
            if !stands(link, &shape.name).await?
                && let Err(refused) = declare_queue(link, &shape, true).await?
                && refused.soft != Some(AMQPSoftError::PRECONDITIONFAILED)
            {
                return Err(refused.error);
            }
        }
    }
    for binding in topology.bindings() {
        bind(link, binding).await?;
    }
    Ok(())
}

/// Makes one queue stand, or says how the one that stands differs.
pub(crate) async fn ensure(link: &Link, shape: &Shape) -> Result<Vec<Difference>, Error> {
    // Looking needs no right to configure, and does not mind what the queue looks like.
    if !stands(link, &shape.name).await? {
        match declare_queue(link, shape, true).await? {
            Ok(()) => return Ok(Vec::new()),
            // Somebody else made it in the meantime.
            Err(refused) if refused.soft == Some(AMQPSoftError::PRECONDITIONFAILED) => {}
            Err(refused) => return Err(refused.error),
        }
    }
    compare_queue(link, shape).await
}

/// Whether there is a queue of that name.
pub(crate) async fn stands(link: &Link, queue: &str) -> Result<bool, Error> {
    Ok(look(link, queue).await?.is_some())
}

/// How a queue stands, if there is one of that name. Looking takes nothing.
pub(crate) async fn look(link: &Link, queue: &str) -> Result<Option<Depth>, Error> {
    let options = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let asked = on_a_channel(link, async |channel| {
        channel
            .queue_declare(short(queue), options, FieldTable::default())
            .await
    });
    match asked.await? {
        Ok(stands) => Ok(Some(Depth {
            ready: u64::from(stands.message_count()),
            consumers: u64::from(stands.consumer_count()),
        })),
        Err(refused) => match refused.soft {
            Some(AMQPSoftError::NOTFOUND) => Ok(None),
            // Somebody's exclusive queue: it stands, and is no use to us.
            _ => Err(refused.error),
        },
    }
}

/// Finds every difference by declaring the queue as it seems to stand, until the broker agrees: each refusal
/// names one.
async fn compare_queue(link: &Link, wanted: &Shape) -> Result<Vec<Difference>, Error> {
    let entity = format!("queue {}", wanted.name);
    let mut tried = wanted.clone();
    let mut durable = true;
    let mut foreign: BTreeMap<String, AMQPValue> = BTreeMap::new();
    let mut differences = Vec::new();
    while differences.len() < MOST_DIFFERENCES {
        let mut table = tried.table();
        for (name, value) in &foreign {
            table.insert(short(name), value.clone());
        }
        let options = QueueDeclareOptions {
            durable,
            ..QueueDeclareOptions::default()
        };
        let name = short(&wanted.name);
        let asked = on_a_channel(link, async |channel| {
            channel.queue_declare(name.clone(), options, table.clone()).await
        });
        let Err(refused) = asked.await? else {
            return Ok(differences);
        };
        match refused.soft {
            Some(AMQPSoftError::PRECONDITIONFAILED) => {}
            // Not ours to configure, so not ours to compare.
            Some(AMQPSoftError::ACCESSREFUSED) => {
                differences.push(unknown(&entity, &refused.text));
                return Ok(differences);
            }
            _ => return Err(refused.error),
        }
        let Some(found) = Inequivalence::parse(&refused.text) else {
            differences.push(unknown(&entity, &refused.text));
            return Ok(differences);
        };
        if differences
            .iter()
            .any(|known: &Difference| known.what == found.what)
        {
            // It still does not agree, so the rest can't be told.
            return Ok(differences);
        }
        let is_durable = found.what == "durable";
        differences.push(Difference {
            entity: entity.clone(),
            what: found.what.clone(),
            wanted: match wanted.arguments.get(found.what.as_str()) {
                Some(argument) => Some(argument.to_text()),
                None if is_durable => Some("true".to_owned()),
                None => None,
            },
            stands: found.stands.clone(),
        });
        if is_durable {
            durable = found.stands.as_deref() == Some("true");
        } else {
            tried.arguments.remove(found.what.as_str());
            if let Some(value) = found.as_argument() {
                foreign.insert(found.what, value);
            }
        }
    }
    Ok(differences)
}

fn unknown(entity: &str, text: &str) -> Difference {
    Difference {
        entity: entity.to_owned(),
        what: "declaration".to_owned(),
        wanted: Some("another".to_owned()),
        stands: Some(format!("refused ({text})")),
    }
}

async fn declare_queue(link: &Link, shape: &Shape, durable: bool) -> Result<Result<(), Refused>, Error> {
    let options = QueueDeclareOptions {
        durable,
        ..QueueDeclareOptions::default()
    };
    let (name, table) = (short(&shape.name), shape.table());
    let asked = on_a_channel(link, async |channel| {
        channel.queue_declare(name.clone(), options, table.clone()).await
    });
    Ok(asked.await?.map(|_| ()))
}

async fn ensure_exchange(link: &Link, name: &str, kind: ExchangeKind) -> Result<Vec<Difference>, Error> {
    let entity = format!("exchange {name}");
    let (mut kind, mut durable) = (kind.as_str().to_owned(), true);
    let mut differences: Vec<Difference> = Vec::new();
    loop {
        let options = ExchangeDeclareOptions {
            durable,
            ..ExchangeDeclareOptions::default()
        };
        let declared = on_a_channel(link, async |channel| {
            let kind = LapinExchange::Custom(kind.clone());
            channel
                .exchange_declare(short(name), kind, options, FieldTable::default())
                .await
        });
        let Err(refused) = declared.await? else {
            return Ok(differences);
        };
        match refused.soft {
            Some(AMQPSoftError::PRECONDITIONFAILED) => {}
            Some(AMQPSoftError::ACCESSREFUSED) if exchange_stands(link, name).await? => {
                differences.push(unknown(&entity, &refused.text));
                return Ok(differences);
            }
            _ => return Err(refused.error),
        }
        let found = Inequivalence::parse(&refused.text);
        let Some(found) = found.filter(|found| {
            matches!(found.what.as_str(), "type" | "durable")
                && !differences.iter().any(|known| known.what == found.what)
        }) else {
            differences.push(unknown(&entity, &refused.text));
            return Ok(differences);
        };
        let stands = found.stands.clone().unwrap_or_default();
        let wanted = if found.what == "type" {
            std::mem::replace(&mut kind, stands)
        } else {
            durable = stands == "true";
            "true".to_owned()
        };
        differences.push(Difference {
            entity: entity.clone(),
            what: found.what,
            wanted: Some(wanted),
            stands: found.stands,
        });
    }
}

async fn exchange_stands(link: &Link, name: &str) -> Result<bool, Error> {
    let options = ExchangeDeclareOptions {
        passive: true,
        ..ExchangeDeclareOptions::default()
    };
    let asked = on_a_channel(link, async |channel| {
        channel
            .exchange_declare(short(name), LapinExchange::Direct, options, FieldTable::default())
            .await
    });
    Ok(asked.await?.is_ok())
}

async fn bind(link: &Link, binding: &Binding) -> Result<(), Error> {
    let mut table = FieldTable::default();
    if let Some((how, headers)) = &binding.headers {
        let how = match how {
            Match::All => "all",
            Match::Any => "any",
        };
        table.insert("x-match".into(), AMQPValue::LongString(how.into()));
        for (name, value) in headers {
            table.insert(short(name), AMQPValue::LongString(value.as_str().into()));
        }
    }
    let bound = on_a_channel(link, async |channel| {
        let (queue, exchange, key) = (
            short(&binding.queue),
            short(&binding.exchange),
            short(&binding.key),
        );
        channel
            .queue_bind(queue, exchange, key, QueueBindOptions::default(), table.clone())
            .await
    });
    bound.await?.map_err(|refused| refused.error)
}

/// What the broker said no to.
struct Refused {
    soft: Option<AMQPSoftError>,
    text: String,
    error: Error,
}

/// Asks something on a channel that may die of it. The outer error is that nothing could be asked.
async fn on_a_channel<T>(
    link: &Link,
    ask: impl AsyncFnOnce(&Channel) -> lapin::Result<T>,
) -> Result<Result<T, Refused>, Error> {
    let link = link.consuming();
    let patience = link.settings().patience;
    let late = || refusal::unreachable("the broker did not answer in time");
    let (channel, _) = link.channel_soon().await?;
    let answer = tokio::time::timeout(patience, ask(&channel))
        .await
        .map_err(|_| late())?;
    match answer {
        Ok(answer) => {
            let _ = tokio::time::timeout(patience, channel.close(200, "bye".into())).await;
            Ok(Ok(answer))
        }
        Err(error) => {
            let soft = refusal::soft(&error);
            let text = refusal::text(&error);
            let error = refusal::classify(error);
            if soft.is_none() && error.is_transient() {
                return Err(error);
            }
            Ok(Err(Refused { soft, text, error }))
        }
    }
}

/// What a 406 says: `inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received none but current is
/// the value '5000' of type 'signedint'`.
#[derive(Debug, PartialEq, Eq)]
struct Inequivalence {
    what: String,
    stands: Option<String>,
    /// The broker's word for the type of what stands, if it said one.
    kind: Option<String>,
}

impl Inequivalence {
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("inequivalent arg '")?;
        let (what, rest) = rest.split_once('\'')?;
        let (_, current) = rest.rsplit_once("but current is ")?;
        let (stands, kind) = if current == "none" {
            (None, None)
        } else if let Some(value) = current.strip_prefix("the value '") {
            let (value, kind) = value.rsplit_once("' of type '")?;
            (Some(value.to_owned()), Some(kind.strip_suffix('\'')?.to_owned()))
        } else {
            let value = current.strip_prefix('\'')?.strip_suffix('\'')?;
            (Some(value.to_owned()), None)
        };
        Some(Self {
            what: what.to_owned(),
            stands,
            kind,
        })
    }

    /// What stands, as an argument of a declaration.
    fn as_argument(&self) -> Option<AMQPValue> {
        let stands = self.stands.as_deref()?;
        let number = matches!(
            self.kind.as_deref(),
            Some("signedint" | "long" | "short" | "byte" | "unsignedbyte" | "unsignedshort" | "unsignedint")
        ) || self.kind.is_none() && stands.parse::<i64>().is_ok();
        if self.kind.as_deref() == Some("bool") {
            return Some(AMQPValue::Boolean(stands == "true"));
        }
        if number {
            return stands.parse().ok().map(AMQPValue::LongLongInt);
        }
        Some(AMQPValue::LongString(stands.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(current: &str) -> Option<(String, Option<String>, Option<String>)> {
        let text = format!(
            "PRECONDITION_FAILED - inequivalent arg 'x' for queue 'it''s' in vhost '/': received 'a' but current is {current}"
        );
        Inequivalence::parse(&text).map(|found| (found.what, found.stands, found.kind))
    }

    #[test]
    fn a_refusal_says_what_stands() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parsed("none"), Some(("x".into(), None, None)));
        assert_eq!(parsed("'false'"), Some(("x".into(), some("false"), None)));
        assert_eq!(
            parsed("the value '5000' of type 'signedint'"),
            Some(("x".into(), some("5000"), some("signedint")))
        );
        assert_eq!(
            parsed("the value '' of type 'longstr'"),
            Some(("x".into(), some(""), some("longstr")))
        );
    }

    #[test]
    fn a_refusal_that_was_cut_off_is_no_answer() {
        assert_eq!(parsed("the value 'a very long name that was cu"), None);
        assert_eq!(parsed("'fal"), None);
    }
}
