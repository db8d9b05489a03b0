//! `POST /register`: the user exists if and only if the letter does.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use gatepost_mail::EmailAddress;
use gatepost_tokens::{Activate, NewToken};
use serde::Deserialize;

use crate::App;
use crate::error::Error;
use crate::letter::ConfirmSignup;

/// What the form sends.
#[derive(Deserialize)]
pub struct Signup {
    email: EmailAddress,
    name: String,
    locale: String,
}

/// 202, or 409 if the address is taken.
pub async fn register(State(app): State<App>, Json(form): Json<Signup>) -> Result<StatusCode, Error> {
    // The app's own transaction. SQLite wants to know that it will write.
    let mut tx = app.pool.begin_with("BEGIN IMMEDIATE").await?;
    let new: Option<(i64,)> =
        sqlx::query_as("INSERT INTO users (email, name) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id")
            .bind(form.email.canonical())
            .bind(&form.name)
            .fetch_optional(&mut *tx)
            .await?;
    let (user,) = new.ok_or(Error::AddressTaken)?;

    let token = app.tokens.tokens().mint::<Activate>(&NewToken::new(user))?;
    let letter = ConfirmSignup {
        name: form.name,
        link: format!("{}/activate?token={}", app.site, token.raw).into(),
    };
    app.mailer
        .enqueue(&mut *tx, &form.email, &form.locale, &letter)
        .await?;
    tx.commit().await?;
    Ok(StatusCode::ACCEPTED)
}
