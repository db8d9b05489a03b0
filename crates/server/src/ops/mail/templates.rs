//! Templates as the configuration has them, with nothing else running.

use gatepost_mail::Templates;

use crate::app;
use crate::config::Config;
use crate::ops::failure::Failure;

/// The built-in ones with those of `mail.templates_dir` on top, not checked.
pub(super) fn open(config: &Config) -> Result<Templates, Failure> {
    app::templates(config).map_err(|error| Failure::no(format!("mail.templates_dir: {error}")))
}

pub(super) fn unknown(templates: &Templates, name: &str) -> Failure {
    let names: Vec<&str> = templates.names().collect();
    Failure::usage(format!(
        "there is no template {name:?}; there are {}",
        names.join(", ")
    ))
}
