//! `gatepost mail pause` and `resume`.

use gatepost_mail::MailPause;
use gatepost_storage::Timestamp;

use crate::app::App;
use crate::letters;
use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words::relative;

/// Options of `mail pause`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gatepost mail pause --template newsletter --reason 'wrong prices'\n  gatepost mail pause"
)]
pub(in crate::ops) struct Pause {
    /// Only this template's letters
    #[arg(long)]
    template: Option<String>,
    /// Why, for whoever wonders later
    #[arg(long)]
    reason: Option<String>,
}

/// Options of `mail resume`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  gatepost mail resume --template newsletter\n  gatepost mail resume")]
pub(in crate::ops) struct Resume {
    /// Only this template's letters; without it everything goes on
    #[arg(long)]
    template: Option<String>,
}

pub(super) async fn pause(context: &Context, args: Pause) -> Result<(), Failure> {
    let app = context.app().await?;
    known(&app, args.template.as_deref())?;
    let pauses = letters::pause(&app, args.template, args.reason, "cli").await?;
    context.answer(&serde_json::json!({ "items": pauses }), || {
        lines(&pauses, app.now())
    })
}

pub(super) async fn resume(context: &Context, args: Resume) -> Result<(), Failure> {
    let app = context.app().await?;
    let named = args.template.clone();
    let (ended, pauses) = letters::resume(&app, args.template, "cli").await?;
    if let (0, Some(template)) = (ended, &named) {
        let what = if pauses.is_empty() {
            "nothing is".to_owned()
        } else {
            lines(&pauses, app.now()).replace('\n', "; ")
        };
        return Err(Failure::no(format!("{template} is not paused by itself: {what}")));
    }
    context.answer(&serde_json::json!({ "ended": ended, "items": pauses }), || {
        if pauses.is_empty() {
            "letters go on".to_owned()
        } else {
            format!("still paused: {}", lines(&pauses, app.now()))
        }
    })
}

/// One sentence a pause.
pub(super) fn lines(pauses: &[MailPause], now: Timestamp) -> String {
    let line = |pause: &MailPause| {
        let what = pause.template.as_deref().map_or_else(
            || "all letters are".to_owned(),
            |template| format!("letters of {template} are"),
        );
        let why = pause.reason.as_deref().map(|why| format!(": {why}"));
        format!(
            "{what} paused ({}, by {}){}",
            relative(pause.since, now),
            pause.by,
            why.unwrap_or_default()
        )
    };
    pauses.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn known(app: &App, template: Option<&str>) -> Result<(), Failure> {
    let templates = app.mailer.templates();
    match template {
        Some(name) if !templates.has(name) => Err(super::templates::unknown(templates, name)),
        _ => Ok(()),
    }
}
