//! From RabbitMQ to the embedded broker and back, with messages under way.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatepost_messaging::{Broker, Outcome};
use gatepost_storage::testing::Database;
use uuid::Uuid;

use crate::world::{World, on_both};

on_both!(to_the_embedded_broker, and_back);

/// Handles what is there now, by the embedded broker; what it saw.
async fn handle(world: &World, answer: impl Fn() -> Outcome + Send + Sync + 'static) -> Vec<Uuid> {
    let seen: Arc<Mutex<Vec<Uuid>>> = Arc::default();
    let log = Arc::clone(&seen);
    Broker::embedded(&world.store)
        .consume_any(&world.queue, move |delivery| {
            log.lock().unwrap().push(delivery.id);
            let outcome = answer();
            async move { outcome }
        })
        .run_pending()
        .await
        .unwrap();
    Arc::into_inner(seen).unwrap().into_inner().unwrap()
}

async fn to_the_embedded_broker(db: Database) {
    let world = World::declared(db).await;
    let mut ids = world.publish(1500).await;
    world.holding().run_pending().await.unwrap();
    assert_eq!(world.rows().await.handed, 1500);
    ids.extend(world.publish(10).await);
    let mut seen = handle(&world, || Outcome::Done).await;
    seen.sort_unstable();
    ids.sort_unstable();
    assert_eq!(seen, ids, "each once, those on RabbitMQ too");
    let rows = world.rows().await;
    assert_eq!((rows.ready, rows.handed), (0, 0));
    world.end().await;
}

async fn and_back(db: Database) {
    let world = World::declared(db).await;
    let ids = world.publish(20).await;
    // Put off while embedded, and published by RabbitMQ at their hour.
    handle(&world, || {
        Outcome::Later("not now".into(), Duration::from_secs(60))
    })
    .await;
    world.holding().run_pending().await.unwrap();
    assert_eq!((world.depth().await, world.rows().await.delayed), (0, 20));
    world.later(Duration::from_secs(61));
    world.holding().run_pending().await.unwrap();
    assert_eq!((world.depth().await, world.rows().await.handed), (20, 20));
    let there = world.take_all().await;
    assert!(ids.iter().all(|id| there[id] == 1));
    world.end().await;
}
