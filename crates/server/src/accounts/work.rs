//! The worker that turns a job into nothing or into a letter's intent, in one transaction with the end of
//! the job.

use std::time::Duration;

use gatepost_messaging::{Body, Consumer, Delivery, Outcome, QueueConfig, Retry};
use gatepost_storage::registrations::RegistrationRow;
use gatepost_storage::{Json, Tx, audit, registrations, users};
use serde_json::json;
use uuid::Uuid;

use super::email::Email;
use super::jobs::{self, Job, QUEUE, Wanted};
use super::letters::{self, News};
use super::{confirm_email, invite};
use crate::app::App;
use crate::events;
use crate::http::Problem;

/// How long a registration waits to be confirmed. Longer than a link lives, so that "send it again" works.
const REGISTRATION_LIVES: Duration = Duration::from_secs(7 * 86_400);
/// Several registrations may wait for one address, and only its owner can tell which one is his: a letter
/// for each of the newest, which says when it was asked for.
const LETTERS_AGAIN: i64 = 3;
/// Jobs are short; a database that is away is away for all of them.
const DELAYS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
];

/// Jobs in hand. Most of them only wait for their hour (see [`Wiring::scatter`](crate::app::Wiring)).
const AT_ONCE: usize = 64;

/// How the queue of jobs is to be.
pub(crate) fn queue(config: QueueConfig) -> QueueConfig {
    config.retry(Retry::ladder(&DELAYS).jitter(0.2).max_attempts(50))
}

/// Handles jobs.
pub(crate) fn consumer(app: &App) -> Consumer {
    let handler = app.clone();
    app.inside
        .consume_any(QUEUE, move |delivery| handle(handler.clone(), delivery))
        .concurrency(AT_ONCE)
}

async fn handle(app: App, delivery: Delivery<Body>) -> Outcome {
    let job = match jobs::open(&app, delivery.id, &delivery.message.bytes) {
        Ok(job) => std::sync::Arc::new(job),
        Err(reason) => return Outcome::Fail(reason),
    };
    scatter(app.scatter).await;
    let (id, ack, worker) = (delivery.id, delivery.ack(), app.clone());
    let done = app.store.run_tx("account_job", move |tx| {
        let (app, job, ack) = (worker.clone(), job.clone(), ack.clone());
        Box::pin(async move {
            // A lost lease means that somebody else has the job: leave it to them.
            if ack.done_in(&mut *tx).await? {
                work(&app, tx, id, &job).await?;
            }
            Ok::<_, Problem>(())
        })
    });
    match done.await {
        Ok(()) => Outcome::Done,
        Err(problem) => {
            problem.log();
            Outcome::Retry(problem.code().as_str().to_owned())
        }
    }
}

/// Wait for a time drawn between nothing and `most`. A letter to somebody known is work that others' answers
/// would feel; begun at once, it would show in the very next one.
async fn scatter(most: Duration) {
    if !most.is_zero() {
        let part = f64::from(u32::from_be_bytes(crate::random::bytes())) / f64::from(u32::MAX);
        tokio::time::sleep(most.mul_f64(part)).await;
    }
}

async fn work(app: &App, tx: &mut Tx<'_>, id: Uuid, job: &Job) -> Result<(), Problem> {
    let email = Email::from(job.email.clone());
    let user = users::by_email(tx, email.canonical()).await?;
    match (&job.wanted, user) {
        (
            Wanted::Registration {
                password,
                locale,
                profile,
            },
            None,
        ) => {
            let row = RegistrationRow {
                id,
                email: email.address().to_string(),
                email_canonical: email.canonical().to_owned(),
                password: password.clone(),
                locale: locale.clone(),
                profile: Json(profile.clone()),
                requested_at: job.requested_at,
                expires_at: job.requested_at + REGISTRATION_LIVES,
            };
            if registrations::insert(tx, &row).await? {
                letters::activation(app, tx, &row, job.requested_at).await?;
                events::user::registered(tx, row.id.into()).await?;
            }
        }
        (Wanted::Registration { .. }, Some(user)) if user.active => {
            letters::news(
                app,
                tx,
                News::AlreadyRegistered,
                &user.id.to_string(),
                &user.locale,
                job.requested_at,
            )
            .await?;
        }
        // Somebody invited who asks at the door, instead of waiting for the letter or finding it again. The password
        // that came along is anybody's.
        (Wanted::Registration { .. } | Wanted::ActivationAgain, Some(user)) if invite::waits(app, &user) => {
            letters::invitation(app, tx, &user, job.requested_at).await?;
        }
        (Wanted::ActivationAgain, None) => {
            for row in registrations::by_email(tx, email.canonical(), LETTERS_AGAIN).await? {
                letters::activation(app, tx, &row, job.requested_at).await?;
            }
        }
        (Wanted::ActivationAgain, Some(user))
            if user.activated_at.is_none() && app.config.accounts.sends_activation_again() =>
        {
            letters::activation_of_user(app, tx, &user, job.requested_at).await?;
        }
        (Wanted::PasswordReset, Some(user)) if user.active => {
            letters::password_reset(app, tx, &user, job.requested_at).await?;
            let subject = user.id.to_string();
            audit::note(tx, "service", "password.reset_asked", Some(&subject), json!({})).await?;
        }
        (Wanted::EmailChange { user_id }, holder) => {
            confirm_email::begin(app, tx, id, job.requested_at, &email, *user_id, holder.as_ref()).await?;
        }
        // Nobody is told anything: not whoever asked, and not an address that nobody asked for.
        _ => {}
    }
    Ok(())
}
