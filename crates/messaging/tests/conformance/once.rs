//! Handled once: ids that are noted, and acknowledgement inside the handler's own transaction.

use std::time::Duration;

use gatepost_messaging::{Delivery, Error, Outcome};
use uuid::Uuid;

use crate::world::{Log, Note, World, everywhere, note, on_both};

everywhere!(
    a_second_copy_of_a_handled_message_is_skipped,
    done_commits_or_rolls_back_with_what_the_handler_wrote,
    a_retry_commits_with_what_the_handler_wrote,
);

mod in_a_database {
    use super::another_store_cannot_note_for_this_broker;

    super::on_both!(another_store_cannot_note_for_this_broker);
}

async fn a_second_copy_of_a_handled_message_is_skipped(world: World) {
    let id = Uuid::from_u128(77);
    for round in 0..3 {
        assert!(world.publish_envelope(note(round).id(id)).await.is_new());
        let (log, handler) = Log::new(|_| Outcome::Done);
        let consumer = world
            .broker()
            .consume::<Note, _, _>(&world.queue, handler)
            .once(&world.store);
        consumer.run_pending().await.unwrap();
        assert_eq!(log.numbers().len(), usize::from(round == 0), "round {round}");
        assert!(world.is_empty().await);
    }
}

/// A handler that writes (it publishes another message) and is done in one transaction.
async fn handle(world: &World, commit: bool) {
    let (store, outbox) = (world.store.clone(), world.outbox.clone());
    let handler = move |d: Delivery<Note>| {
        let (store, outbox, ack) = (store.clone(), outbox.clone(), d.ack());
        async move {
            let written = store
                .run_tx("handle", move |tx| {
                    let (outbox, ack) = (outbox.clone(), ack.clone());
                    Box::pin(async move {
                        outbox.publish(&mut *tx, "log", &Note { n: 9 }).await?;
                        assert!(ack.done_in(tx).await?);
                        if commit { Ok(()) } else { Err(Error::Closed) }
                    })
                })
                .await;
            match written {
                Ok(()) => Outcome::Done,
                Err(error) => Outcome::Retry(error.to_string()),
            }
        }
    };
    let consumer = world
        .broker()
        .consume::<Note, _, _>(&world.queue, handler)
        .once(&world.store)
        .concurrency(1);
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(consumer.run_until(stop.clone()));
    if commit {
        world
            .until_queue("done", |q| q.ready + q.in_hand + q.delayed == 0)
            .await;
    } else {
        world
            .until_queue("tried again later", |q| q.delayed == 1 && q.in_hand == 0)
            .await;
    }
    stop.cancel();
    running.await.unwrap().unwrap();
}

async fn done_commits_or_rolls_back_with_what_the_handler_wrote(world: World) {
    let id = world.publish(1).await;
    handle(&world, false).await;
    let waiting = world.queues.peek(&world.queue, None, 10).await.unwrap();
    assert_eq!(
        waiting.iter().map(|w| w.id).collect::<Vec<_>>(),
        [id],
        "it is still there"
    );
    assert_eq!(
        world.rows.status("log").await.unwrap().ready,
        0,
        "nothing of the rolled back try is"
    );
    world.advance(Duration::from_secs(5)).await;
    handle(&world, true).await;
    assert_eq!(world.rows.status("log").await.unwrap().ready, 1);
    // Noted by the same transaction: a second copy is skipped.
    world.publish_envelope(note(1).id(id)).await;
    let (log, handler) = Log::new(|_| Outcome::Done);
    world
        .broker()
        .consume::<Note, _, _>(&world.queue, handler)
        .once(&world.store)
        .run_pending()
        .await
        .unwrap();
    assert_eq!(log.numbers(), [0_u32; 0]);
}

async fn a_retry_commits_with_what_the_handler_wrote(world: World) {
    world.publish(1).await;
    let (store, outbox) = (world.store.clone(), world.outbox.clone());
    let handler = move |d: Delivery<Note>| {
        let (store, outbox, ack) = (store.clone(), outbox.clone(), d.ack());
        async move {
            let outcome = Outcome::RetryAfter("greylisted".into(), Duration::from_secs(300));
            let again = outcome.clone();
            let settled = store.run_tx("defer", move |tx| {
                let (outbox, ack, again) = (outbox.clone(), ack.clone(), again.clone());
                Box::pin(async move {
                    outbox.publish(&mut *tx, "log", &Note { n: 9 }).await?;
                    ack.settle_in(tx, &again).await
                })
            });
            assert!(settled.await.unwrap());
            outcome
        }
    };
    world
        .broker()
        .consume::<Note, _, _>(&world.queue, handler)
        .run_pending()
        .await
        .unwrap();
    let waiting = world.queues.peek(&world.queue, None, 10).await.unwrap();
    assert_eq!((waiting.len(), waiting[0].attempts), (1, 1));
    assert_eq!(
        waiting[0].visible_at,
        world.store.now() + Duration::from_secs(300)
    );
    assert_eq!(world.rows.status("log").await.unwrap().ready, 1);
}

async fn another_store_cannot_note_for_this_broker(world: World) {
    let other = world.other_process().await;
    let (_, handler) = Log::new(|_| Outcome::Done);
    let refused = world
        .broker()
        .consume::<Note, _, _>(&world.queue, handler)
        .once(&other)
        .run_pending()
        .await;
    assert!(matches!(refused, Err(Error::OtherStore)));
}
