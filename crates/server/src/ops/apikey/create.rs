//! `gatepost apikey create`.

use gatepost_storage::{Error, audit};
use secrecy::ExposeSecret;

use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::service::api_key;
use crate::service::scope::Scopes;

/// Options of `apikey create`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gatepost apikey create shop --scope mail:send --scope tokens:verify\n  \
    gatepost --json apikey create shop --scope 'tokens:create:activate' | jq -r .key\n\n\
    Scopes: mail:send, mail:read, mail:manage, tokens:create:<purpose>, tokens:verify, tokens:revoke, \
    sessions:create, users:read, users:write, queues:read, queues:write, events:read, *"
)]
pub(in crate::ops) struct Args {
    /// What people call it
    name: String,
    /// What it may do; once for each
    #[arg(long = "scope", required = true, value_name = "SCOPE")]
    scopes: Vec<String>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    if args.name.trim().is_empty()
        || args.name.chars().count() > api_key::MAX_NAME
        || args.name.chars().any(char::is_control)
    {
        return Err(Failure::usage(format!(
            "a key's name has 1 to {} characters, none of them a control character",
            api_key::MAX_NAME
        )));
    }
    let scopes = Scopes::parse(&args.scopes).map_err(|error| Failure::usage(error.to_string()))?;
    let (_, store) = context.store().await?;
    let (name, shown) = (args.name.clone(), scopes.to_string());
    let made = store
        .run_tx("create_api_key", move |tx| {
            let (name, scopes) = (name.clone(), scopes.clone());
            Box::pin(async move {
                let made = api_key::create(tx, &name, &scopes).await?;
                if made.is_some() {
                    let detail = serde_json::json!({ "name": name, "scopes": scopes.to_string() });
                    audit::note(tx, "cli", "api_key.created", None, detail).await?;
                }
                Ok::<_, Error>(made)
            })
        })
        .await?;
    let Some(new) = made else {
        return Err(Failure::no(
            "there is a key of that name; revoke it first, or choose another name",
        ));
    };
    let key = new.key.expose_secret();
    let value = serde_json::json!({ "id": new.id, "name": args.name, "scopes": args.scopes, "key": key });
    context.aside(&format!("{}: {shown}. The key is shown this once:", args.name));
    context.answer(&value, || key.to_owned())
}
