//! What is told of sessions.

use gatepost_storage::{Tx, TxFuture, events};
use gatepost_tokens::SessionsEnded;
use serde_json::{Value, json};

/// `session.ended`, once for each: by logout, revocation, a changed password, or reuse of an old refresh token. A
/// session that runs out of time is not told of: its end was known from the beginning.
pub fn session_ended<'a>(
    tx: &'a mut Tx<'_>,
    ended: SessionsEnded,
) -> TxFuture<'a, (), gatepost_storage::Error> {
    Box::pin(async move {
        let reason = ended.reason.as_str();
        let told: Vec<(&str, Value)> = ended
            .sessions
            .iter()
            .map(|session| {
                let data = json!({"session_id": session, "user_id": ended.subject, "reason": reason});
                ("session.ended", data)
            })
            .collect();
        events::insert_many(tx, &told).await
    })
}
