//! A message exists if and only if the transaction that publishes it commits.

use std::time::Duration;

use gatepost_messaging::{Envelope, Error, Outbox, Priority, Published};
use gatepost_storage::{Set, Store};
use sqlx::{PgPool, SqlitePool};
use uuid::Uuid;

use crate::world::{Note, World, note, on_both};

on_both!(
    what_commits_is_delivered_and_what_rolls_back_never_was,
    a_body_of_any_bytes_arrives_as_it_was,
    the_urgent_come_first_and_equals_in_order,
    a_key_publishes_once_until_its_window_ends,
    an_id_is_published_once,
    callers_that_share_a_transaction_learn_each_their_own,
    what_no_broker_takes_is_refused,
);

async fn what_commits_is_delivered_and_what_rolls_back_never_was(world: World) {
    assert!(world.publish_in_tx(1, true).await.unwrap().is_new());
    assert!(matches!(world.publish_in_tx(2, false).await, Err(Error::Closed)));
    assert_eq!(world.drain().await, [1]);
    assert_eq!(world.drain().await, [0_u32; 0], "what is done is gone");
}

async fn a_body_of_any_bytes_arrives_as_it_was(world: World) {
    let bodies: Vec<Vec<u8>> = vec![
        Vec::new(),
        "Анна, \"quoted\" \\ and a line\nend".into(),
        (0..=255).collect(),
        b"with a \0 inside".to_vec(),
        vec![b'x'; 300_000],
    ];
    for body in &bodies {
        let envelope = Envelope::bytes("notes", "raw", "application/octet-stream", body.clone())
            .header("x-locale", "ru")
            .header("x-quote", "\"'\\");
        // Both ways in: alone, and as part of a transaction.
        world.publish_envelope(envelope.clone()).await;
        let outbox = world.outbox.clone();
        let one = world.store.run_tx("publish", move |tx| {
            let (outbox, envelope) = (outbox.clone(), envelope.clone());
            Box::pin(async move { outbox.publish_envelope(tx, &envelope).await })
        });
        one.await.unwrap();
    }
    let waiting = world.queues.peek("notes", None, 100).await.unwrap();
    assert_eq!(waiting.len(), 2 * bodies.len());
    for body in bodies {
        let found: Vec<_> = waiting.iter().filter(|w| w.body.bytes == body).collect();
        assert_eq!(found.len(), 2, "{} bytes", body.len());
        for message in found {
            assert_eq!(message.headers["x-quote"], "\"'\\");
            assert_eq!(
                (message.kind.as_str(), message.body.content_type.as_str()),
                ("raw", "application/octet-stream")
            );
        }
    }
}

async fn the_urgent_come_first_and_equals_in_order(world: World) {
    for (n, level) in [(1, 4), (2, 0), (3, 9), (4, 4), (5, 9), (6, 1)] {
        world
            .publish_envelope(note(n).priority(Priority::new(level).unwrap()))
            .await;
        world.clock.advance(Duration::from_millis(1));
    }
    assert_eq!(world.drain().await, [3, 5, 1, 4, 6, 2]);
}

async fn a_key_publishes_once_until_its_window_ends(world: World) {
    let keyed = |n| note(n).dedupe_key("reset:42");
    let first = world.publish_envelope(keyed(1)).await;
    assert!(first.is_new());
    assert_eq!(
        world.publish_envelope(keyed(2)).await,
        Published::Duplicate(first.id())
    );
    let elsewhere = Envelope {
        queue: "other".into(),
        ..keyed(3)
    };
    assert!(
        world.publish_envelope(elsewhere).await.is_new(),
        "a key belongs to its queue"
    );
    assert_eq!(world.drain().await, [1]);
    assert_eq!(
        world.publish_envelope(keyed(4)).await,
        Published::Duplicate(first.id()),
        "also when it is handled"
    );
    world.clock.advance(Duration::from_secs(86400));
    assert!(world.publish_envelope(keyed(5)).await.is_new());
    assert_eq!(world.drain().await, [5]);
}

async fn an_id_is_published_once(world: World) {
    let id = Uuid::from_u128(7);
    assert_eq!(world.publish_envelope(note(1).id(id)).await, Published::New(id));
    assert_eq!(
        world.publish_envelope(note(2).id(id)).await,
        Published::Duplicate(id)
    );
    assert_eq!(world.drain().await, [1]);
}

async fn callers_that_share_a_transaction_learn_each_their_own(world: World) {
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let envelopes = (0..60).map(|n| match n {
        0 | 1 => note(n).id(one),
        2 | 3 => note(n).id(other).dedupe_key("k"),
        _ => note(n),
    });
    let published =
        futures_util::future::join_all(envelopes.map(|envelope| world.publish_envelope(envelope))).await;
    let new = |range: std::ops::Range<usize>| published[range].iter().filter(|p| p.is_new()).count();
    assert_eq!((new(0..2), new(2..4), new(4..60)), (1, 1, 56));
    let mut delivered = world.drain().await;
    delivered.sort_unstable();
    assert_eq!(delivered.len(), 58);
}

async fn what_no_broker_takes_is_refused(world: World) {
    let refused = world
        .outbox
        .enqueue(Envelope {
            queue: "a\nb".into(),
            ..note(1)
        })
        .await;
    assert!(matches!(refused, Err(Error::Invalid { .. })));
    assert_eq!(world.queues.list().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_commits_with_the_callers_own_postgres_transaction() {
    let world = World::postgres().await;
    let pool = PgPool::connect(&world.url).await.unwrap();
    let store = Store::postgres(pool.clone()).with_schema(&world.schema).unwrap();
    let outbox = Outbox::new(&store);
    for (n, commit) in [(1, true), (2, false)] {
        let mut tx = pool.begin().await.unwrap();
        sqlx::query("SELECT 1").execute(&mut *tx).await.unwrap();
        outbox.publish(&mut *tx, "notes", &Note { n }).await.unwrap();
        if commit {
            tx.commit().await.unwrap();
        } else {
            tx.rollback().await.unwrap();
        }
    }
    let waiting = world.queues.peek("notes", None, 10).await.unwrap();
    assert_eq!(
        waiting
            .iter()
            .map(|w| w.body.parse::<Note>().unwrap().n)
            .collect::<Vec<_>>(),
        [1]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_commits_with_the_callers_own_sqlite_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("app.db").display());
    let pool = SqlitePool::connect(&url).await.unwrap();
    let store = Store::sqlite(pool.clone());
    store.migrate(&[Set::Messaging]).await.unwrap();
    let outbox = Outbox::new(&store);
    for (n, commit) in [(1, true), (2, false)] {
        let mut tx = pool.begin().await.unwrap();
        outbox.publish(&mut *tx, "notes", &Note { n }).await.unwrap();
        if commit {
            tx.commit().await.unwrap();
        } else {
            tx.rollback().await.unwrap();
        }
    }
    let waiting = gatepost_messaging::Queues::new(&store)
        .peek("notes", None, 10)
        .await
        .unwrap();
    assert_eq!(
        waiting
            .iter()
            .map(|w| w.body.parse::<Note>().unwrap().n)
            .collect::<Vec<_>>(),
        [1]
    );
}
