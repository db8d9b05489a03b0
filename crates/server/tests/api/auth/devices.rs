//! Which logins are told to the account's owner.

use std::time::Duration;

use gatepost::testing::{Answer, TestApp};
use serde_json::json;

use crate::browser::Browser;
use crate::{ANNA, OWLS, on_both};

on_both!(
    a_new_device_is_told_once,
    a_browser_is_known_by_its_cookie_wherever_it_is,
    what_was_not_seen_for_long_is_forgotten,
    an_account_that_goes_takes_its_devices_along,
    the_pages_say_when_a_browser_was_last_seen
);

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const FIREFOX_NEXT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0";
const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1";

async fn log_in(app: &TestApp, agent: &str) -> Answer {
    let answer = app
        .request("POST", "/api/auth/login")
        .header("user-agent", agent)
        .json(json!({"email": ANNA, "password": OWLS}))
        .send()
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    app.run_pending().await;
    answer
}

async fn told(app: &TestApp) -> usize {
    let letters = app.letters(ANNA).await;
    letters
        .iter()
        .filter(|letter| letter.template == "new_device")
        .count()
}

async fn a_new_device_is_told_once(app: TestApp) {
    app.user(ANNA, OWLS).await;
    log_in(&app, FIREFOX).await;
    assert_eq!(told(&app).await, 0, "the first one is no news");
    log_in(&app, FIREFOX).await;
    log_in(&app, FIREFOX_NEXT).await;
    assert_eq!(told(&app).await, 0, "an update makes no new device of it");
    log_in(&app, PHONE).await;
    assert_eq!(told(&app).await, 1);
    let letter = app.letters(ANNA).await.pop().unwrap();
    for said in ["Safari on iPhone", "127.0.0.0/24", "/account", "/forgot-password"] {
        assert!(letter.text.contains(said), "{said}: {}", letter.text);
    }
    log_in(&app, PHONE).await;
    log_in(&app, FIREFOX).await;
    assert_eq!(told(&app).await, 1);
    // Nothing of what a client says stands in the letter.
    log_in(&app, "<b>Your bank</b> https://evil.example").await;
    let letter = app.letters(ANNA).await.pop().unwrap();
    assert_eq!(letter.template, "new_device");
    assert!(!letter.text.contains("evil") && letter.text.contains("a program that did not say its name"));
    // A wrong password tells nobody anything.
    let wrong = json!({"email": ANNA, "password": "not the password of anna"});
    let refused = app
        .request("POST", "/api/auth/login")
        .header("user-agent", "curl/8");
    assert_eq!(refused.json(wrong).send().await.status, 401);
    app.run_pending().await;
    assert_eq!(told(&app).await, 2);
}

async fn a_browser_is_known_by_its_cookie_wherever_it_is(app: TestApp) {
    app.user(ANNA, OWLS).await;
    log_in(&app, "curl/8.9").await;
    let mut browser = Browser::new(&app);
    let form = crate::browser::encoded(&[("email", ANNA), ("password", OWLS)]);
    let login = async |browser: &mut Browser<'_>, agent: &str| {
        let shown = browser
            .send(
                "POST",
                "/login",
                Some(form.clone()),
                &[("sec-fetch-site", "same-origin"), ("user-agent", agent)],
            )
            .await;
        assert_eq!(shown.status(), 303);
        app.run_pending().await;
    };
    login(&mut browser, FIREFOX).await;
    assert_eq!(told(&app).await, 1);
    let cookie = browser.cookies["gatepost_device"].clone();
    // It calls itself something else, and is the same.
    login(&mut browser, PHONE).await;
    assert_eq!(told(&app).await, 1);
    assert_eq!(browser.cookies["gatepost_device"], cookie);
    // Another one that brings nonsense is another one.
    let mut other = Browser::new(&app);
    other.cookies.insert("gatepost_device".into(), "nonsense".into());
    login(
        &mut other,
        "Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36",
    )
    .await;
    assert_eq!(told(&app).await, 2);
    assert_ne!(other.cookies["gatepost_device"], "nonsense");
    // The cookie is known with its account only.
    let ben = "ben@example.com";
    app.user(ben, OWLS).await;
    app.log_in(ben, OWLS).await;
    let login = app
        .request("POST", "/api/auth/login")
        .header("cookie", &format!("gatepost_device={cookie}"))
        .header("user-agent", PHONE)
        .json(json!({"email": ben, "password": OWLS}))
        .send()
        .await;
    assert_eq!(login.status, 200);
    app.run_pending().await;
    assert_eq!(app.letters(ben).await.last().unwrap().template, "new_device");
}

async fn what_was_not_seen_for_long_is_forgotten(app: TestApp) {
    app.user(ANNA, OWLS).await;
    log_in(&app, FIREFOX).await;
    app.advance(Duration::from_secs(100 * 86_400));
    log_in(&app, PHONE).await;
    assert_eq!(told(&app).await, 1);
    app.advance(Duration::from_secs(100 * 86_400));
    app.sweep().await;
    assert_eq!(told(&app).await, 0, "letters are not kept so long");
    log_in(&app, PHONE).await;
    assert_eq!(told(&app).await, 0, "100 days");
    log_in(&app, FIREFOX).await;
    assert_eq!(told(&app).await, 1, "200 days");
}

async fn an_account_that_goes_takes_its_devices_along(app: TestApp) {
    let id = app.user(ANNA, OWLS).await;
    let access = log_in(&app, FIREFOX).await.text("access");
    let gone = app
        .request("DELETE", "/api/users/me")
        .bearer(&access)
        .json(json!({"password": OWLS}))
        .send()
        .await;
    assert_eq!(gone.status, 200);
    let left = app.app.store.run_tx("left", move |tx| {
        let id = id.clone();
        Box::pin(async move { gatepost_storage::known_devices::forget_user(tx, &id).await })
    });
    assert_eq!(left.await.unwrap(), 0);
}

async fn the_pages_say_when_a_browser_was_last_seen(app: TestApp) {
    app.user(ANNA, OWLS).await;
    let mut browser = Browser::new(&app);
    browser
        .post("/login", &[("email", ANNA), ("password", OWLS)])
        .await
        .expect(200);
    app.advance(Duration::from_secs(3_600));
    browser.open("/account").await.expect(200).says("1 hour ago");
    browser
        .open("/account")
        .await
        .expect(200)
        .says("last active: <time")
        .says(">just now<");
    app.run_pending().await;
}
