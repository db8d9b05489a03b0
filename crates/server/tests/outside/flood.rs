//! More letters than anybody sends in a minute wait while no worker runs: memory stays flat, and then they go out.

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use gatepost_bench::chaos::flood;
use gatepost_bench::outside::{Rabbit, Setup, Sink};

use crate::support::{from_environment, postgres};

const MIB: u64 = 1024 * 1024;
/// What a process may grow by: not what it was given to do, which would be some 500 bytes and more a letter.
const GROWTH: u64 = 40 * MIB;

#[test]
fn letters_that_wait_take_no_memory_over_rabbitmq() {
    let rabbit = Rabbit::start();
    wait_and_go(&postgres().rabbitmq(&rabbit.url()));
}

#[test]
fn letters_that_wait_take_no_memory_over_the_database() {
    wait_and_go(&postgres());
}

fn wait_and_go(setup: &Setup) {
    let count = from_environment("GATEPOST_OUTSIDE_FLOOD", 5_000);
    let sink = Sink::sparing();
    let setup = setup
        .clone()
        .unlimited()
        .smtp(sink.port())
        .set("log.level", "\"warn\"");
    let dispatcher = setup.clone().role("api,dispatcher").start();
    let idle = dispatcher.memory();
    let began = Instant::now();
    flood(&setup, count);
    // What is handed to the broker is held there, not here.
    let mut highest = idle;
    while began.elapsed() < Duration::from_secs(10) + Duration::from_millis(count as u64 / 2) {
        highest = highest.max(dispatcher.memory());
        thread::sleep(Duration::from_millis(100));
    }
    assert!(
        highest < idle + GROWTH,
        "the dispatcher grew from {} to {} MiB",
        idle / MIB,
        highest / MIB
    );

    let worker = setup.role("worker").start();
    let (began, first) = (Instant::now(), worker.memory());
    let mut most = first;
    while sink.count() < count {
        most = most.max(worker.memory());
        assert!(
            began.elapsed() < Duration::from_secs(60) + Duration::from_millis(count as u64 * 20),
            "{} of {count}",
            sink.count()
        );
        thread::sleep(Duration::from_millis(50));
    }
    let took = began.elapsed();
    eprintln!(
        "{count} letters: dispatcher {} to {} MiB, worker {} to {} MiB, drained in {took:.1?}",
        idle / MIB,
        highest / MIB,
        first / MIB,
        most / MIB
    );
    assert!(
        most < first + GROWTH,
        "the worker grew from {} to {} MiB",
        first / MIB,
        most / MIB
    );
    let received = sink.received();
    let to: HashSet<&str> = received
        .iter()
        .flat_map(|r| r.to.iter().map(String::as_str))
        .collect();
    assert_eq!((received.len(), to.len()), (count, count), "each once");
}
