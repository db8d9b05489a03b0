//! What must not be read by whoever reads the log, or finds the data folder.

use std::fs;
use std::path::{Path, PathBuf};

use gatepost_bench::outside::{Account, Client, Pair};
use serde_json::json;

use crate::support::sqlite;

#[test]
fn no_secret_lies_in_a_log_line_or_a_file() {
    let mut gatepost = sqlite().unlimited().set("log.level", "\"debug\"").start();
    let key = gatepost.key(&[
        "mail:read",
        "tokens:create:activate",
        "tokens:verify",
        "mail:send",
    ]);
    let reader = gatepost.client().with_bearer(&key);
    let (account, mut secrets) = live(&gatepost.client(), &reader);
    secrets.push(key);
    assert!(gatepost.terminate().success(), "SIGTERM ends it in order");

    let files = files_below(gatepost.folder());
    let logs: Vec<_> = files.iter().filter(|path| is_log(path)).collect();
    let lines: usize = logs
        .iter()
        .map(|path| fs::read_to_string(path).unwrap().lines().count())
        .sum();
    assert!(lines > 20, "the tour left {lines} log lines at debug");
    let local = account.email.split('@').next().unwrap();
    for path in &logs {
        assert!(!holds(path, local), "{} holds an address", path.display());
    }
    for path in &files {
        for (nth, secret) in secrets.iter().enumerate() {
            assert!(
                !holds(path, secret),
                "{} holds secret {nth} in the clear",
                path.display()
            );
        }
    }
    let database = files.iter().filter(|path| holds(path, "SQLite format 3")).count();
    assert!(database > 0, "the database was among the files: {files:?}");
}

/// A whole life; gives every password and token it saw.
fn live(client: &Client, reader: &Client) -> (Account, Vec<String>) {
    let mut account = Account::register(client);
    let mut secrets = vec![account.password.clone()];
    let activate = account.letter(reader, "activate_account").token();
    client.get(&format!("/activate?token={activate}")).expect(200);
    client
        .send(
            "POST",
            "/activate",
            Some(form(&[("token", &activate), ("answer", "activate")])),
        )
        .expect(200);

    let first = account.login(client);
    let second = Pair::of(
        &client
            .post("/api/auth/refresh", &json!({ "refresh": first.refresh }))
            .expect(200),
    );
    client
        .with_bearer(&second.access)
        .get("/api/users/me")
        .expect(200);
    client
        .post("/api/auth/verify", &json!({ "token": second.access }))
        .expect(200);
    let new = "gravel over the old tramway";
    let change = json!({ "current": account.password, "new": new });
    let third = client
        .with_bearer(&second.access)
        .post("/api/users/me/password", &change)
        .expect(200);
    let third = Pair::of(&third);
    client
        .post("/api/auth/refresh", &json!({ "refresh": first.refresh }))
        .expect(401);
    account.try_login(client).expect(401);
    new.clone_into(&mut account.password);

    client
        .post("/api/users/password/forgot", &json!({ "email": account.email }))
        .expect(202);
    let reset = account.letter(reader, "reset_password").token();
    client.get(&format!("/reset-password?token={reset}")).expect(200);
    let last = "saltmarsh at the fourth bend";
    client
        .post(
            "/api/users/password/reset",
            &json!({ "token": reset, "password": "password" }),
        )
        .expect(422);
    client
        .post(
            "/api/users/password/reset",
            &json!({ "token": reset, "password": last }),
        )
        .expect(204);
    secrets.extend([account.password.clone(), last.to_owned()]);
    last.clone_into(&mut account.password);
    let fourth = account.login(client);
    client
        .with_bearer(&fourth.access)
        .post("/api/auth/logout-everywhere", &json!({}))
        .expect(204);

    // Bad ones are as secret as good ones: a typing error is nearly the password.
    let wrong = "saltmarsh at the fourth bent";
    client
        .post(
            "/api/auth/login",
            &json!({ "email": account.email, "password": wrong }),
        )
        .expect(401);
    let body = json!({ "user_id": "someone", "purpose": "activate" });
    let minted = reader.post("/api/tokens", &body).expect(201).field("token");
    reader
        .post(
            "/api/tokens/verify",
            &json!({ "token": minted, "purpose": "activate" }),
        )
        .expect(200);
    let code = "one-time code 428 913 and a half";
    let mail = json!({
        "to_email": account.email, "template": "notification", "data": { "title": "Code", "message": code },
    });
    reader.post("/api/mail", &mail).expect(202);
    account.letter(reader, "notification");

    secrets.extend([wrong, code, &activate, &reset, &minted].map(str::to_owned));
    for pair in [first, second, third, fourth] {
        secrets.extend([pair.access, pair.refresh]);
    }
    // A token's signature alone is what makes it one.
    let signatures: Vec<_> = secrets
        .iter()
        .filter_map(|s| s.rsplit_once('.'))
        .map(|(_, s)| s.to_owned())
        .collect();
    secrets.extend(signatures.into_iter().filter(|s| s.len() > 20));
    (account, secrets)
}

fn form(fields: &[(&str, &str)]) -> (&'static str, Vec<u8>) {
    let pairs: Vec<_> = fields.iter().map(|(k, v)| format!("{k}={v}")).collect();
    ("application/x-www-form-urlencoded", pairs.join("&").into_bytes())
}

fn is_log(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.components().any(|part| part.as_os_str() == "logs") || name.starts_with("words-")
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn holds(path: &Path, needle: &str) -> bool {
    let bytes = fs::read(path).unwrap();
    bytes
        .windows(needle.len())
        .any(|window| window == needle.as_bytes())
}
