//! [`Tokens`]: the keys, the names and the clock that every token of one issuer shares.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _};
use sha2::Sha256;

use crate::algorithm::Algorithm;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::PurposeError;
use crate::keys::Keys;
use crate::purpose::{Purpose, PurposeSpec, typ_of};
use crate::ring::SharedRing;

/// Makes and checks tokens, without I/O. Cheap to clone; clones share their keys.
#[derive(Clone)]
pub struct Tokens {
    pub(crate) issuer: Arc<str>,
    pub(crate) audience: Arc<str>,
    pub(crate) clock: Clock,
    keys: Arc<Keys>,
    /// The built-in purposes and those of configuration.
    known: Arc<BTreeMap<String, Arc<Keyed>>>,
    /// Keys besides those of the secret.
    pub(crate) ring: Arc<SharedRing>,
    /// Purposes that are only a type in the user's code: their keys, derived when first asked for.
    met: Arc<RwLock<BTreeMap<&'static str, Arc<Keyed>>>>,
}

/// A purpose with its keys, ready to sign and verify.
pub(crate) struct Keyed {
    pub(crate) spec: PurposeSpec,
    /// One a secret, in the order of [`Keys`]: the first signs, unless there is a ring.
    pub(crate) derived: Vec<Key>,
}

/// One HS256 key of one purpose.
pub(crate) struct Key {
    /// HMAC with the key already absorbed: cloned for each token.
    pub(crate) mac: Hmac<Sha256>,
    /// The encoded header and its dot. What verifies with this key starts with these very bytes, so algorithm,
    /// type and key id are compared, not parsed; nothing in a header can steer us (RFC 8725 3.1, 3.10, 3.11).
    pub(crate) header: String,
    /// Its name.
    pub(crate) kid: String,
    /// The fingerprint of the secret behind it.
    pub(crate) secret: String,
}

impl Tokens {
    /// Tokens of the issuer `gatepost` for the audience `gatepost`, by the machine's clock.
    pub fn new(keys: Keys) -> Self {
        let known = PurposeSpec::built_in()
            .into_iter()
            .map(|spec| (spec.name.clone(), Arc::new(Keyed::new(spec, &keys))))
            .collect();
        Self {
            issuer: "gatepost".into(),
            audience: "gatepost".into(),
            clock: Clock::system(),
            keys: Arc::new(keys),
            known: Arc::new(known),
            ring: Arc::default(),
            met: Arc::default(),
        }
    }

    /// Tokens as configured.
    pub fn configured(keys: Keys, config: &Config) -> Result<Self, PurposeError> {
        let tokens = Self::new(keys).issuer(&config.issuer).audience(&config.audience);
        config
            .purposes
            .iter()
            .try_fold(tokens, |tokens, spec| tokens.purpose(spec.clone()))
    }

    /// Who makes the tokens: claim `iss`. Tokens of another issuer are refused.
    #[must_use]
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// Whom the tokens are for: claim `aud`. Tokens for another audience are refused.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.audience = audience.into();
        self
    }

    /// Another clock than the machine's.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Adds a purpose that is only known at run time, or gives a known one another lifetime.
    pub fn purpose(mut self, spec: PurposeSpec) -> Result<Self, PurposeError> {
        spec.validate()?;
        let keyed = Arc::new(Keyed::new(spec, &self.keys));
        Arc::make_mut(&mut self.known).insert(keyed.spec.name.clone(), keyed);
        Ok(self)
    }

    /// Every purpose that has a name here: the built-in ones and those added by [`purpose`](Self::purpose).
    pub fn purposes(&self) -> impl Iterator<Item = &PurposeSpec> {
        self.known.values().map(|keyed| &keyed.spec)
    }

    /// The purpose of that name.
    pub fn purpose_named(&self, name: &str) -> Option<&PurposeSpec> {
        self.known.get(name).map(|keyed| &keyed.spec)
    }

    /// The keys behind the tokens.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The clock that the tokens go by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn keyed<P: Purpose>(&self) -> Arc<Keyed> {
        if let Some(keyed) = self.known.get(P::NAME) {
            return Arc::clone(keyed);
        }
        if let Some(keyed) = self
            .met
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(P::NAME)
        {
            return Arc::clone(keyed);
        }
        let keyed = Arc::new(Keyed::new(PurposeSpec::of::<P>(), &self.keys));
        let mut met = self.met.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(met.entry(P::NAME).or_insert(keyed))
    }

    /// Name, purpose, and whether it is of the current secret, of every derived key.
    #[cfg(feature = "store")]
    pub(crate) fn derived_keys(&self) -> Vec<(String, String, bool)> {
        let met = self.met.read().unwrap_or_else(PoisonError::into_inner);
        let all = self.known.values().chain(met.values());
        all.flat_map(|keyed| {
            let derived = keyed.derived.iter().enumerate();
            derived.map(|(place, key)| (key.kid.clone(), keyed.spec.name.clone(), place == 0))
        })
        .collect()
    }

    /// The purpose whose own derived key would have written the header that this token begins with.
    pub(crate) fn keyed_by_header(&self, raw: &str) -> Option<Arc<Keyed>> {
        let its = |keyed: &&Arc<Keyed>| keyed.derived.iter().any(|key| raw.starts_with(&key.header));
        self.known.values().find(its).cloned()
    }

    /// As [`purpose_named`](Self::purpose_named), and the types that were used here before.
    pub(crate) fn keyed_named(&self, name: &str) -> Option<Arc<Keyed>> {
        let met = || {
            self.met
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .get(name)
                .cloned()
        };
        self.known.get(name).cloned().or_else(met)
    }
}

impl Keyed {
    fn new(spec: PurposeSpec, keys: &Keys) -> Self {
        let derived = keys.secrets().iter().map(|secret| Key {
            #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
            mac: Hmac::<Sha256>::new_from_slice(secret.signing_key(&spec.name).as_ref()).expect("any length"),
            header: encoded_header(Algorithm::Hs256, &typ_of(&spec.name), &secret.key_id(&spec.name)),
            kid: secret.key_id(&spec.name),
            secret: secret.fingerprint().to_owned(),
        });
        Self {
            derived: derived.collect(),
            spec,
        }
    }
}

/// `typ` and `kid` are ours and need no escaping: purpose names and base64url.
pub(crate) fn encoded_header(algorithm: Algorithm, typ: &str, kid: &str) -> String {
    let mut header =
        URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{algorithm}","typ":"{typ}","kid":"{kid}"}}"#));
    header.push('.');
    header
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
