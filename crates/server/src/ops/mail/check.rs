//! `gatepost mail check`.

use std::collections::BTreeSet;

use gatepost_mail::Templates;
use serde_json::json;

use crate::ops::context::Context;
use crate::ops::failure::Failure;
use crate::ops::words::count;

pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let config = context.config()?;
    let templates = super::templates::open(&config)?;
    let problems: Vec<String> = templates.problems().iter().map(ToString::to_string).collect();
    let missing = missing(&templates, config.mail.locale.as_str());
    let rendered: usize = templates
        .names()
        .map(|name| templates.locales(name).map_or(0, Iterator::count))
        .sum();
    let templates = templates.names().count();
    let items: Vec<_> = missing
        .iter()
        .map(|(template, locale)| json!({ "template": template, "locale": locale }))
        .collect();
    let value = json!({ "ok": problems.is_empty(), "templates": templates, "rendered": rendered,
        "problems": problems, "missing_languages": items });
    context.answer(&value, || {
        let mut lines = problems.clone();
        lines.extend(missing.iter().map(|(template, locale)| {
            format!("{template} has no {locale}: its readers get another language")
        }));
        if problems.is_empty() {
            lines.push(format!(
                "{} good, in {} of their languages",
                count(templates as u64, "template"),
                rendered
            ));
        }
        lines.join("\n")
    })?;
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Failure::said())
    }
}

/// Languages that some template has and another one lacks, and the default one wherever it is lacking.
fn missing(templates: &Templates, default: &str) -> Vec<(String, String)> {
    let of = |name: &str| -> BTreeSet<String> {
        templates
            .locales(name)
            .map(|locales| locales.map(str::to_owned).collect())
            .unwrap_or_default()
    };
    let mut all: BTreeSet<String> = templates.names().flat_map(of).collect();
    all.insert(default.to_owned());
    let lacking = |name: &str| {
        let there = of(name);
        let lacks: Vec<(String, String)> = all
            .difference(&there)
            .map(|locale| (name.to_owned(), locale.clone()))
            .collect();
        lacks
    };
    templates.names().flat_map(lacking).collect()
}
