//! A `PgBouncer` between Gatepost and PostgreSQL. The version of Debian 12 (1.18) knows no prepared statements in
//! transaction mode, and forgets what a session was told.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use gatepost_bench::outside::{Account, Client, Instance, PgBouncer, Setup};
use serde_json::json;

use crate::support::{at_once, postgres_url, reader, sqlite};

/// What is promised of a revocation, and what a busy machine may add to it.
const WITHIN: Duration = Duration::from_millis(1_500);
const PATIENCE: Duration = Duration::from_secs(30);

/// Through the pooler, listening past it.
fn through(pooler: &PgBouncer) -> Setup {
    let direct = postgres_url();
    sqlite()
        .postgres(&pooler.url(&direct))
        .set("storage.listen_url", format!("{direct:?}"))
        .unlimited()
}

#[track_caller]
fn wait_until(what: &str, patience: Duration, mut true_now: impl FnMut() -> bool) {
    let began = Instant::now();
    while !true_now() {
        assert!(began.elapsed() < patience, "never {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A logout everywhere at one is known to the other in time.
#[track_caller]
fn a_logout_reaches(there: &Instance, here: &Instance, account: &Account) {
    for _ in 0..3 {
        let access = account.login(&here.client()).access;
        let theirs = there.client().with_bearer(&access);
        theirs.get("/api/users/me").expect(200);
        here.client()
            .with_bearer(&access)
            .post("/api/auth/logout-everywhere", &json!({}))
            .expect(204);
        wait_until("refused elsewhere", WITHIN, || {
            theirs.get("/api/users/me").status == 401
        });
    }
}

/// Of many who press a link at once one wins; of many who refresh at once all get one successor.
#[track_caller]
fn one_wins(both: &[Instance], account: &Account) {
    let client = both[0].client();
    let forgot = json!({ "email": account.email });
    client.post("/api/users/password/forgot", &forgot).expect(202);
    let link = account.letter(&reader(&both[0]), "reset_password").token();
    let reset = json!({ "token": link, "password": account.password });
    let presses = at_once(16, both, |client: &Client| {
        client.post("/api/users/password/reset", &reset).status
    });
    assert_eq!(
        presses.iter().filter(|status| **status == 204).count(),
        1,
        "{presses:?}"
    );
    assert!(
        presses.iter().all(|status| [204, 400, 401, 410].contains(status)),
        "{presses:?}"
    );

    let refresh = json!({ "refresh": account.login(&client).refresh });
    let successors: BTreeSet<String> = at_once(16, both, |client: &Client| {
        client
            .post("/api/auth/refresh", &refresh)
            .expect(200)
            .field("refresh")
    })
    .into_iter()
    .collect();
    assert_eq!(successors.len(), 1, "{successors:?}");
}

#[test]
fn a_pooler_in_transaction_mode_is_found_and_everything_works_through_it() {
    let pooler = PgBouncer::start(&postgres_url(), "transaction", 3);
    let setup = through(&pooler);
    let both = [setup.start(), setup.start()];
    let account = Account::active(&both[0].client(), &reader(&both[0]));
    one_wins(&both, &account);
    a_logout_reaches(&both[1], &both[0], &account);
    for instance in &both {
        let said = instance.said();
        assert!(
            !said.contains("prepared statement") && !said.contains("WARN"),
            "{said}"
        );
    }
}

/// What others write is then found by looking, and that is said.
#[test]
fn without_a_direct_connection_revocations_still_arrive_within_a_second() {
    let pooler = PgBouncer::start(&postgres_url(), "transaction", 3);
    let setup = through(&pooler).set("storage.listen_url", "\"\"");
    let (here, there) = (setup.start(), setup.start());
    let account = Account::active(&here.client(), &reader(&here));
    a_logout_reaches(&there, &here, &account);
    assert!(
        there.said().contains("storage.listen_url is not set"),
        "{}",
        there.said()
    );
}

#[test]
fn a_pooler_in_session_mode_is_as_none() {
    let pooler = PgBouncer::start(&postgres_url(), "session", 30);
    let setup = through(&pooler);
    let both = [setup.start(), setup.start()];
    let account = Account::active(&both[0].client(), &reader(&both[0]));
    one_wins(&both, &account);
    a_logout_reaches(&both[1], &both[0], &account);
    // Also listening through it.
    let there = setup.set("storage.listen_url", "\"\"").start();
    a_logout_reaches(&there, &both[0], &account);
    assert!(!there.said().contains("pooler"), "{}", there.said());
}

#[test]
fn a_pooler_that_is_killed_lets_nobody_in_who_was_shut_out_and_comes_back() {
    let mut pooler = PgBouncer::start(&postgres_url(), "transaction", 3);
    let far = through(&pooler);
    let near = far.clone().set("storage.url", format!("{:?}", postgres_url()));
    let (near, far) = (near.start(), far.start());
    let account = Account::active(&near.client(), &reader(&near));
    let (lost, kept) = (account.login(&near.client()), account.login(&near.client()));
    let [shut_out, me] = [&lost, &kept].map(|pair| far.client().with_bearer(&pair.access));
    for client in [&shut_out, &me] {
        client.get("/api/users/me").expect(200);
    }

    pooler.kill();
    let refresh = json!({ "refresh": lost.refresh });
    near.client().post("/api/auth/logout", &refresh).expect(204);
    let told = Instant::now();
    while told.elapsed() < 2 * WITHIN {
        let late = told.elapsed() > WITHIN;
        let verify = json!({ "token": lost.access });
        let answer = far.client().post("/api/auth/verify", &verify);
        assert!(
            !late || answer.status == 503,
            "{}: {}",
            answer.status,
            answer.json()
        );
    }
    assert_eq!(me.get("/readyz").status, 503);

    pooler.restart();
    wait_until("ready again", PATIENCE, || far.is_ready());
    wait_until("shut out again", PATIENCE, || {
        let status = shut_out.get("/api/users/me").status;
        assert_ne!(status, 200, "nobody who was shut out is let in");
        status == 401
    });
    me.get("/api/users/me").expect(200);
    let forgot = json!({ "email": account.email });
    far.client()
        .post("/api/users/password/forgot", &forgot)
        .expect(202);
    account.letter(&reader(&near), "reset_password");
    a_logout_reaches(&far, &near, &account);
}

/// It says so and ends; or the errors that it meets name the setting.
#[test]
fn a_pooler_that_cannot_be_worked_with_is_named() {
    let statements = PgBouncer::start(&postgres_url(), "statement", 3);
    let mut gatepost = through(&statements).prepare();
    gatepost.spawn();
    wait_until("ended", PATIENCE, || gatepost.ended().is_some());
    assert!(gatepost.said().contains("statement mode"), "{}", gatepost.said());

    // One connection for all: the second session meets the first one's statements.
    let transactions = PgBouncer::start(&postgres_url(), "transaction", 1);
    let mut gatepost = through(&transactions)
        .set("storage.pooler", "\"session\"")
        .prepare();
    gatepost.spawn();
    wait_until("said", PATIENCE, || {
        // A line of JSON, or of text if it met it before it served.
        gatepost
            .said()
            .replace('\\', "")
            .contains("set storage.pooler to \"transaction\"")
    });
}
