//! First sights: that somebody holds the tokens of a session's latest rotation.
//!
//! The rule of [`refresh`](crate::TokenService::refresh) turns on it: once a successor was seen, its parent may not
//! ask again. So a sight is written *before* the check that saw it is answered; a sight that was only in memory when
//! the process died would let a thief and a victim go on side by side. It costs one small write per rotation of a
//! session (with the defaults one an hour and client), not per check: what was written is remembered here, and the
//! first tokens of a session have no parent that could ask, so that logging in costs nothing.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use gatepost_storage::{Store, sessions};
use uuid::Uuid;

use crate::claims::Claims;
use crate::error::Refused;

/// Which rotation of which session this instance knows to be written down.
#[derive(Debug, Default)]
pub(crate) struct Sights(RwLock<Noted>);

#[derive(Debug, Default)]
struct Noted {
    sessions: HashMap<Uuid, Sight>,
    /// How many there may be before those of dead tokens are thrown out.
    room: usize,
}

#[derive(Debug, Clone, Copy)]
struct Sight {
    rotation: i64,
    expires_at: i64,
}

const LEAST_ROOM: usize = 1024;

impl Sights {
    /// Writes down that this access token was presented, unless that is known.
    pub(crate) async fn note(&self, store: &Store, claims: &Claims) -> Result<(), Refused> {
        let Some(session) = claims.session.as_ref().filter(|session| session.rotation > 0) else {
            return Ok(());
        };
        let sid: Uuid = session.sid.parse().map_err(|_| Refused::Malformed)?;
        let rotation = session.rotation;
        if self.knows(sid, rotation) {
            return Ok(());
        }
        store
            .run_tx("note_sight", move |tx| {
                Box::pin(async move { sessions::mark_seen(tx, sid, rotation).await })
            })
            .await?;
        self.remember(
            sid,
            Sight {
                rotation,
                expires_at: claims.expires_at,
            },
            store.now().as_secs(),
        );
        Ok(())
    }

    fn knows(&self, sid: Uuid, rotation: i64) -> bool {
        let noted = self.0.read().unwrap_or_else(PoisonError::into_inner);
        noted
            .sessions
            .get(&sid)
            .is_some_and(|sight| sight.rotation >= rotation)
    }

    fn remember(&self, sid: Uuid, sight: Sight, now: i64) {
        let mut noted = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if noted.sessions.len() >= noted.room.max(LEAST_ROOM) {
            noted.sessions.retain(|_, sight| sight.expires_at > now);
            noted.room = noted.sessions.len() * 2;
        }
        let known = noted.sessions.entry(sid).or_insert(sight);
        if known.rotation < sight.rotation {
            *known = sight;
        }
    }
}
