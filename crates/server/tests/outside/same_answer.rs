//! Registered or not, the answer is the same. Its time is measured by `bench/src/bin/outside.rs`.

use gatepost_bench::outside::{Account, Answer, Client, unknown_address};
use serde_json::{Value, json};

use crate::support::{postgres, reader, sqlite};

#[test]
fn nobody_can_tell_a_known_address_on_sqlite() {
    let gatepost = sqlite().unlimited().start();
    same_answers(&gatepost.client(), &reader(&gatepost));
}

#[test]
fn nobody_can_tell_a_known_address_on_postgresql() {
    let gatepost = postgres().unlimited().start();
    same_answers(&gatepost.client(), &reader(&gatepost));
}

type Body = fn(&str) -> Value;

fn same_answers(client: &Client, reader: &Client) {
    let known = Account::active(client, reader).email;
    let pending = Account::register(client).email;
    let ways: [(&str, Body); 4] = [
        (
            "/api/users",
            |email| json!({ "email": email, "password": "another one that is long" }),
        ),
        ("/api/users/password/forgot", |email| json!({ "email": email })),
        ("/api/users/activate/resend", |email| json!({ "email": email })),
        (
            "/api/auth/login",
            |email| json!({ "email": email, "password": "not the right password" }),
        ),
    ];
    for (path, body) in ways {
        let unknown = shape(&client.post(path, &body(&unknown_address())));
        for email in [&known, &pending] {
            assert_eq!(shape(&client.post(path, &body(email))), unknown, "{path}");
        }
        // Cyrillic letters, a plus and capitals take the same way.
        let odd = format!("Кто-то+{}", unknown_address());
        assert_eq!(
            shape(&client.post(path, &body(&odd))).0,
            unknown.0,
            "{path} {odd}"
        );
    }
}

/// Status, headers without those that differ between any two answers, length of the body.
fn shape(answer: &Answer) -> (u16, Vec<String>, usize) {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, value)| match name.as_str() {
            "date" | "x-request-id" => format!("{name}: {} bytes", value.len()),
            _ => format!("{name}: {}", value.to_str().unwrap_or_default()),
        })
        .collect();
    headers.sort();
    (answer.status, headers, answer.body.len())
}
