//! Keys in places that are not theirs: public text as a key, one purpose's for another's, a retired secret's.

use gatepost_tokens::testing::{keys, tokens};
use gatepost_tokens::{Access, Keys, Refused, Tokens};

use crate::forge::{SECRET, json, key_of, part, refused, sign};

#[test]
fn nothing_that_can_be_read_off_a_token_is_a_key() {
    let (tokens, _) = tokens();
    let raw = tokens.create::<Access>("u").unwrap();
    let (header, payload) = (part(&raw, 0), part(&raw, 1));
    let kid = json(&raw, 0)["kid"].as_str().unwrap().to_owned();
    let signature = raw.rsplit('.').next().unwrap();
    let known = keys();
    for guess in [
        "",
        "\0",
        "secret",
        "gatepost",
        "gatepost tokens 1",
        &kid,
        signature,
        known.fingerprint(),
        &header,
        &payload,
        raw.split('.').next().unwrap(),
        "-----BEGIN PUBLIC KEY-----",
    ] {
        assert_eq!(
            refused(&tokens, &sign(guess.as_bytes(), &header, &payload)),
            Refused::Malformed,
            "{guess}"
        );
    }
    // Not even the secret itself: only what is derived from it for this purpose.
    assert_eq!(
        refused(&tokens, &sign(SECRET, &header, &payload)),
        Refused::Malformed
    );
    assert!(
        tokens
            .check::<Access>(&sign(&key_of("access"), &header, &payload))
            .is_ok()
    );
}

#[test]
fn a_kid_chooses_among_our_keys_and_nothing_else() {
    let (_, clock) = tokens();
    let old = Tokens::new(keys()).with_clock(clock.clock());
    let both = Keys::from_secret([9; 32]).unwrap().with_previous(SECRET).unwrap();
    let new = Tokens::new(both).with_clock(clock.clock());
    let (of_old, of_new) = (
        old.create::<Access>("u").unwrap(),
        new.create::<Access>("u").unwrap(),
    );
    assert!(new.check::<Access>(&of_old).is_ok() && new.check::<Access>(&of_new).is_ok());
    // The old key's signature under the new key's name, and the other way round.
    let swapped = sign(&key_of("access"), &part(&of_new, 0), &part(&of_old, 1));
    assert_eq!(refused(&new, &swapped), Refused::Malformed);
    let (head, tail) = of_new.split_once('.').unwrap();
    let (_, old_tail) = of_old.split_once('.').unwrap();
    assert_eq!(refused(&new, &format!("{head}.{old_tail}")), Refused::Malformed);
    let old_head = of_old.split('.').next().unwrap();
    assert_eq!(refused(&new, &format!("{old_head}.{tail}")), Refused::Malformed);
    // Whoever kept the old secret alone knows nothing of the new one.
    assert_eq!(refused(&old, &of_new), Refused::Malformed);
}

#[test]
fn another_issuers_tokens_under_the_same_secret_are_refused() {
    let (tokens, clock) = tokens();
    let make = |issuer: &str, audience: &str| {
        Tokens::new(keys())
            .issuer(issuer)
            .audience(audience)
            .with_clock(clock.clock())
            .create::<Access>("u")
            .unwrap()
    };
    assert!(tokens.check::<Access>(&make("gatepost", "gatepost")).is_ok());
    for (issuer, audience) in [
        ("gatepost", "billing"),
        ("https://evil.test", "gatepost"),
        ("gatepost/", "gatepost"),
        ("", ""),
    ] {
        assert_eq!(
            refused(&tokens, &make(issuer, audience)),
            Refused::Malformed,
            "{issuer} {audience}"
        );
    }
}
