//! What is understood, but part of a later release. It is refused by name, never replaced by something else.

use super::Config;
use super::error::Problem;

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
    if config.auth.refresh_cookie {
        later("auth.refresh_cookie", "the cookie", "false");
    }
    problems
}
