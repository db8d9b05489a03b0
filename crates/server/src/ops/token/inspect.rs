//! `gatepost token inspect`: what a token says of itself.

use gatepost_storage::Timestamp;
use serde_json::Value;

use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words;

/// Options of `token inspect`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  gatepost token inspect \"$TOKEN\"\n\n\
    Asks neither the database whether it was used or revoked (token validate does), nor trusts a word of it.")]
pub(in crate::ops) struct Args {
    /// The token, or - to read it from standard input
    token: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let raw = crate::ops::ask::token(args.token).await?;
    let app = context.app().await?;
    app.tokens
        .learn_keys()
        .await
        .map_err(|error| Failure::unknown(format!("the keys can't be read: {error}")))?;
    let Some(seen) = app.tokens.tokens().inspect(&raw) else {
        return Err(Failure::no(
            "that is no token: three parts with dots between, the first two base64url of JSON",
        ));
    };
    let verdict = match &seen.verdict {
        Ok(purpose) => format!("signed here, in time, for {purpose}"),
        Err(refused) => format!("refused: {refused}"),
    };
    let word = match &seen.verdict {
        Ok(_) => "good",
        Err(refused) => refused.code(),
    };
    let value = serde_json::json!({ "header": seen.header, "claims": seen.claims, "verdict": word });
    let now = app.now();
    context.answer(&value, || {
        let mut lines = vec!["header".to_owned()];
        lines.extend(listed(&seen.header, now));
        lines.push("claims".to_owned());
        lines.extend(listed(&seen.claims, now));
        lines.push(verdict);
        lines.join("\n")
    })
}

/// One member a line; times in words, too.
fn listed(object: &Value, now: Timestamp) -> Vec<String> {
    let members = object.as_object().into_iter().flatten();
    members
        .map(|(name, value)| match (name.as_str(), value.as_i64()) {
            ("exp" | "iat" | "nbf", Some(seconds)) => {
                format!(
                    "  {name:<12} {seconds} ({})",
                    words::time(Timestamp::from_secs(seconds), now)
                )
            }
            // Escaped as JSON: whoever made the token must not be able to write to the terminal.
            _ => format!("  {name:<12} {value}"),
        })
        .collect()
}
