//! Whatever is sent, the answer is a 4xx that says what is wrong, and nothing is written.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use gatepost_bench::outside::{Answer, Client, Instance};
use serde_json::{Value, json};

use crate::routes::{self, Keys, Route};
use crate::support::{postgres, sqlite};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn bad_input_is_told_and_writes_nothing_on_sqlite() {
    every_route_refuses(&sqlite().unlimited().start());
}

#[test]
fn bad_input_is_told_and_writes_nothing_on_postgresql() {
    every_route_refuses(&postgres().unlimited().start());
}

fn every_route_refuses(gatepost: &Instance) {
    let keys = Keys::of(gatepost);
    let counter = keys.everything(gatepost);
    let before = written(&counter);
    let mut wrong = Vec::new();
    for route in routes::all(&gatepost.client()) {
        // What simplejwt's routes say is compared with Django's own: live_django.
        if route.path.starts_with("/api/token/") {
            continue;
        }
        let client = keys.client(gatepost, &route);
        for (what, query, body) in bad_bodies(&route).into_iter().chain(bad_queries(&route)) {
            let path = format!("{}{query}", route.concrete());
            let answer = client.send(&route.method, &path, body);
            if !(400..500).contains(&answer.status) || answer.code().is_empty() {
                let body: String = String::from_utf8_lossy(&answer.body).chars().take(120).collect();
                wrong.push(format!(
                    "{} {} {what}: {} {body}",
                    route.method, route.path, answer.status
                ));
            }
        }
        if route.body.is_some() {
            let status = ten_megabytes(gatepost, &route);
            // Whoever has no credentials here is refused for that, before a byte of the body is read.
            if status != 413 && status != 401 {
                wrong.push(format!("{} {} of 10 MB: {status}", route.method, route.path));
            }
        }
    }
    wrong.extend(bad_forms(&gatepost.client()));
    assert!(wrong.is_empty(), "{} answers:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(written(&counter), before, "something was written");
}

type Bad = (String, String, Option<(&'static str, Vec<u8>)>);

fn bad_bodies(route: &Route) -> Vec<Bad> {
    if route.body.is_none() {
        return Vec::new();
    }
    let raw = |what: &str, bytes: &[u8]| (what.to_owned(), String::new(), Some((JSON, bytes.to_vec())));
    let mut bad = vec![
        raw("not JSON", b"{\"email\": "),
        raw("an array", b"[]"),
        raw("a text", b"\"text\""),
        raw("not UTF-8", b"{\"email\": \"\xff\xfe\"}"),
        raw(
            "deep nesting",
            format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000)).as_bytes(),
        ),
        raw(
            "deep nesting in a field",
            format!("{{\"profile\":{}1", "[".repeat(20_000)).as_bytes(),
        ),
        (
            "XML".to_owned(),
            String::new(),
            Some(("text/xml", b"<a/>".to_vec())),
        ),
    ];
    if !route.needs_nothing() {
        bad.push(raw("an empty object", b"{}"));
        // In a field that nobody reads it would be passed over, with the field.
        bad.push(raw(
            "a lone surrogate",
            br#"{"email": "\ud800", "token": "\ud800", "password": "\ud800"}"#,
        ));
        bad.push(("no body".to_owned(), String::new(), None));
    }
    let required = route.required();
    for (name, schema) in route.properties() {
        let mut values = vec![
            ("a number", json!(7)),
            ("an array", json!([[]])),
            ("too long", json!("x".repeat(60_000))),
        ];
        if name == "lifetime" {
            // Seconds are welcome there.
            values.remove(0);
        }
        let is = |kind: &str| {
            schema["type"] == kind
                || schema["type"]
                    .as_array()
                    .is_some_and(|kinds| kinds.iter().any(|one| one == kind))
        };
        if schema.get("type").is_none() && schema.get("$ref").is_none() && schema.get("oneOf").is_none() {
            // Any JSON is welcome there; only to leave it out is wrong.
            values.clear();
        }
        if is("integer") || is("number") {
            values = vec![("a text", json!("seven")), ("far below zero", json!(-1e300))];
        }
        if required.contains(&name) {
            if !values.is_empty() {
                values.push(("null", Value::Null));
            }
            values.push(("missing", Value::Null));
        }
        if name.contains("email") {
            let bad = [
                "",
                "a",
                "a@",
                "@b.example",
                "a b@c.example",
                "a@b.example\r\nBcc: c@d.example",
                "a@b..example",
            ];
            values.extend(bad.map(|text| (text, json!(text))));
            values.push((
                "a long local part",
                json!(format!("{}@example.com", "l".repeat(65))),
            ));
            values.push(("a NUL", json!("a\u{0}@example.com")));
        }
        for (what, value) in values {
            let mut body = route.sample();
            body.insert(name.clone(), value);
            if what == "missing" {
                body.remove(&name);
            }
            let bytes = serde_json::to_vec(&body).unwrap();
            bad.push((format!("{name}: {what:?}"), String::new(), Some((JSON, bytes))));
        }
    }
    bad
}

fn bad_queries(route: &Route) -> Vec<Bad> {
    if route.method != "GET" {
        return Vec::new();
    }
    let mut bad = Vec::new();
    for name in &route.query {
        let values: &[&str] = match name.as_str() {
            "limit" => &["abc", "-1", "99999999999999999999"],
            "after" => &["%FF%00", "no-such-cursor%0D%0A"],
            "to" => &["a%0D%0ABcc:%20c@d.example", "%FF"],
            _ => &[],
        };
        bad.extend(
            values
                .iter()
                .map(|value| (format!("?{name}={value}"), format!("?{name}={value}"), None)),
        );
    }
    bad
}

/// Pages answer with pages; no form makes them stumble.
fn bad_forms(client: &Client) -> Vec<String> {
    let mut wrong = Vec::new();
    let long = format!("token={0}&email={0}&password={0}", "x".repeat(20_000));
    for path in [
        "/activate",
        "/reset-password",
        "/register",
        "/login",
        "/forgot-password",
    ] {
        let bodies: [(&str, &[u8]); 6] = [
            (FORM, b""),
            (FORM, b"token=%FF%FE&email=%00&password=%FF"),
            (
                FORM,
                b"email=a%0D%0ABcc:b@c.example&password=one+that+is+long+enough&token=%0D%0A",
            ),
            (FORM, long.as_bytes()),
            (JSON, b"{\"token\": 1}"),
            ("multipart/form-data; boundary=x", b"--x--"),
        ];
        for (kind, body) in bodies {
            let answer: Answer = client.send("POST", path, Some((kind, body.to_vec())));
            let html = answer.header("content-type").starts_with("text/html");
            if !(400..500).contains(&answer.status) || (!html && answer.code().is_empty()) {
                let body: String = String::from_utf8_lossy(body).chars().take(40).collect();
                wrong.push(format!("POST {path} {kind} {body:?}: {}", answer.status));
            }
        }
        let looks = [
            "?token=",
            "?token=%FF%00",
            "?token=a&token=b",
            &format!("?token={}", "x".repeat(9_000)),
        ];
        for query in looks {
            let status = client.get(&format!("{path}{query}")).status;
            if status >= 500 {
                wrong.push(format!("GET {path}{query:.20}: {status}"));
            }
        }
    }
    wrong
}

/// Announces 10 MB and sends a little of it: what counts is that nobody waits for the rest.
fn ten_megabytes(gatepost: &Instance, route: &Route) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", gatepost.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!(
        "{} {} HTTP/1.1\r\nhost: gatepost.test\r\ncontent-type: {JSON}\r\ncontent-length: 10485760\r\n\r\n{{\"email\": \"",
        route.method,
        route.concrete()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The other side may have hung up on it already.
    let _ = stream.write_all(&vec![b'x'; 64 * 1024]);
    let mut answer = [0; 12];
    let _ = stream.read_exact(&mut answer);
    std::str::from_utf8(&answer[9..]).unwrap().parse().unwrap_or(0)
}

/// What can be seen of accounts and letters.
fn written(client: &Client) -> (usize, usize) {
    let count = |path: &str| {
        client.get(path).expect(200).json()["items"]
            .as_array()
            .map_or(0, Vec::len)
    };
    (
        count("/api/service/users?limit=500"),
        count("/api/mail?limit=500"),
    )
}
