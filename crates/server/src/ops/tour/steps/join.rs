//! From nobody to an active account.

use serde_json::json;

use crate::ops::tour::form::Form;
use crate::ops::tour::report::{Seen, Unmet};
use crate::ops::tour::traveller::Traveller;

pub(super) fn register(t: &mut Traveller) -> Seen {
    let body = json!({ "email": t.email, "password": t.password, "locale": "en" });
    t.client.post("/api/users", None, &body)?.expect(202)?;
    Ok(format!("202 for {}", t.email))
}

pub(super) fn letter(t: &mut Traveller) -> Seen {
    let letter = t.inbox.wait(&t.client, "activate_account")?;
    t.link = letter.link("/activate")?;
    Ok(format!("“{}”, with a link", letter.subject))
}

pub(super) fn open(t: &mut Traveller) -> Seen {
    look(t)
}

/// Opens the link's page as a browser does, then as a mail scanner does.
pub(super) fn look(t: &Traveller) -> Seen {
    let page = t.client.get(&t.link, None)?.expect(200)?;
    if page.kind() != "text/html" {
        return Err(page.unlike("a page"));
    }
    let referrer = page
        .headers
        .get("referrer-policy")
        .and_then(|v| v.to_str().ok())
        .unwrap_or("none");
    if referrer != "no-referrer" {
        return Err(Unmet::new(
            "Referrer-Policy: no-referrer, since the address holds a token",
            referrer,
        ));
    }
    Form::of(&page.page())?;
    let head = t.client.head(&t.link)?.expect(200)?;
    if !head.body.is_empty() {
        return Err(head.unlike("no body for HEAD"));
    }
    Ok(format!("a page of {} bytes with a button", page.body.len()))
}

pub(super) fn unchanged(t: &mut Traveller) -> Seen {
    let code = t.try_login()?.refused(401, &["invalid_credentials"])?;
    Ok(format!("401 {code}: not active yet"))
}

pub(super) fn press(t: &mut Traveller) -> Seen {
    let (action, fields) = button(t)?;
    let page = t.client.submit(&action, &fields)?.expect(200)?;
    t.pressed = (action, fields);
    let welcome = t.inbox.wait(&t.client, "welcome")?;
    Ok(format!(
        "200, {} bytes, then “{}”",
        page.body.len(),
        welcome.subject
    ))
}

/// Whoever presses twice is told to log in.
pub(super) fn press_again(t: &mut Traveller) -> Seen {
    let (action, fields) = &t.pressed;
    let page = t.client.submit(action, fields)?;
    if page.status >= 500 || page.kind() != "text/html" {
        return Err(page.unlike("a page that says what to do"));
    }
    Ok(format!("{}, a page of {} bytes", page.status, page.body.len()))
}

/// The link's form, filled with the traveller's password where it asks for one.
pub(super) fn button(t: &Traveller) -> Result<(String, Vec<(String, String)>), Unmet> {
    let page = t.client.get(&t.link, None)?.expect(200)?;
    let form = Form::of(&page.page())?;
    // A form without an action goes to its own page; one with a whole address to this instance's part of it.
    let action = if form.action.is_empty() {
        t.link.clone()
    } else {
        form.action.clone()
    };
    let action = action.find("://").map_or(action.clone(), |at| {
        let rest = &action[at + 3..];
        rest.find('/')
            .map_or_else(|| "/".to_owned(), |slash| rest[slash..].to_owned())
    });
    Ok((action, form.filled(&t.password)))
}

/// The token of a link.
pub(super) fn token(link: &str) -> String {
    link.split_once("token=")
        .map(|(_, token)| token.to_owned())
        .unwrap_or_default()
}
