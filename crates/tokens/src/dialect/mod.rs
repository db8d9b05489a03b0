//! simplejwt's dialect with a store: its tokens made, used, refreshed and revoked beside a Django that does the same
//! in the same tables.
//!
//! [`TokenService::with_simplejwt`] switches it on; from there on the service's own functions take both kinds of
//! tokens, each by its rules, and make the kind that is [spoken](Mode). What only simplejwt's routes do (their bodies
//! say exactly why a token was refused) is here: [`obtain_in`](TokenService::obtain_in),
//! [`renew_in`](TokenService::renew_in), [`verify_any_in`](TokenService::verify_any_in),
//! [`blacklist_in`](TokenService::blacklist_in), [`slide_in`](TokenService::slide_in).
//!
//! **Families.** A token of simplejwt has no place for a session. Its `jti` is 122 random bits; here the first 60 are the
//! family's and the rest are drawn for each token. So refresh tokens and the access tokens made with them belong
//! together and nothing is added to the format. A refresh token of Django's opens its family when it is first seen.
//!
//! **Cuts.** These tokens have no generation: what ends all of a user's is a second. Whatever was made in it or before
//! is dead, and the next token for that user is dated the second after and [given out](TokenService::ripe) then.

mod cut;
mod family;
mod give;
mod outcome;
mod routes;
mod sessions;
mod take;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gatepost_storage::{Error, Tx, TxFuture};

pub(crate) use cut::EVERY_KIND;
pub use outcome::{Obtained, Renewed, RouteError};

use crate::check::claimed_purpose;
use crate::error::{Refused, Unavailable};
use crate::service::TokenService;
use crate::simplejwt::{SimpleJwt, TokenError};

/// What new tokens are, and what else is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// New tokens are simplejwt's. Ours for `access`, `refresh` and `socket` are taken only if `accept_ours`; a refresh
    /// token of ours is then exchanged for tokens of theirs. (Links in letters are ours in any case.)
    Speak {
        /// Whether ours are still taken.
        accept_ours: bool,
    },
    /// New tokens are ours; theirs are taken, and a refresh token of theirs is exchanged for tokens of ours.
    Accept,
}

/// What a check has to know of a user.
#[derive(Clone)]
pub struct Account {
    /// What the user is called here: not what the token says, if the accounts have moved since it was made.
    pub subject: String,
    /// Whether the account may be used.
    pub active: bool,
    /// The password as it is stored, in Django's form.
    pub password: String,
}

/// Hashes stay out of logs.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

type Lookup =
    dyn for<'a, 'c> Fn(&'a mut Tx<'c>, String) -> TxFuture<'a, Option<Account>, Error> + Send + Sync;
type Names = dyn for<'a, 'c> Fn(&'a mut Tx<'c>, String) -> TxFuture<'a, Vec<String>, Error> + Send + Sync;

/// How users are found.
#[derive(Clone)]
pub struct Accounts {
    lookup: Arc<Lookup>,
    names: Option<Arc<Names>>,
    /// Whether every check of an access token asks, as in Django: for accounts that somebody else can switch off
    /// without telling us.
    each_time: bool,
    is_former: fn(&str) -> bool,
}

impl Accounts {
    /// By the text of a token's `user_id`. With `each_time` every check of an access token asks whether the account
    /// is active, as Django does; else only a refresh does, and checks while `check_revoke_token` is set.
    pub fn new<L>(each_time: bool, lookup: L) -> Self
    where
        L: for<'a, 'c> Fn(&'a mut Tx<'c>, String) -> TxFuture<'a, Option<Account>, Error>
            + Send
            + Sync
            + 'static,
    {
        Self {
            lookup: Arc::new(lookup),
            names: None,
            each_time,
            is_former: |_| false,
        }
    }

    /// Users who moved here from another program, which called them something else: what ends all tokens of a user
    /// ends those of his other names as well.
    #[must_use]
    pub fn also_called<N>(mut self, names: N) -> Self
    where
        N: for<'a, 'c> Fn(&'a mut Tx<'c>, String) -> TxFuture<'a, Vec<String>, Error> + Send + Sync + 'static,
    {
        self.names = Some(Arc::new(names));
        self
    }

    /// Where users have moved here from another program: which texts may be what it called them. A check of an access
    /// token then asks whose such a name is.
    #[must_use]
    pub fn formerly(mut self, is_former: fn(&str) -> bool) -> Self {
        self.is_former = is_former;
        self
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts")
            .field("each_time", &self.each_time)
            .finish_non_exhaustive()
    }
}

/// simplejwt, as a service has it.
#[derive(Debug)]
pub(crate) struct Dialect {
    pub(crate) jwt: SimpleJwt,
    mode: Mode,
    accounts: Option<Accounts>,
}

impl Dialect {
    pub(crate) fn speaks(&self) -> bool {
        matches!(self.mode, Mode::Speak { .. })
    }

    pub(crate) async fn account(&self, tx: &mut Tx<'_>, subject: &str) -> Result<Option<Account>, Error> {
        match &self.accounts {
            Some(accounts) => (accounts.lookup)(tx, subject.to_owned()).await,
            None => Ok(None),
        }
    }

    /// The user's name, and what other programs call him.
    pub(crate) async fn names(&self, tx: &mut Tx<'_>, subject: &str) -> Result<Vec<String>, Error> {
        let mut names = match self
            .accounts
            .as_ref()
            .and_then(|accounts| accounts.names.as_ref())
        {
            Some(names) => names(tx, subject.to_owned()).await?,
            None => Vec::new(),
        };
        names.push(subject.to_owned());
        Ok(names)
    }

    pub(crate) fn knows_accounts(&self) -> bool {
        self.accounts.is_some()
    }

    /// Whether this may be what another program called the user.
    pub(crate) fn is_former(&self, subject: &str) -> bool {
        self.accounts
            .as_ref()
            .is_some_and(|accounts| (accounts.is_former)(subject))
    }

    /// Whether a check of an access token has to look at its user.
    pub(crate) fn asks_each_time(&self) -> bool {
        self.accounts
            .as_ref()
            .is_some_and(|accounts| accounts.each_time || self.jwt.settings().check_revoke_token)
    }
}

impl TokenService {
    /// Takes simplejwt's tokens, and makes them if `mode` says so. By the service's clock, whatever the other's was.
    /// Without `accounts` nobody is asked whether a user is there.
    #[must_use]
    pub fn with_simplejwt(mut self, jwt: SimpleJwt, mode: Mode, accounts: Option<Accounts>) -> Self {
        self.dialect = Some(Arc::new(Dialect {
            jwt: jwt.with_clock(self.tokens.clock().clone()),
            mode,
            accounts,
        }));
        self
    }

    /// simplejwt's side, if it is spoken or taken.
    pub fn simplejwt(&self) -> Option<&SimpleJwt> {
        self.dialect.as_ref().map(|dialect| &dialect.jwt)
    }

    /// Whether new tokens are simplejwt's.
    pub fn speaks_simplejwt(&self) -> bool {
        self.dialect.as_ref().is_some_and(|dialect| dialect.speaks())
    }

    /// Whether the token goes by simplejwt's rules; else by ours.
    pub fn is_simplejwt(&self, raw: &str) -> bool {
        self.theirs(raw).is_some()
    }

    /// Whose rules the token goes by: `None` for ours.
    pub(crate) fn theirs(&self, raw: &str) -> Option<Arc<Dialect>> {
        let dialect = self.dialect.as_ref()?;
        claimed_purpose(raw).is_none().then(|| Arc::clone(dialect))
    }

    /// Whether a token of ours for this is no longer taken.
    pub(crate) fn is_dropped(&self, purpose: &str) -> bool {
        let drops = self
            .dialect
            .as_ref()
            .is_some_and(|dialect| dialect.mode == Mode::Speak { accept_ours: false });
        drops && matches!(purpose, "access" | "refresh" | "socket")
    }

    pub(crate) fn their_access_lifetime(&self) -> Option<Duration> {
        let settings = self.simplejwt()?.settings();
        Some(
            settings
                .access_token_lifetime
                .max(settings.sliding_token_lifetime),
        )
    }
}

/// In the words of the other dialect.
pub(crate) fn refusal(error: &TokenError) -> Refused {
    match error {
        TokenError::Expired | TokenError::ClaimExpired(_) => Refused::Expired,
        TokenError::WrongType => Refused::WrongPurpose,
        TokenError::Blacklisted => Refused::Revoked,
        TokenError::Invalid | TokenError::NoClaim(_) | TokenError::NoId | TokenError::NoType => {
            Refused::Malformed
        }
    }
}

impl From<RouteError> for Refused {
    fn from(error: RouteError) -> Self {
        match error {
            RouteError::Token(error) => refusal(&error),
            RouteError::NoAccount => Self::Revoked,
            RouteError::Service(error) => Self::Unavailable(Unavailable::new(error)),
        }
    }
}
