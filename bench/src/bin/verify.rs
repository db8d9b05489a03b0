//! `POST /api/auth/verify` of the real program, beside a bare axum route that parses and answers JSON of the
//! same size.
//!
//! `cargo build --release && cargo run --release -p gatepost-bench --bin verify`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::{Json, Router, routing::post};
use gatepost_bench::load::{self, Load};
use gatepost_bench::outside::{Account, Setup};
use gatepost_bench::{executable, results::Results, stats::percentile};
use serde::{Deserialize, Serialize};

const CONNECTIONS: u32 = 16;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Question {
    token: String,
}

#[derive(Serialize)]
struct Reply {
    active: bool,
    purpose: &'static str,
    user_id: String,
    expires_at: String,
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
            .block_on(async { tokio::task::spawn_blocking(prepare).await })
            .unwrap();
    }
}

/// The other side, as a process of its own as well.
async fn bare() {
    async fn answer(Json(question): Json<Question>) -> Json<Reply> {
        Json(Reply {
            active: !question.token.is_empty(),
            purpose: "access",
            user_id: "0198c0de-7a11-7000-8000-0123456789ab".to_owned(),
            expires_at: "2026-01-01T00:00:00Z".to_owned(),
        })
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    axum::serve(listener, Router::new().route("/api/auth/verify", post(answer)))
        .await
        .unwrap();
}

fn prepare() {
    let gatepost = Setup::new(executable()).unlimited().start();
    let client = gatepost.client();
    let reader = client.with_bearer(&gatepost.key(&["mail:read"]));
    let token = Account::active(&client, &reader).login(&client).access;
    let body = serde_json::json!({ "token": token }).to_string();
    let answer = client
        .post("/api/auth/verify", &serde_json::json!({ "token": token }))
        .expect(200);
    println!("answers {} bytes: {}", answer.body.len(), answer.json()["active"]);

    let (other, port) = spawn_bare();
    let request = load::request("POST", "/api/auth/verify", None, &body);
    let handle = tokio::runtime::Handle::current();
    let round = |port: u16| handle.block_on(load::run(port, &request, CONNECTIONS, ROUND, None));
    let (mut ours, mut theirs): (Vec<Load>, Vec<Load>) = (Vec::new(), Vec::new());
    round(gatepost.port());
    for _ in 0..ROUNDS {
        ours.push(round(gatepost.port()));
        theirs.push(round(port));
    }
    end(other);

    let mut results = Results::of("verify");
    let wrong: u64 = ours.iter().chain(&theirs).map(|load| load.others).sum();
    assert_eq!(wrong, 0, "every answer was 200");
    for (name, loads) in [("gatepost", &ours), ("bare axum", &theirs)] {
        let times: Vec<_> = loads.iter().flat_map(|load| load.times.clone()).collect();
        results.add(&format!("{name}: POST /api/auth/verify"), median(loads), "1/s");
        results.add(
            &format!("{name}: median answer"),
            millis(percentile(&times, 0.5)),
            "ms",
        );
        results.add(
            &format!("{name}: 99th percentile"),
            millis(percentile(&times, 0.99)),
            "ms",
        );
    }
    results.ratio("ratio", median(&ours) / median(&theirs), 0.6);
    results.keep();
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

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
