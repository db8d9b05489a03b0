//! Why a token is refused, and why one could not be made: each says what the caller can do.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why a token does not count. None of them says more than the bearer knows.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refused {
    /// Not a token of ours: wrong form, wrong signature, wrong issuer or audience.
    #[error("this is not a token of this issuer")]
    Malformed,
    /// It was good until its time ran out.
    #[error("the token has expired")]
    Expired,
    /// A one-time token that has done its work.
    #[error("the token has been used already")]
    Used,
    /// It, its session, or everything its user held was revoked.
    #[error("the token has been revoked")]
    Revoked,
    /// A token for something else than what was asked.
    #[error("the token is for another purpose")]
    WrongPurpose,
    /// Nobody could find out. Refuse, and try again later: this is the one that is transient.
    #[error("whether the token counts could not be found out")]
    Unavailable(#[source] Unavailable),
}

impl Refused {
    /// The stable name of the reason, as it stands in problem documents and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "token_malformed",
            Self::Expired => "token_expired",
            Self::Used => "token_used",
            Self::Revoked => "token_revoked",
            Self::WrongPurpose => "token_wrong_purpose",
            Self::Unavailable(_) => "dependency_unavailable",
        }
    }

    /// Whether the same token may count when it is shown again later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// Two refusals are equal if their codes are; causes are not compared.
impl PartialEq for Refused {
    fn eq(&self, other: &Self) -> bool {
        self.code() == other.code()
    }
}

impl Eq for Refused {}

/// What kept us from finding out; shared, since many waiting checks may fail for one cause.
#[derive(Clone)]
pub struct Unavailable(Arc<dyn Error + Send + Sync>);

impl Unavailable {
    /// Keeps the cause, to be read through `source()`.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::from(cause.into()))
    }
}

impl fmt::Debug for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for Unavailable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// Nobody can tell while the database does not answer.
#[cfg(feature = "store")]
impl From<gatepost_storage::Error> for Refused {
    fn from(error: gatepost_storage::Error) -> Self {
        Self::Unavailable(Unavailable::new(error))
    }
}

/// Why something about tokens could not be done. Whether a token counts is not told by this but by [`Refused`].
#[cfg(feature = "store")]
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The database.
    #[error(transparent)]
    Storage(#[from] gatepost_storage::Error),
    /// The token could not be made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// What is revoked could not be read.
    #[error("what is revoked could not be read")]
    Unavailable(#[source] Unavailable),
}

#[cfg(feature = "store")]
impl ServiceError {
    /// Whether the same call may work later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_transient(),
            Self::Create(error) => error.is_transient(),
            Self::Unavailable(_) => true,
        }
    }
}

/// Why the program must not start with this secret.
#[cfg(feature = "store")]
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The database knows another one.
    #[error(
        "this database's tokens were signed with another secret ({known}; this one is {ours}): set that one, or keep \
         it in `tokens.previous_secrets`, or accept the change with `gatepost key adopt`"
    )]
    Unknown {
        /// The fingerprint that the database knows.
        known: String,
        /// The fingerprint of the secret given.
        ours: String,
    },
    /// The database could not be asked.
    #[error(transparent)]
    Storage(#[from] gatepost_storage::Error),
}

/// Why something about the keys in the database could not be done.
#[cfg(feature = "store")]
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// The database.
    #[error(transparent)]
    Storage(#[from] gatepost_storage::Error),
    /// There can be no such key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No key has this name.
    #[error("no key is called `{0}`")]
    Unknown(String),
    /// There is a key of this name.
    #[error("there is a key called `{0}` already")]
    Known(String),
    /// Nothing else signs for one of its purposes.
    #[error("`{0}` is the key that signs: make its successor first (`gatepost key rotate`)")]
    InUse(String),
    /// Sealed with a secret that we do not have, or changed in the database.
    #[error(
        "key `{0}` was sealed with a secret that is not among ours (`tokens.previous_secrets`), or was changed"
    )]
    Sealed(String),
    /// Other instances were adding keys all the while.
    #[error("other instances are changing the keys at this moment")]
    Busy,
    /// The program ended while the key was searched for.
    #[error("the key could not be made")]
    Unmade(#[source] Unavailable),
    /// It is done, but what stands now could not be read.
    #[error("the keys could not be read")]
    Unread(#[source] Unavailable),
}

#[cfg(feature = "store")]
impl KeyStoreError {
    /// Whether the same call may work later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_transient(),
            Self::Key(error) => matches!(error, KeyError::Signing | KeyError::Random(_)),
            Self::Busy | Self::Unmade(_) | Self::Unread(_) => true,
            Self::Unknown(_) | Self::Known(_) | Self::InUse(_) | Self::Sealed(_) => false,
        }
    }
}

/// Why a token could not be made. None but [`Random`](Self::Random) goes away by itself.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The subject is empty, longer than 255 bytes, or has control characters.
    #[error("a subject is 1 to 255 bytes without control characters")]
    Subject,
    /// The lifetime is less than a second or more than [`MAX_LIFETIME`](crate::MAX_LIFETIME).
    #[error("a token lives for at least a second and at most 366 days, not for {0:?}")]
    Lifetime(Duration),
    /// No purpose of this name is known here.
    #[error("no purpose is called `{0}`: declare it in code or under `tokens.purposes`")]
    UnknownPurpose(String),
    /// The extra claims can't be written as JSON.
    #[error("the extra claims can't be written as JSON")]
    Extra(#[source] serde_json::Error),
    /// The extra claims would make a token longer than [`MAX_TOKEN_BYTES`](crate::MAX_TOKEN_BYTES).
    #[error("the token would have {0} bytes; none over 8192 is ever accepted")]
    TooLarge(usize),
    /// Every key that could sign for this purpose was retired.
    #[error("no key signs `{0}` any more: make one with `gatepost key generate`")]
    NoKey(String),
    /// The key did not sign.
    #[error("the token could not be signed")]
    Key(#[source] KeyError),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random(#[source] getrandom::Error),
}

impl CreateError {
    /// Whether the same call may work later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Random(_) | Self::Key(KeyError::Signing | KeyError::Random(_))
        )
    }
}

/// Why a secret or a key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// HS256 wants at least as many bytes as its hash has (RFC 7518 3.2), and no human password (RFC 8725 3.5).
    #[error("the secret has {0} bytes; it takes at least 32, made at random: `openssl rand -base64 32`")]
    TooShort(usize),
    /// The same secret or key is given twice.
    #[error("the same secret or key is given twice")]
    Twice,
    /// No algorithm of ours has this name.
    #[error("no algorithm is called `{0}`: HS, RS or PS with 256, 384 or 512, ES256, ES384 or EdDSA")]
    UnknownAlgorithm(String),
    /// This build has no keys with a public half.
    #[error("{0} needs a build with the feature `asymmetric`")]
    Unsupported(crate::algorithm::Algorithm),
    /// The JSON is not a private key that can be used.
    #[error("this is not a private key as JSON (RFC 7517): {0}")]
    Jwk(&'static str),
    /// The text is not a private key that can be used.
    #[error("this is not a private key as PEM: {0}")]
    Pem(&'static str),
    /// A key is for at least one purpose, by its name.
    #[error("`{0}` are not purposes: a key is for one or more, by their names")]
    Purposes(String),
    /// The system gave no random bytes for the signature.
    #[error("the key could not sign: the system gave no random bytes")]
    Signing,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random(#[source] getrandom::Error),
}

/// Why a purpose can't be had.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PurposeError {
    /// The name could not travel.
    #[error(
        "`{0}` can't name a purpose: a-z, 0-9, `_`, `-`, `.`, a letter first, at most 48 bytes, not `at` or `session`"
    )]
    Name(String),
    /// The lifetime is out of bounds.
    #[error(
        "purpose `{name}`: a token lives for at least a second and at most 366 days, not for {lifetime:?}"
    )]
    Lifetime {
        /// The purpose.
        name: String,
        /// What was asked.
        lifetime: Duration,
    },
    /// Whether a built-in purpose is used once is a promise of the program.
    #[error("purpose `{0}` is built in: its lifetime can be set, `one_time` can't")]
    BuiltIn(String),
}
