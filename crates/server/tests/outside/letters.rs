//! Many letters at once, and what became of them.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use gatepost_bench::outside::{Client, Instance, Sink};
use serde_json::json;

/// Asks for letters over HTTP.
pub(crate) struct Asker {
    client: Client,
    name: String,
    /// Addresses whose letter was answered with 202, and when.
    pub(crate) answered: Vec<(String, Instant)>,
    asked: usize,
}

impl Asker {
    #[track_caller]
    pub(crate) fn of(instance: &Instance, name: &str) -> Self {
        let key = instance.key(&["mail:send"]);
        Self {
            client: Client::patient(&instance.base(), Duration::from_secs(30)).with_bearer(&key),
            name: name.to_owned(),
            answered: Vec::new(),
            asked: 0,
        }
    }

    /// Asks for one more; whether it was answered.
    pub(crate) fn ask(&mut self) -> bool {
        self.asked += 1;
        let to = format!("{}-{}@example.com", self.name, self.asked);
        let body = json!({ "to_email": to, "template_data": { "title": "Hello", "message": "A letter." } });
        let body = Some(("application/json", body.to_string().into_bytes()));
        let answer = self.client.try_send("POST", "/api/mail", body);
        let good = answer.is_ok_and(|answer| answer.status == 202);
        if good {
            self.answered.push((to, Instant::now()));
        }
        good
    }

    /// Asks for so many, and all of them must be answered.
    #[track_caller]
    pub(crate) fn ask_for(&mut self, count: usize) {
        for _ in 0..count {
            assert!(self.ask(), "a letter was not taken");
        }
    }

    /// Asks about `rate` times a second for so long.
    pub(crate) fn ask_during(&mut self, time: Duration, rate: u32) {
        let began = Instant::now();
        let mut due = began;
        while began.elapsed() < time {
            self.ask();
            due += Duration::from_secs(1) / rate;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    /// Waits until all that was answered has arrived, each once or, where something was killed, twice.
    #[track_caller]
    pub(crate) fn all_arrive(&self, sink: &Sink, patience: Duration) {
        all_arrive(sink, self.answered.iter().map(|(to, _)| to.as_str()), patience);
    }
}

/// Waits until a letter to each address has arrived.
#[track_caller]
pub(crate) fn all_arrive<'a>(sink: &Sink, to: impl Iterator<Item = &'a str>, patience: Duration) {
    let wanted: HashSet<&str> = to.collect();
    let began = Instant::now();
    loop {
        let received = sink.received();
        let arrived: HashSet<&str> = received
            .iter()
            .flat_map(|r| r.to.iter().map(String::as_str))
            .collect();
        let missing: Vec<&&str> = wanted.difference(&arrived).collect();
        if missing.is_empty() {
            return;
        }
        assert!(
            began.elapsed() < patience,
            "{} of {} letters did not arrive within {patience:?}, {:?} among them",
            missing.len(),
            wanted.len(),
            &missing[..missing.len().min(3)]
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// No letter came more than once.
#[track_caller]
pub(crate) fn nothing_twice(sink: &Sink) {
    let mut seen = HashSet::new();
    for letter in sink.received() {
        assert!(
            seen.insert(letter.message_id.clone()),
            "a twin to {:?}",
            letter.to
        );
    }
}
