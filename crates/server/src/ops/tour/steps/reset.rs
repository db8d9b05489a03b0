//! A forgotten password.

use serde_json::json;

use super::join;
use crate::ops::tour::report::Seen;
use crate::ops::tour::traveller::{Traveller, fresh_password};

/// On every list of common passwords, and too short as well.
const WEAK: &str = "password";

pub(super) fn forgot(t: &mut Traveller) -> Seen {
    t.client
        .post("/api/users/password/forgot", None, &json!({ "email": t.email }))?
        .expect(202)?;
    let letter = t.inbox.wait(&t.client, "reset_password")?;
    t.link = letter.link("/reset-password")?;
    Ok(format!("202, then “{}”", letter.subject))
}

pub(super) fn open(t: &mut Traveller) -> Seen {
    join::look(t)
}

pub(super) fn weak(t: &mut Traveller) -> Seen {
    let body = json!({ "token": join::token(&t.link), "password": WEAK });
    let answer = t.client.post("/api/users/password/reset", None, &body)?;
    let code = answer.refused(
        422,
        &["password_too_short", "password_common", "password_contextual"],
    )?;
    Ok(format!("422 {code}"))
}

pub(super) fn reset(t: &mut Traveller) -> Seen {
    let old = std::mem::replace(&mut t.password, fresh_password()?);
    let (action, fields) = join::button(t)?;
    let page = t.client.submit(&action, &fields)?.expect(200)?;
    t.refused(&t.session)?;
    let letter = t.inbox.wait(&t.client, "password_changed")?;
    // Kept for the next step.
    t.session.refresh = old;
    Ok(format!(
        "{} by the page's button, then “{}”",
        page.status, letter.subject
    ))
}

pub(super) fn old_password(t: &mut Traveller) -> Seen {
    let body = json!({ "email": t.email, "password": t.session.refresh });
    let code = t
        .client
        .post("/api/auth/login", None, &body)?
        .refused(401, &["invalid_credentials"])?;
    Ok(format!("401 {code}"))
}
