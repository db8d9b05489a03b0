//! Many at work: each message once while nobody dies, and an orderly end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use gatepost_messaging::{Delivery, Outcome};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::world::{Note, World, everywhere, on_both, soon};

everywhere!(
    many_consumers_handle_each_message_once,
    a_stop_finishes_what_is_begun_and_gives_the_rest_back,
    no_more_handlers_run_than_were_allowed,
);

mod in_a_database {
    use super::{an_idle_consumer_writes_nothing, many_messages_cost_few_transactions};

    super::on_both!(
        many_messages_cost_few_transactions,
        an_idle_consumer_writes_nothing
    );
}

async fn many_consumers_handle_each_message_once(world: World) {
    const MESSAGES: u32 = 600;
    let seen: Arc<Mutex<HashMap<u32, u32>>> = Arc::default();
    let stop = CancellationToken::new();
    let mut running = Vec::new();
    for i in 0..6 {
        // Two of them as other processes would be.
        let broker = if i < 4 {
            world.broker()
        } else {
            world.other_broker().await
        };
        let seen = Arc::clone(&seen);
        let consumer = broker
            .consume::<Note, _, _>(&world.queue, move |d: Delivery<Note>| {
                *seen.lock().unwrap().entry(d.message.n).or_default() += 1;
                async {
                    tokio::task::yield_now().await;
                    Outcome::Done
                }
            })
            .concurrency(4);
        running.push(tokio::spawn(consumer.run_until(stop.clone())));
    }
    futures_util::future::join_all((0..MESSAGES).map(|n| world.publish(n))).await;
    let all = async {
        while seen.lock().unwrap().len() < MESSAGES as usize {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    soon("all are handled", all).await;
    stop.cancel();
    for consumer in running {
        soon("the consumers end", consumer).await.unwrap().unwrap();
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), MESSAGES as usize);
    assert!(seen.values().all(|times| *times == 1), "none twice");
}

async fn a_stop_finishes_what_is_begun_and_gives_the_rest_back(world: World) {
    for n in 0..10 {
        world.publish(n).await;
    }
    let (begun, mut begins) = mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(0));
    let wait = Arc::clone(&gate);
    let consumer = world
        .broker()
        .consume::<Note, _, _>(&world.queue, move |d: Delivery<Note>| {
            begun.send(d.message.n).unwrap();
            let wait = Arc::clone(&wait);
            async move {
                wait.acquire().await.unwrap().forget();
                Outcome::Done
            }
        })
        .concurrency(3)
        .prefetch(8);
    let stop = CancellationToken::new();
    let running = tokio::spawn(consumer.run_until(stop.clone()));
    let mut in_work = Vec::new();
    for _ in 0..3 {
        in_work.push(soon("three are begun", begins.recv()).await.unwrap());
    }
    stop.cancel();
    world
        .until_queue("the rest is given back", |q| q.in_hand == 3 && q.ready == 7)
        .await;
    assert!(!running.is_finished(), "it waits for what is begun");
    gate.add_permits(3);
    soon("the consumer ends", running).await.unwrap().unwrap();
    assert!(begins.try_recv().is_err(), "nothing new was begun");
    let mut rest = world.drain().await;
    rest.sort_unstable();
    in_work.extend(rest);
    in_work.sort_unstable();
    assert_eq!(in_work, (0..10).collect::<Vec<_>>());
}

async fn no_more_handlers_run_than_were_allowed(world: World) {
    for n in 0..60 {
        world.publish(n).await;
    }
    let running = Arc::new(Mutex::new((0_u32, 0_u32)));
    let count = Arc::clone(&running);
    let consumer = world.broker().consume::<Note, _, _>(&world.queue, move |_| {
        let count = Arc::clone(&count);
        async move {
            {
                let mut count = count.lock().unwrap();
                count.0 += 1;
                count.1 = count.1.max(count.0);
            }
            // Until there was a second one, and then some more.
            while count.lock().unwrap().1 < 2 {
                tokio::task::yield_now().await;
            }
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            count.lock().unwrap().0 -= 1;
            Outcome::Done
        }
    });
    let pending = consumer.concurrency(5).prefetch(20).run_pending();
    soon("all are handled", Box::pin(pending)).await.unwrap();
    let most = running.lock().unwrap().1;
    assert!((2..=5).contains(&most), "{most} at the same time");
}

/// How many transactions of a name were committed.
fn committed(world: &World, name: &str) -> u64 {
    world
        .store
        .stats()
        .transactions
        .get(name)
        .map_or(0, |stats| stats.committed)
}

async fn many_messages_cost_few_transactions(world: World) {
    let publish = (0..512).map(|n| world.publish(n));
    futures_util::future::join_all(publish).await;
    assert!(
        committed(&world, "enqueue_messages") <= 64,
        "{}",
        committed(&world, "enqueue_messages")
    );
    let consumer = world
        .broker()
        .consume::<Note, _, _>(&world.queue, |_| std::future::ready(Outcome::Done));
    consumer
        .concurrency(128)
        .prefetch(256)
        .run_pending()
        .await
        .unwrap();
    assert!(
        committed(&world, "claim_messages") <= 16,
        "{}",
        committed(&world, "claim_messages")
    );
    assert!(
        committed(&world, "settle_messages") <= 128,
        "{}",
        committed(&world, "settle_messages")
    );
    assert_eq!(world.queues.list().await.unwrap(), []);
}

async fn an_idle_consumer_writes_nothing(world: World) {
    let later = world.store.now() + std::time::Duration::from_secs(3600);
    world
        .publish_envelope(crate::world::note(1).not_before(later))
        .await;
    let before = committed(&world, "claim_messages");
    let consumer = world
        .broker()
        .consume::<Note, _, _>(&world.queue, |_| std::future::ready(Outcome::Done));
    let stop = CancellationToken::new();
    let running = tokio::spawn(consumer.run_until(stop.clone()));
    let looked = async {
        let mut statements = world.store.stats().statements;
        for _ in 0..5 {
            world.outbox.wake();
            // It looks, which is a statement, and goes back to sleep.
            while world.store.stats().statements == statements {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
            statements = world.store.stats().statements;
        }
    };
    soon("it looks when it is woken", looked).await;
    assert_eq!(committed(&world, "claim_messages"), before);
    stop.cancel();
    soon("the consumer ends", running).await.unwrap().unwrap();
}
