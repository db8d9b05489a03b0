//! Redis: what instances share through it, and what is lost without it: a moment, and nothing else.

use std::time::{Duration, Instant};

use gatepost_bench::outside::{Account, Answer, Client, Instance, Redis, unknown_address};
use serde_json::{Value, json};

use crate::support::{postgres, reader, sqlite};

/// A request waits 100 ms for Redis at most; the rest is for a machine that does other things as well.
const NO_LONGER: Duration = Duration::from_millis(1_500);
/// Attempts to come back are 5 s apart at most.
const BACK_WITHIN: Duration = Duration::from_secs(15);

/// Letters to one address: five at once, then one in ten minutes.
fn ask(client: &Client, email: &str) -> Answer {
    let began = Instant::now();
    let answer = client.post("/api/users/password/forgot", &json!({ "email": email }));
    assert!(began.elapsed() < NO_LONGER, "it took {:?}", began.elapsed());
    answer
}

#[track_caller]
fn let_through(client: &Client, email: &str, times: usize) {
    for _ in 0..times {
        ask(client, email).expect(202);
    }
}

#[track_caller]
fn held_back(client: &Client, email: &str) {
    let answer = ask(client, email).expect(429);
    assert_eq!(answer.code(), "rate_limited");
    let wait: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!((500..=600).contains(&wait), "{wait}");
}

fn missing(instance: &Instance) -> Value {
    instance.client().get("/readyz").expect(200).json()["degraded"].clone()
}

#[track_caller]
fn wait_until(what: &str, mut true_now: impl FnMut() -> bool) {
    let began = Instant::now();
    while !true_now() {
        assert!(began.elapsed() < BACK_WITHIN, "never {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[track_caller]
fn connected(instance: &Instance) {
    wait_until("connected", || missing(instance).is_null());
}

fn times_said(instance: &Instance, words: &str) -> usize {
    instance.said().matches(words).count()
}

#[test]
fn limits_hold_over_all_instances_and_name_nobody() {
    let redis = Redis::start();
    let setup = postgres().redis(&redis.url());
    let (here, there) = (setup.start(), setup.start());
    connected(&here);
    connected(&there);
    let email = unknown_address();
    let_through(&here.client(), &email, 3);
    let_through(&there.client(), &email, 2);
    held_back(&here.client(), &email);
    held_back(&there.client(), &email);
    let_through(&there.client(), &unknown_address(), 1);

    let name = email.split('@').next().unwrap();
    for key in redis.tell(&["KEYS", "gatepost:limit:*"]).lines() {
        assert!(!key.contains(name) && !key.contains("127.0.0.1"), "{key}");
        let life: i64 = redis.tell(&["PTTL", key]).parse().unwrap();
        assert!(life > 0, "{key} would stay for good");
    }
}

#[test]
fn the_right_password_at_one_instance_makes_good_the_wrong_ones_at_another() {
    let redis = Redis::start();
    let setup = postgres().redis(&redis.url());
    let (here, there) = (setup.start(), setup.start());
    connected(&here);
    connected(&there);
    let account = Account::active(&here.client(), &reader(&here));
    let wrong = json!({ "email": account.email, "password": "not the right one at all" });
    for _ in 0..2 {
        for _ in 0..9 {
            here.client().post("/api/auth/login", &wrong).expect(401);
        }
        account.login(&there.client());
    }
    // What one has seen, the other counts on from.
    for nth in 0..10 {
        let at = if nth % 2 == 0 { &here } else { &there };
        at.client().post("/api/auth/login", &wrong).expect(401);
    }
    here.client().post("/api/auth/login", &wrong).expect(429);
    there.client().post("/api/auth/login", &wrong).expect(429);
}

/// Frozen, killed, full: each process goes on from what it has seen, nobody notices, and it comes back by itself.
#[test]
fn without_redis_each_instance_counts_on_by_itself() {
    type Break = fn(&mut Redis);
    let outages: [(&str, Break, Break); 3] = [
        ("frozen", |redis| redis.freeze(), |redis| redis.thaw()),
        ("killed", Redis::kill, Redis::restart),
        ("full", |redis| redis.fill(), |redis| redis.make_room()),
    ];
    for (how, break_it, mend_it) in outages {
        let mut redis = Redis::start();
        let gatepost = sqlite().redis(&redis.url()).start();
        connected(&gatepost);
        let (client, email) = (gatepost.client(), unknown_address());
        let_through(&client, &email, 3);
        break_it(&mut redis);
        let_through(&client, &email, 2);
        held_back(&client, &email);
        assert_eq!(missing(&gatepost), json!(["cache"]), "{how}");
        let metrics = client.get("/metrics").expect(200).body;
        assert!(
            String::from_utf8_lossy(&metrics).contains("\ngatepost_cache_connected 0\n"),
            "{how}"
        );
        // Nobody else waits for it: 30 questions, each counted, in less than half as many deadlines.
        let began = Instant::now();
        for _ in 0..30 {
            client
                .post("/api/auth/refresh", &json!({ "refresh": "x" }))
                .expect(401);
        }
        assert!(
            began.elapsed() < Duration::from_millis(1_500),
            "{how}: {:?}",
            began.elapsed()
        );
        wait_until("said so", || times_said(&gatepost, "the cache is away") == 1);
        mend_it(&mut redis);
        connected(&gatepost);
        held_back(&client, &email);
        let said = gatepost.said();
        assert_eq!(times_said(&gatepost, "the cache is away"), 1, "{how}: {said}");
        assert_eq!(times_said(&gatepost, "the cache is back"), 1, "{how}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

/// What Redis has lost, the instances still know.
#[test]
fn an_emptied_redis_lets_nobody_through_who_was_held_back() {
    let mut redis = Redis::start();
    let setup = postgres().redis(&redis.url());
    let (here, there) = (setup.start(), setup.start());
    connected(&here);
    connected(&there);
    let email = unknown_address();
    let_through(&here.client(), &email, 5);
    redis.tell(&["FLUSHALL"]);
    held_back(&here.client(), &email);
    // That told Redis again, and so the other one.
    held_back(&there.client(), &email);
    assert!(missing(&here).is_null());
    redis.restart();
    held_back(&here.client(), &email);
    connected(&here);
    held_back(&here.client(), &email);
}

#[test]
fn a_redis_that_is_not_there_at_the_start_keeps_nobody_from_starting() {
    let mut redis = Redis::start();
    redis.kill();
    let gatepost = sqlite().redis(&redis.url()).start();
    let (client, email) = (gatepost.client(), unknown_address());
    let_through(&client, &email, 5);
    held_back(&client, &email);
    assert_eq!(missing(&gatepost), json!(["cache"]));
    redis.restart();
    connected(&gatepost);
    held_back(&client, &email);
}

#[test]
fn rediss_checks_the_certificate_against_the_authority_of_tls_ca_file() {
    let redis = Redis::with_tls();
    let ca = format!("{:?}", redis.ca_file().display().to_string());
    let trusting = sqlite().redis(&redis.url()).set("tls.ca_file", ca).start();
    connected(&trusting);
    let email = unknown_address();
    let_through(&trusting.client(), &email, 5);
    held_back(&trusting.client(), &email);
    assert!(redis.tell(&["KEYS", "gatepost:limit:*"]).lines().count() >= 2);

    let strange = sqlite().redis(&redis.url()).start();
    wait_until("said", || times_said(&strange, "the cache is away") == 1);
    assert_eq!(missing(&strange), json!(["cache"]));
    let email = unknown_address();
    let_through(&strange.client(), &email, 5);
    held_back(&strange.client(), &email);
}
