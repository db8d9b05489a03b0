//! Logging out of everything, and leaving.

use serde_json::json;

use crate::ops::tour::report::{Seen, Unmet};
use crate::ops::tour::traveller::Traveller;

pub(super) fn sessions(t: &mut Traveller) -> Seen {
    t.session = t.login()?;
    t.second = t.login()?;
    let list = t
        .client
        .get("/api/auth/sessions", Some(&t.session.access))?
        .expect(200)?;
    let count = list.json()["items"].as_array().map_or(0, Vec::len);
    if count != 2 {
        return Err(Unmet::new("two living sessions", format!("{count} in the list")));
    }
    Ok("two, and none of the ended ones".to_owned())
}

pub(super) fn everywhere(t: &mut Traveller) -> Seen {
    let answer = t
        .client
        .post("/api/auth/logout-everywhere", Some(&t.session.access), &json!({}))?
        .expect(204)?;
    Ok(answer.status.to_string())
}

pub(super) fn refused(t: &mut Traveller) -> Seen {
    let mut codes = vec![t.refused(&t.session)?, t.refused(&t.second)?];
    for pair in &t.spent {
        codes.push(t.refused(pair)?);
    }
    Ok(format!("{} pairs: 401 {}", codes.len(), codes.join(", ")))
}

pub(super) fn delete(t: &mut Traveller) -> Seen {
    let last = t.login()?;
    let answer = t
        .client
        .delete("/api/users/me", &last.access, &json!({ "password": t.password }))?;
    if !(200..300).contains(&answer.status) {
        return Err(answer.unlike("a 2xx for DELETE /api/users/me"));
    }
    t.try_login()?.refused(401, &["invalid_credentials"])?;
    t.refused(&last)?;
    Ok(format!("{}, and its login is unknown", answer.status))
}
