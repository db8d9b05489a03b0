//! Making a token: claims in, signed text out.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac as _;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::claims::{SessionRef, Subject, Written};
use crate::error::CreateError;
use crate::jti::Jti;
use crate::purpose::{MAX_LIFETIME, Purpose};
use crate::ring::Entry;
use crate::tokens::{Key, Keyed, Tokens};

/// The longest token that is made or looked at. Web servers take about this much in one header line.
pub const MAX_TOKEN_BYTES: usize = 8192;

/// The longest subject, in bytes.
pub const MAX_SUBJECT_BYTES: usize = 255;

/// What a token shall say, beyond what its purpose fixes.
#[derive(Debug, Clone)]
pub struct NewToken<E = ()> {
    pub(crate) subject: Subject,
    pub(crate) extra: E,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) jti: Option<Jti>,
    pub(crate) session: Option<SessionRef>,
    pub(crate) generation: Option<i64>,
    pub(crate) keep_until: Option<i64>,
    /// Exactly these times instead of now and the lifetime.
    pub(crate) times: Option<(i64, i64)>,
    /// The fingerprint of the secret, or the name of the key in the ring, to sign with while it is known.
    pub(crate) secret: Option<String>,
}

impl NewToken<()> {
    /// A token about this subject that says nothing besides.
    pub fn new(subject: impl Into<Subject>) -> Self {
        Self {
            subject: subject.into(),
            extra: (),
            lifetime: None,
            jti: None,
            session: None,
            generation: None,
            keep_until: None,
            times: None,
            secret: None,
        }
    }
}

impl<E> NewToken<E> {
    /// What it says besides: the purpose's `Extra`, or a JSON object for a purpose that is only a name.
    pub fn extra<F>(self, extra: F) -> NewToken<F> {
        NewToken {
            subject: self.subject,
            extra,
            lifetime: self.lifetime,
            jti: self.jti,
            session: self.session,
            generation: self.generation,
            keep_until: self.keep_until,
            times: self.times,
            secret: self.secret,
        }
    }

    /// Another lifetime than the purpose's.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// An identity of your choice; see [`Jti::derived`].
    #[must_use]
    pub fn jti(mut self, jti: Jti) -> Self {
        self.jti = Some(jti);
        self
    }

    /// The generation of the subject; the store fills it in by itself.
    #[must_use]
    pub fn generation(mut self, generation: i64) -> Self {
        self.generation = Some(generation);
        self
    }

    /// The session that the token belongs to.
    #[must_use]
    pub fn session(mut self, sid: impl Into<String>, rotation: i64) -> Self {
        self.session = Some(SessionRef {
            sid: sid.into(),
            rotation,
        });
        self
    }

    /// Until when its use must be remembered (seconds since 1970), if another token with its `jti` may be made later.
    #[must_use]
    pub fn keep_until(mut self, seconds: i64) -> Self {
        self.keep_until = Some(seconds);
        self
    }

    /// From and until when it lives, exactly: the same bytes can be made again.
    #[must_use]
    #[cfg_attr(
        not(feature = "store"),
        expect(dead_code, reason = "only sessions repeat a token")
    )]
    pub(crate) fn times(mut self, issued_at: i64, expires_at: i64) -> Self {
        self.times = Some((issued_at, expires_at));
        self
    }

    /// Signed by the secret of this fingerprint, or the ring's key of this name, while it is known.
    #[must_use]
    #[cfg_attr(
        not(feature = "store"),
        expect(dead_code, reason = "only sessions repeat a token")
    )]
    pub(crate) fn signed_by(mut self, fingerprint: impl Into<String>) -> Self {
        self.secret = Some(fingerprint.into());
        self
    }
}

/// A token that was just made. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Minted {
    /// The token. Whoever holds it may do what it permits.
    pub raw: String,
    /// Its identity.
    pub jti: String,
    /// When it was made, in seconds since 1970.
    pub issued_at: i64,
    /// From when on it is dead, in seconds since 1970.
    pub expires_at: i64,
}

impl fmt::Debug for Minted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Minted")
            .field("jti", &self.jti)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

enum Signer<'k> {
    Derived(&'k Key),
    Ring(Arc<Entry>),
}

/// Header and payload, with room for the signature.
fn message(header: &str, payload: &[u8], room: usize) -> String {
    let mut raw = String::with_capacity(header.len() + payload.len().div_ceil(3) * 4 + room);
    raw.push_str(header);
    URL_SAFE_NO_PAD.encode_string(payload, &mut raw);
    raw
}

impl Tokens {
    /// A token for `P` about `subject`.
    pub fn create<P: Purpose<Extra = ()>>(&self, subject: impl Into<Subject>) -> Result<String, CreateError> {
        self.create_with::<P>(subject, ())
    }

    /// A token for `P` about `subject` that also says `extra`.
    pub fn create_with<P: Purpose>(
        &self,
        subject: impl Into<Subject>,
        extra: P::Extra,
    ) -> Result<String, CreateError> {
        Ok(self.mint::<P>(&NewToken::new(subject).extra(extra))?.raw)
    }

    /// A token for `P` with everything about it chosen.
    pub fn mint<P: Purpose>(&self, new: &NewToken<P::Extra>) -> Result<Minted, CreateError> {
        self.sign(&self.keyed::<P>(), new)
    }

    /// A token for the purpose of that name, which must be built in or from configuration.
    pub fn mint_named(&self, name: &str, new: &NewToken<Map<String, Value>>) -> Result<Minted, CreateError> {
        let keyed = self
            .keyed_named(name)
            .ok_or_else(|| CreateError::UnknownPurpose(name.to_owned()))?;
        if new.extra.is_empty() {
            return self.sign(&keyed, &new.clone().extra(()));
        }
        self.sign(&keyed, new)
    }

    fn sign<E: Serialize + 'static>(&self, keyed: &Keyed, new: &NewToken<E>) -> Result<Minted, CreateError> {
        let subject = new.subject.as_str();
        if subject.is_empty() || subject.len() > MAX_SUBJECT_BYTES || subject.chars().any(char::is_control) {
            return Err(CreateError::Subject);
        }
        let (issued_at, expires_at) = match new.times {
            Some(times) => times,
            None => self.times_from_now(new.lifetime.unwrap_or(keyed.spec.lifetime))?,
        };
        let jti = match &new.jti {
            Some(jti) => jti.clone(),
            None => Jti::random()?,
        };
        let nothing = TypeId::of::<E>() == TypeId::of::<()>();
        let payload = serde_json::to_vec(&Written {
            iss: &self.issuer,
            sub: subject,
            aud: &self.audience,
            exp: expires_at,
            iat: issued_at,
            jti: jti.as_str(),
            sid: new.session.as_ref().map(|session| session.sid.as_str()),
            rot: new.session.as_ref().map(|session| session.rotation),
            generation: new.generation,
            token_type: &keyed.spec.name,
            user_id: subject,
            keep: new.keep_until,
            ext: (!nothing).then_some(&new.extra),
        })
        .map_err(CreateError::Extra)?;

        let raw = match self.signer(keyed, new.secret.as_deref())? {
            Signer::Derived(key) => {
                let mut raw = message(&key.header, &payload, 44);
                let mut mac = key.mac.clone();
                mac.update(raw.as_bytes());
                raw.push('.');
                URL_SAFE_NO_PAD.encode_string(mac.finalize().into_bytes(), &mut raw);
                raw
            }
            Signer::Ring(entry) => {
                let mut raw = message(&entry.header, &payload, 88);
                let signature = entry.key.sign(raw.as_bytes()).map_err(CreateError::Key)?;
                raw.push('.');
                URL_SAFE_NO_PAD.encode_string(signature, &mut raw);
                raw
            }
        };
        if raw.len() > MAX_TOKEN_BYTES {
            return Err(CreateError::TooLarge(raw.len()));
        }
        Ok(Minted {
            raw,
            jti: jti.to_string(),
            issued_at,
            expires_at,
        })
    }

    /// Who signs now: the key that was asked for while it can be had, else the ring's newest for this purpose, else the
    /// secret's own. A purpose that has a key in the ring is not signed with the secret's again: others would not
    /// know how to verify that.
    fn signer<'k>(&self, keyed: &'k Keyed, wanted: Option<&str>) -> Result<Signer<'k>, CreateError> {
        let name = keyed.spec.name.as_str();
        let derived = |wanted: Option<&str>| {
            let named = |wanted: &str| keyed.derived.iter().find(|key| key.secret == wanted);
            wanted.and_then(named).unwrap_or(&keyed.derived[0])
        };
        let Some(ring) = self.ring.get() else {
            return Ok(Signer::Derived(derived(wanted)));
        };
        let now = self.clock.now();
        let chosen = wanted.and_then(|kid| ring.named(name, kid, now));
        if let Some(entry) = chosen.or_else(|| ring.signer(name, now)) {
            return Ok(Signer::Ring(Arc::clone(entry)));
        }
        [derived(wanted), derived(None)]
            .into_iter()
            .find(|key| !ring.is_retired(key))
            .map(Signer::Derived)
            .ok_or_else(|| CreateError::NoKey(name.to_owned()))
    }

    /// What a session remembers of the key that signs its refresh tokens now.
    #[cfg(feature = "store")]
    pub(crate) fn signer_of_refresh(&self) -> Result<String, CreateError> {
        let keyed = self.keyed::<crate::purpose::Refresh>();
        Ok(match self.signer(&keyed, None)? {
            Signer::Derived(key) => key.secret.clone(),
            Signer::Ring(entry) => entry.key.kid().to_owned(),
        })
    }

    fn times_from_now(&self, lifetime: Duration) -> Result<(i64, i64), CreateError> {
        if lifetime.as_secs() == 0 || lifetime > MAX_LIFETIME {
            return Err(CreateError::Lifetime(lifetime));
        }
        let now = self.clock.now();
        // No more than 366 days, as just seen.
        Ok((
            now,
            now.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)),
        ))
    }
}
