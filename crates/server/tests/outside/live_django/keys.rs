//! Keys with a public half, in the forms in which projects have them.

use gatepost_bench::outside::Python;
use serde_json::{Value, json};

use super::project::{Django, Users};
use super::{pair, say_the_same, strict};

/// `SIGNING_KEY` and `VERIFYING_KEY` of a new pair.
fn with_keys(algorithm: &str, form: &str) -> Value {
    let lines = Python::run("django/pem.py", &[algorithm, form]);
    let keys: Value = serde_json::from_str(&lines[0]).unwrap();
    let mut settings = strict();
    settings["ALGORITHM"] = algorithm.into();
    settings["SIGNING_KEY"] = keys["private"].clone();
    settings["VERIFYING_KEY"] = keys["public"].clone();
    settings
}

#[test]
fn with_keys_in_pem_each_takes_the_others_tokens() {
    for (algorithm, form) in [
        ("RS256", "traditional"),
        ("RS512", "pkcs8"),
        ("PS256", "pkcs8"),
        ("ES256", "traditional"),
        ("ES384", "pkcs8"),
        ("EdDSA", "pkcs8"),
    ] {
        let django = Django::start(Users::Int, with_keys(algorithm, form));
        let gatepost = django.setup().start();
        let (theirs, ours) = (django.client(), gatepost.client());
        for (one, other) in [(&theirs, &ours), (&ours, &theirs)] {
            let (access, refresh) = pair(one, &Django::login());
            theirs.with_bearer(&access).get("/me/").expect(200);
            ours.with_bearer(&access).get("/api/users/me").expect(200);
            let next = other
                .post("/api/token/refresh/", &json!({"refresh": refresh}))
                .expect(200);
            let verify = json!({"token": next.field("access")});
            one.post("/api/token/verify/", &verify).expect(200);
            let again = one.post("/api/token/refresh/", &json!({"refresh": refresh}));
            assert_eq!(
                again.expect(401).field("detail"),
                "Token is blacklisted",
                "{algorithm}"
            );
        }
    }
}

#[test]
fn with_an_elliptic_key_the_same_requests_have_the_same_answers() {
    say_the_same(&Django::start(Users::Uuid, with_keys("ES256", "pkcs8")));
}

#[test]
fn with_an_rsa_key_the_same_requests_have_the_same_answers() {
    say_the_same(&Django::start(Users::Int, with_keys("RS256", "pkcs8")));
}
