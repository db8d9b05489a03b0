//! Requests of every kind: good, bad, expired, of the wrong type, blacklisted, missing, garbage.

use gatepost_bench::outside::{Answer, Client};
use gatepost_tokens::simplejwt::{Settings, SimpleJwt, UserId};
use gatepost_tokens::{Algorithm, Clock};
use serde_json::{Value, json};

use super::project::Django;

/// A request whose body is made anew for each that is asked.
pub(crate) struct Case<'a> {
    pub(crate) name: String,
    method: &'static str,
    path: String,
    kind: String,
    accept: Option<&'static str>,
    body: Box<dyn Fn() -> Vec<u8> + 'a>,
}

impl Case<'_> {
    pub(crate) fn ask(&self, client: &Client) -> Answer {
        let client = match self.accept {
            Some(accept) => client.with_header("accept", accept),
            None => client.clone(),
        };
        client.send(self.method, &self.path, Some((&self.kind, (self.body)())))
    }

    /// One that has no body to speak of.
    fn bare(method: &'static str, path: &str, accept: Option<&'static str>) -> Self {
        Self {
            name: format!("{method} {path} {}", accept.unwrap_or_default()),
            method,
            path: path.to_owned(),
            kind: "application/json".to_owned(),
            accept,
            body: Box::new(|| b"{}".to_vec()),
        }
    }
}

/// Makes tokens in every state.
pub(crate) struct Maker<'a> {
    django: &'a Django,
    theirs: &'a Client,
    ours: &'a Client,
    jwt: SimpleJwt,
}

impl<'a> Maker<'a> {
    pub(crate) fn new(django: &'a Django, theirs: &'a Client, ours: &'a Client) -> Self {
        let jwt = SimpleJwt::new(django.settings()).unwrap();
        Self {
            django,
            theirs,
            ours,
            jwt,
        }
    }

    fn of(&self, client: &Client, field: &str) -> String {
        client
            .post("/api/token/", &self.django.login_body())
            .expect(200)
            .field(field)
    }

    fn blacklisted_by(&self, client: &Client) -> String {
        let token = self.of(self.theirs, "refresh");
        client
            .post("/api/token/blacklist/", &json!({"refresh": token}))
            .expect(200);
        token
    }

    /// A refresh token with other claims.
    fn with(&self, kind: &str, change: &[(&str, Value)], without: &str) -> String {
        let user = UserId::from(self.django.user());
        let whole = self.jwt.for_user(kind, &user, None).unwrap();
        let mut payload = gatepost_tokens::simplejwt::Payload::default();
        for (name, value) in whole.iter().filter(|(name, _)| *name != without) {
            payload.set(name, value.clone());
        }
        for (name, value) in change {
            payload.set(name, value.clone());
        }
        self.jwt.encode(&payload).unwrap()
    }

    fn by(&self, settings: Settings, ago: i64) -> String {
        let now = self
            .jwt
            .begin("access")
            .unwrap()
            .get("iat")
            .unwrap()
            .as_i64()
            .unwrap();
        let jwt = SimpleJwt::new(settings)
            .unwrap()
            .with_clock(Clock::new(move || now - ago));
        let user = UserId::from(self.django.user());
        jwt.encode(&jwt.for_user("refresh", &user, None).unwrap())
            .unwrap()
    }
}

type Token<'a> = (&'static str, Box<dyn Fn() -> String + 'a>);

fn tokens<'a>(maker: &'a Maker<'a>) -> Vec<Token<'a>> {
    let with = |kind: &'static str,
                change: Vec<(&'static str, Value)>,
                without: &'static str|
     -> Box<dyn Fn() -> String + 'a> { Box::new(move || maker.with(kind, &change, without)) };
    let other_key = || Settings {
        algorithm: Algorithm::Hs256,
        signing_key: "another-secret-key-of-sufficient-length-0123456789".into(),
        verifying_key: String::new(),
        ..maker.django.settings()
    };
    let signed = |raw: String, at: usize| {
        let mut parts: Vec<&str> = raw.split('.').collect();
        parts.remove(at);
        parts.join(".")
    };
    vec![
        (
            "refresh of Django",
            Box::new(|| maker.of(maker.theirs, "refresh")),
        ),
        (
            "refresh of Gatepost",
            Box::new(|| maker.of(maker.ours, "refresh")),
        ),
        ("access of Django", Box::new(|| maker.of(maker.theirs, "access"))),
        ("access of Gatepost", Box::new(|| maker.of(maker.ours, "access"))),
        ("refresh that nobody wrote down", with("refresh", vec![], "")),
        (
            "blacklisted by Django",
            Box::new(|| maker.blacklisted_by(maker.theirs)),
        ),
        (
            "blacklisted by Gatepost",
            Box::new(|| maker.blacklisted_by(maker.ours)),
        ),
        ("expired", Box::new(|| maker.by(maker.django.settings(), 90_000))),
        ("of another key", Box::new(move || maker.by(other_key(), 0))),
        (
            "expired, of another key",
            Box::new(move || maker.by(other_key(), 90_000)),
        ),
        (
            "of another time to come",
            with("refresh", vec![("iat", json!(9_999_999_999_i64))], ""),
        ),
        (
            "not before",
            with("refresh", vec![("nbf", json!(9_999_999_999_i64))], ""),
        ),
        ("without type", with("refresh", vec![], "token_type")),
        ("without exp", with("refresh", vec![], "exp")),
        ("without iat", with("refresh", vec![], "iat")),
        ("without user", with("refresh", vec![], "user_id")),
        ("jti a number", with("refresh", vec![("jti", json!(5))], "")),
        (
            "jti of the project's own kind",
            Box::new(|| {
                let jti = format!("shop-{:016x}", getrandom::u64().unwrap());
                maker.with("refresh", &[("jti", json!(jti))], "")
            }),
        ),
        (
            "not before long ago",
            with("refresh", vec![("nbf", json!(-1e300))], ""),
        ),
        ("exp a text", with("refresh", vec![("exp", json!("soon"))], "")),
        (
            "with claims of its own",
            with(
                "refresh",
                vec![("role", json!("ädmin")), ("n", json!([1, {"a": null}]))],
                "",
            ),
        ),
        ("sliding", with("sliding", vec![], "")),
        ("of a kind of the project's", with("activate", vec![], "")),
        (
            "algorithm none",
            Box::new(|| "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30.".to_owned()),
        ),
        (
            "two parts",
            Box::new(move || signed(maker.with("refresh", &[], ""), 2)),
        ),
        ("garbage", Box::new(|| "garbage".to_owned())),
        ("dots", Box::new(|| "...".to_owned())),
        ("letters of others", Box::new(|| "привет.как.дела".to_owned())),
    ]
}

/// More than a hundred.
pub(crate) fn all<'a>(maker: &'a Maker<'a>) -> Vec<Case<'a>> {
    let mut cases = Vec::new();
    for (view, field) in [
        ("refresh", "refresh"),
        ("verify", "token"),
        ("blacklist", "refresh"),
    ] {
        for (name, token) in tokens(maker) {
            cases.push(Case {
                name: format!("{view}: {name}"),
                method: "POST",
                path: format!("/api/token/{view}/"),
                kind: "application/json".to_owned(),
                accept: None,
                body: Box::new(move || json!({field: token()}).to_string().into_bytes()),
            });
        }
    }
    let mut plain = |name: &str, method: &'static str, view: &str, kind: &str, body: &[u8]| {
        let body = body.to_vec();
        cases.push(Case {
            name: format!("{method} {view} {name} {}", String::from_utf8_lossy(&body)),
            method,
            path: format!("/api/token/{view}"),
            kind: kind.to_owned(),
            accept: None,
            body: Box::new(move || body.clone()),
        });
    };
    let json = "application/json";
    for body in BODIES {
        plain("body", "POST", "refresh/", json, body);
    }
    for view in ["", "verify/", "blacklist/"] {
        plain("empty", "POST", view, json, b"");
        plain("nothing", "POST", view, json, b"{}");
        plain("list", "POST", view, json, b"[]");
    }
    let form = "application/x-www-form-urlencoded";
    let parts = "multipart/form-data; boundary=x";
    for (kind, body) in [
        ("text/plain", &b"hi"[..]),
        ("application/xml; charset=utf-8", b"<a/>"),
        ("garbage", b"{}"),
        ("application/json; charset=latin-1", b"{\"refresh\":\"\xe9\"}"),
        ("application/json; charset=strange", b"{}"),
        ("Application/JSON", b"{}"),
        (form, b"refresh=abc"),
        (form, b"refresh="),
        (form, b"token=abc&x"),
        (parts, b"--x\r\nContent-Disposition: form-data; name=\"refresh\"\r\n\r\nabc\r\n--x--\r\n"),
        (parts, b"--x\r\nContent-Disposition: form-data; name=\"refresh\"; filename=\"f\"\r\n\r\nabc\r\n--x--\r\n"),
        (parts, b"hello"),
        ("multipart/form-data", b"hello"),
    ] {
        plain(kind, "POST", "refresh/", kind, body);
    }
    let name = maker.django.username_field();
    let (user, password) = Django::login();
    for body in [
        json!({name: user, "password": password}),
        json!({name: format!(" {user} "), "password": format!("\t{password}\n")}),
        json!({name: user, "password": "wrong"}),
        json!({name: "nobody@example.com", "password": password}),
        json!({name: user.to_uppercase(), "password": password}),
        json!({name: user}),
        json!({"password": password}),
        json!({name: "", "password": " "}),
        json!({name: null, "password": 5}),
        json!({name: ["a"], "password": {}}),
        json!({name: true, "password": "a\u{0}b"}),
        json!({name: 17, "password": 1.5}),
    ] {
        plain("login", "POST", "", json, body.to_string().as_bytes());
    }
    plain(
        "halves",
        "POST",
        "",
        json,
        format!(r#"{{"{name}":"a\u0000","password":"\u0000\ud800"}}"#).as_bytes(),
    );
    cases.extend(around(&VIEWS.map(|view| format!("/api/token/{view}"))));
    cases
}

/// simplejwt's four.
const VIEWS: [&str; 4] = ["", "refresh/", "verify/", "blacklist/"];

/// Methods that are not `POST`, paths without their last slash, and what the answer may be written in.
pub(crate) fn around<'a>(paths: &[String]) -> Vec<Case<'a>> {
    let mut cases = Vec::new();
    for path in paths {
        for method in ["OPTIONS", "GET", "HEAD", "PUT", "PATCH", "DELETE", "PROPFIND"] {
            cases.push(Case::bare(method, path, None));
        }
        let cut = path.trim_end_matches('/');
        for method in ["POST", "OPTIONS", "GET", "HEAD", "DELETE"] {
            cases.push(Case::bare(method, cut, None));
        }
        cases.push(Case::bare("POST", &format!("{cut}?next=/a%20b&next="), None));
        for query in [
            "?format=json",
            "?format=",
            "?format=xml",
            "?format=xml&format=json",
            "?x=%ff",
        ] {
            for method in ["POST", "OPTIONS"] {
                cases.push(Case::bare(method, &format!("{path}{query}"), None));
            }
        }
        for accept in [
            "*/*",
            "",
            "application/json;q=0",
            "Application/JSON; version=2",
            "application/*",
            "text/html,application/json",
            "a/b, */*;q=0.1",
            "application/xml",
            "image/*",
            "text/plain",
            "garbage",
            "*",
        ] {
            for method in ["POST", "OPTIONS", "GET"] {
                cases.push(Case::bare(method, path, Some(accept)));
            }
        }
        cases.push(Case::bare(
            "POST",
            &format!("{path}?format=json"),
            Some("text/html"),
        ));
    }
    cases
}

const BODIES: [&[u8]; 42] = [
    b"",
    b"{",
    b"{}",
    b"[]",
    b"null",
    b"true",
    b"3",
    b"1.5",
    b"\"x\"",
    b"{\"refresh\":null}",
    b"{\"refresh\":\"\"}",
    b"{\"refresh\":\"  \"}",
    b"{\"refresh\":1}",
    b"{\"refresh\":1.5}",
    b"{\"refresh\":true}",
    b"{\"refresh\":[]}",
    b"{\"refresh\":{}}",
    b"{\"refresh\":\"a\"} x",
    b"{\"refresh\":NaN}",
    b"{\"refresh\":\"\\ud800\"}",
    b"{\"refresh\":\"a\\u0000b\"}",
    b"{\"refresh\":\"a\nb\"}",
    b"{\"refresh\":\"\\x\"}",
    b"{\"refresh\":\"\\u12\"}",
    b"{\"refresh\":\"abc",
    b"{refresh:1}",
    b"{\"refresh\" 1}",
    b"{\"refresh\":1 \"b\":2}",
    b"[1,]",
    b"[1 2]",
    b"{\"refresh\":}",
    b"{\"a\":1",
    b"[",
    b"-",
    b"01",
    b"nul",
    b"\xef\xbb\xbf{}",
    b"{\"refresh\":-Infinity}",
    b"{\"refresh\":\"a\",\"refresh\":\"\"}",
    b"\xff{}",
    b"{\"refresh\":\"\xe2\x82\"}",
    b"{\"refresh\":\"\xe2\x82",
];
