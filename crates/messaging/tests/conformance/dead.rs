//! Dead letters: with a reason, whole, and not for ever.

use std::time::Duration;

use gatepost_messaging::{DeadReason, Envelope, Outcome, Retention};

use crate::world::{Log, Note, World, everywhere, note, on_both};

everywhere!(
    a_failed_message_is_kept_whole_and_can_be_put_back,
    what_cannot_be_read_is_put_aside_at_once,
    what_has_expired_is_not_handled_unless_asked_for,
    a_panic_is_a_failed_try,
    what_the_hook_refuses_stays_alive,
    a_hook_that_panics_holds_up_nobody,
);

mod in_a_database {
    use super::dead_letters_are_swept_after_their_time;

    super::on_both!(dead_letters_are_swept_after_their_time);
}

async fn a_failed_message_is_kept_whole_and_can_be_put_back(world: World) {
    let id = world.publish_envelope(note(1).header("x-a", "b")).await.id();
    world.clock.advance(Duration::from_millis(1));
    world.publish(2).await;
    let (_, handler) = Log::new(|_| Outcome::Fail("no such \0 order".into()));
    world
        .broker()
        .consume::<Note, _, _>(&world.queue, handler)
        .run_pending()
        .await
        .unwrap();
    let dead = world.queues.dead_letters(&world.queue, None, 10).await.unwrap();
    assert_eq!(dead.len(), 2);
    assert_eq!(
        (dead[0].id, dead[0].reason.as_str(), dead[0].detail.as_str()),
        (id, "failed", "no such  order")
    );
    assert_eq!(
        (
            dead[0].body.parse::<Note>().unwrap().n,
            dead[0].headers["x-a"].as_str()
        ),
        (1, "b")
    );

    assert!(world.queues.replay(&world.queue, id).await.unwrap());
    assert!(!world.queues.replay(&world.queue, id).await.unwrap(), "only once");
    let (log, handler) = Log::new(|_| Outcome::Done);
    world
        .broker()
        .consume::<Note, _, _>(&world.queue, handler)
        .run_pending()
        .await
        .unwrap();
    assert_eq!((log.numbers(), log.attempts()), (vec![1], vec![1]));

    assert!(world.queues.discard(&world.queue, dead[1].id).await.unwrap());
    assert!(!world.queues.discard(&world.queue, dead[1].id).await.unwrap());
    assert!(world.is_empty().await);
}

async fn what_cannot_be_read_is_put_aside_at_once(world: World) {
    world
        .publish_envelope(Envelope::bytes(
            &world.queue,
            "note",
            "application/json",
            b"{\"n\":\"s3cret\"}".to_vec(),
        ))
        .await;
    world
        .publish_envelope(Envelope::bytes(
            &world.queue,
            "other",
            "application/json",
            b"{\"n\":1}".to_vec(),
        ))
        .await;
    world.publish(3).await;
    assert_eq!(world.drain().await, [3]);
    let dead = world.queues.dead_letters(&world.queue, None, 10).await.unwrap();
    assert_eq!(
        dead.iter().map(|d| d.reason.as_str()).collect::<Vec<_>>(),
        ["malformed", "malformed"]
    );
    assert!(
        dead.iter().all(|d| !d.detail.contains("s3cret")),
        "a reason quotes no body"
    );
    assert_eq!(
        world
            .queues
            .replay_all(&world.queue, Some(DeadReason::Failed))
            .await
            .unwrap(),
        0
    );
    assert_eq!(world.queues.replay_all(&world.queue, None).await.unwrap(), 2);
}

async fn what_has_expired_is_not_handled_unless_asked_for(world: World) {
    let soon = world.store.now() + Duration::from_secs(60);
    world.publish_envelope(note(1).expires_at(soon)).await;
    world
        .publish_envelope(note(2).expires_at(soon + Duration::from_micros(1)))
        .await;
    world.clock.set(soon);
    assert_eq!(world.drain().await, [2]);
    assert_eq!(
        world.queues.dead_letters(&world.queue, None, 10).await.unwrap()[0].reason,
        "expired"
    );

    world.publish_envelope(note(3).expires_at(soon)).await;
    let (log, handler) = Log::new(|_| Outcome::Done);
    let consumer = world
        .broker()
        .consume::<Note, _, _>(&world.queue, handler)
        .deliver_expired();
    consumer.run_pending().await.unwrap();
    assert_eq!(log.numbers(), [3]);
}

async fn a_panic_is_a_failed_try(world: World) {
    world.publish(1).await;
    let broker = world.broker();
    let first = broker.consume::<Note, _, _>(&world.queue, |d| async move {
        assert_ne!(d.attempt, 1, "at the first try");
        Outcome::Done
    });
    first.run_pending().await.unwrap();
    let waiting = world.queues.peek(&world.queue, None, 1).await.unwrap();
    assert!(
        waiting[0].last_error.as_deref().unwrap().contains("panicked"),
        "{waiting:?}"
    );
    assert_eq!(waiting[0].attempts, 1);
    world.advance(Duration::from_secs(5)).await;
    assert_eq!(world.drain().await, [1]);
}

async fn what_the_hook_refuses_stays_alive(world: World) {
    world.publish(1).await;
    let (_, handler) = Log::new(|_| Outcome::Fail("no".into()));
    let consumer = world.broker().consume::<Note, _, _>(&world.queue, handler);
    let consumer = consumer.on_dead(|_, _| Box::pin(async { Err(gatepost_messaging::Error::Closed) }));
    consumer.run_pending().await.unwrap();
    let status = world.queues.status(&world.queue).await.unwrap();
    assert_eq!((status.dead, status.in_hand + status.delayed), (0, 1));
    world.advance(Duration::from_secs(30)).await;
    assert_eq!(world.drain().await, [1]);
}

async fn a_hook_that_panics_holds_up_nobody(world: World) {
    world.publish(1).await;
    world.clock.advance(Duration::from_millis(1));
    world.publish(2).await;
    let consumer = world
        .broker()
        .consume::<Note, _, _>(&world.queue, |d| async move {
            if d.message.n == 1 {
                Outcome::Fail("no".into())
            } else {
                Outcome::Done
            }
        });
    let consumer = consumer.on_dead(|_, dead| {
        assert_ne!(dead.reason, "failed", "in the hook");
        Box::pin(async { Ok(()) })
    });
    consumer.concurrency(1).run_pending().await.unwrap();
    let status = world.queues.status(&world.queue).await.unwrap();
    assert_eq!(
        (status.dead, status.in_hand + status.delayed, status.ready),
        (0, 1, 0)
    );
}

async fn dead_letters_are_swept_after_their_time(world: World) {
    world.publish_envelope(note(1).dedupe_key("k")).await;
    let (_, handler) = Log::new(|_| Outcome::Fail("no".into()));
    world
        .broker()
        .consume::<Note, _, _>(&world.queue, handler)
        .run_pending()
        .await
        .unwrap();
    world.publish(2).await;
    let (_, handler) = Log::new(|_| Outcome::Done);
    let consumer = world
        .broker()
        .consume::<Note, _, _>(&world.queue, handler)
        .once(&world.store);
    consumer.run_pending().await.unwrap();

    let swept = world.queues.sweep(Retention::default()).await.unwrap();
    assert_eq!((swept.handled, swept.keys, swept.dead), (0, 0, 0));
    world
        .clock
        .advance(Retention::default().dead + Duration::from_secs(1));
    let swept = world.queues.sweep(Retention::default()).await.unwrap();
    assert_eq!((swept.handled, swept.keys, swept.dead), (1, 1, 1));
    assert_eq!(world.queues.list().await.unwrap(), []);
}
