//! Those who ask for letters, each in the way of its own.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use gatepost_mail::letter::Notification;
use gatepost_mail::{MailError, Mailer, MailerSettings, Sealer, Templates};
use gatepost_storage::{Store, StoreOptions};
use serde_json::json;

use super::Door;
use super::letters::Letters;
use crate::outside::{Client, Instance, Python, SECRET, Setup};

const HANDS: u32 = 6;
/// The command line is a whole process for each letter: some a second say as much as many.
const BY_COMMAND_LINE: u32 = 2;

/// Begins to ask for `rate` letters a second in all, until `go_on` says no.
pub(super) fn begin(
    rate: u32,
    door: &Door,
    desk: Instance,
    letters: &Arc<Letters>,
    go_on: &Arc<AtomicBool>,
) -> Vec<JoinHandle<()>> {
    let by_command_line = BY_COMMAND_LINE.min(rate);
    // One after the other, each confirmed: the slowest of them by far.
    let by_pika = if door.rabbit.is_some() { rate / 5 } else { 0 };
    let rest = rate - by_command_line - by_pika;
    let (over_http, by_library) = (rest / 2, rest - rest / 2);
    let mut threads = vec![command_line(by_command_line, desk, letters, go_on)];
    if let Some(url) = &door.rabbit {
        threads.push(pika(by_pika, url, letters, go_on));
    }
    threads.push(library(by_library, door, letters, go_on));
    threads.extend((0..HANDS).map(|hand| http(hand, over_http, door, letters, go_on)));
    threads
}

/// Acts at `rate` a second, numbered; what a pause held up is made up for afterwards.
fn at_rate(rate: f64, go_on: &AtomicBool, mut act: impl FnMut(u32)) {
    let began = Instant::now();
    for n in 0.. {
        let due = began + Duration::from_secs_f64(f64::from(n) / rate);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if !go_on.load(Ordering::Relaxed) {
            return;
        }
        act(n);
    }
}

fn http(
    hand: u32,
    rate: u32,
    door: &Door,
    letters: &Arc<Letters>,
    go_on: &Arc<AtomicBool>,
) -> JoinHandle<()> {
    let client = Client::patient(&door.base, Duration::from_secs(30)).with_bearer(&door.key);
    let (letters, go_on) = (Arc::clone(letters), Arc::clone(go_on));
    thread::spawn(move || {
        at_rate(f64::from(rate) / f64::from(HANDS), &go_on, |n| {
            let to = format!("http-{hand}-{n}@example.com");
            let body = json!({ "to_email": to, "template_data": { "title": format!("Letter {n}"), "message": "From a request." } });
            let body = Some(("application/json", body.to_string().into_bytes()));
            match client.try_send("POST", "/api/mail", body) {
                Ok(answer) if answer.status == 202 => letters.answered("HTTP", to),
                Ok(answer) => letters.refused("HTTP", format!("{} {}", answer.status, answer.code())),
                Err(error) => letters.refused("HTTP", error),
            }
        });
    })
}

/// A program of somebody's own with our crate in it, on the same database.
fn library(rate: u32, door: &Door, letters: &Arc<Letters>, go_on: &Arc<AtomicBool>) -> JoinHandle<()> {
    let (door, letters, go_on) = (door.clone(), Arc::clone(letters), Arc::clone(go_on));
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let mailer = runtime.block_on(mailer(&door.postgres, &door.schema));
        thread::scope(|scope| {
            for hand in 0..HANDS {
                let (runtime, mailer, letters, go_on) = (&runtime, &mailer, &letters, &go_on);
                scope.spawn(move || {
                    at_rate(f64::from(rate) / f64::from(HANDS), go_on, |n| {
                        let to = format!("library-{hand}-{n}@example.com");
                        match runtime.block_on(enqueue(mailer, &to)) {
                            Ok(()) => letters.answered("library", to),
                            Err(error) => letters.refused("library", error.to_string()),
                        }
                    });
                });
            }
        });
    })
}

async fn mailer(postgres: &str, schema: &str) -> (Store, Mailer) {
    let options = StoreOptions {
        schema: schema.to_owned(),
        ..StoreOptions::default()
    };
    let store = Store::open(postgres, options)
        .await
        .expect("the database is there");
    let sealer = Sealer::new(&SECRET.into(), &[]).expect("a good secret");
    let from = "Library <library@example.com>".parse().expect("a sender");
    let templates = Templates::built_in().expect("our own templates");
    let mailer = Mailer::new(&store, templates, sealer, MailerSettings::new(from));
    (store, mailer)
}

/// Asks for so many letters by the library, as fast as it takes them, some hundred in a transaction.
pub fn flood(setup: &Setup, letters: usize) {
    let text = |key: &str| {
        let value = setup.setting(key).unwrap_or_else(|| panic!("{key} is set"));
        value.replace('"', "")
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let (store, mailer) = mailer(&text("storage.url"), &text("storage.schema")).await;
        let all: Vec<usize> = (0..letters).collect();
        for part in all.chunks(500) {
            let (mailer, part) = (mailer.clone(), part.to_vec());
            let done = store.run_tx("flood", move |tx| {
                let (mailer, part) = (mailer.clone(), part.clone());
                Box::pin(async move {
                    for n in part {
                        let to = format!("flood-{n}@example.com").parse().expect("an address");
                        mailer.enqueue(&mut *tx, &to, "en", &letter()).await?;
                    }
                    Ok::<_, MailError>(())
                })
            });
            done.await.expect("the database takes them");
        }
        store.close().await;
    });
}

fn letter() -> Notification {
    Notification {
        title: "Library".to_owned(),
        message: "From a transaction of somebody's own.".to_owned(),
    }
}

async fn enqueue((store, mailer): &(Store, Mailer), to: &str) -> Result<(), MailError> {
    let to: gatepost_mail::EmailAddress = to.parse().expect("an address");
    let mailer = mailer.clone();
    let done = store.run_tx("library", move |tx| {
        let (mailer, to) = (mailer.clone(), to.clone());
        Box::pin(async move { mailer.enqueue(tx, &to, "en", &letter()).await })
    });
    done.await.map(drop)
}

fn command_line(
    rate: u32,
    desk: Instance,
    letters: &Arc<Letters>,
    go_on: &Arc<AtomicBool>,
) -> JoinHandle<()> {
    let (letters, go_on) = (Arc::clone(letters), Arc::clone(go_on));
    thread::spawn(move || {
        at_rate(f64::from(rate), &go_on, |n| {
            let to = format!("command-{n}@example.com");
            let mut command = desk.command();
            command.args([
                "mail",
                "send",
                "--title",
                "Hello",
                "--message",
                "From a shell.",
                "--to",
                &to,
            ]);
            let ran = command
                .stdout(Stdio::null())
                .output()
                .expect("the executable runs");
            if ran.status.success() {
                letters.answered("command line", to);
            } else {
                let said = String::from_utf8_lossy(&ran.stderr);
                letters.refused("command line", said.trim().to_owned());
            }
        });
    })
}

/// A Python service with `confirm_delivery` and persistent messages.
fn pika(rate: u32, url: &str, letters: &Arc<Letters>, go_on: &Arc<AtomicBool>) -> JoinHandle<()> {
    let (url, letters, go_on) = (url.to_owned(), Arc::clone(letters), Arc::clone(go_on));
    thread::spawn(move || {
        let rate = rate.to_string();
        let args = [
            url.as_str(),
            "email_queue",
            "--confirm",
            "--persistent",
            "--keep-trying",
        ];
        let more = [
            "--rate",
            &rate,
            "--count",
            "1000000",
            "--to",
            "pika-{n}@example.com",
        ];
        let python = Python::start("publish.py", &[args.as_slice(), more.as_slice()].concat());
        while go_on.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(50));
        }
        for line in python.stop() {
            match line.split_once(' ') {
                Some(("answered", to)) => letters.answered("pika", to.to_owned()),
                Some(("refused", why)) => letters.refused("pika", why.to_owned()),
                _ => panic!("pika said {line:?}"),
            }
        }
    })
}
