//! Every setting of `SIMPLE_JWT` at another value than its own, as far as they go together.

use serde_json::{Value, json};

use super::project::{Django, Users};
use super::{each_for_the_other, pair, say_the_same, strict};

fn odd() -> Value {
    json!({
        "ALGORITHM": "HS512", "AUDIENCE": ["shop", "app"], "ISSUER": "https://shop.example/\u{444}", "LEEWAY": 30,
        "ACCESS_TOKEN_LIFETIME": 90, "REFRESH_TOKEN_LIFETIME": 7200,
        "ROTATE_REFRESH_TOKENS": true, "BLACKLIST_AFTER_ROTATION": false,
        "TOKEN_TYPE_CLAIM": "kind", "JTI_CLAIM": "id", "USER_ID_CLAIM": "sub",
        "CHECK_REVOKE_TOKEN": true, "REVOKE_TOKEN_CLAIM": "pw", "CHECK_USER_IS_ACTIVE": false,
        "AUTH_HEADER_TYPES": ["JWT", "Token"], "AUTH_HEADER_NAME": "HTTP_X_TOKEN",
    })
}

#[test]
fn with_every_setting_changed_the_same_requests_have_the_same_answers() {
    say_the_same(&Django::start(Users::Uuid, odd()));
}

/// The tokens' rows refer to a number that no token says.
#[test]
fn where_users_are_called_by_another_column_than_their_key_all_is_the_same() {
    let mut settings = strict();
    settings["USER_ID_FIELD"] = "code".into();
    settings["USER_ID_CLAIM"] = "code".into();
    let django = Django::start(Users::Code, settings);
    say_the_same(&django);
    each_for_the_other(&django);
}

#[test]
fn with_every_setting_changed_each_takes_the_others_tokens() {
    let django = Django::start(Users::Int, odd());
    let gatepost = django.setup().start();
    let (theirs, ours) = (django.client(), gatepost.client());
    for (one, other) in [(&theirs, &ours), (&ours, &theirs)] {
        let (access, refresh) = pair(one, &Django::login());
        let next = other
            .post("/api/token/refresh/", &json!({"refresh": refresh}))
            .expect(200);
        // Rotated, and not blacklisted: the old one lives on.
        one.post("/api/token/refresh/", &json!({"refresh": refresh}))
            .expect(200);
        one.post("/api/token/refresh/", &json!({"refresh": next.field("refresh")}))
            .expect(200);
        for access in [access, next.field("access")] {
            for kind in ["JWT", "Token"] {
                let header = format!("{kind} {access}");
                theirs.with_header("x-token", &header).get("/me/").expect(200);
                let me = ours.with_header("x-token", &header).get("/api/users/me");
                assert_eq!(me.expect(200).field("id"), django.user());
            }
            let header = format!("Bearer {access}");
            theirs.with_header("x-token", &header).get("/me/").expect(401);
            ours.with_header("x-token", &header)
                .get("/api/users/me")
                .expect(401);
        }
        // Switched off, which refreshing does not ask about.
        let (_, refresh) = pair(one, &Django::login());
        django.switch(false);
        for client in [one, other] {
            client
                .post("/api/token/refresh/", &json!({"refresh": refresh}))
                .expect(200);
            client.post("/api/token/", &django.login_body()).expect(401);
        }
        django.switch(true);
    }
}

#[test]
fn where_types_are_not_told_apart_each_takes_the_others_tokens() {
    let mut settings = strict();
    settings["TOKEN_TYPE_CLAIM"] = Value::Null;
    let django = Django::start(Users::Int, settings);
    let gatepost = django.setup().start();
    let (theirs, ours) = (django.client(), gatepost.client());
    let good = |token: &str| {
        theirs.with_bearer(token).get("/me/").expect(200);
        ours.with_bearer(token).get("/api/users/me").expect(200);
    };
    for (one, other) in [(&theirs, &ours), (&ours, &theirs)] {
        let (access, refresh) = pair(one, &Django::login());
        good(&access);
        good(&refresh);
        // Django's refreshed access tokens have a claim `null`, twice.
        let mut refresh = refresh;
        for client in [one, other, one] {
            let next = client
                .post("/api/token/refresh/", &json!({"refresh": refresh}))
                .expect(200);
            good(&next.field("access"));
            refresh = next.field("refresh");
        }
    }
}
