//! Answers kept under an idempotency key.

use std::time::Duration;

use gatepost_storage::testing::ManualClock;
use gatepost_storage::verify_answers::{self, Claim};
use gatepost_storage::{Error, Store, Timestamp, new_id};
use uuid::Uuid;

use crate::databases::{Database, Stores as _, on_both};

on_both!(
    the_same_request_gets_the_same_answer_for_ten_minutes,
    a_refused_request_keeps_nothing,
    of_many_at_once_one_does_the_work,
);

/// Claims, and answers if there is something to do.
async fn ask(store: &Store, key_id: Uuid, digest: [u8; 32], answer: String) -> Claim {
    store
        .run_tx("ask", move |tx| {
            let answer = answer.clone();
            Box::pin(async move {
                let claim = verify_answers::claim(tx, key_id, "order-7", &digest).await?;
                if claim == Claim::New {
                    assert!(verify_answers::keep(tx, key_id, "order-7", &answer).await?);
                }
                Ok::<_, Error>(claim)
            })
        })
        .await
        .unwrap()
}

async fn the_same_request_gets_the_same_answer_for_ten_minutes(db: Database) {
    let clock = ManualClock::at(Timestamp::from_secs(1_800_000_000));
    let store = db.store_with(clock.clock()).await;
    let (one, other) = (new_id(store.now()), new_id(store.now()));
    assert_eq!(ask(&store, one, [1; 32], "first".into()).await, Claim::New);
    assert_eq!(
        ask(&store, one, [1; 32], "second".into()).await,
        Claim::Answered("first".into())
    );
    assert_eq!(ask(&store, one, [2; 32], "second".into()).await, Claim::Other);
    assert_eq!(
        ask(&store, other, [2; 32], "of another program".into()).await,
        Claim::New
    );
    clock.advance(Duration::from_secs(599));
    assert_eq!(
        ask(&store, one, [1; 32], "second".into()).await,
        Claim::Answered("first".into())
    );
    clock.advance(Duration::from_secs(1));
    assert_eq!(ask(&store, one, [2; 32], "third".into()).await, Claim::New);

    clock.advance(Duration::from_secs(600));
    let sweep = || store.run_tx("sweep", |tx| Box::pin(verify_answers::sweep(tx, 100)));
    assert_eq!(sweep().await.unwrap(), 2);
    assert_eq!(sweep().await.unwrap(), 0);
}

async fn a_refused_request_keeps_nothing(db: Database) {
    let store = db.store().await;
    let id = new_id(store.now());
    let refused: Result<(), Error> = store
        .run_tx("refused", move |tx| {
            Box::pin(async move {
                assert_eq!(
                    verify_answers::claim(tx, id, "order-7", &[1; 32]).await?,
                    Claim::New
                );
                Err(Error::Closed)
            })
        })
        .await;
    assert!(refused.is_err());
    assert_eq!(ask(&store, id, [2; 32], "fresh".into()).await, Claim::New);
}

async fn of_many_at_once_one_does_the_work(db: Database) {
    let store = db.store().await;
    for round in 0..10_u8 {
        let digest = [round; 32];
        let key_id = new_id(store.now());
        let asking = (0..16).map(|n| {
            let store = store.clone();
            tokio::spawn(async move { ask(&store, key_id, digest, format!("{n}")).await })
        });
        let mut answers = Vec::new();
        for task in asking.collect::<Vec<_>>() {
            answers.push(task.await.unwrap());
        }
        let did = answers.iter().filter(|a| **a == Claim::New).count();
        assert_eq!(did, 1, "{answers:?}");
        answers.retain(|a| *a != Claim::New);
        answers.dedup();
        assert_eq!(answers.len(), 1, "all others read one answer");
    }
}
