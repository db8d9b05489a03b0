//! The tokens of `djangorestframework-simplejwt`, byte for byte: so that a Django project and Gatepost make and take
//! the same ones, under the same `SIMPLE_JWT` settings.
//!
//! Read in the source of 5.5.1 and compared with it running. What it accepts and nobody makes (other alphabets of
//! base64, claims that stand there twice) is refused here; what makes it answer 500 is a refusal, too.
//!
//! Whether a token is blacklisted takes a database, and is asked *between* the two halves of a check, as there:
//!
//! ```
//! use gatepost_tokens::simplejwt::{Settings, SimpleJwt, TokenError, UserId};
//!
//! let jwt = SimpleJwt::new(Settings::new("django-insecure-a-secret-key-of-some-length"))?;
//! let refresh = jwt.for_user("refresh", &UserId::from(42), None)?;
//! let raw = jwt.encode(&refresh)?;
//!
//! let read = jwt.decode(&raw)?;
//! let blacklisted = jwt.jti(&read)? == "what the table says";
//! if blacklisted { return Err(TokenError::Blacklisted.into()); }
//! jwt.verify(&read, "refresh")?;
//! assert_eq!(jwt.user_id(&read), Some(UserId::from("42")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod mint;
mod payload;
mod settings;

use std::fmt::{self, Write as _};
use std::sync::Arc;

use md5::{Digest as _, Md5};
use subtle::ConstantTimeEq as _;

pub use check::TokenError;
pub use payload::{Payload, UserId};
pub use settings::{Audience, Kind, Settings, SettingsError, UserIdType};

use crate::clock::Clock;
use crate::signing_key::SigningKey;

/// Makes and checks tokens as simplejwt does under these settings. Without I/O.
#[derive(Clone)]
pub struct SimpleJwt {
    settings: Arc<Settings>,
    key: SigningKey,
    clock: Clock,
}

impl SimpleJwt {
    /// As these settings say, by the machine's clock.
    ///
    /// # Errors
    /// [`SettingsError`] for what can't be done as it is set; nothing is left out silently.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let key = settings.key()?;
        Ok(Self {
            settings: Arc::new(settings),
            key,
            clock: Clock::system(),
        })
    }

    /// Another clock than the machine's.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The same at this second, for what is made together.
    #[cfg(feature = "store")]
    pub(crate) fn at(&self, now: i64) -> Self {
        self.clone().with_clock(Clock::new(move || now))
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The claim that ties a token to a password: MD5, in upper case, of the string that Django keeps
    /// (`pbkdf2_sha256$...`). It is what simplejwt writes and therefore what has to be compared; it protects nothing
    /// by itself, since the token is signed (ASVS 11.4.1 forbids MD5 for anything that does).
    pub fn password_claim(encoded: &str) -> String {
        hex(&Md5::digest(encoded.as_bytes())).to_ascii_uppercase()
    }

    /// Whether the token was made under this password: always, unless `check_revoke_token` is set.
    pub fn password_stands(&self, payload: &Payload, encoded: &str) -> bool {
        if !self.settings.check_revoke_token {
            return true;
        }
        let claimed = payload.text(&self.settings.revoke_token_claim);
        claimed.is_some_and(|claimed| {
            claimed
                .as_bytes()
                .ct_eq(Self::password_claim(encoded).as_bytes())
                .into()
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl fmt::Debug for SimpleJwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimpleJwt")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
