//! The app as its user meets it: register, read the letter, press, once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum_app::App;
use gatepost_mail::{EmailAddress, InboxFilter};
use gatepost_tokens::{Activate, Refused};
use http_body_util::BodyExt;
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

const SITE: &str = "https://shop.example";

async fn app(folder: &TempDir) -> App {
    let secret = SecretString::from("0123456789abcdef0123456789abcdef");
    App::open(&folder.path().join("app.db"), &secret, SITE)
        .await
        .unwrap()
}

async fn post(app: &App, path: &str, body: &Value) -> (StatusCode, String) {
    let request = Request::post(path).header("content-type", "application/json");
    let answer = app
        .router()
        .oneshot(request.body(Body::from(body.to_string())).unwrap())
        .await
        .unwrap();
    let (parts, body) = answer.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.status, String::from_utf8(bytes.to_vec()).unwrap())
}

/// Lets the worker run until a letter is there; gives subject and token.
async fn letter_to(app: &App, to: &str) -> (String, String) {
    let stop = CancellationToken::new();
    let worker = {
        let (app, stop) = (app.clone(), stop.clone());
        tokio::spawn(async move { app.send_letters("capture", stop).await })
    };
    let to: EmailAddress = to.parse().unwrap();
    let filter = InboxFilter {
        to: Some(to),
        after: None,
        limit: 10,
    };
    let look = async {
        loop {
            if let Some(mail) = app.mailer.inbox(&filter).await.unwrap().pop() {
                return mail;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let mail = tokio::time::timeout(Duration::from_secs(30), look)
        .await
        .expect("the letter arrives");
    stop.cancel();
    worker.await.unwrap().unwrap();
    let line = mail
        .text
        .lines()
        .find(|line| line.starts_with(SITE))
        .expect("a link whole on its line");
    (mail.subject, line.split_once("?token=").unwrap().1.to_owned())
}

async fn active(app: &App) -> Vec<(String, bool)> {
    sqlx::query_as("SELECT email, active FROM users ORDER BY id")
        .fetch_all(&app.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_user_registers_reads_the_letter_and_activates_once() {
    let folder = TempDir::new().unwrap();
    let app = app(&folder).await;
    let form = json!({ "email": "Hanna@Example.com", "name": "Ганна", "locale": "uk" });
    assert_eq!(post(&app, "/register", &form).await.0, StatusCode::ACCEPTED);
    assert_eq!(active(&app).await, [("hanna@example.com".to_owned(), false)]);
    assert_eq!(post(&app, "/register", &form).await.0, StatusCode::CONFLICT);

    let (subject, token) = letter_to(&app, "hanna@example.com").await;
    assert_eq!(subject, "Вітаємо в Corner Shop, Ганна");

    let body = json!({ "token": token });
    let (mut good, mut used) = (0, 0);
    let presses: Vec<_> = (0..16)
        .map(|_| {
            let (app, body) = (app.clone(), body.clone());
            tokio::spawn(async move { post(&app, "/activate", &body).await })
        })
        .collect();
    for press in presses {
        match press.await.unwrap() {
            (StatusCode::NO_CONTENT, _) => good += 1,
            (StatusCode::CONFLICT, _) => used += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((good, used), (1, 15));
    assert_eq!(active(&app).await, [("hanna@example.com".to_owned(), true)]);
}

#[tokio::test]
async fn what_is_rolled_back_uses_no_token_and_sends_no_letter() {
    let folder = TempDir::new().unwrap();
    let app = app(&folder).await;
    // Nobody has this id: the handler verifies, finds nobody, and rolls back.
    let token = app.tokens.tokens().create::<Activate>(404).unwrap();
    for _ in 0..2 {
        assert_eq!(
            post(&app, "/activate", &json!({ "token": token })).await.0,
            StatusCode::NOT_FOUND
        );
    }
    let mut tx = app.pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    app.tokens.verify::<Activate>(&mut *tx, &token).await.unwrap();
    assert_eq!(
        app.tokens.verify::<Activate>(&mut *tx, &token).await.unwrap_err(),
        Refused::Used
    );
    tx.rollback().await.unwrap();

    // A name that cannot be stored: the letter goes with the user.
    sqlx::query("CREATE TRIGGER no AFTER INSERT ON users WHEN NEW.name = 'nobody' BEGIN SELECT RAISE(FAIL, 'no'); END")
        .execute(&app.pool)
        .await
        .unwrap();
    let form = json!({ "email": "no@example.com", "name": "nobody", "locale": "en" });
    assert_eq!(
        post(&app, "/register", &form).await.0,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    let form = json!({ "email": "yes@example.com", "name": "Yes", "locale": "en" });
    assert_eq!(post(&app, "/register", &form).await.0, StatusCode::ACCEPTED);
    letter_to(&app, "yes@example.com").await;
    let all = InboxFilter {
        to: None,
        after: None,
        limit: 10,
    };
    assert_eq!(app.mailer.inbox(&all).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_bad_link_is_told() {
    let folder = TempDir::new().unwrap();
    let app = app(&folder).await;
    let (status, text) = post(&app, "/activate", &json!({ "token": "none of ours" })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.starts_with("the link cannot be used"), "{text}");
    let form = json!({ "email": "a@b\r\nBcc: c@d.example", "name": "x", "locale": "en" });
    assert_eq!(
        post(&app, "/register", &form).await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert!(active(&app).await.is_empty());
}
