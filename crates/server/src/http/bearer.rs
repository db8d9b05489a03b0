//! `Authorization: Bearer <access token>`: who asks.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use gatepost_storage::UserId;
use gatepost_tokens::{Access, Refused, Token};
use uuid::Uuid;

use super::code::Code;
use super::problem::Problem;
use crate::app::App;

/// The user whose living access token came along.
#[derive(Debug)]
pub struct Bearer {
    /// The user's id.
    pub user_id: UserId,
    /// The session that the token belongs to.
    pub session: Uuid,
}

impl Bearer {
    /// The id as tokens and letters spell it.
    pub fn subject(&self) -> String {
        self.user_id.to_string()
    }

    /// Whoever audits calls this person so.
    pub fn actor(&self) -> String {
        format!("user:{}", self.user_id)
    }
}

impl FromRequestParts<App> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let raw = credential(parts)
            .or_else(|| djangos(parts, app))
            .ok_or_else(|| Problem::new(Code::CredentialsMissing))?;
        let refuse = |refused: Refused| Problem::from(refused).as_bearer();
        let token: Token<Access> = app.tokens.check_access(raw).await.map_err(refuse)?;
        let session = token
            .session
            .as_ref()
            .and_then(|session| session.sid.parse().ok());
        match (token.subject::<UserId>(), session) {
            (Ok(user_id), Some(session)) => Ok(Self { user_id, session }),
            // Ours, but made for somebody who has no account here.
            _ => Err(refuse(Refused::WrongPurpose)),
        }
    }
}

/// As `AUTH_HEADER_NAME` and `AUTH_HEADER_TYPES` of a Django beside us have it, whose words count as they are written.
fn djangos<'a>(parts: &'a Parts, app: &App) -> Option<&'a str> {
    let name = app.config.auth_header()?;
    let settings = &app.config.simplejwt.settings;
    let mut words = parts.headers.get(name)?.to_str().ok()?.split_whitespace();
    let (kind, raw) = (words.next()?, words.next()?);
    let good = words.next().is_none() && settings.auth_header_types.iter().any(|known| known == kind);
    good.then_some(raw)
}

fn credential(parts: &Parts) -> Option<&str> {
    let (scheme, credential) = parts
        .headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    let credential = credential.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty()).then_some(credential)
}
