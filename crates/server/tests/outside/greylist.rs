//! Letters that are put off don't hold up others.

use std::time::Duration;

use gatepost_bench::outside::{Manner, Setup, Sink};
use gatepost_bench::stats::percentile;
use serde_json::json;

use crate::letters::all_arrive;
use crate::support::{from_environment, postgres, sqlite};

#[test]
fn half_of_all_put_off_leaves_the_others_below_a_second_on_sqlite() {
    others_stay_quick(&sqlite());
}

#[test]
fn half_of_all_put_off_leaves_the_others_below_a_second_on_postgresql() {
    others_stay_quick(&postgres());
}

fn others_stay_quick(setup: &Setup) {
    let seconds = from_environment("GATEPOST_OUTSIDE_GREY", 10) as u64;
    let sink = Sink::start();
    sink.behave(Manner::Greylists(Duration::from_secs(seconds)));
    let gatepost = setup.clone().unlimited().smtp(sink.port()).start();
    let client = gatepost.client().with_bearer(&gatepost.key(&["mail:send"]));
    let (mut asked, began) = (Vec::new(), std::time::Instant::now());
    while began.elapsed() < Duration::from_secs(seconds) {
        for kind in ["grey", "fresh"] {
            let to = format!("{kind}-{}@example.com", asked.len());
            let body = json!({ "to_email": to, "template_data": { "message": "A letter." } });
            client.post("/api/mail", &body).expect(202);
            asked.push((to, std::time::Instant::now()));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    all_arrive(
        &sink,
        asked.iter().map(|(to, _)| to.as_str()),
        Duration::from_mins(5),
    );
    let received = sink.received();
    let waited: Vec<Duration> = asked
        .iter()
        .filter(|(to, _)| to.starts_with("fresh"))
        .map(|(to, at)| {
            let arrived = received.iter().find(|r| r.to.contains(to)).expect("it arrived");
            arrived.at.saturating_duration_since(*at)
        })
        .collect();
    let median = percentile(&waited, 0.5);
    eprintln!(
        "{} letters, half put off for {seconds} s: the others' median {median:.0?}, 99th {:.0?}",
        asked.len(),
        percentile(&waited, 0.99)
    );
    assert!(median < Duration::from_secs(1), "{median:?}");
}
