//! A mail server that is away for longer than a link lives makes no dead link.

use std::time::{Duration, Instant};

use gatepost_bench::outside::{Account, Manner, Received, Sink};
use serde_json::json;

use crate::support::{from_environment, sqlite};

const PATIENCE: Duration = Duration::from_mins(3);

#[test]
fn every_link_that_arrives_after_an_outage_works() {
    let seconds = from_environment("GATEPOST_OUTSIDE_OUTAGE", 4);
    let outage = Duration::from_secs(seconds as u64);
    // A third of the outage, as 20 s are of a minute.
    let lifetime = format!("{{ lifetime = \"{}s\", one_time = true }}", (seconds / 3).max(2));
    let sink = Sink::start();
    sink.behave(Manner::Down);
    let gatepost = sqlite()
        .unlimited()
        .smtp(sink.port())
        .set("tokens.purposes.activate", lifetime)
        .start();
    let client = gatepost.client();

    let began = Instant::now();
    let mut accounts = Vec::new();
    while began.elapsed() < outage {
        accounts.push(Account::register(&client));
        std::thread::sleep(outage / 8);
    }
    assert_eq!(client.get("/readyz").status, 200, "degraded is ready");
    assert!(sink.received().is_empty());
    sink.behave(Manner::Good);

    let up = Instant::now();
    let mut pressed = 0;
    while pressed < accounts.len() {
        // In the order in which they arrive, each as soon as it is there.
        // Whoever is active gets a welcome, too: that one has no link with a token.
        let links: Vec<_> = sink.received().iter().filter_map(Received::link).collect();
        if let Some(link) = links.get(pressed) {
            let token = link.split_once("token=").expect("a token").1.to_owned();
            client
                .post("/api/users/activate", &json!({ "token": token }))
                .expect(200);
            pressed += 1;
        } else {
            assert!(
                up.elapsed() < PATIENCE,
                "{pressed} of {} letters arrived",
                accounts.len()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    for account in &accounts {
        account.login(&client);
    }
    eprintln!(
        "{seconds} s of outage: {pressed} links, all good, the last {:.1?} after its end",
        up.elapsed()
    );
}
