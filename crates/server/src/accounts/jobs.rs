//! What was asked for and not yet looked into: one sealed row, the same for every address.
//!
//! Register, resend and forgot insert a job and answer. Only the worker finds out whether the address is
//! known, so the answer can tell nobody, by its words or by its time.

use gatepost_messaging::Envelope;
use gatepost_storage::{Timestamp, UserId, new_id};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::email::Email;
use crate::app::App;
use crate::http::{Client, Problem};
use crate::limits;

/// The queue of jobs.
pub(crate) const QUEUE: &str = "gatepost.accounts";
/// The only kind of message on it.
pub(crate) const KIND: &str = "account.job";
/// What the body is sealed as.
const SEALED_AS: &str = "account job";

/// Something to look into. Holds an address and a hash: it exists in the clear only in memory.
#[derive(Serialize, Deserialize)]
pub(crate) struct Job {
    /// The address as it was given.
    pub(crate) email: gatepost_mail::EmailAddress,
    /// When it was asked for: links live from here on.
    pub(crate) requested_at: Timestamp,
    /// What is wanted.
    pub(crate) wanted: Wanted,
}

/// What is wanted for the address.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wanted {
    /// An account.
    Registration {
        /// The hash of the password that was chosen.
        password: String,
        /// The language of letters.
        locale: String,
        /// What the application sent along.
        profile: serde_json::Value,
    },
    /// The activation letter again.
    ActivationAgain,
    /// A link to choose another password.
    PasswordReset,
    /// This address for an account that has another one.
    EmailChange {
        /// The account.
        user_id: UserId,
    },
}

/// Asks for a letter to an address, known or not: the same work for each, a row and a commit.
pub(crate) async fn ask_for_letter(
    app: &App,
    client: Client,
    email: &Email,
    wanted: Wanted,
) -> Result<(), Problem> {
    limits::letter(app, client, email).await?;
    let job = Job {
        email: email.address().clone(),
        requested_at: app.now(),
        wanted,
    };
    enqueue(app, &job).await?;
    Ok(())
}

/// Puts a job in line: one row, one commit. Its id becomes the registration's and the user's.
pub(crate) async fn enqueue(app: &App, job: &Job) -> Result<Uuid, Problem> {
    let id = new_id(app.now());
    let plain = serde_json::to_vec(job).map_err(Problem::internal)?;
    let sealed = app
        .sealer
        .seal_as(SEALED_AS, id.as_bytes(), &plain)
        .map_err(Problem::internal)?;
    let envelope = Envelope::bytes(QUEUE, KIND, "application/octet-stream", sealed).id(id);
    app.outbox.enqueue(envelope).await?;
    Ok(id)
}

/// Opens a job that was put in line under `id`.
pub(crate) fn open(app: &App, id: Uuid, sealed: &[u8]) -> Result<Job, String> {
    let plain = app
        .sealer
        .open_as(SEALED_AS, id.as_bytes(), sealed)
        .map_err(|error| error.to_string())?;
    serde_json::from_slice(&plain).map_err(|error| error.to_string())
}
