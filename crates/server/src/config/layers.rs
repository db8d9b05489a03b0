//! Four layers, one value a key, each with where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Problem};
use super::{DEFAULTS, env, file, own, python, suggest};

/// Where to read from: the environment and the file.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The variables, by name.
    pub variables: BTreeMap<String, String>,
    /// The file named with `--config`. It must exist.
    pub config_file: Option<PathBuf>,
    /// A file that is read if it is there: `gatepost.toml` in the current folder.
    pub optional_file: Option<PathBuf>,
}

impl Origin {
    /// The process's own environment, and `gatepost.toml` in the current folder unless another file is named.
    /// Variables that are not UTF-8 are left out: none of ours can be.
    pub fn process(config_file: Option<PathBuf>) -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .collect();
        let optional_file = config_file.is_none().then(|| PathBuf::from("gatepost.toml"));
        Self {
            variables,
            config_file,
            optional_file,
        }
    }

    /// These variables and nothing else, neither a file nor the process's environment.
    pub fn of<K: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (K, V)>) -> Self {
        let variables = variables.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        Self {
            variables,
            ..Self::default()
        }
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `config.default.toml`, compiled in.
    Default,
    /// A variable of the Python services.
    Python(String),
    /// A file.
    File(PathBuf),
    /// A variable of ours.
    Variable(String),
    /// A file that a variable of ours names.
    VariableFile(String, PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Python(name) | Self::Variable(name) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::VariableFile(name, path) => write!(f, "{name} = {}", path.display()),
        }
    }
}

/// A value as it was written.
#[derive(Clone, Debug)]
pub(crate) enum Raw {
    /// Text of a variable: a number, a list or a switch may be meant.
    Text(String),
    /// A value of a TOML file; never a table.
    Toml(toml::Value),
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) raw: Raw,
    pub(crate) source: Source,
}

/// Keys in dotted form.
pub(crate) type Settings = BTreeMap<String, Setting>;

/// All layers as one. Unknown keys are refused here, all at once.
pub(crate) fn merge(origin: &Origin) -> Result<Settings, ConfigError> {
    let mut settings = file::parse(DEFAULTS, &Source::Default, Path::new("config.default.toml"))?;
    let known: Vec<String> = settings.keys().cloned().collect();
    let mut problems = Vec::new();

    settings.extend(python::read(&origin.variables, &mut problems));
    for (path, needed) in [(&origin.optional_file, false), (&origin.config_file, true)] {
        let Some(path) = path else { continue };
        if needed || path.exists() {
            lay_over(&mut settings, file::read(path)?, &known, &mut problems);
        }
    }
    let ours = env::read(&origin.variables, &known, &mut problems);
    lay_over(&mut settings, ours, &known, &mut problems);

    if problems.is_empty() {
        Ok(settings)
    } else {
        Err(ConfigError { problems })
    }
}

fn lay_over(settings: &mut Settings, upper: Settings, known: &[String], problems: &mut Vec<Problem>) {
    for (key, setting) in upper {
        if known.contains(&key) || own::is_own(&key) {
            settings.insert(key, setting);
        } else {
            problems.push(Problem {
                text: suggest::unknown(&key, known),
                source: setting.source.to_string(),
                key,
            });
        }
    }
}
