//! `GATEPOST__SECTION__KEY`, and the same with `_FILE`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::error::Problem;
use super::layers::{Raw, Setting, Settings, Source};

const PREFIX: &str = "GATEPOST__";

/// All variables of ours. Whether a key is known is for the caller to say; it is needed here only to tell
/// `GATEPOST__TLS__CA_FILE`, a key of its own, from a `_FILE` of something.
pub(crate) fn read(
    variables: &BTreeMap<String, String>,
    known: &[String],
    problems: &mut Vec<Problem>,
) -> Settings {
    let mut settings = Settings::new();
    for (name, value) in variables {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let key = rest
            .split("__")
            .map(str::to_ascii_lowercase)
            .collect::<Vec<_>>()
            .join(".");
        let (key, setting) = match key.strip_suffix("_file") {
            Some(base) if !known.contains(&key) => {
                let path = PathBuf::from(value);
                let source = Source::VariableFile(name.clone(), path.clone());
                match std::fs::read_to_string(&path) {
                    // Editors and `echo` end a file with a line break that is not part of the value.
                    Ok(text) => {
                        let text = text.trim_end_matches(['\n', '\r']).to_owned();
                        (
                            base.to_owned(),
                            Setting {
                                raw: Raw::Text(text),
                                source,
                            },
                        )
                    }
                    Err(error) => {
                        problems.push(Problem {
                            key: name.clone(),
                            source: String::new(),
                            text: format!(
                                "{} can't be read: {error}; check the path and who may read it",
                                path.display()
                            ),
                        });
                        continue;
                    }
                }
            }
            _ => (
                key,
                Setting {
                    raw: Raw::Text(value.clone()),
                    source: Source::Variable(name.clone()),
                },
            ),
        };
        if let Some(before) = settings.insert(key.clone(), setting) {
            problems.push(Problem {
                text: format!("is given twice, also by {}; keep one of them", before.source),
                source: name.clone(),
                key,
            });
        }
    }
    settings
}
