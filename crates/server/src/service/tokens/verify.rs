//! `POST /api/tokens/verify`: is this token good for that, and use it up.

use axum::extract::State;
use gatepost_storage::Tx;
use gatepost_storage::verify_answers::{self, Claim};
use gatepost_tokens::{AnyToken, TokenService};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Verified;
use crate::app::App;
use crate::http::token::RawToken;
use crate::http::{Code, IdempotencyKey, Json, Problem};
use crate::service::api_key::{Allowed, ApiKey, TokensVerify};

/// What to verify.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = VerifyToken)]
pub struct Request {
    /// The token.
    token: RawToken,
    /// What it has to be for.
    purpose: String,
    /// Whether a one-time token is used up by this call.
    #[serde(default = "yes")]
    #[schema(default = true)]
    consume: bool,
}

fn yes() -> bool {
    true
}

impl Request {
    /// What an idempotency key stands for. The token goes in, its bytes do not come out.
    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update([u8::from(self.consume)]);
        digest.update(self.purpose.as_bytes());
        digest.update([0]);
        digest.update(self.token.expose().as_bytes());
        digest.finalize().into()
    }
}

/// Verify a token for a purpose
///
/// A one-time token is used up, unless `consume` is false: of many callers with one token one gets 200, the
/// others `token_used`. Whoever lost the answer sends the same `Idempotency-Key` again and gets the same
/// answer for 10 minutes. Takes the scope `tokens:verify`.
#[utoipa::path(
    post, path = "/api/tokens/verify", tag = "tokens", operation_id = "verify_token", request_body = Request,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters")),
    responses(
        (status = 200, description = "It is good", body = Verified),
        (status = "4XX", description = "It is not, or the request is not", body = crate::http::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("api_key" = []))
)]
pub async fn verify(
    State(app): State<App>,
    allowed: Allowed<TokensVerify>,
    IdempotencyKey(idempotency_key): IdempotencyKey,
    Json(request): Json<Request>,
) -> Result<Json<Verified>, Problem> {
    Ok(Json(one(&app, &allowed.key, idempotency_key, request).await?))
}

/// Verifies one.
pub(super) async fn one(
    app: &App,
    key: &ApiKey,
    idempotency_key: Option<String>,
    request: Request,
) -> Result<Verified, Problem> {
    if app.tokens.tokens().purpose_named(&request.purpose).is_none() {
        return Err(Problem::field(
            "purpose",
            "invalid",
            "There is no such purpose here.",
        ));
    }
    if idempotency_key.is_none() && request.consume {
        let raw = request.token.expose();
        let token = app.tokens.verify_named_alone(raw, &request.purpose).await?;
        let consumed = token.purpose.one_time;
        return Ok(Verified::of(token, consumed));
    }
    let key_id = key.id;
    let (tokens, digest) = (app.tokens.clone(), request.digest());
    let request = std::sync::Arc::new(request);
    app.store
        .run_tx("verify_token", move |tx| {
            let (tokens, request, idempotency_key) =
                (tokens.clone(), request.clone(), idempotency_key.clone());
            Box::pin(async move {
                match idempotency_key {
                    None => verify_once(tx, &tokens, &request).await,
                    Some(key) => verify_under(tx, &tokens, &request, key_id, &key, &digest).await,
                }
            })
        })
        .await
}

async fn verify_once(tx: &mut Tx<'_>, tokens: &TokenService, request: &Request) -> Result<Verified, Problem> {
    let token: AnyToken = tokens
        .verify_named_in(tx, request.token.expose(), &request.purpose, request.consume)
        .await?;
    let consumed = request.consume && token.purpose.one_time;
    Ok(Verified::of(token, consumed))
}

/// The key is claimed before the token is used up, so that a twin waits for this answer. A refusal rolls the
/// claim back with everything else: asked again, it is worked out again.
async fn verify_under(
    tx: &mut Tx<'_>,
    tokens: &TokenService,
    request: &Request,
    key_id: Uuid,
    idempotency_key: &str,
    digest: &[u8; 32],
) -> Result<Verified, Problem> {
    match verify_answers::claim(tx, key_id, idempotency_key, digest).await? {
        Claim::Answered(answer) => serde_json::from_str(&answer).map_err(Problem::internal),
        Claim::Other => Err(Problem::new(Code::IdempotencyKeyReused)),
        Claim::New => {
            let verified = verify_once(tx, tokens, request).await?;
            let answer = serde_json::to_string(&verified).map_err(Problem::internal)?;
            verify_answers::keep(tx, key_id, idempotency_key, &answer).await?;
            Ok(verified)
        }
    }
}
