//! What was postponed goes again, also where the acknowledgement before it may not have been heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatepost_messaging::testing::RabbitNode;
use gatepost_messaging::{Body, Delivery, Outcome, Topology};
use gatepost_storage::testing::Database;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use crate::world::{World, on_both};

on_both!(a_postponed_message_is_handled_after_the_broker_was_killed);

/// It is handed over under the same id. The delivery that was acknowledged just before the broker died is taken for
/// unheard, and another one of it would be acknowledged at once: this is none.
async fn a_postponed_message_is_handled_after_the_broker_was_killed(db: Database) {
    let node = spawn_blocking(RabbitNode::start).await.unwrap().unwrap();
    let world = World::at(db, &node.url()).await;
    let topology = Topology::new().queue(&world.queue, |q| q);
    assert!(world.broker.declare(&topology).await.unwrap().is_empty());
    let (starts, stop) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
    let counted = Arc::clone(&starts);
    let consumer = world.broker.consume_any(&world.queue, move |_: Delivery<Body>| {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        let later = Outcome::Later("the mail server is away".to_owned(), Duration::from_secs(5));
        std::future::ready(if first { later } else { Outcome::Done })
    });
    let running = tokio::spawn(consumer.held(&world.store).run_until(stop.clone()));
    let id = world.publish(1).await[0];
    world.holding().run_pending().await.unwrap();
    until("it is postponed", async || {
        starts.load(Ordering::SeqCst) == 1
            && world.row(id).await.is_some_and(|row| row.last_error.is_some())
            && world.depth().await == 0
    })
    .await;
    // The acknowledgement follows the row.
    tokio::time::sleep(Duration::from_millis(500)).await;

    let _node = spawn_blocking(move || {
        let mut node = node;
        node.kill().unwrap();
        node.restart().unwrap();
        node
    })
    .await
    .unwrap();
    let mut health = world.broker.watch_health();
    health.wait_for(|health| health.connected).await.unwrap();
    world.later(Duration::from_secs(10));
    world.holding().run_pending().await.unwrap();
    until("it is handled", async || world.row(id).await.is_none()).await;
    assert_eq!(starts.load(Ordering::SeqCst), 2);
    stop.cancel();
    running.await.unwrap().unwrap();
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let all = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all)
        .await
        .unwrap_or_else(|_| panic!("{what}: not within 30 s"));
}
