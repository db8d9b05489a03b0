//! The SMTP engine alone against Debian's `smtp-source`, both with as many connections, giving letters of one
//! size to `smtp-sink`; and what PIPELINING and the kept connections are worth.
//!
//! `cargo run --release -p gatepost-bench --bin smtp` (needs postfix's `smtp-sink` and `smtp-source`)
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use gatepost_bench::results::Results;
use gatepost_mail::EmailAddress;
use gatepost_mail::transport::smtp::{Smtp, SmtpOptions};

/// Octets of a letter's content, about those of an account letter without its HTML part.
const CONTENT: usize = 1_024;

#[derive(Parser)]
struct Args {
    /// How often each is measured; the medians are compared
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Letters in a round
    #[arg(long, default_value_t = 20_000)]
    letters: u32,
}

#[tokio::main]
async fn main() {
    let Args { rounds, letters } = Args::parse();
    let mut results = Results::of("smtp");
    for connections in [4, 8, 32] {
        let mut rates = [const { Vec::new() }; 2];
        for _ in 0..rounds {
            // A sink for each, so that neither works on what the other left.
            let sink = Sink::start();
            rates[0].push(ours(sink.port, connections, letters).await);
            drop(sink);
            let sink = Sink::start();
            rates[1].push(smtp_source(sink.port, connections, letters));
        }
        let [ours, source] = rates.map(median);
        results.add(&format!("{connections} connections: gatepost-mail"), ours, "1/s");
        results.add(&format!("{connections} connections: smtp-source"), source, "1/s");
        results.ratio(&format!("{connections} connections: ratio"), ours / source, 0.8);
    }
    results.keep();
}

/// Letters a second by our engine, each asked before its dot as the worker asks.
async fn ours(port: u16, connections: usize, letters: u32) -> f64 {
    let options = SmtpOptions {
        connections,
        ..SmtpOptions::default()
    };
    let smtp = Smtp::with_options(&format!("smtp://127.0.0.1:{port}?tls=none"), &options).unwrap();
    let from: EmailAddress = "noreply@example.com".parse().unwrap();
    let to: EmailAddress = "reader@example.com".parse().unwrap();
    let line = "x".repeat(62) + "\r\n";
    let message = Arc::new(format!("Subject: measured\r\n\r\n{}", line.repeat(CONTENT / 64)).into_bytes());
    let left = Arc::new(AtomicU32::new(letters));
    let began = Instant::now();
    let senders: Vec<_> = (0..connections)
        .map(|_| {
            let (smtp, message, left) = (smtp.clone(), Arc::clone(&message), Arc::clone(&left));
            let (from, to) = (from.clone(), to.clone());
            tokio::spawn(async move {
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                    .is_ok()
                {
                    smtp.deliver(&from, &to, &message, async || true).await.unwrap();
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    let rate = f64::from(letters) / began.elapsed().as_secs_f64();
    smtp.close().await;
    rate
}

/// Letters a second by `smtp-source`, which keeps its connections (`-d`) as we do.
fn smtp_source(port: u16, connections: usize, letters: u32) -> f64 {
    let began = Instant::now();
    let status = Command::new("smtp-source")
        .args([
            "-4",
            "-d",
            "-s",
            &connections.to_string(),
            "-m",
            &letters.to_string(),
        ])
        .args([
            "-l",
            &CONTENT.to_string(),
            "-f",
            "noreply@example.com",
            "-t",
            "reader@example.com",
        ])
        .arg(format!("127.0.0.1:{port}"))
        .env("PATH", path())
        .stdout(Stdio::null())
        .status()
        .expect("smtp-source runs (Debian: apt install postfix)");
    assert!(status.success(), "smtp-source failed");
    f64::from(letters) / began.elapsed().as_secs_f64()
}

struct Sink {
    child: Child,
    port: u16,
}

impl Sink {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let child = Command::new("smtp-sink")
            .args(["-4", "-u", "nobody", &format!("127.0.0.1:{port}"), "1000"])
            .env("PATH", path())
            .stdout(Stdio::null())
            .spawn()
            .expect("smtp-sink runs (Debian: apt install postfix)");
        let until = Instant::now() + Duration::from_secs(5);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "smtp-sink does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, port }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Postfix lies where a user's `PATH` does not look.
fn path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:/usr/sbin:/usr/lib/postfix/sbin")
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
