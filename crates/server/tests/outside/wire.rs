//! With `mail.wire = "python"`: a dispatcher that dies between rendering a letter and noting that the broker has it, and a
//! queue that somebody deletes.

use std::time::Duration;

use gatepost_bench::outside::{Python, Sink};
use serde_json::{Value, json};

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

/// It is declared again for the next letter, and nobody has to start anything anew.
#[test]
fn a_deleted_queue_is_declared_again_and_letters_go_on_to_python() {
    let (queue, sink) = (Queue::new(), Sink::start());
    let gatepost = queue.setup(&sink).set("mail.wire", "\"python\"").start();
    let client = gatepost
        .client()
        .with_bearer(&gatepost.key(&["mail:send", "mail:read"]));
    let send = |to: &str| {
        let body = json!({ "to_email": to, "template_data": { "title": "t", "message": "m" } });
        client.post("/api/mail", &body).expect(202).field("id")
    };
    for round in 0..3 {
        let before = send(&format!("before-{round}@example.com"));
        until(&gatepost, &before, "handed_over");
        let deleted = Python::start("delete.py", &[&queue.url, &queue.name]).wait(Duration::from_secs(10));
        assert!(deleted, "the queue can be deleted");
        let after = send(&format!("after-{round}@example.com"));
        until(&gatepost, &after, "handed_over");
        let left = take(&queue, 1);
        assert_eq!(left[0]["message_id"], after.as_str(), "{left:?}");
    }
    assert_eq!(sink.count(), 0);
}

/// Takes so many messages off the queue.
#[track_caller]
fn take(queue: &Queue, count: usize) -> Vec<Value> {
    Python::run("get.py", &[&queue.url, &queue.name, &count.to_string()])
        .iter()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
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

    let on_the_queue = take(&queue, copies);
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
