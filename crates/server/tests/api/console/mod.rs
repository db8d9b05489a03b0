//! The console: set up, log in, look at captured mail.

use gatepost::console::administrators;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::browser::Browser;
use crate::world::{PASSWORD, World, on_both};

on_both!(
    the_first_administrator_sets_up,
    captured_mail_is_read_and_the_door_closed,
    a_password_that_changes_ends_the_session
);

const EMAIL: &str = "boss@example.com";

async fn link(world: &World) -> String {
    let made = world.store().run_tx("link", |tx| {
        Box::pin(async move { administrators::make_link(tx, "cli", None).await })
    });
    format!("/console/set-up?token={}", made.await.unwrap().expose_secret())
}

async fn set_up(world: &World, browser: &mut Browser<'_>) {
    let link = link(world).await;
    let token = browser.open(&link).await.expect(200).input("token");
    let fields = [
        ("token", token.as_str()),
        ("email", EMAIL),
        ("password", PASSWORD),
    ];
    browser
        .post("/console/set-up", &fields)
        .await
        .expect(200)
        .says("Log in with it");
    browser
        .post("/console/login", &[("email", EMAIL), ("password", PASSWORD)])
        .await
        .expect(200)
        .says(EMAIL);
}

async fn the_first_administrator_sets_up(world: World) {
    world.account("anna@example.com").await;
    let mut browser = Browser::new(&world);
    browser
        .open("/console")
        .await
        .expect(200)
        .says("action=\"/console/login\"");
    browser.open("/console/set-up?token=nonsense").await.expect(410);

    let link = link(&world).await;
    let token = browser.open(&link).await.expect(200).input("token");
    for (email, password, words) in [
        (EMAIL, "short", "too short"),
        ("a b", PASSWORD, "not an e-mail address"),
        ("", PASSWORD, "Fill in"),
    ] {
        let fields = [
            ("token", token.as_str()),
            ("email", email),
            ("password", password),
        ];
        browser
            .post("/console/set-up", &fields)
            .await
            .expect(422)
            .says(words);
    }
    let fields = [
        ("token", token.as_str()),
        ("email", EMAIL),
        ("password", PASSWORD),
    ];
    browser.post("/console/set-up", &fields).await.expect(200);
    browser.post("/console/set-up", &fields).await.expect(410);
    browser.open(&link).await.expect(410);

    for (email, password) in [
        (EMAIL, "wrong"),
        ("nobody@example.com", PASSWORD),
        ("anna@example.com", PASSWORD),
    ] {
        browser
            .post("/console/login", &[("email", email), ("password", password)])
            .await
            .expect(401);
        assert!(browser.cookies.is_empty());
    }
}

async fn captured_mail_is_read_and_the_door_closed(world: World) {
    let body = json!({ "email": "anna2@example.com", "password": PASSWORD });
    world.post("/api/users", None, &body).await;
    world.run_pending().await;
    let mut browser = Browser::new(&world);
    set_up(&world, &mut browser).await;
    let login = [("email", "Boss@Example.com"), ("password", PASSWORD)];
    let inbox = browser.post("/console/login", &login).await;
    let inbox = inbox.expect(200).says("anna2@example.com");
    let filtered = browser
        .open("/console/inbox?to=anna2%40example.com")
        .await
        .expect(200);
    let address = filtered
        .body
        .split("href=\"")
        .find(|part| part.starts_with("/console/inbox/"))
        .unwrap();
    let address = address.split('"').next().unwrap().to_owned();
    browser
        .open("/console/inbox?to=nobody%40example.com")
        .await
        .expect(200)
        .says_not("/console/inbox/0");
    browser
        .open("/console/inbox?to=nonsense")
        .await
        .expect(200)
        .says_not("/console/inbox/0");

    browser
        .open(&address)
        .await
        .expect(200)
        .says("activate?token")
        .says("/html\" title=");
    let html = browser.open(&format!("{address}/html")).await;
    assert_eq!(html.status(), 200);
    let policy = html.header("content-security-policy");
    assert!(
        policy.contains("sandbox")
            && !policy.contains("allow-scripts")
            && policy.contains("frame-ancestors 'self'")
    );
    assert_eq!(html.header("x-frame-options"), "SAMEORIGIN");
    browser.open("/console/inbox/no-such-letter").await.expect(404);

    let csrf = inbox.input("csrf");
    browser
        .post("/console/logout", &[("csrf", "wrong")])
        .await
        .expect(403);
    let kept = browser.cookies.clone();
    browser
        .post("/console/logout", &[("csrf", &csrf)])
        .await
        .expect(200)
        .says("You are logged out");
    browser.cookies = kept;
    for path in ["/console/inbox", address.as_str(), &format!("{address}/html")] {
        browser
            .open(path)
            .await
            .expect(200)
            .says("action=\"/console/login\"");
    }
}

async fn a_password_that_changes_ends_the_session(world: World) {
    let mut browser = Browser::new(&world);
    set_up(&world, &mut browser).await;
    // An account of the service never opens the console, and the other way round.
    world.account("anna@example.com").await;
    browser
        .post(
            "/console/login",
            &[("email", "anna@example.com"), ("password", PASSWORD)],
        )
        .await
        .expect(401);
    assert_eq!(world.login(EMAIL, PASSWORD).await.status, 401);

    let reset = world.store().run_tx("reset", |tx| {
        Box::pin(async move {
            let admin = gatepost_storage::admins::by_canonical(tx, EMAIL).await?.unwrap();
            administrators::make_link(tx, "cli", Some(admin.id)).await
        })
    });
    let link = format!("/console/set-up?token={}", reset.await.unwrap().expose_secret());
    browser
        .open("/console/inbox")
        .await
        .expect(200)
        .says(EMAIL)
        .says("csrf");
    let token = browser.open(&link).await.expect(200).says(EMAIL).input("token");
    let new = "an entirely different sentence";
    browser
        .post("/console/set-up", &[("token", &token), ("password", new)])
        .await
        .expect(200);
    browser
        .open("/console/inbox")
        .await
        .expect(200)
        .says("action=\"/console/login\"");
    browser
        .post("/console/login", &[("email", EMAIL), ("password", PASSWORD)])
        .await
        .expect(401);
    browser
        .post("/console/login", &[("email", EMAIL), ("password", new)])
        .await
        .expect(200)
        .says(EMAIL);
    world.advance(std::time::Duration::from_secs(12 * 3600));
    browser
        .open("/console/inbox")
        .await
        .expect(200)
        .says("action=\"/console/login\"");
    world.run_pending().await;
}
