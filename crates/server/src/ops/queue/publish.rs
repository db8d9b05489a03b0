//! `gatepost queue publish`.

use std::io::Read as _;
use std::time::Duration;

use gatepost_messaging::{Envelope, Priority};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::queues::{self, Refused};

/// Options of `queue publish`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gatepost queue publish billing --type order.paid --body '{\"order\": 7}'\n  \
    gatepost queue publish billing --type order.paid --body - < order.json"
)]
pub(in crate::ops) struct Args {
    /// The queue
    name: String,
    /// What the message says it is
    #[arg(long = "type", value_name = "TYPE")]
    kind: String,
    /// The body, JSON; - reads it from standard input
    #[arg(long)]
    body: String,
    /// A header, once for each
    #[arg(long = "header", value_name = "NAME=VALUE")]
    headers: Vec<String>,
    /// 0 to 9, 9 first
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(0..=9))]
    priority: u8,
    /// Not to be handled before so long
    #[arg(long, value_parser = crate::config::parse_duration)]
    delay: Option<Duration>,
    /// Worth nothing after so long
    #[arg(long, value_parser = crate::config::parse_duration)]
    expires: Option<Duration>,
    /// Its id: of one id there is one message
    #[arg(long)]
    id: Option<Uuid>,
    /// The same key on the same queue publishes once in 24 h
    #[arg(long, value_name = "KEY")]
    dedupe_key: Option<String>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let body = body(&args)?;
    let app = context.app().await?;
    let now = app.now();
    let mut envelope = Envelope::bytes(args.name, args.kind, "application/json", body);
    for header in &args.headers {
        let Some((name, value)) = header.split_once('=') else {
            return Err(Failure::usage(format!(
                "--header takes NAME=VALUE, not {header:?}"
            )));
        };
        envelope = envelope.header(name, value);
    }
    if let Some(priority) = Priority::new(args.priority) {
        envelope = envelope.priority(priority);
    }
    envelope.id = args.id;
    envelope.not_before = args.delay.map(|delay| now + delay);
    envelope.expires_at = args.expires.map(|life| now + life);
    envelope.dedupe_key = args.dedupe_key;
    let published = queues::publish(&app, "cli", envelope).await.map_err(failure)?;
    if !published.is_new() {
        context.aside("This id or key was published before: that message stands, and no other was added.");
    }
    let (id, new) = (published.id(), published.is_new());
    context.answer(&json!({ "id": id, "new": new }), || id.to_string())
}

fn body(args: &Args) -> Result<Vec<u8>, Failure> {
    let mut text = args.body.clone();
    if text == "-" {
        text.clear();
        std::io::stdin()
            .lock()
            .read_to_string(&mut text)
            .map_err(|error| Failure::unknown(format!("standard input can't be read: {error}")))?;
    }
    match serde_json::from_str::<Value>(&text) {
        Ok(_) => Ok(text.trim().to_owned().into_bytes()),
        Err(error) => Err(Failure::usage(format!(
            "the body is no JSON (line {}, column {}); put a text in quotes of its own: '\"text\"'",
            error.line(),
            error.column()
        ))),
    }
}

fn failure(refused: Refused) -> Failure {
    match refused {
        Refused::Messaging(error) => error.into(),
        refused @ Refused::Ours => Failure::usage(refused.to_string()),
    }
}
