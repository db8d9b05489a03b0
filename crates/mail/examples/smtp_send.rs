//! Renders a letter and gives it to a mail server, with neither queue nor database:
//! `cargo run -p gatepost-mail --features smtp --example smtp_send -- smtp://localhost:25?tls=none anna@example.com ru`
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::error::Error;

use gatepost_mail::letter::Notification;
use gatepost_mail::transport::smtp::Smtp;
use gatepost_mail::{EmailAddress, Post, Sender, Site, Templates};
use uuid::Uuid;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(url), Some(to)) = (args.next(), args.next()) else {
        return Err("usage: smtp_send URL ADDRESS [LOCALE]".into());
    };
    let to: EmailAddress = to.parse()?;
    let from: Sender = "Gatepost <noreply@example.com>".parse()?;

    let templates = Templates::built_in()?.with_site(Site::new("Gatepost"));
    let letter = Notification {
        title: "Привіт".into(),
        message: ".A line that begins with a dot\n\n1 < 2".into(),
    };
    let mail = templates.render(&letter, &args.next().unwrap_or_else(|| "en".into()))?;
    let post = Post {
        message_id: Uuid::from_u128(7),
        from: &from,
        to: &[to],
        cc: &[],
        reply_to: None,
        subject: &mail.subject,
        text: &mail.text,
        html: Some(&mail.html),
        // 2026-01-01T00:00:00Z; a program passes its clock's time.
        date: 1_767_225_600_000_000,
        headers: &[],
        attachments: &[],
    };
    let smtp = Smtp::connect(&url)?;
    for (to, outcome) in smtp.send(&post).await? {
        match outcome {
            Ok(accepted) => println!("{}: taken: {} {}", to.masked(), accepted.code, accepted.text),
            Err(error) => println!("{}: {error}", to.masked()),
        }
    }
    smtp.close().await;
    Ok(())
}
