//! Webhooks: signed, in order, tried for a day, each on its own.

use std::time::Duration;

use gatepost_messaging::events::RelayStatus;
use tokio_util::sync::CancellationToken;

use super::receiver::{Does, Receiver, SECRET};
use crate::world::World;

const HOUR: Duration = Duration::from_secs(3600);

async fn world(receivers: &[(&str, &Receiver)], events: &str, postgres: bool) -> World {
    let mut settings: Vec<(String, String)> = Vec::new();
    for (name, receiver) in receivers {
        let key = |field: &str| format!("GATEPOST__WEBHOOKS__{}__{field}", name.to_uppercase());
        settings.push((key("URL"), receiver.url.clone()));
        settings.push((key("SECRET"), SECRET.to_owned()));
        settings.push((key("EVENTS"), events.to_owned()));
    }
    if postgres {
        let place = gatepost::testing::TestApp::postgres_settings();
        settings.extend(place.map(|(key, value)| (key.to_owned(), value)));
    }
    let pairs: Vec<(&str, &str)> = settings.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let world = World::with(&pairs).await;
    // From here on: a webhook that is new is told of nothing that was before.
    world.tell_events().await;
    world
}

async fn status(world: &World, name: &str) -> RelayStatus {
    let relays = world.app.events.relays().await.unwrap();
    relays.into_iter().find(|relay| relay.name == name).unwrap()
}

async fn told_in_order(postgres: bool) {
    let receiver = Receiver::start(&[]).await;
    let world = world(&[("crm", &receiver)], "user.*", postgres).await;
    world.account("ann@example.com").await;
    world.account("bob@example.com").await;
    world.tell_events().await;
    let got = receiver.got();
    assert_eq!(
        receiver.kinds(),
        [
            "user.registered",
            "user.activated",
            "user.registered",
            "user.activated"
        ]
    );
    for request in &got {
        assert!(request.is_signed(), "{request:?}");
        assert_eq!(
            request.header("webhook-id"),
            request.event()["id"].as_str().unwrap()
        );
        assert_eq!(request.header("content-type"), "application/json");
        let at: i64 = request.header("webhook-timestamp").parse().unwrap();
        assert_eq!(at, world.clock.now().as_secs());
    }
    assert_eq!(got[3].event()["data"]["email"], "bob@example.com");
    world.tell_events().await;
    assert_eq!(
        receiver.got().len(),
        4,
        "each once, as long as nothing goes wrong"
    );
    assert_eq!(status(&world, "webhook:crm").await.delivered, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_told_in_order_and_signed() {
    told_in_order(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_told_in_order_and_signed_on_postgres() {
    told_in_order(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_is_told_again_later_and_first() {
    let script = [
        Does::Busy(20),
        Does::Status(500),
        Does::Drop,
        Does::Garbage,
        Does::Redirect,
    ];
    let receiver = Receiver::start(&script).await;
    let world = world(&[("crm", &receiver)], "user.*", false).await;
    world.account("ann@example.com").await;
    // What the receiver asked for, then the rungs of the ladder.
    for (nth, delay) in [20, 30, 120, 600, 1_800].into_iter().enumerate() {
        world.tell_events().await;
        assert_eq!(receiver.got().len(), nth + 1);
        world.tell_events().await;
        assert_eq!(receiver.got().len(), nth + 1, "not before its hour");
        let status = status(&world, "webhook:crm").await;
        let delay = Duration::from_secs(delay);
        assert_eq!(status.attempts, i64::try_from(nth).unwrap() + 1);
        assert_eq!(status.next_try_at, Some(world.clock.now() + delay), "{status:?}");
        assert!(!status.last_error.unwrap().contains("s3cret"));
        world.advance(delay);
    }
    world.tell_events().await;
    let ids: Vec<String> = receiver
        .got()
        .iter()
        .map(|got| got.header("webhook-id").to_owned())
        .collect();
    assert!(
        ids[..6].iter().all(|id| *id == ids[0]),
        "the same event until it was taken"
    );
    assert_eq!(receiver.kinds()[5..], ["user.registered", "user.activated"]);
    assert!(receiver.got().iter().all(super::receiver::Got::is_signed));
    assert_eq!(status(&world, "webhook:crm").await.attempts, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_day_a_dead_receiver_has_missed_what_is_older_and_nothing_else() {
    let receiver = Receiver::start(&[]).await;
    receiver.always(Does::Drop);
    let world = world(&[("crm", &receiver)], "user.activated", false).await;
    world.account("first@example.com").await;
    world.account("second@example.com").await;
    let mut later = false;
    let begun = world.clock.now();
    while world.clock.now() < begun + 27 * HOUR {
        world.tell_events().await;
        if !later && world.clock.now() > begun + 12 * HOUR {
            world.account("third@example.com").await;
            later = true;
        }
        world.advance(Duration::from_secs(1_800));
    }
    let dead = status(&world, "webhook:crm").await;
    assert_eq!((dead.delivered, dead.given_up), (0, 2), "{dead:?}");
    receiver.always(Does::Status(200));
    world.advance(3 * HOUR);
    world.tell_events().await;
    let alive = status(&world, "webhook:crm").await;
    assert_eq!((alive.delivered, alive.given_up, alive.attempts), (1, 2, 0));
    let last = receiver.got().pop().unwrap();
    assert_eq!(last.event()["data"]["email"], "third@example.com");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_refused_for_itself_is_given_up_alone() {
    let receiver = Receiver::start(&[]).await;
    receiver.always(Does::Status(422));
    let world = world(&[("crm", &receiver)], "user.activated", false).await;
    world.account("first@example.com").await;
    let begun = world.clock.now();
    world.tell_events().await;
    world.account("second@example.com").await;
    while world.clock.now() < begun + 23 * HOUR {
        world.advance(HOUR);
        world.tell_events().await;
    }
    let waiting = receiver.got().len();
    assert!((8..24).contains(&waiting), "{waiting} tries in a day");
    world.advance(4 * HOUR);
    world.tell_events().await;
    let status = status(&world, "webhook:crm").await;
    assert_eq!((status.given_up, status.attempts), (1, 1), "{status:?}");
    let last = receiver.got().pop().unwrap();
    assert_eq!(
        last.event()["data"]["email"],
        "second@example.com",
        "it has its own day"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_hangs_holds_up_no_other_and_a_stop_waits_for_the_answer() {
    let (slow, quick) = (Receiver::start(&[]).await, Receiver::start(&[]).await);
    slow.always(Does::Hang);
    let world = world(&[("a_slow", &slow), ("b_quick", &quick)], "user.*", false).await;
    let stop = CancellationToken::new();
    let mut running = tokio::task::JoinSet::new();
    for line in gatepost::events::relays(&world.app).unwrap() {
        let stop = stop.clone();
        running.spawn(async move { line.run_until(stop).await });
    }
    world.account("ann@example.com").await;
    quick.until(2).await;
    slow.until(1).await;
    world.account("bob@example.com").await;
    quick.until(4).await;
    assert_eq!(slow.got().len(), 1);
    stop.cancel();
    // The quick one is done at once, the slow one when its time is up.
    while running.join_next().await.is_some() {}
    let slow = status(&world, "webhook:a_slow").await;
    assert_eq!((slow.attempts, slow.delivered), (1, 0));
    assert!(slow.last_error.unwrap().contains("15 s"));
    assert_eq!(status(&world, "webhook:b_quick").await.delivered, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_instances_one_tells() {
    let receiver = Receiver::start(&[]).await;
    let world = world(&[("crm", &receiver)], "user.*", true).await;
    let other = world.second_instance().await;
    let stop = CancellationToken::new();
    let mut running = tokio::task::JoinSet::new();
    for app in [&world.app, &other.app] {
        for line in gatepost::events::relays(app).unwrap() {
            let stop = stop.clone();
            running.spawn(async move { line.run_until(stop).await });
        }
    }
    for n in 0..5 {
        world.account(&format!("user{n}@example.com")).await;
    }
    receiver.until(10).await;
    stop.cancel();
    while running.join_next().await.is_some() {}
    assert_eq!(receiver.got().len(), 10);
}
