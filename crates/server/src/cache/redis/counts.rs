//! Rate limits that all instances share.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use redis::{cmd, pipe};

use super::gate::Gate;
use crate::cache::memory::{Key, Seen};

/// Counts in Redis, atomically.
pub(super) const SCRIPT: &str = include_str!("take.lua");

/// One counter to move on. Times in microseconds.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) key: Key,
    /// How far it may run ahead of the clock.
    pub(crate) ahead: i64,
    /// How far it moves on.
    pub(crate) every: i64,
    /// What this process knows of it.
    pub(crate) seen: Seen,
}

/// What became of the counters.
#[derive(Debug)]
pub(crate) struct Counted {
    /// How long whoever asked has to wait; none: they may go on.
    pub(crate) wait: Option<Duration>,
    /// When those that were looked at will have caught up, in the order in which they were asked.
    pub(crate) caught_up: Vec<i64>,
}

/// None if Redis can't say.
pub(super) async fn take(gate: &Gate, asked: &[Asked], now: i64) -> Option<Counted> {
    let link = gate.link()?;
    let mut question = cmd("EVALSHA");
    question.arg(&link.sha).arg(asked.len());
    for one in asked {
        question.arg(name(&one.key));
    }
    question.arg(now);
    for one in asked {
        let Seen { caught_up, alone } = one.seen;
        question
            .arg(one.ahead)
            .arg(one.every)
            .arg(caught_up)
            .arg(i64::from(alone));
    }
    let mut commands = link.commands();
    let mut answer: Vec<i64> = gate.ask(&link, question.query_async(&mut commands)).await?;
    if answer.is_empty() {
        return None;
    }
    let wait = answer.remove(0);
    Some(Counted {
        wait: (wait > 0).then(|| Duration::from_micros(wait.unsigned_abs())),
        caught_up: answer,
    })
}

/// Starts these anew. They stay until they would have caught up, so that what other instances have seen of them is
/// not taken for better.
pub(super) async fn forget(gate: &Gate, keys: &[Key], now: i64) {
    let Some(link) = gate.link() else { return };
    let mut forgetting = pipe();
    for key in keys {
        forgetting
            .cmd("SET")
            .arg(name(key))
            .arg(now)
            .arg("XX")
            .arg("KEEPTTL")
            .ignore();
    }
    let mut commands = link.commands();
    let _: Option<()> = gate.ask(&link, forgetting.query_async(&mut commands)).await;
}

fn name(key: &Key) -> String {
    format!("gatepost:limit:{}", URL_SAFE_NO_PAD.encode(key))
}
