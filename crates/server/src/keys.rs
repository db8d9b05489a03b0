//! The keys that sign tokens: made at start, replaced when they are due, published for everybody.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepost_storage::{Tx, TxFuture, audit};
use gatepost_tokens::{ANNOUNCED_FOR, Access, KeyChange, KeyStoreError, Purpose};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::http::{Problem, ProblemDocument};

/// For how long the document may be kept: a third of the time for which a key is known before it signs.
const KEPT_FOR: &str = "public, max-age=300";

/// What the audit calls the program itself.
pub(crate) const SERVICE: &str = "service";

/// Make sure that access tokens are signed as `tokens.algorithm` says. Those that were signed otherwise stay good.
pub(crate) async fn ensure(app: &App) -> Result<(), KeyStoreError> {
    let made = app
        .tokens
        .ensure_key(app.config.tokens.algorithm, &[Access::NAME])
        .await?;
    if let Some(key) = made {
        tracing::info!(
            kid = key.kid,
            algorithm = key.algorithm,
            "made a key for access tokens"
        );
    }
    Ok(())
}

/// Make the next key where one is due, seal anew what an earlier secret has sealed, forget what is long dead. Safe to
/// call from every instance.
pub(crate) async fn tend(app: &App) -> Result<(), KeyStoreError> {
    if !app.lifecycle.is_migrated() {
        return Ok(());
    }
    let Some(every) = app.config.tokens.rotate_every else {
        return app.tokens.tend_keys().await;
    };
    for key in app.tokens.rotate_due(every, ANNOUNCED_FOR).await? {
        tracing::info!(
            kid = key.kid,
            algorithm = key.algorithm,
            "made the next key; it signs in 15 minutes"
        );
    }
    Ok(())
}

/// Notes in the audit that a key came or went.
pub(crate) fn note<'a>(
    tx: &'a mut Tx<'_>,
    actor: &'static str,
    change: KeyChange,
) -> TxFuture<'a, (), gatepost_storage::Error> {
    Box::pin(async move {
        let action = if change.retired {
            "key.retired"
        } else {
            "key.created"
        };
        let detail = serde_json::json!({
            "kid": change.kid, "algorithm": change.algorithm,
            "purposes": change.purposes.split(' ').collect::<Vec<_>>(),
        });
        audit::note(tx, actor, action, None, detail).await
    })
}

/// The keys that tokens are verified with (RFC 7517)
///
/// The public halves of all keys that sign, are about to, or have signed what still lives; nothing of HMAC keys, so
/// with `tokens.algorithm = "HS256"` the list is empty. To be kept for 5 minutes: a key stands here for 15 before it
/// signs. `ETag` and `If-None-Match` are understood.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "tokens", operation_id = "jwks", responses(
    (status = 200, description = "The document, `{\"keys\": [...]}`", content_type = "application/json"),
    (status = 304, description = "It is the one that `If-None-Match` names"),
    (status = 503, description = "`dependency_unavailable`: this instance has not read the keys yet", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn jwks(State(app): State<App>, asked: HeaderMap) -> Result<Response, Problem> {
    let document = app.tokens.published_keys().await.map_err(Problem::unavailable)?;
    let body = document.to_string();
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&Sha256::digest(&body)[..12]));
    let known = asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .any(|value| names(value, &tag));
    let mut response = if known {
        (StatusCode::NOT_MODIFIED, Body::empty()).into_response()
    } else {
        let kind = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, kind)], body).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(KEPT_FOR));
    headers.insert(
        header::ETAG,
        HeaderValue::try_from(tag).map_err(Problem::internal)?,
    );
    Ok(response)
}

/// Whether one of the tags of `If-None-Match` is this one (RFC 9110 13.1.2: compared without regard to `W/`).
fn names(value: &HeaderValue, tag: &str) -> bool {
    value.to_str().is_ok_and(|list| {
        list.split(',')
            .map(str::trim)
            .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
    })
}
