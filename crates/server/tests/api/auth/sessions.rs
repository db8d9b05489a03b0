use gatepost::testing::TestApp;
use serde_json::json;

use crate::{ANNA, OWLS, on_both};

on_both!(list_and_end_one, everywhere);

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

async fn list_and_end_one(app: TestApp) {
    app.user(ANNA, OWLS).await;
    app.user("boris@example.com", OWLS).await;
    let (boris, _) = app.log_in("boris@example.com", OWLS).await;
    let (phone, phone_refresh) = app.log_in(ANNA, OWLS).await;
    let login = json!({"email": ANNA, "password": OWLS});
    let desk = app
        .request("POST", "/api/auth/login")
        .header("user-agent", FIREFOX)
        .json(login)
        .send()
        .await;
    let desk = desk.text("access");
    let sessions = app
        .request("GET", "/api/auth/sessions")
        .bearer(&desk)
        .send()
        .await;
    let items = sessions.body["items"].as_array().unwrap().clone();
    assert_eq!((items.len(), &sessions.body["next"]), (2, &json!(null)));
    let current = items.iter().find(|session| session["current"] == true).unwrap();
    assert_eq!(
        (&current["device"], &current["network"]),
        (&json!("Firefox on Linux"), &json!("127.0.0.0/24")),
        "{current}"
    );
    assert_eq!(current["user_agent"], FIREFOX);
    let other = items.iter().find(|session| session["current"] == false).unwrap()["id"]
        .as_str()
        .unwrap();
    let path = format!("/api/auth/sessions/{other}");
    assert_eq!(
        app.request("DELETE", &path).bearer(&boris).send().await.status,
        404,
        "not his"
    );
    assert_eq!(
        app.request("DELETE", &path).bearer(&desk).send().await.status,
        204
    );
    assert_eq!(
        app.request("DELETE", &path).bearer(&desk).send().await.status,
        404
    );
    assert_eq!(
        app.request("DELETE", "/api/auth/sessions/nonsense")
            .bearer(&desk)
            .send()
            .await
            .status,
        404
    );
    assert_eq!(
        app.request("GET", "/api/users/me")
            .bearer(&phone)
            .send()
            .await
            .code(),
        "token_revoked"
    );
    assert_eq!(
        app.post("/api/auth/refresh", json!({"refresh": phone_refresh}))
            .await
            .code(),
        "token_revoked"
    );
    assert_eq!(
        app.request("GET", "/api/users/me")
            .bearer(&desk)
            .send()
            .await
            .status,
        200
    );
    // The login from another device was told.
    app.run_pending().await;
    assert_eq!(app.letters(ANNA).await.last().unwrap().template, "new_device");
}

async fn everywhere(app: TestApp) {
    app.user(ANNA, OWLS).await;
    let (one, _) = app.log_in(ANNA, OWLS).await;
    let (two, refresh) = app.log_in(ANNA, OWLS).await;
    assert_eq!(
        app.request("POST", "/api/auth/logout-everywhere")
            .bearer(&one)
            .send()
            .await
            .status,
        204
    );
    for dead in [one, two] {
        assert_eq!(
            app.request("GET", "/api/users/me")
                .bearer(&dead)
                .send()
                .await
                .code(),
            "token_revoked"
        );
    }
    assert_eq!(
        app.post("/api/auth/refresh", json!({"refresh": refresh}))
            .await
            .code(),
        "token_revoked"
    );
    // Whoever logs in again in the same second has good tokens: no clock takes part.
    let (fresh, _) = app.log_in(ANNA, OWLS).await;
    assert_eq!(
        app.request("GET", "/api/users/me")
            .bearer(&fresh)
            .send()
            .await
            .status,
        200
    );
}
