//! `POST /console/logout`.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::session::{Administrator, no_cookie};
use crate::app::App;
use crate::http::{Code, Form, Problem};
use crate::pages_http::cookie;

/// What the button sends.
#[derive(Deserialize)]
pub(super) struct Request {
    #[serde(default)]
    csrf: String,
}

/// End the session.
pub(super) async fn submit(
    State(app): State<App>,
    administrator: Administrator,
    Form(request): Form<Request>,
) -> Result<Response, Problem> {
    if !administrator.sent(&app, &request.csrf) {
        return Err(Problem::new(Code::FormForged));
    }
    administrator.log_out(&app).await?;
    let mut response = Redirect::to("/console/login?notice=logged_out").into_response();
    cookie::add(&mut response, no_cookie(&app));
    Ok(response)
}
