//! Claims that are missing, doubled, of the wrong kind, or beyond all numbers.

use gatepost_tokens::testing::tokens;
use gatepost_tokens::{Access, NewToken, Refused};
use serde_json::Value;

use crate::forge::{json, part, refused, with_payload};

#[test]
fn claims_that_are_missing_twice_there_or_of_the_wrong_kind_are_refused() {
    let (tokens, _) = tokens();
    let raw = tokens.create::<Access>("u").unwrap();
    let good = json(&raw, 1);
    for name in ["iss", "sub", "aud", "exp", "iat", "jti", "token_type", "user_id"] {
        let mut claims = good.clone();
        let value = claims.as_object_mut().unwrap().remove(name).unwrap();
        assert_eq!(
            refused(&tokens, &with_payload(&raw, &claims.to_string())),
            Refused::Malformed,
            "no {name}"
        );
        let twice = good
            .to_string()
            .replacen('{', &format!("{{\"{name}\":{value},"), 1);
        assert_eq!(
            refused(&tokens, &with_payload(&raw, &twice)),
            Refused::Malformed,
            "{name} twice"
        );
        for wrong in ["null", "[]", "{}", "true", "1.5", "[\"gatepost\"]", "-1", "1e400"] {
            let mut claims = good.clone();
            claims[name] = serde_json::Value::Null;
            let text = claims.to_string().replacen("null", wrong, 1);
            assert!(
                tokens.check::<Access>(&with_payload(&raw, &text)).is_err()
                    || (name == "iat" && wrong == "-1"),
                "{name} = {wrong}"
            );
        }
    }
    for (name, value) in [
        ("iss", "https://evil.test"),
        ("aud", "other"),
        ("user_id", "admin"),
        ("iss", "Gatepost"),
        ("aud", "gatepost "),
    ] {
        let mut claims = good.clone();
        claims[name] = value.into();
        assert_eq!(
            refused(&tokens, &with_payload(&raw, &claims.to_string())),
            Refused::Malformed,
            "{name}"
        );
    }
}

#[test]
fn times_that_can_not_be_are_refused() {
    let (tokens, clock) = tokens();
    let raw = tokens.create::<Access>("u").unwrap();
    let good = part(&raw, 1);
    let exp = json(&raw, 1)["exp"].to_string();
    let numbers = [
        "0",
        "-1",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "1e30",
        "253402300800",
        "1800003600.5",
    ];
    for number in numbers.into_iter().chain(["\"1800003600\"", "[1800003600]"]) {
        let payload = good.replacen(&exp, number, 1);
        assert_eq!(
            refused(&tokens, &with_payload(&raw, &payload)),
            Refused::Malformed,
            "exp {number}"
        );
    }
    let not_yet = good.replacen('{', "{\"nbf\":1800000001,", 1);
    assert_eq!(
        refused(&tokens, &with_payload(&raw, &not_yet)),
        Refused::Malformed
    );
    clock.step(1);
    assert!(tokens.check::<Access>(&with_payload(&raw, &not_yet)).is_ok());
}

#[test]
fn optional_claims_are_checked_as_strictly_when_they_are_there() {
    let (tokens, _) = tokens();
    let raw = tokens
        .mint::<Access>(&NewToken::new("u").session("s", 1).generation(1))
        .unwrap()
        .raw;
    let good = json(&raw, 1);
    for name in ["sid", "rot", "gen", "nbf", "keep"] {
        for wrong in ["true", "[]", "{}", "1.5", "\"1\"", "9223372036854775808", "1e3"] {
            if name == "sid" && wrong == "\"1\"" {
                continue;
            }
            let mut claims = good.clone();
            claims[name] = Value::Null;
            let text =
                claims
                    .to_string()
                    .replacen(&format!("\"{name}\":null"), &format!("\"{name}\":{wrong}"), 1);
            assert!(text.contains(wrong), "{text}");
            assert_eq!(
                refused(&tokens, &with_payload(&raw, &text)),
                Refused::Malformed,
                "{name} = {wrong}"
            );
        }
    }
    for name in ["sid", "rot", "gen"] {
        let twice = good
            .to_string()
            .replacen('{', &format!("{{\"{name}\":{},", good[name]), 1);
        assert_eq!(
            refused(&tokens, &with_payload(&raw, &twice)),
            Refused::Malformed,
            "{name} twice"
        );
    }
    for alone in ["sid", "rot"] {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(alone);
        assert_eq!(
            refused(&tokens, &with_payload(&raw, &claims.to_string())),
            Refused::Malformed,
            "without {alone}"
        );
    }
}

#[test]
fn a_claim_spelled_with_escapes_is_the_same_claim() {
    let (tokens, _) = tokens();
    let raw = tokens.create::<Access>("u").unwrap();
    // `exp` once plainly and once as `\u0065xp`: one name, twice there.
    let hidden = part(&raw, 1).replacen('{', "{\"\\u0065xp\":9999999999,", 1);
    assert_eq!(refused(&tokens, &with_payload(&raw, &hidden)), Refused::Malformed);
}

#[test]
fn a_payload_that_is_no_plain_object_is_refused() {
    let (tokens, _) = tokens();
    let raw = tokens.create::<Access>("u").unwrap();
    let good = part(&raw, 1);
    let deep = format!("{}{}", "[".repeat(3000), "]".repeat(3000));
    for payload in [
        "",
        "null",
        "[]",
        "\"text\"",
        "17",
        &format!("{good}{good}"),
        &format!("{good} x"),
        &format!("[{good}]"),
        &good[..good.len() - 1],
        &good.replacen('{', &format!("{{\"ext\":{deep},"), 1),
        &format!("\u{feff}{good}"),
    ] {
        assert_eq!(
            refused(&tokens, &with_payload(&raw, payload)),
            Refused::Malformed,
            "{payload}"
        );
    }
}
