//! Looking at queues takes nothing; taking back takes only what nobody has.

use std::time::Duration;

use gatepost_messaging::Outcome;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::world::{Note, World, everywhere, note, soon};

everywhere!(a_queue_tells_how_it_stands, what_nobody_has_can_be_taken_back);

async fn a_queue_tells_how_it_stands(world: World) {
    world.publish(1).await;
    world.clock.advance(Duration::from_secs(90));
    let later = world.store.now() + Duration::from_secs(60);
    world.publish_envelope(note(2).not_before(later)).await;
    for _ in 0..3 {
        let status = world.queues.status(&world.queue).await.unwrap();
        assert_eq!(
            (status.ready, status.delayed, status.in_hand, status.dead),
            (1, 1, 0, 0)
        );
        if world.is_rabbitmq() {
            assert_eq!(status.oldest, None, "it can't be known without a delivery");
        } else {
            assert_eq!(status.oldest, Some(Duration::from_secs(90)));
        }
    }
    let first = world.queues.peek(&world.queue, None, 1).await.unwrap();
    let second = world
        .queues
        .peek(&world.queue, Some(first[0].id), 10)
        .await
        .unwrap();
    assert_eq!(
        second
            .iter()
            .map(|w| w.body.parse::<Note>().unwrap().n)
            .collect::<Vec<_>>(),
        [2]
    );
    assert_eq!(world.queues.status("nothing here").await.unwrap().ready, 0);
}

async fn what_nobody_has_can_be_taken_back(world: World) {
    let (one, two) = (world.publish(1).await, world.publish(2).await);
    assert!(
        !world.queues.cancel("other", one).await.unwrap(),
        "of another queue"
    );
    assert!(world.queues.cancel(&world.queue, one).await.unwrap());
    assert!(!world.queues.cancel(&world.queue, one).await.unwrap());
    let (begun, mut begins) = mpsc::unbounded_channel();
    let consumer = world.broker().consume::<Note, _, _>(&world.queue, move |_| {
        begun.send(()).unwrap();
        std::future::pending::<Outcome>()
    });
    let running = tokio::spawn(consumer.run_until(CancellationToken::new()));
    soon("it is begun", begins.recv()).await.unwrap();
    assert!(
        !world.queues.cancel(&world.queue, two).await.unwrap(),
        "somebody has it"
    );
    running.abort();
}
