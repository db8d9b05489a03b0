//! `GET /metrics`.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use gatepost_storage::Timestamp;

use super::stored::{InDatabase, Stored};
use super::text::Text;
use crate::app::App;

/// Metrics
///
/// Prometheus' text format. Counters count since the process began; what stands in the database is the same from every
/// instance and is left out while the database does not answer. With `http.admin_bind` this is answered there alone.
#[utoipa::path(get, path = "/metrics", tag = "system", responses(
    (status = 200, description = "Samples", body = String, content_type = "text/plain")))]
pub async fn metrics(State(app): State<App>) -> Response {
    let stored = app.metrics.stored.read(&app).await;
    let mut text = Text::default();
    let ready = stored.database.is_some() && !app.lifecycle.is_stopping();
    text.single(
        "gatepost_ready",
        "gauge",
        "Whether this process can do its work, as /readyz says.",
        u8::from(ready),
    );
    queues(&mut text, &stored);
    mail(&app, &mut text);
    text.single(
        "gatepost_broker_connected",
        "gauge",
        "Whether there is a connection to the broker; the embedded one is always there.",
        u8::from(app.broker().health().connected),
    );
    if let Some(cache) = &app.cache {
        text.single(
            "gatepost_cache_connected",
            "gauge",
            "Whether limits are counted over all instances, in Redis; absent without one.",
            u8::from(cache.is_connected()),
        );
    }
    revocations(&app, &mut text);
    tokens(&app, &mut text);
    app.metrics.http.show(&mut text);
    let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (headers, text.finish()).into_response()
}

fn queues(text: &mut Text, stored: &Stored) {
    let Some(database) = &stored.database else { return };
    let depth = "gatepost_queue_depth";
    text.family(
        depth,
        "gauge",
        "Messages by queue and stage: waiting, delayed, in_hand, handed_over (to RabbitMQ, not ended); broker: ready on RabbitMQ.",
    );
    for row in &database.stages {
        text.sample(
            depth,
            &[("queue", &row.queue), ("stage", &row.stage)],
            row.messages,
        );
    }
    for (queue, ready, _) in &stored.broker {
        text.sample(depth, &[("queue", queue), ("stage", "broker")], ready);
    }
    let oldest = "gatepost_queue_oldest_seconds";
    text.family(
        oldest,
        "gauge",
        "Age of the oldest message in a stage; of a delayed one since it was published, of a waiting one since it was due.",
    );
    for row in &database.stages {
        let since = if row.stage == "waiting" {
            row.due
        } else {
            row.oldest
        };
        let age = database.now.since(since).as_secs_f64();
        text.sample(oldest, &[("queue", &row.queue), ("stage", &row.stage)], age);
    }
    dead(text, database, stored);
    if let Some(at) = database.last_sweep {
        text.single(
            "gatepost_last_sweep_timestamp_seconds",
            "gauge",
            "When an instance last finished sweeping what has expired.",
            seconds(at),
        );
    }
}

fn dead(text: &mut Text, database: &InDatabase, stored: &Stored) {
    let name = "gatepost_dead_letters";
    text.family(
        name,
        "gauge",
        "Messages that nobody will try again by themselves.",
    );
    let mut all: Vec<(&str, u64)> = database
        .dead
        .iter()
        .map(|(queue, dead)| (queue.as_str(), u64::try_from(*dead).unwrap_or(0)))
        .collect();
    for (queue, _, dead) in &stored.broker {
        match all.iter_mut().find(|(known, _)| *known == queue.as_str()) {
            Some((_, sum)) => *sum += dead,
            None if *dead > 0 => all.push((queue.as_str(), *dead)),
            None => {}
        }
    }
    for (queue, dead) in all {
        text.sample(name, &[("queue", queue)], dead);
    }
}

fn mail(app: &App, text: &mut Text) {
    let Some(health) = app.lifecycle.mail() else {
        return;
    };
    let total = "gatepost_mail_total";
    text.family(
        total,
        "counter",
        "How starts of letters ended in this process, by template.",
    );
    for (template, outcome, times) in health.letters() {
        text.sample(total, &[("template", &template), ("outcome", outcome)], times);
    }
    let waits = "gatepost_mail_accept_to_sent_seconds";
    text.family(
        waits,
        "histogram",
        "Time from a letter's being accepted to the mail server's 250.",
    );
    let times = health.waits();
    text.histogram(waits, &[], &times.buckets, times.sum);
    let twins = health
        .counts()
        .into_iter()
        .find(|(what, _)| *what == "possible_twin");
    text.single(
        "gatepost_mail_duplicates_total",
        "counter",
        "Letters sent again after a start whose final dot had no answer: their readers may have two.",
        twins.map_or(0, |(_, times)| times),
    );
    let paused = "gatepost_smtp_paused";
    text.family(
        paused,
        "gauge",
        "Whether letters wait because this mail server is at fault.",
    );
    let now = app.now().as_micros();
    for server in health.servers() {
        let waits = server.paused_until.is_some_and(|until| until > now);
        text.sample(paused, &[("server", &server.server)], u8::from(waits));
    }
}

fn revocations(app: &App, text: &mut Text) {
    let revocations = app.tokens.revocations();
    text.single(
        "gatepost_revocations_age_seconds",
        "gauge",
        "Age of the last reading of the revocation log; from 1 s on a check waits for another.",
        revocations.age().as_secs_f64(),
    );
    text.single(
        "gatepost_revocations",
        "gauge",
        "Revocations in memory that may refuse a living access token.",
        revocations.len(),
    );
}

fn tokens(app: &App, text: &mut Text) {
    let name = "gatepost_tokens_total";
    text.family(name, "counter", "What was done with tokens, and what came of it.");
    for count in app.tokens.counts() {
        let labels = [
            ("purpose", count.purpose),
            ("op", count.op),
            ("outcome", count.outcome),
        ];
        text.sample(name, &labels, count.times);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds since 1970 fit into 53 bits until the year 2255"
)]
fn seconds(at: Timestamp) -> f64 {
    at.as_micros() as f64 / 1_000_000.0
}
