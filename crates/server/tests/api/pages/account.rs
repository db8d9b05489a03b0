//! `/login` and `/account`.

use crate::browser::{Browser, encoded};
use crate::world::{PASSWORD, World, on_both};

on_both!(
    the_account_page_does_what_its_buttons_say,
    a_session_of_a_browser_is_a_session,
    forms_of_others_are_refused
);

const EMAIL: &str = "anna@example.com";
const NEW: &str = "a kettle that hums in the morning";

async fn logged_in(world: &World) -> Browser<'_> {
    let mut browser = Browser::new(world);
    browser
        .post("/login", &[("email", EMAIL), ("password", PASSWORD)])
        .await
        .expect(200)
        .says(EMAIL);
    browser
}

async fn the_account_page_does_what_its_buttons_say(world: World) {
    world.account(EMAIL).await;
    let mut browser = logged_in(&world).await;
    let csrf = browser.open("/account").await.expect(200).input("csrf");
    let change = |current, new| {
        [
            ("csrf", csrf.as_str()),
            ("action", "change_password"),
            ("current", current),
            ("new", new),
        ]
    };
    browser
        .post("/account", &change("not my password at all", NEW))
        .await
        .expect(401)
        .says("The current password is wrong");
    browser
        .post("/account", &change(PASSWORD, "short"))
        .await
        .expect(422)
        .says("too short");
    browser
        .post("/account", &change("", ""))
        .await
        .expect(422)
        .says("Fill in");
    browser
        .post("/account", &[("csrf", &csrf), ("action", "dance")])
        .await
        .expect(422);

    let mut other = logged_in(&world).await;
    browser
        .post("/account", &change(PASSWORD, NEW))
        .await
        .expect(200)
        .says("The password is changed")
        .says(EMAIL);
    other
        .open("/account")
        .await
        .expect(200)
        .says("Log in to see this page")
        .says_not(EMAIL);
    let session = world.login(EMAIL, NEW).await;
    let access = session.body["access"].as_str().unwrap().to_owned();
    let page = browser.open("/account").await;
    let id = page.input("session");
    let end = [
        ("csrf", csrf.as_str()),
        ("action", "end_session"),
        ("session", id.as_str()),
    ];
    browser
        .post("/account", &end)
        .await
        .expect(200)
        .says("The session has ended");
    assert_eq!(world.get("/api/users/me", Some(&access)).await.status, 401);
    for nobody in ["x", "01890000-0000-7000-8000-000000000000"] {
        let end = [
            ("csrf", csrf.as_str()),
            ("action", "end_session"),
            ("session", nobody),
        ];
        let status = browser.post("/account", &end).await.status();
        assert!(matches!(status, 200 | 404), "{status}");
    }
    let out = [("csrf", csrf.as_str()), ("action", "logout")];
    browser
        .post("/account", &out)
        .await
        .expect(200)
        .says("You are logged out");
    assert!(!browser.cookies.contains_key("gatepost_session"));
    browser
        .open("/account")
        .await
        .expect(200)
        .says("Log in to see this page");
    world.run_pending().await;
}

async fn a_session_of_a_browser_is_a_session(world: World) {
    world.account(EMAIL).await;
    let mut browser = logged_in(&world).await;
    let cookies = browser.cookies.clone();
    let api = world.login(EMAIL, PASSWORD).await;
    let access = api.body["access"].as_str().unwrap();
    let sessions = world.get("/api/auth/sessions", Some(access)).await;
    assert!(
        sessions.body.to_string().contains("Test/1.0"),
        "{}",
        sessions.body
    );

    // Logged out everywhere by the API: the cookie is good for nothing from that moment.
    assert_eq!(
        world
            .post(
                "/api/auth/logout-everywhere",
                Some(access),
                &serde_json::json!({})
            )
            .await
            .status,
        204
    );
    browser
        .open("/account")
        .await
        .expect(200)
        .says("Log in to see this page");

    // Logging in again ends the session that the browser had.
    let mut browser = logged_in(&world).await;
    let first = browser.cookies.clone();
    browser
        .post("/login", &[("email", EMAIL), ("password", PASSWORD)])
        .await
        .expect(200);
    let mut thief = Browser::new(&world);
    for stolen in [first, cookies] {
        thief.cookies = stolen;
        thief
            .open("/account")
            .await
            .expect(200)
            .says("Log in to see this page");
    }
    for value in ["x", "", "AAAA", "%00"] {
        thief.cookies = [("gatepost_session".to_owned(), value.to_owned())].into();
        thief
            .open("/account")
            .await
            .expect(200)
            .says("Log in to see this page");
    }
    let csrf = browser.open("/account").await.input("csrf");
    let out = [("csrf", csrf.as_str()), ("action", "logout_everywhere")];
    browser
        .post("/account", &out)
        .await
        .expect(200)
        .says("Every session has ended");
}

async fn forms_of_others_are_refused(world: World) {
    world.account(EMAIL).await;
    let mut browser = logged_in(&world).await;
    browser
        .post("/account", &[("action", "logout")])
        .await
        .expect(403)
        .says("lain open");
    let csrf = logged_in(&world).await.open("/account").await.input("csrf");
    browser
        .post("/account", &[("csrf", &csrf), ("action", "logout")])
        .await
        .expect(403);

    let own = browser.open("/account").await.input("csrf");
    let body = encoded(&[("csrf", &own), ("action", "logout")]);
    for from in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
    ] {
        browser
            .send("POST", "/account", Some(body.clone()), &[from])
            .await
            .expect(403);
    }
    browser.open("/account").await.expect(200).says(EMAIL);
    let login = encoded(&[("email", EMAIL), ("password", PASSWORD)]);
    let shown = browser
        .send("POST", "/login", Some(login), &[("sec-fetch-site", "cross-site")])
        .await;
    assert_eq!(shown.expect(403).header("set-cookie"), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_https_the_cookie_is_this_hosts_alone() {
    let world = World::with(&[("GATEPOST__HTTP__PUBLIC_URL", "https://id.example.com")]).await;
    world.account(EMAIL).await;
    let mut browser = Browser::new(&world);
    let login = encoded(&[("email", EMAIL), ("password", PASSWORD)]);
    let shown = browser
        .send(
            "POST",
            "/login",
            Some(login),
            &[("origin", "https://id.example.com")],
        )
        .await;
    let cookie = shown.header("set-cookie");
    assert!(cookie.starts_with("__Host-gatepost_session="), "{cookie}");
    for part in [
        "; Path=/",
        "; Secure",
        "; HttpOnly",
        "; SameSite=Lax",
        "; Max-Age=604800",
    ] {
        assert!(cookie.contains(part), "{part} in {cookie}");
    }
    assert!(!cookie.contains("Domain"));
    assert_eq!(shown.header("location"), "/account");
    world.run_pending().await;
}
