//! Prometheus' text format, version 0.0.4.

use std::fmt::{Display, Write as _};

/// A document under construction.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    /// A family of samples: its name, type and meaning. Its samples follow.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String can't fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One sample of the family before.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (nth, (label, value)) in labels.iter().enumerate() {
            self.0.push(if nth == 0 { '{' } else { ',' });
            self.0.push_str(label);
            self.0.push_str("=\"");
            for c in value.chars() {
                match c {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    c => self.0.push(c),
                }
            }
            self.0.push('"');
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    /// A family of one sample without labels.
    pub(super) fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    /// The samples of one histogram: upper bounds in seconds with how many took no longer, the last bound infinite.
    pub(super) fn histogram(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        buckets: &[(f64, u64)],
        sum: f64,
    ) {
        let bucket = format!("{name}_bucket");
        let mut count = 0;
        for (bound, below) in buckets {
            let bound = if bound.is_finite() {
                bound.to_string()
            } else {
                "+Inf".to_owned()
            };
            let mut labels = labels.to_vec();
            labels.push(("le", &bound));
            self.sample(&bucket, &labels, below);
            count = *below;
        }
        self.sample(&format!("{name}_sum"), labels, sum);
        self.sample(&format!("{name}_count"), labels, count);
    }

    /// The whole.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_buckets_end_with_infinity() {
        let mut text = Text::default();
        text.family("a_total", "counter", "What.");
        text.sample("a_total", &[("x", "a\"b\\c\nd"), ("y", "")], 3);
        text.histogram("h", &[("r", "/x")], &[(0.5, 1), (f64::INFINITY, 2)], 1.25);
        assert_eq!(
            text.finish(),
            "# HELP a_total What.\n# TYPE a_total counter\na_total{x=\"a\\\"b\\\\c\\nd\",y=\"\"} 3\n\
             h_bucket{r=\"/x\",le=\"0.5\"} 1\nh_bucket{r=\"/x\",le=\"+Inf\"} 2\nh_sum{r=\"/x\"} 1.25\nh_count{r=\"/x\"} 2\n"
        );
    }
}
