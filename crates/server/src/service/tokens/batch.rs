//! `POST /api/tokens/batch`: many of the other four in one call.

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{create, revoke, validate, verify};
use crate::app::App;
use crate::http::{Code, Json, Problem, ProblemDocument};
use crate::service::api_key::ApiKey;
use crate::service::scope::Scope;

/// So many things at most in one call.
const MAX_ITEMS: usize = 100;
/// A hundred of the longest tokens, and some room.
pub(crate) const MAX_BODY: usize = 1024 * 1024;

/// What to do.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = TokenBatch)]
pub struct Request {
    /// At most 100.
    #[schema(max_items = 100)]
    items: Vec<Item>,
}

/// One thing to do: the body of the route of that name, and `op`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "op", rename_all = "snake_case")]
#[schema(as = TokenBatchItem)]
pub enum Item {
    /// As `POST /api/tokens`.
    Create(create::Request),
    /// As `POST /api/tokens/verify`.
    Verify(verify::Request),
    /// As `POST /api/tokens/validate`.
    Validate(validate::Request),
    /// As `POST /api/tokens/revoke`.
    Revoke(revoke::Request),
}

/// What became of it all.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenBatchAnswer)]
pub struct Answer {
    /// In the order of what was asked.
    items: Vec<Done>,
}

/// What became of one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenBatchDone)]
pub struct Done {
    /// The status that the route of its own would have answered.
    status: u16,
    /// Its answer, if it was done and has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    /// Why it was not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemDocument>,
}

/// Somebody whose key is for tokens at all. What each item takes is asked when its turn comes.
pub struct Caller(ApiKey);

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let key = ApiKey::from_request_parts(parts, app).await?;
        let any = key.scopes.iter().any(|scope| {
            matches!(
                scope,
                Scope::All
                    | Scope::TokensCreate(_)
                    | Scope::TokensCreateAny
                    | Scope::TokensVerify
                    | Scope::TokensRevoke
                    | Scope::SessionsCreate
            )
        });
        if any {
            Ok(Self(key))
        } else {
            Err(Problem::new(Code::ScopeMissing)
                .detail("This needs a key with a scope of tokens, such as `tokens:verify`."))
        }
    }
}

/// Make, verify, validate and revoke many tokens
///
/// Up to 100, one after the other, each as if it had come alone: with the scope that its own route asks for, in a
/// transaction of its own, and with its own answer. The whole is 200 however they ended; if an item can't be read, it
/// is 422 and none is done. Takes no `Idempotency-Key`: whoever needs one for a one-time token verifies it alone.
#[utoipa::path(
    post, path = "/api/tokens/batch", tag = "tokens", operation_id = "token_batch", request_body = Request,
    responses(
        (status = 200, description = "What became of each", body = Answer),
        (status = "4XX", description = "Refused as a whole", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn batch(
    State(app): State<App>,
    Caller(key): Caller,
    Json(request): Json<Request>,
) -> Result<Json<Answer>, Problem> {
    if request.items.len() > MAX_ITEMS {
        let text = format!("{MAX_ITEMS} at most in one call.");
        return Err(Problem::field("items", "too_long", text));
    }
    let mut items = Vec::with_capacity(request.items.len());
    for item in request.items {
        items.push(match one(&app, &key, item).await {
            Ok((status, result)) => Done {
                status: status.as_u16(),
                result,
                problem: None,
            },
            Err(problem) => {
                problem.log();
                Done {
                    status: problem.status().as_u16(),
                    result: None,
                    problem: Some(problem.document()),
                }
            }
        });
    }
    Ok(Json(Answer { items }))
}

async fn one(app: &App, key: &ApiKey, item: Item) -> Result<(StatusCode, Option<Value>), Problem> {
    match item {
        Item::Create(request) => {
            let created = create::one(app, key, request).await?;
            Ok((StatusCode::CREATED, written(&created)?))
        }
        Item::Verify(request) => {
            key.need(&Scope::TokensVerify)?;
            let verified = verify::one(app, key, None, request).await?;
            Ok((StatusCode::OK, written(&verified)?))
        }
        Item::Validate(request) => {
            key.need(&Scope::TokensVerify)?;
            let verified = validate::one(app, &request).await?;
            Ok((StatusCode::OK, written(&verified)?))
        }
        Item::Revoke(request) => {
            key.need(&Scope::TokensRevoke)?;
            revoke::one(app, key, request).await?;
            Ok((StatusCode::NO_CONTENT, None))
        }
    }
}

fn written(answer: &impl Serialize) -> Result<Option<Value>, Problem> {
    serde_json::to_value(answer).map(Some).map_err(Problem::internal)
}
