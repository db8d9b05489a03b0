//! What a token is for: a type in code, a claim, a header and a key of its own on the wire.
//!
//! A new purpose is one line of [`purpose!`](crate::purpose!), or one line of configuration
//! (`tokens.purposes.unsubscribe = { lifetime = "30d", one_time = false }`).

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::PurposeError;

/// The longest life that any token may be given: 366 days.
///
/// What the store remembers about dead tokens can be forgotten after that long, so it bounds every table.
pub const MAX_LIFETIME: Duration = Duration::from_hours(366 * 24);

/// What a token permits. Implemented by zero-sized types, with [`purpose!`](crate::purpose!).
pub trait Purpose: Send + Sync + 'static {
    /// The name on the wire: claim `token_type`, and `<name>+jwt` as header `typ`.
    /// Lower case letters, digits, `_`, `-` and `.`, a letter first, at most 48 bytes.
    const NAME: &'static str;
    /// How long a token lives, unless it is minted with a lifetime of its own.
    const LIFETIME: Duration;
    /// Whether verifying a token uses it up.
    const ONE_TIME: bool;
    /// What else the token says; `()` if nothing.
    type Extra: Serialize + DeserializeOwned + Send + Sync + 'static;
}

/// Declares a [`Purpose`].
///
/// ```
/// use std::time::Duration;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// pub struct NewsList { pub list: String }
///
/// gatepost_tokens::purpose!(
///     /// Leaves a mailing list, from the link at the end of every issue.
///     pub Unsubscribe = "unsubscribe", lifetime: Duration::from_secs(30 * 86_400), one_time: false, extra: NewsList
/// );
/// gatepost_tokens::purpose!(pub Download = "download", lifetime: Duration::from_mins(10), one_time: true);
/// ```
///
/// A name that could not travel is refused when it is compiled:
///
/// ```compile_fail
/// gatepost_tokens::purpose!(pub Bad = "Not A Name", lifetime: std::time::Duration::from_secs(60), one_time: true);
/// ```
#[macro_export]
macro_rules! purpose {
    ($(#[$meta:meta])* $vis:vis $type:ident = $name:literal, lifetime: $lifetime:expr, one_time: $one_time:expr $(,)?) => {
        $crate::purpose!($(#[$meta])* $vis $type = $name, lifetime: $lifetime, one_time: $one_time, extra: ());
    };
    ($(#[$meta:meta])* $vis:vis $type:ident = $name:literal, lifetime: $lifetime:expr, one_time: $one_time:expr, extra: $extra:ty $(,)?) => {
        $(#[$meta])*
        #[doc = concat!("\n\nThe purpose `", $name, "`.")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis struct $type;

        const _: () = assert!($crate::is_purpose_name($name), "not a name for a purpose: a-z, 0-9, _ - . and a letter first, at most 48 bytes, not `at` or `session`");

        impl $crate::Purpose for $type {
            const NAME: &'static str = $name;
            const LIFETIME: ::std::time::Duration = $lifetime;
            const ONE_TIME: bool = $one_time;
            type Extra = $extra;
        }
    };
}

/// Declares the purposes that every Gatepost knows, and the list of them, so that a new one is a line.
macro_rules! built_in {
    ($($(#[$meta:meta])* $type:ident = $name:literal, $lifetime:expr, one_time: $one_time:literal $(, extra: $extra:ty)?;)+) => {
        $(purpose!($(#[$meta])* pub $type = $name, lifetime: $lifetime, one_time: $one_time $(, extra: $extra)?);)+

        impl PurposeSpec {
            /// The purposes that every Gatepost knows.
            pub fn built_in() -> [Self; [$($name),+].len()] {
                [$(Self::of::<$type>()),+]
            }
        }
    };
}

built_in! {
    /// Confirms the address of a new account. 30 min, once, as in the Python services.
    Activate = "activate", Duration::from_mins(30), one_time: true;
    /// Sets a new password from the link of a letter. 30 min, once, as in the Python services.
    ChangePassword = "change_password", Duration::from_mins(30), one_time: true;
    /// Puts another address in the place of the account's. 30 min, once, as the other links.
    ChangeEmail = "change_email", Duration::from_mins(30), one_time: true, extra: EmailChange;
    /// Opens an account that somebody else has made, by choosing its password. 7 days, once: who is invited did not
    /// ask, and may be away.
    Invite = "invite", Duration::from_hours(7 * 24), one_time: true;
    /// Opens one WebSocket. 3 min, once: the lifetime of the Python services, which never checked it.
    Socket = "socket", Duration::from_mins(3), one_time: true;
    /// Calls the API. 60 min, as in the Python services.
    Access = "access", Duration::from_hours(1), one_time: false;
    /// Gets the next access token. 7 days, as in the Python services; its session decides how often it counts.
    Refresh = "refresh", Duration::from_hours(7 * 24), one_time: false;
}

/// What a token of [`ChangeEmail`] says besides: which of the changes that its user asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct EmailChange {
    /// The id of the change.
    pub change: String,
}

/// A purpose as data: one of the built-in ones, or one from configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurposeSpec {
    /// The name on the wire.
    pub name: String,
    /// How long a token lives.
    pub lifetime: Duration,
    /// Whether verifying a token uses it up.
    pub one_time: bool,
}

impl PurposeSpec {
    /// A purpose that is only known at run time.
    pub fn new(name: impl Into<String>, lifetime: Duration, one_time: bool) -> Result<Self, PurposeError> {
        let spec = Self {
            name: name.into(),
            lifetime,
            one_time,
        };
        spec.validate()?;
        Ok(spec)
    }

    /// The data of a purpose that is a type.
    pub fn of<P: Purpose>() -> Self {
        Self {
            name: P::NAME.to_owned(),
            lifetime: P::LIFETIME,
            one_time: P::ONE_TIME,
        }
    }

    /// The class whose generation cuts these tokens: `session` for access, refresh and socket,
    /// the purpose's own name for every other.
    pub fn class(&self) -> &str {
        class_of(&self.name)
    }

    pub(crate) fn validate(&self) -> Result<(), PurposeError> {
        if !is_purpose_name(&self.name) {
            return Err(PurposeError::Name(self.name.clone()));
        }
        if self.lifetime.as_secs() == 0 || self.lifetime > MAX_LIFETIME {
            return Err(PurposeError::Lifetime {
                name: self.name.clone(),
                lifetime: self.lifetime,
            });
        }
        match Self::built_in().iter().find(|own| own.name == self.name) {
            Some(own) if own.one_time != self.one_time => Err(PurposeError::BuiltIn(self.name.clone())),
            _ => Ok(()),
        }
    }
}

/// See [`PurposeSpec::class`].
pub(crate) fn class_of(name: &str) -> &str {
    match name {
        "access" | "refresh" | "socket" => "session",
        other => other,
    }
}

/// The media type of a purpose's tokens (RFC 8725 3.11); `at+jwt` is RFC 9068's for access tokens.
pub(crate) fn typ_of(name: &str) -> String {
    if name == Access::NAME {
        "at+jwt".to_owned()
    } else {
        format!("{name}+jwt")
    }
}

/// The inverse of [`typ_of`].
pub(crate) fn name_of_typ(typ: &str) -> Option<&str> {
    match typ.strip_suffix("+jwt")? {
        "at" => Some(Access::NAME),
        "access" => None,
        name => Some(name),
    }
}

/// Whether a purpose may have this name. `at` and `session` are taken by other things on the wire.
pub const fn is_purpose_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.len() > 48 || !bytes[0].is_ascii_lowercase() {
        return false;
    }
    let mut i = 0;
    while i < bytes.len() {
        if !matches!(bytes[i], b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.') {
            return false;
        }
        i += 1;
    }
    !matches!(bytes, b"at" | b"session")
}
