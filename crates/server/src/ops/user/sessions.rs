//! `gatepost user sessions`.

use crate::auth::device::Device;
use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words::{relative, table};

pub(super) async fn run(context: &Context, named: &str) -> Result<(), Failure> {
    let app = context.app().await?;
    let user = super::find::find(&app, named).await?;
    let sessions = app.tokens.sessions(&user.id.to_string()).await?;
    let now = app.now();
    let items: Vec<_> = sessions
        .iter()
        .map(|s| {
            serde_json::json!({
                "id": s.id, "created_at": s.created_at, "last_used_at": s.last_used_at,
                "expires_at": s.expires_at, "device": device(s), "network": s.ip, "user_agent": s.user_agent,
            })
        })
        .collect();
    context.answer(&serde_json::json!({ "items": items }), || {
        if sessions.is_empty() {
            return "Logged in nowhere.".to_owned();
        }
        let rows: Vec<_> = sessions
            .iter()
            .map(|s| {
                vec![
                    s.id.to_string(),
                    relative(s.created_at, now),
                    relative(s.last_used_at, now),
                    relative(s.expires_at, now),
                    s.ip.clone().unwrap_or_else(|| "?".to_owned()),
                    device(s).unwrap_or_else(|| "?".to_owned()),
                ]
            })
            .collect();
        table(&["ID", "BEGAN", "LAST USED", "ENDS", "NETWORK", "DEVICE"], &rows)
    })
}

/// In words of ours: what a client calls itself could speak to the terminal.
fn device(session: &gatepost_tokens::Session) -> Option<String> {
    session
        .user_agent
        .as_deref()
        .and_then(|agent| Device::of(agent).words())
}
