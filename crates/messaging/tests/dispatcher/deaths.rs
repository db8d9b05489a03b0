//! A dispatcher dies at each step, as a process that is killed there.

use std::process::Command;
use std::time::Duration;

use gatepost_messaging::Broker;
use gatepost_storage::testing::{Database, ManualClock};
use gatepost_storage::{Store, StoreOptions, Timestamp};

use crate::world::{World, amqp_url, on_both};

on_both!(dies_at_each_step);

const URL: &str = "GATEPOST_TEST_CHILD_URL";
const SCHEMA: &str = "GATEPOST_TEST_CHILD_SCHEMA";
const QUEUE: &str = "GATEPOST_TEST_CHILD_QUEUE";
const CLOCK: &str = "GATEPOST_TEST_CHILD_CLOCK";

/// Not a test of its own: the process that is to die.
#[tokio::test]
async fn child() {
    let Ok(url) = std::env::var(URL) else { return };
    let now = Timestamp::from_micros(std::env::var(CLOCK).unwrap().parse().unwrap());
    let options = StoreOptions {
        schema: std::env::var(SCHEMA).unwrap(),
        max_connections: 4,
        clock: ManualClock::at(now).clock(),
        ..StoreOptions::default()
    };
    let store = Store::open(&url, options).await.unwrap();
    let broker = Broker::connect(&amqp_url()).await.unwrap();
    let dispatcher = broker.dispatch(&store).hold(std::env::var(QUEUE).unwrap());
    dispatcher.window(50).run_pending().await.unwrap();
}

/// Lets another process dispatch; whether it came to its end.
fn dispatch(world: &World, fault: &str) -> bool {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "deaths::child", "--nocapture"])
        .env(URL, &world.db.url)
        .env(SCHEMA, &world.db.schema)
        .env(QUEUE, &world.queue)
        .env(CLOCK, world.clock.now().as_micros().to_string())
        .env("GATEPOST_FAULT", fault)
        .output()
        .unwrap()
        .status
        .success()
}

async fn dies_at_each_step(db: Database) {
    let world = World::declared(db).await;
    for (fault, twins) in [
        ("dispatch.claimed:2", 0),
        // The broker has them and nobody noted it: they go again under the same ids.
        ("dispatch.published:2", 50),
        ("dispatch.marked:2", 0),
    ] {
        let ids = world.publish(150).await;
        assert!(!dispatch(&world, fault), "{fault}: it lives");
        // Others take over once the lease is over.
        world.later(Duration::from_secs(60));
        world.holding().run_pending().await.unwrap();
        let there = world.take_all().await;
        assert!(
            ids.iter().all(|id| there.get(id).is_some_and(|n| *n <= 2)),
            "{fault}: one is lost, or there is a third"
        );
        assert_eq!(there.values().filter(|n| **n == 2).count(), twins, "{fault}");
        assert_eq!(world.rows().await.handed, 150, "{fault}");
        world.handled(ids).await;
    }
    world.end().await;
}
