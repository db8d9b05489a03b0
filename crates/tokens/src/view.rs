//! What is revoked, in memory: only what can refuse a living access token.

use std::sync::atomic::{AtomicUsize, Ordering};

use gatepost_storage::Timestamp;
use gatepost_storage::revocation_log::News;

use crate::claims::Claims;
use crate::table::Table;

#[derive(Debug)]
pub(crate) struct View {
    sessions: Table<()>,
    /// The lowest generation that counts.
    subjects: Table<i64>,
    tokens: Table<()>,
    /// Which part of the tables is looked through next for what is over.
    turn: AtomicUsize,
}

impl View {
    pub(crate) fn new() -> Self {
        Self {
            sessions: Table::new(),
            subjects: Table::new(),
            tokens: Table::new(),
            turn: AtomicUsize::new(0),
        }
    }

    pub(crate) fn refuses(&self, claims: &Claims) -> bool {
        let session = claims.session.as_ref();
        session.is_some_and(|session| self.sessions.get(&session.sid).is_some())
            || claims.generation.is_some_and(|own| {
                let lowest = self.subjects.get(&claims.subject);
                lowest.is_some_and(|lowest| own < lowest)
            })
            || self.tokens.get(&claims.jti).is_some()
    }

    /// Whether it was news.
    pub(crate) fn add(&self, news: &News<'_>) -> bool {
        let expires = seconds_up(news.expires_at);
        match (news.kind, news.generation) {
            ("session", _) => self.sessions.insert(news.key, expires, ()),
            ("token", _) => self.tokens.insert(news.key, expires, ()),
            ("subject", Some(generation)) => self.subjects.insert(news.key, expires, generation),
            // A kind that a newer release writes: it can't be for tokens that this one makes.
            _ => false,
        }
    }

    /// Looks through one part in 256 for what is over: a minute for all of it, at four readings a second.
    pub(crate) fn tidy(&self, now: Timestamp) {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let now = u32::try_from(now.as_secs()).unwrap_or(u32::MAX);
        self.sessions.tidy(turn, now);
        self.subjects.tidy(turn, now);
        self.tokens.tidy(turn, now);
    }

    pub(crate) fn len(&self) -> usize {
        self.sessions.len() + self.subjects.len() + self.tokens.len()
    }
}

/// Seconds since 1970, never too few; what ends after 2106 is kept until then.
fn seconds_up(at: Timestamp) -> u32 {
    let seconds = at.as_micros().saturating_add(999_999).div_euclid(1_000_000);
    u32::try_from(seconds.max(0)).unwrap_or(u32::MAX)
}
