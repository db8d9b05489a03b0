//! `POST /api/tokens`: make a token.

use axum::extract::State;
use axum::http::StatusCode;
use gatepost_storage::{Timestamp, Tx, audit, users};
use gatepost_tokens::{CreateError, NewSession, NewToken, Refused, ServiceError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::{Lifetime, UserId};
use crate::app::App;
use crate::http::{Json, Problem};
use crate::service::api_key::ApiKey;
use crate::service::scope::{Scope, owns_account};

/// The most bytes that added claims may take as JSON; what is larger does not fit into a header line.
const MAX_CLAIMS: usize = 4_096;

/// What to make.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewToken)]
pub struct Request {
    /// Whom it is about: any text of 1 to 255 bytes. It need not be an account here, except for `access` and
    /// `refresh`.
    #[schema(value_type = String, min_length = 1, max_length = 255)]
    user_id: UserId,
    /// What it is for: one of the five built-in purposes, or one of `tokens.purposes`.
    purpose: String,
    /// Instead of the purpose's own: seconds, or a text such as `30m`. Not for `access` and `refresh`.
    #[schema(value_type = Option<Object>, example = "30m")]
    lifetime: Option<Lifetime>,
    /// What it shall say besides, at most 4 KiB. Not for `access` and `refresh`.
    #[schema(value_type = Option<Object>)]
    claims: Option<Map<String, Value>>,
}

/// What was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct Created {
    /// The token.
    pub token: String,
    /// From when on it is dead.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// Make a token
///
/// Takes the scope `tokens:create:<purpose>`; `tokens:create:*` covers every purpose but `change_password`,
/// `change_email` and `invite`, whose tokens can take an account over and whose making is audited. `access` and `refresh` take
/// `sessions:create` and an active account here; they open a session that its user sees among the others.
#[utoipa::path(
    post, path = "/api/tokens", tag = "tokens", operation_id = "create_token", request_body = Request,
    responses(
        (status = 201, description = "Made", body = Created),
        (status = "4XX", description = "Refused", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn create(
    State(app): State<App>,
    key: ApiKey,
    Json(request): Json<Request>,
) -> Result<(StatusCode, Json<Created>), Problem> {
    Ok((StatusCode::CREATED, Json(one(&app, &key, request).await?)))
}

/// Makes one, if the key may.
pub(super) async fn one(app: &App, key: &ApiKey, request: Request) -> Result<Created, Problem> {
    let needed = match request.purpose.as_str() {
        "access" | "refresh" => Scope::SessionsCreate,
        purpose => Scope::TokensCreate(purpose.to_owned()),
    };
    key.need(&needed)?;
    if app.tokens.tokens().purpose_named(&request.purpose).is_none() {
        return Err(Problem::field("purpose", "invalid", unknown_purpose(app)));
    }
    if needed == Scope::SessionsCreate {
        open_session(app, key, request).await
    } else {
        mint(app, key, request).await
    }
}

fn unknown_purpose(app: &App) -> String {
    let names: Vec<&str> = app
        .tokens
        .tokens()
        .purposes()
        .map(|purpose| purpose.name.as_str())
        .collect();
    format!("There is no such purpose; there are {}.", names.join(", "))
}

async fn mint(app: &App, key: &ApiKey, request: Request) -> Result<Created, Problem> {
    let Request {
        user_id: UserId(user_id),
        purpose,
        lifetime,
        claims,
    } = request;
    let claims = claims.unwrap_or_default();
    if serde_json::to_vec(&claims).map_or(usize::MAX, |json| json.len()) > MAX_CLAIMS {
        return Err(Problem::field(
            "claims",
            "too_long",
            "The claims take more than 4 KiB.",
        ));
    }
    let (tokens, actor) = (app.tokens.clone(), key.actor());
    let minted = app
        .store
        .run_tx("create_token", move |tx| {
            let mut new = NewToken::new(user_id.as_str()).extra(claims.clone());
            if let Some(Lifetime(lifetime)) = lifetime {
                new = new.lifetime(lifetime);
            }
            let (tokens, actor) = (tokens.clone(), actor.clone());
            let (purpose, user_id) = (purpose.clone(), user_id.clone());
            Box::pin(async move {
                let minted = tokens
                    .create_named_in(tx, &purpose, new)
                    .await
                    .map_err(create_problem)?;
                if owns_account(&purpose) {
                    audit::note(
                        tx,
                        &actor,
                        "token.created",
                        Some(&user_id),
                        json!({ "purpose": purpose }),
                    )
                    .await?;
                }
                Ok::<_, Problem>(minted)
            })
        })
        .await?;
    Ok(Created {
        token: minted.raw,
        expires_at: Timestamp::from_secs(minted.expires_at),
    })
}

/// Log an account in on behalf of another program.
async fn open_session(app: &App, key: &ApiKey, request: Request) -> Result<Created, Problem> {
    let Request {
        user_id: UserId(user_id),
        purpose,
        lifetime,
        claims,
    } = request;
    if lifetime.is_some() {
        return Err(Problem::field(
            "lifetime",
            "invalid",
            "The tokens of a session live as long as every session's.",
        ));
    }
    if claims.is_some_and(|claims| !claims.is_empty()) {
        return Err(Problem::field(
            "claims",
            "invalid",
            "The tokens of a session take no other claims.",
        ));
    }
    let (tokens, key, asked) = (app.tokens.clone(), key.clone(), purpose.clone());
    let grant = app
        .store
        .run_tx("create_session_for", move |tx| {
            let (tokens, key) = (tokens.clone(), key.clone());
            let (purpose, user_id) = (asked.clone(), user_id.clone());
            Box::pin(async move {
                if !is_active_account(tx, &user_id).await? {
                    return Err(Problem::field(
                        "user_id",
                        "invalid",
                        "There is no active account of this id here.",
                    ));
                }
                audit::note(
                    tx,
                    &key.actor(),
                    "session.created",
                    Some(&user_id),
                    json!({ "purpose": purpose }),
                )
                .await?;
                // What the user reads in the list of sessions.
                let session = NewSession {
                    user_agent: Some(format!("API key {}", key.name)),
                    ip: None,
                };
                Ok(tokens.start_session_in(tx, &user_id, session).await?)
            })
        })
        .await?;
    app.tokens.ripe(&grant).await;
    let token = if purpose == "refresh" {
        grant.refresh
    } else {
        grant.access
    };
    let expires_at = app
        .tokens
        .validate_any(&token)
        .await
        .map_err(|refused: Refused| Problem::internal(refused))?
        .expires_at;
    Ok(Created {
        token,
        expires_at: Timestamp::from_secs(expires_at),
    })
}

async fn is_active_account(tx: &mut Tx<'_>, user_id: &str) -> Result<bool, Problem> {
    let Ok(id) = user_id.parse() else { return Ok(false) };
    Ok(users::get(tx, id).await?.is_some_and(|user| user.active))
}

fn create_problem(error: ServiceError) -> Problem {
    match error {
        ServiceError::Create(CreateError::Subject) => {
            Problem::field("user_id", "invalid", CreateError::Subject.to_string())
        }
        ServiceError::Create(error @ CreateError::TooLarge(_)) => {
            Problem::field("claims", "too_long", error.to_string())
        }
        other => other.into(),
    }
}
