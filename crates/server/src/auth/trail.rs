//! What the audit keeps of sessions and tokens that were ended, with who did it. Ids only: no token stands there.

use gatepost_storage::{Tx, audit};
use gatepost_tokens::ServiceError;
use serde_json::{Value, json};

use crate::app::App;

/// Kill one token; whether it was alive.
pub(crate) async fn revoke_token(
    app: &App,
    tx: &mut Tx<'_>,
    actor: &str,
    raw: &str,
) -> Result<bool, ServiceError> {
    let killed = app.tokens.revoke_token_in(tx, raw).await?;
    if killed {
        let token = Named::by(app, raw);
        let detail = json!({"purpose": token.purpose, "jti": token.jti});
        audit::note(tx, actor, "token.revoked", token.subject.as_deref(), detail).await?;
    }
    Ok(killed)
}

/// End the session of a refresh token by its holder's wish; whether it was alive.
pub(crate) async fn log_out(app: &App, tx: &mut Tx<'_>, raw: &str) -> Result<bool, ServiceError> {
    let ended = app.tokens.log_out_in(tx, raw).await?;
    if ended {
        logged_out(app, tx, raw).await?;
    }
    Ok(ended)
}

/// The session of this refresh token was ended by its holder's wish.
pub(crate) async fn logged_out(app: &App, tx: &mut Tx<'_>, raw: &str) -> Result<(), gatepost_storage::Error> {
    let token = Named::by(app, raw);
    let subject = token.subject.unwrap_or_default();
    let detail = json!({"reason": "logout", "jti": token.jti});
    audit::note(
        tx,
        &format!("user:{subject}"),
        "session.ended",
        Some(&subject),
        detail,
    )
    .await
}

/// What a token says of itself. Only for tokens that were just found to be good.
struct Named {
    subject: Option<String>,
    purpose: Option<String>,
    jti: Option<String>,
}

impl Named {
    fn by(app: &App, raw: &str) -> Self {
        let inspected = app.tokens.tokens().inspect(raw);
        let claims = inspected.map(|token| token.claims).unwrap_or_default();
        let text = |claim: &str| match &claims[claim] {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let theirs = &app.config.simplejwt.settings;
        let kind = theirs.token_type_claim.as_deref().unwrap_or_default();
        let id = theirs.jti_claim.as_deref().unwrap_or_default();
        Self {
            subject: text("sub").or_else(|| text(&theirs.user_id_claim)),
            purpose: text("token_type").or_else(|| text(kind)),
            jti: text("jti").or_else(|| text(id)),
        }
    }
}
