//! `POST /api/queues/{name}/publish`.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use gatepost_messaging::{Body, Envelope, Headers, Priority, TRACEPARENT};
use gatepost_storage::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::http::{IdempotencyKey, Json, Problem};
use crate::queues::{self, Refused};
use crate::service::api_key::{Allowed, QueuesWrite};
use crate::service::scope::Scope;

/// The message.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewMessage)]
pub struct Request {
    /// What it says it is, at most 255 bytes: what a consumer goes by.
    #[serde(rename = "type")]
    kind: String,
    /// Its body: any JSON.
    #[schema(value_type = Value)]
    body: serde_json::Value,
    /// Its headers.
    #[serde(default)]
    #[schema(value_type = Object)]
    headers: Headers,
    /// 0 to 9, 9 first; 4 if it is missing.
    priority: Option<u8>,
    /// Not to be handled before.
    #[schema(value_type = Option<String>, format = DateTime)]
    not_before: Option<Timestamp>,
    /// Worth nothing after.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Its id, if you have one: of one id there is one message.
    #[schema(value_type = Option<String>)]
    id: Option<Uuid>,
}

/// It is in the outbox.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PublishedMessage)]
pub struct Accepted {
    /// Its id, or that of the one that stands.
    #[schema(value_type = String)]
    id: Uuid,
    /// Whether it was published now: not if its id, or within 24 h its `Idempotency-Key`, had been used on this queue.
    new: bool,
}

/// Publish a message
///
/// It is durable when this answers, and goes to whatever broker there is. Not to queues whose names begin with
/// `gatepost.`; to the queue of mail (`mail.queue`) with the scope `mail:send` besides. Takes the scope `queues:write`.
#[utoipa::path(
    post, path = "/api/queues/{name}/publish", tag = "queues", operation_id = "publish_message", request_body = Request,
    params(("name" = String, Path, description = "The queue's name"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key on the same queue publishes once in 24 h"),
        ("traceparent" = Option<String>, Header, description = "The trace that the message goes on with (W3C Trace Context), unless its own headers name one")),
    responses(
        (status = 202, description = "It is in the outbox", body = Accepted),
        (status = "4XX", description = "Refused", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn publish(
    State(app): State<App>,
    allowed: Allowed<QueuesWrite>,
    Path(name): Path<String>,
    IdempotencyKey(key): IdempotencyKey,
    headers: HeaderMap,
    Json(request): Json<Request>,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    if name == app.config.mail.queue {
        allowed.key.need(&Scope::MailSend)?;
    }
    let body = Body::json(&request.body)?;
    let mut envelope = Envelope::bytes(name, request.kind, body.content_type, body.bytes);
    envelope.headers = request.headers;
    if let Some(trace) = trace(&headers).filter(|_| !envelope.headers.contains_key(TRACEPARENT)) {
        envelope = envelope.trace(trace);
    }
    if let Some(priority) = request.priority {
        let known = Priority::new(priority);
        envelope.priority =
            known.ok_or_else(|| Problem::field("priority", "invalid", "It is a number from 0 to 9."))?;
    }
    envelope.id = request.id;
    envelope.not_before = request.not_before;
    envelope.expires_at = request.expires_at;
    envelope.dedupe_key = key;
    if request
        .expires_at
        .is_some_and(|at| at <= app.now() + Duration::from_secs(1))
    {
        return Err(Problem::field("expires_at", "invalid", "It is over already."));
    }
    let published = queues::publish(&app, &allowed.key.actor(), envelope)
        .await
        .map_err(problem)?;
    let accepted = Accepted {
        id: published.id(),
        new: published.is_new(),
    };
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

/// The caller's trace, if what stands there is one (W3C Trace Context 3.2.2): a message is no worse without.
fn trace(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(TRACEPARENT)?.to_str().ok()?;
    let hex = |part: &str, length| {
        let digits = part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        part.len() == length && digits
    };
    let parts: Vec<&str> = value.split('-').collect();
    let [version, trace, parent, flags] = parts.as_slice() else {
        return None;
    };
    let well_formed = hex(version, 2) && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
    well_formed.then_some(value)
}

fn problem(refused: Refused) -> Problem {
    use gatepost_messaging::Error;
    match refused {
        Refused::Ours => Problem::field("name", "reserved", "Queues that begin with gatepost. are ours."),
        Refused::Messaging(error @ (Error::Invalid { .. } | Error::TooLarge { .. })) => {
            let text = error.to_string();
            let first = text.chars().take(1).flat_map(char::to_uppercase);
            let sentence: String = first.chain(text.chars().skip(1)).chain(['.']).collect();
            Problem::field("body", "invalid", sentence)
        }
        Refused::Messaging(error) => error.into(),
    }
}
