//! Whether a wrong password takes as long for an address that is known as for one that is not, where the stored
//! passwords came from Django: of one kind, of another, and of many kinds and costs side by side.
//!
//! `cargo build --release && cargo run --release -p gatepost-bench --bin logins -- --stored mixed`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use gatepost_bench::outside::{Client, Instance, Setup, unknown_address};
use gatepost_bench::{executable, results::Results, stats};
use gatepost_storage::users::UserRow;
use gatepost_storage::{Clock, Json, Store, StoreOptions, imported_users, new_id};
use serde_json::json;

#[derive(Parser)]
struct Args {
    /// What is stored
    #[arg(long, default_value = "mixed")]
    stored: Stored,
    /// Pairs of logins in a run
    #[arg(long, default_value_t = 100)]
    pairs: usize,
    /// Runs
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Accounts
    #[arg(long, default_value_t = 2000)]
    users: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Stored {
    /// PBKDF2 as Django 4.2 makes it
    Pbkdf2,
    /// bcrypt over SHA-256 at its usual cost
    Bcrypt,
    /// Argon2id as Django makes it, dearer than ours
    Argon2,
    /// A table that has seen ten years
    Mixed,
    /// One kind, and here and there another, a tenth of a percent of all
    Rare,
}

const PBKDF2_NEW: &str =
    "pbkdf2_sha256$600000$saltsaltsaltsaltsalt22$gO2QBfDGYVYjWMWu8/Vd5fKzH8Jg+zluhGr0LyKkkY0=";
const PBKDF2_OLD: &str =
    "pbkdf2_sha256$150000$saltsaltsaltsaltsalt22$gO2QBfDGYVYjWMWu8/Vd5fKzH8Jg+zluhGr0LyKkkY0=";
const BCRYPT: &str = "bcrypt_sha256$$2b$12$abcdefghijklmnopqrstuuIvyWZlBcE3WoQXKqRnwrLYJ6nenE0Bq";
const ARGON2: &str = "argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdHNhbHRzYWx0c2FsdHNhbHQyMg$br7jtpWWN7mjnlGbyDHk17J/PBBhoVJnWnZO7iPzL6M";
const ARGON2_OLD: &str = "argon2$argon2i$v=19$m=512,t=2,p=2$c2FsdHNhbHRzYWx0c2FsdHNhbHQyMg$br7jtpWWN7mjnlGbyDHk17J/PBBhoVJnWnZO7iPzL6M";
const UNUSABLE: &str = "!Xs8dHjW2mYpqkzcuRoLxwTn4EFbvs1ADgKiJhGfC";

impl Stored {
    /// What the account of this number has, of a hundred or a thousand.
    fn password(self, nth: usize) -> &'static str {
        match self {
            Stored::Pbkdf2 => PBKDF2_NEW,
            Stored::Bcrypt => BCRYPT,
            Stored::Argon2 => ARGON2,
            Stored::Mixed => match nth % 100 {
                0..45 => PBKDF2_NEW,
                45..70 => PBKDF2_OLD,
                70..80 => BCRYPT,
                80..90 => ARGON2,
                90..95 => ARGON2_OLD,
                _ => UNUSABLE,
            },
            Stored::Rare => match nth % 1_000 {
                0 => PBKDF2_NEW,
                _ => PBKDF2_OLD,
            },
        }
    }
}

fn main() {
    let args = Args::parse();
    let gatepost = Setup::new(executable()).unlimited().start();
    fill(&gatepost, &args);
    let client = gatepost.client();
    let mut results = Results::of("logins");
    let mut good = 0;
    for run in 1..=args.runs {
        let (mut of_known, mut of_unknown) = (Vec::new(), Vec::new());
        for _ in 0..args.pairs {
            // Which of a pair comes first is drawn, or the second would always follow the other's work.
            let known_first = getrandom::u32().unwrap() & 1 == 0;
            for is_known in [known_first, !known_first] {
                if is_known {
                    let nth = getrandom::u32().unwrap() as usize % args.users;
                    of_known.push(time(&client, &address(nth)));
                } else {
                    of_unknown.push(time(&client, &unknown_address()));
                }
            }
        }
        let p = stats::rank_test(&of_known, &of_unknown);
        good += usize::from(p > 0.01);
        for (who, times) in [("known", &of_known), ("unknown", &of_unknown)] {
            for (what, part) in [
                ("10th percentile", 0.1),
                ("median", 0.5),
                ("90th percentile", 0.9),
            ] {
                let time = stats::percentile(times, part).as_secs_f64() * 1000.0;
                results.add(
                    &format!("{:?}, run {run}: {who}, {what}", args.stored),
                    time,
                    "ms",
                );
            }
        }
        results.add(
            &format!("{:?}, run {run}: p of the rank test", args.stored),
            p,
            "p",
        );
    }
    println!("  p > 0.01 in {good} of {} runs", args.runs);
    results.keep();
}

fn address(nth: usize) -> String {
    format!("known-{nth}@example.com")
}

fn fill(gatepost: &Instance, args: &Args) {
    let path = gatepost.folder().join("gatepost-data/gatepost.db");
    let (users, stored) = (args.users, args.stored);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async move {
        let store = Store::open(&format!("sqlite://{}", path.display()), StoreOptions::default())
            .await
            .unwrap();
        let now = Clock::system().now();
        let rows: Vec<UserRow> = (0..users)
            .map(|nth| UserRow {
                id: new_id(now).into(),
                email: address(nth),
                email_canonical: address(nth),
                password: stored.password(nth).to_owned(),
                active: true,
                locale: "en".to_owned(),
                profile: Json(json!({})),
                created_at: now,
                updated_at: now,
                activated_at: Some(now),
                password_changed_at: None,
                last_login_at: None,
            })
            .collect();
        let rows = std::sync::Arc::new(rows);
        let made = store.run_tx("fill", move |tx| {
            let rows = rows.clone();
            Box::pin(async move { imported_users::insert_many(tx, &rows).await })
        });
        assert_eq!(made.await.unwrap().len(), users);
    });
}

fn time(client: &Client, email: &str) -> Duration {
    let body = json!({ "email": email, "password": "not the right password" });
    let began = Instant::now();
    let answer = client.post("/api/auth/login", &body);
    let took = began.elapsed();
    assert_eq!(answer.status, 401, "{email}");
    took
}
