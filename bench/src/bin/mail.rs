//! From the queue to the mail server: Gatepost's worker, rendering and ledger included, beside a node program (amqplib
//! and nodemailer's pool) and the Python services' way (pika and smtplib), all on the same RabbitMQ, with the same
//! letters, to the same mail server. The node program runs as it comes, and with `TCP_NODELAY` patched in, which its
//! library does not set; the faster one counts.
//!
//! `cargo run --release -p gatepost-bench --bin mail`, with a Python that has pika in `GATEPOST_TEST_PYTHON`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use gatepost_bench::outside::{Instance, Postgres, Python, Rabbit, Setup, Sink};
use gatepost_bench::{executable, results::Results};

const PATIENCE: Duration = Duration::from_mins(3);

#[derive(Parser)]
struct Args {
    /// How often each is measured; the medians are compared
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Letters for Gatepost in a round; the others get as many as they send in some seconds
    #[arg(long, default_value_t = 20_000)]
    letters: usize,
    /// Gatepost's ledger on SQLite instead of PostgreSQL
    #[arg(long)]
    sqlite: bool,
    /// Gatepost's connections to the mail server (`mail.smtp.connections`); the node program's pool has 16
    #[arg(long, default_value_t = 16)]
    connections: u32,
    /// Only Gatepost, to look at it
    #[arg(long)]
    alone: bool,
}

fn main() {
    let args = Args::parse();
    let rabbit = Rabbit::start();
    let postgres = Postgres::start();
    let mut rates = [const { Vec::new() }; 4];
    for round in 0..args.rounds {
        let queue = |who: &str| format!("bench.{who}.{round}");
        rates[0].push(gatepost(&rabbit, &postgres, &queue("gatepost"), &args));
        if !args.alone {
            rates[1].push(node(&rabbit, &queue("node"), args.letters / 8, None));
            rates[2].push(node(
                &rabbit,
                &queue("nodelay"),
                args.letters / 2,
                Some("nodelay"),
            ));
            rates[3].push(python(&rabbit, &queue("python"), args.letters / 8));
        }
        println!("round {round}: {rates:.0?}");
    }
    if args.alone {
        return;
    }
    let [gatepost, node, nodelay, python] = rates.map(median);
    let mut results = Results::of("mail");
    results.add("queue to mail server: gatepost, with its ledger", gatepost, "1/s");
    results.add(
        "queue to mail server: node, amqplib and nodemailer's pool",
        node,
        "1/s",
    );
    results.add(
        "queue to mail server: the same node program, TCP_NODELAY patched in",
        nodelay,
        "1/s",
    );
    results.add("queue to mail server: pika and smtplib", python, "1/s");
    results.ratio("ratio to node", gatepost / node.max(nodelay), 3.0);
    results.ratio("ratio to the Python way", gatepost / python, 12.0);
    results.keep();
}

fn gatepost(rabbit: &Rabbit, postgres: &Postgres, queue: &str, args: &Args) -> f64 {
    let sink = Sink::sparing();
    let setup = Setup::new(executable())
        .unlimited()
        .smtp(sink.port())
        .rabbitmq(&rabbit.url())
        .set("mail.queue", format!("{queue:?}"))
        .set("mail.smtp.connections", args.connections.to_string())
        .set("log.level", "\"warn\"");
    let setup = if args.sqlite {
        setup
    } else {
        setup.postgres(&postgres.url())
    };
    fill(rabbit, queue, args.letters);
    let worker: Instance = setup.role("worker").start();
    let rate = rate(&sink, args.letters);
    drop(worker);
    rate
}

fn node(rabbit: &Rabbit, queue: &str, letters: usize, more: Option<&str>) -> f64 {
    let sink = Sink::sparing();
    fill(rabbit, queue, letters);
    let modules = node_modules();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("node/consumer.js");
    let port = sink.port().to_string();
    let child = Command::new("node")
        .env("NODE_PATH", modules)
        .arg(script)
        .args([&rabbit.url(), queue, &port, &letters.to_string()])
        .args(more)
        .stdout(Stdio::null())
        .spawn();
    let _child = Ending(child.expect("node starts"));
    rate(&sink, letters)
}

fn python(rabbit: &Rabbit, queue: &str, letters: usize) -> f64 {
    let sink = Sink::sparing();
    fill(rabbit, queue, letters);
    let port = sink.port().to_string();
    let _python = Python::start(
        "consumer.py",
        &[&rabbit.url(), queue, &port, "--count", &letters.to_string()],
    );
    rate(&sink, letters)
}

/// The letters wait on a durable queue, as the Python services declare it, before anybody begins.
fn fill(rabbit: &Rabbit, queue: &str, letters: usize) {
    let url = rabbit.url();
    let count = letters.to_string();
    Python::run("publish.py", &[&url, queue, "--persistent", "--count", &count]);
}

/// Letters a second, from the first one at the mail server to the last.
#[expect(clippy::cast_precision_loss, reason = "thousands of letters, not 2^52")]
fn rate(sink: &Sink, letters: usize) -> f64 {
    assert!(
        sink.wait_for(letters, PATIENCE),
        "{} of {letters} letters after {PATIENCE:?}",
        sink.count()
    );
    let times: Vec<Instant> = sink.received().iter().map(|letter| letter.at).collect();
    let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    (times.len() - 1) as f64 / last.duration_since(*first).as_secs_f64()
}

/// Installs the node program's libraries once, beside what is built.
fn node_modules() -> PathBuf {
    let built = std::env::current_exe().expect("a program knows where it lies");
    let folder = built.parent().and_then(Path::parent).expect("target/release");
    let folder = folder.join("tools/node");
    let modules = folder.join("node_modules");
    if !modules.join("nodemailer").is_dir() {
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("node/package.json");
        std::fs::copy(list, folder.join("package.json")).expect("the folder takes a file");
        let installed = Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund"])
            .current_dir(&folder)
            .status();
        assert!(installed.expect("npm runs").success(), "npm install failed");
    }
    modules
}

/// A child that is ended when it is dropped.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
