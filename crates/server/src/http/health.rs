//! `/healthz` and `/readyz`: whether the process lives, and whether it can do its work.

use std::time::Duration;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::code::Code;
use super::json::Json;
use super::problem::{Problem, ProblemDocument};
use crate::app::App;

/// A database that takes longer than this to answer is not one to send requests to.
const PATIENCE: Duration = Duration::from_secs(2);

/// How the process is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok`, `ready` or `degraded`.
    status: &'static str,
    /// What is away that the role can do without: `smtp`, `broker`, `cache`; `mail_paused` if letters wait because
    /// somebody said so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    degraded: Vec<&'static str>,
}

/// The process runs. Touches nothing.
#[utoipa::path(get, path = "/healthz", tag = "system", responses((status = 200, body = Health)))]
pub async fn healthz() -> Json<Health> {
    Json(Health {
        status: "ok",
        degraded: Vec::new(),
    })
}

/// The process can do its work: the database answers, its schema is ours, nobody is shutting us down.
/// What is merely late because a mail server is away still counts as ready.
#[utoipa::path(get, path = "/readyz", tag = "system", responses(
    (status = 200, body = Health),
    (status = 503, description = "`dependency_unavailable`", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn readyz(State(app): State<App>) -> Result<Json<Health>, Problem> {
    let no = |detail: &'static str| Problem::new(Code::DependencyUnavailable).detail(detail);
    if app.lifecycle.is_stopping() {
        return Err(no("The program is shutting down."));
    }
    if !app.lifecycle.is_migrated() {
        return Err(no("The database has to be brought up to date: gatepost migrate."));
    }
    match tokio::time::timeout(PATIENCE, app.store.ping()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(no("The database does not answer.").cause(error)),
        Err(_) => return Err(no("The database takes too long to answer.")),
    }
    let mut degraded = app.lifecycle.degraded(app.store.now(), &app.broker().health());
    if app.cache.as_ref().is_some_and(|cache| !cache.is_connected()) {
        degraded.push("cache");
    }
    // Who pauses letters wants to see it; what can't be read now is not paused by anybody here.
    if app.mailer.pauses().await.is_ok_and(|pauses| !pauses.is_empty()) {
        degraded.push("mail_paused");
    }
    let status = if degraded.is_empty() { "ready" } else { "degraded" };
    Ok(Json(Health { status, degraded }))
}
