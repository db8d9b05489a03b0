//! The broker stops answering, with all connections open.

use std::time::{Duration, Instant};

use gatepost_messaging::testing::RabbitNode;
use gatepost_messaging::{Broker, Topology};

use crate::shared::{blocking, impatient, to, unique};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_broker_is_noticed_within_two_heartbeats_and_waited_for() {
    let node = blocking(RabbitNode::start).await.unwrap();
    let settings = impatient(&node.url()).connect_timeout(Duration::from_secs(1));
    let broker = Broker::connect_with(settings).await.unwrap();
    let queue = unique("frozen");
    let topology = Topology::new().queue(&queue, |q| q.retries(&[]));
    assert!(broker.declare(&topology).await.unwrap().is_empty());
    assert!(broker.publish_batch(vec![to(&queue, 0)]).await[0].is_ok());

    node.freeze().unwrap();
    // The heartbeat is 2 s.
    let began = Instant::now();
    let outcomes = broker
        .publish_batch((1..50).map(|n| to(&queue, n)).collect())
        .await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert!(error.is_transient(), "{error}");
    }
    let mut health = broker.watch_health();
    let noticed = health.wait_for(|health| !health.connected);
    tokio::time::timeout(Duration::from_secs(5), noticed)
        .await
        .unwrap()
        .unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    // Nothing waits longer than its patience while it lasts.
    let began = Instant::now();
    let error = broker
        .publish_batch(vec![to(&queue, 50)])
        .await
        .remove(0)
        .unwrap_err();
    assert!(error.is_transient() && !error.may_have_arrived(), "{error}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());

    node.thaw().unwrap();
    let back = health.wait_for(|health| health.connected);
    tokio::time::timeout(Duration::from_secs(30), back)
        .await
        .unwrap()
        .unwrap();
    assert!(broker.publish_batch(vec![to(&queue, 51)]).await[0].is_ok());
}
