//! Leases: the dead lose theirs, the living keep them, the late are told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use gatepost_messaging::{Ack, Outcome, QueueConfig, Topology};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::world::{Log, Note, World, everywhere, on_both, soon};

everywhere!(
    who_settles_too_late_is_told_and_changes_nothing,
    a_message_that_kills_its_process_is_put_aside_and_its_neighbours_are_not,
);

/// Classic queues count no deliveries, quorum queues do: neither is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_on_a_classic_queue() {
    let world = World::rabbitmq(true).await;
    a_message_that_kills_its_process_is_put_aside_and_its_neighbours_are_not(world).await;
}

/// RabbitMQ has no leases: it delivers again when the connection is gone.
mod in_a_database {
    use super::{
        a_dropped_consumers_message_comes_again_when_its_lease_is_over, a_lease_can_be_made_longer,
        a_living_handler_keeps_its_message,
    };

    super::on_both!(
        a_dropped_consumers_message_comes_again_when_its_lease_is_over,
        a_living_handler_keeps_its_message,
        a_lease_can_be_made_longer,
    );
}

const LEASE: Duration = Duration::from_secs(12);

async fn a_dropped_consumers_message_comes_again_when_its_lease_is_over(world: World) {
    world.publish(1).await;
    let (begun, mut begins) = mpsc::unbounded_channel();
    let consumer = world.broker().consume::<Note, _, _>(&world.queue, move |_| {
        begun.send(()).unwrap();
        std::future::pending()
    });
    let running = tokio::spawn(consumer.run_until(CancellationToken::new()));
    soon("the handler begins", begins.recv()).await.unwrap();
    running.abort();
    assert!(
        soon("the consumer is gone", running)
            .await
            .unwrap_err()
            .is_cancelled()
    );

    world
        .clock
        .advance(LEASE.saturating_sub(Duration::from_micros(1)));
    assert_eq!(world.drain().await, [0_u32; 0], "the lease still holds");
    world.clock.advance(Duration::from_micros(1));
    assert_eq!(world.drain().await, [1]);
}

async fn a_living_handler_keeps_its_message(world: World) {
    world.publish(1).await;
    let (begun, mut begins) = mpsc::unbounded_channel::<Ack>();
    let finish = Arc::new(Notify::new());
    let wait = Arc::clone(&finish);
    let consumer = world.broker().consume::<Note, _, _>(&world.queue, move |d| {
        begun.send(d.ack()).unwrap();
        let wait = Arc::clone(&wait);
        async move {
            wait.notified().await;
            Outcome::Done
        }
    });
    let stop = CancellationToken::new();
    let running = tokio::spawn(consumer.run_until(stop.clone()));
    let ack = soon("the handler begins", begins.recv()).await.unwrap();
    let id = world.queues.peek(&world.queue, None, 1).await.unwrap()[0].id;
    for _ in 0..12 {
        world.clock.advance(LEASE / 3);
        let until = world.store.now() + LEASE;
        let renewed = async {
            while world
                .queues
                .get(&world.queue, id)
                .await
                .unwrap()
                .unwrap()
                .visible_at
                < until
            {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        soon("the lease is renewed", renewed).await;
    }
    assert_eq!(world.drain().await, [0_u32; 0], "nobody else gets it");
    assert!(!ack.lease_lost().is_cancelled());
    finish.notify_one();
    world.until_queue("done", |q| q.in_hand == 0).await;
    stop.cancel();
    soon("the consumer ends", running).await.unwrap().unwrap();
    assert_eq!(world.drain().await, [0_u32; 0]);
}

async fn who_settles_too_late_is_told_and_changes_nothing(world: World) {
    world.publish(1).await;
    let (begun, mut begins) = mpsc::unbounded_channel::<Ack>();
    let consumer = world.broker().consume::<Note, _, _>(&world.queue, move |d| {
        begun.send(d.ack()).unwrap();
        std::future::pending()
    });
    let running = tokio::spawn(consumer.run_until(CancellationToken::new()));
    let late = soon("the handler begins", begins.recv()).await.unwrap();
    running.abort();
    let _ = running.await;
    world.advance(LEASE).await;
    world.until_queue("it comes again", |q| q.ready == 1).await;
    // Another has it now, and puts it back for later.
    let (log, handler) = Log::new(|_| Outcome::RetryAfter("no".into(), Duration::from_secs(60)));
    world
        .broker()
        .consume::<Note, _, _>(&world.queue, handler)
        .run_pending()
        .await
        .unwrap();
    assert_eq!(log.numbers(), [1]);

    for outcome in [
        Outcome::Done,
        Outcome::Retry("no".into()),
        Outcome::Fail("no".into()),
    ] {
        let (late, told) = (late.clone(), format!("{outcome:?}"));
        let won = world
            .store
            .run_tx("settle", move |tx| {
                let (late, outcome) = (late.clone(), outcome.clone());
                Box::pin(async move { late.settle_in(tx, &outcome).await })
            })
            .await;
        assert!(!won.unwrap(), "{told}");
    }
    assert!(!late.extend(LEASE).await.unwrap());
    assert!(late.lease_lost().is_cancelled());
    let status = world.queues.status(&world.queue).await.unwrap();
    assert_eq!((status.delayed, status.dead), (1, 0));
    world.advance(Duration::from_secs(60)).await;
    assert_eq!(world.drain().await, [1]);
}

async fn a_message_that_kills_its_process_is_put_aside_and_its_neighbours_are_not(world: World) {
    let poison = world.publish(0).await;
    for n in 1..=20 {
        world.publish(n).await;
    }
    let broker = world.broker();
    broker
        .make_known(&Topology::new().queue(&world.queue, |q: QueueConfig| q.max_starts(5)))
        .unwrap();
    let starts = Arc::new(AtomicU32::new(0));
    let hooked = Arc::new(AtomicU32::new(0));
    // Ten deaths are more than it may cost to find out.
    for life in 0..10 {
        let (died, mut death) = mpsc::unbounded_channel();
        let (starts_now, hook) = (Arc::clone(&starts), Arc::clone(&hooked));
        let consumer = broker
            .consume::<Note, _, _>(&world.queue, move |d| {
                let (died, starts) = (died.clone(), Arc::clone(&starts_now));
                async move {
                    if d.message.n == 0 {
                        starts.fetch_add(1, Ordering::SeqCst);
                        died.send(()).unwrap();
                        std::future::pending::<()>().await;
                    }
                    // The neighbours of the first deaths are slow, so that they die with it.
                    if life < 2 {
                        std::future::pending::<()>().await;
                    }
                    Outcome::Done
                }
            })
            .on_dead(move |_, dead| {
                let hook = Arc::clone(&hook);
                assert_eq!(dead.reason, "crash_loop");
                Box::pin(async move {
                    hook.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                })
            })
            .concurrency(32);
        let stop = CancellationToken::new();
        let running = tokio::spawn(consumer.run_until(stop.clone()));
        let over = Box::pin(async {
            loop {
                let status = world.queues.status(&world.queue).await.unwrap();
                if status.dead == 1 && status.ready + status.in_hand == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        let died = soon("a death or the end", async {
            tokio::select! {
                _ = death.recv() => true,
                () = over => false,
            }
        })
        .await;
        if !died {
            stop.cancel();
            soon("the consumer ends", running).await.unwrap().unwrap();
            break;
        }
        running.abort();
        let _ = running.await;
        world.advance(LEASE).await;
    }
    assert_eq!(
        starts.load(Ordering::SeqCst),
        5,
        "it was begun so often and no more"
    );
    let dead = world.queues.dead_letters(&world.queue, None, 100).await.unwrap();
    assert_eq!(dead.iter().map(|d| d.id).collect::<Vec<_>>(), [poison]);
    assert_eq!(hooked.load(Ordering::SeqCst), 1);
    let status = world.queues.status(&world.queue).await.unwrap();
    assert_eq!(status.ready + status.in_hand, 0, "the neighbours were handled");
}

async fn a_lease_can_be_made_longer(world: World) {
    world.publish(1).await;
    let (begun, mut begins) = mpsc::unbounded_channel::<Ack>();
    let consumer = world.broker().consume::<Note, _, _>(&world.queue, move |d| {
        begun.send(d.ack()).unwrap();
        std::future::pending()
    });
    let running = tokio::spawn(consumer.run_until(CancellationToken::new()));
    let ack = soon("the handler begins", begins.recv()).await.unwrap();
    assert!(ack.extend(Duration::from_secs(600)).await.unwrap());
    running.abort();
    let _ = running.await;
    world.clock.advance(Duration::from_secs(599));
    assert_eq!(world.drain().await, [0_u32; 0]);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.drain().await, [1]);
}
