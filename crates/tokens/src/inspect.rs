//! Looking into a token without believing it, for a person who wants to know why it is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::error::Refused;
use crate::issue::MAX_TOKEN_BYTES;
use crate::tokens::Tokens;

/// What a token says of itself. None of it is to be trusted unless the verdict is good.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspected {
    /// The header's JSON.
    pub header: Value,
    /// The payload's JSON.
    pub claims: Value,
    /// What [`Tokens::check_any`] makes of it: the purpose, or the refusal.
    pub verdict: Result<String, Refused>,
}

impl Tokens {
    /// Decodes a token without trusting it; `None` if it is no token at all.
    pub fn inspect(&self, raw: &str) -> Option<Inspected> {
        if raw.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let mut parts = raw.split('.');
        let (header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let verdict = self.check_any(raw).map(|token| token.purpose.name);
        Some(Inspected {
            header: object(header)?,
            claims: object(claims)?,
            verdict,
        })
    }
}

fn object(part: &str) -> Option<Value> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&json).ok().filter(Value::is_object)
}
