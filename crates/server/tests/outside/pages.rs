//! The whole journey in a browser that has no JavaScript.

use gatepost_bench::outside::{Account, Answer, Client, Letter, PASSWORD, escape, unknown_address};

use crate::support::{reader, sqlite};

#[test]
fn a_person_registers_confirms_logs_in_and_out_without_javascript() {
    let gatepost = sqlite().start();
    let (browser, reader) = (gatepost.client(), reader(&gatepost));
    let email = unknown_address();

    page(&browser.get("/"), 200);
    page(&browser.get("/register?lang=uk"), 200);
    let asked = submit(
        &browser,
        "/register",
        &[("email", &email), ("password", PASSWORD)],
    );
    page(&land(&browser, asked), 200);
    let letter = Letter::wait(&reader, &email, "activate_account", 1).swap_remove(0);
    assert!(
        letter.text.contains("обліковий запис"),
        "in the language of the page"
    );

    page(&browser.get(&letter.link()), 200);
    let pressed = submit(
        &browser,
        "/activate",
        &[("token", &letter.token()), ("answer", "activate")],
    );
    page(&land(&browser, pressed), 200);
    assert!(
        !(200..300).contains(&browser.get("/account").status),
        "activation logs nobody in"
    );

    page(&browser.get("/login"), 200);
    let wrong = submit(
        &browser,
        "/login",
        &[("email", &email), ("password", "not this one, surely")],
    );
    page(&wrong, 401);
    let entered = submit(&browser, "/login", &[("email", &email), ("password", PASSWORD)]);
    let cookies: Vec<_> = entered
        .headers
        .get_all("set-cookie")
        .iter()
        .filter_map(|v| v.to_str().ok())
        .collect();
    assert!(!cookies.is_empty(), "a session cookie");
    for cookie in cookies
        .iter()
        .filter(|cookie| !cookie.starts_with("gatepost_lang"))
    {
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite="),
            "{cookie}"
        );
    }
    let account = browser.get("/account");
    page(&account, 200);
    let html = String::from_utf8_lossy(&account.body).into_owned();
    assert!(html.contains(&email));

    let csrf = hidden(&html, "csrf");
    let forged = submit(
        &browser,
        "/account",
        &[("csrf", "made-up"), ("action", "logout_everywhere")],
    );
    assert!((400..500).contains(&forged.status), "{}", forged.status);
    page(&browser.get("/account"), 200);
    let left = submit(
        &browser,
        "/account",
        &[("csrf", &csrf), ("action", "logout_everywhere")],
    );
    assert!(left.status < 400, "{}", left.status);
    assert!(
        !(200..300).contains(&browser.get("/account").status),
        "logged out"
    );
}

#[test]
fn somebody_who_did_not_register_withdraws_it() {
    let gatepost = sqlite().start();
    let (browser, reader) = (gatepost.client(), reader(&gatepost));
    let account = Account::register(&browser);
    let letter = account.letter(&reader, "activate_account");
    let withdrawn = submit(
        &browser,
        "/activate",
        &[("token", &letter.token()), ("answer", "not_me")],
    );
    page(&land(&browser, withdrawn), 200);
    let late = submit(
        &browser,
        "/activate",
        &[("token", &letter.token()), ("answer", "activate")],
    );
    assert!((400..500).contains(&late.status), "{}", late.status);
    account.try_login(&browser).expect(401);
}

/// A page, with what every page of ours says to the browser.
#[track_caller]
fn page(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&answer.body));
    assert!(answer.header("content-type").starts_with("text/html"));
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let policy = answer.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe-inline") && !String::from_utf8_lossy(&answer.body).contains("<script"));
}

fn submit(browser: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
    let body: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", escape(value)))
        .collect();
    browser.send(
        "POST",
        path,
        Some(("application/x-www-form-urlencoded", body.join("&").into_bytes())),
    )
}

/// Follows one redirect, as a browser does after a form.
fn land(browser: &Client, answer: Answer) -> Answer {
    let to = answer.header("location");
    if to.is_empty() { answer } else { browser.get(to) }
}

/// The value of a hidden input.
#[track_caller]
fn hidden(html: &str, name: &str) -> String {
    let after = html
        .split(&format!("name=\"{name}\" value=\""))
        .nth(1)
        .expect("the input");
    after.split('"').next().unwrap_or_default().to_owned()
}
