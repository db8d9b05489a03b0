//! Making tokens: what `Token()`, `for_user`, `access_token`, rotation and sliding do to the claims.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::payload::{Payload, UserId};
use super::settings::{Audience, Kind, UserIdType};
use super::{SimpleJwt, TokenError};
use crate::error::{CreateError, KeyError};
use crate::issue::MAX_TOKEN_BYTES;

impl SimpleJwt {
    /// A token of this kind for nobody: `token_type`, `exp`, `iat`, `jti`, and of a sliding one `refresh_exp`.
    pub fn begin(&self, kind: &str) -> Result<Payload, CreateError> {
        let kind = self
            .settings
            .kind(kind)
            .ok_or_else(|| CreateError::UnknownPurpose(kind.to_owned()))?;
        let now = self.clock.now();
        let mut payload = Payload::default();
        if let Some(claim) = &self.settings.token_type_claim {
            payload.set(claim, kind.name.as_str());
        }
        payload.set("exp", after(now, kind.lifetime));
        payload.set("iat", now);
        self.set_jti(&mut payload)?;
        if kind.name == "sliding" {
            payload.set(
                &self.settings.sliding_token_refresh_exp_claim,
                after(now, self.settings.sliding_token_refresh_lifetime),
            );
        }
        Ok(payload)
    }

    /// A token of this kind for a user. With `check_revoke_token` it needs the password string that Django keeps.
    ///
    /// # Errors
    /// [`CreateError::Subject`] if that is missing, or the id is empty.
    pub fn for_user(
        &self,
        kind: &str,
        user: &UserId,
        encoded_password: Option<&str>,
    ) -> Result<Payload, CreateError> {
        let mut payload = self.begin(kind)?;
        let text = user.to_string();
        if text.is_empty() {
            return Err(CreateError::Subject);
        }
        let value = match (self.settings.user_id_type, text.parse::<i64>()) {
            // `007` is nobody's number: only what is written so is one.
            (UserIdType::Integer, Ok(id)) if id.to_string() == text => Value::from(id),
            _ => Value::from(text),
        };
        payload.set(&self.settings.user_id_claim, value);
        if self.settings.check_revoke_token {
            let encoded = encoded_password.ok_or(CreateError::Subject)?;
            payload.set(&self.settings.revoke_token_claim, Self::password_claim(encoded));
        }
        Ok(payload)
    }

    /// The access token that comes with a refresh token: all of its claims but its type, times and identity.
    pub fn access_from(&self, refresh: &Payload) -> Result<Payload, CreateError> {
        let mut access = self.begin("access")?;
        let own = [
            self.settings.token_type_claim.as_deref(),
            self.settings.jti_claim.as_deref(),
            Some("exp"),
            Some("jti"),
            Some("iat"),
        ];
        for (name, value) in refresh.iter().filter(|claim| !own.contains(&Some(claim.0))) {
            access.set(name, value.clone());
        }
        Ok(access)
    }

    /// Makes a refresh token its own successor: a new identity and new times, everything else as it was.
    pub fn rotate(&self, refresh: &mut Payload) -> Result<(), CreateError> {
        let now = self.clock.now();
        self.set_jti(refresh)?;
        refresh.set("exp", after(now, self.settings.refresh_token_lifetime));
        refresh.set("iat", now);
        Ok(())
    }

    /// Lets a sliding token that was [verified](Self::verify) live on: new times under the same identity, until the
    /// end that it was born with.
    ///
    /// # Errors
    /// [`TokenError::NoClaim`] without that end, [`TokenError::ClaimExpired`] after it.
    pub fn slide(&self, sliding: &mut Payload) -> Result<(), TokenError> {
        self.check_exp(sliding, &self.settings.sliding_token_refresh_exp_claim)?;
        let now = self.clock.now();
        sliding.set("exp", after(now, self.settings.sliding_token_lifetime));
        sliding.set("iat", now);
        Ok(())
    }

    /// Signs the claims, with `aud` and `iss` if they are set.
    ///
    /// # Errors
    /// [`CreateError::TooLarge`] over 8 KiB, [`CreateError::Key`] if the key could not sign.
    pub fn encode(&self, payload: &Payload) -> Result<String, CreateError> {
        let mut payload = payload.clone();
        match &self.settings.audience {
            Some(Audience::One(name)) => payload.set("aud", name.as_str()),
            Some(Audience::Several(names)) => payload.set("aud", names.clone()),
            None => {}
        }
        if let Some(issuer) = &self.settings.issuer {
            payload.set("iss", issuer.as_str());
        }
        let header = format!(r#"{{"alg":"{}","typ":"JWT"}}"#, self.key.algorithm());
        let mut raw = URL_SAFE_NO_PAD.encode(header);
        raw.push('.');
        URL_SAFE_NO_PAD.encode_string(payload.to_json(), &mut raw);
        let signature = self.key.sign(raw.as_bytes()).map_err(CreateError::Key)?;
        raw.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut raw);
        if raw.len() > MAX_TOKEN_BYTES {
            return Err(CreateError::TooLarge(raw.len()));
        }
        Ok(raw)
    }

    /// The kind of that name, for its lifetime and whether its use is remembered.
    pub fn kind(&self, name: &str) -> Option<Kind> {
        self.settings.kind(name)
    }

    fn set_jti(&self, payload: &mut Payload) -> Result<(), CreateError> {
        if let Some(claim) = &self.settings.jti_claim {
            payload.set(claim, uuid4_hex().map_err(CreateError::Key)?);
        }
        Ok(())
    }
}

/// As Python's `uuid4().hex`.
fn uuid4_hex() -> Result<String, KeyError> {
    let mut bytes = [0_u8; 16];
    crate::random::fill(&mut bytes).map_err(KeyError::Random)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Ok(super::hex(&bytes))
}

fn after(now: i64, lifetime: Duration) -> i64 {
    now.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX))
}
