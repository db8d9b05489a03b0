//! What the pages behind links in letters share.

use axum::response::Response;
use serde::Deserialize;

use crate::accounts::register;
use crate::app::App;
use crate::http::pages::Lang;
use crate::http::pages::view::{LinkKind, LinkRefusal, LinkRefused};
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
