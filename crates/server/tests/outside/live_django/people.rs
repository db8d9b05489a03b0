//! People and tokens as a project really has them: names of all kinds, no address, identities of its own.

use std::time::{Duration, Instant};

use gatepost_bench::outside::Client;
use gatepost_tokens::simplejwt::{SimpleJwt, UserId};
use serde_json::{Value, json};

use super::project::{Django, Users};
use super::strict;

#[test]
fn who_has_no_address_logs_in_and_changes_the_password() {
    let django = Django::start(Users::Int, strict());
    let gatepost = django.setup().start();
    let (theirs, ours) = (django.client(), gatepost.client());
    let (name, password, next) = ("Зоя без почты 🦉", Django::login().1, "a heron at 7 by the weir");
    django.add("77", name);
    let login = |client: &Client, password: &str| {
        client.post("/api/token/", &json!({"username": name, "password": password}))
    };
    login(&theirs, &password).expect(200);
    login(&ours, &password).expect(200);
    // From elsewhere, which there is nobody to be told of.
    let phone = ours.with_header("user-agent", "okhttp/4");
    let own = ours.with_bearer(&login(&phone, &password).expect(200).field("access"));
    assert_eq!(own.get("/api/users/me").expect(200).field("email"), "");
    let change = |current: &str| {
        let body = json!({"current": current, "new": next});
        own.post("/api/users/me/password", &body)
    };
    assert_eq!(
        change("not this one, surely").expect(401).code(),
        "invalid_credentials"
    );
    let pair = change(&password).expect(200);
    theirs.with_bearer(&pair.field("access")).get("/me/").expect(200);
    for client in [&theirs, &ours] {
        login(client, &password).expect(401);
        login(client, next).expect(200);
    }
    // What it would be told by letter is not tried again and again.
    let service = ours.with_bearer(&gatepost.key(&["mail:read"]));
    let began = Instant::now();
    loop {
        let letters = service.get("/api/mail").expect(200).json();
        let letters = letters["items"].as_array().unwrap().clone();
        let ended = |letter: &Value| letter["state"] == "cancelled";
        if letters.len() == 2 && letters.iter().all(ended) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{letters:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_token_of_another_identity_is_a_session_like_any_other() {
    let django = Django::start(Users::Uuid, strict());
    let gatepost = django.setup().start();
    let (theirs, ours) = (django.client(), gatepost.client());
    let jwt = SimpleJwt::new(django.settings()).unwrap();
    let mint = |kind: &str, jti: &str| {
        let mut payload = jwt.for_user(kind, &UserId::from(django.user()), None).unwrap();
        payload.set("jti", jti);
        jwt.encode(&payload).unwrap()
    };
    for jti in ["6ba7b810-9dad-41d1-80b4-00c04fd430c8", "заказ 17"] {
        let access = mint("access", jti);
        theirs.with_bearer(&access).get("/me/").expect(200);
        ours.with_bearer(&access).get("/api/users/me").expect(200);
        let next = ours
            .post("/api/token/refresh/", &json!({"refresh": mint("refresh", jti)}))
            .expect(200);
        let own = ours.with_bearer(&next.field("access"));
        own.get("/api/auth/sessions").expect(200);
        ours.post("/api/auth/logout", &json!({"refresh": next.field("refresh")}))
            .expect(204);
        own.get("/api/users/me").expect(401);
        // The same family, since the same identity began it.
        ours.with_bearer(&access).get("/api/users/me").expect(401);
    }
}
