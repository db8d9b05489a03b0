//! Prove who may do what, for one purpose, for a while.
//!
//! A token is a signed statement (a JWT, RFC 7519) about one subject, for one *purpose*. Purposes are types, so a
//! token that activates an account does not go where one that opens a socket is asked for, neither in code nor on
//! the wire: each purpose has a key, a header `typ` and a claim `token_type` of its own (RFC 8725 3.11, 3.12).
//!
//! By default the crate is pure: claims, keys, purpose and time in, a typed token or a typed refusal out. No I/O,
//! no database, no runtime, no C.
//!
//! ```
//! use gatepost_tokens::{Access, Activate, Keys, Refused, Tokens};
//!
//! let tokens = Tokens::new(Keys::from_secret("0123456789abcdef0123456789abcdef")?).issuer("https://api.example.com");
//!
//! let raw = tokens.create::<Activate>(42)?;
//! let token = tokens.check::<Activate>(&raw)?;
//! assert_eq!(token.subject::<i64>()?, 42);
//!
//! assert_eq!(tokens.check::<Access>(&raw).unwrap_err(), Refused::WrongPurpose);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Your own purpose is one line, with claims of its own if it needs them:
//!
//! ```
//! use std::time::Duration;
//! use gatepost_tokens::{Keys, Tokens, purpose};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct NewsList { list: String }
//!
//! purpose!(Unsubscribe = "unsubscribe", lifetime: Duration::from_secs(30 * 86_400), one_time: false, extra: NewsList);
//!
//! let tokens = Tokens::new(Keys::from_secret("0123456789abcdef0123456789abcdef")?);
//! let raw = tokens.create_with::<Unsubscribe>(42, NewsList { list: "weekly".into() })?;
//! assert_eq!(tokens.check::<Unsubscribe>(&raw)?.extra.list, "weekly");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//! - `asymmetric`: keys that others can verify with (RS, PS, ES256, ES384, `EdDSA`), by `ring`.
//! - `store`: one-time use inside your own transaction, sessions, revocation within a second; needs a database.
//! - `simplejwt`: the tokens of djangorestframework-simplejwt, byte for byte.
//! - `axum`: the extractor `Bearer<P>`.
//! - `testing`: a clock that stands still.
//!
//! # What is where
//! [`Tokens`] makes ([`create`](Tokens::create), [`mint`](Tokens::mint)) and checks ([`check`](Tokens::check),
//! [`check_any`](Tokens::check_any)); [`Keys`] holds the secret, [`KeyRing`] keys of their own and [`Tokens::jwks`] their public halves; [`purpose!`] and [`PurposeSpec`] say what a token
//! is for; [`Refused`] says why one does not count. With `store`, `TokenService` does the rest: `verify` uses a token
//! up, `start_session` and `refresh` keep sessions, `revoke_all` ends everything a subject holds, `check_access` asks
//! memory only. `docs/tokens.md` has the rules and the formats.

mod algorithm;
#[cfg(feature = "asymmetric")]
mod asymmetric;
#[cfg(feature = "axum")]
mod bearer;
mod check;
mod claims;
mod clock;
mod config;
#[cfg(feature = "store")]
mod consume;
#[cfg(feature = "store")]
mod counts;
#[cfg(feature = "asymmetric")]
mod curve;
#[cfg(all(feature = "simplejwt", feature = "store"))]
pub mod dialect;
#[cfg(feature = "store")]
mod ended;
mod error;
mod inspect;
mod issue;
mod jti;
mod jwk;
#[cfg(feature = "store")]
mod keeper;
#[cfg(feature = "store")]
mod key_change;
#[cfg(feature = "store")]
mod key_rotation;
#[cfg(feature = "store")]
mod key_store;
mod keys;
#[cfg(feature = "asymmetric")]
mod pem;
mod purpose;
mod random;
#[cfg(feature = "store")]
mod refresh;
#[cfg(feature = "store")]
mod revocations;
#[cfg(feature = "store")]
mod revoke;
mod ring;
#[cfg(feature = "store")]
mod ring_plan;
#[cfg(feature = "asymmetric")]
mod rsa_key;
#[cfg(feature = "store")]
mod seal;
#[cfg(feature = "store")]
mod secret;
#[cfg(feature = "store")]
mod service;
#[cfg(feature = "store")]
mod sessions;
#[cfg(feature = "store")]
mod sight;
mod signing_key;
#[cfg(feature = "simplejwt")]
pub mod simplejwt;
#[cfg(feature = "store")]
mod sweep;
#[cfg(feature = "store")]
mod table;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod tokens;
#[cfg(feature = "store")]
mod view;

pub use algorithm::Algorithm;
#[cfg(feature = "axum")]
pub use bearer::{Bearer, BearerRejection};
pub use claims::{AnyToken, Claims, SessionRef, Subject, Token};
pub use clock::Clock;
pub use config::{Config, SessionLimits};
#[cfg(feature = "store")]
pub use counts::TokenCount;
#[cfg(feature = "store")]
pub use ended::SessionsEnded;
pub use error::{CreateError, KeyError, PurposeError, Refused, Unavailable};
#[cfg(feature = "store")]
pub use error::{KeyStoreError, SecretError, ServiceError};
pub use inspect::Inspected;
pub use issue::{MAX_SUBJECT_BYTES, MAX_TOKEN_BYTES, Minted, NewToken};
pub use jti::Jti;
#[cfg(feature = "store")]
pub use key_change::KeyChange;
#[cfg(feature = "store")]
pub use key_store::{ANNOUNCED_AT_LEAST, ANNOUNCED_FOR, KeyInfo};
pub use keys::{DerivedKey, Keys, MIN_SECRET_BYTES};
pub use purpose::{
    Access, Activate, ChangeEmail, ChangePassword, EmailChange, Invite, MAX_LIFETIME, Purpose, PurposeSpec,
    Refresh, Socket, is_purpose_name,
};
#[cfg(feature = "store")]
pub use refresh::{Reuse, Rotation};
#[cfg(feature = "store")]
pub use revocations::Revocations;
pub use ring::{KeyRing, RingKey};
#[cfg(feature = "store")]
pub use ring_plan::KeyState;
#[cfg(feature = "store")]
pub use service::TokenService;
#[cfg(feature = "store")]
pub use sessions::{EndReason, Grant, NewSession, Session};
pub use signing_key::SigningKey;
#[cfg(feature = "store")]
pub use sweep::Swept;
pub use tokens::Tokens;
