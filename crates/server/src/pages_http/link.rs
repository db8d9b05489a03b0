//! What the pages behind links in letters share.

use axum::extract::Path;
use axum::response::{Redirect, Response};
use serde::Deserialize;

use crate::accounts::{links, register};
use crate::app::App;
use crate::config::encode;
use crate::http::pages::Lang;
use crate::http::pages::view::{LinkKind, LinkRefusal, LinkRefused};
use crate::http::token::RawToken;
use crate::http::{Code, Problem};

/// What a link carries.
#[derive(Deserialize)]
pub(super) struct Link {
    #[serde(default)]
    pub(super) token: String,
}

/// A link that does not work any more, as a page that says what to do; any other problem again.
pub(super) fn refused(app: &App, lang: Lang, link: LinkKind, problem: Problem) -> Result<Response, Problem> {
    let reason = match problem.code() {
        Code::TokenExpired => LinkRefusal::Expired,
        Code::TokenUsed => LinkRefusal::Used,
        Code::TokenMalformed | Code::TokenRevoked | Code::TokenWrongPurpose => LinkRefusal::Unknown,
        _ => return Err(problem),
    };
    let page = LinkRefused {
        link,
        reason,
        registration_open: register::allowed(app).is_ok(),
    };
    Ok(app.pages.answer(problem.status(), &page, lang, app.now()))
}

/// `GET /activate/{token}`: a link of the Python services.
pub(super) async fn activate(Path(token): Path<String>) -> Redirect {
    to("/activate", None, token)
}

/// `GET /activate/{uid}/{token}`: a link of djoser's.
pub(super) async fn activate_of(Path((uid, token)): Path<(String, String)>) -> Redirect {
    to("/activate", Some(&uid), token)
}

/// `GET /reset-password/{token}`: a link of the Python services.
pub(super) async fn reset(Path(token): Path<String>) -> Redirect {
    to("/reset-password", None, token)
}

/// `GET /reset-password/{uid}/{token}`, and as djoser and Django's own views have it.
pub(super) async fn reset_of(Path((uid, token)): Path<(String, String)>) -> Redirect {
    to("/reset-password", Some(&uid), token)
}

/// To the page that such a link means here. Nothing is looked at.
fn to(page: &str, uid: Option<&str>, token: String) -> Redirect {
    let whole = links::whole(uid, RawToken::from(token));
    Redirect::to(&format!("{page}?token={}", encode(whole.expose())))
}
