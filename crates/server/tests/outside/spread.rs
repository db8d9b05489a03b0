//! A logout on one of three instances, under load, and with the database cut off from one of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gatepost_bench::outside::{Account, Client, Instance, Wire};
use gatepost_bench::stats::percentile;
use serde_json::{Value, json};

use crate::support::{from_environment, postgres_over_a_wire, reader};

/// What is promised.
const WITHIN: Duration = Duration::from_secs(1);
const LOGGING_OUT: usize = 4;

/// Logs an account in again and again without the cost of a password.
struct Sessions {
    key: Client,
    user: String,
}

impl Sessions {
    fn of(at: &Instance) -> Self {
        let client = at.client();
        let account = Account::active(&client, &reader(at));
        let access = account.login(&client).access;
        let me = client.with_bearer(&access).get("/api/users/me").expect(200);
        Self {
            key: client.with_bearer(&at.key(&["sessions:create"])),
            user: me.field("id"),
        }
    }

    /// An access and a refresh token of a new session.
    fn begin(&self, client: &Client) -> (String, String) {
        let body = json!({ "user_id": self.user, "purpose": "refresh" });
        let refresh = self.key.post("/api/tokens", &body).expect(201).field("token");
        let pair = client
            .post("/api/auth/refresh", &json!({ "refresh": refresh }))
            .expect(200);
        (pair.field("access"), pair.field("refresh"))
    }
}

fn verify(client: &Client, access: &str) -> (u16, Value) {
    let answer = client.post("/api/auth/verify", &json!({ "token": access }));
    (answer.status, answer.json()["active"].clone())
}

fn is_active(client: &Client, access: &str) -> bool {
    verify(client, access) == (200, json!(true))
}

/// From the answer to the logout to the last question that was still answered "active".
fn until_refused(client: &Client, access: &str, told: Instant) -> Duration {
    let mut last = Duration::ZERO;
    loop {
        let asked = told.elapsed();
        if !is_active(client, access) {
            return last;
        }
        last = asked;
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_logout_under_load_is_known_to_all_within_a_second() {
    let rounds = from_environment("GATEPOST_OUTSIDE_LOGOUTS", 200);
    let setup = crate::support::postgres().unlimited();
    let all = [setup.start(), setup.start(), setup.start()];
    let sessions = Sessions::of(&all[0]);
    let stop = AtomicBool::new(false);
    let good = sessions.begin(&all[0].client()).0;
    let mut times: Vec<Duration> = Vec::new();
    thread::scope(|scope| {
        for instance in &all {
            scope.spawn(|| {
                let client = instance.client();
                while !stop.load(Ordering::Relaxed) {
                    assert!(is_active(&client, &good), "nobody revoked this one");
                }
            });
        }
        let logging_out: Vec<_> = (0..LOGGING_OUT)
            .map(|_| {
                scope.spawn(|| {
                    let [here, there, elsewhere] = [all[0].client(), all[1].client(), all[2].client()];
                    let mut times = Vec::new();
                    for _ in 0..rounds / LOGGING_OUT {
                        let (access, refresh) = sessions.begin(&here);
                        for client in [&there, &elsewhere] {
                            assert!(is_active(client, &access));
                        }
                        here.post("/api/auth/logout", &json!({ "refresh": refresh }))
                            .expect(204);
                        let told = Instant::now();
                        assert!(!is_active(&here, &access), "at once where it was asked");
                        times.extend(thread::scope(|both| {
                            [&there, &elsewhere]
                                .map(|client| both.spawn(|| until_refused(client, &access, told)))
                                .map(|asking| asking.join().expect("it is refused"))
                        }));
                    }
                    times
                })
            })
            .collect();
        for one in logging_out {
            times.extend(one.join().expect("every logout works"));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let (middle, most) = (percentile(&times, 0.5), percentile(&times, 0.999));
    eprintln!(
        "{} times: median {middle:?}, 99.9th percentile {most:?}",
        times.len()
    );
    assert!(most < WITHIN, "99.9th percentile {most:?}");
}

/// What becomes of the way to the database.
type Trouble = fn(&Wire);

/// The one that is cut off cannot hear of the logout: from a second after it on it lets nobody in.
#[test]
fn an_instance_that_hears_nothing_accepts_nothing_after_a_second() {
    let (far, wire) = postgres_over_a_wire();
    let far = far.unlimited();
    let url = std::env::var("GATEPOST_TEST_POSTGRES_URL").expect("the wire's end");
    let near = far.clone().set("storage.url", format!("{url:?}"));
    let (near, far) = (near.start(), far.start());
    let sessions = Sessions::of(&near);
    let troubles: [(&str, Trouble); 4] = [
        ("cut", Wire::cut),
        ("silent", Wire::stall),
        ("half open", |wire| {
            wire.half_close();
            wire.stall();
        }),
        ("cut in a frame", |wire| wire.cut_after(100)),
    ];
    for (name, trouble) in troubles {
        let (access, refresh) = sessions.begin(&near.client());
        assert!(is_active(&far.client(), &access), "{name}: before");
        trouble(&wire);
        near.client()
            .post("/api/auth/logout", &json!({ "refresh": refresh }))
            .expect(204);
        let told = Instant::now();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let client = far.client();
                    while told.elapsed() < 4 * WITHIN {
                        let asked = told.elapsed();
                        let (status, active) = verify(&client, &access);
                        let late = asked > WITHIN && (status, &active) == (200, &json!(true));
                        assert!(!late, "{name}: let in {asked:?} after the logout");
                    }
                });
            }
        });
        wire.mend();
        let began = Instant::now();
        while verify(&far.client(), &access) != (200, json!(false)) {
            assert!(began.elapsed() < Duration::from_secs(30), "{name}: not mended");
            thread::sleep(Duration::from_millis(20));
        }
    }
}
