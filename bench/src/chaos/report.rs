//! What became of everything.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use gatepost_storage::Timestamp;
use serde_json::Value;

use super::letters::Letters;
use super::servers::Watched;
use super::{Kill, Plan, Start};
use crate::outside::{Client, Received, Sink, escape};

/// From the mail server's having a letter to our having noted its answer, at most, on a busy machine.
const WINDOW: Duration = Duration::from_secs(2);
/// So many letters are looked for one by one.
const MANY: usize = 20;
/// What two threads of ours may disagree about when something was.
const SLACK: Duration = Duration::from_millis(100);

/// What became of everything.
#[derive(Debug)]
pub struct Report {
    /// What should not have been; empty if all held.
    pub faults: Vec<String>,
    /// Letters that were answered, by publisher.
    pub answered: BTreeMap<&'static str, usize>,
    /// Letters that were not answered, by publisher, and the last reason.
    pub refused: BTreeMap<&'static str, (u64, String)>,
    /// Answered letters that arrived.
    pub delivered: usize,
    /// Each twin with the kill that hit its window.
    pub twins: Vec<String>,
    /// Each letter that stands `unknown`, with its kills.
    pub unknown: Vec<String>,
    /// Kills by server.
    pub kills: BTreeMap<&'static str, usize>,
    /// When each was killed, in seconds from the start, and when it answered again.
    pub history: Vec<String>,
    /// Processes that ended by themselves, and what they said.
    pub own_ends: Vec<String>,
    /// What is left on RabbitMQ in the end.
    pub queues: Vec<String>,
    /// How long it took until the last letter was settled when nothing was killed any more.
    pub drained: Duration,
    seed: u64,
    lasted: Duration,
}

/// Waits until every letter has arrived or stands `unknown`, and none is open any more; gives the time that it took.
pub(super) fn drain(sink: &Sink, letters: &Letters, reader: &Client, patience: Duration) -> Duration {
    let began = Instant::now();
    let answered = letters.book().answered;
    while began.elapsed() < patience {
        let received = sink.received();
        let arrived: HashSet<&str> = received
            .iter()
            .flat_map(|letter| letter.to.iter().map(String::as_str))
            .collect();
        let mut missing = answered.keys().filter(|to| !arrived.contains(to.as_str()));
        // Looked for in the ledger only when few are missing, or it would be asked all the time.
        let few = missing.clone().nth(MANY).is_none();
        if few && missing.all(|to| is_unknown(reader, to)) && nothing_open(reader) {
            break;
        }
        thread::sleep(Duration::from_millis(500));
    }
    began.elapsed()
}

fn is_unknown(reader: &Client, to: &str) -> bool {
    reader
        .try_send("GET", &format!("/api/mail?to={}", escape(to)), None)
        .is_ok_and(|answer| answer.status == 200 && answer.json()["items"][0]["state"] == "unknown")
}

fn nothing_open(reader: &Client) -> bool {
    ["waiting", "sending", "deferred"].iter().all(|state| {
        reader
            .try_send("GET", &format!("/api/mail?limit=1&state={state}"), None)
            .is_ok_and(|answer| answer.status == 200 && answer.json()["items"] == Value::Array(Vec::new()))
    })
}

impl Report {
    pub(super) fn of(
        plan: &Plan,
        start: Start,
        letters: &Letters,
        received: &[Received],
        watched: impl IntoIterator<Item = Watched>,
        reader: &Client,
        drained: Duration,
    ) -> Self {
        let book = letters.book();
        let watched: Vec<Watched> = watched.into_iter().collect();
        let mut kills: Vec<Kill> = watched.iter().flat_map(|w| w.kills.clone()).collect();
        kills.sort_by_key(|kill| kill.at);
        let mut report = Self {
            faults: Vec::new(),
            answered: BTreeMap::new(),
            refused: book.refused.clone(),
            delivered: 0,
            twins: Vec::new(),
            unknown: Vec::new(),
            kills: BTreeMap::new(),
            history: kills.iter().map(|kill| start.tell(kill)).collect(),
            own_ends: watched.iter().flat_map(|w| w.own_ends.clone()).collect(),
            queues: watched.iter().flat_map(Watched::queues).collect(),
            drained,
            seed: plan.seed,
            lasted: plan.how_long,
        };
        for kill in &kills {
            *report.kills.entry(kill.server).or_default() += 1;
        }
        let mut copies: HashMap<&str, Vec<&Received>> = HashMap::new();
        for letter in received {
            for to in &letter.to {
                copies.entry(to).or_default().push(letter);
            }
        }
        for (to, by) in &book.answered {
            *report.answered.entry(by).or_default() += 1;
            if copies.contains_key(to.as_str()) {
                report.delivered += 1;
            } else {
                report.missing(to, by, start, &kills, reader);
            }
        }
        report.copies(&copies, start, &kills);
        report
    }

    /// A letter that was promised and did not arrive.
    fn missing(&mut self, to: &str, by: &str, start: Start, kills: &[Kill], reader: &Client) {
        let list = reader.get(&format!("/api/mail?to={}", escape(to))).json();
        let Some(id) = list["items"][0]["id"].as_str() else {
            self.faults.push(format!("{to} ({by}) is lost: nobody knows it"));
            return;
        };
        let shown = reader.get(&format!("/api/mail/{id}")).json();
        let state = shown["state"].as_str().unwrap_or_default().to_owned();
        let starts = starts(&shown);
        let causes: Vec<String> = starts
            .iter()
            .filter_map(|at| cause(kills, start.instant + at.since(start.time)))
            .collect();
        if state == "unknown" && causes.len() >= 2 {
            self.unknown.push(format!("{to} ({by}): {}", causes.join("; ")));
        } else {
            self.faults.push(format!(
                "{to} ({by}) did not arrive and is {state}; starts hit by a kill: {causes:?}; {}",
                shown["timeline"]
            ));
        }
    }

    /// Twins, and what must never be.
    fn copies(&mut self, copies: &HashMap<&str, Vec<&Received>>, start: Start, kills: &[Kill]) {
        let mut owners: HashMap<&str, &str> = HashMap::new();
        for (to, letters) in copies {
            let first = letters[0];
            if first.message_id.is_empty() {
                self.faults.push(format!("{to}: a letter without a Message-ID"));
            }
            if let Some(other) = owners.insert(&first.message_id, to) {
                self.faults
                    .push(format!("{to} and {other} have the same Message-ID"));
            }
            if letters.iter().any(|letter| letter.message_id != first.message_id) {
                self.faults.push(format!("{to}: a twin with another Message-ID"));
            }
            if letters.len() > 2 {
                self.faults.push(format!("{to}: {} copies", letters.len()));
            }
            if letters.len() < 2 {
                continue;
            }
            let at = first.at.saturating_duration_since(start.instant).as_secs_f64();
            match cause(kills, first.at) {
                Some(cause) => self.twins.push(format!("{to}, sent first at {at:.1} s: {cause}")),
                None => self
                    .faults
                    .push(format!("{to}: a twin of {at:.1} s that no kill explains")),
            }
        }
    }
}

/// When the ledger says that starts were made.
fn starts(shown: &Value) -> Vec<Timestamp> {
    let timeline = shown["timeline"].as_array().cloned().unwrap_or_default();
    let mut starts: Vec<Timestamp> = timeline
        .iter()
        .filter(|event| event["event"] == "sending")
        .flat_map(|event| [event["at"].as_str(), event["last_at"].as_str()].map(|at| at.map(str::to_owned)))
        .flatten()
        .filter_map(|at| Timestamp::parse_rfc3339(&at))
        .collect();
    starts.sort_unstable();
    starts.dedup();
    starts
}

/// The kill that can have come between a letter's final dot, which was sent about `at`, and the note of its answer:
/// the sender's, the mail server's, or that of the database, which takes no notes until it is back.
fn cause(kills: &[Kill], at: Instant) -> Option<String> {
    let hit = kills.iter().find(|kill| match kill.server {
        "worker" | "mail server" => kill.at + SLACK >= at && kill.at <= at + WINDOW,
        "PostgreSQL" => kill.at <= at + WINDOW && kill.back.is_none_or(|back| back + WINDOW >= at),
        _ => false,
    })?;
    let after = match hit.at.checked_duration_since(at) {
        Some(after) => format!("{} ms after", after.as_millis()),
        None => format!("{} ms before", at.duration_since(hit.at).as_millis()),
    };
    Some(format!("kill of {} {after}", hit.server))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answered: usize = self.answered.values().sum();
        #[expect(clippy::cast_precision_loss, reason = "thousands of letters, not 2^52")]
        let rate = answered as f64 / self.lasted.as_secs_f64();
        writeln!(
            f,
            "seed {}: {:?} of kills: {:?}",
            self.seed, self.lasted, self.kills
        )?;
        writeln!(
            f,
            "{answered} letters answered ({rate:.0}/s): {:?}",
            self.answered
        )?;
        for (by, (count, last)) in &self.refused {
            writeln!(f, "  {count} of {by} not answered, the last: {last}")?;
        }
        writeln!(
            f,
            "{} delivered, the last {:.1?} after the last kill's time",
            self.delivered, self.drained
        )?;
        writeln!(
            f,
            "{} unknown, {} twins, {} faults",
            self.unknown.len(),
            self.twins.len(),
            self.faults.len()
        )?;
        let parts = [
            ("unknown", &self.unknown),
            ("twin", &self.twins),
            ("killed", &self.history),
            ("ended by itself", &self.own_ends),
            ("on RabbitMQ", &self.queues),
            ("FAULT", &self.faults),
        ];
        for (what, list) in parts {
            for line in list.iter().take(50) {
                writeln!(f, "  {what}: {line}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kill(server: &'static str, at: Instant, back_after: u64) -> Kill {
        Kill {
            server,
            at,
            back: Some(at + Duration::from_millis(back_after)),
        }
    }

    #[test]
    fn only_a_kill_within_the_window_explains_a_twin() {
        let at = Instant::now() + Duration::from_secs(60);
        let before = |ms| at.checked_sub(Duration::from_millis(ms)).unwrap();
        let named = |kills: &[Kill]| cause(kills, at);
        assert!(named(&[kill("worker", at + Duration::from_millis(5), 500)]).is_some());
        assert!(
            named(&[kill("worker", before(500), 100)]).is_none(),
            "it came before"
        );
        assert!(
            named(&[kill("worker", at + Duration::from_secs(3), 500)]).is_none(),
            "far too late"
        );
        assert!(named(&[kill("mail server", at, 500)]).is_some());
        assert!(named(&[kill("api", at, 500)]).is_none(), "it sends nothing");
        assert!(
            named(&[kill("PostgreSQL", before(5_000), 9_000)]).is_some(),
            "still away"
        );
        assert!(
            named(&[kill("PostgreSQL", before(9_000), 1_000)]).is_none(),
            "long back"
        );
    }

    #[test]
    fn starts_are_read_from_the_timeline() {
        let shown = serde_json::json!({ "timeline": [
            { "event": "queued", "at": "2026-11-22T12:00:00Z", "last_at": "2026-11-22T12:00:00Z" },
            { "event": "sending", "at": "2026-11-22T12:00:01Z", "last_at": "2026-11-22T12:00:01Z" },
            { "event": "sending", "at": "2026-11-22T12:00:31Z", "last_at": "2026-11-22T12:00:51Z" },
        ]});
        assert_eq!(starts(&shown).len(), 3);
    }
}
