//! Somebody deletes a queue.

use gatepost_messaging::testing::RabbitNode;
use gatepost_messaging::{Broker, PublishError, Route, Topology};

use crate::shared::{self, Other, blocking, impatient, note, to, unique};

#[tokio::test]
async fn a_queue_of_ours_is_declared_again_and_a_strangers_is_not() {
    let broker = shared::broker().await;
    let other = Other::new(&shared::url()).await;
    let (ours, strangers) = (unique("ours"), unique("strangers"));
    other
        .declare(&strangers, true, lapin::types::FieldTable::default())
        .await
        .unwrap();
    let topology = Topology::new().queue(&ours, |q| q.classic().retries(&[]));
    assert!(broker.declare(&topology).await.unwrap().is_empty());
    other.delete(&[&ours, &strangers]).await;

    let outcomes = broker
        .publish_batch((0..10).map(|n| to(&ours, n)).collect())
        .await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let gone = broker
        .publish_envelope(Route::queue(&strangers), &note(&strangers, 0))
        .await;
    assert!(matches!(gone, Err(PublishError::Returned)), "{gone:?}");
    assert_eq!(other.depth(&ours, 10).await, 10);

    other.delete(&[&ours]).await;
    let one = broker
        .publish_envelope(Route::queue(&ours), &note(&ours, 0))
        .await;
    assert!(one.is_ok(), "{one:?}");
    assert_eq!(other.depth(&ours, 1).await, 1);
    other.delete_all(&ours, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_comes_back_empty_gets_everything_again() {
    let mut node = blocking(RabbitNode::start).await.unwrap();
    let broker = Broker::connect_with(impatient(&node.url())).await.unwrap();
    let topology = Topology::new()
        .topic("shop")
        .queue("billing", |q| q.retries(&[]))
        .bind("shop", "order.*", "billing");
    assert!(broker.declare(&topology).await.unwrap().is_empty());
    node = blocking(move || {
        node.kill().unwrap();
        node.forget().unwrap();
        node.restart().unwrap();
        node
    })
    .await;
    let mut health = broker.watch_health();
    health.wait_for(|health| health.connected).await.unwrap();
    let mut outcome = Err(PublishError::Returned);
    for _ in 0..100 {
        let route = Route::exchange("shop", "order.paid");
        outcome = broker.publish_envelope(route, &note("billing", 1)).await;
        if outcome.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(outcome.is_ok(), "{outcome:?}");
    drop(node);
}
