//! The keys that other programs read: docs/distributed.md names them, and they never change their meaning.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use gatepost_storage::Timestamp;
use gatepost_storage::revocation_log::News;
use gatepost_tokens::{Claims, KeyInfo, KeyState};
use redis::Pipeline;
use sha2::{Digest, Sha256};

/// Is there while what stands beside it can be relied on; its value is the word of those who are vouched for.
pub(super) const FRESH: &str = "gatepost:fresh";
/// For how long what was written is remembered: longer than a view may be old, twice.
const REMEMBERED: Duration = Duration::from_secs(5);

fn token(jti: &str) -> String {
    format!("gatepost:token:{jti}")
}

fn session(sid: &str) -> String {
    format!("gatepost:session:{sid}")
}

/// By its hash: a subject is whatever an installation calls its users, addresses too.
fn user(subject: &str) -> String {
    format!("gatepost:user:{}", hex(&Sha256::digest(subject.as_bytes())))
}

/// The word that vouches: another one as soon as a key is retired or the secret is another, so that nobody is
/// vouched for any more by what was said before.
pub(super) fn word(keys: &[KeyInfo]) -> String {
    let mut all: Vec<String> = keys
        .iter()
        .filter(|key| key.derived || key.state == KeyState::Retired)
        .map(|key| format!("{} {}", key.kid, key.state == KeyState::Retired))
        .collect();
    all.sort();
    hex(&Sha256::digest(all.join("\n").as_bytes())[..8])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The names of scripts that Redis knows.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) raise: String,
    pub(super) vouch: String,
}

/// Writes that this process made a moment ago.
#[derive(Debug, Default)]
pub(super) struct Lately(HashMap<String, (i64, Instant)>);

impl Lately {
    fn tells(&self, key: &str, generation: i64) -> bool {
        self.0.get(key).is_some_and(|(known, _)| *known >= generation)
    }

    fn note(&mut self, key: String, generation: i64, now: Instant) {
        self.0.insert(key, (generation, now));
    }

    pub(super) fn tidy(&mut self, now: Instant) {
        self.0
            .retain(|_, (_, written)| now.saturating_duration_since(*written) < REMEMBERED);
    }
}

/// Adds that this is dead.
pub(super) fn bury(pipe: &mut Pipeline, scripts: &Scripts, news: &News<'_>, now: Timestamp) {
    let life = life(news.expires_at, now);
    let (key, value) = match (news.kind, news.generation) {
        ("session", _) => (session(news.key), "ended"),
        ("token", _) => (token(news.key), "revoked"),
        ("subject", Some(generation)) => {
            pipe.cmd("EVALSHA").arg(&scripts.raise).arg(1);
            pipe.arg(user(news.key)).arg(generation).arg(life).ignore();
            return;
        }
        // A kind that a newer release writes: it can't be for tokens that this one vouches for.
        _ => return,
    };
    pipe.cmd("SET").arg(key).arg(value).arg("PX").arg(life).ignore();
}

/// The same, unless it was written a moment ago.
pub(super) fn bury_once(
    pipe: &mut Pipeline,
    scripts: &Scripts,
    lately: &mut Lately,
    news: &News<'_>,
    now: Timestamp,
) {
    let key = match news.kind {
        "session" => session(news.key),
        "token" => token(news.key),
        _ => user(news.key),
    };
    let generation = news.generation.unwrap_or(0);
    if !lately.tells(&key, generation) {
        bury(pipe, scripts, news, now);
        lately.note(key, generation, Instant::now());
    }
}

/// Adds that this token is good, unless it is known better. Only tokens that carry a generation can be vouched for:
/// nothing else of them would tell that their user was revoked.
pub(super) fn vouch(
    pipe: &mut Pipeline,
    scripts: &Scripts,
    lately: &Lately,
    claims: &Claims,
    word: &str,
    now: Timestamp,
) {
    let Some(generation) = claims.generation else {
        return;
    };
    let (jti, user) = (token(&claims.jti), user(&claims.subject));
    let sid = claims.session.as_ref().map(|own| session(&own.sid));
    let buried = lately.tells(&jti, 0)
        || lately.tells(&user, generation.saturating_add(1))
        || sid.as_ref().is_some_and(|sid| lately.tells(sid, 0));
    let expires_at = Timestamp::from_secs(claims.expires_at);
    if buried || expires_at <= now {
        return;
    }
    pipe.cmd("EVALSHA")
        .arg(&scripts.vouch)
        .arg(2 + usize::from(sid.is_some()))
        .arg(jti)
        .arg(user)
        .arg(sid)
        .arg(word)
        .arg(generation)
        .arg(life(expires_at, now))
        .ignore();
}

fn life(expires_at: Timestamp, now: Timestamp) -> i64 {
    ((expires_at.as_micros() - now.as_micros()) / 1_000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_as_they_are_documented() {
        assert_eq!(token("ab"), "gatepost:token:ab");
        assert_eq!(session("cd"), "gatepost:session:cd");
        assert_eq!(
            user("42"),
            "gatepost:user:73475cb40a568e8da8a045ced110137e159f890ac4da883b6b17dc651b3a8049"
        );
    }

    #[test]
    fn nobody_is_vouched_for_who_was_buried_a_moment_ago() {
        let scripts = Scripts {
            raise: "r".to_owned(),
            vouch: "v".to_owned(),
        };
        let now = Timestamp::from_secs(1_000);
        let claims = Claims {
            subject: "42".to_owned(),
            jti: "ab".to_owned(),
            issued_at: 900,
            expires_at: 2_000,
            session: None,
            generation: Some(6),
            keep_until: None,
        };
        let mut row = News {
            kind: "subject",
            key: "42",
            generation: Some(6),
            expires_at: Timestamp::from_secs(2_000),
        };
        let vouched = |lately: &Lately| {
            let mut pipe = redis::pipe();
            vouch(&mut pipe, &scripts, lately, &claims, "w", now);
            pipe.len()
        };
        let mut lately = Lately::default();
        let mut pipe = redis::pipe();
        bury_once(&mut pipe, &scripts, &mut lately, &row, now);
        assert_eq!(
            (pipe.len(), vouched(&lately)),
            (1, 1),
            "its own generation counts"
        );
        bury_once(&mut pipe, &scripts, &mut lately, &row, now);
        assert_eq!(pipe.len(), 1, "once is enough");
        row.generation = Some(7);
        bury_once(&mut pipe, &scripts, &mut lately, &row, now);
        assert_eq!((pipe.len(), vouched(&lately)), (2, 0));
        lately.tidy(Instant::now() + REMEMBERED);
        assert_eq!(vouched(&lately), 1);
    }
}
