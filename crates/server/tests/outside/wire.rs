//! With `mail.wire = "python"`: a dispatcher that dies between rendering a letter and noting that the broker has it.

use gatepost_bench::outside::{Python, Sink};
use serde_json::Value;

use crate::faults::{dies_at, show, until};
use crate::pika::Queue;

/// Nothing of it was on the broker: it goes there once.
#[test]
fn a_letter_rendered_and_not_published_is_published_once() {
    hit("wire.rendered", 0, 1);
}

/// The broker has it and nobody noted so: a twin, under the same id.
#[test]
fn a_letter_published_and_not_noted_is_published_again_under_its_id() {
    hit("wire.published", 1, 2);
}

/// Dies there with so many final steps noted; what the queue holds in the end.
#[track_caller]
fn hit(at: &str, dots: u64, copies: usize) {
    let (queue, sink) = (Queue::new(), Sink::start());
    let mut gatepost = queue.setup(&sink).set("mail.wire", "\"python\"").prepare();
    let id = dies_at(&mut gatepost, at);
    let stands = show(&gatepost, &id);
    assert_eq!(stands["dots"].as_u64(), Some(dots), "{at}: {stands}");
    gatepost.set_fault(None);
    gatepost.restart();
    let letter = until(&gatepost, &id, "handed_over");

    let on_the_queue: Vec<Value> = Python::run("get.py", &[&queue.url, &queue.name, &copies.to_string()])
        .iter()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    assert_eq!(on_the_queue.len(), copies, "{at}: {letter}");
    for message in &on_the_queue {
        assert_eq!(message["message_id"], id.as_str(), "{at}: {message}");
    }
    let queues = gatepost.cli(&["--json", "queue", "list"]);
    let queues: Value = serde_json::from_slice(&queues.stdout).expect("a list");
    let ours = queues["items"].as_array().into_iter().flatten();
    let left: Vec<_> = ours
        .filter(|q| q["queue"] == queue.name.as_str() && q["place"] == "rabbitmq")
        .map(|q| q["ready"].as_u64())
        .collect();
    assert_eq!(left, [Some(0)], "{at}: no more of them: {queues}");
    // Our own transport was never asked.
    assert_eq!(sink.count(), 0);
}
