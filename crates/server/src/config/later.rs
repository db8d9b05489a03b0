//! What is understood, but part of a later release. It is refused by name, never replaced by something else.

use super::error::Problem;
use super::{Cache, Config, Dialect};

/// Keys of later releases: told apart from slips of the finger.
pub(crate) fn unknown_key(key: &str) -> Option<String> {
    let later = ["simplejwt.", "accounts.django."]
        .iter()
        .any(|prefix| key.starts_with(prefix));
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
    if matches!(config.cache, Cache::Redis { .. }) {
        later("cache.url", "Redis (redis://)", "\"memory\"");
    }
    if config.tokens.dialect == Dialect::Simplejwt {
        later("tokens.dialect", "\"simplejwt\"", "\"gatepost\"");
    }
    if config.tokens.accept.contains(&Dialect::Simplejwt) {
        later("tokens.accept", "\"simplejwt\"", "an empty list");
    }
    if config.accounts.source_is_django {
        later("accounts.source", "\"django\"", "\"own\"");
    }
    if config.auth.refresh_cookie {
        later("auth.refresh_cookie", "the cookie", "false");
    }
    problems
}
