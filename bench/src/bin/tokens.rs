//! Checking and minting an access token, beside bare `jsonwebtoken` with the same backend and claims.
//!
//! `cargo run --release -p gatepost-bench --bin tokens`
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::time::{Duration, Instant, UNIX_EPOCH};

use gatepost_bench::results::Results;
use gatepost_tokens::{Access, Keys, NewToken, Tokens};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const USER: &str = "0198c0de-7a11-7000-8000-0123456789ab";
const SESSION: &str = "0198c0de-5e55-7000-8000-0123456789ab";
const ISSUER: &str = "https://accounts.example.com";
const ROUNDS: usize = 21;
const ROUND: Duration = Duration::from_millis(300);

/// The claims of an access token of ours.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
    iat: i64,
    jti: String,
    sid: String,
    rot: i64,
    r#gen: i64,
    token_type: String,
    user_id: String,
}

fn main() {
    let mut results = Results::of("tokens");
    let tokens = Tokens::new(Keys::from_secret(SECRET).unwrap())
        .issuer(ISSUER)
        .audience(ISSUER);
    let mint = || {
        tokens
            .mint::<Access>(&NewToken::new(USER).session(SESSION, 7).generation(3))
            .unwrap()
            .raw
    };

    let header = Header {
        typ: Some("at+jwt".to_owned()),
        kid: Some("0123456789abcdef".to_owned()),
        ..Header::new(Algorithm::HS256)
    };
    let (encoding, decoding) = (EncodingKey::from_secret(SECRET), DecodingKey::from_secret(SECRET));
    let bare_mint = || encode(&header, &claims(), &encoding).unwrap();
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[ISSUER]);

    let (ours, theirs) = (mint(), bare_mint());
    results.add("bytes of our token", bytes(&ours), "bytes");
    results.add("bytes of the bare token", bytes(&theirs), "bytes");
    let check = || {
        let _ = black_box(tokens.check::<Access>(black_box(&ours)).unwrap());
    };
    let bare_check = || {
        let _ = black_box(decode::<Claims>(black_box(&theirs), &decoding, &validation).unwrap());
    };
    let checks = compare(check, bare_check);
    keep(&mut results, "check", checks);
    let mints = compare(|| drop(black_box(mint())), || drop(black_box(bare_mint())));
    keep(&mut results, "mint", mints);
    results.keep();
}

/// What somebody would write by hand: a random id, the time, and the rest.
fn claims() -> Claims {
    let iat = now();
    Claims {
        iss: ISSUER.to_owned(),
        sub: USER.to_owned(),
        aud: ISSUER.to_owned(),
        exp: iat + 3600,
        iat,
        jti: uuid::Builder::from_random_bytes(random())
            .into_uuid()
            .simple()
            .to_string(),
        sid: SESSION.to_owned(),
        rot: 7,
        r#gen: 3,
        token_type: "access".to_owned(),
        user_id: USER.to_owned(),
    }
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

#[expect(clippy::disallowed_methods, reason = "the bare side has no clock of its own")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "a token is short")]
fn bytes(token: &str) -> f64 {
    token.len() as f64
}

/// Rounds in turn, so that a busy neighbour disturbs both; the median of each.
fn compare(ours: impl Fn(), bare: impl Fn()) -> (f64, f64) {
    let (mut our_rates, mut bare_rates) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        our_rates.push(rate(&ours));
        bare_rates.push(rate(&bare));
    }
    (median(our_rates), median(bare_rates))
}

fn rate(work: &impl Fn()) -> f64 {
    let (began, mut done) = (Instant::now(), 0_u32);
    while began.elapsed() < ROUND {
        for _ in 0..256 {
            work();
        }
        done += 256;
    }
    f64::from(done) / began.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn keep(results: &mut Results, what: &str, (ours, bare): (f64, f64)) {
    results.add(&format!("{what}: gatepost-tokens"), ours, "1/s");
    results.add(&format!("{what}: bare jsonwebtoken"), bare, "1/s");
    results.ratio(&format!("{what}: ratio"), ours / bare, 0.9);
}
