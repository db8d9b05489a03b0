//! `POST /api/mail/bounces`: letters that came back.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use gatepost_mail::bounce::{Action, Report, Status};
use gatepost_mail::{BounceClaim, BounceNoted, message_id};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::refused;
use crate::app::App;
use crate::http::json::{body_problem, parse};
use crate::http::{Code, Json, Problem, Query};
use crate::service::api_key::ApiKey;
use crate::service::scope::Scope;

/// The largest report, in bytes: 2 MiB. Mail servers cut the letter that they send back far below that.
pub const MAX_BODY: usize = 2 * 1024 * 1024;

/// A bounce in a few words, for a provider's webhook.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Bounce)]
pub struct Request {
    /// The delivery, for who has a key.
    #[schema(value_type = Option<String>)]
    id: Option<Uuid>,
    /// The `Message-ID` of the letter that came back, for who has a key.
    message_id: Option<String>,
    /// The address that it came back to, with the tag that Gatepost put there.
    bounce_address: Option<String>,
    /// Whom it was for: tells the deliveries of one mail apart.
    to: Option<String>,
    /// `failed` (without it), `delayed`, `delivered` or `complaint`.
    action: Option<String>,
    /// The enhanced status code, such as `5.1.1`.
    status: Option<String>,
    /// What the server said.
    detail: Option<String>,
}

/// Where a report came to.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CameTo {
    /// The address that the report came to, where the server that passes it on knows and no header says.
    to: Option<String>,
}

/// What each entry of a report came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Noted {
    /// One a recipient.
    pub items: Vec<NotedView>,
}

/// What an entry of a report came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotedView {
    /// The delivery; none if it is none of ours.
    id: Option<String>,
    /// Its state from now on.
    state: Option<String>,
    /// What stands in its timeline: `bounced`, `delayed`, `delivered` or `complaint`.
    event: Option<String>,
    /// Whether this was news.
    counted: bool,
    /// Whether its address is left alone from now on because of it.
    suppressed: bool,
}

impl From<BounceNoted> for NotedView {
    fn from(noted: BounceNoted) -> Self {
        Self {
            id: noted.id.map(|id| id.to_string()),
            state: noted.state,
            event: noted.event.map(str::to_owned),
            counted: noted.counted,
            suppressed: noted.suppressed,
        }
    }
}

/// Whoever reports: a key of the scope, or nobody in particular. A key that may not is refused.
#[derive(Debug)]
pub struct Reporter(Option<ApiKey>);

/// A body that says itself that it is too large, before a byte of it is waited for.
fn announced_too_large(headers: &HeaderMap) -> bool {
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    length
        .and_then(|length| length.parse::<usize>().ok())
        .is_some_and(|length| length > MAX_BODY)
}

impl FromRequestParts<App> for Reporter {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if announced_too_large(&parts.headers) {
            return Err(Problem::new(Code::BodyTooLarge));
        }
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return Ok(Self(None));
        }
        let key = ApiKey::from_request_parts(parts, app).await?;
        key.need(&Scope::MailManage)?;
        Ok(Self(Some(key)))
    }
}

/// Report letters that came back
///
/// A whole report as a mail server sends it (`message/rfc822`, RFC 3464; complaints by RFC 5965), its
/// `message/delivery-status` part alone, or a few words as JSON. Counts with a key of the scope `mail:manage`,
/// which is believed by `Message-ID`, or without any for the one delivery that the bounce address names
/// (`mail.bounce_address`), since only Gatepost can make its tag. A letter that failed is `failed`, with `bounced` in
/// its timeline; an address that does not exist (5.1.x), or whose owner complained, is left alone from then on.
#[utoipa::path(
    post, path = "/api/mail/bounces", tag = "mail", operation_id = "report_bounces", params(CameTo),
    request_body(content(
        (Request = "application/json"), (String = "message/rfc822"), (String = "message/delivery-status")
    )),
    responses(
        (status = 200, description = "What each entry came to", body = Noted),
        (status = "4XX", description = "Refused, or no report", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn bounces(
    State(app): State<App>,
    Reporter(key): Reporter,
    Query(came_to): Query<CameTo>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Noted>, Problem> {
    let body = body.map_err(|rejection| body_problem(&rejection))?;
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default()
        .trim();
    let claims = if kind.to_ascii_lowercase().starts_with("application/json") {
        claim(&app, parse(&body), key.is_some())?
    } else {
        let report = if kind.to_ascii_lowercase().starts_with("multipart/") {
            // Its boundary stands in the request's header only.
            Report::parse(&[b"Content-Type: ", kind.as_bytes(), b"\r\n\r\n", &body[..]].concat())
        } else {
            Report::parse(&body)
        };
        app.mailer.claims(&report, came_to.to.as_deref())
    };
    let claims: Vec<BounceClaim> = claims
        .into_iter()
        .filter(|claim| key.is_some() || claim.is_proven())
        .collect();
    if claims.is_empty() {
        return Err(if key.is_some() {
            Problem::field("body", "invalid", "No report about a letter is in it.")
        } else {
            Problem::new(Code::CredentialsMissing)
                .detail("This takes an API key, or a report to an address with Gatepost's tag.")
        });
    }
    let noted = app.mailer.bounced(claims).await.map_err(refused)?;
    let items: Vec<NotedView> = noted.into_iter().map(NotedView::from).collect();
    tracing::info!(
        entries = items.len(),
        counted = items.iter().filter(|item| item.counted).count(),
        with_key = key.is_some(),
        "letters came back"
    );
    Ok(Json(Noted { items }))
}

/// The claim in a JSON body. Without a key only what is proven is looked at, so that nobody without one learns
/// what a body should look like.
fn claim(app: &App, body: Result<Request, Problem>, has_key: bool) -> Result<Vec<BounceClaim>, Problem> {
    let body = match body {
        Ok(body) => body,
        Err(_) if !has_key => return Ok(Vec::new()),
        Err(problem) => return Err(problem),
    };
    let proven = body
        .bounce_address
        .as_deref()
        .and_then(|address| app.mailer.delivery_of(address));
    let message_id = body.message_id.as_deref().and_then(message_id);
    let delivery = proven.or(body.id.filter(|_| has_key));
    if has_key && delivery.is_none() && message_id.is_none() {
        return Err(Problem::field(
            "message_id",
            "invalid",
            "Name a letter of Gatepost's: by id, message_id or bounce_address.",
        ));
    }
    let status = body.status.as_deref().and_then(Status::find);
    let action = body.action.as_deref().unwrap_or("failed");
    let Some(action) = Action::of(action, status) else {
        return Err(Problem::field(
            "action",
            "invalid",
            "There are failed, delayed, delivered and complaint.",
        ));
    };
    Ok(vec![BounceClaim {
        delivery,
        message_id,
        recipients: body.to.into_iter().collect(),
        action,
        status,
        detail: body.detail,
    }])
}
