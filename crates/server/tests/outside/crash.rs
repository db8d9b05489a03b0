//! From the moment a registration is answered, no kill loses its letter.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use gatepost_bench::outside::{Account, Client, Manner, Setup, Sink};

use crate::support::{from_environment, postgres, reader, sqlite};

/// A letter whose sender was killed waits for its lease to run out.
const PATIENCE: Duration = Duration::from_mins(3);

#[test]
fn a_kill_after_the_202_loses_no_letter_on_sqlite() {
    survives(&sqlite());
}

#[test]
fn a_kill_after_the_202_loses_no_letter_on_postgresql() {
    survives(&postgres());
}

fn survives(setup: &Setup) {
    let kills = from_environment("GATEPOST_OUTSIDE_KILLS", 5);
    let sink = Sink::start();
    // Slow to say that it has taken a letter: the only moment in which a kill makes a twin.
    sink.behave(Manner::Slow(Duration::from_millis(40)));
    let mut gatepost = setup.clone().unlimited().smtp(sink.port()).start();
    let mut accounts = Vec::new();
    for nth in 0..kills {
        accounts.push(Account::register(&gatepost.client()));
        // At once, and a little later, so that the dialogue with the mail server is hit as well.
        std::thread::sleep(Duration::from_millis([0, 0, 15, 30, 60][nth % 5]));
        gatepost.restart();
    }

    let began = Instant::now();
    loop {
        let received = sink.received();
        let missing = accounts
            .iter()
            .filter(|a| !received.iter().any(|r| r.to.contains(&a.email)))
            .count();
        if missing == 0 {
            break;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "{missing} of {kills} letters are lost"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    // Whoever was killed in its dialogue tries again after its lease: a third would show until then.
    let ledger = reader(&gatepost);
    while let Some(state) = unfinished(&ledger) {
        assert!(began.elapsed() < PATIENCE, "a letter is still {state}");
        std::thread::sleep(Duration::from_millis(100));
    }
    gatepost.terminate();

    let mut copies: HashMap<String, usize> = HashMap::new();
    let mut ids: HashMap<String, String> = HashMap::new();
    for letter in sink.received() {
        *copies.entry(letter.message_id.clone()).or_default() += 1;
        let to = letter.to.join(",");
        let id = ids.entry(to.clone()).or_insert_with(|| letter.message_id.clone());
        assert_eq!(*id, letter.message_id, "a twin has the same Message-ID");
        assert!(!letter.message_id.is_empty());
    }
    let twins = copies.values().filter(|count| **count > 1).count();
    assert!(
        copies.values().all(|count| *count <= 2),
        "never a third: {copies:?}"
    );
    assert_eq!(ids.len(), kills, "one letter an address");
    eprintln!("{kills} kills: {kills} letters, {twins} twins");
}

/// The state of a letter that was not sent yet, if there is one.
fn unfinished(ledger: &Client) -> Option<String> {
    let list = ledger.get("/api/mail?limit=500").expect(200).json();
    let states = list["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| item["state"].to_string());
    states.into_iter().find(|state| state != "\"sent\"")
}
