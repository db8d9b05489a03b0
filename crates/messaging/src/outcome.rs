//! How a try ended, and why messages end as dead letters.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What a handler answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Handled: the message goes.
    Done,
    /// Failed, may work later: tried again after the queue's next delay, or a dead letter (`attempts`) if
    /// this was the last try. With the reason.
    Retry(String),
    /// The same, after a delay of the handler's choice.
    RetryAfter(String, Duration),
    /// Not now, and not the message's fault (a server is down, somebody else is at it): put back for later
    /// without counting as a try. With the reason.
    Later(String, Duration),
    /// Will never work: a dead letter (`failed`) at once. With the reason.
    Fail(String),
}

/// Why a message is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeadReason {
    /// The handler said that it will never work.
    Failed,
    /// The last try failed.
    Attempts,
    /// It was started again and again with no outcome: it seems to kill the process that handles it.
    CrashLoop,
    /// Its time was over before it was handled.
    Expired,
    /// Its body is not what its type says.
    Malformed,
}

impl DeadReason {
    /// All of them.
    pub const ALL: [DeadReason; 5] = [
        Self::Failed,
        Self::Attempts,
        Self::CrashLoop,
        Self::Expired,
        Self::Malformed,
    ];

    /// The word in tables, headers and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Attempts => "attempts",
            Self::CrashLoop => "crash_loop",
            Self::Expired => "expired",
            Self::Malformed => "malformed",
        }
    }
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DeadReason {
    type Err = UnknownReason;
    fn from_str(word: &str) -> Result<Self, UnknownReason> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str() == word)
            .ok_or(UnknownReason)
    }
}

/// A word that is none of [`DeadReason`]'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a reason for a dead letter: failed, attempts, crash_loop, expired or malformed")]
pub struct UnknownReason;
