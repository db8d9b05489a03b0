//! Changing a password while logged in.

use serde_json::json;

use crate::ops::tour::report::Seen;
use crate::ops::tour::traveller::{Pair, Traveller, fresh_password};

pub(super) fn change(t: &mut Traveller) -> Seen {
    t.spent = vec![t.login()?, t.login()?];
    let here = t
        .spent
        .first()
        .map(|pair| pair.access.clone())
        .unwrap_or_default();
    let new = fresh_password()?;
    let body = json!({ "current": t.password, "new": new });
    let answer = t
        .client
        .post("/api/users/me/password", Some(&here), &body)?
        .expect(200)?;
    t.session = Pair::of(&answer)?;
    t.password = new;
    let me = t
        .client
        .get("/api/users/me", Some(&t.session.access))?
        .expect(200)?;
    if me.text("/email").as_deref() != Some(t.email.as_str()) {
        return Err(me.unlike("the session to go on with its new tokens"));
    }
    Ok("200, and this session goes on with new tokens".to_owned())
}

pub(super) fn old_tokens(t: &mut Traveller) -> Seen {
    let mut codes = Vec::new();
    for pair in &t.spent {
        codes.push(t.refused(pair)?);
    }
    Ok(format!(
        "401 {}, in this session and in the other",
        codes.join(", ")
    ))
}

pub(super) fn notice(t: &mut Traveller) -> Seen {
    let letter = t.inbox.wait(&t.client, "password_changed")?;
    Ok(format!("“{}”", letter.subject))
}
