//! `SIMPLE_JWT`, setting by setting. Those that name Python classes have no meaning here and are left out:
//! `JSON_ENCODER`, `USER_AUTHENTICATION_RULE`, `TOKEN_USER_CLASS` and the `*_SERIALIZER`s.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};

use crate::algorithm::Algorithm;
use crate::error::KeyError;
use crate::signing_key::SigningKey;

/// The settings of a project, with simplejwt's defaults (5.5.1).
#[derive(Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are the settings of another program, one by one"
)]
pub struct Settings {
    /// `ACCESS_TOKEN_LIFETIME`: 5 min.
    pub access_token_lifetime: Duration,
    /// `REFRESH_TOKEN_LIFETIME`: 1 day.
    pub refresh_token_lifetime: Duration,
    /// `ROTATE_REFRESH_TOKENS`: no. For who answers the routes.
    pub rotate_refresh_tokens: bool,
    /// `BLACKLIST_AFTER_ROTATION`: no (yes before 5.0). For who answers the routes.
    pub blacklist_after_rotation: bool,
    /// `UPDATE_LAST_LOGIN`: no. For who answers the routes.
    pub update_last_login: bool,
    /// `ALGORITHM`: HS256.
    pub algorithm: Algorithm,
    /// `SIGNING_KEY`: the project's `SECRET_KEY`, 32 bytes or more. With another algorithm than HS*: a private key as PEM,
    /// or as JSON (RFC 7517).
    pub signing_key: SecretString,
    /// `VERIFYING_KEY`: empty. HS* verifies with the signing key whatever stands here, as there; the others with the
    /// public half of the signing key, and another one is refused.
    pub verifying_key: String,
    /// `AUDIENCE`: none; claim `aud`. Of several, any one is enough.
    pub audience: Option<Audience>,
    /// `ISSUER`: none; claim `iss`.
    pub issuer: Option<String>,
    /// `JWK_URL`: none. Another one is refused: nothing is fetched here.
    pub jwk_url: Option<String>,
    /// `LEEWAY`: 0, in whole seconds.
    pub leeway: Duration,
    /// `AUTH_HEADER_TYPES`: `Bearer`, in this case only. For who reads the header.
    pub auth_header_types: Vec<String>,
    /// `AUTH_HEADER_NAME`: `HTTP_AUTHORIZATION`. For who reads the header.
    pub auth_header_name: String,
    /// `USER_ID_FIELD`: `id`. For who reads the user table: see [`user_id_column`](Self::user_id_column).
    pub user_id_field: String,
    /// `USER_ID_CLAIM`: `user_id`.
    pub user_id_claim: String,
    /// How a new token writes the user: a string as since 5.5.1, or a number as before. Both are read.
    pub user_id_type: UserIdType,
    /// `AUTH_TOKEN_CLASSES`, by their types: `access`.
    pub auth_token_types: Vec<String>,
    /// `TOKEN_TYPE_CLAIM`: `token_type`; none: types are not told apart.
    pub token_type_claim: Option<String>,
    /// `JTI_CLAIM`: `jti`; none: tokens need no identity, and can't be blacklisted.
    pub jti_claim: Option<String>,
    /// `SLIDING_TOKEN_REFRESH_EXP_CLAIM`: `refresh_exp`.
    pub sliding_token_refresh_exp_claim: String,
    /// `SLIDING_TOKEN_LIFETIME`: 5 min.
    pub sliding_token_lifetime: Duration,
    /// `SLIDING_TOKEN_REFRESH_LIFETIME`: 1 day.
    pub sliding_token_refresh_lifetime: Duration,
    /// `CHECK_REVOKE_TOKEN`: no; else tokens die with the password they were made under.
    pub check_revoke_token: bool,
    /// `REVOKE_TOKEN_CLAIM`: `hash_password`.
    pub revoke_token_claim: String,
    /// `CHECK_USER_IS_ACTIVE`: yes. For who loads the user.
    pub check_user_is_active: bool,
    /// The project's own subclasses of `Token`: those of the Python services.
    pub kinds: Vec<Kind>,
}

/// Whom the tokens are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// One name, written as a string.
    One(String),
    /// Several, written as a list.
    Several(Vec<String>),
}

/// How a user's id stands in a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserIdType {
    /// `"42"`: simplejwt 5.5.1 and later.
    String,
    /// `42`: before that, for keys that are numbers. Others are written as strings.
    Integer,
}

/// A subclass of `Token`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// `token_type`.
    pub name: String,
    /// `lifetime`.
    pub lifetime: Duration,
    /// Whether it mixes in `BlacklistMixin`.
    pub blacklisted: bool,
}

impl Settings {
    /// The column that tokens name a user by, if `USER_ID_FIELD` is another than `id` or `pk`, the primary key.
    pub fn user_id_column(&self) -> Option<&str> {
        Some(self.user_id_field.as_str()).filter(|field| !matches!(*field, "id" | "pk"))
    }

    /// simplejwt's defaults with this `SIGNING_KEY`, and the three kinds of the Python services.
    pub fn new(signing_key: impl Into<SecretString>) -> Self {
        let kind = |name: &str, minutes| Kind {
            name: name.to_owned(),
            lifetime: Duration::from_mins(minutes),
            blacklisted: true,
        };
        Self {
            access_token_lifetime: Duration::from_mins(5),
            refresh_token_lifetime: Duration::from_hours(24),
            rotate_refresh_tokens: false,
            blacklist_after_rotation: false,
            update_last_login: false,
            algorithm: Algorithm::Hs256,
            signing_key: signing_key.into(),
            verifying_key: String::new(),
            audience: None,
            issuer: None,
            jwk_url: None,
            leeway: Duration::ZERO,
            auth_header_types: vec!["Bearer".to_owned()],
            auth_header_name: "HTTP_AUTHORIZATION".to_owned(),
            user_id_field: "id".to_owned(),
            user_id_claim: "user_id".to_owned(),
            user_id_type: UserIdType::String,
            auth_token_types: vec!["access".to_owned()],
            token_type_claim: Some("token_type".to_owned()),
            jti_claim: Some("jti".to_owned()),
            sliding_token_refresh_exp_claim: "refresh_exp".to_owned(),
            sliding_token_lifetime: Duration::from_mins(5),
            sliding_token_refresh_lifetime: Duration::from_hours(24),
            check_revoke_token: false,
            revoke_token_claim: "hash_password".to_owned(),
            check_user_is_active: true,
            kinds: vec![
                kind("activate", 30),
                kind("change_password", 30),
                kind("socket", 3),
            ],
        }
    }

    /// The kind of that name: `access`, `refresh`, `sliding`, or one of the project's own.
    pub fn kind(&self, name: &str) -> Option<Kind> {
        let (lifetime, blacklisted) = match name {
            "access" => (self.access_token_lifetime, false),
            "refresh" => (self.refresh_token_lifetime, true),
            "sliding" => (self.sliding_token_lifetime, true),
            _ => return self.kinds.iter().find(|kind| kind.name == name).cloned(),
        };
        Some(Kind {
            name: name.to_owned(),
            lifetime,
            blacklisted,
        })
    }

    pub(super) fn key(&self) -> Result<SigningKey, SettingsError> {
        if self.jwk_url.is_some() {
            return Err(SettingsError::Unsupported("JWK_URL", "nothing is fetched here"));
        }
        if self.leeway.subsec_nanos() != 0 {
            return Err(SettingsError::Unsupported("LEEWAY", "whole seconds only"));
        }
        if let Some(Audience::Several(names)) = &self.audience
            && names.is_empty()
        {
            return Err(SettingsError::Unsupported(
                "AUDIENCE",
                "an empty list would refuse every token",
            ));
        }
        let taken = |kind: &Kind| ["access", "refresh", "sliding", "untyped"].contains(&kind.name.as_str());
        if self.kinds.iter().any(taken) {
            return Err(SettingsError::Unsupported(
                "token_type",
                "a kind of the project's own has a name of simplejwt's",
            ));
        }
        let secret = self.signing_key.expose_secret();
        if !self.algorithm.is_public() {
            return Ok(SigningKey::hmac_of_any_length(self.algorithm, secret.as_bytes())?);
        }
        let key = if secret.trim_start().starts_with('{') {
            SigningKey::from_jwk(secret)?
        } else {
            pem(self.algorithm, secret)?
        };
        if !self.verifying_key.is_empty() && !is_half_of(&self.verifying_key, &key) {
            return Err(SettingsError::Unsupported(
                "VERIFYING_KEY",
                "it is not the public half of SIGNING_KEY, which is what verifies here",
            ));
        }
        if key.algorithm() != self.algorithm {
            return Err(SettingsError::Unsupported(
                "ALGORITHM",
                "SIGNING_KEY is for another one",
            ));
        }
        Ok(key)
    }
}

#[cfg(feature = "asymmetric")]
fn pem(algorithm: Algorithm, text: &str) -> Result<SigningKey, KeyError> {
    SigningKey::from_pem(algorithm, text)
}

#[cfg(not(feature = "asymmetric"))]
fn pem(algorithm: Algorithm, _text: &str) -> Result<SigningKey, KeyError> {
    Err(KeyError::Unsupported(algorithm))
}

/// Whether the PEM is of the key's public half: its numbers stand in there as they are.
fn is_half_of(public: &str, key: &SigningKey) -> bool {
    let lines = public
        .lines()
        .filter(|line| !line.trim_start().starts_with("-----"));
    let text: String = lines
        .flat_map(str::chars)
        .filter(|c| !c.is_whitespace())
        .collect();
    let (Ok(der), Some(jwk)) = (STANDARD.decode(text), key.public_jwk()) else {
        return false;
    };
    let number = |name: &str| {
        jwk.get(name)?
            .as_str()
            .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
    };
    let numbers: Vec<Vec<u8>> = ["n", "x", "y"].into_iter().filter_map(number).collect();
    let stands = |number: &Vec<u8>| {
        der.windows(number.len())
            .any(|window| window == number.as_slice())
    };
    !numbers.is_empty() && numbers.iter().all(stands)
}

/// Why nothing can be made or checked under these settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// `SIGNING_KEY` is no key for `ALGORITHM`, or shorter than 32 bytes.
    #[error("SIGNING_KEY: {0}")]
    Key(#[from] KeyError),
    /// A setting that can't be followed.
    #[error("{0} can't be followed: {1}")]
    Unsupported(&'static str, &'static str),
}

impl SettingsError {
    /// The key of Gatepost's configuration that is at fault.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Unsupported("JWK_URL", _) => "simplejwt.jwk_url",
            Self::Unsupported("LEEWAY", _) => "simplejwt.leeway",
            Self::Unsupported("AUDIENCE", _) => "simplejwt.audience",
            Self::Unsupported("VERIFYING_KEY", _) => "simplejwt.verifying_key",
            Self::Unsupported("ALGORITHM", _) => "simplejwt.algorithm",
            Self::Unsupported("token_type", _) => "tokens.purposes",
            Self::Unsupported(..) | Self::Key(_) => "simplejwt.signing_key",
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("algorithm", &self.algorithm.as_str())
            .field("audience", &self.audience)
            .field("issuer", &self.issuer)
            .field("kinds", &self.kinds)
            .finish_non_exhaustive()
    }
}
