//! Making, keeping, publishing and refusing keys.

use gatepost_tokens::testing::tokens;
use gatepost_tokens::{
    Access, Activate, Algorithm, KeyError, KeyRing, NewToken, Refused, SigningKey, Tokens,
};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};
use proptest::prelude::*;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::forge::json;
use crate::vectors::{ED25519, OCT, P256, RSA, key};

/// One key of each algorithm; the RSA ones are the standard's, since making one takes its time.
pub(crate) fn one_of_each() -> Vec<SigningKey> {
    Algorithm::ALL
        .into_iter()
        .map(|algorithm| match algorithm {
            rsa if rsa.is_rsa() => key(RSA, rsa),
            other => SigningKey::generate(other).unwrap(),
        })
        .collect()
}

fn with(key: &SigningKey) -> Tokens {
    let (tokens, _) = tokens();
    tokens.with_ring(KeyRing::new().with(key.clone(), &["access"]).unwrap())
}

#[test]
fn every_algorithm_signs_what_it_verifies_and_older_tokens_go_on() {
    for key in one_of_each() {
        let name = key.algorithm();
        let (before, _) = tokens();
        let old = before.create::<Access>("u").unwrap();
        let tokens = with(&key);
        let raw = tokens
            .mint::<Access>(&NewToken::new("u").session("s", 1).generation(3))
            .unwrap()
            .raw;
        let header = json(&raw, 0);
        assert_eq!(
            (&header["alg"], &header["typ"], &header["kid"]),
            (&name.as_str().into(), &"at+jwt".into(), &key.kid().into())
        );
        let token = tokens.check::<Access>(&raw).unwrap();
        assert_eq!((token.user_id(), token.generation), ("u", Some(3)), "{name}");
        assert_eq!(tokens.check_any(&raw).unwrap().purpose.name, "access");
        assert_eq!(tokens.check::<Activate>(&raw).unwrap_err(), Refused::WrongPurpose);
        assert!(tokens.check::<Access>(&old).is_ok(), "signed before the key came");
        assert_eq!(before.check::<Access>(&raw).unwrap_err(), Refused::Malformed);
        // A purpose that has no key here is signed with the secret's, as ever.
        let other = tokens.create::<Activate>("u").unwrap();
        assert_eq!(json(&other, 0)["alg"], "HS256");
        assert_eq!(before.check::<Activate>(&other).unwrap().user_id(), "u");
        for at in (0..raw.len()).step_by(7) {
            let mut changed = raw.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(
                tokens
                    .check::<Access>(&String::from_utf8(changed).unwrap())
                    .is_err(),
                "{name} {at}"
            );
        }
    }
}

#[test]
fn a_key_comes_back_from_its_json_and_its_debug_shows_nothing() {
    for key in one_of_each() {
        let kept = key.to_jwk();
        let back = SigningKey::from_jwk(kept.expose_secret()).unwrap();
        assert_eq!((back.kid(), back.algorithm()), (key.kid(), key.algorithm()));
        assert!(back.verify(b"text", &key.sign(b"text").unwrap()));
        let secret: Value = serde_json::from_str(kept.expose_secret()).unwrap();
        let shown = format!("{key:?} {:?} {kept:?}", with(&key));
        for private in ["k", "d", "p", "q", "dp", "dq", "qi"] {
            if let Some(value) = secret[private].as_str() {
                assert!(!shown.contains(value), "{shown}");
            }
        }
    }
}

#[test]
fn the_document_has_the_public_halves_and_nothing_else() {
    let (tokens, _) = tokens();
    let mut ring = KeyRing::new();
    for key in one_of_each() {
        // The RSA key of the standard is in it under each of RSA's algorithms: named apart.
        let named = key
            .to_jwk()
            .expose_secret()
            .replacen(key.kid(), key.algorithm().as_str(), 1);
        ring = ring
            .with(SigningKey::from_jwk(&named).unwrap(), &["access"])
            .unwrap();
    }
    let document = tokens.with_ring(ring).jwks();
    let keys = document["keys"].as_array().unwrap();
    let names: Vec<_> = keys.iter().map(|key| key["alg"].as_str().unwrap()).collect();
    let public = Algorithm::ALL
        .into_iter()
        .filter(|algorithm| algorithm.is_public());
    assert_eq!(names, public.map(Algorithm::as_str).collect::<Vec<_>>());
    for key in keys {
        let members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(
            members
                .iter()
                .all(|name| ["kty", "crv", "x", "y", "n", "e", "use", "alg", "kid"].contains(name)),
            "{members:?}"
        );
        assert_eq!(key["use"], "sig");
    }
}

#[test]
fn jsonwebtoken_verifies_with_the_document_alone() {
    for key in one_of_each()
        .into_iter()
        .filter(|key| key.algorithm().is_public())
    {
        let tokens = with(&key);
        let raw = tokens.create::<Access>("42").unwrap();
        let document: JwkSet = serde_json::from_value(tokens.jwks()).unwrap();
        let header = jsonwebtoken::decode_header(&raw).unwrap();
        let found = document.find(&header.kid.unwrap()).unwrap();
        let mut rules = Validation::new(header.alg);
        rules.set_issuer(&["gatepost"]);
        rules.set_audience(&["gatepost"]);
        rules.validate_exp = false; // a clock that stands still
        let read =
            jsonwebtoken::decode::<Value>(&raw, &DecodingKey::from_jwk(found).unwrap(), &rules).unwrap();
        assert_eq!(read.claims["sub"], "42", "{}", key.algorithm());
    }
}

#[test]
fn keys_that_are_weak_half_or_mixed_up_are_refused() {
    let bound = |json: &str, algorithm: &str| json.replacen('{', &format!("{{\"alg\":\"{algorithm}\","), 1);
    let other_x = "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEV\"";
    for json in [
        String::new(),
        "[]".to_owned(),
        OCT.to_owned(),
        bound(OCT, "none"),
        bound(OCT, "hs256"),
        bound(OCT, "RS256"),
        bound(OCT, "EdDSA"),
        bound(RSA, "HS256"),
        bound(RSA, "ES256"),
        bound(P256, "HS256"),
        bound(P256, "EdDSA"),
        bound(ED25519, "ES256"),
        bound(ED25519, "HS512"),
        bound(&P256.replace("P-256", "P-384"), "ES256"),
        bound(&P256.replace("P-256", "P-384"), "ES384"),
        bound(P256, "ES384"),
        bound(P256, "ES512"),
        bound(&P256.replace("\"d\"", "\"D\""), "ES256"),
        bound(
            &P256.replace("\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"", other_x),
            "ES256",
        ),
        bound(&ED25519.replace("11qY", "22qY"), "EdDSA"),
        bound(&RSA.replace("\"n\":\"ofgW", "\"n\":\"pfgW"), "RS256"),
        bound(&RSA.replace("AQAB", "Aw"), "RS256"),
        bound(&ED25519.replace("\"kty\"", "\"use\":\"enc\",\"kty\""), "EdDSA"),
        bound(&ED25519.replace("\"kty\"", "\"kid\":\"a/b\",\"kty\""), "EdDSA"),
        bound(&ED25519.replace("\"kty\"", "\"kid\":\"\",\"kty\""), "EdDSA"),
    ] {
        assert!(SigningKey::from_jwk(&json).is_err(), "{json}");
    }
    for (algorithm, bytes) in [
        (Algorithm::Hs256, 31),
        (Algorithm::Hs384, 47),
        (Algorithm::Hs512, 63),
    ] {
        assert!(matches!(
            SigningKey::hmac(algorithm, &vec![1; bytes]),
            Err(KeyError::Jwk(_))
        ));
        assert!(SigningKey::hmac(algorithm, &vec![1; bytes + 1]).is_ok());
    }
    let key = SigningKey::generate(Algorithm::Hs256).unwrap();
    assert!(KeyRing::new().with(key.clone(), &[]).is_err());
    assert!(KeyRing::new().with(key.clone(), &["No Purpose"]).is_err());
    let twice = KeyRing::new()
        .with(key.clone(), &["access"])
        .unwrap()
        .with(key, &["refresh"]);
    assert!(matches!(twice, Err(KeyError::Twice)));
}

#[test]
fn a_new_rsa_key_is_whole() {
    let key = SigningKey::generate(Algorithm::Ps256).unwrap();
    let public = key.public_jwk().unwrap();
    assert_eq!(public["n"].as_str().unwrap().len(), 342, "2048 bits");
    assert_eq!(public["e"], "AQAB");
    let raw = with(&key).create::<Access>("u").unwrap();
    assert!(with(&key).check::<Access>(&raw).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_parser_of_keys_panic(
        text in "\\PC{0,200}",
        alg in "(HS(256|384|512)|[RP]S(256|384|512)|ES(256|384)|EdDSA|none)",
        kty in "(oct|RSA|EC|OKP)",
        crv in "(P-256|P-384|Ed25519|P-521)",
        parts in prop::collection::vec("[A-Za-z0-9_-]{0,90}", 9),
    ) {
        prop_assert!(SigningKey::from_jwk(&text).is_err());
        let [n, e, d, p, q, dp, dq, x, y] = &parts[..] else { unreachable!() };
        let json = format!(
            r#"{{"alg":"{alg}","kty":"{kty}","crv":"{crv}","n":"{n}","e":"{e}","d":"{d}","p":"{p}","q":"{q}","dp":"{dp}","dq":"{dq}","qi":"{d}","x":"{x}","y":"{y}"}}"#
        );
        prop_assert!(SigningKey::from_jwk(&json).is_err());
    }
}

#[test]
fn a_new_key_is_not_named_like_an_option() {
    // Eight of 512 thumbprints would.
    let mut keys = (0..512).map(|_| SigningKey::generate(Algorithm::Hs256).unwrap());
    assert!(keys.all(|key| !key.kid().starts_with('-')));
}
