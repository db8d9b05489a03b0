//! `gatepost queue peek`.

use uuid::Uuid;

use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words::{relative, table};
use crate::queues::{Desk, MessageView, Named};

/// Options of `queue peek`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gatepost queue peek billing\n  gatepost queue peek email_queue.dead --body --limit 1\n\n\
    On RabbitMQ looking at what waits counts as a delivery; it is said when it did. Looking at dead letters never does."
)]
pub(in crate::ops) struct Args {
    /// The queue; with .dead after it, its dead letters
    name: String,
    /// Print bodies, too. They may hold what is nobody's business
    #[arg(long)]
    body: bool,
    /// How many at most
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// Go on after this id
    #[arg(long, value_name = "ID")]
    after: Option<Uuid>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let app = context.app().await?;
    let desk = Desk::new(&app);
    let named = Named::parse(&args.name);
    let messages = desk.peek(&named, args.after, args.limit, args.body).await?;
    let counted = desk.looking_counts() && !named.dead;
    if counted && !messages.is_empty() {
        context
            .aside("This counted as a delivery: RabbitMQ lets nobody look without taking and giving back.");
    }
    let next = messages
        .last()
        .filter(|_| messages.len() == args.limit as usize)
        .map(|last| last.id);
    let now = app.now();
    let answer = serde_json::json!({ "items": messages, "next": next, "counted_as_delivery": counted });
    context.answer(&answer, || {
        if messages.is_empty() {
            return "There is none.".to_owned();
        }
        let text = if args.body {
            messages
                .iter()
                .map(|one| whole(one, now))
                .collect::<Vec<_>>()
                .join("\n\n")
        } else {
            let rows: Vec<Vec<String>> = messages.iter().map(|one| row(one, now)).collect();
            table(&["ID", "TYPE", "PUBLISHED", "TRIES", "BYTES", "WHY"], &rows)
        };
        let more = next
            .map(|next| format!("\ngo on with --after {next}"))
            .unwrap_or_default();
        text + &more
    })
}

fn row(one: &MessageView, now: gatepost_storage::Timestamp) -> Vec<String> {
    vec![
        one.id.to_string(),
        one.kind.clone(),
        relative(one.enqueued_at, now),
        one.attempts.to_string(),
        one.size.to_string(),
        why(one),
    ]
}

fn why(one: &MessageView) -> String {
    match (&one.dead, &one.last_error) {
        (Some(dead), _) => match (dead.reason.as_str(), dead.detail.as_str()) {
            ("", "") => "put there by somebody else, without a reason".to_owned(),
            (reason, "") => reason.to_owned(),
            // Letters say it themselves.
            (reason, detail) if reason.is_empty() || detail.starts_with(&format!("{reason}: ")) => {
                detail.to_owned()
            }
            (reason, detail) => format!("{reason}: {detail}"),
        },
        (None, Some(error)) => error.clone(),
        (None, None) if one.in_hand => "in hand".to_owned(),
        (None, None) => String::new(),
    }
}

fn whole(one: &MessageView, now: gatepost_storage::Timestamp) -> String {
    let mut lines = vec![format!(
        "{} {} published {}, {} tries",
        one.id,
        one.kind,
        relative(one.enqueued_at, now),
        one.attempts
    )];
    let why = why(one);
    if !why.is_empty() {
        lines.push(why);
    }
    lines.extend(one.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    let body = one
        .body
        .as_deref()
        .or(one.body_base64.as_deref())
        .unwrap_or_default();
    // What other programs wrote must not drive the terminal.
    lines.extend(
        body.lines()
            .map(|line| line.chars().filter(|c| !c.is_control()).collect()),
    );
    lines.join("\n")
}
