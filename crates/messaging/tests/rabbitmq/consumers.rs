//! Consumers and what stands beside their queue, as other programs see it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gatepost_messaging::{Body, Broker, Delivery, Outcome, Retry, Topology};
use lapin::BasicProperties;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicPublishOptions};
use lapin::types::{AMQPValue, FieldTable};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::shared::{self, Other, to, unique};

const PATIENCE: Duration = Duration::from_secs(30);

/// Waits, but not for ever.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, future).await;
    assert!(done.is_ok(), "waited too long: {what}");
    done.unwrap()
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Mail {
    to: String,
}

impl gatepost_messaging::Message for Mail {
    const TYPE: &'static str = "";
}

/// A broker with one queue.
async fn with_queue(queue: &str, retries: &[Duration]) -> Broker {
    // With a short heartbeat, as that is how soon a subscription is missed that the broker forgot.
    let settings = shared::impatient(&shared::url());
    let broker = Broker::connect_with(settings).await.unwrap();
    let retry = Retry::ladder(retries).max_attempts(3).jitter(0.0);
    let topology = Topology::new().queue(queue, |q| q.retry(retry));
    assert!(broker.declare(&topology).await.unwrap().is_empty());
    broker
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_try_comes_back_by_itself_after_its_delay() {
    let (queue, other) = (unique("ladder"), Other::new(&shared::url()).await);
    let broker = with_queue(&queue, &[Duration::from_millis(300)]).await;
    let (told, mut seen) = mpsc::unbounded_channel();
    let consumer = broker.consume_any(&queue, move |d: Delivery<Body>| {
        told.send((d.id, d.attempt, d.headers.clone(), Instant::now()))
            .unwrap();
        async move {
            if d.attempt < 3 {
                Outcome::Retry("not yet".into())
            } else {
                Outcome::Done
            }
        }
    });
    let stop = CancellationToken::new();
    let running = tokio::spawn(consumer.run_until(stop.clone()));
    let mut message = to(&queue, 1);
    message.envelope = message.envelope.header("x-locale", "ru");
    assert!(broker.publish_batch(vec![message]).await[0].is_ok());
    let mut before: Option<(uuid::Uuid, Instant)> = None;
    for attempt in 1..=3 {
        let (id, tried, headers, at) = soon("a try", seen.recv()).await.unwrap();
        assert_eq!(tried, attempt);
        // Of ours and the broker's, nothing shows.
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["x-locale"]);
        if let Some((same, last)) = before {
            assert_eq!(id, same);
            let waited = at - last;
            assert!(waited >= Duration::from_millis(290), "{waited:?}");
        }
        before = Some((id, at));
    }
    stop.cancel();
    soon("the consumer ends", running).await.unwrap().unwrap();
    assert_eq!(other.depth(&queue, 0).await, 0);
    other.delete_all(&queue, &["300ms"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stranger_sent_and_nobody_can_read_lies_whole_among_the_dead_letters() {
    let (queue, other) = (unique("malformed"), Other::new(&shared::url()).await);
    let broker = with_queue(&queue, &[]).await;
    let mut headers = FieldTable::default();
    headers.insert("x-retry-count".into(), AMQPValue::LongInt(2));
    headers.insert("nested".into(), AMQPValue::FieldTable(FieldTable::default()));
    // As pika sends by default: not persistent, no id.
    let properties = BasicProperties::default()
        .with_headers(headers)
        .with_expiration("60000".into());
    other
        .channel()
        .basic_publish(
            "".into(),
            queue.as_str().into(),
            BasicPublishOptions::default(),
            b"{\"to\": ",
            properties,
        )
        .await
        .unwrap();
    assert_eq!(other.depth(&queue, 1).await, 1);
    let consumer = broker.consume::<Mail, _, _>(&queue, |_| std::future::ready(Outcome::Done));
    consumer.run_pending().await.unwrap();

    let dead = format!("{queue}.dead");
    assert_eq!(other.depth(&dead, 1).await, 1);
    let letters = broker.queues().dead_letters(&queue, None, 10).await.unwrap();
    assert_eq!((letters.len(), letters[0].reason.as_str()), (1, "malformed"));
    let got = other
        .channel()
        .basic_get(dead.as_str().into(), BasicGetOptions::default())
        .await;
    let got = got.unwrap().unwrap();
    assert_eq!(got.data, b"{\"to\": ");
    let headers = got.properties.headers().as_ref().unwrap().inner();
    assert_eq!(headers["x-retry-count"], AMQPValue::LongInt(2));
    assert!(headers.contains_key("nested"));
    assert_eq!(
        headers["x-dead-reason"],
        AMQPValue::LongString("malformed".into())
    );
    assert_eq!(headers["x-attempt"], AMQPValue::LongLongInt(0));
    assert!(headers.contains_key("x-died-at") && headers.contains_key("x-dead-detail"));
    assert_eq!(
        (got.properties.delivery_mode(), got.properties.expiration()),
        (&Some(2), &None)
    );
    // With the id under which it can be put back.
    let id = got.properties.message_id().as_ref().unwrap().to_string();
    assert_eq!(id, letters[0].id.to_string());
    got.acker.ack(BasicAckOptions::default()).await.unwrap();
    other.delete_all(&queue, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_deleted_under_its_consumer_is_made_again_and_consumed() {
    let (queue, other) = (unique("robbed"), Other::new(&shared::url()).await);
    let broker = with_queue(&queue, &[]).await;
    let (told, mut handled) = mpsc::unbounded_channel();
    let consumer = broker.consume_any(&queue, move |d: Delivery<Body>| {
        told.send(d.message.bytes).unwrap();
        std::future::ready(Outcome::Done)
    });
    let stop = CancellationToken::new();
    let running = tokio::spawn(consumer.run_until(stop.clone()));
    for n in 0..3_u64 {
        assert!(broker.publish_batch(vec![to(&queue, n)]).await[0].is_ok());
        let body = soon("it is handled", handled.recv()).await.unwrap();
        assert_eq!(body, n.to_string().into_bytes());
        other.delete(&[&queue, &format!("{queue}.suspect")]).await;
    }
    stop.cancel();
    soon("the consumer ends", running).await.unwrap().unwrap();
    other.delete_all(&queue, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_consumer_had_in_hand_comes_again_at_once() {
    let (queue, other) = (unique("dropped"), Other::new(&shared::url()).await);
    let broker = with_queue(&queue, &[]).await;
    let (told, mut begun) = mpsc::unbounded_channel();
    let consumer = broker.consume_any(&queue, move |d: Delivery<Body>| {
        told.send(d.ack()).unwrap();
        std::future::pending()
    });
    let running = tokio::spawn(consumer.run_until(CancellationToken::new()));
    assert!(broker.publish_batch(vec![to(&queue, 1)]).await[0].is_ok());
    let late = soon("it is begun", begun.recv()).await.unwrap();
    running.abort();
    let _ = running.await;
    assert!(late.lease_lost().is_cancelled());
    assert_eq!(other.depth(&queue, 1).await, 1);
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let next = broker.consume_any(&queue, move |d: Delivery<Body>| {
        tell.lock()
            .unwrap()
            .push((d.message.bytes.clone(), d.redelivered, d.fresh_id));
        std::future::ready(Outcome::Done)
    });
    next.run_pending().await.unwrap();
    assert_eq!(*told.lock().unwrap(), [(b"1".to_vec(), true, false)]);
    other.delete_all(&queue, &[]).await;
}

/// A consumer whose handlers never end, and how many of them run; aborted, it is as if its process had died.
fn stuck(
    broker: &Broker,
    queue: &str,
    handlers: usize,
) -> (JoinHandle<()>, mpsc::UnboundedReceiver<Vec<u8>>) {
    let (told, begun) = mpsc::unbounded_channel();
    let consumer = broker.consume_any(queue, move |d: Delivery<Body>| {
        told.send(d.message.bytes).unwrap();
        std::future::pending()
    });
    let consumer = consumer.concurrency(handlers);
    let running = tokio::spawn(async { drop(consumer.run_until(CancellationToken::new()).await) });
    (running, begun)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_in_hand_of_one_who_died_goes_on_side_by_side_and_the_second_time_alone() {
    const IN_HAND: u64 = 6;
    let (queue, other) = (unique("again"), Other::new(&shared::url()).await);
    let broker = with_queue(&queue, &[]).await;
    let batch = (0..IN_HAND).map(|n| to(&queue, n)).collect();
    assert!(broker.publish_batch(batch).await.iter().all(Result::is_ok));
    // Two lives in which all are in hand at once.
    for _ in 0..2 {
        let (running, mut begun) = stuck(&broker, &queue, 16);
        for _ in 0..IN_HAND {
            soon("all are begun at the same time", begun.recv())
                .await
                .unwrap();
        }
        running.abort();
        let _ = running.await;
    }
    // In the third each is alone, and what comes new is not held up by it.
    let (running, mut begun) = stuck(&broker, &queue, 16);
    let suspect = soon("one is begun", begun.recv()).await.unwrap();
    assert!(broker.publish_batch(vec![to(&queue, 99)]).await[0].is_ok());
    let fresh = soon("so is what comes new", begun.recv()).await.unwrap();
    assert_eq!(fresh, b"99");
    let more = tokio::time::timeout(Duration::from_secs(1), begun.recv()).await;
    assert!(more.is_err(), "beside {suspect:?} {more:?} was begun");
    running.abort();
    let _ = running.await;
    // And each comes to its end.
    let (told, mut handled) = mpsc::unbounded_channel();
    let next = broker.consume_any(&queue, move |d: Delivery<Body>| {
        told.send(d.message.bytes).unwrap();
        std::future::ready(Outcome::Done)
    });
    next.run_pending().await.unwrap();
    let mut all = Vec::new();
    while let Ok(body) = handled.try_recv() {
        all.push(String::from_utf8(body).unwrap());
    }
    all.sort_unstable();
    assert_eq!(all, ["0", "1", "2", "3", "4", "5", "99"]);
    other.delete_all(&queue, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_was_made_here_is_kept_by_the_copies_and_can_be_changed() {
    let (queue, other) = (unique("anonymous"), Other::new(&shared::url()).await);
    let broker = with_queue(&queue, &[Duration::from_millis(100)]).await;
    other.publish_nameless(&queue, b"hi").await;
    assert_eq!(other.depth(&queue, 1).await, 1);
    // The first one dies with it.
    let (told, mut begun) = mpsc::unbounded_channel();
    let tell = told.clone();
    let first = broker.consume_any(&queue, move |d: Delivery<Body>| {
        tell.send((d.id, d.redelivered, d.fresh_id)).unwrap();
        std::future::pending()
    });
    let running = tokio::spawn(first.run_until(CancellationToken::new()));
    let (id, redelivered, fresh) = soon("it is begun", begun.recv()).await.unwrap();
    assert_eq!((redelivered, fresh), (false, true));
    running.abort();
    let _ = running.await;
    // The second knows it by its body, and fails once.
    let next = broker.consume_any(&queue, move |d: Delivery<Body>| {
        told.send((d.id, d.redelivered, d.fresh_id)).unwrap();
        let outcome = if d.fresh_id {
            d.ack().rename(id);
            Outcome::Retry("once more".into())
        } else {
            Outcome::Done
        };
        std::future::ready(outcome)
    });
    let stop = CancellationToken::new();
    let running = tokio::spawn(next.run_until(stop.clone()));
    let (other_id, redelivered, fresh) = soon("it comes again", begun.recv()).await.unwrap();
    assert_ne!(other_id, id);
    assert_eq!((redelivered, fresh), (true, true));
    let last = soon("and once more", begun.recv()).await.unwrap();
    assert_eq!(last, (id, false, false));
    stop.cancel();
    soon("the consumer ends", running).await.unwrap().unwrap();
    other.delete_all(&queue, &["100ms"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_says_that_its_id_was_made_until_somebody_keeps_it() {
    let (queue, other) = (unique("anonymous"), Other::new(&shared::url()).await);
    let broker = with_queue(&queue, &[Duration::from_millis(100)]).await;
    other.publish_nameless(&queue, b"hi").await;
    let (told, mut begun) = mpsc::unbounded_channel();
    let consumer = broker.consume_any(&queue, move |d: Delivery<Body>| {
        told.send((d.id, d.redelivered, d.fresh_id)).unwrap();
        let outcome = match (d.redelivered, d.fresh_id) {
            (false, true) => Outcome::Later("no database".into(), Duration::from_millis(100)),
            (true, true) => {
                d.ack().rename(d.id);
                Outcome::Later("the ledger has it".into(), Duration::from_millis(100))
            }
            (_, false) => Outcome::Done,
        };
        std::future::ready(outcome)
    });
    let stop = CancellationToken::new();
    let running = tokio::spawn(consumer.run_until(stop.clone()));
    let (id, ..) = soon("it is begun", begun.recv()).await.unwrap();
    let second = soon("it comes again", begun.recv()).await.unwrap();
    assert_eq!(second, (id, true, true));
    let third = soon("and once more", begun.recv()).await.unwrap();
    assert_eq!(third, (id, false, false));
    stop.cancel();
    soon("the consumer ends", running).await.unwrap().unwrap();
    other.delete_all(&queue, &["100ms"]).await;
}
