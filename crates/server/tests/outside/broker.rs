//! What can happen to a broker, to the whole program: frozen, out of memory, its queues deleted, switched to and from.

use std::thread;
use std::time::{Duration, Instant};

use gatepost_bench::outside::{Instance, Manner, Python, Rabbit, Setup, Sink};

use crate::letters::{Asker, all_arrive, nothing_twice};
use crate::support::{from_environment, postgres};

const PATIENCE: Duration = Duration::from_mins(3);
/// Two heartbeats, and what a busy machine adds.
const NOTICED: Duration = Duration::from_secs(25);

fn over(rabbit: &Rabbit, sink: &Sink) -> Setup {
    postgres()
        .unlimited()
        .smtp(sink.port())
        .rabbitmq(&rabbit.url())
        .set("shutdown.drain", "\"0s\"")
}

/// What it has said so far, to its terminal and its log.
fn told(gatepost: &Instance) -> String {
    let log = gatepost.folder().join("gatepost-data/logs/app.log");
    gatepost.said() + &std::fs::read_to_string(log).unwrap_or_default()
}

/// Waits until `/readyz` says this about the broker.
#[track_caller]
fn degraded(gatepost: &Instance, is: bool, within: Duration) {
    let began = Instant::now();
    loop {
        let answer = gatepost.client().get("/readyz");
        assert_eq!(answer.status, 200, "degraded is ready");
        let told = answer.json();
        if told["degraded"].to_string().contains("broker") == is {
            return;
        }
        assert!(began.elapsed() < within, "{told} after {within:?}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_frozen_and_a_blocked_broker_hold_nobody_up_and_nothing_is_lost() {
    let seconds = from_environment("GATEPOST_OUTSIDE_FREEZE", 30) as u64;
    let (rabbit, sink) = (Rabbit::with("consumer_timeout = 900000\n"), Sink::start());
    let gatepost = over(&rabbit, &sink).start();
    let mut asker = Asker::of(&gatepost, "frozen");
    asker.ask_for(20);
    asker.all_arrive(&sink, PATIENCE);

    rabbit.freeze();
    let frozen = Instant::now();
    asker.ask_for(20);
    assert!(
        frozen.elapsed() < Duration::from_secs(10),
        "requests need no broker"
    );
    degraded(&gatepost, true, NOTICED);
    thread::sleep(Duration::from_secs(seconds).saturating_sub(frozen.elapsed()));
    rabbit.thaw();
    degraded(&gatepost, false, Duration::from_mins(1));
    asker.all_arrive(&sink, PATIENCE);

    rabbit.ctl(&["set_vm_memory_high_watermark", "0.00001"]);
    let blocked = Instant::now();
    asker.ask_for(20);
    assert!(
        blocked.elapsed() < Duration::from_secs(10),
        "requests need no broker"
    );
    degraded(&gatepost, true, NOTICED);
    thread::sleep(Duration::from_secs(seconds).saturating_sub(blocked.elapsed()));
    rabbit.ctl(&["set_vm_memory_high_watermark", "0.6"]);
    degraded(&gatepost, false, Duration::from_mins(1));
    asker.all_arrive(&sink, PATIENCE);
    nothing_twice(&sink);
    assert!(gatepost.client().get("/healthz").status == 200);
}

#[test]
fn deleted_queues_come_back_and_what_was_ours_is_delivered() {
    let count = from_environment("GATEPOST_OUTSIDE_DELETED", 1000);
    let (rabbit, sink) = (Rabbit::start(), Sink::sparing());
    let setup = over(&rabbit, &sink);
    let api = setup.clone().role("api").start();
    let _dispatcher = setup.clone().role("dispatcher").start();
    let mut asker = Asker::of(&api, "deleted");
    asker.ask_for(count);
    // All of them lie with the broker, and no worker has ever run.
    let began = Instant::now();
    while rabbit.depth("gatepost.mail").unwrap_or_default() < count as u64 {
        assert!(began.elapsed() < PATIENCE, "{:?}", rabbit.depth("gatepost.mail"));
        thread::sleep(Duration::from_millis(200));
    }
    rabbit.ctl(&["delete_queue", "gatepost.mail"]);
    let mut worker = setup.clone().role("worker").start();
    asker.all_arrive(&sink, PATIENCE);
    nothing_twice(&sink);

    // The queue that is shared with others: what they had put there is gone, and that is said.
    worker.terminate();
    let url = rabbit.url();
    let lost = Python::run(
        "publish.py",
        &[
            &url,
            "email_queue",
            "--confirm",
            "--persistent",
            "--count",
            "7",
            "--to",
            "lost-{n}@example.com",
        ],
    );
    assert_eq!(lost.len(), 7);
    worker.restart();
    all_arrive(&sink, ["lost-6@example.com"].into_iter(), PATIENCE);
    // And with many of them in it.
    sink.behave(Manner::Slow(Duration::from_millis(500)));
    let count = [
        "--confirm",
        "--persistent",
        "--count",
        "500",
        "--to",
        "gone-{n}@example.com",
    ];
    Python::run(
        "publish.py",
        &[&[url.as_str(), "email_queue"], &count[..]].concat(),
    );
    let waiting = rabbit.depth("email_queue").unwrap_or_default();
    assert!(waiting > 100, "{waiting} of them wait");
    rabbit.ctl(&["delete_queue", "email_queue"]);
    sink.behave(Manner::Good);
    let began = Instant::now();
    while rabbit.depth("email_queue").is_none() {
        assert!(began.elapsed() < PATIENCE, "email_queue is not declared again");
        thread::sleep(Duration::from_millis(200));
    }
    let more = Python::run(
        "publish.py",
        &[
            &url,
            "email_queue",
            "--confirm",
            "--count",
            "3",
            "--to",
            "after-{n}@example.com",
        ],
    );
    all_arrive(
        &sink,
        more.iter().filter_map(|line| line.strip_prefix("answered ")),
        PATIENCE,
    );
    asker.ask_for(5);
    asker.all_arrive(&sink, PATIENCE);
    let gone = sink
        .received()
        .iter()
        .filter(|letter| letter.to[0].starts_with("gone-"))
        .count();
    assert!(gone < 500, "nothing was lost, so there was nothing to report");
    let said = told(&worker);
    let reported = said.lines().any(|line| {
        line.contains("email_queue")
            && (line.contains("not recover") || line.contains("cannot be brought back"))
    });
    assert!(reported, "it says what is lost: {said}");
}

#[test]
fn a_consumer_that_the_broker_timed_out_takes_up_its_work_again() {
    let (rabbit, sink) = (Rabbit::with("consumer_timeout = 3000\n"), Sink::start());
    // It looks once a minute; here, each second at every channel that is opened from now on.
    rabbit.ctl(&[
        "eval",
        "application:set_env(rabbit, channel_tick_interval, 1000).",
    ]);
    let gatepost = over(&rabbit, &sink).start();
    let mut asker = Asker::of(&gatepost, "timed-out");
    // Slower than the broker waits for an acknowledgement.
    sink.behave(Manner::Slow(Duration::from_secs(8)));
    asker.ask_for(3);
    let began = Instant::now();
    while !told(&gatepost).contains("delivery acknowledgement on channel") {
        assert!(began.elapsed() < NOTICED, "the broker lost no patience");
        thread::sleep(Duration::from_millis(200));
    }
    asker.ask_for(3);
    asker.all_arrive(&sink, PATIENCE);
    sink.behave(Manner::Good);
    asker.ask_for(10);
    asker.all_arrive(&sink, NOTICED);
    nothing_twice(&sink);
}

#[test]
fn the_broker_is_switched_both_ways_with_letters_under_way() {
    let (rabbit, sink) = (Rabbit::start(), Sink::start());
    let embedded = postgres()
        .unlimited()
        .smtp(sink.port())
        .set("shutdown.drain", "\"0s\"");
    let amqp = embedded.clone().rabbitmq(&rabbit.url());
    let mut all = Vec::new();
    sink.behave(Manner::Slow(Duration::from_millis(30)));
    for (nth, setup) in [&embedded, &amqp, &embedded, &amqp, &embedded]
        .into_iter()
        .enumerate()
    {
        let mut gatepost = setup.start();
        let mut asker = Asker::of(&gatepost, &format!("switched-{nth}"));
        asker.ask_during(Duration::from_secs(3), 60);
        all.extend(asker.answered.into_iter().map(|(to, _)| to));
        // Most of them are still on their way.
        if nth % 2 == 0 {
            assert!(gatepost.terminate().success());
        } else {
            gatepost.kill();
        }
    }
    let _gatepost = embedded.start();
    assert!(all.len() > 300, "{}", all.len());
    all_arrive(&sink, all.iter().map(String::as_str), PATIENCE);
}
