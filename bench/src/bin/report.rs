//! Writes the tables of `docs/benchmarks.md` from `bench/results/*.json`, between the markers.
//!
//! `cargo run -p gatepost-bench --bin report`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

fn main() {
    let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = bench.join("../docs/benchmarks.md");
    let mut text = fs::read_to_string(&page).expect("docs/benchmarks.md");
    for entry in fs::read_dir(bench.join("results"))
        .expect("bench/results")
        .flatten()
    {
        let path = entry.path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
        let from = text.find(&begin).unwrap_or_else(|| panic!("no {begin}")) + begin.len();
        let to = from + text[from..].find(&end).unwrap_or_else(|| panic!("no {end}"));
        let figures: Value =
            serde_json::from_str(&fs::read_to_string(&path).unwrap()).expect("figures are JSON");
        text.replace_range(from..to, &table(&figures));
    }
    fs::write(page, text).expect("docs/benchmarks.md can be written");
}

fn table(figures: &Value) -> String {
    let mut table = String::from("| what | figure |\n|---|---:|\n");
    for (what, figure) in figures.as_object().expect("an object") {
        let value = figure["value"].as_f64().expect("a number");
        let unit = match figure["unit"].as_str().unwrap_or_default() {
            "ratio" | "p" | "" => "",
            "1/s" => "/s",
            unit => &format!(" {unit}"),
        };
        let value = if value >= 1000.0 {
            thousands(value)
        } else if value >= 100.0 || value.fract() == 0.0 {
            format!("{value:.0}")
        } else {
            format!("{value:.2}")
        };
        // Writing to a string does not fail.
        let _ = writeln!(table, "| {what} | {value}{unit} |");
    }
    table
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let groups: Vec<_> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(String::from_utf8_lossy)
        .collect();
    groups.join(",")
}
