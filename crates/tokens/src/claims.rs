//! What a token says: the claims in memory, and how they stand on the wire.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::Refused;
use crate::purpose::{Purpose, PurposeSpec};

/// Whom a token is about: 1 to 255 bytes, usually the id of a user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subject(pub(crate) String);

impl Subject {
    /// The text as it stands in the claims.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What every token says, whatever it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Whom it is about (`sub`, and again as `user_id`, which the Python services read).
    pub subject: String,
    /// Its own identity (`jti`).
    pub jti: String,
    /// When it was made, in seconds since 1970 (`iat`).
    pub issued_at: i64,
    /// From when on it is dead, in seconds since 1970 (`exp`).
    pub expires_at: i64,
    /// The session it belongs to (`sid`, `rot`).
    pub session: Option<SessionRef>,
    /// The generation of its subject when it was made (`gen`); none if it was made without a store.
    pub generation: Option<i64>,
    /// Until when its use must be remembered, if longer than it lives itself (`keep`): a letter that was sent
    /// twice has two tokens of one `jti`, and the second may outlive the first.
    pub keep_until: Option<i64>,
}

/// Which session a token belongs to, and to which of its rotations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRef {
    /// The session's id.
    pub sid: String,
    /// The session's rotation number when the token was made.
    pub rotation: i64,
}

impl Claims {
    /// The subject as your own type of id.
    ///
    /// A subject that does not parse is [`Refused::Malformed`]: the token is nothing that you made.
    pub fn subject<T: FromStr>(&self) -> Result<T, Refused> {
        self.subject.parse().map_err(|_| Refused::Malformed)
    }

    /// The subject as text.
    pub fn user_id(&self) -> &str {
        &self.subject
    }
}

/// A checked token for `P`. It can only be had by checking one, and does not go where another is asked for.
pub struct Token<P: Purpose> {
    /// What every token says.
    pub claims: Claims,
    /// What tokens of this purpose say besides.
    pub extra: P::Extra,
    pub(crate) purpose: PhantomData<fn() -> P>,
}

/// A checked token whose purpose is only known at run time.
#[derive(Debug, Clone, PartialEq)]
pub struct AnyToken {
    /// What it is for.
    pub purpose: PurposeSpec,
    /// What every token says.
    pub claims: Claims,
    /// What this one says besides.
    pub extra: Map<String, Value>,
}

#[cfg(all(feature = "simplejwt", feature = "store"))]
impl AnyToken {
    /// The same as a token of the purpose that was asked for.
    pub(crate) fn into_typed<P: Purpose>(self) -> Result<Token<P>, Refused> {
        // Claims that nobody asked for are as if they were not there.
        let extra = serde_json::from_value(Value::Object(self.extra))
            .or_else(|_| serde_json::from_value(Value::Null))
            .map_err(|_| Refused::Malformed)?;
        Ok(Token {
            claims: self.claims,
            extra,
            purpose: PhantomData,
        })
    }
}

impl<P: Purpose> Deref for Token<P> {
    type Target = Claims;

    fn deref(&self) -> &Claims {
        &self.claims
    }
}

impl Deref for AnyToken {
    type Target = Claims;

    fn deref(&self) -> &Claims {
        &self.claims
    }
}

impl<P: Purpose> fmt::Debug for Token<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("purpose", &P::NAME)
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}

impl<P: Purpose> Clone for Token<P>
where
    P::Extra: Clone,
{
    fn clone(&self) -> Self {
        Self {
            claims: self.claims.clone(),
            extra: self.extra.clone(),
            purpose: PhantomData,
        }
    }
}

/// The payload as it is written. The order is CONTRACT's; absent claims are left out.
#[derive(Serialize)]
pub(crate) struct Written<'a, E> {
    pub(crate) iss: &'a str,
    pub(crate) sub: &'a str,
    pub(crate) aud: &'a str,
    pub(crate) exp: i64,
    pub(crate) iat: i64,
    pub(crate) jti: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rot: Option<i64>,
    #[serde(rename = "gen", skip_serializing_if = "Option::is_none")]
    pub(crate) generation: Option<i64>,
    pub(crate) token_type: &'a str,
    pub(crate) user_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keep: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ext: Option<&'a E>,
}

/// The payload as it is read: in one pass, borrowing what needs no unescaping. The derived visitor refuses
/// a claim that stands there twice (RFC 7519 4).
#[derive(Deserialize)]
#[serde(bound(deserialize = "E: Deserialize<'de>"))]
pub(crate) struct Read<'a, E> {
    #[serde(borrow)]
    pub(crate) iss: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) sub: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) aud: Cow<'a, str>,
    pub(crate) exp: i64,
    pub(crate) iat: i64,
    #[serde(default)]
    pub(crate) nbf: Option<i64>,
    #[serde(borrow)]
    pub(crate) jti: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) sid: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(crate) rot: Option<i64>,
    #[serde(rename = "gen", default)]
    pub(crate) generation: Option<i64>,
    #[serde(borrow)]
    pub(crate) token_type: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) user_id: Cow<'a, str>,
    #[serde(default)]
    pub(crate) keep: Option<i64>,
    #[serde(default = "absent")]
    pub(crate) ext: Option<E>,
}

fn absent<E>() -> Option<E> {
    None
}

impl From<&str> for Subject {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<&String> for Subject {
    fn from(text: &String) -> Self {
        Self(text.clone())
    }
}

impl From<String> for Subject {
    fn from(text: String) -> Self {
        Self(text)
    }
}

#[cfg(feature = "store")]
impl From<uuid::Uuid> for Subject {
    fn from(id: uuid::Uuid) -> Self {
        Self(id.to_string())
    }
}

macro_rules! subject_from_number {
    ($($number:ty),*) => {$(
        impl From<$number> for Subject {
            fn from(id: $number) -> Self {
                Self(id.to_string())
            }
        }
    )*};
}
subject_from_number!(i32, i64, u32, u64);
