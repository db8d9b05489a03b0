//! Each row of the worker's half of the failure matrix, on purpose: the process aborts at a named place, and the
//! ledger, the mail server and the Message-IDs say what it cost.

use std::time::{Duration, Instant};

use gatepost_bench::outside::{Instance, Manner, Setup, Sink};
use serde_json::Value;

use crate::support::{postgres, sqlite};

/// After this a letter of a dead worker has long been taken over.
const PATIENCE: Duration = Duration::from_mins(2);

/// Where the process dies, and what that costs.
struct Row {
    at: &'static str,
    /// How the letter stands in the ledger then.
    state: &'static str,
    /// Starts and final dots that the ledger knows of then.
    noted: (u64, u64),
    /// Copies that the mail server has in the end, all with one Message-ID.
    copies: usize,
    /// Copies that the ledger holds possible in the end.
    possible: u64,
}

const ROWS: [Row; 7] = [
    row("mail.claimed", "waiting", (0, 0), 1, 1),
    row("mail.sending_noted", "sending", (1, 0), 1, 1),
    // The dot was not sent, but nobody can know that.
    row("mail.dot_noted", "sending", (1, 1), 1, 2),
    row("mail.dot_sent", "sending", (1, 1), 2, 2),
    row("mail.accepted", "sending", (1, 1), 2, 2),
    row("mail.sent_noted", "sent", (1, 1), 1, 1),
    row("mail.end_noted", "deferred", (1, 0), 1, 1),
];

const fn row(at: &'static str, state: &'static str, noted: (u64, u64), copies: usize, possible: u64) -> Row {
    Row {
        at,
        state,
        noted,
        copies,
        possible,
    }
}

#[test]
fn every_step_of_the_worker_dies_as_the_matrix_says_on_sqlite() {
    all(sqlite);
}

#[test]
fn every_step_of_the_worker_dies_as_the_matrix_says_on_postgresql() {
    all(postgres);
}

#[test]
fn two_deaths_after_the_dot_are_never_a_third_copy() {
    let sink = Sink::start();
    let mut gatepost = sqlite().smtp(sink.port()).prepare();
    let id = dies_at(&mut gatepost, "mail.accepted");
    gatepost.spawn();
    until_dead(&mut gatepost, "mail.accepted");
    gatepost.set_fault(None);
    gatepost.restart();
    let letter = until(&gatepost, &id, "unknown");
    assert_eq!(
        (copies(&sink, &id), letter["possible_copies"].as_u64()),
        (2, Some(2)),
        "{letter}"
    );
    // A person decides: a letter of its own.
    let again = gatepost.cli(&["--json", "mail", "resend", &id]);
    let again: Value = serde_json::from_slice(&again.stdout).expect("the new delivery");
    let again = again["id"].as_str().expect("an id").to_owned();
    until(&gatepost, &again, "sent");
    assert_eq!((copies(&sink, &id), copies(&sink, &again)), (2, 1));
}

fn all(setup: fn() -> Setup) {
    std::thread::scope(|scope| {
        for row in &ROWS {
            scope.spawn(move || hit(&setup(), row));
        }
    });
}

fn hit(setup: &Setup, row: &Row) {
    let sink = Sink::start();
    let puts_off = row.state == "deferred";
    if puts_off {
        sink.behave(Manner::Defers);
    }
    let mut gatepost = setup.clone().smtp(sink.port()).prepare();
    let id = dies_at(&mut gatepost, row.at);
    let stands = show(&gatepost, &id);
    assert_eq!(stands["state"], row.state, "{}: {stands}", row.at);
    let noted = (stands["starts"].as_u64(), stands["dots"].as_u64());
    assert_eq!(
        noted,
        (Some(row.noted.0), Some(row.noted.1)),
        "{}: {stands}",
        row.at
    );

    sink.behave(Manner::Good);
    gatepost.set_fault(None);
    gatepost.restart();
    let letter = until(&gatepost, &id, "sent");
    assert_eq!(copies(&sink, &id), row.copies, "{}: {letter}", row.at);
    assert_eq!(
        letter["possible_copies"].as_u64(),
        Some(row.possible),
        "{}: {letter}",
        row.at
    );
    assert_eq!(sink.count(), row.copies, "{}: one Message-ID", row.at);
    // Whoever would send it again does so after a lease.
    std::thread::sleep(Duration::from_secs(15));
    assert_eq!(sink.count(), row.copies, "{}: later", row.at);
}

/// Starts it so that it dies there, and gives it a letter to die of.
pub(crate) fn dies_at(gatepost: &mut Instance, at: &str) -> String {
    gatepost.set_fault(Some(at));
    gatepost.restart();
    let letter = [
        "mail",
        "send",
        "--to",
        "anna@example.com",
        "--title",
        "Hello",
        "--message",
        "It works.",
    ];
    let sent = gatepost.cli(&letter);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let id = String::from_utf8_lossy(&sent.stdout).trim().to_owned();
    until_dead(gatepost, at);
    id
}

fn until_dead(gatepost: &mut Instance, at: &str) {
    let began = Instant::now();
    while gatepost.ended().is_none() {
        assert!(
            began.elapsed() < PATIENCE,
            "{at} is not reached: {}",
            gatepost.said()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(
        gatepost.said().contains(at),
        "it died of something else: {}",
        gatepost.said()
    );
}

pub(crate) fn show(gatepost: &Instance, id: &str) -> Value {
    let shown = gatepost.cli(&["--json", "mail", "show", id]);
    serde_json::from_slice(&shown.stdout)
        .unwrap_or_else(|_| panic!("{id}: {}", String::from_utf8_lossy(&shown.stderr)))
}

pub(crate) fn until(gatepost: &Instance, id: &str, state: &str) -> Value {
    let began = Instant::now();
    loop {
        let letter = show(gatepost, id);
        if letter["state"] == state {
            return letter;
        }
        assert!(began.elapsed() < PATIENCE, "{id} is not {state}: {letter}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn copies(sink: &Sink, id: &str) -> usize {
    let of = sink
        .received()
        .into_iter()
        .filter(|letter| letter.message_id.contains(id));
    of.count()
}
