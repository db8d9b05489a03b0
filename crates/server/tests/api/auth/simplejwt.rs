//! simplejwt's own routes over our own accounts and a clock that stands still. Word by word beside Django itself they are
//! in `tests/outside/live_django`.

use std::time::Duration;

use gatepost::testing::{Answer, TestApp};
use gatepost_tokens::Clock;
use gatepost_tokens::simplejwt::{Payload, Settings, SimpleJwt, UserId};
use serde_json::{Value, json};

use crate::{ANNA, OWLS};

const KEY: &str = "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz";
const HOUR: Duration = Duration::from_hours(1);

/// On both databases, with tables of our own and sessions of three days.
async fn apps(more: &[(&'static str, &str)]) -> [TestApp; 2] {
    let dialect = [
        ("GATEPOST__TOKENS__DIALECT", "simplejwt"),
        ("GATEPOST__SIMPLEJWT__SIGNING_KEY", KEY),
        ("GATEPOST__SIMPLEJWT__SCHEMA", ""),
        ("GATEPOST__SIMPLEJWT__ROTATE_REFRESH_TOKENS", "true"),
        ("GATEPOST__SIMPLEJWT__BLACKLIST_AFTER_ROTATION", "true"),
        ("GATEPOST__TOKENS__PURPOSES__REFRESH__LIFETIME", "1d"),
        ("GATEPOST__AUTH__SESSION_MAX_AGE", "3d"),
    ];
    let settings: Vec<(&'static str, String)> = dialect
        .iter()
        .chain(more)
        .map(|(key, value)| (*key, (*value).to_owned()))
        .collect();
    let postgres = [TestApp::postgres_settings().to_vec(), settings.clone()].concat();
    [TestApp::with(&settings).await, TestApp::with(&postgres).await]
}

async fn obtain(app: &TestApp, path: &str, agent: &str) -> Answer {
    let answer = app
        .request("POST", path)
        .header("user-agent", agent)
        .json(json!({"email": ANNA, "password": OWLS}))
        .send()
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    app.run_pending().await;
    answer
}

async fn refresh(app: &TestApp, token: &str) -> Answer {
    app.post("/api/token/refresh/", json!({"refresh": token})).await
}

/// How many seconds from now a token lives.
fn lives(app: &TestApp, raw: &str) -> i64 {
    let clock = app.clock.clock();
    let jwt = SimpleJwt::new(Settings::new(KEY))
        .unwrap()
        .with_clock(Clock::new(move || clock.now().as_secs()));
    let payload: Payload = jwt.decode(raw).unwrap();
    payload.get("exp").and_then(Value::as_i64).unwrap() - app.clock.now().as_secs()
}

/// A refresh token as Django makes one, so long ago.
fn of_django(app: &TestApp, user: &str, ago: Duration) -> String {
    let made = (app.clock.now() - ago).as_secs();
    let jwt = SimpleJwt::new(Settings::new(KEY))
        .unwrap()
        .with_clock(Clock::new(move || made));
    jwt.encode(&jwt.for_user("refresh", &UserId::from(user), None).unwrap())
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_in_the_end_however_often_it_is_refreshed() {
    for app in apps(&[]).await {
        let user = app.user(ANNA, OWLS).await;
        // One that began here, and one of Django's that was 20 hours old when it was first seen.
        app.advance(20 * HOUR);
        let mut theirs = of_django(&app, &user, 20 * HOUR);
        let mut ours = obtain(&app, "/api/token/", "curl/8").await.text("refresh");
        for round in 0..3 {
            theirs = refresh(&app, &theirs).await.text("refresh");
            app.advance(20 * HOUR);
            ours = refresh(&app, &ours).await.text("refresh");
            let left = 3 * 86_400 - (round + 1) * 20 * 3_600;
            assert_eq!(lives(&app, &ours), left.min(86_400), "round {round}");
        }
        // 80 hours after it was made.
        let over = refresh(&app, &theirs).await;
        assert_eq!(over.status, 401, "{over:?}");
        assert_eq!(over.text("detail"), "Token is expired");
        // 71 h 58 min after the login: the access token ends with the session, two minutes on.
        app.advance(Duration::from_mins(12 * 60 - 2));
        let last = refresh(&app, &ours).await;
        assert_eq!(lives(&app, &last.text("access")), 120);
        assert_eq!(lives(&app, &last.text("refresh")), 120);
        app.advance(Duration::from_mins(2));
        for path in ["/api/token/refresh/", "/api/auth/refresh"] {
            let over = app.post(path, json!({"refresh": last.text("refresh")})).await;
            assert_eq!(over.status, 401, "{over:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_keeps_its_end_from_one_dialect_into_the_other_and_back() {
    for app in apps(&[("GATEPOST__TOKENS__ACCEPT", "gatepost")]).await {
        app.user(ANNA, OWLS).await;
        let left = app.second_instance_with(&[
            ("GATEPOST__TOKENS__DIALECT", "gatepost"),
            ("GATEPOST__TOKENS__ACCEPT", "simplejwt"),
        ]);
        let left = left.await;
        let both = [&app, &left];
        let pass = |time: Duration| both.iter().for_each(|app| app.advance(time));
        let first = obtain(&app, "/api/token/", "curl/8").await.text("refresh");
        pass(20 * HOUR);
        let second = left
            .post("/api/auth/refresh", json!({"refresh": first}))
            .await
            .text("refresh");
        pass(20 * HOUR);
        let third = refresh(&app, &second).await.text("refresh");
        assert_eq!(lives(&app, &third), 86_400);
        pass(20 * HOUR);
        let fourth = refresh(&app, &third).await.text("refresh");
        assert_eq!(lives(&app, &fourth), 12 * 3_600);
        let fifth = left.post("/api/auth/refresh", json!({"refresh": fourth})).await;
        assert_eq!(fifth.status, 200, "{fifth:?}");
        pass(12 * HOUR);
        for path in ["/api/auth/refresh", "/api/token/refresh/"] {
            let over = left.post(path, json!({"refresh": fifth.text("refresh")})).await;
            assert_eq!(over.status, 401, "{over:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_ended_here_is_not_exchanged_into_the_other_dialect() {
    let more = [
        ("GATEPOST__SIMPLEJWT__BLACKLIST_AFTER_ROTATION", "false"),
        ("GATEPOST__TOKENS__ACCEPT", "gatepost"),
    ];
    for app in apps(&more).await {
        app.user(ANNA, OWLS).await;
        let old = obtain(&app, "/api/token/", "curl/8").await.text("refresh");
        // The old one lives on beside its successor, as with Django, until the session is ended.
        let next = refresh(&app, &old).await.text("refresh");
        let out = app.post("/api/auth/logout", json!({"refresh": next})).await;
        assert_eq!(out.status, 204);
        assert_eq!(refresh(&app, &old).await.status, 401);
        let left = app.second_instance_with(&[
            ("GATEPOST__TOKENS__DIALECT", "gatepost"),
            ("GATEPOST__TOKENS__ACCEPT", "simplejwt"),
        ]);
        assert_eq!(refresh(&left.await, &old).await.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_from_another_device_is_told_and_shown() {
    const PHONE: &str =
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1";
    let more = [
        ("GATEPOST__SIMPLEJWT__SLIDING_PREFIXES", "/api/sliding"),
        ("GATEPOST__SIMPLEJWT__AUTH_TOKEN_CLASSES", "access,sliding"),
    ];
    for app in apps(&more).await {
        app.user(ANNA, OWLS).await;
        let told = async || {
            let letters = app.letters(ANNA).await;
            let told = letters
                .into_iter()
                .filter(|letter| letter.template == "new_device");
            told.map(|letter| letter.text).collect::<Vec<_>>()
        };
        obtain(&app, "/api/token/", "curl/8").await;
        app.log_in(ANNA, OWLS).await;
        obtain(&app, "/api/token/", "curl/9").await;
        assert_eq!(told().await.len(), 1, "the one that did not say what it is");
        obtain(&app, "/api/token/", PHONE).await;
        assert!(told().await[1].contains("Safari on iPhone"));
        // A sliding token is a session as well.
        let sliding = obtain(&app, "/api/sliding/", "okhttp/4").await.text("token");
        assert!(told().await[2].contains("okhttp"));
        obtain(&app, "/api/sliding/", PHONE).await;
        assert_eq!(told().await.len(), 3);
        let list = app
            .request("GET", "/api/auth/sessions")
            .bearer(&sliding)
            .send()
            .await;
        let own: Vec<&Value> = list.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|session| session["current"] == true)
            .collect();
        assert_eq!(own.len(), 1, "{list:?}");
        let path = format!("/api/auth/sessions/{}", own[0]["id"].as_str().unwrap());
        let ended = app.request("DELETE", &path).bearer(&sliding).send().await;
        assert_eq!(ended.status, 204, "{ended:?}");
        let gone = app.request("GET", "/api/users/me").bearer(&sliding).send().await;
        assert_eq!(gone.status, 401);
        let slide = app.post("/api/sliding/refresh/", json!({"token": sliding})).await;
        assert_eq!(slide.text("detail"), "Token is blacklisted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_token_of_ours_ends_its_session_at_their_route_too() {
    let more = [
        ("GATEPOST__TOKENS__DIALECT", "gatepost"),
        ("GATEPOST__TOKENS__ACCEPT", "simplejwt"),
    ];
    for app in apps(&more).await {
        app.user(ANNA, OWLS).await;
        let (_, old) = app.log_in(ANNA, OWLS).await;
        let next = refresh(&app, &old).await.text("refresh");
        let last = refresh(&app, &next).await.text("refresh");
        let reused = refresh(&app, &old).await;
        assert_eq!((reused.status, reused.code()), (401, "token_not_valid"));
        assert_eq!(reused.text("detail"), "Token is blacklisted");
        assert_eq!(refresh(&app, &last).await.status, 401, "the session has ended");
        app.run_pending().await;
        let letter = app.letters(ANNA).await.pop().unwrap();
        assert_eq!(letter.template, "refresh_reuse_detected");
        let wrong = refresh(&app, "eyJhbGciOiJub25lIn0.e30.").await;
        assert_eq!(wrong.text("detail"), "Token is invalid");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preflights_are_answered_and_other_options_pass() {
    let more = [
        ("GATEPOST__HTTP__CORS_ORIGINS", "https://shop.example"),
        ("GATEPOST__SIMPLEJWT__AUTH_HEADER_NAME", "HTTP_X_TOKEN"),
    ];
    for app in apps(&more).await {
        let options = |path: &str| {
            app.request("OPTIONS", path)
                .header("origin", "https://shop.example")
        };
        let preflight = options("/api/token/")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,x-token")
            .send()
            .await;
        assert_eq!((preflight.status, preflight.bytes.len()), (200, 0));
        assert_eq!(
            preflight.header("access-control-allow-origin"),
            Some("https://shop.example")
        );
        let taken = preflight.header("access-control-allow-headers").unwrap();
        assert!(
            taken.contains("x-token") && taken.contains("content-type"),
            "{taken}"
        );
        let described = options("/api/token/").send().await;
        assert_eq!(described.status, 200);
        assert_eq!(described.body["name"], "Token Obtain Pair");
        assert_eq!(described.header("allow"), Some("POST, OPTIONS"));
        // The path that was meant is in the answer for a page of that origin, too.
        let led = app
            .request("POST", "/api/token")
            .header("origin", "https://shop.example")
            .send()
            .await;
        assert_eq!((led.status, led.header("location")), (301, Some("/api/token/")));
        assert_eq!(
            led.header("access-control-allow-origin"),
            Some("https://shop.example")
        );
        assert_eq!(options("/api/auth/login").send().await.status, 405);
        assert_eq!(options("/api/nowhere").send().await.status, 404);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_imported_goes_on_with_tokens_that_have_djangos_number() {
    for dialect in ["simplejwt", "gatepost"] {
        let accept = if dialect == "gatepost" {
            "simplejwt"
        } else {
            "gatepost"
        };
        let more = [
            ("GATEPOST__TOKENS__DIALECT", dialect),
            ("GATEPOST__TOKENS__ACCEPT", accept),
        ];
        for app in apps(&more).await {
            let id = app.user(ANNA, OWLS).await;
            let ours: gatepost_storage::UserId = id.parse().unwrap();
            let noted = app.app.store.run_tx("imported", move |tx| {
                Box::pin(async move { gatepost_storage::imported_users::note(tx, "42", ours, "x").await })
            });
            noted.await.unwrap();
            let me = async |access: &str| app.request("GET", "/api/users/me").bearer(access).send().await;
            // As simplejwt wrote it before 5.5.1 and since.
            for number in [UserId::Integer(42), UserId::from("42")] {
                let made = app.clock.now().as_secs();
                let jwt = SimpleJwt::new(Settings::new(KEY))
                    .unwrap()
                    .with_clock(Clock::new(move || made));
                let mint = |kind: &str| jwt.encode(&jwt.for_user(kind, &number, None).unwrap()).unwrap();
                let access = mint("access");
                assert_eq!(me(&access).await.text("id"), id);
                let (first, forgotten) = (mint("refresh"), mint("refresh"));
                let next = refresh(&app, &first).await;
                assert_eq!(me(&next.text("access")).await.text("id"), id);
                let last = refresh(&app, &next.text("refresh")).await;
                let everywhere = app
                    .request("POST", "/api/auth/logout-everywhere")
                    .bearer(&last.text("access"))
                    .send()
                    .await;
                assert_eq!(everywhere.status, 204, "{everywhere:?}");
                for dead in [&access, &next.text("access"), &last.text("access")] {
                    assert_eq!(me(dead).await.status, 401);
                }
                for dead in [&forgotten, &last.text("refresh")] {
                    assert_eq!(refresh(&app, dead).await.status, 401);
                }
                app.advance(Duration::from_secs(2));
            }
            // Somebody whom nobody imported.
            let stranger = of_django(&app, "43", Duration::ZERO);
            let refused = refresh(&app, &stranger).await;
            assert_eq!(
                refused.text("detail"),
                "No active account found for the given token."
            );
        }
    }
}
