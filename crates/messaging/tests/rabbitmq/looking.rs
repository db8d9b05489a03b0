//! Looking into queues while the broker is away, and after it was killed.

use std::time::{Duration, Instant};

use gatepost_messaging::testing::RabbitNode;
use gatepost_messaging::{Broker, Error, RabbitSettings, Topology};

use crate::shared::{blocking, impatient, to, unique};

/// Of requests to the broker, in these tests.
const PATIENCE: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_ends_in_time_and_leaves_consumers_alone() {
    let mut node = blocking(RabbitNode::start).await.unwrap();
    let url = node.url();
    let broker = Broker::connect_with(impatient(&url).patience(PATIENCE))
        .await
        .unwrap();
    let queue = unique("looked_at");
    let topology = Topology::new().queue(&*queue, |q| q.retries(&[]));
    assert!(broker.declare(&topology).await.unwrap().is_empty());
    for outcome in broker
        .publish_batch((0..3).map(|n| to(&queue, n)).collect())
        .await
    {
        outcome.unwrap();
    }
    let queues = broker.queues();
    assert_eq!(queues.peek(&queue, None, 10).await.unwrap().len(), 3);

    node = blocking(move || {
        node.kill().unwrap();
        node
    })
    .await;
    let began = Instant::now();
    let error = queues.peek(&queue, None, 10).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let error = queues.status(&queue).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(began.elapsed() < 6 * PATIENCE, "{:?}", began.elapsed());

    let _node = blocking(move || {
        node.restart().unwrap();
        node
    })
    .await;
    let mut health = broker.watch_health();
    health.wait_for(|health| health.connected).await.unwrap();
    // A queue that was made in the second before the broker was killed may never answer again (RabbitMQ 3.10): then
    // the error names it, in time. Either way nothing hangs.
    for _ in 0..3 {
        let began = Instant::now();
        match queues.peek(&queue, None, 10).await {
            Ok(found) => assert_eq!(found.len(), 3),
            Err(error) => {
                assert!(error.is_transient(), "{error}");
                assert!(error.to_string().contains(&*queue), "{error}");
            }
        }
        assert!(began.elapsed() < 6 * PATIENCE, "{:?}", began.elapsed());
    }
    assert!(broker.health().connected, "{:?}", broker.health());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_need_not_wait_for_it() {
    let url = crate::shared::url();
    let (_, server) = url.rsplit_once('@').unwrap();
    let settings = RabbitSettings::new(&format!("amqp://nobody:s3cret@{server}"))
        .unwrap()
        .patience(Duration::from_secs(60));
    let broker = Broker::rabbitmq(settings);
    let began = Instant::now();
    let queue = unique("refused");
    let looked = broker.queues().status(&queue).await.unwrap_err();
    let declared = broker.declare(&Topology::new().queue(&*queue, |q| q)).await;
    for error in [looked, declared.unwrap_err()] {
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}
