//! `GET /console/inbox`: captured letters, newest first.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use gatepost_mail::CapturedMail;
use gatepost_mail::EmailAddress;
use gatepost_mail::InboxFilter;
use serde::Deserialize;

use super::session::Administrator;
use crate::app::App;
use crate::config::MailTransport;
use crate::http::pages::Lang;
use crate::http::pages::console::{ConsoleInbox, InboxRow};
use crate::http::{Problem, Query};

/// Letters on one page.
const PAGE: u32 = 50;

/// What to show.
#[derive(Deserialize)]
pub(super) struct Filter {
    #[serde(default)]
    to: String,
    after: Option<i64>,
}

/// The list.
pub(super) async fn page(
    State(app): State<App>,
    lang: Lang,
    administrator: Administrator,
    Query(filter): Query<Filter>,
) -> Result<Response, Problem> {
    let mails = match filter.to.trim() {
        "" => app.mailer.inbox_newest(filter.after, PAGE).await?,
        // What is no address has no letters.
        typed => match typed.parse() {
            Ok(to) => newest_to(&app, to, filter.after).await?,
            Err(_) => Vec::new(),
        },
    };
    let next = if mails.len() < PAGE as usize {
        None
    } else {
        mails.last().map(|mail| mail.cursor.to_string())
    };
    let page = ConsoleInbox {
        csrf: administrator.csrf(&app),
        administrator: administrator.admin.email,
        to: filter.to,
        mails: mails.into_iter().map(row).collect(),
        next,
        capturing: matches!(app.config.mail.transport, MailTransport::Capture),
    };
    Ok(app.pages.answer(StatusCode::OK, &page, lang, app.now()))
}

/// The newest to one address. The box is read from its beginning, which is short while it is a box for trying
/// things out.
async fn newest_to(app: &App, to: EmailAddress, before: Option<i64>) -> Result<Vec<CapturedMail>, Problem> {
    let before = before.unwrap_or(i64::MAX);
    let mut filter = InboxFilter {
        to: Some(to),
        after: None,
        limit: 500,
    };
    let mut newest = Vec::new();
    loop {
        let part = app.mailer.inbox(&filter).await?;
        let Some(last) = part.last().map(|mail| mail.cursor) else {
            break;
        };
        newest.extend(part.into_iter().filter(|mail| mail.cursor < before));
        let surplus = newest.len().saturating_sub(PAGE as usize);
        newest.drain(..surplus);
        if last >= before {
            break;
        }
        filter.after = Some(last);
    }
    newest.reverse();
    Ok(newest)
}

fn row(mail: CapturedMail) -> InboxRow {
    InboxRow {
        id: mail.id.to_string(),
        to: mail.to,
        subject: mail.subject,
        template: mail.template,
        locale: mail.locale,
        captured_at: mail.captured_at,
    }
}
