//! `POST /oauth/introspect` (RFC 7662) and `POST /oauth/revoke` (RFC 7009), as their clients speak.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatepost::service::api_key;
use gatepost::testing::Answer;
use serde_json::{Value, json};

use crate::world::{PASSWORD, World, on_both};

on_both!(
    a_good_token_says_what_it_is_and_any_other_nothing,
    a_one_time_token_works_after_it_was_introspected,
    whoever_asks_shows_who_it_is_in_either_way,
    bad_requests_get_the_standards_words,
    revoking_ends_what_the_standard_says,
);

const EMAIL: &str = "anna@example.com";

async fn ask(world: &World, path: &str, authorization: &str, form: &[(&str, &str)]) -> Answer {
    world
        .request("POST", path)
        .header("authorization", authorization)
        .form(form)
        .send()
        .await
}

async fn introspect(world: &World, key: &str, token: &str) -> Value {
    let answer = ask(
        world,
        "/oauth/introspect",
        &format!("Bearer {key}"),
        &[("token", token)],
    )
    .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.body
}

async fn revoke(world: &World, key: &str, token: &str) {
    let form = [("token", token), ("token_type_hint", "access_token")];
    let answer = ask(world, "/oauth/revoke", &format!("Bearer {key}"), &form).await;
    assert_eq!((answer.status, answer.bytes.len()), (200, 0), "{answer:?}");
}

fn inactive() -> Value {
    json!({ "active": false })
}

fn error(answer: &Answer) -> (u16, String) {
    assert!(answer.body["error_description"].is_string(), "{answer:?}");
    assert!(
        answer
            .header("content-type")
            .unwrap()
            .starts_with("application/json"),
        "{answer:?}"
    );
    (answer.status, answer.text("error"))
}

async fn a_good_token_says_what_it_is_and_any_other_nothing(world: World) {
    let account = world.account(EMAIL).await;
    let (access, refresh) = world.log_in(EMAIL, PASSWORD).await;
    let key = world.key(&["tokens:verify"]).await;
    let now = world.store().now().as_secs();
    let said = introspect(&world, &key, &access).await;
    for (claim, value) in [
        ("active", json!(true)),
        ("token_type", json!("Bearer")),
        ("purpose", json!("access")),
        ("sub", json!(account.id)),
        ("iss", json!("gatepost")),
        ("aud", json!("gatepost")),
        ("iat", json!(now)),
        ("exp", json!(now + 3600)),
    ] {
        assert_eq!(said[claim], value, "{claim}: {said}");
    }
    assert!(said["jti"].is_string() && said["sid"].is_string(), "{said}");
    let said = introspect(&world, &key, &refresh).await;
    assert_eq!(
        (&said["purpose"], &said["token_type"]),
        (&json!("refresh"), &json!("N_A"))
    );

    let at = access.len() - 10;
    let mut altered = access.clone();
    altered.replace_range(at..=at, if access[at..].starts_with('_') { "-" } else { "_" });
    let long = "x".repeat(9000);
    for bad in [
        "nonsense",
        "a.b.c",
        "\u{430}\0",
        long.as_str(),
        altered.as_str(),
        key.as_str(),
    ] {
        assert_eq!(introspect(&world, &key, bad).await, inactive());
    }
    // Looking has rotated, ended and used nothing.
    let answer = world
        .post("/api/auth/refresh", None, &json!({ "refresh": refresh }))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let newer = answer.text("access");
    assert_eq!(introspect(&world, &key, &newer).await["active"], true);
    assert_eq!(
        introspect(&world, &key, &refresh).await["active"],
        true,
        "the previous one, whose successor nobody has shown"
    );
    world.advance(Duration::from_secs(3600));
    assert_eq!(introspect(&world, &key, &newer).await, inactive(), "expired");
}

async fn a_one_time_token_works_after_it_was_introspected(world: World) {
    let key = world.key(&["tokens:create:activate", "tokens:verify"]).await;
    let body = json!({ "user_id": "7", "purpose": "activate", "claims": { "plan": 1 } });
    let token = world.post("/api/tokens", Some(&key), &body).await.text("token");
    for _ in 0..2 {
        let said = introspect(&world, &key, &token).await;
        assert_eq!(
            (&said["active"], &said["claims"]),
            (&json!(true), &json!({ "plan": 1 }))
        );
    }
    let body = json!({ "token": token, "purpose": "activate" });
    assert_eq!(
        world.post("/api/tokens/verify", Some(&key), &body).await.status,
        200
    );
    assert_eq!(introspect(&world, &key, &token).await, inactive(), "used");
}

async fn whoever_asks_shows_who_it_is_in_either_way(world: World) {
    let key = world.key(&["tokens:verify"]).await;
    let keys = world
        .store()
        .read("list", |tx| Box::pin(async move { api_key::list(tx).await }))
        .await
        .unwrap();
    let (name, id) = (keys[0].name.clone(), keys[0].id.to_string());
    let basic =
        |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let form = [("token", "x")];
    let path = "/oauth/introspect";
    // The name has a blank in it; as RFC 6749 has it written, and as most write it.
    for user in [
        name.as_str(),
        &id,
        &name.replace(' ', "+"),
        &name.replace(' ', "%20"),
    ] {
        let answer = ask(&world, path, &basic(user, &key), &form).await;
        assert_eq!((answer.status, &answer.body), (200, &inactive()), "{user}");
    }
    for (user, password) in [
        ("another", key.as_str()),
        (name.as_str(), "gp_wrong"),
        (&name, ""),
        ("", ""),
    ] {
        let answer = ask(&world, path, &basic(user, password), &form).await;
        assert_eq!(error(&answer), (401, "invalid_client".to_owned()), "{user}");
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Basic realm=\"gatepost\", charset=\"UTF-8\"")
        );
    }
    for broken in ["Basic ???", "Basic", "Digest x", "Bearer gp_wrong"] {
        let answer = ask(&world, path, broken, &form).await;
        assert_eq!(error(&answer), (401, "invalid_client".to_owned()), "{broken}");
    }
    let nobody = world.request("POST", path).form(&form).send().await;
    assert_eq!(error(&nobody), (401, "invalid_client".to_owned()));
    let challenges: Vec<_> = nobody
        .headers
        .iter()
        .filter(|(name, _)| name == "www-authenticate")
        .collect();
    assert_eq!(challenges.len(), 2, "Bearer and Basic: {challenges:?}");

    let poor = world.key(&["tokens:revoke"]).await;
    let answer = ask(&world, path, &format!("Bearer {poor}"), &form).await;
    assert_eq!(error(&answer), (403, "insufficient_scope".to_owned()));
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(
        challenge.contains("error=\"insufficient_scope\", scope=\"tokens:verify\""),
        "{challenge}"
    );
    let answer = ask(&world, "/oauth/revoke", &format!("Bearer {key}"), &form).await;
    assert_eq!(error(&answer), (403, "insufficient_scope".to_owned()));

    // Keys are kept in memory for a moment; one that is revoked is not.
    let revoked = world.store().run_tx("revoke", move |tx| {
        let name = name.clone();
        Box::pin(async move { api_key::revoke(tx, &name).await })
    });
    assert!(revoked.await.unwrap());
    let answer = ask(&world, path, &format!("Bearer {key}"), &form).await;
    assert_eq!(error(&answer), (401, "invalid_client".to_owned()));
}

async fn bad_requests_get_the_standards_words(world: World) {
    let key = format!("Bearer {}", world.key(&["*"]).await);
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        let invalid = (400, "invalid_request".to_owned());
        for form in [
            &[][..],
            &[("token", "")],
            &[("token_type_hint", "access_token")],
            &[("token", "a"), ("token", "a")],
            &[("token", "a"), ("token_type_hint", "x"), ("token_type_hint", "y")],
        ] {
            assert_eq!(error(&ask(&world, path, &key, form).await), invalid, "{form:?}");
        }
        let json = world
            .request("POST", path)
            .header("authorization", &key)
            .json(json!({ "token": "a" }))
            .send()
            .await;
        assert_eq!(error(&json), invalid);
        // What is not known is ignored, a wrong hint too.
        let form = [("token", "a"), ("token_type_hint", "saml2"), ("resource", "b")];
        assert_eq!(ask(&world, path, &key, &form).await.status, 200);
        let get = world
            .request("GET", path)
            .header("authorization", &key)
            .send()
            .await;
        assert_eq!(get.status, 405);
    }
    let own = key.strip_prefix("Bearer ").unwrap();
    let answer = ask(&world, "/oauth/revoke", &key, &[("token", own)]).await;
    assert_eq!(error(&answer), (400, "unsupported_token_type".to_owned()));
}

async fn revoking_ends_what_the_standard_says(world: World) {
    world.account(EMAIL).await;
    let key = world
        .key(&["tokens:verify", "tokens:revoke", "tokens:create:*"])
        .await;
    let (one, refresh_one) = world.log_in(EMAIL, PASSWORD).await;
    let (two, refresh_two) = world.log_in(EMAIL, PASSWORD).await;
    revoke(&world, &key, "no token of ours").await;
    // An access token goes alone (RFC 7009 2.1) ...
    revoke(&world, &key, &one).await;
    assert_eq!(introspect(&world, &key, &one).await, inactive());
    assert_eq!(introspect(&world, &key, &refresh_one).await["active"], true);
    revoke(&world, &key, &one).await;
    // ... a refresh token takes its session with it, whatever the hint said.
    revoke(&world, &key, &refresh_two).await;
    for dead in [&two, &refresh_two] {
        assert_eq!(introspect(&world, &key, dead).await, inactive());
    }
    assert_eq!(
        world.get("/api/users/me", Some(&two)).await.code(),
        "token_revoked"
    );
    let body = json!({ "user_id": "7", "purpose": "activate" });
    let link = world.post("/api/tokens", Some(&key), &body).await.text("token");
    revoke(&world, &key, &link).await;
    assert_eq!(introspect(&world, &key, &link).await, inactive());
}
