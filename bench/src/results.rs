//! Figures, printed and kept.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

/// The figures of one benchmark, in the order in which they came.
#[derive(Debug)]
pub struct Results {
    name: String,
    figures: Map<String, Value>,
}

impl Results {
    /// Of the benchmark `name`, which is also its file's.
    pub fn of(name: &str) -> Self {
        println!("{name}");
        Self {
            name: name.to_owned(),
            figures: Map::new(),
        }
    }

    /// One figure with its unit, `"1/s"`, `"ms"`, `"ratio"`.
    pub fn add(&mut self, what: &str, value: f64, unit: &str) {
        println!("  {what:<58} {value:>14.3} {unit}");
        self.figures.insert(
            what.to_owned(),
            json!({ "value": (value * 1000.0).round() / 1000.0, "unit": unit }),
        );
    }

    /// A figure that has to reach `at_least`; says so when it does not.
    pub fn ratio(&mut self, what: &str, value: f64, at_least: f64) {
        self.at_least(what, value, "ratio", at_least);
    }

    /// The same for a figure with a unit.
    pub fn at_least(&mut self, what: &str, value: f64, unit: &str, at_least: f64) {
        self.add(what, value, unit);
        if value < at_least {
            println!("  {:<58} below {at_least}", "");
        }
    }

    /// Writes them to `bench/results/<name>.json`; figures of a debug build are not kept.
    pub fn keep(self) {
        if cfg!(debug_assertions) {
            println!("  (a debug build: not kept)");
            return;
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
        fs::create_dir_all(&folder).expect("the results folder can be made");
        let text = serde_json::to_string_pretty(&Value::Object(self.figures)).expect("figures are JSON");
        fs::write(folder.join(format!("{}.json", self.name)), text + "\n")
            .expect("the results can be written");
    }
}
