//! What the broker loses is published again; what merely waits is not.

use std::time::Duration;

use gatepost_storage::testing::Database;

use crate::world::{World, on_both};

on_both!(
    a_deleted_queue_loses_nothing,
    a_queue_that_was_emptied_loses_nothing,
    a_few_that_are_missing_are_doubted_first,
    each_time_it_is_believed_in_for_longer,
    a_message_that_has_ended_is_not_missed,
);

async fn a_deleted_queue_loses_nothing(db: Database) {
    let world = World::declared(db).await;
    let ids = world.publish(1000).await;
    world.holding().run_pending().await.unwrap();
    assert_eq!(world.depth().await, 1000);
    world.delete_queue().await;
    world.later(Duration::from_secs(5));
    let dispatcher = world.holding();
    let health = dispatcher.health();
    dispatcher.run_pending().await.unwrap();
    assert_eq!(health.counts()[4], ("taken_back", 1000));
    let there = world.take_all().await;
    assert_eq!(there.len(), 1000);
    assert!(ids.iter().all(|id| there[id] == 1));
    world.end().await;
}

async fn a_queue_that_was_emptied_loses_nothing(db: Database) {
    let world = World::declared(db).await;
    let ids = world.publish(1000).await;
    world.holding().run_pending().await.unwrap();
    assert_eq!(world.take(400).await.len(), 400);
    world.later(Duration::from_secs(5));
    // Far more than hands can hold: as many as are missing go at once. Which ones they are cannot be known; it
    // shows when the others are handled.
    // A quorum queue tells its length a little late, so the first look may see all of them still.
    for _ in 0..50 {
        world.holding().run_pending().await.unwrap();
        if world.depth().await == 1000 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(world.depth().await, 1000);
    let seen = world.drain().await;
    assert!(ids.iter().all(|id| seen.contains_key(id)));
    assert!(seen.values().all(|times| *times <= 3));
    world.end().await;
}

async fn a_few_that_are_missing_are_doubted_first(db: Database) {
    let world = World::declared(db).await;
    let ids = world.publish(20).await;
    world.holding().run_pending().await.unwrap();
    world.take(5).await;
    world.later(Duration::from_secs(5));
    world.holding().run_pending().await.unwrap();
    assert_eq!(world.depth().await, 15, "somebody may have them in hand");
    world.later(Duration::from_secs(10));
    world.holding().run_pending().await.unwrap();
    assert_eq!(world.depth().await, 20);
    let seen = world.drain().await;
    assert!(ids.iter().all(|id| seen.contains_key(id)));
    world.end().await;
}

async fn each_time_it_is_believed_in_for_longer(db: Database) {
    let world = World::declared(db).await;
    world.publish(1).await;
    world.holding().run_pending().await.unwrap();
    for patience in [10, 20, 40, 80] {
        world.take_all().await;
        world.later(Duration::from_secs(patience - 1));
        world.holding().run_pending().await.unwrap();
        assert_eq!(world.depth().await, 0, "{patience} s");
        world.later(Duration::from_secs(1));
        world.holding().run_pending().await.unwrap();
        assert_eq!(world.depth().await, 1, "{patience} s");
    }
    world.end().await;
}

async fn a_message_that_has_ended_is_not_missed(db: Database) {
    let world = World::declared(db).await;
    let ids = world.publish(50).await;
    world.holding().run_pending().await.unwrap();
    world.take_all().await;
    world.handled(ids).await;
    world.later(Duration::from_secs(3600));
    world.holding().run_pending().await.unwrap();
    assert_eq!((world.depth().await, world.rows().await.handed), (0, 0));
    world.end().await;
}
