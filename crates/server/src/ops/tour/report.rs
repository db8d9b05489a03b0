//! What the tour prints.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A step that did not hold.
#[derive(Debug)]
pub(super) struct Unmet {
    /// What the step needed to see.
    pub(super) expected: String,
    /// What it saw.
    pub(super) came: String,
}

impl Unmet {
    pub(super) fn new(expected: impl Into<String>, came: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            came: came.into(),
        }
    }
}

/// What a step saw, in words without secrets.
pub(super) type Seen = Result<String, Unmet>;

/// The lines of a tour, or its one JSON object.
pub(super) struct Report {
    json: bool,
    colour: bool,
    steps: Vec<Value>,
    broken: bool,
    began: Instant,
}

impl Report {
    pub(super) fn new(json: bool, terminal: bool) -> Self {
        let colour = terminal && std::env::var_os("NO_COLOR").is_none();
        Self {
            json,
            colour,
            steps: Vec::new(),
            broken: false,
            began: Instant::now(),
        }
    }

    pub(super) fn open(&mut self, base: &str, own: bool) {
        if !self.json {
            let whose = if own {
                "a throw-away instance"
            } else {
                "the instance"
            };
            say(&format!("A tour of {whose} at {base}\n"));
        }
    }

    /// Walks one step and writes down what came of it; false if it did not hold.
    pub(super) fn step(&mut self, name: &str, walk: impl FnOnce() -> Seen) -> bool {
        let began = Instant::now();
        let seen = walk();
        let took = began.elapsed();
        if self.json {
            self.steps.push(match &seen {
                Ok(seen) => json!({ "step": name, "held": true, "seen": seen, "ms": millis(took) }),
                Err(unmet) => json!({
                    "step": name, "held": false, "expected": unmet.expected, "came": unmet.came, "ms": millis(took),
                }),
            });
        } else {
            match &seen {
                Ok(seen) => {
                    let tick = self.paint("32", "✓");
                    say(&format!("{tick} {name:<34} {:>7.1} ms  {seen}", millis(took)));
                }
                Err(unmet) => {
                    let cross = self.paint("31", "✗");
                    say(&format!("{cross} {name:<34} {:>7.1} ms", millis(took)));
                    say(&format!(
                        "    expected  {}\n    came      {}",
                        unmet.expected, unmet.came
                    ));
                }
            }
            self.steps.push(Value::Null);
        }
        self.broken |= seen.is_err();
        seen.is_ok()
    }

    /// The last line; true if all `total` steps held.
    pub(super) fn close(self, total: usize) -> bool {
        let held = !self.broken && self.steps.len() == total;
        let took = self.began.elapsed();
        if self.json {
            say(&json!({ "held": held, "of": total, "ms": millis(took), "steps": self.steps }).to_string());
        } else if held {
            say(&format!(
                "\nAll {total} steps held, in {:.1} s.",
                took.as_secs_f64()
            ));
        } else {
            let walked = self.steps.len();
            say(&format!(
                "\nStep {walked} of {total} did not hold, after {:.1} s; the rest was not walked.",
                took.as_secs_f64()
            ));
        }
        held
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// One line to standard error, with what to do next.
pub(super) fn complain(why: &str) {
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(std::io::stderr(), "gatepost tour: {why}");
}

fn say(line: &str) {
    // A closed pipe is the reader's choice; the exit code still tells.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Milliseconds to a tenth.
fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 10_000.0).round() / 10.0
}
