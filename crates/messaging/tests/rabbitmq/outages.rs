//! Consumers whose broker is frozen, killed, starved, or loses patience with them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gatepost_messaging::testing::RabbitNode;
use gatepost_messaging::{Body, Broker, Delivery, Outcome, Retry, Topology};
use lapin::options::BasicQosOptions;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::consumers::soon;
use crate::shared::{Other, blocking, impatient, to};

/// How often the handling of each message was begun.
type Begun = Arc<Mutex<HashMap<Vec<u8>, u32>>>;

/// A consumer whose handlers wait until they are let on.
struct Consumer {
    broker: Broker,
    queue: &'static str,
    begun: Begun,
    ended: watch::Receiver<Vec<Vec<u8>>>,
    gate: Arc<Semaphore>,
    stop: CancellationToken,
    running: JoinHandle<Result<(), gatepost_messaging::Error>>,
}

impl Consumer {
    async fn start(url: &str, queue: &'static str, outcome: Outcome) -> Self {
        let broker = Broker::connect_with(impatient(url)).await.unwrap();
        let ladder = Retry::ladder(&[Duration::from_millis(500)]).jitter(0.0);
        let topology = Topology::new().queue(queue, |q| q.retry(ladder));
        assert!(broker.declare(&topology).await.unwrap().is_empty());
        let (begun, gate, stop) = (
            Begun::default(),
            Arc::new(Semaphore::new(0)),
            CancellationToken::new(),
        );
        let (count, ended) = watch::channel(Vec::new());
        let (note, wait) = (Arc::clone(&begun), Arc::clone(&gate));
        let consumer = broker.consume_any(queue, move |d: Delivery<Body>| {
            let body = d.message.bytes.clone();
            *note.lock().unwrap().entry(body.clone()).or_default() += 1;
            let (wait, count) = (Arc::clone(&wait), count.clone());
            let outcome = if d.attempt == 1 {
                outcome.clone()
            } else {
                Outcome::Done
            };
            async move {
                wait.acquire().await.unwrap().forget();
                count.send_modify(|ended| ended.push(body));
                outcome
            }
        });
        let running = tokio::spawn(consumer.concurrency(8).prefetch(16).run_until(stop.clone()));
        Self {
            broker,
            queue,
            begun,
            ended,
            gate,
            stop,
            running,
        }
    }

    async fn publish(&self, numbers: Range<u64>) {
        let batch = numbers.map(|n| to(self.queue, n)).collect();
        let sent = self.broker.publish_batch(batch).await;
        assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    }

    async fn until_begun(&self, messages: usize) {
        let begun = async {
            while self.begun.lock().unwrap().len() < messages {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        soon("they are begun", begun).await;
    }

    /// Lets everything through and waits until nothing is left.
    async fn finish(mut self, other_url: &str, handlings: usize) -> HashMap<Vec<u8>, u32> {
        self.gate.add_permits(10_000);
        soon("they end", self.ended.wait_for(|ended| ended.len() >= handlings))
            .await
            .unwrap();
        let other = Other::new(other_url).await;
        for queue in [self.queue.to_owned(), format!("{}.suspect", self.queue)] {
            assert_eq!(other.depth(&queue, 0).await, 0, "{queue}");
        }
        let stopped_at = Instant::now();
        self.stop.cancel();
        soon("the consumer ends", self.running).await.unwrap().unwrap();
        let lasted = stopped_at.elapsed();
        assert!(lasted < Duration::from_secs(5), "{lasted:?}");
        assert_eq!(other.depth(self.queue, 0).await, 0, "nothing was in hand");
        self.begun.lock().unwrap().clone()
    }
}

/// As the Python services do: without an id, by which a delivery could be known for one of before.
async fn publish_nameless(url: &str, queue: &str, numbers: Range<u64>) {
    let other = Other::new(url).await;
    for n in numbers {
        other.publish_nameless(queue, n.to_string().as_bytes()).await;
    }
    // The broker has them when it has answered what was asked after them.
    other
        .channel()
        .basic_qos(1, BasicQosOptions::default())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_broker_is_waited_for_and_no_work_is_done_twice() {
    let node = blocking(RabbitNode::start).await.unwrap();
    let consumer = Consumer::start(&node.url(), "frozen", Outcome::Done).await;
    // In turns, so that some of both are in hand.
    for n in [0, 10, 20, 30] {
        publish_nameless(&node.url(), consumer.queue, n..n + 5).await;
        consumer.publish(n + 5..n + 10).await;
    }
    consumer.until_begun(8).await;
    node.freeze().unwrap();
    // Three heartbeats. What is at work ends meanwhile.
    consumer.gate.add_permits(8);
    tokio::time::sleep(Duration::from_secs(6)).await;
    let unheard = consumer.ended.borrow().clone();
    node.thaw().unwrap();
    no_work_was_done_twice(&consumer.finish(&node.url(), 40).await, &unheard);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_broker_is_waited_for_and_nothing_is_lost() {
    let mut node = blocking(RabbitNode::start).await.unwrap();
    let consumer = Consumer::start(&node.url(), "killed", Outcome::Done).await;
    for n in [0, 10, 20, 30] {
        publish_nameless(&node.url(), consumer.queue, n..n + 5).await;
        consumer.publish(n + 5..n + 10).await;
    }
    consumer.until_begun(8).await;
    // RabbitMQ 3.10 may lose hold of a quorum queue that was declared in the second before it is killed.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let node = blocking(move || {
        node.kill().unwrap();
        node.restart().map(|()| node)
    });
    // What is at work ends while it is away.
    consumer.gate.add_permits(8);
    let node = node.await.unwrap();
    let unheard = consumer.ended.borrow().clone();
    no_work_was_done_twice(&consumer.finish(&node.url(), 40).await, &unheard);
}

/// But for what ended while the broker did not listen and has no id: it can't be told from another with the same words.
fn no_work_was_done_twice(begun: &HashMap<Vec<u8>, u32>, unheard: &[Vec<u8>]) {
    assert_eq!(begun.len(), 40);
    let nameless = |body: &[u8]| matches!(body.last(), Some(b'0'..=b'4'));
    for (body, times) in begun {
        let most = if nameless(body) && unheard.contains(body) {
            2
        } else {
            1
        };
        assert!(*times <= most, "{body:?} of {begun:?}, unheard {unheard:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alarm_holds_up_no_acknowledgement_and_copies_wait_for_its_end() {
    let node = Arc::new(blocking(RabbitNode::start).await.unwrap());
    let done = Consumer::start(&node.url(), "alarm.done", Outcome::Done).await;
    let retried = Consumer::start(&node.url(), "alarm.retried", Outcome::Retry("no".into())).await;
    done.publish(0..8).await;
    retried.publish(0..4).await;
    done.until_begun(8).await;
    retried.until_begun(4).await;
    let alarmed = Arc::clone(&node);
    blocking(move || alarmed.raise_alarm()).await.unwrap();
    // One that publishes during the alarm makes the broker stop reading from that connection.
    let _ = done.broker.publish_batch(vec![to("alarm.done", 99)]).await;

    retried.gate.add_permits(4);
    let alarmed_at = Instant::now();
    done.gate.add_permits(8);
    let other = Other::new(&node.url()).await;
    let mut ended = done.ended.clone();
    soon("they end", ended.wait_for(|ended| ended.len() >= 8))
        .await
        .unwrap();
    done.stop.cancel();
    soon("a consumer ends during an alarm", done.running)
        .await
        .unwrap()
        .unwrap();
    let lasted = alarmed_at.elapsed();
    assert!(lasted < Duration::from_secs(5), "{lasted:?}");
    assert_eq!(other.depth("alarm.done", 0).await, 0, "all were acknowledged");
    assert_eq!(
        other.depth("alarm.retried", 0).await,
        0,
        "kept in hand while no copy can be made"
    );

    let calm = Arc::clone(&node);
    blocking(move || calm.end_alarm()).await.unwrap();
    // Each once more, after its delay.
    let begun = retried.finish(&node.url(), 8).await;
    assert_eq!(begun.len(), 4);
    assert!(begun.values().all(|times| *times == 2), "{begun:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_is_too_slow_for_the_broker_is_not_begun_twice() {
    let node = Arc::new(blocking(RabbitNode::start).await.unwrap());
    let hasty = Arc::clone(&node);
    let setting = "application:set_env(rabbit, consumer_timeout, 1000), \
                   application:set_env(rabbit, channel_tick_interval, 500).";
    blocking(move || hasty.ctl(&["eval", setting])).await.unwrap();
    let consumer = Consumer::start(&node.url(), "slow", Outcome::Done).await;
    consumer.publish(0..4).await;
    consumer.until_begun(4).await;
    // The broker closes the channel, and delivers again.
    let (told, mut closed) = mpsc::unbounded_channel();
    let log = Arc::clone(&node);
    let waited = async {
        loop {
            let node = Arc::clone(&log);
            let channels =
                blocking(move || node.ctl(&["list_consumers", "queue_name", "consumer_tag"])).await;
            if told.send(channels.unwrap()).is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let first = async {
        let before = closed.recv().await.unwrap();
        while closed.recv().await.unwrap() == before {}
    };
    tokio::select! {
        () = waited => {}
        () = soon("the broker closes the channel", first) => {}
    }
    let begun = consumer.finish(&node.url(), 4).await;
    assert_eq!(begun.len(), 4);
    assert!(begun.values().all(|times| *times == 1), "{begun:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_id_and_waited_through_an_outage_may_have_been_here_before() {
    let mut node = blocking(RabbitNode::start).await.unwrap();
    let consumer = Consumer::start(&node.url(), "doubtful", Outcome::Done).await;
    // Nobody takes from this one while the broker is killed: it calls the message new, as it would one that somebody had.
    let queue = "doubtful.later";
    let topology = Topology::new().queue(queue, |q| q);
    assert!(consumer.broker.declare(&topology).await.unwrap().is_empty());
    publish_nameless(&node.url(), queue, 1..2).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let node = blocking(move || {
        node.kill().unwrap();
        node.restart().map(|()| node)
    })
    .await
    .unwrap();
    let mut health = consumer.broker.watch_health();
    health.wait_for(|health| health.connected).await.unwrap();
    let (told, mut begun) = mpsc::unbounded_channel();
    let later = consumer.broker.consume_any(queue, move |d: Delivery<Body>| {
        told.send((d.message.bytes.clone(), d.redelivered, d.fresh_id))
            .unwrap();
        std::future::ready(Outcome::Done)
    });
    let running = tokio::spawn(later.run_until(consumer.stop.clone()));
    let before = soon("what waited is begun", begun.recv()).await.unwrap();
    assert_eq!(before, (b"1".to_vec(), true, true));
    publish_nameless(&node.url(), queue, 2..3).await;
    let after = soon("what came since is begun", begun.recv()).await.unwrap();
    assert_eq!(after, (b"2".to_vec(), false, true));
    consumer.finish(&node.url(), 0).await;
    soon("the other one ends", running).await.unwrap().unwrap();
}
