//! `gatepost key generate`.

use std::path::PathBuf;

use gatepost_tokens::{Algorithm, SigningKey};
use secrecy::{ExposeSecret as _, SecretString};

use super::{announced, by_hand, made};
use crate::ops::context::Context;
use crate::ops::failure::Failure;

/// No private key of ours is larger.
const MAX_FILE: u64 = 64 * 1024;

/// Options of `key generate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  gatepost key generate --algorithm EdDSA\n  \
    gatepost key generate --algorithm HS512 --purpose activate --purpose change_password\n  \
    gatepost key generate --from key.pem --algorithm RS256\n\n\
    Older tokens stay good. At the next start of `gatepost serve` the key for access tokens is made to be of \
    tokens.algorithm again, if it is of another: change that too.")]
pub(in crate::ops) struct Args {
    /// One of the names that `tokens.algorithm` takes; that one without it
    #[arg(long, value_parser = parse_algorithm)]
    algorithm: Option<Algorithm>,
    /// What it signs; once for each
    #[arg(long = "purpose", default_value = "access")]
    purposes: Vec<String>,
    /// Take the private key of this file, a JWK (which says its own algorithm) or PEM, instead of making one
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Sign at once: who keeps an older /.well-known/jwks.json refuses its tokens until it asks again
    #[arg(long)]
    now: bool,
}

fn parse_algorithm(name: &str) -> Result<Algorithm, String> {
    name.parse()
        .map_err(|error: gatepost_tokens::KeyError| error.to_string())
}

pub(super) async fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let app = context.app().await?;
    let tokens = by_hand(&app);
    let algorithm = args.algorithm.unwrap_or(app.config.tokens.algorithm);
    let purposes: Vec<&str> = args.purposes.iter().map(String::as_str).collect();
    let key = match &args.from {
        None => {
            tokens
                .generate_key(algorithm, &purposes, announced(args.now))
                .await?
        }
        Some(file) => {
            let key = read(file, args.algorithm)?;
            tokens.add_key(key, &purposes, announced(args.now)).await?
        }
    };
    made(context, app.now(), &key)
}

fn read(file: &std::path::Path, algorithm: Option<Algorithm>) -> Result<SigningKey, Failure> {
    let cannot = |why: String| Failure::usage(format!("{}: {why}", file.display()));
    let size = std::fs::metadata(file)
        .map_err(|error| cannot(error.to_string()))?
        .len();
    if size > MAX_FILE {
        return Err(cannot("too large for a private key".to_owned()));
    }
    let text: SecretString = std::fs::read_to_string(file)
        .map_err(|error| cannot(error.to_string()))?
        .into();
    let text = text.expose_secret();
    let key = if text.trim_start().starts_with('{') {
        let key = SigningKey::from_jwk(text).map_err(|error| cannot(error.to_string()))?;
        if algorithm.is_some_and(|asked| asked != key.algorithm()) {
            return Err(cannot(format!("its algorithm is {}", key.algorithm())));
        }
        key
    } else {
        let algorithm =
            algorithm.ok_or_else(|| cannot("--algorithm says what a PEM key signs with".to_owned()))?;
        SigningKey::from_pem(algorithm, text).map_err(|error| cannot(error.to_string()))?
    };
    Ok(key)
}
