//! TOML files: tables become dotted keys.

use std::path::Path;

use super::error::ConfigError;
use super::layers::{Raw, Setting, Settings, Source};
use super::own;

/// Reads and flattens the file.
pub(crate) fn read(path: &Path) -> Result<Settings, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        ConfigError::one(
            path.display().to_string(),
            "",
            format!("can't be read: {error}; check the path and who may read it"),
        )
    })?;
    parse(&text, &Source::File(path.to_path_buf()), path)
}

/// Flattens a text.
pub(crate) fn parse(text: &str, source: &Source, path: &Path) -> Result<Settings, ConfigError> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| {
            text[..span.start.min(text.len())].matches('\n').count() + 1
        });
        // Only the message and the line: the error's own display quotes the line, which may hold a secret.
        let place = format!("{}, line {line}", path.display());
        ConfigError::one(
            place,
            "",
            format!("is not TOML: {}", error.message().replace('\n', "; ")),
        )
    })?;
    let mut settings = Settings::new();
    flatten("", table, source, &mut settings);
    Ok(settings)
}

fn flatten(prefix: &str, table: toml::Table, source: &Source, into: &mut Settings) {
    for (name, value) in table {
        let key = if prefix.is_empty() {
            name
        } else {
            format!("{prefix}.{name}")
        };
        match value {
            toml::Value::Table(inner) if !(inner.is_empty() && own::names_something(&key)) => {
                flatten(&key, inner, source, into);
            }
            value => {
                into.insert(
                    key,
                    Setting {
                        raw: Raw::Toml(value),
                        source: source.clone(),
                    },
                );
            }
        }
    }
}
