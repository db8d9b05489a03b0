//! `gatepost mail why`: what became of an address's letters, in sentences.

use gatepost_mail::{Delivery, EmailAddress, MailPause, Suppression};
use gatepost_storage::{Error, Timestamp, registrations, users};
use serde_json::json;

use crate::app::App;
use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words::{relative, span, time};

/// Letters that are told about.
const LETTERS: u32 = 10;

/// What is known of an address besides its letters.
struct Reader {
    abouts: Vec<String>,
    account: &'static str,
}

pub(super) async fn run(context: &Context, address: EmailAddress) -> Result<(), Failure> {
    let app = context.app().await?;
    let now = app.now();
    let reader = reader(&app, &address).await?;
    let letters = app.mailer.letters_of(&address, &reader.abouts, LETTERS).await?;
    let suppression = app.mailer.suppression(&address).await?;
    let pauses = app.mailer.pauses().await?;

    let mut said = vec![format!("{} {}.", address.masked(), reader.account)];
    said.extend(suppression.as_ref().map(|held| of_suppression(held, now)));
    let touching = pauses.iter().filter(|pause| touches(pause, &letters));
    said.extend(touching.map(|pause| super::pause::lines(std::slice::from_ref(pause), now) + "."));
    if letters.is_empty() {
        said.push(format!(
            "No letter to it is known. What ended more than {} ago is forgotten (retention.mail).",
            span(app.config.retention.mail)
        ));
    }
    said.extend(letters.iter().map(|letter| of_letter(letter, now)));
    if app.config.limits_enabled {
        said.push(
            "Who asks for account letters too often is answered 429 (or as ever, with no letter made): that is \
             counted in the memory of the program that answers, and stands in its log."
                .to_owned(),
        );
    }
    let value = json!({ "to": address.masked(), "suppression": suppression, "pauses": pauses,
        "letters": letters, "sentences": said });
    context.answer(&value, || said.join("\n"))
}

async fn reader(app: &App, address: &EmailAddress) -> Result<Reader, Failure> {
    let canonical = address.canonical();
    let (user, pending) = app
        .store
        .read("find_reader", move |tx| {
            let canonical = canonical.clone();
            Box::pin(async move {
                let user = users::by_email(tx, &canonical).await?;
                let pending = registrations::by_email(tx, &canonical, 10).await?;
                Ok::<_, Error>((user, pending))
            })
        })
        .await?;
    let mut abouts: Vec<String> = pending
        .iter()
        .map(|row| format!("registration:{}", row.id))
        .collect();
    abouts.extend(user.as_ref().map(|user| format!("user:{}", user.id)));
    let account = match (&user, pending.is_empty()) {
        (Some(user), _) if user.active => "has an account, which is active",
        (Some(_), _) => "has an account, which is not active",
        (None, false) => "was registered and not confirmed yet",
        (None, true) => "has no account here: whoever asks for a link to it gets none, and the same answer",
    };
    Ok(Reader { abouts, account })
}

fn touches(pause: &MailPause, letters: &[Delivery]) -> bool {
    pause
        .template
        .as_ref()
        .is_none_or(|template| letters.iter().any(|letter| letter.template == *template))
}

fn of_suppression(held: &Suppression, now: Timestamp) -> String {
    let who = match held.source.as_str() {
        "refused" => "the mail server said that there is no such mailbox",
        "bounced" => "a letter came back",
        "complaint" => "its owner complained",
        _ => "a person said so",
    };
    let ends = held.ends_at.map_or_else(
        || "`gatepost mail suppress remove` ends that".to_owned(),
        |at| format!("it ends {} unless a letter comes back again", relative(at, now)),
    );
    let letter = held.letter_at.map_or_else(
        || "one account letter in 24 hours still goes there".to_owned(),
        |at| format!("the one account letter in 24 hours went {}", relative(at, now)),
    );
    format!(
        "It is left alone since {}, because {who} ({}); {letter}; {ends}.",
        relative(held.created_at, now),
        held.reason
    )
}

fn of_letter(letter: &Delivery, now: Timestamp) -> String {
    let head = format!(
        "{} of {} ({}):",
        letter.template,
        relative(letter.created_at, now),
        letter.id
    );
    let reply = letter.reply.as_deref().unwrap_or("nothing");
    let next = letter
        .next_attempt_at
        .map(|at| format!(", is tried again {}", relative(at, now)))
        .unwrap_or_default();
    let fate = match letter.state.as_str() {
        "waiting" => "waits for a worker".to_owned(),
        "sending" => "is being given to the mail server".to_owned(),
        "deferred" => format!(
            "was put off ({} attempts){next}; said last: {reply}",
            letter.attempts
        ),
        "sent" => {
            let at = letter.sent_at.map(|at| time(at, now)).unwrap_or_default();
            format!("was taken by the mail server ({at}): {reply}")
        }
        "handed_over" => "was handed to a Python consumer, which alone knows".to_owned(),
        "failed" if letter.bounced_at.is_some() => {
            let sent = letter.sent_at.map(|at| time(at, now)).unwrap_or_default();
            format!("was sent ({sent}) and {reply}")
        }
        "failed" => format!("failed: {reply}"),
        "unknown" => format!(
            "was given to the mail server {} times and no answer was noted: {reply}; \
             `gatepost mail resend` sends it again, `gatepost queue discard` leaves it at that",
            letter.possible_copies
        ),
        "suppressed" => format!("was not sent, the address being left alone: {reply}"),
        "expired" => "was not sent in time".to_owned(),
        "superseded" => "was not sent, since a newer one was asked for".to_owned(),
        "cancelled" => format!("was cancelled: {reply}"),
        other => format!("is {other}"),
    };
    let copies = match letter.possible_copies {
        2.. if letter.state != "unknown" => {
            format!(
                "; there may be {} copies, all with one Message-ID",
                letter.possible_copies
            )
        }
        _ => String::new(),
    };
    let again = letter
        .resent_as
        .map(|id| format!("; it was sent again as {id}"))
        .unwrap_or_default();
    format!("{head} {fate}{copies}{again}.")
}
