//! Keys and algorithms in each other's place, with a whole ring to choose from.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatepost_tokens::testing::tokens;
use gatepost_tokens::{Access, Algorithm, KeyRing, Refresh, Refused, SigningKey};

use crate::forge::{encode, json, part, refused, sign};
use crate::keys::one_of_each;

#[test]
fn a_public_key_is_no_hmac_key() {
    for key in one_of_each()
        .into_iter()
        .filter(|key| key.algorithm().is_public())
    {
        let (tokens, _) = tokens();
        let tokens = tokens.with_ring(KeyRing::new().with(key.clone(), &["access"]).unwrap());
        let raw = tokens.create::<Access>("u").unwrap();
        let public = key.public_jwk().unwrap();
        let (header, payload) = (part(&raw, 0), part(&raw, 1));
        let hs256 = header.replacen(key.algorithm().as_str(), "HS256", 1);
        let mut forms = vec![
            public.to_string(),
            tokens.jwks().to_string(),
            key.kid().to_owned(),
        ];
        for member in ["x", "y", "n"] {
            if let Some(text) = public[member].as_str() {
                let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
                    .decode(text)
                    .unwrap();
                forms.push(text.to_owned());
                forms.push(format!(
                    "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
                    STANDARD.encode(&bytes)
                ));
            }
        }
        for known in forms {
            for header in [&header, &hs256] {
                assert_eq!(
                    refused(&tokens, &sign(known.as_bytes(), header, &payload)),
                    Refused::Malformed,
                    "{} as an HMAC key",
                    key.algorithm()
                );
            }
        }
    }
}

#[test]
fn a_kid_fetches_one_key_and_only_its_algorithm_and_purposes() {
    let (tokens, _) = tokens();
    let keys = one_of_each();
    let mut ring = KeyRing::new();
    for key in &keys {
        // RS256 and PS256 share the standard's key: the second gets a name of its own.
        let named = secrecy::ExposeSecret::expose_secret(&key.to_jwk()).replacen(
            key.kid(),
            &format!("k-{}", key.algorithm()),
            1,
        );
        ring = ring
            .with(SigningKey::from_jwk(&named).unwrap(), &["access"])
            .unwrap();
    }
    let keys: Vec<_> = ring.keys().iter().map(|key| key.key.clone()).collect();
    let tokens = tokens.with_ring(ring);
    let payload = part(&tokens.create::<Access>("u").unwrap(), 1);
    let token = |named: &SigningKey, alg: Algorithm, signer: &SigningKey, typ: &str| {
        let header = format!(r#"{{"alg":"{alg}","typ":"{typ}","kid":"{}"}}"#, named.kid());
        let message = format!("{}.{}", encode(header), encode(&payload));
        format!("{message}.{}", encode(signer.sign(message.as_bytes()).unwrap()))
    };
    for named in &keys {
        for alg in Algorithm::ALL {
            for signer in &keys {
                let good = named.kid() == signer.kid() && named.algorithm() == alg;
                let raw = token(named, alg, signer, "at+jwt");
                assert_eq!(
                    tokens.check::<Access>(&raw).is_ok(),
                    good,
                    "{named:?} {alg} {signer:?}"
                );
                assert_eq!(tokens.check_any(&raw).is_ok(), good, "{named:?} {alg} {signer:?}");
            }
        }
        // Its own name and algorithm under the type of a purpose that it is not for.
        let raw = token(named, named.algorithm(), named, "refresh+jwt");
        assert_eq!(tokens.check::<Refresh>(&raw).unwrap_err(), Refused::Malformed);
        assert_eq!(tokens.check::<Access>(&raw).unwrap_err(), Refused::Malformed);
    }
}

#[test]
fn extensions_and_addresses_in_a_header_are_never_followed() {
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let thief = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let (tokens, _) = tokens();
    let tokens = tokens.with_ring(KeyRing::new().with(key.clone(), &["access"]).unwrap());
    let raw = tokens.create::<Access>("u").unwrap();
    let header = json(&raw, 0);
    for (name, value) in [
        ("jwk", thief.public_jwk().unwrap()),
        ("jku", "https://evil.test/jwks.json".into()),
        ("x5u", "https://evil.test/x.pem".into()),
        ("crit", serde_json::json!(["exp"])),
        ("b64", false.into()),
        ("kid", thief.kid().into()),
    ] {
        let mut header = header.clone();
        header[name] = value;
        let message = format!("{}.{}", encode(header.to_string()), encode(part(&raw, 1)));
        for signer in [&thief, &key] {
            let forged = format!("{message}.{}", encode(signer.sign(message.as_bytes()).unwrap()));
            assert_eq!(refused(&tokens, &forged), Refused::Malformed, "{name}");
        }
    }
}
