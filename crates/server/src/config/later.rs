//! What is understood, but part of a later release. It is refused by name, never replaced by something else.

use super::error::Problem;
use super::{Config, Dialect};

/// Keys of later releases: told apart from slips of the finger.
pub(crate) fn unknown_key(key: &str) -> Option<String> {
    let later = key.starts_with("simplejwt.");
    later.then(|| "is part of a later release; take it out".to_owned())
}

/// What was chosen of it.
pub(crate) fn selected(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut later = |key: &str, chosen: &str, instead: &str| {
        let source = config
            .shown
            .iter()
            .find(|s| s.key == key)
            .map(|s| s.source.to_string())
            .unwrap_or_default();
        let text = format!("{chosen} is not part of this release yet: use {instead}");
        problems.push(Problem {
            key: key.to_owned(),
            source,
            text,
        });
    };
    if config.tokens.dialect == Dialect::Simplejwt {
        later("tokens.dialect", "\"simplejwt\"", "\"gatepost\"");
    }
    if config.tokens.accept.contains(&Dialect::Simplejwt) {
        later("tokens.accept", "\"simplejwt\"", "an empty list");
    }
    if config.auth.refresh_cookie {
        later("auth.refresh_cookie", "the cookie", "false");
    }
    problems
}
