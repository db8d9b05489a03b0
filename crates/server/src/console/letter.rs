//! `GET /console/inbox/{id}`: one captured letter; `GET /console/inbox/{id}/html`: its HTML, for the frame.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::session::Administrator;
use crate::app::App;
use crate::http::pages::Lang;
use crate::http::pages::answer::frame;
use crate::http::pages::console::ConsoleLetter;
use crate::http::{Id, Problem};

/// The letter, with its links and both of its parts.
pub(super) async fn page(
    State(app): State<App>,
    lang: Lang,
    administrator: Administrator,
    Id(id): Id,
) -> Result<Response, Problem> {
    let mail = app.mailer.inbox_get(id).await?.ok_or_else(Problem::not_found)?;
    let headers = [
        ("Message-ID", &mail.message_id),
        ("From", &mail.from),
        ("To", &mail.to),
        ("Subject", &mail.subject),
    ];
    let page = ConsoleLetter {
        csrf: administrator.csrf(&app),
        administrator: administrator.admin.email,
        id: mail.id.to_string(),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .to_vec(),
        to: mail.to,
        from: mail.from,
        subject: mail.subject,
        template: mail.template,
        locale: mail.locale,
        text: mail.text,
        captured_at: mail.captured_at,
    };
    Ok(app.pages.answer(StatusCode::OK, &page, lang, app.now()))
}

/// The HTML part alone, under a policy of its own that lets nothing run.
pub(super) async fn html(
    State(app): State<App>,
    _administrator: Administrator,
    Id(id): Id,
) -> Result<Response, Problem> {
    let mail = app.mailer.inbox_get(id).await?.ok_or_else(Problem::not_found)?;
    let mut response = frame(&mail.html.ok_or_else(Problem::not_found)?);
    // What every other answer denies: the letter's own page shows it in a frame.
    response
        .headers_mut()
        .insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    Ok(response)
}
