//! SIGTERM finishes what was started.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use gatepost_bench::outside::{Account, Client, Letter};
use serde_json::json;

use crate::support::{reader, sqlite};

/// A hash takes its time: these are all in progress when the signal comes.
#[test]
fn every_request_that_was_accepted_is_answered() {
    let mut gatepost = sqlite().unlimited().start();
    let account = Account::active(&gatepost.client(), &reader(&gatepost));
    let base = gatepost.base();
    let sent = AtomicUsize::new(0);
    thread::scope(|scope| {
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let (base, account, sent) = (&base, &account, &sent);
                scope.spawn(move || {
                    let client = Client::new(base);
                    client.get("/healthz").expect(200);
                    sent.fetch_add(1, Ordering::SeqCst);
                    let body = json!({ "email": account.email, "password": account.password });
                    client.try_send(
                        "POST",
                        "/api/auth/login",
                        Some(("application/json", body.to_string().into_bytes())),
                    )
                })
            })
            .collect();
        while sent.load(Ordering::SeqCst) < 8 {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(30));
        assert!(gatepost.terminate().success(), "an orderly end is exit code 0");
        for call in calls {
            let answer = call
                .join()
                .expect("the caller does not panic")
                .expect("an answer, not a broken connection");
            assert_eq!(answer.status, 200, "{}", answer.json());
        }
    });

    // Nothing is lost, and the same folder starts again.
    gatepost.restart();
    account.login(&gatepost.client());
}

#[test]
fn a_letter_that_waited_is_sent_after_the_next_start() {
    let mut gatepost = sqlite().unlimited().start();
    let account = Account::register(&gatepost.client());
    assert!(gatepost.terminate().success());
    gatepost.restart();
    let letters = Letter::wait(&reader(&gatepost), &account.email, "activate_account", 1);
    assert_eq!(letters.len(), 1);
}
