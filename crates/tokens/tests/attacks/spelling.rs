//! One token, one spelling: cut, padded, stretched and changed ones.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepost_tokens::testing::tokens;
use gatepost_tokens::{Access, CreateError, MAX_TOKEN_BYTES, NewToken, Refused};

use crate::forge::{encode, part, refused, with_payload};

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

#[test]
fn a_token_cut_anywhere_is_none() {
    let (tokens, _) = tokens();
    let raw = tokens.create::<Access>("user").unwrap();
    for end in 0..raw.len() {
        assert!(tokens.check::<Access>(&raw[..end]).is_err(), "the first {end}");
        assert!(
            tokens.check_any(&raw[..end]).is_err()
                && tokens.inspect(&raw[..end]).is_none_or(|i| i.verdict.is_err())
        );
        assert!(
            tokens.check::<Access>(&raw[end + 1..]).is_err(),
            "without the first {end}"
        );
    }
}

#[test]
fn a_shortened_signature_is_none() {
    let (tokens, _) = tokens();
    let raw = tokens.create::<Access>("user").unwrap();
    let (message, signature) = raw.rsplit_once('.').unwrap();
    let tag = URL_SAFE_NO_PAD.decode(signature).unwrap();
    for length in 0..tag.len() {
        let cut = format!("{message}.{}", encode(&tag[..length]));
        assert!(tokens.check::<Access>(&cut).is_err(), "{length} bytes of it");
    }
    let mut longer = tag.clone();
    longer.push(0);
    assert!(
        tokens
            .check::<Access>(&format!("{message}.{}", encode(longer)))
            .is_err()
    );
    assert!(
        tokens
            .check::<Access>(&format!("{message}.{}", encode(tag)))
            .is_ok()
    );
}

#[test]
fn no_other_alphabet_is_read() {
    let (tokens, _) = tokens();
    // Subjects until the payload or the signature has both characters that the alphabets spell differently.
    let raw = (0..10_000)
        .map(|n| tokens.create::<Access>(format!("user-{n}>>>???")).unwrap())
        .find(|raw| raw.contains('-') && raw.contains('_'))
        .unwrap();
    assert!(tokens.check::<Access>(&raw).is_ok());
    let (message, signature) = raw.rsplit_once('.').unwrap();
    for other in [
        raw.replace('-', "+"),
        raw.replace('_', "/"),
        raw.replace('-', "+").replace('_', "/"),
        raw.replace('-', "%2D"),
        raw.replace('.', "%2E"),
        format!("{message}.\n{signature}"),
        format!("{message}.{}\r\n{}", &signature[..20], &signature[20..]),
        format!("{}.{signature}", message.replacen('.', ".\t", 1)),
        raw.replacen('e', "\u{435}", 1),
        raw.replacen('.', "\u{ff0e}", 1),
        format!("\u{feff}{raw}"),
        format!("Bearer {raw}"),
        format!("\"{raw}\""),
    ] {
        assert!(
            tokens.check::<Access>(&other).is_err() && tokens.check_any(&other).is_err(),
            "{other}"
        );
    }
}

#[test]
fn what_is_too_long_is_refused_before_it_is_read_and_never_made() {
    let (tokens, _) = tokens();
    let raw = tokens.create::<Access>("user").unwrap();
    let [header, payload, signature] = raw.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    // Signed by us and too long all the same.
    let long = part(&raw, 1).replacen('{', &format!("{{\"x\":\"{}\",", "y".repeat(MAX_TOKEN_BYTES)), 1);
    assert_eq!(refused(&tokens, &with_payload(&raw, &long)), Refused::Malformed);
    let room = MAX_TOKEN_BYTES - header.len() - signature.len() - 2;
    let fits = room / 4 * 3;
    let filled = |size: usize| {
        let rest = part(&raw, 1).replacen('{', "{\"x\":\"\",", 1);
        part(&raw, 1).replacen('{', &format!("{{\"x\":\"{}\",", "y".repeat(size - rest.len())), 1)
    };
    assert!(tokens.check::<Access>(&with_payload(&raw, &filled(fits))).is_ok());
    assert!(
        tokens
            .check::<Access>(&with_payload(&raw, &filled(fits + 3)))
            .is_err()
    );
    for giant in [1 << 16, 1 << 24] {
        assert!(tokens.check_any(&"A".repeat(giant)).is_err());
        assert!(
            tokens
                .check_any(&format!("{header}.{}.{signature}", "A".repeat(giant)))
                .is_err()
        );
        assert!(
            tokens
                .check_any(&format!("{}.{payload}.{signature}", "A".repeat(giant)))
                .is_err()
        );
        assert!(tokens.inspect(&".".repeat(giant)).is_none());
    }
    let wide = serde_json::Map::from_iter([("x".to_owned(), "y".repeat(9000).into())]);
    let refused = tokens.mint_named("access", &NewToken::new("u").extra(wide));
    assert!(matches!(refused, Err(CreateError::TooLarge(_))));
}
