//! `gatepost mail preview`.

use gatepost_mail::post::Post;
use gatepost_mail::{Rendered, Sender};
use gatepost_storage::Clock;
use uuid::Uuid;

use crate::ops::context::Context;
use crate::ops::failure::Failure;

/// Options of `mail preview`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gatepost mail preview activate_account --locale ru\n  \
    gatepost mail preview welcome --part html > welcome.html\n  \
    gatepost mail preview welcome --part raw > welcome.eml"
)]
pub(in crate::ops) struct Args {
    /// Which one
    template: String,
    /// The language
    #[arg(long, default_value = "en")]
    locale: String,
    /// The text with its subject, the HTML, or the message as a mail server is given it
    #[arg(long, value_parser = ["text", "html", "raw"], default_value = "text")]
    part: String,
    /// The same as --part html
    #[arg(long, conflicts_with = "part")]
    html: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<(), Failure> {
    let config = context.config()?;
    let templates = super::templates::open(&config)?;
    if !templates.has(&args.template) {
        return Err(super::templates::unknown(&templates, &args.template));
    }
    let Some(sample) = templates.sample(&args.template) else {
        return Err(Failure::no(format!(
            "{} has no sample.json to render it with",
            args.template
        )));
    };
    let mail = templates
        .render_raw(&args.template, &args.locale, sample)
        .map_err(|error| Failure::no(error.to_string()))?;
    let from: Sender = config
        .mail
        .from
        .parse()
        .map_err(|error| Failure::no(format!("mail.from: {error}")))?;
    let raw = raw(&mail, &from)?;
    let value = serde_json::json!({ "locale": mail.locale, "subject": mail.subject, "text": mail.text,
        "html": mail.html, "raw": raw });
    context.answer(&value, || match args.part.as_str() {
        "raw" => raw.clone(),
        "text" if !args.html => format!("Subject: {}\n\n{}", mail.subject, mail.text),
        _ => mail.html.clone(),
    })
}

/// The whole message, to nobody in particular.
fn raw(mail: &Rendered, from: &Sender) -> Result<String, Failure> {
    let post = Post {
        message_id: Uuid::nil(),
        from,
        to: std::slice::from_ref(&from.address),
        cc: &[],
        reply_to: None,
        subject: &mail.subject,
        text: &mail.text,
        html: Some(&mail.html),
        date: Clock::default().now().as_micros(),
        headers: &[],
        attachments: &[],
    };
    let bytes = post
        .build()
        .map_err(|error| Failure::unknown(format!("the message can't be built: {error}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
