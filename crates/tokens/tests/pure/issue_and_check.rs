//! What is made is what is read, and time runs out on the second.

use std::time::Duration;

use gatepost_tokens::testing::{keys, tokens};
use gatepost_tokens::{
    Access, Activate, ChangePassword, CreateError, Jti, KeyError, Keys, NewToken, PurposeError, PurposeSpec,
    Refresh, Refused, Socket, Tokens, purpose,
};
use serde::{Deserialize, Serialize};

use crate::forge::json;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct NewsList {
    list: String,
}

purpose!(Unsubscribe = "unsubscribe", lifetime: Duration::from_hours(30 * 24), one_time: false, extra: NewsList);
purpose!(Invite = "invite", lifetime: Duration::from_mins(10), one_time: true);

#[test]
fn an_access_token_has_the_claims_of_the_contract_in_its_order() {
    let (tokens, _) = tokens();
    let tokens = tokens
        .issuer("https://id.example.com")
        .audience("https://api.example.com");
    let raw = tokens
        .mint::<Access>(&NewToken::new("42").session("s-1", 3).generation(7))
        .unwrap()
        .raw;

    let header = json(&raw, 0);
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(header["alg"], "HS256");
    let claims = json(&raw, 1);
    let text = crate::forge::part(&raw, 1);
    let mut order: Vec<_> = claims
        .as_object()
        .unwrap()
        .keys()
        .map(|name| (text.find(&format!("\"{name}\":")).unwrap(), name.as_str()))
        .collect();
    order.sort_unstable();
    let names: Vec<_> = order.into_iter().map(|(_, name)| name).collect();
    assert_eq!(
        names.join(" "),
        "iss sub aud exp iat jti sid rot gen token_type user_id"
    );
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        3600
    );

    let token = tokens.check::<Access>(&raw).unwrap();
    assert_eq!(token.subject::<i64>().unwrap(), 42);
    assert_eq!(token.session.as_ref().unwrap().rotation, 3);
    assert_eq!(token.generation, Some(7));
}

#[test]
fn lifetimes_are_those_of_the_python_services_and_of_two_links_more() {
    let lives: Vec<_> = PurposeSpec::built_in()
        .iter()
        .map(|spec| (spec.name.clone(), spec.lifetime.as_secs(), spec.one_time))
        .collect();
    let expected = [
        ("activate", 1800, true),
        ("change_password", 1800, true),
        ("change_email", 1800, true),
        ("invite", 604_800, true),
        ("socket", 180, true),
        ("access", 3600, false),
        ("refresh", 604_800, false),
    ];
    assert_eq!(
        lives,
        expected.map(|(name, seconds, once)| (name.to_owned(), seconds, once))
    );
}

#[test]
fn a_token_is_dead_on_the_second_it_expires() {
    let (tokens, clock) = tokens();
    let raw = tokens.create::<Socket>("u").unwrap();
    clock.step(179);
    assert!(tokens.check::<Socket>(&raw).is_ok());
    clock.step(1);
    assert_eq!(tokens.check::<Socket>(&raw).unwrap_err(), Refused::Expired);
}

#[test]
fn extra_claims_come_back_as_they_went_in() {
    let (tokens, _) = tokens();
    let list = NewsList {
        list: "еженедельно \"quoted\" \u{1F4EC}".into(),
    };
    let raw = tokens.create_with::<Unsubscribe>(42, list.clone()).unwrap();
    assert_eq!(tokens.check::<Unsubscribe>(&raw).unwrap().extra, list);
    let any = tokens.check_any(&raw).unwrap();
    assert_eq!(
        (any.purpose.name.as_str(), any.extra["list"].as_str().unwrap()),
        ("unsubscribe", list.list.as_str())
    );
}

#[test]
fn purposes_of_configuration_work_by_name() {
    let (tokens, _) = tokens();
    let tokens = tokens
        .purpose(PurposeSpec::new("download", Duration::from_mins(1), true).unwrap())
        .unwrap()
        .purpose(PurposeSpec::new("activate", Duration::from_hours(24), true).unwrap())
        .unwrap();
    let mut claims = serde_json::Map::new();
    claims.insert("file".into(), "a.pdf".into());
    let minted = tokens
        .mint_named("download", &NewToken::new("u").extra(claims.clone()))
        .unwrap();
    assert_eq!(minted.expires_at - minted.issued_at, 60);
    assert_eq!(tokens.check_any(&minted.raw).unwrap().extra, claims);
    let plain = tokens.mint_named("nowhere", &NewToken::new("u").extra(serde_json::Map::new()));
    assert!(matches!(plain, Err(CreateError::UnknownPurpose(name)) if name == "nowhere"));

    let activate = tokens.mint::<Activate>(&NewToken::new("u")).unwrap();
    assert_eq!(
        activate.expires_at - activate.issued_at,
        86_400,
        "configuration may set a built-in lifetime"
    );
    let named = tokens
        .mint_named("activate", &NewToken::new("u").extra(serde_json::Map::new()))
        .unwrap();
    assert!(
        tokens.check::<Activate>(&named.raw).is_ok(),
        "the name and the type are one purpose"
    );
}

#[test]
fn names_and_lifetimes_that_can_not_be_are_refused() {
    let day = Duration::from_hours(24);
    for name in [
        "",
        "Activate",
        "1st",
        "a b",
        "at",
        "session",
        "слово",
        "a/b",
        &"x".repeat(49),
    ] {
        assert!(
            matches!(PurposeSpec::new(name, day, true), Err(PurposeError::Name(_))),
            "{name}"
        );
    }
    assert!(matches!(
        PurposeSpec::new("a", Duration::ZERO, true),
        Err(PurposeError::Lifetime { .. })
    ));
    assert!(matches!(
        PurposeSpec::new("a", day * 367, true),
        Err(PurposeError::Lifetime { .. })
    ));
    assert_eq!(
        PurposeSpec::new("activate", day, false),
        Err(PurposeError::BuiltIn("activate".into()))
    );
    let (tokens, _) = tokens();
    let mint = |new: NewToken| tokens.mint::<Invite>(&new);
    for subject in ["", "a\nb", &"x".repeat(256)] {
        assert!(
            matches!(mint(NewToken::new(subject)), Err(CreateError::Subject)),
            "{subject:?}"
        );
    }
    assert!(matches!(
        mint(NewToken::new("u").lifetime(Duration::MAX)),
        Err(CreateError::Lifetime(_))
    ));
    let list = NewsList {
        list: "x".repeat(8000),
    };
    assert!(matches!(
        tokens.create_with::<Unsubscribe>(1, list),
        Err(CreateError::TooLarge(_))
    ));
}

#[test]
fn a_previous_secret_verifies_and_no_longer_signs() {
    let (old, clock) = tokens();
    let fresh = Keys::from_secret([7_u8; 32]).unwrap();
    let both =
        Tokens::new(fresh.clone().with_previous(crate::forge::SECRET).unwrap()).with_clock(clock.clock());
    let new = Tokens::new(fresh).with_clock(clock.clock());

    let raw = old.create::<Access>("u").unwrap();
    assert!(both.check::<Access>(&raw).is_ok());
    assert!(both.check_any(&raw).is_ok());
    assert_eq!(new.check::<Access>(&raw).unwrap_err(), Refused::Malformed);
    let raw = both.create::<Access>("u").unwrap();
    assert!(new.check::<Access>(&raw).is_ok());
    assert!(old.check::<Access>(&raw).is_err());
}

#[test]
fn short_secrets_are_refused_and_none_is_printed() {
    assert!(matches!(
        Keys::from_secret("x".repeat(31)),
        Err(KeyError::TooShort(31))
    ));
    assert!(matches!(
        keys().with_previous(crate::forge::SECRET),
        Err(KeyError::Twice)
    ));
    let shown = format!("{:?} {:?} {:?}", keys(), keys().derive("mail"), tokens().0);
    assert!(!shown.contains("everybody"), "{shown}");
    assert_ne!(keys().derive("a").as_bytes(), keys().derive("b").as_bytes());
    assert_eq!(
        secrecy::ExposeSecret::expose_secret(&Keys::generate_secret().unwrap()).len(),
        43
    );
    let minted = tokens().0.mint::<Refresh>(&NewToken::new("u")).unwrap();
    assert!(!format!("{minted:?}").contains(&minted.raw));
}

#[test]
fn identities_are_never_the_same_unless_derived_from_the_same_letter() {
    let (tokens, _) = tokens();
    let ids: std::collections::HashSet<_> = (0..1000)
        .map(|_| tokens.mint::<ChangePassword>(&NewToken::new("u")).unwrap().jti)
        .collect();
    assert_eq!(ids.len(), 1000);
    let letter = |id: &[u8]| Jti::derived(tokens.keys(), "letter", id);
    assert_eq!(letter(b"m1"), letter(b"m1"));
    assert_ne!(letter(b"m1"), letter(b"m2"));
    let raw = tokens
        .mint::<ChangePassword>(&NewToken::new("u").jti(letter(b"m1")).keep_until(1_900_000_000))
        .unwrap()
        .raw;
    let token = tokens.check::<ChangePassword>(&raw).unwrap();
    assert_eq!(
        (token.jti.as_str(), token.keep_until),
        (letter(b"m1").as_str(), Some(1_900_000_000))
    );
}

#[test]
fn inspecting_shows_claims_and_the_verdict() {
    let (tokens, clock) = tokens();
    let raw = tokens.create::<Activate>("u").unwrap();
    assert_eq!(tokens.inspect(&raw).unwrap().verdict, Ok("activate".to_owned()));
    clock.step(1800);
    let inspected = tokens.inspect(&raw).unwrap();
    assert_eq!(
        (inspected.verdict, inspected.claims["sub"].as_str()),
        (Err(Refused::Expired), Some("u"))
    );
    assert!(tokens.inspect("a.b").is_none());
}
