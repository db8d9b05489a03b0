//! What an attacker would try, with and without the key.

use gatepost_tokens::testing::tokens;
use gatepost_tokens::{Access, Activate, ChangePassword, Refresh, Refused, Socket, Tokens};

use crate::forge::{encode, json, key_of, part, sign};

fn refused(tokens: &Tokens, raw: &str) -> Refused {
    let typed = tokens.check::<Access>(raw).unwrap_err();
    assert!(tokens.check_any(raw).is_err(), "{raw}");
    typed
}

/// A forgery with the right key: only what is inside can give it away.
fn with_payload(raw: &str, payload: &str) -> String {
    sign(&key_of("access"), &part(raw, 0), payload)
}

#[test]
fn the_forge_can_make_a_good_token() {
    let (tokens, _) = tokens();
    let raw = tokens.create::<Access>("u").unwrap();
    assert_eq!(with_payload(&raw, &part(&raw, 1)), raw);
}

#[test]
fn no_header_but_ours_is_read() {
    let (tokens, _) = tokens();
    let raw = tokens.create::<Access>("u").unwrap();
    let (kid, payload) = (json(&raw, 0)["kid"].as_str().unwrap().to_owned(), part(&raw, 1));
    let headers = [
        r#"{"alg":"none","typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"None","typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"hs256","typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"HS384","typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"RS256","typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"ES256","typ":"at+jwt","kid":"KID"}"#,
        r#"{"typ":"at+jwt","kid":"KID"}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"KID"}"#,
        r#"{"alg":"HS256","kid":"KID"}"#,
        r#"{"alg":"HS256","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"../../../../dev/null"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"' OR 1=1 --"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":["KID"]}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID","kid":"other"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID","crit":["exp"]}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID","jku":"https://evil.test/jwks.json"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID","x5u":"https://evil.test/x.pem"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID","jwk":{"kty":"oct","k":"AA"}}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID","b64":false}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"KID","zip":"DEF"}"#,
        r"[]",
        r"null",
        "",
    ];
    for header in headers {
        let header = header.replace("KID", &kid);
        for signed in [
            sign(&key_of("access"), &header, &payload),
            sign(b"", &header, &payload),
            format!("{}.{}.", encode(&header), encode(&payload)),
        ] {
            assert_eq!(refused(&tokens, &signed), Refused::Malformed, "{header}");
        }
    }
}

#[test]
fn every_purpose_is_refused_where_another_is_asked_for() {
    let (tokens, _) = tokens();
    let made = [
        tokens.create::<Activate>("u").unwrap(),
        tokens.create::<ChangePassword>("u").unwrap(),
        tokens.create::<Socket>("u").unwrap(),
        tokens.create::<Access>("u").unwrap(),
        tokens.create::<Refresh>("u").unwrap(),
    ];
    let names = ["activate", "change_password", "socket", "access", "refresh"];
    let verdicts = |raw: &str| {
        [
            tokens.check::<Activate>(raw).err(),
            tokens.check::<ChangePassword>(raw).err(),
            tokens.check::<Socket>(raw).err(),
            tokens.check::<Access>(raw).err(),
            tokens.check::<Refresh>(raw).err(),
        ]
    };
    for (i, raw) in made.iter().enumerate() {
        for (j, verdict) in verdicts(raw).into_iter().enumerate() {
            assert_eq!(
                verdict,
                (i != j).then_some(Refused::WrongPurpose),
                "{} as {}",
                names[i],
                names[j]
            );
        }
        // The payload of one under the header and the key of another.
        for (j, other) in made.iter().enumerate().filter(|(j, _)| *j != i) {
            let signed = sign(&key_of(names[j]), &part(other, 0), &part(raw, 1));
            assert!(
                verdicts(&signed).iter().all(Option::is_some),
                "{} dressed as {}",
                names[i],
                names[j]
            );
            let stolen = sign(&key_of(names[i]), &part(other, 0), &part(raw, 1));
            assert!(
                verdicts(&stolen).iter().all(Option::is_some),
                "{} with {}'s key",
                names[j],
                names[i]
            );
        }
    }
}

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
fn there_is_one_spelling_of_a_token() {
    let (tokens, _) = tokens();
    let raw = tokens.create::<Access>("user").unwrap();
    let parts: Vec<_> = raw.split('.').collect();
    let mut others = vec![
        format!("{raw}="),
        format!("{raw}=="),
        format!(" {raw}"),
        format!("{raw} "),
        format!("{raw}\n"),
        format!("{raw}."),
        format!("{raw}.{}", parts[2]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}..{}", parts[0], parts[2]),
        format!("{}=.{}.{}", parts[0], parts[1], parts[2]),
        format!("{}.{}=.{}", parts[0], parts[1], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}.{}", parts[0], parts[1], &parts[2][..42]),
        raw.to_uppercase(),
        raw.replace('.', ","),
        String::new(),
        "..".into(),
        ".".repeat(8000),
        "a".repeat(8193),
        format!("{}.{}.{}", parts[0], "A".repeat(9000), parts[2]),
    ];
    // The last character of 32 bytes carries two unused bits: four spellings of which three are wrong.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for c in alphabet.chars().filter(|c| !raw.ends_with(*c)) {
        others.push(format!("{}{c}", &raw[..raw.len() - 1]));
    }
    for other in others {
        assert!(
            tokens.check::<Access>(&other).is_err() && tokens.check_any(&other).is_err(),
            "{other}"
        );
    }
}

#[test]
fn every_changed_byte_is_noticed() {
    let (tokens, _) = tokens();
    let raw = tokens.create::<Access>("user").unwrap();
    for at in 0..raw.len() {
        for with in [b'A', b'_', b'.', b'=', b'\0'] {
            let mut bytes = raw.clone().into_bytes();
            if std::mem::replace(&mut bytes[at], with) == with {
                continue;
            }
            let changed = String::from_utf8(bytes).unwrap();
            assert!(
                tokens.check::<Access>(&changed).is_err() && tokens.check_any(&changed).is_err(),
                "{at}"
            );
        }
    }
}
