//! `POST /activate`: the token is used if and only if the user is active.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use gatepost_tokens::Activate;
use serde::Deserialize;

use crate::App;
use crate::error::Error;

/// What the page's button sends.
#[derive(Deserialize)]
pub struct Pressed {
    token: String,
}

/// 204 for the one who uses the token; everybody else is told why not.
pub async fn activate(State(app): State<App>, Json(body): Json<Pressed>) -> Result<StatusCode, Error> {
    let mut tx = app.pool.begin_with("BEGIN IMMEDIATE").await?;
    let user: i64 = app
        .tokens
        .verify::<Activate>(&mut *tx, &body.token)
        .await?
        .subject()?;
    let found = sqlx::query("UPDATE users SET active = 1 WHERE id = $1")
        .bind(user)
        .execute(&mut *tx)
        .await?;
    if found.rows_affected() == 0 {
        // Rolled back with everything else: the token is as good as it was.
        return Err(Error::NoSuchUser);
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
