//! A bad network between the program and its database or its broker: cut, silent, half closed, slow, broken within a
//! frame. Whatever was answered arrives.

use std::thread;
use std::time::{Duration, Instant};

use gatepost_bench::outside::{Instance, Rabbit, Sink, Wire};

use crate::letters::{Asker, nothing_twice};
use crate::support::{amqp_url, postgres, postgres_over_a_wire};

const PATIENCE: Duration = Duration::from_mins(2);

/// Each trouble, and how long it lasts.
fn troubles(wire: &Wire) {
    let pause = || thread::sleep(Duration::from_secs(3));
    for round in 0..2 {
        wire.cut();
        thread::sleep(Duration::from_secs(2));
        wire.mend();
        pause();
        wire.half_close();
        pause();
        wire.cut_after(20_000 + round * 777);
        thread::sleep(Duration::from_secs(3));
        wire.mend();
        pause();
        wire.delay(Duration::from_millis(20));
        pause();
        wire.mend();
    }
    wire.stall();
    thread::sleep(Duration::from_secs(8));
    wire.mend();
    pause();
}

fn letters_arrive_over(wire: &Wire, gatepost: &Instance, sink: &Sink) {
    let mut asker = Asker::of(gatepost, "network");
    asker.ask_for(5);
    thread::scope(|scope| {
        let all = scope.spawn(|| troubles(wire));
        while !all.is_finished() {
            asker.ask();
            thread::sleep(Duration::from_millis(50));
        }
    });
    let began = Instant::now();
    while !asker.ask() {
        assert!(began.elapsed() < PATIENCE, "nothing is taken any more");
        thread::sleep(Duration::from_millis(200));
    }
    asker.all_arrive(sink, PATIENCE);
    eprintln!("{} letters answered and delivered", asker.answered.len());
}

#[test]
fn what_is_answered_over_a_bad_wire_to_the_database_arrives() {
    let sink = Sink::start();
    let (setup, wire) = postgres_over_a_wire();
    let gatepost = setup.unlimited().smtp(sink.port()).start();
    letters_arrive_over(&wire, &gatepost, &sink);
}

#[test]
fn what_is_answered_over_a_bad_wire_to_rabbitmq_arrives_once() {
    let sink = Sink::start();
    let url = amqp_url();
    let address = url.rsplit_once('@').map_or(url.as_str(), |(_, address)| address);
    let wire = Wire::to(address.split('/').next().unwrap());
    let queue = format!("outside.wire.{}", wire.port());
    let gatepost = postgres()
        .unlimited()
        .smtp(sink.port())
        .rabbitmq(&Rabbit::url_at(wire.port()))
        .set("mail.queue", format!("{queue:?}"))
        .start();
    letters_arrive_over(&wire, &gatepost, &sink);
    // Nothing happened between us and the mail server: what the broker gave twice was sent once.
    nothing_twice(&sink);
}
