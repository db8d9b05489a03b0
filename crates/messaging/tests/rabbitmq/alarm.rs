//! The broker runs short of memory and reads nothing more from those who publish.

use std::time::{Duration, Instant};

use gatepost_messaging::testing::RabbitNode;
use gatepost_messaging::{Broker, PublishError, Topology};

use crate::shared::{blocking, impatient, to, unique};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_with_an_alarm_is_waited_for_and_says_so() {
    let node = blocking(RabbitNode::start).await.unwrap();
    let settings = impatient(&node.url()).confirm_timeout(Duration::from_secs(2));
    let broker = Broker::connect_with(settings).await.unwrap();
    let queue = unique("alarm");
    let topology = Topology::new().queue(&queue, |q| q.retries(&[]));
    assert!(broker.declare(&topology).await.unwrap().is_empty());

    let node = blocking(move || node.raise_alarm().map(|()| node)).await.unwrap();
    // What makes the broker say that it is blocked.
    let began = Instant::now();
    let first = broker
        .publish_batch(vec![to(&queue, 0)])
        .await
        .remove(0)
        .unwrap_err();
    assert!(first.is_transient(), "{first}");
    let mut health = broker.watch_health();
    let blocked = health.wait_for(|health| health.blocked.is_some());
    tokio::time::timeout(Duration::from_secs(5), blocked)
        .await
        .unwrap()
        .unwrap();
    let second = broker
        .publish_batch(vec![to(&queue, 1)])
        .await
        .remove(0)
        .unwrap_err();
    assert!(matches!(second, PublishError::NotSent(_)), "{second}");
    assert!(second.is_transient(), "{second}");
    assert!(second.to_string().contains("takes no messages"), "{second}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // Questions go another way, which is never blocked.
    assert!(broker.declare(&topology).await.unwrap().is_empty());
    // Blocked is not gone.
    assert!(broker.health().connected);

    let _node = blocking(move || node.end_alarm().map(|()| node)).await.unwrap();
    let free = health.wait_for(|health| health.connected && health.blocked.is_none());
    tokio::time::timeout(Duration::from_secs(30), free)
        .await
        .unwrap()
        .unwrap();
    assert!(broker.publish_batch(vec![to(&queue, 2)]).await[0].is_ok());
}
