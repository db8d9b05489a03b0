//! Letters of messages without an id, which are known by their bodies.

use std::time::Duration;

use gatepost_storage::deliveries::NewDelivery;
use gatepost_storage::deliveries_foreign::{self, Foreign};
use gatepost_storage::deliveries_many::{self, Sent};
use gatepost_storage::testing::ManualClock;
use gatepost_storage::{Error, Store, Timestamp, new_id};
use uuid::Uuid;

use crate::databases::{Database, Stores as _, on_both};

on_both!(
    each_message_that_comes_again_finds_a_letter_of_its_own,
    whoever_found_a_letter_may_have_died_with_it,
    what_is_older_or_of_another_queue_or_says_something_else_is_not_found,
);

const BODY: [u8; 32] = [7; 32];
const QUEUE: &str = "email_queue";

/// A letter that waits.
async fn letter(store: &Store) -> Uuid {
    let id = new_id(store.now());
    store
        .run_tx("a_letter", move |tx| {
            Box::pin(async move {
                let new = NewDelivery {
                    id,
                    message_id: id,
                    template: "",
                    locale: None,
                    queue: QUEUE,
                    about: None,
                    recipient: None,
                    recipient_hash: None,
                    expires_at: None,
                };
                let foreign = Foreign {
                    id,
                    digest: BODY,
                    tried: 0,
                };
                let made = deliveries_many::insert(tx, &[(new, Some(&foreign))]).await?;
                assert_eq!(made.len(), 1);
                Ok::<_, Error>(())
            })
        })
        .await
        .unwrap();
    id
}

/// One that was sent.
async fn sent_letter(store: &Store) -> Uuid {
    let id = letter(store).await;
    let sent = move || Sent {
        id,
        reply: "250 ok".to_owned(),
    };
    store
        .run_tx("it_was_sent", move |tx| {
            Box::pin(async move { deliveries_many::set_sent(tx, &[sent()]).await })
        })
        .await
        .unwrap();
    id
}

async fn recognise(store: &Store) -> Option<Uuid> {
    recognise_of(store, QUEUE, BODY, Duration::from_mins(15)).await
}

async fn recognise_of(store: &Store, queue: &'static str, body: [u8; 32], back: Duration) -> Option<Uuid> {
    store
        .run_tx("recognise", move |tx| {
            Box::pin(async move {
                let since = tx.now() - back;
                deliveries_foreign::recognise(tx, queue, &body, since).await
            })
        })
        .await
        .unwrap()
}

async fn each_message_that_comes_again_finds_a_letter_of_its_own(db: Database) {
    let store = db.store().await;
    let sent = sent_letter(&store).await;
    let mut open = [letter(&store).await, letter(&store).await];
    open.sort_unstable();
    let found = [
        recognise(&store).await,
        recognise(&store).await,
        recognise(&store).await,
        recognise(&store).await,
    ];
    assert_eq!(
        found,
        [Some(open[0]), Some(open[1]), Some(sent), None],
        "those that have not ended first, and none for two messages"
    );
}

async fn whoever_found_a_letter_may_have_died_with_it(db: Database) {
    let clock = ManualClock::at(Timestamp::from_secs(1_800_000_000));
    let store = db.store_with(clock.clock()).await;
    let (open, sent) = (letter(&store).await, sent_letter(&store).await);
    for _ in 0..3 {
        assert_eq!(recognise(&store).await, Some(open));
        assert_eq!(recognise(&store).await, Some(sent));
        assert_eq!(
            recognise(&store).await,
            None,
            "of two messages that come together"
        );
        clock.advance(Duration::from_secs(7));
        assert_eq!(recognise(&store).await, None);
        clock.advance(Duration::from_secs(1));
    }
}

async fn what_is_older_or_of_another_queue_or_says_something_else_is_not_found(db: Database) {
    let clock = ManualClock::at(Timestamp::from_secs(1_800_000_000));
    let store = db.store_with(clock.clock()).await;
    let id = letter(&store).await;
    clock.advance(Duration::from_mins(10));
    let (short, long) = (Duration::from_mins(9), Duration::from_mins(10));
    assert_eq!(recognise_of(&store, QUEUE, BODY, short).await, None);
    assert_eq!(recognise_of(&store, "another", BODY, long).await, None);
    assert_eq!(recognise_of(&store, QUEUE, [8; 32], long).await, None);
    assert_eq!(recognise_of(&store, QUEUE, BODY, long).await, Some(id));
}
