//! `auth.refresh_cookie`: the refresh token in a cookie, and who may use it.

use gatepost::testing::{Answer, TestApp};
use serde_json::json;

use crate::{ANNA, OWLS, STONES};

const HERE: &str = "https://id.example.com";
const APP: &str = "https://app.example.com";

async fn with_cookies() -> TestApp {
    TestApp::with(&[
        ("GATEPOST__AUTH__REFRESH_COOKIE", "true"),
        ("GATEPOST__HTTP__PUBLIC_URL", HERE),
        ("GATEPOST__HTTP__CORS_ORIGINS", APP),
    ])
    .await
}

/// The value of a cookie that an answer sets; empty if it takes it away.
fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let set = answer.headers.iter().filter(|(header, _)| header == "set-cookie");
    let mut pairs = set.filter_map(|(_, value)| value.split(';').next()?.split_once('='));
    let found = pairs.find(|(found, _)| *found == name);
    found.map(|(_, value)| value.to_owned())
}

fn refresh_cookie(answer: &Answer) -> Option<String> {
    cookie(answer, "__Host-gatepost_refresh")
}

async fn log_in(app: &TestApp) -> (String, String) {
    let login = json!({"email": ANNA, "password": OWLS});
    let answer = app.post("/api/auth/login", login).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.get("refresh").is_none(), "not in the body");
    (answer.text("access"), refresh_cookie(&answer).unwrap())
}

async fn ask(app: &TestApp, path: &str, cookie: &str, more: &[(&str, &str)]) -> Answer {
    let mut request = app
        .request("POST", path)
        .header("cookie", &format!("__Host-gatepost_refresh={cookie}"));
    for (name, value) in more {
        request = request.header(name, value);
    }
    request.bytes(Vec::new()).send().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_lives_by_the_cookie_and_ends_with_it() {
    let app = with_cookies().await;
    app.user(ANNA, OWLS).await;
    let login = json!({"email": ANNA, "password": OWLS});
    let answer = app.post("/api/auth/login", login).await;
    let set = answer.header("set-cookie").unwrap();
    for part in [
        "__Host-gatepost_refresh=",
        "; Path=/",
        "; Secure",
        "; HttpOnly",
        "; SameSite=Strict",
        "; Max-Age=604800",
    ] {
        assert!(set.contains(part), "{part} in {set}");
    }
    assert!(!set.contains("Domain"));
    assert!(cookie(&answer, "__Host-gatepost_device").is_some());

    let (access, first) = (answer.text("access"), refresh_cookie(&answer).unwrap());
    let next = ask(&app, "/api/auth/refresh", &first, &[("origin", HERE)]).await;
    assert_eq!(next.status, 200, "{next:?}");
    assert!(next.body.get("refresh").is_none());
    let second = refresh_cookie(&next).unwrap();
    assert_ne!(first, second);

    // A new password goes on with a new cookie.
    let change = json!({"current": OWLS, "new": STONES});
    let changed = app.request("POST", "/api/users/me/password").bearer(&access);
    let changed = changed.json(change).send().await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert!(changed.body.get("refresh").is_none());
    let third = refresh_cookie(&changed).unwrap();
    let dead = ask(&app, "/api/auth/refresh", &second, &[]).await;
    assert_eq!((dead.status, refresh_cookie(&dead).as_deref()), (401, Some("")));

    let out = ask(
        &app,
        "/api/auth/logout",
        &third,
        &[("sec-fetch-site", "same-origin")],
    )
    .await;
    assert_eq!((out.status, refresh_cookie(&out).as_deref()), (204, Some("")));
    let dead = ask(&app, "/api/auth/refresh", &third, &[]).await;
    assert_eq!((dead.status, dead.code()), (401, "token_revoked"));
    let me = app.request("GET", "/api/users/me");
    assert_eq!(me.bearer(&changed.text("access")).send().await.status, 401);
    app.run_pending().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_sites_cannot_use_it() {
    let app = with_cookies().await;
    app.user(ANNA, OWLS).await;
    let (access, cookie) = log_in(&app).await;
    for path in ["/api/auth/refresh", "/api/auth/logout"] {
        for from in [
            &[("origin", "https://evil.example")][..],
            &[("sec-fetch-site", "cross-site")],
            &[
                ("sec-fetch-site", "same-site"),
                ("origin", "https://blog.example.com"),
            ],
            &[("sec-fetch-site", "cross-site"), ("origin", "null")],
        ] {
            let refused = ask(&app, path, &cookie, from).await;
            assert_eq!(
                (refused.status, refused.code()),
                (403, "origin_refused"),
                "{from:?}"
            );
            assert_eq!(refresh_cookie(&refused), None, "it stays");
        }
    }
    // Nor log somebody in as somebody else.
    let login = app
        .request("POST", "/api/auth/login")
        .header("origin", "https://evil.example");
    let login = login.json(json!({"email": ANNA, "password": OWLS})).send().await;
    assert_eq!((login.status, login.code()), (403, "origin_refused"));
    let me = app.request("GET", "/api/users/me").bearer(&access).send().await;
    assert_eq!(me.status, 200, "nothing was ended");

    // A page that was named may, and may send credentials.
    let named = [("sec-fetch-site", "same-site"), ("origin", APP)];
    let next = ask(&app, "/api/auth/refresh", &cookie, &named).await;
    assert_eq!(next.status, 200);
    assert_eq!(next.header("access-control-allow-origin"), Some(APP));
    assert_eq!(next.header("access-control-allow-credentials"), Some("true"));
    let evil = app
        .request("GET", "/healthz")
        .header("origin", "https://evil.example");
    assert_eq!(evil.send().await.header("access-control-allow-origin"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_or_nonsense_is_told() {
    let app = with_cookies().await;
    app.user(ANNA, OWLS).await;
    let nothing = app
        .request("POST", "/api/auth/refresh")
        .bytes(Vec::new())
        .send()
        .await;
    assert_eq!((nothing.status, nothing.code()), (401, "credentials_missing"));
    let nonsense = ask(&app, "/api/auth/refresh", "x.y.z", &[]).await;
    assert_eq!((nonsense.status, nonsense.code()), (401, "token_malformed"));
    let out = app
        .request("POST", "/api/auth/logout")
        .bytes(Vec::new())
        .send()
        .await;
    assert_eq!(out.status, 204);
    assert_eq!(ask(&app, "/api/auth/logout", "x.y.z", &[]).await.status, 204);
    // Who was logged in before the cookie was switched on shows the token once more, and gets a cookie.
    let (_, before) = log_in(&app).await;
    let moved = app.post("/api/auth/refresh", json!({"refresh": before})).await;
    assert_eq!(moved.status, 200, "{moved:?}");
    assert!(refresh_cookie(&moved).is_some() && moved.body.get("refresh").is_none());
    let everywhere = app.request("POST", "/api/auth/logout-everywhere");
    let everywhere = everywhere.bearer(&moved.text("access")).send().await;
    assert_eq!(
        (everywhere.status, refresh_cookie(&everywhere).as_deref()),
        (204, Some(""))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_it_no_cookie_counts() {
    let app = TestApp::with(&[("GATEPOST__HTTP__CORS_ORIGINS", APP)]).await;
    app.user(ANNA, OWLS).await;
    let (_, refresh) = app.log_in(ANNA, OWLS).await;
    let request = app
        .request("POST", "/api/auth/refresh")
        .header("cookie", &format!("gatepost_refresh={refresh}"))
        .header("origin", APP);
    let refused = request.json(json!({})).send().await;
    assert_eq!(refused.status, 422, "the body has to bring it");
    assert_eq!(refused.header("access-control-allow-credentials"), None);
}
