//! Tokens: whatever text comes is read to its end and refused; whatever claims come under a good signature are a token
//! that holds what it says, or none. The same for simplejwt's.
#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepost_tokens::simplejwt::{Settings, SimpleJwt};
use gatepost_tokens::{Access, Activate, Algorithm, Clock, CreateError, KeyRing, Keys, SigningKey, Tokens};
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "for the fuzzer only: everybody knows it";
const NOW: i64 = 1_800_000_000;

struct Gate {
    ours: Tokens,
    key: SigningKey,
    theirs: SimpleJwt,
    their_key: SigningKey,
}

static GATE: LazyLock<Gate> = LazyLock::new(|| {
    let key = SigningKey::generate(Algorithm::EdDsa).expect("random bytes");
    let ring = KeyRing::new().with(key.clone(), &["access"]).expect("one key");
    let tokens = Tokens::new(Keys::from_secret(SECRET).expect("long enough"));
    Gate {
        ours: tokens.with_clock(Clock::new(|| NOW)).with_ring(ring),
        key,
        theirs: SimpleJwt::new(Settings::new(SECRET))
            .expect("simplejwt's own settings")
            .with_clock(Clock::new(|| NOW)),
        their_key: SigningKey::hmac(Algorithm::Hs256, SECRET.as_bytes()).expect("long enough"),
    }
});

fuzz_target!(|bytes: &[u8]| {
    let gate = &*GATE;
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert!(gate.ours.check::<Access>(text).is_err(), "nobody guesses a signature");
        assert!(gate.ours.check::<Activate>(text).is_err() && gate.ours.check_any(text).is_err());
        let _ = gate.ours.inspect(text);
        assert!(gate.theirs.decode(text).is_err());
    }
    let signed = |header: String, key: &SigningKey| {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(bytes));
        let signature = key.sign(message.as_bytes()).expect("it needs no random bytes");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    let header = format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{}"}}"#, gate.key.kid());
    let raw = signed(header, &gate.key);
    if let Ok(token) = gate.ours.check::<Access>(&raw) {
        assert!(token.expires_at > NOW && token.issued_at < token.expires_at);
        assert!(gate.ours.check_any(&raw).is_ok_and(|any| any.purpose.name == "access"));
        assert!(gate.ours.check::<Activate>(&raw).is_err());
    }
    let _ = gate.ours.inspect(&raw);
    let raw = signed(r#"{"alg":"HS256","typ":"JWT"}"#.to_owned(), &gate.their_key);
    if let Ok(mut payload) = gate.theirs.decode(&raw) {
        let _ = gate.theirs.verify(&payload, "access");
        let _ = gate.theirs.verify(&payload, "refresh");
        let _ = (gate.theirs.jti(&payload).is_ok(), gate.theirs.user_id(&payload));
        let _ = gate.theirs.expires_at(&payload);
        let _ = gate.theirs.slide(&mut payload);
        // What Python escapes may make it longer than a token can be.
        match gate.theirs.encode(&payload) {
            Ok(written) => assert!(gate.theirs.decode(&written).is_ok()),
            Err(error) => assert!(matches!(error, CreateError::TooLarge(_)), "{error}"),
        }
    }
});
