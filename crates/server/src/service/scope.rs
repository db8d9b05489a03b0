//! What an API key may do, as types: a scope that this release does not know is refused, not ignored.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use gatepost_tokens::is_purpose_name;

/// One thing that an API key may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// `*`: everything, minting of sessions and of password links included.
    All,
    /// `mail:send`: put letters on the queue.
    MailSend,
    /// `mail:read`: deliveries and the capture box.
    MailRead,
    /// `mail:manage`: resend, cancel, pause, resume.
    MailManage,
    /// `tokens:create:<purpose>`: mint tokens of one purpose.
    TokensCreate(String),
    /// `tokens:create:*`: mint tokens of every purpose that does not amount to owning the account.
    TokensCreateAny,
    /// `tokens:verify`: verify, validate, and use up one-time tokens.
    TokensVerify,
    /// `tokens:revoke`: revoke a token, or all that a user holds.
    TokensRevoke,
    /// `sessions:create`: log an account of ours in: mint its access and refresh tokens.
    SessionsCreate,
    /// `users:read`: read accounts.
    UsersRead,
    /// `users:write`: make, change, delete and revoke accounts.
    UsersWrite,
    /// `queues:read`: look into queues.
    QueuesRead,
    /// `queues:write`: publish to queues, replay and discard.
    QueuesWrite,
    /// `events:read`: read events and revocations.
    EventsRead,
}

/// Who may mint these owns the account, so that `tokens:create:*` is not enough.
const OWNING: [&str; 5] = ["access", "refresh", "change_password", "change_email", "invite"];

const PLAIN: [(&str, Scope); 12] = [
    ("*", Scope::All),
    ("mail:send", Scope::MailSend),
    ("mail:read", Scope::MailRead),
    ("mail:manage", Scope::MailManage),
    ("tokens:create:*", Scope::TokensCreateAny),
    ("tokens:verify", Scope::TokensVerify),
    ("tokens:revoke", Scope::TokensRevoke),
    ("sessions:create", Scope::SessionsCreate),
    ("users:read", Scope::UsersRead),
    ("users:write", Scope::UsersWrite),
    ("queues:read", Scope::QueuesRead),
    ("queues:write", Scope::QueuesWrite),
];
const EVENTS: &str = "events:read";

/// Whether whoever may mint tokens of this purpose owns the accounts they are for.
pub(crate) fn owns_account(purpose: &str) -> bool {
    OWNING.contains(&purpose)
}

/// A scope that cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// There is none of this name.
    #[error(
        "there is no scope {0:?}; there are mail:send, mail:read, mail:manage, tokens:create:<purpose>, \
         tokens:verify, tokens:revoke, sessions:create, users:read, users:write, queues:read, queues:write, \
         events:read and *"
    )]
    Unknown(String),
    /// Access and refresh tokens come with a session.
    #[error("{0:?} is no scope: access and refresh tokens belong to a session; ask for sessions:create")]
    NeedsSession(String),
    /// A key that may do nothing is a mistake.
    #[error("a key needs at least one scope")]
    None,
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        if let Some((_, scope)) = PLAIN.iter().find(|(name, _)| *name == text) {
            return Ok(scope.clone());
        }
        match text.strip_prefix("tokens:create:") {
            Some("access" | "refresh") => Err(ScopeError::NeedsSession(text.to_owned())),
            Some(purpose) if is_purpose_name(purpose) => Ok(Self::TokensCreate(purpose.to_owned())),
            None if text == EVENTS => Ok(Self::EventsRead),
            _ => Err(ScopeError::Unknown(text.to_owned())),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TokensCreate(purpose) => write!(f, "tokens:create:{purpose}"),
            other => f.write_str(
                PLAIN
                    .iter()
                    .find(|(_, scope)| scope == other)
                    .map_or(EVENTS, |(name, _)| name),
            ),
        }
    }
}

/// Everything that one key may do: at least one scope, each once. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(Arc<[Scope]>);

impl Scopes {
    /// The scopes of these names.
    pub fn parse<S: AsRef<str>>(names: &[S]) -> Result<Self, ScopeError> {
        let mut scopes = names
            .iter()
            .map(|name| name.as_ref().parse())
            .collect::<Result<Vec<Scope>, _>>()?;
        scopes.sort();
        scopes.dedup();
        if scopes.is_empty() {
            Err(ScopeError::None)
        } else {
            Ok(Self(scopes.into()))
        }
    }

    /// As they stand in the table. A scope of a newer release gives nothing here.
    pub(crate) fn stored(text: &str) -> Self {
        Self(text.split(' ').filter_map(|name| name.parse().ok()).collect())
    }

    /// Whether they include `wanted`.
    pub fn allow(&self, wanted: &Scope) -> bool {
        self.0.iter().any(|scope| match (scope, wanted) {
            (Scope::All, _) => true,
            (Scope::TokensCreateAny, Scope::TokensCreate(purpose)) => !OWNING.contains(&purpose.as_str()),
            (scope, wanted) => scope == wanted,
        })
    }

    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, scope) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(" ")?;
            }
            scope.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(names: &[&str]) -> Scopes {
        Scopes::parse(names).unwrap()
    }

    fn create(purpose: &str) -> Scope {
        Scope::TokensCreate(purpose.to_owned())
    }

    #[test]
    fn every_scope_is_read_as_it_is_written() {
        for (name, scope) in PLAIN {
            assert_eq!(name.parse(), Ok(scope.clone()));
            assert_eq!(scope.to_string(), name);
        }
        for name in [
            "events:read",
            "tokens:create:activate",
            "tokens:create:my-own.purpose",
        ] {
            assert_eq!(name.parse::<Scope>().unwrap().to_string(), name);
        }
        let stored = scopes(&["users:read", "mail:send", "mail:send"]).to_string();
        assert_eq!(stored, "mail:send users:read");
        assert_eq!(
            Scopes::stored("mail:send later:scope users:read"),
            scopes(&["mail:send", "users:read"])
        );
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        for name in [
            "",
            "mail",
            "mail:",
            "MAIL:SEND",
            "tokens:create",
            "tokens:create:",
            "tokens:create:No Name",
            "mail:*",
        ] {
            assert!(
                matches!(name.parse::<Scope>(), Err(ScopeError::Unknown(_))),
                "{name:?}"
            );
        }
        assert!(matches!(
            "tokens:create:access".parse::<Scope>(),
            Err(ScopeError::NeedsSession(_))
        ));
        assert_eq!(Scopes::parse::<&str>(&[]), Err(ScopeError::None));
    }

    #[test]
    fn minting_what_owns_an_account_takes_more_than_the_star_of_tokens() {
        let star = scopes(&["tokens:create:*"]);
        assert!(
            star.allow(&create("activate"))
                && star.allow(&create("socket"))
                && star.allow(&create("unsubscribe"))
        );
        for purpose in OWNING {
            assert!(!star.allow(&create(purpose)), "{purpose}");
        }
        assert!(!star.allow(&Scope::SessionsCreate));
        assert!(scopes(&["tokens:create:change_password"]).allow(&create("change_password")));
        assert!(!scopes(&["tokens:create:activate"]).allow(&create("invite")));
        let all = scopes(&["*"]);
        assert!(
            all.allow(&create("change_password"))
                && all.allow(&Scope::SessionsCreate)
                && all.allow(&Scope::EventsRead)
        );
        assert!(!scopes(&["mail:send"]).allow(&Scope::MailRead));
    }
}
