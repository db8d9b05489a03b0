//! What the golden answers can't show: times to the second, sliding, rotation, passwords, and settings that are refused.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepost_tokens::simplejwt::{
    Audience, Kind, Payload, Settings, SimpleJwt, TokenError, UserId, UserIdType,
};
use gatepost_tokens::testing::TestClock;
use gatepost_tokens::{Algorithm, CreateError, SigningKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::prelude::*;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use sha2::Sha256;

use crate::golden::{KEY, PASSWORD};

const NOW: i64 = 1_999_999_000;

fn at(settings: Settings) -> (SimpleJwt, TestClock) {
    let clock = TestClock::at(NOW);
    (SimpleJwt::new(settings).unwrap().with_clock(clock.clock()), clock)
}

fn plain() -> (SimpleJwt, TestClock) {
    at(Settings::new(KEY))
}

#[test]
fn the_golden_token_is_read_and_written_byte_for_byte() {
    let golden = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWN0aXZhdGUiLCJleHAiOjIwMDAwMDAwMDAsImlhdCI6MTk5OTk5ODIwMCwianRpIjoiMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYiLCJ1c2VyX2lkIjoiNDIifQ.NraoL8N1N1e3TqToVIdqXMCDg6xX4XAV7cZrDZUKQzg";
    let (jwt, clock) = plain();
    let payload = jwt.check(golden, "activate").unwrap();
    assert_eq!(jwt.jti(&payload).unwrap(), "0123456789abcdef0123456789abcdef");
    assert_eq!(jwt.user_id(&payload), Some(UserId::from("42")));
    assert_eq!(jwt.expires_at(&payload), Some(2_000_000_000));
    assert_eq!(jwt.encode(&payload).unwrap(), golden);
    assert_eq!(jwt.check(golden, "change_password"), Err(TokenError::WrongType));
    clock.step(999);
    assert!(jwt.check(golden, "activate").is_ok());
    clock.step(1);
    assert_eq!(
        jwt.check(golden, "activate"),
        Err(TokenError::Expired),
        "exp == now"
    );
    clock.step(-2000);
    assert_eq!(
        jwt.check(golden, "activate"),
        Err(TokenError::Invalid),
        "made in the future"
    );
}

#[test]
fn every_kind_of_the_python_services_has_its_lifetime_and_only_its_type() {
    let (jwt, _) = plain();
    let kinds = [
        ("access", 300, false),
        ("refresh", 86_400, true),
        ("sliding", 300, true),
        ("activate", 1800, true),
        ("change_password", 1800, true),
        ("socket", 180, true),
    ];
    for (kind, lives, blacklisted) in kinds {
        let payload = jwt.for_user(kind, &UserId::from(7), None).unwrap();
        assert_eq!(payload.get("exp"), Some(&Value::from(NOW + lives)));
        assert_eq!(payload.get("iat"), Some(&Value::from(NOW)));
        let jti = jwt.jti(&payload).unwrap();
        assert!(jti.len() == 32 && jti.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
        assert_eq!(
            (&jti[12..13], "89ab".contains(&jti[16..17])),
            ("4", true),
            "a uuid4"
        );
        assert_eq!(jwt.kind(kind).unwrap().blacklisted, blacklisted);
        let raw = jwt.encode(&payload).unwrap();
        for (other, ..) in kinds {
            assert_eq!(jwt.check(&raw, other).is_ok(), other == kind, "{kind} as {other}");
        }
    }
    assert!(matches!(
        jwt.begin("nothing"),
        Err(CreateError::UnknownPurpose(_))
    ));
}

#[test]
fn the_users_id_is_written_as_it_is_set_and_read_either_way() {
    let (strings, _) = plain();
    let (integers, _) = at(Settings {
        user_id_type: UserIdType::Integer,
        ..Settings::new(KEY)
    });
    let claim = |jwt: &SimpleJwt, id: UserId| {
        let payload = jwt.for_user("access", &id, None).unwrap();
        payload.get("user_id").unwrap().clone()
    };
    assert_eq!(claim(&strings, 42.into()), "42");
    assert_eq!(claim(&integers, 42.into()), 42);
    assert_eq!(claim(&integers, "42".into()), 42);
    for text in ["007", "+1", "b7f1-uuid", "9223372036854775808"] {
        assert_eq!(claim(&integers, text.into()), text);
    }
    let raw = integers
        .encode(&integers.for_user("access", &42.into(), None).unwrap())
        .unwrap();
    let read = strings.check(&raw, "access").unwrap();
    assert_eq!(strings.user_id(&read), Some(UserId::Integer(42)));
    assert_eq!(strings.user_id(&read).unwrap().to_string(), "42");
    assert!(matches!(
        strings.for_user("access", &"".into(), None),
        Err(CreateError::Subject)
    ));
}

#[test]
fn leeway_counts_as_in_django() {
    let (jwt, clock) = at(Settings {
        leeway: Duration::from_secs(10),
        ..Settings::new(KEY)
    });
    let raw = jwt.encode(&jwt.begin("access").unwrap()).unwrap();
    clock.step(309);
    assert!(jwt.check(&raw, "access").is_ok());
    clock.step(1);
    assert_eq!(jwt.check(&raw, "access"), Err(TokenError::Expired));
    clock.step(-320);
    assert!(jwt.check(&raw, "access").is_ok(), "made ten seconds from now");
    clock.step(-1);
    assert_eq!(jwt.check(&raw, "access"), Err(TokenError::Invalid));
}

#[test]
fn a_rotated_refresh_token_keeps_everything_but_identity_and_times() {
    let (jwt, clock) = plain();
    let mut refresh = jwt.for_user("refresh", &42.into(), None).unwrap();
    refresh.set("tenant", "north");
    let old = refresh.clone();
    clock.step(60);
    let access = jwt.access_from(&refresh).unwrap();
    jwt.rotate(&mut refresh).unwrap();
    assert_ne!(jwt.jti(&refresh).unwrap(), jwt.jti(&old).unwrap());
    assert_eq!(refresh.get("exp"), Some(&Value::from(NOW + 60 + 86_400)));
    assert_eq!(
        (refresh.text("tenant"), access.text("tenant")),
        (Some("north"), Some("north"))
    );
    assert_eq!(
        (refresh.text("token_type"), access.text("token_type")),
        (Some("refresh"), Some("access"))
    );
    assert_eq!(access.get("exp"), Some(&Value::from(NOW + 60 + 300)));
    let names = |payload: &Payload| payload.iter().map(|claim| claim.0.to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&refresh), names(&old));
}

#[test]
fn a_sliding_token_slides_until_the_end_that_it_was_born_with() {
    let (jwt, clock) = plain();
    let mut token = jwt.for_user("sliding", &42.into(), None).unwrap();
    let jti = jwt.jti(&token).unwrap().to_owned();
    for _ in 0..359 {
        clock.step(240);
        let raw = jwt.encode(&token).unwrap();
        token = jwt.check(&raw, "sliding").unwrap();
        jwt.slide(&mut token).unwrap();
        assert_eq!(jwt.jti(&token).unwrap(), jti, "its identity stays");
    }
    clock.step(240);
    assert_eq!(
        jwt.slide(&mut token).unwrap_err().to_string(),
        "Token 'refresh_exp' claim has expired"
    );
    let mut access = jwt.begin("access").unwrap();
    assert_eq!(
        jwt.slide(&mut access),
        Err(TokenError::NoClaim("refresh_exp".into()))
    );
}

#[test]
fn a_token_dies_with_the_password_it_was_made_under() {
    let (jwt, _) = at(Settings {
        check_revoke_token: true,
        ..Settings::new(KEY)
    });
    let payload = jwt.for_user("access", &42.into(), Some(PASSWORD)).unwrap();
    assert_eq!(
        payload.text("hash_password"),
        Some("DA7CCDE6E11936853E6508C22B1A4AB2")
    );
    assert!(jwt.password_stands(&payload, PASSWORD));
    assert!(!jwt.password_stands(&payload, "pbkdf2_sha256$1000000$abc$deg"));
    assert!(
        !jwt.password_stands(&jwt.begin("access").unwrap(), PASSWORD),
        "no claim"
    );
    assert!(jwt.for_user("access", &42.into(), None).is_err());
    let (without, _) = plain();
    assert!(without.password_stands(&payload, "another"));
}

#[test]
fn a_token_by_another_key_algorithm_or_spelling_is_none() {
    let (jwt, _) = plain();
    let raw = jwt.encode(&jwt.begin("access").unwrap()).unwrap();
    let (message, signature) = raw.rsplit_once('.').unwrap();
    let (other, _) = at(Settings::new(format!("{KEY}x")));
    let (longer, _) = at(Settings {
        algorithm: Algorithm::Hs384,
        ..Settings::new(KEY)
    });
    for jwt in [&other, &longer] {
        assert_eq!(jwt.check(&raw, "access"), Err(TokenError::Invalid));
    }
    for changed in [
        format!("{raw}="),
        format!(" {raw}"),
        format!("{raw}\n"),
        format!("{message}.{}", &signature[..42]),
        format!("{message}.{signature}A"),
        format!("{message}.{}\n{}", &signature[..9], &signature[9..]),
        "a".repeat(9000),
        ".".repeat(100),
    ] {
        assert_eq!(
            jwt.check(&changed, "access"),
            Err(TokenError::Invalid),
            "{changed}"
        );
    }
    let mut wide = jwt.begin("access").unwrap();
    wide.set("x", "y".repeat(9000));
    assert!(matches!(jwt.encode(&wide), Err(CreateError::TooLarge(_))));
}

#[test]
fn keys_with_a_public_half_work_where_they_are_built_in() {
    let Ok(key) = SigningKey::generate(Algorithm::Es256) else {
        return; // without the feature `asymmetric`
    };
    let (jwt, _) = at(Settings {
        algorithm: Algorithm::Es256,
        ..Settings::new(key.to_jwk().expose_secret().to_owned())
    });
    let raw = jwt.encode(&jwt.begin("refresh").unwrap()).unwrap();
    assert!(jwt.check(&raw, "refresh").is_ok());
    let (hmac, _) = plain();
    assert_eq!(hmac.check(&raw, "refresh"), Err(TokenError::Invalid));
}

#[test]
fn settings_that_can_not_be_followed_are_refused_by_name() {
    let with = |change: fn(&mut Settings)| {
        let mut settings = Settings::new(KEY);
        change(&mut settings);
        SimpleJwt::new(settings).unwrap_err().to_string()
    };
    assert!(
        SimpleJwt::new(Settings::new("short"))
            .unwrap_err()
            .to_string()
            .starts_with("SIGNING_KEY")
    );
    assert!(with(|s| s.jwk_url = Some("https://id.test/jwks".into())).starts_with("JWK_URL"));
    assert!(with(|s| s.algorithm = Algorithm::EdDsa).starts_with("SIGNING_KEY"));
    assert!(with(|s| s.leeway = Duration::from_millis(1500)).starts_with("LEEWAY"));
    assert!(with(|s| s.audience = Some(Audience::Several(vec![]))).starts_with("AUDIENCE"));
    let clash = with(|s| {
        s.kinds.push(Kind {
            name: "access".into(),
            lifetime: Duration::from_mins(1),
            blacklisted: false,
        });
    });
    assert!(clash.starts_with("token_type"));
    // HS* never looks at VERIFYING_KEY, there and here.
    let mut settings = Settings::new(KEY);
    settings.verifying_key = "whatever".into();
    assert!(SimpleJwt::new(settings).is_ok());
    assert!(!format!("{:?}", Settings::new(KEY)).contains("insecure"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_and_no_claims_make_it_panic(
        text in "\\PC{0,200}",
        names in prop::collection::vec("(token_type|exp|iat|nbf|jti|aud|iss|sub|user_id|refresh_exp|[a-z]{1,5})", 0..8),
        values in prop::collection::vec("(-?[0-9]{1,25}(\\.[0-9]{1,3})?|null|true|\\[\\]|\\{\\}|\"[a-z0-9 ]{0,12}\"|1e[0-9]{1,3})", 8),
    ) {
        let (jwt, _) = plain();
        prop_assert!(jwt.check(&text, "access").is_err());
        // Claims of any kind, under a good signature: written by another instance of the same settings.
        let claims: Vec<_> = names.iter().zip(&values).map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let json = format!("{{{}}}", claims.join(","));
        let message = format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{}", URL_SAFE_NO_PAD.encode(json));
        let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
        mac.update(message.as_bytes());
        let raw = format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
        if let Ok(mut payload) = jwt.decode(&raw) {
            let _ = (jwt.verify(&payload, "access"), jwt.jti(&payload).is_ok(), jwt.user_id(&payload));
            let _ = jwt.expires_at(&payload);
            let _ = jwt.slide(&mut payload);
            prop_assert!(jwt.encode(&payload).is_ok());
        }
    }
}
