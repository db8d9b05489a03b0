//! Every verdict of the real package, and every token it writes, compared with ours.

use gatepost_tokens::Algorithm;
use gatepost_tokens::simplejwt::{Audience, Settings, SimpleJwt, UserId};
use gatepost_tokens::testing::TestClock;
use serde::Deserialize;
use std::collections::BTreeMap;

pub(crate) const KEY: &str = "django-insecure-test-secret-key-0123456789abcdefghijklmnopqrstuv";
pub(crate) const PASSWORD: &str = "pbkdf2_sha256$1000000$abc$def";

#[derive(Deserialize)]
struct Golden {
    version: String,
    password: String,
    /// The names of the claims of each kind of token, in order.
    made: BTreeMap<String, Vec<Option<String>>>,
    /// Name, token, what an access token's check says, what a refresh token's says.
    checks: Vec<(String, String, String, String)>,
}

fn golden() -> BTreeMap<String, Golden> {
    serde_json::from_str(include_str!("golden.json")).unwrap()
}

fn settings(variant: &str) -> Settings {
    let mut settings = Settings::new(KEY);
    match variant {
        "default" => {}
        "hs512" => settings.algorithm = Algorithm::Hs512,
        "audience" => settings.audience = Some(Audience::One("shop".into())),
        "audiences" => {
            settings.audience = Some(Audience::Several(vec!["shop".into(), "forum".into()]));
            settings.issuer = Some("https://id.example.com".into());
        }
        "renamed" => {
            settings.user_id_claim = "uid".into();
            settings.jti_claim = Some("id".into());
            settings.token_type_claim = Some("kind".into());
        }
        "untyped" => {
            settings.token_type_claim = None;
            settings.jti_claim = None;
        }
        "revoke" => settings.check_revoke_token = true,
        other => panic!("no settings for {other}"),
    }
    settings
}

fn jwt(variant: &str) -> SimpleJwt {
    SimpleJwt::new(settings(variant))
        .unwrap()
        .with_clock(TestClock::at(1_800_000_000).clock())
}

#[test]
fn every_verdict_is_that_of_simplejwt() {
    let mut compared = 0;
    for (variant, golden) in golden() {
        assert_eq!(golden.version, "5.5.1");
        let jwt = jwt(&variant);
        for (name, raw, access, refresh) in golden.checks {
            for (kind, theirs) in [("access", access), ("refresh", refresh)] {
                let ours = jwt.check(&raw, kind);
                compared += 1;
                if theirs.starts_with("crash") {
                    continue; // HTTP 500 there; here an answer, whichever.
                }
                let said = ours
                    .as_ref()
                    .map_or_else(ToString::to_string, |_| "ok".to_owned());
                let theirs_short = if theirs.starts_with("ok") {
                    "ok"
                } else {
                    theirs.as_str()
                };
                assert_eq!(said, theirs_short, "{variant}, {name}, as {kind}: {raw}");
            }
        }
    }
    assert!(compared > 900, "{compared} compared");
}

#[test]
fn every_token_is_written_as_simplejwt_writes_it() {
    let mut written = 0;
    for (variant, golden) in golden() {
        let jwt = jwt(&variant);
        for (name, raw, access, _) in golden.checks {
            let theirs = match access.as_str() {
                "ok" => raw.as_str(),
                other => match other.strip_prefix("ok: ") {
                    Some(again) => again,
                    None => continue,
                },
            };
            // Python writes 4000000000.5 and 1700000000.0 as we do.
            let payload = jwt.check(&raw, "access").unwrap();
            assert_eq!(jwt.encode(&payload).unwrap(), theirs, "{variant}, {name}");
            written += 1;
        }
    }
    assert!(written > 150, "{written} written");
}

#[test]
fn new_tokens_have_the_claims_of_simplejwt_in_its_order() {
    for (variant, golden) in golden() {
        let jwt = jwt(&variant);
        let user = UserId::from(42);
        let mut refresh = jwt.for_user("refresh", &user, Some(PASSWORD)).unwrap();
        refresh.set("name", "Zoë");
        let made = [
            ("access", jwt.access_from(&refresh).unwrap()),
            (
                "activate",
                jwt.for_user("activate", &user, Some(PASSWORD)).unwrap(),
            ),
            ("sliding", jwt.for_user("sliding", &user, Some(PASSWORD)).unwrap()),
            ("refresh", refresh),
        ];
        for (kind, payload) in made {
            let ours: Vec<_> = payload.iter().map(|claim| claim.0.to_owned()).collect();
            // With TOKEN_TYPE_CLAIM None, simplejwt writes a claim without a name; nobody reads it.
            let theirs: Vec<_> = golden.made[kind].iter().flatten().cloned().collect();
            assert_eq!(ours, theirs, "{variant}, {kind}");
        }
        assert_eq!(SimpleJwt::password_claim(PASSWORD), golden.password);
        assert_eq!(golden.password, "DA7CCDE6E11936853E6508C22B1A4AB2");
    }
}
