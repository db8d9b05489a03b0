//! What only time and a whole process can tell: whether answers take as long for a known address as for an
//! unknown one, whether a second process gets at the database under load, how fast it starts and how much
//! memory it takes.
//!
//! `cargo build --release && cargo run --release -p gatepost-bench --bin outside -- start`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use gatepost_bench::load;
use gatepost_bench::outside::{Account, Client, Instance, Setup, unknown_address};
use gatepost_bench::{executable, results::Results, stats};
use serde_json::{Value, json};

#[derive(Parser)]
struct Args {
    /// What to measure
    what: What,
    /// Pairs of questions per route and run
    #[arg(long, default_value_t = 1000)]
    pairs: usize,
    /// PostgreSQL instead of SQLite
    #[arg(long)]
    postgres: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// Known and unknown addresses, by rank
    SameAnswer,
    /// The command line on the database of a loaded server
    SecondProcess,
    /// Start to first answer, idle memory
    Start,
}

fn main() {
    let args = Args::parse();
    let setup = Setup::new(executable()).unlimited();
    let setup = match &args.postgres {
        Some(url) => setup.postgres(url),
        None => setup,
    };
    match args.what {
        What::SameAnswer => same_answer(&setup, args.pairs),
        What::SecondProcess => second_process(&setup.start()),
        What::Start => start(&setup),
    }
}

type Body = fn(&str) -> Value;

const WAYS: [(&str, &str, Body); 4] = [
    (
        "register",
        "/api/users",
        |email| json!({ "email": email, "password": "another one that is long" }),
    ),
    (
        "forgot",
        "/api/users/password/forgot",
        |email| json!({ "email": email }),
    ),
    (
        "resend",
        "/api/users/activate/resend",
        |email| json!({ "email": email }),
    ),
    (
        "login",
        "/api/auth/login",
        |email| json!({ "email": email, "password": "not the right password" }),
    ),
];

fn same_answer(setup: &Setup, pairs: usize) {
    let gatepost = setup.start();
    let client = gatepost.client();
    let reader = client.with_bearer(&gatepost.key(&["mail:read"]));
    // Known is known: active, or waiting for its letter's button.
    let known: Vec<_> = (0..8)
        .map(|nth| match nth % 2 {
            0 => Account::active(&client, &reader).email,
            _ => Account::register(&client).email,
        })
        .collect();
    let mut results = Results::of("same_answer");
    for (name, path, body) in WAYS {
        let mut good = 0;
        for run in 1..=3 {
            let (mut of_known, mut of_unknown) = (Vec::new(), Vec::new());
            for nth in 0..pairs {
                // Which of a pair comes first is drawn, or the second would always follow the other's work.
                let known_first = getrandom::u32().unwrap() & 1 == 0;
                for is_known in [known_first, !known_first] {
                    let email = if is_known {
                        known[nth % known.len()].clone()
                    } else {
                        unknown_address()
                    };
                    let took = time(&client, path, &body(&email));
                    if is_known {
                        of_known.push(took);
                    } else {
                        of_unknown.push(took);
                    }
                }
            }
            let p = stats::rank_test(&of_known, &of_unknown);
            good += usize::from(p > 0.01);
            let median = |times: &[Duration]| millis(stats::percentile(times, 0.5));
            results.add(
                &format!("{name}, run {run}: known, median"),
                median(&of_known),
                "ms",
            );
            results.add(
                &format!("{name}, run {run}: unknown, median"),
                median(&of_unknown),
                "ms",
            );
            results.add(&format!("{name}, run {run}: p of the rank test"), p, "p");
        }
        println!(
            "  {name}: p > 0.01 in {good} of 3 runs{}",
            if good < 2 { "  <-- they differ" } else { "" }
        );
    }
    results.keep();
}

fn time(client: &Client, path: &str, body: &Value) -> Duration {
    let began = Instant::now();
    let answer = client.post(path, body);
    let took = began.elapsed();
    assert!(matches!(answer.status, 202 | 401), "{path}: {}", answer.status);
    took
}

fn second_process(gatepost: &Instance) {
    let client = gatepost.client();
    let key = gatepost.key(&["mail:read", "tokens:create:activate"]);
    let with_key = client.with_bearer(&key);
    let access = Account::active(&client, &with_key).login(&client).access;
    let mint = |_| {
        let body = json!({ "user_id": "somebody", "purpose": "activate" });
        with_key.post("/api/tokens", &body).expect(201).field("token")
    };
    let body = json!({ "token": access }).to_string();
    let reads = load::request("POST", "/api/auth/verify", None, &body);
    let body = json!({ "email": unknown_address() }).to_string();
    let writes = load::request("POST", "/api/users/password/forgot", None, &body);

    let mut results = Results::of("second_process");
    for (name, request) in [("that read", reads), ("that write", writes)] {
        let tokens: Vec<String> = (0..100).map(mint).collect();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let port = gatepost.port();
        let how_long = Duration::from_secs(12);
        let loaded = runtime.spawn(async move { load::run(port, &request, 16, how_long, Some(500)).await });
        std::thread::sleep(Duration::from_secs(1));
        let (mut times, mut failed) = (Vec::new(), 0);
        for token in &tokens {
            let began = Instant::now();
            let output = gatepost.cli(&["token", "revoke", token, "--yes"]);
            times.push(began.elapsed());
            if !output.status.success() {
                failed += 1;
                println!("  {}", String::from_utf8_lossy(&output.stderr).trim());
            }
        }
        let load = runtime.block_on(loaded).unwrap();
        results.add(&format!("requests {name}"), load.rate(), "1/s");
        results.add(
            &format!("requests {name}: not answered well"),
            as_f64(load.others),
            "",
        );
        results.add(
            &format!("requests {name}: 95th percentile"),
            millis(stats::percentile(&load.times, 0.95)),
            "ms",
        );
        results.add(
            &format!("100 revocations beside requests {name}: failed"),
            as_f64(failed),
            "",
        );
        let late = millis(stats::percentile(&times, 0.95));
        results.add(
            &format!("100 revocations beside requests {name}: median"),
            millis(stats::percentile(&times, 0.5)),
            "ms",
        );
        results.add(
            &format!("100 revocations beside requests {name}: 95th percentile"),
            late,
            "ms",
        );
    }
    results.keep();
}

fn start(setup: &Setup) {
    let mut results = Results::of("start");
    let mut fresh = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        drop(setup.start());
        fresh.push(began.elapsed());
    }
    let mut gatepost = setup.start();
    let again: Vec<_> = (0..20).map(|_| gatepost.restart()).collect();
    std::thread::sleep(Duration::from_secs(5));
    results.add(
        "first start, on nothing: median to the first answer",
        millis(stats::percentile(&fresh, 0.5)),
        "ms",
    );
    results.add(
        "start: median to the first answer",
        millis(stats::percentile(&again, 0.5)),
        "ms",
    );
    results.add(
        "start: slowest of 20",
        millis(stats::percentile(&again, 1.0)),
        "ms",
    );
    results.add("idle memory, resident", resident(&gatepost), "MiB");
    let client = gatepost.client();
    let reader = client.with_bearer(&gatepost.key(&["mail:read"]));
    Account::active(&client, &reader).login(&client);
    std::thread::sleep(Duration::from_secs(2));
    results.add(
        "memory after an account's registration and login",
        resident(&gatepost),
        "MiB",
    );
    results.keep();
}

/// In MiB.
#[expect(clippy::cast_precision_loss, reason = "megabytes, not 2^52")]
fn resident(gatepost: &Instance) -> f64 {
    gatepost.memory() as f64 / 1024.0 / 1024.0
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
