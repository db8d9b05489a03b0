//! `gatepost token create`.

use std::time::Duration;

use gatepost_storage::{Timestamp, audit, users};
use gatepost_tokens::{NewSession, NewToken, ServiceError};

use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words;

/// Options of `token create`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gatepost token create --user 42 --purpose activate --lifetime 30m\n  \
    gatepost --json token create --user 0198c0de-7e57-7000-8000-000000000000 --purpose access"
)]
pub(in crate::ops) struct Args {
    /// Whom it is about: any text of up to 255 bytes; an account here for access and refresh
    #[arg(long, value_name = "ID")]
    user: String,
    /// What it is for; access and refresh open a session, which the user sees
    #[arg(long)]
    purpose: String,
    /// How long it lives (30m, 7d), if not as long as the purpose's
    #[arg(long, value_parser = crate::config::parse_duration)]
    lifetime: Option<Duration>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let app = context.app().await?;
    if app.tokens.tokens().purpose_named(&args.purpose).is_none() {
        let names: Vec<&str> = app.tokens.tokens().purposes().map(|p| p.name.as_str()).collect();
        return Err(Failure::usage(format!(
            "there is no purpose {:?}; there are {}",
            args.purpose,
            names.join(", ")
        )));
    }
    let is_session = matches!(args.purpose.as_str(), "access" | "refresh");
    if is_session && args.lifetime.is_some() {
        return Err(Failure::usage(
            "the tokens of a session live as long as every session's; leave --lifetime out",
        ));
    }
    let (tokens, user, purpose, lifetime) = (app.tokens.clone(), args.user, args.purpose, args.lifetime);
    let made: Result<Option<String>, ServiceError> = app
        .store
        .run_tx("create_token", move |tx| {
            let (tokens, user, purpose) = (tokens.clone(), user.clone(), purpose.clone());
            Box::pin(async move {
                let detail = serde_json::json!({ "purpose": purpose });
                if is_session {
                    let account = match user.parse() {
                        Ok(id) => users::get(tx, id).await?,
                        Err(_) => None,
                    };
                    if !account.is_some_and(|user| user.active) {
                        return Ok(None);
                    }
                    audit::note(tx, "cli", "session.created", Some(&user), detail).await?;
                    let session = NewSession {
                        user_agent: Some("gatepost token create".to_owned()),
                        ip: None,
                    };
                    let grant = tokens.start_session_in(tx, user.as_str(), session).await?;
                    return Ok(Some(if purpose == "refresh" {
                        grant.refresh
                    } else {
                        grant.access
                    }));
                }
                let mut new = NewToken::new(user.as_str()).extra(serde_json::Map::new());
                if let Some(lifetime) = lifetime {
                    new = new.lifetime(lifetime);
                }
                audit::note(tx, "cli", "token.created", Some(&user), detail).await?;
                Ok(Some(tokens.create_named_in(tx, &purpose, new).await?.raw))
            })
        })
        .await;
    let Some(token) = made? else {
        return Err(Failure::no(
            "there is no active account of that id here, which access and refresh tokens need",
        ));
    };
    let expires_at = Timestamp::from_secs(app.tokens.validate_any(&token).await?.claims.expires_at);
    let value = serde_json::json!({ "token": token, "expires_at": expires_at });
    // Only the token on standard output, so that it can be taken over by a script.
    context.aside(&format!("expires {}", words::time(expires_at, app.now())));
    context.answer(&value, || token.clone())
}
