//! Whose outcome is whose.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use gatepost_messaging::{PublishError, Route};

use crate::shared::{self, Other, note, to, unique};

const TASKS: u64 = 4;
const EACH: u64 = 5000;
/// As many as all channels together have under way.
const WINDOW: usize = 512;

/// Bare lapin gives 2 in 100 of these to the wrong message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_outcome_belongs_to_its_message() {
    let broker = shared::broker().await;
    let other = Other::new(&shared::url()).await;
    let queue: Arc<str> = unique("outcomes").into();
    other
        .declare(&queue, true, lapin::types::FieldTable::default())
        .await
        .unwrap();

    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let (broker, queue) = (broker.clone(), Arc::clone(&queue));
        tasks.push(tokio::spawn(async move {
            // No pattern that a batch could hide: every third, every fifth, and runs of both.
            let routable = |n: u64| n % 3 != task % 3 && !n.is_multiple_of(5) && (n / 40) % 4 != 3;
            let nowhere = format!("{queue}.nobody");
            let way = |n: u64| if routable(n) { &*queue } else { nowhere.as_str() };
            let mut right = 0;
            let mut judge = |n: u64, outcome: Result<_, PublishError>| match outcome {
                Ok(_) if routable(n) => right += 1,
                Err(PublishError::Returned) if !routable(n) => {}
                outcome => panic!("message {n}, routable {}: {outcome:?}", routable(n)),
            };
            if task % 2 == 0 {
                for first in (0..EACH).step_by(WINDOW) {
                    let numbers: Vec<u64> = (first..EACH.min(first + WINDOW as u64)).collect();
                    let batch = numbers.iter().map(|n| to(way(*n), *n)).collect();
                    let outcomes = broker.publish_batch(batch).await;
                    assert_eq!(outcomes.len(), numbers.len());
                    for (n, outcome) in numbers.into_iter().zip(outcomes) {
                        judge(n, outcome);
                    }
                }
            } else {
                let mut outcomes = stream::iter(0..EACH)
                    .map(|n| {
                        let (broker, queue) = (broker.clone(), way(n).to_owned());
                        async move {
                            let envelope = note(&queue, n);
                            (n, broker.publish_envelope(Route::queue(&queue), &envelope).await)
                        }
                    })
                    .buffer_unordered(WINDOW);
                while let Some((n, outcome)) = outcomes.next().await {
                    judge(n, outcome);
                }
            }
            right
        }));
    }
    let mut arrived = 0;
    for task in tasks {
        arrived += task.await.unwrap();
    }
    assert!(arrived > 1000 && arrived < 19_000, "{arrived} were routable");
    assert_eq!(
        other.depth(&queue, arrived).await,
        arrived,
        "what was confirmed is there, and nothing else"
    );
    other.delete(&[&queue]).await;
}

#[tokio::test]
async fn one_id_twice_in_a_batch_is_told_apart() {
    let broker = shared::broker().await;
    let other = Other::new(&shared::url()).await;
    let queue = unique("twice");
    other
        .declare(&queue, true, lapin::types::FieldTable::default())
        .await
        .unwrap();
    let there = to(&queue, 1);
    let mut nowhere = there.clone();
    nowhere.route = Route::queue(format!("{queue}.nobody"));
    let batch: Vec<_> = (0..50).flat_map(|_| [there.clone(), nowhere.clone()]).collect();
    for (nth, outcome) in broker.publish_batch(batch).await.into_iter().enumerate() {
        match outcome {
            Ok(_) => assert_eq!(nth % 2, 0),
            Err(PublishError::Returned) => assert_eq!(nth % 2, 1),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(other.depth(&queue, 50).await, 50);
    other.delete(&[&queue]).await;
}

#[tokio::test]
async fn what_can_not_be_sent_is_said_and_hurts_no_neighbour() {
    let broker = shared::broker().await;
    let other = Other::new(&shared::url()).await;
    let queue = unique("neighbours");
    other
        .declare(&queue, true, lapin::types::FieldTable::default())
        .await
        .unwrap();
    let mut batch: Vec<_> = (0..30).map(|n| to(&queue, n)).collect();
    batch[3].route = Route::exchange(unique("no-such-exchange"), "k");
    batch[4].route = Route::exchange(unique("no-such-exchange"), "k").optional();
    batch[7].envelope = note(&queue, 7).header("h", "x".repeat(70_000));
    batch[9].route = Route::queue("");
    batch[11].route = Route::queue(format!("{queue}.nobody")).optional();
    for (nth, outcome) in broker.publish_batch(batch).await.into_iter().enumerate() {
        match nth {
            3 | 4 => assert!(matches!(outcome, Err(PublishError::NotSent(_))), "{outcome:?}"),
            7 | 9 => assert!(matches!(outcome, Err(PublishError::Invalid(_))), "{outcome:?}"),
            _ => assert!(outcome.is_ok(), "{nth}: {outcome:?}"),
        }
    }
    assert_eq!(other.depth(&queue, 25).await, 25);
    other.delete(&[&queue]).await;
}

#[tokio::test]
async fn a_full_queue_says_no() {
    let broker = shared::broker().await;
    let other = Other::new(&shared::url()).await;
    let queue = unique("full");
    let mut arguments = lapin::types::FieldTable::default();
    arguments.insert("x-max-length".into(), 1.into());
    arguments.insert(
        "x-overflow".into(),
        lapin::types::AMQPValue::LongString("reject-publish".into()),
    );
    other.declare(&queue, true, arguments).await.unwrap();
    let outcomes = broker
        .publish_batch((0..3).map(|n| to(&queue, n)).collect())
        .await;
    let nacked = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Err(PublishError::Nacked)))
        .count();
    assert_eq!(nacked, 2, "{outcomes:?}");
    other.delete(&[&queue]).await;
}
