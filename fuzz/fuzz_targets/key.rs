//! Private keys as JSON and as PEM: what is taken signs, verifies, and comes back the same.
#![no_main]

use gatepost_tokens::{Algorithm, SigningKey};
use libfuzzer_sys::fuzz_target;
use secrecy::ExposeSecret as _;

fn is_whole(key: &SigningKey) {
    let signature = key.sign(b"text").expect("random bytes");
    assert!(key.verify(b"text", &signature) && !key.verify(b"other", &signature));
    let json = key.to_jwk();
    let again = SigningKey::from_jwk(json.expose_secret()).expect("our own JSON can be read");
    assert_eq!((again.kid(), again.algorithm()), (key.kid(), key.algorithm()));
    assert!(again.verify(b"text", &signature));
    assert!(key.kid().bytes().all(|byte| byte.is_ascii_graphic()) && key.kid().len() <= 64);
    assert_eq!(key.public_jwk().is_some(), key.algorithm().is_public());
}

fuzz_target!(|text: &str| {
    if let Ok(key) = SigningKey::from_jwk(text) {
        is_whole(&key);
    }
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| algorithm.is_public()) {
        if let Ok(key) = SigningKey::from_pem(algorithm, text) {
            is_whole(&key);
        }
    }
    assert!(SigningKey::from_pem(Algorithm::Hs256, text).is_err(), "no PEM is an HMAC key");
});
