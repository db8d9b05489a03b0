//! `gatepost user sessions`.

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
                "expires_at": s.expires_at, "user_agent": s.user_agent, "ip": s.ip,
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
                // Shown as text that can't speak to the terminal: clients choose it.
                let device: String = s
                    .user_agent
                    .as_deref()
                    .unwrap_or("?")
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(60)
                    .collect();
                vec![
                    s.id.to_string(),
                    relative(s.created_at, now),
                    relative(s.last_used_at, now),
                    relative(s.expires_at, now),
                    s.ip.clone().unwrap_or_else(|| "?".to_owned()),
                    device,
                ]
            })
            .collect();
        table(&["ID", "BEGAN", "LAST USED", "ENDS", "ADDRESS", "DEVICE"], &rows)
    })
}
