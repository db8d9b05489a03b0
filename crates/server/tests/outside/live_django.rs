//! Beside a live Django with Django REST framework and simplejwt, on one PostgreSQL database: whatever one of the two
//! makes or ends, the other takes or refuses, and both say the same.

mod cases;
mod keys;
mod people;
mod project;
mod settings;
mod sqlite;

use std::collections::BTreeMap;

use gatepost_bench::outside::{Answer, Client};
use gatepost_tokens::simplejwt::{Payload, Settings, SimpleJwt};
use serde_json::{Value, json};

use self::cases::{Case, Maker, all, around};
use self::project::{Django, SECRET, Users};
use crate::support::{at_once, from_environment};

const CALLERS: usize = 64;

fn strict() -> Value {
    json!({"ROTATE_REFRESH_TOKENS": true, "BLACKLIST_AFTER_ROTATION": true})
}

#[test]
fn the_same_requests_have_the_same_answers_where_tokens_rotate() {
    say_the_same(&Django::start(Users::Int, strict()));
}

#[test]
fn the_same_requests_have_the_same_answers_where_nothing_is_set() {
    say_the_same(&Django::start(Users::Uuid, json!({"UPDATE_LAST_LOGIN": true})));
}

/// Every case to both, each with tokens of its own in the same state; status, body and headers are compared, and what
/// tokens say.
fn say_the_same(django: &Django) {
    let gatepost = django.setup().start();
    let (theirs, ours) = (django.client(), gatepost.client());
    let maker = Maker::new(django, &theirs, &ours);
    let cases = all(&maker);
    assert!(cases.len() >= 100, "only {} cases", cases.len());
    compare(&cases, &theirs, &ours);
}

fn compare(cases: &[Case], theirs: &Client, ours: &Client) {
    compare_each(cases.iter().map(|case| (case, case)), theirs, ours);
}

/// The same with a case for each, where they have no token in common.
fn compare_each<'a>(
    pairs: impl Iterator<Item = (&'a Case<'a>, &'a Case<'a>)>,
    theirs: &Client,
    ours: &Client,
) {
    let (mut different, mut count) = (Vec::new(), 0);
    for (case, mirrored) in pairs {
        count += 1;
        let (django, gatepost) = (case.ask(theirs), mirrored.ask(ours));
        if shape(case, &django) != shape(case, &gatepost) {
            different.push(format!(
                "{}\n   Django:   {:?}\n   Gatepost: {:?}",
                case.name,
                shape(case, &django),
                shape(case, &gatepost)
            ));
        }
    }
    assert!(
        different.is_empty(),
        "{} of {count} differ:\n{}",
        different.len(),
        different.join("\n")
    );
}

/// What has to be equal of an answer: its status, its body byte for byte but for the tokens in it, whose claims are
/// named with their times, and the headers that mean something.
fn shape(case: &Case, answer: &Answer) -> (u16, String, BTreeMap<&'static str, String>) {
    let mut body = String::from_utf8_lossy(&answer.body).into_owned();
    if answer.status == 200
        && let Value::Object(members) = answer.json()
    {
        for (name, token) in members {
            let Some(raw) = token.as_str().filter(|text| text.starts_with("ey")) else {
                continue;
            };
            body = body.replace(raw, &format!("{name} {}", said(case, raw)));
        }
    }
    let headers = ["content-type", "www-authenticate", "allow", "vary", "location"];
    let headers = headers.map(|name| (name, answer.header(name).to_owned()));
    (answer.status, body, headers.into())
}

/// The claims in their order; of times how far they are from `iat`.
fn said(case: &Case, raw: &str) -> String {
    let payload: Payload =
        serde_json::from_slice(&project::decoded(raw.split('.').nth(1).unwrap_or_default()))
            .unwrap_or_else(|error| panic!("{}: {error}: {raw}", case.name));
    let iat = payload.get("iat").and_then(Value::as_i64).unwrap_or_default();
    let claims: Vec<String> = payload
        .iter()
        .map(|(name, value)| match (name, value) {
            ("exp" | "refresh_exp", Value::Number(at)) => {
                // Django looks at the clock twice, and may see two seconds.
                let lives = at.as_i64().unwrap_or_default() - iat;
                format!("{name}=+{}", (lives + 2) / 5 * 5)
            }
            ("iat", _) => "iat".to_owned(),
            ("jti" | "id", Value::String(jti)) => format!("jti:{}", jti.len()),
            (name, value) => format!("{name}={value}"),
        })
        .collect();
    let header = project::decoded(raw.split('.').next().unwrap_or_default());
    format!("{} {}", String::from_utf8_lossy(&header), claims.join(","))
}

#[test]
fn what_one_makes_or_ends_the_other_takes_or_refuses() {
    for users in [Users::Int, Users::Uuid] {
        each_for_the_other(&Django::start(users, strict()));
    }
}

fn each_for_the_other(django: &Django) {
    let gatepost = django.setup().start();
    let (theirs, ours) = (django.client(), gatepost.client());
    let login = Django::login();
    let (of_django, of_gatepost) = (pair(&theirs, &login), pair(&ours, &login));
    for access in [&of_django.0, &of_gatepost.0] {
        assert_eq!(
            theirs.with_bearer(access).get("/me/").expect(200).field("id"),
            django.user()
        );
        let me = ours.with_bearer(access).get("/api/users/me").expect(200);
        assert_eq!(me.field("id"), django.user());
        for client in [&theirs, &ours] {
            client
                .post("/api/token/verify/", &json!({"token": access}))
                .expect(200);
        }
    }
    // Rotated by one: the successor is good for both, the old one for neither.
    for (one, other, refresh) in [(&theirs, &ours, &of_gatepost.1), (&ours, &theirs, &of_django.1)] {
        let next = one
            .post("/api/token/refresh/", &json!({"refresh": refresh}))
            .expect(200);
        for client in [other, one] {
            let again = client
                .post("/api/token/refresh/", &json!({"refresh": refresh}))
                .expect(401);
            assert_eq!(again.field("detail"), "Token is blacklisted");
        }
        let next = other
            .post("/api/token/refresh/", &json!({"refresh": next.field("refresh")}))
            .expect(200);
        one.post(
            "/api/token/blacklist/",
            &json!({"refresh": next.field("refresh")}),
        )
        .expect(200);
        other
            .post("/api/token/refresh/", &json!({"refresh": next.field("refresh")}))
            .expect(401);
    }
    // Our own routes, in the same dialect.
    let own = ours
        .post("/api/auth/login", &json!({"email": login.0, "password": login.1}))
        .expect(200);
    theirs.with_bearer(&own.field("access")).get("/me/").expect(200);
    let next = theirs
        .post("/api/token/refresh/", &json!({"refresh": own.field("refresh")}))
        .expect(200);
    let next = ours
        .post("/api/auth/refresh", &json!({"refresh": next.field("refresh")}))
        .expect(200);
    ours.post("/api/auth/logout", &json!({"refresh": next.field("refresh")}))
        .expect(204);
    theirs
        .post("/api/token/refresh/", &json!({"refresh": next.field("refresh")}))
        .expect(401);
    ours.with_bearer(&next.field("access"))
        .get("/api/users/me")
        .expect(401);
    one_time(django, &theirs, &ours, &gatepost.key(&["*"]));
    ended_everywhere(&theirs, &ours, &login);
    switched_off(django, &theirs, &ours, &login);
}

/// The Python services' own kinds of token, made by either, used by either, once.
fn one_time(django: &Django, theirs: &Client, ours: &Client, key: &str) {
    let service = ours.with_bearer(key);
    let mint = |kind: &str| django.mint(kind, 1).remove(0);
    let verify = |token: &str| {
        service.post(
            "/api/tokens/verify",
            &json!({"token": token, "purpose": "activate"}),
        )
    };
    let token = mint("activate");
    assert_eq!(verify(&token).expect(200).field("user_id"), django.user());
    theirs.get(&format!("/use/activate/?token={token}")).expect(400);
    assert_eq!(verify(&token).code(), "token_used");
    let token = mint("activate");
    theirs.get(&format!("/use/activate/?token={token}")).expect(200);
    assert_eq!(verify(&token).code(), "token_used");
    let made = service
        .post(
            "/api/tokens",
            &json!({"user_id": django.user(), "purpose": "activate"}),
        )
        .expect(201)
        .field("token");
    theirs.get(&format!("/use/activate/?token={made}")).expect(200);
    assert_eq!(verify(&made).code(), "token_used");
}

/// Logging out everywhere here ends what Django made, too, and Django refuses the refresh tokens of both.
fn ended_everywhere(theirs: &Client, ours: &Client, login: &(String, String)) {
    let (of_django, of_gatepost) = (pair(theirs, login), pair(ours, login));
    ours.with_bearer(&of_gatepost.0)
        .send("POST", "/api/auth/logout-everywhere", None)
        .expect(204);
    for (access, refresh) in [&of_django, &of_gatepost] {
        ours.with_bearer(access).get("/api/users/me").expect(401);
        for client in [theirs, ours] {
            let answer = client.post("/api/token/refresh/", &json!({"refresh": refresh}));
            assert_eq!(answer.expect(401).field("detail"), "Token is blacklisted");
        }
    }
    // Whoever logs in again at once has tokens that count, from both.
    let (of_gatepost, of_django) = (pair(ours, login), pair(theirs, login));
    for (access, refresh) in [of_gatepost, of_django] {
        theirs.with_bearer(&access).get("/me/").expect(200);
        ours.with_bearer(&access).get("/api/users/me").expect(200);
        ours.post("/api/token/refresh/", &json!({"refresh": refresh}))
            .expect(200);
    }
}

/// An account that Django's administrators switch off, without telling anybody.
fn switched_off(django: &Django, theirs: &Client, ours: &Client, login: &(String, String)) {
    let (access, refresh) = pair(theirs, login);
    django.switch(false);
    ours.with_bearer(&access).get("/api/users/me").expect(401);
    let answer = ours
        .post("/api/auth/verify", &json!({"token": access}))
        .expect(200);
    assert_eq!(answer.json()["active"], false);
    for client in [theirs, ours] {
        let answer = client
            .post("/api/token/refresh/", &json!({"refresh": refresh}))
            .expect(401);
        assert_eq!(
            answer.field("detail"),
            "No active account found for the given token."
        );
        let answer = client.post("/api/token/", &django.login_body()).expect(401);
        assert_eq!(
            answer.field("detail"),
            "No active account found with the given credentials"
        );
    }
    django.switch(true);
    ours.with_bearer(&access).get("/api/users/me").expect(200);
}

#[test]
fn one_of_64_callers_of_two_instances_wins_with_djangos_token() {
    let django = Django::start(Users::Int, strict());
    let setup = django.setup();
    let instances = [setup.start(), setup.start()];
    let rounds = from_environment("GATEPOST_OUTSIDE_ROUNDS", 3);
    for (round, token) in django.mint("refresh", rounds).into_iter().enumerate() {
        let body = json!({"refresh": token});
        let path = if round % 2 == 0 {
            "/api/token/refresh/"
        } else {
            "/api/auth/refresh"
        };
        let answers = at_once(CALLERS, &instances, |client| client.post(path, &body));
        let winners: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(winners.len(), 1, "round {round}");
        let losers = answers.iter().filter(|answer| answer.status == 401).count();
        assert_eq!(losers, CALLERS - 1, "round {round}");
        let next = json!({"refresh": winners[0].field("refresh")});
        django.client().post("/api/token/refresh/", &next).expect(200);
    }
}

#[test]
fn sliding_tokens_slide_on_both_sides() {
    let classes =
        ["AccessToken", "SlidingToken"].map(|name| format!("rest_framework_simplejwt.tokens.{name}"));
    let django = Django::start(Users::Uuid, json!({"AUTH_TOKEN_CLASSES": classes}));
    let gatepost = django
        .setup()
        .set("simplejwt.sliding_prefixes", "[\"/api/sliding\"]")
        .start();
    let (theirs, ours) = (django.client(), gatepost.client());
    for (one, other) in [(&theirs, &ours), (&ours, &theirs)] {
        let token = one
            .post("/api/sliding/", &django.login_body())
            .expect(200)
            .field("token");
        let slid = other
            .post("/api/sliding/refresh/", &json!({"token": token}))
            .expect(200)
            .field("token");
        for token in [&token, &slid] {
            theirs.with_bearer(token).get("/me/").expect(200);
            ours.with_bearer(token).get("/api/users/me").expect(200);
        }
        other
            .post("/api/token/refresh/", &json!({"refresh": token}))
            .expect(401);
        ours.with_bearer(&django.mint("refresh", 1)[0])
            .get("/api/users/me")
            .expect(401);
    }
    compare(
        &around(&["/api/sliding/", "/api/sliding/refresh/"].map(str::to_owned)),
        &theirs,
        &ours,
    );
}

#[test]
fn a_password_that_django_changes_ends_tokens_that_are_tied_to_it() {
    let mut settings = strict();
    settings["CHECK_REVOKE_TOKEN"] = true.into();
    let django = Django::start(Users::Int, settings);
    let gatepost = django.setup().start();
    let ours = gatepost.client();
    let (access, _) = pair(&ours, &Django::login());
    django.client().with_bearer(&access).get("/me/").expect(200);
    ours.with_bearer(&access).get("/api/users/me").expect(200);
    // One that was made under another password.
    let jwt = SimpleJwt::new(Settings::new(SECRET)).unwrap();
    let mut payload = jwt.decode(&access).unwrap();
    payload.set("hash_password", SimpleJwt::password_claim("pbkdf2_sha256$1$a$b"));
    let stale = jwt.encode(&payload).unwrap();
    django.client().with_bearer(&stale).get("/me/").expect(401);
    ours.with_bearer(&stale).get("/api/users/me").expect(401);
}

#[test]
fn from_one_dialect_into_the_other_and_back_nobody_is_logged_out() {
    let django = Django::start(Users::Int, strict());
    let login = Django::login();
    let moved = |dialect: &str, accept: &str| {
        let setup = django.setup().set("tokens.dialect", format!("{dialect:?}"));
        setup.set("tokens.accept", format!("[{accept}]"))
    };
    // Before: tokens of Django's.
    let (access, refresh) = pair(&django.client(), &login);
    // Then: tokens of our own, theirs still taken.
    let instances = [
        moved("gatepost", "\"simplejwt\"").start(),
        moved("gatepost", "\"simplejwt\"").start(),
    ];
    let ours = instances[0].client();
    ours.with_bearer(&access).get("/api/users/me").expect(200);
    let body = json!({"refresh": refresh});
    let answers = at_once(CALLERS, &instances, |client| {
        client.post("/api/token/refresh/", &body)
    });
    let winners: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(winners.len(), 1);
    let next = (winners[0].field("access"), winners[0].field("refresh"));
    ours.with_bearer(&next.0).get("/api/users/me").expect(200);
    let next = ours
        .post("/api/auth/refresh", &json!({"refresh": next.1}))
        .expect(200);
    django.client().post("/api/token/refresh/", &body).expect(401);
    // And back.
    let instances = [
        moved("simplejwt", "\"gatepost\"").start(),
        moved("simplejwt", "\"gatepost\"").start(),
    ];
    let ours = instances[0].client();
    ours.with_bearer(&next.field("access"))
        .get("/api/users/me")
        .expect(200);
    let body = json!({"refresh": next.field("refresh")});
    let answers = at_once(CALLERS, &instances, |client| {
        client.post("/api/auth/refresh", &body)
    });
    let winners: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(winners.len(), 1);
    django
        .client()
        .post(
            "/api/token/refresh/",
            &json!({"refresh": winners[0].field("refresh")}),
        )
        .expect(200);
    // Without `accept` the other dialect's tokens are strangers'.
    let alone = moved("simplejwt", "").start();
    alone
        .client()
        .with_bearer(&next.field("access"))
        .get("/api/users/me")
        .expect(401);
}

/// Logs in at either: access and refresh token.
fn pair(client: &Client, login: &(String, String)) -> (String, String) {
    let body = json!({"username": login.0, "email": login.0, "password": login.1});
    let answer = client.post("/api/token/", &body).expect(200);
    (answer.field("access"), answer.field("refresh"))
}
