//! Wake-ups: the safety poll of these brokers never comes, so what they see, they were woken for.

use gatepost_messaging::{Broker, Outcome};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::world::{Log, Note, World, everywhere, on_both, soon};

everywhere!(
    an_idle_consumer_is_woken_by_another_process,
    what_is_given_back_wakes_another_consumer,
);

mod in_a_database {
    use super::an_idle_consumer_is_woken_by_a_commit;

    super::on_both!(an_idle_consumer_is_woken_by_a_commit);
}

fn idle(
    world: &World,
    broker: &Broker,
) -> (
    Log,
    CancellationToken,
    JoinHandle<Result<(), gatepost_messaging::Error>>,
) {
    let (log, handler) = Log::new(|_| Outcome::Done);
    let stop = CancellationToken::new();
    let consumer = broker.consume::<Note, _, _>(&world.queue, handler).concurrency(1);
    let running = tokio::spawn(consumer.run_until(stop.clone()));
    (log, stop, running)
}

async fn an_idle_consumer_is_woken_by_a_commit(world: World) {
    let (log, stop, running) = idle(&world, &world.broker());
    for n in 0..20 {
        if n % 2 == 0 {
            world.publish(n).await;
        } else {
            world.publish_in_tx(n, true).await.unwrap();
        }
        world.until_queue("handled", |q| q.ready + q.in_hand == 0).await;
    }
    assert_eq!(log.numbers(), (0..20).collect::<Vec<_>>());
    stop.cancel();
    soon("the consumer ends", running).await.unwrap().unwrap();
}

async fn an_idle_consumer_is_woken_by_another_process(world: World) {
    let other = world.other_broker().await;
    let (log, stop, running) = idle(&world, &other);
    for n in 0..5 {
        world.publish(n).await;
        until_handled(&log, n as usize + 1).await;
    }
    assert_eq!(log.numbers(), [0, 1, 2, 3, 4]);
    stop.cancel();
    soon("the consumer ends", running).await.unwrap().unwrap();
}

async fn what_is_given_back_wakes_another_consumer(world: World) {
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let gate = std::sync::Arc::new(tokio::sync::Notify::new());
    let wait = std::sync::Arc::clone(&gate);
    let greedy = world
        .broker()
        .consume::<Note, _, _>(&world.queue, move |_| {
            begun.send(()).unwrap();
            let wait = std::sync::Arc::clone(&wait);
            async move {
                wait.notified().await;
                Outcome::Done
            }
        })
        .concurrency(1)
        .prefetch(10);
    for n in 0..10 {
        world.publish(n).await;
        world.clock.advance(std::time::Duration::from_millis(1));
    }
    let stop = CancellationToken::new();
    let running = tokio::spawn(greedy.run_until(stop.clone()));
    soon("the first is begun", begins.recv()).await.unwrap();
    world.until_queue("all in one hand", |q| q.in_hand == 10).await;
    let (log, stop_other, other) = idle(&world, &world.broker());
    stop.cancel();
    until_handled(&log, 9).await;
    gate.notify_one();
    soon("the greedy one ends", running).await.unwrap().unwrap();
    assert_eq!(log.attempts(), [1; 9], "what was never begun counts as no try");
    assert_eq!(log.numbers(), (1..10).collect::<Vec<_>>(), "and keeps its place");
    stop_other.cancel();
    soon("the other ends", other).await.unwrap().unwrap();
}

async fn until_handled(log: &Log, messages: usize) {
    let handled = async {
        while log.numbers().len() < messages {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    soon("they are handled", handled).await;
}
