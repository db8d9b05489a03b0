//! The broker dies under load.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gatepost_messaging::testing::RabbitNode;
use gatepost_messaging::{Broker, Topology};

use crate::shared::{Other, blocking, impatient, to, unique};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_confirmed_survives_a_broker_that_is_killed() {
    let mut node = blocking(RabbitNode::start).await.unwrap();
    let url = node.url();
    let broker = Broker::connect_with(impatient(&url)).await.unwrap();
    let queue: Arc<str> = unique("killed").into();
    let topology = Topology::new().queue(&*queue, |q| q.retries(&[]));
    assert!(broker.declare(&topology).await.unwrap().is_empty());

    let stop = Arc::new(AtomicBool::new(false));
    let confirmed_so_far = Arc::new(AtomicUsize::new(0));
    let mut publishers = Vec::new();
    for _ in 0..4 {
        let (broker, queue, stop) = (broker.clone(), Arc::clone(&queue), Arc::clone(&stop));
        let count = Arc::clone(&confirmed_so_far);
        publishers.push(tokio::spawn(async move {
            let (mut confirmed, mut failed) = (Vec::new(), 0);
            while !stop.load(Ordering::Relaxed) {
                let batch: Vec<_> = (0..100).map(|n| to(&queue, n)).collect();
                for outcome in broker.publish_batch(batch).await {
                    match outcome {
                        Ok(id) => confirmed.push(id),
                        Err(error) => {
                            assert!(error.is_transient(), "{error}");
                            failed += 1;
                        }
                    }
                }
                count.fetch_add(1, Ordering::Relaxed);
            }
            (confirmed, failed)
        }));
    }
    for _ in 0..2 {
        let before = confirmed_so_far.load(Ordering::Relaxed);
        wait_until(|| confirmed_so_far.load(Ordering::Relaxed) > before + 20).await;
        node = blocking(move || {
            node.kill().unwrap();
            node.restart().unwrap();
            node
        })
        .await;
        let mut health = broker.watch_health();
        health.wait_for(|health| health.connected).await.unwrap();
    }
    let before = confirmed_so_far.load(Ordering::Relaxed);
    wait_until(|| confirmed_so_far.load(Ordering::Relaxed) > before + 20).await;
    stop.store(true, Ordering::Relaxed);

    let (mut confirmed, mut failed) = (Vec::new(), 0);
    for publisher in publishers {
        let (some, more) = publisher.await.unwrap();
        confirmed.extend(some);
        failed += more;
    }
    let arrived: HashSet<_> = Other::new(&url).await.ids(&queue).await.into_iter().collect();
    let lost = confirmed.iter().filter(|id| !arrived.contains(id)).count();
    assert_eq!(
        lost,
        0,
        "of {} confirmed, with {failed} that failed",
        confirmed.len()
    );
    assert!(confirmed.len() > 4000, "{}", confirmed.len());
    assert!(failed > 0, "nothing was under way when it was killed");
}

async fn wait_until(done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not go on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
