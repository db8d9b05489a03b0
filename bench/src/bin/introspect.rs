//! `POST /oauth/introspect` and `GET /.well-known/jwks.json` of the real program, beside bare axum routes that parse
//! and answer the same bytes.
//!
//! `cargo build --release && cargo run --release -p gatepost-bench --bin introspect`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Form, Json, Router};
use gatepost_bench::load::{self, Load};
use gatepost_bench::outside::{Account, Setup};
use gatepost_bench::{executable, results::Results, stats::percentile};
use serde::{Deserialize, Serialize};

const CONNECTIONS: u32 = 16;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);
const INTROSPECT: &str = "/oauth/introspect";
const JWKS: &str = "/.well-known/jwks.json";

#[derive(Deserialize)]
struct Question {
    token: String,
}

/// What the program says of an access token.
#[derive(Serialize)]
struct Reply {
    active: bool,
    token_type: &'static str,
    purpose: &'static str,
    sub: String,
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
    jti: String,
    sid: String,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    if std::env::args().nth(1).as_deref() == Some("--bare") {
        runtime.block_on(bare());
    } else {
        runtime
            .block_on(async { tokio::task::spawn_blocking(measure).await })
            .unwrap();
    }
}

/// The other side, as a process of its own as well.
async fn bare() {
    async fn answer(Form(question): Form<Question>) -> Json<Reply> {
        Json(Reply {
            active: !question.token.is_empty(),
            token_type: "Bearer",
            purpose: "access",
            sub: "0198c0de-7a11-7000-8000-0123456789ab".to_owned(),
            iss: "gatepost".to_owned(),
            aud: "gatepost".to_owned(),
            iat: 1_800_000_000,
            exp: 1_800_003_600,
            jti: "AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
            sid: "0198c0de-7a11-7000-8000-0123456789ab".to_owned(),
        })
    }
    async fn keys() -> Json<serde_json::Value> {
        Json(serde_json::json!({ "keys": [{
            "alg": "ES256", "crv": "P-256", "kid": "Dz7zXl9YZoT2mr_XRRQxFQgp49NXLqvGo6txCM_ftBk", "kty": "EC",
            "use": "sig", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        }]}))
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let router = Router::new()
        .route(INTROSPECT, post(answer))
        .route(JWKS, get(keys));
    axum::serve(listener, router).await.unwrap();
}

fn measure() {
    let gatepost = Setup::new(executable())
        .unlimited()
        .set("tokens.algorithm", "\"HS256\"")
        .start();
    let client = gatepost.client();
    let reader = client.with_bearer(&gatepost.key(&["mail:read"]));
    let token = Account::active(&client, &reader).login(&client).access;
    let key = gatepost.key(&["tokens:verify"]);
    let form = (
        "application/x-www-form-urlencoded",
        format!("token={token}").into_bytes(),
    );
    let answer = client
        .with_bearer(&key)
        .send("POST", INTROSPECT, Some(form))
        .expect(200);
    println!("answers {} bytes: {}", answer.body.len(), answer.json()["active"]);

    let mut results = Results::of("introspect");
    let (other, port) = spawn_bare();
    let introspect = post_form(&key, &format!("token={token}"));
    let (ours, theirs) = rounds([gatepost.port(), port], &introspect);
    report(&mut results, "POST /oauth/introspect", &ours, &theirs);
    results.ratio("ratio", median(&ours) / median(&theirs), 0.6);

    // With a key in it, so that there is something to publish.
    let published = Setup::new(executable())
        .unlimited()
        .set("tokens.algorithm", "\"ES256\"")
        .start();
    let get = load::request("GET", JWKS, None, "");
    let (ours, theirs) = rounds([published.port(), port], &get);
    report(&mut results, "GET /.well-known/jwks.json", &ours, &theirs);
    end(other);
    results.keep();
}

/// Both sides in turns, so that what else the machine does falls on both.
fn rounds(ports: [u16; 2], request: &[u8]) -> (Vec<Load>, Vec<Load>) {
    let handle = tokio::runtime::Handle::current();
    let round = |port: u16| handle.block_on(load::run(port, request, CONNECTIONS, ROUND, None));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    round(ports[0]);
    for _ in 0..ROUNDS {
        ours.push(round(ports[0]));
        theirs.push(round(ports[1]));
    }
    let wrong: u64 = ours.iter().chain(&theirs).map(|load| load.others).sum();
    assert_eq!(wrong, 0, "every answer was 200");
    (ours, theirs)
}

fn report(results: &mut Results, what: &str, ours: &[Load], theirs: &[Load]) {
    for (name, loads) in [("gatepost", ours), ("bare axum", theirs)] {
        let times: Vec<_> = loads.iter().flat_map(|load| load.times.clone()).collect();
        results.add(&format!("{name}: {what}"), median(loads), "1/s");
        results.add(
            &format!("{name}: {what}: 99th percentile"),
            percentile(&times, 0.99).as_secs_f64() * 1000.0,
            "ms",
        );
    }
}

fn post_form(key: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {INTROSPECT} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn spawn_bare() -> (Child, u16) {
    let own = std::env::current_exe().unwrap();
    let mut child = Command::new(own)
        .arg("--bare")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    (child, line.trim().parse().unwrap())
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn median(loads: &[Load]) -> f64 {
    let mut rates: Vec<_> = loads.iter().map(Load::rate).collect();
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
