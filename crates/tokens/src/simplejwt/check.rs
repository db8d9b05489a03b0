//! Checking tokens, in simplejwt's order: what `PyJWT` looks at, then (for the caller) the blacklist, then the rest.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::SimpleJwt;
use super::payload::{Payload, UserId};
use super::settings::Audience;
use crate::issue::MAX_TOKEN_BYTES;

/// The last second of the year 9999; what is later makes Python's `datetime` fail.
const LAST_SECOND: i64 = 253_402_300_799;

/// Why a token does not count, with simplejwt's own words (5.5.1). They are translated there: programs go by the code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Wrong form, algorithm, signature, audience, issuer, or a claim of the wrong kind.
    #[error("Token is invalid")]
    Invalid,
    /// Its time is over. Up to 5.4.0 this and [`Invalid`](Self::Invalid) were one message.
    #[error("Token is expired")]
    Expired,
    /// The time of another claim is over.
    #[error("Token '{0}' claim has expired")]
    ClaimExpired(String),
    /// A time is missing.
    #[error("Token has no '{0}' claim")]
    NoClaim(String),
    /// It has no identity. simplejwt answers 500 where it needs one for the blacklist.
    #[error("Token has no id")]
    NoId,
    /// It has no type.
    #[error("Token has no type")]
    NoType,
    /// It is of another type.
    #[error("Token has wrong type")]
    WrongType,
    /// It was blacklisted.
    #[error("Token is blacklisted")]
    Blacklisted,
}

impl TokenError {
    /// The `code` in the body of the answer, the same for all.
    pub const CODE: &'static str = "token_not_valid";
}

/// Unknown members are ignored, as there; `crit` would make one of them known.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default, deserialize_with = "present")]
    crit: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    kid: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    b64: Option<Value>,
}

/// `null` is there, too.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl SimpleJwt {
    /// The claims, if the signature is good and `PyJWT` would take them: `iat`, `nbf`, `exp`, `iss`, `aud`, `sub`, `jti`.
    pub fn decode(&self, raw: &str) -> Result<Payload, TokenError> {
        if raw.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid);
        }
        let (message, signature) = raw.rsplit_once('.').ok_or(TokenError::Invalid)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Invalid)?;
        let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| TokenError::Invalid)?;
        let plain = header.crit.is_none()
            && header.kid.is_none_or(|kid| kid.is_string())
            && header.b64 != Some(Value::Bool(false));
        if header.alg != self.key.algorithm().as_str() || !plain {
            return Err(TokenError::Invalid);
        }
        if !self.key.verify(message.as_bytes(), &decoded(signature)?) {
            return Err(TokenError::Invalid);
        }
        let payload: Payload = serde_json::from_slice(&decoded(payload)?).map_err(|_| TokenError::Invalid)?;
        self.check_registered(&payload)?;
        Ok(payload)
    }

    /// The rest of the check, after the blacklist was asked: `exp` and an identity are there, the type is this one.
    pub fn verify(&self, payload: &Payload, kind: &str) -> Result<(), TokenError> {
        self.verify_untyped(payload)?;
        let Some(claim) = &self.settings.token_type_claim else {
            return Ok(());
        };
        match payload.get(claim) {
            None => Err(TokenError::NoType),
            Some(Value::String(own)) if own == kind => Ok(()),
            Some(_) => Err(TokenError::WrongType),
        }
    }

    /// The same, whatever the type: what `UntypedToken` and the verify route look at.
    pub fn verify_untyped(&self, payload: &Payload) -> Result<(), TokenError> {
        self.check_exp(payload, "exp")?;
        if let Some(claim) = &self.settings.jti_claim
            && payload.get(claim).is_none()
        {
            return Err(TokenError::NoId);
        }
        Ok(())
    }

    /// Both halves at once, for a kind that has no blacklist: access tokens.
    pub fn check(&self, raw: &str, kind: &str) -> Result<Payload, TokenError> {
        let payload = self.decode(raw)?;
        self.verify(&payload, kind)?;
        Ok(payload)
    }

    /// The identity by which the blacklist knows the token.
    pub fn jti<'a>(&self, payload: &'a Payload) -> Result<&'a str, TokenError> {
        let claim = self.settings.jti_claim.as_deref().unwrap_or("jti");
        payload.text(claim).ok_or(TokenError::NoId)
    }

    /// When it expires, in seconds since 1970: what the tables keep.
    pub fn expires_at(&self, payload: &Payload) -> Option<i64> {
        seconds(payload.get("exp")?)
    }

    /// What kind of token it says it is; the kind that needs no saying where types are not told apart.
    pub fn kind_of<'a>(&'a self, payload: &'a Payload) -> Option<&'a str> {
        match &self.settings.token_type_claim {
            Some(claim) => payload.text(claim),
            None => Some("access"),
        }
    }

    /// When it was made, in seconds since 1970; none before simplejwt 5.0.
    pub fn issued_at(&self, payload: &Payload) -> Option<i64> {
        seconds(payload.get("iat")?)
    }

    /// Whom it is for: a string as newer versions write it, or a number as older ones did.
    pub fn user_id(&self, payload: &Payload) -> Option<UserId> {
        match payload.get(&self.settings.user_id_claim)? {
            Value::String(id) => Some(UserId::Text(id.clone())),
            Value::Number(id) => id.as_i64().map(UserId::Integer),
            _ => None,
        }
    }

    fn check_registered(&self, payload: &Payload) -> Result<(), TokenError> {
        let now = self.clock.now();
        let leeway = self.leeway();
        for claim in ["iat", "nbf"] {
            if let Some(value) = payload.get(claim)
                && seconds(value).is_none_or(|at| at > now.saturating_add(leeway))
            {
                return Err(TokenError::Invalid);
            }
        }
        if let Some(value) = payload.get("exp") {
            match seconds(value) {
                None => return Err(TokenError::Invalid),
                Some(at) if at <= now.saturating_sub(leeway) => return Err(TokenError::Expired),
                Some(at) if at > LAST_SECOND => return Err(TokenError::Invalid),
                Some(_) => {}
            }
        }
        let text = |claim: &str| payload.get(claim).is_none_or(Value::is_string);
        let issuer = self.settings.issuer.as_deref();
        let good = text("sub")
            && text("jti")
            && issuer.is_none_or(|issuer| payload.text("iss") == Some(issuer))
            && self
                .settings
                .audience
                .as_ref()
                .is_none_or(|own| is_for(own, payload.get("aud")));
        if good { Ok(()) } else { Err(TokenError::Invalid) }
    }

    /// simplejwt's second look at a time, which has to be there.
    pub(super) fn check_exp(&self, payload: &Payload, claim: &str) -> Result<(), TokenError> {
        let value = payload
            .get(claim)
            .ok_or_else(|| TokenError::NoClaim(claim.to_owned()))?;
        match seconds(value) {
            None => Err(TokenError::Invalid),
            Some(at) if at > LAST_SECOND => Err(TokenError::Invalid),
            Some(at) if at <= self.clock.now().saturating_sub(self.leeway()) => {
                Err(TokenError::ClaimExpired(claim.to_owned()))
            }
            Some(_) => Ok(()),
        }
    }

    fn leeway(&self) -> i64 {
        i64::try_from(self.settings.leeway.as_secs()).unwrap_or(i64::MAX)
    }
}

/// The one spelling that encoders make: no padding, no other alphabet.
fn decoded(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Invalid)
}

/// As Python's `int()`: a whole number, a fraction that is cut, digits in quotes. A truth value is one there and is
/// refused here.
fn seconds(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            // Exact below 2^53, and what is beyond is beyond any time.
            #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
            Some(number.as_f64()?.trunc() as i64)
        }),
        Value::String(text) => {
            let text = text.trim();
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| text.parse().ok()).flatten()
        }
        _ => None,
    }
}

fn is_for(own: &Audience, claimed: Option<&Value>) -> bool {
    let own: &[String] = match own {
        Audience::One(name) => std::slice::from_ref(name),
        Audience::Several(names) => names,
    };
    match claimed {
        Some(Value::String(name)) => own.contains(name),
        Some(Value::Array(names)) => {
            names.iter().all(Value::is_string)
                && names
                    .iter()
                    .filter_map(Value::as_str)
                    .any(|name| own.iter().any(|own| own == name))
        }
        _ => false,
    }
}
