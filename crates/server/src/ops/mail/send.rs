//! `gatepost mail send`.

use std::time::Duration;

use gatepost_mail::wire::MailRequest;
use gatepost_mail::{EmailAddress, MailError};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::app::App;
use crate::ops::context::Context;
use crate::ops::failure::Failure;

/// Options of `mail send`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gatepost mail send --to ann@example.com --title Hello --message 'It works.' --wait\n  \
    gatepost mail send --to ann@example.com --template notification --data title=Hello --data message=Hi"
)]
pub(in crate::ops) struct Args {
    /// Whom to
    #[arg(long, value_name = "ADDRESS")]
    to: EmailAddress,
    /// The title; the subject, too, unless --subject says another
    #[arg(long, required_unless_present = "template")]
    title: Option<String>,
    /// The message; an empty line begins a paragraph
    #[arg(long, required_unless_present = "template")]
    message: Option<String>,
    /// The subject
    #[arg(long, conflicts_with = "template")]
    subject: Option<String>,
    /// Another template than the general one
    #[arg(long, conflicts_with_all = ["title", "message"])]
    template: Option<String>,
    /// What the template needs, once for each; a value that is JSON is taken as such
    #[arg(long = "data", value_name = "NAME=VALUE", requires = "template")]
    data: Vec<String>,
    /// The language
    #[arg(long)]
    locale: Option<String>,
    /// Wait until it is delivered or refused
    #[arg(long)]
    wait: bool,
    /// How long to wait at most
    #[arg(long, default_value = "60s", requires = "wait", value_parser = crate::config::parse_duration)]
    timeout: Duration,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let body = body(&args)?;
    let request = MailRequest::from_value(&body).map_err(|error| Failure::usage(error.to_string()))?;
    let app = context.app().await?;
    let mailer = app.mailer.clone();
    let enqueued = app
        .store
        .run_tx("send_mail", move |tx| {
            let (mailer, request) = (mailer.clone(), request.clone());
            Box::pin(async move { mailer.enqueue_request(tx, &request, None).await })
        })
        .await
        .map_err(|error: MailError| Failure::from(error))?;
    if args.wait {
        return wait(context, &app, enqueued.id, args.timeout).await;
    }
    context.answer(&json!({ "id": enqueued.id }), || enqueued.id.to_string())
}

fn body(args: &Args) -> Result<Value, Failure> {
    let mut body = Map::new();
    body.insert("to_email".to_owned(), args.to.as_str().into());
    if let Some(locale) = &args.locale {
        body.insert("locale".to_owned(), locale.as_str().into());
    }
    if let Some(template) = &args.template {
        let mut data = Map::new();
        for pair in &args.data {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(Failure::usage(format!("--data takes NAME=VALUE, not {pair:?}")));
            };
            data.insert(
                name.to_owned(),
                serde_json::from_str(value).unwrap_or_else(|_| value.into()),
            );
        }
        body.insert("template".to_owned(), template.as_str().into());
        body.insert("data".to_owned(), data.into());
    } else {
        body.insert(
            "template_data".to_owned(),
            json!({ "title": args.title, "message": args.message }),
        );
        if let Some(subject) = &args.subject {
            body.insert("subject".to_owned(), subject.as_str().into());
        }
    }
    Ok(body.into())
}

/// Looks until the letter is in a state that it stays in. The worker is another process: there is nobody to ask.
async fn wait(context: &Context, app: &App, id: Uuid, timeout: Duration) -> Result<(), Failure> {
    let began = std::time::Instant::now();
    loop {
        let delivery = app.mailer.show(id).await?;
        let Some(delivery) = delivery.map(|d| d.delivery) else {
            return Err(Failure::unknown(format!(
                "{id} is no longer among the deliveries"
            )));
        };
        let state = delivery.state.as_str();
        context.progress("");
        if matches!(state, "sent" | "handed_over") {
            return context.answer(&delivery, || format!("{id} {state}"));
        }
        if !matches!(state, "waiting" | "sending" | "deferred") {
            context.answer(&delivery, || format!("{id} {state}"))?;
            let why = delivery.reply.unwrap_or_default();
            return Err(Failure::no(format!(
                "the mail is {state}: {why}; `gatepost mail show {id}` tells more"
            )));
        }
        if began.elapsed() >= timeout {
            return Err(Failure::unknown(format!(
                "the mail is still {state} after {} s; is `gatepost serve` running? `gatepost mail show {id}` tells more",
                timeout.as_secs()
            )));
        }
        context.progress(state);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
