//! `jsonwebtoken` reads what we write: the tokens are plain JWTs.

use gatepost_tokens::testing::tokens;
use gatepost_tokens::{Access, NewToken};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use crate::forge::key_of;

#[test]
fn jsonwebtoken_verifies_our_tokens_with_the_derived_key() {
    let (tokens, _) = tokens();
    let raw = tokens
        .mint::<Access>(&NewToken::new("42").session("s", 0))
        .unwrap()
        .raw;
    let mut rules = Validation::new(Algorithm::HS256);
    rules.set_issuer(&["gatepost"]);
    rules.validate_exp = false; // the tokens are made by a clock that stands still
    rules.set_audience(&["gatepost"]);
    let read =
        jsonwebtoken::decode::<Value>(&raw, &DecodingKey::from_secret(&key_of("access")), &rules).unwrap();
    assert_eq!(read.header.typ.as_deref(), Some("at+jwt"));
    assert_eq!(read.claims["user_id"], "42");
    let other = DecodingKey::from_secret(&key_of("refresh"));
    assert!(jsonwebtoken::decode::<Value>(&raw, &other, &rules).is_err());
}
