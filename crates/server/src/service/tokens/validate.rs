//! `POST /api/tokens/validate`: what is this token good for; uses nothing up.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Verified;
use crate::app::App;
use crate::http::token::RawToken;
use crate::http::{Json, Problem};
use crate::service::api_key::{Allowed, TokensVerify};

/// What to look at.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ValidateToken)]
pub struct Request {
    /// The token, of any purpose.
    token: RawToken,
}

/// Validate a token of any purpose
///
/// Signature, time, use and revocation are checked; nothing is used up. Takes the scope `tokens:verify`.
#[utoipa::path(
    post, path = "/api/tokens/validate", tag = "tokens", operation_id = "validate_token", request_body = Request,
    responses(
        (status = 200, description = "It is good; `consumed` is false", body = Verified),
        (status = "4XX", description = "It is not, or the request is not", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn validate(
    State(app): State<App>,
    _allowed: Allowed<TokensVerify>,
    Json(request): Json<Request>,
) -> Result<Json<Verified>, Problem> {
    Ok(Json(one(&app, &request).await?))
}

/// Looks at one.
pub(super) async fn one(app: &App, request: &Request) -> Result<Verified, Problem> {
    let token = app.tokens.validate_any(request.token.expose()).await?;
    Ok(Verified::of(token, false))
}
