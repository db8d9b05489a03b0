//! From when and until when: a key is known before it signs, and verifies until its last token is dead.

use gatepost_tokens::testing::tokens;
use gatepost_tokens::{Access, Activate, Algorithm, CreateError, KeyRing, Refused, RingKey, SigningKey};

use crate::forge::json;

const NOW: i64 = 1_800_000_000;

fn entry(key: &SigningKey, signs_from: i64, verifies_until: Option<i64>) -> RingKey {
    RingKey {
        key: key.clone(),
        purposes: vec!["access".to_owned()],
        signs_from,
        verifies_until,
    }
}

#[test]
fn a_key_is_published_before_it_signs_and_verifies_after_it_has_signed() {
    let (tokens, clock) = tokens();
    let (old, new) = (
        SigningKey::generate(Algorithm::Es256).unwrap(),
        SigningKey::generate(Algorithm::EdDsa).unwrap(),
    );
    let mut ring = KeyRing::new();
    // Out of order on purpose: the time decides, not the place.
    ring.insert(entry(&new, NOW + 60, None)).unwrap();
    ring.insert(entry(&old, NOW - 60, Some(NOW + 60 + 3600))).unwrap();
    tokens.set_ring(ring);
    let published = || tokens.jwks()["keys"].as_array().unwrap().len();
    let signer = |raw: &str| json(raw, 0)["alg"].as_str().unwrap().to_owned();

    let first = tokens.create::<Access>("u").unwrap();
    assert_eq!((signer(&first).as_str(), published()), ("ES256", 2));
    clock.step(59);
    let last = tokens.create::<Access>("u").unwrap();
    assert_eq!(signer(&last), "ES256");
    clock.step(1);
    let next = tokens.create::<Access>("u").unwrap();
    assert_eq!((signer(&next).as_str(), published()), ("EdDSA", 2));
    assert!(tokens.check::<Access>(&last).is_ok());
    clock.step(3598);
    assert!(
        tokens.check::<Access>(&last).is_ok(),
        "the last second of the last token"
    );
    clock.step(2);
    assert_eq!(published(), 1);
    assert_eq!(tokens.check::<Access>(&last).unwrap_err(), Refused::Malformed);
}

#[test]
fn every_clone_sees_a_new_ring_and_a_key_that_is_taken_out_verifies_nothing() {
    let (tokens, _) = tokens();
    let clone = tokens.clone();
    let key = SigningKey::generate(Algorithm::Hs512).unwrap();
    tokens.set_ring(KeyRing::new().with(key, &["access"]).unwrap());
    let raw = clone.create::<Access>("u").unwrap();
    assert_eq!(json(&raw, 0)["alg"], "HS512");
    assert!(clone.check::<Access>(&raw).is_ok());
    assert_eq!(clone.key_ring().keys().len(), 1);
    clone.set_ring(KeyRing::new());
    assert_eq!(tokens.check::<Access>(&raw).unwrap_err(), Refused::Malformed);
    assert_eq!(json(&tokens.create::<Access>("u").unwrap(), 0)["alg"], "HS256");
}

#[test]
fn a_derived_key_can_be_retired_and_then_another_one_has_to_sign() {
    let (tokens, _) = tokens();
    let raw = tokens.create::<Access>("u").unwrap();
    let kid = json(&raw, 0)["kid"].as_str().unwrap().to_owned();
    let mut ring = KeyRing::new();
    ring.retire_derived(kid);
    tokens.set_ring(ring.clone());
    assert_eq!(tokens.check::<Access>(&raw).unwrap_err(), Refused::Malformed);
    assert!(tokens.check_any(&raw).is_err());
    assert!(matches!(tokens.create::<Access>("u"), Err(CreateError::NoKey(name)) if name == "access"));
    assert!(
        tokens.create::<Activate>("u").is_ok(),
        "another purpose, another key"
    );
    ring.insert(entry(&SigningKey::generate(Algorithm::Hs256).unwrap(), 0, None))
        .unwrap();
    tokens.set_ring(ring);
    let fresh = tokens.create::<Access>("u").unwrap();
    assert!(tokens.check::<Access>(&fresh).is_ok());
    assert_eq!(tokens.check::<Access>(&raw).unwrap_err(), Refused::Malformed);
}
