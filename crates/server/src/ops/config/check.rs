//! `gatepost config check`.

use crate::config::{Config, Origin, Problem};
use crate::ops::context::Context;
use crate::ops::failure::Failure;

pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let checked = Config::load(&Origin::process(context.config_file.clone()))
        .and_then(|config| config.ready_to_serve());
    let problems: Vec<Problem> = checked.err().map(|error| error.problems).unwrap_or_default();
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
