//! `gatepost mail preview`.

use gatepost_mail::Templates;

use crate::ops::context::Context;
use crate::ops::failure::Failure;

/// Options of `mail preview`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gatepost mail preview activate_account --locale ru\n  \
    gatepost mail preview welcome --html > welcome.html"
)]
pub(in crate::ops) struct Args {
    /// Which one
    template: String,
    /// The language
    #[arg(long, default_value = "en")]
    locale: String,
    /// The HTML part instead of the text
    #[arg(long)]
    html: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<(), Failure> {
    let app = context.app().await?;
    let templates: &Templates = app.mailer.templates();
    let names = || templates.names().collect::<Vec<_>>().join(", ");
    if !templates.has(&args.template) {
        return Err(Failure::usage(format!(
            "there is no template {:?}; there are {}",
            args.template,
            names()
        )));
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
    let value = serde_json::json!({ "locale": mail.locale, "subject": mail.subject, "text": mail.text, "html": mail.html });
    context.answer(&value, || {
        if args.html {
            mail.html.clone()
        } else {
            format!("Subject: {}\n\n{}", mail.subject, mail.text)
        }
    })
}
