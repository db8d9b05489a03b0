//! What is published gets there, once.

use std::collections::BTreeMap;
use std::time::Duration;

use gatepost_messaging::{Envelope, Priority};
use gatepost_storage::testing::Database;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::world::{World, on_both};

on_both!(
    a_confirmed_message_leaves_the_outbox,
    everything_travels_with_it,
    a_held_message_keeps_its_row,
    several_dispatchers_share_the_work,
    what_is_published_later_goes_as_well,
    a_queue_that_is_not_there_is_declared,
    an_excepted_queue_is_left_alone,
    large_bodies_are_taken_a_few_at_a_time,
);

async fn a_confirmed_message_leaves_the_outbox(db: Database) {
    let world = World::declared(db).await;
    let ids = world.publish(600).await;
    world.dispatcher().run_pending().await.unwrap();
    let rows = world.rows().await;
    assert_eq!((rows.ready, rows.in_hand, rows.handed), (0, 0, 0));
    let once: BTreeMap<Uuid, usize> = ids.into_iter().map(|id| (id, 1)).collect();
    assert_eq!(world.take_all().await, once);
    world.end().await;
}

async fn everything_travels_with_it(db: Database) {
    let world = World::declared(db).await;
    let expires_at = world.clock.now() + Duration::from_secs(3600);
    let envelope = Envelope::bytes(&world.queue, "order.paid", "text/plain", b"seven".to_vec())
        .header("tenant", "a")
        .priority(Priority::URGENT)
        .expires_at(expires_at);
    let id = world.outbox.enqueue(envelope).await.unwrap().id();
    let published_at = world.clock.now();
    world.later(Duration::from_secs(60));
    world.dispatcher().run_pending().await.unwrap();
    let message = world.get().await;
    let properties = &message.properties;
    assert_eq!(properties.message_id().as_ref().unwrap().as_str(), id.to_string());
    assert_eq!(properties.kind().as_ref().unwrap().as_str(), "order.paid");
    assert_eq!(properties.content_type().as_ref().unwrap().as_str(), "text/plain");
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert_eq!(message.data, b"seven");
    let headers = format!("{:?}", properties.headers());
    for value in [
        "tenant".to_owned(),
        published_at.as_micros().to_string(),
        expires_at.as_micros().to_string(),
    ] {
        assert!(headers.contains(&value), "{value} in {headers}");
    }
    world.end().await;
}

async fn a_held_message_keeps_its_row(db: Database) {
    let world = World::declared(db).await;
    let ids = world.publish(300).await;
    world.holding().run_pending().await.unwrap();
    let rows = world.rows().await;
    assert_eq!(
        (rows.ready, rows.delayed, rows.in_hand, rows.handed),
        (0, 0, 0, 300)
    );
    assert_eq!(world.depth().await, 300);
    // Nobody consumes them, for however long: they are there, so they are not published again.
    for _ in 0..5 {
        world.later(Duration::from_secs(6 * 3600));
        world.holding().run_pending().await.unwrap();
    }
    assert_eq!(world.depth().await, 300);
    assert_eq!(world.row(ids[0]).await.unwrap().handed_times, 1);
    world.end().await;
}

async fn several_dispatchers_share_the_work(db: Database) {
    let world = World::declared(db).await;
    let other = world
        .db
        .open(&[gatepost_storage::Set::Messaging], world.clock.clock())
        .await;
    let ids = world.publish(3000).await;
    let stop = CancellationToken::new();
    let (one, two) = (
        world.dispatcher().lanes(2),
        world.broker.dispatch(&other).lanes(2),
    );
    let (first, second) = (one.health(), two.health());
    let both = tokio::spawn({
        let stop = stop.clone();
        async move { tokio::join!(one.run_until(stop.clone()), two.run_until(stop)) }
    });
    let empty = async {
        while world.rows().await.ready + world.rows().await.in_hand > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), empty)
        .await
        .expect("all of them go");
    stop.cancel();
    let outcomes = both.await.unwrap();
    outcomes.0.and(outcomes.1).unwrap();
    let confirmed = first.counts()[0].1 + second.counts()[0].1;
    assert_eq!(confirmed, 3000, "none twice");
    let expected: BTreeMap<Uuid, usize> = ids.into_iter().map(|id| (id, 1)).collect();
    assert_eq!(world.take_all().await, expected);
    world.end().await;
}

async fn what_is_published_later_goes_as_well(db: Database) {
    let world = World::declared(db).await;
    let stop = CancellationToken::new();
    // The safety poll never comes: it is woken.
    let dispatcher = world.dispatcher().safety_poll(Duration::from_secs(86400));
    let running = tokio::spawn(dispatcher.run_until(stop.clone()));
    for count in 1..=3 {
        world.publish(1).await;
        let arrived = async {
            while world.depth().await < count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), arrived)
            .await
            .expect("it is woken by what is published");
    }
    let delayed = Envelope::json(&world.queue, "note", &1)
        .unwrap()
        .not_before(world.clock.now() + Duration::from_secs(600));
    world.outbox.enqueue(delayed).await.unwrap();
    world.later(Duration::from_secs(599));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(world.depth().await, 3, "its hour has not come");
    world.later(Duration::from_secs(2));
    let arrived = async {
        while world.depth().await < 4 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), arrived)
        .await
        .expect("it goes at its hour");
    stop.cancel();
    running.await.unwrap().unwrap();
    world.end().await;
}

async fn a_queue_that_is_not_there_is_declared(db: Database) {
    let world = World::new(db).await;
    let ids = world.publish(40).await;
    let dispatcher = world.dispatcher();
    let health = dispatcher.health();
    dispatcher.run_pending().await.unwrap();
    assert_eq!(health.counts()[1], ("returned", 40));
    let row = world.row(ids[0]).await.unwrap();
    assert!(row.last_error.unwrap().contains("no queue"));
    world.later(Duration::from_secs(1));
    world.dispatcher().run_pending().await.unwrap();
    assert_eq!(world.take_all().await.len(), 40);
    assert_eq!(world.rows().await.delayed, 0);
    world.end().await;
}

async fn an_excepted_queue_is_left_alone(db: Database) {
    let world = World::declared(db).await;
    world.publish(3).await;
    world
        .dispatcher()
        .except(&world.queue)
        .run_pending()
        .await
        .unwrap();
    assert_eq!((world.rows().await.ready, world.depth().await), (3, 0));
    world.end().await;
}

async fn large_bodies_are_taken_a_few_at_a_time(db: Database) {
    let world = World::declared(db).await;
    for _ in 0..6 {
        let body = vec![b'x'; 7 * 1024 * 1024];
        let envelope = Envelope::bytes(&world.queue, "file", "application/octet-stream", body);
        world.outbox.enqueue(envelope).await.unwrap();
    }
    let takes = || {
        let stats = world.store.stats();
        stats
            .transactions
            .get("take_messages")
            .map_or(0, |stats| stats.committed)
    };
    let before = takes();
    world.dispatcher().run_pending().await.unwrap();
    // 7 MiB each, 16 MiB a window.
    assert!(takes() - before >= 2, "{} windows", takes() - before);
    assert_eq!(world.take_all().await.len(), 6);
    world.end().await;
}
