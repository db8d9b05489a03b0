//! Revoked means now, on every instance.

use std::time::{Duration, Instant};

use gatepost_bench::outside::{Account, Client, Instance};
use serde_json::json;

use crate::support::{postgres, postgres_over_a_wire, reader, sqlite};

/// What is promised.
const WITHIN: Duration = Duration::from_secs(1);
/// The last request that was let through may have been asked just before, and answered on a busy machine.
const MARGIN: Duration = Duration::from_millis(500);

#[test]
fn a_logout_everywhere_reaches_the_other_instance_within_a_second() {
    let setup = postgres().unlimited();
    let (here, there) = (setup.start(), setup.start());
    let account = Account::active(&here.client(), &reader(&here));
    for _ in 0..5 {
        let pair = account.login(&here.client());
        let (ours, theirs) = (
            here.client().with_bearer(&pair.access),
            there.client().with_bearer(&pair.access),
        );
        theirs.get("/api/users/me").expect(200);
        ours.post("/api/auth/logout-everywhere", &json!({})).expect(204);
        assert_eq!(
            ours.get("/api/users/me").status,
            401,
            "at once where it was asked"
        );
        refused_within(&theirs, Instant::now());
        there
            .client()
            .post("/api/auth/refresh", &json!({ "refresh": pair.refresh }))
            .expect(401);
    }
}

#[test]
fn a_revocation_by_the_command_line_reaches_the_server_within_a_second() {
    for setup in [sqlite(), postgres()] {
        let gatepost = setup.unlimited().start();
        let account = Account::active(&gatepost.client(), &reader(&gatepost));
        let pair = account.login(&gatepost.client());
        let client = gatepost.client().with_bearer(&pair.access);
        client.get("/api/users/me").expect(200);
        revoke(&gatepost, &account.email);
        refused_within(&client, Instant::now());
        account.login(&gatepost.client());
    }
}

/// Whoever cannot hear what is revoked lets nobody in, and says that it is no fault of theirs.
#[test]
fn without_its_database_it_refuses_everybody_and_then_recovers() {
    let (setup, wire) = postgres_over_a_wire();
    let gatepost = setup.unlimited().start();
    let client = gatepost.client();
    let account = Account::active(&client, &reader(&gatepost));
    let pair = account.login(&client);
    let me = client.with_bearer(&pair.access);
    me.get("/api/users/me").expect(200);

    wire.cut();
    std::thread::sleep(WITHIN + MARGIN);
    let verify = client.post("/api/auth/verify", &json!({ "token": pair.access }));
    assert_eq!(
        (verify.status, verify.code()),
        (503, "dependency_unavailable".to_owned())
    );
    let login = json!({ "email": account.email, "password": account.password });
    let questions = [
        (&me, "GET", "/api/users/me", None),
        (&me, "GET", "/api/auth/sessions", None),
        (&client, "POST", "/api/auth/login", Some(login.clone())),
        (
            &client,
            "POST",
            "/api/auth/refresh",
            Some(json!({ "refresh": pair.refresh })),
        ),
        (&client, "POST", "/api/users", Some(login)),
        (
            &client,
            "POST",
            "/api/users/password/forgot",
            Some(json!({ "email": account.email })),
        ),
        (&client, "GET", "/readyz", None),
    ];
    for (client, method, path, body) in questions {
        let answer = client.send(
            method,
            path,
            body.map(|json| ("application/json", json.to_string().into_bytes())),
        );
        assert_eq!(answer.status, 503, "{method} {path}: {}", answer.json());
    }
    client.get("/healthz").expect(200);

    wire.mend();
    let began = Instant::now();
    while client.get("/readyz").status != 200 {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "not ready after the database came back"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    me.get("/api/users/me").expect(200);
    let next = client
        .post("/api/auth/refresh", &json!({ "refresh": pair.refresh }))
        .expect(200);
    assert_ne!(next.field("refresh"), pair.refresh);
    let late = Account::register(&client);
    late.letter(&reader(&gatepost), "activate_account");
}

fn revoke(gatepost: &Instance, email: &str) {
    let output = gatepost.cli(&["user", "revoke", email, "--yes"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[track_caller]
fn refused_within(client: &Client, began: Instant) {
    loop {
        let asked = Instant::now();
        let answer = client.get("/api/users/me");
        if answer.status == 401 {
            assert_eq!(answer.code(), "token_revoked");
            return;
        }
        assert!(
            asked - began < WITHIN + MARGIN,
            "still {} after {:?}",
            answer.status,
            asked - began
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
