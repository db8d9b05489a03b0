//! Letters of our own: their rows say what is still to be done.

use std::time::Duration;

use gatepost_messaging::Broker;

use crate::world::{World, message};

pub(crate) async fn a_deleted_queue_loses_no_letter(world: World) {
    for n in 0..1000 {
        world.enqueue(message(&format!("ok{n}"), "A word")).await;
    }
    world.dispatcher().run_pending().await.unwrap();
    assert_eq!(world.depth("gatepost.mail").await, 1000);
    world.delete("gatepost.mail").await;
    world.later(Duration::from_secs(5));
    world.work().await;
    assert_eq!(world.sink.received().len(), 1000);
    let queues = gatepost_messaging::Queues::new(&world.store)
        .list()
        .await
        .unwrap();
    assert!(queues.is_empty(), "{queues:?}");
}

pub(crate) async fn what_is_put_off_waits_in_the_database(world: World) {
    let id = world.enqueue(message("tmp", "Later")).await;
    for attempts in 1..=3 {
        world.work().await;
        let delivery = world.show(id).await.delivery;
        assert_eq!(
            (delivery.state.as_str(), delivery.attempts),
            ("deferred", attempts)
        );
        let row = world.row(id).await.unwrap();
        let due = delivery.next_attempt_at.unwrap();
        assert!(row.handed_at.is_none() && row.visible_at > world.clock.now());
        assert_eq!(
            world.depth("gatepost.mail").await,
            0,
            "nothing waits on the broker"
        );
        // Half-way nothing happens; at its hour it goes out again.
        world.later(due.since(world.clock.now()) / 2);
        world.work().await;
        assert_eq!(world.show(id).await.delivery.attempts, attempts);
        world.later(due.since(world.clock.now()) + Duration::from_secs(1));
    }
}

pub(crate) async fn a_switch_to_embedded_loses_no_letter(world: World) {
    for n in 0..30 {
        world.enqueue(message(&format!("ok{n}"), "Switched")).await;
    }
    world.dispatcher().run_pending().await.unwrap();
    assert_eq!(world.depth("gatepost.mail").await, 30);
    let embedded = Broker::embedded(&world.store);
    world.worker_on(embedded).run_pending().await.unwrap();
    assert_eq!((world.received("Switched"), world.count("sent").await), (30, 30));
    // Back again: what still lies there has ended, and is dropped.
    world.work().await;
    assert_eq!(
        (world.received("Switched"), world.depth("gatepost.mail").await),
        (30, 0)
    );
}
