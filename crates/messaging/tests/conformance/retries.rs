//! Tries that fail: again later, by the clock, until there are no more.

use std::time::Duration;

use gatepost_messaging::{Outcome, Retry, Topology};
use tokio_util::sync::CancellationToken;

use crate::world::{Log, Note, World, everywhere, note, soon};

everywhere!(
    delays_grow_and_the_last_try_makes_a_dead_letter,
    a_delayed_message_waits_for_its_hour,
    a_pause_counts_as_no_try,
    a_running_consumer_wakes_when_the_hour_comes,
);

fn ladder(world: &World) -> Topology {
    let secs = Duration::from_secs;
    Topology::new().queue(&world.queue, |q| {
        q.retry(Retry::ladder(&[secs(5), secs(60)]).max_attempts(4))
    })
}

async fn delays_grow_and_the_last_try_makes_a_dead_letter(world: World) {
    let id = world.publish(1).await;
    let broker = world.broker();
    assert!(broker.declare(&ladder(&world)).await.unwrap().is_empty());
    let (log, handler) = Log::new(|attempt| Outcome::Retry(format!("no. {attempt}")));
    let handler = std::sync::Arc::new(handler);
    for (tries, wait) in [(1, 5), (2, 60), (3, 60), (4, 0)] {
        let run = || {
            let handler = std::sync::Arc::clone(&handler);
            broker
                .consume::<Note, _, _>(&world.queue, move |d| handler(d))
                .run_pending()
        };
        run().await.unwrap();
        assert_eq!(log.attempts().len(), tries);
        if wait > 0 {
            world
                .advance(Duration::from_secs(wait).saturating_sub(Duration::from_micros(1)))
                .await;
            run().await.unwrap();
            assert_eq!(log.attempts().len(), tries, "not before {wait} s");
            world.advance(Duration::from_micros(1)).await;
        }
    }
    assert_eq!(log.attempts(), [1, 2, 3, 4]);
    let dead = world.queues.dead_letters(&world.queue, None, 10).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(
        (dead[0].id, dead[0].reason.as_str(), dead[0].detail.as_str()),
        (id, "attempts", "no. 4")
    );
    assert_eq!((dead[0].attempts, dead[0].died_at), (4, world.store.now()));
}

async fn a_delayed_message_waits_for_its_hour(world: World) {
    let hour = world.store.now() + Duration::from_secs(3600);
    world.publish_envelope(note(1).not_before(hour)).await;
    assert_eq!(world.drain().await, [0_u32; 0]);
    assert_eq!(world.queues.status(&world.queue).await.unwrap().delayed, 1);
    world.advance(Duration::from_secs(3600)).await;
    assert_eq!(world.drain().await, [1]);
}

async fn a_pause_counts_as_no_try(world: World) {
    world.publish(1).await;
    let broker = world.broker();
    assert!(broker.declare(&ladder(&world)).await.unwrap().is_empty());
    let (log, handler) = Log::new(|_| Outcome::Later("the server is away".into(), Duration::from_secs(9)));
    let handler = std::sync::Arc::new(handler);
    for _ in 0..6 {
        let handler = std::sync::Arc::clone(&handler);
        broker
            .consume::<Note, _, _>(&world.queue, move |d| handler(d))
            .run_pending()
            .await
            .unwrap();
        world.advance(Duration::from_secs(9)).await;
    }
    assert_eq!(log.attempts(), [1; 6]);
    assert_eq!(world.queues.status(&world.queue).await.unwrap().dead, 0);
}

async fn a_running_consumer_wakes_when_the_hour_comes(world: World) {
    let broker = world.broker();
    assert!(broker.declare(&ladder(&world)).await.unwrap().is_empty());
    let (log, handler) = Log::new(|attempt| {
        if attempt < 3 {
            Outcome::Retry("no".into())
        } else {
            Outcome::Done
        }
    });
    let stop = CancellationToken::new();
    let running = tokio::spawn(
        broker
            .consume::<Note, _, _>(&world.queue, handler)
            .run_until(stop.clone()),
    );
    world.publish(1).await;
    for wait in [5, 60] {
        world
            .until_queue("waits for its next try", |q| q.delayed == 1 && q.in_hand == 0)
            .await;
        world.advance(Duration::from_secs(wait)).await;
    }
    world
        .until_queue("is done", |q| q.delayed + q.in_hand + q.ready == 0)
        .await;
    assert_eq!(log.attempts(), [1, 2, 3]);
    stop.cancel();
    soon("the consumer ends", running).await.unwrap().unwrap();
}
