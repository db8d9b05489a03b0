//! Prints one access token of each algorithm that others can verify, with the JWKS document: as JSON, for another
//! program to check. `cargo run -p gatepost-tokens --features asymmetric --example published`
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use gatepost_tokens::{Access, Algorithm, KeyRing, Keys, SigningKey, Tokens};
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut all = Vec::new();
    for algorithm in Algorithm::ALL
        .into_iter()
        .filter(|algorithm| algorithm.is_public())
    {
        let secret = secrecy::ExposeSecret::expose_secret(&Keys::generate_secret()?).to_owned();
        let ring = KeyRing::new().with(SigningKey::generate(algorithm)?, &["access"])?;
        let tokens = Tokens::new(Keys::from_secret(secret)?).with_ring(ring);
        all.push(
            json!({ "alg": algorithm.as_str(), "raw": tokens.create::<Access>(42)?, "jwks": tokens.jwks() }),
        );
    }
    println!("{}", serde_json::to_string_pretty(&all)?);
    Ok(())
}
