//! Ten million revoked access tokens that have not expired, on PostgreSQL: what a start, a check and a token's place in
//! memory cost, and what verifiers notice while a million are pruned.
//!
//! `cargo build --release && GATEPOST_TEST_POSTGRES_URL=postgres://... cargo run --release -p gatepost-bench --bin
//! revocations -- [rows] [rows to prune]`, 10,000,000 and 1,000,000 by default. Needs some 4 GB in the database, in
//! schemas of its own, which it drops at the end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use gatepost_bench::load::{self, Load};
use gatepost_bench::outside::{Account, Instance, Setup};
use gatepost_bench::{executable, results::Results, stats::percentile};
use gatepost_storage::{Clock, Set, Store, StoreOptions};
use gatepost_tokens::{Access, Keys, NewToken, TokenService, Tokens};
use serde_json::json;
use sqlx::postgres::PgPool;
use tokio::runtime::Runtime;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const EMPTY: &str = "bench_revoked_none";
const FULL: &str = "bench_revoked_all";
const CONNECTIONS: u32 = 16;
const PAIRS: usize = 5;
const ROUND: Duration = Duration::from_secs(10);

fn main() {
    let mut numbers = std::env::args().skip(1).map(|n| n.parse::<i64>().unwrap());
    let rows = numbers.next().unwrap_or(10_000_000);
    let prune = numbers.next().unwrap_or(rows / 10);
    let url =
        std::env::var("GATEPOST_TEST_POSTGRES_URL").expect("GATEPOST_TEST_POSTGRES_URL names a PostgreSQL");
    let runtime = Runtime::new().unwrap();
    let mut results = Results::of("revocations");
    results.add("revoked access tokens", rows as f64, "");

    let pool = runtime.block_on(PgPool::connect(&url)).unwrap();
    for schema in [EMPTY, FULL] {
        sql(
            &runtime,
            &pool,
            &format!("DROP SCHEMA IF EXISTS {schema} CASCADE"),
        );
    }
    let mut gatepost = program(&url);
    let client = gatepost.client();
    let reader = client.with_bearer(&gatepost.key(&["mail:read"]));
    let account = Account::active(&client, &reader);
    let (bare_start, bare_memory) = start(&mut gatepost, &account);
    gatepost.kill();

    let began = Instant::now();
    fill(&runtime, &pool, rows);
    println!("  filled in {:?}", began.elapsed());
    let (start_time, memory) = start(&mut gatepost, &account);
    results.add("start to the first check, none revoked", seconds(bare_start), "s");
    results.add("start to the first check", seconds(start_time), "s");
    let each = (memory as f64 - bare_memory as f64) / rows as f64;
    results.add("memory of the program for each", each, "bytes");

    checks(&runtime, &url, &mut results);
    prunes(&runtime, &pool, &gatepost, &account, prune, &mut results);

    gatepost.kill();
    for schema in [EMPTY, FULL] {
        sql(
            &runtime,
            &pool,
            &format!("DROP SCHEMA IF EXISTS {schema} CASCADE"),
        );
    }
    results.keep();
}

fn sql(runtime: &Runtime, pool: &PgPool, text: &str) {
    runtime
        .block_on(sqlx::raw_sql(sqlx::AssertSqlSafe(text.to_owned())).execute(pool))
        .unwrap();
}

fn program(url: &str) -> Instance {
    Setup::new(executable())
        .unlimited()
        .set("storage.url", format!("{url:?}"))
        .set("storage.schema", format!("{FULL:?}"))
        .set("storage.migrate", "\"auto\"")
        .start()
}

/// Starts the program; until it has answered that a token is good, and the memory it then holds.
fn start(gatepost: &mut Instance, account: &Account) -> (Duration, u64) {
    let began = Instant::now();
    gatepost.restart();
    let client = gatepost.client();
    let token = account.login(&client).access;
    let answer = client
        .post("/api/auth/verify", &json!({ "token": token }))
        .expect(200);
    let took = began.elapsed();
    assert_eq!(answer.json()["active"], true);
    (took, gatepost.memory())
}

/// Rows as the program writes them when it revokes access tokens one by one.
fn fill(runtime: &Runtime, pool: &PgPool, rows: i64) {
    const CHUNK: i64 = 500_000;
    let mut from = 0;
    while from < rows {
        let to = (from + CHUNK).min(rows);
        let made = format!(
            "SELECT left(md5('revoked ' || n), 22) AS jti FROM generate_series({from}, {to} - 1) AS n"
        );
        from = to;
        sql(
            runtime,
            pool,
            &format!(
                "WITH made AS ({made}), listed AS (INSERT INTO {FULL}.blacklist (jti, reason, expires_at)
                 SELECT jti, 'revoked', now() + interval '3 h' FROM made)
                 INSERT INTO {FULL}.revocation_log (kind, key, expires_at)
                 SELECT 'token', jti, now() + interval '3 h' FROM made"
            ),
        );
    }
    sql(
        runtime,
        pool,
        &format!("ANALYZE {FULL}.blacklist; ANALYZE {FULL}.revocation_log"),
    );
}

/// What a check costs in this process, with none and with all, in turn.
fn checks(runtime: &Runtime, url: &str, results: &mut Results) {
    let service = |schema: &str| {
        let options = StoreOptions {
            schema: schema.to_owned(),
            clock: Clock::system(),
            ..StoreOptions::default()
        };
        runtime.block_on(async {
            let store = Store::open(url, options).await.unwrap();
            store.migrate(&[Set::Tokens]).await.unwrap();
            let service = TokenService::new(Tokens::new(Keys::from_secret(SECRET).unwrap()), &store);
            let revocations = service.revocations().clone();
            tokio::spawn(async move { revocations.run_until(std::future::pending()).await });
            let new = NewToken::new("0198c0de-7a11-7000-8000-0123456789ab")
                .session("0198c0de-5e55-7000-8000-0123456789ab", 0)
                .generation(1);
            let token = service.tokens().mint::<Access>(&new).unwrap().raw;
            let began = Instant::now();
            service.check_access(&token).await.unwrap();
            println!(
                "  {schema}: {} in memory after {:?}",
                service.revocations().len(),
                began.elapsed()
            );
            (service, token)
        })
    };
    let (none, all) = (service(EMPTY), service(FULL));
    let (mut with_none, mut with_all) = (Vec::new(), Vec::new());
    for _ in 0..15 {
        with_none.push(nanos(runtime, &none));
        with_all.push(nanos(runtime, &all));
    }
    let (with_none, with_all) = (median(with_none), median(with_all));
    results.add("check with none revoked", with_none, "ns");
    results.add("check with all revoked", with_all, "ns");
    results.add("check: ratio (at most 1.5)", with_all / with_none, "ratio");
}

fn nanos(runtime: &Runtime, (service, token): &(TokenService, String)) -> f64 {
    const TIMES: u32 = 50_000;
    runtime.block_on(async {
        let began = Instant::now();
        for _ in 0..TIMES {
            let _ = black_box(service.check_access(black_box(token)).await.unwrap());
        }
        began.elapsed().as_nanos() as f64 / f64::from(TIMES)
    })
}

/// Verifiers at half of what they could ask, alone and while expired rows are pruned by the command line, in turn.
fn prunes(
    runtime: &Runtime,
    pool: &PgPool,
    gatepost: &Instance,
    account: &Account,
    prune: i64,
    results: &mut Results,
) {
    let token = account.login(&gatepost.client()).access;
    let body = json!({ "token": token }).to_string();
    let request = load::request("POST", "/api/auth/verify", None, &body);
    let round = |rate| {
        let load = load::run(gatepost.port(), &request, CONNECTIONS, ROUND, rate);
        runtime.block_on(load)
    };
    let most = round(None).rate();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "thousands"
    )]
    let half = (most / 2.0) as u32;
    results.add("verifiers: most", most, "1/s");
    let (mut ratios, mut took) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        sql(
            runtime,
            pool,
            &format!(
                "INSERT INTO {FULL}.blacklist (jti, reason, expires_at)
                 SELECT left(md5('pair {pair} ' || n), 22), 'revoked', now() - interval '1 min'
                 FROM generate_series(1, {prune}) AS n"
            ),
        );
        sql(runtime, pool, &format!("ANALYZE {FULL}.blacklist; CHECKPOINT"));
        let quiet = round(Some(half));
        let began = Instant::now();
        let busy = std::thread::scope(|scope| {
            let pruning = scope.spawn(|| gatepost.cli(&["blacklist", "prune", "--json"]));
            let mut busy = round(Some(half));
            while !pruning.is_finished() {
                busy.times.extend(round(Some(half)).times);
            }
            let output = pruning.join().unwrap();
            assert!(output.status.success(), "{output:?}");
            busy
        });
        took.push(seconds(began.elapsed()));
        let p99 = |load: &Load| seconds(percentile(&load.times, 0.99)) * 1000.0;
        println!(
            "  pair {pair}: p99 {:.3} ms alone, {:.3} ms while pruning",
            p99(&quiet),
            p99(&busy)
        );
        ratios.push(p99(&busy) / p99(&quiet));
    }
    results.add("pruned in each pair", prune as f64, "");
    results.add("pruning took, about", median(took), "s");
    results.add(
        "verifiers' p99 while pruning: ratio (at most 1.5)",
        median(ratios),
        "ratio",
    );
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
