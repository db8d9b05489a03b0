//! `POST /api/mail`: put a letter on the queue.

use axum::extract::State;
use axum::http::StatusCode;
use gatepost_mail::Idempotency;
use gatepost_mail::wire::MailRequest;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::refused;
use crate::app::App;
use crate::http::{IdempotencyKey, Json, Problem};
use crate::service::api_key::{Allowed, MailSend};

/// A letter: what the Python services put on their queue (`to_email`, `template_data`), or `to_email`,
/// `template` and `data`. Unknown fields are passed over, as the Python services do.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "the shape for openapi.json; gatepost_mail::wire reads the body, field by field"
)]
#[schema(as = NewMail)]
pub struct Request {
    /// Whom it goes to.
    #[schema(format = Email)]
    to_email: String,
    /// The subject; without it the title, or the template's own.
    subject: Option<String>,
    /// Who it is from; without it `mail.from`. One that `mail.allowed_from` allows.
    from_email: Option<String>,
    /// What it says, in the template `notification`: `title?`, `message`, `logo_url?`, `html_content?`.
    #[schema(value_type = Option<Object>)]
    template_data: Option<Value>,
    /// In its place: the name of a template.
    template: Option<String>,
    /// What that template shows.
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
    /// The reader's language, such as `uk`.
    locale: Option<String>,
    /// When it is no longer worth sending (RFC 3339).
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// Who gets a copy and is named.
    cc: Option<Vec<String>>,
    /// Who gets a copy and is not named.
    bcc: Option<Vec<String>>,
    /// Where answers go.
    reply_to: Option<String>,
    /// A plain part in place of the rendered one.
    text: Option<String>,
    /// `X-*`, `List-*`, `References`, `In-Reply-To`.
    #[schema(value_type = Option<Object>)]
    headers: Option<Value>,
    /// Files: `name`, `type`, `base64`, `cid?`.
    #[schema(value_type = Option<Vec<Object>>)]
    attachments: Option<Value>,
}

/// What was queued.
#[derive(Debug, Serialize, ToSchema)]
pub struct Queued {
    /// The delivery, for `GET /api/mail/{id}`.
    pub id: String,
}

/// Queue a letter
///
/// From this answer on it is not lost, whatever is restarted. The same `Idempotency-Key` with the same body
/// queues one letter and gets its id again for 24 hours; with another body it is refused. At most 12 MiB.
/// Takes the scope `mail:send`.
#[utoipa::path(
    post, path = "/api/mail", tag = "mail", operation_id = "send_mail", request_body = Request,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters")),
    responses(
        (status = 202, description = "Queued", body = Queued),
        (status = "4XX", description = "Refused", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn send(
    State(app): State<App>,
    allowed: Allowed<MailSend>,
    IdempotencyKey(key): IdempotencyKey,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Json<Queued>), Problem> {
    let request = MailRequest::from_value(&body)?;
    let idempotency = key.map(|key| Idempotency {
        scope: allowed.key.id.to_string(),
        key,
    });
    let asked = std::sync::Arc::new((app.mailer.clone(), request, idempotency));
    let queued = app
        .store
        .run_tx("queue_mail", move |tx| {
            let asked = asked.clone();
            Box::pin(async move {
                let (mailer, request, idempotency) = &*asked;
                mailer
                    .enqueue_request(tx, request, idempotency.as_ref())
                    .await
                    .map_err(refused)
            })
        })
        .await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(Queued {
            id: queued.id.to_string(),
        }),
    ))
}
