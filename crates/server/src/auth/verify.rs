//! Ask whether an access token is good.

use axum::extract::State;
use gatepost_storage::Timestamp;
use gatepost_tokens::{Access, Purpose, Refused};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::http::token::RawToken;
use crate::http::{Json, Problem, ProblemDocument};

/// The token in question.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Question {
    /// An access token.
    pub token: RawToken,
}

/// What can be said of it. Of one that is not good, nothing but that (RFC 7662, 2.2).
#[derive(Debug, Serialize, ToSchema)]
pub struct Verdict {
    /// Whether it is good now.
    active: bool,
    /// Always `access`.
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<&'static str>,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// Whether an access token is good. Uses nothing up; takes access tokens only.
#[utoipa::path(post, path = "/api/auth/verify", tag = "auth", request_body = Question, responses(
    (status = 200, body = Verdict),
    (status = 503, description = "`dependency_unavailable`: what is revoked is not known for sure", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn verify(State(app): State<App>, Json(body): Json<Question>) -> Result<Json<Verdict>, Problem> {
    let verdict = match app.tokens.check_access(body.token.expose()).await {
        Ok(token) => {
            if let Some(cache) = &app.cache {
                cache.vouch(&token);
            }
            Verdict {
                active: true,
                purpose: Some(Access::NAME),
                user_id: Some(token.user_id().to_owned()),
                expires_at: Some(Timestamp::from_secs(token.expires_at)),
            }
        }
        Err(refused @ Refused::Unavailable(_)) => return Err(refused.into()),
        Err(_) => Verdict {
            active: false,
            purpose: None,
            user_id: None,
            expires_at: None,
        },
    };
    Ok(Json(verdict))
}
