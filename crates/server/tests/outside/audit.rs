//! Everything that has to do with who somebody is leaves its trace (ASVS 16.3.1): what was done in the table `audit`, and
//! what was refused in the log, where nobody can fill a disk's worth of rows with it.

use std::fs;
use std::time::{Duration, Instant};

use gatepost_bench::outside::{Account, Answer, Client, Instance, Letter, Pair, escape, unknown_address};
use gatepost_storage::{Store, StoreOptions, audit};
use serde_json::{Value, json};

use crate::support::{reader, sqlite};

const NEXT: &str = "another heron wades at 7 by the weir";
const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn every_event_of_authentication_leaves_its_trace() {
    let gatepost = sqlite()
        .unlimited()
        .set("accounts.registration", "\"open\"")
        .set("tokens.algorithm", "\"ES256\"")
        .start();
    let client = gatepost.client();
    let reader = reader(&gatepost);
    people(&client, &reader);
    programs(&gatepost, &client, &reader);
    operators(&gatepost, &client);
    in_the_table(&gatepost, WHOLE);
    in_the_log(&gatepost, REFUSED);
}

#[test]
fn so_does_every_event_of_simplejwts_routes() {
    let gatepost = sqlite()
        .unlimited()
        .set("tokens.dialect", "\"simplejwt\"")
        .set(
            "simplejwt.signing_key",
            "\"django-insecure-0123456789abcdefghijklmnopqrstuvwxyz\"",
        )
        .set("simplejwt.rotate_refresh_tokens", "true")
        .set("simplejwt.blacklist_after_rotation", "true")
        .start();
    let client = gatepost.client();
    let account = Account::active(&client, &reader(&gatepost));
    let login = |password: &str| {
        let body = json!({"email": account.email, "password": password});
        client.post("/api/token/", &body)
    };
    login("not this one, surely").expect(401);
    let old = login(&account.password).expect(200).field("refresh");
    let ask =
        |view: &str, token: &str| client.post(&format!("/api/token/{view}/"), &json!({"refresh": token}));
    let next = ask("refresh", &old).expect(200).field("refresh");
    ask("refresh", &old).expect(401);
    ask("blacklist", &next).expect(200);
    ask("blacklist", &next).expect(401);
    client
        .post("/api/token/verify/", &json!({"token": "x"}))
        .expect(401);
    in_the_table(
        &gatepost,
        &[
            ("user.activated", "link"),
            ("session.started", "user:"),
            ("session.ended", "user:"),
        ],
    );
    let masked = "\"name\":\"o***@e***.com\"";
    in_the_log(
        &gatepost,
        &[
            ("/api/token/", masked),
            ("/api/token/", "no_active_account"),
            ("/api/token/refresh/", "token_not_valid"),
            ("/api/token/blacklist/", "token_not_valid"),
            ("/api/token/verify/", "token_not_valid"),
        ],
    );
}

/// What was done, and what the audit calls whoever did it.
const WHOLE: &[(&str, &str)] = &[
    ("user.activated", "link"),
    ("registration.withdrawn", "link"),
    ("session.started", "user:"),
    ("session.reused", "service"),
    ("session.ended", "user:"),
    ("sessions.ended", "user:"),
    ("password.changed", "user:"),
    ("password.reset_asked", "service"),
    ("password.reset", "link"),
    ("email.change_asked", "user:"),
    ("email.changed", "link"),
    ("email.change_withdrawn", "link"),
    ("user.invited", "key:"),
    ("invitation.accepted", "link"),
    ("user.created", "key:"),
    ("user.deactivated", "key:"),
    ("user.activated", "key:"),
    ("user.revoked", "key:"),
    ("user.deleted", "key:"),
    ("user.deleted", "user:"),
    ("session.created", "key:"),
    ("token.created", "key:"),
    ("token.revoked", "key:"),
    ("token.revoked", "cli"),
    ("user.revoked", "cli"),
    ("password.set", "cli"),
    ("api_key.created", "cli"),
    ("api_key.revoked", "cli"),
    ("key.created", "service"),
    ("key.created", "cli"),
    ("key.retired", "cli"),
    ("key.adopted", "cli"),
    ("admin.link_made", "cli"),
    ("admin.created", "cli"),
    ("admin.reset", "cli"),
    ("console.password_set", "link"),
    ("console.login", "admin:"),
    ("console.logout", "admin:"),
];

/// What was refused: the route, and what its line says besides.
const REFUSED: &[(&str, &str)] = &[
    ("/api/auth/login", "\"name\":\"o***@e***.com\""),
    ("/api/auth/login", "invalid_credentials"),
    ("/api/auth/login", "account_not_active"),
    ("/login", "\"name\":\"o***@e***.com\""),
    ("/login", "invalid_credentials"),
    ("/api/auth/refresh", "token_revoked"),
    ("/api/auth/refresh", "a replaced refresh token came again"),
    ("/api/auth/refresh", "token_malformed"),
    ("/api/users/me", "token_malformed"),
    ("/api/users/me", "token_revoked"),
    ("/api/users/me/password", "invalid_credentials"),
    ("/api/users/activate", "token_used"),
    ("/activate", "token_malformed"),
    ("/api/users/password/reset", "token_malformed"),
    ("/api/mail", "api_key_invalid"),
    ("/api/mail", "scope_missing"),
    ("/oauth/introspect", "invalid_client"),
    ("/oauth/introspect", "insufficient_scope"),
    ("/console/login", "\"name\":\"o***@e***.com\""),
    ("/console/login", "invalid_credentials"),
];

fn people(client: &Client, reader: &Client) {
    let account = Account::active(client, reader);
    let email = account.email.as_str();
    let activation = account.letter(reader, "activate_account").token();
    let by = |token: &str| json!({"token": token});
    client.post("/api/users/activate", &by(&activation)).expect(400);
    client.get("/activate?token=nonsense").expect(400);
    let stranger = Account::register(client).letter(reader, "activate_account");
    press(
        client,
        "/activate",
        &[("token", &stranger.token()), ("answer", "not_me")],
    );

    let wrong = json!({"email": email, "password": "not this one, surely"});
    client.post("/api/auth/login", &wrong).expect(401);
    let form = [("email", email), ("password", "not this one, surely")];
    press(client, "/login", &form).expect(401);
    // Two hold the session: it ends.
    let first = account.login(client);
    let refresh = |token: &str| client.post("/api/auth/refresh", &json!({"refresh": token}));
    let second = Pair::of(&refresh(&first.refresh).expect(200));
    refresh(&second.refresh).expect(200);
    refresh(&first.refresh).expect(401);
    refresh("nonsense").expect(401);
    for access in [first.access.as_str(), "nonsense"] {
        client.with_bearer(access).get("/api/users/me").expect(401);
    }
    let out = json!({"refresh": account.login(client).refresh});
    client.post("/api/auth/logout", &out).expect(204);
    let own = client.with_bearer(&account.login(client).access);
    let session = own.get("/api/auth/sessions").expect(200).json();
    let session = session["items"][0]["id"].as_str().unwrap().to_owned();
    own.send("DELETE", &format!("/api/auth/sessions/{session}"), None)
        .expect(204);
    let own = client.with_bearer(&account.login(client).access);
    own.send("POST", "/api/auth/logout-everywhere", None).expect(204);

    let own = client.with_bearer(&account.login(client).access);
    let change = |current: &str| json!({"current": current, "new": NEXT});
    own.post("/api/users/me/password", &change("not this one, surely"))
        .expect(401);
    own.post("/api/users/me/password", &change(&account.password))
        .expect(200);
    client
        .post("/api/users/password/forgot", &json!({"email": email}))
        .expect(202);
    let reset = account.letter(reader, "reset_password").token();
    let choose = |token: &str| json!({"token": token, "password": account.password});
    client
        .post("/api/users/password/reset", &choose("nonsense"))
        .expect(400);
    client
        .post("/api/users/password/reset", &choose(&reset))
        .expect(204);

    let own = client.with_bearer(&account.login(client).access);
    for answer in ["not_me", "confirm"] {
        let other = unknown_address();
        let body = json!({"email": other, "password": account.password});
        own.post("/api/users/me/email", &body).expect(202);
        let letter = Letter::wait(reader, &other, "confirm_email", 1).swap_remove(0);
        press(
            client,
            "/confirm-email",
            &[("token", &letter.token()), ("answer", answer)],
        );
    }
    let bye = serde_json::to_vec(&json!({"password": account.password})).unwrap();
    own.send("DELETE", "/api/users/me", Some(("application/json", bye)))
        .expect(200);
}

fn programs(gatepost: &Instance, client: &Client, reader: &Client) {
    let name = "audited";
    let made = gatepost.cli(&["--json", "apikey", "create", name, "--scope", "*"]);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let service = client.with_bearer(made["key"].as_str().unwrap());
    let invited = unknown_address();
    service
        .post("/api/service/users", &json!({"email": invited, "invite": true}))
        .expect(201);
    let letter = Letter::wait(reader, &invited, "invitation", 1).swap_remove(0);
    client
        .post(
            "/api/users/invitation/accept",
            &json!({"token": letter.token(), "password": NEXT}),
        )
        .expect(200);
    let email = unknown_address();
    let user = service
        .post("/api/service/users", &json!({"email": email, "password": NEXT}))
        .expect(201)
        .field("id");
    let path = format!("/api/service/users/{user}");
    let switch = |active: bool| {
        let body = serde_json::to_vec(&json!({ "active": active })).unwrap();
        service
            .send("PATCH", &path, Some(("application/json", body)))
            .expect(200);
    };
    switch(false);
    let login = json!({"email": email, "password": NEXT});
    client.post("/api/auth/login", &login).expect(403);
    switch(true);
    let session = service.post("/api/tokens", &json!({"user_id": user, "purpose": "refresh"}));
    let refresh = session.expect(201).field("token");
    service
        .post(
            "/api/tokens",
            &json!({"user_id": user, "purpose": "change_password"}),
        )
        .expect(201);
    service
        .post("/api/tokens/revoke", &json!({"token": refresh}))
        .expect(204);
    service
        .post("/api/tokens/revoke", &json!({"user_id": user}))
        .expect(204);
    let access = client.post("/api/auth/login", &login).expect(200).field("access");
    let form = format!("token={access}").into_bytes();
    service
        .send("POST", "/oauth/revoke", Some((FORM, form)))
        .expect(200);
    let access = client.post("/api/auth/login", &login).expect(200).field("access");
    done(gatepost, &["token", "revoke", &access]);
    done(gatepost, &["token", "revoke", "--user", &user, "--yes"]);
    service.send("DELETE", &path, None).expect(204);

    let poor = client.with_bearer(&gatepost.key(&["events:read"]));
    let unknown = client.with_bearer("gp_0123456789abcdef0123456789abcdef");
    poor.get("/api/mail").expect(403);
    unknown.get("/api/mail").expect(401);
    let form = || Some((FORM, b"token=x".to_vec()));
    poor.send("POST", "/oauth/introspect", form()).expect(403);
    unknown.send("POST", "/oauth/introspect", form()).expect(401);
    done(gatepost, &["apikey", "revoke", name, "--yes"]);
}

fn operators(gatepost: &Instance, client: &Client) {
    let old = told(gatepost, &["key", "list"]);
    let old = old["items"][0]["kid"].as_str().unwrap().to_owned();
    done(gatepost, &["key", "rotate", &old, "--now"]);
    done(gatepost, &["key", "retire", &old, "--yes"]);
    done(gatepost, &["key", "adopt", "--yes"]);
    let email = unknown_address();
    done(gatepost, &["user", "create", &email, "--no-password"]);
    set_password(gatepost, &email);

    done(gatepost, &["admin", "link"]);
    done(gatepost, &["admin", "create", "owner@example.com"]);
    let url = told(gatepost, &["admin", "reset", "owner@example.com", "--yes"]);
    let token = url["url"]
        .as_str()
        .unwrap()
        .split_once("token=")
        .unwrap()
        .1
        .to_owned();
    press(
        client,
        "/console/set-up",
        &[("token", &token), ("password", NEXT)],
    )
    .expect(303);
    let login = |password: &str| {
        let form = [("email", "owner@example.com"), ("password", password)];
        press(client, "/console/login", &form)
    };
    login("not this one, surely").expect(401);
    let entered = login(NEXT).expect(303);
    let cookie = entered.header("set-cookie").split(';').next().unwrap().to_owned();
    let inside = client.with_header("cookie", &cookie);
    let page = String::from_utf8(inside.get("/console/inbox").expect(200).body).unwrap();
    let csrf = page.split_once("name=\"csrf\" value=\"").unwrap().1;
    let csrf = csrf.split_once('"').unwrap().0;
    press(&inside, "/console/logout", &[("csrf", csrf)]).expect(303);
}

fn set_password(gatepost: &Instance, email: &str) {
    use std::io::Write as _;
    let mut command = gatepost.command();
    let mut child = command
        .args(["user", "set-password", email, "--yes"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{NEXT}").unwrap();
    assert!(child.wait().unwrap().success());
}

fn press(client: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
        .collect();
    client.send("POST", path, Some((FORM, pairs.join("&").into_bytes())))
}

#[track_caller]
fn told(gatepost: &Instance, args: &[&str]) -> Value {
    let output = gatepost.cli(&[&["--json"], args].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

#[track_caller]
fn done(gatepost: &Instance, args: &[&str]) {
    told(gatepost, args);
}

/// Each of them, by somebody whose name begins so.
#[track_caller]
fn in_the_table(gatepost: &Instance, expected: &'static [(&'static str, &'static str)]) {
    let file = gatepost.folder().join("gatepost-data/gatepost.db");
    let url = format!("sqlite://{}", file.display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let missing = runtime.block_on(async {
        let store = Store::open(&url, StoreOptions::default()).await.unwrap();
        store
            .read("audit", |tx| {
                Box::pin(async move {
                    let mut missing = Vec::new();
                    for (action, actor) in expected {
                        let rows = audit::recent(tx, action, 500).await?;
                        if !rows.iter().any(|row| row.actor.starts_with(actor)) {
                            let others: Vec<String> = rows.into_iter().map(|row| row.actor).collect();
                            missing.push(format!("{action} by {actor}, only by {others:?}"));
                        }
                    }
                    Ok::<_, gatepost_storage::Error>(missing)
                })
            })
            .await
            .unwrap()
    });
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Each of them on a line, with the route, and with the network that it came from.
#[track_caller]
fn in_the_log(gatepost: &Instance, expected: &[(&str, &str)]) {
    let file = gatepost.folder().join("gatepost-data/logs/app.log");
    let began = Instant::now();
    loop {
        let log = fs::read_to_string(&file).unwrap();
        let missing: Vec<_> = expected
            .iter()
            .filter(|(route, text)| {
                let route = format!("\"route\":\"{route}\"");
                !log.lines()
                    .any(|line| line.contains(&route) && line.contains(text) && line.contains("127.0.0.0/24"))
            })
            .collect();
        if missing.is_empty() {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{missing:#?}\n{log}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
