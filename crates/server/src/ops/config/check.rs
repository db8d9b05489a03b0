//! `gatepost config check`.

use crate::app;
use crate::config::{Config, Origin, Problem};
use crate::ops::context::Context;
use crate::ops::failure::Failure;

pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let loaded = Config::load(&Origin::process(context.config_file.clone()));
    let problems: Vec<Problem> = match loaded {
        Err(error) => error.problems,
        Ok(config) => {
            let mut problems = of_templates(&config);
            problems.extend(of_certificates(&config));
            problems
        }
    };
    let items: Vec<_> = problems
        .iter()
        .map(|p| serde_json::json!({ "key": p.key, "source": p.source, "problem": p.text }))
        .collect();
    context.answer(
        &serde_json::json!({ "ok": problems.is_empty(), "problems": items }),
        || {
            if problems.is_empty() {
                return "the configuration is good".to_owned();
            }
            problems
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        },
    )?;
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Failure::said())
    }
}

/// What would keep the program from starting because of a template.
fn of_templates(config: &Config) -> Vec<Problem> {
    let errors = match app::templates(config) {
        Ok(templates) => templates.problems(),
        Err(error) => vec![error],
    };
    errors
        .into_iter()
        .map(|error| problem(config, "mail.templates_dir", error.to_string()))
        .collect()
}

/// What would keep every connection by TLS from being made.
fn of_certificates(config: &Config) -> Option<Problem> {
    let error = std::fs::read(config.tls_ca_file.as_ref()?).err()?;
    Some(problem(config, "tls.ca_file", format!("can't be read: {error}")))
}

fn problem(config: &Config, key: &str, text: String) -> Problem {
    let source = config.shown().iter().find(|shown| shown.key == key);
    Problem {
        key: key.to_owned(),
        source: source.map(|shown| shown.source.to_string()).unwrap_or_default(),
        text,
    }
}
